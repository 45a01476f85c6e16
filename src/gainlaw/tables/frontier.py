"""The table of a compute-optimal frontier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from gainlaw.formats import format_general, percent
from gainlaw.laws.variables import FLOPS_PER_TOKEN
from gainlaw.sizes import format_params
from gainlaw.tables.curves import loss_in_words
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table
from gainlaw.tasks import task_title

if TYPE_CHECKING:
    from gainlaw.curves.frontier import Frontier

__all__ = ["frontier_table"]


def frontier_table(frontiers: Mapping[str, Frontier], compute: list[float]) -> Table:
    """Return the best size and tokens at amounts of compute, with their intervals, of one curve or several.

    Parameters
    ----------
    frontiers : mapping of str to Frontier
        Frontiers by curve.
    compute : list of float
        Floating-point operations.

    Examples
    --------
    >>> import numpy as np
    >>> import gainlaw as gl
    >>> n, d = (each.ravel() for each in np.meshgrid(np.geomspace(1e8, 1e10, 5), np.geomspace(1e9, 1e11, 5)))
    >>> loss = np.log(1.8 + 480 / n**0.35 + 2100 / d**0.37)
    >>> fit = gl.fit_curve({"log_n": np.log(n), "log_d": np.log(d)}, loss, law="chinchilla")
    >>> frontier_table({"loss": fit.frontier(100)}, [1e21]).frame["params_shown"][0][:5]
    '2.94B'
    """
    parts = []
    for curve, each in frontiers.items():
        part = each.at(compute)
        part.insert(0, "curve", task_title(curve))
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    for name, write in (
        ("params", format_params),
        ("tokens", format_params),
        ("ratio", _short),
        ("value", _short),
    ):
        frame[f"{name}_shown"] = [
            f"{write(at)} [{write(low)}, {write(high)}]"
            for at, low, high in frame[[name, f"{name}_low", f"{name}_high"]].to_numpy()
        ]
    first = next(iter(frontiers.values()))
    columns = (
        Column("curve", "Curve"),
        Column("compute", "Compute (FLOP)", "general", 3),
        Column("params_shown", "Parameters", "right"),
        Column("tokens_shown", "Tokens", "right"),
        Column("ratio_shown", "Tokens a parameter", "right"),
        Column("value_shown", "Predicted", "right"),
    )
    notes = [
        f"{percent(first.fit.ci_prob)} intervals: percentiles of refits. They say how well the law is known, not "
        "whether it holds beyond the runs."
    ]
    top = max(compute)
    for curve, each in frontiers.items():
        slope, low, high = each.exponent(top)
        drawn = each.bootstrap
        lost = f", {drawn.lost} more could not be used" if drawn.lost else ""
        notes.append(
            f"{task_title(curve)}: size grows as compute to the {slope:.3f} [{low:.3f}, {high:.3f}]; "
            f"{format_general(top, digits=3)} FLOP is {top / each.largest:.3g} times the largest run's "
            f"{format_general(each.largest, digits=3)}; {len(drawn.theta)} refits to resampled "
            f"{each.fit.points.replicate}s ({drawn.kind}{lost})."
        )
    caption = (
        f"The size and tokens at which the {first.fit.law.title} law, by {loss_in_words(first.fit)}, is least for "
        f"a compute of training, C = {FLOPS_PER_TOKEN:g} N D."
    )
    return Table(
        "frontier", caption, frame, columns, notes=tuple(notes), rule_by="curve", size="footnotesize"
    )


def _short(value: float) -> str:
    return format_general(value, digits=3)
