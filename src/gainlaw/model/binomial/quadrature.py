"""Compiled tables and quadrature of one pair of binomial counts on the chance-corrected log-odds scale."""

from __future__ import annotations

import numba
import numpy as np

__all__ = [
    "BASELINE_SD",
    "WIDEST_STEP",
    "fill_base",
    "fill_tables",
    "quadrature",
    "table_slope",
    "table_value",
]

# Sd of the normal prior of every baseline's log-odds, around 0, where none is given. A uniform prior on accuracy, the
# logistic law of scale 1, pulls baselines off floor and ceiling about twice as hard, all of them the same way, and the
# gains with them.
BASELINE_SD = 3.0
# Nodes over log-odds are never further apart: however wide a posterior, at floor and ceiling its edge is steep.
WIDEST_STEP = 0.4
# Grid points of a first look at the whole axis, and of one within sds of the mean.
_WIDE, _NARROW = 401, 97
_SDS = 12.0
# Chance-corrected accuracies this many standard errors from floor and ceiling have log-odds of a known width.
_CLEAR = 5.0


@numba.njit(cache=True, inline="always")
def table_value(lo, step, knots, slopes, at):
    """Cubic Hermite interpolation, linear outside the table."""
    m = knots.shape[0]
    u = (at - lo) / step
    if not u > 0.0:  # not a number either, which would be turned into any index
        return knots[0] + slopes[0] * (at - lo)
    if u >= m - 1.0:
        return knots[m - 1] + slopes[m - 1] * (at - lo - (m - 1) * step)
    j = int(u)
    t = u - j
    rise = knots[j + 1] - knots[j]
    d0, d1 = slopes[j] * step, slopes[j + 1] * step
    return knots[j] + t * (d0 + t * (3.0 * rise - 2.0 * d0 - d1 + t * (d0 + d1 - 2.0 * rise)))


@numba.njit(cache=True, inline="always")
def table_slope(lo, step, knots, slopes, at):
    """Return the derivative of `table_value` in `at`."""
    m = knots.shape[0]
    u = (at - lo) / step
    if not u > 0.0:  # not a number either, which would be turned into any index
        return slopes[0]
    if u >= m - 1.0:
        return slopes[m - 1]
    j = int(u)
    t = u - j
    rise = knots[j + 1] - knots[j]
    d0, d1 = slopes[j] * step, slopes[j + 1] * step
    return (d0 + t * (2.0 * (3.0 * rise - 2.0 * d0 - d1) + 3.0 * t * (d0 + d1 - 2.0 * rise))) / step


@numba.njit(cache=True, nogil=True)
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


@numba.njit(cache=True, nogil=True)
def log_baseline(k, n, c, prior, eta):
    """Log posterior of a baseline's log-odds under a normal prior, given by its mean and sd, and its derivative."""
    f, d = log_binomial(k, n, c, eta)
    z = (eta - prior[0]) / prior[1]
    return f - 0.5 * z * z, d - z / prior[1]


@numba.njit(cache=True, nogil=True)
def moments(k, n, c, prior, limit):
    """Mean and sd of log-odds under a normal prior, by grids that close in on them."""
    p = (k + 0.5) / (n + 1.0)
    s, error = (p - c) / (1.0 - c), np.sqrt(p * (1.0 - p) / n) / (1.0 - c)
    lo, hi, m = -limit, limit, _WIDE
    # A prior as narrow as the likelihood could have its posterior anywhere.
    if s > _CLEAR * error and 1.0 - s > _CLEAR * error and prior[1] > error / (s * (1.0 - s)):
        centre, reach = np.log(s / (1.0 - s)), _SDS * error / (s * (1.0 - s))
        lo, hi, m = max(-limit, centre - reach), min(limit, centre + reach), _NARROW
    mean, sd = 0.0, 1.0
    logs = np.empty(_WIDE)
    for _ in range(3 if m == _WIDE else 2):
        top = -np.inf
        for i in range(m):
            logs[i], _ = log_baseline(k, n, c, prior, lo + (hi - lo) * i / (m - 1))
            top = max(top, logs[i])
        s0 = s1 = s2 = 0.0
        for i in range(m):
            e = (hi - lo) * i / (m - 1)
            w = np.exp(logs[i] - top)
            s0 += w
            s1 += w * e
            s2 += w * e * e
        mean = lo + s1 / s0
        sd = np.sqrt(max(s2 / s0 - (s1 / s0) ** 2, 1e-12))
        lo, hi, m = max(-limit, mean - _SDS * sd), min(limit, mean + _SDS * sd), _NARROW
    return mean, sd


@numba.njit(cache=True, nogil=True)
def quadrature(k, n, c, prior, limit, mean, sd, step):
    """Trapezoid nodes over a baseline's log-odds and their log weights, normalised to one."""
    lo, hi = max(-limit, mean - 2.0 * _SDS * sd), min(limit, mean + 2.0 * _SDS * sd)
    step = min(step, WIDEST_STEP)
    m = int(np.ceil((hi - lo) / step)) + 1
    logs = np.empty(m)
    top = -np.inf
    for i in range(m):
        logs[i], _ = log_baseline(k, n, c, prior, lo + step * i)
        top = max(top, logs[i])
    keep = logs > top - 32.0
    nodes = np.empty(keep.sum())
    weights = np.empty(nodes.shape[0])
    count = 0
    total = 0.0
    for i in range(m):
        if keep[i]:
            nodes[count] = lo + step * i
            weights[count] = logs[i]
            total += np.exp(logs[i] - top)
            count += 1
    return nodes, weights - top - np.log(total)


@numba.njit(cache=True, nogil=True)
def fill_base(k, n, c, prior, limit, mean, sd, knots, slopes):
    """Fill the table of a baseline's log posterior, normalised; return its first knot and spacing."""
    count = knots.shape[0]
    lo, hi = max(-limit, mean - _SDS * sd), min(limit, mean + _SDS * sd)
    spacing = (hi - lo) / (count - 1)
    for j in range(count):
        knots[j], slopes[j] = log_baseline(k, n, c, prior, lo + spacing * j)
    top = knots.max()
    knots -= top + np.log(np.exp(knots - top).sum() * spacing)
    return lo, spacing


@numba.njit(cache=True, nogil=True)
def _support(k, n, c, limit):
    """Return the log-odds between which the likelihood is above exp(-28) of its maximum, a little generously."""
    m = 1001
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


@numba.njit(cache=True, nogil=True)
def _pair_table(lo1, step1, knots1, slopes1, nodes, weights, lo, step, knots, slopes):
    """Fill the table of ``log L(gain)``, the baseline integrated out, from that of the intermediate's likelihood."""
    logs = np.empty(nodes.shape[0])
    for j in range(knots.shape[0]):
        gain = lo + step * j
        top = -np.inf
        for i in range(nodes.shape[0]):
            logs[i] = table_value(lo1, step1, knots1, slopes1, nodes[i] + gain) + weights[i]
            top = max(top, logs[i])
        total = 0.0
        pull = 0.0
        for i in range(nodes.shape[0]):
            if logs[i] > top - 40.0:
                w = np.exp(logs[i] - top)
                total += w
                pull += w * table_slope(lo1, step1, knots1, slopes1, nodes[i] + gain)
        knots[j] = top + np.log(total)
        slopes[j] = pull / total


@numba.njit(cache=True, nogil=True)
def fill_tables(
    k0, n0, k1, n1, c, prior, single, limit, knots_per_sd, nodes_per_sd, lo, step, knots, slopes, reach, about
):
    """Fill the tables of all rows, see `binomial_tables.BinomialTables`.

    Parameters
    ----------
    prior : tuple of (float, float)
        Mean and sd of the normal prior of the baselines' log-odds.
    about : ndarray, shape (rows, 4)
        Receives mean and sd of the log-odds of baseline and intermediate model.
    """
    count = knots.shape[1]
    own, steep = np.empty(count), np.empty(count)
    for i in range(k0.shape[0]):
        mean0, sd0 = moments(k0[i], n0[i], c[i], prior, limit)
        # The intermediate model has no prior of its own: a wide one says where its likelihood lies.
        mean1, sd1 = moments(k1[i], n1[i], c[i], (0.0, BASELINE_SD), limit)
        about[i, 0], about[i, 1], about[i, 2], about[i, 3] = mean0, sd0, mean1, sd1
        # Nothing lies further from the middle than the limit: at the floor, where sds are wide, knots stay close.
        widest = 2.0 * limit / count
        spacing = min(sd1 / knots_per_sd, widest)
        first = mean1 - spacing * count / 2
        for j in range(count):
            own[j], steep[j] = log_binomial(k1[i], n1[i], c[i], first + spacing * j)
        if single[i] == 1:
            step[i] = min(np.sqrt(sd0 * sd0 + sd1 * sd1) / knots_per_sd, 1.25 * widest)
            lo[i] = mean1 - mean0 - step[i] * count / 2
            apart = min(sd0, sd1) / nodes_per_sd / np.sqrt(2.0)
            nodes, weights = quadrature(k0[i], n0[i], c[i], prior, limit, mean0, sd0, apart)
            _pair_table(first, spacing, own, steep, nodes, weights, lo[i], step[i], knots[i], slopes[i])
        else:
            reach[i, 0], reach[i, 1] = _support(k1[i], n1[i], c[i], limit)
            lo[i], step[i], knots[i], slopes[i] = first, spacing, own, steep
