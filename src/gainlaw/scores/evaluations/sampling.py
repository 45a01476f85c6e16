"""What is known of a score's sampling error and of its guess rate, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gainlaw.scores.metrics import chance, metric_facts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["accuracy_variance", "chance_of_rows", "score_variance"]


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


def score_variance(
    frame: pd.DataFrame, score: np.ndarray, correct: np.ndarray, examples: np.ndarray, stderr: np.ndarray
) -> np.ndarray:
    r"""Return the sampling variance of scores, each by its metric.

    For a share of items that is `accuracy_variance`. An average over items of values from a to b has a variance
    of at most :math:`(s - a)(b - s)/n` [1]_, which is taken where no standard error is given: conservative.
    For any other metric the standard error is all there is.

    Parameters
    ----------
    frame : pandas.DataFrame, length n
        With the columns that say what the metric of each row is.
    score, correct, examples, stderr : numpy.ndarray of float, shape (n,)
        The score in the metric's unit, its counts and the standard error given; NaN where unknown.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        In squared units of the metric; NaN where the error is not known.

    References
    ----------
    .. [1] Bhatia and Davis (2000), A better bound on the variance, doi:10.1080/00029890.2000.12005203.

    Examples
    --------
    >>> import pandas as pd
    >>> one, none = np.array([100.0]), np.array([np.nan])
    >>> table = pd.DataFrame({"metric": ["brier_score"]})
    >>> score_variance(table, np.array([0.5]), none, one, none).tolist()
    [0.0075]
    """
    facts = metric_facts(frame)
    low, width = facts.of_rows("low"), facts.of_rows("high") - facts.of_rows("low")
    bounded = facts.mean & np.isfinite(width)
    low, width = np.where(bounded, low, 0.0), np.where(bounded, width, 1.0)
    place = (score - low) / width
    count = np.where(bounded, place * examples, np.where(facts.share, correct, np.nan))
    return width**2 * accuracy_variance(place, count, examples, stderr / width)


def chance_of_rows(frame: pd.DataFrame) -> np.ndarray:
    """Return the guess rate of each row: its ``chance``, else what its metric and task say.

    Parameters
    ----------
    frame : pandas.DataFrame
        Evaluations or gains.

    Returns
    -------
    numpy.ndarray of float, shape (rows,)
        In the unit of the metric; NaN where unknown.
    """
    facts = metric_facts(frame)
    classes = frame["n_classes"].fillna(0).to_numpy(float) if "n_classes" in frame else np.zeros(len(frame))
    tasks = [str(task) for task in frame["task"]] if "task" in frame else [""] * len(frame)
    given = frame["chance"].to_numpy(float) if "chance" in frame else None
    keys = list(zip(tasks, classes.tolist(), facts.code.tolist(), strict=True))
    known = {key: chance(key[0], key[1] or None, facts.metrics[key[2]]) for key in dict.fromkeys(keys)}
    rates = np.array([known[key] for key in keys], dtype=float)
    return rates if given is None else np.where(np.isnan(given), rates, given)
