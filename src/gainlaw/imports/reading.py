"""All scores in files and folders, whatever wrote them, with what was read, what was left out and why."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from gainlaw.errors import InputError, Problem
from gainlaw.imports import sources
from gainlaw.imports.documents import Document, UnreadableError, find_documents
from gainlaw.imports.names import doubtful_language
from gainlaw.imports.record import Remark, Score, Source
from gainlaw.imports.wishes import Wishes
from gainlaw.notes import Note, count_of
from gainlaw.scores.metrics import find_metric, metric_of_row

__all__ = ["Found", "read_results", "settle"]

_SHOWN = 6
_SMALLEST = 1e4  # numbers of parameters below this are in another unit


@cache
def _sources() -> tuple[Source, ...]:
    modules = (import_module(f"{sources.__name__}.{each.name}") for each in iter_modules(sources.__path__))
    return tuple(sorted((module.SOURCE for module in modules), key=lambda each: each.last))


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in files of results.

    Attributes
    ----------
    scores : tuple of Score
        In the order of the files.
    notes : tuple of Note
        What was read, what was left out and why, what was chosen.
    """

    scores: tuple[Score, ...]
    notes: tuple[Note, ...]


class _Log:
    """What happened to which names, the same words once."""

    def __init__(self) -> None:
        self.names: dict[tuple[str, bool], dict[str, None]] = {}

    def add(self, message: str, names: Iterable[str], grave: bool = False) -> None:
        self.names.setdefault((message, grave), {}).update(dict.fromkeys(names))

    def notes(self) -> tuple[Note, ...]:
        return tuple(
            Note(
                "import",
                f"{message}: {_listed(names)}" if names else message,
                severity="warning" if grave else "info",
                standing=True,
            )
            for (message, grave), names in self.names.items()
        )


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return ", ".join(known[:_SHOWN]) + more


def read_results(
    paths: Sequence[str | os.PathLike[str]],
    wishes: Wishes | None = None,
    *,
    exclude: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Found:
    """Read every score in files and folders; what a file is, its content says.

    Parameters
    ----------
    paths : sequence of path-like
        Files and folders; ``-`` is standard input.
    wishes : Wishes, optional
        What the caller says of names and of what the files leave out.
    exclude : sequence of str
        Patterns of files to pass over.
    progress : callable, optional
        Called with the number of files that are looked at and of all.

    Returns
    -------
    Found
        One file is in memory at a time.

    Raises
    ------
    InputError
        If a path does not exist, a named file cannot be read, or no file holds results.

    Examples
    --------
    >>> import json, tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "toy-1b_xnli.json"
    >>> results = {"xnli_sw": {"acc": 0.5, "acc_stderr": 0.050251890762960605}}
    >>> _ = file.write_text(json.dumps({"results": results, "config": {"model_args": "pretrained=toy-1b"}}))
    >>> [(each.model, each.task, each.language, each.n) for each in read_results([file]).scores]
    [('toy-1b', 'xnli', 'sw', 100.0)]
    """
    wishes = wishes or Wishes()
    scores: list[Score] = []
    log, counts, problems = _Log(), dict[str, int](), list[Problem]()
    for document in find_documents(paths, exclude, progress):
        name, given, reason = _name(document), True, ""
        if isinstance(document, Document):
            given = document.given
            reason = _read_one(document, wishes, scores, log, counts)
        else:
            reason = document[1]
            given = name == "standard input" or any(
                Path(name).samefile(path) for path in paths if Path(path).is_file()
            )
        if reason and given:
            problems.append(Problem(f"{name}: {reason}"))
        elif reason:
            log.add(f"files left out: {reason}", (name,), grave="no results" not in reason)
    if problems:
        raise InputError(problems)
    if not scores:
        raise InputError([Problem("no file holds results that can be read"), *_reasons(log)])
    read = tuple(
        Note("import", f"{count_of(count, 'file')} read: {kind}", severity="info", standing=True)
        for kind, count in counts.items()
    )
    return Found(tuple(scores), (*read, *log.notes()))


def _reasons(log: _Log) -> list[Problem]:
    return [Problem(note.message) for note in log.notes()]


def _name(document: Document | tuple[str, str]) -> str:
    return document.name if isinstance(document, Document) else document[0]


def _read_one(
    document: Document, wishes: Wishes, scores: list[Score], log: _Log, counts: dict[str, int]
) -> str:
    """Read a document; return why it cannot be read, or an empty string."""
    try:
        kind, reason = _kind_of(document)
        if kind is None:
            return reason or "no results of a known kind"
        found: list[Score | Remark] = list(kind.read(document, wishes))
    except UnreadableError as error:
        return str(error)
    except OSError as error:
        return f"the file cannot be read: {error.strerror or error}"
    counts[kind.name] = counts.get(kind.name, 0) + 1
    for each in found:
        if isinstance(each, Score):
            scores.append(each)
        else:
            log.add(each.message, each.names, each.grave)
    return ""


def _kind_of(document: Document) -> tuple[Source | None, str]:
    """Return the source that recognises a document; where none does, why it could not be looked into."""
    reason = ""
    for each in _sources():
        try:
            if each.recognises(document):
                return each, ""
        except UnreadableError as error:
            reason = str(error)
    return None, reason


def settle(found: Found, wishes: Wishes) -> Found:
    """Fill what the files left out and the caller or other files say: numbers of items, languages.

    Parameters
    ----------
    found : Found
        What was read.
    wishes : Wishes
        ``n_examples`` and ``language`` of it.

    Returns
    -------
    Found
        Every score has a language, and a number of items or a standard error; what has none was left out and noted.

    Raises
    ------
    InputError
        If names of tasks may end with a language.
    """
    log = _Log()
    _refuse_doubtful(found.scores, wishes)
    known = _known_numbers(found.scores)
    settled = []
    for score in found.scores:
        score = _sound(score)
        unusable = _unusable(score)
        if unusable:
            log.add(
                unusable, (f"{score.task} by {score.metric}" if score.metric else score.task,), grave=True
            )
            continue
        if not score.language:
            score = score._replace(language=wishes.language or "en")
            if not wishes.language:
                what = (
                    "tasks whose name says no language, read as English (--language and --map say otherwise)"
                )
                log.add(what, (score.task,), grave=True)
        if math.isnan(score.n):
            score = score._replace(n=_given(score, wishes, known, log))
        if math.isnan(score.n) and math.isnan(score.stderr):
            what = "scores left out: neither items nor a standard error are known (--n-examples TASK=N says how many)"
            log.add(what, (f"{score.task} ({score.language})",), grave=True)
            continue
        settled.append(score)
    if not settled:
        raise InputError([Problem("no score is left"), *_reasons(log)])
    return Found(tuple(settled), (*found.notes, *log.notes()))


def _sound(score: Score) -> Score:
    """Return a score without numbers that cannot be what they stand for."""
    changes: dict[str, Any] = {}
    if not (score.n >= 1 and score.n == int(score.n)):
        changes["n"] = math.nan
    if not score.stderr > 0:
        changes["stderr"] = math.nan
    if not score.params >= _SMALLEST:
        changes["params"] = math.nan
    return score._replace(**changes) if changes else score


def _unusable(score: Score) -> str:
    """Return why gains cannot be made of a score, or an empty string."""
    if score.metric and find_metric(score.metric) is None and not score.declared:
        return (
            "scores left out whose metric is not known, and the file does not say which direction is better"
        )
    metric = metric_of_row(score.metric, score.task, dict(score.declared))
    if not metric.low <= score.score <= metric.high:
        return "scores left out that are outside the range of their metric"
    if metric.kind == "statistic" and math.isnan(score.stderr):
        return "scores left out that are no share of items, without a standard error (--metric NAME takes another)"
    return ""


def _refuse_doubtful(scores: Iterable[Score], wishes: Wishes) -> None:
    ends: dict[str, set[str]] = {}
    for task in {score.task for score in scores if not score.language}:
        start, end = doubtful_language(task)
        if start:
            ends.setdefault(start, set()).add(end)
    known = {rule.template for rule in wishes.tasks}
    problems = [
        Problem(
            f"tasks {', '.join(sorted(f'{start}_{end}' for end in several))} seem to end with a language",
            hint=f"write --map '{start}_{{language}}={start}' if they do, "
            f"else --map '{start}_{{task}}={start}_{{task}}:en'",
        )
        for start, several in sorted(ends.items())
        if len(several) > 1 and f"{start}_{{task}}" not in known
    ]
    if problems:
        raise InputError(problems)


def _known_numbers(scores: Iterable[Score]) -> dict[tuple[str, ...], set[float]]:
    """Return the numbers of items that files say of a task in a language, by what must be equal for them to hold."""
    known: dict[tuple[str, ...], set[float]] = {}
    for score in scores:
        if not math.isnan(score.n):
            known.setdefault(_same_items(score), set()).add(score.n)
    return known


def _same_items(score: Score) -> tuple[str, ...]:
    return score.task, score.language, score.metric, score.split, score.task_version


def _given(score: Score, wishes: Wishes, known: dict[tuple[str, ...], set[float]], log: _Log) -> float:
    for key in (f"{score.task}:{score.language}", score.task, ""):
        if key in wishes.n_examples:
            return wishes.n_examples[key]
    others = known.get(_same_items(score), set())
    if len(others) == 1 and not score.stderr > 0:
        what = "numbers of items taken from other files with the same task, language and version"
        log.add(what, (f"{score.task} ({score.language})",))
        return next(iter(others))
    return math.nan
