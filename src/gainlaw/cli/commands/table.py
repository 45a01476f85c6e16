"""``gainlaw table``: one table of a fit, or of several side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gainlaw.cli.printing import SafeCsv, note, show
from gainlaw.cli.sources import Directory, exit_untrusted, open_fit
from gainlaw.errors import InputError, Problem
from gainlaw.options import Level, TableName

__all__ = ["table"]

TableForm = Literal["table", "csv", "json", "latex", "html", "markdown"]

_FORMS: dict[str, TableForm] = {
    ".csv": "csv",
    ".json": "json",
    ".tex": "latex",
    ".html": "html",
    ".md": "markdown",
}


def table(
    directory: Directory,
    name: Annotated[
        TableName | None,
        typer.Argument(
            help="Which table [default: slopes, or gain_at of a law without].", show_default=False
        ),
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR", help="Another fit, in a column beside (slopes, gain_at, sds); repeat for more."
        ),
    ] = None,
    level: Annotated[
        Level | None, typer.Option(help="The groups of slopes and gain_at [default: task].")
    ] = None,
    form: Annotated[TableForm, typer.Option("--format", help="How to print it.")] = "table",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write it to a .tex, .csv, .json, .html or .md file."
        ),
    ] = None,
    safe_csv: SafeCsv = False,
) -> None:
    """Print or write one table of a fit: for a screen, LaTeX, HTML, Markdown, CSV or JSON."""
    import gainlaw
    from gainlaw._io import write_text_atomic

    if output is not None and str(output) != "-":
        suited = _FORMS.get(output.suffix.lower())
        if suited is None or form not in ("table", suited):
            hint = f"name it {', '.join(_FORMS)}; its ending says the format"
            raise InputError(Problem(f"the table cannot be written to {output.name}", hint=hint))
        form = suited
    places = [directory, *(beside or ())]
    fits = {str(place): open_fit(place) for place in places}
    if len(fits) < len(places):
        raise InputError(Problem("a fit directory is named twice"))
    made = gainlaw.table(fits if beside else fits[str(directory)], name, level=level)
    written = {"latex": made.to_latex, "html": made.to_html, "markdown": made.to_markdown}
    if output is not None and str(output) != "-":
        from gainlaw.cli.printing import json_text, records

        text = {
            **written,
            "csv": lambda: made.to_csv(safe=safe_csv),
            "json": lambda: json_text(records(made.frame)),
        }[form]()
        write_text_atomic(output, text)
        note(f"wrote {output}")
    elif form in written:
        typer.echo(written[form](), nl=False)
    else:
        show(made, form, safe=safe_csv)  # type: ignore[arg-type]
    exit_untrusted(list(fits.values()))
