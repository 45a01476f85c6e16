"""`--where`: conditions on the rows of a table, for every kind of value that a column can hold."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gainlaw.errors import InputError, Problem

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from gainlaw.scores.evaluations.table import Evaluations
    from gainlaw.scores.gains.table import Gains

__all__ = ["fitting_rows", "parse_where", "require_columns", "select_rows"]

_FORM = 'write --where COLUMN=VALUE or COLUMN=VALUE,VALUE; a value with a comma in quotes: model="a,b"'
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse_where(conditions: Sequence[str]) -> dict[str, list[str]]:
    """Read conditions such as ``task=xnli,xcopa``; several on one column add up.

    A value that holds a comma or a quotation mark is quoted as in CSV; ``""`` is a blank cell.

    Raises
    ------
    InputError
        If a condition cannot be read.

    Examples
    --------
    >>> parse_where(["task=xnli,xcopa", 'model="a,b"'])
    {'task': ['xnli', 'xcopa'], 'model': ['a,b']}
    """
    wanted: dict[str, list[str]] = {}
    for condition in conditions:
        column, mark, text = condition.partition("=")
        try:
            values = next(csv.reader([text], skipinitialspace=True, strict=True), [])
        except csv.Error:
            values = []
        if not (column.strip() and mark and text.strip() and values):
            raise InputError(Problem(f"{condition!r} is not a condition", hint=_FORM))
        wanted.setdefault(column.strip(), []).extend(value.strip() for value in values)
    return wanted


def select_rows(table: Evaluations | Gains, conditions: dict[str, list[str]]) -> Evaluations | Gains:
    """Keep the rows that fit every condition, and the baselines that they are compared with.

    Parameters
    ----------
    table : Evaluations or Gains
        The table.
    conditions : dict of str to list of str
        Column -> values, as `parse_where` reads them.

    Raises
    ------
    InputError
        If there is no such column, no such value, or no row that fits all conditions.
    """
    from gainlaw.scores.gains.table import Gains

    require_columns(table.frame, conditions, table.source)
    if isinstance(table, Gains):
        mask = fitting_rows(table.frame, conditions)
        if not mask.any():
            raise InputError("no row fits all the conditions of --where", table.source)
        return table.subset(mask)
    frame = table.frame
    typed = {column: _typed(frame, column, values) for column, values in conditions.items()}
    if "model" in typed:
        typed["model"] += frame.loc[frame["model"].isin(typed["model"]), "base_model"].unique().tolist()
    for column, kept in (("intermediate", "none"), ("base_model", "")):
        if column in typed and frame[column].eq(kept).any():
            typed[column].append(kept)
    return table.select(**typed)


def require_columns(frame: pd.DataFrame, names: Iterable[str], source: str) -> None:
    """Raise an InputError that names every column to select by that is not there."""
    known = ", ".join(str(column) for column in frame.columns)
    problems = [
        Problem("no such column to select by", column, hint=f"columns: {known}")
        for column in dict.fromkeys(names)
        if column not in frame.columns
    ]
    if problems:
        raise InputError(problems, source=source)


def _typed(frame: pd.DataFrame, column: str, values: list[str]) -> list[object]:
    """Return the values as the column holds them, so that 560M finds 560000000 and true finds True."""
    import pandas as pd

    from gainlaw.sizes import parse_size

    types, dtype = pd.api.types, frame[column].dtype
    blank = pd.NA if types.is_extension_array_dtype(dtype) else float("nan")
    if types.is_bool_dtype(dtype):
        unknown = [value for value in values if value.casefold() not in _TRUTH]
        if unknown:
            raise InputError(Problem(f"{unknown[0]!r} is no truth value", column, hint="true or false"))
        return [_TRUTH[value.casefold()] for value in values]
    if types.is_numeric_dtype(dtype):
        return [
            blank if not value else int(value) if re.fullmatch(r"[+-]?\d{1,18}", value) else parse_size(value)
            for value in values
        ]
    if types.is_datetime64_any_dtype(dtype):
        try:
            return [pd.Timestamp(value) for value in values]
        except ValueError:
            raise InputError(Problem(f"{', '.join(values)} is no date", column)) from None
    return list(values)


def fitting_rows(frame: pd.DataFrame, conditions: dict[str, list[str]]) -> np.ndarray:
    """Return a mask of the rows that fit every condition, as `parse_where` reads them; shape (rows,)."""
    import numpy as np

    typed = {column: _typed(frame, column, values) for column, values in conditions.items()}
    return np.logical_and.reduce([frame[column].isin(values).to_numpy() for column, values in typed.items()])
