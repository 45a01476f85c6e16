"""Tables that people and leaderboards make: one row a model and one column a task or language, or one row a score."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gainlaw.imports.cells import is_spreadsheet, read_cells
from gainlaw.imports.documents import Document, UnreadableError
from gainlaw.imports.measures import number_of
from gainlaw.imports.names import language_names, language_of, name_task
from gainlaw.imports.record import Remark, Score, Source
from gainlaw.imports.wishes import Wishes
from gainlaw.notes import count_of
from gainlaw.scores.metrics import metric_of_row
from gainlaw.sizes import SUFFIXES
from gainlaw.tasks import find_task

__all__ = ["SOURCE"]

#: Columns by what they hold, in the spellings that are met.
_COLUMNS = {
    "model": ("model", "model_name", "model_id", "models", "system", "checkpoint", "name"),
    "params": ("params", "parameters", "n_params", "num_params", "num_parameters", "size", "model_size"),
    "task": ("task", "dataset", "benchmark"),
    "language": ("language", "lang"),
    "score": ("score", "value", "accuracy", "acc"),
    "n_correct": ("n_correct", "correct"),
    "n_examples": ("n_examples", "n", "n_samples", "num_samples", "samples"),
    "stderr": ("stderr", "se", "standard_error", "std_err"),
    "metric": ("metric",),
    "shots": ("shots", "n_shot", "num_fewshot", "fewshot", "n_shots"),
    "split": ("split",),
    "prompt": ("prompt",),
    "revision": ("revision",),
}
_AVERAGES = {"average", "avg", "mean", "all", "overall", "macro_average", "total"}
_UNIT = re.compile(r"[#\s]*(?P<name>[\w ]+?)\s*[(\[]?\s*(?P<unit>billions?|millions?|b|m)?\s*[)\]]?")


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the columns of a table are."""

    known: Mapping[str, str]
    params_unit: float
    scores: Mapping[str, tuple[str, str, str]]


def _recognises(document: Document) -> bool:
    if document.kind == "parquet" or is_spreadsheet(document):
        return True
    return document.kind == "text" and any(mark in document.first_line for mark in ",\t;|")


def _read(document: Document, wishes: Wishes) -> Iterator[Score | Remark]:
    raw = read_cells(document)
    names = [wishes.rename.get(str(name), str(name)) for name in raw.frame]
    frame = raw.frame.set_axis(names, axis=1)
    if {"base_model", "intermediate"} <= set(names):
        raise UnreadableError(
            "no results to import: it is a table of evaluations already (gainlaw check reads it)"
        )
    if {"model", "example", "correct"} <= set(names):
        raise UnreadableError("no results to import: it is a table of answers that goes with evaluations")
    layout, remarks = _layout(names, wishes)
    yield from remarks
    lost = 0
    for line, row in zip(raw.lines, frame.to_dict(orient="records"), strict=True):
        for score in _of_row(
            {str(key): cell for key, cell in row.items()}, layout, wishes, document.name, int(line)
        ):
            lost += score is None
            if score is not None:
                yield score
    if lost:
        yield Remark(f"{count_of(lost, 'cell')} without a number, left out", (document.name,))


def _layout(names: list[str], wishes: Wishes) -> tuple[_Layout, list[Remark]]:
    plain = {re.sub(r"[\s\-]+", "_", name.strip().casefold()): name for name in names}
    known = {
        what: plain[spelling]
        for what, spellings in _COLUMNS.items()
        for spelling in reversed(spellings)
        if spelling in plain
    }
    if "model" not in known:
        raise UnreadableError(
            "no results: no column of the table names the model (--rename COLUMN=model says which)"
        )
    unit = 1.0
    for name in names:
        sized = _UNIT.fullmatch(name.casefold())
        if sized and sized["unit"] and sized["name"].strip().replace(" ", "_") in _COLUMNS["params"]:
            known["params"], unit = name, 10.0 ** SUFFIXES[sized["unit"][0].upper()]
    if known.get("score") or known.get("n_correct"):
        if "task" not in known:
            raise UnreadableError("no results: a table with a column of scores needs one that names the task")
        return _Layout(known, unit, {}), []
    taken = set(known.values())
    remarks: list[Remark] = []
    scores: dict[str, tuple[str, str, str]] = {}
    languages = language_names(
        name for name in names if name not in taken and name.strip().casefold() not in _AVERAGES
    )
    averages: list[str] = []
    unknown: list[str] = []
    for name in names:
        if name in taken:
            continue
        task, language, prompt = name_task(name, tuple(wishes.tasks))
        if language or any(rule.template == name for rule in wishes.tasks) or find_task(task):
            scores[name] = (task, language, prompt)
        elif name in languages:
            scores[name] = ("", languages[name], "")
        else:
            (averages if name.strip().casefold() in _AVERAGES else unknown).append(name)
    if any(not task for task, _, _ in scores.values()) and "task" not in known:
        columns = ", ".join(name for name, (task, _, _) in scores.items() if not task)
        raise UnreadableError(
            f"columns {columns} are languages: of which task? --map '{{language}}=TASK' says it"
        )
    if averages:
        remarks.append(Remark("averages over several tasks, left out", tuple(averages)))
    if unknown:
        what = "columns that are no known task and no language, left out (--map COLUMN=TASK says what one is)"
        remarks.append(Remark(what, tuple(unknown), grave=True))
    if not scores:
        raise UnreadableError(
            "no results: no column is a known task or a language (--map COLUMN=TASK says what it is)"
        )
    return _Layout(known, unit, scores), remarks


def _of_row(
    row: Mapping[str, Any], layout: _Layout, wishes: Wishes, file: str, line: int
) -> Iterator[Score | None]:
    cell = {what: row[name] for what, name in layout.known.items()}
    text = {what: _text(cell.get(what)) for what in _COLUMNS}
    if not text["model"]:
        yield None
        return
    common: dict[str, Any] = {
        "model": text["model"],
        "file": file,
        "line": line,
        "metric": text["metric"],
        "shots": text["shots"],
        "split": text["split"],
        "revision": text["revision"],
        "params": _params(text["params"], layout.params_unit),
        "n": number_of(cell.get("n_examples")),
    }
    if not layout.scores:
        yield _single(cell, text, common, wishes)
        return
    for name, (task, language, prompt) in layout.scores.items():
        code = language or (language_of(text["language"]) or text["language"])
        yield _score(
            row[name], math.nan, task or text["task"], code, prompt or text["prompt"], common, wishes
        )


def _single(
    cell: Mapping[str, Any], text: Mapping[str, str], common: Mapping[str, Any], wishes: Wishes
) -> Score | None:
    task, language, prompt = name_task(text["task"], tuple(wishes.tasks))
    language = language_of(text["language"]) or text["language"] or language
    value: object = cell.get("score")
    if value is None or _text(value) == "":
        right, n = number_of(cell.get("n_correct")), common["n"]
        if math.isnan(right) or math.isnan(n):
            return None
        value = right / n * (100 if wishes.percent else 1)
    error = number_of(cell.get("stderr"))
    return _score(value, error, task, language, prompt or text["prompt"], common, wishes)


def _score(
    value: object,
    error: float,
    task: str,
    language: str,
    prompt: str,
    common: Mapping[str, Any],
    wishes: Wishes,
) -> Score | None:
    text = _text(value)
    percent = wishes.percent or text.endswith("%")
    score = number_of(text.removesuffix("%").strip())
    if math.isnan(score) or not task:
        return None
    metric = metric_of_row(common["metric"], task)
    if metric.high <= 1 and percent:
        score, error = float(f"{score / 100:.15g}"), error / 100
    elif metric.high <= 1 and score > metric.high:
        what = f"line {common['line']} has the score {text}: --percent says that scores are in per cent"
        raise UnreadableError(what)
    return Score(task=task, language=language, prompt=prompt, score=score, stderr=error, **common)


def _params(text: str, unit: float) -> float:
    """Return a size; without a unit numbers below 10,000 say none."""
    number, power = number_of(text), 1.0
    if math.isnan(number) and text:
        number, power = number_of(text[:-1]), 10.0 ** SUFFIXES.get(text[-1].upper(), 0)
        return number * power if power > 1 else math.nan
    return number * unit if number * unit >= 1e4 else math.nan


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.15g}" if isinstance(value, float) else str(value).strip()


SOURCE = Source("tables", _recognises, _read, last=True)
