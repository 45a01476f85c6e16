"""What resampling languages says about the slope, and why that is not the whole uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.scores.gains.table import Gains

__all__ = ["SlopeBootstrap", "language_bootstrap_slope"]


@dataclass(frozen=True, slots=True, eq=False)
class SlopeBootstrap:
    """A slope and its bootstrap interval.

    Attributes
    ----------
    estimate : float
        The mean slope of the series, per decade of parameters, in the unit of the gains.
    ci_low, ci_high : float
        Percentile interval.
    ci_prob : float
        Its probability.
    draws : numpy.ndarray of float, shape (draws,)
        Bootstrap means.
    n_series : int
        Series resampled.
    """

    estimate: float
    ci_low: float
    ci_high: float
    ci_prob: float
    draws: np.ndarray
    n_series: int


def language_bootstrap_slope(
    gains: Gains,
    draws: int = 4000,
    rng: np.random.Generator | int = 0,
    *,
    ci_prob: float = 0.95,
) -> SlopeBootstrap:
    r"""Resample (task, language) series as if each were an independent experiment on scale.

    For every task and language (and intermediate) the gains are regressed on log10 params by least squares;
    the slopes are averaged, and the series are resampled with replacement for a percentile interval. Series
    with fewer than three sizes are left out.

    The interval is what one gets by treating languages as replicates: it holds the checkpoints fixed, though
    all the languages of a size share one of them, and holds the tasks' mixture fixed. It is shown beside the
    hierarchical model's interval to say how much narrower it is, not as an answer.

    Parameters
    ----------
    gains : Gains
        Gains with params, and task and language where there are several.
    draws : int, default 4000
        Bootstrap draws.
    rng : numpy.random.Generator or int, default 0
        Source of randomness, or its seed.
    ci_prob : float, default 0.95
        Probability of the interval.

    Returns
    -------
    SlopeBootstrap
        The mean slope, its interval and the draws.

    Raises
    ------
    InputError
        If no series has three sizes.

    References
    ----------
    .. [1] Efron and Tibshirani (1993), An Introduction to the Bootstrap, doi:10.1201/9780429246593.

    Examples
    --------
    >>> import gainlaw as gl
    >>> result = language_bootstrap_slope(gl.load_dataset("bloomz", intermediates="xP3").gains())
    >>> round(result.estimate, 1), result.n_series
    (6.6, 42)
    """
    generator = np.random.default_rng(rng)
    frame = gains.frame.assign(x=np.log10(gains.frame["params"].to_numpy(float)))
    labels = [column for column in ("task", "language", "intermediate") if column in frame]
    slopes = []
    for _, series in frame.groupby(labels) if labels else [("", frame)]:
        if series["params"].nunique() < 3:
            continue
        x = series["x"].to_numpy() - series["x"].mean()
        slopes.append(float(x @ series["gain"].to_numpy() / (x @ x)))
    if not slopes:
        what = "no task and language has gains at three sizes or more"
        raise InputError(Problem(what, "params"), gains.source or None)
    values = np.array(slopes)
    means = values[generator.integers(len(values), size=(draws, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.5 - ci_prob / 2, 0.5 + ci_prob / 2])
    return SlopeBootstrap(float(values.mean()), float(low), float(high), ci_prob, means, len(values))
