"""The tasks of the runner, by name.

The modules and task files of `gainlaw.training.tasks` declare them, installed packages by entry points of the group
``gainlaw.tasks``, and task files of an experiment for that experiment alone.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Any

from gainlaw import tasks as known
from gainlaw.errors import InputError, Problem
from gainlaw.training import tasks as room
from gainlaw.training.items.declared import declared_task
from gainlaw.training.items.task import TrainingTask

__all__ = ["GROUP", "MODULES", "TASKS", "find_task", "task_of"]

GROUP = "gainlaw.tasks"
"""The group of entry points by which an installed package has tasks: each is a `TrainingTask` with its `facts`."""


def _shipped() -> Iterator[tuple[TrainingTask, str]]:
    """Yield the tasks that come with the package, each with the module that reads it."""
    for module in sorted(module.name for module in iter_modules(room.__path__)):
        name = f"{room.__name__}.{module}"
        yield from ((task, name) for task in import_module(name).TASKS)
    for file in sorted(Path(room.__path__[0]).glob("*.toml")):
        yield declared_task(tomllib.loads(file.read_text(encoding="utf-8"))), declared_task.__module__


def _installed() -> Iterator[tuple[TrainingTask, str]]:
    """Yield the tasks of installed packages."""
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            task = entry.load()
        except Exception as error:  # whatever a package of somebody else does
            why = f"{type(error).__name__}: {error}"
            raise InputError(
                Problem(f"the task {entry.name} of {entry.value} cannot be had: {why}")
            ) from error
        if not isinstance(task, TrainingTask) or (task.facts is None and task.name not in known.TASKS):
            hint = f"{entry.value} must be a gainlaw.training.items.task.TrainingTask, with facts"
            raise InputError(Problem(f"the entry point {entry.name} of {GROUP} is no task", hint=hint))
        yield task, entry.module


def _collect() -> tuple[dict[str, TrainingTask], dict[str, str]]:
    found: dict[str, tuple[TrainingTask, str]] = {}
    for task, module in _shipped():
        if task.name in found or task.name not in known.TASKS:
            why = "comes twice" if task.name in found else "has no row in gainlaw/tasks.csv"
            raise ValueError(f"the task {task.name} of {module} {why}")
        found[task.name] = (task, module)
    names = [name for name in known.TASKS if name in found]
    for task, module in _installed():
        if task.name in found:
            hint = "a package has tasks of its own, under names of its own"
            raise InputError(Problem(f"{module} has a task {task.name}, which there is already", hint=hint))
        found[task.name] = (task, module)
        names.append(task.name)
    return {name: found[name][0] for name in names}, {name: found[name][1] for name in names}


_TASKS, _MODULES = _collect()
TASKS: Mapping[str, TrainingTask] = MappingProxyType(_TASKS)
"""The tasks by name, in the order of `gainlaw.tasks.TASKS`."""
MODULES: Mapping[str, str] = MappingProxyType(_MODULES)
"""Task -> the module that reads it."""


_NONE: Mapping[str, Any] = MappingProxyType({})


def find_task(name: str, own: Mapping[str, Mapping[str, Any]] = _NONE) -> TrainingTask:
    """Return a task by its name, in any spelling of case, dashes and blanks.

    Parameters
    ----------
    name : str
        A name of `TASKS`, or one of the common other names.
    own : mapping, optional
        Tables of the tasks that an experiment declares, by name.

    Raises
    ------
    InputError
        If there is no such task; the message names those that there are, and any that look alike.

    Examples
    --------
    >>> find_task("PAWS-X").title, find_task("SQuAD 2.0").name
    ('PAWS-X', 'squad_v2')
    >>> find_task("hellaswga")
    Traceback (most recent call last):
    gainlaw.errors.InputError: no task is called 'hellaswga'; did you mean hellaswag? There are: xnli, ...
    """
    plain = known.plain_name(name)
    if plain in own:
        return declared_task(own[plain])
    if plain in TASKS:
        return TASKS[plain]
    spelt = {each: name for name, task in TASKS.items() for each in (name, *task.known.aliases)}
    spelt |= {each: each for each in own}
    near = " or ".join(dict.fromkeys(spelt[each] for each in difflib.get_close_matches(plain, spelt, n=2)))
    hint = f"{f'did you mean {near}? There' if near else 'there'} are: {', '.join([*own, *TASKS])}"
    raise InputError(Problem(f"no task is called {name!r}", hint=hint))


def task_of(entry: Mapping[str, Any]) -> TrainingTask:
    """Return the task that an entry of a unit's spec is of: as it was declared there, or by its name ``task``."""
    return declared_task(entry["declared"]) if "declared" in entry else find_task(entry["task"])
