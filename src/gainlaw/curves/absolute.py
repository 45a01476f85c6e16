"""Least absolute deviation to the last digit: the points that the curve passes through, and proof of an optimum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gainlaw.curves.kernels.problem import CurveProblem, bend, jacobian, residuals

__all__ = ["settle"]

Float = NDArray[np.float64]

_STEPS = 40
# A point whose residual is this small, next to the threshold that found it, or no more than rounding, is on the curve.
_ON = 1e-6
# Rounding of a residual, next to the data.
_ROUNDING = 100.0 * 2.220446049250313e-16


def settle(problem: CurveProblem, theta: Float, width: float) -> tuple[Float, float, float]:
    r"""Move an optimum of Huber's loss with a tiny threshold to the one of least absolute deviation nearby.

    The points within the threshold are taken to lie on the curve; Newton's method then solves the conditions of an
    optimum, :math:`\sum_{i \notin A} \mathrm{sign}(r_i) \nabla f_i + \sum_{i \in A} \lambda_i \nabla f_i = 0` and
    :math:`r_i = 0` for the points in A. The result is proven by multipliers between -1 and 1 with which the
    first sum vanishes. Parameters at bounds stay there, and have a multiplier of the sign that holds them.

    Parameters
    ----------
    problem : CurveProblem
        Law and points.
    theta : ndarray, shape (p,)
        The optimum of Huber's loss.
    width : float
        Its threshold.

    Returns
    -------
    theta, total, steepness : ndarray, float, float
        Parameters, the sum of absolute residuals, and the least subgradient next to the sum of its terms' sizes.
    """
    total = float(np.abs(residuals(problem, theta)).sum())
    on = np.abs(residuals(problem, theta)) <= 1.01 * width
    moved = _newton(problem, theta, on)
    reached = float(np.abs(residuals(problem, moved)).sum())
    low, high = problem.law.bounds
    if np.isfinite(reached) and reached <= total and ((moved >= low) & (moved <= high)).all():
        theta, total = moved, reached
    near = max(_ON * width, _ROUNDING * float(np.abs(problem.points.y).max()))
    return theta, total, _steepness(problem, theta, on & (np.abs(residuals(problem, theta)) <= near))


def _newton(problem: CurveProblem, theta: Float, on: NDArray[np.bool_]) -> Float:
    """Solve the conditions of an optimum at which the curve passes through some points."""
    low, high = problem.law.bounds
    free = (theta > low) & (theta < high)
    p, count = int(free.sum()), int(on.sum())
    multiplier = None
    for _ in range(_STEPS):
        r, slope = residuals(problem, theta), jacobian(problem, theta)[:, free]
        if not (np.isfinite(r).all() and np.isfinite(slope).all()):
            break
        length = np.sqrt((slope**2).sum(axis=0))
        length[length == 0.0] = 1.0
        slope = slope / length
        sign = np.where(on, 0.0, np.sign(r))
        pull = slope.T @ sign
        if multiplier is None:
            multiplier = np.linalg.lstsq(slope[on].T, -pull, rcond=None)[0]
        sign[on] = multiplier
        matrix = np.zeros((p + count, p + count))
        matrix[:p, :p] = bend(problem, theta, sign)[np.ix_(free, free)] / np.outer(length, length)
        matrix[:p, p:], matrix[p:, :p] = slope[on].T, slope[on]
        right = -np.concatenate([slope.T @ sign, r[on]])
        step = np.linalg.lstsq(matrix, right, rcond=None)[0]
        theta = theta.copy()
        theta[free] += step[:p] / length
        multiplier = multiplier + step[p:]
        if np.abs(step[:p] / length).max(initial=0.0) <= 1e-15 * (1.0 + np.abs(theta).max()):
            break
    return theta


def _steepness(problem: CurveProblem, theta: Float, on: NDArray[np.bool_]) -> float:
    """Return the largest entry of the smallest subgradient, next to the sum of the sizes of its terms."""
    from scipy.optimize import lsq_linear

    r, slope = residuals(problem, theta), jacobian(problem, theta)
    size = np.abs(slope).sum(axis=0)
    slope = slope / np.where(size > 0.0, size, 1.0)
    pull = slope.T @ np.where(on, 0.0, np.sign(r))
    low, high = problem.law.bounds
    held = np.diag((theta >= high).astype(float) - (theta <= low))[:, (theta <= low) | (theta >= high)]
    terms = np.hstack([slope[on].T, held])
    if terms.shape[1]:
        least = np.repeat([-1.0, 0.0], [int(on.sum()), held.shape[1]])
        pull = (
            pull + terms @ lsq_linear(terms, -pull, (least, np.where(least < 0.0, 1.0, np.inf)), tol=1e-14).x
        )
    return float(np.abs(pull).max())
