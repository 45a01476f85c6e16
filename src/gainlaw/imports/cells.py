"""Tables of any kind to cells: CSV with any mark between cells, Parquet, and the first sheet of a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from gainlaw.errors import InputError
from gainlaw.imports.documents import Document, UnreadableError
from gainlaw.scores.reading.files import raw_from_csv, raw_from_parquet

if TYPE_CHECKING:
    from gainlaw.scores.reading.frames import RawTable

__all__ = ["is_spreadsheet", "read_cells"]

_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_MARKS = (",", "\t", ";", "|")


def is_spreadsheet(document: Document) -> bool:
    """Return whether a zip archive is a workbook (.xlsx)."""
    return document.kind == "zip" and "xl/workbook.xml" in document.archive.namelist()


def read_cells(document: Document) -> RawTable:
    """Read a table into text cells or typed columns.

    Parameters
    ----------
    document : Document
        Text, Parquet or a workbook, of which the first sheet is read.

    Raises
    ------
    UnreadableError
        If it is no table; the reason says why.
    """
    try:
        if document.kind == "parquet":
            return raw_from_parquet(document.data, document.name)
        if document.kind == "zip":
            return raw_from_csv(_first_sheet(document).encode(), document.name)
        return raw_from_csv(document.data, document.name, _mark(document))
    except InputError as error:
        raise UnreadableError("; ".join(str(each) for each in error.problems)) from None


def _mark(document: Document) -> str:
    """Return what stands between the cells: what the first line has most of."""
    if Path(document.name.removesuffix(".gz")).suffix.lower() in {".tsv", ".tab"}:
        return "\t"
    first = document.first_line
    # Commas stand inside names too, so that another mark needs only as many.
    return max(reversed(_MARKS), key=first.count) if any(mark in first for mark in _MARKS) else ","


def _first_sheet(document: Document) -> str:
    """Return the first sheet of a workbook as CSV."""
    archive = document.archive
    try:
        shared = _shared_texts(archive)
        sheet = ET.fromstring(archive.read(_place_of_first_sheet(archive)))
    except (KeyError, ET.ParseError, zipfile.BadZipFile, NotImplementedError, IndexError) as error:
        raise UnreadableError(f"the workbook cannot be read: {error}") from None
    rows: dict[int, dict[int, str]] = {}
    for number, row in enumerate(sheet.iter(f"{_SHEET}row"), start=1):
        cells = rows.setdefault(int(row.get("r") or number), {})
        for position, cell in enumerate(row.iter(f"{_SHEET}c")):
            place = re.match("[A-Z]+", cell.get("r") or "")
            cells[_column(place[0]) if place else position] = _text(cell, shared)
    width = max((max(cells, default=-1) for cells in rows.values()), default=-1) + 1
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for number in range(1, max(rows, default=0) + 1):
        cells = rows.get(number, {})
        writer.writerow([cells.get(i, "") for i in range(width)])
    return out.getvalue()


def _place_of_first_sheet(archive: zipfile.ZipFile) -> str:
    book = ET.fromstring(archive.read("xl/workbook.xml"))
    wanted = next(book.iter(f"{_SHEET}sheet")).get(_RELATION)
    for relation in ET.fromstring(archive.read("xl/_rels/workbook.xml.rels")):
        if relation.get("Id") == wanted:
            target = relation.get("Target") or ""
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    raise KeyError("no first sheet")


def _shared_texts(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    root = ET.fromstring(archive.read("xl/sharedStrings.xml"))
    return [
        "".join(part.text or "" for part in entry.iter(f"{_SHEET}t")) for entry in root.iter(f"{_SHEET}si")
    ]


def _text(cell: ET.Element, shared: list[str]) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return "".join(part.text or "" for part in cell.iter(f"{_SHEET}t"))
    value = cell.findtext(f"{_SHEET}v") or ""
    if kind == "s" and value:
        return shared[int(value)]
    return "" if kind == "e" else value


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
