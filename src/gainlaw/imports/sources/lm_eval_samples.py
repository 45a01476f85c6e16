"""The answers that the lm-evaluation-harness keeps beside a file of results: one JSON object a line, one item each."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gainlaw.imports.documents import Document, UnreadableError, json_lines
from gainlaw.imports.measures import is_number
from gainlaw.imports.record import Items, Remark, Score, Source
from gainlaw.imports.wishes import Wishes

__all__ = ["SOURCE", "read_answers"]


def read_answers(path: Path, metric: str, which: str, score: float) -> Items | Remark:
    """Read the answers behind a score.

    Parameters
    ----------
    path : Path
        A ``samples_TASK_TIME.jsonl``, perhaps packed by gzip.
    metric : str
        The metric, a key of each answer.
    which : str
        The filter of the answers that the score is of; blank where the file has one.
    score : float
        The score, which the answers must add up to.

    Returns
    -------
    Items or Remark
        The answers, or why they are left out.
    """
    examples: list[str] = []
    contents: list[str] = []
    correct: list[int] = []
    name = (str(path),)
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, answer in json_lines(file):
                if not isinstance(answer, dict) or "doc_id" not in answer:
                    return Remark(f"answers left out: line {number} has no doc_id", name, grave=True)
                if which and str(answer.get("filter", which)) != which:
                    continue
                value = answer.get(metric)
                if isinstance(value, bool):
                    value = int(value)
                if not is_number(value) or value not in (0, 1):
                    return Remark(f"answers left out: {metric} is neither 0 nor 1 in every line", name)
                examples.append(str(answer["doc_id"]))
                contents.append(str(answer.get("doc_hash") or ""))
                correct.append(int(value))
    except (OSError, UnreadableError) as error:
        return Remark(f"answers left out: {error}", name, grave=True)
    if not examples:
        return Remark("answers left out: there are none", name, grave=True)
    if len(set(examples)) < len(examples):
        return Remark("answers left out: an item is answered twice", name, grave=True)
    items = Items(tuple(examples), np.array(correct, np.int8), tuple(contents))
    if not items.add_up_to(score):
        mean = items.correct.mean()
        what = f"answers left out: {mean:.4f} of them are right, and the score of the results is {score:.4f}"
        return Remark(what, name, grave=True)
    return items


def _recognises(document: Document) -> bool:
    first: Any = None
    if document.kind in {"lines", "json"} and ".json" in document.name.lower():
        with contextlib.suppress(UnreadableError):
            first = document.first
    return isinstance(first, dict) and "doc_id" in first and ("resps" in first or "filtered_resps" in first)


def _read(document: Document, wishes: Wishes) -> Iterator[Score | Remark]:
    time = document.name.rpartition("_")[2].partition(".jsonl")[0]
    if {f"results_{time}.json", f"results_{time}.json.gz"} & document.neighbours:
        return
    what = "answers without the results that they belong to (results_TIME.json, of the same time, in the same folder)"
    yield Remark(what, (document.name,), grave=True)


SOURCE = Source("answers of the lm-evaluation-harness", _recognises, _read)
