r"""Compiled kernels of the Gaussian model: marginal likelihood with its gradient, and exact coefficient draws.

With every coefficient written as ``scale * z``, ``z ~ N(0, I)``, the gains are

.. math:: y = B(\psi) z + e, \qquad e \sim N(0, \mathrm{diag}(\lambda_i + \tau^2)),

after a rotation that makes the sampling covariance diagonal. ``B`` has a handful of entries a row, so
``A = I + B' W B`` costs little and one factorisation of ``A`` gives the likelihood with ``z`` integrated out,
its gradient in the scales ``psi``, and the conditional posterior of ``z``.
"""

from __future__ import annotations

import numba
import numpy as np

from gainlaw.model.gaussian.linear_system import assemble, back, eliminate, row_entries, system
from gainlaw.model.gaussian.packed import lift_of, unpack, write_effects
from gainlaw.model.gaussian.triangular import inverse_lower, solve_lower, solve_lower_transposed
from gainlaw.model.spec.design import UNIT

__all__ = [
    "conditional_draws",
    "conditional_factors",
    "conditional_moments",
    "contrast_moments",
    "gaussian_marginal",
    "normal_equations",
]


@numba.njit(cache=True, nogil=True)
def gaussian_marginal(theta, data):
    """Return the log marginal likelihood and its gradient in `theta`.

    Parameters
    ----------
    theta : ndarray, shape (3 * n_blocks + 1 + n,) or (3 * n_blocks + 1 + 2 n,)
        Hyperparameters, see `packed.Scales`.
    data : GaussianData
        The observations.
    """
    unit, slope_mean, matrix = data.unit, data.slope_mean, data.matrix
    block, value, slopes, lifted = matrix.block, matrix.value, matrix.slopes, matrix.lifted
    cluster, bounds, p = matrix.cluster, matrix.bounds, matrix.n_core
    n, n_blocks, q = unit.shape[0], matrix.starts.shape[0], matrix.place.shape[0]
    core, side, square, b, w, r, log_det = assemble(theta, data)
    log_lik = -eliminate(core, side, square, b, bounds)
    factor = np.linalg.cholesky(core)
    low = inverse_lower(factor)
    inverse = low.T @ low
    z = np.empty(q)
    z[:p] = inverse @ b[:p]
    z[p:] = back(square, side, b[p:], z[:p], bounds)
    for j in range(p):
        log_lik += 0.5 * b[j] * z[j] - np.log(factor[j, j])
    for j in range(p, q):
        log_lik += 0.5 * b[j] * b[j]
    log_lik -= 0.5 * (log_det + data.keep.sum() * np.log(2.0 * np.pi))
    # The inverse of A on the pattern of its rows: core, replicates against core, and each cluster's square.
    for c in range(bounds.shape[0] - 1):
        lo, hi = bounds[c], bounds[c + 1]
        for i in range(hi - lo - 1, -1, -1):
            f = 1.0 / square[lo + i, i]
            for k in range(p):
                side[lo + i, k] *= f
            for j in range(i):
                f = square[lo + i, j]
                for k in range(p):
                    side[lo + j, k] -= f * side[lo + i, k]
    cross = side @ inverse
    own = np.zeros(square.shape)
    for c in range(bounds.shape[0] - 1):
        lo, hi = bounds[c], bounds[c + 1]
        m = hi - lo
        if m == 0:
            continue
        low = inverse_lower(square[lo:hi, :m])
        own[lo:hi, :m] = low.T @ low + np.ascontiguousarray(cross[lo:hi]) @ np.ascontiguousarray(
            side[lo:hi].T
        )
    gradient = np.zeros(theta.shape[0])
    scales = unpack(theta, n_blocks)
    tau, tau0, tau1, rho = scales.residual, scales.intercept, scales.slope, scales.correlation
    lifts = scales.shape.shape[0] > n
    columns = np.empty(2 * block.shape[1], dtype=np.int64)
    weights = np.empty(2 * block.shape[1])
    pull = np.empty(2 * block.shape[1])
    for i in range(n):
        h = scales.shape[i]
        log_lik -= 0.5 * w[i] * r[i] * r[i]
        m = row_entries(i, matrix, scales, columns, weights)
        first = bounds[cluster[i]]
        fitted = 0.0
        quadratic = 0.0
        for j in range(m):
            cj = columns[j]
            fitted += weights[j] * z[cj]
            total = 0.0
            for k in range(m):
                ck = columns[k]
                if cj < p:
                    total += weights[k] * (inverse[ck, cj] if ck < p else -cross[ck - p, cj])
                else:
                    total += weights[k] * (-cross[cj - p, ck] if ck < p else own[cj - p, ck - p - first])
            pull[j] = total
            quadratic += total * weights[j]
        alpha = w[i] * (r[i] - fitted)
        gradient[3 * n_blocks] += tau * (alpha * alpha - w[i] + w[i] * w[i] * quadratic)
        dh = alpha * slope_mean * unit[i]
        lift, down = lift_of(i, n, scales.shape), 0.0
        j = 0
        for k in range(block.shape[1]):
            t = block[i, k]
            if t == UNIT:
                j += 1
            if t < 0:
                continue
            v = value[i, k]
            if lifted[t]:
                raw = (alpha * z[columns[j]] - w[i] * pull[j]) * v
                down += raw * (tau0[t] + (tau1[t] * rho[t] * h if slopes[t] >= 0 else 0.0))
                if slopes[t] >= 0:
                    raw = (alpha * z[columns[j + 1]] - w[i] * pull[j + 1]) * v
                    down += raw * tau1[t] * np.sqrt(1.0 - rho[t] ** 2) * h
                v *= lift
            d = (alpha * z[columns[j]] - w[i] * pull[j]) * v
            gradient[t] += d
            j += 1
            if slopes[t] >= 0:
                e = (alpha * z[columns[j]] - w[i] * pull[j]) * v
                j += 1
                root = np.sqrt(1.0 - rho[t] ** 2)
                gradient[n_blocks + t] += d * rho[t] * h + e * root * h
                gradient[2 * n_blocks + t] += tau1[t] * h * (d - e * rho[t] / root)
                dh += tau1[t] * (d * rho[t] + e * root)
        gradient[3 * n_blocks + 1 + i] = dh
        if lifts:
            gradient[3 * n_blocks + 1 + n + i] = down
    return log_lik, gradient


@numba.njit(cache=True, nogil=True)
def conditional_draws(thetas, which, normals, data, table):
    """Draw every coefficient exactly from its conditional posterior.

    Parameters
    ----------
    thetas : ndarray, shape (points, 3 * n_blocks + 1 + n)
        Hyperparameters, see `packed.Scales`.
    which : ndarray of int, shape (draws,)
        The point of each draw; draws at the same point that follow each other share its factorisation.
    normals : ndarray, shape (draws, q)
        Standard normal numbers.
    data, table
        See `linear_system.system`.

    Returns
    -------
    ndarray, shape (draws, q)
        Effects in the unit of the scale, less the prior means of the fixed effects; 0 for shared errors, which stand
        behind all effects.
    """
    matrix, bounds, p = data.matrix, data.matrix.bounds, data.matrix.n_core
    n_blocks, q = matrix.starts.shape[0], matrix.place.shape[0]
    out = np.zeros(normals.shape)
    z = np.empty(q)
    last = -1
    factor, half, square, side, b = (
        np.empty((0, 0)), np.empty(0), np.empty((0, 0)), np.empty((0, 0)), np.empty(0),
    )  # fmt: skip
    for s in range(normals.shape[0]):
        theta = thetas[which[s]]
        if which[s] != last:
            last = which[s]
            core, side, square, b, _, _ = system(theta, data, table)
            eliminate(core, side, square, b, bounds)
            factor = np.linalg.cholesky(core)
            half = solve_lower(factor, b[:p])
        z[:p] = solve_lower_transposed(factor, half + normals[s, :p])
        z[p:] = back(square, side, b[p:] + normals[s, p:], z[:p], bounds)
        write_effects(z, unpack(theta, n_blocks), matrix, q, out[s])
    return out


@numba.njit(cache=True, nogil=True)
def conditional_moments(thetas, contrasts, data, table):
    """Return the log likelihood of the kept rows and the moments of a contrast given them, one row for each theta.

    Parameters
    ----------
    thetas : ndarray, shape (draws, 3 * n_blocks + 1 + n)
        Hyperparameters.
    contrasts : ndarray, shape (draws, p) or (0, p)
        A contrast of the standardised core coefficients; none if it is empty.
    data, table
        See `linear_system.system`.

    Returns
    -------
    ndarray, shape (draws, 3)
        Log likelihood, mean and variance.
    """
    bounds, p, q = data.matrix.bounds, data.matrix.n_core, data.matrix.place.shape[0]
    draws = thetas.shape[0]
    out = np.zeros((draws, 3))
    kept = data.keep.sum()
    for s in range(draws):
        core, side, square, b, log_det, quadratic = system(thetas[s], data, table)
        total = -0.5 * (log_det + quadratic + kept * np.log(2.0 * np.pi))
        total -= eliminate(core, side, square, b, bounds)
        factor = np.linalg.cholesky(core)
        half = solve_lower(factor, b[:p])
        for j in range(p):
            total += 0.5 * half[j] ** 2 - np.log(factor[j, j])
        for j in range(p, q):
            total += 0.5 * b[j] ** 2
        out[s, 0] = total
        if contrasts.shape[0] > 0:
            c = solve_lower(factor, contrasts[s])
            out[s, 1] = np.sum(c * half)
            out[s, 2] = np.sum(c * c)
    return out


@numba.njit(cache=True, nogil=True)
def conditional_factors(thetas, data, table):
    """Return what the moments of any contrast follow from, see `contrast_moments`.

    Returns
    -------
    ndarray, shape (draws, p * (p + 1) / 2 + p)
        In each row the Cholesky factor ``L`` of the core, and ``L^-1`` times its right side.
    """
    bounds, p = data.matrix.bounds, data.matrix.n_core
    draws, size = thetas.shape[0], p * (p + 1) // 2
    out = np.empty((draws, size + p))
    for s in range(draws):
        core, side, square, b, _, _ = system(thetas[s], data, table)
        eliminate(core, side, square, b, bounds)
        factor = np.linalg.cholesky(core)
        at = 0
        for i in range(p):
            for j in range(i + 1):
                out[s, at] = factor[i, j]
                at += 1
        out[s, size:] = solve_lower(factor, b[:p])
    return out


@numba.njit(cache=True, nogil=True)
def contrast_moments(factors, contrasts):
    """Return mean and variance of a contrast of the standardised core coefficients, shape (draws, 2).

    Parameters
    ----------
    factors : ndarray, shape (draws, p * (p + 1) / 2 + p)
        From `conditional_factors`.
    contrasts : ndarray, shape (draws, p)
        The contrast at every point.
    """
    draws, p = contrasts.shape
    size = p * (p + 1) // 2
    out = np.empty((draws, 2))
    x = np.empty(p)
    for s in range(draws):
        mean, variance, at = 0.0, 0.0, 0
        for i in range(p):
            total = contrasts[s, i]
            for j in range(i):
                total -= factors[s, at + j] * x[j]
            x[i] = total / factors[s, at + i]
            at += i + 1
            mean += x[i] * factors[s, size + i]
            variance += x[i] * x[i]
        out[s, 0], out[s, 1] = mean, variance
    return out


@numba.njit(cache=True)
def normal_equations(theta, data):
    """Return ``A`` and ``B' W r`` whole, in the order of the design's columns."""
    place, bounds, p = data.matrix.place, data.matrix.bounds, data.matrix.n_core
    core, side, square, b, _, _, _ = assemble(theta, data)
    q = place.shape[0]
    whole = np.zeros((q, q))
    whole[:p, :p] = core
    whole[p:, :p] = side
    whole[:p, p:] = side.T
    for c in range(bounds.shape[0] - 1):
        lo, hi = bounds[c], bounds[c + 1]
        whole[p + lo : p + hi, p + lo : p + hi] = square[lo:hi, : hi - lo]
    a = np.empty((q, q))
    right = np.empty(q)
    for j in range(q):
        right[j] = b[place[j]]
        for k in range(q):
            a[j, k] = whole[place[j], place[k]]
    return a, right
