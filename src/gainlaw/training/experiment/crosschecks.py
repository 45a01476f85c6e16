"""Faults of an experiment that no single key has: names that nothing defines, parts that do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gainlaw.errors import InputError, Problem
from gainlaw.tasks import plain_name
from gainlaw.training.experiment.configurations import configuration_faults, length_faults, vocabulary_of
from gainlaw.training.experiment.recipes import resolve_recipe
from gainlaw.training.experiment.schema import Checkpoint, Settings
from gainlaw.training.experiment.spreading import spread_faults
from gainlaw.training.experiment.taskchecks import (
    intermediate_faults,
    known_task,
    place_faults,
    target_faults,
    twice,
)
from gainlaw.training.experiment.validation import Draft, guess

__all__ = ["find_faults"]


def find_faults(draft: Draft) -> list[Problem]:
    """Return every fault found.

    Parameters
    ----------
    draft : Draft
        Each key of its experiment is valid by itself.

    Returns
    -------
    list of Problem
        Empty when it can be run. Nothing is said that a fault of another table may explain.
    """
    found = _repeated(draft, "checkpoints", "name") + _repeated(draft, "intermediates", "name")
    found += _repeated(draft, "targets", "task") + twice(draft.experiment.seeds, "seeds")
    for key, checkpoint in draft.checkpoints():
        found += _checkpoint(draft, checkpoint, key)
    for key, intermediate in draft.intermediates():
        found += intermediate_faults(draft, intermediate, key)
    for key, target in draft.targets():
        found += target_faults(draft, target, key)
    found += _pretraining(draft) + twice([each.name for each in draft.experiment.slurm], "slurm")
    sweep = draft.experiment.sweep
    if sweep is not None:
        found += twice(sweep.factors, "sweep.factors") + twice(sweep.phases, "sweep.phases")
        if draft.experiment.protocol != "finetune" and "protocol" not in draft.doubtful:
            found.append(Problem("the prompted protocol has no learning rate to search for", "sweep"))
    if draft.experiment.slurm and all(each.max_params is not None for each in draft.experiment.slurm):
        hint = "leave max_params out of one"
        found.append(Problem("every class of jobs has a largest model", "slurm", hint=hint))
    found += [
        Problem("give epochs or steps, not both", key)
        for key, table in _settings(draft)
        if table.epochs is not None and table.steps is not None
    ]
    found += _out_of_place(draft)
    world = draft.experiment.world
    if world is not None and world.parallel + world.mixed > 1:
        what = f"parallel and mixed are shares of the documents, {world.parallel + world.mixed:g} together"
        found.append(Problem(what, "world.mixed", hint="at most 1 together"))
    for task, place in draft.experiment.data.items():
        unknown = known_task(draft, task, f"data.{task}")
        if not unknown and draft.task(task).made:
            found.append(Problem("the world makes its own items", f"data.{task}", hint="leave it out"))
        found += unknown + place_faults(draft, place, f"data.{task}", "folder")
    faulty = {p.column or "" for p in (*draft.problems, *found)}
    if not any(key.endswith(".name") for key in faulty):
        found += _same_models(draft)
    if "training" not in draft.doubtful:
        found += length_faults(draft, faulty)
    return list(dict.fromkeys(found))


def _repeated(draft: Draft, table: str, key: str) -> list[Problem]:
    first: dict[str, str] = {}
    found = []
    for place, stated in draft.stated(table, key):
        name = plain_name(stated) if key == "task" else stated
        if name in first:
            found.append(Problem(f"{stated!r} is the {key} of {first[name]} already", place))
        first.setdefault(name, place.removesuffix(f".{key}"))
    return found


def _checkpoint(draft: Draft, checkpoint: Checkpoint, key: str) -> list[Problem]:
    found: list[Problem] = []
    given = [name for name in ("hub", "path", "config") if getattr(checkpoint, name) is not None]
    if len(given) != 1:
        had = f"it has {' and '.join(given)}" if given else "it has none"
        found.append(Problem("a checkpoint comes from one of hub, path and config", key, hint=had))
    if checkpoint.revision is not None and checkpoint.hub is None:
        found.append(Problem("revision goes with hub", f"{key}.revision"))
    if "pretrain" in checkpoint.model_fields_set and checkpoint.config is None:
        found.append(
            Problem("only a configuration is pretrained here", f"{key}.pretrain", hint="leave it out")
        )
    if checkpoint.seeds is not None:
        found += twice(checkpoint.seeds, f"{key}.seeds")
        if checkpoint.config is None:
            found.append(
                Problem("only a configuration is pretrained here", f"{key}.seeds", hint="leave them out")
            )
    found += _released(draft, checkpoint, key) + spread_faults(draft, checkpoint, key)
    if len(given) != 1:
        return found
    if checkpoint.path is not None:
        found += place_faults(draft, checkpoint.path, f"{key}.path", "folder") or _weights(
            draft, checkpoint.path, f"{key}.path"
        )
    elif checkpoint.config is not None:
        found += _needs_of_configuration(draft, checkpoint, f"{key}.config")
    if not any(p.column == f"{key}.path" for p in found):
        found += configuration_faults(draft, checkpoint, key)
    return found


def _released(draft: Draft, checkpoint: Checkpoint, key: str) -> list[Problem]:
    """Return the faults of a checkpoint that comes with its intermediate training."""
    base, intermediate = checkpoint.base_model, checkpoint.intermediate
    found: list[Problem] = []
    if base is None and intermediate is None:
        return found
    if base is None or intermediate is None:
        here, missing = (
            ("base_model", "intermediate") if intermediate is None else ("intermediate", "base_model")
        )
        hint = f"add {missing}: they mark a checkpoint that had its intermediate training elsewhere"
        return [Problem("base_model and intermediate go together", f"{key}.{here}", hint=hint)]
    named = {name: place.removesuffix(".name") for place, name in draft.stated("checkpoints", "name")}
    released = {place.removesuffix(".base_model") for place, _ in draft.stated("checkpoints", "base_model")}
    scratch = {place for place, each in draft.checkpoints() if each.config is not None}
    bases = [name for name, place in named.items() if place not in released | scratch]
    if base not in named:
        hint = guess(base, bases) if bases else "add one"
        found.append(Problem(f"no checkpoint is called {base!r}", f"{key}.base_model", hint=hint))
    elif named[base] in released:
        what = f"{base!r} had an intermediate training itself"
        found.append(Problem(what, f"{key}.base_model", hint="name the checkpoint before it"))
    elif named[base] in scratch:
        what = f"{base!r} is pretrained here, so nobody has released a model made from it"
        found.append(Problem(what, f"{key}.base_model", hint="add the intermediate to [[intermediates]]"))
    if checkpoint.config is not None:
        what = "a configuration has no weights, so it had no intermediate training either"
        found.append(Problem(what, f"{key}.base_model"))
    if intermediate == "none":
        found.append(Problem("the name none belongs to the baseline", f"{key}.intermediate"))
    if intermediate in {name for _, name in draft.stated("intermediates", "name")}:
        what = f"{intermediate!r} is also the name of an intermediate that would be trained"
        found.append(Problem(what, f"{key}.intermediate", hint="give one of them another name"))
    return found


def _weights(draft: Draft, place: str, key: str) -> list[Problem]:
    """Return whether a folder holds no model that can be loaded."""
    from gainlaw.training.train.weights import find_weights

    folder = draft.experiment.folder / Path(place).expanduser()
    found = []
    if not (folder / "config.json").is_file():
        hint = "a folder that save_pretrained wrote has one"
        found.append(Problem(f"{place!r} has no config.json", key, hint=hint))
    try:
        find_weights(folder)
    except InputError as error:
        found += [Problem(p.message, key, hint=p.hint) for p in error.problems]
    return found


def _needs_of_configuration(draft: Draft, checkpoint: Checkpoint, key: str) -> list[Problem]:
    found: list[Problem] = []
    if checkpoint.pretrain and not draft.has("pretraining"):
        hint = "add a table [pretraining], or pretrain = false for random weights"
        found.append(Problem("a configuration has no weights yet", key, hint=hint))
    table = draft.experiment.pretraining
    tokenizer = "pretraining" in draft.doubtful or (table is not None and table.tokenizer is not None)
    if not draft.has("world") and not tokenizer:
        hint = "add pretraining.tokenizer (a tokenizer.json), or a table [world]"
        found.append(Problem("a configuration has no tokenizer", key, hint=hint))
    return found


def _pretraining(draft: Draft) -> list[Problem]:
    table = draft.experiment.pretraining
    if table is None:
        return []
    found = twice(table.seeds, "pretraining.seeds")
    for number, place in enumerate(table.corpus or (), 1):
        found += place_faults(draft, place, f"pretraining.corpus[{number}]", "file")
    for number, place in enumerate(table.parallel or (), 1):
        found += place_faults(draft, place, f"pretraining.parallel[{number}]", "file")
    if not {"training", "checkpoints"} & set(draft.doubtful):
        found += _parallel(draft, table.parallel is not None)
    if table.tokenizer is not None:
        key = "pretraining.tokenizer"
        missing = place_faults(draft, table.tokenizer, key, "file")
        found += missing
        if not missing:
            try:
                vocabulary_of(draft.experiment)
            except InputError as error:
                found += [Problem(p.message, key, hint=p.hint) for p in error.problems]
    if table.corpus is None and not draft.has("world"):
        hint = "add pretraining.corpus, a list of text files, or a table [world]"
        found.append(Problem("pretraining needs a corpus", "pretraining", hint=hint))
    scratch = [c for c in draft.experiment.checkpoints if c.config is not None]
    if not scratch and "checkpoints" not in draft.doubtful:
        hint = "hub and local checkpoints are pretrained already"
        found.append(Problem("no checkpoint starts from a configuration", "pretraining", hint=hint))
    return found


def _parallel(draft: Draft, given: bool) -> list[Problem]:
    """Return whether parallel text lacks where it is learned from, or is there for nothing."""
    pretrained = [c for _, c in draft.checkpoints() if c.config is not None and c.pretrain]
    wanted = any(resolve_recipe(draft.experiment, "pretrain", c).contrast for c in pretrained)
    if wanted and not given and not draft.has("world"):
        hint = "add pretraining.parallel, a list of files with a sentence, a tab and its translation on each line"
        return [Problem("contrast needs parallel text", "pretraining", hint=hint)]
    if given and not wanted and pretrained:
        hint = "add contrast, the weight of its loss, to training.pretrain"
        return [Problem("parallel text is for contrast", "pretraining.parallel", hint=hint)]
    return []


def _out_of_place(draft: Draft) -> list[Problem]:
    """Return settings that the phase they are given for does not have."""
    experiment = draft.experiment
    found = []
    for key, table in _settings(draft):
        pretrains = key.endswith(".pretrain")
        labelled = key.endswith((".intermediate", ".finetune")) or key.startswith(
            ("intermediates", "targets")
        )
        given = {name for name in _CONTRAST if getattr(table, name) is not None}
        if given and (labelled or experiment.pretraining is None):
            hint = "give it in training.pretrain, with a table [pretraining]"
            found += [Problem("it is of pretraining", f"{key}.{name}", hint=hint) for name in sorted(given)]
        if table.freeze is not None and pretrains:
            hint = "give it in training, training.intermediate or training.finetune"
            found.append(Problem("pretraining trains all weights", f"{key}.freeze", hint=hint))
        if experiment.protocol == "prompted":
            found += [
                Problem("it is of fine-tuning", f"{key}.{name}", hint="leave it out where prompts are scored")
                for name in ("pooling", "freeze")
                if getattr(table, name) is not None
            ]
    return found


_CONTRAST = ("contrast", "contrast_pairs", "contrast_temperature")


def _settings(draft: Draft) -> Iterator[tuple[str, Settings]]:
    """Yield each table of settings with its key."""
    tables: list[tuple[str, Settings]] = [("training", draft.experiment.training)]
    tables += [(f"{key}.training", each.training) for key, each in draft.checkpoints()]
    for key, table in tables:
        yield key, table
        for phase in ("pretrain", "intermediate", "finetune"):
            below = getattr(table, phase)
            if below is not None:
                yield f"{key}.{phase}", below
    yield from ((f"{key}.training", each.training) for key, each in draft.intermediates())
    yield from ((f"{key}.training", each.training) for key, each in draft.targets())


def _same_models(draft: Draft) -> list[Problem]:
    """Return checkpoints whose trained models would bear the name of another's."""
    owners: dict[str, str] = {}
    found = []
    for key, checkpoint in draft.checkpoints():
        seeds = draft.experiment.seeds_of(checkpoint)
        names = [f"{checkpoint.name}-s{seed}" for seed in seeds] or [checkpoint.name]
        if checkpoint.base_model is None:
            names += [f"{name}+{i.name}" for name in names for i in draft.experiment.intermediates]
        same = [name for name in names if name in owners]
        if same:
            what = f"a model of it would be called {same[0]}, as one of {owners[same[0]]}"
            found.append(Problem(what, f"{key}.name", hint="give it another name"))
        owners |= {name: key for name in names if name not in owners}
    return found
