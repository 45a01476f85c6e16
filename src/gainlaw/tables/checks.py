"""Tables of what holds the numbers up: diagnostics, influence, priors, sensitivity, comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.formats import format_general, format_number, parameter_title, percent
from gainlaw.model.spec.covariates import SLOPE, column_of
from gainlaw.scales import SCALES
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = [
    "compare_table",
    "diagnostics_table",
    "influence_table",
    "priors_table",
    "sensitivity_table",
]


_CHECKS = {
    "pareto_k": "weights of the scales (Pareto k)",
    "likelihood_pareto_k": "weights of the likelihood (Pareto k)",
    "ess": "effective draws",
    "rhat": "R-hat",
    "ess_bulk": "effective draws, centre",
    "ess_tail": "effective draws, tails",
    "bfmi": "energy (BFMI)",
    "tree_depth": "length of trajectories",
    "laws": "width beside one law alone",
    "neighbours": "neighbouring checkpoints",
    "bend": "bend",
    "baselines": "untuned scores off their curves",
    "cells": "combinations never observed (share)",
    "prior_dominated": "standard deviations left to their priors",
}


def diagnostics_table(fit: FitRecord) -> Table:
    """Return the checks of a fit with their limits and what each means.

    Parameters
    ----------
    fit : Fit
        A fit.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> print(diagnostics_table(fit).to_markdown())  # doctest: +SKIP
    """
    words = {True: "ok", False: "failed", None: "for information"}
    checks = fit.diagnostics.checks
    frame = pd.DataFrame(
        {
            "check": [_CHECKS.get(check.name, check.name.replace("_", " ")) for check in checks],
            "status": [words[check.passed] for check in checks],
            "value": [_number(check.value) for check in checks],
            "limit": [_number(check.limit) for check in checks],
            "shown": [_shown(check.name, check.value) for check in checks],
            "shown_limit": [_shown(check.name, check.limit) for check in checks],
            "text": [check.text for check in checks],
        }
    )
    columns = (
        Column("check", "Check", width=0.2),
        Column("status", "Result", "status"),
        Column("shown", "Value", "right"),
        Column("shown_limit", "Limit", "right"),
        Column("text", "In words", width=0.38),
    )
    return Table("diagnostics", "Checks of the fit.", frame, columns, size="footnotesize")


def influence_table(fit: FitRecord) -> Table:
    """Return the overall slope with each checkpoint left out.

    Parameters
    ----------
    fit : Fit
        A fit.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> print(influence_table(fit).to_markdown())  # doctest: +SKIP
    """
    frame = fit.diagnostics.influence.sort_values("params", kind="stable").reset_index(drop=True)
    if frame.empty:
        raise InputError(Problem("the fit has fewer than three checkpoints", hint="nothing can be left out"))
    digits = fit.spec.decimals(2)
    columns = (
        Column("checkpoint", "Checkpoint left out"),
        Column("params", "Parameters", "params"),
        Column("slope_mean", "Slope", "number", digits),
        Column("slope_ci_low", f"{percent(fit.ci_prob)} interval", "interval", digits, high="slope_ci_high"),
        Column("shift", "Shift", "number", 2),
        Column("pareto_k", "Pareto k", "number", 2),
    )
    caption = f"Overall slope ({SCALES[fit.scale].per_decade}) with each checkpoint left out."
    notes = (
        "Shift is the change of the mean against all data, in posterior standard deviations. Above a "
        "Pareto k of 0.7 the reweighted posterior is not reliable and a refit without that checkpoint is "
        "due.",
    )
    return Table("influence", caption, frame, columns, notes)


def priors_table(fit: FitRecord) -> Table:
    """Return every prior of a fit, in the unit of its scale.

    Parameters
    ----------
    fit : Fit
        A fit.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> print(priors_table(fit).to_markdown())  # doctest: +SKIP
    """
    names = list(fit.spec.priors)
    frame = pd.DataFrame(
        {
            "parameter": names,
            "meaning": [_meaning(fit, name) for name in names],
            "prior": [str(fit.spec.priors[name]) for name in names],
            "unit": [_unit(fit, name) for name in names],
        }
    )
    columns = (
        Column("parameter", "Parameter", "code"),
        Column("meaning", "Meaning"),
        Column("prior", "Prior", "code"),
        Column("unit", "Unit"),
    )
    notes = (
        "Defaults are multiplied by a unit that goes with the spread of the gains, here "
        f"{fit.spec.prior_unit:g}. Gain and slope are independent a priori at the centre of the sizes.",
    )
    return Table("priors", f"Priors, in {fit.unit}.", frame, columns, notes, size="footnotesize")


def sensitivity_table(fit: FitRecord) -> Table | None:
    """Return how the estimates react when prior and likelihood are given more or less weight.

    Parameters
    ----------
    fit : Fit
        A fit.

    Returns
    -------
    Table or None
        None when the fit has no sensitivity table.

    References
    ----------
    .. [1] Kallioinen, Paananen, Bürkner and Vehtari (2024), Detecting and diagnosing prior and likelihood
       sensitivity with power-scaling, Statistics and Computing 34, 57. doi:10.1007/s11222-023-10366-5

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> print(sensitivity_table(fit).to_markdown())  # doctest: +SKIP
    """
    frame = fit.diagnostics.sensitivity
    if frame.empty:
        return None
    digits = fit.spec.decimals(2)
    frame = frame.reset_index(drop=True)
    frame = frame.assign(meaning=[_component(str(name)) for name in frame["component"]])
    columns = (
        Column("meaning", "Scaled"),
        Column("distance", "Distance", "number", 3),
        Column("mean_weaker", "Slope, weaker", "number", digits),
        Column("mean", "Slope", "number", digits),
        Column("mean_stronger", "Slope, stronger", "number", digits),
        Column("pareto_k", "Pareto k", "number", 2),
        Column("verdict", "Finding", "status"),
    )
    what = "slope" if fit.spec.law.has_slope else "gain"
    caption = f"Sensitivity of the overall {what} to the weight of priors and likelihood (power scaling)."
    notes = (
        "Weaker and stronger: the prior of that part, or the likelihood, raised to the power 0.8 and 1.25. A "
        "distance above 0.05 means that the answer moves.",
    )
    return Table("sensitivity", caption, frame, columns, notes, size="footnotesize")


def _component(name: str) -> str:
    words = {"fixed effects": "prior, fixed effects", "standard deviations": "prior, all of the above sds"}
    return f"prior, sd of {parameter_title(name)}" if name.startswith("tau_") else words.get(name, name)


def compare_table(frame: pd.DataFrame) -> Table:
    """Return the predictive comparison of several fits.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `gainlaw.compare` returns it: model, elpd, se, elpd_diff, se_diff, pareto_k_max, log_evidence,
        bayes_factor; the last two are left out where no model has them. With groups left out: rmse, coverage, groups.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"model": ["linear"], "elpd": [-512.3], "elpd_diff": [0.0]})
    >>> [column.title for column in compare_table(frame).columns]
    ['Model', 'elpd', 'Difference']
    """
    columns = (
        Column("model", "Model"),
        Column("elpd", "elpd", "number", 1),
        Column("se", "s.e.", "number", 1),
        Column("elpd_diff", "Difference", "number", 1),
        Column("se_diff", "s.e. of difference", "number", 1),
        Column("rmse", "Error of a group's mean", "number", 2),
        Column("coverage", "95% intervals hold", "probability"),
        Column("groups", "Groups left out", "count"),
        Column("checkpoints", "Checkpoints", "count"),
        Column("pareto_k_max", "Largest Pareto k", "number", 2),
        Column("status", "Status", "status"),
        Column("log_evidence", "Log evidence", "number", 1),
        Column("bayes_factor", "Bayes factor", "general", 2),
    )
    by_evidence = "bayes_factor" in frame and frame["bayes_factor"].notna().any()
    hidden = () if by_evidence else ("log_evidence", "bayes_factor")
    kept = tuple(column for column in columns if column.key in frame and column.key not in hidden)
    caption = "Predictive comparison of the laws, leaving out one checkpoint at a time."
    if "rmse" in frame:
        caption = (
            "Prediction of the gains in points of groups left out, beside lines that know no law of size."
        )
    notes: tuple[str, ...] = (
        (
            "elpd is the sum of the log predictive densities of single gains in points that were not seen; higher is "
            "better. Errors of a group's mean gain are root mean squares, in points. Standard errors take groups as "
            "independent: with few groups a difference below two of them says nothing.",
        )
        if "rmse" in frame
        else (
            "elpd is the expected log predictive density of the gains of a checkpoint that was not seen; "
            "higher is better. With few checkpoints the standard errors are rough: a difference below two of "
            "them says nothing.",
        )
    )
    if by_evidence:
        notes += (
            "The evidence is the probability of all gains under the model before any was seen; the Bayes factor is "
            "its ratio to the largest. It depends on the priors: a parameter that one model has and another has not "
            "counts against the first in proportion to the width of its prior.",
        )
    size: Literal["small", "footnotesize"] = "footnotesize" if by_evidence else "small"
    return Table("compare", caption, frame.reset_index(drop=True), kept, notes, size=size)


def _shown(name: str, value: object) -> str:
    """Return what was found as text: shapes of tails with two decimals, everything else to its digits."""
    number = _number(value)
    return format_number(number, 2) if "pareto" in name else format_general(number)


def _number(value: object) -> float:
    if isinstance(value, bool | int | float | np.integer | np.floating):
        return float(value)
    return np.nan


def _meaning(fit: FitRecord, name: str) -> str:
    fixed = {
        "intercept": f"gain at {fit.spec.law.centre_words}",
        "slope": "slope per decade of parameters",
        "baseline": "log-odds of every baseline",
    }
    shape = {each.name: f"{each.name} of the law, {each.symbol}" for each in fit.spec.law.parameters}
    if fit.spec.law.members:
        titles = ", ".join(each.title for each in fit.law.members)
        shape[fit.law.parameters[0].name] = f"which law holds: {titles}"
        fixed["slope"] = "coefficient of the shape: of the line, the slope per decade of parameters"
    if name in fixed | shape:
        return (fixed | shape)[name]
    if name.startswith("covariate:"):
        effect = name.removeprefix("covariate:")
        what = "effect" if effect == column_of(effect) else "effect on the slope"
        known = column_of(effect) in fit.spec.covariate_scaling
        return f"{what} of one s.d. of {column_of(effect)}" if known else f"effect of {effect}"
    return ("sd of " if name.startswith("tau_") else "") + parameter_title(name)


def _unit(fit: FitRecord, name: str) -> str:
    shape = {each.name: each.unit for each in fit.spec.law.parameters}
    if name in shape:
        return shape[name]
    if name.startswith("rho_"):
        return "1"
    return SCALES[fit.scale].per_decade if name == "slope" or name.endswith(("_slope", SLOPE)) else fit.unit
