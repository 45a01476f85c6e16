"""Claims that no data could contradict, or bear out: they are refused when they are read.

The sides of a claim are bounded by what their estimands can be: slopes, gains and effects anything, sizes more than 0.
What is left of a difference is bounded as a sum of its parts, each part taken once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from gainlaw.claims.grammar.syntax import Apply, Binary, Claim, Estimand, Expr, Negate, Number
from gainlaw.errors import InputError, Problem
from gainlaw.options import SIZE_ESTIMANDS

__all__ = ["refuse_certain", "sum_of_parts"]

Bounds = tuple[float, float]
_ANY: Bounds = (-math.inf, math.inf)
_NONE: Mapping[str, Bounds] = {}


def refuse_certain(claim: Claim, limits: Mapping[str, Bounds] = _NONE) -> None:
    """Refuse a claim that holds, or fails, whatever the data say.

    Parameters
    ----------
    claim : Claim
        The claim.
    limits : mapping of str to (float, float)
        Names that stand for numbers which are kept between others, such as parameters that a fit has bounds for.

    Raises
    ------
    InputError
        If it is certain.

    Examples
    --------
    >>> from gainlaw.claims.grammar.parse import parse_claim
    >>> refuse_certain(parse_claim("abs(slope) >= 0"))
    Traceback (most recent call last):
    gainlaw.errors.InputError: abs(slope) >= 0 is true whatever the data say: its left side is never less than its right
    side; claim what data could contradict
    """
    low, high = _bounds(Binary("-", claim.left, claim.right), limits)
    if low == high:
        true = {"<": low < 0, "<=": low <= 0, ">": low > 0, ">=": low >= 0}[claim.op]
        why = "its sides are the same" if low == 0 else "its sides differ by the same number always"
    elif low >= 0 or high <= 0:
        true = (claim.op in (">", ">=")) == (low >= 0)
        why = f"its left side is never {'less' if low >= 0 else 'more'} than its right side"
    else:
        return
    raise InputError(
        Problem(
            f"{claim} is {'true' if true else 'false'} whatever the data say: {why}",
            hint="claim what data could contradict",
        )
    )


def sum_of_parts(expr: Expr) -> tuple[dict[Expr, float], float]:
    """Return an expression as a constant plus weights times parts that are no sums themselves.

    Examples
    --------
    >>> from gainlaw.claims.grammar.parse import parse_claim
    >>> claim = parse_claim("2 * crossing(0) - 1B < crossing(0)")
    >>> {str(part): weight for part, weight in sum_of_parts(claim.difference)[0].items()}
    {'crossing(0)': 1.0}
    """
    if isinstance(expr, Number):
        return {}, expr.value
    if isinstance(expr, Negate):
        return _times(sum_of_parts(expr.operand), -1.0)
    if isinstance(expr, Binary):
        left, right = sum_of_parts(expr.left), sum_of_parts(expr.right)
        if expr.op in "+-":
            other = _times(right, 1.0 if expr.op == "+" else -1.0)
            parts = {
                part: left[0].get(part, 0.0) + other[0].get(part, 0.0) for part in {**left[0], **other[0]}
            }
            return {part: weight for part, weight in parts.items() if weight}, left[1] + other[1]
        if expr.op == "*" and not left[0]:
            return _times(right, left[1])
        if expr.op == "*" and not right[0]:
            return _times(left, right[1])
        if expr.op == "/" and not right[0] and right[1]:
            return _times(left, 1.0 / right[1])
        if expr.op == "/" and left == right:
            return {}, 1.0
    return {expr: 1.0}, 0.0


def _times(parts: tuple[dict[Expr, float], float], by: float) -> tuple[dict[Expr, float], float]:
    return {part: weight * by for part, weight in parts[0].items() if by}, parts[1] * by


def _bounds(expr: Expr, limits: Mapping[str, Bounds]) -> Bounds:
    parts, constant = sum_of_parts(expr)
    low = high = constant
    for part, weight in parts.items():
        ends = sorted(weight * end for end in _part_bounds(part, limits))
        low, high = low + ends[0], high + ends[1]
    return low, high


def _part_bounds(part: Expr, limits: Mapping[str, Bounds]) -> Bounds:
    """Return between what ends a part lies that is no sum."""
    if isinstance(part, Estimand):
        if part.name in limits:
            return limits[part.name]
        if part.name == "peak_ability":
            return (0.0, 100.0)
        above = part.positive or part.name in SIZE_ESTIMANDS
        return (0.0, math.inf) if above else _ANY
    if isinstance(part, Apply):
        inner = [_bounds(arg, limits) for arg in part.args]
        if part.name == "abs":
            low, high = inner[0]
            smallest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
            return smallest, max(abs(low), abs(high))
        pick = min if part.name == "min" else max
        return pick(low for low, _ in inner), pick(high for _, high in inner)
    if isinstance(part, Binary) and part.op == "*" and part.left == part.right:
        return 0.0, math.inf
    return _ANY
