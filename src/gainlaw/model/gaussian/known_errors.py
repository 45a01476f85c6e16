r"""The known sampling covariance as the Gaussian kernels take it: rows whose errors are independent.

A block of correlated errors is made independent in one of two exact ways. Rows of one size and one checkpoint are
turned along the axes of their covariance, which leaves a residual of equal variance as it is. Rows that differ in size
cannot be: the law's shape, and with it every slope, is another one at each of them and may depend on
hyperparameters; nor can rows of different checkpoints, which are to be left out one by one. Their covariance is
written as

.. math:: V = D + L L', \qquad D \text{ diagonal},

and the columns of ``L`` join the model matrix: their coefficients are standard normal, whatever the hyperparameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.gaussian.ordering import cheapest
from gainlaw.model.spec.design import UNIT, Design, lay_out, rotate_design

__all__ = ["Axes", "IndependentRows", "axes_of", "diagonal_and_factor", "independent_rows", "turned"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Axes = tuple[Int, Float, Float]
"""The rows of a block, the variances along its axes, and the axes as columns."""

# The least share of a variance that belongs to one row alone: a covariance without an inverse gets so much more.
LEAST_SHARE = 1e-9
# How far a block may be from one shared error, in correlations, to be written with one column.
_ONE_FACTOR = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class IndependentRows:
    """A model matrix and a way to turn vectors, so that the rows' known errors are independent.

    Parameters
    ----------
    design : Design
        The model matrix, with the shared errors' columns behind the others.
    variance : ndarray, shape (n,)
        The variance of every row's error.
    rotations : tuple of (rows, axes)
        The blocks that were turned.
    """

    design: Design
    variance: Float
    rotations: tuple[tuple[Int, Float], ...]

    def rotate(self, vector: Float) -> Float:
        """Return a vector over the rows, turned as the rows were."""
        return turned(vector, self.rotations)


def axes_of(blocks: Sequence[tuple[Int, Float]]) -> list[Axes]:
    """Return the axes of blocks of a covariance matrix, and the variances along them: none below `LEAST_SHARE`."""
    found = []
    for rows, covariance in blocks:
        values, vectors = np.linalg.eigh(covariance)
        found.append(
            (np.asarray(rows, dtype=np.int64), np.maximum(values, LEAST_SHARE * values[-1]), vectors)
        )
    return found


def turned(vectors: Float, rotations: Sequence[tuple[Int, Float]]) -> Float:
    """Return vectors over the rows, shape (..., n), along the axes of some blocks."""
    out = vectors.copy()
    for rows, axes in rotations:
        out[..., rows] = vectors[..., rows] @ axes
    return out


def independent_rows(design: Design, variance: Float, blocks: Sequence[Axes], alike: Int) -> IndependentRows:
    """Make the rows' errors independent.

    Parameters
    ----------
    design : Design
        The model matrix.
    variance : ndarray, shape (n,)
        The variance of every row's error; that of rows in blocks is not read.
    blocks : sequence of (rows, variances, axes)
        The correlated rows, see `axes_of`.
    alike : ndarray of int, shape (n,)
        Rows with the same number may be turned into each other.
    """
    variance = np.array(variance, dtype=float)
    rotations, shared = [], []
    for rows, values, axes in blocks:
        if (alike[rows] == alike[rows[0]]).all():
            variance[rows] = values
            rotations.append((rows, axes))
        else:
            own, factor = diagonal_and_factor((axes * values) @ axes.T)
            variance[rows] = own
            shared.append((rows, factor))
    return IndependentRows(_with_shared(rotate_design(design, rotations), shared), variance, tuple(rotations))


def diagonal_and_factor(covariance: Float) -> tuple[Float, Float]:
    """Return ``d`` and ``L`` with ``diag(d) + L L'`` equal to a covariance matrix.

    One error that all rows share with weights of one sign, as that of a baseline, becomes one column; of any other
    covariance the diagonal gets as large a share of the variances as it can, the same for all rows.

    Parameters
    ----------
    covariance : ndarray, shape (m, m)
        Positive semidefinite, with a positive diagonal.

    Returns
    -------
    own : ndarray, shape (m,)
        Positive: at least `LEAST_SHARE` of the variances.
    factor : ndarray, shape (m, r)
        With ``r < m``.

    Examples
    --------
    >>> own, factor = diagonal_and_factor(np.array([[3.0, 1, 1], [1, 2, 1], [1, 1, 5]]))
    >>> own.round(9).tolist(), factor.round(9).ravel().tolist()
    ([2.0, 1.0, 4.0], [1.0, 1.0, 1.0])
    """
    sd = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(sd, sd)
    weight = _one_factor(correlation)
    if weight is not None:
        own, factor = 1.0 - weight**2, weight[:, None]
    else:
        values, vectors = np.linalg.eigh(correlation)
        low = max(float(values[0]), 0.0)
        above = values > low + 1e-12 * values[-1]
        own, factor = np.full(len(sd), low), vectors[:, above] * np.sqrt(values[above] - low)
    return sd**2 * np.maximum(own, LEAST_SHARE), sd[:, None] * factor


def _one_factor(correlation: Float) -> Float | None:
    """Return ``b`` with ``b_i b_j`` equal to every correlation off the diagonal, if there is one and b is at most 1."""
    m = len(correlation)
    off = ~np.eye(m, dtype=bool)
    if m < 3 or not (correlation[off] > 0).all():
        return None
    logs = np.where(off, np.log(np.where(off, correlation, 1.0)), 0.0).sum(axis=1)
    b = np.exp((logs - logs.sum() / (2.0 * (m - 1))) / (m - 2))
    apart = np.abs(np.outer(b, b) - correlation)[off].max()
    return b if apart <= _ONE_FACTOR and b.max() <= 1.0 else None


def _with_shared(design: Design, shared: Sequence[tuple[Int, Float]]) -> Design:
    """Return the design with a column for every column of the factors."""
    widest = max((factor.shape[1] for _, factor in shared), default=0)
    if not widest:
        return design
    n, width = design.block.shape
    block = np.concatenate([design.block, np.full((n, widest), -1, dtype=np.int64)], axis=1)
    group = np.concatenate([design.group, np.zeros((n, widest), dtype=np.int64)], axis=1)
    value = np.concatenate([design.value, np.zeros((n, widest))], axis=1)
    start = design.n_columns
    for rows, factor in shared:
        behind = slice(width, width + factor.shape[1])
        block[rows, behind] = UNIT
        group[rows, behind] = start + np.arange(factor.shape[1])
        value[rows, behind] = factor
        start += factor.shape[1]
    # Replicates' effects and shared errors may be eliminated cluster by cluster, either or both; together they may
    # hang on each other in one large cluster.
    replicates, errors = design.eliminated, np.arange(design.n_columns, start)
    ways = (np.concatenate([replicates, errors]), errors, replicates)
    made = [lay_out(design.blocks, block, group, value, start, each) for each in ways]
    return cheapest(made)
