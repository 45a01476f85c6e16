"""The scale of published gains and its unit: points, or fractions where that is declared or proven by the scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from gainlaw.notes import Note
from gainlaw.options import choices
from gainlaw.scales import Scale
from gainlaw.scores.evaluations.cells.units import CONTRADICTION
from gainlaw.scores.evaluations.sampling import score_variance
from gainlaw.scores.metrics import metric_facts
from gainlaw.scores.reading.cells import parse_text

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.options import Unit
    from gainlaw.scores.reading.cells import TableFaults
    from gainlaw.scores.reading.frames import RawTable

__all__ = ["check_errors", "points_of", "scale_of"]


def points_of(
    frame: pd.DataFrame, scale: Scale, unit: Unit | None, faults: TableFaults, notes: list[Note]
) -> float:
    """Return by what ``gain`` and ``se`` are multiplied to be in points: 1, or 100 for fractions.

    Fractions are those declared as such, and those that both scores of every row prove: the gain is the
    difference of the fractions. Gains that look like fractions and can be either are reported.

    Parameters
    ----------
    frame : pandas.DataFrame
        Parsed gains.
    scale : {"points", "log_odds", "normalized", "error_reduction"}
        Their scale; log-odds have no unit.
    unit : {"fraction", "points"}, optional
        The unit declared.
    faults : TableFaults
        Where a unit goes that cannot be.
    notes : list of Note
        Where it is said that fractions were read as such.
    """
    if scale == "log_odds" or not len(frame):
        if unit == "fraction":
            faults.add("log-odds are no fractions", column="scale", hint="leave out --unit")
        return 1.0
    gain, se = frame["gain"].to_numpy(float), frame["se"].to_numpy(float)
    facts = metric_facts(frame)
    bounded = np.isin(facts.of_rows("kind"), ("share", "mean")) & (facts.of_rows("point") == 0.01)
    factor = 100.0 if unit == "fraction" else 1.0
    limit = np.inf if scale == "error_reduction" else 100.0
    wild = bounded & (factor * np.abs(gain) > limit) & (scale == "points")
    hint = "a gain in points lies between -100 and 100" + (
        "; the gains are not fractions" if unit == "fraction" else ""
    )
    faults.add("beyond 100 points", column="gain", where=wild, hint=hint)
    wild = bounded & (factor * se > 100.0) & (scale == "points")
    hint = "no gain between -100 and 100 has such a standard error: is it a number of examples, or in another unit?"
    faults.add("above 100 points", column="se", where=wild, hint=hint)
    if unit is not None:
        return factor
    low = np.nanmax(np.abs(gain), initial=0.0) < 1.0 and np.nanmax(se, initial=0.0) < 0.2
    if not low or not (facts.of_rows("point") == 0.01).all():
        return 1.0
    if scale == "points" and _proven(frame, gain):
        what = "the gains are differences of the scores as fractions; they were read as such and are in points now"
        notes.append(Note("fractions", what, standing=True))
        return 100.0
    if scale == "points" and _proven(frame, gain / 100.0):
        return 1.0
    what = (
        f"all gains are within 1 point (at most {np.nanmax(np.abs(gain)):.2g}) and all standard errors below 0.2: they "
        "look like fractions"
    )
    hint = "gains are in percentage points (0 to 100): say --unit fraction or --unit points (unit= in Python)"
    faults.add(what, column="gain", hint=hint)
    return 1.0


def check_errors(frame: pd.DataFrame, scale: Scale, faults: TableFaults) -> None:
    """Report standard errors that no counts of this size can have: those of another unit.

    Two independent shares of n items have the error that is compared; that of paired items is smaller, by less than
    a hundredfold.

    Parameters
    ----------
    frame : pandas.DataFrame
        Parsed gains, in points.
    scale : str
        Their scale; only points are looked at.
    faults : TableFaults
        Where they go.
    """
    needed = ("baseline_score", "intermediate_score", "n_baseline", "n_intermediate")
    if scale != "points" or not set(needed) <= set(frame):
        return
    variance = np.zeros(len(frame))
    for side in ("baseline", "intermediate"):
        p, n = frame[f"{side}_score"].to_numpy(float), frame[f"n_{side}"].to_numpy(float)
        variance = variance + score_variance(frame, p, p * n, n, np.full(len(p), np.nan))
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.abs(metric_facts(frame).per_point) * np.sqrt(variance)
        ratio = frame["se"].to_numpy(float) / own
    for where, word in ((ratio > CONTRADICTION, "large"), (ratio < 0.01, "small")):
        if where.any():
            i = int(np.flatnonzero(where)[0])
            what = f"{max(ratio[i], 1 / ratio[i]):.3g} times too {word} for the numbers of examples"
            hint = f"of two independent scores it is {own[i]:.2g} points: is it in another unit?"
            faults.add(what, column="se", where=where, hint=hint)


def _proven(frame: pd.DataFrame, gain: np.ndarray) -> bool:
    """Return whether the gains are the differences of the scores, to rounding, and tell so (some differ from 0)."""
    if not {"baseline_score", "intermediate_score"} <= set(frame):
        return False
    facts = metric_facts(frame)
    scores = (frame["intermediate_score"] - frame["baseline_score"]).to_numpy(float)
    difference = scores * np.sign(facts.per_point)
    if not np.isfinite(difference).all() or not difference.any():
        return False
    apart = np.abs(gain - difference)
    exact = (apart <= 1e-9 + 1e-6 * np.abs(difference)).all()
    rounded = (apart <= 0.00101 + 0.01 * np.abs(difference)).all() and np.abs(difference).max() > 0.005
    return bool(exact or rounded)


def scale_of(raw: RawTable, scale: Scale | None, faults: TableFaults) -> Scale:
    """Return the scale of a table: the one asked for, that of its column ``scale``, or points.

    Parameters
    ----------
    raw : RawTable
        The cells as given.
    scale : str, optional
        The scale asked for.
    faults : TableFaults
        Where a scale goes that is none, or another than the one asked for.
    """
    allowed = choices(Scale)
    hint = f"allowed: {', '.join(allowed)}"
    if scale is not None and scale not in allowed:
        faults.add(f"the scale is {scale!r}", column="scale", hint=hint)
        return "points"
    if "scale" not in raw.frame:
        return scale or "points"
    given = parse_text(raw.frame["scale"])
    for value in given.unique():
        if value and value not in allowed:
            faults.add(f"the scale is {value!r}", column="scale", where=given.eq(value).to_numpy(), hint=hint)
    values = [value for value in given.unique() if value]
    if len(values) > 1:
        rare = min(values, key=lambda value: int(given.eq(value).sum()))
        what = f"several scales in one table: {', '.join(values)}"
        faults.add(what, column="scale", where=given.eq(rare).to_numpy(), hint="one table, one scale")
    if values and given.eq("").any():
        faults.add("no value, though other rows have one", column="scale", where=given.eq("").to_numpy())
    if scale is not None and values and values != [scale]:
        faults.add(f"the table is on the scale {values[0]!r}, not {scale!r}", column="scale")
    return cast(Scale, values[0]) if values and values[0] in allowed else (scale or "points")
