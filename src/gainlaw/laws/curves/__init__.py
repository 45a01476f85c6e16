"""Laws of one curve, one a file."""

from __future__ import annotations

from types import MappingProxyType

from gainlaw.laws.curves import (
    broken_power,
    chinchilla,
    constant,
    linear,
    logistic,
    power,
    power_offset,
    probit,
    rational,
    richards,
    saturating_exponential,
    shifted_power,
    two_curve,
)

__all__ = ["CURVE_LAWS"]

CURVE_LAWS = MappingProxyType(
    {
        each.LAW.name: each.LAW
        for each in (
            constant,
            linear,
            power,
            power_offset,
            shifted_power,
            saturating_exponential,
            rational,
            logistic,
            probit,
            richards,
            broken_power,
            two_curve,
            chinchilla,
        )
    }
)
