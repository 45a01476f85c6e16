"""Tables of what came out: slopes, gains at given sizes, and the spread of each term."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.formats import (
    MISSING,
    format_number,
    interval_title,
    level_title,
    parameter_title,
    percent,
    tails,
)
from gainlaw.notes import count_of
from gainlaw.posterior.shares import MOSTLY_PRIOR
from gainlaw.scales import SCALES
from gainlaw.sizes import format_params, told_apart
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table
from gainlaw.tasks import task_title

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = [
    "estimates_table",
    "gain_at_table",
    "group_title",
    "mark_prior",
    "rows_by_level",
    "sds_table",
    "slopes_table",
]

_BOTH = (
    "Overall averages over the groups observed; population is the mean of the hierarchy, what new groups "
    "would show on average.",
)

# The estimands in the unit of the gain; the others have one of their own, or none.
_IN_UNIT = {"gain", "slope", "asymptote", "effect", "effect_per_sd", "sd"}

_DAGGER = "†"
_PRIOR_NOTE = (
    f"{_DAGGER} mostly what the priors say: were every prior 10% wider, the interval would be at least "
    f"{10 * MOSTLY_PRIOR:g}% wider; or, where scores lie at the floor or the ceiling, were the prior of the baselines' "
    f"log-odds half as wide, the estimate would move by at least {MOSTLY_PRIOR:g} of its sd."
)


def group_labels(fit: FitRecord) -> dict[str, str]:
    """Return the printed name of every group that has one in the data: languages by their codes."""
    cells = fit.gains.frame
    if "language" not in cells or "language_name" not in cells:
        return {}
    known = cells[["language", "language_name"]].dropna().drop_duplicates("language")
    return dict(zip(known["language"].astype(str), known["language_name"].astype(str), strict=True))


def group_title(level: str, group: str, labels: Mapping[str, str] | None = None) -> str:
    """Return the words for one row of the estimates.

    Parameters
    ----------
    level, group : str
        As in the estimates.
    labels : mapping of str to str, optional
        Printed names of groups (`group_labels`).

    Examples
    --------
    >>> group_title("task", "task=xnli"), group_title("overall", "")
    ('XNLI', 'overall (observed groups)')
    """
    if not group:
        return level_title(level)
    if level == "model":
        return f"sd of {parameter_title(group)}" if group.startswith("tau_") else parameter_title(group)
    names = [part.split("=", 1)[-1] for part in re.split(r", ?(?=\w+=)", group)]
    return ", ".join((labels or {}).get(name, task_title(name)) for name in names)


def slopes_table(fit: FitRecord, level: str = "task") -> Table:
    """Return the slopes of a level's groups, below the population and the overall slope.

    Parameters
    ----------
    fit : Fit
        A fit.
    level : str
        The groups.

    Raises
    ------
    InputError
        If the fit has no slope at that level.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> print(slopes_table(fit, "task").to_markdown())  # doctest: +SKIP
    """
    estimates = fit.estimates
    kept = estimates[
        (estimates["estimand"] == "slope") & estimates["level"].isin(["population", "overall", level])
    ]
    if not (kept["level"] == level).any():
        raise InputError(Problem(f"the fit has no slopes by {level}", hint="see the levels of its estimates"))
    frame = _ordered(kept, level)
    frame = _with_counts(_with_titles(frame, group_labels(fit)), fit.gains.frame)
    frame, marked = mark_prior(frame)
    unit, digits = SCALES[fit.scale].per_decade, fit.spec.decimals()
    columns = (
        Column("title", level_title(level).capitalize()),
        Column("mean", "Slope", "number", digits),
        Column("sd", "s.d.", "number", digits),
        Column("ci_low", interval_title(frame), "interval", digits, high="ci_high"),
        Column("p_positive", "P(> 0)", "probability"),
        Column("n_languages", "Languages", "count"),
        Column("n_checkpoints", "Checkpoints", "count"),
        Column("n_rows", "Gains", "count"),
    )
    shown = tuple(column for column in columns if frame[column.key].notna().any())
    caption = f"Slope of the gain in {unit} of parameters, by {level_title(level)}."
    notes = (*_BOTH, _replicates(fit), *marked)
    return Table(f"slopes_{level}", caption, frame, shown, notes, rule_by="block")


def gain_at_table(fit: FitRecord, level: str = "task") -> Table:
    """Return the expected gain at each reported size, with intervals, for a level's groups.

    A law without sizes has one gain for all of them.

    Parameters
    ----------
    fit : Fit
        A fit.
    level : str
        The groups.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> print(gain_at_table(fit, "task").to_markdown())  # doctest: +SKIP
    """
    estimates = fit.estimates
    kept = estimates[
        (estimates["estimand"] == "gain") & estimates["level"].isin(["population", "overall", level])
    ]
    kept = _ordered(kept, level)
    sizes = sorted(kept["params"].dropna().unique()) or [float("nan")]
    labels = group_labels(fit)
    keys = dict(zip(sizes, _size_keys(sizes), strict=True))
    records = []
    for (block, name, group), part in kept.groupby(["block", "level", "group"], sort=False):
        record: dict[str, object] = {
            "block": block,
            "level": name,
            "group": group,
            "row": group_title(str(name), str(group), labels) if group else str(name),
        }
        for row in part.to_dict("records"):
            key = keys.get(row["params"], "expected")
            record |= {f"gain_{key}": row["mean"], f"low_{key}": row["ci_low"], f"high_{key}": row["ci_high"]}
        records.append(record | {"prior_share": part["prior_share"].max()})
    frame, marked = mark_prior(pd.DataFrame(records))
    digits = fit.spec.decimals()
    columns = [Column("title", level_title(level).capitalize())]
    for size, key in keys.items():
        title = key.capitalize() if np.isnan(size) else key
        low, high = f"low_{key}", f"high_{key}"
        columns.append(Column(f"gain_{key}", title, "estimate", digits, low=low, high=high))
    at = "" if np.isnan(sizes[0]) else " at given model sizes"
    caption = f"Expected gain ({fit.unit}){at} with its {interval_title(kept)}, by {level_title(level)}."
    observed = fit.gains.frame["params"]
    notes = (
        f"Sizes observed: {format_params(observed.min())} to {format_params(observed.max())}; what lies "
        "outside is extrapolation.",
        *(f"{note} At one size or more." for note in marked),
    )
    if not at:
        notes = (*_BOTH, *marked)
    return Table(
        f"gain_at_{level}", caption, frame, tuple(columns), notes, rule_by="block", size="footnotesize"
    )


def _size_keys(sizes: Sequence[float]) -> list[str]:
    """Return the word for every size in the names of columns; for a gain that has none, what it is."""
    return ["expected"] if np.isnan(sizes[0]) else told_apart(sizes)


def estimates_table(fit: FitRecord) -> Table:
    """Return every estimate of a fit but those of single languages, with its convergence numbers.

    Parameters
    ----------
    fit : Fit
        A fit.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> print(estimates_table(fit).to_latex())  # doctest: +SKIP
    """
    frame = fit.estimates[fit.estimates["level"] != "language"].reset_index(drop=True)
    frame = _with_titles(frame, group_labels(fit))
    digits = fit.spec.decimals()
    frame["shown"] = [_shown(row, "median", digits) for row in frame.to_dict("records")]
    frame["shown_interval"] = [_shown_interval(row, digits) for row in frame.to_dict("records")]
    frame["block"] = frame["row"].where(frame["level"] != "model", "model")
    frame, marked = mark_prior(frame)
    columns = (
        Column("title", "Group"),
        Column("estimand", "Estimand"),
        Column("params", "Size", "params"),
        Column("shown", "Median", "right"),
        Column("shown_interval", interval_title(frame), "right"),
        Column("p_positive", "P(> 0)", "probability"),
        *_convergence(frame),
    )
    law = fit.spec.law.title
    caption = f"Every estimate of the {law} law on {fit.unit}, with its convergence numbers."
    notes = (
        "A crossing is the size at which the gain is zero. A ratio is the gain at the size given over "
        "that at the smallest size reported.",
        *marked,
    )
    return Table("estimates", caption, frame, columns, notes, rule_by="block", size="scriptsize")


def _convergence(frame: pd.DataFrame) -> tuple[Column, ...]:
    """Return the columns that say how well the draws know a number; independent draws have no chains to compare."""
    if frame["rhat"].isna().all():
        return (Column("ess_bulk", "Effective draws", "count"),)
    return (
        Column("rhat", "R-hat", "number", 3),
        Column("ess_bulk", "ESS bulk", "count"),
        Column("ess_tail", "ESS tail", "count"),
    )


def _shown(row: Mapping[Hashable, Any], key: str, digits: int) -> str:
    value = float(row[key])
    if row["estimand"] in ("crossing", "peak"):
        return format_params(value)
    return format_number(value, digits if row["estimand"] in _IN_UNIT else max(digits, 1))


def _shown_interval(row: Mapping[Hashable, Any], digits: int) -> str:
    ends = _shown(row, "ci_low", digits), _shown(row, "ci_high", digits)
    return MISSING if MISSING in ends else f"[{ends[0]}, {ends[1]}]"


def rows_by_level(fit: FitRecord, rows: pd.DataFrame, level: str) -> pd.DataFrame:
    """Return the estimates of a level, largest median first, and behind them the overall one.

    Parameters
    ----------
    fit : Fit
        A fit.
    rows : DataFrame
        Estimates of one kind.
    level : str
        The level.

    Returns
    -------
    DataFrame
        With ``block``, 1 for what is overall, and ``title``, the name of the group.
    """
    frame = rows[rows["level"].isin([level, "overall"])].copy()
    frame["block"] = np.where(frame["level"] == level, 0, 1)
    frame = frame.sort_values(["block", "median"], ascending=[True, False], kind="stable", ignore_index=True)
    labels = group_labels(fit)
    frame["title"] = [
        group_title(name, group, labels) for name, group in zip(frame["level"], frame["group"], strict=True)
    ]
    return frame


def sds_table(fit: FitRecord) -> Table:
    """Return the standard deviations of the model's terms: where the spread of the gains comes from.

    Parameters
    ----------
    fit : Fit
        A fit.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> print(sds_table(fit).to_latex())  # doctest: +SKIP
    """
    posterior = fit.draws["posterior"]
    rows = []
    for name in map(str, posterior.data_vars):
        if not name.startswith("tau_") or name not in fit.spec.common_names:
            continue
        ends = tails(fit.ci_prob)
        draws = np.asarray(posterior[name]).ravel()
        low, middle, high = np.quantile(draws, [ends[0], 0.5, ends[1]])
        prior = fit.spec.priors.get(name)
        rows.append(
            {
                "variable": name,
                "term": parameter_title(name),
                "median": float(middle),
                "mean": float(draws.mean()),
                "sd": float(draws.std(ddof=1)),
                "ci_low": float(low),
                "ci_high": float(high),
                "prior": "" if prior is None else str(prior),
            }
        )
    frame = pd.DataFrame(rows)
    digits = fit.spec.decimals()
    columns = (
        Column("term", "Standard deviation of"),
        Column("median", "Median", "number", digits),
        Column("mean", "Mean", "number", digits),
        Column("ci_low", f"{percent(fit.ci_prob)} interval", "interval", digits, high="ci_high"),
        Column("prior", "Prior", "code"),
    )
    caption = (
        f"Standard deviations of the model's terms ({fit.unit}; slopes: {SCALES[fit.scale].per_decade})."
    )
    return Table("sds", caption, frame, columns)


def _ordered(rows: pd.DataFrame, level: str) -> pd.DataFrame:
    """Put the level's groups first, by their mean, then overall and population."""
    rank = {level: 0, "overall": 1, "population": 2}
    frame = rows.assign(block=["group" if name == level else "mean" for name in rows["level"]])
    frame = frame.assign(rank=frame["level"].map(rank), group=frame["group"].fillna(""))
    best = frame.groupby(["level", "group"])["mean"].transform("mean")
    frame = frame.assign(best=-best).sort_values(["rank", "best", "params"], kind="stable")
    return frame.drop(columns=["rank", "best"]).reset_index(drop=True)


def _with_titles(rows: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """Add the words for each row."""
    titles = [
        group_title(str(level), str(group), labels)
        for level, group in zip(rows["level"], rows["group"].fillna(""), strict=True)
    ]
    return rows.assign(row=titles)


def mark_prior(rows: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Add the titles of rows that are shown, with a mark on those that are mostly their prior.

    Parameters
    ----------
    rows : DataFrame
        With the columns ``row``, their names, and ``prior_share``.

    Returns
    -------
    rows : DataFrame
    notes : tuple of str
        The note that says what the mark means; none where nothing is marked.

    Examples
    --------
    >>> rows, notes = mark_prior(pd.DataFrame({"row": ["overall", "population"], "prior_share": [0.1, 0.7]}))
    >>> rows["title"].tolist(), len(notes)
    (['overall', 'population †'], 1)
    """
    mostly = rows["prior_share"] >= MOSTLY_PRIOR
    titles = rows["row"].where(~mostly, rows["row"] + f" {_DAGGER}")
    return rows.assign(title=titles), (_PRIOR_NOTE,) if mostly.any() else ()


def _with_counts(rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Add the numbers of languages, checkpoints and gains behind every row."""
    counts = []
    for group in rows["group"]:
        kept = cells
        for part in re.split(r", ?(?=\w+=)", str(group)) if group else []:
            name, value = part.split("=", 1)
            kept = kept[kept[name].astype(str) == value]
        counts.append(
            {
                "n_languages": float(kept["language"].nunique()) if "language" in kept else np.nan,
                "n_checkpoints": float(kept["checkpoint"].nunique()) if "checkpoint" in kept else np.nan,
                "n_rows": float(len(kept)),
            }
        )
    return pd.concat([rows, pd.DataFrame(counts, index=rows.index)], axis=1)


def _replicates(fit: FitRecord) -> str:
    replicates = f"{count_of(fit.n_checkpoints, 'checkpoint')} at {count_of(fit.n_sizes, 'size')}"
    return f"{count_of(fit.n_rows, 'gain')} from {replicates}."
