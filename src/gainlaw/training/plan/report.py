"""What an experiment will do and cost, before it does: units, FLOPs, GPU-hours, memory, disk."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment.configurations import configuration_of, counted_role
from gainlaw.training.experiment.recipes import Recipe
from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.experiment.taskchecks import folders_wanted
from gainlaw.training.plan.workload import TOKENS_PER_CHARACTER, Workload, task_workload
from gainlaw.training.prompting.consistency import ConsistencySettings
from gainlaw.training.units.graph import Graph
from gainlaw.training.units.store import Store
from gainlaw.training.units.units import Unit

__all__ = ["ModelPlan", "Plan", "UnitCost", "make_plan"]

_GB = 1e9
#: Words of the synthetic world in a document of two sentences, and tokens of an item.
_WORLD_TOKENS = {"corpus": 17.0, "world_nli": 18.0, "world_copa": 15.0, "world_siqa": 16.0}
_WORLD_SEQUENCES = {"world_nli": 1.0, "world_copa": 2.0, "world_siqa": 3.0}


@dataclass(frozen=True, slots=True)
class UnitCost:
    """What one unit costs.

    Attributes
    ----------
    name, phase, label : str
        The unit.
    done : bool
        Whether it is finished already.
    flops : float
        Of the whole unit; 0 for one that computes nothing, NaN where the model is not known here.
    memory_gb, disk_gb : float
        Peak on the device, and what it writes.
    counted : bool
        False where sizes and lengths of published data were taken for granted.
    """

    name: str
    phase: str
    label: str
    done: bool
    flops: float
    memory_gb: float
    disk_gb: float
    counted: bool


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """A checkpoint: parameters and what its units cost together; NaN where its configuration is not known here."""

    name: str
    model_family: str
    params: float
    params_non_embedding: float
    units: int
    done: int
    flops: float
    memory_gb: float
    disk_gb: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A planned experiment.

    Attributes
    ----------
    units : tuple of UnitCost
        Each distinct unit, in an order in which they can be done.
    models : tuple of ModelPlan
        Each checkpoint.
    wanted, distinct, done : mapping of str to int
        Units by phase: asked for by the cells, distinct (what is executed), and finished.
    gpu_hours, left_gpu_hours : float
        Of everything, and of what is not finished, at the throughput of the budget.
    throughput_tflops : float
        What the device reaches: throughput times utilisation.
    disk_gb, memory_gb : float
        Disk of what is not finished; the largest peak.
    over : tuple of str
        What exceeds the budget.
    unknown : tuple of str
        Checkpoints whose configuration is not known here, so that they are not in the totals.
    notes : tuple of str
        What was taken for granted.
    """

    units: tuple[UnitCost, ...]
    models: tuple[ModelPlan, ...]
    wanted: Mapping[str, int]
    distinct: Mapping[str, int]
    done: Mapping[str, int]
    gpu_hours: float
    left_gpu_hours: float
    throughput_tflops: float
    disk_gb: float
    memory_gb: float
    over: tuple[str, ...]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Return the plan as plain data for JSON; what is not known is None."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def make_plan(experiment: Experiment, graph: Graph, store: Store | None = None) -> Plan:
    """Work out what an experiment will do and cost. Downloads nothing and loads no weights.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    graph : Graph
        Its units.
    store : Store, optional
        Where finished units are.

    Returns
    -------
    Plan
    """
    costs: dict[str, UnitCost] = {}
    unknown: set[str] = set()
    named = {
        checkpoint.name: configuration_of(experiment, checkpoint) for checkpoint in experiment.checkpoints
    }
    configs = {cell.source: named[cell.checkpoint] for cell in graph.cells}
    for name, unit in graph.units.items():
        done = store is not None and store.has(name)
        costs[name] = _cost(experiment, unit, configs.get(_line(graph, name)[-1]), done)
    models = []
    for checkpoint in experiment.checkpoints:
        config = named[checkpoint.name]
        ends = [cell.unit for cell in graph.cells if cell.checkpoint == checkpoint.name]
        mine = [costs[n] for n in dict.fromkeys(n for end in ends for n in _line(graph, end))]
        counts = None if config is None else _parameters(experiment, config)
        if counts is None:
            unknown.add(checkpoint.name)
        nan = float("nan")
        models.append(
            ModelPlan(
                checkpoint.name,
                checkpoint.model_family,
                float(checkpoint.params or (counts[0] if counts else nan)),
                float(counts[1]) if counts else nan,
                len(mine),
                sum(c.done for c in mine),
                sum(c.flops for c in mine),
                max((c.memory_gb for c in mine), default=nan),
                sum(c.disk_gb for c in mine),
            )
        )
    return _totals(experiment, graph, tuple(costs.values()), tuple(models), tuple(sorted(unknown)))


def _totals(
    experiment: Experiment,
    graph: Graph,
    costs: tuple[UnitCost, ...],
    models: tuple[ModelPlan, ...],
    unknown: tuple[str, ...],
) -> Plan:
    from gainlaw.training.plan.costs import gpu_hours

    budget = experiment.budget
    reached = budget.throughput_tflops * budget.utilisation
    known = [c for c in costs if c.flops == c.flops]
    hours = gpu_hours(sum(c.flops for c in known), reached)
    left = gpu_hours(sum(c.flops for c in known if not c.done), reached)
    disk = sum(c.disk_gb for c in known if not c.done)
    memory = max((c.memory_gb for c in known), default=0.0)
    over = [
        f"{what} {have:,.1f} of {limit:,.1f} {unit}"
        for what, have, limit, unit in (
            ("work left:", left, budget.gpu_hours, "GPU-hours"),
            ("disk:", disk, budget.disk_gb, "GB"),
            ("memory:", memory, budget.memory_gb, "GB"),
        )
        if limit is not None and have > limit
    ]
    notes = []
    if not all(c.counted for c in costs):
        notes.append("sizes of tasks without local files are those published, their lengths rough")
    wanted = folders_wanted(experiment)
    if wanted:
        keys = ", ".join(f"data.{name}" for name in wanted)
        notes.append(f"on no hub: {', '.join(wanted)}; a run needs local files, their folders as {keys}")
    if unknown:
        notes.append(f"no configuration here of {', '.join(unknown)}: not in the totals")
    return Plan(
        units=costs,
        models=models,
        wanted=dict(graph.wanted),
        distinct=dict(Counter(c.phase for c in costs)),
        done=dict(Counter(c.phase for c in costs if c.done)),
        gpu_hours=hours,
        left_gpu_hours=left,
        throughput_tflops=reached,
        disk_gb=disk,
        memory_gb=memory,
        over=tuple(over),
        unknown=unknown,
        notes=tuple(notes),
    )


def _line(graph: Graph, name: str) -> list[str]:
    """Return a unit and those whose model it goes back to, the first one last."""
    names = [name]
    while "model" in graph.units[names[-1]].parents:
        names.append(graph.units[names[-1]].parents["model"])
    return names


def _parameters(experiment: Experiment, config: Mapping[str, Any]) -> tuple[int, int] | None:
    from gainlaw.training.plan.costs import count_parameters

    try:
        counts = count_parameters(config, counted_role(experiment, config))
    except InputError as error:
        raise InputError([Problem(p.message, "checkpoints", hint=p.hint) for p in error.problems]) from None
    return counts.total, counts.non_embedding


def _cost(experiment: Experiment, unit: Unit, config: Mapping[str, Any] | None, done: bool) -> UnitCost:
    if unit.phase in {"world", "load"} or config is None:
        empty = unit.phase in {"world", "load"}
        disk = 0.01 if unit.phase == "world" else 0.0
        if unit.phase == "load" and config is not None:
            disk = _disk(experiment, config)
        return UnitCost(
            unit.name, unit.phase, unit.label, done, 0.0 if empty else float("nan"), 0.0, disk, True
        )
    flops, memory, counted = _work(experiment, unit, config)
    trained = unit.phase in {"pretrain", "intermediate", "finetune", "consistency"}
    disk = _trained_disk(experiment, unit, config) if trained else 0.0
    return UnitCost(unit.name, unit.phase, unit.label, done, flops, memory / _GB, disk, counted)


def _disk(experiment: Experiment, config: Mapping[str, Any]) -> float:
    from gainlaw.training.plan.costs import disk_bytes

    return disk_bytes(config, counted_role(experiment, config)) / _GB


def _trained_disk(experiment: Experiment, unit: Unit, config: Mapping[str, Any]) -> float:
    """Return what a training unit writes: all weights, or its adapters."""
    from gainlaw.training.plan.costs import adapter_bytes

    lora = unit.spec.get("recipe", {}).get("lora")
    if lora is None or unit.spec.get("mlm"):
        return _disk(experiment, config)
    return adapter_bytes(config, lora["rank"], counted_role(experiment, config)) / _GB


def _work(experiment: Experiment, unit: Unit, config: Mapping[str, Any]) -> tuple[float, float, bool]:
    """Return FLOPs, peak memory in bytes, and whether all sizes were counted."""
    from gainlaw.training.plan.costs import flops_per_example
    from gainlaw.training.plan.memory import peak_memory

    spec, role = unit.spec, counted_role(experiment, config)
    loads, recipe, passes = _loads(experiment, unit)
    training = unit.phase in {"pretrain", "intermediate", "finetune", "consistency"}
    lora = recipe.lora.rank if recipe is not None and recipe.lora is not None else None
    if unit.phase == "consistency":
        lora = ConsistencySettings(**spec["settings"]).rank
    checkpointing = recipe is not None and recipe.gradient_checkpointing
    flops = 0.0
    for load in loads:
        one = flops_per_example(
            config,
            load.tokens,
            phase="train" if training else "infer",
            gradient_checkpointing=checkpointing,
            lora=lora,
            role=role,
        )
        flops += one * load.examples * load.sequences
    precision = recipe.precision if recipe is not None else spec.get("precision", "fp32")
    longest = recipe.max_length if recipe is not None else spec.get("max_length", 512)
    memory = peak_memory(
        config,
        phase="train" if training else "infer",
        micro_batch_tokens=_budget(spec, recipe),
        max_length=longest,
        precision="fp32" if precision == "fp32" else "bf16",
        lora=lora,
        gradient_checkpointing=checkpointing,
        role=role,
        keeps_best=bool(recipe is not None and recipe.patience),
    )
    return flops * passes, float(memory.total_bytes), all(load.counted for load in loads)


def _budget(spec: Mapping[str, Any], recipe: Recipe | None) -> int:
    if recipe is not None:
        return recipe.micro_batch_tokens
    return int(spec["settings"]["token_budget"] if "settings" in spec else spec["micro_batch_tokens"])


def _loads(experiment: Experiment, unit: Unit) -> tuple[list[Workload], Recipe | None, float]:
    """Return what a unit goes through once, its recipe, and how often it does."""
    spec = unit.spec
    if unit.phase in {"evaluate", "rank"}:
        prompts = len(spec.get("prompts", [0]))
        longest = spec.get("max_length", 512)
        loads = [_load(experiment, unit, spec, spec["split"], code, longest) for code in spec["languages"]]
        return loads, None, float(prompts)
    if unit.phase == "consistency":
        settings = ConsistencySettings(**spec["settings"])
        entry = spec["tasks"][0]
        load = _load(experiment, unit, entry, entry["split"], entry["language"], 512)
        prompts = min(settings.prompts_per_item, len(spec["prompts"]))
        return [load], None, settings.steps * settings.batch_size * prompts / load.examples
    recipe = Recipe.from_record(spec["recipe"])
    if unit.phase == "pretrain":
        load = _corpus(experiment, unit, recipe.max_length)
        documents = load.examples
        steps = recipe.steps or max(1, round((recipe.epochs or 1) * documents / recipe.batch_size))
        return [load], recipe, steps * recipe.batch_size / documents
    loads = [
        _load(experiment, unit, entry, "train", entry["language"], recipe.max_length)
        for entry in spec["tasks"]
    ]
    examples = sum(load.examples for load in loads)
    passes = recipe.epochs or (recipe.steps or 0) * recipe.batch_size / examples
    extra = spec.get("mlm") or 0.0
    return loads, recipe, passes / (1.0 - extra)


def _corpus(experiment: Experiment, unit: Unit, longest: int) -> Workload:
    """Return the size of what a model is pretrained on; the tokens of files are estimated from their bytes."""
    files = [Path(place) for role, place in unit.where.items() if role.startswith("corpus.")]
    if not files:
        assert experiment.world is not None
        return Workload(experiment.world.documents, 1.0, _WORLD_TOKENS["corpus"], True)
    lines = max(1, sum(_count_lines(file) for file in files))
    tokens = sum(file.stat().st_size for file in files) / lines * TOKENS_PER_CHARACTER
    return Workload(lines, 1.0, min(tokens, float(longest)), True)


def _count_lines(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for line in lines if line.strip())


def _load(
    experiment: Experiment, unit: Unit, entry: Mapping[str, Any], split: str, language: str, longest: int
) -> Workload:
    name = entry["task"]
    if name not in _WORLD_SEQUENCES:
        return task_workload(unit, entry, split, language, longest)
    assert experiment.world is not None
    there: int = getattr(experiment.world, split)
    examples = there if entry["limit"] is None else min(there, entry["limit"])
    return Workload(examples, _WORLD_SEQUENCES[name], _WORLD_TOKENS[name], True)
