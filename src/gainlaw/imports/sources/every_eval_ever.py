"""Records of Every Eval Ever, the exchange format of evaluation results: one JSON object a model, or one a line.

Answers to items are read from ``UUID_samples.jsonl`` beside ``UUID.json``. A record may hold the languages of one
dataset as evaluations that are called by them; what stands beside those are averages and parts of them.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

from gainlaw.imports.documents import Document, UnreadableError, json_lines
from gainlaw.imports.measures import choose_metric, declare, number_of, of_items
from gainlaw.imports.names import language_names, language_of, name_task
from gainlaw.imports.record import Items, Remark, Score, Source, taken_of
from gainlaw.imports.values import digest, mapping, part, text
from gainlaw.imports.wishes import Wishes
from gainlaw.scores.metrics import find_metric

__all__ = ["SOURCE"]

_SIZES = {"num_model_parameters": 1.0, "num_parameters": 1.0, "params": 1.0, "params_billions": 1e9}
_SUFFIX = "_samples.jsonl"
_OVERALL = re.compile(r"\b(overall|average)\b", re.IGNORECASE)


def _is_record(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("evaluation_results"), list)
        and "model_info" in value
    )


def _is_answer(value: Any) -> bool:
    return isinstance(value, dict) and {"evaluation_id", "sample_id", "evaluation"} <= value.keys()


def _recognises(document: Document) -> bool:
    if document.kind == "json" and _is_record(document.value):
        return True
    first: Any = None
    if document.kind == "lines" or document.name.endswith(_SUFFIX):
        with contextlib.suppress(UnreadableError):
            first = document.first
    return _is_record(first) or _is_answer(first)


def _read(document: Document, wishes: Wishes) -> Iterator[Score | Remark]:
    if document.kind == "json" and _is_record(document.value):
        yield from _of_record(document, document.value, wishes, None)
        return
    if _is_answer(document.first):
        if f"{Path(document.name).name.removesuffix(_SUFFIX)}.json" not in document.neighbours:
            what = "answers without the record that they belong to (UUID.json beside UUID_samples.jsonl)"
            yield Remark(what, (document.name,), grave=True)
        return
    for line, value in document.lines():
        if _is_record(value):
            yield from _of_record(document, value, wishes, line)
        else:
            yield Remark(
                "lines that are no record of Every Eval Ever", (f"{document.name} {line}",), grave=True
            )


def _of_record(
    document: Document, record: Mapping[str, Any], wishes: Wishes, line: int | None
) -> Iterator[Score | Remark]:
    info = mapping(record["model_info"])
    model = text(info.get("id")) or text(info.get("name"))
    if not model:
        raise UnreadableError("the record names no model (model_info.id)")
    named = [each for each in record["evaluation_results"] if isinstance(each, dict)]
    languages = _language_sets(named)
    groups: dict[tuple[str, str, str], dict[str, Mapping[str, Any]]] = {}
    averages = []
    for result in named:
        dataset = _dataset(result)
        name = text(result.get("evaluation_name"))
        overall = len(named) > 1 and _OVERALL.search(name) is not None
        if overall or (dataset in languages and name not in languages[dataset]):
            averages.append(name)
            continue
        task, metric = _name(record, result, dataset, name, wishes)
        if dataset in languages:
            task = (name_task(dataset, tuple(wishes.tasks))[0], languages[dataset][name], "")
        groups.setdefault(task, {})[metric] = result
    if averages:
        yield Remark("averages, and parts beside the languages of a dataset, left out", tuple(averages))
    answers = _answers(document, record) if line is None else {}
    for task, results in groups.items():
        metric = choose_metric(results, wishes.metrics)
        yield from taken_of(metric, results, task[0], wishes.metrics)
        yield from _score(document, record, model, task, metric, results[metric], answers, line)


def _language_sets(results: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Return for each dataset which of its evaluations are called by a language, and by which."""
    names: dict[str, list[str]] = {}
    for result in results:
        names.setdefault(_dataset(result), []).append(text(result.get("evaluation_name")))
    sets = {dataset: language_names(several) for dataset, several in names.items() if dataset}
    return {dataset: found for dataset, found in sets.items() if found}


def _dataset(result: Mapping[str, Any]) -> str:
    return text(part(result, "source_data", "dataset_name"))


def _name(
    record: Mapping[str, Any], result: Mapping[str, Any], dataset: str, name: str, wishes: Wishes
) -> tuple[tuple[str, str, str], str]:
    """Return the task, language and prompt of a result, and its metric."""
    config = mapping(result.get("metric_config"))
    said = [text(config.get(key)) for key in ("metric_id", "metric_kind", "metric_name")]
    described = text(config.get("evaluation_description")).partition(" on ")[0]
    # EuroEval calls an evaluation by its metric, and the dataset says what was scored.
    by_metric = find_metric(name) is not None and dataset != ""
    metric = next((each for each in (*said, name if by_metric else "", described) if find_metric(each)), "")
    metric = metric or next((each for each in said if each), "")
    rules = tuple(wishes.tasks)
    details = mapping(part(record, "eval_library", "additional_details"))
    task, language, prompt = name_task(dataset if by_metric else name or dataset, rules)
    return (task, language or _first_language(details), prompt), metric


def _first_language(details: Mapping[str, Any]) -> str:
    given = details.get("languages") or details.get("language")
    if isinstance(given, str) and given.startswith("["):
        with contextlib.suppress(ValueError):
            given = json.loads(given)
    first = given[0] if isinstance(given, list) and given else given
    return language_of(text(first))


def _score(
    document: Document,
    record: Mapping[str, Any],
    model: str,
    task: tuple[str, str, str],
    metric: str,
    result: Mapping[str, Any],
    answers: Mapping[str, Items],
    line: int | None,
) -> Iterator[Score | Remark]:
    config = mapping(result.get("metric_config"))
    details = mapping(result.get("score_details"))
    score = number_of(details.get("score"))
    if math.isnan(score):
        yield Remark("evaluations without a score", (task[0],), grave=True)
        return
    if config.get("has_unknown_level") and score == -1:
        yield Remark("evaluations whose score is unknown (-1)", (task[0],), grave=True)
        return
    uncertainty = mapping(details.get("uncertainty"))
    error, unused = _error(uncertainty, score)
    if unused:
        yield Remark(unused, (f"{task[0]} ({task[1]})" if task[1] else task[0],))
    n = number_of(uncertainty.get("num_samples"))
    if math.isnan(n):
        n = number_of(part(result, "source_data", "samples_number"))
    known = find_metric(metric) if metric else find_metric("accuracy")
    high = number_of(config.get("max_score"))
    percent = text(config.get("metric_unit")).startswith("percent") or high == 100
    if percent and known is not None and known.high <= 1:
        score, error, high = float(f"{score / 100:.15g}"), error / 100, 1.0
    if text(part(record, "eval_library", "name")).casefold() == "euroeval":
        n = math.nan  # its number of samples is that of its runs
    elif not of_items(score, n, error):
        yield Remark("numbers of samples that are not those of items, left out", (task[0],))
        n = math.nan
    if not metric:
        yield Remark("evaluations that name no metric, read as the task's usual one", (task[0],))
    info = mapping(record["model_info"])
    library = mapping(record.get("eval_library"))
    extra = mapping(info.get("additional_details"))
    generation = mapping(result.get("generation_config"))
    settings = {**mapping(library.get("additional_details")), **mapping(generation.get("additional_details"))}
    lower = config.get("lower_is_better")
    yield Score(
        model=model,
        task=task[0],
        language=task[1],
        prompt=task[2],
        metric=metric,
        score=score,
        n=n,
        stderr=error,
        params=_size(extra),
        shots=_shots(settings),
        split=_split(result, settings),
        harness=" ".join(text(library.get(key)) for key in ("name", "version")).strip(),
        revision=text(extra.get("revision") or info.get("revision")),
        prompt_digest=digest(part(generation, "generation_args", "prompt_template")),
        declared=declare(
            metric, not lower if isinstance(lower, bool) else None, config.get("min_score"), high
        )
        if metric
        else (),
        file=document.name,
        line=line,
        items=_items(answers, result, score),
    )


def _error(uncertainty: Mapping[str, Any], score: float) -> tuple[float, str]:
    """Return the standard error, and what is said where an interval could not be used."""
    error = number_of(part(uncertainty, "standard_error", "value"))
    if not math.isnan(error):
        return error, ""
    interval = mapping(uncertainty.get("confidence_interval"))
    low, high = number_of(interval.get("lower")), number_of(interval.get("upper"))
    if math.isnan(low) or math.isnan(high):
        return math.nan, ""
    level = number_of(interval.get("confidence_level"))
    if not 0 < level < 1:
        return math.nan, "intervals without a level, not used"
    if not low <= score <= high and not low <= 0 <= high:
        return math.nan, "intervals without their score, not used"
    return (high - low) / 2 / NormalDist().inv_cdf((1 + level) / 2), ""


def _size(details: Mapping[str, Any]) -> float:
    for key, unit in _SIZES.items():
        size = number_of(details.get(key)) * unit
        if size > 0:
            return float(round(size))
    return math.nan


def _shots(settings: Mapping[str, Any]) -> str:
    for key in ("num_fewshot", "n_shot", "shots", "num_shots"):
        if text(settings.get(key)):
            return text(settings.get(key))
    few = {"true": "few", "false": "0"}
    return few.get(str(settings.get("few_shot")).casefold(), "")


def _split(result: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    split = text(part(result, "source_data", "hf_split"))
    return split or ("validation" if str(settings.get("validation_split")).casefold() == "true" else "")


def _answers(document: Document, record: Mapping[str, Any]) -> dict[str, Items]:
    """Return the answers beside a record, by the identifier or the name of the evaluation that they are of."""
    if document.path is None or "detailed_evaluation_results" not in record:
        return {}
    beside = document.path.with_name(document.path.name.partition(".json")[0] + _SUFFIX)
    if beside.name not in document.neighbours:
        return {}
    columns: dict[str, dict[str, tuple[int, str]]] = {}
    with beside.open("rb") as file:
        for _, answer in json_lines(file):
            evaluation = mapping(mapping(answer).get("evaluation"))
            right = evaluation.get("is_correct")
            if isinstance(right, bool) and number_of(evaluation.get("score")) in (0.0, 1.0):
                name = text(answer.get("evaluation_result_id") or answer.get("evaluation_name"))
                cells = columns.setdefault(name, {})
                cells[text(answer.get("sample_id"))] = (int(right), text(answer.get("sample_hash")))
    return {name: Items.of(cells) for name, cells in columns.items()}


def _items(answers: Mapping[str, Items], result: Mapping[str, Any], score: float) -> Items | None:
    for key in ("evaluation_result_id", "evaluation_name"):
        items = answers.get(text(result.get(key)))
        if items is not None and items.add_up_to(score):
            return items
    return None


SOURCE = Source("Every Eval Ever", _recognises, _read)
