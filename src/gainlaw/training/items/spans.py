"""Questions answered by a piece of a text, in SQuAD's format: files of articles, or records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gainlaw.errors import InputError, Problem
from gainlaw.training.items.files import read_json
from gainlaw.training.items.items import SpanItem
from gainlaw.training.items.rows import FileFaults, NoLabelError, Row, RowError, identity, text_of

__all__ = ["locate", "read_questions", "span_item"]


def locate(context: str, start: int, text: str) -> int | None:
    """Return where an answer starts in its context, or None where it is nowhere.

    Parameters
    ----------
    context, text : str
        The context and the answer.
    start : int
        Where it should start, in characters.

    Returns
    -------
    int or None
        `start` if it is right, else the occurrence nearest to it (translated files are often some characters
        off), the earlier one of two as near.

    Examples
    --------
    >>> text = "a cat sat on a cat"
    >>> locate(text, 15, "cat"), locate(text, 13, "cat"), locate(text, 4, "cat"), locate(text, 0, "dog")
    (15, 15, 2, None)
    """
    if start >= 0 and context.startswith(text, start):
        return start
    places: list[int] = []
    at = context.find(text)
    while at >= 0:
        places.append(at)
        at = context.find(text, at + 1)
    return min(places, key=lambda place: abs(place - start), default=None)


def read_questions(path: Path, faults: FileFaults) -> Iterator[Row]:
    """Yield each question of a SQuAD file with its context."""
    content = read_json(path)
    wrong = InputError(
        Problem("not in the format of SQuAD", hint="an object with data, and in it paragraphs with qas"),
        source=str(path),
    )
    number = 0
    try:
        for article in content["data"]:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    number += 1
                    cells = {"context": paragraph["context"], **question}
                    name = f"question {question.get('id', number)}"
                    yield Row(str(path), name, number, cells, path.parent.name)
    except (KeyError, TypeError, AttributeError) as error:
        raise wrong from error


def _marked(given: Any) -> list[tuple[int, str]]:
    if isinstance(given, dict):
        pairs = list(zip(given.get("answer_start", ()), given.get("text", ()), strict=False))
    elif isinstance(given, list) and all(isinstance(answer, dict) for answer in given):
        pairs = [(answer.get("answer_start"), answer.get("text")) for answer in given]
    else:
        raise NoLabelError("no label", "answers")
    found = list(dict.fromkeys(pairs))
    for start, text in found:
        if not isinstance(start, int) or not isinstance(text, str) or not text:
            raise RowError("an answer without its text or its start", "answers")
    return found


def span_item(unanswerable: bool) -> Callable[[Row], SpanItem]:
    """Return what makes an item of a question of SQuAD's format; `unanswerable` allows questions without an answer.

    Records have ``id``, ``question``, ``context`` and ``answers`` (texts and where they start).
    """

    def convert(row: Row) -> SpanItem:
        # outer blanks of the context count: the answers' starts are counted with them
        text_of(row, "context")
        context = row.cells["context"]
        answers: list[tuple[int, str]] = []
        if not (unanswerable and row.cells.get("is_impossible") is True):
            for start, text in _marked(row.cells.get("answers")):
                place = locate(context, start, text)
                if place is None:
                    raise RowError("an answer that does not occur in its context", "answers")
                answers.append((place, text))
            told = not unanswerable or row.cells.get("is_impossible") is False
            if told and not answers:
                raise NoLabelError("no answer", "answers")
        unique = tuple(dict.fromkeys(answers))
        return SpanItem(identity(row, "id"), text_of(row, "question"), context, unique)

    return convert
