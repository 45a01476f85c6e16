"""The tasks whose title, metric and number of answers are known, hence their guess rate: the rows of ``tasks.csv``."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

__all__ = ["TASKS", "Task", "find_task", "plain_name", "task_title"]


@dataclass(frozen=True, slots=True)
class Task:
    """A task.

    Attributes
    ----------
    name : str
        The name used in evaluations and experiment files, in lower case with underscores.
    title : str
        The name used in print.
    n_classes : int or None
        The number of answers to choose from; None for spans, tags and free text.
    metric : str
        The usual score.
    aliases : tuple of str
        Other names of it, spelt as `plain_name` does.
    """

    name: str
    title: str
    n_classes: int | None
    metric: str = "accuracy"
    aliases: tuple[str, ...] = ()

    @property
    def chance(self) -> float:
        """The share of items that guessing gets right: ``1 / n_classes``, 0 for free answers."""
        return 0.0 if self.n_classes is None else 1.0 / self.n_classes


def _read() -> dict[str, Task]:
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        tasks = [
            Task(
                row["task"],
                row["title"],
                int(row["n_classes"]) if row["n_classes"] else None,
                row["metric"],
                tuple(row["aliases"].split()),
            )
            for row in csv.DictReader(file)
        ]
    return {task.name: task for task in tasks}


TASKS: Mapping[str, Task] = MappingProxyType(_read())
"""The known tasks by name, in the order of the table."""

_ALIASES = {alias: task.name for task in TASKS.values() for alias in task.aliases}


def plain_name(name: str) -> str:
    """Return the name that a task has here, in any spelling of case and dashes; an unknown name in plain spelling.

    Examples
    --------
    >>> plain_name("PAWS-X"), plain_name("SQuAD 2.0"), plain_name("My-Task")
    ('pawsx', 'squad_v2', 'my_task')
    """
    plain = name.strip().casefold().replace("-", "_").replace(" ", "_")
    return _ALIASES.get(plain, plain)


def find_task(name: str) -> Task | None:
    """Return the task called `name` in any spelling of case and dashes, or None.

    Parameters
    ----------
    name : str
        A task name as a file has it.

    Examples
    --------
    >>> find_task("PAWS-X").title
    'PAWS-X'
    >>> find_task("my_task") is None
    True
    """
    return TASKS.get(plain_name(name))


def task_title(name: str) -> str:
    """Return the name of a task or group as it is printed: known tasks as published, others unchanged.

    Examples
    --------
    >>> task_title("xstory_cloze"), task_title("Indo-European")
    ('XStoryCloze', 'Indo-European')
    """
    known = TASKS.get(_ALIASES.get(name.replace("-", "_"), name))
    return name if known is None else known.title
