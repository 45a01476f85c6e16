r"""Compiled kernels of groups of rows left out: predictive densities and moments, from one factorisation of all rows.

Given the hyperparameters, let :math:`V` be the covariance of a group's rows given the core coefficients, with the
replicates of the group integrated out, :math:`X` its rows of the core, :math:`\Sigma` and :math:`m` the core's
posterior covariance and mean given all rows, and :math:`e = r - Xm`. With :math:`H = V - X \Sigma X'`,

.. math::

    \log p(y_g \mid y_{-g}) &= -\tfrac12 (n \log 2\pi + 2 \log|V| - \log|H| + e' H^{-1} e), \\
    \mathrm{E}(a'z \mid y_{-g}) &= a'm - a' \Sigma X' H^{-1} e, \\
    \mathrm{var}(a'z \mid y_{-g}) &= a' \Sigma a + a' \Sigma X' H^{-1} X \Sigma a,

which are the formulas of Rasmussen and Williams (2006, section 5.4.2) for groups, by the matrix inversion lemma. A
group with more rows than there are core coefficients is taken out of their normal equations instead, where
:math:`H^{-1} = V^{-1} + V^{-1} X (\Sigma^{-1} - X' V^{-1} X)^{-1} X' V^{-1}`.
"""

from __future__ import annotations

import numba
import numpy as np

from gainlaw.model.gaussian.linear_system import assemble, eliminate, row_entries
from gainlaw.model.gaussian.packed import unpack
from gainlaw.model.gaussian.triangular import inverse_lower, solve_lower

__all__ = ["left_out"]


@numba.njit(cache=True, nogil=True)
def _split(rows, theta, data, local, columns, weights, cores, values, counts, own):
    """Write the core entries of some rows, and their entries for replicates as a dense matrix."""
    matrix, p = data.matrix, data.matrix.n_core
    scales = unpack(theta, matrix.starts.shape[0])
    own[: rows.shape[0]] = 0.0
    for i in range(rows.shape[0]):
        m = row_entries(rows[i], matrix, scales, columns, weights)
        counts[i] = 0
        for k in range(m):
            if columns[k] < p:
                cores[i, counts[i]] = columns[k]
                values[i, counts[i]] = weights[k]
                counts[i] += 1
            else:
                own[i, local[columns[k] - p]] += weights[k]


@numba.njit(cache=True, nogil=True)
def _by_rows(cores, values, counts, own, w, e, spread, tilt, out):
    """Write density and moments of a group without it, by a matrix of its rows."""
    n, p = e.shape[0], spread.shape[0]
    covariance = own @ own.T
    for i in range(n):
        covariance[i, i] += 1.0 / w[i]
    less = covariance.copy()
    x = np.empty(p)
    g = np.zeros(n)
    for i in range(n):
        x[:] = 0.0
        for k in range(counts[i]):
            f, at = values[i, k], cores[i, k]
            g[i] += f * tilt[at]
            for c in range(p):
                x[c] += f * spread[at, c]
        for j in range(i + 1):
            total = 0.0
            for k in range(counts[j]):
                total += values[j, k] * x[cores[j, k]]
            less[i, j] -= total
            less[j, i] = less[i, j]
    whole, rest = np.linalg.cholesky(covariance), np.linalg.cholesky(less)
    u, v = solve_lower(rest, e), solve_lower(rest, g)
    density = n * np.log(2.0 * np.pi) + np.sum(u * u)
    for i in range(n):
        density += 4.0 * np.log(whole[i, i]) - 2.0 * np.log(rest[i, i])
    out[0], out[1], out[2] = -0.5 * density, -np.sum(u * v), np.sum(v * v)


@numba.njit(cache=True, nogil=True)
def _by_core(cores, values, counts, own, w, e, core, factor, contrast, out):
    """Write density and moments of a group without it, by the normal equations of the core without it."""
    n, p, m = e.shape[0], core.shape[0], own.shape[1]
    rest = core.copy()
    u = np.zeros(p)
    inner, side, mixed = np.eye(m), np.zeros((m, p)), np.zeros(m)
    density, quadratic = n * np.log(2.0 * np.pi), 0.0
    for i in range(n):
        density -= np.log(w[i])
        quadratic += w[i] * e[i] * e[i]
        for k in range(counts[i]):
            t = w[i] * values[i, k]
            u[cores[i, k]] += t * e[i]
            for j in range(counts[i]):
                rest[cores[i, k], cores[i, j]] -= t * values[i, j]
        for a in range(m):
            f = w[i] * own[i, a]
            if f == 0.0:
                continue
            mixed[a] += f * e[i]
            for b in range(m):
                inner[a, b] += f * own[i, b]
            for k in range(counts[i]):
                side[a, cores[i, k]] += f * values[i, k]
    if m > 0:
        lower = np.linalg.cholesky(inner)
        for a in range(m):
            density += 2.0 * np.log(lower[a, a])
        low = inverse_lower(lower)
        side, mixed = low @ side, low @ mixed
        rest += side.T @ side
        u -= side.T @ mixed
        quadratic -= np.sum(mixed * mixed)
    lower = np.linalg.cholesky(rest)
    s, t = solve_lower(lower, u), solve_lower(lower, contrast)
    before = solve_lower(factor, contrast)
    for j in range(p):
        density += 2.0 * (np.log(factor[j, j]) - np.log(lower[j, j]))
    out[0] = -0.5 * (density + quadratic + np.sum(s * s))
    out[1], out[2] = -np.sum(s * t), np.sum(t * t) - np.sum(before * before)


@numba.njit(cache=True, nogil=True)
def left_out(thetas, contrasts, order, edges, local, data):
    """Return what the other rows say of each group of rows, and of a contrast, at every theta.

    Parameters
    ----------
    thetas : ndarray, shape (draws, 3 * n_blocks + 1 + n)
        Hyperparameters, see `packed.Scales`.
    contrasts : ndarray, shape (draws, p)
        A contrast of the standardised core coefficients.
    order : ndarray of int, shape (n,)
        The rows, group after group; no replicate has rows in two groups.
    edges : ndarray of int, shape (groups + 1,)
        Where each group begins in `order`.
    local : ndarray of int, shape (replicates,)
        The number of every replicate among those of its group.
    data : GaussianData
        The observations, all of which count.

    Returns
    -------
    ndarray, shape (draws, groups + 1, 3)
        Log predictive density of the group, and mean and variance of the contrast without it; in the last row, those
        given all, with a density of 0. NaN where rounding leaves no positive definite matrix.
    """
    matrix, p = data.matrix, data.matrix.n_core
    groups, width = edges.shape[0] - 1, 2 * matrix.block.shape[1]
    most, widest = 0, 0
    for g in range(groups):
        most = max(most, edges[g + 1] - edges[g])
    for k in range(local.shape[0]):
        widest = max(widest, local[k] + 1)
    columns, weights = np.empty(width, dtype=np.int64), np.empty(width)
    cores, values = np.empty((most, width), dtype=np.int64), np.empty((most, width))
    counts, own = np.empty(most, dtype=np.int64), np.empty((most, widest))
    out = np.full((thetas.shape[0], groups + 1, 3), np.nan)
    for s in range(thetas.shape[0]):
        core, side, square, b, w, r, _ = assemble(thetas[s], data)
        eliminate(core, side, square, b, matrix.bounds)
        factor = np.linalg.cholesky(core)
        low = inverse_lower(factor)
        spread = low.T @ low
        middle, tilt = spread @ b[:p], spread @ contrasts[s]
        mean, variance = np.sum(contrasts[s] * middle), np.sum(contrasts[s] * tilt)
        out[s, groups] = np.array([0.0, mean, variance])
        for g in range(groups):
            rows = order[edges[g] : edges[g + 1]]
            n = rows.shape[0]
            _split(rows, thetas[s], data, local, columns, weights, cores, values, counts, own)
            e = np.empty(n)
            for i in range(n):
                e[i] = r[rows[i]]
                for k in range(counts[i]):
                    e[i] -= values[i, k] * middle[cores[i, k]]
            entries = out[s, g]
            if n <= p:
                _by_rows(cores, values, counts, own[:n], w[rows], e, spread, tilt, entries)
            else:
                # Deviations from the mean given all rows, so that the same right side serves.
                _by_core(cores, values, counts, own[:n], w[rows], e, core, factor, contrasts[s], entries)
            entries[1] += mean
            entries[2] += variance
    return out
