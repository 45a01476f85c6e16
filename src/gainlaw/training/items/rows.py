"""From the rows of a file, or of the hub, to items; what is wrong with them is told all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gainlaw.errors import InputError, Problem
from gainlaw.training.items.items import ChoiceItem, ClassItem, Item

__all__ = [
    "PLACEHOLDERS",
    "FileFaults",
    "NoLabelError",
    "Row",
    "RowError",
    "choice_item",
    "class_item",
    "class_label",
    "identity",
    "option_index",
    "text_of",
]

PLACEHOLDERS = (
    "test files are often released without their labels, or with placeholders, and such a score means nothing "
    "(XTREME strips its test labels, and its code reads every missing XNLI label as 'neutral'); take the labelled "
    "release of the task's authors, or evaluate on another split"
)
"""Why missing or constant labels are refused, and what to do."""

_NO_GOLD = {"-", "-1"}
_NAMED = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file, or of a data set of the hub.

    Attributes
    ----------
    source : str
        The file or data set, for messages.
    place : int or str
        The line of the file or, where lines mean nothing, a name.
    number : int
        The how-manieth record it is, from 1.
    cells : mapping
        The values by column.
    part : str
        The folder of the file, or the split of the hub.
    """

    source: str
    place: int | str
    number: int
    cells: Mapping[str, Any]
    part: str = ""


class RowError(Exception):
    """A record that cannot be used: what is wrong, in the same words for all with this fault, the column, a hint."""

    def __init__(self, message: str, column: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.column, self.hint = message, column, hint


class NoLabelError(RowError):
    """A record without its answer."""


class FileFaults:
    """What is wrong with one or more files, collected and raised together."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str, str | None, str | None], list[int | str]] = {}
        self._whole: list[tuple[str, Problem]] = []

    def add(self, source: str, place: int | str, fault: RowError) -> None:
        """Note the fault of one record, with its file or data set and its line or name."""
        key = (source, fault.message, fault.column, fault.hint)
        self._places.setdefault(key, []).append(place)

    def items[T: Item](
        self, rows: Iterable[Row], convert: Callable[[Row], T | None], spare: int = 0
    ) -> list[T]:
        """Convert records, keeping what is wrong with them.

        Parameters
        ----------
        rows : iterable of Row
            The records of one file or data set.
        convert : callable
            Record -> item, or None for a record that is left out; raises `RowError`.
        spare : int, default 0
            This many records at fault are left out without a word.

        Returns
        -------
        list
            The items, in order.
        """
        found: list[T] = []
        wrong: list[tuple[Row, RowError]] = []
        for row in rows:
            try:
                item = convert(row)
            except RowError as fault:
                wrong.append((row, fault))
                continue
            if item is not None:
                found.append(item)
        unlabelled = sum(isinstance(error, NoLabelError) for _, error in wrong)
        if unlabelled and unlabelled == len(wrong) and not found:
            message = f"none of the {unlabelled} rows has a label"
            self._whole.append((wrong[0][0].source, Problem(message, hint=PLACEHOLDERS)))
        elif len(wrong) > spare:
            for row, error in wrong:
                self.add(row.source, row.place, error)
        return found

    def raise_any(self) -> None:
        """Raise what was noted, if anything, as one problem for each kind of fault and file."""
        problems = list(self._whole)
        for (source, message, column, hint), places in self._places.items():
            lines = tuple(place for place in places if isinstance(place, int))
            names = [place for place in places if isinstance(place, str)]
            if names:
                more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
                message = f"{message} ({', '.join(names[:_NAMED])}{more})"
            problems.append((source, Problem(message, column, lines, hint)))
        if not problems:
            return
        sources = sorted({source for source, _ in problems})
        if len(sources) == 1:
            raise InputError([problem for _, problem in problems], source=sources[0])
        raise InputError(
            Problem(f"{Path(source).name}: {p.message}", p.column, p.rows, p.hint) for source, p in problems
        )


def _cell(row: Row, columns: Sequence[str]) -> tuple[str, Any]:
    for column in columns:
        if row.cells.get(column) is not None:
            return column, row.cells[column]
    return columns[0], None


def text_of(row: Row, *columns: str) -> str:
    """Return the text in the first of `columns` that the record has, without outer blanks.

    Raises
    ------
    RowError
        If there is none, or it is no text.

    Examples
    --------
    >>> text_of(Row("f.tsv", 1, 1, {"hypo": " It rains. "}), "hypothesis", "hypo")
    'It rains.'
    """
    column, value = _cell(row, columns)
    if value is None:
        raise RowError("no value", column)
    if not isinstance(value, str):
        raise RowError("no text", column)
    return value.strip()


def identity(row: Row, *columns: str) -> str:
    """Return the record's id as text, from the first of `columns` that it has, or raise a `RowError`."""
    column, value = _cell(row, columns)
    name = "" if value is None else str(value).strip()
    if not name:
        raise RowError("no id", column)
    return name


def class_item(name: str, first: str, second: str, label: int | None) -> ClassItem | None:
    """Return the item, or None where there is no gold label.

    One of the two texts may be empty, as a few are in the published files; if both are, a `RowError` is raised.
    """
    if label is None:
        return None
    if not first and not second:
        raise RowError("both texts are empty")
    return ClassItem(name, first, second, label)


def choice_item(name: str, context: str, question: str, options: Sequence[str], label: int) -> ChoiceItem:
    """Return the item, whose context ends with its question; a `RowError` says that nothing is there to choose by."""
    words = " ".join(part for part in (context, question) if part)
    if not words:
        raise RowError("the context is empty")
    if not any(options):
        raise RowError("all options are empty")
    return ChoiceItem(name, words, tuple(options), label, question)


def class_label(
    row: Row, columns: Sequence[str], names: Mapping[str, int], *, drop: bool = False
) -> int | None:
    """Return the index of the record's class.

    Parameters
    ----------
    row, columns
        The record, and the names that the label column has.
    names : mapping of str to int
        The labels as the formats write them, in lower case -> index.
    drop : bool, default False
        Return None for a record that its authors marked as having no gold label (``-``, or ``-1`` on the hub).

    Raises
    ------
    NoLabelError
        If there is no label.
    RowError
        If the label is none of `names`.

    Examples
    --------
    >>> row = Row("dev.tsv", 4, 3, {"gold_label": "Neutral"})
    >>> class_label(row, ["gold_label"], {"entailment": 0, "neutral": 1})
    1
    """
    column, value = _cell(row, columns)
    label = "" if value is None else str(value).strip().casefold()
    if label in _NO_GOLD and drop:
        return None
    if not label or label in _NO_GOLD:
        raise NoLabelError("no label", column)
    if label not in names:
        raise RowError("not a label of the task", column, f"labels: {', '.join(names)}")
    return names[label]


def option_index(row: Row, column: str, count: int, first: int = 0) -> int:
    """Return which option the record calls right, from 0.

    Parameters
    ----------
    row, column, count
        The record, its label column, and how many options it has.
    first : int, default 0
        The number that the format gives to the first option.

    Raises
    ------
    NoLabelError
        If there is no label.
    RowError
        If the label is no number of an option.

    Examples
    --------
    >>> option_index(Row("dev.jsonl", 1, 1, {"label": "3"}), "label", 3, first=1)
    2
    """
    value = row.cells.get(column)
    label = "" if value is None or isinstance(value, bool) else str(value).strip()
    if not label or label in _NO_GOLD:
        raise NoLabelError("no label", column)
    if not label.isdecimal() or not 0 <= int(label) - first < count:
        raise RowError("not the number of an option", column, f"allowed: {first} to {first + count - 1}")
    return int(label) - first
