"""What is known of a score's sampling error and of its guess rate, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gainlaw.tasks import chance as task_chance

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["accuracy_variance", "chance_of_rows"]


def accuracy_variance(
    accuracy: np.ndarray, correct: np.ndarray, examples: np.ndarray, stderr: np.ndarray
) -> np.ndarray:
    r"""Return the sampling variance of accuracies (fractions squared).

    A standard error that is given and above 0 is squared. Otherwise the variance is binomial,
    :math:`p(1-p)/n`; where no item or every item is right that would be 0, and
    :math:`\tilde p = (k + 1/2)/(n + 1)`, the mean under Jeffreys' prior [1]_, takes the place of p: a
    conservative floor.

    Parameters
    ----------
    accuracy, correct, examples, stderr : numpy.ndarray of float, shape (n,)
        p, k, n and the standard error given; NaN where unknown.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        NaN where neither a standard error nor counts are known.

    References
    ----------
    .. [1] Brown, Cai and DasGupta (2001), Interval estimation for a binomial proportion,
       doi:10.1214/ss/1009213286.

    Examples
    --------
    >>> one = np.array([100.0])
    >>> accuracy_variance(np.array([0.5]), np.array([50.0]), one, np.array([np.nan])).tolist()
    [0.0025]
    """
    edge = (correct <= 0) | (correct >= examples)
    smoothed = (correct + 0.5) / (examples + 1.0)
    p = np.where(edge, smoothed, accuracy)
    binomial = p * (1.0 - p) / examples
    binomial = np.where(np.isnan(correct), np.nan, binomial)
    return np.where(np.nan_to_num(stderr) > 0, stderr**2, binomial)


def chance_of_rows(frame: pd.DataFrame) -> np.ndarray:
    """Return the guess rate of each row: its ``chance``, else ``1/n_classes``, else the known task's.

    Parameters
    ----------
    frame : pandas.DataFrame
        Canonical evaluations.

    Returns
    -------
    numpy.ndarray of float, shape (rows,)
        Fractions; NaN where unknown.
    """
    known = frame["task"].map({task: task_chance(task) for task in frame["task"].unique()}).astype(float)
    return frame["chance"].fillna(1.0 / frame["n_classes"]).fillna(known).to_numpy(float)
