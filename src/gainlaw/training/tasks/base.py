"""What a task is to the runner: items of one of four kinds, and where they are read from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = [
    "ChoiceItem",
    "ClassItem",
    "Item",
    "Kind",
    "LocalSource",
    "SpanItem",
    "TagItem",
    "TrainingTask",
]

Kind = Literal["classification", "choice", "span", "tagging"]


@dataclass(frozen=True, slots=True)
class ClassItem:
    """One or two texts and their class.

    Attributes
    ----------
    id : str
        The same for every model, and in every language that has the item.
    first, second : str
        The texts; `second` is empty where there is one text only.
    label : int
        Index into the task's `classes`.
    """

    id: str
    first: str
    second: str
    label: int


@dataclass(frozen=True, slots=True)
class ChoiceItem:
    """A context and the options of which one is right; a model scores each pair of context and option.

    Attributes
    ----------
    id : str
        The same for every model, and in every language that has the item.
    context : str
        What the options share.
    options : tuple of str
        In the order of the file.
    label : int
        Index of the right option.
    """

    id: str
    context: str
    options: tuple[str, ...]
    label: int


@dataclass(frozen=True, slots=True)
class SpanItem:
    """A question whose answer is a piece of the context, or is not there.

    Attributes
    ----------
    id : str
        The same for every model.
    question, context : str
        The texts.
    answers : tuple of (int, str)
        Where each accepted answer starts in `context` (in characters), and its text; empty when the
        context has no answer.
    """

    id: str
    question: str
    context: str
    answers: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class TagItem:
    """Words, each with its tag.

    Attributes
    ----------
    id : str
        The same for every model.
    words, tags : tuple of str
        As many tags as words.
    """

    id: str
    words: tuple[str, ...]
    tags: tuple[str, ...]


Item = ClassItem | ChoiceItem | SpanItem | TagItem


@dataclass(frozen=True, slots=True)
class LocalSource:
    """Local files of a task in a published format.

    Attributes
    ----------
    find : callable
        ``find(folder, split, language)`` -> the files to read, in order. Raises `gainlaw.errors.InputError`
        naming what was looked for and what is there when they are missing.
    parse : callable
        ``parse(files, split, language)`` -> a list of items. Raises `gainlaw.errors.InputError` naming file
        and lines, all at once, when the files are not in the format.
    layout : str
        The files expected, for messages and the documentation.
    """

    find: Callable[[Path, str, str], tuple[Path, ...]]
    parse: Callable[[tuple[Path, ...], str, str], list[Item]]
    layout: str


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """A task that the runner can train on, or evaluate.

    Attributes
    ----------
    name, title : str
        The name in experiment files and evaluations, and in print.
    kind : {"classification", "choice", "span", "tagging"}
        Decides the items, the head and the loss.
    languages : tuple of str
        The languages it was published in, as codes of ``data/languages.csv``: those scored by default.
    splits : mapping of str to tuple of str
        ``train``, ``validation`` and ``test`` -> the languages that have the split; local files of others may
        add to `languages`. A split whose labels were never released is not there.
    local : LocalSource or None
        How local files are read; None where there is no published file format.
    hub : callable or None
        ``hub(split, language)`` -> items, through the ``datasets`` package; None where the data is licensed
        and local files are the only way.
    classes : tuple of str
        The names of the classes of a classification task; empty otherwise.
    n_options : int or None
        The number of options of a choice task; None otherwise, or where it differs between items.
    metric : str
        ``accuracy``, ``exact_match`` (span; the score of a count) or ``f1``.
    english_side : tuple of str
        The tasks whose English training data a target of this name is fine-tuned on, one after the other;
        empty where it is the task itself.
    evaluation_split : str
        The split that a target is scored on unless an experiment says otherwise.
    licence, citation : str
        Under which terms the data comes, and whom to cite.
    notes : tuple of str
        What a reader of the scores should know: which items are left out, how texts are put together, how
        items are called.
    """

    name: str
    title: str
    kind: Kind
    languages: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]]
    local: LocalSource | None
    hub: Callable[[str, str], list[Item]] | None = None
    classes: tuple[str, ...] = ()
    n_options: int | None = None
    metric: str = "accuracy"
    english_side: tuple[str, ...] = ()
    evaluation_split: str = "test"
    licence: str = ""
    citation: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def n_classes(self) -> int | None:
        """The number of answers to choose from, or None."""
        return len(self.classes) or self.n_options
