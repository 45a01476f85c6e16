"""Reading a task from the hub by its name there, through the package ``datasets``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from gainlaw.errors import InputError, Problem
from gainlaw.training.items.items import Item
from gainlaw.training.items.rows import FileFaults, Row

__all__ = ["PARQUET", "HubSource"]

PARQUET = "refs/convert/parquet"
"""The hub's own conversion of a data set whose main branch is a loading script: no code is ever run."""


@dataclass(frozen=True, slots=True)
class HubSource:
    """Where the hub has a task; called with a split and a language it returns the items.

    Attributes
    ----------
    name : str
        The data set's name.
    config : str or None
        Its configuration; ``{language}`` stands for the language asked for.
    convert : callable
        Record -> item, or None for a record that is left out.
    layout : str
        The local files that serve instead, for messages.
    splits : mapping of str to tuple of str
        Where the hub calls a split otherwise: its splits that together make it.
    revision : str or None
        The branch or commit; None for the main branch.
    classes : tuple of str
        The order in which the hub must number its labels, where the order says it all.
    languages : tuple of str
        The languages that the hub has; empty for all of the task's.
    """

    name: str
    config: str | None
    convert: Callable[[Row], Item | None]
    layout: str
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    revision: str | None = None
    classes: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    def __call__(self, split: str, language: str) -> list[Item]:
        """Load a split.

        Parameters
        ----------
        split : {"train", "validation", "test"}
            The split.
        language : str
            The language.

        Raises
        ------
        InputError
            If the package is missing, the hub cannot be reached or lacks the split or the language, or the
            records are not what they were.
        """
        local = f"or give a folder of local files: {self.layout}"
        if self.languages and language not in self.languages:
            message = f"the hub's {self.name!r} has no {split} split in {language!r}"
            raise InputError(Problem(message, hint=local.removeprefix("or ")))
        faults = FileFaults()
        items: list[Item] = []
        for part in self.splits.get(split, (split,)):
            data = self._load(part, language, local)
            source = f"{self.name} ({', '.join(filter(None, (self._config(language), part)))})"
            self._check_names(data, source)
            rows = (Row(source, number, number, cells, part) for number, cells in enumerate(data, 1))
            items += faults.items(rows, self.convert)
        faults.raise_any()
        return items

    def _config(self, language: str) -> str | None:
        return None if self.config is None else self.config.format(language=language)

    def _load(self, part: str, language: str, local: str) -> Iterable[dict[str, Any]]:
        try:
            load = import_module("datasets").load_dataset
        except ImportError as error:
            hint = f"pip install datasets, {local}"
            raise InputError(Problem("the package datasets is not installed", hint=hint)) from error
        try:
            return load(self.name, self._config(language), split=part, revision=self.revision)
        except Exception as error:  # the hub, the network and the files each raise their own
            why = next(iter(str(error).splitlines()), "")
            message = f"the hub's {self.name!r} could not be loaded: {type(error).__name__}: {why}"
            hint = f"check the connection (a data set loaded once is kept and works offline), {local}"
            raise InputError(Problem(message, hint=hint)) from error

    def _check_names(self, data: object, source: str) -> None:
        features = getattr(data, "features", None) or {}
        names = getattr(features.get("label"), "names", None)
        if self.classes and names and [str(name).casefold() for name in names] != list(self.classes):
            message = f"the labels are numbered {', '.join(map(str, names))}"
            hint = (
                f"expected: {', '.join(self.classes)}; the data set has changed, give a folder of local files"
            )
            raise InputError(Problem(message, "label", hint=hint), source=source)
