"""What the compiled kernels of the Gaussian model read: one record of arrays, made once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.spec.design import Design, Matrix

__all__ = ["GaussianData", "ResidualTable", "gaussian_record", "no_table"]

Float = NDArray[np.float64]


class GaussianData(NamedTuple):
    """Observations with independent known errors, and the model matrix of their rows.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Rotated gains less the prior mean of intercept and covariates.
    variance : ndarray, shape (n,)
        The variance of every row's known error.
    unit : ndarray, shape (n,)
        The rotated vector of ones.
    keep : ndarray, shape (n,)
        1 for rows that count, 0 for rows left out.
    slope_mean : float
        Prior mean of the population slope.
    matrix : Matrix
        The model matrix, whose coefficients include the shared errors'.
    """

    y: Float
    variance: Float
    unit: Float
    keep: Float
    slope_mean: float
    matrix: Matrix


class ResidualTable(NamedTuple):
    r"""Unscaled normal equations at Chebyshev nodes in :math:`\log(s + \tau^2)`, see `linear_system.system`.

    Parameters
    ----------
    shift, middle, half : float
        The variance ``s``, and middle and half length of the range of the logarithm.
    low, high : float
        The residual sds covered; none if the first is above the second.
    cores, sides, squares, rights, scalars : ndarray, shape (nodes, ...)
        What `linear_system.tabulate_system` returns.
    """

    shift: float
    middle: float
    half: float
    low: float
    high: float
    cores: Float
    sides: Float
    squares: Float
    rights: Float
    scalars: Float


def gaussian_record(
    y: Float, variance: Float, unit: Float, slope_mean: float, design: Design
) -> GaussianData:
    """Return the record of some rows, all of which count.

    Parameters
    ----------
    y, variance, unit, slope_mean
        See `GaussianData`.
    design : Design
        The model matrix of the same rows.

    Raises
    ------
    ValueError
        If lengths differ, a number is not finite, or a variance is not positive: compiled kernels do not look.
    """
    n = len(design.block)
    if not all(each.shape == (n,) and np.isfinite(each).all() for each in (y, variance, unit)):
        raise ValueError(f"the kernels take {n} finite numbers for {n} rows")
    if not (variance > 0).all() or not np.isfinite(design.value).all():
        raise ValueError("the kernels take positive variances and a finite model matrix")
    return GaussianData(y, variance, unit, np.ones(n), float(slope_mean), design.matrix)


def no_table(matrix: Matrix) -> ResidualTable:
    """Return a table that covers nothing."""
    p, q = matrix.n_core, len(matrix.place)
    widest = max(1, int(np.diff(matrix.bounds).max(initial=1)))
    arrays = ((0, p, p), (0, q - p, p), (0, q - p, widest), (0, q), (0, 2))
    return ResidualTable(1.0, 0.0, 1.0, 1.0, 0.0, *(np.zeros(shape) for shape in arrays))
