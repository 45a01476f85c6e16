"""Reading a task from the hub by its name there, through the package ``datasets``, at a commit that is on record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from gainlaw.errors import InputError, Problem
from gainlaw.training.items.items import ClassItem, Item
from gainlaw.training.items.rows import FileFaults, Row

__all__ = ["PARQUET", "HubSource", "HubUnion"]

#: Fewer labels say nothing about their shares, and how far these may be from the published ones.
_TELLING, _OFF = 200, 0.06

PARQUET = "refs/convert/parquet"
"""The hub's own conversion of a data set whose main branch is a loading script: no code is ever run."""


@dataclass(frozen=True, slots=True)
class HubSource:
    """Where the hub has a task; called with a split, a language and commits it returns the items.

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
        The names of the labels there, in the order in which they must be numbered.
    shares : tuple of float
        The published share of each label, by which the order is checked where the numbers have no names; about the
        same in all splits.
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
    shares: tuple[float, ...] = ()
    languages: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its name and, if it is not the main one, its branch: what a commit is recorded of."""
        return self.name if self.revision is None else f"{self.name}@{self.revision}"

    @property
    def sources(self) -> tuple[HubSource, ...]:
        """Itself."""
        return (self,)

    def __call__(self, split: str, language: str, commits: Mapping[str, str]) -> list[Item]:
        """Load a split.

        Parameters
        ----------
        split : {"train", "validation", "test"}
            The split.
        language : str
            The language.
        commits : mapping of str to str
            The commit to read, by `key`; the newest one where there is none.

        Raises
        ------
        InputError
            If the package is missing, the hub cannot be reached or lacks the split or the language, or the
            records are not what they were.
        """
        return self.read(split, language, commits)

    def read(
        self,
        split: str,
        language: str,
        commits: Mapping[str, str],
        choose: Callable[[Iterable[Row]], Iterable[Row]] | None = None,
        convert: Callable[[Row], Item | None] | None = None,
        name: str = "",
    ) -> list[Item]:
        """Load a split as a call does, with records chosen and converted otherwise.

        Parameters
        ----------
        split, language, commits
            As in a call.
        choose : callable, optional
            Takes records and returns those of the language; labels that have names are texts there.
        convert : callable, optional
            Instead of the source's.
        name : str
            What the hub calls the language, ``{name}`` in the configuration.
        """
        local = f"or give a folder of local files: {self.layout}"
        if self.languages and language not in self.languages:
            message = f"the hub's {self.name!r} has no {split} split in {language!r}"
            raise InputError(Problem(message, hint=local.removeprefix("or ")))
        faults = FileFaults()
        items: list[Item] = []
        config = None if self.config is None else self.config.format(language=language, name=name or language)
        for part in self.splits.get(split, (split,)):
            data = self._load(part, config, commits.get(self.key, self.revision), local)
            source = f"{self.name} ({', '.join(filter(None, (config, part)))})"
            named = self._named(data, source)
            rows: Iterable[Row] = (
                Row(source, number, number, cells, part) for number, cells in enumerate(data, 1)
            )
            if choose is not None:
                rows = choose(_with_names(data, rows))
            found = faults.items(rows, convert or self.convert)
            if not named:
                self._check_shares(found, source)
            items += found
        faults.raise_any()
        return items

    def _load(
        self, part: str, config: str | None, revision: str | None, local: str
    ) -> Iterable[dict[str, Any]]:
        try:
            load = import_module("datasets").load_dataset
        except ImportError as error:
            hint = f"pip install datasets, {local}"
            raise InputError(Problem("the package datasets is not installed", hint=hint)) from error
        try:
            return load(self.name, config, split=part, revision=revision)
        except Exception as error:  # the hub, the network and the files each raise their own
            why = next(iter(str(error).splitlines()), "")
            message = f"the hub's {self.name!r} could not be loaded: {type(error).__name__}: {why}"
            hint = f"check the connection (a data set loaded once is kept and works offline), {local}"
            raise InputError(Problem(message, hint=hint)) from error

    def _named(self, data: object, source: str) -> bool:
        """Return whether the labels have names, or need none; refuse them in another order."""
        features = getattr(data, "features", None) or {}
        names = [str(name).casefold() for name in getattr(features.get("label"), "names", None) or ()]
        if not names or all(name.isdecimal() for name in names) or not self.classes:
            return not self.classes and not self.shares
        if names != list(self.classes):
            hint = f"expected: {', '.join(self.classes)}; {_CHANGED}"
            raise InputError(
                Problem(f"the labels are numbered {', '.join(names)}", "label", hint=hint), source
            )
        return True

    def _check_shares(self, items: list[Item], source: str) -> None:
        """Refuse labels that are mere numbers, unless as many items have each as were published."""
        if not self.shares:
            what = (
                f"the labels have no names, so that nobody can tell their order ({', '.join(self.classes)})"
            )
            raise InputError(Problem(what, "label", hint=_CHANGED), source)
        labels = [item.label for item in items if isinstance(item, ClassItem)]
        if len(labels) < _TELLING:
            return
        found = [labels.count(label) / len(labels) for label in range(len(self.shares))]
        if max(abs(one - other) for one, other in zip(found, self.shares, strict=True)) > _OFF:
            shown, known = (", ".join(f"{share:.0%}" for share in each) for each in (found, self.shares))
            what = (
                f"the labels have no names, and are not those published: shares of {shown} instead of {known}"
            )
            raise InputError(Problem(what, "label", hint=_CHANGED), source)


def _with_names(data: object, rows: Iterable[Row]) -> Iterable[Row]:
    """Give labels that the data set has names for by these, one or a list of them in a cell."""
    features = dict(getattr(data, "features", None) or {})
    known: dict[str, list[str]] = {}
    for column, feature in features.items():
        names = getattr(feature, "names", None) or getattr(getattr(feature, "feature", None), "names", None)
        if names:
            known[column] = list(names)

    def named(column: str, value: Any) -> Any:
        if isinstance(value, list):
            return [named(column, each) for each in value]
        inside = isinstance(value, int) and 0 <= value < len(known[column])
        return known[column][value] if inside else value

    for row in rows:
        cells = {c: named(c, value) if c in known else value for c, value in row.cells.items()}
        yield replace(row, cells=cells)


_CHANGED = "the data set has changed, give a folder of local files"


@dataclass(frozen=True, slots=True)
class HubUnion:
    """Several tasks of the hub as one, the ids of each with its name before them.

    Attributes
    ----------
    parts : tuple of (str, HubSource)
        Name and source of each.
    """

    parts: tuple[tuple[str, HubSource], ...]

    @property
    def sources(self) -> tuple[HubSource, ...]:
        """Where they are."""
        return tuple(source for _, source in self.parts)

    def __call__(self, split: str, language: str, commits: Mapping[str, str]) -> list[Item]:
        """Load a split of each, see `HubSource`."""
        return [
            replace(item, id=f"{name}-{item.id}")
            for name, source in self.parts
            for item in source(split, language, commits)
        ]
