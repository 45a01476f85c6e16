"""The prompts of a task, as an experiment names or states them; written into the units that use them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from gainlaw.errors import InputError, Problem
from gainlaw.training.items.task import TrainingTask
from gainlaw.training.prompting.english import ANY
from gainlaw.training.prompting.templates import Template, read_template, template_faults

__all__ = ["builtin_templates", "find_templates", "prompt_records", "templates_of"]


def builtin_templates(task: TrainingTask) -> tuple[Template, ...]:
    """Return the English prompts that come with a task: a choice that has none of its own gets those for any."""
    return task.prompts or (ANY if task.kind == "choice" else ())


def find_templates(
    prompts: Sequence[object] | None, task: TrainingTask, source: str | None = None
) -> tuple[Template, ...]:
    """Return the prompts of a task, as an experiment file names or states them.

    Parameters
    ----------
    prompts : sequence of (str, Template or other), or None
        A text names a prompt that comes with gainlaw; anything else states one, by the keys or attributes
        ``name``, ``text``, ``answers`` and ``delimiter``. None takes all that come with gainlaw.
    task : TrainingTask
        The task: its kind, the names of its classes in order, and the number of its options where it is fixed.
    source : str, optional
        The file at fault, for messages.

    Returns
    -------
    tuple of Template
        In the order given.

    Raises
    ------
    InputError
        With every fault of every prompt: unknown names or fields, answers that do not match the classes,
        names given twice, a task that has no prompts.

    Examples
    --------
    >>> from gainlaw.training.items.registry import TASKS
    >>> [template.name for template in find_templates(None, TASKS["xnli"])]
    ['follows', 'true_false', 'verdict', 'certainty', 'infix', 'support']
    """

    def faults_of(template: Template) -> list[Problem]:
        return template_faults(template, task.kind, classes=task.classes, n_options=task.n_options)

    known = {template.name: template for template in builtin_templates(task)}
    if prompts is None:
        if not known:
            hint = "state prompts with text and answers"
            what = f"no prompts come with the task {task.name}"
            raise InputError(Problem(what, "prompts", hint=hint), source)
        return tuple(template for template in known.values() if not faults_of(template))
    found: list[Template] = []
    faults: list[Problem] = []
    if not prompts:
        faults.append(Problem("no prompt is given", "prompts", hint="leave prompts out to take all"))
    for prompt in prompts:
        if not isinstance(prompt, str):
            found.append(prompt if isinstance(prompt, Template) else read_template(prompt))
        elif prompt in known:
            found.append(known[prompt])
        else:
            close = difflib.get_close_matches(prompt, known, 1)
            guess = f"did you mean {close[0]}? " if close else ""
            what = f"the task {task.name} has no prompt of this name"
            faults.append(Problem(what, prompt, hint=f"{guess}{_names(known)}"))
    for template in found:
        faults += faults_of(template)
    names = [template.name for template in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    faults += [Problem("two prompts have this name", name, hint="rename one of them") for name in twice]
    if faults:
        raise InputError(faults, source)
    return tuple(found)


def _names(known: Mapping[str, Template]) -> str:
    if not known:
        return "no prompts come with it: state one with text and answers"
    return f"those that come with it: {', '.join(known)}"


def prompt_records(task: TrainingTask, prompts: Sequence[object] | None) -> list[dict[str, Any]]:
    """Return the prompts of a task as plain data, or raise as `find_templates` does."""
    return [asdict(t) | {"answers": list(t.answers)} for t in find_templates(prompts, task)]


def templates_of(records: Sequence[Mapping[str, Any]]) -> tuple[Template, ...]:
    """Return the prompts that `prompt_records` wrote down."""
    return tuple(Template(**(dict(record) | {"answers": tuple(record["answers"])})) for record in records)
