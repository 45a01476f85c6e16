"""``gainlaw check``: what is in a table, what pairs, what is missing, what to fix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gainlaw.cli.given import GivenTable, reads_table
from gainlaw.cli.printing import console, records, show, show_json
from gainlaw.cli.sources import describe_gains
from gainlaw.errors import InputError, Problem
from gainlaw.notes import Note, count_of, name_lines

if TYPE_CHECKING:
    from rich.console import Console

    from gainlaw.scores.evaluations.check import Overview
    from gainlaw.scores.gains.table import Gains

__all__ = ["check"]


@reads_table
def check(
    given: GivenTable,
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="How to print it.")] = "table",
) -> None:
    """Read a table and say what is in it, what pairs, what is missing and what to fix.

    Every fault of a file is reported at once, with its column and lines.
    """
    from gainlaw.scores.gains.table import Gains

    table = given.open()
    if isinstance(table, Gains):
        _print_gains(table, form)
        return
    found = table.check()
    if form == "json":
        show_json(found.to_dict())
    else:
        _print_check(found)
    if not found.n_pairs:
        raise InputError(Problem("nothing pairs, so there is no gain to compute"), source=found.source)


def _print_check(found: Overview) -> None:
    from gainlaw.sizes import format_params
    from gainlaw.tables.record import Column
    from gainlaw.tables.table import Table as Printed

    out = console()
    name = Path(found.source).name
    out.print(
        f"{name}: {count_of(found.n_rows, 'score')}, {found.n_baselines} of them baselines\n"
        f"{found.n_pairs} of {count_of(found.n_intermediate_rows, 'row')} with an intermediate have a baseline: "
        f"{count_of(found.n_checkpoints, 'checkpoint')} of {count_of(found.n_sizes, 'size')}"
        + (f" ({', '.join(format_params(size) for size in found.sizes)})" if found.sizes else "")
    )
    if found.n_checkpoints < 3:
        out.print(
            "A slope over size rests on the checkpoints: with fewer than three it says next to nothing.",
            style="yellow",
        )
    percent = found.tasks.assign(
        chance=100 * found.tasks["chance"],
        mean_baseline=100 * found.tasks["mean_baseline"],
        mean_intermediate=100 * found.tasks["mean_intermediate"],
    )
    tables = (
        Printed(
            "pairs",
            "Pairs by intermediate and size",
            found.pairs,
            (
                Column("intermediate", "Intermediate"),
                Column("base_model", "Baseline"),
                Column("params", "Size", "params"),
                Column("pairs", "Pairs", "count"),
                Column("tasks", "Tasks", "count"),
                Column("languages", "Languages", "count"),
                Column("mean_gain", "Mean gain (points)", "number"),
            ),
            rule_by="intermediate",
        ),
        Printed(
            "tasks",
            "Tasks",
            percent,
            (
                Column("title", "Task"),
                Column("languages", "Languages", "count"),
                Column("pairs", "Pairs", "count"),
                Column("median_n", "Median n", "count"),
                Column("chance", "Chance (%)", "number"),
                Column("mean_baseline", "Baseline (%)", "number"),
                Column("mean_intermediate", "After (%)", "number"),
            ),
        ),
        Printed(
            "languages",
            "Language families",
            found.languages,
            (
                Column("language_family", "Family"),
                Column("languages", "Languages", "count"),
                Column("pairs", "Pairs", "count"),
                Column("codes", "Codes"),
            ),
        ),
    )
    for table in tables:
        if len(table.frame):
            out.print()
            show(table)
    _print_unpaired(found, out)
    _print_notes(found.notes, out)


def _print_unpaired(found: Overview, out: Console) -> None:
    if found.unpaired.empty:
        return
    out.print("\nRows without a baseline", style="bold")
    for reason, part in found.unpaired.groupby("reason", sort=False):
        out.print(f"  {count_of(len(part), 'row')}: {reason} ({name_lines(part['row'].tolist())})")


def _print_notes(notes: Sequence[Note], out: Console) -> None:
    if notes:
        out.print("\nWorth knowing", style="bold")
    for note in notes:
        warning = note.severity == "warning"
        out.print(f"  {'!' if warning else '-'} {note}", style="yellow" if warning else "")


def _print_gains(gains: Gains, output: str) -> None:
    from gainlaw import tables

    if output == "json":
        show_json(
            {
                "source": gains.source,
                "scale": gains.scale,
                "n_rows": len(gains),
                "n_checkpoints": int(
                    gains.frame.loc[gains.frame["checkpoint"].ne(""), "checkpoint"].nunique()
                ),
                "n_sizes": int(gains.frame["params"].nunique()),
                "notes": [note.to_dict() for note in gains.notes],
                "gains": records(gains.frame),
            }
        )
        return
    out = console()
    out.print(f"{Path(gains.source).name}: {describe_gains(gains)}")
    out.print()
    show(tables.data_table(gains))
    if gains.frame["checkpoint"].ne("").any():
        out.print()
        show(tables.checkpoints_table(gains))
    _print_notes(gains.notes, out)
