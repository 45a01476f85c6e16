"""The model matrix of a hierarchical law, as short rows of a sparse matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gainlaw.hierarchy.terms import Term

__all__ = ["Block", "Design", "build_design", "rotate_design"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Block:
    """A set of coefficients that share one scale: a term's groups, or one fixed effect.

    Parameters
    ----------
    name : str
        ``mu``, ``covariate:NAME`` or the term's name.
    start : int
        The first intercept column.
    slope_start : int
        The first slope column, or -1.
    size : int
        The number of groups.
    """

    name: str
    start: int
    slope_start: int
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Rows of the model matrix in padded sparse form.

    Entry ``k`` of row ``i`` says: the effects of block ``block[i, k]``, group ``group[i, k]``, enter the row with
    weight ``value[i, k]`` (intercept) and ``value[i, k] * h[i]`` (slope).

    Parameters
    ----------
    blocks : tuple of Block
        The coefficient layout; ``mu`` is first.
    block, group : ndarray of int, shape (n, K)
        Block and group of each entry; block -1 pads.
    value : ndarray, shape (n, K)
        Weights.
    n_columns : int
        The number of coefficients.
    n_core : int
        The number of coefficients that are not effects of replicates; they come first.
    place : ndarray of int, shape (n_columns,)
        Where each column stands when the replicates' columns are sorted by cluster.
    cluster : ndarray of int, shape (n,)
        The cluster of every row: rows of different clusters share no replicate's effect.
    bounds : ndarray of int, shape (clusters + 1,)
        Cluster c has the replicates' columns ``bounds[c]`` to ``bounds[c + 1]``, counted from `n_core`.
    """

    blocks: tuple[Block, ...]
    block: Int
    group: Int
    value: Float
    n_columns: int
    n_core: int
    place: Int
    cluster: Int
    bounds: Int

    def arrays(self) -> tuple[Int, Int, Float, Int, Int, Int, Int, Int, int]:
        """Return the design in the order in which the Gaussian kernels take it."""
        return (
            self.block,
            self.group,
            self.value,
            self.starts,
            self.slope_starts,
            self.place,
            self.cluster,
            self.bounds,
            self.n_core,
        )

    @property
    def sizes(self) -> Int:
        """Number of groups of every block."""
        return np.array([each.size for each in self.blocks], dtype=np.int64)

    @property
    def starts(self) -> Int:
        """First intercept column of every block."""
        return np.array([each.start for each in self.blocks], dtype=np.int64)

    @property
    def slope_starts(self) -> Int:
        """First slope column of every block, -1 where it has none."""
        return np.array([each.slope_start for each in self.blocks], dtype=np.int64)


def build_design(
    terms: Sequence[Term],
    covariates: Float,
    names: Sequence[str],
    *,
    has_slope: bool,
    weight: Float | None = None,
) -> Design:
    """Lay out the coefficients and write every row's entries.

    Parameters
    ----------
    terms : sequence of Term
        The grouping terms.
    covariates : ndarray, shape (n, C)
        Covariate values, already centred if they should be.
    names : sequence of str
        Their names.
    has_slope : bool
        Whether the population mean has a slope.
    weight : ndarray, shape (n,), optional
        What the population mean is multiplied by in every row.
    """
    n = len(covariates)
    blocks: list[Block] = []
    start = 0

    def add(name: str, size: int, slope: bool) -> None:
        nonlocal start
        blocks.append(Block(name, start, start + size if slope else -1, size))
        start += size * (2 if slope else 1)

    add("mu", 1, has_slope)
    for name in names:
        add(f"covariate:{name}", 1, False)
    for term in terms:
        add(term.name, term.n_groups, term.slope)
    # A term along a tree has an entry for every step; those after the first stand behind the other terms.
    trees = [(k, term.path) for k, term in enumerate(terms, start=1 + len(names)) if term.path is not None]
    which = [*range(len(blocks)), *(k for k, path in trees for _ in range(path.shape[1] - 1))]
    block = np.tile(np.array(which, dtype=np.int64), (n, 1))
    group = np.zeros(block.shape, dtype=np.int64)
    value = np.ones(block.shape)
    value[:, 1 : 1 + len(names)] = covariates
    for position, term in enumerate(terms, start=1 + len(names)):
        group[:, position] = term.index
    behind = len(blocks)
    for k, path in trees:
        depth = path.shape[1]
        columns = [k, *range(behind, behind + depth - 1)]
        group[:, columns] = path
        value[:, columns] = depth**-0.5
        behind += depth - 1
    if weight is not None:
        value[:, 0] = weight
    for position, term in enumerate(terms, start=1 + len(names)):
        if term.weight is not None:
            value[:, block[0] == position] *= term.weight[:, None]
    kinds = [k for k, term in enumerate(terms, start=1 + len(names)) if term.replicate]
    n_core = blocks[kinds[0]].start if kinds else start
    labels, column_cluster = _clusters(terms, n)
    # Within a cluster the smallest groups come first: eliminating them in that order leaves most zeros zero.
    counts_of = [term.n_groups for term in terms if term.replicate]
    rarity = np.repeat(-np.array(counts_of, dtype=np.int64), counts_of)
    order = np.lexsort((np.arange(len(rarity)), rarity, column_cluster))
    place = np.arange(start, dtype=np.int64)
    place[n_core + order] = n_core + np.arange(len(order))
    counts = np.bincount(column_cluster, minlength=int(labels.max()) + 1)
    bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Design(tuple(blocks), block, group, value, start, n_core, place, labels, bounds)


def _clusters(terms: Sequence[Term], n: int) -> tuple[Int, Int]:
    """Return the cluster of every row, and of every effect of a replicate.

    Clusters are the connected components of rows and replicate effects; with checkpoints among the terms they are
    the checkpoints.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    replicates = [term for term in terms if term.replicate]
    total = sum(term.n_groups for term in replicates)
    if not replicates:
        return np.zeros(n, dtype=np.int64), np.zeros(0, dtype=np.int64)
    starts = np.cumsum([0, *(term.n_groups for term in replicates)])
    rows = np.tile(np.arange(n), len(replicates))
    columns = np.concatenate([start + term.index for start, term in zip(starts, replicates, strict=False)])
    graph = coo_array((np.ones(len(rows)), (rows, n + columns)), shape=(n + total, n + total))
    _, labels = connected_components(graph, directed=False)
    found = np.asarray(labels, dtype=np.int64)
    return found[:n], found[n:]


def rotate_design(design: Design, rotations: Sequence[tuple[Int, Float]]) -> Design:
    """Return the design of ``Q' Z`` for a block-orthogonal ``Q``.

    Parameters
    ----------
    design : Design
        The design of ``Z``.
    rotations : sequence of (rows, Q)
        Orthogonal matrices on disjoint sets of rows; other rows stay as they are.
    """
    if not rotations:
        return design
    rows: dict[int, dict[tuple[int, int], float]] = {}
    for members, q in rotations:
        for a, target in enumerate(members):
            merged: dict[tuple[int, int], float] = {}
            for b, origin in enumerate(members):
                for k in range(design.block.shape[1]):
                    key = (int(design.block[origin, k]), int(design.group[origin, k]))
                    if key[0] >= 0:
                        merged[key] = merged.get(key, 0.0) + float(q[b, a] * design.value[origin, k])
            rows[int(target)] = merged
    width = max(design.block.shape[1], max(len(entries) for entries in rows.values()))
    n = len(design.block)
    block = np.full((n, width), -1, dtype=np.int64)
    group = np.zeros((n, width), dtype=np.int64)
    value = np.zeros((n, width))
    old = design.block.shape[1]
    block[:, :old], group[:, :old], value[:, :old] = design.block, design.group, design.value
    for row, entries in rows.items():
        keys = sorted(entries)
        block[row] = -1
        value[row] = 0.0
        group[row] = 0
        block[row, : len(keys)] = [key[0] for key in keys]
        group[row, : len(keys)] = [key[1] for key in keys]
        value[row, : len(keys)] = [entries[key] for key in keys]
    return replace(design, block=block, group=group, value=value)
