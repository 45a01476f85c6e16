"""``gainlaw import``: the results of other programs to a table of scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gainlaw.cli.given import reads_results
from gainlaw.cli.printing import Json, note, print_warnings, progress_bar, show_json
from gainlaw.cli.results import GivenResults
from gainlaw.errors import InputError, Problem
from gainlaw.notes import count_of

if TYPE_CHECKING:
    from gainlaw.scores.evaluations.table import Evaluations

__all__ = ["import_"]

_TABLES = {".csv", ".parquet", ".pq"}


@reads_results
def import_(
    given: GivenResults,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="EVALS",
            help="The .csv or .parquet file to write, or a folder, which also gets the answers to the items; - is "
            "standard output.",
            show_default=False,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Make a table of scores of the results of other programs, with the baseline of every model.

    Reads what evaluation programs and leaderboards write. What was read, left out and why is told on standard error.
    Without pairs it suggests some, and writes nothing.
    """
    from gainlaw._directory import check_file_target
    from gainlaw._io import csv_text
    from gainlaw.scores.evaluations.pairing import pair_rows

    to_stdout = str(output) == "-"
    if to_stdout and as_json:
        raise InputError(Problem("standard output holds the table or the JSON, not both"))
    folder = not to_stdout and output.suffix.lower() not in _TABLES
    if not (folder or to_stdout):
        check_file_target(output)
    with progress_bar("reading files") as progress:
        evaluations = given.open(progress)
    if folder:
        _refuse_stale(evaluations, output)
    if to_stdout:
        typer.echo(csv_text(evaluations.written()), nl=False)
    else:
        output = evaluations.write(output)
    paired = len(pair_rows(evaluations.frame).intermediate)
    answers = 0 if evaluations.predictions is None else len(evaluations.predictions)
    if as_json:
        counts = {"n_scores": len(evaluations), "n_paired": paired, "n_answers": answers if folder else 0}
        show_json({"file": str(output), **counts, "notes": [each.to_dict() for each in evaluations.notes]})
        return
    print_warnings(evaluations.notes, remarks=True)
    said = f"{count_of(len(evaluations), 'score')}, {paired} of them with a baseline"
    if answers and folder:
        said += f" and {answers} answers to items"
    elif answers:
        place = "FOLDER" if to_stdout else output.stem
        said += f" (the files hold answers to items too: name a folder to keep them, -o {place})"
    note(f"{output}: {said}")


def _refuse_stale(evaluations: Evaluations, folder: Path) -> None:
    """Raise an InputError where answers that lie in a folder would be taken for those of new scores."""
    stale = [name for name in ("predictions.parquet", "predictions.csv") if (folder / name).exists()]
    if stale and (evaluations.predictions is None or stale[0] != "predictions.parquet"):
        hint = "remove it, or name another folder"
        raise InputError(Problem(f"{folder} holds answers of other scores ({stale[0]})", hint=hint))
