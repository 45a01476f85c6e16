"""Compiled loops over draws and rows: linear predictors, and normal densities of many rows."""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["linear_predictors", "normal_log_densities", "normal_log_density"]


_TOGETHER = 64


@numba.njit(cache=True, nogil=True)
def linear_predictors(effects, h, matrix, out):
    """Write the sum of every effect at every row into `out`.

    Parameters
    ----------
    effects : ndarray, shape (draws, q)
        Coefficients.
    h : ndarray, shape (draws, n) or (1, n), or twice as wide
        The law's shape at every row, and behind it the rows' lift where the law has one.
    matrix : Matrix
        The model matrix.
    out : ndarray, shape (draws, n)
        Receives the sums.
    """
    block, group, value = matrix.block, matrix.group, matrix.value
    starts, slopes, lifted = matrix.starts, matrix.slopes, matrix.lifted
    draws, n = effects.shape[0], block.shape[0]
    lifts = h.shape[1] > n
    # Some draws at a time, side by side: their coefficients stay in the cache, and the inner loops are vectors.
    columns = np.empty((effects.shape[1], _TOGETHER))
    shape, total, lift = np.empty(_TOGETHER), np.empty(_TOGETHER), np.ones(_TOGETHER)
    for t in range(0, draws, _TOGETHER):
        m = min(_TOGETHER, draws - t)
        for d in range(m):
            for c in range(effects.shape[1]):
                columns[c, d] = effects[t + d, c]
        for i in range(n):
            for d in range(m):
                total[d] = 0.0
                shape[d] = h[t + d if h.shape[0] > 1 else 0, i]
                if lifts:
                    lift[d] = h[t + d if h.shape[0] > 1 else 0, n + i]
            for k in range(block.shape[1]):
                b, v = block[i, k], value[i, k]
                c, e = starts[b] + group[i, k], slopes[b] + group[i, k]
                if lifts and lifted[b]:
                    for d in range(m):
                        total[d] += v * lift[d] * columns[c, d]
                        if slopes[b] >= 0:
                            total[d] += v * lift[d] * shape[d] * columns[e, d]
                elif slopes[b] >= 0:
                    for d in range(m):
                        total[d] += v * (columns[c, d] + shape[d] * columns[e, d])
                else:
                    for d in range(m):
                        total[d] += v * columns[c, d]
            for d in range(m):
                out[t + d, i] = total[d]


@numba.njit(cache=True, nogil=True)
def normal_log_density(line, tau, rows, y, variance):
    """Return the log density of some rows together, shape (draws,): independent normals.

    Parameters
    ----------
    line : ndarray, shape (draws, n)
        Means.
    tau : ndarray, shape (draws,)
        Sds that all rows share, beside their own variances.
    rows : ndarray of int
        The rows that count.
    y, variance : ndarray, shape (n,)
        Observations and their variances.
    """
    out = np.empty(line.shape[0])
    for s in range(line.shape[0]):
        square, log_det, product = 0.0, 0.0, 1.0
        for i in rows:
            total = variance[i] + tau[s] * tau[s]
            away = y[i] - line[s, i]
            square += away * away / total
            # One logarithm for many rows.
            product *= total
            if product < 1e-200 or product > 1e200:
                log_det += np.log(product)
                product = 1.0
        log_det += np.log(product) + rows.shape[0] * np.log(2.0 * np.pi)
        out[s] = -0.5 * (log_det + square)
    return out


@numba.njit(cache=True, nogil=True)
def normal_log_densities(line, tau, y, variance):
    """Return the log density of every row, shape (draws, n); see `normal_log_density`."""
    out = np.empty(line.shape)
    for s in range(line.shape[0]):
        for i in range(line.shape[1]):
            total = variance[i] + tau[s] * tau[s]
            away = y[i] - line[s, i]
            out[s, i] = -0.5 * (np.log(2.0 * np.pi * total) + away * away / total)
    return out
