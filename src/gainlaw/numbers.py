"""Numbers given from Python or on the command line: arrays, masks, missing values, and their limits."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem

__all__ = ["read_array", "read_number", "read_numbers"]

_SHOWN = 8


def read_numbers(values: object, name: str) -> NDArray[np.float64]:
    """Return numbers as a new array of float; what is missing or masked is NaN.

    Parameters
    ----------
    values : array of float
        The numbers.
    name : str
        What they are, for messages.

    Raises
    ------
    InputError
        If an entry is no number, or rows differ in length.

    Examples
    --------
    >>> read_numbers([1, None, 2.5], "y").tolist()
    [1.0, nan, 2.5]
    """
    return read_array(values, name)


def read_number(
    value: object, name: str, *, least: float = -math.inf, above: float = -math.inf, below: float = math.inf,
    whole: bool = False,
) -> float:  # fmt: skip
    """Return one finite number of an option.

    Parameters
    ----------
    value : float
        What was given.
    name : str
        The option, for messages.
    least, above, below : float
        The least value allowed; or values that it must exceed, and stay below.
    whole : bool
        Whether it must be a whole number.

    Raises
    ------
    InputError
        If it is not such a number.

    Examples
    --------
    >>> read_number(3, "draws", least=2, whole=True)
    3.0
    """
    number = math.nan
    with contextlib.suppress(InputError):
        number = _number(value)
    inside = least <= number < below and number > above and math.isfinite(number)
    if inside and (number == int(number) or not whole):
        return number
    limits = [f"{least:g} or more"] * math.isfinite(least) + [f"above {above:g}"] * math.isfinite(above)
    limits += [f"below {below:g}"] * math.isfinite(below)
    kind = "a whole number" if whole else "a number"
    raise InputError(Problem(f"{name} is {value!r}", hint=" ".join([kind, " and ".join(limits)]).strip()))


def read_array(
    values: Any, name: str, parse: Callable[[str], float] | None = None, *, hint: str = "numbers"
) -> NDArray[np.float64]:
    """Return numbers as a new array of float; what is missing or masked is NaN.

    Parameters
    ----------
    values : array of float, or of text
        The numbers.
    name : str
        What they are, for messages.
    parse : callable, optional
        Reads an entry that is text; without it text is no number.
    hint : str
        What is allowed, for messages.

    Raises
    ------
    InputError
        If an entry is no number, or rows differ in length.
    """
    # Compiled code is compiled once, for writable arrays in C order.
    try:
        array = np.ma.asarray(values) if isinstance(values, np.ma.MaskedArray) else np.asarray(values)
    except ValueError as err:
        raise InputError(Problem(f"{name}: rows of different lengths, not an array of numbers")) from err
    if array.dtype.kind in "iuf":
        out = np.array(array, dtype=float, order="C")
    else:
        out = np.full(array.shape, np.nan)
        cells = np.ravel(np.asarray(array, dtype=object))
        problems = {}
        for k, cell in enumerate(cells):
            try:
                out.flat[k] = parse(cell) if parse is not None and isinstance(cell, str) else _number(cell)
            except InputError:
                problems[k] = repr(cell)[:40]
        if problems:
            shown = ", ".join(list(problems.values())[:_SHOWN]) + (", ..." if len(problems) > _SHOWN else "")
            raise InputError(Problem(f"{name}: {shown}: not a number", hint=hint))
    if isinstance(array, np.ma.MaskedArray):
        out[np.ma.getmaskarray(array)] = np.nan
    return out


def _number(cell: object) -> float:
    if cell is None or type(cell).__name__ == "NAType":
        return math.nan
    if isinstance(cell, int | float | np.integer | np.floating | Decimal) and not isinstance(cell, bool):
        try:
            return float(cell)
        except OverflowError:
            return math.inf
    raise InputError(Problem("not a number"))
