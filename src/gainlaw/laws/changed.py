"""Laws made of others: with parameters that are known, bounded, or shared between curves."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from gainlaw.errors import InputError, Problem
from gainlaw.laws.expression import parse
from gainlaw.laws.record import Law, Parameter
from gainlaw.numbers import read_number

__all__ = ["Bounds", "bounded", "fixed", "tied"]

Bounds = tuple[float | None, float | None]


def fixed(law: Law, values: Mapping[str, float]) -> Law:
    """Return a law in which parameters are known numbers.

    Parameters
    ----------
    law : Law
        The law.
    values : mapping of str to float
        Parameters by name, in their own units.

    Raises
    ------
    InputError
        If the law has no such parameter, a positive one is not, a number lies outside the parameter's bounds, or no
        parameter is left.

    Examples
    --------
    >>> from gainlaw.laws import law
    >>> fixed(law("offset_power"), {"c": 1.5}).formula
    '1.5 + a * power10(-r * x)'
    """
    if not values:
        return law
    known = {name: read_number(value, name) for name, value in values.items()}
    _require(law, known)
    wrong = [each.name for each in law.parameters if each.positive and known.get(each.name, 1.0) <= 0]
    if wrong:
        raise InputError(Problem(f"{', '.join(wrong)} of the law {law.name} must be positive"))
    outside = [
        Problem(f"{each.name} is fixed at {known[each.name]:g}, outside its bounds {_within(each)}")
        for each in law.parameters
        if each.name in known and not _least(each) <= known[each.name] <= _most(each)
    ]
    if outside:
        raise InputError(outside)
    kept = tuple(each for each in law.parameters if each.name not in known)
    if not kept:
        raise InputError(Problem(f"every parameter of the law {law.name} is fixed: nothing is left to fit"))
    texts = {name: repr(value) for name, value in known.items()}
    derived = (replace(each, formula=_put(each.formula, texts)) for each in law.derived)
    return replace(
        law,
        name=f"{law.name}, " + ", ".join(f"{name} = {value:g}" for name, value in known.items()),
        formula=_put(law.formula, texts),
        parameters=kept,
        latex="",
        derived=tuple(each for each in derived if parse(each.formula, ()).parameters),
        limit=() if known.keys() & set(law.limit) else law.limit,
        shape=None,
    )


def bounded(law: Law, bounds: Mapping[str, Bounds]) -> Law:
    """Return a law whose parameters are searched for between bounds, the bounds among them.

    Parameters
    ----------
    law : Law
        The law.
    bounds : mapping of str to (float or None, float or None)
        The least and the largest value of parameters, in their own units; None, or infinity, for none.

    Raises
    ------
    InputError
        With every fault: no such parameter, no pair of numbers, no bound in it, bounds that cross or meet, or a
        positive parameter that is left nothing above 0.

    Examples
    --------
    >>> from gainlaw.laws import law
    >>> bounded(law("offset_power"), {"c": (0, None), "r": (None, 2)}).name
    'offset_power, c >= 0, r <= 2'
    """
    if not bounds:
        return law
    own = {each.name: each for each in law.parameters}
    problems, read = [], {}
    for name, pair in bounds.items():
        if name not in own:
            problems.append(_unknown(law, [name]))
            continue
        try:
            low, high = (_end(each, name, side) for each, side in zip(pair, (-1.0, 1.0), strict=True))
        except (TypeError, ValueError):
            hint = "the least and the largest value, None for none, as in (0, None)"
            problems.append(Problem(f"the bounds of {name} are {pair!r}", hint=hint))
            continue
        changed = replace(own[name], low=low, high=high)
        if low is None and high is None:
            problems.append(Problem(f"{name} is bounded on neither side"))
        elif _least(changed) > _most(changed):
            problems.append(Problem(f"the bounds of {name} cross: {low:g} is more than {high:g}"))
        elif _least(changed) == _most(changed):
            problems.append(Problem(f"the bounds of {name} are both {low:g}", hint="fix it there"))
        elif changed.positive and _most(changed) <= 0.0:
            problems.append(
                Problem(f"{name} of the law {law.name} is positive, and bounded to {high:g} or less")
            )
        read[name] = changed
    if problems:
        raise InputError(problems)
    return replace(
        law,
        name=", ".join([law.name, *map(_within, read.values())]),
        parameters=tuple(read.get(each.name, each) for each in law.parameters),
        shape=None,
    )


def _end(value: object, name: str, side: float) -> float | None:
    """Return a bound, None where it is at infinity on its own side."""
    if value is None or value == side * math.inf:
        return None
    return read_number(value, name)


def _least(each: Parameter) -> float:
    return -math.inf if each.low is None else each.low


def _most(each: Parameter) -> float:
    return math.inf if each.high is None else each.high


def _within(each: Parameter) -> str:
    """Return the bounds of a parameter in signs."""
    if each.low is None:
        return f"{each.name} <= {each.high:g}"
    return (
        f"{each.low:g} <= {each.name} <= {each.high:g}"
        if each.high is not None
        else f"{each.name} >= {each.low:g}"
    )


def tied(law: Law, shared: Collection[str], curves: Sequence[str]) -> tuple[Law, tuple[str, ...]]:
    """Return the law of several curves at once, in which some parameters are the same for all.

    Every other parameter ``a`` becomes ``is_1 * a_ONE + is_2 * a_TWO + ...``, with a variable ``is_k`` that is 1 at the
    points of one curve and 0 at the rest.

    Parameters
    ----------
    law : Law
        The law.
    shared : collection of str
        Parameters that the curves share.
    curves : sequence of str
        Names of the curves.

    Returns
    -------
    law : Law
        The law of all.
    indicators : tuple of str
        The variables that tell the curves apart, in their order.

    Raises
    ------
    InputError
        If the law has no such parameter, or there is but one curve.

    Examples
    --------
    >>> from gainlaw.laws import law
    >>> tied(law("linear"), ["b"], ["red", "blue"])[0].formula
    'is_1 * a_red + is_2 * a_blue + b * x'
    """
    _require(law, shared)
    if len(curves) < 2:
        raise InputError(Problem("parameters are shared between two curves or more", hint="--by COLUMN"))
    words = [re.sub(r"\W+", "_", each).strip("_") for each in curves]
    if len(set(words)) < len(words) or not all(words):
        words = [str(k + 1) for k in range(len(curves))]
    indicators = tuple(f"is_{k + 1}" for k in range(len(curves)))
    texts, parameters = {}, []
    for each in law.parameters:
        if each.name in shared:
            parameters.append(each)
            continue
        own = [f"{each.name}_{word}" for word in words]
        texts[each.name] = " + ".join(f"{one} * {name}" for one, name in zip(indicators, own, strict=True))
        parameters += [
            replace(each, name=name, meaning=f"{each.meaning or each.name}, {curve}")
            for name, curve in zip(own, curves, strict=True)
        ]
    joint = replace(
        law,
        name=f"{law.name}, {' and '.join(each.name for each in law.parameters if each.name in shared)} shared",
        formula=_put(law.formula, texts),
        parameters=tuple(parameters),
        variables=(*law.variables, *indicators),
        latex="",
        derived=tuple(each for each in law.derived if set(parse(each.formula, ()).parameters) <= set(shared)),
        limit=(),
        shape=None,
    )
    return joint, indicators


def _require(law: Law, names: Collection[str]) -> None:
    known = [each.name for each in law.parameters]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(_unknown(law, unknown))


def _unknown(law: Law, names: Sequence[str]) -> Problem:
    hint = "it has " + ", ".join(each.name for each in law.parameters)
    return Problem(f"no parameter {', '.join(names)} of the law {law.name}", hint=hint)


def _put(formula: str, texts: Mapping[str, str]) -> str:
    """Return a formula with other texts in place of names."""

    class Put(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return ast.parse(texts[node.id], mode="eval").body if node.id in texts else node

        def visit_Call(self, node: ast.Call) -> ast.expr:
            node.args = [self.visit(each) for each in node.args]
            return node

    return ast.unparse(Put().visit(ast.parse(formula.strip(), mode="eval")))
