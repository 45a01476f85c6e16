r"""What happens without each checkpoint: influence on the slope, and predictive density of the one left out.

Given the hyperparameters :math:`h`, what the other rows say of a checkpoint's and of the slope is known in closed form
(`gainlaw.model.gaussian.left_out`). Posterior points of the hyperparameters have the weights
:math:`1 / p(y_c \mid y_{-c}, h)` without the checkpoint (Vehtari, Gelman and Gabry 2017, arXiv
1507.04544), Pareto-smoothed. Where their tail is too heavy for that, and where errors that checkpoints share leave no
closed form, the hyperparameters are explored anew without the checkpoint, and the predictive density is the ratio of
the two marginal likelihoods. For the binomial model each row's likelihood is taken as the Gaussian site that
summarises it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from gainlaw.fitting.checks.diagnostics import PARETO_K_LIMIT
from gainlaw.fitting.exploration import explore_kept, kernel_data, shape_values
from gainlaw.model.engines.importance import smooth_weights, systematic
from gainlaw.model.gaussian.combinations import conditional_normals, left_out_normals
from gainlaw.model.gaussian.records import GaussianData
from gainlaw.posterior.contrasts import Combination, WeightedEstimand, combine
from gainlaw.posterior.record import Posterior
from gainlaw.posterior.tree import hyper_points

if TYPE_CHECKING:
    from gainlaw.model.binomial.sites import Summary

__all__ = ["PARETO_K_LIMIT", "LeftOut", "averaged", "influence_table", "left_out"]

Float = NDArray[np.float64]

# Posterior points of the hyperparameters that are reweighted: as many as do so many rows in all, within limits.
_ROWS = 400_000
_POINTS = (200, 400)
# Above this tail so few points leave the sd without the checkpoint off by a fifth.
_HEAVY = 0.6
# The weight from which on a member of an average counts.
_COUNTS = 0.01

COLUMNS = (
    "checkpoint", "params", "rows", "slope_mean", "slope_sd", "slope_ci_low", "slope_ci_high", "shift", "pareto_k",
    "elpd",
)  # fmt: skip


def left_out(
    posterior: Posterior, summary: Summary | None = None, estimand: Literal["slope", "gain"] | None = None
) -> LeftOut | None:
    """Return what is known without each checkpoint; None where there are none to leave out.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    summary : Summary, optional
        The Gaussian summary of the counts, where it is known already.
    estimand : {"slope", "gain"}, optional
        The overall estimand that is followed; by default the slope, or the gain for the constant law.
    """
    frame = posterior.rows.frame
    labels = (
        frame["checkpoint"].astype(str) if "checkpoint" in frame.columns else pd.Series("", index=frame.index)
    )
    names = [name for name in dict.fromkeys(labels) if name]
    if len(names) < 3 or (labels == "").any():
        return None
    study = _Study(
        posterior,
        combine(posterior, [WeightedEstimand(estimand or ("slope" if posterior.law.has_slope else "gain"))]),
        kernel_data(posterior, summary),
        labels.map({name: k for k, name in enumerate(names)}).to_numpy().astype(np.int64),
    )
    given_all, without = study.reweighted()
    heavy = [k for k, each in enumerate(without) if not each.pareto_k <= _HEAVY]
    if heavy:
        given_all, explored = study.explored(given_all, heavy)
        without = [explored.get(k, each) for k, each in enumerate(without)]
    sizes = labels.map(labels.value_counts())
    first = frame.assign(label=labels, size=sizes).groupby("label")[["params", "size"]].first().loc[names]
    params, counts = first["params"].to_numpy(float), first["size"].to_numpy(int)
    return LeftOut(tuple(names), params, counts, given_all, tuple(without))


def averaged(found: Sequence[LeftOut], weights: Float, *, stacked: bool) -> LeftOut:
    """Return what an average over laws knows without each checkpoint, from what its members know.

    Parameters
    ----------
    found : sequence of LeftOut
        Of the members, of one estimand.
    weights : ndarray, shape (members,)
        Their weights given all checkpoints.
    stacked : bool
        Whether these stay as they are without a checkpoint. By evidence they do not: those without it are the weights
        given all over the density of what is left out, so that its density under the average is
        ``1 / sum(weights / density)``.
    """
    with np.errstate(divide="ignore"):
        prior = np.log(weights)
    without = []
    for k in range(len(found[0].names)):
        density = np.array([each.without[k].elpd for each in found])
        log_weights = prior if stacked else prior - density
        total = float(logsumexp(log_weights))
        elpd = float(logsumexp(prior + density)) if stacked else -total
        without.append(_together([each.without[k] for each in found], np.exp(log_weights - total), elpd))
    one = found[0]
    given_all = _together([each.given_all for each in found], weights, np.nan)
    return LeftOut(one.names, one.params, one.rows, given_all, tuple(without))


def influence_table(found: LeftOut | None, ci_prob: float) -> pd.DataFrame:
    """Return the overall slope with each checkpoint left out, and how well the rest predicts it.

    Parameters
    ----------
    found : LeftOut or None
        From `left_out`, or `averaged`.
    ci_prob : float
        Probability of the intervals.

    Returns
    -------
    DataFrame
        One row a checkpoint: ``slope_*`` (the overall slope, or the overall gain for the constant law) without it,
        ``shift`` of the mean in posterior sds, ``pareto_k`` (above 0.7 the row is unreliable) and ``elpd``, the log
        predictive density of its rows given the others. Empty where there are no checkpoints to leave out.
    """
    if found is None:
        return pd.DataFrame(columns=list(COLUMNS))
    average_of_all, sd_of_all = found.given_all.moments()
    rows = []
    for name, params, count, each in zip(found.names, found.params, found.rows, found.without, strict=True):
        low, high = _mixture_interval(each.weights, each.mean, np.sqrt(each.variance), ci_prob)
        average, sd = each.moments()
        shift = (average - average_of_all) / sd_of_all
        rows.append((name, params, int(count), average, sd, low, high, shift, each.pareto_k, each.elpd))
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("params", ignore_index=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Without:
    """The slope as a mixture of normals over weighted hyperparameters, and the log density of what was left out."""

    weights: Float
    mean: Float
    variance: Float
    pareto_k: float
    elpd: float

    def moments(self) -> tuple[float, float]:
        """Return mean and sd of the mixture."""
        mean = float(self.weights @ self.mean)
        return mean, float(np.sqrt(self.weights @ (self.variance + (self.mean - mean) ** 2)))


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """What is known with every checkpoint, and without each.

    Parameters
    ----------
    names : tuple of str
        The checkpoints.
    params, rows : ndarray
        Their sizes and numbers of rows.
    given_all : _Without
        The estimand given all rows.
    without : tuple of _Without
        The same without each checkpoint, and the log predictive density of its rows.
    """

    names: tuple[str, ...]
    params: Float
    rows: NDArray[np.int64]
    given_all: _Without
    without: tuple[_Without, ...]

    @property
    def elpd(self) -> Float:
        """The log predictive density of every checkpoint given the others."""
        return np.array([each.elpd for each in self.without])


@dataclass(frozen=True, slots=True, eq=False)
class _Study:
    """A posterior, its overall slope, the inputs of its Gaussian kernels, and the number of every row's checkpoint.

    A law without a slope has the overall gain in its place.
    """

    posterior: Posterior
    slope: Combination
    data: GaussianData
    groups: NDArray[np.int64]

    def reweighted(self) -> tuple[_Without, list[_Without]]:
        """Return the slope given all rows, and without each checkpoint, from posterior points.

        Where there is no closed form, Pareto k is infinite and all points count alike.
        """
        problem, size = self.posterior.problem, int(self.groups.max()) + 1
        points = hyper_points(self.posterior)
        # Without hyperparameters everything is known at the one point there is.
        used = int(np.clip(_ROWS // len(self.groups), *_POINTS)) if problem.hyper else 1
        points = points[:: max(len(points) // used, 1)][:used]
        found = left_out_normals(problem, self.data, points, self._weights(points), self.groups)
        if found is None:
            alike = np.full(len(points), 1.0 / len(points))
            nothing = _Without(alike, np.zeros(len(points)), np.ones(len(points)), np.inf, np.nan)
            return nothing, [nothing] * size
        density, mean, variance = found
        good = np.isfinite(density).all(axis=1)
        density, mean, variance = density[good], mean[good], variance[good]
        without = []
        for k in range(size):
            smoothed = smooth_weights(-density[:, k])
            elpd = float(logsumexp(density[:, k], b=smoothed.weights))
            without.append(_Without(smoothed.weights, mean[:, k], variance[:, k], smoothed.pareto_k, elpd))
        equal = np.full(len(mean), 1.0 / len(mean))
        return _Without(equal, mean[:, -1], variance[:, -1], *self._known()), without

    def explored(self, given_all: _Without, heavy: Sequence[int]) -> tuple[_Without, dict[int, _Without]]:
        """Return the slope given all rows, and without some checkpoints, each by an exploration of its own.

        All rows are explored again only where their log evidence, `elpd` of `given_all`, is not known.
        """
        rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(5,)))
        base = given_all if np.isfinite(given_all.elpd) else self._explore(np.ones(len(self.groups)), rng)
        found = {}
        for k in heavy:
            rest = self._explore(np.where(self.groups == k, 0.0, 1.0), rng)
            found[k] = replace(rest, pareto_k=max(base.pareto_k, rest.pareto_k), elpd=base.elpd - rest.elpd)
        return base, found

    def _explore(self, keep: Float, rng: np.random.Generator) -> _Without:
        """Explore the hyperparameters given the rows kept, of which `elpd` is the log evidence."""
        problem = self.posterior.problem
        found, marginal = explore_kept(self.posterior, self.data, keep, rng)
        used = _POINTS[1] if problem.hyper else 1
        picked, counts = np.unique(systematic(found.smoothed.weights, used, rng), return_counts=True)
        points = found.points[picked]
        _, mean, variance = conditional_normals(marginal, points, self._weights(points))
        return _Without(counts / used, mean, variance, found.smoothed.pareto_k, found.smoothed.log_mean)

    def _known(self) -> tuple[float, float]:
        """Return Pareto k and log evidence of all rows; NaN where the engine gives none, or one of the counts."""
        stats = self.posterior.draws["sample_stats"].attrs
        if self.posterior.spec.likelihood == "binomial" or "log_evidence" not in stats:
            return np.nan, np.nan
        return float(stats["pareto_k"]), float(stats["log_evidence"])

    def _weights(self, points: Float) -> Float:
        """Return the weights of the coefficients in the overall slope."""
        return self.slope.weights(shape_values(self.posterior.problem, points))


def _together(parts: Sequence[_Without], weights: Float, elpd: float) -> _Without:
    """Return a mixture of mixtures; its tail is the worst of those that count for a hundredth."""
    joined = [np.concatenate([getattr(each, name) for each in parts]) for name in ("mean", "variance")]
    own = np.concatenate([weight * each.weights for weight, each in zip(weights, parts, strict=True)])
    tails = [each.pareto_k for weight, each in zip(weights, parts, strict=True) if weight > _COUNTS]
    return _Without(own, joined[0], joined[1], max(tails), elpd)


def _mixture_interval(weights: Float, mean: Float, sd: Float, ci_prob: float) -> tuple[float, float]:
    """Equal-tailed interval of a mixture of normals, by bisection on its distribution function."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    # Under a law without a slope it is 0 for certain.
    sd = np.maximum(sd, 1e-9 * sd.max())
    low, high = float((mean - 12 * sd).min()), float((mean + 12 * sd).max())
    if low == high:
        return low, high
    tail = (1.0 - ci_prob) / 2.0
    ends = [
        brentq(lambda t, q=q: float(np.sum(weights * ndtr((t - mean) / sd))) - q, low, high)
        for q in (tail, 1.0 - tail)
    ]
    return float(ends[0]), float(ends[1])
