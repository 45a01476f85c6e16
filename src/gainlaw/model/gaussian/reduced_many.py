r"""The model with several kinds of replicates eliminated, as polynomials in the logarithms of their sds.

The reduced normal equations are smooth in every :math:`\log(s_k + \tau_k^2)`. Over the range that a proposal covers
they are fitted by Chebyshev polynomials, of higher degree in the sds with wider ranges, at points that are dense near
the ends; the entries move together, so that few of their combinations carry them all.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray

from gainlaw._threads import in_threads
from gainlaw.model.gaussian import reduced_kernels as kernels
from gainlaw.model.gaussian.records import GaussianData
from gainlaw.model.gaussian.reduced import Axis, replicate_axis, replicate_blocks, residual_axis
from gainlaw.model.spec.design import Matrix
from gainlaw.model.spec.problem import ModelProblem

__all__ = ["ReducedAt", "ReducedMany", "reduced_at", "reduced_many"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

# Fewer rows are passed over as quickly.
_LEAST_ROWS = 500
# Points that share their sds, on average, for which it is worth while to eliminate the replicates first.
_SHARED = 3
# Points for each term of the polynomials, the most terms, and the points that combinations of entries are found from.
_PER_TERM, _MOST_TERMS = 2, 700
_BASIS = 240
# Combinations that carry less than this share of the largest are left out.
_NEGLIGIBLE = 3e-8
_LARGEST = 40_000_000


@dataclass(frozen=True, slots=True, eq=False)
class ReducedMany:
    """Polynomials of the reduced normal equations.

    Parameters
    ----------
    axes : tuple of Axis
        The sds: that of the residual, and those of the replicates.
    degrees : ndarray of int, shape (terms, axes)
        The degree of every term in every axis.
    terms : ndarray, shape (terms, basis)
        What every term adds to the combinations.
    table : ndarray, shape (basis, entries)
        The combinations of what `reduced_kernels.tabulate_points` returns.
    """

    axes: tuple[Axis, ...]
    degrees: Int
    terms: Float
    table: Float

    def covers(self, scales: Float) -> NDArray[np.bool_]:
        """Return which points, given by their scales, shape (n, 3 * blocks + 1), the polynomials reach."""
        return np.logical_and.reduce([axis.covers(scales[:, axis.position]) for axis in self.axes])

    def weights(self, scales: Float) -> Float:
        """Return the weights of the combinations, shape (n, basis)."""
        places = [axis.places(scales[:, axis.position]) for axis in self.axes]
        return np.ascontiguousarray(_features(places, self.degrees) @ self.terms)

    def moments(self, matrix: Matrix, scales: Float, contrasts: Float) -> Float:
        """Return log likelihood, and mean and variance of contrasts, shape (n, 3)."""
        return kernels.reduced_moments(scales, self.weights(scales), contrasts, self.table, matrix)

    def draws(self, data: GaussianData, h: Float, scales: Float, which: Int, normals: Float) -> Float:
        """Return draws of all coefficients, shape (n, q), less the prior means of the fixed ones."""
        return kernels.clustered_draws(scales, self.weights(scales), which, normals, self.table, data, h)


@dataclass(frozen=True, slots=True, eq=False)
class ReducedAt:
    """The reduced normal equations at sds that many points share.

    Parameters
    ----------
    positions : ndarray of int
        Where the sds of replicates and residual stand in the packed vector.
    sds : ndarray, shape (nodes, len(positions))
        The sds, all different.
    table : ndarray, shape (nodes, entries)
        What `reduced_kernels.tabulate_points` returns at them.
    """

    positions: Int
    sds: Float
    table: Float

    def moments(self, matrix: Matrix, scales: Float, contrasts: Float) -> Float:
        """Return log likelihood, and mean and variance of contrasts, shape (n, 3), at points of these sds."""
        weights = (scales[:, None, self.positions] == self.sds).all(axis=2).astype(float)
        return kernels.reduced_moments(scales, weights, contrasts, self.table, matrix)


def reduced_at(problem: ModelProblem, data: GaussianData, scales: Float) -> ReducedAt | None:
    """Eliminate the replicates once for all points that share their sds, where that is possible and saves work.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    data : GaussianData
        The observations.
    scales : ndarray, shape (n, 3 * blocks + 1)
        The points.
    """
    replicates = replicate_blocks(problem, data)
    if replicates is None:
        return None
    positions = np.array([*replicates, 3 * problem.n_blocks])
    sds, first = np.unique(scales[:, positions], axis=0, return_index=True)
    p = data.matrix.n_core
    if _SHARED * len(sds) > len(scales) or len(sds) * p * (p + 3) // 2 > _LARGEST:
        return None
    return ReducedAt(positions, sds, _tabulated(problem, data, scales[first]))


def reduced_many(
    problem: ModelProblem, data: GaussianData, ranges: Mapping[int, tuple[float, float]], digits: int
) -> ReducedMany | None:
    """Fit the polynomials, where that is possible and saves work.

    Parameters
    ----------
    problem : ModelProblem
        The model, of a law without parameters of its own.
    data : GaussianData
        The observations.
    ranges : mapping
        Smallest and largest sd to cover, by the sd's position in the packed vector.
    digits : int
        Digits that the polynomials are to give.
    """
    from scipy.stats import qmc

    replicates = replicate_blocks(problem, data)
    if len(problem.y) < _LEAST_ROWS or replicates is None or not set(replicates) <= set(ranges):
        return None
    residual = residual_axis(problem, data, ranges, digits)
    axes = [residual, *(replicate_axis(data, k, residual, ranges, digits) for k in replicates)]
    degrees = _degrees(axes)
    p = data.matrix.n_core
    entries = p * (p + 1) // 2 + p + 1
    if degrees is None or _PER_TERM * len(degrees) * entries > _LARGEST:
        return None
    size = max(_PER_TERM * len(degrees), 2 * _BASIS)
    uniform = qmc.Sobol(len(axes), rng=np.random.default_rng(0)).random(1 << (size - 1).bit_length())[:size]
    places = np.cos(np.pi * uniform)
    scales = np.tile(problem.base[: 3 * problem.n_blocks + 1], (size, 1))
    for axis, place in zip(axes, places.T, strict=True):
        scales[:, axis.position] = axis.sds(place)
    found = _tabulated(problem, data, scales)
    unit = np.maximum(np.abs(found[:_BASIS]).max(axis=0), 1e-300)
    found /= unit
    squares, vectors = np.linalg.eigh(found[:_BASIS] @ found[:_BASIS].T)
    kept = squares > _NEGLIGIBLE**2 * squares[-1]
    basis = (vectors[:, kept] / np.sqrt(squares[kept])).T @ found[:_BASIS]
    features = _features(list(places.T), degrees)
    terms = np.linalg.lstsq(features, found @ basis.T, rcond=None)[0]
    return ReducedMany(tuple(axes), degrees, terms, np.ascontiguousarray(basis * unit))


def _tabulated(problem: ModelProblem, data: GaussianData, scales: Float) -> Float:
    """Return what `reduced_kernels.tabulate_points` does, by several threads."""
    h = problem.base[3 * problem.n_blocks + 1 :]

    def part(inside: slice) -> Float:
        return kernels.tabulate_points(scales[inside], data, h)

    return in_threads(part, len(scales), least=4)


def _degrees(axes: Sequence[Axis]) -> Int | None:
    """Return the terms that the digits asked for need, by the rate of convergence in every axis; None if too many."""
    highest = [axis.count for axis in axes]
    found = []
    # An axis needs its highest degree where no other one moves, and less of it where others do.
    for degree in itertools.product(*(range(each) for each in highest)):
        if sum(k / each for k, each in zip(degree, highest, strict=True)) < 1.0:
            found.append(degree)
            if len(found) > _MOST_TERMS:
                return None
    return np.array(found, dtype=np.int64)


def _features(places: Sequence[Float], degrees: Int) -> Float:
    """Return the terms at places between -1 and 1, shape (n, terms)."""
    out = np.ones((len(places[0]), len(degrees)))
    for place, degree in zip(places, degrees.T, strict=True):
        out *= chebvander(place, int(degree.max()))[:, degree]
    return out
