"""The order of elimination: groups that hang together only through few coefficients go before the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.gaussian.linear_system import SCATTER
from gainlaw.model.spec.design import Block, Design, Matrix, entry_columns, lay_out

__all__ = ["cheapest", "deepened"]

# A core of fewer columns costs next to nothing.
_SMALL = 200


def cheapest(designs: Sequence[Design]) -> Design:
    """Return the design whose normal equations take the fewest operations to factorise."""
    return min(designs, key=_operations)


def _operations(design: Design) -> float:
    """Return about how many operations a factorisation takes: the core's, and every cluster's with what it meets."""
    widths, p = np.diff(design.bounds).astype(float), design.n_core
    columns = np.concatenate(entry_columns(design.blocks, design.block, design.group), axis=1)
    place = np.append(design.place, design.n_columns)[columns]
    inside = place < p
    cluster = np.broadcast_to(design.cluster[:, None], place.shape)
    met = np.unique(cluster[inside] * p + place[inside]) // max(p, 1)
    meets = np.bincount(met, minlength=len(widths)).astype(float)
    whole = float(widths.sum()) * float(p) ** 2
    parts = float(((widths + SCATTER) * meets**2).sum())
    return float(p) ** 3 / 3.0 + float((widths**3).sum()) / 3.0 + min(whole, parts)


def deepened(blocks: tuple[Block, ...], matrix: Matrix) -> Matrix:
    """Return the model matrix with whole terms eliminated beside the replicates, as far as that saves work.

    Effects of model families, say, hang together through tasks and languages alone: with the checkpoints of a family
    they are one cluster, and the core is left with tasks and languages. What follows from the matrix is the same.

    Parameters
    ----------
    blocks : tuple of Block
        The coefficient layout.
    matrix : Matrix
        A matrix of it, which may have columns of shared errors behind.

    Returns
    -------
    Matrix
        The one given where the core is small or nothing is saved.
    """
    if matrix.n_core < _SMALL:
        return matrix

    def laid(eliminated: NDArray[np.int64]) -> Design:
        columns = np.sort(eliminated)
        return lay_out(blocks, matrix.block, matrix.group, matrix.value, len(matrix.place), columns)

    best = laid(np.flatnonzero(matrix.place >= matrix.n_core))
    least = _operations(best)
    core = [each for each in blocks if each.size > 1 and matrix.place[each.start] < matrix.n_core]
    for each in sorted(core, key=lambda block: -block.size):
        own = np.arange(each.start, each.start + each.size)
        if each.slope_start >= 0:
            own = np.concatenate([own, each.slope_start + np.arange(each.size)])
        tried = laid(np.concatenate([best.eliminated, own]))
        work = _operations(tried)
        if work < least:
            best, least = tried, work
    return best.matrix
