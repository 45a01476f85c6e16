"""Faults of an experiment's intermediates and targets: their tasks, languages, data and prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment.recipes import resolve_recipe
from gainlaw.training.experiment.schema import Experiment, Intermediate, Settings, Target
from gainlaw.training.experiment.validation import Draft, guess, show
from gainlaw.training.items.loading import source_files
from gainlaw.training.items.registry import find_task
from gainlaw.training.items.task import TrainingTask
from gainlaw.training.phases.registry import METHODS, find_phase
from gainlaw.training.prompting.stated import find_templates

if TYPE_CHECKING:
    from gainlaw.training.experiment.recipes import Phase
    from gainlaw.training.phases.phase import Method

__all__ = [
    "folders_wanted",
    "intermediate_faults",
    "known_task",
    "place_faults",
    "scored_languages",
    "target_faults",
    "twice",
]

_RANKED = ("classification", "choice")


def known_task(draft: Draft, name: str, key: str) -> list[Problem]:
    """Return whether a name is no task's."""
    try:
        draft.task(name)
    except InputError as error:
        return [Problem(p.message, key, hint=p.hint) for p in error.problems]
    return []


def twice(values: Sequence[object], key: str) -> list[Problem]:
    """Return which values come more than once."""
    found = [str(value) for value, count in Counter(values).items() if count > 1]
    return [Problem(f"{', '.join(found)} comes more than once", key)] if found else []


def place_faults(draft: Draft, place: str, key: str, kind: Literal["file", "folder"]) -> list[Problem]:
    """Return whether a path of the file leads nowhere, or to what it should not."""
    try:
        path = draft.experiment.folder / Path(place).expanduser()
        there = path.exists()
    except (RuntimeError, ValueError, OSError) as error:
        return [Problem(f"{place!r} is no path: {error}", key)]
    if not there:
        return [Problem(f"there is no {place!r}", key, hint=f"paths start at {draft.experiment.folder}")]
    if kind == "folder" and not path.is_dir():
        return [Problem(f"{place!r} is a file", key, hint="give its folder")]
    if kind == "file" and not path.is_file():
        return [Problem(f"{place!r} is no file", key, hint="give a file")]
    if kind == "file" and not path.stat().st_size:
        return [Problem(f"{place!r} is empty", key)]
    return []


def scored_languages(experiment: Experiment, target: Target, task: TrainingTask, split: str) -> list[str]:
    """Return the languages that a target is scored in: those stated, else all that the task was published in."""
    if target.languages is not None:
        return list(target.languages)
    return _published(experiment, task, split)


def _published(experiment: Experiment, task: TrainingTask, split: str) -> list[str]:
    if task.made:
        from gainlaw.training.world.languages import language_codes

        codes = language_codes(experiment.world.per_family) if experiment.world is not None else ()
        return list(codes) if split == "test" else ["en"]
    return [code for code in task.languages if code in task.splits.get(split, ())]


def folders_wanted(experiment: Experiment) -> list[str]:
    """Return the tasks of an experiment that are on no hub and have no folder yet: it can be planned, not run."""

    def found(name: str) -> TrainingTask:
        return find_task(name, experiment.own_tasks)

    used: list[tuple[str, str | None]] = []
    for each in experiment.intermediates:
        used += [(name, each.data.get(name)) for name in each.tasks]
    for target in experiment.targets:
        task = found(target.task)
        used.append((task.name, None))
        if experiment.protocol == "finetune":
            used += [(name, None) for name in target.train or task.english_side]
    wanted = [
        name
        for name, own in used
        if found(name).hub is None and not found(name).made and not (own or experiment.data.get(name))
    ]
    return list(dict.fromkeys(wanted))


def _task_faults(draft: Draft, name: str, key: str) -> list[Problem]:
    """Return whether a task is unknown, or needs a world that is not there."""
    found = known_task(draft, name, key)
    if not found and draft.task(name).made and not draft.has("world"):
        found = [Problem(f"{name} is a task of the synthetic world", key, hint="add a table [world]")]
    return found


def _data_faults(
    draft: Draft,
    name: str,
    split: str,
    languages: Iterable[str],
    keys: tuple[str, str],
    own: tuple[str, str] | None = None,
) -> list[Problem]:
    """Return why items cannot be read: a split or language that a task lacks, or files that are not there.

    `keys` are those that name the split and the languages, `own` the key of a folder of one's own and its place.
    """
    task = draft.task(name)
    folder, at = draft.experiment.data.get(name), f"data.{name}"
    if own is not None:
        at, folder = own
    path = None if folder is None else draft.experiment.folder / Path(folder).expanduser()
    if task.made:
        return _world_faults(draft, task, split, languages, keys)
    if (path is None and "data" in draft.doubtful) or (path is not None and not path.is_dir()):
        return []  # said of the folder
    if split not in task.splits:
        hint = f"it has: {', '.join(task.splits)}"
        return [Problem(f"{name} has no {split} split with labels", keys[0], hint=hint)]
    on_hub = set(getattr(task.hub, "languages", ())) or set(task.splits[split])
    lacking: list[str] = []
    without: list[str] = []
    first: Problem | None = None
    for language in languages:
        try:
            source_files(task, split, language, path)
        except InputError as error:
            if error.source is None:  # not a matter of files
                lacking.append(language)
                continue
            first = first or error.problems[0]
            without.append(language)
        else:
            if path is None and language not in on_hub:
                lacking.append(language)
    found = []
    if lacking:
        here = on_hub if path is None else set(task.splits[split])
        hint = f"there are: {', '.join(sorted(here))}"
        if path is None and task.languages == ("en",):
            hint += f"; a folder data.{name} may hold a translation"
        elif path is None and set(lacking) & set(task.splits[split]):
            hint += f"; a folder data.{name} may have {', '.join(sorted(set(task.splits[split]) - here))}"
        what = f"{name} has no {split} items in {', '.join(lacking)}"
        found.append(Problem(what, keys[1], hint=hint))
    if first is not None:
        more = f" (nor in {', '.join(without[1:])})" if len(without) > 1 else ""
        found.append(Problem(f"{first.message}{more}", at, hint=first.hint))
    return found


def _world_faults(
    draft: Draft, task: TrainingTask, split: str, languages: Iterable[str], keys: tuple[str, str]
) -> list[Problem]:
    known = _published(draft.experiment, task, split)
    wrong = [code for code in languages if code not in known]
    if not wrong or draft.experiment.world is None:
        return []
    what = f"{task.name} has no {split} items in {', '.join(wrong)}"
    return [Problem(what, keys[1], hint=f"there are: {', '.join(known)}")]


def _checked(draft: Draft, phase: Phase, own: Settings) -> bool:
    """Return whether some checkpoint is trained with checks on the validation split, or its rate is found by it."""
    experiment = draft.experiment
    if experiment.sweep is not None and phase in experiment.sweep.phases:
        return True
    return any(resolve_recipe(experiment, phase, c, own).patience for c in experiment.checkpoints)


def intermediate_faults(draft: Draft, each: Intermediate, key: str) -> list[Problem]:
    """Return the faults of an intermediate.

    Parameters
    ----------
    draft : Draft
        The experiment.
    each : Intermediate
        One of its intermediates.
    key : str
        Its key in the file.
    """
    found = [p for task in each.tasks for p in _task_faults(draft, task, f"{key}.tasks")]
    unknown = bool(found)
    found += twice(each.tasks, f"{key}.tasks")
    if each.name == "none":
        found.append(Problem("the name none belongs to the baseline, which needs no entry", f"{key}.name"))
    for task, place in each.data.items():
        at = f"{key}.data.{task}"
        if task not in each.tasks:
            found.append(Problem(f"{task} is not among the tasks", at, hint=guess(task, each.tasks)))
        elif not unknown and draft.task(task).made:
            found.append(Problem("the world makes its own items", at, hint="leave it out"))
        found += place_faults(draft, place, at, "folder")
    method: Method = find_phase(METHODS[each.method])
    found += _method_faults(draft, each, method, key, unknown)
    if each.sampling != "temperature" and "temperature" in each.model_fields_set:
        found.append(Problem('temperature goes with sampling = "temperature"', f"{key}.temperature"))
    if unknown:
        return found
    found += [
        Problem(f"{task} is for scoring only: nothing is trained on it", f"{key}.tasks")
        for task in each.tasks
        if draft.task(task).kind == "retrieval"
    ]
    for task in each.tasks:
        own = (f"{key}.data.{task}", each.data[task]) if task in each.data else None
        keys = (f"{key}.{'split' if 'split' in method.keys else 'tasks'}", f"{key}.language")
        for split in method.splits(draft, each):
            found += _data_faults(draft, task, split, [each.language], keys, own)
    return found


def _method_faults(
    draft: Draft, each: Intermediate, method: Method, key: str, unknown: bool
) -> list[Problem]:
    """Return what does not go with the method of an intermediate, or with the protocol."""
    protocol = draft.experiment.protocol
    if "protocol" not in draft.doubtful and method.protocol != protocol:
        goes = ", ".join(f'{m} goes with protocol = "{find_phase(p).protocol}"' for m, p in METHODS.items())
        hint = (
            f"{goes}; a released pair is prompted by giving its second checkpoint base_model and intermediate"
        )
        return [Problem(f"{each.method} does not go with protocol {protocol}", f"{key}.method", hint=hint)]
    takers = {
        name: [m for m, p in METHODS.items() if name in find_phase(p).keys] for name in each.model_fields_set
    }
    found = [
        Problem(f"{name} goes with method = {' or '.join(map(show, others))}", f"{key}.{name}")
        for name, others in sorted(takers.items())
        if others and each.method not in others
    ]
    found += method.faults(draft, each, key)
    if "prompts" in method.keys and len(each.tasks) == 1 and not unknown:
        found += _prompt_faults(draft.task(each.tasks[0]), each.prompts, key, f"{key}.tasks")
    return found


def _prompt_faults(task: TrainingTask, prompts: Sequence[object] | None, key: str, at: str) -> list[Problem]:
    """Return what keeps a task from being prompted; `at` is the key that names it."""
    if task.kind not in _RANKED:
        return [Problem(f"{task.name} cannot be prompted by ranking answers", at)]
    try:
        find_templates(prompts, task)
    except InputError as error:
        return [
            Problem(
                p.message if p.column in (None, "prompts") else f"{p.column}: {p.message}",
                f"{key}.prompts",
                hint=p.hint,
            )
            for p in error.problems
        ]
    return []


def target_faults(draft: Draft, target: Target, key: str) -> list[Problem]:
    """Return the faults of a target.

    Parameters
    ----------
    draft : Draft
        The experiment.
    target : Target
        One of its targets.
    key : str
        Its key in the file.
    """
    found = twice(target.languages or (), f"{key}.languages")
    missing = [p for name in target.train or () for p in _task_faults(draft, name, f"{key}.train")]
    found += missing + _protocol_faults(draft, target, key)
    unknown = _task_faults(draft, target.task, f"{key}.task")
    if unknown:
        return found + unknown
    task = draft.task(target.task)
    trained = target.train or (task.english_side if task.record is not None else ())
    at = f"{key}.{'train' if target.train else 'task'}"
    if not missing and not target.train:
        missing = [p for name in trained for p in _task_faults(draft, name, at)]
        found += missing
    if task.kind == "retrieval":
        found += [
            Problem("nothing is fine-tuned for retrieval", f"{key}.{name}", hint="leave it out")
            for name in ("train", "examples")
            if getattr(target, name) is not None
        ]
    elif target.layer is not None:
        found.append(Problem("goes with retrieval: the layer whose states are compared", f"{key}.layer"))
    if task.kind != "retrieval" and not missing:
        for name in trained:
            if not _heads_agree(task, draft.task(name)):
                hint = "it needs the same kind, and the same classes in the same order"
                found.append(Problem(f"{name} does not train the head of {task.name}", at, hint=hint))
    split = target.split or task.evaluation_split
    keys = (f"{key}.{'split' if target.split else 'task'}", f"{key}.languages")
    found += _data_faults(
        draft, task.name, split, scored_languages(draft.experiment, target, task, split), keys
    )
    if draft.experiment.protocol == "prompted":
        if target.prompts is not None or "protocol" not in draft.doubtful:
            found += _prompt_faults(task, target.prompts, key, f"{key}.task")
    elif not missing and "protocol" not in draft.doubtful and task.kind != "retrieval":
        splits = ["train", *(["validation"] if _checked(draft, "finetune", target.training) else [])]
        at = f"{key}.{'train' if target.train else 'task'}"
        for name in target.train or task.english_side or (task.name,):
            for part in splits:
                found += _data_faults(draft, name, part, ["en"], (at, at))
    return found


def _heads_agree(task: TrainingTask, other: TrainingTask) -> bool:
    """Return whether the head that a task trains answers another."""
    if task.kind != other.kind or task.kind == "retrieval":
        return False
    declared = task.record is not None or other.record is not None
    names = [tuple(name.casefold() for name in each.classes) for each in (task, other)]
    return names[0] == names[1] if declared else len(names[0]) == len(names[1])


def _protocol_faults(draft: Draft, target: Target, key: str) -> list[Problem]:
    """Return what a target says that the protocol has no use for."""
    if "protocol" in draft.doubtful:
        return []
    if draft.experiment.protocol == "finetune":
        hint = 'prompts go with protocol = "prompted"'
        what = "fine-tuned models are not prompted"
        return [Problem(what, f"{key}.prompts", hint=hint)] if target.prompts is not None else []
    return [
        Problem("the prompted protocol trains on nothing", f"{key}.{name}")
        for name in ("train", "examples")
        if getattr(target, name) is not None
    ]
