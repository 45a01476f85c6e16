"""``gainlaw report``: a fit to a page, tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gainlaw.cli.printing import Json, SafeCsv, progress_bar, show_json
from gainlaw.cli.sources import announce_other_scale, exit_untrusted, open_fit

if TYPE_CHECKING:
    from gainlaw.claims.verdict import Verdict

__all__ = ["report"]


def report(
    directories: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            help="Fit directories; the first one answers the question.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="The folder to write.", show_default=False)
    ],
    claims: Annotated[
        Path | None,
        typer.Option(metavar="CLAIMS.toml", help="Judge these claims too and put the verdicts in."),
    ] = None,
    other_scale: Annotated[
        bool,
        typer.Option(
            "--other-scale/--one-scale", help="Show the fit on the other scale too, made when it is missing."
        ),
    ] = True,
    style: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.mplstyle", help="A style sheet: settings of matplotlib over those of the figures."
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="The title.")] = None,
    safe_csv: SafeCsv = False,
    as_json: Json = False,
) -> None:
    """Write report.html, paper.tex, tables/ (LaTeX, CSV, Markdown) and figures/ (PDF, PNG, SVG, data as CSV).

    The folder appears in one step. Files of an earlier report in it are replaced; others stay.
    """
    import gainlaw
    from gainlaw.figures.common.sheet import figure_style
    from gainlaw.fitting.companion import other_scale_fit
    from gainlaw.report.artists import hire

    with figure_style(style or {}), hire() as artists:
        fits = {str(directory): open_fit(directory) for directory in directories}
        if other_scale or claims:
            announce_other_scale(list(fits.values()))
        verdicts: Sequence[Verdict] = ()
        if claims:
            with progress_bar("judging claims") as progress:
                verdicts = gainlaw.assess_file(list(fits.values()), claims, progress=progress)
        shown = dict(fits)
        if other_scale:
            first = str(directories[0])
            with progress_bar("fitting on the other scale") as progress:
                twin = other_scale_fit(fits[first], progress=progress)
            if twin is not None:
                shown[f"{first}, {twin.scale}"] = twin
        with progress_bar("drawing figures") as progress:
            written = gainlaw.write_report(
                shown,
                output,
                verdicts=verdicts,
                title=title,
                figures=replace(artists, progress=progress),
                safe_csv=safe_csv,
            )
    if as_json:
        files = [str(path) for path in written.files]
        status = {name: fit.status for name, fit in shown.items()}
        show_json(
            {"page": str(written.path), "answer": written.answer.text, "status": status, "files": files}
        )
    else:
        typer.echo(written.answer.text)
        typer.echo(f"\nwrote {written.path} and {len(written.files) - 1} more files")
    exit_untrusted(list(shown.values()))
