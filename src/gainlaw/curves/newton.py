"""Compiled estimation of a formula's parameters: losses, and damped Newton steps with exact second derivatives."""

from __future__ import annotations

from math import lgamma

import numba
import numpy as np

from gainlaw.curves.tape_kernels import evaluate, prepare

__all__ = ["BETA_BINOMIAL", "BINOMIAL", "HUBER", "SQUARED", "STUDENT_T", "curves_at", "fit_many", "fitted"]

SQUARED, HUBER, STUDENT_T, BINOMIAL, BETA_BINOMIAL = range(5)

# Largest cosine between the residuals and a derivative at which a fit counts as converged.
_CONVERGED = 1e-13
_TRIALS = 40
# Steps after which linear parameters are put at their optimum; nearer to the end Newton's step does it.
_PROJECTED = 3


@numba.njit(cache=True, nogil=True)
def _polygamma(x):
    """Digamma and trigamma, by recurrence and asymptotic series (Abramowitz and Stegun 6.3.18, 6.4.12)."""
    first = second = 0.0
    while x < 12.0:
        first -= 1.0 / x
        second += 1.0 / (x * x)
        x += 1.0
    z = 1.0 / (x * x)
    first += np.log(x) - 0.5 / x - z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z / 132))))
    second += 1.0 / x + 0.5 * z + z / x * (1 / 6 - z * (1 / 30 - z * (1 / 42 - z * (1 / 30 - z * 5 / 66))))
    return first, second


@numba.njit(cache=True, nogil=True)
def point_loss(loss, setting, f, y, trials):
    """Loss of one point at prediction `f`, and its first two derivatives in `f`."""
    r = f - y
    if loss == SQUARED:
        return 0.5 * r * r, r, 1.0
    if loss == HUBER:
        if abs(r) <= setting[0]:
            return 0.5 * r * r, r, 1.0
        return setting[0] * (abs(r) - 0.5 * setting[0]), np.sign(r) * setting[0], 0.0
    if loss == STUDENT_T:
        nu, s2 = setting[0], setting[1] * setting[1]
        total = nu * s2 + r * r
        return (
            0.5 * (nu + 1.0) * np.log1p(r * r / (nu * s2)),
            (nu + 1.0) * r / total,
            (nu + 1.0) * (nu * s2 - r * r) / (total * total),
        )
    if not 0.0 < f < 1.0:
        return np.inf, 0.0, 0.0
    k, rest = y, trials - y
    if loss == BINOMIAL:
        value = 0.0
        if k > 0:
            value -= k * np.log(f / (k / trials))
        if rest > 0:
            value -= rest * np.log((1.0 - f) / (rest / trials))
        return value, rest / (1.0 - f) - k / f, k / (f * f) + rest / ((1.0 - f) * (1.0 - f))
    m = (1.0 - setting[0]) / setting[0]
    a, b = f * m, (1.0 - f) * m
    value = lgamma(a) - lgamma(k + a) + lgamma(b) - lgamma(rest + b) + lgamma(trials + m) - lgamma(m)
    a0, a1 = _polygamma(a)
    k0, k1 = _polygamma(k + a)
    b0, b1 = _polygamma(b)
    r0, r1 = _polygamma(rest + b)
    return value, m * (a0 - k0 - b0 + r0), m * m * (a1 - k1 + b1 - r1)


@numba.njit(cache=True, nogil=True)
def _objective(work, theta, order, data, scratch, gradient, hessian, gauss):
    """Return the objective, and fill its gradient, its Hessian and the part of it that is never negative."""
    y, weight, trials, precision, loss, setting = data
    values, gradients, seconds, partial, first, second = scratch
    evaluate(work, theta, order, values, gradients, seconds, partial)
    n, p = y.shape[0], theta.shape[0]
    f = values[-1]
    total = 0.0
    if precision.shape[0]:
        for i in range(n):
            pulled = 0.0
            for j in range(n):
                pulled += precision[i, j] * np.sqrt(weight[i] * weight[j]) * (f[j] - y[j])
            first[i] = pulled
            second[i] = weight[i]
            total += 0.5 * pulled * (f[i] - y[i])
    else:
        for i in range(n):
            if weight[i] == 0.0:
                first[i] = second[i] = 0.0
                continue
            value, d, dd = point_loss(loss, setting, f[i], y[i], trials[i])
            total += weight[i] * value
            first[i], second[i] = weight[i] * d, weight[i] * dd
    if not np.isfinite(total):
        return np.inf
    if order < 2:
        return total
    for a in range(p):
        row = work.gradient_of[a]
        slope = 0.0
        if row >= 0:
            for i in range(n):
                slope += first[i] * gradients[row, i]
        gradient[a] = slope
    for a in range(p):
        row = work.gradient_of[a]
        for b in range(a + 1):
            other = work.gradient_of[b]
            full = kept = 0.0
            if row >= 0 and other >= 0:
                if precision.shape[0]:
                    for i in range(n):
                        inner = 0.0
                        for j in range(n):
                            inner += precision[i, j] * np.sqrt(weight[j]) * gradients[other, j]
                        full += np.sqrt(weight[i]) * gradients[row, i] * inner
                    kept = full
                else:
                    for i in range(n):
                        cross = gradients[row, i] * gradients[other, i]
                        full += second[i] * cross
                        kept += max(second[i], 0.0) * cross
            hessian[a, b] = hessian[b, a] = full
            gauss[a, b] = gauss[b, a] = kept
    last = work.operation.shape[0] - 1
    for entry in range(work.second_first[last], work.second_first[last + 1]):
        bend = 0.0
        for i in range(n):
            bend += first[i] * seconds[entry, i]
        a, b = work.second_pairs[entry]
        hessian[a, b] += bend
        if a != b:
            hessian[b, a] += bend
    for a in range(p):
        if not np.isfinite(gradient[a]):
            return np.inf
        for b in range(p):
            if not np.isfinite(hessian[a, b]):
                return np.inf
    return total


@numba.njit(cache=True, nogil=True)
def _solve(matrix, damping, scale, right, free, factor, x):
    """Solve ``(matrix + damping * diag(scale)) x = right`` for the free parameters; False if not positive definite."""
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
def _project(work, theta, data, scratch, linear, gradient, hessian, gauss, factor, x, scale):
    """Put the linear parameters at their optimum given the others; return the objective there."""
    total = _objective(work, theta, 2, data, scratch, gradient, hessian, gauss)
    if linear.shape[0] == 0 or data[4] != SQUARED or not np.isfinite(total):
        return total
    if _solve(gauss, 0.0, scale, gradient, linear, factor, x):
        moved = theta.copy()
        for i in range(linear.shape[0]):
            moved[linear[i]] -= x[i]
        better = _objective(work, moved, 2, data, scratch, gradient, hessian, gauss)
        if better <= total:
            theta[:] = moved
            return better
        return _objective(work, theta, 2, data, scratch, gradient, hessian, gauss)
    return total


@numba.njit(cache=True, nogil=True)
def _cosine(total, gradient, gauss, free):
    """Return the largest cosine between the residuals and a derivative: a gradient without units."""
    largest = 0.0
    for a in range(free.shape[0]):
        k = free[a]
        largest = max(largest, abs(gradient[k]) / np.sqrt(max(gauss[k, k] * 2.0 * abs(total), 1e-300)))
    return largest


@numba.njit(cache=True, nogil=True)
def _polish(work, theta, data, scratch, free, gradient, hessian, gauss, factor, x, scale, cosine):
    """Take one whole Newton step if it brings the gradient nearer to zero, where the objective is at its last digit."""
    if not _solve(hessian, 0.0, scale, gradient, free, factor, x):
        return False
    before = theta.copy()
    for a in range(free.shape[0]):
        theta[free[a]] -= x[a]
    total = _objective(work, theta, 2, data, scratch, gradient, hessian, gauss)
    if np.isfinite(total) and _cosine(total, gradient, gauss, free) < 0.9 * cosine:
        return True
    theta[:] = before
    _objective(work, theta, 2, data, scratch, gradient, hessian, gauss)
    return False


@numba.njit(cache=True, nogil=True)
def _minimise(work, theta, data, scratch, linear, free, most, gradient, hessian, gauss):
    """Damped Newton steps from `theta`, which is moved; return the objective, the largest cosine, and the steps."""
    p = theta.shape[0]
    factor, x, scale = np.zeros((p, p)), np.zeros(p), np.ones(p)
    total = _project(work, theta, data, scratch, linear, gradient, hessian, gauss, factor, x, scale)
    damping, cosine, stalled, steps = 1e-3, np.inf, 0, 0
    if not np.isfinite(total):
        return total, cosine, steps
    for step in range(most):
        cosine = _cosine(total, gradient, gauss, free)
        for a in range(free.shape[0]):
            scale[free[a]] = max(gauss[free[a], free[a]], 1e-300)
        if cosine < _CONVERGED or stalled > 6:
            break
        steps = step + 1
        accepted = False
        # Where the Hessian bends down, its step leads to a saddle; the other matrix leads downhill.
        matrix = hessian if _solve(hessian, 0.0, scale, gradient, free, factor, x) else gauss
        for _ in range(_TRIALS):
            if _solve(matrix, damping, scale, gradient, free, factor, x):
                moved = theta.copy()
                for a in range(free.shape[0]):
                    moved[free[a]] -= x[a]
                value = _objective(work, moved, 0, data, scratch, gradient, hessian, gauss)
                if value < total:
                    accepted = True
                    break
            damping = max(8.0 * damping, 1e-12)
            if damping > 1e20:
                break
        if not accepted:
            if not _polish(
                work, theta, data, scratch, free, gradient, hessian, gauss, factor, x, scale, cosine
            ):
                break
            stalled += 1
            continue
        theta[:] = moved
        before = total
        if step < _PROJECTED:
            total = _project(work, theta, data, scratch, linear, gradient, hessian, gauss, factor, x, scale)
        else:
            total = _objective(work, theta, 2, data, scratch, gradient, hessian, gauss)
        stalled = stalled + 1 if before - total <= 1e-15 * abs(before) else 0
        damping = max(0.1 * damping, 1e-14)
    return total, cosine, steps


@numba.njit(cache=True, nogil=True)
def fit_many(
    work, variables, starts, y, weight, trials, precision, loss, setting, linear, free, most, theta, report
):
    """Fit a formula to many data sets at the same points.

    Parameters
    ----------
    work : Work
        The formula.
    variables : ndarray, shape (v, n)
        Its variables.
    starts, y, weight : ndarray, shape (1 or fits, p), (1 or fits, n), (1 or fits, n)
        Starting values, data and weights; a single row serves all.
    trials : ndarray, shape (n,)
        Items behind each count; not read by other losses.
    precision : ndarray, shape (n, n) or (0, 0)
        Inverse of the known covariance of the data; squared loss only.
    loss : int
        `SQUARED` and its neighbours.
    setting : ndarray, shape (2,)
        Huber's delta; degrees of freedom and scale of Student's t; intraclass correlation of the beta-binomial.
    linear, free : ndarray of int
        Parameters that the formula is linear in, and those that are searched for; others stay at their start.
    most : int
        Most Newton steps.
    theta, report : ndarray, shape (fits, p), (fits, 3)
        Receive estimates; and objective, largest cosine between residuals and a derivative, and steps.
    """
    n, p = y.shape[1], starts.shape[1]
    nodes = work.operation.shape[0]
    values, partial = np.zeros((nodes, n)), np.zeros((6, n))
    gradients = np.zeros((work.gradient_entries.shape[0], n))
    seconds = np.zeros((work.second_entries.shape[0], n))
    scratch = (values, gradients, seconds, partial, np.zeros(n), np.zeros(n))
    gradient, hessian, gauss = np.zeros(p), np.zeros((p, p)), np.zeros((p, p))
    prepare(work, variables, values, gradients, partial)
    for b in range(theta.shape[0]):
        theta[b] = starts[min(b, starts.shape[0] - 1)]
        data = (
            y[min(b, y.shape[0] - 1)],
            weight[min(b, weight.shape[0] - 1)],
            trials,
            precision,
            loss,
            setting,
        )
        total, cosine, steps = _minimise(
            work, theta[b], data, scratch, linear, free, most, gradient, hessian, gauss
        )
        report[b, 0], report[b, 1], report[b, 2] = total, cosine, steps


@numba.njit(cache=True, nogil=True)
def curves_at(work, variables, theta, out):
    """Fill `out`, shape (m, n), with the values at many sets of parameters, shape (m, p)."""
    n = variables.shape[1]
    values, partial = np.zeros((work.operation.shape[0], n)), np.zeros((6, n))
    gradients, seconds = np.zeros((work.gradient_entries.shape[0], n)), np.zeros((0, n))
    prepare(work, variables, values, gradients, partial)
    for b in range(theta.shape[0]):
        evaluate(work, theta[b], 0, values, gradients, seconds, partial)
        out[b] = values[-1]


@numba.njit(cache=True, nogil=True)
def fitted(work, variables, theta, y, weight, trials, precision, loss, setting):
    """Return predictions, their derivatives, and the objective's gradient and Hessian at one set of parameters."""
    n, p = variables.shape[1], theta.shape[0]
    values, partial = np.zeros((work.operation.shape[0], n)), np.zeros((6, n))
    gradients = np.zeros((work.gradient_entries.shape[0], n))
    seconds = np.zeros((work.second_entries.shape[0], n))
    scratch = (values, gradients, seconds, partial, np.zeros(n), np.zeros(n))
    gradient, hessian, gauss = np.zeros(p), np.zeros((p, p)), np.zeros((p, p))
    prepare(work, variables, values, gradients, partial)
    data = (y, weight, trials, precision, loss, setting)
    _objective(work, theta, 2, data, scratch, gradient, hessian, gauss)
    jacobian = np.zeros((n, p))
    for a in range(p):
        if work.gradient_of[a] >= 0:
            jacobian[:, a] = gradients[work.gradient_of[a]]
    return values[-1].copy(), jacobian, gradient, hessian
