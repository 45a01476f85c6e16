"""What happens without each checkpoint: influence on the slope, and predictive density of the one left out.

The likelihood of the remaining rows is known exactly at every value of the hyperparameters, and so is the conditional
posterior of the slope. The hyperparameters are explored anew without each checkpoint, starting from their posterior
with it; the predictive density is the ratio of the two marginal likelihoods. For the binomial model each row's
likelihood is taken as the Gaussian site that summarises it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.fitting.checks.diagnostics import PARETO_K_LIMIT
from gainlaw.fitting.exploration import kernel_data, shape_values, wide_proposal
from gainlaw.model.engines.hyper import Coordinates, log_prior, table_ranges
from gainlaw.model.engines.importance import TruncatedT, explore
from gainlaw.model.gaussian.combinations import conditional_normals
from gainlaw.model.gaussian.records import GaussianData
from gainlaw.model.spec.problem import ModelProblem
from gainlaw.posterior.contrasts import Combination, WeightedEstimand, combine
from gainlaw.posterior.record import Posterior

if TYPE_CHECKING:
    from gainlaw.model.binomial.sites import Summary

__all__ = ["PARETO_K_LIMIT", "leave_checkpoints_out"]

Float = NDArray[np.float64]

# Effective points asked of the hyperparameters without each checkpoint, and the most tried.
_ESS = 250.0
_MOST_POINTS = 8192

COLUMNS = (
    "checkpoint", "params", "rows", "slope_mean", "slope_sd", "slope_ci_low", "slope_ci_high", "shift", "pareto_k",
    "elpd",
)  # fmt: skip


def leave_checkpoints_out(
    posterior: Posterior, ci_prob: float = 0.95, summary: Summary | None = None
) -> pd.DataFrame:
    """Return the overall slope with each checkpoint left out, and how well the rest predicts it.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    ci_prob : float
        Probability of the intervals.
    summary : Summary, optional
        The Gaussian summary of the counts, where it is known already.

    Returns
    -------
    DataFrame
        One row a checkpoint: ``slope_*`` (the overall slope, or the overall gain for the constant law) without it,
        ``shift`` of the mean in posterior sds, ``pareto_k`` (above 0.7 the row is unreliable) and ``elpd``, the log
        predictive density of its rows given the others. Empty where there are no checkpoints to leave out.
    """
    frame = posterior.rows.frame
    labels = (
        frame["checkpoint"].astype(str) if "checkpoint" in frame.columns else pd.Series("", index=frame.index)
    )
    names = [name for name in dict.fromkeys(labels) if name]
    if len(names) < 3 or (labels == "").any():
        return pd.DataFrame(columns=list(COLUMNS))
    problem, start = posterior.problem, wide_proposal(posterior)
    data = kernel_data(posterior, summary)
    slope = combine(posterior, [WeightedEstimand("slope" if posterior.law.has_slope else "gain")])
    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(5,)))
    base = _explore(problem, data, slope, start, np.ones(len(frame)), rng)
    rows = []
    for name in names:
        out = (labels == name).to_numpy()
        rest = _explore(problem, data, slope, start, np.where(out, 0.0, 1.0), rng)
        low, high = _mixture_interval(rest.weights, rest.mean, np.sqrt(rest.variance), ci_prob)
        average, sd = rest.moments()
        rows.append(
            (
                name,
                float(frame.loc[out, "params"].astype(float).iloc[0]),
                int(out.sum()),
                average,
                sd,
                low,
                high,
                (average - base.moments()[0]) / base.moments()[1],
                max(base.pareto_k, rest.pareto_k),
                base.log_evidence - rest.log_evidence,
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("params", ignore_index=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Explored:
    """The slope as a mixture of normals over weighted hyperparameters."""

    weights: Float
    mean: Float
    variance: Float
    pareto_k: float
    log_evidence: float

    def moments(self) -> tuple[float, float]:
        """Return mean and sd of the mixture."""
        mean = float(self.weights @ self.mean)
        return mean, float(np.sqrt(self.weights @ (self.variance + (self.mean - mean) ** 2)))


def _explore(
    problem: ModelProblem,
    data: GaussianData,
    slope: Combination,
    start: tuple[Coordinates, TruncatedT] | None,
    keep: Float,
    rng: np.random.Generator,
) -> _Explored:
    from gainlaw.model.gaussian.marginal import Marginal

    means, variances = [np.zeros(0)], [np.zeros(0)]
    marginal = Marginal.build(problem, data, keep)
    if start is not None:
        marginal = marginal.tabulated(table_ranges(problem, *start))

    def log_density(points: Float) -> Float:
        weights = slope.weights(shape_values(problem, points))
        log_lik, mean, variance = conditional_normals(marginal, points, weights)
        means.append(mean)
        variances.append(variance)
        return log_lik + log_prior(problem, points)

    if start is None:
        evidence = float(log_density(np.zeros((1, 0)))[0])
        return _Explored(np.ones(1), means[-1], variances[-1], float("-inf"), evidence)
    place, first = start
    density = place.density(log_density)
    found = explore(density, first, rng, target_ess=_ESS, max_points=_MOST_POINTS).smoothed
    return _Explored(
        found.weights, np.concatenate(means), np.concatenate(variances), found.pareto_k, found.log_mean
    )


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
