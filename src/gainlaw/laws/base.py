"""The shape shared by every law of the gain against model size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["N0", "Array", "Law", "decades"]

Array = NDArray[np.float64]

N0 = 1e9
"""The reference size: every law is written in ``x = log10(params / N0)``."""


def decades(params: float | Array) -> Array:
    """Return ``x = log10(params / 1e9)``, the position on the size axis in decades.

    Parameters
    ----------
    params : float or array
        Model sizes, in parameters.

    Examples
    --------
    >>> float(decades(1e10))
    1.0
    """
    return np.log10(np.asarray(params, dtype=float) / N0)


@dataclass(frozen=True, slots=True)
class Law:
    r"""A law that is linear in its coefficients: ``gain(x) = a + beta * h(x; exponent)``.

    The shape ``h`` has ``h(0) = 0`` and ``h'(0) = 1``, so ``a`` is the gain at 1e9 parameters and ``beta``
    the local slope there, per decade, whatever the law.

    Parameters
    ----------
    name : str
        The name used in options and files.
    formula : str
        The formula in plain text.
    latex : str
        The formula in LaTeX.
    has_slope : bool
        Whether the law depends on size at all.
    has_exponent : bool
        Whether ``h`` has a free exponent.
    shape : callable
        ``shape(x, exponent) -> h``, arrays broadcast.
    inverse : callable
        ``inverse(h, exponent) -> x``; NaN where no finite size has that shape value.
    description : str
        One sentence for reports.
    """

    name: str
    formula: str
    latex: str
    has_slope: bool
    has_exponent: bool
    shape: Callable[[Array, Array | None], Array]
    inverse: Callable[[Array, Array | None], Array]
    description: str

    def mean_slope_factor(self, x_low: float, x_high: float, exponent: Array | None = None) -> Array:
        """Return ``(h(x_high) - h(x_low)) / (x_high - x_low)``, which turns ``beta`` into the average slope.

        Parameters
        ----------
        x_low, x_high : float
            The observed range, in decades from 1e9 parameters.
        exponent : array, optional
            The exponent (its draws), for laws that have one.
        """
        high = self.shape(np.asarray(x_high, dtype=float), exponent)
        low = self.shape(np.asarray(x_low, dtype=float), exponent)
        return (high - low) / (x_high - x_low)
