"""Compiled tables and quadrature of one pair of binomial counts on the chance-corrected log-odds scale."""

from __future__ import annotations

import numba
import numpy as np

__all__ = [
    "BASELINE_SD",
    "ETA_LIMIT",
    "NODES_PER_SD",
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
# The chance-corrected log-odds of any accuracy that counts can tell from the floor or the ceiling lie well inside.
ETA_LIMIT = 16.0
# Trapezoid nodes per sd of the narrowest factor: the rule's error falls like exp(-2 pi^2 (sd / step)^2).
NODES_PER_SD = 1.25
# Knots per posterior sd of a table; the cubic's error is then below 1e-5 wherever the likelihood matters.
_KNOTS_PER_SD = 8.0
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
def moments(k, n, c, prior):
    """Mean and sd of log-odds under a normal prior, by grids that close in on them."""
    p = (k + 0.5) / (n + 1.0)
    s, error = (p - c) / (1.0 - c), np.sqrt(p * (1.0 - p) / n) / (1.0 - c)
    lo, hi, m = -ETA_LIMIT, ETA_LIMIT, _WIDE
    # A prior as narrow as the likelihood could have its posterior anywhere.
    if s > _CLEAR * error and 1.0 - s > _CLEAR * error and prior[1] > error / (s * (1.0 - s)):
        centre, reach = np.log(s / (1.0 - s)), _SDS * error / (s * (1.0 - s))
        lo, hi, m = max(-ETA_LIMIT, centre - reach), min(ETA_LIMIT, centre + reach), _NARROW
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
        lo, hi, m = max(-ETA_LIMIT, mean - _SDS * sd), min(ETA_LIMIT, mean + _SDS * sd), _NARROW
    return mean, sd


@numba.njit(cache=True, nogil=True)
def quadrature(k, n, c, prior, mean, sd, step):
    """Trapezoid nodes over a baseline's log-odds and their log weights, normalised to one."""
    lo, hi = max(-ETA_LIMIT, mean - 2.0 * _SDS * sd), min(ETA_LIMIT, mean + 2.0 * _SDS * sd)
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
def fill_base(k, n, c, prior, mean, sd, knots, slopes):
    """Fill the table of a baseline's log posterior, normalised; return its first knot and spacing."""
    count = knots.shape[0]
    lo, hi = max(-ETA_LIMIT, mean - _SDS * sd), min(ETA_LIMIT, mean + _SDS * sd)
    spacing = (hi - lo) / (count - 1)
    for j in range(count):
        knots[j], slopes[j] = log_baseline(k, n, c, prior, lo + spacing * j)
    top = knots.max()
    knots -= top + np.log(np.exp(knots - top).sum() * spacing)
    return lo, spacing


@numba.njit(cache=True, nogil=True)
def _support(k, n, c):
    """Return the log-odds between which the likelihood is above exp(-28) of its maximum, a little generously."""
    m = 1001
    logs = np.empty(m)
    top = -np.inf
    for i in range(m):
        logs[i], _ = log_binomial(k, n, c, -ETA_LIMIT + 2.0 * ETA_LIMIT * i / (m - 1))
        top = max(top, logs[i])
    low, high = ETA_LIMIT, -ETA_LIMIT
    for i in range(m):
        if logs[i] > top - 28.0:
            eta = -ETA_LIMIT + 2.0 * ETA_LIMIT * i / (m - 1)
            low, high = min(low, eta), max(high, eta)
    step = 2.0 * ETA_LIMIT / (m - 1)
    # A flat side reaches as far as anything does.
    return (-np.inf if low <= -ETA_LIMIT else low - step), (np.inf if high >= ETA_LIMIT else high + step)


@numba.njit(cache=True, nogil=True)
def _pair_table(first, spacing, own, steep, nodes, weights, rows, i):
    """Fill row `i` with ``log L(gain)``, the baseline integrated out, from a table of the intermediate's likelihood."""
    lo, step, knots, slopes = rows.lo[i], rows.step[i], rows.knots[i], rows.slopes[i]
    logs = np.empty(nodes.shape[0])
    for j in range(knots.shape[0]):
        gain = lo + step * j
        top = -np.inf
        for m in range(nodes.shape[0]):
            logs[m] = table_value(first, spacing, own, steep, nodes[m] + gain) + weights[m]
            top = max(top, logs[m])
        total = 0.0
        pull = 0.0
        for m in range(nodes.shape[0]):
            if logs[m] > top - 40.0:
                w = np.exp(logs[m] - top)
                total += w
                pull += w * table_slope(first, spacing, own, steep, nodes[m] + gain)
        knots[j] = top + np.log(total)
        slopes[j] = pull / total


@numba.njit(cache=True, nogil=True)
def fill_tables(begin, end, pairs, prior, rows, about):
    """Fill the tables of the rows from `begin` to `end`.

    Parameters
    ----------
    begin, end : int
        The first row, and the one behind the last.
    pairs : Pairs
        Counts.
    prior : tuple of (float, float)
        Mean and sd of the normal prior of the baselines' log-odds.
    rows : RowTables
        Receives the tables; of which kind they are to be stands in ``rows.single``.
    about : ndarray, shape (4, n)
        Receives mean and sd of the log-odds of baseline and intermediate model.
    """
    count = rows.knots.shape[1]
    own, steep = np.empty(count), np.empty(count)
    for i in range(begin, end):
        k0, n0, k1, n1, c = pairs.k0[i], pairs.n0[i], pairs.k1[i], pairs.n1[i], pairs.chance[i]
        mean0, sd0 = moments(k0, n0, c, prior)
        # The intermediate model has no prior of its own: a wide one says where its likelihood lies.
        mean1, sd1 = moments(k1, n1, c, (0.0, BASELINE_SD))
        about[0, i], about[1, i], about[2, i], about[3, i] = mean0, sd0, mean1, sd1
        # Nothing lies further from the middle than the limit: at the floor, where sds are wide, knots stay close.
        widest = 2.0 * ETA_LIMIT / count
        spacing = min(sd1 / _KNOTS_PER_SD, widest)
        first = mean1 - spacing * count / 2
        for j in range(count):
            own[j], steep[j] = log_binomial(k1, n1, c, first + spacing * j)
        if rows.single[i] == 1:
            rows.step[i] = min(np.sqrt(sd0 * sd0 + sd1 * sd1) / _KNOTS_PER_SD, 1.25 * widest)
            rows.lo[i] = mean1 - mean0 - rows.step[i] * count / 2
            apart = min(sd0, sd1) / NODES_PER_SD / np.sqrt(2.0)
            nodes, weights = quadrature(k0, n0, c, prior, mean0, sd0, apart)
            _pair_table(first, spacing, own, steep, nodes, weights, rows, i)
        else:
            rows.reach[i, 0], rows.reach[i, 1] = _support(k1, n1, c)
            rows.lo[i], rows.step[i] = first, spacing
            rows.knots[i], rows.slopes[i] = own, steep
