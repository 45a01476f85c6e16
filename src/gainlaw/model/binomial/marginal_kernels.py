"""Compiled parts of `binomial_marginal`: residuals and shared baselines integrated out of binomial likelihoods."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from gainlaw.model.binomial.quadrature import WIDEST_STEP, table_slope, table_value

__all__ = ["VARIANCES", "marginals", "tabulate"]

VARIANCES = 3
"""Tables over the residual sds of one set of draws."""

# The trapezoid rule over a residual: sds to either side, nodes for each sd of the narrower factor, nodes at most.
_REACH = 5.5
_NODES_PER_SD = 1.5
_MOST_NODES = 401
# A shared baseline's integrand ends where it has fallen by exp(-this); nodes this many sds apart.
_NEGLIGIBLE = 14.0
_SPACING = 1.1
# Sums may be taken in the order that suits the processor.
_SUMS = {"reassoc", "contract"}


@numba.njit(cache=True, nogil=True)
def _smooth(f, tau, i, rows, scratch):
    """Log of the integral of ``L(g) N(g; f, tau^2)`` over g, for the table of L of row i, and its derivative in f.

    By the trapezoid rule.
    """
    lo, step, knots, slopes, sd = rows.lo[i], rows.step[i], rows.knots[i], rows.slopes[i], rows.width[i]
    if tau <= 0.0:
        return table_value(lo, step, knots, slopes, f), table_slope(lo, step, knots, slopes, f)
    half = min(int(np.ceil(_REACH * _NODES_PER_SD * max(1.0, tau / sd))), scratch.shape[0] // 2)
    spacing = _REACH / half
    top = -np.inf
    for q in range(2 * half + 1):
        z = spacing * (q - half)
        scratch[q] = table_value(lo, step, knots, slopes, f + tau * z) - 0.5 * z * z
        top = max(top, scratch[q])
    total, pull = 0.0, 0.0
    for q in range(2 * half + 1):
        weight = np.exp(scratch[q] - top)
        total += weight
        # The derivative falls on the normal factor.
        pull += weight * spacing * (q - half)
    return top + np.log(total * spacing / np.sqrt(2.0 * np.pi)), pull / total / tau


@numba.njit(cache=True, nogil=True)
def tabulate(chosen, taus, rows, blurred):
    """Fill in log integrals over a residual, and their derivatives times the spacing, at the knots of some rows.

    Parameters
    ----------
    chosen : ndarray of int
        The rows.
    taus : ndarray, shape (width,)
        Residual sds.
    rows : RowTables
        The likelihoods.
    blurred : Blurred
        Has the knots; its table is filled.
    """
    scratch = np.empty(_MOST_NODES)
    for i in chosen:
        at = blurred.first[i]
        for k in range(blurred.first[i + 1] - at):
            f = blurred.lo[i] + k * blurred.step[i]
            for m in range(taus.shape[0]):
                value, slope = _smooth(f, taus[m], i, rows, scratch)
                blurred.table[at + k, 0, m] = value
                blurred.table[at + k, 1, m] = slope * blurred.step[i]


@numba.njit(cache=True, nogil=True, inline="always", fastmath=_SUMS)
def _blended(u, begin, count, table, blend, s):
    """Blend the tables of a row over the residual sds and interpolate by cubic Hermite polynomials, linearly outside.

    `u` is the distance from the first knot in spacings, `s` the draw.
    """
    cell = min(max(int(u), 0), count - 2)
    t = u - cell
    if u <= 0.0:
        h0, h1, g0, g1 = 1.0, 0.0, u, 0.0
    elif u >= count - 1.0:
        h0, h1, g0, g1 = 0.0, 1.0, 0.0, t - 1.0
    else:
        h1 = t * t * (3.0 - 2.0 * t)
        h0 = 1.0 - h1
        g0 = t * (1.0 - t) * (1.0 - t)
        g1 = t * t * (t - 1.0)
    at = begin + cell
    total = 0.0
    # Plain indices: a view of the table would be counted, which costs more than reading it.
    for m in range(VARIANCES):
        total += blend[s, m] * (
            h0 * table[at, 0, m] + h1 * table[at + 1, 0, m] + g0 * table[at, 1, m] + g1 * table[at + 1, 1, m]
        )
    return total


class _Places(NamedTuple):
    """Where the rows of a shared baseline stand in their tables: at ``start + rate * eta`` for its log-odds ``eta``.

    Parameters
    ----------
    start, rate : ndarray, shape (rows,)
        In spacings from the first knot.
    begin, count : ndarray of int, shape (rows,)
        First knot and number of knots.
    """

    start: NDArray[np.float64]
    rate: NDArray[np.float64]
    begin: NDArray[np.int64]
    count: NDArray[np.int64]


@numba.njit(cache=True, nogil=True, inline="always", fastmath=_SUMS)
def _block(s, eta, b, size, places, shared, blend, table):
    """Log of a block's integrand at the baseline's log-odds `eta`, for draw `s`."""
    start, rate, begin, count = places
    total = table_value(shared.lo[b], shared.step[b], shared.knots[b], shared.slopes[b], eta)
    for j in range(size):
        total += _blended(start[j] + rate[j] * eta, begin[j], count[j], table, blend, s)
    return total


@numba.njit(cache=True, nogil=True, fastmath=_SUMS)
def marginals(line, tau, blend, tables, blurred, apart, direct):
    """Return log likelihoods at linear predictors: of every row, a block's at its first row, or their sum.

    Parameters
    ----------
    line : ndarray, shape (draws, n)
        Linear predictors.
    tau : ndarray, shape (draws,)
        Residual sds.
    blend : ndarray, shape (draws, width)
        Weights of the tables over the residual sds.
    tables : BinomialTables
        The likelihoods.
    blurred : Blurred
        Tables of the integrals over a residual.
    apart : int
        1 for every row, shape (draws, n); 0 for the sum, shape (draws, 1).
    direct : int
        1 to integrate the residual of rows with their own baseline anew, without the tables of integrals.
    """
    rows, shared = tables.rows, tables.shared
    single, centre, sd, first, members = rows.single, rows.centre, rows.width, shared.first, shared.members
    blur_first, blur_lo, blur_step, table = blurred
    draws, n = line.shape
    out = np.zeros((draws, n if apart == 1 else 1))
    scratch = np.empty(_MOST_NODES)
    widest = 1
    for b in range(first.shape[0] - 1):
        widest = max(widest, first[b + 1] - first[b])
    start, rate = np.empty(widest), np.empty(widest)
    begin, counts = np.empty(widest, np.int64), np.empty(widest, np.int64)
    places = _Places(start, rate, begin, counts)
    for i in range(n):
        if single[i] == 1:
            count = blur_first[i + 1] - blur_first[i]
            for s in range(draws):
                if direct == 1:
                    value, _ = _smooth(line[s, i], tau[s], i, rows, scratch)
                else:
                    u = (line[s, i] - blur_lo[i]) / blur_step[i]
                    value = _blended(u, blur_first[i], count, table, blend, s)
                out[s, i * apart] += value
    # Block by block, so that its tables stay in the cache.
    for b in range(first.shape[0] - 1):
        size = first[b + 1] - first[b]
        # What lies beyond the baseline's table has no weight, wherever the other factors pull.
        low, high = shared.lo[b], shared.lo[b] + shared.step[b] * (shared.knots.shape[1] - 1)
        for j in range(size):
            i = members[first[b] + j]
            rate[j] = 1.0 / blur_step[i]
            begin[j], counts[j] = blur_first[i], blur_first[i + 1] - blur_first[i]
        for s in range(draws):
            # Where the integrand would lie, and how wide it would be, were all factors Gaussian.
            precision = 1.0 / shared.sd[b] ** 2
            middle = shared.mean[b] * precision
            for j in range(size):
                i = members[first[b] + j]
                own = 1.0 / (sd[i] * sd[i] + tau[s] * tau[s])
                precision += own
                middle += own * (centre[i] - line[s, i])
                start[j] = (line[s, i] - blur_lo[i]) * rate[j]
            middle = min(max(middle / precision, low), high)
            h = min(_SPACING / np.sqrt(precision), WIDEST_STEP)
            top = _block(s, middle, b, size, places, shared, blend, table)
            total = 1.0
            for direction in (1.0, -1.0):
                eta = middle
                while low <= eta + direction * h <= high:
                    eta += direction * h
                    value = _block(s, eta, b, size, places, shared, blend, table)
                    if value > top:
                        total = total * np.exp(top - value) + 1.0
                        top = value
                    elif value > top - _NEGLIGIBLE:
                        total += np.exp(value - top)
                    else:
                        break
            out[s, members[first[b]] * apart] += top + np.log(total * h)
    return out
