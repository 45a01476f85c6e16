"""Columns of a gains table that say the same thing twice: they agree to the digits written, or are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gainlaw.scores.gains.contrast import contrast
from gainlaw.scores.metrics import metric_facts

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.scales import Scale
    from gainlaw.scores.reading.cells import TableFaults

__all__ = ["WRITTEN", "check_agreement", "check_variance"]

WRITTEN = ("gain", "se", "baseline_score", "intermediate_score", "variance")
"""The columns whose digits matter: what is said twice must agree to the digits written."""

_NOISE = 1e-6
_WORDS = ("paired", "unpaired", "given", "")
_HOW = {
    "points": "intermediate_score - baseline_score",
    "normalized": "(intermediate_score - baseline_score) / (1 - chance)",
    "error_reduction": "(intermediate_score - baseline_score) / (1 - baseline_score)",
    "log_odds": "the difference of the chance-corrected log-odds of intermediate_score and baseline_score",
}


def check_agreement(
    frame: pd.DataFrame, halves: Mapping[str, np.ndarray], scale: Scale, faults: TableFaults
) -> None:
    """Report gains, scores and counts that contradict each other.

    Parameters
    ----------
    frame : pandas.DataFrame
        Parsed gains in the unit of their scale, NaN where missing.
    halves : mapping of str to numpy.ndarray of float, shape (rows,)
        Half a unit of the last digit written, for the columns at hand.
    scale : {"points", "log_odds", "normalized", "error_reduction"}
        The scale.
    faults : TableFaults
        Where contradictions go.
    """
    for side in ("baseline", "intermediate"):
        if {f"{side}_score", f"k_{side}", f"n_{side}"} <= set(frame):
            k, n = frame[f"k_{side}"].to_numpy(float), frame[f"n_{side}"].to_numpy(float)
            slack = halves[f"{side}_score"] + 0.5 / n  # counts may be rounded from an average
            _compare(frame, f"{side}_score", k / n, f"k_{side} / n_{side}", slack, faults)
    if {"baseline_score", "intermediate_score"} <= set(frame):
        _check_gain(frame, halves, scale, faults)


def check_variance(frame: pd.DataFrame, halves: Mapping[str, np.ndarray], faults: TableFaults) -> None:
    """Make of the column ``variance`` what it says: how ``se`` was got in words, or ``given`` for its square.

    Parameters
    ----------
    frame : pandas.DataFrame
        Parsed gains as they were written; the column is changed in place.
    halves : mapping of str to numpy.ndarray of float, shape (rows,)
        Half a unit of the last digit written, of ``variance`` and ``se``.
    faults : TableFaults
        Where words go that it cannot have, and numbers that are not the square of ``se``.
    """
    import pandas as pd

    if "variance" not in frame or frame["variance"].isin(_WORDS).all():
        return
    words = frame["variance"]
    numbers = pd.to_numeric(words.where(words.ne("")), errors="coerce")
    if numbers.notna().eq(words.ne("")).all():
        se = frame["se"].to_numpy(float)
        slack = halves["variance"] + 2 * se * halves["se"]
        _compare(frame.assign(variance=numbers), "variance", se**2, "the square of se", slack, faults)
    else:
        hint = (
            "paired, unpaired or given, or the square of se; a column of your own needs another name: "
            "--rename variance=NEW"
        )
        where = (~words.isin(_WORDS)).to_numpy(bool)
        what = "neither how the standard error was got nor its square"
        faults.add(what, column="variance", where=where, hint=hint)
    frame["variance"] = "given"


def _compare(
    frame: pd.DataFrame, column: str, other: np.ndarray, what: str, slack: np.ndarray, faults: TableFaults
) -> None:
    value = frame[column].to_numpy(float)
    apart = np.abs(value - other) > (1 + _NOISE) * slack + _NOISE * np.abs(other)
    if apart.any():
        i = int(np.flatnonzero(apart)[0])
        shown = f"{value[i]:.6g} is not {what} = {other[i]:.6g}"
        hint = "two columns that say the same thing must agree: correct or leave out one"
        faults.add(shown, column=column, where=apart, hint=hint)


def _check_gain(
    frame: pd.DataFrame, halves: Mapping[str, np.ndarray], scale: Scale, faults: TableFaults
) -> None:
    """Hold each gain against the two scores; on log-odds both as they are, and moved off the edges by half an item."""
    facts = metric_facts(frame)
    chance = frame["chance"].to_numpy(float) if "chance" in frame else np.full(len(frame), np.nan)
    p0, p1 = (frame[f"{side}_score"].to_numpy(float) for side in ("baseline", "intermediate"))
    pairs = [(p0, p1)]
    if scale == "log_odds" and {"k_baseline", "n_baseline", "k_intermediate", "n_intermediate"} <= set(frame):
        moved = [
            ((frame[f"k_{side}"] + 0.5) / (frame[f"n_{side}"] + 1.0)).to_numpy(float)
            for side in ("baseline", "intermediate")
        ]
        pairs.append((moved[0], moved[1]))
    gain = frame["gain"].to_numpy(float)
    differs, shown = np.ones(len(frame), bool), np.full(len(frame), np.nan)
    for q0, q1 in pairs:
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = contrast(
                scale,
                q0,
                q1,
                baseline_adjusted=q0,
                intermediate_adjusted=q1,
                chance=chance,
                baseline_edge=q0,
                per_point=facts.per_point,
                best=facts.of_rows("best"),
            )
            slack = (
                halves["gain"]
                + np.abs(parts.baseline_loading) * halves["baseline_score"]
                + np.abs(parts.intermediate_loading) * halves["intermediate_score"]
            )
            # the loadings are those of the middle of the rounding; half as much again for its edges
            slack = slack * (1.0 if scale in {"points", "normalized"} else 1.5)
            off = np.abs(gain - parts.gain) > (1 + _NOISE) * slack + _NOISE * (1.0 + np.abs(parts.gain))
        off &= np.isfinite(parts.gain) & np.isfinite(slack)
        if scale == "log_odds":  # near the edges a table holds adjusted values
            off &= _inside(frame, "baseline", chance) & _inside(frame, "intermediate", chance)
        shown = np.where(np.isfinite(shown), shown, parts.gain)
        differs &= off
    if differs.any():
        i = int(np.flatnonzero(differs)[0])
        what = f"the gain {gain[i]:.6g} is not {_HOW[scale]} = {shown[i]:.6g}"
        hint = f"on the scale {scale!r}; correct or leave out one of the columns"
        faults.add(what, column="gain", where=differs, hint=hint)


def _inside(frame: pd.DataFrame, side: str, chance: np.ndarray) -> np.ndarray:
    """Return where a score is three standard errors from the guess rate and from 1 (0.05 where n is not known)."""
    n = frame[f"n_{side}"].to_numpy(float) if f"n_{side}" in frame else np.full(len(frame), np.nan)
    score = frame[f"{side}_score"].to_numpy(float)
    margin = np.where(np.isfinite(n), 1.5 / np.sqrt(n), 0.05)
    return (score > chance + margin) & (score < 1.0 - margin)
