"""What an experiment will do and cost, before it does: units, FLOPs, GPU-hours, memory, disk."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment.configurations import configuration_of, counted_role
from gainlaw.training.experiment.schema import Experiment, Lora
from gainlaw.training.experiment.taskchecks import folders_wanted
from gainlaw.training.phases.phase import Effort
from gainlaw.training.phases.registry import find_phase
from gainlaw.training.plan.wall import wall_hours
from gainlaw.training.runs.graph import UnitGraph
from gainlaw.units.store import Store

__all__ = ["ModelPlan", "Plan", "UnitCost", "make_plan"]

_GB = 1e9


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
    gpus : int
        How many it takes at once.
    trained : float
        How many parameters it trains, a task's head left out; NaN where the model is not known here.
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
    gpus: int
    trained: float
    counted: bool


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """A checkpoint: parameters and what its units cost together; NaN where its configuration is not known here.

    `trained` is how many of its parameters, or of those of its adapters, a unit trains at most; `full_gb`,
    `adapters_gb` and `sharded_gb` the largest peak of a training on a GPU if all weights were trained, adapters as
    they are by default, and all weights spread over the GPUs asked for. They are NaN where nothing is trained. `gpus`
    is how many one of its units takes at most, and `memory_gb` what each of these needs.
    """

    name: str
    model_family: str
    params: float
    params_non_embedding: float
    trained: float
    units: int
    done: int
    flops: float
    gpus: int
    memory_gb: float
    disk_gb: float
    full_gb: float
    adapters_gb: float
    sharded_gb: float


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
    parallel, shards : int
        GPUs at work side by side, and those that a model would be spread over.
    wall_hours, left_wall_hours : float
        Until everything, or what is not finished, is done by so many; what does not fit side by side, since it reads
        something else, is waited for.
    jobs : mapping of str to int
        The jobs of each class under Slurm.
    price, cost, left_cost : float or None
        Of a GPU-hour, of everything and of what is not finished.
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
    parallel: int
    shards: int
    wall_hours: float
    left_wall_hours: float
    jobs: Mapping[str, int]
    price: float | None
    cost: float | None
    left_cost: float | None
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


def make_plan(
    experiment: Experiment,
    graph: UnitGraph,
    store: Store | None = None,
    *,
    parallel: int | None = None,
    shards: int = 8,
    price: float | None = None,
) -> Plan:
    """Work out what an experiment will do and cost. Downloads nothing and loads no weights.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    graph : UnitGraph
        Its units.
    store : Store, optional
        Where finished units are.
    parallel : int, optional
        GPUs side by side; by default those of the jobs under Slurm, or the units side by side of the experiment, or
        as many as one unit takes.
    shards : int
        GPUs that a model would be spread over, for `ModelPlan.sharded_gb`.
    price : float, optional
        Of a GPU-hour, in any currency.

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
    owners = {cell.source: cell.checkpoint for cell in graph.cells}
    efforts: dict[str, dict[str, Effort]] = {}
    touched = set() if store is None else store.touched()
    known: dict[tuple[str, str], UnitCost] = {}
    for name, unit in graph.units.items():
        done = store is not None and name in touched and store.has(unit)
        config = configs.get(_line(graph, name)[-1])
        effort: Effort = find_phase(unit.kind).effort(experiment, unit)
        # seeds differ in nothing that costs
        key = (json.dumps(config), repr(effort))
        if key not in known:
            known[key] = _cost(experiment, effort, config)
        if effort.trains and _line(graph, name)[-1] in owners:
            efforts.setdefault(owners[_line(graph, name)[-1]], {})[key[1]] = effort
        costs[name] = replace(known[key], name=unit.name, phase=unit.kind, label=unit.label, done=done)
    models = []
    for checkpoint in experiment.checkpoints:
        config = named[checkpoint.name]
        cells = [cell for cell in graph.cells if cell.checkpoint == checkpoint.name]
        starts = {cell.source for cell in cells}
        ends = [cell.unit for cell in cells]
        ends += [each.unit for each in graph.alignments if each.source in starts]
        lines = dict.fromkeys(n for end in ends for n in _line(graph, end))
        mine = [costs[n] for n in dict.fromkeys((*lines, *_searches(graph, lines)))]
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
                max((c.trained for c in mine), default=nan),
                len(mine),
                sum(c.done for c in mine),
                sum(c.flops for c in mine),
                max((c.gpus for c in mine), default=1),
                max((c.memory_gb for c in mine), default=nan),
                sum(c.disk_gb for c in mine),
                *_alternatives(experiment, efforts.get(checkpoint.name, {}).values(), config, shards),
            )
        )
    if parallel is None:
        jobs = sum(each.jobs * max(1, each.gpus) for each in experiment.slurm)
        most = max((cost.gpus for cost in costs.values()), default=1)
        parallel = max(jobs or experiment.compute.workers or 1, most)
    asked = _Asked(parallel, shards, price)
    return _totals(experiment, graph, tuple(costs.values()), tuple(models), tuple(sorted(unknown)), asked)


@dataclass(frozen=True, slots=True)
class _Asked:
    parallel: int
    shards: int
    price: float | None


def _searches(graph: UnitGraph, lines: Iterable[str]) -> list[str]:
    """Return the units by which the learning rates of some units were chosen."""
    chosen = [graph.units[name].parents["rate"] for name in lines if "rate" in graph.units[name].parents]
    return [each for name in chosen for each in (*graph.units[name].parents.values(), name)]


def _alternatives(
    experiment: Experiment, efforts: Iterable[Effort], config: Mapping[str, Any] | None, shards: int
) -> tuple[float, float, float]:
    """Return the largest peaks of trainings, in gigabytes: all weights, adapters, all weights spread over GPUs."""
    found = list(efforts)
    if config is None or not found:
        return (math.nan,) * 3
    plain = [replace(effort, lora=None, shards=1) for effort in found]
    small = [
        replace(
            effort,
            lora=effort.lora or Lora(),
            shards=1,
            frozen_half=effort.frozen_half or effort.lora is None,
        )
        for effort in found
    ]
    return (
        max(_memory(experiment, effort, config) for effort in plain) / _GB,
        max(_memory(experiment, effort, config) for effort in small) / _GB,
        max(_memory(experiment, replace(effort, shards=shards), config) for effort in plain) / _GB,
    )


def _totals(
    experiment: Experiment,
    graph: UnitGraph,
    costs: tuple[UnitCost, ...],
    models: tuple[ModelPlan, ...],
    unknown: tuple[str, ...],
    asked: _Asked,
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
    each = {c.name: gpu_hours(c.flops, reached) for c in known}
    undone = {c.name: each[c.name] for c in known if not c.done}
    sizes = {c.name: c.flops for c in known}
    gpus = {c.name: c.gpus for c in known}
    price = asked.price
    return Plan(
        parallel=asked.parallel,
        shards=asked.shards,
        wall_hours=wall_hours(graph.units, each, sizes, asked.parallel, gpus),
        left_wall_hours=wall_hours(graph.units, undone, sizes, asked.parallel, gpus),
        jobs={one.name: one.jobs for one in experiment.slurm},
        price=price,
        cost=None if price is None else price * hours,
        left_cost=None if price is None else price * left,
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


def _line(graph: UnitGraph, name: str) -> list[str]:
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


def _cost(experiment: Experiment, effort: Effort, config: Mapping[str, Any] | None) -> UnitCost:
    """Return what any unit of an effort costs."""
    flops, memory, disk = 0.0, 0.0, effort.disk_gb
    if effort.loads:
        flops = float("nan") if config is None else _flops(experiment, effort, config)
        memory = float("nan") if config is None else _memory(experiment, effort, config)
    if effort.keeps and config is not None:
        disk += _disk(experiment, effort, config)
    trained = 0.0
    if effort.trains:
        trained = float("nan") if config is None else _trained(experiment, effort, config)
    counted = config is None or all(load.counted for load in effort.loads)
    return UnitCost("", "", "", False, flops, memory / _GB, disk, effort.shards, trained, counted)


def _trained(experiment: Experiment, effort: Effort, config: Mapping[str, Any]) -> float:
    from gainlaw.training.plan.counting import model_shape
    from gainlaw.training.plan.memory import adapter_parameters

    shape = model_shape(config, counted_role(experiment, config))
    if effort.lora is None:
        return float(shape.parameters)
    return float(adapter_parameters(shape, effort.lora.rank, effort.lora.targets))


def _flops(experiment: Experiment, effort: Effort, config: Mapping[str, Any]) -> float:
    from gainlaw.training.plan.costs import flops_per_example

    once = 0.0
    for load in effort.loads:
        one = flops_per_example(
            config,
            load.tokens,
            phase="train" if effort.trains else "infer",
            gradient_checkpointing=effort.gradient_checkpointing,
            lora=None if effort.lora is None else effort.lora.rank,
            targets=_targets(effort),
            role=counted_role(experiment, config),
        )
        once += one * load.examples * load.sequences
    return once * effort.passes


def _memory(experiment: Experiment, effort: Effort, config: Mapping[str, Any]) -> float:
    """Return the peak on a device, in bytes."""
    from gainlaw.training.plan.memory import peak_memory

    memory = peak_memory(
        config,
        phase="train" if effort.trains else "infer",
        micro_batch_tokens=effort.micro_batch_tokens,
        max_length=effort.max_length,
        precision="fp32" if effort.precision == "fp32" else "bf16",
        lora=None if effort.lora is None else effort.lora.rank,
        targets=_targets(effort),
        gradient_checkpointing=effort.gradient_checkpointing,
        role=counted_role(experiment, config),
        keeps_best=effort.keeps_best,
        scored=effort.scored,
        shards=effort.shards,
        frozen_half=effort.frozen_half,
    )
    return float(memory.total_bytes)


def _targets(effort: Effort) -> tuple[str, ...]:
    return () if effort.lora is None else tuple(effort.lora.targets)


def _disk(experiment: Experiment, effort: Effort, config: Mapping[str, Any]) -> float:
    """Return what is kept of a model: all weights, or the adapters, in gigabytes."""
    from gainlaw.training.plan.costs import adapter_bytes, disk_bytes

    role = counted_role(experiment, config)
    if effort.keeps == "adapters" and effort.lora is not None:
        return adapter_bytes(config, effort.lora.rank, role, effort.lora.targets) / _GB
    return disk_bytes(config, role) / _GB
