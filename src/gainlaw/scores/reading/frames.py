"""Columns of anything to columns of text or numbers: decoded where that can be done without doubt, else refused."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.notes import Note
from gainlaw.scores.reading.names import code_points, forbidden

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RawTable", "check_names", "raw_from_frame", "tidy"]

_NAMELESS = re.compile(r"(Unnamed: \d+(_level_\d+)?)?")
_INDEX = re.compile(r"(Unnamed: 0)?")


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table as it was given, before any value is judged.

    Attributes
    ----------
    frame : pandas.DataFrame
        The cells: text from CSV, typed columns from Parquet or a frame; column names stripped.
    lines : numpy.ndarray of int, shape (rows,)
        The line of each row in the file; row i of a frame counts as line i + 2, as if written to CSV.
    source : str
        The file's name as given, or what the caller called the frame.
    sha256 : str or None
        Of the file's bytes.
    notes : tuple of Note
        What was mended on the way.
    """

    frame: pd.DataFrame
    lines: np.ndarray
    source: str
    sha256: str | None = None
    notes: tuple[Note, ...] = field(default=())

    def renamed(self, names: Mapping[str, str]) -> RawTable:
        """Return the table with columns under other names.

        Parameters
        ----------
        names : mapping of str to str
            Old name -> new name.

        Raises
        ------
        InputError
            If there is no such column, or the new name is taken.

        Examples
        --------
        >>> import pandas as pd
        >>> list(raw_from_frame(pd.DataFrame({"step": [1]})).renamed({"step": "training_step"}).frame)
        ['training_step']
        """
        if not names:
            return self
        present = [str(name) for name in self.frame.columns]
        after = [names.get(name, name).strip() for name in present]
        problems = [
            Problem("no such column to rename", old, hint=f"columns: {', '.join(present)}")
            for old in names
            if old not in present
        ]
        problems += [
            Problem("two columns would have this name", name)
            for name in dict.fromkeys(names.values())
            if after.count(name.strip()) > 1 or not name.strip()
        ]
        if problems:
            raise InputError(problems, self.source or None)
        return replace(self, frame=self.frame.set_axis(after, axis=1))


def raw_from_frame(frame: pd.DataFrame, source: str = "") -> RawTable:
    """Take a frame as a raw table; row i counts as line i + 2.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table. Named levels of its index are columns of it; an index without a name is ignored.
    source : str, optional
        What to call it in messages.

    Raises
    ------
    InputError
        If it is no frame, has no rows, has unnamed or repeated columns, or cells that are neither text nor numbers.
    """
    import pandas as pd

    name = source or "the frame"
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"a pandas DataFrame belongs here, not {type(frame).__name__}", name)
    if isinstance(frame.columns, pd.MultiIndex):
        hint = "one line of column names belongs above the values"
        raise InputError(Problem(f"the columns have {frame.columns.nlevels} lines of names", hint=hint), name)
    whole = _with_index(frame, name)
    names = [_column_name(column) for column in whole.columns]
    columns = [whole.iloc[:, i].reset_index(drop=True) for i in range(len(names))]
    return tidy(names, columns, np.arange(len(whole)) + 2, source)


def _with_index(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return the frame with the named levels of its index as columns, in front."""
    levels = []
    for level, name in enumerate(frame.index.names):
        if name is None:
            continue
        values = frame.index.get_level_values(level).to_series(index=frame.index, name=name)
        if name not in frame.columns:
            levels.append(values)
        elif not values.astype("object").equals(frame[name].astype("object")):
            what = "the index and a column of the same name hold different values"
            raise InputError(Problem(what, str(name), hint="rename one of them"), source)
    if not levels:
        return frame
    import pandas as pd

    return pd.concat(
        [*(level.reset_index(drop=True) for level in levels), frame.reset_index(drop=True)], axis=1
    )


def _column_name(name: object) -> str:
    if name is None or name != name or type(name).__name__ == "NAType":
        return ""
    return str(_cell(name)[0]).strip()


def tidy(
    names: list[str],
    columns: list[pd.Series],
    lines: np.ndarray,
    source: str,
    sha256: str | None = None,
    notes: tuple[Note, ...] = (),
) -> RawTable:
    """Make a raw table of columns: blank rows and nameless blank columns are skipped, cells decoded or refused.

    Parameters
    ----------
    names : list of str
        The columns' names, stripped; empty where there is none.
    columns : list of pandas.Series
        Their cells, as text or typed.
    lines : numpy.ndarray of int, shape (rows,)
        The line of each row.
    source, sha256, notes
        As in `RawTable`.

    Raises
    ------
    InputError
        With every column whose name or cells cannot be used, and their lines.
    """
    import pandas as pd

    named = source or "the frame"
    blank = [_blank(column) for column in columns]
    taken, dropped, index = [], 0, 0
    for i, name in enumerate(names):
        if not _NAMELESS.fullmatch(name):
            taken.append(i)
        elif blank[i].all():
            dropped += 1
        elif i == 0 and _INDEX.fullmatch(name) and len(names) > 1:
            index += 1
        else:
            taken.append(i)
    found = list(notes)
    if index:
        what = "the first column has no name and was taken for a row index: ignored"
        found.append(Note("index_column", what, standing=True))
    if dropped:
        what = f"{dropped} column{'s' if dropped > 1 else ''} without a name and without a value skipped"
        found.append(Note("blank_columns", what, severity="info", standing=True))
    check_names([names[i] for i in taken], taken, named)
    kept = ~np.logical_and.reduce([blank[i] for i in taken]) if taken else np.zeros(0, bool)
    if not kept.any():
        raise InputError(Problem("the table has no rows"), named)
    problems: list[Problem] = []
    cells = {}
    for i in taken:
        column = columns[i][kept].reset_index(drop=True)
        cells[names[i]] = _decoded(column, names[i], lines[kept], problems)
    if problems:
        raise InputError(problems, named)
    return RawTable(pd.DataFrame(cells), lines[kept], source, sha256, tuple(found))


def _blank(column: pd.Series) -> np.ndarray:
    import pandas as pd

    missing = column.isna().to_numpy(bool)
    if pd.api.types.is_string_dtype(column.dtype) or pd.api.types.is_object_dtype(column.dtype):
        # Text that Arrow holds is slow to walk over; as objects it is not.
        empty = [isinstance(cell, str) and not cell.strip() for cell in column.to_numpy(dtype=object)]
        return missing | np.array(empty, bool)
    return missing


def _decoded(column: pd.Series, name: str, lines: np.ndarray, problems: list[Problem]) -> pd.Series:
    """Return a column as text, numbers, truth values or times; cells that are nothing of these are problems."""
    import pandas as pd

    types = pd.api.types
    if types.is_complex_dtype(column.dtype):
        problems.append(Problem("complex numbers", name, tuple(lines.tolist())))
        return column
    if types.is_datetime64_any_dtype(column.dtype) or (
        not isinstance(column.dtype, pd.CategoricalDtype)
        and (types.is_bool_dtype(column.dtype) or types.is_numeric_dtype(column.dtype))
    ):
        return column
    faults: dict[str, list[int]] = {}
    plain = isinstance(column.dtype, pd.StringDtype)
    cells = column.astype("object").tolist()
    seen: dict[Any, tuple[object, str]] = {}
    for i, cell in enumerate(cells):
        if isinstance(cell, str):
            if cell not in seen:
                seen[cell] = _cell(cell)
            cells[i], fault = seen[cell]
        else:
            cells[i], fault = _cell(cell)
        if fault:
            faults.setdefault(fault, []).append(int(lines[i]))
    problems += [Problem(fault, name, tuple(rows)) for fault, rows in faults.items()]
    return column if plain or faults else pd.Series(cells, index=column.index, dtype="object")


def _cell(cell: object) -> tuple[object, str]:
    """Return a cell as text, a number, a truth value or None, and what is wrong with it."""
    if isinstance(cell, bytes | bytearray | memoryview):
        try:
            cell = bytes(cell).decode("utf-8")
        except UnicodeDecodeError:
            return None, "bytes that are no UTF-8 text"
    if isinstance(cell, str):
        wrong = forbidden(cell)
        return str(cell), f"a control character: {code_points(wrong)}" if wrong else ""
    if cell is None or isinstance(cell, bool | np.bool_) or type(cell).__name__ in {"NAType", "NaTType"}:
        return (None if not isinstance(cell, bool | np.bool_) else bool(cell)), ""
    if isinstance(cell, int | float | np.integer | np.floating | Decimal):
        try:
            return (cell if isinstance(cell, int) and abs(cell) < 2**63 else float(cell)), ""
        except (OverflowError, ValueError):
            return None, "an infinite number"
    if isinstance(cell, datetime.date | np.datetime64):  # a datetime is a date, and so is a Timestamp
        return str(np.datetime_as_string(cell)) if isinstance(cell, np.datetime64) else cell.isoformat(), ""
    if isinstance(cell, Mapping):
        return None, "a mapping where text or a number belongs"
    if isinstance(cell, list | tuple | set | frozenset | np.ndarray):
        return None, "a list where text or a number belongs"
    return None, f"an object of the kind {type(cell).__name__} where text or a number belongs"


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def check_names(names: list[str], positions: list[int], source: str) -> None:
    """Raise an InputError if a column has no name, a number for a name, or the name of another."""
    if any(_is_number(name) for name in names):
        hint = "write the column names on the first line"
        raise InputError(
            Problem("the first line holds values, not column names", rows=(1,), hint=hint), source
        )
    problems = []
    unnamed = [i + 1 for name, i in zip(names, positions, strict=True) if _NAMELESS.fullmatch(name)]
    if unnamed:
        which = ", ".join(str(i) for i in unnamed[:8])
        problems.append(
            Problem(f"no name above column{'s' if len(unnamed) > 1 else ''} number {which}", rows=(1,))
        )
    for name in dict.fromkeys(names):
        wrong = forbidden(name, name=True)
        if wrong:
            what = f"a control character in the name: {code_points(wrong)}"
            problems.append(Problem(what, name.translate(dict.fromkeys(map(ord, wrong), "?")), rows=(1,)))
        if name and names.count(name) > 1 and not _NAMELESS.fullmatch(name):
            problems.append(Problem(f"the column appears {names.count(name)} times", column=name, rows=(1,)))
    if problems:
        raise InputError(problems, source)
