"""What the caller says of a table that its cells do not: its units, and what its metrics are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gainlaw.errors import InputError, Problem
from gainlaw.options import ParamsUnit, Unit, require_choice
from gainlaw.scores.reading.cells import parse_text

if TYPE_CHECKING:
    from gainlaw.scores.reading.frames import RawTable

__all__ = ["Declared", "declare_metrics"]

_KEYS = ("share", "better", "min", "max", "point")


@dataclass(frozen=True, slots=True)
class Declared:
    """What the caller says of a table.

    Parameters
    ----------
    metrics : mapping of str to mapping, optional
        As `declare_metrics` reads it.
    unit : {"fraction", "points"}, optional
        The unit of scores, or of gains, and of their standard errors.
    params_unit : {"1", "K", "M", "B"}, optional
        The unit of ``params``.
    """

    metrics: Mapping[str, Mapping[str, Any]] | None = None
    unit: Unit | None = None
    params_unit: ParamsUnit | None = None

    def __post_init__(self) -> None:
        """Check the units."""
        if self.unit is not None:
            require_choice(self.unit, Unit, "unit")
        if self.params_unit is not None:
            require_choice(self.params_unit, ParamsUnit, "params_unit")


def declare_metrics(raw: RawTable, metrics: Mapping[str, Mapping[str, Any]] | None) -> RawTable:
    """Write what is declared of metrics into the columns that say so.

    Parameters
    ----------
    raw : RawTable
        The cells as given.
    metrics : mapping of str to mapping, optional
        By the name in the column ``metric``: ``share`` (whether it is a share of items), ``better`` (``"up"``
        or ``"down"``), ``min``, ``max``, ``point`` (what one point is). For a table without that column one
        name, which is then the metric of all rows.

    Returns
    -------
    RawTable
        With the columns ``metric`` and ``metric_share``, ``metric_better``, ...

    Raises
    ------
    InputError
        If a name is not in the table, or a key is not known.
    """
    if not metrics:
        return raw
    import pandas as pd

    frame = raw.frame.copy()
    problems = []
    for name, said in metrics.items():
        problems += [
            Problem(f"metric {name!r} cannot have {key!r}", "metric", hint=f"allowed: {', '.join(_KEYS)}")
            for key in said
            if key not in _KEYS
        ]
    if "metric" not in frame:
        if len(metrics) > 1:
            problems.append(Problem("several metrics are declared, but the table has no column", "metric"))
        frame["metric"] = next(iter(metrics))
    names = parse_text(frame["metric"])
    for name in metrics:
        if not names.eq(name).any():
            hint = f"there are: {', '.join(repr(each) for each in names.unique()[:8])}"
            problems.append(
                Problem(f"no row has the metric {name!r}, which is declared", "metric", hint=hint)
            )
    if problems:
        raise InputError(problems, raw.source or None)
    for name, said in metrics.items():
        where = names.eq(name).to_numpy()
        for key, value in said.items():
            column = f"metric_{key}"
            if column not in frame:
                frame[column] = pd.Series([""] * len(frame), index=frame.index, dtype="object")
            frame[column] = frame[column].astype("object").mask(where, _cell(value))
    return replace(raw, frame=frame)


def _cell(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
