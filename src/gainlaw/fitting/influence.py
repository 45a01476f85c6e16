"""What happens without each checkpoint: influence on the slope, and predictive density of the one left out.

For a Gaussian model the likelihood of the remaining rows is known exactly at every draw of the hyperparameters, so
that leaving a checkpoint out is a reweighting of the draws (Pareto-smoothed importance sampling, Vehtari et al. 2024,
arXiv 1507.02646) followed by the exact conditional posterior of the slope. For the binomial model each row's
likelihood is taken as the Gaussian site that summarises it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.estimands import FitLike, reference_weights
from gainlaw.hierarchy.problem import ModelProblem, build_problem, gaussian_data

__all__ = ["PARETO_K_LIMIT", "leave_checkpoints_out"]

Float = NDArray[np.float64]

PARETO_K_LIMIT = 0.7
# Draws of the hyperparameters that are reweighted; each costs one factorisation a checkpoint.
_DRAWS = 500

COLUMNS = (
    "checkpoint", "params", "rows", "slope_mean", "slope_sd", "slope_ci_low", "slope_ci_high", "shift", "pareto_k",
    "elpd",
)  # fmt: skip


def leave_checkpoints_out(fit: FitLike, ci_prob: float = 0.95) -> pd.DataFrame:
    """Return the overall slope with each checkpoint left out, and how well the rest predicts it.

    Parameters
    ----------
    fit : Fit
        A fit.
    ci_prob : float
        Probability of the intervals.

    Returns
    -------
    DataFrame
        One row a checkpoint: ``slope_*`` (the overall slope, or the overall gain for the constant law) without it,
        ``shift`` of the mean in posterior sds, ``pareto_k`` (above 0.7 the row is unreliable) and ``elpd``, the log
        predictive density of its rows given the others. Empty where there are no checkpoints to leave out.
    """
    frame = fit.gains.frame
    labels = (
        frame["checkpoint"].astype(str) if "checkpoint" in frame.columns else pd.Series("", index=frame.index)
    )
    names = [name for name in dict.fromkeys(labels) if name]
    if len(names) < 3 or (labels == "").any():
        return pd.DataFrame(columns=list(COLUMNS))
    problem = build_problem(fit.gains, fit.spec)
    data = _data(fit, problem)
    packed = _packed(fit, problem)
    contrasts, offset = _slope_contrast(fit, problem, packed)
    everything = np.ones(len(frame))
    full, mean, spread = _moments(packed, everything, contrasts, data)
    base_mean = float(mean.mean() + offset)
    base_sd = float(np.sqrt(spread.mean() + mean.var()))
    rows = []
    for name in names:
        out = (labels == name).to_numpy()
        kept, mean, spread = _moments(packed, np.where(out, 0.0, 1.0), contrasts, data)
        ratio = kept - full
        weights, pareto_k = _smooth(ratio)
        elpd = -_log_mean(ratio)
        average = float(np.sum(weights * mean))
        variance = float(np.sum(weights * (spread + (mean - average) ** 2)))
        low, high = _mixture_interval(weights, mean, np.sqrt(spread), ci_prob)
        rows.append(
            (
                name,
                float(frame.loc[out, "params"].astype(float).iloc[0]),
                int(out.sum()),
                average + offset,
                float(np.sqrt(variance)),
                low + offset,
                high + offset,
                (average + offset - base_mean) / base_sd,
                pareto_k,
                elpd,
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("params", ignore_index=True)


def _data(fit: FitLike, problem: ModelProblem) -> tuple:
    if fit.spec.likelihood == "binomial":
        from gainlaw.hierarchy import binomial

        return binomial.refined_data(problem, binomial.build_tables(fit.gains))
    return gaussian_data(problem)


def _packed(fit: FitLike, problem: ModelProblem) -> Float:
    posterior = fit.posterior["posterior"]
    total = posterior.sizes["chain"] * posterior.sizes["draw"]
    picked = np.linspace(0, total - 1, min(_DRAWS, total)).astype(int)
    if not problem.hyper:
        return np.tile(problem.base, (len(picked), 1))
    return problem.pack({name: posterior[name].to_numpy().reshape(-1)[picked] for name in problem.hyper})


def _slope_contrast(fit: FitLike, problem: ModelProblem, packed: Float) -> tuple[Float, float]:
    """Return the overall slope as a contrast of standardised coefficients at every draw, and its fixed part."""
    blocks, law = problem.n_blocks, fit.spec.law
    weights = reference_weights(fit.spec, fit.gains, {})
    contrast = np.zeros((len(packed), problem.design.n_core))
    factor = np.ones(len(packed))
    if law.has_slope:
        low, high = float(problem.x.min()), float(problem.x.max())
        h = packed[:, 3 * blocks + 1 :]
        factor = (h[:, int(problem.x.argmax())] - h[:, int(problem.x.argmin())]) / (high - low)
    for k, block in enumerate(problem.design.blocks):
        weight = np.ones(1) if block.name == "mu" else weights.get(block.name)
        if weight is None:
            continue
        first = slice(block.start, block.start + block.size)
        if not law.has_slope:
            contrast[:, first] = packed[:, [k]] * weight
        elif block.slope_start >= 0:
            tau, rho = packed[:, [blocks + k]], packed[:, [2 * blocks + k]]
            second = slice(block.slope_start, block.slope_start + block.size)
            contrast[:, first] = factor[:, None] * tau * rho * weight
            contrast[:, second] = factor[:, None] * tau * np.sqrt(1.0 - rho**2) * weight
    prior = fit.spec.priors["slope" if law.has_slope else "intercept"]
    return contrast, prior.arguments[0] * float(factor.mean())


def _moments(packed: Float, keep: Float, contrasts: Float, data: tuple) -> tuple[Float, Float, Float]:
    from gainlaw.hierarchy import kernels

    return kernels.conditional_moments(packed, keep, contrasts, *data)


def _smooth(log_ratio: Float) -> tuple[Float, float]:
    from arviz_stats.base import array_stats

    log_weights, pareto_k = array_stats.psislw(log_ratio.copy())
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum(), float(pareto_k)


def _log_mean(values: Float) -> float:
    """Log of the mean of exponentials, Pareto-smoothed."""
    from arviz_stats.base import array_stats

    smoothed, _ = array_stats.psislw(values.copy())
    # psislw normalises the weights; the shift it took is read off where it left the values alone.
    shift = values[np.argmin(values)] - smoothed[np.argmin(values)]
    return float(shift - np.log(len(values)))


def _mixture_interval(weights: Float, mean: Float, sd: Float, ci_prob: float) -> tuple[float, float]:
    """Equal-tailed interval of a mixture of normals, by bisection on its distribution function."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    low, high = float((mean - 12 * sd).min()), float((mean + 12 * sd).max())
    tail = (1.0 - ci_prob) / 2.0
    ends = [
        brentq(lambda t, q=q: float(np.sum(weights * ndtr((t - mean) / sd))) - q, low, high)
        for q in (tail, 1.0 - tail)
    ]
    return float(ends[0]), float(ends[1])
