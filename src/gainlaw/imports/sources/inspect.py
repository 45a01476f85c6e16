"""Logs of Inspect: JSON, or ``.eval`` archives of JSON, with the answers to every sample."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gainlaw.imports.documents import Document, UnreadableError
from gainlaw.imports.measures import choose_metric, is_number, number_of
from gainlaw.imports.names import name_task
from gainlaw.imports.record import Items, Remark, Score, Source, taken_of
from gainlaw.imports.values import digest, mapping, part, text
from gainlaw.imports.wishes import Wishes

__all__ = ["SOURCE"]

#: How scorers write right and wrong answers.
_RIGHT = {"C": 1, "I": 0}
_NO_SCORES = {"stderr", "std", "var", "bootstrap_stderr"}


def _recognises(document: Document) -> bool:
    if document.kind == "zip":
        return "header.json" in document.archive.namelist()
    value = document.value if document.kind == "json" else None
    return isinstance(value, dict) and isinstance(value.get("eval"), dict) and "task_id" in value["eval"]


def _read(document: Document, wishes: Wishes) -> Iterator[Score | Remark]:
    log = mapping(_member(document, "header.json") if document.kind == "zip" else document.value)
    about = mapping(log.get("eval"))
    model, name = text(about.get("model")), text(about.get("task"))
    if not model or not name:
        raise UnreadableError("the log names no model and task (eval.model, eval.task)")
    if log.get("status") != "success":
        what = f"logs whose status is {text(log.get('status')) or 'not said'}, not success"
        yield Remark(what, (document.name,), grave=True)
        return
    task, language, prompt = name_task(name.rpartition("/")[2], tuple(wishes.tasks))
    scorer: Mapping[str, Any]
    scorers = [each for each in mapping(log.get("results")).get("scores") or () if isinstance(each, dict)]
    values: dict[str, tuple[float, Mapping[str, Any], Mapping[str, Any]]] = {}
    for scorer in scorers:
        measured = mapping(scorer.get("metrics"))
        for metric, entry in measured.items():
            number = part(entry, "value")
            if metric not in _NO_SCORES and is_number(number):
                values.setdefault(metric, (float(number), scorer, measured))
    if not values:
        yield Remark("logs without a score", (document.name,), grave=True)
        return
    metric = choose_metric(values, wishes.metrics)
    score, scorer, metrics = values[metric]
    yield from taken_of(metric, values, task, wishes.metrics)
    config = mapping(about.get("config"))
    epochs = number_of(config.get("epochs"))
    n = number_of(scorer.get("scored_samples"))
    n = number_of(part(log, "results", "completed_samples")) if math.isnan(n) else n
    items = None
    if not epochs > 1:
        items = _items(_samples(document, log), text(scorer.get("name")), score)
    elif not math.isnan(n):
        # Each item is answered several times: its answers are no independent items.
        yield Remark("scores over several epochs, whose number of items is not used", (document.name,))
        n = math.nan
    yield Score(
        model=model,
        task=task,
        language=language,
        prompt=prompt,
        metric=metric,
        score=score,
        n=n,
        stderr=number_of(part(metrics, "stderr", "value")),
        shots=text(part(about, "task_args", "fewshot")),
        task_version=text(about.get("task_version")),
        harness=" ".join(["inspect", text(part(about, "packages", "inspect_ai"))]).strip(),
        prompt_digest=digest(part(log, "plan", "steps")),
        file=document.name,
        items=items,
    )


def _member(document: Document, name: str) -> Any:
    try:
        return json.loads(document.archive.read(name))
    except (KeyError, ValueError, OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise UnreadableError(f"{name} in the archive cannot be read: {error}") from None


def _samples(document: Document, log: Mapping[str, Any]) -> Iterable[Any]:
    if document.kind != "zip":
        return log.get("samples") or ()
    names = document.archive.namelist()
    return (
        _member(document, name) for name in names if name.startswith("samples/") and name.endswith(".json")
    )


def _items(samples: Iterable[Any], scorer: str, score: float) -> Items | None:
    """Return the answers, where they are right or wrong and add up to the score."""
    answers: dict[str, tuple[int, str]] = {}
    for sample in samples:
        value = part(sample, "scores", scorer, "value")
        right = _RIGHT.get(value) if isinstance(value, str) else value
        name = text(part(sample, "id"))
        if isinstance(right, bool):
            right = int(right)
        if not is_number(right) or right not in (0, 1) or not name or name in answers:
            return None
        answers[name] = (int(right), digest([part(sample, "input"), part(sample, "target")]))
    items = Items.of(answers)
    return items if items.add_up_to(score) else None


SOURCE = Source("Inspect", _recognises, _read)
