"""The space of hyperparameters: bounds, prior density, mode, and a first proposal for importance sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.engines.importance import TruncatedT
from gainlaw.model.gaussian.records import GaussianData
from gainlaw.model.spec.problem import ModelProblem

__all__ = [
    "Coordinates",
    "Kinds",
    "coordinates",
    "find_mode",
    "first_proposal",
    "log_prior",
    "named",
    "pack_points",
    "pack_scales",
    "table_ranges",
]

Float = NDArray[np.float64]
Density = Callable[[Float], Float]

# Points of a one-dimensional conditional, and how many sds of the free coordinate they reach to either side.
_KNOTS = 13
_REACH = 4.0
# A conditional that is flat over more than this on the free scale is explored to here.
_WIDEST = 1.3
_STEP = 1e-4
# The mode is looked for within these factors of the prior's scale (as powers of e), and of no correlation.
_FREE_LIMITS = {"sd": (-10.0, 7.0), "shape": (-7.0, 3.0), "rho": (-6.0, 6.0)}
# A parameter of either sign is looked for within so many sds of its prior.
_PRIOR_SDS = 5.0


def named(problem: ModelProblem, points: Float) -> dict[str, Float]:
    """Return hyperparameters, shape (n, k), by name."""
    return {name: points[:, k] for k, name in enumerate(problem.hyper)}


def pack_points(problem: ModelProblem, points: Float) -> Float:
    """Return the packed vectors of the kernels, shape (n, p), at hyperparameters, shape (n, k)."""
    if not problem.hyper:
        return np.tile(problem.base, (len(points), 1))
    return problem.pack(named(problem, points))


def pack_scales(problem: ModelProblem, points: Float) -> Float:
    """Return the part of the packed vectors that does not concern single rows, shape (n, 3 * blocks + 1)."""
    packed = np.tile(problem.base[: 3 * problem.n_blocks + 1], (len(points), 1))
    inside = problem.position >= 0
    packed[:, problem.position[inside]] = points[:, inside]
    return packed


def log_prior(problem: ModelProblem, points: Float) -> Float:
    """Return the log prior density of hyperparameters, shape (n, k) to (n,)."""
    total = np.zeros(len(points))
    for k, name in enumerate(problem.hyper):
        total += problem.spec.priors[name].log_density(points[:, k])
    return total


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """Which hyperparameters are correlations, which take either sign; the others are positive.

    Parameters
    ----------
    correlation, real : ndarray of bool, shape (k,)
        One of them at most is true.
    """

    correlation: NDArray[np.bool_]
    real: NDArray[np.bool_]

    @classmethod
    def of(cls, problem: ModelProblem) -> Kinds:
        """Return the kinds of a model's hyperparameters, by their priors."""
        families = [problem.spec.priors[name].family for name in problem.hyper]
        return cls(
            np.array([family == "lkj" for family in families], dtype=bool),
            np.array([family == "normal" for family in families], dtype=bool),
        )

    @property
    def positive(self) -> NDArray[np.bool_]:
        """The rest."""
        return ~(self.correlation | self.real)

    def to_free(self, values: Float) -> Float:
        """Map to the real axis: logarithm, inverse hyperbolic tangent, or as they are."""
        return np.where(
            self.correlation,
            np.arctanh(np.clip(values, -1 + 1e-12, 1 - 1e-12)),
            np.where(self.real, values, np.log(np.maximum(values, 1e-300))),
        )

    def from_free(self, free: Float) -> Float:
        """Undo `to_free`."""
        positive = np.exp(np.clip(np.where(self.positive, free, 0.0), -30.0, 30.0))
        return np.where(self.correlation, np.tanh(free), np.where(self.real, free, positive))

    def slope(self, values: Float) -> Float:
        """Return the derivative of `from_free`, at the values that it returns."""
        return np.where(
            self.correlation, np.maximum(1.0 - values**2, 1e-300), np.where(self.real, 1.0, values)
        )


def find_mode(problem: ModelProblem, data: GaussianData, previous: Float | None = None) -> Float:
    """Return the mode of the hyperparameters, shape (k,), as densities in log sd and atanh correlation.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    data : GaussianData
        Its rows, see `problem.gaussian_data`.
    previous : ndarray, shape (k,), optional
        Where to start.

    Notes
    -----
    On the log scale a density that piles up at an sd of zero has its mode at a positive sd, of the size of its
    spread: a usable centre in either case. The gradient of the likelihood is exact, that of the priors a difference
    quotient.
    """
    from scipy.optimize import minimize

    names, priors = problem.hyper, problem.spec.priors
    if not names:
        return np.zeros(0)
    kinds = Kinds.of(problem)
    if previous is None:
        values = np.where(kinds.correlation, 0.0, np.array([priors[name].scale / 3.0 for name in names]))
        values = np.where(kinds.real, np.array([priors[name].arguments[0] for name in names]), values)
    else:
        values = previous
    moves = np.concatenate([np.zeros((1, len(names))), _STEP * np.eye(len(names))])

    def objective(free: Float) -> tuple[float, Float]:
        values = kinds.from_free(free + moves)
        rest = log_prior(problem, values) + np.log(kinds.slope(values)).sum(axis=1)
        value, gradient = _likelihood_gradient(problem, data, values[0])
        total = value + rest[0]
        if not np.isfinite(total):
            return 1e10, np.zeros(len(free))
        return -total, -(gradient * kinds.slope(values[0]) + (rest[1:] - rest[0]) / _STEP)

    limits = [_free_limits(problem, name) for name in names]
    options: Any = {"maxiter": 60, "ftol": 1e-6, "gtol": 1e-2}
    found = minimize(
        objective, kinds.to_free(values), jac=True, method="L-BFGS-B", bounds=limits, options=options
    )
    return kinds.from_free(found.x)


def _likelihood_gradient(problem: ModelProblem, data: GaussianData, point: Float) -> tuple[float, Float]:
    """Return the log marginal likelihood at one point and its gradient in the hyperparameters."""
    from gainlaw.model.gaussian import kernels

    packed = pack_points(problem, point[None])[0]
    try:
        value, gradient = kernels.gaussian_marginal(packed, data)
    except np.linalg.LinAlgError:
        return -np.inf, np.zeros(len(point))
    first = 3 * problem.n_blocks + 1
    out = np.empty(len(point))
    for k, position in enumerate(problem.position):
        if position >= 0:
            out[k] = gradient[position]
        else:
            moved = point.copy()
            moved[k] += _STEP
            change = pack_points(problem, moved[None])[0, first:] - packed[first:]
            out[k] = gradient[first:] @ change / _STEP
    return float(value), out


def _free_limits(problem: ModelProblem, name: str) -> tuple[float, float]:
    if name.startswith("rho_"):
        return _FREE_LIMITS["rho"]
    prior = problem.spec.priors[name]
    if prior.family == "normal":
        mean, sd = prior.arguments
        return mean - _PRIOR_SDS * sd, mean + _PRIOR_SDS * sd
    low, high = _FREE_LIMITS["sd" if name.startswith("tau_") else "shape"]
    centre = float(np.log(prior.scale))
    return centre + low, centre + high


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    r"""Coordinates in which posteriors of sds are close to cut-off normal laws: :math:`u = \log(1 + \tau / s)`.

    An sd may pile up at zero, have the long tail of a prior that few groups hardly inform, or both: near zero the map
    is linear, far out it is the logarithm. Correlations and parameters of either sign stay as they are.

    Parameters
    ----------
    scale : ndarray, shape (k,)
        The sds ``s`` at which the map turns.
    kinds : Kinds
        Which hyperparameters are correlations or take either sign.
    """

    scale: Float
    kinds: Kinds

    @property
    def bounds(self) -> tuple[Float, Float]:
        """Lower and upper bounds of the coordinates."""
        lower = np.where(self.kinds.correlation, -1.0, np.where(self.kinds.real, -np.inf, 0.0))
        return lower, np.where(self.kinds.correlation, 1.0, np.inf)

    def values(self, points: Float) -> Float:
        """Return hyperparameters at coordinates."""
        positive = self.kinds.positive
        return np.where(positive, self.scale * np.expm1(np.where(positive, points, 0.0)), points)

    def points(self, values: Float) -> Float:
        """Return coordinates of hyperparameters."""
        positive = self.kinds.positive
        return np.where(positive, np.log1p(np.where(positive, values, 0.0) / self.scale), values)

    def log_jacobian(self, points: Float) -> Float:
        """Return the log determinant of the derivative of `values`, shape (n,)."""
        return np.where(self.kinds.positive, points + np.log(self.scale), 0.0).sum(axis=1)

    def density(self, log_density: Density) -> Density:
        """Return a density of hyperparameters as one of coordinates."""

        def transformed(points: Float) -> Float:
            return log_density(self.values(points)) + self.log_jacobian(points)

        return transformed


def coordinates(problem: ModelProblem, centre: Float) -> Coordinates:
    """Return coordinates that turn at given hyperparameters."""
    kinds = Kinds.of(problem)
    return Coordinates(np.where(kinds.positive, np.maximum(centre, 1e-12), 1.0), kinds)


def first_proposal(
    problem: ModelProblem, log_density: Density, centre: Float
) -> tuple[Coordinates, TruncatedT]:
    """Return coordinates, and a proposal in them with the moments of one-dimensional conditionals.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    log_density : callable
        Log posterior density of hyperparameters, shape (n, k) to (n,).
    centre : ndarray, shape (k,)
        The mode, from `find_mode`.
    """
    place = coordinates(problem, centre)
    kinds = place.kinds
    width = _free_sds(log_density, centre, kinds)
    for _ in range(2):
        middle, spread = _conditional_moments(log_density, centre, width, place)
        centre = place.values(middle)
        # The width on the free scale that the sds found have there.
        with np.errstate(divide="ignore"):
            steep = np.where(kinds.positive, 1.0 + place.scale / centre, 1.0 / kinds.slope(centre))
        width = np.clip(spread * steep, 0.02, _WIDEST)
    correlation = _correlations(place.density(log_density), middle, spread, kinds)
    # Conditionals are narrower than margins.
    factor = np.linalg.cholesky(1.2 * correlation * np.outer(spread, spread))
    return place, TruncatedT(middle, factor, *place.bounds)


def table_ranges(
    problem: ModelProblem, place: Coordinates, first: TruncatedT, reach: float
) -> dict[int, tuple[float, float]]:
    """Return where points of a proposal lie, within `reach` of its sds, for the sds of residual and replicates.

    The keys are the positions in the packed vector.
    """
    blocks = problem.design.blocks
    wanted = {k for k, block in enumerate(blocks) if block.start >= problem.design.n_core} | {3 * len(blocks)}
    ranges = {}
    for at, position in enumerate(problem.position.tolist()):
        if position not in wanted:
            continue
        sd = float(np.sqrt(np.sum(first.factor[at] ** 2)))
        points = np.tile(np.where(place.kinds.correlation, 0.0, first.location), (2, 1))
        points[:, at] = np.maximum(first.location[at] + reach * sd * np.array([-1.0, 1.0]), 0.0)
        low, high = place.values(points)[:, at]
        ranges[position] = (float(low), float(high))
    return ranges


def _free_density(log_density: Density, free: Float, kinds: Kinds) -> Float:
    values = kinds.from_free(free)
    return log_density(values) + np.log(kinds.slope(values)).sum(axis=1)


def _free_sds(log_density: Density, centre: Float, kinds: Kinds) -> Float:
    """Return sds of the free coordinates from the curvature at the mode."""
    step = 0.1
    free = kinds.to_free(centre)
    moved = free + step * np.concatenate([np.zeros((1, len(free))), np.eye(len(free)), -np.eye(len(free))])
    f = _free_density(log_density, moved, kinds)
    k = len(free)
    curvature = -(f[1 : 1 + k] + f[1 + k :] - 2.0 * f[0]) / step**2
    return np.clip(1.0 / np.sqrt(np.maximum(curvature, 1e-6)), 0.02, _WIDEST)


def _conditional_moments(
    log_density: Density, centre: Float, width: Float, place: Coordinates
) -> tuple[Float, Float]:
    """Return mean and sd of every coordinate given the other hyperparameters, by one-dimensional quadrature."""
    from scipy.interpolate import CubicSpline

    kinds = place.kinds
    free = kinds.to_free(centre)
    steps = np.linspace(-_REACH, _REACH, _KNOTS)
    k = len(free)
    grid = np.tile(free, (k * _KNOTS, 1))
    for j in range(k):
        grid[j * _KNOTS : (j + 1) * _KNOTS, j] += width[j] * steps
    values = log_density(kinds.from_free(grid)).reshape(k, _KNOTS)
    fine = np.linspace(steps[0], steps[-1], 401)
    at = kinds.from_free(free + width * fine[:, None])
    points = place.points(at)
    # The density is one of the hyperparameter; the grid is even on the free scale.
    slope = kinds.slope(at)
    mean, sd = np.empty(k), np.empty(k)
    for j in range(k):
        density = CubicSpline(steps, values[j])(fine)
        weight = np.exp(density - density.max()) * slope[:, j]
        weight /= weight.sum()
        mean[j] = weight @ points[:, j]
        sd[j] = np.sqrt(max(weight @ (points[:, j] - mean[j]) ** 2, 1e-12))
    return mean, sd


def _correlations(log_density: Density, centre: Float, spread: Float, kinds: Kinds) -> Float:
    """Return correlations from the cross derivatives of the log density, kept well conditioned."""
    k = len(centre)
    room = np.where(kinds.correlation, 1.0 - np.abs(centre), np.where(kinds.real, np.inf, centre))
    step = np.minimum(0.3 * spread, 0.45 * room)
    moves = np.diag(step)
    first, second = np.tril_indices(k, -1)
    points = np.concatenate(
        [
            centre[None],
            centre + moves,
            centre - moves,
            centre + moves[first] + moves[second],
            centre - moves[first] - moves[second],
        ]
    )
    f = log_density(points)
    up, down = f[1 : 1 + k], f[1 + k : 1 + 2 * k]
    both, neither = f[1 + 2 * k : 1 + 2 * k + len(first)], f[1 + 2 * k + len(first) :]
    cross = -(both + neither - up[first] - up[second] - down[first] - down[second] + 2.0 * f[0])
    precision = np.eye(k)
    precision[first, second] = cross / (2.0 * step[first] * step[second]) * spread[first] * spread[second]
    precision[second, first] = precision[first, second]
    precision = np.where(np.isfinite(precision), precision, 0.0)
    values, vectors = np.linalg.eigh(precision)
    return (vectors / np.clip(values, 0.3, None)) @ vectors.T
