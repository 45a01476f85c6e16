"""What tuning is worth in size, by a law of scores: the factor of parameters, and where the gain in points peaks."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.formats import interval_title, level_title
from gainlaw.sizes import format_params
from gainlaw.tables.estimates import rows_by_level
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["multipliers_table"]

_WORDS = {
    "not_reached": "not reached at any size: the untuned curve may be flat",
    "at_chance": "not known: untuned scores at chance at all sizes",
    "mostly_prior": "not known: mostly the prior",
}


def multipliers_table(fit: FitRecord, level: str = "model_family") -> Table:
    """Return the factors of parameters at which untuned models reach the tuned scores, and the sizes of largest gain.

    Parameters
    ----------
    fit : Fit
        A fit of a law of scores.
    level : str
        The groups, below the overall average.

    Raises
    ------
    InputError
        If the law is another, or the fit has no such level.

    Examples
    --------
    >>> fit = gl.fit(evals, law="two_curve")  # doctest: +SKIP
    >>> print(multipliers_table(fit).to_markdown())  # doctest: +SKIP
    """
    rows = fit.estimates[fit.estimates["estimand"] == "size_multiplier"]
    if rows.empty:
        what = f"the {fit.law.name} law knows no factor in size"
        raise InputError(Problem(what, hint="fit law=two_curve"))
    if not (rows["level"] == level).any():
        known = ", ".join(dict.fromkeys(rows["level"]))
        raise InputError(Problem(f"the fit has no factors in size by {level}", hint=f"it has: {known}"))
    peaks = fit.estimates[fit.estimates["estimand"] == "peak"].set_index(["level", "group"])["median"]
    frame = rows_by_level(fit, rows, level)
    pairs = list(zip(frame["level"], frame["group"], strict=True))
    frame["peak"] = ["" if np.isnan(peaks[pair]) else format_params(peaks[pair]) for pair in pairs]
    frame["remark"] = [
        _WORDS.get(row["status"], _open_end(row) if row["status"] == "beyond" else "")
        for row in frame.to_dict("records")
    ]
    columns = (
        Column("title", level_title(level).capitalize()),
        Column("median", "Factor", "number", 2),
        Column("ci_low", interval_title(frame), "interval", 2, high="ci_high"),
        Column("peak", "Largest gain at"),
        Column("remark", "Remark"),
    )
    shown = tuple(column for column in columns if frame[column.key].astype(str).ne("").any())
    worth = "What tuning is worth in size: the factor of parameters to the same score untuned"
    caption = f"{worth}, by {level_title(level)}."
    notes = [
        "Medians, for a tuned model in the middle of the sizes observed (on the log scale).",
        "The overall factor is that of the average curves on log-odds, no average of factors.",
        "A gain is said to peak where nearly all draws peak inside the sizes observed.",
    ]
    if (frame["status"] == "beyond").any():
        notes.append(
            "At least, at most: no size within a decade of those observed is sure to reach the score."
        )
    return Table(f"multipliers_{level}", caption, frame, shown, tuple(notes), rule_by="block")


def _open_end(row: Mapping[Hashable, Any]) -> str:
    """Return what is known of a factor whose interval leads too far beyond the sizes observed."""
    return f"at least {row['ci_low']:.3g}" if np.isinf(row["ci_high"]) else f"at most {row['ci_high']:.3g}"
