r"""The binomial likelihood of every row given its linear predictor, the residual integrated out.

For a row with its own baseline, :math:`\log \int L(g)\, N(g; f, \tau^2)\, dg` by the trapezoid rule on the table
of ``L``; for rows that share a baseline, the same rule over the baseline's log-odds with one such
integral for each intermediate model inside. These inner integrals are tabulated once, at Chebyshev nodes in the log
of the total variance, for draws of similar residual sds together.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from gainlaw._threads import in_threads
from gainlaw.hierarchy.binomial_marginal_kernels import marginals, tabulate
from gainlaw.hierarchy.binomial_tables import KNOTS_PER_SD, NODES_PER_SD, BinomialTables

__all__ = ["row_log_marginals"]

Float = NDArray[np.float64]

# Chebyshev nodes in the log of the total variance, and the longest range that one set of them has to cover.
VARIANCES = 6
_SPAN = 1.5
# Of a shared baseline's nodes, those whose integrand is below exp(-this) of the largest are left out.
_NEGLIGIBLE = 24.0


def row_log_marginals(tables: BinomialTables, line: Float, tau: Float) -> Float:
    """Return each row's log likelihood, up to a constant; that of rows with a shared baseline stands at the first.

    Parameters
    ----------
    tables : BinomialTables
        Tabulated likelihoods.
    line : ndarray, shape (draws, n)
        Linear predictors.
    tau : ndarray, shape (draws,)
        Residual sds; 0 for none.

    Returns
    -------
    ndarray, shape (draws, n)
    """
    base_sd = _base_sds(tables)
    out = np.empty_like(line)
    for draws in _similar(tables, tau):
        blurred = _blur(tables, tau[draws])

        def part(
            rows: slice, draws: NDArray[np.int64] = draws, blurred: tuple[Float, ...] = blurred
        ) -> Float:
            chosen = draws[rows]
            return marginals(
                line[chosen],
                tau[chosen],
                KNOTS_PER_SD,
                _NEGLIGIBLE,
                NODES_PER_SD,
                base_sd,
                *blurred,
                *tables.arrays(),
            )

        out[draws] = in_threads(part, len(draws))
    return out


def _base_sds(tables: BinomialTables) -> Float:
    """Return the posterior sd of every shared baseline's log-odds."""
    sds = []
    for a, b in itertools.pairwise(tables.node_first):
        weight, at = np.exp(tables.node_weight[a:b]), tables.nodes[a:b]
        sds.append(np.sqrt(weight @ (at - weight @ at) ** 2))
    return np.array(sds)


def _similar(tables: BinomialTables, tau: Float) -> list[NDArray[np.int64]]:
    """Return sets of draws between which no row's log total variance differs by more than `_SPAN`."""
    if not len(tables.members):
        return [np.arange(len(tau))]
    least = float(tables.step[tables.members].min()) * KNOTS_PER_SD
    level = np.floor(np.log1p((tau / least) ** 2) / _SPAN).astype(int)
    return [np.flatnonzero(level == each) for each in np.unique(level)]


def _blur(tables: BinomialTables, tau: Float) -> tuple[Float, ...]:
    """Tabulate the inner integrals of rows that share a baseline over the residual sds that occur.

    Returns
    -------
    centre, half : ndarray, shape (members,)
        Middle and half length of each row's range of log total variance.
    lo, step : ndarray, shape (members,)
        First knot and spacing.
    knots, slopes : ndarray, shape (members, knots, VARIANCES)
        Log integrals and their derivatives.
    """
    rows = tables.members
    count, size = tables.knots.shape[1], len(rows)
    sd = tables.step[rows] * KNOTS_PER_SD
    low, high = np.log(sd**2 + tau.min() ** 2), np.log(sd**2 + tau.max() ** 2)
    middle, half = 0.5 * (low + high), np.maximum(0.5 * (high - low), 1e-6)
    narrow, wide = np.exp(0.5 * low), np.exp(0.5 * high)
    step = np.maximum(narrow / 8.0, 12.0 * wide / count)
    lo = tables.lo[rows] + tables.step[rows] * count / 2 - step * count / 2
    at = lo[:, None] + step[:, None] * np.arange(count)
    total = np.exp(middle[:, None] + half[:, None] * _chebyshev())
    taus = np.sqrt(np.maximum(total - sd[:, None] ** 2, 0.0))

    def part(inside: slice) -> Float:
        chosen = rows[inside]
        return tabulate(
            at[inside], taus[inside], KNOTS_PER_SD, tables.lo[chosen], tables.step[chosen], tables.knots[chosen],
            tables.slopes[chosen],
        )  # fmt: skip

    knots = in_threads(part, size) if size else np.zeros((0, count, VARIANCES))
    slopes = np.gradient(knots, axis=1, edge_order=2) if size else knots.copy()
    # Differences of fourth order where there are neighbours for them.
    slopes[:, 2:-2] = (8.0 * (knots[:, 3:-1] - knots[:, 1:-3]) - (knots[:, 4:] - knots[:, :-4])) / 12.0
    return middle, half, lo, step, knots, slopes / step[:, None, None]


def _chebyshev() -> Float:
    return np.cos(np.pi * (np.arange(VARIANCES) + 0.5) / VARIANCES)
