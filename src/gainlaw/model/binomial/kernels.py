r"""Compiled kernels of the binomial model on the log-odds scale.

Baseline and intermediate counts are ``k0 ~ Bin(n0, p(eta))`` and ``k1 ~ Bin(n1, p(eta + gain))`` with the
chance-floored link ``p(eta) = c + (1 - c) logistic(eta)``. A pair with its own baseline enters through a table of
``log L(gain)``, the baseline integrated out; pairs that share a baseline enter together, by the trapezoid rule over
the shared ``eta`` (exponentially accurate for these integrands) and tables of each intermediate's log likelihood.

The sampler moves in ``zeta``: coefficients are an affine map of it chosen at the posterior mode, and each row's
residual follows exactly from ``zeta`` and the residual sd, so that the geometry is close to a standard normal. Any
map gives the same posterior; a poor one only costs time.
"""

from __future__ import annotations

import numba
import numpy as np

from gainlaw.model.binomial.quadrature import table_slope, table_value
from gainlaw.model.gaussian.packed import lift_of, unpack

__all__ = ["binomial_joint", "effects_of", "likelihood"]


@numba.njit(cache=True)
def _window(b, gain, rows, shared):
    """Return the first node and the number of nodes at which no factor of a block's integrand is negligible.

    Where there is no such node (gains far from anything the counts allow) all of them are used.
    """
    begin, end, nodes = shared.node_first[b], shared.node_first[b + 1], shared.nodes
    low, high = nodes[begin], nodes[end - 1]
    for j in range(shared.first[b], shared.first[b + 1]):
        i = shared.members[j]
        low = max(low, rows.reach[i, 0] - gain[i])
        high = min(high, rows.reach[i, 1] - gain[i])
    spacing = nodes[begin + 1] - nodes[begin]
    start = max(int(np.floor((low - nodes[begin]) / spacing)), 0)
    stop = min(int(np.ceil((high - nodes[begin]) / spacing)) + 1, end - begin)
    if stop - start < 4:
        return begin, end - begin
    return begin + start, stop - start


@numba.njit(cache=True)
def likelihood(gain, rows, shared, gradient, row_value):
    """Return the log likelihood of all gains; add its gradient to `gradient` and write each row's share.

    A block's likelihood stands in `row_value` at its first row, 0 at the others.

    Parameters
    ----------
    gain, gradient, row_value : ndarray, shape (n,)
        Gains; what is added to and written.
    rows, shared
        See `BinomialTables`.
    """
    lo, step, knots, slopes = rows.lo, rows.step, rows.knots, rows.slopes
    first, members, nodes = shared.first, shared.members, shared.nodes
    total = 0.0
    for i in range(gain.shape[0]):
        if rows.single[i] == 1:
            f = table_value(lo[i], step[i], knots[i], slopes[i], gain[i])
            total += f
            row_value[i] = f
            gradient[i] += table_slope(lo[i], step[i], knots[i], slopes[i], gain[i])
    for b in range(first.shape[0] - 1):
        begin, count = _window(b, gain, rows, shared)
        logs = shared.node_weight[begin : begin + count].copy()
        for j in range(first[b], first[b + 1]):
            i = members[j]
            for k in range(count):
                logs[k] += table_value(lo[i], step[i], knots[i], slopes[i], nodes[begin + k] + gain[i])
        top = logs.max()
        norm = 0.0
        for k in range(count):
            logs[k] = np.exp(logs[k] - top)
            norm += logs[k]
        total += top + np.log(norm)
        row_value[members[first[b]]] = top + np.log(norm)
        for j in range(first[b], first[b + 1]):
            i = members[j]
            pull = 0.0
            for k in range(count):
                # Nodes of no weight need no derivative: what is left out is below the rule's own error.
                if logs[k] > 1e-12:
                    pull += logs[k] * table_slope(
                        lo[i], step[i], knots[i], slopes[i], nodes[begin + k] + gain[i]
                    )
            gradient[i] += pull / norm
    return total


@numba.njit(cache=True)
def _pulled(coordinate, sd, anchor, anchor_variance):
    """Map a coordinate to an effect with prior sd `sd` and a fixed pseudo-observation of it.

    The map is the Gaussian posterior's, so it turns from standardised to plain effects as the sd grows past the
    information. Return the effect, its spread, and the derivatives of the effect and of the log spread in `sd`.
    """
    total = anchor_variance + sd * sd
    share = sd * sd / total
    spread = np.sqrt(anchor_variance * share)
    relative = anchor_variance / (sd * total)
    effect = share * anchor + spread * coordinate
    return effect, spread, 2.0 * share * relative * anchor + spread * relative * coordinate, relative


@numba.njit(cache=True)
def _effects(coordinates, scales, matrix, geometry, out):
    """Turn coordinates into effects; return their log prior density in the coordinates (no constants)."""
    tau0, tau1, rho = scales.intercept, scales.slope, scales.correlation
    starts, slopes, sizes = matrix.starts, matrix.slopes, matrix.sizes
    anchor, anchor_variance = geometry.anchor, geometry.anchor_variance
    log_prior = 0.0
    for b in range(starts.shape[0]):
        root = np.sqrt(1.0 - rho[b] ** 2)
        for g in range(sizes[b]):
            i = starts[b] + g
            effect, spread, _, _ = _pulled(coordinates[i], tau0[b], anchor[i], anchor_variance[i])
            first = effect / tau0[b]
            out[i] = effect
            log_prior += np.log(spread / tau0[b]) - 0.5 * first * first
            if slopes[b] >= 0:
                j = slopes[b] + g
                own = tau1[b] * root
                effect, spread, _, _ = _pulled(coordinates[j], own, anchor[j], anchor_variance[j])
                out[j] = tau1[b] * rho[b] * first + effect
                log_prior += np.log(spread / own) - 0.5 * (effect / own) ** 2
    return log_prior


@numba.njit(cache=True)
def _effects_gradient(coordinates, pull, scales, matrix, geometry, out, gradient):
    """Write the gradient of the log density in the coordinates and add that in the scales.

    `pull` is the gradient of the likelihood in the effects.
    """
    tau0, tau1, rho = scales.intercept, scales.slope, scales.correlation
    starts, slopes, sizes = matrix.starts, matrix.slopes, matrix.sizes
    anchor, anchor_variance = geometry.anchor, geometry.anchor_variance
    n_blocks = starts.shape[0]
    for b in range(n_blocks):
        root = np.sqrt(1.0 - rho[b] ** 2)
        for g in range(sizes[b]):
            i = starts[b] + g
            effect, spread, steep, relative = _pulled(coordinates[i], tau0[b], anchor[i], anchor_variance[i])
            first = effect / tau0[b]
            down = pull[i] - first / tau0[b]
            if slopes[b] >= 0:
                j = slopes[b] + g
                own = tau1[b] * root
                w, w_spread, w_steep, w_relative = _pulled(coordinates[j], own, anchor[j], anchor_variance[j])
                w_down = pull[j] - w / own**2
                out[j] = w_down * w_spread
                g_own = (w * w / own**2 - 1.0) / own + w_relative + w_down * w_steep
                gradient[n_blocks + b] += g_own * root + pull[j] * rho[b] * first
                gradient[2 * n_blocks + b] += pull[j] * tau1[b] * first - g_own * tau1[b] * rho[b] / root
                along = pull[j] * tau1[b] * rho[b] / tau0[b]
                down += along
                gradient[b] -= along * first
            out[i] = down * spread
            gradient[b] += (first * first - 1.0) / tau0[b] + relative + down * steep


@numba.njit(cache=True)
def _rotate(vector, geometry, shared, transposed):
    """Multiply every block's part of `vector` in place by its orthogonal matrix ``Q'``, or ``Q``."""
    turns, turn_first = geometry.turns, geometry.turn_first
    first, members = shared.first, shared.members
    for b in range(first.shape[0] - 1):
        size = first[b + 1] - first[b]
        part = np.empty(size)
        for a in range(size):
            total = 0.0
            for k in range(size):
                entry = (
                    turns[turn_first[b] + k * size + a] if transposed else turns[turn_first[b] + a * size + k]
                )
                total += entry * vector[members[first[b] + k]]
            part[a] = total
        for a in range(size):
            vector[members[first[b] + a]] = part[a]


@numba.njit(cache=True, nogil=True)
def binomial_joint(packed, model):
    """Return the log joint density of counts, residuals and coefficients, with its gradient.

    Parameters
    ----------
    packed : ndarray, shape (3 * n_blocks + 1 + n + q + n,), or n longer for a law that lifts
        The hyperparameters as in `packed.Scales`, then ``zeta`` of the coefficients and the residuals.
    model : BinomialModel
        Counts, model matrix and coordinates.
    """
    offset, slope_mean, matrix, geometry = model.offset, model.slope_mean, model.matrix, model.geometry
    rows, shared = model.rows, model.shared
    block, group, value = matrix.block, matrix.group, matrix.value
    starts, slopes, lifted = matrix.starts, matrix.slopes, matrix.lifted
    site, site_variance, spread = geometry.site, geometry.site_variance, geometry.spread
    n, q, n_blocks = offset.shape[0], geometry.anchor.shape[0], starts.shape[0]
    start = 3 * n_blocks + 1
    first = packed.shape[0] - n - q
    scales = unpack(packed[:first], n_blocks)
    tau, h = scales.residual, scales.shape
    lifts = h.shape[0] > n
    zeta = packed[first : first + q]
    noise = packed[first + q :]
    coordinates = spread @ zeta
    effects = np.empty(q)
    total = _effects(coordinates, scales, matrix, geometry, effects)
    line = np.empty(n)
    gain = np.empty(n)
    for i in range(n):
        f = offset[i] + slope_mean * h[i]
        for k in range(block.shape[1]):
            b, v = block[i, k], value[i, k]
            if lifted[b]:
                v *= lift_of(i, n, h)
            f += v * effects[starts[b] + group[i, k]]
            if slopes[b] >= 0:
                f += v * h[i] * effects[slopes[b] + group[i, k]]
        line[i] = f
    # Rows that share a baseline move along the axes of their common uncertainty.
    _rotate(line, geometry, shared, False)
    for i in range(n):
        if tau > 0.0:
            v, t2 = site_variance[i], tau * tau
            s = t2 / (v + t2)
            d = s * (site[i] - line[i]) + np.sqrt(v * s) * noise[i]
            gain[i] = line[i] + d
            total += 0.5 * np.log(v * s) - np.log(tau) - 0.5 * d * d / t2
        else:
            gain[i] = line[i]
            total -= 0.5 * noise[i] ** 2
    _rotate(gain, geometry, shared, True)
    g_gain = np.zeros(n)
    total += likelihood(gain, rows, shared, g_gain, np.zeros(n))
    _rotate(gain, geometry, shared, False)
    _rotate(g_gain, geometry, shared, False)
    gradient = np.zeros(packed.shape[0])
    pull = np.zeros(q)
    for i in range(n):
        if tau > 0.0:
            v, t2 = site_variance[i], tau * tau
            s = t2 / (v + t2)
            sd = np.sqrt(v * s)
            away = site[i] - line[i]
            d = gain[i] - line[i]
            ds = 2.0 * tau * v / (v + t2) ** 2
            dsd = tau * v * v / ((v + t2) ** 2 * sd)
            dd = ds * away + dsd * noise[i]
            gradient[3 * n_blocks] += (
                -1.0 / tau + d * d / (t2 * tau) - d * dd / t2 + dsd / sd + g_gain[i] * dd
            )
            gradient[first + q + i] = sd * (g_gain[i] - d / t2)
            g_gain[i] = (1.0 - s) * g_gain[i] + s * d / t2
        else:
            gradient[first + q + i] = -noise[i]
    _rotate(g_gain, geometry, shared, True)
    for i in range(n):
        g_line = g_gain[i]
        dh, down_lift = g_line * slope_mean, 0.0
        for k in range(block.shape[1]):
            b, v = block[i, k], value[i, k]
            if lifted[b]:
                own = effects[starts[b] + group[i, k]]
                if slopes[b] >= 0:
                    own += h[i] * effects[slopes[b] + group[i, k]]
                down_lift += g_line * v * own
                v *= lift_of(i, n, h)
            pull[starts[b] + group[i, k]] += g_line * v
            if slopes[b] >= 0:
                j = slopes[b] + group[i, k]
                pull[j] += g_line * v * h[i]
                dh += g_line * v * effects[j]
        gradient[start + i] = dh
        if lifts:
            gradient[start + n + i] = down_lift
    down = np.zeros(q)
    _effects_gradient(coordinates, pull, scales, matrix, geometry, down, gradient)
    gradient[first : first + q] = spread.T @ down
    return total, gradient


@numba.njit(cache=True)
def effects_of(packed, model):
    """Return the effects, shape (draws, q), of packed draws."""
    n_blocks, n, q = model.matrix.starts.shape[0], model.offset.shape[0], model.geometry.anchor.shape[0]
    start = packed.shape[1] - q - n
    effects = np.empty((packed.shape[0], q))
    for s in range(packed.shape[0]):
        coordinates = model.geometry.spread @ packed[s, start : start + q]
        _effects(coordinates, unpack(packed[s], n_blocks), model.matrix, model.geometry, effects[s])
    return effects
