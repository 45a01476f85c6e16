"""Units of sizes, scores and standard errors: those that were declared, and those that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gainlaw.scores.evaluations.sampling import score_variance
from gainlaw.scores.metrics import MetricFacts
from gainlaw.sizes import SUFFIXES

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.options import ParamsUnit, Unit
    from gainlaw.scores.reading.cells import TableFaults

__all__ = ["CONTRADICTION", "check_sampling_errors", "fractions_of", "parameters_of", "uncommon_sizes"]

CONTRADICTION = 30.0
"""A standard error this many times too large or too small for its number of items is in another unit."""

_SMALLEST = 1e4  # the smallest models of published ladders have 1e4 to 1e5 parameters
_FEWEST = 7.0  # a standard error without its n that says fewer items than this


def parameters_of(values: np.ndarray, unit: ParamsUnit | None, faults: TableFaults) -> np.ndarray:
    """Return sizes in parameters; without a declared unit those below 10,000 are reported.

    Parameters
    ----------
    values : numpy.ndarray of float, shape (rows,)
        The column ``params``.
    unit : {"1", "K", "M", "B"}, optional
        What one of it is.
    faults : TableFaults
        Where sizes go that no model has.
    """
    if unit is not None:
        scaled = values * 10.0 ** SUFFIXES.get(unit, 0)
        whole = np.round(scaled)  # 0.56 billions are 560000000, though not in binary
        return np.where(np.abs(scaled - whole) <= 1e-6 * np.abs(scaled), whole, scaled)
    small = (values > 0) & (values < _SMALLEST)
    if small.any():
        hint = (
            "write the whole number, such as 7000000000, or say the unit: --params-unit B (params_unit= in "
            "Python) for billions, M for millions, 1 if the models are so small"
        )
        what = f"fewer parameters than any model has ({values[small][0]:g})"
        faults.add(what, column="params", where=small, hint=hint)
    return values


def uncommon_sizes(frame: pd.DataFrame) -> bool:
    """Return whether all sizes are below a million, as if they were counted in millions or thousands."""
    sizes = frame["params"].to_numpy(float)
    return bool(len(sizes)) and bool(np.nanmax(sizes, initial=0.0) < 1e6) and not np.isnan(sizes).all()


def fractions_of(frame: pd.DataFrame, facts: MetricFacts, unit: Unit | None, faults: TableFaults) -> None:
    """Divide scores and standard errors by 100, in place, where they were declared to be in points.

    Only metrics whose unit is a fraction are concerned: BLEU and the like are in points as they are.

    Parameters
    ----------
    frame : pandas.DataFrame
        Parsed scores.
    facts : MetricFacts
        What they are measured in.
    unit : {"fraction", "points"}, optional
        The unit declared.
    faults : TableFaults
        Where a unit goes that cannot be.
    """
    if unit != "points":
        return
    concerned = (facts.of_rows("point") == 0.01) & np.isfinite(facts.of_rows("best"))
    score = frame["score"].to_numpy(float)
    known = concerned & np.isfinite(score)
    if known.any() and np.max(np.abs(score[known])) <= 1.0:
        what = "no score is above 1, so the unit is not points"
        faults.add(what, column="score", where=known, hint="leave out --unit points")
    for name in ("score", "stderr"):
        frame[name] = frame[name].where(~concerned, frame[name] / 100.0)


def check_sampling_errors(frame: pd.DataFrame, facts: MetricFacts, faults: TableFaults) -> None:
    """Report standard errors that are in another unit than their scores.

    A standard error more than `CONTRADICTION` times too large or too small for the number of items is one;
    clustering and averages over prompts change it by far less. Where the number of items is not known, one
    is that would need fewer than seven.

    Parameters
    ----------
    frame : pandas.DataFrame
        Parsed scores.
    facts : MetricFacts
        What they are measured in.
    faults : TableFaults
        Where they go.
    """
    score, n, k, given = (
        frame[name].to_numpy(float) for name in ("score", "n_examples", "n_correct", "stderr")
    )
    score = np.where(np.isfinite(k / n), k / n, score)
    k = np.where(np.isnan(k), score * n, k)
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.sqrt(score_variance(frame, score, k, n, np.full(len(score), np.nan)))
        ratio = given / own
        items = score * (1.0 - score) / given**2
    known = np.isfinite(ratio) & (given > 0)
    large = known & (ratio > CONTRADICTION)
    small = known & facts.share & (ratio < 1.0 / CONTRADICTION)
    for where, word in ((large, "large"), (small, "small")):
        if where.any():
            i = int(np.flatnonzero(where)[0])
            what = (
                f"{max(ratio[i], 1.0 / ratio[i]):.3g} times too {word} for n_examples ({given[i]:g}, not "
                f"{own[i]:.2g})"
            )
            hint = "write it in the unit of the score (0.012, not 1.2), or leave n_examples blank if stderr is right"
            faults.add(what, column="stderr", where=where, hint=hint)
    few = facts.share & np.isnan(n) & (given > 0) & (score > 0.02) & (score < 0.98) & (items < _FEWEST)
    if few.any():
        i = int(np.flatnonzero(few)[0])
        what = f"as large as that of fewer than {_FEWEST:g} items ({given[i]:g})"
        hint = "write it in the unit of the score (0.012, not 1.2), or give n_examples beside it"
        faults.add(what, column="stderr", where=few, hint=hint)
