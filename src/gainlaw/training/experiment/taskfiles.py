"""The task files that an experiment names: read, checked, and where their items lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gainlaw._io import parse_toml, read_toml
from gainlaw.errors import InputError, Problem
from gainlaw.training.items.declaration import read_declaration
from gainlaw.training.items.registry import TASKS

__all__ = ["OwnTasks", "read_task_files"]


@dataclass(frozen=True, slots=True)
class OwnTasks:
    """What the task files of an experiment declare.

    Attributes
    ----------
    tables : mapping of str to mapping
        By the name of the task.
    folders : mapping of str to str
        Where the files of a task lie that has any: beside its task file.
    problems : tuple of Problem
        What is wrong with the files, each with its key in the experiment.
    """

    tables: Mapping[str, Mapping[str, Any]]
    folders: Mapping[str, str]
    problems: tuple[Problem, ...]


def read_task_files(named: Any, folder: Path) -> OwnTasks:
    """Read the task files of an experiment.

    Parameters
    ----------
    named : object
        What the experiment has as ``tasks``; what is no list of texts is left to others.
    folder : Path
        Where relative paths start.
    """
    tables: dict[str, Mapping[str, Any]] = {}
    folders: dict[str, str] = {}
    problems: list[Problem] = []
    for number, place in enumerate(named if isinstance(named, list) else (), 1):
        key = f"tasks[{number}]"
        if not isinstance(place, str):
            continue
        file = folder / Path(place).expanduser()
        try:
            table = parse_toml(read_toml(file, "a task"), str(file))
            found = read_declaration(table, str(file))
        except InputError as error:
            for p in error.problems:
                where = f"{p.column}: " if p.column else ""
                problems.append(Problem(f"{Path(place).name}: {where}{p.message}", key, hint=p.hint))
            continue
        if found.name in TASKS or found.name in tables:
            other = "another task file" if found.name in tables else "gainlaw or an installed package"
            hint = "give it another name"
            problems.append(Problem(f"{Path(place).name}: {other} has a task {found.name}", key, hint=hint))
            continue
        tables[found.name] = table
        if found.files:
            folders[found.name] = str(file.parent)
    return OwnTasks(tables, folders, tuple(problems))
