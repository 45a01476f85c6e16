r"""Bayes factors of a difference against none, without an estimate of any density from draws.

For a difference :math:`d` that is linear in the coefficients, the Savage-Dickey ratio [1]_ is
:math:`\mathrm{BF}_{10} = p(d = 0) / p(d = 0 \mid y)`. Given the hyperparameters :math:`h` both are densities of a
normal distribution with known moments, so each is an average of them over :math:`h`: the denominator over the
posterior,

.. math:: p(d = 0 \mid y) = \mathrm{E}_{h \mid y}\, N(0;\, m_h, v_h).

Where few draws of the posterior carry that average, because 0 lies far out, the hyperparameters are explored anew
with the normal density as a factor of the target.

A difference of groups alone, in which the fixed effects cancel, has no spread where the sd of the groups is zero:
both densities at 0 are infinite or nearly so. The null is then that there is no difference *whatever the
hyperparameters*, which keep their prior [2]_: :math:`1/\mathrm{BF}_{10} = \mathrm{E}_{h \mid y}[N(0; m_h, v_h) /
N(0; m^0_h, v^0_h)]` with the moments a priori in the denominator. Where the prior of the difference does not depend
on :math:`h` the two are the same.

For counts the moments are those under the Gaussian sites that summarise them. Every draw :math:`(h, z)` of the
posterior then counts with :math:`w(h, z^*) / w(h, z)`, where :math:`w` is the likelihood over its summary and
:math:`z^*` the draw moved to :math:`d = 0` along its conditional regression on :math:`d`; the average is again the
density under the likelihood itself.

References
----------
.. [1] Dickey, J. M. (1971). The weighted likelihood ratio, linear hypotheses on normal location parameters.
   Annals of Mathematical Statistics 42(1), 204-223. doi:10.1214/aoms/1177693507
.. [2] Verdinelli, I. and Wasserman, L. (1995). Computing Bayes factors using a generalization of the Savage-Dickey
   density ratio. Journal of the American Statistical Association 90(430), 614-618.
   doi:10.1080/01621459.1995.10476554
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gainlaw._threads import one_blas_thread
from gainlaw.fitting.checks.diagnostics import PARETO_K_LIMIT
from gainlaw.fitting.conditional import Conditional
from gainlaw.fitting.exploration import shape_values, wide_proposal
from gainlaw.model.engines.hyper import log_prior
from gainlaw.model.engines.importance import explore, matched, smooth_weights, systematic
from gainlaw.model.gaussian.combinations import (
    coefficient_shifts,
    conditional_normals,
    factored_normals,
    has_fixed_part,
    prior_normals,
)
from gainlaw.model.spec.problem import ModelProblem
from gainlaw.posterior.contrasts import Combination, WeightedEstimand, combine
from gainlaw.posterior.record import Posterior
from gainlaw.posterior.tree import effects_of

if TYPE_CHECKING:
    from gainlaw.model.gaussian.marginal import Marginal

__all__ = ["PointNull", "PointNulls", "point_null"]

Float = NDArray[np.float64]

PRIOR_POINTS = 20_000
"""Points of the prior behind the density of a difference a priori."""

# Draws of the posterior that an average over it takes, and how many of them must count for it to be believed.
_DRAWS = 1200
_ENOUGH, _ENOUGH_K = 400.0, 0.5
# Where half of them promise less than this share, the other half is not looked at.
_HOPE = 0.75
# Otherwise the target is explored until it has so many effective points, or for so many points.
_TARGET_ESS, _MOST_POINTS = _ENOUGH, 20_000
# Draws that are carried to the likelihood of counts.
_CARRIED = 1000
_BATCHES = 10


@dataclass(frozen=True, slots=True)
class PointNull:
    """The Bayes factor of a difference against none.

    Parameters
    ----------
    log_factor : float
        Log of ``BF10``: how much more the data are expected with a difference than without. NaN where the model has
        no such difference.
    log_error : float
        Its Monte Carlo standard error.
    pareto_k : float
        Shape of the weights behind the posterior's side; above 0.7 the value is an order of magnitude.
    groups_alone : bool
        Whether the fixed effects cancel, so that the null leaves the hyperparameters their prior.
    """

    log_factor: float
    log_error: float
    pareto_k: float
    groups_alone: bool


@dataclass(frozen=True, slots=True)
class _Mean:
    """The log of an average, its Monte Carlo error, and the tail of what was averaged."""

    log_value: float
    log_error: float
    pareto_k: float
    ess: float


def point_null(
    posterior: Posterior, parts: Sequence[WeightedEstimand], constant: float = 0.0
) -> PointNull | None:
    """Return the Bayes factor of a difference against none.

    Parameters
    ----------
    posterior : Posterior
        The posterior, by either engine; a fit is one.
    parts : sequence of WeightedEstimand
        The difference is `constant` plus their sum.
    constant : float
        What is added to the parts.

    Returns
    -------
    PointNull or None
        None where the summary of counts is too rough to carry the answer.
    """
    return PointNulls(posterior).factor(parts, constant)


class PointNulls:
    """Bayes factors of differences in one posterior: what they share is computed once.

    Parameters
    ----------
    posterior : Posterior
        The posterior, by either engine; a fit is one.
    model : Conditional, optional
        The posterior given its hyperparameters, where it is there already.
    """

    def __init__(self, posterior: Posterior, model: Conditional | None = None) -> None:
        self._posterior = posterior
        self._model = Conditional(posterior) if model is None else model
        self._halves: dict[int, _Half] = {}

    @cached_property
    def _correct(self) -> Callable[[Float, Float], Float] | None:
        model = self._model
        return None if model.summary is None else model.summary.correction(self._posterior.problem)

    def factor(self, parts: Sequence[WeightedEstimand], constant: float = 0.0) -> PointNull | None:
        """Return the Bayes factor of a difference against none, see `point_null`."""
        problem = self._posterior.problem
        if self._posterior.reads_points:
            return None  # differences of sigmoids are not linear in the coefficients
        combination = combine(self._posterior, parts)
        weights = combination.weights(shape_values(problem, self._model.points[:1]))
        if not weights.any():
            return PointNull(float("nan"), float("nan"), float("nan"), False)
        alone = not has_fixed_part(problem, weights)
        with one_blas_thread():
            target = _Target(problem, self._model.marginal, self._correct, combination, constant, alone)
            found, tilted = self._near(target)
            if problem.hyper and (found.ess < _ENOUGH or found.pareto_k > _ENOUGH_K):
                found = _far(self._posterior, target, tilted)
            if target.correct is not None and found.pareto_k > PARETO_K_LIMIT:
                return None
            prior = _Mean(0.0, 0.0, -np.inf, np.inf) if alone else _prior(target)
        return PointNull(
            prior.log_value - found.log_value,
            float(np.hypot(prior.log_error, found.log_error)),
            found.pareto_k,
            alone,
        )

    def _near(self, target: _Target) -> tuple[_Mean, _Tilted]:
        """Return the posterior's side as an average over draws of the posterior, and what was averaged.

        The second half of the draws is looked at only if the first is not hopeless.
        """
        first = self._half(0, target)
        tilted = _Tilted(first.points, first.log_factor(target))
        half = _average(tilted.log_factor)
        if not target.problem.hyper or 2.0 * half.ess < _HOPE * _ENOUGH:
            return half, tilted
        second = self._half(1, target)
        # In the order of the draws: the error is from batches of neighbours.
        both = np.empty(len(first.points) + len(second.points))
        both[::2], both[1::2] = tilted.log_factor, second.log_factor(target)
        points = np.empty((len(both), first.points.shape[1]))
        points[::2], points[1::2] = first.points, second.points
        return _average(both), _Tilted(points, both)

    def _half(self, which: int, target: _Target) -> _Half:
        """Return every other one of the draws that averages take."""
        if which not in self._halves:
            most = 1 if not target.problem.hyper else _DRAWS if target.correct is None else _CARRIED
            size = len(self._model.points)
            kept = np.linspace(0, size - 1, min(most, size)).astype(int)[which::2]
            points, effects, plain = self._model.points[kept], None, None
            if target.correct is not None:
                effects = effects_of(self._posterior)[kept]
                plain = target.correct(points, effects)
            self._halves[which] = _Half(points, effects, plain, target.marginal.factors(points))
        return self._halves[which]


@dataclass(frozen=True, slots=True, eq=False)
class _Half:
    """Draws of the posterior: hyperparameters, coefficients and their correction for counts, and factors."""

    points: Float
    effects: Float | None
    plain: Float | None
    factors: Float | None

    def log_factor(self, target: _Target) -> Float:
        """Return the log of what is averaged over the posterior."""
        found = target.factor(self.points, self.factors)[1]
        if target.correct is None or self.effects is None or self.plain is None:
            return found
        return found + target.correct(self.points, target.move(self.points, self.effects)) - self.plain


@dataclass(frozen=True, slots=True, eq=False)
class _Tilted:
    """Draws of the hyperparameters from the posterior, and the log of what is averaged over them."""

    points: Float
    log_factor: Float


@dataclass(frozen=True, slots=True, eq=False)
class _Target:
    """A difference in a model; `correct` carries the Gaussian summary of counts to their likelihood."""

    problem: ModelProblem
    marginal: Marginal
    correct: Callable[[Float, Float], Float] | None
    combination: Combination
    constant: float
    alone: bool

    def weights(self, points: Float) -> Float:
        """Return the weights of the coefficients at hyperparameters."""
        return self.combination.weights(shape_values(self.problem, points))

    def prior_density(self, points: Float) -> Float:
        """Return the log density at 0 a priori, given the hyperparameters."""
        mean, variance = prior_normals(self.problem, points, self.weights(points))
        return _log_normal(mean + self.constant, variance)

    def factor(self, points: Float, factors: Float | None = None) -> tuple[Float, Float]:
        """Return the log marginal likelihood (0 with `factors`), and the log of what is averaged over the posterior."""
        weights = self.weights(points)
        if factors is None:
            log_lik, mean, variance = conditional_normals(self.marginal, points, weights)
        else:
            mean, variance = factored_normals(self.problem, factors, points, weights)
            log_lik = np.zeros(len(points))
        log_factor = _log_normal(mean + self.constant, variance)
        return log_lik, log_factor - self.prior_density(points) if self.alone else log_factor

    def move(self, points: Float, effects: Float) -> Float:
        """Return coefficients moved to a difference of none, along their regression on it."""
        weights = self.weights(points)
        difference = (weights * effects).sum(axis=1) + self.constant
        return effects - difference[:, None] * coefficient_shifts(
            self.problem, self.marginal.data, points, weights
        )


def _log_normal(mean: Float, variance: Float) -> Float:
    """Return the log density at 0 of normal distributions."""
    variance = np.maximum(variance, 1e-300)
    return -0.5 * (np.log(2.0 * np.pi * variance) + mean**2 / variance)


def _prior(target: _Target) -> _Mean:
    """Return the density of the difference at 0 a priori."""
    problem = target.problem
    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(6,)))
    size = PRIOR_POINTS if problem.hyper else 1
    columns = [problem.spec.priors[name].sample(size, rng) for name in problem.hyper]
    return _average(target.prior_density(np.stack(columns, axis=1) if columns else np.zeros((1, 0))))


def _average(log_values: Float) -> _Mean:
    """Return the average of numbers given by their logs; the error is from batches of neighbours."""
    smoothed = smooth_weights(log_values)
    value = _log_mean(log_values)
    if len(log_values) < 2 * _BATCHES or np.ptp(log_values) == 0.0:
        return _Mean(value, 0.0, smoothed.pareto_k, smoothed.ess)
    batches = np.exp([_log_mean(each) - value for each in np.array_split(log_values, _BATCHES)])
    error = float(np.std(batches, ddof=1) / np.sqrt(_BATCHES))
    return _Mean(value, error, smoothed.pareto_k, smoothed.ess)


def _log_mean(log_values: Float) -> float:
    return float(np.logaddexp.reduce(log_values)) - float(np.log(len(log_values)))


def _far(posterior: Posterior, target: _Target, tilted: _Tilted) -> _Mean:
    """Return the posterior's side as the ratio of two integrals over the hyperparameters."""
    upper = _integral(posterior, target, tilted)
    stats = posterior.draws["sample_stats"].attrs
    if "log_evidence" in stats:
        error = _weights_error(float(stats["ess"]), float(stats["points"]))
        lower = _Mean(float(stats["log_evidence"]), error, float(stats["pareto_k"]), float(stats["ess"]))
    else:
        lower = _integral(posterior, target, None)
    return _Mean(
        upper.log_value - lower.log_value,
        float(np.hypot(upper.log_error, lower.log_error)),
        max(upper.pareto_k, lower.pareto_k),
        min(upper.ess, lower.ess),
    )


def _integral(posterior: Posterior, target: _Target, tilted: _Tilted | None) -> _Mean:
    """Return the integral of likelihood times prior over everything unknown; with `tilted` times the factor, too."""
    problem = target.problem
    start = wide_proposal(posterior)
    assert start is not None
    place, first = start
    if tilted is not None:
        at = place.points(tilted.points)
        first = matched(at, tilted.log_factor, smooth_weights(tilted.log_factor), first)

    def log_density(points: Float) -> Float:
        log_lik, log_factor = target.factor(points)
        return log_lik + log_prior(problem, points) + (log_factor if tilted is not None else 0.0)

    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(7,)))
    found = explore(place.density(log_density), first, rng, target_ess=_TARGET_ESS, max_points=_MOST_POINTS)
    smoothed = found.smoothed
    error = _weights_error(smoothed.ess, len(found.points))
    if target.correct is None:
        return _Mean(smoothed.log_mean, error, smoothed.pareto_k, smoothed.ess)
    picked = systematic(smoothed.weights, _CARRIED, rng)
    effects = target.marginal.draw(place.values(found.points), picked, rng)
    points = place.values(found.points)[picked]
    moved = target.move(points, effects) if tilted is not None else effects
    second = smooth_weights(target.correct(points, moved))
    return _Mean(
        smoothed.log_mean + second.log_mean,
        float(np.hypot(error, _weights_error(second.ess, len(points)))),
        max(smoothed.pareto_k, second.pareto_k),
        min(smoothed.ess, second.ess),
    )


def _weights_error(ess: float, size: float) -> float:
    """Return the relative error of the mean of `size` weights that are worth `ess` equal ones."""
    return float(np.sqrt(max(1.0 / max(ess, 1.0) - 1.0 / size, 0.0)))
