"""Run an experiment: graph, budget, units, results, record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment.configurations import configuration_of, counted_role
from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.experiment.taskchecks import folders_wanted
from gainlaw.training.phases.phase import do
from gainlaw.training.runs.graph import UnitGraph, build_graph
from gainlaw.training.runs.record import recorded_scores, write_record
from gainlaw.training.runs.results import BAD, write_results
from gainlaw.training.train.machine import count_gpus, default_workers, resolve_device
from gainlaw.units.schedule import Ended, run_units
from gainlaw.units.store import Store
from gainlaw.units.unit import Unit

__all__ = ["RunOutcome", "run_experiment"]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a run did and gave.

    Attributes
    ----------
    ends : tuple of Ended
        What became of each unit.
    scores : int
        Rows of the evaluations.
    warnings : tuple of str
        Runs that collapsed or diverged, and answers that are constant.
    """

    ends: tuple[Ended, ...]
    scores: int
    warnings: tuple[str, ...]


def run_experiment(
    experiment: Experiment,
    output: Path,
    *,
    device: str | None = None,
    workers: int | None = None,
    over_budget: bool = False,
    started: Callable[[Unit], None] = lambda unit: None,
    ended: Callable[[Ended], None] = lambda end: None,
    waiting: Callable[[], None] = lambda: None,
) -> RunOutcome:
    """Do what is not done of an experiment, and write its tables.

    Parameters
    ----------
    experiment : Experiment
        What to run.
    output : Path
        Folder of the run; it may hold finished units, of this or of other experiments.
    device, workers : optional
        Instead of the experiment's.
    over_budget : bool
        Whether to run although the plan exceeds the budget.
    started, ended, waiting : callable
        See `gainlaw.units.schedule.run_units`.

    Returns
    -------
    RunOutcome

    Raises
    ------
    InputError
        If the budget is exceeded, the device is not there, or a task that is on no hub has no local files.
    """
    chosen = resolve_device(device or experiment.compute.device)  # type: ignore[arg-type]
    if chosen == "cuda" and not count_gpus():
        hint = "try --device cpu"
        raise InputError(Problem("there is no CUDA device", "compute.device", hint=hint, kind="key"))
    wanted = folders_wanted(experiment)
    if wanted:
        hint = "its data is licensed and on no hub: give the folder with your copy"
        raise InputError(
            [Problem(f"{task} has no local files", f"data.{task}", hint=hint, kind="key") for task in wanted]
        )
    threads = experiment.compute.threads
    side_by_side = workers or experiment.compute.workers or default_workers(chosen, threads)
    graph = build_graph(experiment, chosen)
    store = Store(output / "units")
    _hold_to_budget(experiment, graph, store, over_budget)
    ends = run_units(
        graph.units,
        store,
        do,
        workers=side_by_side,
        first=partial(_size, graph, _parameters(experiment, graph)),
        started=started,
        ended=ended,
        waiting=waiting,
    )
    unchanged = all(end.state == "kept" for end in ends)
    known = recorded_scores(output, experiment, graph) if unchanged else None
    if known is not None:
        scores = known  # nothing was done, and the tables are those of what is there
    else:
        scores = write_results(graph, store, output, experiment.name)
        resolved = {"device": chosen, "threads": threads, "workers": side_by_side}
        write_record(output, experiment, graph, store, ends, resolved, scores)
    return RunOutcome(tuple(ends), scores, _warnings(output))


def _parameters(experiment: Experiment, graph: UnitGraph) -> dict[str, float]:
    """Return the number of parameters of the model of each unit that a checkpoint starts from, where it is known."""
    from gainlaw.training.plan.costs import count_parameters

    found: dict[str, float] = {}
    for checkpoint in experiment.checkpoints:
        config = configuration_of(experiment, checkpoint)
        size = checkpoint.params
        if size is None and config is not None:
            size = count_parameters(config, counted_role(experiment, config)).total
        if size is not None:
            found |= {cell.source: float(size) for cell in graph.cells if cell.checkpoint == checkpoint.name}
    return found


def _size(graph: UnitGraph, parameters: Mapping[str, float], unit: Unit) -> float:
    """Return how large the model of a unit is: the largest take longest, and others fill the gaps.

    What no model is read by (the world) goes first, and so does a model whose size is not known.
    """
    while "model" in unit.parents:
        unit = graph.units[unit.parents["model"]]
    return parameters.get(unit.name, float("inf"))


def _hold_to_budget(experiment: Experiment, graph: UnitGraph, store: Store, over_budget: bool) -> None:
    budget = experiment.budget
    if over_budget or (budget.gpu_hours, budget.disk_gb, budget.memory_gb) == (None, None, None):
        return
    from gainlaw.training.plan.report import make_plan

    over = make_plan(experiment, graph, store).over
    if over:
        hint = "raise the budget, run less, or add --over-budget"
        raise InputError(
            [
                Problem(f"the plan exceeds the budget: {line}", "budget", hint=hint, kind="key")
                for line in over
            ]
        )


def _warnings(output: Path) -> tuple[str, ...]:
    import pandas as pd

    file = output / "evaluations.csv"
    if not file.is_file():
        return ()
    table = pd.read_csv(file, keep_default_na=False)
    bad = table[table["run_status"].isin(BAD)]
    counts = Counter(zip(bad["run_status"], bad["model"], bad["task"], strict=True))
    return tuple(f"{status}: {model} on {task}" for status, model, task in counts)
