"""``gainlaw gains``: scores to gains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gainlaw.cli.printing import SafeCsv, print_warnings
from gainlaw.cli.sources import (
    Covariance,
    Metrics,
    Predictions,
    Rename,
    ScoreUnit,
    SizeUnit,
    Table,
    Where,
    describe_gains,
    open_table,
    refuse_same_file,
)
from gainlaw.errors import InputError, Problem
from gainlaw.scales import Scale

__all__ = ["gains"]


def gains(
    evals: Table,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="GAINS", help="The .csv or .parquet file to write.", show_default=False
        ),
    ],
    scale: Annotated[Scale | None, typer.Option(help="The scale of the gain [default: points].")] = None,
    variance: Annotated[
        Literal["auto", "paired", "unpaired"],
        typer.Option(help="Sampling variance: paired where items are kept (auto), always, or never."),
    ] = "auto",
    predictions: Predictions = None,
    where: Where = None,
    rename: Rename = None,
    metric: Metrics = None,
    covariance: Covariance = None,
    unit: ScoreUnit = None,
    params_unit: SizeUnit = None,
    safe_csv: SafeCsv = False,
) -> None:
    """Write the gain of every row with an intermediate over its baseline row.

    The table keeps the standard errors and the covariance of rows that share a baseline. It is legal input
    wherever a table of scores is.
    """
    from gainlaw._directory import check_file_target
    from gainlaw.scores.gains.table import Gains

    refuse_same_file(evals, output)
    check_file_target(output)
    table = open_table(
        evals,
        predictions=predictions,
        where=where,
        rename=rename,
        metrics=metric,
        covariance=covariance,
        unit=unit,
        params_unit=params_unit,
    )
    if isinstance(table, Gains):
        if variance != "auto":
            raise InputError(Problem("the table holds gains, whose variance is given; leave out --variance"))
        result = table if scale is None else table.to_scale(scale)
    else:
        result = table.gains(scale=scale or "points", variance=variance)
    result.write(output, safe=safe_csv)
    typer.echo(f"{output}: {describe_gains(result)}")
    print_warnings(result.notes)
