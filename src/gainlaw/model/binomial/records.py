"""What the compiled kernels of the binomial model read: records of arrays, made once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.spec.design import Matrix

__all__ = [
    "BinomialModel",
    "BinomialTables",
    "Blurred",
    "Geometry",
    "Pairs",
    "RowTables",
    "SharedBaselines",
]

Float = NDArray[np.float64]
Int = NDArray[np.int64]


class Pairs(NamedTuple):
    """Counts of baseline and intermediate model.

    Parameters
    ----------
    k0, n0, k1, n1 : ndarray, shape (n,)
        Successes and trials of the baseline and of the intermediate model.
    chance : ndarray, shape (n,)
        What guessing would get right.
    """

    k0: Float
    n0: Float
    k1: Float
    n1: Float
    chance: Float


class RowTables(NamedTuple):
    """The tabulated log likelihood of every row.

    It is a function of the gain for a row that has its baseline to itself, of the intermediate model's log-odds for a
    row that shares it.

    Parameters
    ----------
    single : ndarray of int, shape (n,)
        1 where the row has its baseline to itself.
    lo, step : ndarray, shape (n,)
        First knot and spacing of each row's table.
    knots, slopes : ndarray, shape (n, KNOTS)
        Log likelihood and its derivative.
    reach : ndarray, shape (n, 2)
        For a row that shares its baseline: the log-odds between which the intermediate counts have a likelihood worth
        counting.
    centre, width : ndarray, shape (n,)
        Middle and posterior sd of what the table is a table of.
    """

    single: Int
    lo: Float
    step: Float
    knots: Float
    slopes: Float
    reach: Float
    centre: Float
    width: Float


class SharedBaselines(NamedTuple):
    """The log-odds of every baseline that several rows share.

    Parameters
    ----------
    first, members : ndarray of int, shape (blocks + 1,), (m,)
        Rows of block b: ``members[first[b]:first[b + 1]]``.
    node_first, nodes, node_weight : ndarray
        Nodes of block b: ``node_first[b]:node_first[b + 1]``; log-odds and log weights (log posterior of the baseline
        plus log spacing).
    mean, sd : ndarray, shape (blocks,)
        Of the posterior.
    lo, step : ndarray, shape (blocks,)
        First knot and spacing of the table of the log density.
    knots, slopes : ndarray, shape (blocks, KNOTS)
        Log posterior density and its derivative.
    """

    first: Int
    members: Int
    node_first: Int
    nodes: Float
    node_weight: Float
    mean: Float
    sd: Float
    lo: Float
    step: Float
    knots: Float
    slopes: Float


class BinomialTables(NamedTuple):
    """Tabulated likelihoods of pairs of counts.

    Parameters
    ----------
    rows : RowTables
        Of every row.
    shared : SharedBaselines
        What brings rows of one baseline together.
    site, site_variance : ndarray, shape (n,)
        Mean and variance of the gain under its likelihood alone and a wide prior.
    """

    rows: RowTables
    shared: SharedBaselines
    site: Float
    site_variance: Float


class Blurred(NamedTuple):
    """Integrals of the rows' likelihoods over a residual, at linear predictors and residual sds.

    Parameters
    ----------
    first : ndarray of int, shape (n + 1,)
        Knots of row i: ``first[i]:first[i + 1]``.
    lo, step : ndarray, shape (n,)
        First knot and spacing.
    table : ndarray, shape (knots, 2, width)
        Log integrals, and their derivatives times the spacing, at each of the residual sds.
    """

    first: Int
    lo: Float
    step: Float
    table: Float


class Geometry(NamedTuple):
    """The coordinates that the sampler moves in, see `kernels.binomial_joint`; any give the same posterior.

    Parameters
    ----------
    anchor, anchor_variance : ndarray, shape (q,)
        A pseudo-observation of every effect.
    spread : ndarray, shape (q, q)
        ``coordinates = spread @ zeta``: the correlations of the effects at the mode.
    site, site_variance : ndarray, shape (n,)
        A Gaussian summary of the rows' likelihoods, along the axes of `turns`.
    turns, turn_first : ndarray
        For every shared baseline the transposed matrix of axes, row by row, and where each begins.
    mode : ndarray, shape (k,)
        The hyperparameters there.
    """

    anchor: Float
    anchor_variance: Float
    spread: Float
    site: Float
    site_variance: Float
    turns: Float
    turn_first: Int
    mode: Float


class BinomialModel(NamedTuple):
    """Counts, the model matrix of their gains, and coordinates.

    Parameters
    ----------
    offset : ndarray, shape (n,)
        Prior mean of intercept and covariates at every row.
    slope_mean : float
        Prior mean of the population slope.
    matrix : Matrix
        The model matrix.
    geometry : Geometry
        The sampler's coordinates.
    rows, shared
        The likelihoods, see `BinomialTables`.
    """

    offset: Float
    slope_mean: float
    matrix: Matrix
    geometry: Geometry
    rows: RowTables
    shared: SharedBaselines
