"""What the numbers of an evaluations table may be, whatever their metric: ranges, and whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.scores.reading.cells import TableFaults

__all__ = ["report_range_faults"]

_SIZE = "the number of parameters as a whole number above 0, such as 560000000; or say --params-unit B"
_HINTS = {
    "params": _SIZE,
    "n_examples": "the number of scored items as a whole number above 0",
    "n_correct": "the number of items answered correctly, 0 to n_examples",
    "stderr": "the standard error of the score as a fraction; blank when unknown",
    "seed": "a whole number; blank when unknown",
    "n_classes": "the number of answers to choose from, at least 2",
    "chance": "what guessing scores, from 0 to below 1",
}


def _fractional(x: NDArray[np.float64]) -> NDArray[np.bool_]:
    return x % 1 > 0


#: Column, fault, and which values have it; missing values (NaN) have none.
_FAULTS: tuple[tuple[str, str, Callable[[NDArray[np.float64]], NDArray[np.bool_]]], ...] = (
    ("params", "zero or negative", lambda x: x <= 0),
    ("params", "not a whole number", _fractional),
    ("params", "1e15 or above", lambda x: x >= 1e15),
    ("n_correct", "negative", lambda x: x < 0),
    ("n_correct", "not a whole number", _fractional),
    ("n_examples", "zero or negative", lambda x: x <= 0),
    ("n_examples", "not a whole number", _fractional),
    ("n_examples", "1e15 or above", lambda x: x >= 1e15),
    ("stderr", "negative", lambda x: x < 0),
    ("seed", "not a whole number", _fractional),
    ("seed", "too large", lambda x: np.abs(x) > 2**53),
    ("n_classes", "below 2", lambda x: x < 2),
    ("n_classes", "not a whole number", _fractional),
    ("chance", "outside 0 to 1", lambda x: (x < 0) | (x >= 1)),
)


def report_range_faults(numbers: pd.DataFrame, faults: TableFaults) -> None:
    """Check the numeric columns and report each kind of fault once, with all its rows.

    Names are checked by the reader, which knows the text of each cell; the range of a score depends on its metric and
    is checked by `gainlaw.scores.evaluations.cells.values`.

    Parameters
    ----------
    numbers : pandas.DataFrame, shape (rows, columns)
        The numeric columns (float, NaN where missing).
    faults : TableFaults
        Where problems go.

    Examples
    --------
    >>> import pandas as pd
    >>> from gainlaw.scores.reading.cells import TableFaults
    >>> names = ["params", "n_correct", "n_examples", "stderr", "seed", "n_classes", "chance"]
    >>> faults = TableFaults(np.array([2]), "t.csv")
    >>> report_range_faults(pd.DataFrame([[-1.0, 5, 9, 0.1, 1.5, 2, 0.5]], columns=names), faults)
    >>> [(each.column, each.message) for each in faults.problems]
    [('params', 'zero or negative (-1)'), ('seed', 'not a whole number (1.5)')]
    """
    more = (numbers["n_correct"] > numbers["n_examples"]).to_numpy()
    faults.add("more correct answers than examples", column="n_correct", where=more)
    for name, fault, found in _FAULTS:
        values = numbers[name].to_numpy(float)
        where = found(values)
        if where.any():
            faults.add(f"{fault} ({values[where][0]:g})", column=name, where=where, hint=_HINTS[name])
