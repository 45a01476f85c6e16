"""The record of a table: a frame with its caption, its columns' formats and its notes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.formats import (
    MISSING,
    format_count,
    format_general,
    format_interval,
    format_number,
    format_probability,
)
from gainlaw.notes import count_of
from gainlaw.sizes import format_params

__all__ = ["Column", "Kind", "TableRecord"]

Kind = Literal[
    "text",
    "code",
    "status",
    "right",
    "number",
    "general",
    "interval",
    "estimate",
    "probability",
    "count",
    "params",
]

_LEFT = {"text", "code", "status"}
_WORDS = {*_LEFT, "right"}


@dataclass(frozen=True, slots=True)
class Column:
    """How one column of a table is shown.

    Parameters
    ----------
    key : str
        The column of the frame.
    title : str
        The heading.
    kind : Kind
        What the values are: ``text``; ``code``; ``status``, text that the HTML form colours ("ok",
        "failed", a verdict); ``right``, text set from the right; ``number`` with fixed decimals;
        ``general``, numbers of unlike size with `digits` significant digits; ``interval``; ``estimate``, a
        number with its interval behind it; ``probability``; ``count``; ``params``, a model size.
    digits : int, optional
        Decimals of numbers and intervals (1 unless given) and of probabilities (3 unless given); significant digits
        of ``general`` (4 unless given).
    low, high : str
        The columns of an estimate's interval; for an interval, `key` is the lower end.
    width : float, optional
        For long text, the share of the line that the column may take in LaTeX; it wraps.
    """

    key: str
    title: str
    kind: Kind = "text"
    digits: int | None = None
    low: str = ""
    high: str = ""
    width: float | None = None

    @property
    def left(self) -> bool:
        """Whether the column is text, set from the left."""
        return self.kind in _LEFT

    @property
    def decimals(self) -> int:
        """The decimals shown."""
        if self.digits is not None:
            return self.digits
        return {"probability": 3, "number": 1, "interval": 1, "estimate": 1}.get(self.kind, 0)

    def show(self, row: dict[str, Any], minus: str = "-") -> str:
        """Return the cell of one row as plain text.

        Examples
        --------
        >>> Column("low", "95% interval", "interval", high="high").show({"low": -1.23, "high": 4.0})
        '[-1.2, 4.0]'
        """
        value = row[self.key]
        if self.kind in _WORDS:
            return MISSING if value is None or value is pd.NA or value != value or value == "" else str(value)
        if self.kind == "interval":
            return format_interval(row[self.key], row[self.high], self.decimals, minus)
        if self.kind == "estimate":
            interval = format_interval(row[self.low], row[self.high], self.decimals, minus)
            return f"{format_number(value, self.decimals, minus)} {interval}"
        if self.kind == "general":
            return format_general(value, minus, 4 if self.digits is None else self.digits)
        if self.kind == "probability":
            return format_probability(value, self.decimals)
        if self.kind == "count":
            return format_count(value)
        if self.kind == "params":
            return format_params(value)
        return format_number(value, self.decimals, minus)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TableRecord:
    """A table of the paper: the numbers in full, and how they are shown.

    Parameters
    ----------
    name : str
        File stem and, with the prefix ``tab:``, LaTeX label; lower-case letters, digits, ``_`` and ``-``.
    caption : str
        One or two sentences, plain text.
    frame : pandas.DataFrame
        Every value at full precision; what `to_csv` writes. It may have columns that are not shown.
    columns : tuple of Column
        What is shown, from left to right.
    notes : tuple of str
        Sentences below the table, plain text.
    rule_by : str
        A column of the frame; a thin rule parts the rows where its value changes.
    size : {"normalsize", "small", "footnotesize", "scriptsize"}
        The size of the type in LaTeX.

    Raises
    ------
    InputError
        If a column is not in the frame, or the name cannot be a file name and a label.
    """

    name: str
    caption: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()
    rule_by: str = ""
    size: Literal["normalsize", "small", "footnotesize", "scriptsize"] = field(default="small")

    def __post_init__(self) -> None:
        problems = []
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", self.name):
            hint = "lower-case letters, digits, _ and -"
            problems.append(Problem(f"{self.name!r} is no name for a table", hint=hint))
        keys = [key for column in self.columns for key in (column.key, column.low, column.high) if key]
        keys += [self.rule_by] if self.rule_by else []
        problems += [
            Problem("the table's frame has no such column", key)
            for key in dict.fromkeys(keys)
            if key not in self.frame.columns
        ]
        if not self.columns:
            problems.append(Problem("a table shows at least one column"))
        if problems:
            raise InputError(problems, source=f"table {self.name!r}")

    def __repr__(self) -> str:
        """Say in two lines what the table is of."""
        shape = f"{count_of(len(self.frame), 'row')}, {count_of(len(self.columns), 'column')}"
        return f"<{type(self).__name__} {self.name!r}: {shape}>\n{self.caption}"

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.frame)

    @property
    def label(self) -> str:
        """The LaTeX label, ``tab:`` and the name."""
        return f"tab:{self.name}"

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries."""
        return [{str(key): value for key, value in row.items()} for row in self.frame.to_dict("records")]

    def breaks(self) -> set[int]:
        """Return the positions of the rows that a thin rule stands above."""
        if not self.rule_by or self.frame.empty:
            return set()
        values = self.frame[self.rule_by].astype(str)
        changed = (values != values.shift()).to_numpy().copy()
        changed[0] = False
        return {int(position) for position in changed.nonzero()[0]}

    def cells(self, minus: str = "-") -> list[list[str]]:
        """Return what is shown, row by row, as plain text."""
        return [[column.show(row, minus) for column in self.columns] for row in self.rows()]
