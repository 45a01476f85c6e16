"""Files to tables of text cells, with the line of each row; anything unreadable is a plain InputError."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gainlaw._io import sha256_bytes
from gainlaw.errors import InputError, Problem
from gainlaw.notes import Note

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RawTable", "raw_from_frame", "read_raw"]

_CSV_SUFFIXES = {".csv"}
_PARQUET_SUFFIXES = {".parquet", ".pq"}
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


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


def read_raw(path: str | os.PathLike[str]) -> RawTable:
    """Read a CSV or Parquet file into text cells or typed columns.

    Parameters
    ----------
    path : path-like
        A ``.csv`` file (UTF-8, comma-separated, one header line; a byte order mark is fine) or a
        ``.parquet`` file.

    Returns
    -------
    RawTable
        The cells with their line numbers.

    Raises
    ------
    InputError
        If the file is missing, a folder, of another kind, empty, not UTF-8, binary, has no header, has
        unnamed or repeated columns, or rows of uneven length.
    """
    file = Path(path)
    source = str(path)
    suffix = file.suffix.lower()
    if file.is_dir():
        raise InputError(f"{source} is a folder, not a file", source)
    if not file.exists():
        raise InputError(Problem("the file does not exist", hint=_nearby(file)), source)
    if suffix not in _CSV_SUFFIXES | _PARQUET_SUFFIXES:
        allowed = "give a .csv (UTF-8, comma-separated) or .parquet file"
        raise InputError(
            Problem(f"files of the kind {suffix or '(no suffix)'!r} are not read", hint=allowed), source
        )
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(Problem(f"the file cannot be read: {error.strerror or error}"), source) from None
    if not data:
        raise InputError(Problem("the file is empty", hint="a header line and rows belong here"), source)
    if suffix in _PARQUET_SUFFIXES:
        return _from_parquet(data, source)
    return _from_csv(data, source)


def raw_from_frame(frame: pd.DataFrame, source: str = "") -> RawTable:
    """Take a frame as a raw table; row i counts as line i + 2.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table; its index is ignored.
    source : str, optional
        What to call it in messages.

    Raises
    ------
    InputError
        If it is no frame, has no rows, or has unnamed or repeated columns.
    """
    import pandas as pd

    name = source or "the frame"
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"a pandas DataFrame belongs here, not {type(frame).__name__}", name)
    names = [str(column).strip() for column in frame.columns]
    _check_names(names, name)
    if not len(frame):
        raise InputError(Problem("the table has no rows"), name)
    clean = frame.reset_index(drop=True).set_axis(names, axis=1)
    for column in names:
        if pd.api.types.is_object_dtype(clean[column].dtype):
            clean[column] = clean[column].map(_as_cell)  # lists and the like, which no column of ours holds
    return RawTable(clean, np.arange(len(clean)) + 2, source)


def _as_cell(value: object) -> object:
    return value if isinstance(value, Hashable) else str(value)


def _nearby(file: Path) -> str:
    if not file.parent.is_dir():
        return f"the folder {str(file.parent)!r} does not exist either"
    names = sorted(
        p.name for p in file.parent.iterdir() if p.suffix.lower() in _CSV_SUFFIXES | _PARQUET_SUFFIXES
    )
    shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    return f"tables in its folder: {shown}" if names else "its folder holds no .csv or .parquet file"


def _from_parquet(data: bytes, source: str) -> RawTable:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:160]
        raise InputError(Problem(f"the file is no readable Parquet: {reason}"), source) from None
    # an index that pandas stored with the table is no column of it
    frame = pd.DataFrame({}) if not table.num_columns else table.to_pandas(ignore_metadata=False)
    raw = raw_from_frame(frame, source)
    return RawTable(raw.frame, raw.lines, source, sha256_bytes(data))


def _decode(data: bytes, source: str) -> str:
    hint = "save it as CSV in UTF-8"
    if data.startswith(_UTF16_MARKS):
        raise InputError(Problem("the file is UTF-16, not UTF-8", hint=hint), source)
    if data[:2] == b"PK":
        raise InputError(Problem("the file is a zip archive or a spreadsheet, not CSV", hint=hint), source)
    if data[:2] == b"\x1f\x8b":
        raise InputError(Problem("the file is gzip-compressed", hint="unpack it first"), source)
    if data[:4] == b"PAR1":
        raise InputError(
            Problem("the file is Parquet under the name of a CSV", hint="name it .parquet"), source
        )
    if data.lstrip()[:1] in (b"{", b"[", b"<"):
        raise InputError(
            Problem("the file looks like JSON, HTML or XML, not CSV", rows=(1,), hint=hint), source
        )
    if b"\x00" in data:
        line = data.count(b"\n", 0, data.index(b"\x00")) + 1
        raise InputError(
            Problem("a NUL byte: the file is binary, UTF-16 or damaged", rows=(line,), hint=hint), source
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"byte 0x{data[error.start]:02x} is no UTF-8: the file is binary or in another encoding"
        raise InputError(Problem(what, rows=(line,), hint=hint), source) from None


def _from_csv(data: bytes, source: str) -> RawTable:
    import pandas as pd

    text = _decode(data, source)
    if not text.strip():
        raise InputError(Problem("the file holds blank lines only"), source)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records: list[list[str]] = []
    lines: list[int] = []
    start = 1
    try:
        for record in reader:
            # a blank line (or one of blanks and no comma) is skipped, but counted
            if record and not (len(record) == 1 and not record[0].strip()):
                records.append(record)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        hint = "look for a quotation mark that is never closed"
        raise InputError(Problem(f"the file is no CSV: {error}", rows=(start,), hint=hint), source) from None
    header, rows = [name.strip() for name in records[0]], records[1:]
    _check_separator(header, source)
    notes: list[Note] = []
    if header[0] == "" and len(header) > 1 and "" not in header[1:]:
        header[0] = "index"
        what = "the first column has no name and was taken for a row index: ignored"
        notes.append(Note("index_column", what, standing=True))
    _check_names(header, source)
    ragged = [(line, len(row)) for line, row in zip(lines[1:], rows, strict=True) if len(row) != len(header)]
    if ragged:
        counts = sorted({count for _, count in ragged})
        found = " or ".join(str(count) for count in counts[:4])
        what = f"rows of {found} cells under a header of {len(header)}"
        hint = "a decimal or thousands comma, or a comma in a name, must be quoted or taken out"
        raise InputError(Problem(what, rows=tuple(line for line, _ in ragged), hint=hint), source)
    if not rows:
        raise InputError(Problem("the file has a header but no rows"), source)
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    if notes:
        columns.pop("index")
    frame = pd.DataFrame({name: pd.Series(cells, dtype="str") for name, cells in columns.items()})
    return RawTable(frame, np.asarray(lines[1:]), source, sha256_bytes(data), tuple(notes))


def _check_separator(header: list[str], source: str) -> None:
    if len(header) > 1:
        return
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if mark in header[0]:
            hint = "write commas between cells and points in decimals"
            raise InputError(Problem(f"the cells are separated by {name}", rows=(1,), hint=hint), source)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _check_names(names: list[str], source: str) -> None:
    if any(_is_number(name) for name in names):
        hint = "write the column names on the first line"
        raise InputError(
            Problem("the first line holds values, not column names", rows=(1,), hint=hint), source
        )
    problems = []
    unnamed = [i + 1 for i, name in enumerate(names) if not name]
    if unnamed:
        which = ", ".join(str(i) for i in unnamed[:8])
        problems.append(
            Problem(f"no name above column{'s' if len(unnamed) > 1 else ''} number {which}", rows=(1,))
        )
    problems += [
        Problem(f"the column appears {names.count(name)} times", column=name, rows=(1,))
        for name in dict.fromkeys(names)
        if name and names.count(name) > 1
    ]
    if problems:
        raise InputError(problems, source)
