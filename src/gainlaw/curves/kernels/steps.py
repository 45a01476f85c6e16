"""Compiled steps of a search: the equations that give one, and the bounds that parameters keep."""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["movable", "move", "solve"]


@numba.njit(cache=True, nogil=True)
def solve(matrix, damping, right, free, step):
    """Solve ``(matrix + damping * diag(scale)) x = right`` for the free parameters; False if not positive definite."""
    factor, x, scale = step
    m = free.shape[0]
    for i in range(m):
        for j in range(i + 1):
            s = matrix[free[i], free[j]]
            if i == j:
                s += damping * scale[free[i]]
            for k in range(j):
                s -= factor[i, k] * factor[j, k]
            if i == j:
                if not s > 1e-15 * abs(matrix[free[i], free[i]]):
                    return False
                factor[i, i] = np.sqrt(s)
            else:
                factor[i, j] = s / factor[j, j]
    for i in range(m):
        s = right[free[i]]
        for k in range(i):
            s -= factor[i, k] * x[k]
        x[i] = s / factor[i, i]
    for i in range(m - 1, -1, -1):
        s = x[i]
        for k in range(i + 1, m):
            s -= factor[k, i] * x[k]
        x[i] = s / factor[i, i]
    return True


@numba.njit(cache=True, nogil=True)
def movable(theta, gradient, chosen, search):
    """Return those of the chosen parameters that no bound holds, at which the objective falls beyond it."""
    kept, count = np.empty_like(chosen), 0
    for a in range(chosen.shape[0]):
        k = chosen[a]
        below = theta[k] <= search.low[k] and gradient[k] > 0.0
        above = theta[k] >= search.high[k] and gradient[k] < 0.0
        if not (below or above):
            kept[count] = k
            count += 1
    return kept[:count]


@numba.njit(cache=True, nogil=True)
def move(theta, free, x, length, search, moved):
    """Write where a step ``-x`` of some length leads, bounds stopping it; return whether one did."""
    stopped = False
    moved[:] = theta
    for a in range(free.shape[0]):
        k = free[a]
        at = theta[k] - length * x[a]
        if at < search.low[k]:
            at, stopped = search.low[k], True
        elif at > search.high[k]:
            at, stopped = search.high[k], True
        moved[k] = at
    return stopped
