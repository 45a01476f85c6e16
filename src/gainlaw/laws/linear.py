"""The linear law: the gain is linear in the logarithm of size."""

from __future__ import annotations

import numpy as np

from gainlaw.laws.base import Array, Law

__all__ = ["LINEAR"]


def _shape(x: Array, psi: Array | None = None) -> Array:
    return np.asarray(x, dtype=float)


def _inverse(h: Array, psi: Array | None = None) -> Array:
    return np.asarray(h, dtype=float)


def _limit(psi: Array | None = None) -> Array:
    return np.asarray(np.inf)


LINEAR = Law(
    name="linear",
    formula="gain = a + beta * x,  x = log10(params / 1e9)",
    latex=r"g(N) = a + \beta\,x,\quad x = \log_{10}(N/10^9)",
    has_slope=True,
    parameters=(),
    shape=_shape,
    inverse=_inverse,
    limit=_limit,
    description="the gain changes by the same amount with every factor of ten in size",
    curve="linear",
)
