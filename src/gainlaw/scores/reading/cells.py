"""Columns of cells to numbers and names; every fault is kept with its column, rows and remedy."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.scores.reading.names import code_points, forbidden, spelling_clashes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TableFaults", "check_names", "group_codes", "parse_free", "parse_numbers", "parse_text"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MISSING = {"", "nan", "na", "n/a", "null", "none", "-", "<na>", "nat"}
_SIZES = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
_KINDS = (
    (
        re.compile(r"[+-]?\d+([.,]\d+)?\s*%"),
        "a percent sign",
        "write a plain number: a score of 62.5% is 0.625",
    ),
    (
        re.compile(r"\d+(\.\d+)?\s*[kKmMbBtT]"),
        "a size written as text",
        "write the whole number: 7000000000 for 7B",
    ),
    (
        re.compile(r"[+-]?\d{1,3}([, '_]\d{3})+(\.\d+)?"),
        "thousands separators",
        "write digits only: 7000000000",
    ),
    (re.compile(r"[+-]?\d+,\d+"), "a decimal comma", "write a decimal point"),
    (re.compile(r"(?i)true|false|yes|no"), "a truth value where a number belongs", None),
    (re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?"), "a date where a number belongs", None),
    (re.compile(r"(?i)[+-]?inf(inity)?"), "an infinite number", None),
    (re.compile(r"[+-]?\d+/\d+"), "a ratio where a number belongs", "give n_correct and n_examples"),
)


class TableFaults:
    """Collects every problem of one table, then raises them together.

    Parameters
    ----------
    lines : numpy.ndarray of int, shape (rows,)
        The line of each row.
    source : str
        The table's name in messages.
    """

    def __init__(self, lines: np.ndarray, source: str) -> None:
        self.lines = lines
        self.source = source
        self.problems: list[Problem] = []

    def add(
        self,
        message: str,
        *,
        column: str | None = None,
        where: np.ndarray | None = None,
        rows: Iterable[int] = (),
        hint: str | None = None,
    ) -> None:
        """Keep a fault; `where` is a mask over the rows (nothing is kept when it is all False)."""
        if where is not None:
            if not where.any():
                return
            rows = self.lines[where].tolist()
        self.problems.append(Problem(message, column, tuple(int(row) for row in rows), hint))

    def raise_any(self) -> None:
        """Raise one InputError with every fault kept, if there is one."""
        if self.problems:
            raise InputError(self.problems, self.source or "the table")


def parse_numbers(series: pd.Series, column: str, faults: TableFaults) -> tuple[np.ndarray, np.ndarray]:
    """Turn a column into finite numbers.

    Parameters
    ----------
    series : pandas.Series, length rows
        Text cells or a typed column.
    column : str
        Its name, for messages.
    faults : TableFaults
        Where cells that are no number are reported.

    Returns
    -------
    values : numpy.ndarray of float, shape (rows,)
        NaN where a cell is missing or at fault.
    bad : numpy.ndarray of bool, shape (rows,)
        Where a cell was at fault (and is reported already).
    """
    import pandas as pd

    if pd.api.types.is_bool_dtype(series.dtype):
        faults.add("truth values where numbers belong", column=column, where=np.ones(len(series), bool))
        return np.full(len(series), np.nan), np.ones(len(series), bool)
    if pd.api.types.is_datetime64_any_dtype(series.dtype) or pd.api.types.is_timedelta64_dtype(series.dtype):
        faults.add("dates where numbers belong", column=column, where=np.ones(len(series), bool))
        return np.full(len(series), np.nan), np.ones(len(series), bool)
    if pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_complex_dtype(series.dtype):
        values = series.to_numpy(dtype=float, na_value=np.nan)
        bad = np.isinf(values)
        faults.add("an infinite number", column=column, where=bad)
        return np.where(bad, np.nan, values), bad
    codes, uniques = pd.factorize(series.astype("object"))
    cells = [_plain_cell(cell) for cell in uniques]
    numbers = np.full(len(cells) + 1, np.nan)  # the last one is for a missing cell, code -1
    kinds: dict[tuple[str, str | None], list[int]] = {}
    for i, cell in enumerate(cells):
        if cell.casefold() in _MISSING:
            continue
        if _NUMBER.fullmatch(cell):
            numbers[i] = float(cell)
            if np.isfinite(numbers[i]):
                continue
            numbers[i] = np.nan
        kinds.setdefault(_kind(cell), []).append(i)
    bad = np.zeros(len(series), bool)
    for (message, hint), which in kinds.items():
        mask = np.isin(codes, which)
        bad |= mask
        example = cells[which[0]]
        shown = example if len(example) <= 40 else example[:37] + "..."
        faults.add(f"{message} ({shown!r})", column=column, where=mask, hint=hint)
    return numbers[codes], bad


def _plain_cell(cell: object) -> str:
    if cell is None or cell != cell or type(cell).__name__ in {"NAType", "NaTType"}:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime.date):
        return cell.isoformat()
    return str(cell).strip()


def _kind(cell: str) -> tuple[str, str | None]:
    for pattern, message, hint in _KINDS:
        if pattern.fullmatch(cell):
            return message, hint
    if _NUMBER.fullmatch(cell):
        return "an infinite number", None
    return "text where a number belongs", None


def parse_text(series: pd.Series) -> pd.Series:
    r"""Turn a column into names: surrounding blanks removed, missing cells as the empty string.

    Words such as ``nan`` and ``null`` are names like any other (``nan`` is the language Min Nan): only an empty cell,
    None and a NaN that is no text are missing. Accents are brought to one form (Unicode NFC), unless names would then
    coincide that were written apart, which `check_names` reports.

    Parameters
    ----------
    series : pandas.Series, length rows
        Text cells or a typed column; whole floats lose their ``.0``.

    Returns
    -------
    pandas.Series of str, length rows
        The names.

    Examples
    --------
    >>> import pandas as pd
    >>> parse_text(pd.Series(["nan", None, " e\u0301", 7.0], dtype=object)).tolist()
    ['nan', '', 'é', '7']
    """
    import pandas as pd

    codes, uniques = pd.factorize(series.astype("object"))
    names = [_plain_cell(cell) for cell in uniques]
    composed = [unicodedata.normalize("NFC", name) for name in names]
    if len(set(composed)) == len(set(names)):
        names = composed
    plain = np.array([*names, ""], dtype=object)
    return pd.Series(plain[codes], index=series.index, dtype="str")


def check_names(names: pd.Series, column: str, faults: TableFaults, *, lines: bool = False) -> None:
    """Report names with control characters, and names that cannot be told apart.

    Parameters
    ----------
    names : pandas.Series of str, length rows
        A column of names.
    column : str
        Its name, for messages.
    faults : TableFaults
        Where what is found goes.
    lines : bool
        Whether a name may have several lines, as a prompt may.
    """
    for name in names.unique():
        wrong = forbidden(name, name=not lines)
        if wrong:
            what = f"a control character in {name!r}: {code_points(wrong)}"
            faults.add(what, column=column, where=names.eq(name).to_numpy(bool), hint="take it out")
    for clash, rare in spelling_clashes(names):
        where = names.eq(rare).to_numpy(bool)
        faults.add(clash, column=column, where=where, hint="write one of them throughout")


def parse_free(series: pd.Series) -> pd.Series:
    """Turn a column of the user's own into numbers or truth values where every cell is one, else into text.

    Parameters
    ----------
    series : pandas.Series, length rows
        Text cells or a typed column.

    Returns
    -------
    pandas.Series, length rows
        Whole numbers as int64, others as float (NaN where blank), truth values as bool; whole numbers of so many
        digits that a float would lose some stay text.
    """
    import pandas as pd

    if not pd.api.types.is_string_dtype(series.dtype):
        return series
    codes, uniques = pd.factorize(series.astype("object"))
    cells = [_plain_cell(cell) for cell in uniques]
    if cells and {cell.casefold() for cell in cells} <= {"true", "false"} and (codes >= 0).all():
        truth = np.array([cell.casefold() == "true" for cell in cells])
        return pd.Series(truth[codes], index=series.index)
    known = [bool(_NUMBER.fullmatch(cell)) for cell in cells]
    if not any(known) or not all(n or cell == "" for n, cell in zip(known, cells, strict=True)):
        return parse_text(series)
    if any(re.fullmatch(r"[+-]?\d+", cell) and abs(int(cell[:40])) >= 2**53 for cell in cells):
        return parse_text(series)  # more digits than a number keeps
    values = np.array([float(cell) if n else np.nan for n, cell in zip(known, cells, strict=True)] + [np.nan])
    numbers = values[codes]
    whole = np.isfinite(numbers).all() and (numbers % 1 == 0).all() and np.abs(numbers).max() < 2**53
    return pd.Series(numbers.astype(np.int64) if whole else numbers, index=series.index)


def group_codes(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Count off the distinct combinations of `columns`; missing cells are equal to each other.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table.
    columns : sequence of str
        The columns that make a key.

    Returns
    -------
    numpy.ndarray of int, shape (rows,)
        0, 1, ... in the order of first appearance.

    Examples
    --------
    >>> import pandas as pd
    >>> group_codes(pd.DataFrame({"a": ["x", "y", "x"], "b": [1, 1, 1]}), ["a", "b"]).tolist()
    [0, 1, 0]
    """
    import pandas as pd

    combined = np.zeros(len(frame), np.int64)
    for column in columns:
        codes, uniques = pd.factorize(frame[column], use_na_sentinel=False)
        combined, _ = pd.factorize(combined * len(uniques) + codes)
    return combined.astype(np.int64)
