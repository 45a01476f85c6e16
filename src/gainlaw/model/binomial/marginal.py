r"""The binomial likelihood of every row given its linear predictor, the residual integrated out.

For a row with its own baseline, :math:`\log \int L(g)\, N(g; f, \tau^2)\, dg`; for rows that share a baseline, the
integral over the baseline's log-odds of its density times one such integral for each intermediate model. The inner
integrals are tabulated over the linear predictors and, at Chebyshev nodes, over the residual sds that occur, for
draws of similar residual sds together; the outer ones are done by the trapezoid rule, which is exponentially accurate
for such integrands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gainlaw._threads import fill_in_threads, in_threads, pieces
from gainlaw.model.binomial.marginal_kernels import VARIANCES, marginals, tabulate
from gainlaw.model.binomial.records import BinomialTables, Blurred
from gainlaw.model.effects import Lines

__all__ = ["row_log_marginals", "total_log_marginals"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Less = Callable[[Float, Float], Float]
Evaluate = Callable[[slice], tuple[Float, Float]]
Kept = dict[bytes, tuple[Float, Float, Blurred]]

# The longest range of the log of the total variance that one set of Chebyshev nodes has to cover.
_SPAN = 0.3
# Knots for each sd of the narrowest integral, and the most of one row.
_KNOTS_PER_SD = 5.0
_MOST_KNOTS = 512
# With fewer draws than this, rows with their own baseline do without tables.
_FEW = 32
# Tables to be used again reach this share of their range further to either side, and have no more floats than this.
_MARGIN = 0.15
_MOST_KEPT = 10_000_000
# Draws whose linear predictors are held at a time, by each thread.
_TOGETHER = 256
# Sds of a shared baseline within which its tables serve; beyond they are continued as straight lines.
_BASE_SDS = 7.0


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
    out = np.empty_like(line)

    def lines(draws: Int) -> Float:
        return line[draws]

    def store(draws: Int, evaluate: Evaluate, inside: slice) -> None:
        out[draws[inside]] = evaluate(inside)[0]

    for draws, evaluate in _sets(tables, lines, tau, apart=True):
        fill_in_threads(partial(store, draws, evaluate), len(draws))
    return out


def total_log_marginals(
    tables: BinomialTables, lines: Lines, tau: Float, less: Less, kept: Kept | None = None
) -> Float:
    """Return the log likelihood of all rows together, less another density of them, shape (draws,).

    Parameters
    ----------
    tables : BinomialTables
        Tabulated likelihoods.
    lines : callable
        Returns the linear predictors, shape (m, n), of some draws, an array of m indices. They are asked for a few at
        a time, and twice, so that those of all draws need never be held at once.
    tau : ndarray, shape (draws,)
        Residual sds; 0 for none.
    less : callable
        Returns the log density to subtract, shape (m,), at linear predictors and residual sds of m draws.
    kept : dict, optional
        Integrals over residuals of earlier calls, which serve again where they reach; those made here are added.
    """
    out = np.empty(len(tau))

    def store(draws: Int, evaluate: Evaluate, inside: slice) -> None:
        for some in pieces(inside, _TOGETHER):
            exact, line = evaluate(some)
            out[draws[some]] = exact[:, 0] - less(line, tau[draws[some]])

    for draws, evaluate in _sets(tables, lines, tau, apart=False, kept=kept):
        fill_in_threads(partial(store, draws, evaluate), len(draws))
    return out


def _sets(
    tables: BinomialTables, lines: Lines, tau: Float, *, apart: bool, kept: Kept | None = None
) -> Iterator[tuple[Int, Evaluate]]:
    """Yield sets of draws, and for each a function of a slice of it: log likelihoods, and linear predictors."""
    for draws in _similar(tables, tau):
        direct = len(draws) < _FEW
        nodes, blend = _blend(tables, tau[draws], whole=kept is not None)
        ends = _ends(lines, draws)
        if kept is None:
            blurred = _blur(tables, *ends, nodes, direct=direct)
        else:
            blurred = _kept(tables, *ends, nodes, kept)
            direct = False

        def evaluate(
            inside: slice,
            draws: Int = draws,
            blend: Float = blend,
            direct: bool = direct,
            blurred: Blurred = blurred,
        ) -> tuple[Float, Float]:
            chosen = draws[inside]
            line = lines(chosen)
            exact = marginals(line, tau[chosen], blend[inside], tables, blurred, int(apart), int(direct))
            return exact, line

        yield draws, evaluate


def _kept(tables: BinomialTables, low: Float, high: Float, nodes: Float, kept: Kept) -> Blurred:
    """Return tables that reach from `low` to `high` from those at hand, or make and keep them."""
    key = nodes.tobytes()
    if key in kept:
        lowest, highest, found = kept[key]
        if (low >= lowest).all() and (high <= highest).all():
            return found
        low, high = np.minimum(low, lowest), np.maximum(high, highest)
    room = _MARGIN * (high - low)
    low, high = low - room, high + room
    made = _blur(tables, low.copy(), high.copy(), nodes, direct=False)
    if made.table.size <= _MOST_KEPT:
        kept[key] = low, high, made
    return made


def _ends(lines: Lines, draws: Int) -> tuple[Float, Float]:
    """Return the smallest and the largest linear predictor of every row."""

    def part(inside: slice) -> Float:
        ends = []
        for some in pieces(inside, _TOGETHER):
            line = lines(draws[some])
            ends.append((line.min(axis=0), line.max(axis=0)))
        return np.array(ends)

    ends = in_threads(part, len(draws))
    return ends[:, 0].min(axis=0), ends[:, 1].max(axis=0)


def _similar(tables: BinomialTables, tau: Float) -> list[Int]:
    """Return sets of draws between which no row's log total variance differs by more than `_SPAN`."""
    level = np.floor(np.log1p((tau / tables.rows.width.min()) ** 2) / _SPAN).astype(int)
    return [np.flatnonzero(level == each) for each in np.unique(level)]


def _blend(tables: BinomialTables, tau: Float, *, whole: bool) -> tuple[Float, Float]:
    """Return residual sds for tables, and each draw's weights of the tables, shape (draws, width).

    The nodes are Chebyshev's in the log of the total variance of the narrowest row, the weights barycentric. They
    span the draws, or, if they are to serve others, the `whole` set that such draws belong to, see `_similar`.
    """
    shift = float(tables.rows.width.min()) ** 2
    level = np.log(shift + tau**2)
    low, high = float(level.min()), float(level.max())
    if high - low < 1e-9 and (not whole or tau[0] == 0.0):
        return tau[:1].copy(), np.tile(np.eye(VARIANCES)[0], (len(tau), 1))
    if whole:
        low = np.log(shift) + _SPAN * np.floor(np.log1p((tau[0] / tables.rows.width.min()) ** 2) / _SPAN)
        high = low + _SPAN
    angles = np.pi * (np.arange(VARIANCES) + 0.5) / VARIANCES
    nodes = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(angles)
    away = level[:, None] - nodes
    # A draw on a node would divide by zero: it is moved off by less than matters.
    away = np.where(np.abs(away) < 1e-12, 1e-12, away)
    weights = (-1.0) ** np.arange(VARIANCES) * np.sin(angles) / away
    return np.sqrt(np.maximum(np.exp(nodes) - shift, 0.0)), weights / weights.sum(axis=1, keepdims=True)


def _blur(tables: BinomialTables, low: Float, high: Float, taus: Float, *, direct: bool) -> Blurred:
    """Tabulate the integrals over a residual where the draws need them."""
    rows, shared = tables.rows, tables.shared
    members, sizes = shared.members, np.diff(shared.first)
    reach = _BASE_SDS * np.repeat(shared.sd, sizes)
    middle = np.repeat(shared.mean, sizes)
    # Far from its likelihood a row's integrand counts for nothing.
    ends = rows.lo + rows.step * rows.knots.shape[1]
    low[members] = np.maximum(low[members] + middle - reach, rows.lo[members])
    high[members] = np.minimum(high[members] + middle + reach, ends[members])
    high = np.maximum(high, low + 1e-3 * rows.width)
    narrow = np.sqrt(rows.width**2 + taus.min() ** 2)
    count = np.clip(np.ceil((high - low) / narrow * _KNOTS_PER_SD).astype(np.int64) + 1, 4, _MOST_KNOTS)
    wanted = np.flatnonzero(rows.single == 0) if direct else np.arange(len(count))
    first = np.zeros(len(count) + 1, dtype=np.int64)
    first[1 + wanted] = count[wanted]
    np.cumsum(first, out=first)
    blurred = Blurred(first, low, (high - low) / (count - 1), np.zeros((first[-1], 2, VARIANCES)))
    fill_in_threads(lambda part: tabulate(wanted[part], taus, rows, blurred), len(wanted))
    return blurred
