"""Losses of one point, compiled: the value, its two derivatives in the prediction, and a curvature above them."""

from __future__ import annotations

from math import lgamma

import numba
import numpy as np

__all__ = ["BETA_BINOMIAL", "BINOMIAL", "HUBER", "SQUARED", "STUDENT_T", "point_loss"]

SQUARED, HUBER, STUDENT_T, BINOMIAL, BETA_BINOMIAL = range(5)
# Shares nearer to 0 than this count as outside: one over their square is no number.
_LEAST = 1e-150


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
    """Loss of one point at prediction `f`, its first two derivatives in `f`, and a curvature that is never negative.

    With the last one in place of the second derivative a quadratic lies above a robust loss and touches it, so that
    its minimum is downhill even where the loss has no curvature of its own.
    """
    r = f - y
    if loss == SQUARED:
        return 0.5 * r * r, r, 1.0, 1.0
    if loss == HUBER:
        if abs(r) <= setting[0]:
            return 0.5 * r * r, r, 1.0, 1.0
        return setting[0] * (abs(r) - 0.5 * setting[0]), np.sign(r) * setting[0], 0.0, setting[0] / abs(r)
    if loss == STUDENT_T:
        nu, s2 = setting[0], setting[1] * setting[1]
        total = nu * s2 + r * r
        return (
            0.5 * (nu + 1.0) * np.log1p(r * r / (nu * s2)),
            (nu + 1.0) * r / total,
            (nu + 1.0) * (nu * s2 - r * r) / (total * total),
            (nu + 1.0) / total,
        )
    if not _LEAST < f < 1.0:
        return np.inf, 0.0, 0.0, 0.0
    k, rest = y, trials - y
    if loss == BINOMIAL:
        value = 0.0
        if k > 0:
            value -= k * np.log(f / (k / trials))
        if rest > 0:
            value -= rest * np.log((1.0 - f) / (rest / trials))
        curvature = k / (f * f) + rest / ((1.0 - f) * (1.0 - f))
        return value, rest / (1.0 - f) - k / f, curvature, curvature
    m = (1.0 - setting[0]) / setting[0]
    a, b = f * m, (1.0 - f) * m
    value = lgamma(a) - lgamma(k + a) + lgamma(b) - lgamma(rest + b) + lgamma(trials + m) - lgamma(m)
    a0, a1 = _polygamma(a)
    k0, k1 = _polygamma(k + a)
    b0, b1 = _polygamma(b)
    r0, r1 = _polygamma(rest + b)
    curvature = m * m * (a1 - k1 + b1 - r1)
    return value, m * (a0 - k0 - b0 + r0), curvature, max(curvature, 0.0)
