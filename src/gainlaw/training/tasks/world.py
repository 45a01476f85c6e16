"""The tasks of the synthetic world, read from the files that a world was written to."""

from __future__ import annotations

import json
from pathlib import Path

from gainlaw.errors import InputError, Problem
from gainlaw.training.items.items import ChoiceItem, ClassItem, Item
from gainlaw.training.items.task import LocalSource, TrainingTask
from gainlaw.training.world.corpus import items_file

__all__ = ["TASKS"]


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


def _task(name: str, classes: tuple[str, ...] = ()) -> TrainingTask:
    return TrainingTask(
        name,
        "classification" if classes else "choice",
        (),
        {"train": ("en",), "validation": ("en",), "test": ()},
        _source(name),
        classes=classes,
        licence="Apache-2.0",
        citation="gainlaw's synthetic world",
        made=True,
    )


TASKS = (
    _task("world_nli", ("entailment", "neutral", "contradiction")),
    _task("world_copa"),
    _task("world_siqa"),
)
