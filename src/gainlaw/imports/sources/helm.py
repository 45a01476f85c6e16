"""Runs of HELM: ``stats.json`` with the ``run_spec.json`` and ``per_instance_stats.json`` of the same folder."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gainlaw.imports.documents import Document, UnreadableError, read_json
from gainlaw.imports.measures import choose_metric, number_of
from gainlaw.imports.names import name_task
from gainlaw.imports.record import Items, Remark, Score, Source, taken_of
from gainlaw.imports.values import digest, mapping, part, text
from gainlaw.imports.wishes import Wishes
from gainlaw.scores.metrics import find_metric

__all__ = ["SOURCE"]

_PROMPT = ("method", "instructions", "input_prefix", "input_suffix", "output_prefix", "output_suffix")
#: The part of a run's name that says which dataset it is of.
_SETTING = re.compile(r"(?:^|[:,])(?P<key>[\w.]+)=(?P<value>[^,]*)")
_NO_PART_OF_A_TASK = {"model", "method", "model_deployment", "max_eval_instances", "data_augmentation"}


def _is_statistic(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), dict) and "count" in value


def _recognises(document: Document) -> bool:
    if document.kind != "json":
        return False
    value = document.value
    if isinstance(value, list):
        return bool(value) and (_is_statistic(value[0]) or part(value[0], "instance_id") is not None)
    return isinstance(value, dict) and "adapter_spec" in value


def _read(document: Document, wishes: Wishes) -> Iterator[Score | Remark]:
    value = document.value
    if not (isinstance(value, list) and _is_statistic(value[0])):
        # The other files of a run are read with its statistics.
        if "stats.json" not in document.neighbours:
            yield Remark("parts of a HELM run without its stats.json", (document.name,), grave=True)
        return
    if document.path is None:
        raise UnreadableError(
            "statistics of HELM are read from a folder, where run_spec.json says whose they are"
        )
    spec = mapping(_beside(document.path, "run_spec.json"))
    adapter = mapping(spec.get("adapter_spec"))
    model = text(adapter.get("model"))
    if not model:
        raise UnreadableError(
            "no run_spec.json with a model (adapter_spec.model) lies beside the statistics of HELM"
        )
    task, language, prompt = name_task(_task_of(text(spec.get("name"))), tuple(wishes.tasks))
    splits = _splits(value)
    split = next((each for each in ("test", "valid") if each in splits), "")
    numbers = splits.get(split, {})
    others = sorted(set(splits) - {split, "train"})
    if others:
        yield Remark(
            f"split {split or 'not said'} was taken of several ({', '.join(others)} left out)", (task,)
        )
    scores = {name: stat for name, stat in numbers.items() if find_metric(name) is not None}
    if not scores:
        yield Remark("runs without a score that is known", (document.name,), grave=True)
        return
    metric = choose_metric(scores, wishes.metrics)
    yield from taken_of(metric, scores, task, wishes.metrics)
    score = scores[metric]
    yield Score(
        model=model,
        task=task,
        language=language,
        prompt=prompt,
        metric=metric,
        score=score,
        n=numbers.get("num_instances", math.nan),
        shots=text(adapter.get("max_train_instances")),
        split=split,
        harness="helm",
        prompt_digest=digest([adapter.get(key) for key in _PROMPT]),
        file=document.name,
        items=_items(_beside(document.path, "per_instance_stats.json"), metric, split, score),
    )


def _beside(path: Path, name: str) -> Any:
    file = path.with_name(name)
    return read_json(file.read_bytes()) if file.exists() else None


def _task_of(run: str) -> str:
    """Return the task in the name of a run: the dataset or subject where it says one, else what stands in front."""
    settings = {found["key"]: found["value"] for found in _SETTING.finditer(run)}
    front = re.split("[:,]", run, maxsplit=1)[0]
    front = front.partition("=")[0] if "=" in front else front
    own = [value for key, value in settings.items() if key not in _NO_PART_OF_A_TASK]
    if "dataset" in settings:
        return settings["dataset"]
    return "_".join([front, *own])


def _splits(statistics: list[Any]) -> dict[str, dict[str, float]]:
    """Return the mean of every statistic of unperturbed items, by split."""
    splits: dict[str, dict[str, float]] = {}
    for each in statistics:
        name = mapping(part(each, "name"))
        mean = number_of(part(each, "mean"))
        if "perturbation" not in name and not math.isnan(mean) and text(name.get("split")):
            splits.setdefault(text(name.get("split")), {}).setdefault(text(name.get("name")), mean)
    return splits


def _items(records: Any, metric: str, split: str, score: float) -> Items | None:
    answers: dict[str, int] = {}
    for record in records if isinstance(records, list) else ():
        if part(record, "perturbation") is not None:
            continue
        for stat in part(record, "stats") or ():
            name: Mapping[str, Any] = mapping(part(stat, "name"))
            if name.get("name") == metric and name.get("split") == split and "perturbation" not in name:
                mean, item = number_of(part(stat, "mean")), text(part(record, "instance_id"))
                if mean not in (0.0, 1.0) or item in answers:
                    return None
                answers[item] = int(mean)
    items = Items(tuple(answers), np.array(list(answers.values()), np.int8))
    return items if items.add_up_to(score) else None


SOURCE = Source("HELM", _recognises, _read)
