"""The constant law: a gain that does not depend on size."""

from __future__ import annotations

import numpy as np

from gainlaw.laws.base import Array, Law

__all__ = ["CONSTANT"]


def _shape(x: Array, exponent: Array | None = None) -> Array:
    return np.zeros_like(np.asarray(x, dtype=float))


def _inverse(h: Array, exponent: Array | None = None) -> Array:
    return np.full_like(np.asarray(h, dtype=float), np.nan)


CONSTANT = Law(
    name="constant",
    formula="gain = a",
    latex=r"g = a",
    has_slope=False,
    has_exponent=False,
    shape=_shape,
    inverse=_inverse,
    description="the gain does not change with size",
)
