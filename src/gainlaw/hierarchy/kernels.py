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

__all__ = ["conditional_draws", "conditional_moments", "gaussian_marginal", "normal_equations"]


@numba.njit(cache=True)
def _row(i, block, group, value, starts, slopes, tau0, tau1, rho, h, columns, weights):
    """Write row `i` of ``B`` into `columns` and `weights`; return the number of entries."""
    count = 0
    for k in range(block.shape[1]):
        b = block[i, k]
        if b < 0:
            continue
        g = group[i, k]
        v = value[i, k]
        columns[count] = starts[b] + g
        if slopes[b] < 0:
            weights[count] = v * tau0[b]
            count += 1
        else:
            weights[count] = v * (tau0[b] + tau1[b] * rho[b] * h)
            columns[count + 1] = slopes[b] + g
            weights[count + 1] = v * tau1[b] * np.sqrt(1.0 - rho[b] ** 2) * h
            count += 2
    return count


@numba.njit(cache=True)
def normal_equations(
    theta, n_blocks, y, keep, variance, unit, slope_mean, block, group, value, starts, slopes, q
):
    """Return ``A``, ``B' W r``, the weights ``w``, the centred data ``r`` and ``log|R|`` over the kept rows."""
    n = y.shape[0]
    tau0 = theta[:n_blocks]
    tau1 = theta[n_blocks : 2 * n_blocks]
    rho = theta[2 * n_blocks : 3 * n_blocks]
    tau = theta[3 * n_blocks]
    h = theta[3 * n_blocks + 1 :]
    a = np.eye(q)
    b = np.zeros(q)
    w = np.zeros(n)
    r = np.empty(n)
    log_det = 0.0
    columns = np.empty(2 * block.shape[1], dtype=np.int64)
    weights = np.empty(2 * block.shape[1])
    for i in range(n):
        r[i] = y[i] - slope_mean * unit[i] * h[i]
        if keep[i] == 0.0:
            continue
        total = variance[i] + tau * tau
        w[i] = 1.0 / total
        log_det += np.log(total)
        m = _row(i, block, group, value, starts, slopes, tau0, tau1, rho, h[i], columns, weights)
        for j in range(m):
            cj = columns[j]
            t = w[i] * weights[j]
            b[cj] += t * r[i]
            for k in range(m):
                a[cj, columns[k]] += t * weights[k]
    return a, b, w, r, log_det


@numba.njit(cache=True)
def gaussian_marginal(theta, n_blocks, y, variance, unit, slope_mean, block, group, value, starts, slopes, q):
    """Return the log marginal likelihood and its gradient in `theta`.

    Parameters
    ----------
    theta : ndarray, shape (3 * n_blocks + 1 + n,)
        Intercept sds, slope sds, correlations of every block, the residual sd, the law's shape at every row.
    n_blocks : int
        The number of coefficient blocks.
    y : ndarray, shape (n,)
        Rotated gains less the prior mean of the intercept and covariates.
    variance : ndarray, shape (n,)
        Eigenvalues of the sampling covariance.
    unit : ndarray, shape (n,)
        The rotated vector of ones.
    slope_mean : float
        Prior mean of the population slope.
    block, group, value, starts, slopes : ndarray
        The design, see `gainlaw.hierarchy.design.Design`.
    q : int
        The number of coefficients.
    """
    n = y.shape[0]
    keep = np.ones(n)
    a, b, w, r, log_det = normal_equations(
        theta, n_blocks, y, keep, variance, unit, slope_mean, block, group, value, starts, slopes, q
    )
    factor = np.linalg.cholesky(a)
    inverse = np.linalg.inv(a)
    z = inverse @ b
    log_lik = 0.0
    for j in range(q):
        log_lik -= np.log(factor[j, j])
        log_lik += 0.5 * b[j] * z[j]
    log_lik -= 0.5 * (log_det + n * np.log(2.0 * np.pi))
    gradient = np.zeros(theta.shape[0])
    tau0 = theta[:n_blocks]
    tau1 = theta[n_blocks : 2 * n_blocks]
    rho = theta[2 * n_blocks : 3 * n_blocks]
    tau = theta[3 * n_blocks]
    columns = np.empty(2 * block.shape[1], dtype=np.int64)
    weights = np.empty(2 * block.shape[1])
    pull = np.empty(2 * block.shape[1])
    for i in range(n):
        h = theta[3 * n_blocks + 1 + i]
        log_lik -= 0.5 * w[i] * r[i] * r[i]
        m = _row(i, block, group, value, starts, slopes, tau0, tau1, rho, h, columns, weights)
        fitted = 0.0
        quadratic = 0.0
        for j in range(m):
            fitted += weights[j] * z[columns[j]]
            total = 0.0
            for k in range(m):
                total += weights[k] * inverse[columns[k], columns[j]]
            pull[j] = total
            quadratic += total * weights[j]
        alpha = w[i] * (r[i] - fitted)
        gradient[3 * n_blocks] += tau * (alpha * alpha - w[i] + w[i] * w[i] * quadratic)
        dh = alpha * slope_mean * unit[i]
        j = 0
        for k in range(block.shape[1]):
            p = block[i, k]
            if p < 0:
                continue
            v = value[i, k]
            d = (alpha * z[columns[j]] - w[i] * pull[j]) * v
            gradient[p] += d
            j += 1
            if slopes[p] >= 0:
                e = (alpha * z[columns[j]] - w[i] * pull[j]) * v
                j += 1
                root = np.sqrt(1.0 - rho[p] ** 2)
                gradient[n_blocks + p] += d * rho[p] * h + e * root * h
                gradient[2 * n_blocks + p] += tau1[p] * h * (d - e * rho[p] / root)
                dh += tau1[p] * (d * rho[p] + e * root)
        gradient[3 * n_blocks + 1 + i] = dh
    return log_lik, gradient


@numba.njit(cache=True)
def _to_effects(z, tau0, tau1, rho, starts, slopes, sizes):
    """Turn standard normal coefficients into effects in the unit of the scale."""
    effects = np.empty_like(z)
    for b in range(starts.shape[0]):
        for g in range(sizes[b]):
            first = z[starts[b] + g]
            effects[starts[b] + g] = tau0[b] * first
            if slopes[b] >= 0:
                second = z[slopes[b] + g]
                effects[slopes[b] + g] = tau1[b] * (rho[b] * first + np.sqrt(1.0 - rho[b] ** 2) * second)
    return effects


@numba.njit(cache=True)
def conditional_draws(
    thetas, normals, n_blocks, y, variance, unit, slope_mean, block, group, value, starts, slopes, sizes, q
):
    """Draw every coefficient exactly from its conditional posterior, one draw for each row of `thetas`.

    Parameters
    ----------
    thetas : ndarray, shape (draws, 3 * n_blocks + 1 + n)
        Hyperparameters, see `gaussian_marginal`.
    normals : ndarray, shape (draws, q)
        Standard normal numbers.

    Returns
    -------
    ndarray, shape (draws, q)
        Effects in the unit of the scale, less the prior means of the fixed effects.
    """
    out = np.empty(normals.shape)
    keep = np.ones(y.shape[0])
    for s in range(thetas.shape[0]):
        theta = thetas[s]
        a, b, _, _, _ = normal_equations(
            theta, n_blocks, y, keep, variance, unit, slope_mean, block, group, value, starts, slopes, q
        )
        factor = np.linalg.cholesky(a)
        z = _solve_lower(factor, b)
        for j in range(q):
            z[j] += normals[s, j]
        z = _solve_lower_transposed(factor, z)
        out[s] = _to_effects(
            z,
            theta[:n_blocks],
            theta[n_blocks : 2 * n_blocks],
            theta[2 * n_blocks : 3 * n_blocks],
            starts,
            slopes,
            sizes,
        )
    return out


@numba.njit(cache=True)
def conditional_moments(
    thetas, keep, contrasts, n_blocks, y, variance, unit, slope_mean, block, group, value, starts, slopes, q
):
    """Return the log likelihood of the kept rows and the moments of contrasts given them, for each draw.

    Parameters
    ----------
    thetas : ndarray, shape (draws, p)
        Hyperparameters.
    keep : ndarray, shape (n,)
        1 for rows that are kept, 0 for rows left out.
    contrasts : ndarray, shape (draws, q, m)
        Contrasts of the standardised coefficients ``z``.

    Returns
    -------
    log_lik : ndarray, shape (draws,)
    mean, variance : ndarray, shape (draws, m)
    """
    draws = thetas.shape[0]
    m = contrasts.shape[2]
    log_lik = np.empty(draws)
    mean = np.empty((draws, m))
    spread = np.empty((draws, m))
    kept = keep.sum()
    for s in range(draws):
        a, b, w, r, log_det = normal_equations(
            thetas[s], n_blocks, y, keep, variance, unit, slope_mean, block, group, value, starts, slopes, q
        )
        factor = np.linalg.cholesky(a)
        half = _solve_lower(factor, b)
        total = -0.5 * (log_det + kept * np.log(2.0 * np.pi))
        for j in range(q):
            total += 0.5 * half[j] ** 2 - np.log(factor[j, j])
        for i in range(y.shape[0]):
            total -= 0.5 * w[i] * r[i] * r[i]
        log_lik[s] = total
        for k in range(m):
            c = _solve_lower(factor, contrasts[s, :, k])
            mean[s, k] = np.sum(c * half)
            spread[s, k] = np.sum(c * c)
    return log_lik, mean, spread


@numba.njit(cache=True)
def _solve_lower(factor, b):
    q = b.shape[0]
    x = np.empty(q)
    for i in range(q):
        total = b[i]
        for j in range(i):
            total -= factor[i, j] * x[j]
        x[i] = total / factor[i, i]
    return x


@numba.njit(cache=True)
def _solve_lower_transposed(factor, b):
    q = b.shape[0]
    x = b.copy()
    for i in range(q - 1, -1, -1):
        x[i] /= factor[i, i]
        for j in range(i):
            x[j] -= factor[i, j] * x[i]
    return x
