"""``gainlaw plan``: what an experiment will do and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gainlaw.cli.guard import UNTRUSTED
from gainlaw.cli.printing import OutputFormat, console, note, show, show_json, warn
from gainlaw.notes import count_of

if TYPE_CHECKING:
    from gainlaw.tables.table import Table
    from gainlaw.training.plan.report import Plan

__all__ = [
    "PLANNING",
    "RUNNER",
    "ExperimentFile",
    "Only",
    "Without",
    "listed",
    "plan",
    "require_packages",
]

#: What reading an experiment and counting its costs need.
PLANNING = ("pydantic", "tokenizers")
#: What training and scoring need.
RUNNER = ("torch", "transformers", "safetensors", *PLANNING)

ExperimentFile = Annotated[
    str,
    typer.Argument(
        metavar="[EXPERIMENT]",
        help="A .toml file, the run.json of an earlier run, or a shipped experiment: ladder, ladder_full, "
        "xtreme_r, xtreme_r_lora, mt5, prompted.",
    ),
]


Only = Annotated[
    str | None,
    typer.Option(metavar="NAME,...", help="Of the checkpoints, intermediates or targets, these only."),
]
Without = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...",
        help="Without these checkpoints, intermediates, targets, or tasks of an intermediate.",
    ),
]


def plan(
    experiment: ExperimentFile = "ladder",
    only: Only = None,
    without: Without = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="RUNS", help="The folder of the run: what is done there counts as done."
        ),
    ] = None,
    units: Annotated[bool, typer.Option("--units", help="List every unit.")] = False,
    parallel: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="GPUs side by side [default: the jobs of [[slurm]], compute.workers, or 1].",
        ),
    ] = None,
    memory: Annotated[
        bool,
        typer.Option(
            "--memory", help="What a GPU needs for all weights, adapters, and models that are sharded."
        ),
    ] = False,
    shards: Annotated[
        int, typer.Option(min=2, metavar="N", help="GPUs that --memory spreads a model over.")
    ] = 8,
    price: Annotated[float | None, typer.Option(min=0, help="Of a GPU-hour: say what it costs.")] = None,
    currency: Annotated[str, typer.Option(help="What --price is in.")] = "USD",
    form: Annotated[OutputFormat, typer.Option("--format", help="How to print.")] = "table",
) -> None:
    """Say what an experiment will do: units, parameters, FLOPs, GPU-hours, wall time, memory, disk and cost.

    Nothing is downloaded and no weights are loaded. Exits 1 when the budget of the experiment is exceeded.
    """
    require_packages("a plan", PLANNING)
    from gainlaw.training.experiment.reading import open_experiment
    from gainlaw.training.plan.report import make_plan
    from gainlaw.training.runs.commits import known_commits
    from gainlaw.training.runs.graph import build_graph
    from gainlaw.training.runs.layout import store_of
    from gainlaw.training.train.machine import resolve_device

    asked = open_experiment(experiment, listed(only), listed(without))
    asked = known_commits(asked, None if output is None else output / asked.name)
    graph = build_graph(asked, resolve_device(asked.compute.device))
    store = None if output is None else store_of(output)
    made = make_plan(asked, graph, store, parallel=parallel, shards=shards, price=price)
    if form == "json":
        show_json(made.record())
    else:
        for table in (*_tables(made, units), *([_memory(made)] if memory else [])):
            show(table, form)
        if form == "table":
            _totals(made, currency)
    if made.over:
        for line in made.over:
            warn(f"over budget: {line}")
        raise typer.Exit(UNTRUSTED)


def listed(names: str | None) -> list[str]:
    """Return names that are separated by commas."""
    return [name.strip() for name in (names or "").split(",") if name.strip()]


def require_packages(what: str, names: Sequence[str]) -> None:
    """Raise an error that says what to install when packages are not there."""
    from importlib.util import find_spec

    from gainlaw.errors import InputError, Problem

    missing = [name for name in names if find_spec(name) is None]
    if missing:
        hint = f"pip install {' '.join(missing)}; the statistics need none of it"
        raise InputError(Problem(f"{what} needs {', '.join(missing)}", hint=hint))


def _tables(made: Plan, units: bool) -> list[Table]:
    import pandas as pd

    from gainlaw.tables.record import Column
    from gainlaw.tables.table import Table

    hours = 1.0 / (made.throughput_tflops * 3.6e15)
    models = pd.DataFrame([asdict(model) for model in made.models])
    models = models.assign(pflops=models["flops"] / 1e15, gpu_hours=models["flops"] * hours)
    phases = pd.DataFrame(
        {
            "phase": list(made.distinct),
            "wanted": [made.wanted[phase] for phase in made.distinct],
            "distinct": list(made.distinct.values()),
            "done": [made.done.get(phase, 0) for phase in made.distinct],
        }
    )
    work = (
        Column("pflops", "PFLOPs", "general"),
        Column("gpu_hours", "GPU-hours", "general"),
        Column("gpus", "GPUs a unit", "count"),
        Column("memory_gb", "peak GB of each", "general"),
        Column("disk_gb", "disk, GB", "general"),
    )
    tables = [
        Table(
            "checkpoints",
            "Checkpoints",
            models,
            (
                Column("name", "checkpoint"),
                Column("model_family", "family"),
                Column("params", "parameters", "params"),
                Column("params_non_embedding", "without embeddings", "params"),
                Column("trained", "trained", "params"),
                Column("units", "units", "count"),
                Column("done", "done", "count"),
                *work,
            ),
        ),
        Table(
            "units",
            "Units",
            phases,
            (
                Column("phase", "phase"),
                Column("wanted", "asked for", "count"),
                Column("distinct", "distinct", "count"),
                Column("done", "done", "count"),
            ),
        ),
    ]
    if units:
        listed = pd.DataFrame([asdict(unit) for unit in made.units])
        listed = listed.assign(
            pflops=listed["flops"] / 1e15,
            gpu_hours=listed["flops"] * hours,
            done=listed["done"].map({True: "yes", False: "no"}),
        )
        columns = (Column("name", "unit", "code"), Column("label", "what"), Column("done", "done"), *work)
        tables.append(Table("every_unit", "Every unit", listed, columns))
    return tables


def _memory(made: Plan) -> Table:
    import pandas as pd

    from gainlaw.tables.record import Column
    from gainlaw.tables.table import Table

    columns = (
        Column("name", "checkpoint"),
        Column("params", "parameters", "params"),
        Column("memory_gb", "as stated", "general"),
        Column("full_gb", "all weights", "general"),
        Column("adapters_gb", "adapters", "general"),
        Column("sharded_gb", f"all weights over {made.shards} GPUs", "general"),
    )
    return Table(
        "memory", "Peak memory of a GPU, GB", pd.DataFrame([asdict(m) for m in made.models]), columns
    )


def _totals(made: Plan, currency: str) -> None:
    from gainlaw.formats import format_general

    total, done = sum(made.distinct.values()), sum(made.done.values())
    hours, left = format_general(made.gpu_hours), format_general(made.left_gpu_hours)
    console().print(
        f"{count_of(total, 'unit')}, {done} done. "
        f"{hours} GPU-hours at {made.throughput_tflops:g} TFLOP/s, {left} of them left; "
        f"{format_general(made.disk_gb)} GB of disk; peak memory {format_general(made.memory_gb)} GB."
    )
    wall, remains = format_general(made.wall_hours), format_general(made.left_wall_hours)
    jobs = ", ".join(f"{count} {name}" for name, count in made.jobs.items())
    by = f" (jobs under Slurm: {jobs})" if jobs else ""
    console().print(
        f"{wall} hours with {count_of(made.parallel, 'GPU')} at work{by}, {remains} of them left."
    )
    if made.price is not None and made.cost is not None and made.left_cost is not None:
        price = f"{format_general(made.price)} {currency} a GPU-hour"
        console().print(f"{made.cost:,.2f} {currency} at {price}, {made.left_cost:,.2f} of them left.")
    for line in made.notes:
        note(line)
