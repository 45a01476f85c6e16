"""``gainlaw design``: the power of a planned study, and what to add."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gainlaw.cli.printing import (
    OutputFormat,
    SafeCsv,
    console,
    json_text,
    note,
    progress_bar,
    show,
    show_json,
)

if TYPE_CHECKING:
    from gainlaw.designs import Design
    from gainlaw.power.reading import Request
    from gainlaw.power.study import Costs

__all__ = ["design"]


def design(
    study: Annotated[
        Path, typer.Argument(metavar="STUDY.toml", help="The plan, see docs/design.md.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Write the table, the figure and the numbers here.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulated studies.", min=0)] = 0,
    form: Annotated[OutputFormat, typer.Option("--format", help="How to print it.")] = "table",
    safe_csv: SafeCsv = False,
) -> None:
    """Say what a planned study will find: power, chance of each verdict, interval width, and what to add for the cost.

    Nothing is trained and no scores are needed. The answer is for a slope on points under the default linear law.
    """
    from gainlaw.designs import design as look_ahead
    from gainlaw.power.reading import read_request

    request = read_request(study)
    costs = _costs(request) if request.experiment else None
    with progress_bar("looking ahead") as progress:
        made = look_ahead(request, costs=costs, seed=seed, progress=progress)
    if form == "json":
        show_json(made.record())
    else:
        if form == "table":
            console().print(f"{made.answer}\n")
        show(made.table(), form, safe=safe_csv)
    if output is not None:
        _write(made, output, safe_csv)
        note(f"wrote {output}")


def _costs(request: Request) -> Costs:
    """Return what runs of an experiment's checkpoints cost, in GPU-hours, by its plan."""
    from gainlaw.cli.commands.plan import PLANNING, require_packages
    from gainlaw.errors import InputError, Problem
    from gainlaw.power.study import Costs

    require_packages("a plan", PLANNING)
    from gainlaw.training.experiment.reading import open_experiment
    from gainlaw.training.plan.report import make_plan
    from gainlaw.training.runs.graph import build_graph
    from gainlaw.training.train.machine import resolve_device

    asked = open_experiment(request.experiment)
    graph = build_graph(asked, resolve_device(asked.compute.device))
    made = make_plan(asked, graph)
    runs: dict[float, list[float]] = {}
    hours = 1.0 / (made.throughput_tflops * 3.6e15)
    for model in made.models:
        cells = {
            (cell.intermediate, cell.seed)
            for cell in graph.cells
            if cell.checkpoint == model.name and cell.intermediate != "none"
        }
        if model.flops > 0.0 and cells:
            runs.setdefault(model.params, []).append(model.flops * hours / len(cells))
    if not runs:
        hint = "its checkpoints need known configurations and an intermediate; or give costs.runs"
        raise InputError(
            Problem("the plan of the experiment knows no cost", "costs.experiment", hint=hint, kind="key")
        )
    known = {size: sum(each) / len(each) for size, each in runs.items()}
    return Costs("GPU-hours", known, request.costs.per_1000_items)


def _write(made: Design, output: Path, safe_csv: bool) -> None:
    from gainlaw._directory import new_directory
    from gainlaw._io import write_text_atomic
    from gainlaw._listing import FILES
    from gainlaw.figures.common.style import save_figure

    table = made.table()
    with new_directory(output, FILES, names=("design.json",)) as folder:
        write_text_atomic(folder / "design.csv", table.to_csv(safe=safe_csv))
        write_text_atomic(folder / "design.tex", table.to_latex())
        write_text_atomic(folder / "design.md", table.to_markdown())
        write_text_atomic(
            folder / "design.json",
            json_text(made.record()),
        )
        save_figure(made.plot(), folder / "design")
