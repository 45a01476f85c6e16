"""From files of any common form to items, by what a declared task says of its columns and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gainlaw.errors import InputError, Problem
from gainlaw.training.items.files import (
    open_text,
    read_csv,
    read_json,
    read_jsonl,
    read_lines,
    read_table,
)
from gainlaw.training.items.items import Item, PairItem, TagItem
from gainlaw.training.items.rows import (
    FileFaults,
    NoLabelError,
    Row,
    RowError,
    choice_item,
    class_item,
    class_label,
    identity,
    option_index,
    text_of,
)
from gainlaw.training.items.spans import read_questions, span_item

if TYPE_CHECKING:
    from gainlaw.training.items.declaration import TaskTable

__all__ = ["FORMATS", "converter", "read_pairs_of_lines", "read_rows", "rows_of_language"]

_SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".txt": "tsv", ".jsonl": "jsonl", ".json": "json"}
_SUFFIXES |= {".conll": "conll", ".conllu": "conllu"}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _read_list(path: Path, faults: FileFaults) -> Iterator[Row]:
    """Yield the objects of a JSON list; one of articles is SQuAD's."""
    content = read_json(path)
    if isinstance(content, dict) and "data" in content:
        yield from read_questions(path, faults)
        return
    if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
        hint = 'a list of objects, or SQuAD\'s object with data; for an object a line, say format = "jsonl"'
        raise InputError(Problem("not a list of objects", hint=hint), source=str(path))
    for number, cells in enumerate(content, 1):
        yield Row(str(path), f"object {number}", number, cells, path.parent.name)


def _read_words(path: Path, faults: FileFaults, word: int, tag: int, columns: int) -> Iterator[Row]:
    """Yield each sentence of a file with a word on each line and an empty line behind each sentence."""
    words: list[str] = []
    tags: list[str] = []
    start, number = 1, 0
    with open_text(path) as file:
        lines = [text.rstrip("\r\n") for text in file]
    for line, text in enumerate([*lines, ""], 1):
        if text.strip():
            cells = text.split("\t") if "\t" in text else text.split(" ")
            if columns == 10 and (text.startswith("#") or not cells[0].isdecimal()):
                continue  # comments, words that others are written as together, words that are not written
            if columns and len(cells) != columns:
                faults.add(str(path), line, RowError(f"not the {columns} cells of a word"))
                continue
            start = line if not words else start
            words.append(cells[word].strip())
            tags.append(cells[tag].strip() if len(cells) > 1 else "")
        elif words:
            number += 1
            yield Row(str(path), start, number, {"words": words, "tags": tags}, path.parent.name)
            words, tags = [], []


def _conll(path: Path, faults: FileFaults) -> Iterator[Row]:
    yield from _read_words(path, faults, 0, -1, 0)


def _conllu(path: Path, faults: FileFaults) -> Iterator[Row]:
    yield from _read_words(path, faults, 1, 3, 10)


FORMATS: Mapping[str, Callable[[Path, FileFaults], Iterable[Row]]] = {
    "csv": read_csv,
    "tsv": read_table,
    "jsonl": read_jsonl,
    "json": _read_list,
    "conll": _conll,
    "conllu": _conllu,
}
"""How files are read, by the name of their form; ``conll`` has a word and, last, its tag on each line, ``conllu`` the
ten columns of Universal Dependencies."""


def read_rows(path: Path, form: str | None, faults: FileFaults) -> Iterable[Row]:
    """Return the records of a file, read as `form` says, or else as its name does."""
    suffix = Path(path.name.removesuffix(".gz")).suffix.casefold()
    known = form or _SUFFIXES.get(suffix)
    if known is None:
        hint = f"say format = one of {', '.join(FORMATS)}"
        raise InputError(Problem(f"nothing tells how {suffix or 'it'} is read", hint=hint), source=str(path))
    return FORMATS[known](path, faults)


def read_pairs_of_lines(source: Path, target: Path) -> list[Item]:
    """Return a pair for each line of two files of as many lines; blank lines count."""
    texts = []
    for path in (source, target):
        for _ in read_lines(path):  # says what cannot be read
            pass
        with open_text(path) as file:
            texts.append([line.rstrip("\r\n").strip() for line in file])
    if len(texts[0]) != len(texts[1]):
        what = f"{len(texts[0])} lines, and {len(texts[1])} in {target.name}"
        raise InputError(Problem(what, hint="each line is the translation of the other's"), str(source))
    return [PairItem(str(n), *pair) for n, pair in enumerate(zip(*texts, strict=True), 1)]


def rows_of_language(table: TaskTable, rows: Iterable[Row], language: str) -> Iterator[Row]:
    """Yield the records of a language, numbered by themselves."""
    column, name = table.columns.get("language"), table.names.get(language, language)
    begin = table.fill(table.id_prefix, language)
    number = 0
    for row in rows:
        if column is not None and str(row.cells.get(str(column), "")).strip() not in (name, language):
            continue
        if begin and not str(row.cells.get(str(table.columns.get("id", "id")), "")).startswith(begin):
            continue
        number += 1
        yield replace(row, number=number)


def converter(table: TaskTable, language: str, several: bool) -> Callable[[Row], Item | None]:
    """Return what makes an item of a record; ids that are mere numbers name their file where there are `several`."""
    columns = table.columns

    def name_of(row: Row) -> str:
        if "id" in columns:
            return identity(row, str(columns["id"]))
        return f"{Path(row.source).name.split('.')[0]}-{row.number}" if several else str(row.number)

    def text(row: Row, role: str) -> str:
        return text_of(row, str(columns[role])) if role in columns else ""

    def classified(row: Row) -> Item | None:
        column = str(columns["label"])
        value = str(row.cells.get(column) if row.cells.get(column) is not None else "").strip().casefold()
        if value in {each.casefold() for each in table.drop}:
            return None
        label = class_label(row, [column], table.label_numbers)
        return class_item(name_of(row), text(row, "first"), text(row, "second"), label)

    def chosen(row: Row) -> Item:
        stated = columns["options"]
        options = row.cells.get(stated) if isinstance(stated, str) else [text_of(row, one) for one in stated]
        if not isinstance(options, list) or not all(isinstance(each, str) for each in options):
            raise RowError("no list of texts", str(stated))
        plain = [each.strip() for each in options]
        label = _option(row, str(columns["label"]), plain, table.counted_from)
        return choice_item(name_of(row), text(row, "context"), text(row, "question"), plain, label)

    def tagged(row: Row) -> Item:
        # files of lines have no names of columns, and a hub's copy of them may have
        words, tags = (row.cells.get(str(columns.get(r, r)), row.cells.get(r)) for r in ("words", "tags"))
        if not isinstance(words, list) or not isinstance(tags, list) or not words or len(words) != len(tags):
            raise RowError("no words with as many tags", str(columns.get("words", "words")))
        if not all(isinstance(tag, str) and tag for tag in tags):
            raise NoLabelError("no label", str(columns.get("tags", "tags")))
        start = table.fill(table.word_prefix, language)
        # a blank inside a word would make two of it
        plain = tuple("".join(str(word).removeprefix(start).split()) or "_" for word in words)
        return TagItem(name_of(row), plain, tuple(tags))

    def paired(row: Row) -> Item:
        first, second = text(row, "first"), text(row, "second")
        if not first or not second:
            raise RowError("an empty text")
        return PairItem(name_of(row), first, second)

    def asked(row: Row) -> Item | None:
        cells = {**row.cells, **{role: row.cells.get(str(column)) for role, column in columns.items()}}
        return span_item(table.unanswerable)(replace(row, cells=cells))

    kinds: dict[str, Callable[[Row], Item | None]] = {
        "classification": classified,
        "choice": chosen,
        "span": asked,
        "tagging": tagged,
        "retrieval": paired,
    }
    return kinds[table.kind]


def _option(row: Row, column: str, options: list[str], counted: Any) -> int:
    value = row.cells.get(column)
    if counted == "text":
        given = "" if value is None else str(value).strip()
        if not given:
            raise NoLabelError("no label", column)
        if options.count(given) != 1:
            raise RowError("not the text of one of the options", column)
        return options.index(given)
    if counted == "A" and isinstance(value, str) and value.strip().upper() in set(_LETTERS):
        value = _LETTERS.index(value.strip().upper())
        row = replace(row, cells={**row.cells, column: value})
    return option_index(row, column, len(options), first=0 if counted == "A" else int(counted))
