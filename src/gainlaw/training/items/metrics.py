"""How answers are scored: accuracy, and for spans the exact match and token F1 of SQuAD's official script."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from gainlaw.errors import InputError, Problem
from gainlaw.training.items.items import Item, SpanItem, TagItem
from gainlaw.training.items.task import TrainingTask

__all__ = ["Scores", "exact_match", "normalize_answer", "score_items", "token_f1"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Scores:
    """What a set of answers is worth.

    Attributes
    ----------
    metric : str
        The metric of `score`.
    score : float
        In [0, 1].
    n_examples : int
        What is counted: items, or words where words are tagged.
    n_correct : int or None
        How many are right; None where the metric is no share of right answers (``f1``).
    examples : tuple of str
        The id of each example; words are called by their item's id and their position from 0, ``12.0``.
    values : tuple of float
        The score of each example, in that order: 0 or 1, or anything between for ``f1``.
    f1 : float or None
        The mean token F1 of spans, whatever the metric.
    """

    metric: str
    score: float
    n_examples: int
    n_correct: int | None
    examples: tuple[str, ...]
    values: tuple[float, ...]
    f1: float | None = None


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


def score_items(task: TrainingTask, items: Sequence[Item], predictions: Sequence[object]) -> Scores:
    """Score the answers to a task's items.

    Parameters
    ----------
    task : TrainingTask
        The task; its kind says what an answer is and its metric what is counted.
    items : sequence of Item
        The items, n of them.
    predictions : sequence
        One answer an item, in the same order. Classification and choice: the index of the class or option.
        Span: the text, empty for "no answer". Tagging: a tag for each word.

    Returns
    -------
    Scores

    Raises
    ------
    InputError
        If there are no items, or not as many answers as items or as tags as words.

    Examples
    --------
    >>> from gainlaw.training.items.registry import TASKS
    >>> from gainlaw.training.items.items import ClassItem, TagItem
    >>> pairs = [ClassItem("1", "It rains.", "It is wet.", 0), ClassItem("2", "It rains.", "It is dry.", 2)]
    >>> score_items(TASKS["xnli"], pairs, [0, 1])
    Scores(metric='accuracy', score=0.5, n_examples=2, n_correct=1, examples=('1', '2'), values=(1.0, 0.0), f1=None)
    >>> score_items(TASKS["ccg"], [TagItem("7", ("It", "rains"), ("NP", "S"))], [["NP", "N"]]).examples
    ('7.0', '7.1')
    """
    if not items:
        raise InputError(f"there is nothing to score: {task.name} has no items")
    if len(items) != len(predictions):
        raise InputError(f"{len(predictions)} answers for the {len(items)} items of {task.name}")
    if task.kind == "tagging":
        return _score_tags(task, items, predictions)
    f1 = None
    if task.kind == "span":
        answers = [[text for _, text in item.answers] for item in items if isinstance(item, SpanItem)]
        overlaps = [token_f1(str(p), a) for p, a in zip(predictions, answers, strict=True)]
        exact = [exact_match(str(p), a) for p, a in zip(predictions, answers, strict=True)]
        f1, values = sum(overlaps) / len(items), overlaps if task.metric == "f1" else exact
    else:
        values = [float(item.label == p) for item, p in zip(items, predictions, strict=True)]  # type: ignore[union-attr]
    return _scores(task, [item.id for item in items], values, f1)


def _score_tags(task: TrainingTask, items: Sequence[Item], predictions: Sequence[object]) -> Scores:
    examples: list[str] = []
    values: list[float] = []
    wrong: list[str] = []
    for item, tags in zip(items, predictions, strict=True):
        assert isinstance(item, TagItem)
        given = list(tags)  # type: ignore[call-overload]
        if len(given) != len(item.tags):
            wrong.append(item.id)
            continue
        examples += [f"{item.id}.{place}" for place in range(len(given))]
        values += [float(mine == gold) for mine, gold in zip(given, item.tags, strict=True)]
    if wrong:
        raise InputError(Problem(f"not one tag a word in {len(wrong)} items, the first is {wrong[0]!r}"))
    return _scores(task, examples, values, None)


def _scores(task: TrainingTask, examples: Sequence[str], values: Sequence[float], f1: float | None) -> Scores:
    total = sum(values)
    correct = None if task.metric == "f1" else round(total)
    return Scores(task.metric, total / len(values), len(values), correct, tuple(examples), tuple(values), f1)
