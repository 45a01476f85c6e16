"""``gainlaw gains``: scores to gains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gainlaw.cli.given import GivenTable, reads_table
from gainlaw.cli.printing import Json, SafeCsv, print_warnings, show_json
from gainlaw.cli.sources import describe_gains, refuse_same_file
from gainlaw.errors import InputError, Problem
from gainlaw.scales import Scale

__all__ = ["gains"]


@reads_table
def gains(
    given: GivenTable,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="GAINS",
            help="The .csv or .parquet file to write; - is standard output.",
            show_default=False,
        ),
    ],
    scale: Annotated[Scale | None, typer.Option(help="The scale of the gain [default: points].")] = None,
    variance: Annotated[
        Literal["auto", "paired", "unpaired"],
        typer.Option(help="Sampling variance: paired where items are kept (auto), always, or never."),
    ] = "auto",
    safe_csv: SafeCsv = False,
    as_json: Json = False,
) -> None:
    """Write the gain of every row with an intermediate over its baseline row.

    The table keeps the standard errors and the covariance of rows that share a baseline. It is legal input
    wherever a table of scores is.
    """
    from gainlaw._directory import check_file_target
    from gainlaw._io import csv_text
    from gainlaw.scores.gains.table import Gains

    to_stdout = str(output) == "-"
    if to_stdout and as_json:
        raise InputError(Problem("standard output holds the table or the JSON, not both"))
    refuse_same_file(given.evals, output)
    if not to_stdout:
        check_file_target(output)
    table = given.open()
    if isinstance(table, Gains):
        if variance != "auto":
            raise InputError(Problem("the table holds gains, whose variance is given; leave out --variance"))
        result = table if scale is None else table.to_scale(scale)
    else:
        result = table.gains(scale=scale or "points", variance=variance)
    if to_stdout:
        typer.echo(csv_text(result.frame, safe=safe_csv), nl=False)
    else:
        result.write(output, safe=safe_csv)
    if as_json:
        frame = result.frame
        counts = {
            "n_rows": len(result),
            "n_checkpoints": int(frame.loc[frame["checkpoint"].ne(""), "checkpoint"].nunique()),
            "n_sizes": int(frame["params"].nunique()),
            "n_blocks": len(result.covariance.blocks),
        }
        notes = [each.to_dict() for each in result.notes]
        show_json({"file": str(output), "scale": result.scale, **counts, "notes": notes})
    else:
        typer.echo(f"{output}: {describe_gains(result)}", err=to_stdout)
        print_warnings(result.notes)
