r"""Compiled normal equations of the Gaussian model: assembled from the rows, or interpolated in the residual sd.

The core of ``A = I + B' W B`` and its replicates are kept apart, see `assemble`. Without its scales ``A`` depends on
the hyperparameters through the weights ``1 / (variance + tau^2)`` alone, so that for a law without parameters of its
own a few tables over ``tau`` replace the pass over the rows; what they hold is smooth in ``log(v + tau^2)``.
"""

from __future__ import annotations

import numba
import numpy as np

from gainlaw.model.gaussian.packed import column_scales, lift_of, unpack
from gainlaw.model.spec.design import UNIT

__all__ = [
    "SCATTER",
    "assemble",
    "back",
    "eliminate",
    "row_entries",
    "substitute_back",
    "system",
    "tabulate_system",
    "widest",
]

# Adding one number where it belongs takes as long as so many multiplications in a product of matrices.
SCATTER = 30


@numba.njit(cache=True, nogil=True)
def row_entries(i, matrix, scales, columns, weights):
    """Write row `i` of ``B`` into `columns` and `weights`; return the number of entries."""
    block, group, value = matrix.block, matrix.group, matrix.value
    starts, slopes, place, lifted = matrix.starts, matrix.slopes, matrix.place, matrix.lifted
    tau0, tau1, rho, h = scales.intercept, scales.slope, scales.correlation, scales.shape[i]
    lift = lift_of(i, block.shape[0], scales.shape)
    count = 0
    for k in range(block.shape[1]):
        b = block[i, k]
        g = group[i, k]
        v = value[i, k]
        if b == UNIT:
            columns[count] = place[g]
            weights[count] = v
            count += 1
        if b < 0:
            continue
        if lifted[b]:
            v *= lift
        columns[count] = place[starts[b] + g]
        if slopes[b] < 0:
            weights[count] = v * tau0[b]
            count += 1
        else:
            weights[count] = v * (tau0[b] + tau1[b] * rho[b] * h)
            columns[count + 1] = place[slopes[b] + g]
            weights[count + 1] = v * tau1[b] * np.sqrt(1.0 - rho[b] ** 2) * h
            count += 2
    return count


@numba.njit(cache=True, nogil=True)
def widest(bounds):
    """Return the size of the largest cluster, at least 1."""
    size = 1
    for c in range(bounds.shape[0] - 1):
        size = max(size, bounds[c + 1] - bounds[c])
    return size


@numba.njit(cache=True, nogil=True)
def assemble(theta, data):
    """Return the parts of ``A`` and ``B' W r``, the weights ``w``, the centred data ``r`` and ``log|R|``.

    ``A`` consists of a core of shape (p, p), the replicates' rows against the core, shape (R, p), and one square for
    each cluster of replicates, stored in rows of length `widest`.

    Parameters
    ----------
    theta : ndarray, shape (3 * n_blocks + 1 + n,) or (3 * n_blocks + 1 + 2 n,)
        Hyperparameters, see `packed.Scales`.
    data : GaussianData
        The observations.
    """
    y, variance, unit, keep, matrix = data.y, data.variance, data.unit, data.keep, data.matrix
    slope_mean, bounds, cluster, p = data.slope_mean, matrix.bounds, matrix.cluster, matrix.n_core
    scales = unpack(theta, matrix.starts.shape[0])
    tau, h = scales.residual, scales.shape
    n, q = y.shape[0], matrix.place.shape[0]
    width = widest(bounds)
    core = np.eye(p)
    side = np.zeros((q - p, p))
    square = np.zeros((q - p, width))
    for c in range(bounds.shape[0] - 1):
        for j in range(bounds[c + 1] - bounds[c]):
            square[bounds[c] + j, j] = 1.0
    b = np.zeros(q)
    w = np.zeros(n)
    r = np.empty(n)
    log_det = 0.0
    columns = np.empty(2 * matrix.block.shape[1], dtype=np.int64)
    weights = np.empty(2 * matrix.block.shape[1])
    for i in range(n):
        r[i] = y[i] - slope_mean * unit[i] * h[i]
        if keep[i] == 0.0:
            continue
        total = variance[i] + tau * tau
        w[i] = 1.0 / total
        log_det += np.log(total)
        m = row_entries(i, matrix, scales, columns, weights)
        first = bounds[cluster[i]]
        for j in range(m):
            cj = columns[j]
            t = w[i] * weights[j]
            b[cj] += t * r[i]
            for k in range(m):
                ck = columns[k]
                if cj < p:
                    if ck < p:
                        core[cj, ck] += t * weights[k]
                elif ck < p:
                    side[cj - p, ck] += t * weights[k]
                else:
                    square[cj - p, ck - p - first] += t * weights[k]
    return core, side, square, b, w, r, log_det


@numba.njit(cache=True, nogil=True)
def eliminate(core, side, square, b, bounds):
    """Eliminate the replicates in place.

    Afterwards `core` is the Schur complement, `square` holds the Cholesky factors ``L`` of the clusters, `side` holds
    ``L^-1 F`` and the replicates' part of `b` holds ``L^-1 b``. Return half the log determinant of the clusters.
    """
    p = core.shape[0]
    half_log_det = 0.0
    for c in range(bounds.shape[0] - 1):
        lo, hi = bounds[c], bounds[c + 1]
        m = hi - lo
        if m == 0:
            continue
        factor = np.linalg.cholesky(np.ascontiguousarray(square[lo:hi, :m]))
        for i in range(m):
            for j in range(i):
                f = factor[i, j]
                if f == 0.0:
                    continue
                b[p + lo + i] -= f * b[p + lo + j]
                for k in range(p):
                    side[lo + i, k] -= f * side[lo + j, k]
            f = 1.0 / factor[i, i]
            b[p + lo + i] *= f
            for k in range(p):
                side[lo + i, k] *= f
            half_log_det -= np.log(f)
        square[lo:hi, :m] = factor
    if side.shape[0] > 0:
        core -= _gram(side, bounds)
        b[:p] -= side.T @ b[p:]
    return half_log_det


@numba.njit(cache=True, nogil=True)
def _meet(side, lo, hi, met):
    """Mark the columns of the core that a cluster meets; return their number."""
    met[:] = 0
    for i in range(lo, hi):
        for k in range(met.shape[0]):
            met[k] |= side[i, k] != 0.0
    count = 0
    for k in range(met.shape[0]):
        count += met[k]
    return count


@numba.njit(cache=True, nogil=True)
def _gram(side, bounds):
    """Return ``F' F``: clusters that meet few columns of the core by these alone, the others together."""
    size, p = side.shape
    met, where = np.empty(p, dtype=np.uint8), np.empty(p, dtype=np.uint64)
    dense, kept = np.empty((size, p)), 0
    out = np.zeros((p, p))
    for c in range(bounds.shape[0] - 1):
        lo, hi = bounds[c], bounds[c + 1]
        count = _meet(side, lo, hi, met)
        if (hi - lo + SCATTER) * count**2 > (hi - lo) * p**2:
            dense[kept : kept + hi - lo] = side[lo:hi]
            kept += hi - lo
            continue
        count = 0
        for k in range(p):
            if met[k]:
                where[count] = k
                count += 1
        rows = np.empty((hi - lo, count))
        for i in range(lo, hi):
            for k in range(count):
                rows[i - lo, k] = side[i, where[k]]
        own = rows.T @ rows
        for j in range(count):
            target = out[where[j]]
            for k in range(j + 1):
                target[where[k]] += own[j, k]
    for j in range(p):
        for k in range(j):
            out[k, j] = out[j, k]
    if kept > 0:
        rows = dense[:kept]
        out += rows.T @ rows
    return out


@numba.njit(cache=True, nogil=True)
def back(square, side, right, core_part, bounds):
    """Return the replicates' coefficients, given the core's: ``L^-T (right - L^-1 F core_part)``."""
    z = right - side @ core_part
    substitute_back(z, square, bounds)
    return z


@numba.njit(cache=True, nogil=True)
def substitute_back(z, square, bounds):
    """Multiply `z` by ``L^-T`` in place, cluster by cluster."""
    for c in range(bounds.shape[0] - 1):
        lo, hi = bounds[c], bounds[c + 1]
        for i in range(hi - lo - 1, -1, -1):
            z[lo + i] /= square[lo + i, i]
            for j in range(i):
                z[lo + j] -= square[lo + i, j] * z[lo + i]


@numba.njit(cache=True, nogil=True)
def tabulate_system(taus, data, h):
    """Return the unscaled normal equations at residual sds `taus`, each as one row of a table.

    Parameters
    ----------
    taus : ndarray, shape (nodes,)
        Residual sds.
    data : GaussianData
        The observations.
    h : ndarray, shape (n,)
        The law's shape at every row.

    Returns
    -------
    cores, sides, squares, rights, scalars : ndarray, shape (nodes, ...)
        Without the identity of ``A``; the scalars are ``log|R|`` and ``r' W r``.
    """
    matrix, bounds, p = data.matrix, data.matrix.bounds, data.matrix.n_core
    n_blocks, q, width = matrix.starts.shape[0], matrix.place.shape[0], widest(bounds)
    size = taus.shape[0]
    cores, sides = np.empty((size, p, p)), np.empty((size, q - p, p))
    squares, rights, scalars = np.empty((size, q - p, width)), np.empty((size, q)), np.empty((size, 2))
    theta = np.concatenate((np.ones(2 * n_blocks), np.zeros(n_blocks + 1), h))
    for m in range(size):
        theta[3 * n_blocks] = taus[m]
        core, side, square, b, w, r, log_det = assemble(theta, data)
        for j in range(p):
            core[j, j] -= 1.0
        for c in range(bounds.shape[0] - 1):
            for j in range(bounds[c + 1] - bounds[c]):
                square[bounds[c] + j, j] -= 1.0
        cores[m], sides[m], squares[m], rights[m] = core, side, square, b
        scalars[m, 0] = log_det
        scalars[m, 1] = np.sum(w * r * r)
    return cores, sides, squares, rights, scalars


@numba.njit(cache=True, nogil=True)
def _blend(table, weights, out):
    """Write the weighted sum of a table's rows into `out`."""
    flat = table.reshape(table.shape[0], -1)
    target = out.reshape(-1)
    for m in range(weights.shape[0]):
        f = weights[m]
        for i in range(target.shape[0]):
            target[i] += f * flat[m, i]


@numba.njit(cache=True, nogil=True)
def _interpolate(theta, table, matrix):
    scales, bounds, p = unpack(theta, matrix.starts.shape[0]), matrix.bounds, matrix.n_core
    count, q = table.cores.shape[0], matrix.place.shape[0]
    # Barycentric weights of the Chebyshev nodes.
    weights = np.empty(count)
    u = (np.log(table.shift + scales.residual**2) - table.middle) / table.half
    total = 0.0
    for m in range(count):
        angle = np.pi * (m + 0.5) / count
        away = u - np.cos(angle)
        if abs(away) < 1e-13:
            weights[:] = 0.0
            weights[m] = 1.0
            total = 1.0
            break
        weights[m] = (-1.0) ** m * np.sin(angle) / away
        total += weights[m]
    weights /= total
    core, side = np.zeros((p, p)), np.zeros((q - p, p))
    square, b, scalar = np.zeros(table.squares.shape[1:]), np.zeros(q), np.zeros(2)
    _blend(table.cores, weights, core)
    _blend(table.sides, weights, side)
    _blend(table.squares, weights, square)
    _blend(table.rights, weights, b)
    _blend(table.scalars, weights, scalar)
    own, mix, partner = column_scales(scales, matrix, q)
    for part in (core, side):
        for i in range(part.shape[0]):
            for j in range(p):
                # A partner stands behind its intercept: it is still unscaled here.
                value = own[j] * part[i, j]
                if partner[j] >= 0:
                    value += mix[j] * part[i, partner[j]]
                part[i, j] = value
    for i in range(p):
        f, other = own[i], partner[i]
        for j in range(p):
            value = f * core[i, j]
            if other >= 0:
                value += mix[i] * core[other, j]
            core[i, j] = value
    for i in range(q):
        value = own[i] * b[i]
        if partner[i] >= 0:
            value += mix[i] * b[partner[i]]
        b[i] = value
    for i in range(p):
        core[i, i] += 1.0
    for c in range(bounds.shape[0] - 1):
        low, high = bounds[c], bounds[c + 1]
        for i in range(low, high):
            f = own[p + i]
            for j in range(p):
                side[i, j] *= f
            for j in range(high - low):
                square[i, j] *= f * own[p + low + j]
            square[i, i - low] += 1.0
    return core, side, square, b, scalar[0], scalar[1]


@numba.njit(cache=True, nogil=True)
def system(theta, data, table):
    """Return the normal equations at `theta`, ``log|R|`` and ``r' W r``: from the table where it reaches.

    Parameters
    ----------
    theta : ndarray, shape (3 * n_blocks + 1 + n,) or (3 * n_blocks + 1 + 2 n,)
        Hyperparameters, see `packed.Scales`.
    data : GaussianData
        The observations.
    table : ResidualTable
        Made for the same rows.
    """
    tau = theta[3 * data.matrix.starts.shape[0]]
    if table.low <= tau <= table.high:
        return _interpolate(theta, table, data.matrix)
    core, side, square, b, w, r, log_det = assemble(theta, data)
    return core, side, square, b, log_det, np.sum(w * r * r)
