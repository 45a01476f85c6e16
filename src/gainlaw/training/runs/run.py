"""Run an experiment: graph, budget, units, results, record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment.configurations import configuration_of, counted_role, model_type_of
from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.experiment.taskchecks import folders_wanted
from gainlaw.training.phases.phase import do
from gainlaw.training.runs.commits import keep_commits, known_commits, look_up
from gainlaw.training.runs.graph import UnitGraph, build_graph
from gainlaw.training.runs.jobs import Fleet, start_local, start_slurm, watch_cancel
from gainlaw.training.runs.layout import Queue, experiment_folder, store_of, write_queue
from gainlaw.training.runs.record import recorded_scores, write_record
from gainlaw.training.runs.results import BAD, EVALUATIONS, write_results
from gainlaw.training.shards.launching import shards_of
from gainlaw.training.train.backbones import missing_readers
from gainlaw.training.train.machine import count_gpus, default_workers, resolve_device, visible_gpus
from gainlaw.units.execution import Ended
from gainlaw.units.schedule import run_units
from gainlaw.units.store import Store
from gainlaw.units.unit import Unit

__all__ = ["On", "RunOutcome", "run_experiment"]

On = Literal["here", "local", "slurm"]

#: Architectures whose authors published no tokenizer.json.
_SPIECE = ("mt5", "t5", "umt5")


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a run did and gave.

    Attributes
    ----------
    folder : Path
        Where the tables are.
    ends : tuple of Ended
        What became of each unit.
    scores : int
        Rows of the evaluations.
    warnings : tuple of str
        Trainings that collapsed or diverged, or have no record; tasks whose items were too long.
    """

    folder: Path
    ends: tuple[Ended, ...]
    scores: int
    warnings: tuple[str, ...]


def run_experiment(
    experiment: Experiment,
    output: Path,
    *,
    device: str | None = None,
    workers: int | None = None,
    on: On = "here",
    retries: int = 1,
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
        Folder of runs: ``units`` has the finished units of this and of other experiments, and a folder of the
        experiment's name gets its tables.
    device, workers : optional
        Instead of the experiment's.
    on : {"here", "local", "slurm"}
        Who does the units: worker processes of this one, one process for each GPU of this machine, or jobs under Slurm.
    retries : int
        How often a unit is tried again that failed for a reason that may pass. Units that failed in an earlier run
        are tried anew.
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
        If the budget is exceeded, the device is not there, a task that is on no hub has no local files, or an
        experiment of this name is being run there.
    """
    chosen = resolve_device(device or experiment.compute.device)  # type: ignore[arg-type]
    if on == "slurm" and device is None and experiment.compute.device == "auto":
        chosen = "cuda" if any(each.gpus for each in experiment.slurm) else "cpu"
    if chosen == "cuda" and on != "slurm" and not count_gpus():
        hint = "try --device cpu"
        raise InputError(Problem("there is no CUDA device", "compute.device", hint=hint, kind="key"))
    wanted = folders_wanted(experiment)
    if wanted:
        hint = "it is read from files of your own: give the folder where they are"
        raise InputError(
            [Problem(f"{task} has no local files", f"data.{task}", hint=hint, kind="key") for task in wanted]
        )
    unread = _unread_tokenizers(experiment)
    if unread:
        missing = missing_readers()
        hint = f"pip install {' '.join(missing)}"
        what = (
            f"the tokenizer of {', '.join(unread)} is read by {' and '.join(missing)}, which is not installed"
        )
        raise InputError(Problem(what, "checkpoints", hint=hint, kind="key"))
    threads = experiment.compute.threads
    side_by_side = workers or experiment.compute.workers or default_workers(chosen, threads)
    if on == "slurm":
        _require_slurm_classes(experiment)
    gpus = visible_gpus() if chosen == "cuda" and on != "slurm" else []
    _require_gpus(experiment, gpus)
    experiment = look_up(known_commits(experiment, output / experiment.name))
    graph = build_graph(experiment, chosen)
    store = store_of(output)
    _hold_to_budget(experiment, graph, store, over_budget)
    sizes = _parameters(experiment, graph)
    queue = Queue(
        experiment.name, graph.units, {u.name: _size(graph, sizes, u) for u in graph.units.values()}
    )
    ends: dict[str, Ended] = {}
    resolved = {"device": chosen, "threads": threads, "workers": side_by_side}

    unfinished: set[str] = set()

    def note(end: Ended) -> None:
        if on != "here" and end.state == "kept" and end.unit.name in unfinished:
            end = replace(end, state="done", seconds=store.seconds(end.unit.name) or 0.0)
        ends[end.unit.name] = end
        ended(end)

    with experiment_folder(output, experiment.name) as folder:
        keep_commits(experiment, folder)
        write_queue(folder, queue)
        store.forgive(graph.units)
        stop = watch_cancel(output)
        unfinished |= {name for name, unit in graph.units.items() if not store.has(unit)}
        fleet = _fleet(on, output, folder, experiment, chosen == "cuda", side_by_side, retries)

        def look() -> None:
            stop()
            if fleet is not None:
                fleet.require(lambda: any(store.holder(name) for name in graph.units.keys() - ends.keys()))
            waiting()

        try:
            run_units(
                graph.units,
                store,
                do,
                workers=0 if fleet is not None else side_by_side,
                takes=shards_of,
                devices=() if fleet is not None else gpus,
                retries=retries,
                first=lambda unit: queue.sizes[unit.name],
                started=started,
                ended=note,
                waiting=look,
            )
        finally:  # a run that is stopped, or fails, leaves the tables of what is finished
            if fleet is not None:
                fleet.stop()
            unchanged = len(ends) == len(graph.units) and all(e.state == "kept" for e in ends.values())
            scores = recorded_scores(folder, experiment, graph) if unchanged else None
            if scores is None:  # else nothing was done, and the tables are those of what is there
                scores = write_results(graph, store, folder, experiment.name)
                write_record(folder, experiment, graph, store, tuple(ends.values()), resolved, scores)
        return RunOutcome(folder, tuple(ends.values()), scores, _warnings(graph, store, folder))


def _require_slurm_classes(experiment: Experiment) -> None:
    if not experiment.slurm:
        hint = (
            "such as [[slurm]] with jobs = 4, gpus = 1, minutes = 240, and partition where there are several"
        )
        what = "the experiment does not say what jobs to submit"
        raise InputError(Problem(what, "slurm", hint=hint, kind="key"))


def _require_gpus(experiment: Experiment, gpus: Sequence[str]) -> None:
    """Refuse models that are spread over more GPUs than there are here, if it is a GPU that they run on."""
    wide = [each for each in experiment.checkpoints if gpus and each.shards > len(gpus)]
    if wide:
        hint = "spread them over fewer, leave them out with --without, or run it where there are more"
        asked = ", ".join(f"{each.name} over {each.shards}" for each in wide)
        what = f"there are {len(gpus)} GPUs here, and models are spread over more: {asked}"
        raise InputError(Problem(what, "checkpoints.shards", hint=hint, kind="key"))


def _fleet(
    on: On, output: Path, folder: Path, experiment: Experiment, gpu: bool, workers: int, retries: int
) -> Fleet | None:
    """Start the workers that are not this process's own."""
    if on == "local":
        return start_local(output, folder, gpu=gpu, workers=workers, retries=retries)
    if on == "slurm":
        threads = experiment.compute.threads
        return start_slurm(output, folder, experiment.slurm, threads=threads, retries=retries)[0]
    return None


def _unread_tokenizers(experiment: Experiment) -> list[str]:
    """Return the checkpoints whose tokenizer cannot be read here: published as spiece.model, as mT5's are."""
    if not missing_readers():
        return []
    return [
        checkpoint.name
        for checkpoint in experiment.checkpoints
        if (checkpoint.hub or "").startswith("google/") and model_type_of(experiment, checkpoint) in _SPIECE
    ]


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


def _warnings(graph: UnitGraph, store: Store, folder: Path) -> tuple[str, ...]:
    return (*_bad_endings(folder), *_cut_items(graph, store))


def _bad_endings(folder: Path) -> list[str]:
    import pandas as pd

    file = folder / EVALUATIONS
    if not file.is_file():
        return []
    table = pd.read_csv(file, keep_default_na=False)
    bad = table[table["run_status"].isin(BAD)]
    counts = Counter(zip(bad["run_status"], bad["model"], bad["task"], strict=True))
    return [f"{status}: {model} on {task}" for status, model, task in counts]


def _cut_items(graph: UnitGraph, store: Store) -> list[str]:
    """Return of which tasks items did not fit the inputs, with the largest share of them."""
    most: dict[tuple[str, str], float] = {}
    for unit in graph.units.values():
        folder, found = store.path(unit.name), {}
        with suppress(OSError, ValueError, KeyError, TypeError):
            if (folder / "scores.json").is_file():
                scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
                found = {(unit.spec["task"], "scored"): max(each.get("cut", 0.0) for each in scores)}
            elif (folder / "result.json").is_file():
                result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
                found = {(task, "trained on"): share for task, share in result.get("cut", {}).items()}
        for key, share in found.items():
            most[key] = max(most.get(key, 0.0), share)
    return [
        f"{task}: {share:.1%} of the items {use} were too long, and their contexts cut; raise max_length"
        for (task, use), share in most.items()
        if share
    ]
