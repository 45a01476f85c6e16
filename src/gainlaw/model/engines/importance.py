r"""Importance sampling: Pareto-smoothed weights, and proposals that adapt.

A target density ``p`` known up to a constant is explored by points from a growing mixture of proposals ``q``: t
distributions first, and copulas once enough is known of the margins (`gainlaw.model.engines.copula`). Each point has
the weight ``p / q`` with ``q`` the whole mixture (deterministic mixture weights, Owen and Zhou 2000, doi
10.1080/01621459.2000.10473909). The largest weights are smoothed by a generalised Pareto tail, whose shape ``k`` says
whether the answer may be used (Vehtari et al. 2024, arXiv 1507.02646): below 0.5 the error falls like that of
independent draws, above 0.7 the weights are unusable.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import lgamma, log, pi

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.engines.copula import Copula, copula

__all__ = [
    "Explored",
    "Smoothed",
    "TruncatedT",
    "explore",
    "matched",
    "smooth_weights",
    "systematic",
    "worth",
]

Float = NDArray[np.float64]
Density = Callable[[Float], Float]

DEGREES = 7.0
# Points of one round; Sobol points are balanced in powers of two.
ROUND = 512
# Of the last round no fewer.
LAST = 128
# Until the weights carry this many points for each dimension the target is tempered to have them.
PER_DIMENSION = 10.0
# With so many, and not fewer than the second number, the margins are known well enough for a copula.
MARGINS = (5.0, 60.0)
# Points of a copula for one of a t distribution.
BESIDE = 4
# Effective points that one of a fair proposal brings.
FAIR = 0.3
INFLATION = 1.05
LEAST_POINTS = 25


@dataclass(frozen=True, slots=True, eq=False)
class Smoothed:
    """Normalised weights and what they are worth.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        They sum to one.
    pareto_k : float
        Shape of the tail; ``-inf`` when all weights are equal.
    ess : float
        Effective number of points, ``1 / sum(weights**2)``.
    log_mean : float
        Log of the mean of the weights before they were normalised.
    """

    weights: Float
    pareto_k: float
    ess: float
    log_mean: float


def smooth_weights(log_weights: Float) -> Smoothed:
    """Pareto-smooth the largest weights and normalise all.

    Parameters
    ----------
    log_weights : ndarray, shape (n,)
        Log of unnormalised weights (not of their inverse); -inf for points of no weight.

    Examples
    --------
    >>> smooth_weights(np.zeros(100)).ess
    100.0
    """
    from arviz_stats.base import array_stats

    values = np.where(np.isnan(log_weights), -np.inf, log_weights)
    top = float(values.max())
    if not np.isfinite(top):
        return Smoothed(np.full(len(values), 1.0 / len(values)), np.inf, 0.0, top)
    values = np.maximum(values - top, -700.0)
    if np.ptp(values) < 1e-12:
        return Smoothed(np.full(len(values), 1.0 / len(values)), -np.inf, float(len(values)), top)
    smoothed, pareto_k = values, np.nan
    # Too few points have no tail; nor have weights whose largest are equal.
    if len(values) >= LEAST_POINTS:
        # The library takes log likelihoods to be left out, whose weights are the inverse. Hopeless tails overflow.
        with contextlib.suppress(ValueError), np.errstate(all="ignore"):
            smoothed, pareto_k = array_stats.psislw(-values)
    least = int(np.argmin(values))
    smoothed = np.asarray(smoothed) + (values[least] - smoothed[least])
    raw = np.exp(smoothed)
    weights = raw / raw.sum()
    return Smoothed(weights, float(pareto_k), float(1.0 / np.sum(weights**2)), top + log(raw.mean()))


def worth(smoothed: Smoothed, picked: NDArray[np.int64]) -> float:
    """Return the effective number of draws whose hyperparameters stand in the rows `picked`.

    Draws at the same hyperparameters stand or fall together: both counts bound the information.
    """
    shares = np.bincount(picked, weights=smoothed.weights)
    return min(smoothed.ess, float(1.0 / np.sum(shares**2)))


def systematic(weights: Float, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return `size` indices, each in proportion to its weight as evenly as whole numbers allow, in random order."""
    edges = np.cumsum(weights)
    picked = np.searchsorted(edges, (np.arange(size) + rng.random()) / size * edges[-1])
    return rng.permutation(np.minimum(picked, len(weights) - 1)).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class TruncatedT:
    """A t distribution with each coordinate, given those before it, kept between its bounds.

    Parameters
    ----------
    location : ndarray, shape (k,)
        Location.
    factor : ndarray, shape (k, k)
        Lower triangular factor of the scale matrix.
    lower, upper : ndarray, shape (k,)
        Bounds, infinite where there is none.
    """

    location: Float
    factor: Float
    lower: Float
    upper: Float

    def moved(self, away: Float) -> TruncatedT:
        """Return the distribution with its location moved, shape (k,), between the bounds."""
        location = np.clip(
            self.location + away, np.nextafter(self.lower, np.inf), np.nextafter(self.upper, -np.inf)
        )
        return replace(self, location=location)

    def sample(self, uniforms: Float) -> Float:
        """Map uniform numbers in (0, 1), shape (n, k), to points."""
        from scipy.special import stdtrit

        standard, points = np.zeros_like(uniforms), np.zeros_like(uniforms)
        for k in range(uniforms.shape[1]):
            middle = self.location[k] + standard[:, :k] @ self.factor[k, :k]
            below, inside = self._mass(k, middle)
            u = np.clip(below + uniforms[:, k] * inside, 1e-15, 1.0 - 1e-15)
            raw = middle + self.factor[k, k] * stdtrit(DEGREES, u)
            # Rounding may put a point on its bound or, in a far tail, outside.
            points[:, k] = np.clip(
                raw, np.nextafter(self.lower[k], np.inf), np.nextafter(self.upper[k], -np.inf)
            )
            standard[:, k] = (points[:, k] - middle) / self.factor[k, k]
        return points

    def log_density(self, points: Float) -> Float:
        """Return the log density at points between the bounds, shape (n,)."""
        constant = lgamma((DEGREES + 1) / 2) - lgamma(DEGREES / 2) - 0.5 * log(DEGREES * pi)
        standard = np.zeros_like(points)
        total = np.zeros(len(points))
        for k in range(points.shape[1]):
            middle = self.location[k] + standard[:, :k] @ self.factor[k, :k]
            standard[:, k] = (points[:, k] - middle) / self.factor[k, k]
            _, inside = self._mass(k, middle)
            total += (
                constant
                - (DEGREES + 1) / 2 * np.log1p(standard[:, k] ** 2 / DEGREES)
                - log(self.factor[k, k])
                - np.log(np.maximum(inside, 1e-300))
            )
        return total

    def _mass(self, k: int, middle: Float) -> tuple[Float, Float]:
        """Return the probability below the lower bound and between the bounds."""
        scale = self.factor[k, k]
        below = (
            _t_below((self.lower[k] - middle) / scale)
            if np.isfinite(self.lower[k])
            else np.zeros(len(middle))
        )
        if not np.isfinite(self.upper[k]):
            return below, 1.0 - below
        return below, _t_below((self.upper[k] - middle) / scale) - below


def _t_below(t: Float) -> Float:
    """Distribution function of Student's t with 7 degrees of freedom, in closed form."""
    angle = np.arctan(t / np.sqrt(DEGREES))
    c2 = np.cos(angle) ** 2
    series = 1.0 + c2 * (2.0 / 3.0 + c2 * 8.0 / 15.0)
    return 0.5 + (angle + np.sin(angle) * np.sqrt(c2) * series) / pi


@dataclass(frozen=True, slots=True, eq=False)
class Explored:
    """Weighted points of a density.

    Parameters
    ----------
    points : ndarray, shape (n, k)
        Points.
    log_density : ndarray, shape (n,)
        The density there.
    smoothed : Smoothed
        Their weights; ``log_mean`` is the log of the density's integral.
    """

    points: Float
    log_density: Float
    smoothed: Smoothed


def explore(
    log_density: Density,
    first: TruncatedT,
    rng: np.random.Generator,
    *,
    target_ess: float,
    max_points: int,
    progress: Callable[[float], None] | None = None,
) -> Explored:
    """Explore a density by adaptive importance sampling.

    Parameters
    ----------
    log_density : callable
        Unnormalised log density of points, shape (n, k) to (n,).
    first : TruncatedT
        The first proposal.
    rng : numpy.random.Generator
        Scrambles the Sobol points.
    target_ess : float
        Stop when the weights are worth this many points at a Pareto k below 0.5.
    max_points : int
        Stop after this many points in any case.
    progress : callable, optional
        Called with the share of `target_ess` that is reached.
    """
    from scipy.stats import qmc

    dimensions = len(first.location)
    proposals: list[TruncatedT | Copula] = []
    points, target = np.zeros((0, dimensions)), np.zeros(0)
    counts: list[int] = []
    # log_q[j][i]: log density of point i under proposal j, extended as points and proposals are added.
    log_q: list[Float] = []
    following: list[tuple[TruncatedT | Copula, int]] = [(first, ROUND)]
    for turn in itertools.count(1):
        for proposal, number in following:
            new = proposal.sample(qmc.Sobol(dimensions, rng=rng).random(number))
            log_q = [
                np.concatenate([old, each.log_density(new)])
                for old, each in zip(log_q, proposals, strict=True)
            ]
            points, target = np.concatenate([points, new]), np.concatenate([target, log_density(new)])
            proposals.append(proposal)
            log_q.append(proposal.log_density(points))
            counts.append(number)
        mixture = np.logaddexp.reduce(
            [values + log(n) for values, n in zip(log_q, counts, strict=True)], axis=0
        )
        log_weights = target - mixture + log(len(points))
        smoothed = smooth_weights(log_weights)
        if progress is not None:
            progress(min(smoothed.ess / target_ess, 1.0))
        if len(points) >= max_points or (smoothed.ess >= target_ess and smoothed.pareto_k < 0.5):
            break
        size = ROUND << min(turn // 2, 2)
        if turn > 1:
            # No more than is needed at the efficiency so far, or at that of a fair proposal.
            lacking = (target_ess - smoothed.ess) / max(smoothed.ess / len(points), FAIR)
            size = min(size, LAST << int(np.round(np.log2(max(1.1 * lacking / LAST, 1.0)))))
        following = _following(points, log_weights, smoothed, first, size)
    return Explored(points, target, smoothed)


def _following(
    points: Float, log_weights: Float, smoothed: Smoothed, first: TruncatedT, size: int
) -> list[tuple[TruncatedT | Copula, int]]:
    """Return the next proposals and their numbers of points: beside a copula, whose tails are light, some t."""
    wide = matched(points, log_weights, smoothed, first)
    if smoothed.ess < max(MARGINS[0] * points.shape[1], MARGINS[1]):
        return [(wide, size)]
    return [(copula(points, smoothed.weights, first.lower, first.upper), size), (wide, size // BESIDE)]


def matched(points: Float, log_weights: Float, smoothed: Smoothed, first: TruncatedT) -> TruncatedT:
    """Return the t distribution with the moments of weighted points.

    Parameters
    ----------
    points : ndarray, shape (n, k)
        Points.
    log_weights : ndarray, shape (n,)
        Logs of their weights.
    smoothed : Smoothed
        The same, smoothed; where they are worth too little, the weights are tempered.
    first : TruncatedT
        A proposal with the bounds to keep.
    """
    weights = smoothed.weights
    enough = PER_DIMENSION * points.shape[1]
    if smoothed.ess < enough:
        weights = _tempered(log_weights, enough)
    location = weights @ points
    away = points - location
    scale = away.T @ (away * weights[:, None])
    scale[np.diag_indices_from(scale)] *= INFLATION
    scale[np.diag_indices_from(scale)] += 1e-12 * np.maximum(np.diag(first.factor @ first.factor.T), 1e-300)
    return TruncatedT(location, np.linalg.cholesky(scale), first.lower, first.upper)


def _tempered(log_weights: Float, enough: float) -> Float:
    """Return weights raised to the largest power, by bisection, that leaves `enough` effective points."""
    finite = np.where(np.isfinite(log_weights), log_weights, -1e300)
    low, high = 0.0, 1.0
    for _ in range(40):
        power = 0.5 * (low + high)
        weights = _power(finite, power)
        low, high = (power, high) if 1.0 / np.sum(weights**2) > enough else (low, power)
    return _power(finite, low)


def _power(log_weights: Float, power: float) -> Float:
    weights = np.exp(power * (log_weights - log_weights.max()))
    return weights / weights.sum()
