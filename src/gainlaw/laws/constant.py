"""The constant law: a gain that does not depend on size."""

from __future__ import annotations

import numpy as np

from gainlaw.laws.base import Array, Law

__all__ = ["CONSTANT"]


def _shape(x: Array, psi: Array | None = None) -> Array:
    return np.zeros_like(np.asarray(x, dtype=float))


def _inverse(h: Array, psi: Array | None = None) -> Array:
    return np.full_like(np.asarray(h, dtype=float), np.nan)


def _limit(psi: Array | None = None) -> Array:
    return np.zeros(())


CONSTANT = Law(
    name="constant",
    formula="gain = a",
    latex=r"g = a",
    has_slope=False,
    parameters=(),
    shape=_shape,
    inverse=_inverse,
    limit=_limit,
    description="the gain does not change with size",
    curve="constant",
)
