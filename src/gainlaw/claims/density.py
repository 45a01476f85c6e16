"""Savage-Dickey Bayes factors from draws alone: the density of a difference at 0, posterior against prior.

For a point null ``d = 0`` nested in the model, ``BF10 = prior density at 0 / posterior density at 0`` [1]_.
Both densities are estimated from draws by a one-dimensional Gaussian mixture (expectation-maximisation, one
to four components chosen by the Bayesian information criterion). A mixture has smooth tails, where a kernel
estimate is all noise, and hierarchical posteriors are mixtures of Gaussians to begin with.

This is the last resort: `gainlaw.fitting.point_null.point_null` has the factor without estimating a density.

References
----------
.. [1] Dickey, J. M. (1971). The weighted likelihood ratio, linear hypotheses on normal location parameters.
   Annals of Mathematical Statistics 42(1), 204-223. doi:10.1214/aoms/1177693507
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["BayesFactor", "Density", "bayes_factor", "density_at", "directional_factor"]

Array = NDArray[np.float64]
MIN_TAIL = 10


@dataclass(frozen=True, slots=True)
class Density:
    """An estimated density at one point.

    Parameters
    ----------
    log_value : float
        Log density.
    log_error : float
        Monte Carlo standard error of the log density, from ten batches of the draws.
    tail : int
        Number of draws beyond the point, on its thinner side; below 10 the value is an extrapolation.
    """

    log_value: float
    log_error: float
    tail: int


@dataclass(frozen=True, slots=True)
class BayesFactor:
    """A Savage-Dickey Bayes factor for a difference against none.

    Parameters
    ----------
    value : float
        ``BF10``: how much more the data are expected under "there is a difference" than under "there is
        none". NaN where it cannot be had.
    log_error : float
        Monte Carlo standard error of its logarithm.
    extrapolated : bool
        Whether 0 lies outside all but a few posterior draws; the value is then an order of magnitude.
    """

    value: float
    log_error: float
    extrapolated: bool


def density_at(draws: ArrayLike, point: float = 0.0) -> Density:
    """Estimate the density of a variable at a point from draws of it.

    Parameters
    ----------
    draws : array_like, shape (n,)
        Draws, n >= 50; values that are not finite are left out.
    point : float
        Where.

    Returns
    -------
    Density
        NaN where the draws do not vary or are too few.

    Examples
    --------
    >>> z = np.random.default_rng(1).normal(size=4000)
    >>> round(float(np.exp(density_at(z, 0.0).log_value)), 1)
    0.4
    """
    values = np.asarray(draws, dtype=float).reshape(-1)
    values = values[np.isfinite(values)]
    spread = float(values.std()) if len(values) else 0.0
    if len(values) < 50 or spread <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return Density(float("nan"), float("nan"), 0)
    centre = float(values.mean())
    z, at = (values - centre) / spread, (point - centre) / spread
    fits = [_mixture(*_grid(z), size) for size in (1, 2, 3, 4)]
    best = min(fits, key=lambda fit: fit[1])[0]
    log_value = float(_log_density(best, np.array([at]))[0]) - np.log(spread)
    batches = np.array_split(z, 10)
    again = [
        _log_density(_expectation_maximisation(*_grid(batch), best, 10)[0], np.array([at]))[0]
        for batch in batches
    ]
    tail = int(min((values < point).sum(), (values > point).sum()))
    return Density(log_value, float(np.std(again, ddof=1) / np.sqrt(10)), tail)


def bayes_factor(posterior: ArrayLike, prior: ArrayLike) -> BayesFactor:
    """Return the Savage-Dickey Bayes factor of a difference against none.

    Parameters
    ----------
    posterior, prior : array_like, shape (n,), (m,)
        Draws of the difference.

    Returns
    -------
    BayesFactor
        The factor, NaN where a density cannot be had.

    Examples
    --------
    One observation y = 2 with sd 1 and a standard normal prior: the exact value is exp(1) / sqrt(2) = 1.92.

    >>> rng = np.random.default_rng(1)
    >>> round(bayes_factor(rng.normal(1.0, 0.5**0.5, 20000), rng.normal(size=20000)).value, 1)
    1.9
    """
    below, above = density_at(posterior), density_at(prior)
    log_value = above.log_value - below.log_value
    return BayesFactor(
        value=float(np.exp(np.clip(log_value, -700, 700))) if np.isfinite(log_value) else float("nan"),
        log_error=float(np.hypot(below.log_error, above.log_error)),
        extrapolated=below.tail < MIN_TAIL,
    )


def directional_factor(posterior: ArrayLike, prior: ArrayLike) -> float:
    """Return how much the data move the odds of a claim: posterior odds over prior odds.

    Parameters
    ----------
    posterior, prior : array_like of bool, shape (n,), (m,)
        Whether the claim holds in each draw. Half a draw is added to both sides of the odds.

    Examples
    --------
    >>> directional_factor([True] * 90 + [False] * 10, [True] * 50 + [False] * 50) > 8
    True
    """
    odds = []
    for draws in (posterior, prior):
        inside = np.asarray(draws, dtype=bool)
        if not len(inside):
            return float("nan")
        odds.append((inside.sum() + 0.5) / ((~inside).sum() + 0.5))
    return float(odds[0] / odds[1])


Mixture = tuple[Array, Array, Array]


def _grid(z: Array) -> tuple[Array, Array]:
    """Return the distinct values after rounding to a fiftieth of an sd, and their counts."""
    keys, counts = np.unique(np.round(z * 50.0), return_counts=True)
    return keys / 50.0, counts.astype(float)


def _mixture(z: Array, counts: Array, size: int) -> tuple[Mixture, float]:
    """Fit a mixture by expectation-maximisation; return it and its information criterion."""
    edges = np.interp(np.linspace(0, 1, size + 1), np.cumsum(counts) / counts.sum(), z)
    even = np.full(size, 1.0 / size)
    starts = [(even, 0.5 * (edges[:-1] + edges[1:]), np.full(size, size**-0.5))]
    if size > 1:  # also a start for heavy tails: one centre, growing scales
        starts.append((even, np.zeros(size), 0.5 * 1.8 ** np.arange(size)))
    fits = [_expectation_maximisation(z, counts, start, 300) for start in starts]
    best, loglik = max(fits, key=lambda fit: fit[1])
    return best, -2 * loglik + (3 * size - 1) * float(np.log(counts.sum()))


def _expectation_maximisation(z: Array, counts: Array, start: Mixture, steps: int) -> tuple[Mixture, float]:
    weight, mean, sd = start
    floor = 0.05  # of the sd of the draws: no spikes
    last = -np.inf
    for _ in range(steps):
        parts = _parts((weight, mean, sd), z)
        top = parts.max(axis=1, keepdims=True)
        share = np.exp(parts - top)
        total = share.sum(axis=1, keepdims=True)
        loglik = float(counts @ (np.log(total) + top)[:, 0])
        if loglik - last < 1e-7 * abs(loglik):
            break
        last = loglik
        share *= counts[:, None] / total
        mass = share.sum(axis=0) + 1e-12
        weight, mean = mass / mass.sum(), (share.T @ z) / mass
        sd = np.maximum(np.sqrt((share * (z[:, None] - mean) ** 2).sum(axis=0) / mass), floor)
    fit = (weight, mean, sd)
    return fit, float(counts @ _log_density(fit, z))


def _parts(fit: Mixture, z: Array) -> Array:
    weight, mean, sd = fit
    scaled = (z[:, None] - mean) / sd
    return np.asarray(np.log(weight + 1e-300) - 0.5 * scaled**2 - np.log(sd) - 0.5 * np.log(2 * np.pi))


def _log_density(fit: Mixture, z: Array) -> Array:
    parts = _parts(fit, z)
    top = parts.max(axis=1)
    return np.asarray(top + np.log(np.exp(parts - top[:, None]).sum(axis=1)))
