"""Coefficients in the unit of the scale: their prior means, and what they add up to at every row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gainlaw._threads import fill_in_threads
from gainlaw.model.gaussian.row_kernels import linear_predictors
from gainlaw.model.spec.problem import ModelProblem

__all__ = ["Lines", "add_prior_means", "linear_predictor", "lines_of", "scaled", "standard_weights"]

Float = NDArray[np.float64]
Lines = Callable[[NDArray[np.int64]], Float]
"""Linear predictors, shape (m, n), of some draws, an array of m indices."""

# Fewer draws than this are not worth a thread.
_LEAST_DRAWS = 512


def scaled(problem: ModelProblem, packed: Float, z: Float) -> Float:
    """Return standard normal coefficients in the unit of the scale.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    packed : ndarray, shape (draws, p)
        Packed vectors, see `ModelProblem.pack`.
    z : ndarray, shape (draws, q)
        Coefficients in the order of the columns.
    """
    blocks = problem.n_blocks
    effects = np.empty_like(z)
    for k, block in enumerate(problem.design.blocks):
        first = slice(block.start, block.start + block.size)
        effects[:, first] = packed[:, [k]] * z[:, first]
        if block.slope_start >= 0:
            own = slice(block.slope_start, block.slope_start + block.size)
            tau, rho = packed[:, [blocks + k]], packed[:, [2 * blocks + k]]
            effects[:, own] = tau * (rho * z[:, first] + np.sqrt(1.0 - rho**2) * z[:, own])
    return effects


def standard_weights(problem: ModelProblem, packed: Float, weights: Float, columns: int) -> Float:
    """Return the weights of standard normal coefficients that weights in the unit of the scale amount to.

    What `scaled` does to coefficients, transposed: both sum up to the same.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    packed : ndarray, shape (m, p) or (1, p)
        Packed vectors, see `ModelProblem.pack`.
    weights : ndarray, shape (m, q) or (1, q)
        Weights of the coefficients in the order of the columns.
    columns : int
        How many of the columns are asked for, which end where a block ends.

    Returns
    -------
    ndarray, shape (m, columns)
    """
    blocks = problem.n_blocks
    out = np.zeros((max(len(packed), len(weights)), columns))
    for k, block in enumerate(problem.design.blocks):
        if block.start >= columns:
            break
        first = slice(block.start, block.start + block.size)
        out[:, first] = weights[:, first] * packed[:, [k]]
        if block.slope_start >= 0:
            second = slice(block.slope_start, block.slope_start + block.size)
            tau, rho = packed[:, [blocks + k]], packed[:, [2 * blocks + k]]
            out[:, first] += weights[:, second] * tau * rho
            out[:, second] = weights[:, second] * tau * np.sqrt(1.0 - rho**2)
    return out


def add_prior_means(problem: ModelProblem, effects: Float) -> Float:
    """Add the prior means of the fixed effects, which the kernels work without."""
    priors = problem.spec.priors
    effects = effects.copy()
    for block in problem.design.blocks:
        if block.name == "mu":
            effects[:, block.start] += priors["intercept"].arguments[0]
            if block.slope_start >= 0:
                effects[:, block.slope_start] += priors["slope"].arguments[0]
        elif block.name.startswith("covariate:"):
            effects[:, block.start] += priors[block.name].arguments[0]
    return effects


def linear_predictor(problem: ModelProblem, effects: Float, psi: Float | None) -> Float:
    """Return the law plus every effect at every row, shape (draws, n), without the residual.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    effects : ndarray, shape (draws, q)
        Coefficients, prior means included.
    psi : ndarray, shape (draws, k), or None
        Draws of the law's shape parameters, for laws with some.
    """
    h = problem.shapes(psi)
    out = np.empty((len(effects), len(problem.x)))

    def part(draws: slice) -> None:
        linear_predictors(effects[draws], h[draws] if len(h) > 1 else h, problem.design.matrix, out[draws])

    fill_in_threads(part, len(effects), least=_LEAST_DRAWS)
    return out


def lines_of(problem: ModelProblem, effects: Float, psi: Float | None) -> Lines:
    """Return a function of an array of draws that returns their linear predictors, see `linear_predictor`."""

    def lines(draws: NDArray[np.int64]) -> Float:
        return linear_predictor(problem, effects[draws], None if psi is None else psi[draws])

    return lines
