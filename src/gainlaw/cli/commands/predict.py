"""``gainlaw predict``: the gain to expect at a size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gainlaw.cli.printing import OutputFormat, SafeCsv, show, show_frame
from gainlaw.cli.sources import Directory, exit_untrusted, open_fit
from gainlaw.notes import count_of

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.fitting.record import FitRecord

__all__ = ["predict"]

_KINDS = {"mean": "mean curve", "new_checkpoint": "new checkpoint"}


def predict(
    directory: Directory,
    params: Annotated[
        list[str],
        typer.Option(metavar="SIZE", help="Parameters, 13e9 or 13B; repeat for more.", show_default=False),
    ],
    task: Annotated[list[str] | None, typer.Option(help="For this task; repeat for more.")] = None,
    language_family: Annotated[
        list[str] | None, typer.Option(help="For this language family; repeat for more.")
    ] = None,
    language: Annotated[list[str] | None, typer.Option(help="For this language; repeat for more.")] = None,
    intermediate: Annotated[
        list[str] | None, typer.Option(help="For this intermediate training; repeat for more.")
    ] = None,
    new: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TERM",
            help="For a group never seen: task, language_family, ...; checkpoint shows only the interval of the "
            "next model. Repeat for more.",
        ),
    ] = None,
    baseline: Annotated[
        float | None,
        typer.Option(
            metavar="SCORE",
            help="The untuned score of the model in question, as the table has scores: its gain in points, by a fit "
            "on log-odds.",
        ),
    ] = None,
    chance: Annotated[
        float | None,
        typer.Option(
            metavar="SCORE",
            help="With --baseline and no --task: what guessing scores on a benchmark that is none of the tasks.",
        ),
    ] = None,
    ci_prob: Annotated[float, typer.Option(help="Probability of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of the new groups.")] = 0,
    form: Annotated[OutputFormat, typer.Option("--format", help="How to print it.")] = "table",
    safe_csv: SafeCsv = False,
) -> None:
    """Print the gain to expect at a number of parameters, with its interval.

    For every size: the mean curve, and one more checkpoint of that size.
    """
    from gainlaw.fitting.companion import in_points
    from gainlaw.fitting.prediction import predict as predict_gain
    from gainlaw.sizes import parse_size

    fit = open_fit(directory)
    if fit.law.form.scores and baseline is None:
        fit = in_points(fit)
    given = {
        "task": task,
        "language_family": language_family,
        "language": language,
        "intermediate": intermediate,
    }
    chosen: dict[str, Any] = {column: groups for column, groups in given.items() if groups}
    terms = [name for name in new or () if name != "checkpoint"]
    frame = predict_gain(
        fit,
        [parse_size(size) for size in params],
        new=terms,
        baseline=baseline,
        chance=chance,
        ci_prob=ci_prob,
        seed=seed,
        **chosen,
    )
    if len(terms) < len(new or ()):
        frame = frame[frame["kind"] == "new_checkpoint"]
    if form == "table":
        _print_prediction(fit, frame, ci_prob, baseline)
    else:
        show_frame(frame, form, safe=safe_csv)
    exit_untrusted([fit])


def _print_prediction(
    fit: FitRecord, frame: pd.DataFrame, ci_prob: float, baseline: float | None = None
) -> None:
    from gainlaw.formats import percent
    from gainlaw.scales import SCALES
    from gainlaw.tables.estimates import mark_prior
    from gainlaw.tables.record import Column
    from gainlaw.tables.table import Table as Printed

    digits, unit = (fit.spec.decimals(), fit.unit) if baseline is None else (1, SCALES["points"].unit)
    columns = (
        Column("params", "Size", "params"),
        Column("title", "Of"),
        Column("mean", "Gain", "number", digits),
        Column("sd", "s.d.", "number", digits),
        Column("ci_low", f"{percent(ci_prob)} interval", "interval", digits, high="ci_high"),
        Column("p_positive", "P(> 0)", "probability"),
    )
    group = frame["group"].iloc[0]
    level = frame["level"].iloc[0]
    several = len(frame["group"].unique()) > 1
    named = "" if several else group.replace("=", " ")
    of = ", ".join(part for part in (level if several or level not in group else "", named) if part)
    caption = f"Expected gain ({unit}), {of or 'overall'}"
    caption += "" if baseline is None else f", of a model that scores {baseline:g} untuned"
    beyond = frame[frame["extrapolation"] > 0]
    replicates = f"{count_of(fit.n_checkpoints, 'checkpoint')} of {count_of(fit.n_sizes, 'size')}"
    notes = [f"{count_of(fit.n_rows, 'gain')}, {replicates}."]
    if len(beyond):
        notes.append(
            f"Extrapolation: up to {beyond['extrapolation'].max():.1f} decades beyond the sizes observed."
        )
    kinds = frame["kind"].map(_KINDS)
    if several:
        kinds = frame["group"].str.replace("=", " ") + ", " + kinds
    shown, marked = mark_prior(frame.assign(row=kinds))
    notes += marked
    show(Printed("predict", caption, shown, columns, tuple(notes)))
