"""The linear law: the gain is linear in the logarithm of size."""

from __future__ import annotations

from functools import partial

import numpy as np

from gainlaw.laws.base import Array, Law
from gainlaw.sizes import size_text

__all__ = ["LINEAR", "linear_law"]


def _shape(x: Array, psi: Array | None = None, *, centre: float) -> Array:
    return np.asarray(x, dtype=float) - centre


def _inverse(h: Array, psi: Array | None = None, *, centre: float) -> Array:
    return np.asarray(h, dtype=float) + centre


def _limit(psi: Array | None = None) -> Array:
    return np.asarray(np.inf)


def linear_law(x1: float, x2: float, centre: float) -> Law:
    """Return the linear law with a centre, in decades from 1e9 parameters; its range does not matter.

    Examples
    --------
    >>> float(linear_law(-1.0, 2.0, 0.5).shape(np.array(2.0), None))
    1.5
    """
    return Law(
        name="linear",
        formula=f"gain = a + beta * x,  x = log10(params / {size_text(centre)})",
        latex=r"g(N) = a + \beta\,x,\quad x = \log_{10}(N/N_c)",
        has_slope=True,
        parameters=(),
        shape=partial(_shape, centre=centre),
        inverse=partial(_inverse, centre=centre),
        limit=_limit,
        description="the gain changes by the same amount with every factor of ten in size",
        curve="linear",
        centre=centre,
        placed=linear_law,
    )


LINEAR = linear_law(-1.0, 1.0, 0.0)
