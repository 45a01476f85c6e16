"""A part of an experiment: some of its checkpoints, intermediates and targets, or all but some."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from gainlaw.errors import InputError, Problem
from gainlaw.tasks import plain_name
from gainlaw.training.experiment.schema import Experiment, Intermediate
from gainlaw.training.experiment.validation import guess

__all__ = ["select"]

_TABLES = ("checkpoints", "intermediates", "targets")


def select(experiment: Experiment, only: Collection[str] = (), without: Collection[str] = ()) -> Experiment:
    """Return a part of an experiment.

    Parameters
    ----------
    experiment : Experiment
        The whole.
    only : collection of str
        Names of checkpoints, intermediates and targets (their tasks). Of each of these tables that a name is from,
        what is named stays; a table that none is from stays whole. The baseline is always run.
    without : collection of str
        Names of what goes. A task also goes from the intermediates that have others; these are called otherwise
        then, since they are no longer what their name says.

    Returns
    -------
    Experiment
        It knows what was asked for, and its record too.

    Raises
    ------
    InputError
        With every name that is not in the experiment, or when too little is left of it.

    Examples
    --------
    >>> from gainlaw.training.experiment.reading import open_experiment
    >>> part = select(open_experiment("xtreme_r"), only=["xlm-roberta-base", "xnli"], without=["ccg"])
    >>> [c.name for c in part.checkpoints], [t.task for t in part.targets], part.intermediates[-1].name
    (['xlm-roberta-base'], ['xnli'], 'multitask-without-ccg')
    """
    if not only and not without:
        return experiment
    names = {table: [_name(each) for each in getattr(experiment, table)] for table in _TABLES}
    tasks = {task for each in experiment.intermediates for task in each.tasks}
    named = {name for table in names.values() for name in table}
    stay, go = ({name if name in named else plain_name(name) for name in given} for given in (only, without))
    problems = [
        Problem(f"the experiment has no {name}", option, hint=guess(name, sorted(known)), kind="option")
        for option, given, known in (("--only", stay, named), ("--without", go, named | tasks))
        for name in sorted(given - known)
    ]
    if problems:
        raise InputError(problems, source=experiment.name)
    left: dict[str, list[Any]] = {}
    for table in _TABLES:
        kept = [n for n in names[table] if n not in go and (n in stay or not stay & set(names[table]))]
        left[table] = [each for each in getattr(experiment, table) if _name(each) in kept]
    left["intermediates"] = [
        part for each in left["intermediates"] if (part := _fewer_tasks(each, go)) is not None
    ]
    _refuse_remains(experiment, left)
    before = set(experiment.only)
    asked = [stay & set(of_table) or before & set(of_table) for of_table in names.values()]
    chosen = {"only": sorted(set().union(*asked)), "without": sorted(go | set(experiment.without))}
    return experiment.model_copy(update=left | {option: tuple(each) for option, each in chosen.items()})


def _name(each: Any) -> str:
    return str(each.task if hasattr(each, "task") else each.name)


def _fewer_tasks(each: Intermediate, go: Iterable[str]) -> Intermediate | None:
    gone = [task for task in each.tasks if task in go]
    if not gone:
        return each
    tasks = [task for task in each.tasks if task not in gone]
    if not tasks:
        return None
    data = {task: folder for task, folder in each.data.items() if task in tasks}
    return each.model_copy(
        update={"name": f"{each.name}-without-{'-'.join(gone)}", "tasks": tasks, "data": data}
    )


def _refuse_remains(experiment: Experiment, left: dict[str, list[Any]]) -> None:
    problems = [
        Problem(
            f"no {table[:-1]} is left", hint=f"it has {', '.join(map(_name, getattr(experiment, table)))}"
        )
        for table in ("checkpoints", "targets")
        if not left[table]
    ]
    there = {each.name for each in left["checkpoints"]}
    problems += [
        Problem(
            f"{each.name} is compared with {each.base_model}, which is left out",
            hint="leave out both, or neither",
        )
        for each in left["checkpoints"]
        if each.base_model is not None and each.base_model not in there
    ]
    if problems:
        raise InputError(problems, source=experiment.name)
