"""Run an experiment: graph, budget, units, results, record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.experiment.taskchecks import folders_wanted
from gainlaw.training.train.machine import count_gpus, default_workers, resolve_device
from gainlaw.training.units.graph import Graph, build_graph
from gainlaw.training.units.record import recorded_scores, write_record
from gainlaw.training.units.results import write_results
from gainlaw.training.units.schedule import Summary, run_units
from gainlaw.training.units.store import Store
from gainlaw.training.units.units import Unit

__all__ = ["RunOutcome", "run_experiment"]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a run did and gave.

    Attributes
    ----------
    summary : Summary
        Units done, found done, failed.
    scores : int
        Rows of the evaluations.
    warnings : tuple of str
        Runs that collapsed or diverged, and answers that are constant.
    labels : mapping of str to str
        What each unit does.
    """

    summary: Summary
    scores: int
    warnings: tuple[str, ...]
    labels: Mapping[str, str]


def run_experiment(
    experiment: Experiment,
    output: Path,
    *,
    device: str | None = None,
    workers: int | None = None,
    over_budget: bool = False,
    started: Callable[[Unit], None] = lambda unit: None,
    finished: Callable[[Unit, float, str], None] = lambda unit, seconds, error: None,
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
    started, finished, waiting : callable
        See `gainlaw.training.units.schedule.run_units`.

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
    summary = run_units(
        graph,
        store,
        device=chosen,
        threads=threads,
        workers=side_by_side,
        snapshot_seconds=experiment.compute.snapshot_seconds,
        started=started,
        finished=finished,
        waiting=waiting,
    )
    known = None if summary.executed or summary.failed else recorded_scores(output, experiment, graph)
    if known is not None:
        scores = known  # nothing was done, and the tables are those of what is there
    else:
        scores = write_results(graph, store, output, experiment.name)
        resolved = {"device": chosen, "threads": threads, "workers": side_by_side}
        write_record(output, experiment, graph, store, summary, resolved, scores)
    labels = {name: unit.label for name, unit in graph.units.items()}
    return RunOutcome(summary, scores, _warnings(output), labels)


def _hold_to_budget(experiment: Experiment, graph: Graph, store: Store, over_budget: bool) -> None:
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
    bad = table[table["run_status"].isin(["collapsed", "diverged"])]
    counts = Counter(zip(bad["run_status"], bad["model"], bad["task"], strict=True))
    return tuple(f"{status}: {model} on {task}" for status, model, task in counts)
