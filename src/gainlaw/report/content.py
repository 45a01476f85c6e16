"""What a report shows: every table and figure of a set of fits, made once and used by page and paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from gainlaw import figures as plots
from gainlaw import tables as make
from gainlaw.errors import InputError
from gainlaw.report.answer import Answer, answer, estimate_row
from gainlaw.tables.formats import level_title, scale_title, slope_unit, title_of

if TYPE_CHECKING:
    from gainlaw.claims import Verdict
    from gainlaw.figures import PaperFigure
    from gainlaw.fitting import Fit
    from gainlaw.tables import Table

__all__ = ["Content", "Exhibit", "Fits", "Verdicts", "arrange_fits", "collect"]

type Verdicts = Sequence[Verdict] | pd.DataFrame

#: Levels that get a forest and a table of slopes, where the fit has them.
LEVELS = ("task", "language_family", "language", "intermediate", "model_family")


# Sizes below which a curve by itself says nothing.
_CURVE_SIZES = 4


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A figure of the report.

    Parameters
    ----------
    name : str
        File stem.
    figure : PaperFigure
        The figure.
    caption : str
        Plain text.
    """

    name: str
    figure: PaperFigure
    caption: str

    @property
    def narrow(self) -> bool:
        """Whether the figure fits one column."""
        return float(self.figure.get_figwidth()) < 4


@dataclass(frozen=True, slots=True)
class Fits:
    """The fits of a report by their part in it.

    Parameters
    ----------
    main : Fit
        The fit that answers.
    twin : Fit or None
        The same study and law on the other scale.
    others : mapping of str to Fit
        Every other fit, by its name.
    """

    main: Fit
    twin: Fit | None
    others: Mapping[str, Fit]


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that a report shows.

    Parameters
    ----------
    fits : Fits
        The fits.
    answer : Answer
        The first paragraph.
    tables : mapping of str to Table
        By name, in the order in which they are shown.
    figures : mapping of str to Exhibit
        By name.
    width : pandas.DataFrame
        The slope's interval by what is the replicate (`gainlaw.figures.width_frame`); empty without a slope.
    curve_words : mapping of str to str
        By curve, which law of one curve describes it best, and what the sizes cannot tell.
    beside : mapping of str to Answer
        By the name of another study, what it answers.
    """

    fits: Fits
    answer: Answer
    tables: Mapping[str, Table]
    figures: Mapping[str, Exhibit]
    width: pd.DataFrame
    curve_words: Mapping[str, str]
    beside: Mapping[str, Answer]

    def has(self, name: str) -> bool:
        """Return whether there is a table or a figure of that name."""
        return name in self.tables or name in self.figures


def arrange_fits(fits: Fit | Sequence[Fit] | Mapping[str, Fit]) -> Fits:
    """Say which fit answers, which is its twin on the other scale, and which stand beside them.

    Parameters
    ----------
    fits : Fit, sequence of Fit or mapping of str to Fit
        The first one answers.

    Raises
    ------
    InputError
        If there is none.
    """
    if isinstance(fits, Mapping):
        named = dict(fits)
    else:
        sequence = list(fits) if isinstance(fits, Sequence) else [fits]
        named = {f"{number}. {_describe(fit)}": fit for number, fit in enumerate(sequence, 1)}
    if not named:
        raise InputError("a report needs at least one fit")
    names = list(named)
    main = named[names[0]]
    twin = next((name for name in names[1:] if _are_twins(main, named[name])), None)
    others = {name: named[name] for name in names[1:] if name != twin}
    return Fits(main, None if twin is None else named[twin], others)


def _describe(fit: Fit) -> str:
    return f"{_law_name(fit)}, {scale_title(fit.scale)}"


def _are_twins(first: Fit, second: Fit) -> bool:
    return (
        first.scale != second.scale
        and first.spec.law.name == second.spec.law.name
        and first.n_rows == second.n_rows
        and first.n_checkpoints == second.n_checkpoints
    )


def collect(
    fits: Fits,
    verdicts: Verdicts = (),
    comparison: pd.DataFrame | None = None,
    beside: Mapping[str, Fit] | None = None,
) -> Content:
    """Make every table and figure of a report.

    Parameters
    ----------
    fits : Fits
        The fits.
    verdicts : sequence of Verdict or pandas.DataFrame
        The judged claims.
    comparison : pandas.DataFrame, optional
        What `gainlaw.compare` returned.
    beside : mapping of str to Fit, optional
        Fits of other studies.
    """
    width = _width(fits.main)
    other_tables, other_exhibits = _others(fits)
    curve_tables, curve_exhibits, curve_words = _curves(fits.main)
    beside_tables, beside_exhibits = _beside(beside or {})
    tables = [*_tables(fits, verdicts, comparison), *other_tables, *curve_tables, *beside_tables]
    exhibits = [*_figures(fits, width), *other_exhibits, *curve_exhibits, *beside_exhibits]
    return Content(
        fits,
        answer(fits.main, fits.twin),
        {table.name: table for table in tables},
        {exhibit.name: exhibit for exhibit in exhibits},
        width,
        curve_words,
        {name: answer(fit, None) for name, fit in (beside or {}).items()},
    )


def has_slope(fit: Fit) -> bool:
    """Return whether the fit says anything about size."""
    return estimate_row(fit, "slope", "overall") is not None


def levels(fit: Fit, estimand: str = "slope") -> list[str]:
    """Return the levels with at least two groups in the estimates, in the order of the report."""
    rows = fit.estimates[fit.estimates["estimand"] == estimand]
    counts = rows.groupby("level")["group"].nunique()
    return [level for level in LEVELS if counts.get(level, 0) >= 2]


def _tables(fits: Fits, verdicts: Verdicts, comparison: pd.DataFrame | None) -> list[Table]:
    main = fits.main
    tables: list[Table | None] = [
        make.data_table(main.gains),
        make.checkpoints_table(main.gains),
        make.gains_table(main.gains),
    ]
    if has_slope(main):
        tables += [make.slopes_table(main, level) for level in levels(main)]
    tables += [make.gain_at_table(main, level) for level in levels(main, "gain")]
    tables.append(make.sds_table(main))
    if len(verdicts):
        tables += [make.claims_table(verdicts), make.companions_table(verdicts)]
    if comparison is not None and len(comparison):
        tables.append(make.compare_table(comparison))
    tables += [make.diagnostics_table(main), make.priors_table(main), make.sensitivity_table(main)]
    if has_slope(main) and len(make.diagnostics_of(main).influence):
        tables.append(replace(make.influence_table(main), name="influence_table"))
    tables.append(make.estimates_table(main))
    return [table for table in tables if table is not None and len(table.frame)]


def _others(fits: Fits) -> tuple[list[Table], list[Exhibit]]:
    """Show the fits beside the main one: other laws in one panel, other intermediate trainings by curve."""
    main = fits.main
    tables: list[Table] = []
    exhibits: list[Exhibit] = []
    laws = {
        _law_name(fit): fit
        for fit in (main, *fits.others.values())
        if fit.scale == main.scale and fit.n_rows == main.n_rows and has_slope(fit)
    }
    if len(laws) > 1:
        caption = "The same gains under several laws: mean over the groups observed with its 95% band."
        exhibits.append(Exhibit("other_laws", plots.plot_laws(laws), caption))
    wider = next((fit for fit in fits.others.values() if "intermediate" in levels(fit, "gain")), None)
    if wider is not None and "intermediate" not in levels(main, "gain") and wider.scale == main.scale:
        caption = "Gain against model size by intermediate training. Dots are single languages and tasks."
        exhibits.append(Exhibit("other_intermediate", plots.plot_gain(wider, "intermediate"), caption))
        tables.append(replace(make.gain_at_table(wider, "intermediate"), name="other_gain_at_intermediate"))
        tables.append(replace(make.gains_table(wider.gains), name="other_gains"))
    return tables, exhibits


def _beside(fits: Mapping[str, Fit]) -> tuple[list[Table], list[Exhibit]]:
    """Show fits of other studies: a curve and the slopes of each."""
    tables: list[Table] = []
    exhibits: list[Exhibit] = []
    for number, (name, fit) in enumerate(fits.items(), 1):
        if not has_slope(fit):
            continue
        by = "task" if "task" in levels(fit) else None
        caption = f"{name}: gain against model size{' by task' if by else ''}. Dots are single languages."
        exhibits.append(Exhibit(f"beside_{number}", plots.plot_gain(fit, by), caption))
        level = "language_family" if "language_family" in levels(fit) else (by or "")
        if level:
            table = make.slopes_table(fit, level)
            words = f"{name}. {table.caption}"
            tables.append(replace(table, name=f"beside_slopes_{number}", caption=words))
    return tables, exhibits


def _curves(fit: Fit) -> tuple[list[Table], list[Exhibit], Mapping[str, str]]:
    """Fit laws of one curve to the mean gains of each task's checkpoints, where there are sizes enough."""
    from gainlaw.curves import fit_curves

    frame = fit.gains.frame
    if frame["params"].isna().any() or fit.n_sizes < _CURVE_SIZES or "task" not in frame:
        return [], [], {}
    try:
        study = fit_curves(fit.gains, by=["task"])
    except InputError:
        return [], [], {}
    caption = (
        "The law that describes each task's checkpoint means best, with 95% bands of the mean and of a new checkpoint "
        "(delta method), the same law fitted without the largest size, and residuals."
    )
    best = [study.best(name) for name in study.curves]
    words = {title_of(name): text for name, text in study.words.items()}
    return [make.curve_laws_table(study)], [Exhibit("curves", plots.plot_curves(best), caption)], words


def _law_name(fit: Fit) -> str:
    return f"{fit.spec.law.name.replace('_', ' ')} law"


def _width(fit: Fit) -> pd.DataFrame:
    from gainlaw.gains import language_bootstrap_slope

    overall, population = (estimate_row(fit, "slope", level) for level in ("overall", "population"))
    if overall is None or population is None:
        return pd.DataFrame()
    try:
        only = language_bootstrap_slope(fit.gains)
    except InputError:
        return pd.DataFrame()
    rows = [("languages only", "language", only.estimate, only.ci_low, only.ci_high)]
    for label, replicate, row in (
        ("these tasks, other checkpoints", "checkpoint", overall),
        ("other tasks and families too", "checkpoint, task and family", population),
    ):
        rows.append((label, replicate, float(row["mean"]), float(row["ci_low"]), float(row["ci_high"])))
    return plots.width_frame(rows)


def _figures(fits: Fits, width: pd.DataFrame) -> list[Exhibit]:
    main, unit = fits.main, slope_unit(fits.main.scale)
    sized = main.gains.frame["params"].notna().all() and main.n_sizes > 1
    exhibits = []
    scores = plots.plot_scores(main.gains) if sized else None
    if scores is not None:
        caption = "Mean accuracy before and after intermediate training, over the languages of each task."
        exhibits.append(Exhibit("scores", scores, caption))
    if has_slope(main):
        by = "task" if "task" in levels(main) else None
        caption = (
            f"Gain against model size{' by task' if by else ''} with the posterior of the law (mean, 50% and "
            "95% bands). Dots are single languages, diamonds the mean of a checkpoint."
        )
        exhibits.append(Exhibit("gain_curve", plots.plot_gain(main, by), caption))
        caption = (
            "Posterior of the slope over the groups observed (top) and for the population (bottom). Grey: "
            "the region of practical equivalence; bar: 95% interval; dot: mean."
        )
        exhibits.append(Exhibit("slope", plots.plot_slope(main), caption))
        for level in levels(main):
            caption = (
                f"Slope ({unit}) by {level_title(level)}: mean, 50% and 95% interval. Orange: over "
                "all groups observed, and the population mean."
            )
            exhibits.append(Exhibit(f"forest_{level}", plots.plot_forest(main, level), caption))
    else:
        for level in levels(main, "gain"):
            caption = f"Gain ({main.unit}) by {level_title(level)}: mean, 50% and 95% interval."
            exhibits.append(Exhibit(f"forest_{level}", plots.plot_forest(main, level, "gain"), caption))
    if fits.twin is not None and has_slope(main):
        caption = "The same slopes on two scales. A direction that only one scale shows is scale-dependent."
        exhibits.append(Exhibit("scales", plots.plot_scales(main, fits.twin), caption))
    if len(width):
        caption = (
            "One slope, three questions: what is taken as the replicate decides how wide the interval is."
        )
        exhibits.append(Exhibit("width", plots.draw_width(width, unit=unit), caption))
    if has_slope(main) and len(make.diagnostics_of(main).influence):
        caption = "Overall slope with each checkpoint left out. Grey: mean and 95% interval on all data."
        exhibits.append(Exhibit("influence", plots.plot_influence(main), caption))
    if main.n_checkpoints:
        caption = "Observed mean and spread of the gains of each checkpoint beside what the model replicates."
        exhibits.append(Exhibit("predictive", plots.plot_predictive(main), caption))
    caption = "Prior and posterior of the standard deviations: median, 50% and 95% interval."
    exhibits.append(Exhibit("priors_figure", plots.plot_priors(main), caption))
    return exhibits
