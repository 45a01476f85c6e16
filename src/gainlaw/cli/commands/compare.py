"""``gainlaw compare``: which model predicts a checkpoint that it has not seen, and which predicted all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gainlaw.cli.printing import OutputFormat, SafeCsv, show
from gainlaw.cli.sources import exit_untrusted, open_fit
from gainlaw.errors import InputError, Problem

__all__ = ["compare"]


def compare(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR DIR...", help="Fit directories.", show_default=False)
    ],
    leave: Annotated[
        str | None,
        typer.Option(
            metavar="[family|study|checkpoint|largest|COLUMN]",
            help="Leave these out together and predict their gains in points, beside reference lines.",
        ),
    ] = None,
    form: Annotated[OutputFormat, typer.Option("--format", help="How to print it.")] = "table",
    safe_csv: SafeCsv = False,
) -> None:
    """Compare fits of the same gains by prediction, leaving one checkpoint out at a time, and by evidence.

    With --leave whole families of models, studies or the largest sizes are left out instead, the gains in points are
    what every law must predict, and the means of tasks, recipes and families, and the gain of a family's previous size
    stand beside: one fit is then enough.

    The evidence, and the Bayes factors that follow from it, depend on the priors; they are given where every fit was
    made by the engine exact.
    """
    import gainlaw
    from gainlaw.tables.checks import compare_table

    if len(directories) < 2 and leave is None:
        raise InputError(Problem("a comparison takes two fit directories or more"))
    if len({directory.resolve() for directory in directories}) < len(directories):
        raise InputError(Problem("a fit directory is named twice"))
    fits = {str(directory): open_fit(directory) for directory in directories}
    show(compare_table(gainlaw.compare(fits, leave=leave)), form, safe=safe_csv)
    exit_untrusted(list(fits.values()))
