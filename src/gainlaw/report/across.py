"""Several studies at once: what a report says before it comes to the one study that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.figures.common.arrange import estimate_row, levels
from gainlaw.fitting.companion import in_points
from gainlaw.fitting.prediction import predict
from gainlaw.formats import MINUS, format_interval, format_number, format_probability, tails
from gainlaw.notes import count_of
from gainlaw.posterior.levels import gain_curve
from gainlaw.report.answer import numbers
from gainlaw.report.words import names_of
from gainlaw.scales import SCALES
from gainlaw.sizes import format_params
from gainlaw.tables import compare_table, multipliers_table, slopes_table

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord
    from gainlaw.tables.table import Table

__all__ = ["Across", "Together", "across_tables", "across_words"]

#: The size of the model that is asked about, and how many per cent of the items it answers untuned.
_SIZE, _UNTUNED = 1e10, (10, 50, 80)

_LEFT_OUT = {
    "family": "Of a family of models that was left out",
    "study": "Of a study that was left out",
    "checkpoint": "Of a checkpoint that was left out",
    "largest": "Of the largest size of a family",
}


#: What the fits are called in a comparison, beside its reference lines.
_NAMES = ("two curves", "ability law", "line in size")

#: Columns of a comparison that its caption has, or a reader of the page does without.
_ASIDE = ("groups", "se", "pareto_k_max", "status")


@dataclass(frozen=True, slots=True)
class Across:
    """Fits of several studies together.

    Parameters
    ----------
    fit : Fit
        Of a law of scores, with families of models.
    line : Fit
        Of a law of the gain in points, of the same gains.
    comparisons : mapping of str to DataFrame
        What `gainlaw.compare` returned for them, by what was left out (``family``, ``largest``, ...). Their names
        there are ``two curves``, ``line in size`` and ``ability law``.
    panels : str, optional
        The column that says of which study a family is.
    note : str
        A sentence on what the studies are, and are not.
    ability : FitRecord, optional
        Of a law with ability, of the same gains: what of the change with size is due to better untuned scores.
    """

    fit: FitRecord
    line: FitRecord
    comparisons: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    panels: str | None = None
    note: str = ""
    ability: FitRecord | None = None

    def __post_init__(self) -> None:
        problems = []
        if not self.fit.law.form.scores:
            problems.append(
                Problem(f"the {self.fit.law.name} law is none of scores", hint="fit law=two_curve")
            )
        if "model_family" not in levels(self.fit):
            problems.append(Problem("the fit has no families of models", hint="a column model_family"))
        if self.line.scale != "points" or self.line.n_rows != self.fit.n_rows:
            problems.append(Problem("the other fit is not one of the same gains in points"))
        if self.ability is not None and not (
            self.ability.law.form.lift and self.ability.n_rows == self.fit.n_rows
        ):
            problems.append(Problem("the fit with ability is none of the same gains", hint="fit law=ability"))
        if problems:
            raise InputError(problems)


@dataclass(frozen=True, slots=True)
class Together:
    """What several studies together say.

    Parameters
    ----------
    headline : str
        Whether the gain grows, in one sentence.
    decides : str
        What decides it, in one sentence.
    expect : str
        What to expect of a model that is none of these, in one sentence.
    more : tuple of str
        By how much the gain changes, for whom, and what of it is due to better untuned scores.
    limits : tuple of str
        What the laws foresee, and what the studies are not.
    """

    headline: str
    decides: str
    expect: str
    more: tuple[str, ...]
    limits: tuple[str, ...]

    @property
    def short(self) -> str:
        """The answer in three sentences."""
        return " ".join([self.headline, self.decides, self.expect])

    @property
    def text(self) -> str:
        """The whole as one paragraph."""
        return " ".join([self.headline, *self.sentences, *self.limits])

    @property
    def sentences(self) -> tuple[str, ...]:
        """What follows the headline on a page."""
        return (self.decides, self.expect, *self.more)


def across_words(across: Across) -> Together:
    """Return in sentences whether the gain grows, what decides it, and what to expect; then what the laws foresee.

    Parameters
    ----------
    across : Across
        The fits.
    """
    headline, by_family = _grows(across)
    decides, of_points = _decides(across.fit)
    apart = () if across.ability is None else (_apart(across.ability),)
    limits = [_foreseen(leave, table) for leave, table in across.comparisons.items()]
    return Together(
        headline,
        decides,
        _expect(across.fit if across.ability is None else across.ability),
        (by_family, *apart, of_points),
        tuple(each for each in (*limits, across.note) if each),
    )


def across_tables(across: Across) -> list[Table]:
    """Return the slopes in points and the factors in size by family, and the comparisons.

    Parameters
    ----------
    across : Across
        The fits.
    """
    slopes = slopes_table(in_points(across.fit), "model_family")
    found = [
        replace(slopes, name="across_slopes", caption=f"{slopes.caption.rstrip('.')}, over every study."),
        replace(multipliers_table(across.fit), name="across_multipliers"),
    ]
    for leave, comparison in across.comparisons.items():
        table = compare_table(comparison)
        what = _LEFT_OUT.get(leave, f"Of a {leave} that was left out").removeprefix("Of ")
        caption = (
            f"Prediction of the gains of {what} ({comparison['groups'].iloc[0]}, one by one), beside lines that know "
            "no law of size."
        )
        kept = tuple(column for column in table.columns if column.key not in _ASIDE)
        found.append(replace(table, name=f"across_compare_{leave}", caption=caption, columns=kept))
    return found


def _grows(across: Across) -> tuple[str, str]:
    """Say whether the gain grows over all families; then by how much, and for how many of them."""
    points = in_points(across.fit)
    families = points.estimates
    families = families[(families["estimand"] == "slope") & (families["level"] == "model_family")]
    names = families["group"].str.removeprefix("model_family=")
    up, down = (list(names[chosen]) for chosen in (families["ci_low"] > 0, families["ci_high"] < 0))
    open_ones = len(families) - len(up) - len(down)
    average = _of_families(points)
    parts = [
        f"it {verb} for {names_of(group)}" for verb, group in (("grows", up), ("shrinks", down)) if group
    ]
    if open_ones:
        parts.append(f"for {count_of(open_ones, 'family')} the interval holds zero")
    headline = (
        f"Over {count_of(len(families), 'model family')} the gain of intermediate training has no one direction as "
        f"models grow: {', '.join(parts)}."
        if len(families) not in (len(up), len(down))
        else f"In all of {count_of(len(families), 'model family')} the gain of intermediate training "
        f"{'grows' if up else 'shrinks'} with model size."
    )
    mean, straight = (estimate_row(fit, "slope", "overall") for fit in (points, across.line))
    others = [] if mean is None else [f"averaged over benchmarks {numbers(mean, points)}"]
    if straight is not None:
        others.append(f"by a straight line in size {numbers(straight, across.line)}")
    return headline, (
        f"Averaged over families, each over its own sizes, the gain changes by {numbers(average, points)} "
        f"{SCALES['points'].per_decade} (probability of growth {format_probability(average['p_positive'])}); "
        f"{', '.join(others)}. This rests on {count_of(points.n_rows, 'gain')} from "
        f"{count_of(points.n_checkpoints, 'checkpoint')} of {count_of(points.n_sizes, 'size')}."
    )


def _of_families(points: FitRecord) -> pd.Series:
    """Return the slope averaged over the families of models, all of the same weight, as a row of estimates."""
    names = points.gains.frame["model_family"].astype(str).unique()
    draws = np.mean([gain_curve(points, model_family=name).slope() for name in names], axis=0)
    low, high = np.quantile(draws, tails(points.ci_prob))
    return pd.Series(
        {"mean": draws.mean(), "ci_low": low, "ci_high": high, "p_positive": float((draws > 0).mean())}
    )


def _apart(fit: FitRecord) -> str:
    """Say what ability and size each change, where the other stays."""
    ability = estimate_row(fit, "ability_effect", "model", "ability_effect")
    size = estimate_row(fit, "size_effect", "overall")
    assert ability is not None and size is not None  # noqa: PT018
    apart = [
        name
        for name, row in (("the untuned score", ability), ("size", size))
        if row["ci_low"] > 0 or row["ci_high"] < 0
    ]
    end = (
        "both intervals hold zero",
        f"that of {''.join(apart)} alone does not hold zero",
        "neither holds zero",
    )
    return (
        f"Taken apart, one unit of the untuned log-odds changes what tuning adds by {numbers(ability, fit)}, and a "
        f"decade of size at equal untuned log-odds by {numbers(size, fit)}: {end[len(apart)]}."
    )


def _decides(fit: FitRecord) -> tuple[str, str]:
    """Say what moves the gain, size or the groups that differ; then where there is most of it to be had."""
    slope = estimate_row(fit, "slope", "overall")
    assert slope is not None
    settled = slope["ci_low"] > 0 or slope["ci_high"] < 0
    said = f"{numbers(slope, fit)} {SCALES[fit.scale].per_decade}"
    of_size = f"changes with size ({said})" if settled else f"hardly depends on size ({said})"
    spread = {
        title: float(fit.draws["posterior"][f"tau_{name}"].median())
        for name, title in (
            ("model_family", "families of models"),
            ("intermediate", "recipes of tuning"),
            ("task", "benchmarks"),
        )
        if f"tau_{name}" in fit.draws["posterior"]
    }
    digits = fit.spec.decimals()
    between = ", ".join(f"{format_number(sd, digits)} between {title}" for title, sd in spread.items())
    return (
        f"What tuning adds on log-odds {of_size}; it differs with a standard deviation of {between}.",
        "In points a step on log-odds is worth most midway between floor and ceiling and little near either, and an "
        "untuned score at the floor does not say how far it is from leaving it.",
    )


def _expect(fit: FitRecord) -> str:
    """Say what to expect of a model of a family and a recipe never seen, by its untuned score."""
    new = [
        name for name in ("model_family", "intermediate") if name in {term.name for term in fit.spec.terms}
    ]
    parts, sure = [], True
    for untuned in _UNTUNED:
        table = predict(fit, _SIZE, new=new, baseline=untuned / 100.0, chance=0.0, ci_prob=fit.ci_prob)
        row = table[table["kind"] == "new_checkpoint"].iloc[0]
        sure = sure and bool(row["ci_low"] > 0 or row["ci_high"] < 0)
        median = format_number(row["median"], 0, MINUS)
        parts.append(
            f"{median} {format_interval(row['ci_low'], row['ci_high'], 0, MINUS)} points at {untuned}%"
        )
    end = "." if sure else ": not even the direction is sure."
    return (
        f"Of a model of {format_params(_SIZE)} parameters, of a family and a recipe never seen, on a benchmark that "
        f"cannot be guessed, expect (median and interval) by its untuned score {', '.join(parts)}{end}"
    )


def _foreseen(leave: str, table: pd.DataFrame) -> str:
    """Say which line foresees best what was left out, and how far behind the laws are."""
    best = table.iloc[0]
    behind = [
        f"{row['model']} {format_number(row['elpd_diff'], 0, MINUS)} (s.e. {format_number(row['se_diff'], 0)})"
        for row in table.iloc[1:].to_dict("records")
        if row["model"] in _NAMES
    ]
    what = _LEFT_OUT.get(leave, f"Of a {leave} that was left out")
    rest = f"; differences in elpd: {', '.join(behind)}" if behind else ""
    return f"{what} the gains are foreseen best by {_the(best['model'])}{rest}."


def _the(name: str) -> str:
    """Return the name of a line as it stands in a sentence."""
    return {"previous size": "the gain of its previous size", "line in size": "a line in size"}.get(
        name, name
    )
