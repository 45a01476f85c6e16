"""The four scales of a gain: its value, and how the two scores' sampling errors enter it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gainlaw.scales import Scale

__all__ = ["Contrast", "adjusted_accuracy", "contrast"]


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """A gain and its derivatives.

    Attributes
    ----------
    gain : numpy.ndarray of float, shape (n,)
        In the unit of the scale.
    baseline_loading, intermediate_loading : numpy.ndarray of float, shape (n,)
        Derivative of the gain with respect to the score of the baseline and of the intermediate: of opposite
        signs, the baseline's negative where higher is better.
    """

    gain: np.ndarray
    baseline_loading: np.ndarray
    intermediate_loading: np.ndarray


def adjusted_accuracy(
    accuracy: np.ndarray, correct: np.ndarray, examples: np.ndarray, variance: np.ndarray, chance: np.ndarray
) -> np.ndarray:
    r"""Return accuracies moved off the guess rate and off 1, where chance-corrected log-odds are finite.

    With counts, :math:`(k + 1/2)/(n + 1)`; then not below chance + half a standard error and not above
    1 - half a standard error. This serves the table only: a cell at the floor gets a finite log-odds with
    a standard error of about 2, whereas the hierarchical model takes the counts as they are.

    Parameters
    ----------
    accuracy, correct, examples, variance, chance : numpy.ndarray of float, shape (n,)
        p, k, n (NaN where unknown), sampling variance of p, guess rate.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        Fractions in (chance, 1).
    """
    half = 0.5 * np.sqrt(variance)
    smoothed = np.where(np.isnan(correct), accuracy, (correct + 0.5) / (examples + 1.0))
    low = np.minimum(chance + half, chance + 0.5 * (1.0 - chance))
    high = np.where(np.isnan(correct), 1.0 - np.minimum(half, 0.25 * (1.0 - chance)), 1.0)
    return np.maximum(np.minimum(smoothed, high), low)


def contrast(
    scale: Scale,
    baseline: np.ndarray,
    intermediate: np.ndarray,
    *,
    baseline_adjusted: np.ndarray,
    intermediate_adjusted: np.ndarray,
    chance: np.ndarray,
    baseline_edge: np.ndarray,
    per_point: np.ndarray,
    best: np.ndarray,
) -> Contrast:
    r"""Return the gain on a scale and its derivatives with respect to both scores.

    With p0 and p1 the scores, c the guess rate, b the best score there can be and u the points in one unit of
    the metric, negative where lower is better (b = 1 and u = 100 for an accuracy):

    - ``points``: :math:`u (p_1 - p_0)`
    - ``normalized``: :math:`100 (p_1 - p_0)/(b - c)`
    - ``error_reduction``: :math:`100 (p_1 - p_0)/(b - p_0)`
    - ``log_odds``: :math:`\ell(p_1) - \ell(p_0)` with
      :math:`\ell(p) = \mathrm{logit}\,((p - c)/(1 - c)) = \log((p - c)/(1 - p))`, of the adjusted accuracies.

    Parameters
    ----------
    scale : {"points", "log_odds", "normalized", "error_reduction"}
        The scale.
    baseline, intermediate : numpy.ndarray of float, shape (n,)
        p0 and p1.
    baseline_adjusted, intermediate_adjusted : numpy.ndarray of float, shape (n,)
        What `adjusted_accuracy` gives, for ``log_odds``.
    chance : numpy.ndarray of float, shape (n,)
        c; used by ``normalized`` and ``log_odds``.
    baseline_edge : numpy.ndarray of float, shape (n,)
        p0 moved off the best score where it is that, for ``error_reduction``.
    per_point, best : numpy.ndarray of float, shape (n,)
        u and b.

    Returns
    -------
    Contrast
        Values and loadings.
    """
    p0, p1 = baseline, intermediate
    if scale == "points":
        return Contrast(per_point * (p1 - p0), -per_point, per_point)
    if scale == "normalized":
        loading = 100.0 / (best - chance)
        return Contrast(loading * (p1 - p0), -loading, loading)
    if scale == "error_reduction":
        left = best - baseline_edge
        return Contrast(100.0 * (p1 - p0) / left, -100.0 * (best - p1) / left**2, 100.0 / left)
    q0, q1 = baseline_adjusted, intermediate_adjusted
    value = np.log((q1 - chance) / (1.0 - q1)) - np.log((q0 - chance) / (1.0 - q0))
    slope0 = (1.0 - chance) / ((q0 - chance) * (1.0 - q0))
    slope1 = (1.0 - chance) / ((q1 - chance) * (1.0 - q1))
    return Contrast(value, -slope0, slope1)
