"""Compiled parts of `binomial_marginal`: residuals and shared baselines integrated out of binomial likelihoods."""

from __future__ import annotations

import numba
import numpy as np

from gainlaw.hierarchy.binomial_kernels import table_value

__all__ = ["marginals", "tabulate"]

# The trapezoid rule over a residual: sds to either side, nodes for each sd of the narrower factor, nodes at most.
_REACH = 5.5
_NODES_PER_SD = 2.0
_MOST_NODES = 401


@numba.njit(cache=True, nogil=True)
def tabulate(at, taus, knots_per_sd, lo, step, knots, slopes):
    """Return log integrals over a residual at the knots `at`, shape (size, knots), and residual sds `taus`."""
    size, count = at.shape
    out = np.empty((size, count, taus.shape[1]))
    scratch = np.empty(_MOST_NODES)
    for i in range(size):
        for k in range(count):
            for m in range(taus.shape[1]):
                out[i, k, m] = _smooth(
                    at[i, k], taus[i, m], step[i] * knots_per_sd, lo[i], step[i], knots[i], slopes[i], scratch
                )
    return out


@numba.njit(cache=True, nogil=True)
def _blend(log_total, middle, half, out):
    """Write the barycentric weights of the Chebyshev nodes at a log total variance."""
    u = (log_total - middle) / half
    total = 0.0
    for m in range(out.shape[0]):
        angle = np.pi * (m + 0.5) / out.shape[0]
        away = u - np.cos(angle)
        if abs(away) < 1e-14:
            out[:] = 0.0
            out[m] = 1.0
            return
        out[m] = (-1.0) ** m * np.sin(angle) / away
        total += out[m]
    for m in range(out.shape[0]):
        out[m] /= total


@numba.njit(cache=True, nogil=True)
def _smooth(f, tau, sd, lo, step, knots, slopes, scratch):
    """Log of the integral of ``L(g) N(g; f, tau^2)`` over g, for a table of L of width `sd`, by the trapezoid rule."""
    if tau <= 0.0:
        return table_value(lo, step, knots, slopes, f)
    half = min(int(np.ceil(_REACH * _NODES_PER_SD * max(1.0, tau / sd))), scratch.shape[0] // 2)
    spacing = _REACH / half
    top = -np.inf
    for q in range(2 * half + 1):
        z = spacing * (q - half)
        scratch[q] = table_value(lo, step, knots, slopes, f + tau * z) - 0.5 * z * z
        top = max(top, scratch[q])
    total = 0.0
    for q in range(2 * half + 1):
        total += np.exp(scratch[q] - top)
    return top + np.log(total * spacing / np.sqrt(2.0 * np.pi))


@numba.njit(cache=True, nogil=True)
def _integrand(
    s,
    b,
    k,
    least,
    line,
    first,
    members,
    nodes,
    node_weight,
    blur_lo,
    blur_step,
    blur_knots,
    blur_slopes,
    blends,
):
    """Log of a block's integrand at node `k`, or an upper bound of it that is below `least`.

    The tables are blended and interpolated by cubic Hermite polynomials, linearly outside their range.
    """
    count, width = blur_knots.shape[1], blends.shape[1]
    total = node_weight[k]
    for j in range(first[b], first[b + 1]):
        # Likelihoods are below one: what is negligible already only falls further.
        if total < least:
            break
        spacing = blur_step[j]
        u = (nodes[k] + line[s, members[j]] - blur_lo[j]) / spacing
        cell = min(max(int(u), 0), count - 2)
        t = u - cell
        if u <= 0.0:
            h0, h1, g0, g1 = 1.0, 0.0, u * spacing, 0.0
        elif u >= count - 1.0:
            h0, h1, g0, g1 = 0.0, 1.0, 0.0, (t - 1.0) * spacing
        else:
            h1 = t * t * (3.0 - 2.0 * t)
            h0 = 1.0 - h1
            g0 = t * (1.0 - t) * (1.0 - t) * spacing
            g1 = t * t * (t - 1.0) * spacing
        for m in range(width):
            total += blends[j, m] * (
                h0 * blur_knots[j, cell, m]
                + h1 * blur_knots[j, cell + 1, m]
                + g0 * blur_slopes[j, cell, m]
                + g1 * blur_slopes[j, cell + 1, m]
            )
    return total


@numba.njit(cache=True, nogil=True)
def marginals(
    line, tau, knots_per_sd, negligible, nodes_per_sd, base_sd, blur_middle, blur_half, blur_lo, blur_step, blur_knots,
    blur_slopes, single, lo, step, knots, slopes, reach, first, members, node_first, nodes, node_weight,
):  # fmt: skip
    """Return every row's log likelihood at linear predictors, shape (draws, n); a block's stands at its first row.

    Parameters
    ----------
    line : ndarray, shape (draws, n)
        Linear predictors.
    tau : ndarray, shape (draws,)
        Residual sds.
    base_sd : ndarray, shape (blocks,)
        Posterior sd of every shared baseline.
    blur_middle, blur_half, blur_lo, blur_step, blur_knots, blur_slopes
        Tables of the inner integrals, see `binomial_marginal`.
    """
    draws, n = line.shape
    out = np.zeros((draws, n))
    scratch = np.empty(_MOST_NODES)
    for i in range(n):
        if single[i] == 1:
            for s in range(draws):
                out[s, i] = _smooth(
                    line[s, i], tau[s], step[i] * knots_per_sd, lo[i], step[i], knots[i], slopes[i], scratch
                )
    # Block by block, so that its tables stay in the cache.
    blends = np.empty((members.shape[0], blur_knots.shape[2]))
    for b in range(first.shape[0] - 1):
        begin, end = node_first[b], node_first[b + 1]
        spacing = nodes[begin + 1] - nodes[begin]
        share = nodes_per_sd * np.sqrt(1.0 + first[b + 1] - first[b]) * spacing
        for s in range(draws):
            # The nodes at which every factor counts, as far apart as the narrowest factor allows.
            low, high = nodes[begin], nodes[end - 1]
            narrowest = base_sd[b]
            for j in range(first[b], first[b + 1]):
                i = members[j]
                total = (step[i] * knots_per_sd) ** 2 + tau[s] * tau[s]
                _blend(np.log(total), blur_middle[j], blur_half[j], blends[j])
                low = max(low, reach[i, 0] - line[s, i] - 6.0 * tau[s])
                high = min(high, reach[i, 1] - line[s, i] + 6.0 * tau[s])
                narrowest = min(narrowest, np.sqrt(total))
            start = begin + max(int(np.floor((low - nodes[begin]) / spacing)), 0)
            stop = begin + min(int(np.ceil((high - nodes[begin]) / spacing)) + 1, end - begin)
            if stop - start < 4:
                start, stop = begin, end
            stride = max(int(narrowest / share), 1)
            # A coarse look for the peak, then outwards from it until nothing is left.
            top, peak = -np.inf, start
            for k in range(start, stop, 8 * stride):
                value = _integrand(
                    s, b, k, top - negligible, line, first, members, nodes, node_weight, blur_lo, blur_step, blur_knots,
                    blur_slopes, blends,
                )  # fmt: skip
                if value > top:
                    top, peak = value, k
            norm = 0.0
            for direction in (1, -1):
                k = peak if direction == 1 else peak - stride
                while begin <= k < end:
                    value = _integrand(
                        s, b, k, top - negligible, line, first, members, nodes, node_weight, blur_lo, blur_step,
                        blur_knots, blur_slopes, blends,
                    )  # fmt: skip
                    if value < top - negligible:
                        break
                    norm += np.exp(value - top)
                    k += direction * stride
            out[s, members[first[b]]] = top + np.log(norm * stride)
    return out
