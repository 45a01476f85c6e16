"""The joint sampling covariance of a baseline's accuracy and of the accuracies compared with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["joint_covariance", "mcnemar_variance"]


def mcnemar_variance(n10: float, n01: float, n: float) -> float:
    r"""Return the variance of a difference of two accuracies on the same items (fractions squared).

    .. math:: \{n_{10} + n_{01} - (n_{10} - n_{01})^2/n\}/n^2

    With no discordant item, or all items discordant one way, that is 0; half an item is then added to
    both kinds (and one to n), a conservative floor.

    Parameters
    ----------
    n10, n01 : float
        Items that only the intermediate model, and only the baseline, answered correctly.
    n : float
        All items.

    References
    ----------
    .. [1] Agresti and Min (2005), doi:10.1002/sim.1781.

    Examples
    --------
    >>> round(mcnemar_variance(30, 10, 100), 6)
    0.0036
    """
    variance = (n10 + n01 - (n10 - n01) ** 2 / n) / n**2
    if variance > 0:
        return variance
    return mcnemar_variance(n10 + 0.5, n01 + 0.5, n + 1.0)


def joint_covariance(
    positions: Sequence[int], variance: np.ndarray, answers: Mapping[int, pd.Series]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the covariance of several accuracies, from their items where these are kept.

    Accuracies on the same items have the covariance of the items' answers over n (divisor n, so that a
    difference has McNemar's variance); all others are independent. The result is positive semidefinite.

    Parameters
    ----------
    positions : sequence of int, length m
        The evaluations rows.
    variance : numpy.ndarray of float, shape (m,)
        The variance of each accuracy without its items.
    answers : mapping of int to pandas.Series
        Answers (0.0 or 1.0) indexed by item, for the rows that have them.

    Returns
    -------
    covariance : numpy.ndarray of float, shape (m, m)
        Of the accuracies (fractions squared).
    shared : numpy.ndarray of int, shape (m,)
        Rows with the same number (not -1) answer the same items.
    """
    covariance = np.diag(np.asarray(variance, float))
    shared = np.full(len(positions), -1)
    groups: dict[bytes, list[int]] = {}
    for i, position in enumerate(positions):
        if position in answers:
            groups.setdefault("\x00".join(answers[position].index).encode(), []).append(i)
    for number, members in enumerate(groups.values()):
        table = np.array([answers[positions[i]].to_numpy() for i in members])
        items = table.shape[1]
        centred = table - table.mean(axis=1, keepdims=True)
        block = centred @ centred.T / items**2
        flat = np.diag(block) == 0  # every item right or wrong: keep the floor of the variance given
        block[np.diag_indices(len(members))] = np.where(flat, covariance[members, members], np.diag(block))
        covariance[np.ix_(members, members)] = block
        shared[members] = number
    return covariance, shared
