"""Errors of fits by robust losses: a sandwich, with smoothed residuals where the loss itself has no curvature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gainlaw.curves.kernels.problem import CurveProblem, robust_sd

__all__ = ["robust_covariance", "smoothing"]

Float = NDArray[np.float64]

# The kernel of the sandwich is this much wider than Silverman's: each point's own density counts, not their mean alone.
_WIDER = 1.4
# Largest leverage that a point is credited with.
_LEVERAGE = 0.99


def robust_covariance(problem: CurveProblem, slope: Float, residuals: Float) -> Float:
    r"""Return the covariance of the parameters searched for, shape (p, p).

    With :math:`\psi` the derivative of the loss and its weight, J the derivatives of the curve and leverage h it is
    :math:`B^{-1} \sum_i \psi_i^2 J_i J_i' / (1 - h_i)\, B^{-1}` with :math:`B = \sum_i E\psi'_i J_i J_i'`, so that
    errors may be larger at some sizes than at others. Least absolute deviation is the limit of Huber's loss as its
    threshold goes to 0, where :math:`\psi'` becomes twice the density at 0; so that small thresholds do not count a
    handful of points, a residual is spread out by a normal kernel. The curve passes through, or near, as many points as
    it has parameters: their residuals say nothing, and the mean of the others stands in for them.

    Parameters
    ----------
    problem : CurveProblem
        Law, points and loss: ``huber``, ``lad`` or ``student_t``.
    slope : ndarray, shape (n, p)
        Derivatives of the curve at the points.
    residuals : ndarray, shape (n,)
        Data less prediction.

    Notes
    -----
    Powell (1991), estimation of monotonic regression models under quantile restrictions; MacKinnon and White (1985),
    doi 10.1016/0304-4076(85)90158-7, for the leverage.
    """
    n, p = slope.shape
    if n <= p:
        return np.full((p, p), np.nan)
    weight = problem.weight
    leverage = np.clip((np.linalg.qr(slope * np.sqrt(weight)[:, None])[0] ** 2).sum(axis=1), 0.0, _LEVERAGE)
    psi, curvature = (weight * each for each in _derivatives(problem, residuals, p))
    bread = np.linalg.inv((slope * curvature[:, None]).T @ slope)
    return bread @ ((slope * (psi**2 / (1.0 - leverage))[:, None]).T @ slope) @ bread


def _derivatives(problem: CurveProblem, residuals: Float, p: int) -> tuple[Float, Float]:
    """Return the loss's derivative at every point, and the expectation of its second."""
    from scipy.special import ndtr

    if problem.loss == "student_t":
        nu, scale = problem.setting
        total = nu * scale**2 + residuals**2
        return (nu + 1.0) * residuals / total, (nu + 1.0) * (nu * scale**2 - residuals**2) / total**2
    _, width, stretch = smoothing(residuals, p)
    width, stretch = _WIDER * width, float(np.sqrt(1.0 + (stretch**2 - 1.0) * _WIDER**2))
    if problem.loss == "lad":
        psi = np.ones_like(residuals)
        inside = np.exp(-0.5 * (residuals / width) ** 2) * 2.0 * stretch / (width * np.sqrt(2.0 * np.pi))
    else:
        delta = problem.setting[0]
        psi = np.clip(residuals, -delta, delta)
        below, above = (ndtr((side * delta * stretch - residuals) / width) for side in (-1.0, 1.0))
        inside = above - below
    order = np.argsort(np.abs(residuals), kind="stable")
    inside[order[:p]] = inside[order[p:]].mean()
    return psi, inside


def smoothing(residuals: Float, p: int) -> tuple[Float, float, float]:
    """Return what smooths the residuals of a curve with p parameters.

    Returns
    -------
    rest : ndarray, shape (n - p,)
        The residuals but for the p smallest, which the curve makes small by itself.
    width : float
        Standard deviation of the kernel, by Silverman's rule (1986, doi 10.1201/9781315140919, equation 3.31).
    stretch : float
        How much wider the smoothed residuals are; divided by it they have the spread of the residuals.
    """
    rest = residuals[np.argsort(np.abs(residuals), kind="stable")[p:]]
    spread = min(robust_sd(rest), float(np.sqrt(np.mean(rest**2))))
    width = max(0.9 * spread * len(rest) ** -0.2, 1e-300)
    return rest, width, float(np.sqrt(1.0 + (width / max(spread, 1e-300)) ** 2))
