"""Laws: formulas of the gain against model size. No fitting happens here."""

from __future__ import annotations

from types import MappingProxyType

from gainlaw.laws.base import N0, Law, ShapeParameter, decades
from gainlaw.laws.constant import CONSTANT
from gainlaw.laws.linear import LINEAR
from gainlaw.laws.offset_power import OFFSET_POWER
from gainlaw.laws.sigmoid import LOGISTIC, SATURATING
from gainlaw.options import LawName, require_choice

__all__ = ["LAWS", "N0", "Law", "ShapeParameter", "decades", "law"]

LAWS = MappingProxyType({each.name: each for each in (CONSTANT, LINEAR, OFFSET_POWER, SATURATING, LOGISTIC)})


def law(name: str) -> Law:
    """Return the law called `name`.

    Parameters
    ----------
    name : {"constant", "linear", "offset_power", "saturating", "logistic"}
        The law's name.

    Raises
    ------
    InputError
        If there is no such law; the message lists those there are.

    Examples
    --------
    >>> law("linear").formula
    'gain = a + beta * x,  x = log10(params / 1e9)'
    """
    return LAWS[require_choice(name, LawName, "law")]
