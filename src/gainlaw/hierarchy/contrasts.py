"""Linear combinations of coefficients given the hyperparameters: normal a priori, and normal given the data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gainlaw._threads import in_threads
from gainlaw.hierarchy.hyper import pack_points
from gainlaw.hierarchy.problem import ModelProblem

__all__ = ["coefficient_shifts", "conditional_normals", "has_fixed_part", "prior_normals"]

Float = NDArray[np.float64]

# Floats of packed hyperparameters held at a time.
_CHUNK = 4_000_000


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
    contrast, offset = _standardise(problem, _scales(problem, points), weights)
    return offset, np.einsum("ij,ij->i", contrast, contrast)


def conditional_normals(
    problem: ModelProblem, data: tuple, points: Float, weights: Float, keep: Float | None = None
) -> tuple[Float, Float, Float]:
    """Return the log marginal likelihood, and mean and variance of a combination of coefficients given the data.

    Parameters
    ----------
    problem, points, weights
        As for `prior_normals`.
    data : tuple
        Inputs of the Gaussian kernels after the hyperparameters.
    keep : ndarray, shape (n,), optional
        0 for rows left out, 1 for the others.

    Returns
    -------
    log_likelihood, mean, variance : ndarray, shape (draws,)
        Where the hyperparameters are so extreme that rounding leaves no positive definite matrix, the likelihood is
        taken to be zero.
    """
    kept = np.ones(len(problem.y)) if keep is None else keep
    step = max(_CHUNK // len(problem.base), 16)
    found = []
    for start in range(0, len(points), step):
        rows = slice(start, start + step)
        packed = pack_points(problem, points[rows])
        contrast, offset = _standardise(problem, packed, weights if len(weights) == 1 else weights[rows])

        def part(inside: slice, packed: Float = packed, contrast: Float = contrast) -> Float:
            return _moments(packed[inside], kept, contrast[inside], data)

        found.append(in_threads(part, len(packed)) + offset[:, None] * np.array([0.0, 1.0, 0.0]))
    log_lik, mean, variance = np.concatenate(found).T
    return log_lik, mean, variance


def coefficient_shifts(problem: ModelProblem, data: tuple, points: Float, weights: Float) -> Float:
    """Return by how much every coefficient moves, given the data, when a combination of them moves by one.

    Parameters
    ----------
    problem, data, points, weights
        As for `conditional_normals`.

    Returns
    -------
    ndarray, shape (draws, q)
        Posterior covariances with the combination over its variance, given the hyperparameters.
    """
    from scipy.linalg import cho_factor, cho_solve

    from gainlaw.hierarchy import kernels

    packed = pack_points(problem, points)
    contrast, _ = _standardise(problem, packed, weights)
    shift = np.zeros((len(packed), problem.design.n_columns))
    whole = np.zeros(problem.design.n_columns)
    for row, (theta, own) in enumerate(zip(packed, contrast, strict=True)):
        precision, _ = kernels.normal_equations(theta, *data)
        whole[: len(own)] = own
        moved = cho_solve(cho_factor(precision, check_finite=False), whole, check_finite=False)
        shift[row] = moved / (moved @ whole)
    blocks = problem.n_blocks
    for k, block in enumerate(problem.design.blocks):
        first = slice(block.start, block.start + block.size)
        if block.slope_start >= 0:
            second = slice(block.slope_start, block.slope_start + block.size)
            tau, rho = packed[:, [blocks + k]], packed[:, [2 * blocks + k]]
            shift[:, second] = tau * (rho * shift[:, first] + np.sqrt(1.0 - rho**2) * shift[:, second])
        shift[:, first] *= packed[:, [k]]
    return shift


def _moments(packed: Float, keep: Float, contrast: Float, data: tuple) -> Float:
    """Return log likelihood, mean and variance, shape (draws, 3)."""
    from gainlaw.hierarchy import kernels

    try:
        return np.stack(kernels.conditional_moments(packed, keep, contrast, *data), axis=1)
    except np.linalg.LinAlgError:
        if len(packed) == 1:
            return np.array([[-np.inf, 0.0, 1.0]])
        half = len(packed) // 2
        parts = (slice(0, half), slice(half, None))
        return np.concatenate([_moments(packed[each], keep, contrast[each], data) for each in parts])


def _scales(problem: ModelProblem, points: Float) -> Float:
    """Return the part of the packed vectors that does not concern single rows, shape (n, 3 * blocks + 1)."""
    packed = np.tile(problem.base[: 3 * problem.n_blocks + 1], (len(points), 1))
    inside = problem.position >= 0
    packed[:, problem.position[inside]] = points[:, inside]
    return packed


def _standardise(problem: ModelProblem, packed: Float, weights: Float) -> tuple[Float, Float]:
    """Return a combination as a contrast of the core's standardised coefficients, and what prior means add."""
    blocks, priors = problem.n_blocks, problem.spec.priors
    contrast = np.zeros((len(packed), problem.design.n_core))
    offset = np.zeros(len(packed))
    for k, block in enumerate(problem.design.blocks):
        if block.start >= problem.design.n_core:
            break
        first = slice(block.start, block.start + block.size)
        contrast[:, first] = weights[:, first] * packed[:, [k]]
        if block.slope_start >= 0:
            second = slice(block.slope_start, block.slope_start + block.size)
            tau, rho = packed[:, [blocks + k]], packed[:, [2 * blocks + k]]
            contrast[:, first] += weights[:, second] * tau * rho
            contrast[:, second] = weights[:, second] * tau * np.sqrt(1.0 - rho**2)
        if block.name == "mu":
            offset += weights[:, block.start] * priors["intercept"].arguments[0]
            if block.slope_start >= 0:
                offset += weights[:, block.slope_start] * priors["slope"].arguments[0]
        elif block.name.startswith("covariate:"):
            offset += weights[:, block.start] * priors[block.name].arguments[0]
    return contrast, offset
