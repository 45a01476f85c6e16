"""Predicted gains: the mean, a new checkpoint, a new task or family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from gainlaw.errors import InputError, Problem
from gainlaw.posterior.curves import Curve, line_at, new_checkpoint, new_group
from gainlaw.posterior.estimates import summarise
from gainlaw.posterior.grid import check_selection
from gainlaw.posterior.levels import curve_at
from gainlaw.posterior.record import Posterior
from gainlaw.posterior.score_curves import PointsCurve, lifted
from gainlaw.posterior.shares import baseline_share, narrower_baselines, prior_share, prior_widening
from gainlaw.scores.metrics import metric_facts
from gainlaw.sizes import decades, model_sizes

__all__ = ["predict"]


def predict(
    posterior: Posterior,
    params: float | str | Sequence[float | str],
    *,
    new: Sequence[str] = (),
    level: str | None = None,
    baseline: float | None = None,
    chance: float | None = None,
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
    baseline : float, optional
        The untuned score of the model in question, as the table has scores (0.6, not 60). A gain on log-odds becomes
        one in points from there: with the guess rate ``g`` and ``u`` the chance-corrected log-odds of the baseline,
        ``100 (1 - g) (sigmoid(u + gain) - sigmoid(u))`` for an accuracy. What it says of a model is not used to learn;
        by a law with ability the gain is the one from there.
    chance : float, optional
        What guessing scores on the benchmark of the baseline, where no task is given that says so: a benchmark that is
        not among the tasks, for which their average stands.
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
        For sizes, levels, groups or baselines that cannot be used.
    """
    if posterior.reads_points and new:
        what = "in points the gain of a group never seen hangs on its baseline, which is not known"
        raise InputError(
            Problem(
                what, hint="give the baseline to the fit on log-odds, or predict there, or give the group"
            )
        )
    if posterior.law.form.lift and new and baseline is None:
        what = "by this law the gain of a group never seen hangs on its baseline, which is not known"
        raise InputError(Problem(what, hint="give the baseline, or the group"))
    if chance is not None and (baseline is None or "task" in group):
        what = "chance goes with a baseline on a benchmark that is none of the tasks"
        raise InputError(Problem(what, "chance", hint="leave it out, or give the baseline and no task"))
    sizes = np.atleast_1d(model_sizes(params))
    listed = {name: [value] if isinstance(value, str) else list(value) for name, value in group.items()}
    empty = [name for name, values in listed.items() if not values]
    if empty:
        raise InputError(Problem(f"no {', '.join(empty)} is given", hint="name one, or leave it out"))
    chosen = [dict(zip(listed, values, strict=True)) for values in product(*listed.values())]
    parts = []
    for each in chosen:
        known = None if baseline is None else _known_baseline(posterior, each, float(baseline), chance)
        parts.append(_of_group(posterior, sizes, each, new, level, known, ci_prob, seed))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True, slots=True)
class _KnownBaseline:
    """An untuned score: its chance-corrected log-odds, and the points between chance and the best score."""

    log_odds: float
    room: float

    def points(self, gain: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return gains in points for gains on log-odds."""
        return np.asarray(self.room * (expit(self.log_odds + gain) - expit(self.log_odds)))


def _known_baseline(
    posterior: Posterior, group: Mapping[str, str], score: float, guessed: float | None
) -> _KnownBaseline:
    """Return what an untuned score means on the tasks of some groups, or where guessing scores so much."""
    check_selection(posterior, group)
    if posterior.gains.scale != "log_odds" or posterior.reads_points:
        what = "the gain from a known baseline is read off gains on log-odds"
        raise InputError(
            Problem(what, hint="use a fit with scale=log_odds, or one of law=two_curve as it was fitted")
        )
    frame = posterior.gains.frame
    for (
        column,
        name,
    ) in group.items():  # a combination that was never observed has the facts of its first groups
        own = frame[frame[column].astype(str) == name] if column in frame else frame
        frame = own if len(own) else frame
    facts = metric_facts(frame)
    chances = np.full(len(frame), np.nan if guessed is None else guessed)
    if guessed is None and "chance" in frame:
        chances = frame["chance"].to_numpy(float)
    if np.isnan(chances).any():
        hint = "a column chance in the table, or chance here"
        raise InputError(Problem("what guessing scores is not known", "chance", hint=hint))
    kinds = set(zip(chances, facts.of_rows("best"), facts.of_rows("point"), strict=True))
    if len(kinds) > 1:
        said = ", ".join(f"{chance:g}" for chance in sorted({each[0] for each in kinds}))
        what = f"one baseline cannot stand for tasks with several levels of chance ({said})"
        if guessed is not None:
            what = "one baseline cannot stand for tasks whose metrics have several best scores"
        raise InputError(
            Problem(what, hint="give the task, or chance" if guessed is None else "give the task")
        )
    ((chance, best, point),) = kinds
    share = (score - chance) / (best - chance)
    if not 0.0 < share < 1.0:
        what = f"baseline {score:g} does not lie between chance and the best score"
        raise InputError(
            Problem(what, hint=f"a score between {chance:g} and {best:g}, as the table has them")
        )
    return _KnownBaseline(float(logit(share)), abs(best - chance) / point)


def _of_group(
    posterior: Posterior,
    sizes: NDArray[np.float64],
    group: Mapping[str, str],
    new: Sequence[str],
    level: str | None,
    known: _KnownBaseline | None,
    ci_prob: float,
    seed: int,
) -> pd.DataFrame:
    """Predict the gain of one combination of groups, see `predict`."""

    def gains(curve: Curve) -> NDArray[np.float64]:
        draws = curve.gain(sizes).T
        return draws if known is None else known.points(draws)

    ability = known.log_odds if known is not None and posterior.law.form.lift else None

    def curves(posterior: Posterior) -> tuple[Curve, Curve]:
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))
        if ability is None:
            base = curve_at(posterior, group, level)
        else:
            base = line_at(posterior, group, level, ability=ability)
        if new:
            base = new_group(base, posterior, new, rng)
        other = new_checkpoint(base, posterior, rng, ability=ability)
        return base, lifted(other, posterior, rng) if isinstance(other, PointsCurve) else other

    both, moved = curves(posterior), narrower_baselines(posterior)
    others: tuple[Curve | None, ...] = (None, None) if moved is None else curves(moved)
    base = both[0]
    x = decades(sizes)
    low, high = base.x_range
    beyond = np.maximum(np.maximum(low - x, x - high), 0.0) if posterior.law.has_slope else np.zeros(len(x))
    parts, widening = [], prior_widening(posterior)
    for kind, each, other in zip(("mean", "new_checkpoint"), both, others, strict=True):
        draws = gains(each)
        table = summarise(draws, each.n_chains, ci_prob, posterior.importance_ess)
        elsewhere = None if other is None else gains(other)
        table["prior_share"] = np.fmax(prior_share(draws, widening), baseline_share(draws, elsewhere))
        table.insert(0, "kind", kind)
        table.insert(0, "params", sizes)
        table.insert(0, "group", each.group)
        table.insert(0, "level", each.level)
        table["extrapolation"] = beyond
        parts.append(table)
    return pd.concat(parts, ignore_index=True).sort_values(["params", "kind"], ignore_index=True)
