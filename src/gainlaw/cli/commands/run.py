"""``gainlaw run``: train and score the models of an experiment."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gainlaw.cli.commands.plan import RUNNER, ExperimentFile, Only, Without, listed, require_packages
from gainlaw.cli.guard import UNTRUSTED
from gainlaw.cli.printing import Json, console, note, show_json, warn
from gainlaw.errors import InputError, Problem
from gainlaw.notes import count_of

if TYPE_CHECKING:
    from gainlaw.units.execution import Ended
    from gainlaw.units.unit import Unit

__all__ = ["display", "duration", "run", "told_failures", "told_when_cancelled"]


def run(
    experiment: ExperimentFile = "ladder",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="RUNS", help="The folder to write to.")
    ] = Path("runs"),
    only: Only = None,
    without: Without = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Units side by side [default: the experiment's, else cores / threads, or 1 on a GPU]."
        ),
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"] | None, typer.Option(help="[default: the experiment's]")
    ] = None,
    on: Annotated[
        Literal["here", "local", "slurm"],
        typer.Option(
            help="Who does the units: this process and its workers, one process for each GPU of this machine, or jobs "
            "under Slurm, as the experiment's [[slurm]] says."
        ),
    ] = "here",
    retries: Annotated[
        int,
        typer.Option(min=0, help="How often a unit is tried again that failed for a reason that may pass."),
    ] = 1,
    over_budget: Annotated[
        bool, typer.Option("--over-budget", help="Run although the plan exceeds the budget.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train and score every model of an experiment; what is finished is never done again.

    RUNS/NAME, after the name of the experiment, gets evaluations.csv and predictions.parquet, which `gainlaw gains`,
    `fit` and `curve` read, and run.json, the record; RUNS/units has the finished units of all experiments that are run
    there. Stop it at any time; the same command goes on from there. Exits 1 when a unit failed: why is kept with it,
    and the others go on. A training that collapsed is named, and marked in the table.
    """
    require_packages("the runner", RUNNER)
    from gainlaw.training.experiment.reading import open_experiment
    from gainlaw.training.runs.run import run_experiment

    asked = open_experiment(experiment, listed(only), listed(without))
    if output.exists() and not output.is_dir():
        raise InputError(Problem(f"{output} is a file; -o names a folder"))
    begun = time.monotonic()
    with told_when_cancelled(), display(output) as (started, ended, waiting):
        outcome = run_experiment(
            asked,
            output,
            device=device,
            workers=workers,
            on=on,
            retries=retries,
            over_budget=over_budget,
            started=started,
            ended=ended,
            waiting=waiting,
        )
    counts = Counter(end.state for end in outcome.ends)
    done = f"{count_of(counts['done'], 'unit')} done in {duration(time.monotonic() - begun)}"
    if as_json:
        units = [{"unit": end.unit.name, "label": end.unit.label, "state": end.state} for end in outcome.ends]
        show_json(
            {
                "output": str(outcome.folder),
                "scores": outcome.scores,
                "units": units,
                "warnings": list(outcome.warnings),
            }
        )
    else:
        console().print(
            f"{outcome.folder}: {count_of(outcome.scores, 'score')}; {done}, {counts['kept']} were done before"
        )
    for line in outcome.warnings:
        note(line)
    told_failures(outcome.ends)


def told_failures(ends: Sequence[Ended]) -> None:
    """Say which units failed and why, and exit with 1 if any did."""
    for end in ends:
        if end.state == "failed":
            warn(f"failed: {end.unit.label}: {end.said}")
    counts = Counter(end.state for end in ends)
    if counts["left"]:
        warn(f"not begun, for want of a failed one: {count_of(counts['left'], 'unit')}")
    if counts["failed"]:
        raise typer.Exit(UNTRUSTED)


_TOLD = ("done", "failed", "retried", "damaged", "stopped")
Listeners = tuple[Callable[["Unit"], None], Callable[["Ended"], None], Callable[[], None]]


@contextmanager
def told_when_cancelled() -> Iterator[None]:
    """Say why work was cancelled, and exit for it."""
    from gainlaw.training.runs.jobs import CancelledError

    try:
        yield
    except CancelledError as error:
        warn(str(error))
        raise typer.Exit(UNTRUSTED) from None


@contextmanager
def display(output: Path) -> Iterator[Listeners]:
    """Give the three listeners of a run: bars on a terminal, a line a unit elsewhere."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
    )

    from gainlaw.training.runs.layout import store_of
    from gainlaw.training.runs.standing import last_line

    console = Console(stderr=True, highlight=False)
    shown: dict[str, tuple[Unit, TaskID]] = {}
    numbers = itertools.count(1)

    def line(end: Ended) -> str:
        how = {"failed": "  FAILED", "damaged": f"  {end.said}", "stopped": "  stopped"}
        how["retried"] = f"  failed, and is tried again: {end.said}"
        return f"{next(numbers):4d}  {end.seconds:7.1f} s  {end.unit.label}{how.get(end.state, '')}"

    if not console.is_terminal:

        def ended(end: Ended) -> None:
            if end.state in _TOLD:
                note(line(end))

        yield (lambda unit: None), ended, (lambda: None)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[what]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:

        def began(unit: Unit) -> None:
            shown[unit.name] = unit, bar.add_task(unit.label, total=None, what="")

        def ended_bar(end: Ended) -> None:
            if end.unit.name in shown:
                bar.remove_task(shown.pop(end.unit.name)[1])
            if end.state in _TOLD:
                bar.console.print(line(end))

        store = store_of(output)

        def look() -> None:
            for unit, task in shown.values():
                record = next(map(last_line, store.parts(unit.name)), None)
                if record:
                    what = (
                        f"loss {record['loss']:.3f}  {record['tokens_per_second']:,} tokens/s  "
                        f"{duration(record['left_seconds'])} left"
                    )
                    bar.update(task, completed=record["step"], total=record["steps"], what=what)

        yield began, ended_bar, look


def duration(seconds: float) -> str:
    """Return seconds as people say them.

    Examples
    --------
    >>> duration(3.2), duration(75), duration(7400)
    ('3 s', '1 min 15 s', '2 h 3 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
