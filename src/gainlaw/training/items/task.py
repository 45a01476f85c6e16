"""What a task is to the runner, and where its items are read from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gainlaw.tasks import TASKS, Task
from gainlaw.training.items.hub import HubSource, HubUnion
from gainlaw.training.items.items import Item, Kind
from gainlaw.training.prompting.templates import Template

__all__ = ["LocalSource", "TrainingTask"]


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
    name : str
        The name in experiment files and evaluations: one of `gainlaw.tasks.TASKS`, which know its title, its metric
        and how many answers there are to choose from, unless `facts` says so.
    kind : {"classification", "choice", "span", "tagging", "retrieval"}
        Decides the items, the head and the loss.
    languages : tuple of str
        The languages it was published in, as codes of ``data/languages.csv``: those scored by default.
    splits : mapping of str to tuple of str
        ``train``, ``validation`` and ``test`` -> the languages that have the split; local files of others may
        add to `languages`. A split whose labels were never released is not there.
    local : LocalSource
        How local files are read.
    hub : HubSource, HubUnion or None
        Gives the items through the ``datasets`` package; None where the data is licensed and local files are the only
        way.
    classes : tuple of str
        The names of the classes of a classification task; empty otherwise.
    varies : bool
        Whether the number of options of a choice task differs between items.
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
    sizes : mapping of str to (int, float, float)
        Split -> examples (as the task's paper or card states them), sequences an example, and roughly their length
        in tokens of a multilingual vocabulary: what a plan reckons with before there are files.
    prompts : tuple of Template
        English prompts; a choice task that has none gets those that fit any.
    made : bool
        Whether the items are made by an experiment's synthetic world, which also knows their languages.
    facts : Task or None
        Of a task that the table of known tasks lacks, or a file declares: what the table would say.
    chance : float or None
        What guessing scores, where it is not one over the classes.
    merged : mapping of int to int
        Classes that are scored as another one.
    entities : bool
        Whether tags mark entities (IOB2), which are what is scored.
    record : mapping or None
        Of a task that a file declares: what determines its items and scores, as plain data.
    """

    name: str
    kind: Kind
    languages: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]]
    local: LocalSource
    hub: HubSource | HubUnion | None = None
    classes: tuple[str, ...] = ()
    varies: bool = False
    english_side: tuple[str, ...] = ()
    evaluation_split: str = "test"
    licence: str = ""
    citation: str = ""
    notes: tuple[str, ...] = ()
    sizes: Mapping[str, tuple[int, float, float]] = field(default_factory=dict)
    prompts: tuple[Template, ...] = ()
    made: bool = False
    facts: Task | None = None
    chance: float | None = None
    merged: Mapping[int, int] = field(default_factory=dict)
    entities: bool = False
    record: Mapping[str, Any] | None = None

    @property
    def known(self) -> Task:
        """What is known of it beyond the runner."""
        return self.facts or TASKS[self.name]

    @property
    def title(self) -> str:
        """The name in print."""
        return self.known.title

    @property
    def metric(self) -> str:
        """``accuracy``, ``exact_match`` or ``token_f1`` (of spans), ``micro_f1`` (of tags)."""
        return self.known.metric

    @property
    def n_classes(self) -> int | None:
        """The number of answers to choose from, or None where there is no such number."""
        return None if self.varies else self.known.n_classes

    @property
    def n_options(self) -> int | None:
        """The number of options of a choice task; None otherwise, or where it differs between items."""
        return self.n_classes if self.kind == "choice" else None
