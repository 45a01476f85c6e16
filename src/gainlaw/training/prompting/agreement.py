"""How far prompts agree on an answer: Fleiss' kappa, with prompts as raters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gainlaw.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["count_labels", "fleiss_kappa", "majority_share", "observed_agreement"]


def count_labels(labels: ArrayLike, n_categories: int | None = None) -> np.ndarray:
    """Count how many raters gave each category.

    Parameters
    ----------
    labels : array_like of int, shape (n_raters, n_items)
        Each rater's (prompt's) category of each item, from 0.
    n_categories : int, optional
        The number of categories; one more than the largest label unless given.

    Returns
    -------
    ndarray of int, shape (n_items, n_categories)

    Raises
    ------
    InputError
        If the labels are not a table of whole numbers from 0 below `n_categories`.

    Examples
    --------
    >>> count_labels([[0, 1], [0, 0], [0, 1]])
    array([[3, 0],
           [1, 2]])
    """
    table = np.asarray(labels)
    if table.ndim != 2 or not (table.size == 0 or np.issubdtype(table.dtype, np.integer)):
        raise InputError("labels are a table of whole numbers, one row a rater and one column an item")
    most = int(table.max(initial=-1)) + 1
    n = most if n_categories is None else n_categories
    if table.min(initial=0) < 0 or most > n:
        raise InputError(f"labels are between 0 and {n - 1}")
    counts = np.zeros((table.shape[1], n), dtype=np.int64)
    for row in table:
        counts[np.arange(table.shape[1]), row] += 1
    return counts


def fleiss_kappa(counts: ArrayLike, *, pseudo_count: float = 0.0) -> float:
    """Fleiss' kappa: agreement between raters beyond what their shares of categories make by chance.

    Parameters
    ----------
    counts : array_like, shape (n_items, n_categories)
        How many raters gave each category, the same number of raters for every item; see `count_labels`.
    pseudo_count : float
        Added to every count first. With 1, raters who give every item the same category have a kappa just
        below 0 instead of an undefined one, which is how a collapsed model is told from a consistent one in
        the code of Zhou et al. [2]_.

    Returns
    -------
    float
        1 for full agreement, 0 for that of chance, down to ``-1/(raters - 1)``; NaN where it is not defined:
        no items, fewer than two raters, or one category only.

    Raises
    ------
    InputError
        If `counts` is no table, has negative entries, or its rows have different sums.

    References
    ----------
    .. [1] Fleiss 1971, Measuring nominal scale agreement among many raters, doi:10.1037/h0031619.
    .. [2] Zhou et al. 2022, Prompt Consistency for Zero-Shot Task Generalization, arXiv:2205.00049.

    Examples
    --------
    Half of the pairs agree, and so would half by chance:

    >>> fleiss_kappa([[2, 0], [0, 2], [1, 1], [1, 1]])
    0.0
    >>> fleiss_kappa([[3, 0], [0, 3]])
    1.0
    """
    table = _checked(counts) + pseudo_count
    if table.size == 0:
        return float("nan")
    raters = float(table[0].sum())
    if raters < 2:
        return float("nan")
    chance = float(np.square(table.sum(axis=0) / table.sum()).sum())
    if chance >= 1.0 - 1e-12:
        return float("nan")
    seen = float(np.mean((np.square(table).sum(axis=1) - raters) / (raters * (raters - 1.0))))
    return (seen - chance) / (1.0 - chance)


def observed_agreement(counts: ArrayLike) -> float:
    """Return the share of pairs of raters that agree, averaged over items (NaN without pairs).

    `counts`, shape (n_items, n_categories), are as for `fleiss_kappa`.
    """
    table = _checked(counts)
    raters = float(table[0].sum()) if table.size else 0.0
    if raters < 2:
        return float("nan")
    return float(np.mean((np.square(table).sum(axis=1) - raters) / (raters * (raters - 1.0))))


def majority_share(counts: ArrayLike) -> float:
    """Return the share of all ratings that the most frequent category has (NaN without ratings).

    1 when all raters give all items the same category: a collapse, unless the items are like that. `counts`, shape
    (n_items, n_categories), are as for `fleiss_kappa`.
    """
    total = _checked(counts).sum(axis=0)
    return float(total.max() / total.sum()) if total.sum() > 0 else float("nan")


def _checked(counts: ArrayLike) -> np.ndarray:
    table = np.asarray(counts, dtype=float)
    if table.ndim != 2 or np.any(table < 0) or not np.all(np.isfinite(table)):
        raise InputError("counts are a table of numbers from 0, one row an item and one column a category")
    if table.size and np.ptp(table.sum(axis=1)) > 0:
        raise InputError("every item has the same number of ratings")
    return table
