"""Tabulated likelihoods of pairs of counts: computed once, read by every kernel of the binomial model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gainlaw._threads import fill_in_threads
from gainlaw.model.binomial.quadrature import BASELINE_SD, fill_base, fill_tables, quadrature
from gainlaw.scores.gains.table import Gains

__all__ = ["BinomialTables", "build_tables"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

KNOTS = 320
# Knots per posterior sd of a table; the cubic's error is then below 1e-5 wherever the likelihood matters.
KNOTS_PER_SD = 8.0
# The chance-corrected log-odds of any accuracy that counts can tell from the floor or the ceiling lie well inside.
ETA_LIMIT = 16.0
# Trapezoid nodes per sd of the narrowest factor: the rule's error falls like exp(-2 pi^2 (sd / step)^2).
NODES_PER_SD = 1.25


@dataclass(frozen=True, slots=True, eq=False)
class BinomialTables:
    """Tabulated likelihoods of every row, and the quadrature of rows that share a baseline.

    Parameters
    ----------
    single : ndarray of int, shape (n,)
        1 where the row has its baseline to itself.
    lo, step : ndarray, shape (n,)
        First knot and spacing of each row's table.
    knots, slopes : ndarray, shape (n, KNOTS)
        Log likelihood and its derivative: in the gain for a single row, in the intermediate model's log-odds for a
        row in a block.
    reach : ndarray, shape (n, 2)
        For a row in a block: the log-odds between which the intermediate counts have a likelihood worth counting.
    first, members : ndarray of int
        Rows of block b: ``members[first[b]:first[b + 1]]``.
    node_first : ndarray of int
        Nodes of block b: ``node_first[b]:node_first[b + 1]``.
    nodes, node_weight : ndarray
        Baseline log-odds and log weights (log posterior of the baseline plus log spacing).
    base, base_lo, base_step : ndarray, shape (blocks, 2), (blocks,), (blocks,)
        Mean and sd of each shared baseline's log-odds; first knot and spacing of the table of its log density.
    base_knots, base_slopes : ndarray, shape (blocks, KNOTS)
        Log posterior density of each shared baseline's log-odds and its derivative.
    centre, width : ndarray, shape (n,)
        Middle and posterior sd of what each row's table is a table of.
    site, site_variance : ndarray, shape (n,)
        Mean and variance of the gain under its likelihood alone and a wide prior.
    """

    single: Int
    lo: Float
    step: Float
    knots: Float
    slopes: Float
    reach: Float
    first: Int
    members: Int
    node_first: Int
    nodes: Float
    node_weight: Float
    base: Float
    base_lo: Float
    base_step: Float
    base_knots: Float
    base_slopes: Float
    centre: Float
    width: Float
    site: Float
    site_variance: Float

    def arrays(self) -> tuple[NDArray, ...]:
        """Return the arrays in the order in which the kernels take them."""
        return (
            self.single,
            self.lo,
            self.step,
            self.knots,
            self.slopes,
            self.reach,
            self.first,
            self.members,
            self.node_first,
            self.nodes,
            self.node_weight,
        )


def build_tables(gains: Gains, baseline: tuple[float, float] = (0.0, BASELINE_SD)) -> BinomialTables:
    """Tabulate the likelihood of every gain.

    Parameters
    ----------
    gains : Gains
        Gains on the log-odds scale with counts and chance levels, or the scores behind them (`joint.scores_of`).
    baseline : tuple of (float, float)
        Mean and sd of the normal prior of the baselines' log-odds.
    """
    prior = (float(baseline[0]), float(baseline[1]))
    frame = gains.frame
    k0, n0, k1, n1, c = (
        frame[name].to_numpy(dtype=float)
        for name in ("k_baseline", "n_baseline", "k_intermediate", "n_intermediate", "chance")
    )
    n = len(frame)
    # Scores have a likelihood of their own; where nothing is compared, nothing is shared.
    scores = "role" in frame.columns
    blocked = () if scores else gains.covariance.blocks
    single = np.zeros(n, dtype=np.int64) if scores else np.ones(n, dtype=np.int64)
    for rows, _ in blocked:
        single[rows] = 0
    lo, step, reach, about = np.empty(n), np.empty(n), np.zeros((n, 2)), np.empty((n, 4))
    knots, slopes = np.empty((n, KNOTS)), np.empty((n, KNOTS))

    def part(i: slice) -> None:
        fill_tables(
            k0[i], n0[i], k1[i], n1[i], c[i], prior, single[i], ETA_LIMIT, KNOTS_PER_SD, NODES_PER_SD,
            lo[i], step[i], knots[i], slopes[i], reach[i], about[i],
        )  # fmt: skip

    fill_in_threads(part, n)
    mean0, sd0, mean1, sd1 = about.T
    if scores:
        single[:], mean0, sd0 = 1, np.zeros(n), np.zeros(n)
    groups = [np.asarray(rows, dtype=np.int64) for rows, _ in blocked]
    firsts = np.array([rows[0] for rows in groups], dtype=np.int64)
    blocks = len(groups)
    base_lo, base_step = np.empty(blocks), np.empty(blocks)
    base_knots, base_slopes = np.empty((blocks, KNOTS)), np.empty((blocks, KNOTS))
    nodes, weights = [np.zeros(0)], [np.zeros(0)]
    for b, (a, rows) in enumerate(zip(firsts, groups, strict=True)):
        own = (k0[a], n0[a], c[a], prior, ETA_LIMIT, mean0[a], sd0[a])
        spacing = min(sd0[a], sd1[rows].min()) / NODES_PER_SD / np.sqrt(1.0 + len(rows))
        at, log_weight = quadrature(*own, spacing)
        nodes.append(at)
        weights.append(log_weight)
        base_lo[b], base_step[b] = fill_base(*own, base_knots[b], base_slopes[b])
    alone = single == 1
    return BinomialTables(
        single=single,
        lo=lo,
        step=step,
        knots=knots,
        slopes=slopes,
        reach=reach,
        first=np.cumsum([0, *(len(rows) for rows in groups)]),
        members=np.concatenate([np.zeros(0, dtype=np.int64), *groups]),
        node_first=np.cumsum([len(each) for each in nodes]),
        nodes=np.concatenate(nodes),
        node_weight=np.concatenate(weights),
        base=np.stack([mean0[firsts], sd0[firsts]], axis=1),
        base_lo=base_lo,
        base_step=base_step,
        base_knots=base_knots,
        base_slopes=base_slopes,
        centre=np.where(alone, mean1 - mean0, mean1),
        width=np.where(alone, np.hypot(sd0, sd1), sd1),
        site=mean1 - mean0,
        site_variance=sd0**2 + sd1**2,
    )
