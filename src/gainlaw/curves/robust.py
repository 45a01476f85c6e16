"""Errors of fits by robust losses: the variance that one residual contributes, from the spread of the residuals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gainlaw.curves.kernel import Task, robust_sd

__all__ = ["robust_variance", "smoothing"]

Float = NDArray[np.float64]


def robust_variance(task: Task, residuals: Float) -> float:
    r"""Return what takes the place of the residual variance in the covariance of the parameters.

    With :math:`\psi` the derivative of the loss it is :math:`E\psi(e)^2 / (E\psi'(e))^2` (Huber 1964, doi
    10.1214/aoms/1177703732), for errors of one distribution. Least absolute deviation is the limit of Huber's loss as
    its threshold goes to 0, where :math:`\psi'` becomes twice the density at 0; so that small thresholds do not
    count a handful of points, the share of errors below the threshold is that of residuals smoothed by a normal
    kernel. The curve passes through, or near, as many points as it has parameters: they say nothing of that density.

    Parameters
    ----------
    task : Task
        Law, points and loss: ``huber``, ``lad`` or ``student_t``.
    residuals : ndarray, shape (n,)
        Data less prediction.
    """
    from scipy.special import ndtr

    n, p = len(residuals), len(task.law.parameters)
    if n <= p:
        return float("nan")
    if task.loss == "student_t":
        nu, scale = task.setting
        total = nu * scale**2 + residuals**2
        psi = (nu + 1.0) * residuals / total
        slope = float(np.mean((nu + 1.0) * (nu * scale**2 - residuals**2) / total**2))
        return float((psi**2).sum()) / (n - p) / slope**2
    rest, width, stretch = smoothing(residuals, p)
    if task.loss == "lad":
        density = (
            float(np.mean(np.exp(-0.5 * (rest / width) ** 2))) * stretch / (width * np.sqrt(2.0 * np.pi))
        )
        return 1.0 / (2.0 * density) ** 2
    delta = task.setting[0]
    below, above = (ndtr((side * delta * stretch - rest) / width) for side in (-1.0, 1.0))
    psi = np.clip(residuals, -delta, delta)
    return float((psi**2).sum()) / (n - p) / float(np.mean(above - below)) ** 2


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
