"""An experiment as a graph: every distinct unit once, and the cells of the design that end in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gainlaw.training.experiment.schema import Checkpoint, Experiment
from gainlaw.training.items.registry import find_task
from gainlaw.training.units.requests import (
    Builder,
    consistency_unit,
    evaluate_unit,
    finetune_unit,
    intermediate_unit,
    rank_unit,
    start_units,
)
from gainlaw.training.units.units import Unit

__all__ = ["Cell", "Graph", "build_graph"]

_SEED_STEP = 1000


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the design: a model, an intermediate, a target, a seed; it has a row a language (and prompt).

    Attributes
    ----------
    checkpoint : str
        Its name in the experiment.
    model_family, model, base_model, intermediate, task : str
        As in the evaluations; `base_model` is empty for a baseline.
    seed : int
        Of fine-tuning, as the experiment lists it.
    split, protocol : str
        What was scored, and how.
    unit : str
        The folder of the unit with the predictions.
    trained : str
        The folder of the unit that trained the model last; empty where nothing was trained.
    source : str
        The folder of the unit that the parameters are counted from.
    params : int or None
        As published, where the experiment says so.
    """

    checkpoint: str
    model_family: str
    model: str
    base_model: str
    intermediate: str
    task: str
    seed: int
    split: str
    protocol: str
    unit: str
    trained: str
    source: str
    params: int | None


@dataclass(frozen=True, slots=True)
class Graph:
    """Units by the name of their folder, each after those it reads, and the cells.

    `wanted` counts how often the design asks for a unit of each phase; the number of units is what is executed.
    """

    units: Mapping[str, Unit]
    cells: tuple[Cell, ...]
    wanted: Mapping[str, int]


def build_graph(experiment: Experiment, device: str = "cpu") -> Graph:
    """Return the units of an experiment.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    device : {"cpu", "cuda"}
        What it runs on.

    Returns
    -------
    Graph
        A checkpoint is trained once on an intermediate for all targets, and a baseline serves all intermediates.

    Raises
    ------
    InputError
        If local data of a task is not there.
    """
    builder = Builder(experiment, device)
    cells: list[Cell] = []
    for checkpoint in experiment.checkpoints:
        for name, seeds, start in start_units(builder, checkpoint):
            for seed in experiment.seeds:
                run_seed = seed + _SEED_STEP * seeds
                cells += _cells(builder, checkpoint, name, start, seed, run_seed)
    return Graph(builder.units, tuple(cells), builder.wanted)


def _cells(
    builder: Builder, checkpoint: Checkpoint, name: str, start: Unit, seed: int, run_seed: int
) -> list[Cell]:
    """Return the cells of one pretrained model and seed."""
    experiment = builder.experiment
    cells = []
    trained: list[tuple[str, Unit]] = [("none", start)]
    if checkpoint.base_model is not None:
        trained = [(checkpoint.intermediate or "", start)]
    else:
        for each in experiment.intermediates:
            make = consistency_unit if each.method == "prompt_consistency" else intermediate_unit
            trained.append((each.name, make(builder, checkpoint, each, name, start, run_seed)))
    for intermediate, model in trained:
        released = checkpoint.base_model is not None
        baseline = intermediate == "none"
        shown = name if baseline or released else f"{name}+{intermediate}"
        for target in experiment.targets:
            task = find_task(target.task)
            split = target.split or task.evaluation_split
            label = f"{shown} -> {task.name}"
            if experiment.protocol == "prompted":
                last, unit = model, rank_unit(builder, checkpoint, target, task, split, model, label)
            else:
                last = finetune_unit(builder, checkpoint, target, task, model, start, run_seed, label)
                unit = evaluate_unit(builder, checkpoint, target, task, split, last, start, label)
            base = "" if baseline else (checkpoint.base_model or name)
            cells.append(
                Cell(
                    checkpoint=checkpoint.name,
                    model_family=checkpoint.model_family,
                    model=shown,
                    base_model=base,
                    intermediate=intermediate,
                    task=task.name,
                    seed=seed,
                    split=split,
                    protocol=experiment.protocol,
                    unit=unit.name,
                    trained="" if last.phase == "load" else last.name,
                    source=start.name,
                    params=checkpoint.params,
                )
            )
    return cells
