"""``gainlaw report``: a fit to a page, tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gainlaw.cli.sources import Directory, exit_untrusted, open_fit

__all__ = ["report"]


def report(
    directory: Directory,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="The folder to write.", show_default=False)
    ],
    claims: Annotated[
        Path | None,
        typer.Option(metavar="CLAIMS.toml", help="Judge these claims too and put the verdicts in."),
    ] = None,
) -> None:
    """Write report.html, tables/ (LaTeX, CSV, Markdown) and figures/ (PDF, PNG, SVG)."""
    import gainlaw

    fit = open_fit(directory)
    verdicts = gainlaw.assess_file([fit], claims) if claims else ()
    page = gainlaw.write_report(fit, output, verdicts=verdicts)
    typer.echo(f"wrote {page}")
    exit_untrusted([fit])
