"""Files to tables of text cells, with the line of each row; anything unreadable is a plain InputError."""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from pathlib import Path

import numpy as np

from gainlaw._io import sha256_bytes
from gainlaw.errors import InputError, Problem
from gainlaw.notes import Note
from gainlaw.scores.reading.frames import RawTable, check_names, tidy

__all__ = ["raw_from_csv", "raw_from_parquet", "read_raw"]

_CSV_SUFFIXES = {".csv"}
_PARQUET_SUFFIXES = {".parquet", ".pq"}
_STORED_INDEX = re.compile(r"__index_level_\d+__")
_SEPARATOR = re.compile(r"\"?sep=(?P<mark>[^\r\n\"])\"?\r?\n", re.IGNORECASE)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_raw(path: str | os.PathLike[str]) -> RawTable:
    """Read a CSV or Parquet file into text cells or typed columns.

    Parameters
    ----------
    path : path-like
        A ``.csv`` file (UTF-8, comma-separated, one header line; a byte order mark is fine) or a
        ``.parquet`` file; ``-`` is one of them on standard input.

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
    if source == "-":
        data = sys.stdin.buffer.read()
        return (raw_from_parquet if data[:4] == b"PAR1" else raw_from_csv)(data, "standard input")
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
        return raw_from_parquet(data, source)
    return raw_from_csv(data, source)


def _nearby(file: Path) -> str:
    if not file.parent.is_dir():
        return f"the folder {str(file.parent)!r} does not exist either"
    names = sorted(
        p.name for p in file.parent.iterdir() if p.suffix.lower() in _CSV_SUFFIXES | _PARQUET_SUFFIXES
    )
    shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    return f"tables in its folder: {shown}" if names else "its folder holds no .csv or .parquet file"


def raw_from_parquet(data: bytes, source: str) -> RawTable:
    """Read the bytes of a Parquet file, as `read_raw` does.

    Raises
    ------
    InputError
        If they are no Parquet, or no table.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # What pandas noted beside the table (its index, its dtypes) may be stale: the columns speak for themselves.
        frame = pq.read_table(io.BytesIO(data)).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:160]
        raise InputError(Problem(f"the file is no readable Parquet: {reason}"), source) from None
    columns = [frame.iloc[:, i] for i in range(frame.shape[1])]
    names = [str(name).strip() for name in frame.columns]
    stored = [i for i, name in enumerate(names) if _STORED_INDEX.fullmatch(name)]
    for i in reversed(stored):  # an index without a name is no column of the table
        del names[i], columns[i]
    if not columns:
        raise InputError(Problem("the table has no columns"), source)
    return tidy(names, columns, np.arange(len(frame)) + 2, source, sha256_bytes(data))


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


def raw_from_csv(data: bytes, source: str, mark: str = ",") -> RawTable:
    """Read the bytes of a CSV file, as `read_raw` does.

    Parameters
    ----------
    data : bytes
        The file, UTF-8.
    source : str
        What it is called.
    mark : str
        What stands between cells; a first line such as ``sep=;`` goes first.

    Raises
    ------
    InputError
        If they are no CSV, or no table.
    """
    import pandas as pd

    text = _decode(data, source)
    if not text.strip():
        raise InputError(Problem("the file holds blank lines only"), source)
    notes: list[Note] = []
    declared = _SEPARATOR.match(text)
    if declared:
        mark = declared[
            "mark"
        ]  # Excel's line that names the separator; it is a line of the file like any other
        what = f"the first line says that cells are separated by {mark!r}"
        notes.append(Note("separator", what, severity="info", standing=True))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    records: list[list[str]] = []
    lines: list[int] = []
    start = 1
    try:
        for record in reader:
            # a blank line is skipped, but counted
            if any(cell.strip() for cell in record) and not (declared and start == 1):
                records.append(record)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        hint = "look for a quotation mark that is never closed"
        raise InputError(Problem(f"the file is no CSV: {error}", rows=(start,), hint=hint), source) from None
    if not records:
        raise InputError(Problem("the file has neither header nor rows"), source)
    header = [name.strip() for name in records[0]]
    rows = _even(header, records[1:])
    if not declared and mark == ",":
        _check_separator(header, source)
    if all(header):
        check_names(header, list(range(len(header))), source)
    ragged = [(line, len(row)) for line, row in zip(lines[1:], rows, strict=True) if len(row) != len(header)]
    if ragged:
        counts = sorted({count for _, count in ragged})
        found = " or ".join(str(count) for count in counts[:4])
        what = f"rows of {found} cells under a header of {len(header)}"
        hint = "a decimal or thousands comma, or a comma in a name, must be quoted or taken out"
        raise InputError(Problem(what, rows=tuple(line for line, _ in ragged), hint=hint), source)
    if not rows:
        raise InputError(Problem("the file has a header but no rows"), source)
    columns = [pd.Series(cells, dtype="str") for cells in zip(*rows, strict=True)]
    return tidy(header, columns, np.asarray(lines[1:]), source, sha256_bytes(data), tuple(notes))


def _even(header: list[str], rows: list[list[str]]) -> list[list[str]]:
    """Return the rows as long as the header where what they lack, or have beyond it, is blank and has no name."""
    width = len(header)
    named = max((i + 1 for i, name in enumerate(header) if name), default=width)
    even = []
    for row in rows:
        if len(row) > width and not any(cell.strip() for cell in row[width:]):
            row = row[:width]
        elif named <= len(row) < width:
            row = [*row, *[""] * (width - len(row))]
        even.append(row)
    return even


def _check_separator(header: list[str], source: str) -> None:
    if len(header) > 1:
        return
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if mark in header[0]:
            hint = "write commas between cells and points in decimals"
            raise InputError(Problem(f"the cells are separated by {name}", rows=(1,), hint=hint), source)
