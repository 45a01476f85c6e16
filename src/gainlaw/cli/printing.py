"""What commands print: tables for people, CSV and JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from gainlaw.notes import Note
    from gainlaw.tables.table import Table

__all__ = [
    "OutputFormat",
    "SafeCsv",
    "console",
    "note",
    "print_warnings",
    "progress_bar",
    "records",
    "show",
    "show_frame",
    "show_json",
    "warn",
]

OutputFormat = Literal["table", "csv", "json"]

SafeCsv = Annotated[
    bool,
    typer.Option(
        "--safe-csv", help="Put ' before text in CSV that a spreadsheet would run: what begins with = + - @."
    ),
]

_STATUS_STYLES = {
    "failed": "bold red",
    "scale-dependent": "yellow",
    "inconclusive": "yellow",
    "supported": "green",
    "refuted": "red",
    "supported on one scale": "green",
    "refuted on one scale": "red",
    "untested": "dim",
}


def console() -> Console:
    """Return a rich console on standard output; piped output is neither wrapped nor coloured."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    wide = None if sys.stdout.isatty() else 1000
    return Output(width=wide, highlight=False, emoji=False, markup=False)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None] | None]:
    """Give a function of (done, total) that moves a bar on standard error, or None where no terminal is."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)

        def move(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield move


def note(text: str) -> None:
    """Print a sentence on standard error, so that standard output stays a table or a record."""
    typer.echo(text, err=True)


def print_warnings(notes: Iterable[Note], *, remarks: bool = False) -> None:
    """Print what a table warns of on standard error, one line a note, and its remarks too where they are asked for."""
    for each in notes:
        if each.severity == "warning":
            typer.secho(f"warning: {each}", err=True, fg=typer.colors.YELLOW)
        elif remarks:
            note(f"note: {each}")


def warn(text: str) -> None:
    """Print a sentence that must not be missed on standard error, in red on a terminal."""
    typer.secho(text, err=True, fg=typer.colors.RED, bold=True)


def show(table: Table, output: OutputFormat = "table", *, safe: bool = False) -> None:
    """Print a table: as a person reads it, as CSV at full precision, or as a JSON list of records.

    Parameters
    ----------
    table : gainlaw.tables.Table
        What to print. CSV and JSON hold its whole frame, the table form the columns that it shows.
    output : {"table", "csv", "json"}
        The form.
    safe : bool
        Prefix the cells of CSV that a spreadsheet would run.
    """
    if output == "table":
        _show_rich(table)
    else:
        show_frame(table.frame, output, safe=safe)


def show_frame(frame: pd.DataFrame, output: Literal["csv", "json"], *, safe: bool = False) -> None:
    """Print a frame as CSV at full precision, or as a JSON list of records."""
    if output == "csv":
        from gainlaw._io import csv_text

        typer.echo(csv_text(frame, safe=safe), nl=False)
    else:
        show_json(records(frame))


def show_json(value: object) -> None:
    """Print a value as indented JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def records(frame: pd.DataFrame) -> list[Mapping[str, object]]:
    """Return the rows of a frame as plain records for JSON; missing values are null, never 0.

    Examples
    --------
    >>> import pandas as pd
    >>> records(pd.DataFrame({"task": ["xnli"], "mean": [float("nan")]}))
    [{'task': 'xnli', 'mean': None}]
    """
    text = frame.to_json(orient="records", double_precision=15, force_ascii=False)
    rows: list[Mapping[str, object]] = json.loads(text)
    return rows


def _show_rich(table: Table) -> None:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    out = console()
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in table.columns:
        grid.add_column(Text(column.title), justify="left" if column.left else "right", overflow="fold")
    breaks = table.breaks()
    for position, cells in enumerate(table.cells()):
        if position in breaks:
            grid.add_section()
        styled = (
            Text(cell, style=_STATUS_STYLES.get(cell.split(":")[0], "") if column.kind == "status" else "")
            for column, cell in zip(table.columns, cells, strict=True)
        )
        grid.add_row(*styled)
    if table.caption:
        out.print(Text(table.caption, style="bold"), soft_wrap=False)
    out.print(grid)
    for line in table.notes:
        out.print(Text(line, style="dim"))
