"""``gainlaw curve``: one curve a group, several laws, and what the sizes can tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gainlaw.cli.given import GivenTable, reads_table
from gainlaw.cli.printing import (
    OutputFormat,
    SafeCsv,
    console,
    note,
    print_warnings,
    progress_bar,
    records,
    show,
    show_json,
    warn,
)
from gainlaw.errors import InputError, Problem
from gainlaw.laws import usual
from gainlaw.scales import Scale

if TYPE_CHECKING:
    from gainlaw.curves.study import CurveStudy
    from gainlaw.scores.gains.table import Gains
    from gainlaw.tables.table import Table as TableOfNumbers

__all__ = ["curve"]


@reads_table
def curve(
    given: GivenTable,
    law: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LAW",
            help="A law or a formula in x = log10(params / 1e9), such as 'a + b * x ** 2'; several by commas, or "
            f"repeat. [default: {', '.join(usual())}]",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN,...", help="One curve for each task, language_family, ...")
    ] = None,
    scale: Annotated[
        Scale | None, typer.Option(help="The scale of the gain [default: points, or that of a gains table].")
    ] = None,
    loss: Annotated[
        str, typer.Option(help="squared: equal weights; gls: by the known sampling covariance.")
    ] = "squared",
    parameters: Annotated[
        bool,
        typer.Option("--parameters", help="Print the parameters of every law instead of the comparison."),
    ] = False,
    claim: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLAIM",
            help="Judge a claim such as 'slope < 0' on the best law of every curve, on points and log-odds; repeat for "
            "more.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Write tables and a figure here.", show_default=False
        ),
    ] = None,
    ci_prob: Annotated[float, typer.Option(help="Probability of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of the starts.")] = 0,
    form: Annotated[OutputFormat, typer.Option("--format", help="How to print it.")] = "table",
    safe_csv: SafeCsv = False,
) -> None:
    """Fit laws to the mean gain of the checkpoints, one curve a group, and compare them.

    A curve has one point a checkpoint: the languages of a checkpoint are not so many experiments on size. The exit code
    is 1 where the best law of a curve cannot be trusted.
    """
    from gainlaw.curves.study import DEFAULT_LAWS, fit_curves
    from gainlaw.scores.gains.table import Gains
    from gainlaw.tables.curves import curve_laws_table, curve_parameters_table
    from gainlaw.tasks import task_title

    if loss not in ("squared", "gls"):
        raise InputError(Problem(f"--loss is {loss!r}", hint="allowed: squared, gls"))
    laws = [name.strip() for text in law or () for name in _parts(text) if name.strip()]
    table = given.open()
    if isinstance(table, Gains):
        gains = table if scale is None or scale == table.scale else table.to_scale(scale)
    else:
        gains = table.gains(scale=scale or "points")
    columns = [name.strip() for name in (by or "").split(",") if name.strip()]
    with progress_bar("fitting curves") as progress:
        study = fit_curves(
            gains, laws or DEFAULT_LAWS, by=columns, loss=loss, ci_prob=ci_prob, seed=seed, progress=progress
        )
    print_warnings(gains.notes)
    for name, skipped, reason in study.skipped:
        note(f"{name}: no {skipped} law ({reason})")
    shown = curve_parameters_table(study) if parameters else curve_laws_table(study)
    judged = _verdicts(study, gains, claim, columns, loss, seed) if claim else None
    if form == "json" and judged is not None:
        show_json({"curves": records(shown.frame), "claims": records(judged.frame)})
    else:
        show(shown, form, safe=safe_csv)
    if form == "table":
        for name, words in study.words.items():
            console().print(f"\n{task_title(name)}: {words}")
    if judged is not None and form != "json":
        if form == "table":
            typer.echo()
        show(judged, form, safe=safe_csv)
    failed = [
        f"{name}, {fitted}: {finding.message}"
        for (name, fitted), fit in study.fits.items()
        for finding in fit.findings
        if finding.failed
    ]
    if output is not None:
        _write(study, output, safe_csv)
        note(f"wrote {output}")
    for message in failed:
        warn(message)
    if any(finding.failed for name in study.curves for finding in study.best(name).findings):
        raise typer.Exit(1)


def _verdicts(
    study: CurveStudy, gains: Gains, claims: list[str], columns: list[str], loss: str, seed: int
) -> TableOfNumbers:
    """Judge claims on the best law of every curve, and on the same law on the other scale where there are counts."""
    from gainlaw.claims.curves import assess_curve
    from gainlaw.claims.grammar.parse import parse_claim
    from gainlaw.curves.study import fit_curves
    from gainlaw.tables.curves import curve_claims_table

    parsed = [parse_claim(text) for text in claims]
    laws = list(dict.fromkeys(study.best(name).law for name in study.curves))
    twin = None
    try:
        other = gains.to_scale("points" if gains.scale == "log_odds" else "log_odds")
        twin = fit_curves(other, laws, by=columns, loss=loss, seed=seed)
    except InputError as error:
        why = "; ".join(problem.message for problem in error.problems)
        note(f"judged on {gains.scale} alone: {why}")
    rows = []
    for name in study.curves:
        fit = study.best(name)
        same = twin.fits.get((name, fit.law.name)) if twin is not None else None
        rows += [(name, fit.law.name, assess_curve(fit, each, twin=same)) for each in parsed]
    return curve_claims_table(rows)


def _parts(text: str) -> list[str]:
    """Split names at commas; a formula, which may hold commas, is one part."""
    return text.split(",") if all(part.strip().isidentifier() for part in text.split(",")) else [text]


def _write(study: CurveStudy, output: Path, safe_csv: bool) -> None:
    from gainlaw._directory import new_directory
    from gainlaw._io import write_text_atomic
    from gainlaw._listing import FILES
    from gainlaw.figures.common.style import save_figure
    from gainlaw.figures.curves import plot_curves
    from gainlaw.tables.curves import curve_laws_table, curve_parameters_table

    with new_directory(output, FILES, names=("curves.txt",)) as folder:
        for table in (curve_laws_table(study), curve_parameters_table(study)):
            write_text_atomic(folder / f"{table.name}.csv", table.to_csv(safe=safe_csv))
            write_text_atomic(folder / f"{table.name}.tex", table.to_latex())
        words = "".join(f"{name}: {words}\n\n" for name, words in study.words.items())
        write_text_atomic(folder / "curves.txt", words)
        save_figure(plot_curves([study.best(name) for name in study.curves]), folder / "curves")
