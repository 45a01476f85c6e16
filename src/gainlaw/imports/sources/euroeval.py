"""Files of EuroEval: its results, one JSON object a line, and the tables of its leaderboards.

What it writes behind a score is no standard error but the half width of a 95% interval, 1.96 times as much, over
runs on resampled test sets. (Its newer results are records of Every Eval Ever.)
"""

from __future__ import annotations

import contextlib
import csv
import html
import io
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gainlaw.imports.documents import Document, UnreadableError
from gainlaw.imports.measures import choose_metric, is_number, number_of
from gainlaw.imports.names import language_of, name_task
from gainlaw.imports.record import Remark, Score, Source, taken_of
from gainlaw.imports.values import mapping, part, text
from gainlaw.imports.wishes import Wishes
from gainlaw.scores.metrics import find_metric

__all__ = ["SOURCE"]

_RADIUS = 1.96
#: The two metrics of a cell of a leaderboard, by the task in its first line.
_METRICS = {
    "sentiment classification": ("mcc", "macro_f1"),
    "linguistic acceptability": ("mcc", "macro_f1"),
    "named entity recognition": ("micro_f1_no_misc", "micro_f1"),
    "reading comprehension": ("token_f1", "exact_match"),
    "knowledge": ("mcc", "accuracy"),
    "common-sense reasoning": ("mcc", "accuracy"),
    "common sense reasoning": ("mcc", "accuracy"),
}
_TAG = re.compile(r"<[^>]*>")
_PLACE = re.compile(r"datasets/([a-z_-]+)#")
_CELL = re.compile(r"(-?[\d.]+) ± ([\d.]+)")
_SETTINGS = re.compile(r"\s*\((?P<settings>[^()]*)\)\s*$")


def _recognises(document: Document) -> bool:
    if document.kind == "text":
        return "euroeval.com/" in document.first_line or "Task Type</span>" in document.first_line
    first: Any = None
    if document.kind in {"lines", "json"}:
        with contextlib.suppress(UnreadableError):
            first = document.first
    return (
        isinstance(first, dict) and "dataset" in first and isinstance(part(first, "results", "total"), dict)
    )


def _read(document: Document, wishes: Wishes) -> Iterator[Score | Remark]:
    if document.kind == "text":
        yield from _leaderboard(document, wishes)
        return
    for line, record in document.lines():
        total = part(record, "results", "total")
        if not isinstance(total, dict) or not text(record.get("model")) or not text(record.get("dataset")):
            yield Remark("lines that are no results of EuroEval", (f"{document.name} {line}",), grave=True)
            continue
        yield from _of_record(document, line, record, total, wishes)


def _of_record(
    document: Document, line: int, record: Mapping[str, Any], total: Mapping[str, Any], wishes: Wishes
) -> Iterator[Score | Remark]:
    numbers = {
        name.removeprefix("test_"): float(value)
        for name, value in total.items()
        if is_number(value) and not name.endswith("_se")
    }
    known = {name: value for name, value in numbers.items() if find_metric(name) is not None}
    dataset = text(record["dataset"])
    if not known:
        yield Remark("results without a score that is known", (dataset,), grave=True)
        return
    metric = choose_metric(known, wishes.metrics)
    yield from taken_of(metric, known, dataset, wishes.metrics)
    radius = number_of(total.get(f"test_{metric}_se", total.get(f"{metric}_se")))
    raw = part(record, "results", "raw")
    raw = raw if isinstance(raw, list) else part(raw, "test")
    runs = [
        number_of(mapping(each).get(f"test_{metric}", mapping(each).get(metric)))
        for each in (raw if isinstance(raw, list) else ())
    ]
    languages = record.get("languages") or record.get("dataset_languages") or []
    task, language, prompt = name_task(dataset, tuple(wishes.tasks))
    if not language and isinstance(languages, list) and languages:
        language = language_of(text(languages[0]))
    score = known[metric]
    same = bool(runs) and abs(score) <= 1 and math.isclose(float(np.mean(runs)), score, rel_tol=0.05)
    few = {True: "few", False: "0"}
    yield _score(
        score,
        radius,
        metric,
        fraction=same,
        model=text(record["model"]),
        task=task,
        language=language,
        prompt=prompt,
        params=number_of(record.get("num_model_parameters")),
        shots=few.get(record.get("few_shot"), ""),  # type: ignore[arg-type]
        split="validation" if record.get("validation_split") is True else "test",
        harness=f"euroeval {text(record.get('euroeval_version') or record.get('scandeval_version'))}".strip(),
        file=document.name,
        line=line,
    )


def _score(score: float, radius: float, metric: str, *, fraction: bool, params: float, **about: Any) -> Score:
    known = find_metric(metric)
    unit = 1.0 if fraction or known is None or known.high > 1 else 100.0
    return Score(
        score=float(f"{score / unit:.15g}"),
        stderr=radius / unit / _RADIUS,
        metric=metric,
        params=params if params > 0 else math.nan,
        **about,
    )


def _plain(cell: str) -> str:
    return html.unescape(_TAG.sub("", cell)).strip()


def _leaderboard(document: Document, wishes: Wishes) -> Iterator[Score | Remark]:
    rows = list(csv.reader(io.StringIO(document.text)))
    if len(rows) < 3:
        raise UnreadableError("the leaderboard has no rows")
    names = [_plain(cell) for cell in rows[1]]
    lower = [name.casefold() for name in names]
    if "model" not in lower:
        raise UnreadableError("the leaderboard has no column called model in its second line")
    columns: list[tuple[int, str, str, str, tuple[str, str]]] = []
    unknown = []
    for i, title in enumerate(rows[0][: len(names)]):
        metrics = _METRICS.get(_plain(title).casefold())
        if metrics is None:
            if "/tasks/" in title:
                unknown.append(names[i])
            continue
        place = _PLACE.search(rows[1][i])
        task, language, prompt = name_task(names[i], tuple(wishes.tasks))
        language = language or (language_of(place[1]) if place else "")
        columns.append((i, task, language, prompt, metrics))
    if unknown:
        yield Remark("columns whose metrics are not known, left out", tuple(unknown), grave=True)
    if not columns:
        raise UnreadableError(
            "no results: no column of the leaderboard is one dataset in one language, as in those of one language"
        )
    for line, row in enumerate(rows[2:], start=3):
        if len(row) == len(names):
            yield from _row(document, line, row, lower, columns, wishes)


def _row(
    document: Document,
    line: int,
    row: list[str],
    names: list[str],
    columns: list[tuple[int, str, str, str, tuple[str, str]]],
    wishes: Wishes,
) -> Iterator[Score | Remark]:
    model = _plain(row[names.index("model")])
    said = _SETTINGS.search(model)
    settings = said["settings"].split(", ") if said else []
    params = number_of(row[names.index("parameters")]) if "parameters" in names else math.nan
    for i, task, language, prompt, metrics in columns:
        pairs = _CELL.findall(row[i].partition("@@")[0])
        if not pairs:
            continue
        there = metrics[: len(pairs)]
        metric = choose_metric(there, (*wishes.metrics, metrics[0]))
        value, radius = pairs[there.index(metric)]
        yield _score(
            number_of(value),
            number_of(radius),
            metric,
            fraction=False,
            params=params,
            model=_SETTINGS.sub("", model),
            task=task,
            language=language,
            prompt=prompt,
            shots="0" if "zero-shot" in settings else "",
            split="validation" if "val" in settings else "test",
            file=document.name,
            line=line,
        )


SOURCE = Source("EuroEval", _recognises, _read)
