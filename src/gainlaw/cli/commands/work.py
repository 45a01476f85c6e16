"""``gainlaw work``: do units that `gainlaw run` asked for, from another process or machine."""

from __future__ import annotations

import time
from collections import Counter
from typing import Annotated

import typer

from gainlaw.cli.commands.gc import RunsFolder
from gainlaw.cli.commands.plan import RUNNER, require_packages
from gainlaw.cli.commands.run import display, duration, told_failures, told_when_cancelled
from gainlaw.cli.printing import Json, console, show_json
from gainlaw.notes import count_of

__all__ = ["work"]


def work(
    runs: RunsFolder,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Units side by side [default: cores / threads, or 1 on a GPU].")
    ] = None,
    retries: Annotated[
        int,
        typer.Option(min=0, help="How often a unit is tried again that failed for a reason that may pass."),
    ] = 1,
    max_params: Annotated[
        float | None,
        typer.Option(min=1, metavar="N", help="Leave units of larger models to others, such as 1e9."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Do what the experiments of a folder of runs want done and nobody is doing, until nothing is left.

    Start one for each machine that sees RUNS, or each GPU (CUDA_VISIBLE_DEVICES), by any scheduler, beside
    `gainlaw run` or without it, and kill them as you like. The tables are written by `gainlaw run EXPERIMENT -o RUNS`,
    which waits for what others are doing. Exits 1 when a unit failed.
    """
    require_packages("the runner", RUNNER)
    from gainlaw.training.runs.work import work as do_work

    begun = time.monotonic()
    with told_when_cancelled(), display(runs) as (started, ended, waiting):
        ends = do_work(
            runs,
            workers=workers,
            retries=retries,
            max_params=max_params,
            started=started,
            ended=ended,
            waiting=waiting,
        )
    counts = Counter(end.state for end in ends)
    if as_json:
        show_json([{"unit": end.unit.name, "label": end.unit.label, "state": end.state} for end in ends])
    else:
        done = f"{count_of(counts['done'], 'unit')} done in {duration(time.monotonic() - begun)}"
        console().print(f"{runs}: {done}, {counts['kept']} by others or before")
    told_failures(ends)
