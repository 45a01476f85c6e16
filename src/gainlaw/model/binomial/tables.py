"""Tabulated likelihoods of pairs of counts: computed once, read by every kernel of the binomial model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gainlaw._threads import fill_in_threads
from gainlaw.model.binomial.quadrature import BASELINE_SD, NODES_PER_SD, fill_base, fill_tables, quadrature
from gainlaw.model.binomial.records import BinomialTables, Pairs, RowTables, SharedBaselines
from gainlaw.scores.gains.table import Gains

__all__ = ["build_tables"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

KNOTS = 320


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
    names = ("k_baseline", "n_baseline", "k_intermediate", "n_intermediate", "chance")
    pairs = Pairs(*(np.array(frame[name], dtype=float) for name in names))
    n = len(frame)
    # Scores have a likelihood of their own; where nothing is compared, nothing is shared.
    scores = "role" in frame.columns
    blocked = () if scores else gains.covariance.blocks
    single = np.zeros(n, dtype=np.int64) if scores else np.ones(n, dtype=np.int64)
    for rows, _ in blocked:
        single[rows] = 0
    filled = RowTables(
        single=single,
        lo=np.empty(n),
        step=np.empty(n),
        knots=np.empty((n, KNOTS)),
        slopes=np.empty((n, KNOTS)),
        reach=np.zeros((n, 2)),
        centre=np.empty(n),
        width=np.empty(n),
    )
    about = np.empty((4, n))
    fill_in_threads(lambda part: fill_tables(part.start, part.stop, pairs, prior, filled, about), n)
    mean0, sd0, mean1, sd1 = about
    if scores:
        single[:], mean0, sd0 = 1, np.zeros(n), np.zeros(n)
    alone = single == 1
    filled.centre[:] = np.where(alone, mean1 - mean0, mean1)
    filled.width[:] = np.where(alone, np.hypot(sd0, sd1), sd1)
    groups = [np.asarray(rows, dtype=np.int64) for rows, _ in blocked]
    return BinomialTables(
        rows=filled,
        shared=_shared(pairs, prior, groups, mean0, sd0, sd1),
        site=mean1 - mean0,
        site_variance=sd0**2 + sd1**2,
    )


def _shared(
    pairs: Pairs, prior: tuple[float, float], groups: list[Int], mean: Float, sd: Float, others: Float
) -> SharedBaselines:
    """Return the baselines of groups of rows, from mean and sd of every row's, and sds of the intermediate models."""
    firsts = np.array([rows[0] for rows in groups], dtype=np.int64)
    blocks = len(groups)
    lo, step = np.empty(blocks), np.empty(blocks)
    knots, slopes = np.empty((blocks, KNOTS)), np.empty((blocks, KNOTS))
    nodes, weights = [np.zeros(0)], [np.zeros(0)]
    for b, (a, rows) in enumerate(zip(firsts, groups, strict=True)):
        own = (pairs.k0[a], pairs.n0[a], pairs.chance[a], prior, mean[a], sd[a])
        spacing = min(sd[a], others[rows].min()) / NODES_PER_SD / np.sqrt(1.0 + len(rows))
        at, log_weight = quadrature(*own, spacing)
        nodes.append(at)
        weights.append(log_weight)
        lo[b], step[b] = fill_base(*own, knots[b], slopes[b])
    return SharedBaselines(
        first=np.cumsum([0, *(len(rows) for rows in groups)]),
        members=np.concatenate([np.zeros(0, dtype=np.int64), *groups]),
        node_first=np.cumsum([len(each) for each in nodes]),
        nodes=np.concatenate(nodes),
        node_weight=np.concatenate(weights),
        mean=mean[firsts],
        sd=sd[firsts],
        lo=lo,
        step=step,
        knots=knots,
        slopes=slopes,
    )
