"""Predicted gains: the mean, a new checkpoint, a new task or family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.posterior.curves import Curve, new_checkpoint, new_group
from gainlaw.posterior.estimates import summarise
from gainlaw.posterior.levels import curve_at
from gainlaw.posterior.record import Posterior
from gainlaw.posterior.score_curves import PointsCurve, lifted
from gainlaw.posterior.shares import baseline_share, narrower_baselines, prior_share, prior_widening
from gainlaw.sizes import decades, model_sizes

__all__ = ["predict"]


def predict(
    posterior: Posterior,
    params: float | str | Sequence[float | str],
    *,
    new: Sequence[str] = (),
    level: str | None = None,
    ci_prob: float = 0.95,
    seed: int = 0,
    **group: str | Sequence[str],
) -> pd.DataFrame:
    """Predict the gain at given sizes.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    params : float or str, or sequence of them
        Sizes, in parameters; text such as ``"13B"`` is read.
    new : sequence of str
        Terms whose group is new, never observed: ``["task"]``, ``["language_family", "language"]``, ...
    level : {"population", "overall"}, optional
        The level when no group is fixed; ``overall`` by default.
    ci_prob : float
        Probability of the intervals.
    seed : int
        Seed of the new effects.
    **group : str or sequence of str
        Groups to fix, e.g. ``task="xnli"``; of several, ``task=["xnli", "xcopa"]``, every combination is predicted.

    Returns
    -------
    DataFrame
        For every combination of groups and every size two rows: ``mean`` (the law itself) and ``new_checkpoint`` (one
        more checkpoint of that size), with the estimate columns and ``extrapolation``, the decades beyond the observed
        sizes (0 inside).

    Raises
    ------
    InputError
        For sizes, levels or groups that cannot be used.
    """
    if posterior.reads_points and new:
        what = "in points the gain of a group never seen hangs on its baseline, which is not known"
        raise InputError(Problem(what, hint="predict it on log-odds, or give the group"))
    sizes = np.atleast_1d(model_sizes(params))
    listed = {name: [value] if isinstance(value, str) else list(value) for name, value in group.items()}
    empty = [name for name, values in listed.items() if not values]
    if empty:
        raise InputError(Problem(f"no {', '.join(empty)} is given", hint="name one, or leave it out"))
    chosen = [dict(zip(listed, values, strict=True)) for values in product(*listed.values())]
    parts = [_of_group(posterior, sizes, each, new, level, ci_prob, seed) for each in chosen]
    return pd.concat(parts, ignore_index=True)


def _of_group(
    posterior: Posterior,
    sizes: NDArray[np.float64],
    group: Mapping[str, str],
    new: Sequence[str],
    level: str | None,
    ci_prob: float,
    seed: int,
) -> pd.DataFrame:
    """Predict the gain of one combination of groups, see `predict`."""

    def curves(posterior: Posterior) -> tuple[Curve, Curve]:
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))
        base = curve_at(posterior, group, level)
        if new:
            base = new_group(base, posterior, new, rng)
        other = new_checkpoint(base, posterior, rng)
        return base, lifted(other, posterior, rng) if isinstance(other, PointsCurve) else other

    both, moved = curves(posterior), narrower_baselines(posterior)
    others: tuple[Curve | None, ...] = (None, None) if moved is None else curves(moved)
    base = both[0]
    x = decades(sizes)
    low, high = base.x_range
    beyond = np.maximum(np.maximum(low - x, x - high), 0.0) if posterior.law.has_slope else np.zeros(len(x))
    parts, widening = [], prior_widening(posterior)
    for kind, each, other in zip(("mean", "new_checkpoint"), both, others, strict=True):
        draws = each.gain(sizes).T
        table = summarise(draws, each.n_chains, ci_prob, posterior.importance_ess)
        elsewhere = None if other is None else other.gain(sizes).T
        table["prior_share"] = np.fmax(prior_share(draws, widening), baseline_share(draws, elsewhere))
        table.insert(0, "kind", kind)
        table.insert(0, "params", sizes)
        table.insert(0, "group", each.group)
        table.insert(0, "level", each.level)
        table["extrapolation"] = beyond
        parts.append(table)
    return pd.concat(parts, ignore_index=True).sort_values(["params", "kind"], ignore_index=True)
