"""Predictions in the layout of XTREME and XTREME-R, ``MODEL/TASK/test-LANGUAGE.tsv``, judged by files of gold labels.

One line is one item and holds its label (for XCOPA a JSON object with one, in a ``.jsonl``). The tasks that are scored
by accuracy are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gainlaw.imports.documents import Document, UnreadableError, json_lines
from gainlaw.imports.names import language_of
from gainlaw.imports.record import Items, Remark, Score, Source
from gainlaw.imports.values import part, text
from gainlaw.imports.wishes import Wishes
from gainlaw.tasks import find_task

__all__ = ["SOURCE"]

_FILE = re.compile(r"test-(?P<language>[\w-]+)\.(tsv|jsonl?)")
_SCORED = {"xnli", "pawsx", "xcopa", "tatoeba"}
_OTHERS = {
    "udpos",
    "panx",
    "wikiann_ner",
    "bucc2018",
    "bucc",
    "mewslix",
    "lareqa",
    "xquad",
    "mlqa",
    "tydiqa_goldp",
}
_FOLDERS = {"predictions", "preds", "outputs"}


def _task(document: Document) -> str:
    if document.path is None or not _FILE.fullmatch(document.path.name):
        return ""
    folder = document.path.absolute().parent.name
    known = find_task(folder)
    return known.name if known is not None else folder if folder in _OTHERS else ""


def _recognises(document: Document) -> bool:
    return _task(document) in _SCORED | _OTHERS


def _read(document: Document, wishes: Wishes) -> Iterator[Score | Remark]:
    task = _task(document)
    path = document.path
    assert path is not None
    if task not in _SCORED:
        yield Remark("predictions of tasks that are not scored by accuracy, left out", (task,), grave=True)
        return
    if wishes.gold is None:
        raise UnreadableError(
            "predictions of XTREME without their gold labels (--gold FOLDER says where they are)"
        )
    folder = Path(wishes.gold)
    gold = folder / path.absolute().parent.name / path.name
    if gold.absolute() == path.absolute() or folder.absolute() in path.absolute().parents:
        return
    if not gold.exists():
        raise UnreadableError(f"there is no file of gold labels {gold}")
    model = path.absolute().parents[1]
    name = model.parent.name if model.name in _FOLDERS else model.name
    given = _labels(document.data)
    right = _labels(gold.read_bytes())
    if len(given) != len(right):
        raise UnreadableError(f"{len(given)} predictions, and {len(right)} gold labels in {gold}")
    if not set(given) & set(right):
        what = f"predictions ({_some(given)}) and gold labels ({_some(right)}) have no label in common"
        raise UnreadableError(what)
    correct = np.array([mine == label for mine, label in zip(given, right, strict=True)], np.int8)
    language = _FILE.fullmatch(path.name)
    assert language is not None
    yield Score(
        model=name,
        task=task,
        language=language_of(language["language"]) or language["language"],
        metric="accuracy",
        score=float(correct.mean()),
        n=float(len(correct)),
        split="test",
        file=document.name,
        items=Items(tuple(str(i) for i in range(1, len(correct) + 1)), correct),
    )


def _labels(data: bytes) -> list[str]:
    lines = data.decode("utf-8-sig", errors="replace").rstrip("\n").split("\n")
    if lines[0].startswith("{"):
        return [text(part(value, "label")) for _, value in json_lines(line.encode() for line in lines)]
    return [line.strip() for line in lines]


def _some(labels: list[str]) -> str:
    return ", ".join(sorted(set(labels))[:3])


SOURCE = Source("predictions of XTREME", _recognises, _read)
