"""Baselines that fall off the curve of their own family of models: failures of format rather than of ability."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gainlaw.fitting.checks.diagnostics import Check
from gainlaw.formats import format_number
from gainlaw.notes import count_of
from gainlaw.posterior.record import Posterior

__all__ = ["baselines_check"]

# How many robust sds from the middle of all, and how many of its own sds, an effect must lie to stand out.
_FAR, _SURE = 3.5, 2.0
_LEAST = 5
# Standard errors below chance that guessing does not explain.
_BELOW = 3.0


def baselines_check(posterior: Posterior, influence: pd.DataFrame) -> tuple[Check, ...]:
    """Return a note on untuned scores off their curves, or below chance; nothing for models without such curves.

    It passes and fails nothing. Its value is the number of baselines that stand out.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    influence : DataFrame
        The slope without each checkpoint, see `gainlaw.fitting.checks.influence`.
    """
    if not posterior.spec.joint:
        return ()
    off = [each for name in ("checkpoint", "checkpoint_task") for each in _standing_out(posterior, name)]
    below = _below_chance(posterior)
    if not off and not below:
        return (
            Check("baselines", None, 0.0, float("nan"), "No baseline stands out from the untuned curves."),
        )
    without = (
        dict(zip(influence["checkpoint"], influence["slope_mean"], strict=True)) if len(influence) else {}
    )
    digits, words = posterior.spec.decimals(), []
    for label, effect in off:
        checkpoint = label.split(" | ")[0]
        slope = (
            f"; without {checkpoint} the slope is {format_number(without[checkpoint], digits)}"
            if checkpoint in without
            else ""
        )
        words.append(f"{label} ({format_number(effect, digits)} {posterior.unit}{slope})")
    text = []
    if words:
        text.append(f"Untuned scores off the curve of their family: {', '.join(words)}.")
    if below:
        text.append(
            f"{count_of(len(below), 'untuned score')} more than {_BELOW:g} standard errors below chance "
            f"({', '.join(below[:4])}{', ...' if len(below) > 4 else ''})."
        )
    text.append(
        "That is a failure of format rather than of ability: their gains are no gain of ability either."
    )
    return (Check("baselines", None, float(len(off) + len(below)), float("nan"), " ".join(text)),)


def _standing_out(posterior: Posterior, name: str) -> list[tuple[str, float]]:
    """Return the groups of a term of the baselines whose effects stand out from the others'."""
    term = next((each for each in posterior.spec.baseline_terms if each.name == f"baseline_{name}"), None)
    if term is None or term.n_groups < _LEAST:
        return []
    draws = (
        posterior.draws["posterior"][term.name]
        .to_numpy()
        .reshape(posterior.n_draws, term.n_groups, -1)[..., 0]
    )
    mean, sd = draws.mean(axis=0), draws.std(axis=0)
    away = mean - np.median(mean)
    spread = 1.4826 * np.median(np.abs(away))
    out = (np.abs(away) > _FAR * spread) & (np.abs(away) > _SURE * sd)
    return [(term.groups[k], float(away[k])) for k in np.flatnonzero(out)]


def _below_chance(posterior: Posterior) -> list[str]:
    """Return which untuned scores lie below chance by more than guessing explains."""
    rows = posterior.gains.frame.drop_duplicates("block")
    k, n, chance = (rows[name].to_numpy(float) for name in ("k_baseline", "n_baseline", "chance"))
    error = np.sqrt(n * np.maximum(chance * (1.0 - chance), 0.0))
    out = (k - n * chance) < -_BELOW * error
    labels = (
        rows[[name for name in ("checkpoint", "task") if name in rows]].astype(str).agg(" on ".join, axis=1)
    )
    return labels[out & (chance > 0.0)].tolist()
