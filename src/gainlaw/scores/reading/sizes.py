"""Numbers given from Python or on the command line: model sizes as text, masks, missing values."""

from __future__ import annotations

import contextlib
import math
from decimal import Decimal, DecimalException
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem

__all__ = ["model_sizes", "parse_size", "read_number", "read_numbers", "read_sizes"]

_SUFFIXES = {"K": 3, "M": 6, "B": 9, "T": 12}
_SHOWN = 8


def parse_size(text: str) -> float:
    """Read a number, perhaps with K, M, B or T behind it.

    Raises
    ------
    InputError
        If it is no finite number.

    Examples
    --------
    >>> parse_size("13B"), parse_size("560M"), parse_size("1.3e10")
    (13000000000.0, 560000000.0, 13000000000.0)
    """
    text = text.strip()
    digits, power = (text[:-1], _SUFFIXES[text[-1:].upper()]) if text[-1:].upper() in _SUFFIXES else (text, 0)
    try:
        value = float(Decimal(digits).scaleb(power))
    except (DecimalException, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(Problem(f"{text!r} is not a number", hint="for example 13e9, 13B or 560M"))
    return value


def read_sizes(values: object, name: str = "sizes") -> NDArray[np.float64]:
    """Return model sizes as an array of float; each may be a number or text such as ``"7B"``.

    Parameters
    ----------
    values : array of float or str, or one of them
        The sizes.
    name : str
        What they are, for messages.

    Raises
    ------
    InputError
        If an entry is no size.

    Examples
    --------
    >>> read_sizes(["560M", 7e9]).tolist()
    [560000000.0, 7000000000.0]
    """
    return _read(values, name, text=True)


def model_sizes(values: object, name: str = "params") -> NDArray[np.float64]:
    """Return model sizes that are all finite and above 0; each may be a number or text such as ``"7B"``.

    Parameters
    ----------
    values : array of float or str, or one of them
        The sizes.
    name : str
        What they are, for messages.

    Raises
    ------
    InputError
        If there is none, or one cannot be a size.

    Examples
    --------
    >>> model_sizes("13B").tolist(), model_sizes(["560M", 7e9]).tolist()
    (13000000000.0, [560000000.0, 7000000000.0])
    """
    sizes = read_sizes(values, name)
    if not sizes.size or not (np.isfinite(sizes) & (sizes > 0)).all():
        hint = "positive numbers, e.g. 13e9 or 13B"
        raise InputError(Problem(f"{name} {values!r} cannot be a size", hint=hint))
    return sizes


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
    return _read(values, name, text=False)


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
        number = _number(value, False)
    inside = least <= number < below and number > above and math.isfinite(number)
    if inside and (number == int(number) or not whole):
        return number
    limits = [f"{least:g} or more"] * math.isfinite(least) + [f"above {above:g}"] * math.isfinite(above)
    limits += [f"below {below:g}"] * math.isfinite(below)
    kind = "a whole number" if whole else "a number"
    raise InputError(Problem(f"{name} is {value!r}", hint=" ".join([kind, " and ".join(limits)]).strip()))


def _read(values: Any, name: str, *, text: bool) -> NDArray[np.float64]:
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
                out.flat[k] = _number(cell, text)
            except InputError:
                problems[k] = repr(cell)[:40]
        if problems:
            shown = ", ".join(list(problems.values())[:_SHOWN]) + (", ..." if len(problems) > _SHOWN else "")
            hint = "numbers, or text such as 13B or 560M" if text else "numbers"
            raise InputError(Problem(f"{name}: {shown}: not a number", hint=hint))
    if isinstance(array, np.ma.MaskedArray):
        out[np.ma.getmaskarray(array)] = np.nan
    return out


def _number(cell: object, text: bool) -> float:
    if isinstance(cell, str) and text:
        return parse_size(cell)
    if cell is None or type(cell).__name__ == "NAType":
        return math.nan
    if isinstance(cell, int | float | np.integer | np.floating | Decimal) and not isinstance(cell, bool):
        try:
            return float(cell)
        except OverflowError:
            return math.inf
    raise InputError(Problem("not a number"))
