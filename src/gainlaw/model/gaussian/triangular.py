"""Compiled triangular solves: short loops that beat a call of LAPACK at these sizes."""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["inverse_lower", "solve_lower", "solve_lower_transposed"]


@numba.njit(cache=True)
def inverse_lower(factor):
    """Invert a lower triangular matrix."""
    p = factor.shape[0]
    out = np.zeros((p, p))
    for i in range(p):
        out[i, i] = 1.0 / factor[i, i]
        for k in range(i):
            f = factor[i, k]
            if f != 0.0:
                for j in range(k + 1):
                    out[i, j] -= f * out[k, j]
        for j in range(i):
            out[i, j] *= out[i, i]
    return out


@numba.njit(cache=True)
def solve_lower(factor, b):
    """Solve ``L x = b``."""
    q = b.shape[0]
    x = np.empty(q)
    for i in range(q):
        total = b[i]
        for j in range(i):
            total -= factor[i, j] * x[j]
        x[i] = total / factor[i, i]
    return x


@numba.njit(cache=True)
def solve_lower_transposed(factor, b):
    """Solve ``L' x = b``."""
    q = b.shape[0]
    x = b.copy()
    for i in range(q - 1, -1, -1):
        x[i] /= factor[i, i]
        for j in range(i):
            x[j] -= factor[i, j] * x[i]
    return x
