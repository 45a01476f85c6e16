"""The table of a planned study: what it will say, with more sizes and seeds, and with one thing added."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from gainlaw.formats import percent
from gainlaw.notes import count_of
from gainlaw.sizes import format_params
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table

if TYPE_CHECKING:
    from gainlaw.power.record import DesignRecord

__all__ = ["design_table"]


def design_table(design: DesignRecord) -> Table:
    """Return the plan, the same with other numbers of sizes and seeds, and with one thing added.

    Parameters
    ----------
    design : Design
        From `gainlaw.design`.

    Examples
    --------
    >>> import gainlaw as gl
    >>> plan = {"sizes": ["100M", "1B", "10B"], "tasks": 2, "languages": 4, "grid": {"sizes": [3], "seeds": [1]}}
    >>> design_table(gl.design(plan)).frame["design"].iloc[0]
    '3 sizes, 1 seed (the plan)'
    """
    study, grid = design.study, design.grid
    names = [
        f"{count_of(row['sizes'], 'size')}, {count_of(row['seeds'], 'seed')}{' (the plan)' if row['planned'] else ''}"
        for row in grid.to_dict("records")
    ]
    shown = ["checkpoints", "power", "width", "cost"]
    first = grid[[*shown, "assurance"]].assign(design=names, part=0)
    # What is added has a cost of its own; beside it stands how much it narrows the interval.
    options = design.options
    second = options[shown].assign(
        design="plus " + options["option"],
        part=1,
        narrower=100.0 * options["narrower"],
        narrower_per_cost=100.0 * options["narrower_per_cost"],
    )
    frame = pd.concat([first, second], ignore_index=True)
    columns = (
        Column("design", "Design"),
        Column("checkpoints", "Checkpoints", "count"),
        Column("power", "Power", "probability", 2),
        Column("assurance", "Assurance", "probability", 2),
        Column("width", "Interval width", "number", 1),
        Column("narrower", "Narrower (%)", "number", 0),
        Column("cost", "Cost", "general", 3),
        Column("narrower_per_cost", "% per cost", "general", 2),
    )
    caption = (
        f"A planned study: the power to detect a slope of {study.slope:g} points per decade and the expected width of "
        f"its {percent(study.ci_prob)} interval ({study.level}), for numbers of sizes and seeds, and with one thing "
        f"added."
    )
    notes = [
        f"Components: {design.components.origin}.",
        *design.components.notes,
        f"Cost in {design.costs.unit}: of the whole study in the upper rows, of the addition in the lower ones; an "
        "addition without training has a known cost where that of scoring is given.",
        "Differences of two points of power, or 5% of a width, are within the error of the simulated studies.",
    ]
    known = sorted(design.costs.runs)
    if len(known) > 1 and not known[0] / 10 <= min(study.all_sizes) <= max(study.all_sizes) <= 10 * known[-1]:
        reach = f"{format_params(known[0])} to {format_params(known[-1])}"
        notes.append(f"Costs are known from {reach}, and extrapolated far beyond.")
    return Table("design", caption, frame, columns, tuple(notes), rule_by="part")
