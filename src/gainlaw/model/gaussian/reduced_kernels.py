r"""Compiled kernels of the reduced model: every replicate's effect eliminated, tabulated over two sds.

Where all replicates share one sd :math:`\tau_r` and no two of them share a row, eliminating them from the normal
equations leaves ``C + diag(1 / scale^2)`` for the other coefficients, and ``C`` depends on the hyperparameters through
the residual sd and :math:`\tau_r` alone. ``C`` is smooth in both, so that a few tables at Chebyshev nodes replace the
pass over the rows and the elimination; blending them for many points is one product of matrices.
"""

from __future__ import annotations

import numba
import numpy as np

from gainlaw.model.gaussian.linear_system import assemble, eliminate, row_entries, substitute_back, widest
from gainlaw.model.gaussian.packed import column_scales, unpack, write_effects
from gainlaw.model.gaussian.triangular import solve_lower, solve_lower_transposed

__all__ = ["clustered_draws", "reduced_draws", "reduced_moments", "tabulate_points", "tabulate_reduced"]

# Points whose tables are blended at a time: always so many, filled up with zeros, so that no number depends on them.
_BATCH = 16


@numba.njit(cache=True, nogil=True)
def _write_row(core, right, total, row):
    """Write the lower triangle of ``C``, the right side and the part that is free of the other scales."""
    p, at = core.shape[0], 0
    for i in range(p):
        for j in range(i + 1):
            row[at] = core[i, j]
            at += 1
    row[at : at + p] = right[:p]
    row[at + p] = total


@numba.njit(cache=True, nogil=True)
def tabulate_reduced(taus, scales, data, h):
    """Return the reduced normal equations at residual sds `taus` and replicates' sds `scales`.

    Parameters
    ----------
    taus, scales : ndarray
        Sds.
    data : GaussianData
        The observations.
    h : ndarray, shape (n,)
        The law's shape at every row.

    Returns
    -------
    ndarray, shape (len(taus) * len(scales), p * (p + 1) / 2 + p + 1)
        In each row the lower triangle of ``C``, the right side, and the part of the log likelihood that is free of
        the other scales.
    """
    bounds, p = data.matrix.bounds, data.matrix.n_core
    n_blocks, replicates = data.matrix.starts.shape[0], data.matrix.place.shape[0] - p
    out = np.empty((taus.shape[0] * scales.shape[0], p * (p + 1) // 2 + p + 1))
    theta = np.concatenate((np.ones(2 * n_blocks), np.zeros(n_blocks + 1), h))
    for m in range(taus.shape[0]):
        theta[3 * n_blocks] = taus[m]
        core, side, square, b, w, r, log_det = assemble(theta, data)
        fixed = -0.5 * (log_det + np.sum(w * r * r) + data.keep.sum() * np.log(2.0 * np.pi))
        for j in range(p):
            core[j, j] -= 1.0
        for k in range(scales.shape[0]):
            c = scales[k]
            left, right, rest = core.copy(), b.copy(), np.empty_like(square)
            for i in range(replicates):
                right[p + i] *= c
                rest[i, 0] = 1.0 + c * c * (square[i, 0] - 1.0)
            total = fixed - eliminate(left, c * side, rest, right, bounds)
            for i in range(replicates):
                total += 0.5 * right[p + i] ** 2
            _write_row(left, right, total, out[m * scales.shape[0] + k])
    return out


@numba.njit(cache=True, nogil=True)
def tabulate_points(thetas, data, h):
    """Return the reduced normal equations at sds of the residual and of any replicates.

    Parameters
    ----------
    thetas : ndarray, shape (points, 3 * n_blocks + 1)
        Scales, of which those of residual and replicates are read.
    data : GaussianData
        The observations.
    h : ndarray, shape (n,)
        The law's shape at every row.

    Returns
    -------
    ndarray, shape (points, p * (p + 1) / 2 + p + 1)
        As of `tabulate_reduced`.
    """
    matrix, p = data.matrix, data.matrix.n_core
    n_blocks = matrix.starts.shape[0]
    out = np.empty((thetas.shape[0], p * (p + 1) // 2 + p + 1))
    theta = np.concatenate((np.ones(2 * n_blocks), np.zeros(n_blocks + 1), h))
    for m in range(thetas.shape[0]):
        for k in range(n_blocks):
            if matrix.starts[k] >= p:
                theta[k] = thetas[m, k]
        theta[3 * n_blocks] = thetas[m, 3 * n_blocks]
        core, side, square, b, w, r, log_det = assemble(theta, data)
        total = -0.5 * (log_det + np.sum(w * r * r) + data.keep.sum() * np.log(2.0 * np.pi))
        total -= eliminate(core, side, square, b, matrix.bounds)
        for i in range(p, b.shape[0]):
            total += 0.5 * b[i] ** 2
        for i in range(p):
            core[i, i] -= 1.0
        _write_row(core, b, total, out[m])
    return out


@numba.njit(cache=True, nogil=True)
def _scale(flat, scales, matrix, a, b):
    """Write ``A = I + S C S'`` and the right side, with the scales `scales`, into `a` and `b`."""
    p = b.shape[0]
    at = 0
    for i in range(p):
        for j in range(i + 1):
            a[i, j] = flat[at]
            at += 1
    b[:] = flat[at : at + p]
    own, mix, partner = column_scales(scales, matrix, p)
    if partner.max() >= 0:
        # Partners stand behind their intercepts: on the way up they are still plain.
        for i in range(p):
            for j in range(i):
                a[j, i] = a[i, j]
        for i in range(p):
            if partner[i] >= 0:
                for j in range(p):
                    a[i, j] = own[i] * a[i, j] + mix[i] * a[partner[i], j]
                b[i] = own[i] * b[i] + mix[i] * b[partner[i]]
            else:
                for j in range(p):
                    a[i, j] *= own[i]
                b[i] *= own[i]
        for i in range(p):
            for j in range(p):
                total = own[j] * a[i, j]
                if partner[j] >= 0:
                    total += mix[j] * a[i, partner[j]]
                a[i, j] = total
    else:
        for i in range(p):
            f = own[i]
            b[i] *= f
            for j in range(i + 1):
                a[i, j] *= f * own[j]
        for i in range(p):
            for j in range(i):
                a[j, i] = a[i, j]
    for i in range(p):
        a[i, i] += 1.0


@numba.njit(cache=True, nogil=True)
def _blend(weights, first, table, padded, out):
    """Write the blended tables of up to `_BATCH` points from `first` on into `out`; return their number."""
    last = min(first + _BATCH, weights.shape[0])
    padded[:] = 0.0
    padded[: last - first] = weights[first:last]
    np.dot(padded, table, out)
    return last - first


@numba.njit(cache=True, nogil=True)
def reduced_moments(thetas, weights, contrasts, table, matrix):
    """Return log likelihood, and mean and variance of a contrast, see `kernels.conditional_moments`.

    Parameters
    ----------
    thetas : ndarray, shape (points, 3 * n_blocks + 1)
        Scales.
    weights : ndarray, shape (points, nodes)
        Weights of the tables at every point.
    contrasts : ndarray, shape (points, p) or (0, p)
        Contrasts of the standardised coefficients.
    table : ndarray, shape (nodes, p * (p + 1) / 2 + p + 1)
        From `tabulate_reduced`.
    matrix : Matrix
        The model matrix.
    """
    n_blocks, p = matrix.starts.shape[0], matrix.n_core
    points = thetas.shape[0]
    out = np.zeros((points, 3))
    padded, flat = np.empty((_BATCH, weights.shape[1])), np.empty((_BATCH, table.shape[1]))
    a, b = np.empty((p, p)), np.empty(p)
    for first in range(0, points, _BATCH):
        for s in range(_blend(weights, first, table, padded, flat)):
            at = first + s
            _scale(flat[s], unpack(thetas[at], n_blocks), matrix, a, b)
            factor = np.linalg.cholesky(a)
            half = solve_lower(factor, b)
            total = flat[s, -1]
            for j in range(p):
                total += 0.5 * half[j] ** 2 - np.log(factor[j, j])
            out[at, 0] = total
            if contrasts.shape[0] > 0:
                c = solve_lower(factor, contrasts[at])
                out[at, 1] = np.sum(c * half)
                out[at, 2] = np.sum(c * c)
    return out


@numba.njit(cache=True, nogil=True)
def _plain_rows(matrix, h):
    """Return the core's columns and weights of every row, without scales, and each row's weight on its replicate."""
    block, group, value = matrix.block, matrix.group, matrix.value
    starts, slopes, p = matrix.starts, matrix.slopes, matrix.n_core
    n, width = block.shape
    columns = np.zeros((n, 2 * width), dtype=np.int64)
    weights = np.zeros((n, 2 * width))
    replicate, own = np.full(n, -1), np.zeros(n)
    for i in range(n):
        count = 0
        for k in range(width):
            t = block[i, k]
            if t < 0:
                continue
            if starts[t] >= p:
                replicate[i] = starts[t] + group[i, k]
                own[i] += value[i, k]
                continue
            columns[i, count] = starts[t] + group[i, k]
            weights[i, count] = value[i, k]
            count += 1
            if slopes[t] >= 0:
                columns[i, count] = slopes[t] + group[i, k]
                weights[i, count] = value[i, k] * h[i]
                count += 1
    return columns, weights, replicate, own


@numba.njit(cache=True, nogil=True)
def reduced_draws(thetas, weights, which, normals, table, lone, data, h):
    """Draw every coefficient exactly from its conditional posterior, see `kernels.conditional_draws`.

    The replicates' effects follow from the others by one pass over the rows.

    Parameters
    ----------
    thetas, weights, table
        As for `reduced_moments`.
    which : ndarray of int, shape (draws,)
        The point of each draw; draws at the same point follow each other, points in rising order.
    normals : ndarray, shape (draws, q)
        Standard normal numbers.
    lone : int
        The replicates' block; -1 if there is none.
    data, h
        As for `tabulate_reduced`.
    """
    matrix, variance, keep = data.matrix, data.variance, data.keep
    n, n_blocks, q, p = variance.shape[0], matrix.starts.shape[0], matrix.place.shape[0], matrix.n_core
    out = np.empty((normals.shape[0], q))
    padded, flat = np.empty((_BATCH, weights.shape[1])), np.empty((_BATCH, table.shape[1]))
    a, b = np.empty((p, p)), np.empty(p)
    factor, half = a, b
    columns, plain, replicate, own = _plain_rows(matrix, h)
    w, centred = np.empty(n), data.y - data.slope_mean * data.unit * h
    pull, precision = np.zeros(q), np.zeros(q)
    last, begin, end = -1, 0, 0
    for s in range(normals.shape[0]):
        scales = unpack(thetas[which[s]], n_blocks)
        if which[s] != last:
            last = which[s]
            if last >= end:
                begin = last
                end = begin + _blend(weights, begin, table, padded, flat)
            _scale(flat[last - begin], scales, matrix, a, b)
            factor = np.linalg.cholesky(a)
            half = solve_lower(factor, b)
            tau = scales.residual
            precision[:] = 0.0
            for i in range(n):
                w[i] = keep[i] * own[i] / (variance[i] + tau * tau)
                if replicate[i] >= 0:
                    precision[replicate[i]] += w[i] * own[i]
        write_effects(solve_lower_transposed(factor, half + normals[s, :p]), scales, matrix, p, out[s])
        if lone < 0:
            continue
        pull[:] = 0.0
        for i in range(n):
            if replicate[i] < 0:
                continue
            left = centred[i]
            for j in range(columns.shape[1]):
                left -= plain[i, j] * out[s, columns[i, j]]
            pull[replicate[i]] += w[i] * left
        c = scales.intercept[lone]
        for i in range(matrix.starts[lone], matrix.starts[lone] + matrix.sizes[lone]):
            total = 1.0 + c * c * precision[i]
            out[s, i] = c * (c * pull[i] / total + normals[s, matrix.place[i]] / np.sqrt(total))
    return out


@numba.njit(cache=True, nogil=True)
def _factorise(square, bounds):
    """Write the Cholesky factor of every cluster's square in its place."""
    for c in range(bounds.shape[0] - 1):
        lo = bounds[c]
        for i in range(bounds[c + 1] - lo):
            for j in range(i + 1):
                total = square[lo + i, j]
                for k in range(j):
                    total -= square[lo + i, k] * square[lo + j, k]
                square[lo + i, j] = np.sqrt(total) if i == j else total / square[lo + j, j]


@numba.njit(cache=True, nogil=True)
def clustered_draws(thetas, weights, which, normals, table, data, h):
    """Draw every coefficient exactly from its conditional posterior, see `kernels.conditional_draws`.

    The replicates' effects follow from the others by one pass over the rows, cluster by cluster.

    Parameters
    ----------
    thetas, weights, table
        As for `reduced_moments`.
    which : ndarray of int, shape (draws,)
        The point of each draw; draws at the same point follow each other, points in rising order.
    normals : ndarray, shape (draws, q)
        Standard normal numbers.
    data, h
        As for `tabulate_reduced`.
    """
    matrix, variance, keep = data.matrix, data.variance, data.keep
    bounds, cluster = matrix.bounds, matrix.cluster
    n, n_blocks, q, p = variance.shape[0], matrix.starts.shape[0], matrix.place.shape[0], matrix.n_core
    out = np.empty((normals.shape[0], q))
    padded, flat = np.empty((_BATCH, weights.shape[1])), np.empty((_BATCH, table.shape[1]))
    a, b, z = np.empty((p, p)), np.empty(p), np.empty(q)
    factor, half = a, b
    width = 2 * matrix.block.shape[1]
    columns, entries, counts = (
        np.empty((n, width), dtype=np.int64),
        np.empty((n, width)),
        np.empty(n, dtype=np.int64),
    )
    w, centred = np.empty(n), data.y - data.slope_mean * data.unit * h
    square, right = np.empty((q - p, widest(bounds))), np.empty(q - p)
    last, begin, end = -1, 0, 0
    for s in range(normals.shape[0]):
        if which[s] != last:
            last = which[s]
            if last >= end:
                begin = last
                end = begin + _blend(weights, begin, table, padded, flat)
            scales = unpack(np.concatenate((thetas[last], h)), n_blocks)
            _scale(flat[last - begin], scales, matrix, a, b)
            factor = np.linalg.cholesky(a)
            half = solve_lower(factor, b)
            square[:] = 0.0
            for c in range(bounds.shape[0] - 1):
                for i in range(bounds[c], bounds[c + 1]):
                    square[i, i - bounds[c]] = 1.0
            for i in range(n):
                counts[i] = row_entries(i, matrix, scales, columns[i], entries[i])
                w[i] = keep[i] / (variance[i] + scales.residual**2)
                first = bounds[cluster[i]]
                for j in range(counts[i]):
                    if columns[i, j] >= p:
                        for k in range(counts[i]):
                            if columns[i, k] >= p:
                                square[columns[i, j] - p, columns[i, k] - p - first] += (
                                    w[i] * entries[i, j] * entries[i, k]
                                )
            _factorise(square, bounds)
        z[:p] = solve_lower_transposed(factor, half + normals[s, :p])
        right[:] = 0.0
        for i in range(n):
            left = centred[i]
            for j in range(counts[i]):
                if columns[i, j] < p:
                    left -= entries[i, j] * z[columns[i, j]]
            for j in range(counts[i]):
                if columns[i, j] >= p:
                    right[columns[i, j] - p] += w[i] * entries[i, j] * left
        for c in range(bounds.shape[0] - 1):
            lo, hi = bounds[c], bounds[c + 1]
            for i in range(lo, hi):
                for j in range(lo, i):
                    right[i] -= square[i, j - lo] * right[j]
                right[i] /= square[i, i - lo]
        right += normals[s, p:]
        substitute_back(right, square, bounds)
        z[p:] = right
        write_effects(z, unpack(thetas[last], n_blocks), matrix, q, out[s])
    return out
