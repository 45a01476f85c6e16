"""An experiment as a graph: every distinct unit once, and the cells of the design that end in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gainlaw.training.experiment.schema import Checkpoint, Experiment
from gainlaw.training.phases.asking import Builder, Line
from gainlaw.training.phases.phase import Method, Scoring, Start
from gainlaw.training.phases.registry import METHODS, PROTOCOLS, find_phase
from gainlaw.units.unit import Unit

__all__ = ["Alignment", "Cell", "UnitGraph", "build_graph"]

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


class Alignment(NamedTuple):
    """Whose alignment a unit measures: the model's family and name, and the folders of its unit and of this one."""

    model_family: str
    model: str
    source: str
    unit: str


@dataclass(frozen=True, slots=True)
class UnitGraph:
    """Units by the name of their folder, each after those it reads, and the cells.

    `wanted` counts how often the design asks for a unit of each phase; the number of units is what is executed.
    `alignments` are the units that measure how far each model from scratch has the world's languages in one place.
    """

    units: Mapping[str, Unit]
    cells: tuple[Cell, ...]
    wanted: Mapping[str, int]
    alignments: tuple[Alignment, ...] = ()


def build_graph(experiment: Experiment, device: str = "cpu") -> UnitGraph:
    """Return the units of an experiment.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    device : {"cpu", "cuda"}
        What it runs on.

    Returns
    -------
    UnitGraph
        A checkpoint is trained once on an intermediate for all targets, and a baseline serves all intermediates.

    Raises
    ------
    InputError
        If local data of a task is not there.
    """
    builder = Builder(experiment, device)
    cells: list[Cell] = []
    alignments: list[Alignment] = []
    table = experiment.pretraining
    words = experiment.world is not None and table is not None and table.tokenizer is None
    for checkpoint in experiment.checkpoints:
        for name, number, start in _starts(builder, checkpoint):
            if words and checkpoint.config is not None:
                unit = find_phase("align").request(builder, Line(checkpoint, name, start, number))
                alignments.append(Alignment(checkpoint.model_family, name, start.name, unit.name))
            for seed in experiment.seeds:
                cells += _cells(builder, Line(checkpoint, name, start, seed + _SEED_STEP * number), seed)
    return UnitGraph(builder.units, tuple(cells), builder.wanted, tuple(alignments))


def _starts(builder: Builder, checkpoint: Checkpoint) -> list[tuple[str, int, Unit]]:
    """Return the pretrained models of a checkpoint: one, or one a pretraining seed, with name and seed."""
    seeds = builder.experiment.seeds_of(checkpoint)
    phase: Start = find_phase("pretrain" if seeds and checkpoint.pretrain else "load")
    if not seeds:
        return [(checkpoint.name, 0, phase.request(builder, checkpoint, checkpoint.name, 0))]
    names = {seed: f"{checkpoint.name}-s{seed}" for seed in seeds}
    return [(name, seed, phase.request(builder, checkpoint, name, seed)) for seed, name in names.items()]


def _cells(builder: Builder, line: Line, seed: int) -> list[Cell]:
    """Return the cells of one pretrained model and seed."""
    experiment, checkpoint = builder.experiment, line.checkpoint
    scoring: Scoring = find_phase(PROTOCOLS[experiment.protocol])
    trained: list[tuple[str, Unit]] = [("none", line.start)]
    if checkpoint.base_model is not None:
        trained = [(checkpoint.intermediate or "", line.start)]
    else:
        for each in experiment.intermediates:
            method: Method = find_phase(METHODS[each.method])
            trained.append((each.name, method.request(builder, line, each)))
    cells = []
    for intermediate, model in trained:
        baseline = intermediate == "none"
        plain = baseline or checkpoint.base_model is not None
        shown = line.name if plain else f"{line.name}+{intermediate}"
        for target in experiment.targets:
            task = builder.task(target.task)
            last, unit = scoring.request(builder, line, target, model, f"{shown} -> {task.name}")
            cells.append(
                Cell(
                    checkpoint=checkpoint.name,
                    model_family=checkpoint.model_family,
                    model=shown,
                    base_model="" if baseline else (checkpoint.base_model or line.name),
                    intermediate=intermediate,
                    task=task.name,
                    seed=seed,
                    split=target.split or task.evaluation_split,
                    protocol=experiment.protocol,
                    unit=unit.name,
                    trained=last.name if find_phase(last.kind).trains else "",
                    source=line.start.name,
                    params=checkpoint.params,
                )
            )
    return cells
