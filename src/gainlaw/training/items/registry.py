"""The tasks of the runner, by name: what the modules of `gainlaw.training.tasks` declare."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from gainlaw import tasks as known
from gainlaw.errors import InputError, Problem
from gainlaw.training import tasks as room
from gainlaw.training.items.task import TrainingTask

__all__ = ["MODULES", "TASKS", "find_task"]


def _collect() -> tuple[dict[str, TrainingTask], dict[str, str]]:
    found: dict[str, tuple[TrainingTask, str]] = {}
    for module in sorted(module.name for module in iter_modules(room.__path__)):
        for task in import_module(f"{room.__name__}.{module}").TASKS:
            if task.name in found or task.name not in known.TASKS:
                why = "comes twice" if task.name in found else "has no row in gainlaw/tasks.csv"
                raise ValueError(f"the task {task.name} of {room.__name__}.{module} {why}")
            found[task.name] = (task, f"tasks.{module}")
    names = [name for name in known.TASKS if name in found]
    return {name: found[name][0] for name in names}, {name: found[name][1] for name in names}


_TASKS, _MODULES = _collect()
TASKS: Mapping[str, TrainingTask] = MappingProxyType(_TASKS)
"""The tasks by name, in the order of `gainlaw.tasks.TASKS`."""
MODULES: Mapping[str, str] = MappingProxyType(_MODULES)
"""Task -> the module below ``gainlaw.training`` that reads it."""


def find_task(name: str) -> TrainingTask:
    """Return a task by its name, in any spelling of case, dashes and blanks.

    Parameters
    ----------
    name : str
        A name of `TASKS`, or one of the common other names.

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
    if plain in TASKS:
        return TASKS[plain]
    spelt = {each: task for task in TASKS for each in (task, *known.TASKS[task].aliases)}
    near = " or ".join(dict.fromkeys(spelt[each] for each in difflib.get_close_matches(plain, spelt, n=2)))
    hint = f"{f'did you mean {near}? There' if near else 'there'} are: {', '.join(TASKS)}"
    raise InputError(Problem(f"no task is called {name!r}", hint=hint))
