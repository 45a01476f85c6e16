"""What ability and size each change in the gain, by a law with ability, and the untuned score of the largest gain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.formats import format_interval, format_number, interval_title, level_title
from gainlaw.scales import SCALES
from gainlaw.tables.estimates import rows_by_level
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["abilities_table"]


def abilities_table(fit: FitRecord, level: str = "model_family") -> Table:
    """Return the change of the gain per decade at equal ability, and the untuned scores from which it is largest.

    Parameters
    ----------
    fit : Fit
        A fit of a law with ability.
    level : str
        The groups, below the overall average; the effect of ability is one for all.

    Raises
    ------
    InputError
        If the law is another, or the fit has no such level.

    Examples
    --------
    >>> fit = gl.fit(evals, law="ability")  # doctest: +SKIP
    >>> print(abilities_table(fit).to_markdown())  # doctest: +SKIP
    """
    rows = fit.estimates[fit.estimates["estimand"] == "size_effect"]
    if not fit.law.form.lift:
        what = f"the {fit.law.name} law knows no effect of ability"
        raise InputError(Problem(what, hint="fit law=ability"))
    if not (rows["level"] == level).any():
        known = ", ".join(dict.fromkeys(rows["level"])) or "none"
        raise InputError(Problem(f"the fit has no effects of size by {level}", hint=f"it has: {known}"))
    peaks = fit.estimates[fit.estimates["estimand"] == "peak_ability"].set_index(["level", "group"])
    frame = rows_by_level(fit, rows, level)
    pairs = list(zip(frame["level"], frame["group"], strict=True))
    frame["peak"] = [_percent(peaks.loc[[pair]].iloc[0]) for pair in pairs]
    columns = (
        Column("title", level_title(level).capitalize()),
        Column("median", "Per decade", "number", 2),
        Column("ci_low", interval_title(frame), "interval", 2, high="ci_high"),
        Column("peak", "Largest gain from an untuned"),
    )
    shown = tuple(column for column in columns if column.key != "peak" or frame["peak"].ne("").any())
    effect = fit.estimates[fit.estimates["estimand"] == "ability_effect"].iloc[0]
    unit = SCALES["log_odds"].unit
    caption = (
        f"Change of the gain at equal ability ({unit} per decade of parameters), by {level_title(level)}."
    )
    notes = (
        f"One unit of the untuned {unit} changes the gain by {format_number(effect['median'], 2)} "
        f"{format_interval(effect['ci_low'], effect['ci_high'], 2)} {unit}, in all groups alike. Medians.",
        "An untuned score is told in per cent of the way from guessing to all right, for the middle of the sizes "
        "observed (on the log scale), where nearly all draws have a largest gain among the scores observed.",
    )
    return Table(f"abilities_{level}", caption, frame, shown, notes, rule_by="block")


def _percent(row: pd.Series) -> str:
    if np.isnan(row["median"]):
        return ""
    return f"{row['median']:.0f}% {format_interval(row['ci_low'], row['ci_high'], 0)}"
