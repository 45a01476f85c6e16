"""``gainlaw figure``: one figure of a fit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from gainlaw.cli.printing import note
from gainlaw.cli.sources import Directory, exit_untrusted, open_fit
from gainlaw.errors import InputError, Problem
from gainlaw.options import FigureName, Level

if TYPE_CHECKING:
    from gainlaw.figures.common.style import PaperFigure

__all__ = ["figure"]


def figure(
    directory: Directory,
    name: Annotated[
        FigureName | None,
        typer.Argument(
            help="Which figure [default: gain, or forest of a law without a slope].", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A .pdf, .png or .svg file; - is standard output.",
            show_default=False,
        ),
    ] = Path("-"),
    level: Annotated[Level | None, typer.Option(help="The groups of a forest [default: task].")] = None,
    estimand: Annotated[
        Literal["slope", "gain"] | None, typer.Option(help="What a forest shows [default: slope].")
    ] = None,
    by: Annotated[
        Level | None,
        typer.Option(
            help="The panels of gain [default: task; overall is a single one], the curves of two_curves "
            "[default: model_family]."
        ),
    ] = None,
    panels: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="What tells the panels of two_curves apart, such as study."),
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="A panel of gain, where they are tasks; repeat for more.")
    ] = None,
    style: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.mplstyle", help="A style sheet: settings of matplotlib over those of the figures."
        ),
    ] = None,
    kind: Annotated[
        Literal["pdf", "png", "svg"] | None,
        typer.Option(
            "--format", help="The format on standard output [default: svg]; that of a file is its ending."
        ),
    ] = None,
) -> None:
    """Draw one figure of a fit, sized for print."""
    from gainlaw._directory import check_file_target
    from gainlaw._io import write_bytes_atomic
    from gainlaw.figures.common.sheet import figure_style
    from gainlaw.figures.common.style import KINDS, figure_bytes
    from gainlaw.figures.named import plot

    chosen = output.suffix.lower().removeprefix(".") if str(output) != "-" else kind or "svg"
    if chosen not in KINDS or kind not in (None, chosen):
        hint = f"name it {', '.join(f'.{each}' for each in KINDS)}; its ending says the format"
        raise InputError(Problem(f"the figure cannot be written to {output.name}", hint=hint))
    if str(output) != "-":
        check_file_target(output)
    options = {"level": level, "estimand": estimand, "by": by, "tasks": task or None, "panels": panels}
    given = {key: value for key, value in options.items() if value is not None}
    fit = open_fit(directory)
    with figure_style(style or {}):
        drawn = cast("PaperFigure", plot(fit, name, **(given | {"by": None} if by == "overall" else given)))
    data = figure_bytes(drawn, chosen)
    if str(output) == "-":
        sys.stdout.buffer.write(data)
    else:
        write_bytes_atomic(output, data)
        note(f"wrote {output}: {drawn.alt}")
    exit_untrusted([fit])
