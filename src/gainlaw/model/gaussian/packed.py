"""The packed vector of hyperparameters in compiled code: its parts, and the effects that they scale."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["Scales", "column_scales", "lift_of", "unpack", "write_effects"]

Float = NDArray[np.float64]


class Scales(NamedTuple):
    """The parts of a packed vector, shape (3 * n_blocks + 1 + n,), or n longer for a law that lifts.

    Parameters
    ----------
    intercept, slope, correlation : ndarray, shape (n_blocks,)
        Sds of the intercepts and slopes of every block, and their correlations.
    residual : float
        The residual sd.
    shape : ndarray, shape (n,) or (2 n,)
        The law's shape at every row, and behind it the lift of every row where there is one; empty where the vector
        ends before it.
    """

    intercept: Float
    slope: Float
    correlation: Float
    residual: float
    shape: Float


@numba.njit(cache=True, nogil=True)
def unpack(theta, n_blocks):
    """Return the parts of a packed vector; they are views of it."""
    return Scales(
        theta[:n_blocks],
        theta[n_blocks : 2 * n_blocks],
        theta[2 * n_blocks : 3 * n_blocks],
        theta[3 * n_blocks],
        theta[3 * n_blocks + 1 :],
    )


@numba.njit(cache=True, nogil=True)
def lift_of(i, n, shape):
    """Return what row `i` of `n` multiplies the entries of lifted blocks by."""
    return shape[n + i] if shape.shape[0] > n else 1.0


@numba.njit(cache=True, nogil=True)
def write_effects(z, scales, matrix, end, effects):
    """Write the effects of the blocks before column `end`, in the unit of the scale, into `effects`.

    Parameters
    ----------
    z : ndarray
        Standard normal coefficients in the order of ``matrix.place``.
    scales : Scales
        Sds and correlations.
    matrix : Matrix
        The model matrix.
    end : int
        The first column of blocks that are left alone.
    effects : ndarray, shape (q,)
        Receives the effects in the order of the columns.
    """
    starts, slopes, place = matrix.starts, matrix.slopes, matrix.place
    for b in range(starts.shape[0]):
        if starts[b] >= end:
            continue
        tau0, tau1, rho = scales.intercept[b], scales.slope[b], scales.correlation[b]
        for g in range(matrix.sizes[b]):
            first = z[place[starts[b] + g]]
            effects[starts[b] + g] = tau0 * first
            if slopes[b] >= 0:
                second = z[place[slopes[b] + g]]
                effects[slopes[b] + g] = tau1 * (rho * first + np.sqrt(1.0 - rho**2) * second)


@numba.njit(cache=True, nogil=True)
def column_scales(scales, matrix, size):
    """Return how the scaled columns of ``B`` come from plain ones, in the order of ``matrix.place``.

    Every column is its own scale times a plain column, plus for intercepts a share of their slope's.

    Parameters
    ----------
    scales : Scales
        Sds and correlations.
    matrix : Matrix
        The model matrix.
    size : int
        The number of columns, the first of which are meant.

    Returns
    -------
    own, mix : ndarray, shape (size,)
        The scale of every column, and its share of the other.
    partner : ndarray of int, shape (size,)
        The other column, which stands behind it; -1 if there is none.
    """
    own, mix, partner = np.ones(size), np.zeros(size), np.full(size, -1)
    for k in range(matrix.starts.shape[0]):
        if matrix.starts[k] >= size:
            continue
        rho = scales.correlation[k]
        for g in range(matrix.sizes[k]):
            j = matrix.place[matrix.starts[k] + g]
            own[j] = scales.intercept[k]
            if matrix.slopes[k] >= 0:
                i = matrix.place[matrix.slopes[k] + g]
                own[i] = scales.slope[k] * np.sqrt(1.0 - rho * rho)
                if rho != 0.0:
                    partner[j], mix[j] = i, scales.slope[k] * rho
    return own, mix, partner
