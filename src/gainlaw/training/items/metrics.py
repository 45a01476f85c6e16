"""How answers are scored: accuracy, for spans the exact match and token F1 of SQuAD's official script, for tags F1."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gainlaw.errors import InputError, Problem
from gainlaw.training.items.items import ChoiceItem, ClassItem, Item, PairItem, SpanItem, TagItem
from gainlaw.training.items.task import TrainingTask

__all__ = ["Measure", "entities", "exact_match", "measure", "normalize_answer", "token_f1"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_ROUNDING = 1e-12
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Measure:
    """What a set of answers is worth by one metric.

    Attributes
    ----------
    metric : str
        The metric.
    score : float
        In [0, 1].
    n_examples : int or None
        Of how many answers it is the mean; None where answers hang together, as words of a sentence do.
    stderr : float or None
        The standard error of the score, where it is no share of right answers.
    values : tuple of float, or None
        Whether each answer is right, 1 or 0, where the score is the share of those.
    """

    metric: str
    score: float
    n_examples: int | None
    stderr: float | None = None
    values: tuple[float, ...] | None = None


def normalize_answer(text: str) -> str:
    """Return a text as SQuAD compares it: lower case, no ASCII punctuation, no English article, single blanks.

    References
    ----------
    .. [1] Rajpurkar et al. 2016, SQuAD, arXiv:1606.05250, and its evaluation script.

    Examples
    --------
    >>> normalize_answer("The  U.S. Senate, a house")
    'us senate house'
    """
    plain = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def _golds(answers: Sequence[str]) -> list[str]:
    # an answer that is nothing but punctuation or articles counts as none, and no answer is the empty one
    return [answer for answer in answers if normalize_answer(answer)] or [""]


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """Return 1 if the prediction equals one of the answers after `normalize_answer`, else 0.

    The empty text says that there is no answer, as no answers do.

    Examples
    --------
    >>> exact_match("the Danube.", ["Danube", "River Danube"]), exact_match("", []), exact_match("Danube", [])
    (1.0, 1.0, 0.0)
    """
    mine = normalize_answer(prediction)
    return float(any(mine == normalize_answer(gold) for gold in _golds(answers)))


def token_f1(prediction: str, answers: Sequence[str]) -> float:
    """Return the best F1 of the prediction's words against those of an answer, after `normalize_answer`.

    The empty text says that there is no answer, as no answers do.

    Examples
    --------
    >>> token_f1("along the River Danube", ["Danube", "River Danube"]), token_f1("", []), token_f1("Danube", [])
    (0.8, 1.0, 0.0)
    """
    mine = normalize_answer(prediction).split()
    best = 0.0
    for gold in _golds(answers):
        theirs = normalize_answer(gold).split()
        if not mine or not theirs:
            best = max(best, float(mine == theirs))
            continue
        shared = sum((Counter(mine) & Counter(theirs)).values())
        best = max(best, 2 * shared / (len(mine) + len(theirs)))
    return best


def measure(task: TrainingTask, items: Sequence[Item], answers: Sequence[Any]) -> list[Measure]:
    """Score the answers to a task's items.

    Parameters
    ----------
    task : TrainingTask
        The task; its kind says what an answer is and its metric what is counted.
    items : sequence of Item
        The items, n of them.
    answers : sequence
        One an item, in the same order. Classification and choice: the index of the class or option. Span: the text,
        empty for "no answer". Tagging: a tag for each word, empty for none. Retrieval: the index of the item whose
        translation was found.

    Returns
    -------
    list of Measure
        One; of spans two, the exact match and the token F1. Standard errors of tags take sentences as a whole:
        those of a ratio of sums over sentences.

    Raises
    ------
    InputError
        If there are no items, or not as many answers as items or as tags as words.

    Examples
    --------
    >>> from gainlaw.training.items.registry import TASKS
    >>> from gainlaw.training.items.items import ClassItem, TagItem
    >>> pairs = [ClassItem("1", "It rains.", "It is wet.", 0), ClassItem("2", "It rains.", "It is dry.", 2)]
    >>> measure(TASKS["xnli"], pairs, [0, 1])
    [Measure(metric='accuracy', score=0.5, n_examples=2, stderr=None, values=(1.0, 0.0))]
    >>> words = [TagItem("7", ("It", "rains"), ("NP", "S")), TagItem("8", ("Stop",), ("S",))]
    >>> found = measure(TASKS["ccg"], words, [["NP", "N"], ["S"]])[0]
    >>> round(found.score, 3), round(found.stderr, 3)
    (0.667, 0.222)
    """
    if not items:
        raise InputError(f"there is nothing to score: {task.name} has no items")
    if len(items) != len(answers):
        raise InputError(f"{len(answers)} answers for the {len(items)} items of {task.name}")
    if task.kind == "tagging":
        return [_tags(task, [item for item in items if isinstance(item, TagItem)], answers)]
    if task.kind == "span":
        golds = [[text for _, text in item.answers] for item in items if isinstance(item, SpanItem)]
        exact = [exact_match(str(p), a) for p, a in zip(answers, golds, strict=True)]
        overlaps = [token_f1(str(p), a) for p, a in zip(answers, golds, strict=True)]
        return [_share("exact_match", exact), _ratio("token_f1", overlaps, [1.0] * len(items), len(items))]
    if task.kind == "retrieval":
        targets = [item.target for item in items if isinstance(item, PairItem)]
        return [_share(task.metric, [float(targets[p] == t) for p, t in zip(answers, targets, strict=True)])]
    labels = [item.label for item in items if isinstance(item, ClassItem | ChoiceItem)]
    same = task.merged
    right = [float(same.get(p, p) == same.get(q, q)) for p, q in zip(answers, labels, strict=True)]
    return [_share(task.metric, right)]


def _share(metric: str, values: Sequence[float]) -> Measure:
    return Measure(metric, sum(values) / len(values), len(values), None, tuple(values))


def _ratio(metric: str, above: Sequence[float], below: Sequence[float], n: int | None) -> Measure:
    """Return a ratio of two sums over examples, with the error of a ratio estimator.

    Where the examples do not differ (all right, all wrong, or one of them only) that error would be none at all: there
    it is that of a share of so many examples, with half a right and half a wrong one added (Jeffreys).
    """
    size, total = len(above), sum(below)
    score = sum(above) / total if total else 0.0
    squares = sum((a - score * b) ** 2 for a, b in zip(above, below, strict=True))
    stderr = math.sqrt(squares * size / (size - 1)) / total if size > 1 and total else 0.0
    if stderr <= _ROUNDING:
        share = (score * size + 0.5) / (size + 1)
        stderr = math.sqrt(share * (1 - share) / (size + 1))
    return Measure(metric, score, n, stderr)


def _tags(task: TrainingTask, items: Sequence[TagItem], answers: Sequence[Any]) -> Measure:
    given = [list(tags) for tags in answers]
    wrong = [item.id for item, tags in zip(items, given, strict=True) if len(tags) != len(item.tags)]
    if wrong:
        raise InputError(Problem(f"not one tag a word in {len(wrong)} items, the first is {wrong[0]!r}"))
    if not task.entities:
        hits = [
            float(sum(a == b for a, b in zip(item.tags, tags, strict=True)))
            for item, tags in zip(items, given, strict=True)
        ]
        return _ratio(task.metric, hits, [float(len(item.tags)) for item in items], None)
    above, below = [], []
    for item, tags in zip(items, given, strict=True):
        gold, found = entities(item.tags), entities(tags)
        above.append(2.0 * len(gold & found))
        below.append(float(len(gold) + len(found)))
    return _ratio(task.metric, above, below, None)


def entities(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """Return the entities that IOB2 tags mark: first word, one past the last, type.

    As conlleval reads them: an entity ends before ``O`` and ``B-``, and where the type changes; an ``I-`` with nothing
    of its type before it begins one.

    References
    ----------
    .. [1] Tjong Kim Sang and De Meulder 2003, Introduction to the CoNLL-2003 Shared Task, arXiv:cs/0306050.

    Examples
    --------
    >>> sorted(entities(["B-PER", "I-PER", "O", "I-LOC", "B-LOC", "I-ORG"]))
    [(0, 2, 'PER'), (3, 4, 'LOC'), (4, 5, 'LOC'), (5, 6, 'ORG')]
    """
    found: set[tuple[int, int, str]] = set()
    start, kind = 0, ""
    for place, tag in enumerate([*tags, "O"]):
        mark, _, name = tag.partition("-")
        goes_on = mark == "I" and name == kind and kind
        if goes_on:
            continue
        if kind:
            found.add((start, place, kind))
        start, kind = place, name if mark in ("B", "I") else ""
    return found
