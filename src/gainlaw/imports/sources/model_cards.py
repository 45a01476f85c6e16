"""Model cards: the results in the ``model-index`` of a page's header, as model hubs show them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from gainlaw.imports.documents import Document, UnreadableError
from gainlaw.imports.measures import choose_metric, number_of
from gainlaw.imports.names import language_of, name_task
from gainlaw.imports.record import Remark, Score, Source, taken_of
from gainlaw.imports.values import mapping, part, text
from gainlaw.imports.wishes import Wishes
from gainlaw.scores.metrics import find_metric

__all__ = ["SOURCE"]


def _recognises(document: Document) -> bool:
    return document.kind == "page" and b"model-index:" in document.head


def _read(document: Document, wishes: Wishes) -> Iterator[Score | Remark]:
    entries = _header(document).get("model-index")
    for entry in entries if isinstance(entries, list) else ():
        model = text(part(entry, "name"))
        results = part(entry, "results")
        if not model or not isinstance(results, list):
            raise UnreadableError("the model-index of the page has no name or no list of results")
        for result in results:
            yield from _of_result(document, model, mapping(result), wishes)


def _header(document: Document) -> Mapping[str, Any]:
    import yaml

    header = document.text.lstrip("\ufeff").partition("---")[2].partition("\n---")[0]
    try:
        # The C parser is ten times as fast, where it was built.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return mapping(yaml.load(header, Loader=loader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f", line {line + 1}" if line is not None else ""
        raise UnreadableError(f"the header of the page is no YAML{where}") from None


def _of_result(
    document: Document, model: str, result: Mapping[str, Any], wishes: Wishes
) -> Iterator[Score | Remark]:
    dataset = mapping(result.get("dataset"))
    called = text(dataset.get("name")) or text(dataset.get("type"))
    metrics = [each for each in result.get("metrics") or () if isinstance(each, dict)]
    values = {
        text(each.get("type")) or text(each.get("name")): number_of(each.get("value")) for each in metrics
    }
    known = {name: value for name, value in values.items() if find_metric(name) and not math.isnan(value)}
    if not known:
        yield Remark("results of model cards without a metric that is known", (called,), grave=True)
        return
    metric = choose_metric([name.casefold() for name in known], wishes.metrics)
    metric = next(name for name in known if name.casefold() == metric)
    yield from taken_of(metric, known, called, wishes.metrics)
    task, language, prompt = _task(dataset, wishes)
    score, rules = known[metric], find_metric(metric)
    assert rules is not None
    if rules.high <= 1 < abs(score):
        yield Remark("scores of model cards above 1, read as per cent", (model,))
        score = float(f"{score / 100:.15g}")
    yield Score(
        model=model,
        task=task,
        language=language,
        prompt=prompt,
        metric=metric,
        score=score,
        shots=text(part(dataset, "args", "num_few_shot")),
        split=text(dataset.get("split")),
        task_version=text(dataset.get("revision"))[:12],
        file=document.name,
    )


def _task(dataset: Mapping[str, Any], wishes: Wishes) -> tuple[str, str, str]:
    """Return the task, language and prompt of a dataset, whose configuration may be the language."""
    rules = tuple(wishes.tasks)
    config = text(dataset.get("config"))
    kind = text(dataset.get("type")).rpartition("/")[2]
    for name in (f"{kind}_{config}" if config else kind, text(dataset.get("name")), kind):
        task, language, prompt = name_task(name, rules)
        if language:
            return task, language, prompt
    task, _, prompt = name_task(kind or text(dataset.get("name")), rules)
    return task, language_of(config) if len(config) != 3 else "", prompt


SOURCE = Source("model cards", _recognises, _read)
