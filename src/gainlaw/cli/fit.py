"""``gainlaw fit``: gains to a posterior."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gainlaw.cli.directories import new_directory
from gainlaw.cli.sources import Predictions, Table, Where, open_table, parse_pairs
from gainlaw.options import Engine, LawName, Scale

__all__ = ["fit"]


def fit(
    evals: Table,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="The fit directory to write.", show_default=False),
    ],
    law: Annotated[
        LawName, typer.Option(help="How the gain depends on the number of parameters.")
    ] = "linear",
    scale: Annotated[
        Scale | None, typer.Option(help="The scale of the gain [default: points, or that of a gains table].")
    ] = None,
    engine: Annotated[Engine, typer.Option(help="What computes the posterior.")] = "nuts",
    ci_prob: Annotated[float, typer.Option(help="Probability of the intervals.")] = 0.95,
    term: Annotated[
        list[str] | None, typer.Option(help="Consider only these grouping terms; repeat for more.")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Leave this term out; repeat for more.")] = None,
    covariate: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A column of numbers as covariate; repeat for more."),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PRIOR", help="Replace a prior, e.g. 'tau_task=halfnormal(5)'; repeat for more."
        ),
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option(metavar="SIZE", help="Report the gain at this size too, e.g. 13B; repeat for more."),
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="Draws kept, a chain.")] = 1000,
    tune: Annotated[int, typer.Option(min=1, help="Warm-up draws, a chain.")] = 1000,
    chains: Annotated[int, typer.Option(min=1, help="Chains.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")] = 0,
    predictions: Predictions = None,
    where: Where = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a fit directory that is there.")
    ] = False,
) -> None:
    """Fit a hierarchical law of the gain against the number of parameters.

    Checkpoints are the replicates. Terms that the data cannot identify are left out, and the output says
    which. The directory written is complete in itself: it keeps the data, the posterior and the record.
    """
    with new_directory(output, overwrite=overwrite, marker="fit.json") as directory:
        table = open_table(evals, predictions=predictions, where=where)
        import gainlaw

        result = gainlaw.fit(
            table,
            law=law,
            scale=scale,
            engine=engine,
            ci_prob=ci_prob,
            terms=tuple(term) if term else None,
            drop=tuple(drop or ()),
            covariates=tuple(covariate or ()),
            priors=parse_pairs(prior or (), "--prior", "NAME=PRIOR"),
            params=tuple(params) if params else None,
            draws=draws,
            tune=tune,
            chains=chains,
            seed=seed,
            progress=sys.stderr.isatty(),
        )
        result.save(directory)
