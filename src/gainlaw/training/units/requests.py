"""The unit that each step of an experiment asks for: its spec, its parents, and where its data lies."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gainlaw._io import sha256_bytes, sha256_file
from gainlaw.training.experiment.recipes import Recipe, resolve_recipe
from gainlaw.training.experiment.schema import Checkpoint, Experiment, Intermediate, Target
from gainlaw.training.experiment.taskchecks import scored_languages
from gainlaw.training.items.loading import source_files
from gainlaw.training.items.registry import MODULES, find_task
from gainlaw.training.items.task import TrainingTask
from gainlaw.training.units.units import Unit, make_unit, modules_version

__all__ = [
    "Builder",
    "consistency_unit",
    "evaluate_unit",
    "finetune_unit",
    "intermediate_unit",
    "rank_unit",
    "start_units",
]


@dataclass(slots=True)
class Builder:
    """Collects the units of an experiment, each once, and counts how often one is asked for."""

    experiment: Experiment
    device: str
    units: dict[str, Unit] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    hashes: dict[Path, str] = field(default_factory=dict)

    @property
    def machine(self) -> dict[str, Any]:
        """What a computation runs on, where it can change the result."""
        return {"device": self.device, "threads": self.experiment.compute.threads}

    def add(self, unit: Unit) -> Unit:
        """Keep a unit; the same work asked for twice is one unit."""
        self.wanted[unit.phase] = self.wanted.get(unit.phase, 0) + 1
        return self.units.setdefault(unit.name, unit)

    def place(self, text: str) -> Path:
        """Return where a path of the experiment leads."""
        return self.experiment.folder / Path(text).expanduser()

    def hash(self, path: Path) -> str:
        """Return a hash of a file, or of a folder's files."""
        if path not in self.hashes:
            files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())
            lines = [f"{f.relative_to(path) if f != path else ''}\0{sha256_file(f)}" for f in files]
            self.hashes[path] = sha256_bytes("\n".join(lines).encode())
        return self.hashes[path]


def start_units(builder: Builder, checkpoint: Checkpoint) -> list[tuple[str, int, Unit]]:
    """Return the pretrained models of a checkpoint: one, or one a pretraining seed, with name and seed."""
    experiment = builder.experiment
    role = "language" if experiment.protocol == "prompted" else "encoder"
    if checkpoint.config is None:
        return [(checkpoint.name, 0, _loaded(builder, checkpoint, role))]
    table = experiment.pretraining
    seeds = [0] if table is None else table.seeds
    out = []
    for seed in seeds:
        parents, where, tokenizer = _tokenizer(builder)
        name = f"{checkpoint.name}-s{seed}" if table is not None else checkpoint.name
        if not checkpoint.pretrain or table is None:
            spec = {
                "config": checkpoint.config,
                "role": role,
                "seed": seed,
                "hub": None,
                "revision": None,
                "data": tokenizer,
            }
            unit = make_unit(
                "load", spec, parents, where=where, machine=builder.machine, label=f"{name}: random weights"
            )
        else:
            corpus = {} if table.corpus is None else {f"corpus.{i}": c for i, c in enumerate(table.corpus)}
            places = {role: builder.place(c) for role, c in corpus.items()}
            if not corpus:
                parents = parents | {"world": _world(builder)}
            spec = {
                "config": checkpoint.config,
                "recipe": resolve_recipe(experiment, "pretrain", checkpoint).record(),
                "seed": seed,
                "data": tokenizer | {role: builder.hash(path) for role, path in places.items()},
            }
            where = where | {role: str(path) for role, path in places.items()}
            unit = make_unit(
                "pretrain", spec, parents, where=where, machine=builder.machine, label=f"{name}: pretraining"
            )
        out.append((name, seed, builder.add(unit)))
    return out


def _world(builder: Builder) -> Unit:
    world = builder.experiment.world
    assert world is not None
    return builder.add(make_unit("world", world.model_dump(), label="synthetic world"))


def _tokenizer(builder: Builder) -> tuple[dict[str, Unit], dict[str, str], dict[str, str]]:
    """Return parents, places and hashes of the tokenizer of models from scratch."""
    table = builder.experiment.pretraining
    if table is not None and table.tokenizer is not None:
        path = builder.place(table.tokenizer)
        return {}, {"tokenizer": str(path)}, {"tokenizer": builder.hash(path)}
    return {"tokenizer": _world(builder)}, {}, {}


def _loaded(builder: Builder, checkpoint: Checkpoint, role: str) -> Unit:
    where, data = {}, {}
    if checkpoint.path is not None:
        path = builder.place(checkpoint.path)
        where, data = {"model": str(path)}, {"model": builder.hash(path)}
    spec = {
        "config": None,
        "role": role,
        "seed": 0,
        "hub": checkpoint.hub,
        "revision": checkpoint.revision,
        "data": data,
    }
    return builder.add(make_unit("load", spec, where=where, label=f"{checkpoint.name}: load"))


def _entry(
    builder: Builder,
    task: str,
    split: str,
    language: str,
    limit: int | None,
    seed: int,
    folder: str | None = None,
    *,
    checked: bool = False,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what a spec says about a task's data, and where the data lies.

    The validation split belongs to it where training is `checked` on it.
    """
    known = folder or builder.experiment.data.get(task)
    data, where = "", {}
    if known is not None:
        path = builder.place(known)
        splits = (split, "validation") if checked else (split,)
        files = [file for each in splits for file in source_files(task, each, language, path)]
        data, where = (
            sha256_bytes("\n".join(builder.hash(file) for file in files).encode()),
            {task: str(path)},
        )
    entry = {"task": task, "language": language, "limit": limit, "sample": seed, "data": data}
    return entry | {"reader": _reader(task, known is not None)}, where


def _reader(task: str, local: bool) -> str:
    """Return the version of the code that reads a task's items."""
    shared = () if find_task(task).made else ("items.rows", "items.files" if local else "items.hub")
    return modules_version((MODULES[task], *shared))


def _base_parents(builder: Builder, start: Unit, tasks: list[str]) -> tuple[dict[str, Unit], dict[str, str]]:
    """Return the parents for tokenizer and world, and the place of a tokenizer's file."""
    parents: dict[str, Unit] = {}
    where: dict[str, str] = {}
    if start.spec.get("config") is not None:
        parents, where, _ = _tokenizer(builder)
    else:
        parents = {"tokenizer": start}
    if any(find_task(task).made for task in tasks):
        parents = parents | {"world": _world(builder)}
    return parents, where


def intermediate_unit(
    builder: Builder, checkpoint: Checkpoint, each: Intermediate, name: str, start: Unit, seed: int
) -> Unit:
    """Return the unit of an intermediate training on labelled tasks."""
    experiment = builder.experiment
    parents, where = _base_parents(builder, start, each.tasks)
    recipe = resolve_recipe(experiment, "intermediate", checkpoint, each.training)
    entries = []
    for task in each.tasks:
        folder, checked = each.data.get(task), bool(recipe.patience)
        entry, place = _entry(
            builder, task, "train", each.language, each.examples, seed, folder, checked=checked
        )
        entries.append(entry)
        where = where | place
    corpus: dict[str, str] = {}
    if each.mlm:
        places = {f"corpus.{i}": builder.place(c) for i, c in enumerate(each.mlm_corpus or ())}
        corpus = {role: builder.hash(path) for role, path in places.items()}
        where = where | {role: str(path) for role, path in places.items()}
        if not places:
            parents = parents | {"world": _world(builder)}
    spec = {
        "tasks": entries,
        "recipe": recipe.record(),
        "seed": seed,
        "temperature": each.temperature if each.sampling == "temperature" else 1.0,
        "dropout": 0.1,
        "mlm": each.mlm,
        "data": corpus,
        "keep_head": False,
    }
    label = f"{name}: {each.name}"
    unit = make_unit(
        "intermediate", spec, parents | {"model": start}, where=where, machine=builder.machine, label=label
    )
    return builder.add(unit)


def consistency_unit(
    builder: Builder, checkpoint: Checkpoint, each: Intermediate, name: str, start: Unit, seed: int
) -> Unit:
    """Return the unit that trains a model to agree with itself over prompts."""
    from gainlaw.training.prompting.stated import prompt_records

    parents, where = _base_parents(builder, start, each.tasks)
    task = each.tasks[0]
    entry, place = _entry(builder, task, each.split, each.language, each.examples, seed, each.data.get(task))
    entries, where = [entry | {"split": each.split}], where | place
    recipe = resolve_recipe(builder.experiment, "intermediate", checkpoint, each.training)
    spec = {
        "tasks": entries,
        "prompts": prompt_records(find_task(each.tasks[0]), each.prompts),
        "settings": _consistency_settings(builder.experiment, checkpoint, each, recipe),
        "seed": seed,
    }
    label = f"{name}: {each.name}"
    unit = make_unit(
        "consistency", spec, parents | {"model": start}, where=where, machine=builder.machine, label=label
    )
    return builder.add(unit)


def _consistency_settings(
    experiment: Experiment, checkpoint: Checkpoint, each: Intermediate, recipe: Recipe
) -> dict[str, Any]:
    """Return the settings that the experiment states; the rest are those of the method's paper."""
    common, own = experiment.training, checkpoint.training
    layers = (common, common.intermediate, each.training, own, own.intermediate)
    stated = {name for layer in layers if layer is not None for name in layer.model_fields_set}
    given: dict[str, Any] = {
        name: getattr(recipe, name)
        for name in ("learning_rate", "steps", "batch_size", "clip", "max_length")
        if name in stated and getattr(recipe, name) is not None
    }
    if recipe.lora is not None:
        given |= {"rank": recipe.lora.rank, "alpha": recipe.lora.alpha, "dropout": recipe.lora.dropout}
    if "steps" in given:
        given["min_steps"] = min(300, given["steps"] // 5)
        given["check_every"] = max(1, min(50, given["steps"] // 10))
        given["warmup_steps"] = min(100, given["steps"] // 10)
    return given | {"token_budget": recipe.micro_batch_tokens}


def finetune_unit(
    builder: Builder,
    checkpoint: Checkpoint,
    target: Target,
    task: TrainingTask,
    model: Unit,
    start: Unit,
    seed: int,
    label: str,
) -> Unit:
    """Return the last of the fine-tunings on the English side of a target, one after the other."""
    stages = list(target.train or task.english_side or (task.name,))
    recipe: Recipe = resolve_recipe(builder.experiment, "finetune", checkpoint, target.training)
    for number, stage in enumerate(stages):
        parents, where = _base_parents(builder, start, [stage])
        checked = bool(recipe.patience)
        entry, place = _entry(builder, stage, "train", "en", target.examples, seed, checked=checked)
        spec = {
            "tasks": [entry],
            "recipe": recipe.record(),
            "seed": seed,
            "temperature": 1.0,
            "dropout": 0.1,
            "keep_head": True,
            "carry_head": number > 0,
        }
        unit = make_unit(
            "finetune",
            spec,
            parents | {"model": model},
            where=where | place,
            machine=builder.machine,
            label=f"{label}: fine-tuning on {stage}",
        )
        model = builder.add(unit)
    return model


def _scoring(
    builder: Builder, checkpoint: Checkpoint, target: Target, task: TrainingTask, split: str, start: Unit
) -> tuple[dict[str, Any], dict[str, Unit], dict[str, str]]:
    """Return what fine-tuned and prompted scoring have in common: spec, parents, and where data lies."""
    recipe = resolve_recipe(builder.experiment, "finetune", checkpoint, target.training)
    languages = scored_languages(builder.experiment, target, task, split)
    parents, where = _base_parents(builder, start, [task.name])
    hashes, place = _test_data(builder, task, split, languages, target)
    spec: dict[str, Any] = {
        "task": task.name,
        "split": split,
        "languages": languages,
        "limit": target.limit,
        "sample": 0,
        "data": hashes,
        "reader": _reader(task.name, task.name in builder.experiment.data),
        "micro_batch_tokens": recipe.micro_batch_tokens,
        "precision": recipe.precision,
    }
    return spec, parents, where | place


def evaluate_unit(
    builder: Builder,
    checkpoint: Checkpoint,
    target: Target,
    task: TrainingTask,
    split: str,
    model: Unit,
    start: Unit,
    label: str,
) -> Unit:
    """Return the unit that scores a fine-tuned model in every language of a target."""
    spec, parents, where = _scoring(builder, checkpoint, target, task, split, start)
    recipe = resolve_recipe(builder.experiment, "finetune", checkpoint, target.training)
    spec |= {"max_length": recipe.max_length}
    unit = make_unit(
        "evaluate",
        spec,
        parents | {"model": model},
        where=where,
        machine=builder.machine,
        label=f"{label}: {len(spec['languages'])} languages",
    )
    return builder.add(unit)


def rank_unit(
    builder: Builder,
    checkpoint: Checkpoint,
    target: Target,
    task: TrainingTask,
    split: str,
    model: Unit,
    label: str,
) -> Unit:
    """Return the unit that scores a model from prompts in every language of a target."""
    from gainlaw.training.prompting.stated import prompt_records

    start = model
    while "model" in start.parents:
        start = builder.units[start.parents["model"]]
    spec, parents, where = _scoring(builder, checkpoint, target, task, split, start)
    prompts = prompt_records(task, target.prompts)
    spec |= {"prompts": prompts}
    unit = make_unit(
        "rank",
        spec,
        parents | {"model": model},
        where=where,
        machine=builder.machine,
        label=f"{label}: {len(spec['languages'])} languages, {len(prompts)} prompts",
    )
    return builder.add(unit)


def _test_data(
    builder: Builder, task: TrainingTask, split: str, languages: list[str], target: Target
) -> tuple[dict[str, str], dict[str, str]]:
    hashes: dict[str, str] = {}
    where: dict[str, str] = {}
    for language in languages:
        entry, place = _entry(builder, task.name, split, language, target.limit, 0)
        hashes[language], where = entry["data"], where | place
    return hashes, where
