"""Result files of lighteval: ``"task|shots"`` or ``"suite|task|shots|..."`` with metrics and their standard errors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from gainlaw.imports.documents import Document, UnreadableError
from gainlaw.imports.measures import choose_metric, declare, is_number, items_of, number_of
from gainlaw.imports.names import name_task
from gainlaw.imports.record import Remark, Score, Source, taken_of
from gainlaw.imports.values import digest, mapping, part, text
from gainlaw.imports.wishes import Wishes
from gainlaw.scores.metrics import find_metric

__all__ = ["SOURCE"]

_PROMPT = ("prompt_function", "instruction", "few_shots_split", "few_shots_select", "hf_repo", "hf_subset")


def _recognises(document: Document) -> bool:
    value = document.value if document.kind == "json" else None
    return isinstance(value, dict) and "config_general" in value and isinstance(value.get("results"), dict)


def _read(document: Document, wishes: Wishes) -> Iterator[Score | Remark]:
    value = document.value
    general = mapping(value["config_general"])
    model = text(part(general, "model_config", "model_name")) or text(general.get("model_name"))
    if not model:
        raise UnreadableError("the file names no model (config_general.model_name)")
    averages = []
    for name, metrics in value["results"].items():
        if name == "all" or "_average" in name:
            averages.append(name)
        elif isinstance(metrics, dict):
            yield from _scores(document, value, general, model, name, metrics, wishes)
    if averages:
        yield Remark("averages over several tasks, left out", tuple(averages))


def _scores(
    document: Document,
    value: Mapping[str, Any],
    general: Mapping[str, Any],
    model: str,
    name: str,
    metrics: Mapping[str, Any],
    wishes: Wishes,
) -> Iterator[Score | Remark]:
    numbers = {
        key: float(each) for key, each in metrics.items() if is_number(each) and not key.endswith("_stderr")
    }
    if not numbers:
        yield Remark("tasks without a score", (name,), grave=True)
        return
    metric = choose_metric(numbers, wishes.metrics)
    unscored = [key for key in metrics if key not in numbers and find_metric(key) is not None]
    yield from taken_of(metric, numbers, name, wishes.metrics, unscored)
    parts = name.split("|")
    shots = next((each for each in reversed(parts[1:]) if each.isdigit()), "")
    plain = parts[0] if len(parts) < 3 or parts[1].isdigit() else parts[1]
    if len(parts) > 3 and parts[2].isdigit():
        shots = parts[2]
    task, language, prompt = name_task(plain, tuple(wishes.tasks))
    config = mapping(part(value, "config_tasks", name)) or mapping(
        part(value, "config_tasks", name.rpartition("|")[0])
    )
    score, error = numbers[metric], number_of(metrics.get(f"{metric}_stderr"))
    n = number_of(config.get("effective_num_docs"))
    known = find_metric(metric)
    if not n > 0:
        n = items_of(score, error) if known is not None and known.kind == "share" else math.nan
    better = [
        each.get("higher_is_better")
        for each in config.get("metrics") or config.get("metric") or ()
        if isinstance(each, dict) and each.get("metric_name") == metric
    ]
    splits = config.get("evaluation_splits")
    yield Score(
        model=model,
        task=task,
        language=language,
        prompt=prompt,
        metric=metric,
        score=score,
        n=n,
        stderr=error,
        shots=shots,
        split="+".join(map(str, splits)) if isinstance(splits, list) else text(splits),
        task_version=text(part(value, "versions", name)),
        harness=" ".join(["lighteval", text(general.get("lighteval_sha"))]).replace("?", "").strip(),
        revision=text(part(general, "model_config", "revision")),
        chat_template="yes" if general.get("use_chat_template") else "",
        prompt_digest=digest([config.get(key) for key in _PROMPT]),
        declared=declare(metric, better[0] if better and isinstance(better[0], bool) else None),
        file=document.name,
    )


SOURCE = Source("lighteval", _recognises, _read)
