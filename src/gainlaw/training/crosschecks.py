"""Faults of an experiment that no single key has: names that nothing defines, parts that do not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment import Checkpoint, Experiment, Intermediate, Target

__all__ = ["MASKED_TYPES", "find_faults"]

MASKED_TYPES = ("bert", "roberta", "xlm-roberta", "xlm-roberta-xl")
"""Architectures that can be pretrained here, or go on with masked language modelling."""


def find_faults(experiment: Experiment) -> list[Problem]:
    """Return every fault found.

    Parameters
    ----------
    experiment : Experiment
        Each of its keys is valid by itself.

    Returns
    -------
    list of Problem
        Empty when it can be run.
    """
    found: list[Problem] = []
    found += _repeated([c.name for c in experiment.checkpoints], "checkpoints", "name")
    found += _repeated([i.name for i in experiment.intermediates], "intermediates", "name")
    found += _repeated([t.task for t in experiment.targets], "targets", "task")
    found += _repeated(experiment.seeds, "seeds", "")
    for number, checkpoint in enumerate(experiment.checkpoints, 1):
        found += _checkpoint(experiment, checkpoint, f"checkpoints[{number}]")
    for number, intermediate in enumerate(experiment.intermediates, 1):
        found += _intermediate(experiment, intermediate, f"intermediates[{number}]")
    for number, target in enumerate(experiment.targets, 1):
        found += _target(experiment, target, f"targets[{number}]")
    found += _pretraining(experiment)
    for task, place in experiment.data.items():
        found += _known_task(task, f"data.{task}")
        found += _place(experiment, place, f"data.{task}")
    return found


def _repeated(names: Sequence[object], table: str, key: str) -> list[Problem]:
    twice = [name for name, count in Counter(names).items() if count > 1]
    what = f"{key or 'value'} {', '.join(map(str, twice))} comes more than once"
    return [Problem(what, table)] if twice else []


def _place(experiment: Experiment, place: str, key: str) -> list[Problem]:
    path = experiment.folder / Path(place).expanduser()
    if path.exists():
        return []
    return [Problem(f"there is no {place!r}", key, hint=f"paths start at {experiment.folder}")]


def _known_task(name: str, key: str) -> list[Problem]:
    from gainlaw.training.phases.sources import task_called

    try:
        task_called(name)
    except InputError as error:
        return [Problem(p.message, key, hint=p.hint) for p in error.problems]
    return []


def _needs_world(experiment: Experiment, task: str, key: str) -> list[Problem]:
    if task.startswith("world_") and experiment.world is None:
        return [Problem(f"{task} is a task of the synthetic world", key, hint="add a table [world]")]
    return []


def _checkpoint(experiment: Experiment, checkpoint: Checkpoint, key: str) -> list[Problem]:
    found: list[Problem] = []
    if checkpoint.path is not None:
        found += _place(experiment, checkpoint.path, f"{key}.path")
    if checkpoint.base_model is not None:
        others = [c.name for c in experiment.checkpoints if c.base_model is None]
        if checkpoint.base_model not in others:
            hint = f"there are: {', '.join(others)}"
            found.append(
                Problem(f"no checkpoint is called {checkpoint.base_model!r}", f"{key}.base_model", hint=hint)
            )
        if checkpoint.intermediate == "none":
            found.append(Problem("none is the baseline's", f"{key}.intermediate"))
        if checkpoint.intermediate in {i.name for i in experiment.intermediates}:
            what = f"{checkpoint.intermediate!r} is also the name of an intermediate that would be trained"
            found.append(Problem(what, f"{key}.intermediate"))
    if checkpoint.config is None:
        return found
    kind = checkpoint.config.get("model_type")
    if not isinstance(kind, str):
        hint = 'such as config = {model_type = "bert", hidden_size = 64}'
        return [*found, Problem("model_type is missing", f"{key}.config", hint=hint)]
    if checkpoint.pretrain and experiment.pretraining is None:
        hint = "add a table [pretraining], or pretrain = false for random weights"
        found.append(Problem("a configuration has no weights yet", f"{key}.config", hint=hint))
    if checkpoint.pretrain and kind not in MASKED_TYPES:
        hint = f"allowed: {', '.join(MASKED_TYPES)}; or pretrain = false for random weights"
        found.append(Problem(f"{kind!r} cannot be pretrained here", f"{key}.config.model_type", hint=hint))
    tokenizer = experiment.pretraining is not None and experiment.pretraining.tokenizer is not None
    if experiment.world is None and not tokenizer:
        hint = "add pretraining.tokenizer (a tokenizer.json), or a table [world]"
        found.append(Problem("a configuration has no tokenizer", f"{key}.config", hint=hint))
    return found


def _intermediate(experiment: Experiment, intermediate: Intermediate, key: str) -> list[Problem]:
    from gainlaw.training.phases.sources import task_called

    found: list[Problem] = []
    for task in intermediate.tasks:
        found += _known_task(task, f"{key}.tasks") or _needs_world(experiment, task, f"{key}.tasks")
    for task, place in intermediate.data.items():
        found += _place(experiment, place, f"{key}.data.{task}")
    for place in intermediate.mlm_corpus or ():
        found += _place(experiment, place, f"{key}.mlm_corpus")
    if intermediate.mlm and intermediate.mlm_corpus is None and experiment.world is None:
        found.append(Problem("mlm needs a corpus", f"{key}.mlm", hint="add mlm_corpus, a list of text files"))
    consistency = intermediate.method == "prompt_consistency"
    if consistency != (experiment.protocol == "prompted"):
        hint = (
            'prompt_consistency goes with protocol = "prompted", supervised with "finetune"; a released '
            "pair is prompted by giving its second checkpoint base_model and intermediate"
        )
        what = f"{intermediate.method} does not go with protocol {experiment.protocol}"
        found.append(Problem(what, f"{key}.method", hint=hint))
    if consistency and not found:
        bad = [t for t in intermediate.tasks if task_called(t).kind not in {"classification", "choice"}]
        if bad:
            found.append(Problem(f"{', '.join(bad)} cannot be prompted by ranking answers", f"{key}.tasks"))
    if consistency and not found:
        from gainlaw.training.phases.prompts import check_prompts

        found += check_prompts(task_called(intermediate.tasks[0]), intermediate.prompts, f"{key}.prompts")
    if consistency and intermediate.mlm:
        found.append(Problem("mlm goes with method supervised", f"{key}.mlm"))
    return found


def _target(experiment: Experiment, target: Target, key: str) -> list[Problem]:
    from gainlaw.training.phases.sources import task_called

    found = _known_task(target.task, f"{key}.task") or _needs_world(experiment, target.task, f"{key}.task")
    if found:
        return found
    task = task_called(target.task)
    if task.kind not in {"classification", "choice"}:
        hint = "an intermediate may be any task; a target is one with a fixed set of answers"
        found.append(Problem(f"{task.name} is no classification or choice task", f"{key}.task", hint=hint))
    for name in target.train or ():
        missing = _known_task(name, f"{key}.train") or _needs_world(experiment, name, f"{key}.train")
        found += missing
        if not missing:
            other = task_called(name)
            same = other.kind == task.kind and (task.kind == "choice" or other.n_classes == task.n_classes)
            if not same:
                what = f"{name} does not train the head of {task.name}"
                found.append(
                    Problem(what, f"{key}.train", hint="it needs the same kind and number of classes")
                )
    split = target.split or task.evaluation_split
    known = task.splits.get(split, ()) if task.languages else ()
    wrong = [code for code in target.languages or () if known and code not in known]
    if wrong:
        what = f"{task.name} has no {split} items in {', '.join(wrong)}"
        found.append(Problem(what, f"{key}.languages", hint=f"there are: {', '.join(known)}"))
    if experiment.protocol == "prompted" and target.train is not None:
        found.append(Problem("the prompted protocol trains on nothing", f"{key}.train"))
    if experiment.protocol == "finetune" and target.prompts is not None:
        hint = 'prompts go with protocol = "prompted"'
        found.append(Problem("fine-tuned models are not prompted", f"{key}.prompts", hint=hint))
    if target.prompts is not None and experiment.protocol == "prompted":
        from gainlaw.training.phases.prompts import check_prompts

        found += check_prompts(task, target.prompts, f"{key}.prompts")
    return found


def _pretraining(experiment: Experiment) -> list[Problem]:
    table = experiment.pretraining
    if table is None:
        return []
    found = _repeated(table.seeds, "pretraining.seeds", "")
    for place in table.corpus or ():
        found += _place(experiment, place, "pretraining.corpus")
    if table.tokenizer is not None:
        found += _place(experiment, table.tokenizer, "pretraining.tokenizer")
    if table.corpus is None and experiment.world is None:
        hint = "add pretraining.corpus, a list of text files, or a table [world]"
        found.append(Problem("pretraining needs a corpus", "pretraining", hint=hint))
    if not any(c.config is not None for c in experiment.checkpoints):
        hint = "hub and local checkpoints are pretrained already"
        found.append(Problem("no checkpoint starts from a configuration", "pretraining", hint=hint))
    return found
