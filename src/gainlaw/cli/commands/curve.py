"""``gainlaw curve``: one curve a group, several laws, and what the sizes can tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gainlaw.cli.columns import (
    open_any,
    parse_bounds,
    parse_compute,
    parse_fixed,
    parse_loss,
    with_components,
)
from gainlaw.cli.curve_files import write_curves
from gainlaw.cli.given import GivenTable, reads_table
from gainlaw.cli.predictions import (
    Known,
    chains_of,
    changed_laws,
    parse_places,
    predicted,
    refuse_half_of_two_laws,
    split_known,
)
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
from gainlaw.options import DEFAULT_SECOND_LAW
from gainlaw.scales import Scale

if TYPE_CHECKING:
    from collections.abc import Callable

    from gainlaw.curves.chained import Chain
    from gainlaw.curves.fit import CurveFit
    from gainlaw.curves.study import CurveStudy
    from gainlaw.laws.record import Law
    from gainlaw.scores.reading.frames import RawTable
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
    y: Annotated[
        str | None,
        typer.Option(
            "--y",
            metavar="COLUMN",
            help="Fit any table, not gains: the column of what is measured, or 'log(COLUMN)'.",
        ),
    ] = None,
    x: Annotated[
        str | None,
        typer.Option(
            "--x",
            metavar="COLUMN,...",
            help="With --y: what it depends on, such as params,tokens; NAME=COLUMN says which is which, as in "
            "n=Model Size,c=Training FLOP. A formula has these names in it, and log_NAME.",
        ),
    ] = None,
    se: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="With --y: its standard errors (loss gls).")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="With --y: weights of the rows.")
    ] = None,
    trials: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="With --y, where it counts: out of how many.")
    ] = None,
    components: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN,...",
            help="With --y: the principal components of these scores, pc1, pc2, ..., as further columns of the table; "
            "missing scores are imputed.",
        ),
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="With --y: the run of a row; rows of one run are resampled together."
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help="squared: equal weights; gls: by the known sampling covariance; with --y also huber:DELTA, lad, "
            "student_t:NU, binomial, beta_binomial. [default: squared, with --se gls]",
            show_default=False,
        ),
    ] = None,
    fix: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="A parameter of the law that is known; repeat for more."),
    ] = None,
    bound: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LOW:HIGH",
            help="Bounds of a parameter, either of which may be left out, as in alpha=0:1 or e=0:; repeat for more.",
        ),
    ] = None,
    share: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="With --y and --by: parameters that the curves share; all are fitted at once.",
        ),
    ] = None,
    parameters: Annotated[
        bool,
        typer.Option("--parameters", help="Print the parameters of every law instead of the comparison."),
    ] = False,
    claim: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLAIM",
            help="Judge a claim such as 'slope < 0', or in parameters of the law, 'alpha > beta', on the best law "
            "of every curve, of gains on points and log-odds; repeat for more.",
        ),
    ] = None,
    frontier: Annotated[
        str | None,
        typer.Option(
            metavar="FLOP,...",
            help="Of a law in size and tokens: the best of both for these amounts of compute, and for ten times "
            "the largest.",
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="NAME=NUMBER,...",
            help="Predict at a new place, such as params=7B,tokens=4T; repeat for more.",
        ),
    ] = None,
    then: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="With --y and --at: predict this column, such as accuracy, by a second law of what the first "
            "predicts; --fix and --bound call its parameters then.NAME.",
        ),
    ] = None,
    then_law: Annotated[
        str | None,
        typer.Option(
            metavar="LAW",
            help=f"The second law, of the column that --y names: a law or a formula. [default: {DEFAULT_SECOND_LAW}]",
            show_default=False,
        ),
    ] = None,
    then_loss: Annotated[
        str | None, typer.Option(metavar="LOSS", help="The loss of the second law [default: squared].")
    ] = None,
    draws: Annotated[
        int, typer.Option(help="Refits of the bootstrap of claims, of the frontier and of two laws.")
    ] = 4000,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Write tables and a figure here.", show_default=False
        ),
    ] = None,
    ci_prob: Annotated[float, typer.Option(help="Probability of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of the starts and resamples.")] = 0,
    form: Annotated[OutputFormat, typer.Option("--format", help="How to print it.")] = "table",
    safe_csv: SafeCsv = False,
) -> None:
    """Fit laws to curves, one a group, and compare them: to gains, or with --y to the columns of any table.

    Of gains a curve has one point a checkpoint, their mean: the languages of a checkpoint are not so many experiments
    on size. The exit code is 1 where the best law of a curve cannot be trusted.
    """
    from gainlaw.tables.curves import curve_laws_table, curve_parameters_table
    from gainlaw.tables.frontier import frontier_table
    from gainlaw.tasks import task_title

    laws = [name.strip() for text in law or () for name in _parts(text) if name.strip()]
    columns = [name.strip() for name in (by or "").split(",") if name.strip()]
    of_table = {"x": x, "se": se, "weights": weights, "trials": trials, "groups": groups, "share": share,
                "components": components}  # fmt: skip
    compute = parse_compute(frontier)
    known, known_then = split_known((parse_fixed(fix), parse_bounds(bound)))
    places = parse_places(at)
    refuse_half_of_two_laws(y, share, then, then_law, then_loss, places, known_then)
    options = {**parse_loss(loss), "ci_prob": ci_prob, "seed": seed}
    chains: dict[str, Chain] = {}
    with progress_bar("fitting curves") as progress:
        if y is None:
            wrong = [f"--{name}" for name, value in of_table.items() if value is not None]
            if wrong:
                raise InputError(Problem(f"{', '.join(wrong)}: with --y alone", hint="--y COLUMN"))
            study, twin = _of_gains(given, laws, known, columns, scale, options, progress)
        else:
            if scale is not None:
                raise InputError(Problem("--scale is of gains, and --y of any table"))
            raw, twin = with_components(open_any(given), components, [y, x or "", then or "", *laws]), None
            study = _of_columns(raw, laws, known, columns, {"y": y, **of_table}, options, progress)
            if then is not None:
                second = {**parse_loss(then_loss), "ci_prob": ci_prob, "seed": seed}
                chains = chains_of(raw, study, then, then_law, known_then, columns, groups, second)
    for name, skipped, reason in study.skipped:
        note(f"{name}: no {skipped} law ({reason})")
    compared = study.comparable and (y is None or len(study.laws) > 1)
    shown = curve_laws_table(study) if compared and not parameters else curve_parameters_table(study)
    frontiers = {name: study.best(name).frontier(draws) for name in study.curves} if compute else {}
    more = {
        "frontier": frontier_table(frontiers, compute) if frontiers else None,
        "predictions": predicted(study, chains, places, draws),
        "claims": _verdicts(study, claim, draws, twin) if claim else None,
    }
    further = {name: each for name, each in more.items() if each is not None}
    if form == "json" and further:
        show_json(
            {"curves": records(shown.frame), **{name: records(each.frame) for name, each in further.items()}}
        )
    else:
        show(shown, form, safe=safe_csv)
    if form == "table" and compared:
        for name, words in study.words.items():
            console().print(f"\n{task_title(name)}: {words}")
    for each in further.values() if form != "json" else ():
        if form == "table":
            typer.echo()
        show(each, form, safe=safe_csv)
    found = [
        (finding, f"{name}, {fitted}: {finding.message}")
        for (name, fitted), fit in [
            *study.fits.items(),
            *(((name, each.second.law.name), each.second) for name, each in chains.items()),
        ]
        for finding in fit.findings
    ]
    if output is not None:
        write_curves(study, frontiers, compute, more["predictions"], output, safe_csv)
        note(f"wrote {output}")
    for finding, message in found:
        if finding.failed:
            warn(message)
        elif finding.check == "bounds":
            note(message)
    if any(study.best(name).status != "ok" for name in study.curves) or any(
        each.status != "ok" for each in chains.values()
    ):
        raise typer.Exit(1)


def _of_gains(
    given: GivenTable,
    laws: list[str],
    known: Known,
    columns: list[str],
    scale: Scale | None,
    options: dict[str, Any],
    progress: Callable[[int, int], None],
) -> tuple[CurveStudy, Callable[[list[Law]], CurveStudy]]:
    """Fit laws to the gains of a table; return them, and what fits laws on the other scale."""
    from gainlaw.curves.study import DEFAULT_LAWS, fit_curves
    from gainlaw.laws import law as law_of
    from gainlaw.scores.gains.table import Gains

    used = options.setdefault("loss", "squared")
    if used not in ("squared", "gls"):
        raise InputError(Problem(f"--loss is {used!r}", hint="allowed: squared, gls; with --y others too"))
    table = given.open()
    if isinstance(table, Gains):
        gains = table if scale is None or scale == table.scale else table.to_scale(scale)
    else:
        gains = table.gains(scale=scale or "points")
    chosen = changed_laws([law_of(each) for each in laws or DEFAULT_LAWS], known)
    study = fit_curves(gains, chosen, by=columns, progress=progress, **options)
    print_warnings(gains.notes)

    def twin(chosen: list[Law]) -> CurveStudy:
        other = gains.to_scale("points" if gains.scale == "log_odds" else "log_odds")
        return fit_curves(other, chosen, by=columns, loss=used, seed=options["seed"])

    return study, twin


def _of_columns(
    raw: RawTable,
    laws: list[str],
    known: Known,
    columns: list[str],
    named: dict[str, str | None],
    options: dict[str, Any],
    progress: Callable[[int, int], None],
) -> CurveStudy:
    """Fit laws to columns of any table, and say what was read from which."""
    from gainlaw.cli.columns import parse_columns
    from gainlaw.curves.reading import column_law, curve_points
    from gainlaw.curves.study import CurveStudy, fit_points
    from gainlaw.curves.tying import fit_tied

    if named["x"] is None or named["y"] is None:
        raise InputError(Problem("--y needs --x: the columns it depends on", hint="--x params,tokens"))
    x = parse_columns(named["x"])
    if not laws and len(x) > 1:
        raise InputError(
            Problem("--law says how y depends on several columns", hint="name a law, or a formula")
        )
    chosen = changed_laws([column_law(each, x) for each in laws or usual()], known)
    rest = {name: column for name, column in named.items() if name not in ("x", "y", "share", "components")}
    curves = curve_points(raw, named["y"], x, chosen, by=columns, **rest)
    first = next(iter(curves.values()))
    if first.words:
        note(first.words)
    if named["share"] is None:
        return fit_points(curves, chosen, progress=progress, **options)
    if len(chosen) != 1:
        raise InputError(Problem("--share is for one law", hint="--law NAME"))
    shared = [name.strip() for name in named["share"].split(",") if name.strip()]
    fit = fit_tied(curves, chosen[0], shared, **options)
    return CurveStudy({("all", fit.law.name): fit}, ())


def _verdicts(
    study: CurveStudy, claims: list[str], draws: int, twin: Callable[[list[Law]], CurveStudy] | None
) -> TableOfNumbers:
    """Judge claims on the best law of every curve, and on the same law on the other scale where there are counts."""
    from gainlaw.claims.curves import assess_curve, claimable
    from gainlaw.claims.grammar.parse import parse_claim
    from gainlaw.tables.curves import curve_claims_table

    names: dict[str, bool] = {}
    for name in study.curves:
        names |= claimable(study.best(name).law)
    parsed = [parse_claim(text, names) for text in claims]
    other: dict[tuple[str, str], CurveFit] = {}
    if twin is not None:
        try:
            other = twin(list(dict.fromkeys(study.best(name).law for name in study.curves))).fits
        except InputError as error:
            why = "; ".join(problem.message for problem in error.problems)
            note(f"judged on one scale alone: {why}")
    rows = []
    for name in study.curves:
        fit = study.best(name)
        same = other.get((name, fit.law.name))
        rows += [(name, fit.law.name, assess_curve(fit, each, twin=same, draws=draws)) for each in parsed]
    return curve_claims_table(rows)


def _parts(text: str) -> list[str]:
    """Split names at commas; a formula, which may hold commas, is one part."""
    return text.split(",") if all(part.strip().isidentifier() for part in text.split(",")) else [text]
