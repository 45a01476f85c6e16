"""Result files of the lm-evaluation-harness, old and new, with the answers that lie beside them.

Old files (2023) have ``"acc"`` and ``"acc_stderr"``; new ones ``"acc,none"``, the number of items, the numbers of
examples shown, and lists of the groups whose averages stand among the tasks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gainlaw.imports.documents import Document, UnreadableError
from gainlaw.imports.measures import choose_metric, declare, is_number, items_of, number_of
from gainlaw.imports.names import name_task
from gainlaw.imports.record import Items, Remark, Score, Source, taken_of
from gainlaw.imports.sources.lm_eval_samples import read_answers
from gainlaw.imports.values import digest, mapping, part, text
from gainlaw.imports.wishes import Wishes
from gainlaw.scores.metrics import find_metric

__all__ = ["SOURCE"]

_TIME = re.compile(r"results_(?P<time>.+)\.json(\.gz)?")
_WORDS = (
    *(
        "description",
        "doc_to_text",
        "doc_to_target",
        "doc_to_choice",
        "target_delimiter",
        "fewshot_delimiter",
    ),
    "gen_prefix",
)


def _recognises(document: Document) -> bool:
    if document.kind != "json" or not isinstance(document.value, dict):
        return False
    value = document.value
    config = value.get("config")
    return isinstance(value.get("results"), dict) and (
        "n-shot" in value
        or "configs" in value
        or (isinstance(config, dict) and ("model_args" in config or "num_fewshot" in config))
    )


def _read(document: Document, wishes: Wishes) -> Iterator[Score | Remark]:
    value: Mapping[str, Any] = document.value
    config = mapping(value.get("config"))
    model = _model_of(value, config)
    if not model:
        raise UnreadableError(
            "the file names no model (config.model_args has no pretrained=, model= or peft=)"
        )
    tasks = dict(_flat(value["results"]))
    if not tasks:
        raise UnreadableError("the file has no results")
    averages = _averages(value, tasks)
    if averages:
        yield Remark("averages over several tasks, left out", tuple(sorted(averages)))
    for task, metrics in tasks.items():
        if task not in averages:
            yield from _scores(document, wishes, value, config, model, task, metrics)


def _model_of(value: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Return the name of the model, with its revision where it is not the main one.

    An adapter goes by its own name, not by that of what it sits on.
    """
    arguments = config.get("model_args")
    if isinstance(arguments, str):
        pairs = (part.partition("=") for part in arguments.split(","))
        arguments = {key.strip(): text.strip() for key, _, text in pairs}
    named = arguments if isinstance(arguments, dict) else {}
    for key in ("peft", "delta", "pretrained", "model", "engine", "path"):
        name = str(named.get(key) or "").strip().strip("'\"").rstrip("/")
        revision = str(named.get("revision") or "main").strip()
        if name:
            return name if revision == "main" else f"{name}@{revision}"
    called = value.get("model_name")
    return called.strip() if isinstance(called, str) else ""


def _flat(results: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each task with its metrics, also where tasks stand inside their groups and values inside their filters."""
    for name, entry in results.items():
        if not isinstance(entry, dict):
            continue
        metrics: dict[str, Any] = {}
        inner: dict[str, Any] = {}
        for key, item in entry.items():
            if not isinstance(item, dict):
                metrics[key] = item
            elif item and all(not isinstance(each, dict) for each in item.values()) and _is_metric(key):
                metrics |= {f"{key},{which}": each for which, each in item.items()}
            else:
                inner[key] = item
        if any(is_number(each) for each in metrics.values()) or not inner:
            yield str(name), metrics
        if inner and depth < 4:
            yield from _flat(inner, depth + 1)


def _is_metric(name: str) -> bool:
    return find_metric(name.removesuffix("_stderr")) is not None


def _averages(value: Mapping[str, Any], tasks: Mapping[str, Any]) -> set[str]:
    groups = value.get("groups")
    found = set(groups) if isinstance(groups, dict) else set()
    members = value.get("group_subtasks")
    if isinstance(members, dict):
        found |= {name for name, inside in members.items() if inside}
    counted = value.get("n-samples") or value.get("configs")
    if isinstance(counted, dict):
        found |= {name for name in tasks if name not in counted}
    return found & set(tasks)


def _scores(
    document: Document,
    wishes: Wishes,
    value: Mapping[str, Any],
    config: Mapping[str, Any],
    model: str,
    name: str,
    metrics: Mapping[str, Any],
) -> Iterator[Score | Remark]:
    numbers = {
        key: float(each)
        for key, each in metrics.items()
        if is_number(each) and "_stderr" not in key and key not in {"samples", "sample_len"}
    }
    if not numbers:
        yield Remark("tasks without a score", (name,), grave=True)
        return
    metric = choose_metric(numbers, wishes.metrics)
    plain, _, which = metric.partition(",")
    unscored = [key for key in metrics if key not in numbers and _is_metric(key.partition(",")[0])]
    yield from taken_of(metric, numbers, name, wishes.metrics, unscored)
    error = number_of(metrics.get(f"{plain}_stderr,{which}" if which else f"{plain}_stderr"))
    score = numbers[metric]
    known = find_metric(plain)
    n = number_of(part(value, "n-samples", name, "effective"))
    if math.isnan(n) and known is not None and known.kind == "share":
        n = items_of(score, error)
    task_settings = mapping(part(value, "configs", name))
    task, language, prompt = name_task(name, tuple(wishes.tasks))
    higher = part(value, "higher_is_better", name, plain)
    items = _items(document, name, plain, which, score) if known and known.kind == "share" else None
    if isinstance(items, Remark):
        yield items
        items = None
    yield Score(
        model=model,
        task=task,
        language=language,
        metric=plain,
        score=score,
        file=document.name,
        n=n,
        stderr=error,
        params=_params(config),
        n_classes=_classes(task_settings),
        shots=_shots(value, config, task_settings, name),
        chat_template="yes" if value.get("chat_template") or config.get("chat_template") else "no",
        prompt=prompt,
        split=str(task_settings.get("test_split") or task_settings.get("validation_split") or ""),
        task_version=text(part(value, "versions", name)),
        harness=text(value.get("lm_eval_version") or value.get("git_hash")),
        revision=text(config.get("model_sha") or config.get("model_revision")),
        prompt_digest=digest([*(task_settings.get(key) for key in _WORDS), value.get("system_instruction")]),
        declared=declare(plain, higher if isinstance(higher, bool) else None),
        items=items,
    )


def _items(document: Document, name: str, metric: str, which: str, score: float) -> Items | Remark | None:
    path = document.path
    timed = _TIME.fullmatch(path.name) if path is not None else None
    if path is None or timed is None:
        return None
    for suffix in (".jsonl", ".jsonl.gz"):
        beside = f"samples_{name}_{timed['time']}{suffix}"
        if beside in document.neighbours:
            return read_answers(path.with_name(beside), metric, which, score)
    return None


def _params(config: Mapping[str, Any]) -> float:
    number = number_of(config.get("model_num_parameters"))
    return number if number > 0 else math.nan


def _classes(task: Mapping[str, Any]) -> float:
    """Return the number of answers, where every item has the same."""
    choices = task.get("doc_to_choice")
    if task.get("output_type") == "multiple_choice" and isinstance(choices, list) and len(choices) > 1:
        return float(len(choices))
    return math.nan


def _shots(value: Mapping[str, Any], config: Mapping[str, Any], task: Mapping[str, Any], name: str) -> str:
    for each in (part(value, "n-shot", name), task.get("num_fewshot"), config.get("num_fewshot")):
        if is_number(each):
            return text(each)
    return ""


SOURCE = Source("lm-evaluation-harness", _recognises, _read)
