"""How precisely a number was written: half a unit of its last digit, cell by cell."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["half_units"]


def half_units(series: pd.Series) -> np.ndarray:
    """Return half a unit of the last digit with which each number was written.

    Writers drop trailing zeros, so a cell counts as written with as many decimals as most cells of its column,
    or its own if these are more. Digits beyond the ninth significant one are taken for noise of arithmetic.

    Parameters
    ----------
    series : pandas.Series, length rows
        The column as it was given: text or numbers.

    Returns
    -------
    numpy.ndarray of float, shape (rows,)
        NaN where the cell holds no number.

    Examples
    --------
    >>> import pandas as pd
    >>> half_units(pd.Series(["0.62", "0.5", "0.71"])).tolist()
    [0.005, 0.005, 0.005]
    >>> half_units(pd.Series([3.13, 2.5, 1 / 3, 7.0])).round(12).tolist()
    [0.005, 0.05, 1.67e-10, 0.5]
    """
    import pandas as pd

    codes, uniques = pd.factorize(series.astype("object"))
    places = np.array([_decimals(cell) for cell in uniques] + [np.nan])[codes]
    size = np.abs(np.array([_value(cell) for cell in uniques] + [np.nan])[codes])
    known = np.isfinite(places)
    if not known.any():
        return np.full(len(series), np.nan)
    values, counts = np.unique(places[known], return_counts=True)
    usual = values[np.argmax(counts)]
    return np.maximum(0.5 * 10.0 ** -np.maximum(places, usual), 0.5e-9 * size)


def _value(cell: object) -> float:
    try:
        return float(str(cell))
    except ValueError:
        return float("nan")


def _decimals(cell: object) -> float:
    """Return the number of digits after the point; negative for 1e3."""
    try:
        exponent = Decimal(str(cell).strip()).normalize().as_tuple().exponent
        written = Decimal(str(cell).strip()).as_tuple().exponent
    except InvalidOperation:
        return float("nan")
    if isinstance(cell, str):
        exponent = written
    return -float(exponent) if isinstance(exponent, int) else float("nan")
