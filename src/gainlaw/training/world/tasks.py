"""The tasks of the synthetic world, read from the files that a world was written to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from gainlaw.errors import InputError, Problem
from gainlaw.training.tasks.base import ChoiceItem, ClassItem, Item, LocalSource, TrainingTask

__all__ = ["WORLD", "items_file"]


def items_file(folder: Path, task: str, split: str, language: str) -> Path:
    """Return the file of a task's items in the folder of a world."""
    return folder / "items" / task / f"{split}.{language}.jsonl"


def _source(task: str) -> LocalSource:
    def find(folder: Path, split: str, language: str) -> tuple[Path, ...]:
        path = items_file(folder, task, split, language)
        if not path.is_file():
            there = sorted(each.name for each in path.parent.glob("*.jsonl"))
            hint = f"there are: {', '.join(there) or 'none'}"
            raise InputError(Problem(f"the world has no {split} items of {task} in {language!r}", hint=hint))
        return (path,)

    def parse(files: tuple[Path, ...], split: str, language: str) -> list[Item]:
        records = [
            json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()
        ]
        if task == "world_nli":
            return [ClassItem(r["id"], r["first"], r["second"], r["label"]) for r in records]
        return [ChoiceItem(r["id"], r["context"], tuple(r["options"]), r["label"]) for r in records]

    return LocalSource(find, parse, f"items/{task}/SPLIT.LANGUAGE.jsonl, written by the unit of the world")


def _task(name: str, title: str, classes: tuple[str, ...], options: int | None) -> TrainingTask:
    return TrainingTask(
        name=name,
        title=title,
        kind="classification" if classes else "choice",
        languages=(),
        splits=MappingProxyType({"train": ("en",), "validation": ("en",), "test": ()}),
        local=_source(name),
        classes=classes,
        n_options=options,
        licence="Apache-2.0",
        citation="gainlaw's synthetic world",
    )


WORLD: Mapping[str, TrainingTask] = MappingProxyType(
    {
        task.name: task
        for task in (
            _task("world_nli", "World NLI", ("entailment", "neutral", "contradiction"), None),
            _task("world_copa", "World COPA", (), 2),
            _task("world_siqa", "World SIQA", (), 3),
        )
    }
)
"""The tasks by name. Their languages are those of the world at hand."""
