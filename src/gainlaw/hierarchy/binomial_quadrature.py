"""Compiled tables and quadrature of one pair of binomial counts on the chance-corrected log-odds scale."""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["log_baseline", "log_binomial", "moments", "pair_table", "quadrature", "support"]


@numba.njit(cache=True)
def log_binomial(k, n, c, eta):
    """Log likelihood of `k` of `n` at chance-corrected log-odds `eta`, and its derivative (no constant)."""
    if eta > 0:
        e = np.exp(-eta)
        s = 1.0 / (1.0 + e)
        log_1s = -eta - np.log1p(e)
    else:
        e = np.exp(eta)
        s = e / (1.0 + e)
        log_1s = -np.log1p(e)
    p = c + (1.0 - c) * s
    f = (n - k) * (np.log1p(-c) + log_1s)
    d = -(n - k) * s
    if k > 0:
        f += k * np.log(p)
        d += k * (1.0 - c) * s * (1.0 - s) / p
    return f, d


@numba.njit(cache=True)
def log_baseline(k, n, c, eta):
    """Log posterior of a baseline's log-odds under a uniform prior on chance-corrected accuracy (no constant)."""
    f, _ = log_binomial(k, n, c, eta)
    return f - abs(eta) - 2.0 * np.log1p(np.exp(-abs(eta)))


@numba.njit(cache=True)
def moments(k, n, c, limit):
    """Mean and sd of log-odds under the logistic prior, by a two-pass grid."""
    lo, hi = -limit, limit
    mean, sd = 0.0, 1.0
    for _ in range(3):
        m = 801
        top = -np.inf
        logs = np.empty(m)
        for i in range(m):
            logs[i] = log_baseline(k, n, c, lo + (hi - lo) * i / (m - 1))
            top = max(top, logs[i])
        s0 = s1 = s2 = 0.0
        for i in range(m):
            e = lo + (hi - lo) * i / (m - 1)
            w = np.exp(logs[i] - top)
            s0 += w
            s1 += w * e
            s2 += w * e * e
        mean = s1 / s0
        sd = np.sqrt(max(s2 / s0 - mean * mean, 1e-12))
        lo, hi = max(-limit, mean - 12.0 * sd), min(limit, mean + 12.0 * sd)
    return mean, sd


@numba.njit(cache=True)
def quadrature(k, n, c, limit, step):
    """Trapezoid nodes over a baseline's log-odds and their log weights, normalised to one."""
    m = int(np.ceil(2.0 * limit / step)) + 1
    logs = np.empty(m)
    top = -np.inf
    for i in range(m):
        logs[i] = log_baseline(k, n, c, -limit + step * i)
        top = max(top, logs[i])
    keep = logs > top - 32.0
    nodes = np.empty(keep.sum())
    weights = np.empty(nodes.shape[0])
    count = 0
    total = 0.0
    for i in range(m):
        if keep[i]:
            nodes[count] = -limit + step * i
            weights[count] = logs[i]
            total += np.exp(logs[i] - top)
            count += 1
    return nodes, weights - top - np.log(total)


@numba.njit(cache=True)
def support(k, n, c, limit):
    """Return the log-odds between which the likelihood is above exp(-28) of its maximum, a little generously."""
    m = 4001
    logs = np.empty(m)
    top = -np.inf
    for i in range(m):
        logs[i], _ = log_binomial(k, n, c, -limit + 2.0 * limit * i / (m - 1))
        top = max(top, logs[i])
    low, high = limit, -limit
    for i in range(m):
        if logs[i] > top - 28.0:
            eta = -limit + 2.0 * limit * i / (m - 1)
            low, high = min(low, eta), max(high, eta)
    step = 2.0 * limit / (m - 1)
    # A flat side reaches as far as anything does.
    return (-np.inf if low <= -limit else low - step), (np.inf if high >= limit else high + step)


@numba.njit(cache=True)
def pair_table(k1, n1, c, nodes, weights, lo, step, knots, slopes):
    """Fill the table of ``log L(gain)``, the baseline integrated out."""
    logs = np.empty(nodes.shape[0])
    steep = np.empty(nodes.shape[0])
    for j in range(knots.shape[0]):
        gain = lo + step * j
        top = -np.inf
        for i in range(nodes.shape[0]):
            f, d = log_binomial(k1, n1, c, nodes[i] + gain)
            logs[i] = f + weights[i]
            steep[i] = d
            top = max(top, logs[i])
        total = 0.0
        pull = 0.0
        for i in range(nodes.shape[0]):
            w = np.exp(logs[i] - top)
            total += w
            pull += w * steep[i]
        knots[j] = top + np.log(total)
        slopes[j] = pull / total
