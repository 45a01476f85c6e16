"""What the compiled estimation of curves reads beside a formula, and what it writes to: records of arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Data", "Found", "Scratch", "Search", "Step"]

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
    low, high : ndarray, shape (p,)
        Between what values, infinite where there is no bound.
    """

    linear: Int
    free: Int
    most: int
    low: Float
    high: Float


class Scratch(NamedTuple):
    """What an evaluation at n points writes to; see `tape.evaluate` for the first four.

    Parameters
    ----------
    values, gradients, seconds, partial : ndarray, shape (nodes, n), (entries, n), (pairs, n), (6, n)
        The formula's.
    first, second, bound : ndarray, shape (n,)
        The loss's first two derivatives in every prediction, and a curvature above the second, with the weight.
    fuzz : ndarray, shape (n,)
        What rounding of a prediction may add to the first.
    inner : ndarray, shape (n,)
        Of passing use.
    """

    values: Float
    gradients: Float
    seconds: Float
    partial: Float
    first: Float
    second: Float
    bound: Float
    fuzz: Float
    inner: Float


class Found(NamedTuple):
    """The objective's derivatives at p parameters.

    Parameters
    ----------
    gradient : ndarray, shape (p,)
        First derivatives.
    hessian, gauss : ndarray, shape (p, p)
        Second derivatives, and the matrix of a quadratic above the objective.
    size, error : ndarray, shape (p,)
        The sum of the sizes of each derivative's terms, and what rounding of the predictions may add to it.
    """

    gradient: Float
    hessian: Float
    gauss: Float
    size: Float
    error: Float


class Step(NamedTuple):
    """What the solution for a step writes to.

    Parameters
    ----------
    factor : ndarray, shape (p, p)
        The Cholesky factor.
    x : ndarray, shape (p,)
        The step, one entry for each parameter that moves.
    scale : ndarray, shape (p,)
        What damping adds in proportion to, one entry for each parameter.
    """

    factor: Float
    x: Float
    scale: Float
