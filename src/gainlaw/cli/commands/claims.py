"""``gainlaw claims``: claims to verdicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gainlaw.cli.printing import OutputFormat, SafeCsv, console, progress_bar, show
from gainlaw.cli.sources import announce_other_scale, exit_untrusted, open_fit, refuse_same_file
from gainlaw.errors import InputError, Problem

if TYPE_CHECKING:
    from gainlaw.tables.table import Table

__all__ = ["claims", "print_verdicts"]


def claims(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR... CLAIMS.toml", help="Fit directories, then the file of claims.", show_default=False
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="CLAIMS.csv", help="Write the verdicts to this file."),
    ] = None,
    form: Annotated[OutputFormat, typer.Option("--format", help="How to print them.")] = "table",
    safe_csv: SafeCsv = False,
) -> None:
    """Judge a list of claims on points and on chance-corrected log-odds.

    The fit on the other scale is made when it is missing, and kept in the fit directory.
    """
    import gainlaw
    from gainlaw._directory import check_file_target
    from gainlaw.claims.verdict import write_verdicts
    from gainlaw.tables.verdicts import claims_table

    *directories, file = paths
    if not directories or file.is_dir():
        hint = "write gainlaw claims DIR... CLAIMS.toml"
        raise InputError(Problem("a file of claims is needed after the fit directories", hint=hint))
    if output is not None:
        refuse_same_file(str(file), output)
        check_file_target(output)
    fits = [open_fit(directory) for directory in directories]
    announce_other_scale(fits)
    with progress_bar("judging claims") as progress:
        verdicts = gainlaw.assess_file(fits, file, progress=progress)
    if output is not None:
        write_verdicts(verdicts, output, safe=safe_csv)
    table = claims_table(verdicts, fits)
    if form == "table":
        print_verdicts(table)
    else:
        show(table, form, safe=safe_csv)
    exit_untrusted(fits)


def print_verdicts(table: Table) -> None:
    """Print verdict and numbers first and the words last, so that a narrow screen folds only these."""
    column = {each.key: each for each in table.columns}
    order = (
        "verdict",
        "probability_points",
        "probability_log_odds",
        "difference",
        "interval",
        "words",
        "remarks",
    )
    untested = table.frame["verdict"] == "untested"
    judged = table.frame[~untested].reset_index(drop=True)
    if len(judged):
        columns = tuple(column[key] for key in order)
        show(replace(table, caption="Claims and what the data say", frame=judged, columns=columns))
    if untested.any():
        out = console()
        out.print("\nUntested, because these data lack, or show")
        for row in table.frame[untested].itertuples():
            out.print(f"  {row.name}: {row.reason}")
