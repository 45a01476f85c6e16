"""Linear combinations of coefficients given the hyperparameters: normal a priori, and normal given the data."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.effects import scaled, standard_weights
from gainlaw.model.engines.hyper import pack_points, pack_scales
from gainlaw.model.gaussian.records import GaussianData
from gainlaw.model.spec.problem import ModelProblem

if TYPE_CHECKING:
    from gainlaw.model.gaussian.marginal import Marginal

__all__ = [
    "coefficient_shifts",
    "conditional_normals",
    "factored_normals",
    "has_fixed_part",
    "left_out_normals",
    "prior_normals",
]

Float = NDArray[np.float64]


def has_fixed_part(problem: ModelProblem, weights: Float) -> bool:
    """Return whether a combination of coefficients has weights on the fixed effects.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    weights : ndarray, shape (m, q)
        Weights of the coefficients.
    """
    columns: list[int] = []
    for block in problem.design.blocks:
        if block.name == "mu" or block.name.startswith("covariate:"):
            columns += [block.start, *([block.slope_start] if block.slope_start >= 0 else [])]
    return bool(np.any(weights[:, columns] != 0.0))


def prior_normals(problem: ModelProblem, points: Float, weights: Float) -> tuple[Float, Float]:
    """Return mean and variance of a combination of coefficients a priori, given the hyperparameters.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    points : ndarray, shape (draws, k)
        Hyperparameters.
    weights : ndarray, shape (draws, q) or (1, q)
        Weights of the coefficients, none on effects of replicates.

    Returns
    -------
    mean, variance : ndarray, shape (draws,)
    """
    contrast, offset = _standardise(problem, pack_scales(problem, points), weights)
    return offset, np.einsum("ij,ij->i", contrast, contrast)


def conditional_normals(marginal: Marginal, points: Float, weights: Float) -> tuple[Float, Float, Float]:
    """Return the log marginal likelihood, and mean and variance of a combination of coefficients given the data.

    Parameters
    ----------
    marginal : Marginal
        The model, with or without some of its rows.
    points, weights
        As for `prior_normals`.

    Returns
    -------
    log_likelihood, mean, variance : ndarray, shape (draws,)
        Where the hyperparameters are so extreme that rounding leaves no positive definite matrix, the likelihood is
        taken to be zero.
    """
    contrast, offset = _standardise(marginal.problem, pack_scales(marginal.problem, points), weights)
    contrast = _widened(contrast, marginal.data.matrix.n_core)
    log_lik, mean, variance = marginal.moments(points, contrast).T
    return log_lik, mean + offset, variance


def factored_normals(
    problem: ModelProblem, factors: Float, points: Float, weights: Float
) -> tuple[Float, Float]:
    """Return mean and variance of a combination as `conditional_normals` does, from factors that are there.

    Parameters
    ----------
    problem, points, weights
        As for `prior_normals`.
    factors : ndarray
        From `Marginal.factors` at the same points.

    Returns
    -------
    mean, variance : ndarray, shape (draws,)
    """
    from gainlaw.model.gaussian import kernels

    contrast, offset = _standardise(problem, pack_scales(problem, points), weights)
    # A row of factors has the lower triangle of a square matrix and one more column of it.
    core = int((np.sqrt(9.0 + 8.0 * factors.shape[1]) - 3.0) / 2.0 + 0.5)
    mean, variance = kernels.contrast_moments(factors, _widened(contrast, core)).T
    return mean + offset, variance


def left_out_normals(
    problem: ModelProblem, data: GaussianData, points: Float, weights: Float, groups: NDArray[np.int64]
) -> tuple[Float, Float, Float] | None:
    """Return what all other rows say of each group of rows, and of a combination of coefficients without it.

    Parameters
    ----------
    problem, points, weights
        As for `prior_normals`.
    data : GaussianData
        The observations.
    groups : ndarray of int, shape (n,)
        The group of every row, counted from 0.

    Returns
    -------
    log_density : ndarray, shape (draws, groups)
        The log predictive density of each group given the others; NaN where hyperparameters are so extreme that
        rounding leaves no positive definite matrix.
    mean, variance : ndarray, shape (draws, groups + 1)
        Of the combination, without each group; in the last column, given all.
    None
        Where replicates, or errors that rows share, belong to rows of several groups.
    """
    from gainlaw._threads import in_threads
    from gainlaw.model.gaussian.left_out import left_out

    local = _within_groups(data, groups)
    if local is None:
        return None
    contrast, offset = _standardise(problem, pack_scales(problem, points), weights)
    contrast = _widened(contrast, data.matrix.n_core)
    order, size = np.argsort(groups, kind="stable"), int(groups.max()) + 1
    edges = np.searchsorted(groups[order], np.arange(size + 1))

    def part(inside: slice) -> Float:
        out = np.full((inside.stop - inside.start, size + 1, 3), np.nan)
        # One point after another: what one of them cannot have does not stop the others.
        for row in range(inside.start, inside.stop):
            packed = pack_points(problem, points[row : row + 1])
            with contextlib.suppress(np.linalg.LinAlgError):
                out[row - inside.start] = left_out(
                    packed, contrast[row : row + 1], order, edges, local, data
                )[0]
        return out

    found = in_threads(part, len(points), least=4)
    return found[:, :-1, 0], found[:, :, 1] + offset[:, None], found[:, :, 2]


def _within_groups(data: GaussianData, groups: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return the number of every eliminated column among those of its group; None if one belongs to several."""
    matrix = data.matrix
    cluster, row = np.unique(matrix.cluster, return_index=True)
    widths = np.diff(matrix.bounds)
    if (groups != groups[row][np.searchsorted(cluster, matrix.cluster)])[widths[matrix.cluster] > 0].any():
        return None
    owner = np.full(int(widths.sum()), -1, dtype=np.int64)
    for each, first in zip(cluster, row, strict=True):
        owner[matrix.bounds[each] : matrix.bounds[each + 1]] = groups[first]
    local = np.zeros(len(owner), dtype=np.int64)
    for group in np.unique(owner):
        local[owner == group] = np.arange((owner == group).sum())
    return local


def coefficient_shifts(problem: ModelProblem, data: GaussianData, points: Float, weights: Float) -> Float:
    """Return by how much every coefficient moves, given the data, when a combination of them moves by one.

    Parameters
    ----------
    problem, points, weights
        As for `prior_normals`.
    data : GaussianData
        The observations.

    Returns
    -------
    ndarray, shape (draws, q)
        Posterior covariances with the combination over its variance, given the hyperparameters.
    """
    from scipy.linalg import cho_factor, cho_solve

    from gainlaw.model.gaussian import kernels

    packed = pack_points(problem, points)
    contrast, _ = _standardise(problem, packed, weights)
    shift = np.zeros((len(packed), problem.design.n_columns))
    for row, (theta, own) in enumerate(zip(packed, contrast, strict=True)):
        precision, _ = kernels.normal_equations(theta, data)
        whole = np.zeros(len(precision))
        whole[: len(own)] = own
        moved = cho_solve(cho_factor(precision, check_finite=False), whole, check_finite=False)
        shift[row] = moved[: shift.shape[1]] / (moved @ whole)
    return scaled(problem, packed, shift)


def _widened(contrast: Float, core: int) -> Float:
    """Return contrasts with zeros for what else is in the core of a factorisation."""
    return np.pad(contrast, ((0, 0), (0, core - contrast.shape[1])))


def _standardise(problem: ModelProblem, packed: Float, weights: Float) -> tuple[Float, Float]:
    """Return a combination as a contrast of the core's standardised coefficients, and what prior means add."""
    priors = problem.spec.priors
    contrast = standard_weights(problem, packed, weights, problem.design.n_core)
    offset = np.zeros(len(packed))
    for block in problem.design.blocks:
        if block.name == "mu":
            offset += weights[:, block.start] * priors["intercept"].arguments[0]
            if block.slope_start >= 0:
                offset += weights[:, block.slope_start] * priors["slope"].arguments[0]
        elif block.name.startswith("covariate:"):
            offset += weights[:, block.start] * priors[block.name].arguments[0]
    return contrast, offset
