"""Items of the five kinds of tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ChoiceItem", "ClassItem", "Item", "Kind", "PairItem", "SpanItem", "TagItem"]

Kind = Literal["classification", "choice", "span", "tagging", "retrieval"]


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
    question : str
        What `context` ends with and what must stay when the rest of it is too long; empty where nothing is asked.
    """

    id: str
    context: str
    options: tuple[str, ...]
    label: int
    question: str = ""


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


@dataclass(frozen=True, slots=True)
class PairItem:
    """A sentence and its translation, to be found among those of all items.

    Attributes
    ----------
    id : str
        The same for every model.
    source, target : str
        The sentence, and what it should find.
    """

    id: str
    source: str
    target: str


Item = ClassItem | ChoiceItem | SpanItem | TagItem | PairItem
