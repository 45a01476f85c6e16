"""Tabulated likelihoods of pairs of counts: computed once, read by every kernel of the binomial model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gainlaw.gains import Gains
from gainlaw.hierarchy.binomial_quadrature import log_binomial, moments, pair_table, quadrature, support

__all__ = ["KNOTS_PER_SD", "NODES_PER_SD", "BinomialTables", "build_tables"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

KNOTS = 512
# Knots per posterior sd of a table; the cubic's error is then below 1e-4 wherever the likelihood matters.
KNOTS_PER_SD = 10.0
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


def build_tables(gains: Gains) -> BinomialTables:
    """Tabulate the likelihood of every gain.

    Parameters
    ----------
    gains : Gains
        Gains on the log-odds scale with counts and chance levels.
    """
    frame = gains.frame
    k0, n0, k1, n1, c = (
        frame[name].to_numpy(dtype=float)
        for name in ("k_baseline", "n_baseline", "k_intermediate", "n_intermediate", "chance")
    )
    n = len(frame)
    single = np.ones(n, dtype=np.int64)
    for rows, _ in gains.covariance.blocks:
        single[rows] = 0
    lo, step = np.empty(n), np.empty(n)
    knots, slopes = np.empty((n, KNOTS)), np.empty((n, KNOTS))
    site, site_variance, reach = np.empty(n), np.empty(n), np.zeros((n, 2))
    for i in range(n):
        mean0, sd0 = moments(k0[i], n0[i], c[i], ETA_LIMIT)
        mean1, sd1 = moments(k1[i], n1[i], c[i], ETA_LIMIT)
        site[i], site_variance[i] = mean1 - mean0, sd0**2 + sd1**2
        if single[i]:
            width = np.sqrt(site_variance[i])
            step[i] = width / KNOTS_PER_SD
            lo[i] = site[i] - step[i] * KNOTS / 2
            nodes, weights = quadrature(
                k0[i], n0[i], c[i], ETA_LIMIT, min(sd0, sd1) / NODES_PER_SD / np.sqrt(2.0)
            )
            pair_table(k1[i], n1[i], c[i], nodes, weights, lo[i], step[i], knots[i], slopes[i])
        else:
            reach[i] = support(k1[i], n1[i], c[i], ETA_LIMIT)
            step[i] = sd1 / KNOTS_PER_SD
            lo[i] = mean1 - step[i] * KNOTS / 2
            for j in range(KNOTS):
                knots[i, j], slopes[i, j] = log_binomial(k1[i], n1[i], c[i], lo[i] + step[i] * j)
    first: list[int] = [0]
    members: list[int] = []
    node_first: list[int] = [0]
    nodes_all: list[Float] = []
    weights_all: list[Float] = []
    for rows, _ in gains.covariance.blocks:
        sds = [moments(k1[i], n1[i], c[i], ETA_LIMIT)[1] for i in rows]
        a = rows[0]
        sds.append(moments(k0[a], n0[a], c[a], ETA_LIMIT)[1])
        spacing = min(sds) / NODES_PER_SD / np.sqrt(len(sds))
        nodes, weights = quadrature(k0[a], n0[a], c[a], ETA_LIMIT, spacing)
        members.extend(int(i) for i in rows)
        first.append(len(members))
        nodes_all.append(nodes)
        weights_all.append(weights)
        node_first.append(node_first[-1] + len(nodes))
    return BinomialTables(
        single=single,
        lo=lo,
        step=step,
        knots=knots,
        slopes=slopes,
        reach=reach,
        first=np.array(first, dtype=np.int64),
        members=np.array(members, dtype=np.int64),
        node_first=np.array(node_first, dtype=np.int64),
        nodes=np.concatenate(nodes_all) if nodes_all else np.zeros(0),
        node_weight=np.concatenate(weights_all) if weights_all else np.zeros(0),
        site=site,
        site_variance=site_variance,
    )
