"""The model matrix of a hierarchical law, as short rows of a sparse matrix."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.spec.covariates import SLOPE, columns_of
from gainlaw.model.spec.terms import Term
from gainlaw.model.spec.tree import padded_steps

__all__ = ["UNIT", "Block", "Design", "Matrix", "build_design", "entry_columns", "lay_out", "rotate_design"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

UNIT = -2
"""What stands for the block of an entry whose coefficient is standard normal, whatever the hyperparameters."""


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
    lifted : bool
        Whether its entries are multiplied by the row's lift, see `gainlaw.laws.shape.Shape`.
    """

    name: str
    start: int
    slope_start: int
    size: int
    lifted: bool = False


class Matrix(NamedTuple):
    """A `Design` as the compiled kernels read it.

    Parameters
    ----------
    block, group : ndarray of int, shape (n, K)
        Block and group of each entry.
    value : ndarray, shape (n, K)
        Weights.
    starts, slopes, sizes, lifted : ndarray of int, shape (n_blocks,)
        First intercept column of every block, first slope column or -1, number of groups, and 1 for blocks whose
        entries are multiplied by the row's lift.
    place : ndarray of int, shape (n_columns,)
        Where each column stands when the core's come first.
    cluster : ndarray of int, shape (n,)
        The cluster of every row.
    bounds : ndarray of int, shape (clusters + 1,)
        The eliminated columns of every cluster, counted from `n_core`.
    n_core : int
        The number of columns that are not eliminated before the others.
    """

    block: Int
    group: Int
    value: Float
    starts: Int
    slopes: Int
    sizes: Int
    lifted: Int
    place: Int
    cluster: Int
    bounds: Int
    n_core: int


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Rows of the model matrix in padded sparse form.

    Entry ``k`` of row ``i`` says: the effects of block ``block[i, k]``, group ``group[i, k]``, enter the row with
    weight ``value[i, k]`` (intercept) and ``value[i, k] * h[i]`` (slope). An entry of the block `UNIT` says that the
    standard normal coefficient of the column ``group[i, k]`` enters with weight ``value[i, k]``.

    Parameters
    ----------
    blocks : tuple of Block
        The coefficient layout; ``mu`` is first.
    block, group : ndarray of int, shape (n, K)
        Block and group of each entry; block -1 pads, and `UNIT` has a column for its group.
    value : ndarray, shape (n, K)
        Weights.
    n_columns : int
        The number of coefficients.
    n_core : int
        The number of coefficients that are not eliminated before the others (effects of replicates are, as a rule).
    place : ndarray of int, shape (n_columns,)
        Where each column stands when the core's come first and those to be eliminated are sorted by cluster.
    cluster : ndarray of int, shape (n,)
        The cluster of every row: rows of different clusters share no coefficient that is eliminated.
    bounds : ndarray of int, shape (clusters + 1,)
        Cluster c has the eliminated columns ``bounds[c]`` to ``bounds[c + 1]``, counted from `n_core`.
    matrix : Matrix
        The same for the compiled kernels; made here.

    Raises
    ------
    ValueError
        If any index would reach outside its array: compiled kernels do not look.
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
    matrix: Matrix = field(init=False)

    def __post_init__(self) -> None:
        """Look at every index once, then lay the arrays out for the kernels."""
        faults = _index_faults(self)
        if faults:
            raise ValueError(f"the model matrix is inconsistent: {', '.join(faults)}")
        starts, slopes, sizes, lifted = (
            np.array([getattr(each, name) for each in self.blocks], dtype=np.int64)
            for name in ("start", "slope_start", "size", "lifted")
        )
        matrix = Matrix(
            self.block, self.group, self.value, starts, slopes, sizes, lifted, self.place, self.cluster,
            self.bounds, self.n_core,
        )  # fmt: skip
        object.__setattr__(self, "matrix", matrix)

    def dense(self, shape: Float) -> Float:
        """Return the whole matrix, shape (n, q), for effects in their own units; `UNIT` coefficients included.

        Parameters
        ----------
        shape : ndarray, shape (n,) or (2 n,)
            The law's shape at every row, and behind it the rows' lift where the law has one.
        """
        matrix = np.zeros((len(self.block), self.n_columns))
        at = np.arange(len(matrix))
        lift = shape[len(matrix) :] if len(shape) > len(matrix) else np.ones(len(matrix))
        for k in range(self.block.shape[1]):
            block, group, value = self.block[:, k], self.group[:, k], self.value[:, k]
            unit = block == UNIT
            np.add.at(matrix, (at[unit], group[unit]), value[unit])
            for number, each in enumerate(self.blocks):
                own = np.flatnonzero(block == number)
                weight = value[own] * lift[own] if each.lifted else value[own]
                np.add.at(matrix, (at[own], each.start + group[own]), weight)
                if each.slope_start >= 0:
                    np.add.at(matrix, (at[own], each.slope_start + group[own]), weight * shape[own])
        return matrix

    @property
    def eliminated(self) -> Int:
        """The columns outside the core, in rising order."""
        return np.flatnonzero(self.place >= self.n_core)


def build_design(
    terms: Sequence[Term],
    covariates: Float,
    effects: Sequence[str],
    *,
    has_slope: bool,
    weight: Float | None = None,
    lifted: Collection[str] = (),
) -> Design:
    """Lay out the coefficients and write every row's entries.

    Parameters
    ----------
    terms : sequence of Term
        The grouping terms.
    covariates : ndarray, shape (n, C)
        Standardised values of the covariates.
    effects : sequence of str
        The effects that they have, see `gainlaw.model.spec.covariates`.
    has_slope : bool
        Whether the population mean has a slope.
    weight : ndarray, shape (n,), optional
        What the population mean is multiplied by in every row.
    lifted : collection of str
        The blocks whose entries are multiplied by the row's lift.
    """
    n = len(covariates)
    blocks: list[Block] = []
    start = 0

    def add(name: str, size: int, slope: bool) -> None:
        nonlocal start
        blocks.append(Block(name, start, start + size if slope else -1, size, name in lifted))
        start += size * (2 if slope else 1)

    add("mu", 1, has_slope)
    names = columns_of(effects)
    for name in names:
        add(f"covariate:{name}", 1, name + SLOPE in effects)
    for term in terms:
        add(term.name, term.n_groups, term.slope)
    # A term along a tree has an entry for every step; those after the first stand behind the other terms.
    trees = {
        k: padded_steps(term.loading)
        for k, term in enumerate(terms, start=1 + len(names))
        if term.loading is not None
    }
    which = [*range(len(blocks)), *(k for k, (steps, _) in trees.items() for _ in range(steps.shape[1] - 1))]
    block = np.tile(np.array(which, dtype=np.int64), (n, 1))
    group = np.zeros(block.shape, dtype=np.int64)
    value = np.ones(block.shape)
    value[:, 1 : 1 + len(names)] = covariates
    behind = len(blocks)
    for k, term in enumerate(terms, start=1 + len(names)):
        if k not in trees:
            group[:, k] = term.index
            continue
        steps, weights = trees[k]
        columns = [k, *range(behind, behind + steps.shape[1] - 1)]
        group[:, columns], value[:, columns] = steps[term.index], weights[term.index]
        behind += steps.shape[1] - 1
    if weight is not None:
        value[:, 0] = weight
    for position, term in enumerate(terms, start=1 + len(names)):
        if term.weight is not None:
            value[:, block[0] == position] *= term.weight[:, None]
    kinds = [k for k, term in enumerate(terms, start=1 + len(names)) if term.replicate]
    first = blocks[kinds[0]].start if kinds else start
    return lay_out(tuple(blocks), block, group, value, start, np.arange(first, start))


def lay_out(
    blocks: tuple[Block, ...], block: Int, group: Int, value: Float, n_columns: int, eliminated: Int
) -> Design:
    """Return a design whose columns stand in the order in which they are eliminated.

    Clusters are the connected components of rows and eliminated columns; where these are the effects of checkpoints
    and of what lies inside them, they are the checkpoints.

    Parameters
    ----------
    blocks, block, group, value, n_columns
        See `Design`.
    eliminated : ndarray of int
        The columns to eliminate before the others, rising.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, m = len(block), len(eliminated)
    n_core = n_columns - m
    kept = np.ones(n_columns, dtype=bool)
    kept[eliminated] = False
    place = np.empty(n_columns, dtype=np.int64)
    place[kept] = np.arange(n_core)
    if not m:
        return Design(
            blocks, block, group, value, n_columns, n_core, place, np.zeros(n, dtype=np.int64),
            np.zeros(2, dtype=np.int64),
        )  # fmt: skip
    number = np.full(n_columns + 1, -1, dtype=np.int64)
    number[eliminated] = np.arange(m)
    rows, columns = [], []
    for of_entry in entry_columns(blocks, block, group):
        own = number[of_entry]
        at = own >= 0
        rows.append(np.nonzero(at)[0])
        columns.append(own[at])
    edges = np.concatenate(rows), n + np.concatenate(columns)
    graph = coo_array((np.ones(len(edges[0])), edges), shape=(n + m, n + m))
    _, labels = connected_components(graph, directed=False)
    used, of_column = np.unique(labels[n:], return_inverse=True)
    cluster = np.searchsorted(used, labels[:n])
    # Rows without an eliminated coefficient belong nowhere; any cluster will do.
    cluster[used[np.minimum(cluster, len(used) - 1)] != labels[:n]] = 0
    # Within a cluster the smallest groups come first: eliminating them in that order leaves most zeros zero.
    rarity = np.full(n_columns, -n_columns - 1, dtype=np.int64)
    for each in blocks:
        rarity[each.start : each.start + each.size] = -each.size
        if each.slope_start >= 0:
            rarity[each.slope_start : each.slope_start + each.size] = -each.size
    order = np.lexsort((np.arange(m), rarity[eliminated], of_column))
    place[eliminated[order]] = n_core + np.arange(m)
    bounds = np.concatenate([[0], np.cumsum(np.bincount(of_column, minlength=len(used)))]).astype(np.int64)
    return Design(blocks, block, group, value, n_columns, n_core, place, cluster.astype(np.int64), bounds)


def entry_columns(blocks: tuple[Block, ...], block: Int, group: Int) -> tuple[Int, Int]:
    """Return the column of every entry, and that of its slope, shape (n, K) each; -1 where there is none.

    Parameters
    ----------
    blocks : tuple of Block
        The coefficient layout.
    block, group : ndarray of int, shape (n, K)
        See `Design`.
    """
    # Behind the blocks stand those of the unit entries and of the padding, where -2 and -1 find them.
    starts = np.array([*(each.start for each in blocks), 0, -1], dtype=np.int64)
    slopes = np.array([*(each.slope_start for each in blocks), -1, -1], dtype=np.int64)
    first = np.where(block == -1, -1, starts[block] + group)
    return first, np.where(slopes[block] < 0, -1, slopes[block] + group)


def _index_faults(design: Design) -> list[str]:
    """Return what in a design would reach outside an array."""
    n, width = design.block.shape
    blocks, q, p = design.blocks, design.n_columns, design.n_core
    ends = [each.start + each.size for each in blocks]
    ends += [each.slope_start + each.size for each in blocks if each.slope_start >= 0]
    sizes = np.array([*(each.size for each in blocks), q, 1], dtype=np.int64)
    widths = np.diff(design.bounds)
    sound = {
        "blocks": all(each.start >= 0 for each in blocks) and max(ends, default=0) <= q,
        "shapes": design.group.shape == design.value.shape == (n, width) and design.cluster.shape == (n,),
        "block": bool(((design.block >= UNIT) & (design.block < len(blocks))).all()),
        "core": 0 <= p <= q,
        "place": np.array_equal(np.sort(design.place), np.arange(q)),
        "bounds": len(widths) > 0
        and design.bounds[0] == 0
        and bool((widths >= 0).all())
        and design.bounds[-1] == q - p,
        "cluster": bool(((design.cluster >= 0) & (design.cluster < len(widths))).all()),
    }
    if all(sound.values()):
        sound["group"] = bool(((design.group >= 0) & (design.group < sizes[design.block])).all())
    if all(sound.values()):
        low, high = design.bounds[design.cluster] + p, design.bounds[design.cluster + 1] + p
        for columns in entry_columns(blocks, design.block, design.group):
            at = np.where(columns >= 0, np.append(design.place, 0)[columns], 0)
            inside = (at < p) | ((at >= low[:, None]) & (at < high[:, None]))
            sound["clusters of entries"] = sound.get("clusters of entries", True) and bool(inside.all())
    return [name for name, good in sound.items() if not good]


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
    return lay_out(design.blocks, block, group, value, design.n_columns, design.eliminated)
