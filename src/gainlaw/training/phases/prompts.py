"""The prompts of a target: checked when an experiment is read, and written into the units that use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment.schema import Prompt
from gainlaw.training.prompting.english import find_templates
from gainlaw.training.prompting.templates import Template
from gainlaw.training.tasks.base import TrainingTask

__all__ = ["check_prompts", "prompt_records", "templates_of"]


def _templates(task: TrainingTask, prompts: Sequence[Prompt | str] | None) -> tuple[Template, ...]:
    return find_templates(
        prompts, task=task.name, kind=task.kind, classes=task.classes, n_options=task.n_options
    )


def check_prompts(task: TrainingTask, prompts: Sequence[Prompt | str] | None, key: str) -> list[Problem]:
    """Return what is wrong with the prompts of a task, under the key of an experiment."""
    try:
        _templates(task, prompts)
    except InputError as error:
        return [
            Problem(f"{p.column}: {p.message}" if p.column else p.message, key, hint=p.hint)
            for p in error.problems
        ]
    return []


def prompt_records(task: TrainingTask, prompts: Sequence[Prompt | str] | None) -> list[dict[str, Any]]:
    """Return the prompts of a task as plain data.

    Raises
    ------
    InputError
        As `gainlaw.training.prompting.find_templates` does.
    """
    return [asdict(t) | {"answers": list(t.answers)} for t in _templates(task, prompts)]


def templates_of(records: Sequence[Mapping[str, Any]]) -> tuple[Template, ...]:
    """Return the prompts that `prompt_records` wrote down."""
    return tuple(Template(**(dict(record) | {"answers": tuple(record["answers"])})) for record in records)
