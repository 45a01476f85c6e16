"""What is read from a file of results: scores, the answers behind them, and what a source of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gainlaw.imports.measures import choose_metric

if TYPE_CHECKING:
    from gainlaw.imports.documents import Document
    from gainlaw.imports.wishes import Wishes

__all__ = ["Items", "Remark", "Score", "Source", "taken_of"]

# How far the share of right answers may be from the score: harnesses may round the score to four decimals.
_ROUNDING = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """The answers behind one score.

    Attributes
    ----------
    examples : tuple of str
        The items' names, the same for every model.
    correct : numpy.ndarray of int8, shape (items,)
        1 where the answer is right, else 0.
    contents : tuple of str
        A digest of each item, empty where there is none: two items of one name must have one digest.
    """

    examples: tuple[str, ...]
    correct: NDArray[np.int8]
    contents: tuple[str, ...] = ()

    @classmethod
    def of(cls, answers: Mapping[str, tuple[int, str]]) -> Items:
        """Return the answers given by the items' names: whether each is right, and the digest of its item."""
        correct = np.array([right for right, _ in answers.values()], np.int8)
        return cls(tuple(answers), correct, tuple(content for _, content in answers.values()))

    def add_up_to(self, score: float) -> bool:
        """Return whether the share of right answers is a score, as files round it."""
        return len(self.correct) > 0 and abs(float(self.correct.mean()) - score) <= _ROUNDING


class Score(NamedTuple):
    """One score of one model, as a file has it; a tuple, because files hold many.

    Attributes
    ----------
    model : str
        The model, as the file calls it.
    task, language : str
        The task, and the code of its language; blank where the file names none.
    metric : str
        The metric; blank where the file names none.
    score : float
        In the metric's unit: an accuracy is a fraction.
    n : float
        Items scored; NaN where unknown.
    stderr : float
        Standard error of the score; NaN where unknown.
    params : float
        Parameters of the model; NaN where the file does not say.
    n_classes : float
        Answers to choose from; NaN where the file does not say.
    shots, chat_template, prompt, split, task_version : str
        How it was asked; blank where the file does not say. They are part of what is compared with what.
    harness, revision, prompt_digest : str
        Versions of the program and of the model, and a digest of the words of the prompt: they are told.
    declared : tuple of (str, str)
        Columns that say what a metric is that gainlaw does not know: ``metric_better``, ``metric_min``, ...
    file : str
        Where it was read.
    line : int or None
        The line there.
    items : Items or None
        The answers behind it.
    """

    model: str
    task: str
    score: float
    file: str
    language: str = ""
    metric: str = ""
    n: float = float("nan")
    stderr: float = float("nan")
    params: float = float("nan")
    n_classes: float = float("nan")
    shots: str = ""
    chat_template: str = ""
    prompt: str = ""
    split: str = ""
    task_version: str = ""
    harness: str = ""
    revision: str = ""
    prompt_digest: str = ""
    declared: tuple[tuple[str, str], ...] = ()
    line: int | None = None
    items: Items | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """What a source says about a file beside its scores.

    Attributes
    ----------
    message : str
        What was left out or chosen, the same words for all that it befell.
    names : tuple of str
        What it befell: tasks, columns, files.
    grave : bool
        Whether it is a warning.
    """

    message: str
    names: tuple[str, ...] = ()
    grave: bool = False


def taken_of(
    metric: str,
    there: Iterable[str],
    subject: str,
    wanted: Sequence[str] = (),
    unscored: Iterable[str] = (),
) -> Iterator[Remark]:
    """Say that a metric was taken of several, and where it stands in for one that goes before it.

    Parameters
    ----------
    metric : str
        The metric taken.
    there : iterable of str
        All that there are.
    subject : str
        Of what: a task.
    wanted : sequence of str
        The metrics that the caller asked for.
    unscored : iterable of str
        Metrics that the file names without a number.
    """
    plain = metric.partition(",")[0]
    first = choose_metric([*unscored, metric], wanted)
    if first != metric:
        yield Remark(f"{first} has no number: {metric} was taken in its place", (subject,), grave=True)
    elif wanted and not {plain.casefold(), metric.casefold()} & {each.casefold() for each in wanted}:
        yield Remark(f"no {' or '.join(wanted)}: {metric} was taken in its place", (subject,), grave=True)
    elif not wanted and plain == "acc_norm":
        yield Remark(f"no acc: {metric} was taken in its place", (subject,))
    others = ", ".join(sorted(set(there) - {metric}))
    if others:
        yield Remark(f"{metric} was taken of several metrics ({others} left out)", (subject,))


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of files that results are read from.

    Attributes
    ----------
    name : str
        What it is called in messages.
    recognises : callable
        Whether a document is of this kind, judged by its content.
    read : callable
        The scores and remarks of a document of this kind; raises `UnreadableError`.
    last : bool
        Whether it is asked after the others, because many a file looks like it.
    """

    name: str
    recognises: Callable[[Document], bool]
    read: Callable[[Document, Wishes], Iterator[Score | Remark]]
    last: bool = False
