"""Finding and reading the published files: JSON lines, tables and XML, plain or gzipped, all UTF-8."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from gainlaw.errors import InputError, Problem
from gainlaw.training.items.items import Item
from gainlaw.training.items.rows import FileFaults, Row, RowError

__all__ = [
    "find_file",
    "one_of",
    "open_text",
    "parse_with",
    "read_csv",
    "read_json",
    "read_jsonl",
    "read_lines",
    "read_pairs",
    "read_table",
    "read_xml",
    "unquote",
]

_SHOWN = 12
_UNREADABLE = (UnicodeDecodeError, OSError, EOFError, zlib.error)


def find_file(folder: Path, names: Sequence[str], what: str) -> Path:
    """Return the first of `names` that lies in `folder`, as it is or with ``.gz`` behind it.

    Parameters
    ----------
    folder : pathlib.Path
        Where to look.
    names : sequence of str
        Paths inside the folder, the most wanted first.
    what : str
        What the file holds, for the message.

    Raises
    ------
    InputError
        If there is no such folder, or none of the files; the message says what is there instead.
    """
    if not folder.is_dir():
        hint = "give the folder that the task's files were unpacked to"
        raise InputError(Problem("there is no such folder", hint=hint), source=str(folder))
    for name in names:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    there = sorted(path.name for path in folder.iterdir())
    more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
    holds = f"{', '.join(there[:_SHOWN])}{more}" if there else "nothing"
    hint = f"looked for: {', '.join(names)} (or the same with .gz); the folder holds: {holds}"
    raise InputError(Problem(f"no file with {what}", hint=hint), source=str(folder))


def one_of(
    title: str, names: Callable[[str, str], Sequence[str]]
) -> Callable[[Path, str, str], tuple[Path, ...]]:
    """Return the ``find`` of a `gainlaw.training.items.task.LocalSource` with one file a split and language.

    Parameters
    ----------
    title : str
        What messages call the task.
    names : callable
        ``names(split, language)`` -> paths inside the folder, the most wanted first.
    """

    def find(folder: Path, split: str, language: str) -> tuple[Path, ...]:
        return (find_file(folder, names(split, language), f"the {split} split of {title} in {language!r}"),)

    return find


def _row(path: Path, line: int, number: int, cells: Mapping[str, Any]) -> Row:
    return Row(str(path), line, number, cells, path.parent.name)


def open_text(path: Path) -> IO[str]:
    """Open a UTF-8 file, gzipped when its name ends in ``.gz``; only a line feed ends a line."""
    try:
        if path.suffix == ".gz":
            return gzip.open(path, "rt", encoding="utf-8-sig", newline="\n")
        return path.open(encoding="utf-8-sig", newline="\n")
    except OSError as error:
        raise InputError(f"the file cannot be opened: {error.strerror or error}", source=str(path)) from error


def _unreadable(path: Path, error: Exception, line: int) -> InputError:
    why = "the text is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"cannot be read: {error}"
    hint = "convert the file to UTF-8" if isinstance(error, UnicodeDecodeError) else "download the file again"
    return InputError(Problem(why, rows=(line,), hint=hint), source=str(path))


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each line that is not blank with its number, without its line end.

    Raises
    ------
    InputError
        If it cannot be opened, unpacked or decoded.
    """
    number = 0
    with open_text(path) as file:
        try:
            for number, text in enumerate(file, 1):
                line = text.rstrip("\n").removesuffix("\r")
                if line.strip():
                    yield number, line
        except _UNREADABLE as error:
            raise _unreadable(path, error, number + 1) from error


def read_json(path: Path) -> Any:
    """Return the content of a JSON file, or raise an `InputError` that names the line where it is not JSON."""
    with open_text(path) as file:
        try:
            return json.load(file)
        except json.JSONDecodeError as error:
            raise InputError(Problem(f"not JSON: {error.msg}", rows=(error.lineno,)), str(path)) from error
        except _UNREADABLE as error:
            raise _unreadable(path, error, 1) from error


def read_jsonl(path: Path, faults: FileFaults) -> Iterator[Row]:
    """Yield the records of a file with one JSON object on each line; `faults` takes the lines that are none."""
    for number, (line, text) in enumerate(read_lines(path), 1):
        try:
            cells = json.loads(text)
        except json.JSONDecodeError:
            cells = None
        if isinstance(cells, dict):
            yield _row(path, line, number, cells)
        else:
            faults.add(str(path), line, RowError("not a JSON object on one line"))


def read_table(path: Path, faults: FileFaults) -> Iterator[Row]:
    """Yield the records of a tab-separated file whose first line names the columns; quotes mean nothing.

    `faults` takes the lines with more cells than the header; missing cells are left to the reader.
    """
    header: list[str] = []
    for number, (line, text) in enumerate(read_lines(path)):
        cells = text.split("\t")
        if not header:
            header = [name.strip() for name in cells]
        elif len(cells) > len(header):
            faults.add(str(path), line, RowError(f"more than the {len(header)} cells of the header"))
        else:
            yield _row(path, line, number, dict(zip(header, cells, strict=False)))


def unquote(cell: str) -> str:
    """Return a cell of a tab-separated file as it was before a CSV writer put it in quotes.

    The files that XTREME's preparation writes have such cells, ``"He said ""no""."``, and read by its own code
    they keep these quotes. Any other cell is returned as it is.

    Examples
    --------
    >>> unquote('"He said ""no""."'), unquote('"No", he said.'), unquote('"No."')
    ('He said "no".', '"No", he said.', '"No."')
    """
    inner = cell[1:-1]
    if len(cell) < 2 or cell[0] != '"' or cell[-1] != '"' or '""' not in inner:
        return cell
    return cell if '"' in inner.replace('""', "") else inner.replace('""', '"')


def read_pairs(path: Path, faults: FileFaults) -> Iterator[Row]:
    """Yield the records of a tab-separated file of two texts and a label, with a header or without.

    A first line whose last cell is ``label`` or ``gold_label`` is a header; otherwise the columns are ``first``,
    ``second`` and ``label``, and cells are read by `unquote`. `faults` takes the lines with too many cells.
    """
    header: list[str] | None = None
    number = 0
    for line, text in read_lines(path):
        cells = text.split("\t")
        if header is None:
            if cells[-1].strip().casefold() in {"label", "gold_label"}:
                header = [name.strip() for name in cells]
                continue
            header = ["first", "second", "label"]
        number += 1
        if len(cells) > len(header):
            faults.add(str(path), line, RowError(f"more than {len(header)} cells"))
            continue
        values = [unquote(cell.strip()) for cell in cells] if header[0] == "first" else cells
        yield _row(path, line, number, dict(zip(header, values, strict=False)))


def read_csv(path: Path, faults: FileFaults) -> Iterator[Row]:
    """Yield the records of a comma-separated file whose first line names the columns.

    `faults` takes the records with more cells than the header.
    """
    with open_text(path) as file:
        reader = csv.DictReader(file, strict=True)
        line = 1
        try:
            for number, cells in enumerate(reader, 1):
                line = reader.line_num
                if None in cells:
                    faults.add(str(path), line, RowError("more cells than the header"))
                else:
                    yield _row(path, line, number, cells)
        except csv.Error as error:
            faults.add(str(path), line + 1, RowError(f"not comma-separated values: {error}"))
        except _UNREADABLE as error:
            raise _unreadable(path, error, line) from error


def read_xml(path: Path, element: str, faults: FileFaults) -> Iterator[Row]:
    """Yield the elements called `element`, their attributes and the texts of their children as cells.

    A document type is read over; a file that defines entities is refused, and none is fetched. `faults` takes the
    place where the file is no XML.
    """
    from xml.parsers import expat

    found: list[Row] = []
    cells: dict[str, str] = {}
    start: list[int] = []
    parser = expat.ParserCreate()
    parser.buffer_text = True
    child: list[str] = []

    def opened(name: str, attributes: dict[str, str]) -> None:
        if name == element:
            cells.clear()
            cells.update(attributes)
            start[:] = [parser.CurrentLineNumber]
        elif start:
            child[:] = [name]
            cells[name] = ""

    def closed(name: str) -> None:
        if name == element and start:
            found.append(_row(path, start.pop(), len(found) + 1, dict(cells)))
        child.clear()

    def text(data: str) -> None:
        if start and child:
            cells[child[0]] += data

    def entity(*_: object) -> None:
        raise InputError("the file defines entities, which are not read", source=str(path))

    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    parser.CharacterDataHandler, parser.EntityDeclHandler = text, entity
    with open_text(path) as file:
        try:
            parser.Parse(file.read(), True)
        except expat.ExpatError as error:
            faults.add(str(path), error.lineno, RowError(f"not XML: {expat.ErrorString(error.code)}"))
        except _UNREADABLE as error:
            raise _unreadable(path, error, 1) from error
    yield from found


def parse_with(
    read: Callable[[Path, FileFaults], Iterable[Row]], convert: Callable[[Row], Item | None], spare: int = 0
) -> Callable[[tuple[Path, ...], str, str], list[Item]]:
    """Return the ``parse`` of a `gainlaw.training.items.task.LocalSource` whose files all read alike.

    Parameters
    ----------
    read : callable
        ``read(path, faults)`` -> records.
    convert : callable
        Record -> item, or None to leave it out.
    spare : int, default 0
        In each file this many records at fault are left out without a word.
    """

    def parse(files: tuple[Path, ...], split: str, language: str) -> list[Item]:
        faults = FileFaults()
        items: list[Item] = []
        for path in files:
            items += faults.items(read(path, faults), convert, spare)
        faults.raise_any()
        return items

    return parse
