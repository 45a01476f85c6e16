"""``gainlaw summary``: what a fit says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from gainlaw.cli.printing import OutputFormat, SafeCsv, console, print_warnings, show, show_frame
from gainlaw.cli.sources import Directory, exit_untrusted, open_fit
from gainlaw.errors import InputError, Problem
from gainlaw.options import Level

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.fitting.record import FitRecord
    from gainlaw.tables.table import Table

__all__ = ["print_fit", "summary"]


def summary(
    directory: Directory,
    level: Annotated[Level | None, typer.Option(help="Show the groups of this level.")] = None,
    estimand: Annotated[
        list[str] | None, typer.Option(help="Show only this estimand (csv and json); repeat for more.")
    ] = None,
    form: Annotated[
        OutputFormat,
        typer.Option("--format", help="How to print it; csv and json hold the estimates in full."),
    ] = "table",
    safe_csv: SafeCsv = False,
) -> None:
    """Print the estimates of a fit: slopes, gains by size, spread of the terms, diagnostics."""
    fit = open_fit(directory)
    if form == "table":
        if estimand:
            raise InputError(Problem("--estimand goes with --format csv or json"))
        print_fit(fit, level)
        print_warnings(fit.gains.notes, remarks=True)
    else:
        show_frame(_estimates(fit, level, estimand), form, safe=safe_csv)
    exit_untrusted([fit])


def print_fit(fit: FitRecord, level: str | None = None) -> None:
    """Print a fit as a person reads it.

    Parameters
    ----------
    fit : gainlaw.Fit
        The fit.
    level : str, optional
        The groups to show; without it the two averages, the spread of the terms and the diagnostics.

    Raises
    ------
    InputError
        If the fit has no estimates at that level.
    """
    from gainlaw import tables
    from gainlaw.fitting.companion import in_points

    estimates = fit.estimates
    if level is not None and not (estimates["level"] == level).any():
        known = ", ".join(dict.fromkeys(estimates["level"]))
        raise InputError(Problem(f"the fit has no estimates by {level}", hint=f"it has: {known}"))
    out = console()
    out.print(fit.headline)
    shown = level or "overall"
    rows = estimates[estimates["level"] == shown]
    parts = []
    # Two curves are fitted on log-odds; what a reader asks for is their difference.
    read = in_points(fit) if fit.law.form.scores else fit
    if (rows["estimand"] == "slope").any():
        parts.append(tables.slopes_table(read, shown))
    if (rows["estimand"] == "gain").any():
        parts.append(tables.gain_at_table(read, shown))
    if (rows["estimand"] == "size_multiplier").any():
        parts.append(tables.multipliers_table(read, shown))
    if (rows["estimand"] == "size_effect").any():
        parts.append(tables.abilities_table(fit, shown))
    effects = tables.effects_table(fit)
    if len(effects.frame) and level in (None, "covariate"):
        parts.append(effects)
    if level is None and fit.law.members:
        parts.append(tables.laws_table(fit))
    if level is None:
        parts += [tables.sds_table(fit), tables.diagnostics_table(fit)]
    for part in parts:
        out.print()
        show(part if level else _averages(part))
    if level is None and fit.spec.dropped:
        out.print("\nLeft out of the model:")
        for dropped in fit.spec.dropped:
            out.print(f"  {dropped.name}: {dropped.reason}")


def _averages(table: Table) -> Table:
    """Name the first column for the two averages, which is all that the table has."""
    first, *others = table.columns
    if first.key != "title":
        return table
    columns = (replace(first, title="Average"), *others)
    caption = table.caption.replace(", by overall (observed groups)", "")
    return replace(table, caption=caption, columns=columns, rule_by="")


def _estimates(fit: FitRecord, level: str | None, estimand: list[str] | None) -> pd.DataFrame:
    frame = fit.estimates
    for column, wanted in (("level", [level] if level else None), ("estimand", estimand)):
        if wanted is None:
            continue
        absent = [value for value in wanted if not (frame[column] == value).any()]
        if absent:
            known = ", ".join(dict.fromkeys(frame[column]))
            hint = f"it has: {known}"
            raise InputError(Problem(f"the fit has no {column} {', '.join(absent)}", hint=hint))
        frame = frame[frame[column].isin(wanted)]
    return frame
