"""What a claim's expressions are: their unit, whether a number binds them to one scale, their linear form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gainlaw.claims.grammar.syntax import Apply, Claim, Estimand, Expr, Negate, Number
from gainlaw.errors import InputError, Problem
from gainlaw.options import ABILITY_ESTIMANDS

__all__ = ["LinearForm", "Measure", "equivalence_form", "linear_form", "measure"]

Kind = Literal["gain", "size", "ratio", "mixed"]


@dataclass(frozen=True, slots=True)
class Measure:
    """The unit of the difference of a claim's two sides.

    Parameters
    ----------
    kind : {"gain", "size", "ratio", "mixed"}
        ``gain``: the unit of the fit's scale (points, log-odds), per decade or not; ``size``: parameters;
        ``ratio``: no unit; ``mixed``: a product of units.
    bound : bool
        True when a number in the claim carries the unit of one scale (``gain(10B) < 1``), so that the claim
        says something else on another scale. ``slope < 0`` is free.
    """

    kind: Kind
    bound: bool


@dataclass(frozen=True, slots=True)
class LinearForm:
    """An expression that is linear in its estimands: ``constant + sum of weight * term``.

    Parameters
    ----------
    weights : tuple of (Estimand, float)
        Every estimand and its weight, none of them 0.
    constant : float
        What is left when every estimand is 0.
    """

    weights: tuple[tuple[Estimand, float], ...]
    constant: float


@dataclass(frozen=True, slots=True)
class _Unit:
    gain: int = 0
    size: int = 0
    literal: bool = False
    zero: bool = False
    bound: bool = False


def measure(claim: Claim) -> Measure:
    """Return the unit of a claim and whether one of its numbers binds it to a scale.

    Parameters
    ----------
    claim : Claim
        The claim.

    Raises
    ------
    InputError
        If the claim adds or compares things of different kinds, such as a size and a gain.

    Examples
    --------
    >>> from gainlaw.claims.grammar.parse import parse_claim
    >>> measure(parse_claim("slope < 0"))
    Measure(kind='gain', bound=False)
    >>> measure(parse_claim("gain(10B) < 1"))
    Measure(kind='gain', bound=True)
    >>> measure(parse_claim("crossing(0) < 10B"))
    Measure(kind='size', bound=False)
    """
    unit = _join(_unit(claim.left), _unit(claim.right), claim.left, claim.right, "compares")
    kinds: dict[tuple[int, int], Kind] = {(1, 0): "gain", (0, 1): "size", (0, 0): "ratio"}
    return Measure(kinds.get((unit.gain, unit.size), "mixed"), unit.bound)


def linear_form(expr: Expr) -> LinearForm | None:
    """Return the linear form of an expression, or None if it is not linear in its estimands.

    Examples
    --------
    >>> from gainlaw.claims.grammar.parse import parse_claim
    >>> form = linear_form(parse_claim("gain(1B) - 2 * gain(10B) < 1").difference)
    >>> [(str(term), weight) for term, weight in form.weights], form.constant
    ([('gain(1B)', 1.0), ('gain(10B)', -2.0)], -1.0)
    >>> linear_form(parse_claim("abs(slope) < 1").left) is None
    True
    """
    parts = _linear(expr)
    if parts is None:
        return None
    weights, constant = parts
    return LinearForm(tuple((term, w) for term, w in weights.items() if w != 0.0), constant)


def equivalence_form(claim: Claim) -> tuple[LinearForm, float] | None:
    """Return ``(form, half width)`` of a claim ``abs(form) < half width``, or None for any other claim.

    Examples
    --------
    >>> from gainlaw.claims.grammar.parse import parse_claim
    >>> form, width = equivalence_form(parse_claim("abs(gain(1B) - 8) < 2"))
    >>> form.constant, width
    (-8.0, 2.0)
    """
    inner, op, outer = claim.left, claim.op, claim.right
    if op in (">", ">="):
        inner, outer = outer, inner
    bound = linear_form(outer)
    if not isinstance(inner, Apply) or inner.name != "abs" or bound is None or bound.weights:
        return None
    form = linear_form(inner.args[0])
    return None if form is None or not form.weights else (form, bound.constant)


def _unit(expr: Expr) -> _Unit:
    if isinstance(expr, Number):
        return _Unit(literal=True, zero=expr.value == 0)
    if isinstance(expr, Estimand):
        if expr.positive is not None:
            return _Unit(bound=True)
        if expr.name in ("ratio", "size_multiplier", *ABILITY_ESTIMANDS):
            return _Unit()
        if expr.name == "peak":
            return _Unit(size=1)
        if expr.name == "crossing":
            return _Unit(size=1, bound=expr.args[0] != 0)
        return _Unit(gain=1)
    if isinstance(expr, Negate):
        return _unit(expr.operand)
    if isinstance(expr, Apply):
        unit = _unit(expr.args[0])
        for arg in expr.args[1:]:
            unit = _join(unit, _unit(arg), expr.args[0], arg, f"takes the {expr.name} of")
        return unit
    left, right = _unit(expr.left), _unit(expr.right)
    if expr.op in "+-":
        return _join(left, right, expr.left, expr.right, "adds" if expr.op == "+" else "subtracts")
    sign = 1 if expr.op == "*" else -1
    return _Unit(
        gain=left.gain + sign * right.gain,
        size=left.size + sign * right.size,
        literal=left.literal and right.literal,
        zero=left.zero or (expr.op == "*" and right.zero),
        bound=left.bound or right.bound,
    )


def _join(left: _Unit, right: _Unit, left_expr: Expr, right_expr: Expr, verb: str) -> _Unit:
    """Return the unit of two things that are added or compared."""
    if left.literal and right.literal:
        return _Unit(literal=True, zero=left.zero and right.zero)
    if left.literal or right.literal:
        number, other = (left, right) if left.literal else (right, left)
        carries = not number.zero and other.gain != 0
        return _Unit(other.gain, other.size, bound=other.bound or carries)
    if (left.gain, left.size) != (right.gain, right.size):
        raise InputError(
            Problem(
                f"the claim {verb} things of different kinds: {left_expr} and {right_expr}",
                hint="gains and slopes go together, sizes (crossing) with sizes, ratios with plain numbers",
            )
        )
    return _Unit(left.gain, left.size, bound=left.bound or right.bound)


def _linear(expr: Expr) -> tuple[dict[Estimand, float], float] | None:
    if isinstance(expr, Number):
        return {}, expr.value
    if isinstance(expr, Estimand):
        return ({expr: 1.0}, 0.0) if expr.name in ("slope", "gain", "effect") else None
    if isinstance(expr, Negate):
        inner = _linear(expr.operand)
        return None if inner is None else _scaled(inner, -1.0)
    if isinstance(expr, Apply):
        return None
    left, right = _linear(expr.left), _linear(expr.right)
    if left is None or right is None:
        return None
    if expr.op in "+-":
        other = _scaled(right, 1.0 if expr.op == "+" else -1.0)
        terms = {**left[0], **other[0]}
        return {t: left[0].get(t, 0.0) + other[0].get(t, 0.0) for t in terms}, left[1] + other[1]
    if expr.op == "*" and not left[0]:
        return _scaled(right, left[1])
    if expr.op == "*" and not right[0]:
        return _scaled(left, right[1])
    if expr.op == "/" and not right[0] and right[1] != 0:
        return _scaled(left, 1.0 / right[1])
    return None


def _scaled(parts: tuple[dict[Estimand, float], float], by: float) -> tuple[dict[Estimand, float], float]:
    return {term: weight * by for term, weight in parts[0].items()}, parts[1] * by
