"""What the compiled estimation of curves reads beside a formula: the data with their loss, and what is searched for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Data", "Search"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]


class Data(NamedTuple):
    """Data and their loss.

    Parameters
    ----------
    y, weight : ndarray, shape (n,)
        Observations, and the weights of their losses.
    trials : ndarray, shape (n,)
        Items behind each count; not read by other losses.
    precision : ndarray, shape (n, n) or (0, 0)
        Inverse of the known covariance of the data; squared loss only.
    loss : int
        `losses.SQUARED` and its neighbours.
    setting : ndarray, shape (2,)
        Huber's delta; degrees of freedom and scale of Student's t; intraclass correlation of the beta-binomial.
    """

    y: Float
    weight: Float
    trials: Float
    precision: Float
    loss: int
    setting: Float


class Search(NamedTuple):
    """Which parameters to find.

    Parameters
    ----------
    linear, free : ndarray of int
        Those that the formula is linear in, and all that are searched for; others stay at their start.
    most : int
        Most Newton steps.
    """

    linear: Int
    free: Int
    most: int
