"""``gainlaw fit``: gains to a posterior."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gainlaw.cli.commands.summary import print_fit
from gainlaw.cli.given import GivenTable, reads_table
from gainlaw.cli.printing import Json, print_warnings, progress_bar, records, show_json
from gainlaw.cli.sources import exit_untrusted, parse_pairs
from gainlaw.errors import InputError, Problem
from gainlaw.laws import hierarchical
from gainlaw.options import DEFAULT_LAW, Baselines, Engine
from gainlaw.scales import Scale

__all__ = ["Draws", "LawName", "Seed", "fit"]


def _shaped(law: str) -> str:
    if law not in hierarchical():
        raise typer.BadParameter(f"{law!r} is not one of {', '.join(hierarchical())}.")
    return law


LawName = Annotated[
    str,
    typer.Option(
        metavar=f"[{'|'.join(hierarchical())}]",
        help="How the gain depends on the number of parameters.",
        callback=_shaped,
    ),
]
Draws = Annotated[int, typer.Option(help="Draws kept, a chain.")]
Seed = Annotated[int, typer.Option(help="Seed of the random numbers.")]


@reads_table
def fit(
    given: GivenTable,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="The fit directory to write.", show_default=False),
    ],
    law: LawName = DEFAULT_LAW,
    scale: Annotated[
        Scale | None, typer.Option(help="The scale of the gain [default: points, or that of a gains table].")
    ] = None,
    engine: Annotated[Engine, typer.Option(help="What computes the posterior.")] = "exact",
    ci_prob: Annotated[float, typer.Option(help="Probability of the intervals.")] = 0.95,
    term: Annotated[
        list[str] | None, typer.Option(help="Consider only these grouping terms; repeat for more.")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Leave this term out; repeat for more.")] = None,
    covariate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN[:slope]",
            help="A column of numbers as covariate, with :slope also of the slope; repeat for more.",
        ),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PRIOR", help="Replace a prior, e.g. 'tau_task=halfnormal(5)'; repeat for more."
        ),
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option(metavar="SIZE", help="Report the gain at these sizes, e.g. 13B; repeat for more."),
    ] = None,
    draws: Draws = 1000,
    tune: Annotated[int, typer.Option(help="Warm-up draws, a chain (nuts).")] = 500,
    chains: Annotated[int, typer.Option(help="Chains.")] = 4,
    seed: Seed = 0,
    tree: Annotated[
        bool, typer.Option("--tree", help="Languages along their tree of families and genera, as one term.")
    ] = False,
    tree_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Languages along this tree (Newick), or with this covariance or similarity matrix (.csv, .parquet).",
        ),
    ] = None,
    baselines: Annotated[
        Baselines,
        typer.Option(
            help="Every baseline for itself, or all with a hierarchy of their own (scores are the rows)."
        ),
    ] = "free",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a fit directory that is there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fit a hierarchical law of the gain against the number of parameters.

    Checkpoints are the replicates. Terms that the data cannot identify are left out, and the output says
    which. The directory written is complete in itself: it keeps the data, the posterior and the record.
    """
    import gainlaw
    from gainlaw._directory import new_directory
    from gainlaw._listing import FIT
    from gainlaw.fitting.storage import write_fit

    with new_directory(output, FIT, overwrite=overwrite) as folder:
        priors = parse_pairs(prior or (), "--prior", "NAME=PRIOR")
        sizes = _sizes(params)
        table = given.open()
        with progress_bar("sampling") as progress:
            result = gainlaw.fit(
                table,
                law=law,
                scale=scale,
                engine=engine,
                ci_prob=ci_prob,
                terms=term or None,
                exclude=drop or (),
                covariates=covariate or (),
                priors=priors,
                params=sizes,
                tree=tree if tree_file is None else tree_file,
                baselines=baselines,
                draws=draws,
                tune=tune,
                chains=chains,
                seed=seed,
                progress=progress,
            )
        write_fit(result, folder)
    if as_json:
        show_json(
            {
                "directory": str(output),
                **{
                    name: getattr(result, name)
                    for name in ("status", "scale", "n_rows", "n_checkpoints", "n_sizes")
                },
                "law": result.law.name,
                "notes": [each.to_dict() for each in result.gains.notes],
                "estimates": records(result.estimates),
            }
        )
    else:
        print_fit(result)
        print_warnings(result.gains.notes, remarks=True)
        typer.echo(f"\nwrote {output}")
    exit_untrusted([result])


def _sizes(texts: list[str] | None) -> list[float] | None:
    if not texts:
        return None
    from gainlaw.sizes import parse_size

    sizes = [parse_size(text) for text in texts]
    wrong = [text for text, size in zip(texts, sizes, strict=True) if size <= 0]
    if wrong:
        raise InputError(Problem(f"{', '.join(wrong)} cannot be a size", hint="for example 13B"))
    return sizes
