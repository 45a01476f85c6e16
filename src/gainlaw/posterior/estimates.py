"""The table of estimates: every estimand at every level, summarised alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.model.spec.covariates import column_of
from gainlaw.options import SIZE_ESTIMANDS
from gainlaw.posterior.curves import Curve, covariate_effect
from gainlaw.posterior.grid import SELECTABLE, levels_of, why_absent
from gainlaw.posterior.levels import curve_at
from gainlaw.posterior.record import Posterior
from gainlaw.posterior.score_curves import PointsCurve, points_curve, within_reach
from gainlaw.posterior.shares import (
    MOSTLY_PRIOR,
    baseline_share,
    narrower_baselines,
    prior_share,
    prior_widening,
)

__all__ = [
    "ESTIMATE_COLUMNS",
    "MIN_ESS",
    "RHAT_LIMIT",
    "default_sizes",
    "estimate_table",
    "summarise",
]

Float = NDArray[np.float64]

RHAT_LIMIT = 1.01
MIN_ESS = 400.0
"""Limits on every reported estimate (Vehtari et al. 2021, doi 10.1214/20-BA1221)."""

ESTIMATE_COLUMNS = (
    "estimand", "level", "group", "params", "mean", "sd", "median", "ci_low", "ci_high", "ci_prob", "ci_kind",
    "p_positive", "p_negative", "rhat", "ess_bulk", "ess_tail", "prior_share", "status",
)  # fmt: skip

# Estimands whose posterior has no mean: a ratio of normals, and a power of one.
_HEAVY = ("ratio", "crossing", "peak", "peak_ability", "size_multiplier")

# The share of the draws that must have a peak for it to be one.
_PEAKED = 0.9


def default_sizes(posterior: Posterior) -> tuple[float, ...]:
    """Return the sizes to report: powers of ten within half a decade of the observed range, and 1e10 within two.

    Parameters
    ----------
    posterior : Posterior
        The posterior; without sizes the answer is empty.
    """
    if not posterior.law.has_slope:
        return ()
    params = posterior.gains.frame["params"].to_numpy(dtype=float)
    low, high = np.log10(params.min()) - 0.5, np.log10(params.max()) + 0.5
    powers = {float(10.0**k) for k in range(int(np.ceil(low)), int(np.floor(high)) + 1)}
    asked = {1e10} if low - 1.5 <= 10.0 <= high + 1.5 else set()
    return tuple(sorted(powers | asked))


def estimate_table(
    posterior: Posterior,
    *,
    sizes: Sequence[float] | None = None,
    ci_prob: float = 0.95,
    threshold: float = 0.0,
) -> pd.DataFrame:
    """Return every estimate of a posterior.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    sizes : sequence of float, optional
        Where to give the gain, in parameters; by default `default_sizes`.
    ci_prob : float
        Probability of the equal-tailed intervals.
    threshold : float
        The gain whose crossing size is given, in the unit of the scale.

    Returns
    -------
    DataFrame
        Columns `ESTIMATE_COLUMNS`; ``params`` is NaN where it does not apply. ``prior_share`` says how much of the
        estimate is its prior, see `gainlaw.posterior.shares`. A law of scores (on log-odds) has ``gain_points`` and
        ``slope_points`` too, the ``peak`` (the size at which the gain in points is largest) and the
        ``size_multiplier``, see `gainlaw.posterior.score_curves`. A size multiplier that the data do not know is NaN,
        and its status says why: ``at_chance``, ``not_reached`` or ``mostly_prior``; the interval of one that leads over
        a decade beyond the sizes observed, ``beyond``, is open at that end. A peak is NaN and ``no_peak`` unless nearly
        all draws have one inside the range. A law with ability has ``size_effect``, ``ability_effect`` and
        ``peak_ability`` too.
    """
    sizes = default_sizes(posterior) if sizes is None else tuple(sizes)
    found = list(_all_draws(posterior, sizes, threshold))
    table = pd.DataFrame([row for row, _ in found], columns=["estimand", "level", "group", "params"])
    draws = np.stack([values for _, values in found])
    summary = summarise(draws, posterior.n_chains, ci_prob, posterior.importance_ess)
    moved = narrower_baselines(posterior)
    summary["prior_share"] = _prior_shares(
        draws,
        None if moved is None else np.stack([values for _, values in _all_draws(moved, sizes, threshold)]),
        table["estimand"],
        prior_widening(posterior),
    )
    shape = [parameter.name for parameter in posterior.law.parameters]
    heavy = table["estimand"].isin(_HEAVY)
    summary.loc[heavy, ["mean", "sd"]] = np.nan
    # The sign of a size, of an sd or of a shape parameter says nothing.
    summary.loc[table["estimand"].isin([*SIZE_ESTIMANDS, "sd", *shape]), ["p_positive", "p_negative"]] = (
        np.nan
    )
    if posterior.law.form.scores:
        _refuse(summary, table, draws, posterior, ci_prob)
    return pd.concat([table, summary], axis=1)[list(ESTIMATE_COLUMNS)]


def summarise(draws: Float, n_chains: int, ci_prob: float, ess: float | None = None) -> pd.DataFrame:
    """Summarise draws, one row each.

    Parameters
    ----------
    draws : ndarray, shape (m, draws)
        Draws, chain by chain; NaN where undefined.
    n_chains : int
        Chains.
    ci_prob : float
        Probability of the equal-tailed interval.
    ess : float, optional
        The effective number of draws, where the engine knows it: independent draws have no chains to compare, so
        that rhat is NaN.

    Returns
    -------
    DataFrame
        mean, sd, median, ci_low, ci_high, ci_prob, ci_kind, p_positive, p_negative, rhat, ess_bulk, ess_tail and
        status: ``ok``; ``poor`` where rhat or ess miss their limits; ``undefined`` where over half of the draws have
        no value.
    """
    from arviz_stats.base import array_stats

    tail = (1.0 - ci_prob) / 2.0
    defined = np.isfinite(draws) | np.isinf(draws)
    share = defined.mean(axis=1)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        values = np.where(share[:, None] > 0, draws, 0.0)
        median, low, high = _quantiles(values, np.array([0.5, tail, 1.0 - tail]))
        finite = np.isfinite(draws).all(axis=1)
        mean, sd = (
            np.where(finite, f(np.where(finite[:, None], draws, 0.0), axis=1), np.nan) for f in (np.mean, _sd)
        )
        # Ranks are unchanged by a monotone map, so infinite sizes can take part in the diagnostics.
        usable = np.clip(np.where(defined, draws, np.nan), -1e300, 1e300)
    shaped = usable.reshape(len(draws), n_chains, -1)
    whole = defined.all(axis=1)
    constant = np.ptp(np.where(whole[:, None], usable, 0.0), axis=1) == 0
    rhat, bulk, tail_ess = (np.full(len(draws), np.nan) for _ in range(3))
    checked = whole & ~constant
    if ess is not None:
        bulk[checked] = tail_ess[checked] = ess
    elif checked.any():
        part = shaped[checked]
        rhat[checked] = array_stats.rhat(part, chain_axis=-2, draw_axis=-1)
        bulk[checked] = array_stats.ess(part, chain_axis=-2, draw_axis=-1, method="bulk")
        tail_ess[checked] = array_stats.ess(
            part, chain_axis=-2, draw_axis=-1, method="tail", prob=(0.05, 0.95)
        )
    mixed = np.nan_to_num(rhat, nan=9.0) < RHAT_LIMIT if ess is None else np.full(len(draws), True)
    good = np.where(checked, mixed & (np.fmin(bulk, tail_ess) > MIN_ESS), True)
    status = np.where(share < 0.5, "undefined", np.where(good, "ok", "poor"))
    return pd.DataFrame(
        {
            "mean": mean,
            "sd": sd,
            "median": np.where(share >= 0.5, median, np.nan),
            "ci_low": np.where(share >= 0.5, low, np.nan),
            "ci_high": np.where(share >= 0.5, high, np.nan),
            "ci_prob": ci_prob,
            "ci_kind": "eti",
            "p_positive": (draws > 0).mean(axis=1),
            "p_negative": (draws < 0).mean(axis=1),
            "rhat": rhat,
            "ess_bulk": bulk,
            "ess_tail": tail_ess,
            "status": status,
        }
    )


def _selections(posterior: Posterior) -> Iterator[tuple[dict[str, str], str | None]]:
    """Yield the groups that every curve fixes, or its level."""
    yield {}, "population"
    yield {}, "overall"
    for column in SELECTABLE:
        groups = levels_of(posterior.gains, column)
        if len(groups) > 1 and not why_absent(posterior.spec, posterior.gains, column):
            for group in groups:
                yield {column: group}, None


def _all_draws(
    posterior: Posterior, sizes: Sequence[float], threshold: float
) -> Iterator[tuple[tuple[str, str, str, float], Float]]:
    """Yield estimand, level, group and size of every estimate, and its draws."""
    for selection, level in _selections(posterior):
        each = curve_at(posterior, selection, level)
        for name, params, values in _estimands(each, sizes, threshold):
            yield (name, each.level, each.group, params), values
        if posterior.law.form.scores:
            scores = points_curve(posterior, selection, level)
            for name, params, values in _score_estimands(scores, sizes):
                yield (name, each.level, each.group, params), values
    for name in posterior.spec.covariates:
        yield ("effect", "covariate", f"covariate={name}", np.nan), covariate_effect(posterior, name)
        if column_of(name) in posterior.spec.covariate_scaling:
            per_sd = covariate_effect(posterior, name, per_sd=True)
            yield ("effect_per_sd", "covariate", f"covariate={name}", np.nan), per_sd
    data = posterior.draws["posterior"]
    names = [str(name) for name in data.data_vars if str(name) in posterior.spec.common_names]
    for name in sorted(names, key=lambda each: not each.startswith(("tau_", "rho_"))):
        kind = "sd" if name.startswith("tau_") else "correlation" if name.startswith("rho_") else name
        yield (kind, "model", name, np.nan), data[name].to_numpy().reshape(-1)


def _estimands(each: Curve, sizes: Sequence[float], threshold: float) -> Iterator[tuple[str, float, Float]]:
    if not each.law.has_slope:
        yield "gain", np.nan, each.intercept
        return
    if not each.no_slope:
        yield "slope", np.nan, each.slope()
    for params in sizes:
        yield "gain", params, each.gain(params)
    if len(sizes) > 1:
        yield "ratio", sizes[-1], each.ratio(sizes[-1], sizes[0])
    yield "crossing", np.nan, each.crossing(threshold)
    if each.psi is not None:
        yield "asymptote", np.nan, each.asymptote()


def _score_estimands(each: PointsCurve, sizes: Sequence[float]) -> Iterator[tuple[str, float, Float]]:
    if not each.no_slope:
        yield "slope_points", np.nan, each.slope()
    for params in sizes:
        yield "gain_points", params, each.gain(params)
    yield "peak", np.nan, each.scores.peak()
    yield "size_multiplier", np.nan, each.scores.size_multiplier()
    if each.law.form.lift:
        if not each.no_slope:
            yield "size_effect", np.nan, each.scores.size_effect()
        yield "peak_ability", np.nan, each.scores.peak_ability()


def _refuse(
    summary: pd.DataFrame, table: pd.DataFrame, draws: Float, posterior: Posterior, ci_prob: float
) -> None:
    """Blank the factors in size and the peaks that the data do not know; the status says why."""
    names = ["ci_low", "ci_high", "median", "rhat", "ess_bulk", "ess_tail"]
    numbers, status = summary[names].to_numpy(float, copy=True), summary["status"].to_numpy(object, copy=True)
    share = summary["prior_share"].to_numpy(float)
    kinds, levels = table["estimand"].to_numpy(), list(zip(table["level"], table["group"], strict=True))
    rows = {levels[row]: int(row) for row in np.flatnonzero(kinds == "size_multiplier")}
    for selection, level in _selections(posterior):
        each = points_curve(posterior, selection, level)
        row, reason = rows[each.level, each.group], each.scores.refusal(ci_prob)
        if reason or share[row] >= MOSTLY_PRIOR:
            numbers[row], status[row] = np.nan, reason or "mostly_prior"
        elif numbers[row, 0] == 0.0 or np.isinf(numbers[row, 1]):
            low, high = each.scores.reach()
            numbers[row, :2] = min(numbers[row, 0], high), max(numbers[row, 1], low)
            status[row] = "beyond"
    for peak in np.flatnonzero(np.isin(kinds, ["peak", "peak_ability"])):
        if np.isfinite(draws[peak]).mean() < _PEAKED:
            numbers[peak], status[peak] = np.nan, "no_peak"
    summary[names], summary["status"] = numbers, status


def _prior_shares(draws: Float, moved: Float | None, estimands: pd.Series, widening: Float) -> Float:
    """Return the share of the priors in every estimate, of sizes on the scale of orders of magnitude."""
    sizes = estimands.isin(SIZE_ESTIMANDS).to_numpy()

    def comparable(values: Float) -> Float:
        values = values.copy()
        with np.errstate(divide="ignore"):
            values[sizes] = np.log10(values[sizes])
        for row in np.flatnonzero(estimands == "size_multiplier"):
            values[row] = within_reach(values[row])
        return values

    draws = comparable(draws)
    other = baseline_share(draws, None if moved is None else comparable(moved))
    return np.fmax(prior_share(draws, widening), other)


def _quantiles(values: Float, q: Float) -> Float:
    """Quantiles of every row over its defined draws, shape (q, rows); infinite draws are ordered, not blended."""
    infinite, undefined = np.isinf(values).any(axis=1), np.isnan(values).any(axis=1)
    plain = ~(infinite | undefined)
    result = np.empty((len(q), len(values)))
    result[:, plain] = np.quantile(values[plain], q, axis=1)
    if (undefined & ~infinite).any():
        result[:, undefined & ~infinite] = np.nanquantile(values[undefined & ~infinite], q, axis=1)
    if infinite.any():
        result[:, infinite] = np.nanquantile(values[infinite], q, axis=1, method="inverted_cdf")
    return result


def _sd(values: Float, axis: int) -> Float:
    return np.std(values, axis=axis, ddof=1)
