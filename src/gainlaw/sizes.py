"""Model sizes: read and written as people say them (13B), and their place on the axis of decades."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal, DecimalException

import numpy as np
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.formats import MISSING
from gainlaw.numbers import read_array

__all__ = [
    "N0",
    "SUFFIXES",
    "centre_of",
    "decades",
    "exact_size",
    "format_params",
    "model_sizes",
    "parse_size",
    "read_sizes",
    "size_groups",
    "size_in_name",
    "size_text",
    "told_apart",
]

Float = NDArray[np.float64]

N0 = 1e9
"""The reference size: positions on the size axis are ``x = log10(params / N0)``."""

SUFFIXES = {"T": 12, "B": 9, "M": 6, "K": 3}
"""The power of ten that each suffix of a size stands for, largest first."""


def decades(params: float | Float) -> Float:
    """Return ``x = log10(params / 1e9)``, the position on the size axis in decades.

    Parameters
    ----------
    params : float or array
        Model sizes, in parameters.

    Examples
    --------
    >>> float(decades(1e10))
    1.0
    """
    return np.log10(np.asarray(params, dtype=float) / N0)


def centre_of(x: Float) -> float:
    """Return the mean of the distinct sizes, given and returned in decades.

    Examples
    --------
    >>> centre_of(np.array([0.0, 0.0, 3.0]))
    1.5
    """
    return float(np.unique(np.round(np.asarray(x, dtype=float), 9)).mean())


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
    power = SUFFIXES.get(text[-1:].upper(), 0)
    try:
        value = float(Decimal(text[:-1] if power else text).scaleb(power))
    except (DecimalException, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(Problem(f"{text!r} is not a number", hint="for example 13e9, 13B or 560M"))
    return value


def read_sizes(values: object, name: str = "sizes") -> Float:
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
    return read_array(values, name, parse_size, hint="numbers, or text such as 13B or 560M")


def model_sizes(values: object, name: str = "params") -> Float:
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


def format_params(params: float) -> str:
    """Write a number of parameters as people say it, with three significant digits at most.

    Examples
    --------
    >>> [format_params(n) for n in (560e6, 1.1e9, 176e9, 1_247_000_000)]
    ['560M', '1.1B', '176B', '1.25B']
    >>> format_params(1e19), format_params(3.0)
    ('> 1000T', '< 1K')
    """
    if params is None or math.isnan(params):
        return MISSING
    if params > 1e15 or params < 999.5:
        return "> 1000T" if params > 1e15 else "< 1K"
    for suffix, power in SUFFIXES.items():
        size = 10.0**power
        if params >= size * 0.9995:
            return f"{float(f'{params / size:.3g}'):g}{suffix}"
    return "1K"


def told_apart(sizes: Sequence[float]) -> list[str]:
    """Return sizes as people say them; those that would read alike are written in full.

    Examples
    --------
    >>> told_apart([560e6, 2.611e9, 2.614e9])
    ['560M', '2.611B', '2.614B']
    """
    said = [format_params(size) for size in sizes]
    return [
        exact_size(float(size)) if said.count(text) > 1 else text
        for size, text in zip(sizes, said, strict=True)
    ]


def size_groups(sizes: Sequence[float], most: int) -> list[str]:
    """Return the group of every size: itself where there are few; else half decades, or decades.

    Parameters
    ----------
    sizes : sequence of float
        Distinct sizes.
    most : int
        The most groups before sizes are put together, first by half decades, then by decades.

    Examples
    --------
    >>> size_groups([1e8, 2e8, 7e9], 2)
    ['100M to 300M', '100M to 300M', '3B to 10B']
    >>> size_groups([1e8, 2e8], 2)
    ['100M', '200M']
    """
    if len(sizes) <= most:
        return told_apart(sizes)
    found: list[str] = []
    for steps in ((1.0, 3.0, 10.0), (1.0, 10.0)):
        found = []
        for size in sizes:
            decade = 10.0 ** math.floor(math.log10(size) + 1e-12)
            low = max(step for step in steps if step <= size / decade * (1 + 1e-12))
            high = steps[steps.index(low) + 1]
            found.append(f"{format_params(low * decade)} to {format_params(high * decade)}")
        if len(set(found)) <= most:
            break
    return found


def exact_size(value: float) -> str:
    """Return the shortest text of a number >= 0 that `parse_size` reads back exactly.

    Examples
    --------
    >>> exact_size(1.3e10), exact_size(560e6), exact_size(0.5), exact_size(1234567.0)
    ('13B', '560M', '0.5', '1234567')
    """
    if value >= 1e6:
        exact = Decimal(repr(value))
        for suffix in ("T", "B", "M"):
            short = exact.scaleb(-SUFFIXES[suffix]).normalize()
            if 1 <= short < 1000 and len(short.as_tuple().digits) <= 4:
                return f"{short:f}{suffix}"
    if value == int(value) and value < 1e15:
        return str(int(value))
    return repr(float(value))


# 7B, 560m, 1.5B, and 7b1 for 7.1B; not A22B (active parameters), 8x7B, 4k (a context) or 2T (tokens).
_IN_NAME = re.compile(
    r"(?<![a-z\d.])(?P<whole>\d+(?:\.\d+)?)(?P<unit>[bm])(?P<tenths>\d)?(?![a-z\d])", re.IGNORECASE
)


def size_in_name(name: str) -> tuple[float, str]:
    """Return the number of parameters that the name of a model says, and the words that say it.

    Parameters
    ----------
    name : str
        The name of a model, as published.

    Returns
    -------
    tuple of (float, str)
        NaN and an empty string where the name says no size, or several.

    Examples
    --------
    >>> size_in_name("bloom-7b1"), size_in_name("Qwen/Qwen2.5-1.5B-Instruct"), size_in_name("Qwen3-235B-A22B")
    ((7100000000.0, '7b1'), (1500000000.0, '1.5B'), (235000000000.0, '235B'))
    >>> size_in_name("xlm-roberta-large"), size_in_name("Mixtral-8x7B")
    ((nan, ''), (nan, ''))
    """
    sizes: dict[float, str] = {}
    for found in _IN_NAME.finditer(name.rpartition("/")[2]):
        whole, tenths = found["whole"], found["tenths"]
        if tenths and "." in whole:
            continue
        digits = f"{whole}.{tenths}" if tenths else whole
        sizes.setdefault(parse_size(digits + found["unit"]), found[0])
    return next(iter(sizes.items())) if len(sizes) == 1 else (math.nan, "")


def size_text(x: float) -> str:
    """Return a size, given in decades from 1e9 parameters, as formulas print it.

    Examples
    --------
    >>> size_text(0.0), size_text(0.5)
    ('1e9', '3.16e9')
    """
    digits, exponent = f"{N0 * 10.0**x:.2e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"
