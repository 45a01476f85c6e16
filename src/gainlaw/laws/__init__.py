"""Laws: formulas of the gain against model size. No fitting happens here."""

from __future__ import annotations

from types import MappingProxyType
from typing import overload

from gainlaw.errors import InputError, Problem
from gainlaw.laws.base import Law, ShapeParameter
from gainlaw.laws.constant import CONSTANT
from gainlaw.laws.curve_law import CurveLaw, CurveParameter, formula_law
from gainlaw.laws.curves import CURVE_LAWS
from gainlaw.laws.linear import LINEAR
from gainlaw.laws.offset_power import OFFSET_POWER
from gainlaw.laws.sigmoid import LOGISTIC, SATURATING
from gainlaw.options import LawName, require_choice
from gainlaw.sizes import N0, centre_of, decades

__all__ = [
    "CURVE_LAWS",
    "LAWS",
    "N0",
    "CurveLaw",
    "CurveParameter",
    "Law",
    "ShapeParameter",
    "centre_of",
    "curve_law",
    "decades",
    "formula_law",
    "law",
]

LAWS = MappingProxyType({each.name: each for each in (CONSTANT, LINEAR, OFFSET_POWER, SATURATING, LOGISTIC)})


@overload
def law(name: LawName) -> Law: ...
@overload
def law(name: str) -> Law | CurveLaw: ...
def law(name: str) -> Law | CurveLaw:
    """Return the hierarchical law called `name`, or the law of one curve that a formula is.

    Parameters
    ----------
    name : {"constant", "linear", "offset_power", "saturating", "logistic"} or formula
        The law's name; or a formula in ``x`` (log10(params / 1e9)) for `gainlaw.fit_curve`, see `formula_law`.

    Raises
    ------
    InputError
        If there is no such law; the message lists those there are.

    Examples
    --------
    >>> law("linear").formula
    'gain = a + beta * x,  x = log10(params / 1e9)'
    """
    if not name.isidentifier():
        return formula_law(name, name=name)
    return LAWS[require_choice(name, LawName, "law")]


def curve_law(name: str | CurveLaw | Law) -> CurveLaw:
    """Return the law of one curve called `name`, or made from a formula.

    Parameters
    ----------
    name : str, CurveLaw or Law
        One of `CURVE_LAWS`, or a formula in ``x`` (log10(params / 1e9)) such as ``"c + a * exp(-r * x)"``. For
        positive parameters and ranges of starting values see `formula_law`. A law of one curve is returned as it is,
        a hierarchical one as the law of one curve that has its form.

    Raises
    ------
    InputError
        If it is neither.

    Examples
    --------
    >>> curve_law("linear").formula, curve_law("a + b * x ** 2").linear
    ('a + b * x', (True, True))
    """
    if isinstance(name, CurveLaw):
        return name
    if isinstance(name, Law) and name.curve:
        return CURVE_LAWS[name.curve]
    if not isinstance(name, str):
        raise InputError(Problem(f"a law is a name, a formula or a law, not {type(name).__name__}"))
    if name in CURVE_LAWS:
        return CURVE_LAWS[name]
    if name.isidentifier():
        raise InputError(
            Problem(f"law is {name!r}", hint=f"allowed: {', '.join(CURVE_LAWS)}, or a formula in x")
        )
    return formula_law(name, name=name)
