"""Tasks that a file declares, made of what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from gainlaw.errors import InputError, Problem
from gainlaw.tasks import TASKS, Task
from gainlaw.training.items.converting import converter, read_pairs_of_lines, read_rows, rows_of_language
from gainlaw.training.items.declaration import (
    TaskTable,
    classes_of,
    default_metric,
    read_declaration,
    splits_of,
    stated,
)
from gainlaw.training.items.files import find_file
from gainlaw.training.items.hub import HubSource
from gainlaw.training.items.items import Item
from gainlaw.training.items.rows import FileFaults
from gainlaw.training.items.task import LocalSource, TrainingTask

__all__ = ["declared_task"]


def declared_task(values: Mapping[str, Any]) -> TrainingTask:
    """Return the task of a table that `read_declaration` has read, or of what `stated` returned of it.

    Examples
    --------
    >>> table = {"name": "med", "kind": "classification", "languages": ["en"], "classes": ["yes", "no"]}
    >>> table |= {"files": {"test": "MED.tsv"}, "columns": {"first": "sentence1", "label": "gold_label"}}
    >>> declared_task(table).n_classes
    2
    """
    return _made(json.dumps(dict(values), sort_keys=True))


@cache
def _made(text: str) -> TrainingTask:
    table = read_declaration(json.loads(text), "a declared task")
    splits = splits_of(table)
    training = tuple(dict.fromkeys(("en", *table.languages)))
    known = TASKS.get(table.name)
    title = table.title or (known.title if known is not None else table.name)
    metric = table.metric or (known.metric if known is not None else default_metric(table.kind))
    n_classes = classes_of(table)
    layout = ", ".join(pattern for patterns in table.files.values() for pattern in patterns)
    return TrainingTask(
        name=table.name,
        kind=table.kind,
        languages=tuple(table.languages),
        splits={s: training if s == "train" else tuple(table.languages) for s in splits},
        local=_local(table, layout),
        hub=None if table.hub is None else _DeclaredHub(table, layout or "files of the task file"),
        classes=tuple(table.classes),
        varies=table.kind == "choice" and n_classes is None,
        english_side=tuple(table.train),
        evaluation_split=table.evaluation_split or ("test" if "test" in splits else "validation"),
        licence=table.licence or "not stated",
        citation=table.citation,
        notes=tuple(table.notes),
        sizes={s: (int(n), sequences, tokens) for s, (n, sequences, tokens) in table.sizes.items()},
        facts=Task(table.name, title, n_classes, metric),
        chance=table.chance,
        merged={table.classes.index(a): table.classes.index(b) for a, b in table.merged.items()},
        entities=table.entities,
        record=stated(table),
    )


def _local(table: TaskTable, layout: str) -> LocalSource:
    def find(folder: Path, split: str, language: str) -> tuple[Path, ...]:
        what = f"the {split} split of {table.name} in {language!r}"
        patterns = [table.fill(pattern, language) for pattern in table.files.get(split, ())]  # type: ignore[call-overload]
        if not patterns:
            raise InputError(Problem(f"no file with {what}", hint="the task file names none"), str(folder))
        wild = [each for each in patterns if set(each) & set("*?[")]
        several = next((here for each in wild if (here := sorted(folder.glob(each)))), [])
        found = tuple(several) or (find_file(folder, patterns, what),)
        if split in table.targets:
            other = [table.fill(each, language) for each in table.targets[split]]
            found += (find_file(folder, other, what),)
        return found

    def parse(files: tuple[Path, ...], split: str, language: str) -> list[Item]:
        if table.format == "lines":
            return read_pairs_of_lines(*files)
        faults = FileFaults()
        convert = converter(table, language, several=len(files) > 1)
        items: list[Item] = []
        for path in files:
            rows = rows_of_language(table, read_rows(path, table.format, faults), language)
            items += faults.items(rows, convert)
        faults.raise_any()
        if not items and (table.columns.get("language") or table.id_prefix):
            raise InputError(f"no row is in the language {language!r}", source=str(files[0]))
        return items

    return LocalSource(find, parse, layout)


class _DeclaredHub(HubSource):
    """The hub's side of a declared task: a source whose records are those of one language, by names of labels."""

    __slots__ = ("_table",)

    def __init__(self, table: TaskTable, layout: str) -> None:
        assert table.hub is not None
        hub = table.hub
        splits: dict[str, tuple[str, ...]] = {split: (name,) for split, name in hub.splits.items()}
        super().__init__(hub.name, hub.config, lambda row: None, layout, splits, hub.revision)
        object.__setattr__(self, "_table", table)

    def __call__(self, split: str, language: str, commits: Mapping[str, str]) -> list[Item]:
        """Load a split, see `HubSource`."""
        table: TaskTable = self._table  # type: ignore[attr-defined]
        return self.read(
            split,
            language,
            commits,
            lambda rows: rows_of_language(table, rows, language),
            converter(table, language, several=False),
            table.names.get(language, language),
        )
