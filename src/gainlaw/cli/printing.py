"""What commands print: tables for people, CSV and JSON for programs."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table as RichTable

    from gainlaw.notes import Note
    from gainlaw.tables.record import Column
    from gainlaw.tables.table import Table

__all__ = [
    "Json",
    "OutputFormat",
    "SafeCsv",
    "console",
    "json_text",
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

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

SafeCsv = Annotated[
    bool,
    typer.Option(
        "--safe-csv", help="Put ' before text in CSV that a spreadsheet would run: what begins with = + - @."
    ),
]

# Columns of a line where no terminal says how many it has.
_PIPED = 80
# Spaces between the columns of a table.
_GAP = 3
# Text is not squeezed into fewer columns than these by the side of others.
_TEXT = 16
_SHORT = 8
# Seconds of work of which nothing is said in a log.
_SILENT = 2.0

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
    """Return a rich console on standard output, as wide as the terminal; COLUMNS says otherwise, also where none is."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Output(width=_columns(), highlight=False, emoji=False, markup=False)


def _columns() -> int:
    return shutil.get_terminal_size((_PIPED, 24)).columns


def _folded(text: str) -> str:
    """Return a sentence in lines that fit; names and numbers stay whole."""
    return textwrap.fill(
        text, _columns(), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function of (done, total) that says on standard error how far the work is and how long it will take.

    On a terminal it moves a bar in one line, which goes in the end; elsewhere, as in a log, it writes a line at every
    tenth of work that has taken two seconds.
    """
    if not sys.stderr.isatty():
        yield _Lines(label)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)

        def move(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield move


class _Lines:
    """Progress in lines, see `progress_bar`."""

    def __init__(self, label: str) -> None:
        self.label, self.begun, self.tenth = label, time.monotonic(), 0

    def __call__(self, done: int, total: int) -> None:
        tenth, taken = 10 * done // max(total, 1), time.monotonic() - self.begun
        if self.tenth < tenth < 10 and taken > _SILENT:
            self.tenth = tenth
            left = taken * (total - done) / done
            words = f"{left:.0f} s" if left < 100 else f"{left / 60:.0f} min"
            note(f"{self.label}: {10 * tenth}%, about {words} left")


def note(text: str) -> None:
    """Print a sentence on standard error, so that standard output stays a table or a record."""
    typer.echo(_folded(text), err=True)


def print_warnings(notes: Iterable[Note], *, remarks: bool = False) -> None:
    """Print what a table warns of on standard error, one line a note, and its remarks too where they are asked for."""
    for each in notes:
        if each.severity == "warning":
            typer.secho(_folded(f"warning: {each}"), err=True, fg=typer.colors.YELLOW)
        elif remarks:
            note(f"note: {each}")


def warn(text: str) -> None:
    """Print a sentence that must not be missed on standard error, in red on a terminal."""
    typer.secho(_folded(text), err=True, fg=typer.colors.RED, bold=True)


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
    typer.echo(json_text(value), nl=False)


def json_text(value: object) -> str:
    r"""Return a value as indented JSON.

    Examples
    --------
    >>> json_text({"slope": 6.2})
    '{\n  "slope": 6.2\n}\n'
    """
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


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
    from rich.text import Text

    out = console()
    cells = table.cells()
    if table.caption:
        out.print(Text(table.caption, style="bold"), soft_wrap=False)
    for number, widths in enumerate(_fit(table.columns, cells, out.width)):
        if number:
            out.print()
        out.print(_grid(table, cells, widths))
    for line in table.notes:
        out.print(Text(line, style="dim"))


def _grid(table: Table, cells: Sequence[Sequence[str]], widths: Mapping[int, int]) -> RichTable:
    """Return some columns of a table, given by their position with their widths."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for position, width in widths.items():
        column = table.columns[position]
        grid.add_column(
            Text(column.title), justify="left" if column.left else "right", overflow="fold", width=width
        )
    breaks = table.breaks()
    for row, shown in enumerate(cells):
        if row in breaks:
            grid.add_section()
        styled = (
            Text(shown[k], style=_style_of(shown[k]) if table.columns[k].kind == "status" else "")
            for k in widths
        )
        grid.add_row(*styled)
    return grid


def _style_of(status: str) -> str:
    return _STATUS_STYLES.get(status.split(":")[0], "")


def _fit(columns: Sequence[Column], cells: Sequence[Sequence[str]], room: int) -> list[dict[int, int]]:
    """Return the widths of columns by their position, in as many grids as it takes for each to fit into the room.

    Text wraps, numbers do not. What does not fit stands in a grid below, behind the leading columns of text again.
    """
    from rich.cells import cell_len

    most, least = [], []
    for position, column in enumerate(columns):
        texts = [column.title, *(row[position] for row in cells)]
        most.append(max(map(cell_len, texts)))
        words = [word for text in (texts if column.left else texts[:1]) for word in _words(text)]
        whole = [] if column.left else texts[1:]
        needed = max(map(cell_len, (*words, *whole)), default=0)
        wanted = max(needed, min(most[-1], _TEXT)) if column.left else needed
        # A word longer than half a line is broken, in a column that leaves room for another.
        least.append(min(wanted, max((room - _GAP) // 2, 1)))

    def taken(chosen: Sequence[int]) -> int:
        return sum(least[k] + _GAP for k in chosen) - _GAP

    lead = [0]
    while len(lead) < len(columns) and columns[len(lead)].left and taken([*lead, len(lead)]) <= room // 2:
        lead.append(len(lead))
    grids = [list(lead)]
    for position in range(len(lead), len(columns)):
        if len(grids[-1]) > len(lead) and taken([*grids[-1], position]) > room:
            grids.append(list(lead))
        grids[-1].append(position)
    return [_share(chosen, least, most, room) for chosen in grids]


def _words(text: str) -> list[str]:
    """Return what is not broken; a short heading such as "P(> 0)" is one word."""
    return [text] if len(text) <= _SHORT else text.split()


def _share(chosen: Sequence[int], least: Sequence[int], most: Sequence[int], room: int) -> dict[int, int]:
    """Return widths between what columns need and what they would like; those that would like little come first."""
    spare = room - sum(least[k] + _GAP for k in chosen) + _GAP
    widths = {k: least[k] for k in chosen}
    waiting = sorted(chosen, key=lambda k: most[k] - least[k])
    for number, k in enumerate(waiting):
        more = max(min(most[k] - least[k], spare // (len(waiting) - number)), 0)
        widths[k] += more
        spare -= more
    return widths
