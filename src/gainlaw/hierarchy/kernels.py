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

from gainlaw.hierarchy.triangular import inverse_lower, solve_lower, solve_lower_transposed

__all__ = ["conditional_draws", "conditional_moments", "gaussian_marginal", "normal_equations"]


@numba.njit(cache=True)
def _row(i, block, group, value, starts, slopes, place, tau0, tau1, rho, h, columns, weights):
    """Write row `i` of ``B`` into `columns` and `weights`; return the number of entries."""
    count = 0
    for k in range(block.shape[1]):
        b = block[i, k]
        if b < 0:
            continue
        g = group[i, k]
        v = value[i, k]
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


@numba.njit(cache=True)
def _assemble(
    theta, y, keep, variance, unit, slope_mean, block, group, value, starts, slopes, place, cluster, bounds, p
):
    """Return the parts of ``A`` and ``B' W r``, the weights ``w``, the centred data ``r`` and ``log|R|``.

    ``A`` consists of a core of shape (p, p), the replicates' rows against the core, shape (R, p), and one square for
    each cluster of replicates, stored in rows of length `widest`.
    """
    n = y.shape[0]
    n_blocks = starts.shape[0]
    tau0 = theta[:n_blocks]
    tau1 = theta[n_blocks : 2 * n_blocks]
    rho = theta[2 * n_blocks : 3 * n_blocks]
    tau = theta[3 * n_blocks]
    h = theta[3 * n_blocks + 1 :]
    q = place.shape[0]
    widest = 1
    for c in range(bounds.shape[0] - 1):
        widest = max(widest, bounds[c + 1] - bounds[c])
    core = np.eye(p)
    side = np.zeros((q - p, p))
    square = np.zeros((q - p, widest))
    for c in range(bounds.shape[0] - 1):
        for j in range(bounds[c + 1] - bounds[c]):
            square[bounds[c] + j, j] = 1.0
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
        m = _row(i, block, group, value, starts, slopes, place, tau0, tau1, rho, h[i], columns, weights)
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


@numba.njit(cache=True)
def _eliminate(core, side, square, b, bounds):
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
        core -= side.T @ side
        b[:p] -= side.T @ b[p:]
    return half_log_det


@numba.njit(cache=True)
def _back(square, side, right, core_part, bounds):
    """Return the replicates' coefficients, given the core's: ``L^-T (right - L^-1 F core_part)``."""
    z = right - side @ core_part
    for c in range(bounds.shape[0] - 1):
        lo, hi = bounds[c], bounds[c + 1]
        for i in range(hi - lo - 1, -1, -1):
            z[lo + i] /= square[lo + i, i]
            for j in range(i):
                z[lo + j] -= square[lo + i, j] * z[lo + i]
    return z


@numba.njit(cache=True)
def gaussian_marginal(
    theta, y, variance, unit, slope_mean, block, group, value, starts, slopes, place, cluster, bounds, p
):
    """Return the log marginal likelihood and its gradient in `theta`.

    Parameters
    ----------
    theta : ndarray, shape (3 * n_blocks + 1 + n,)
        Intercept sds, slope sds, correlations of every block, the residual sd, the law's shape at every row.
    y : ndarray, shape (n,)
        Rotated gains less the prior mean of the intercept and covariates.
    variance : ndarray, shape (n,)
        Eigenvalues of the sampling covariance.
    unit : ndarray, shape (n,)
        The rotated vector of ones.
    slope_mean : float
        Prior mean of the population slope.
    block, group, value, starts, slopes, place, cluster, bounds, p
        The design, see `gainlaw.hierarchy.design.Design`.
    """
    n = y.shape[0]
    n_blocks = starts.shape[0]
    q = place.shape[0]
    keep = np.ones(n)
    core, side, square, b, w, r, log_det = _assemble(
        theta,
        y,
        keep,
        variance,
        unit,
        slope_mean,
        block,
        group,
        value,
        starts,
        slopes,
        place,
        cluster,
        bounds,
        p,
    )
    log_lik = -_eliminate(core, side, square, b, bounds)
    factor = np.linalg.cholesky(core)
    low = inverse_lower(factor)
    inverse = low.T @ low
    z = np.empty(q)
    z[:p] = inverse @ b[:p]
    z[p:] = _back(square, side, b[p:], z[:p], bounds)
    for j in range(p):
        log_lik += 0.5 * b[j] * z[j] - np.log(factor[j, j])
    for j in range(p, q):
        log_lik += 0.5 * b[j] * b[j]
    log_lik -= 0.5 * (log_det + n * np.log(2.0 * np.pi))
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
        m = _row(i, block, group, value, starts, slopes, place, tau0, tau1, rho, h, columns, weights)
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
        j = 0
        for k in range(block.shape[1]):
            t = block[i, k]
            if t < 0:
                continue
            v = value[i, k]
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
    return log_lik, gradient


@numba.njit(cache=True)
def _to_effects(z, tau0, tau1, rho, starts, slopes, sizes, place):
    """Turn standard normal coefficients into effects in the unit of the scale, in the order of the columns."""
    effects = np.empty_like(z)
    for b in range(starts.shape[0]):
        for g in range(sizes[b]):
            first = z[place[starts[b] + g]]
            effects[starts[b] + g] = tau0[b] * first
            if slopes[b] >= 0:
                second = z[place[slopes[b] + g]]
                effects[slopes[b] + g] = tau1[b] * (rho[b] * first + np.sqrt(1.0 - rho[b] ** 2) * second)
    return effects


@numba.njit(cache=True, nogil=True)
def conditional_draws(
    thetas, normals, sizes, y, variance, unit, slope_mean, block, group, value, starts, slopes, place, cluster,
    bounds, p,
):  # fmt: skip
    """Draw every coefficient exactly from its conditional posterior, one draw for each row of `thetas`.

    Parameters
    ----------
    thetas : ndarray, shape (draws, 3 * n_blocks + 1 + n)
        Hyperparameters, see `gaussian_marginal`.
    normals : ndarray, shape (draws, q)
        Standard normal numbers.
    sizes : ndarray of int, shape (n_blocks,)
        Groups of every block.

    Returns
    -------
    ndarray, shape (draws, q)
        Effects in the unit of the scale, less the prior means of the fixed effects.
    """
    out = np.empty(normals.shape)
    keep = np.ones(y.shape[0])
    n_blocks = starts.shape[0]
    for s in range(thetas.shape[0]):
        theta = thetas[s]
        core, side, square, b, _, _, _ = _assemble(
            theta,
            y,
            keep,
            variance,
            unit,
            slope_mean,
            block,
            group,
            value,
            starts,
            slopes,
            place,
            cluster,
            bounds,
            p,
        )
        _eliminate(core, side, square, b, bounds)
        factor = np.linalg.cholesky(core)
        z = np.empty(place.shape[0])
        z[:p] = solve_lower_transposed(factor, solve_lower(factor, b[:p]) + normals[s, :p])
        z[p:] = _back(square, side, b[p:] + normals[s, p:], z[:p], bounds)
        out[s] = _to_effects(
            z,
            theta[:n_blocks],
            theta[n_blocks : 2 * n_blocks],
            theta[2 * n_blocks : 3 * n_blocks],
            starts,
            slopes,
            sizes,
            place,
        )
    return out


@numba.njit(cache=True, nogil=True)
def conditional_moments(
    thetas, keep, contrasts, y, variance, unit, slope_mean, block, group, value, starts, slopes, place, cluster,
    bounds, p,
):  # fmt: skip
    """Return the log likelihood of the kept rows and the moments of a contrast given them, for each draw.

    Parameters
    ----------
    thetas : ndarray, shape (draws, 3 * n_blocks + 1 + n)
        Hyperparameters.
    keep : ndarray, shape (n,)
        1 for rows that are kept, 0 for rows left out.
    contrasts : ndarray, shape (draws, p)
        A contrast of the standardised core coefficients.

    Returns
    -------
    log_lik, mean, variance : ndarray, shape (draws,)
    """
    draws = thetas.shape[0]
    log_lik = np.empty(draws)
    mean = np.empty(draws)
    spread = np.empty(draws)
    kept = keep.sum()
    for s in range(draws):
        core, side, square, b, w, r, log_det = _assemble(
            thetas[s], y, keep, variance, unit, slope_mean, block, group, value, starts, slopes, place, cluster,
            bounds, p,
        )  # fmt: skip
        total = -0.5 * (log_det + kept * np.log(2.0 * np.pi)) - _eliminate(core, side, square, b, bounds)
        factor = np.linalg.cholesky(core)
        half = solve_lower(factor, b[:p])
        for j in range(p):
            total += 0.5 * half[j] ** 2 - np.log(factor[j, j])
        for j in range(p, place.shape[0]):
            total += 0.5 * b[j] ** 2
        for i in range(y.shape[0]):
            total -= 0.5 * w[i] * r[i] * r[i]
        log_lik[s] = total
        c = solve_lower(factor, contrasts[s])
        mean[s] = np.sum(c * half)
        spread[s] = np.sum(c * c)
    return log_lik, mean, spread


@numba.njit(cache=True)
def normal_equations(
    theta, y, variance, unit, slope_mean, block, group, value, starts, slopes, place, cluster, bounds, p
):
    """Return ``A`` and ``B' W r`` whole, in the order of the design's columns."""
    core, side, square, b, _, _, _ = _assemble(
        theta, y, np.ones(y.shape[0]), variance, unit, slope_mean, block, group, value, starts, slopes, place,
        cluster, bounds, p,
    )  # fmt: skip
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
