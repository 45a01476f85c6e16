"""Places beyond the points of a curve: told by quantities instead of variables, and how far out they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gainlaw.curves.reading import assign
from gainlaw.errors import InputError, Problem
from gainlaw.laws.numeric import log_quantity, variable_of
from gainlaw.laws.record import Law
from gainlaw.laws.variables import COMPUTE, FLOPS_PER_TOKEN, PARAMS, TOKENS, source_of
from gainlaw.sizes import read_sizes

if TYPE_CHECKING:
    from gainlaw.curves.record import CurveRecord

__all__ = ["plain_column", "reach", "variables_at"]

Float = NDArray[np.float64]

_SPELLED = re.compile(r"(?:log|log10)\((.+?)(?: / 1e9)?\)")


def variables_at(
    law: Law, given: Mapping[str, ArrayLike], columns: Mapping[str, str] | None = None
) -> dict[str, Float]:
    """Return the variables of a law at places told by what they are made of.

    Parameters
    ----------
    law : Law
        The law.
    given : mapping of str to array
        Its variables by name; or the quantities behind them, called as in formulas, as columns usually are (``n`` or
        ``params``), or as those of `columns`, in numbers or text such as ``"7B"``; training compute may stand for one
        of size and tokens.
    columns : mapping of str to str, optional
        What the variables of the points were read from (`CurvePoints.columns`).

    Raises
    ------
    InputError
        If a variable is missing, a name has no place, or a number has no logarithm.

    Examples
    --------
    >>> from gainlaw.laws import law
    >>> at = variables_at(law("chinchilla"), {"params": ["7B"], "flops": [8.4e22]})
    >>> {name: float(np.exp(each[0]).round(-9)) for name, each in at.items()}
    {'log_n': 7000000000.0, 'log_d': 2000000000000.0}
    """
    values = {str(name): np.atleast_1d(read_sizes(each, str(name))) for name, each in given.items()}
    if len({each.shape for each in values.values()}) > 1:
        raise InputError(Problem("numbers of " + ", ".join(values) + " must be as many of each"))
    if set(values) == set(law.variables):
        return values
    read = {plain_column(words): variable for variable, words in (columns or {}).items() if variable != "y"}
    own = {each.name: each for each in (*law.measured, COMPUTE)}
    known: list[tuple[str, str]] = []
    problems = []
    for name in values:
        called = next((each.name for each in own.values() if each.called(name)), "")
        place = source_of(read[name])[0] if name in read else called
        if place or name in law.variables:
            known.append((place or name, name))
        else:
            hint = "the law depends on " + ", ".join(f"{each.name} ({each.meaning})" for each in law.measured)
            problems.append(Problem(f"no place for {name!r}", hint=hint))
    found, missing = assign(law, known) if not problems else ({}, [])
    if problems or missing:
        raise InputError([*problems, *missing])
    out = {}
    for variable, each in found.items():
        number = values[each.column] / (FLOPS_PER_TOKEN * values[each.over] if each.over else 1.0)
        if each.transform and not (number > 0.0).all():
            raise InputError(Problem(f"{each.column} has a number that is not positive"))
        out[variable] = variable_of(each.transform, np.log(number)) if each.transform else number
    return out


def plain_column(text: str) -> str:
    """Return the column in the words for a transform of it.

    Examples
    --------
    >>> plain_column("log(tokens)"), plain_column("loss")
    ('tokens', 'loss')
    """
    found = _SPELLED.fullmatch(text)
    return found.group(1) if found else text


def reach(fit: CurveRecord, variables: Mapping[str, Float]) -> Float:
    """Return how many times the largest of a curve's points places are, shape (k,).

    In compute, 6 N D, where the law is in size N and tokens D; else in the quantity that is furthest out. NaN where no
    quantity is positive.

    Parameters
    ----------
    fit : CurveRecord
        The curve.
    variables : mapping of str to ndarray, shape (k,)
        The variables of its law.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit_curve([1e8, 3e8, 1e9, 3e9, 1e10], [9.0, 6.1, 4.0, 2.6, 1.8], law="power")
    >>> reach(fit, variables_at(fit.law, {"params": ["70B"]})).round(9).tolist()
    [7.0]
    """
    logs: dict[str, tuple[Float, Float]] = {}
    for variable in fit.law.variables:
        name, transform = source_of(variable)
        logs[name] = (
            log_quantity(transform, variables[variable]),
            log_quantity(transform, fit.points.variables[variable]),
        )
    if PARAMS.name in logs and TOKENS.name in logs:
        (size, sizes), (tokens, amounts) = logs[PARAMS.name], logs[TOKENS.name]
        return np.exp(size + tokens - (sizes + amounts).max())
    beyond = [np.exp(at - known.max()) for at, known in logs.values() if np.isfinite(known).all()]
    return np.max(beyond, axis=0) if beyond else np.full(len(next(iter(variables.values()))), np.nan)
