"""The pandera schema of an evaluations table, and its failures as problems with line numbers."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.scores.reading.cells import Faults

__all__ = ["evaluations_schema", "report_schema_faults"]

_HINTS = {
    "params": "the number of parameters as a whole number above 0, such as 560000000; or say --params-unit B",
    "n_examples": "the number of scored items as a whole number above 0",
    "n_correct": "the number of items answered correctly, 0 to n_examples",
    "stderr": "the standard error of the score as a fraction; blank when unknown",
    "seed": "a whole number; blank when unknown",
    "n_classes": "the number of answers to choose from, at least 2",
    "chance": "what guessing scores, from 0 to below 1",
}


@cache
def evaluations_schema() -> Any:
    """Return the pandera schema of the numeric columns of an evaluations table.

    Names are checked by the reader, which knows the text of each cell; this schema holds the numbers: their
    ranges, whole numbers, and ``n_correct <= n_examples``. The range of a score depends on its metric and is
    checked by `gainlaw.scores.evaluations.cells.values`.

    Returns
    -------
    pandera.pandas.DataFrameSchema
        Every check names its fault; missing numbers are NaN.

    Examples
    --------
    >>> sorted(evaluations_schema().columns)[:2]
    ['chance', 'n_classes']
    """
    import pandera.pandas as pa

    def whole(series: pd.Series) -> pd.Series:
        return series % 1 == 0

    def column(*checks: Any) -> Any:
        return pa.Column(float, list(checks), nullable=True, required=False)

    huge = pa.Check.lt(1e15, error="1e15 or above")
    fractional = pa.Check(whole, error="not a whole number")
    return pa.DataFrameSchema(
        {
            "params": column(pa.Check.gt(0, error="zero or negative"), fractional, huge),
            "score": column(),
            "n_correct": column(pa.Check.ge(0, error="negative"), fractional),
            "n_examples": column(pa.Check.gt(0, error="zero or negative"), fractional, huge),
            "stderr": column(pa.Check.ge(0, error="negative")),
            "seed": column(fractional, pa.Check.in_range(-(2**53), 2**53, error="too large")),
            "n_classes": column(pa.Check.ge(2, error="below 2"), fractional),
            "chance": column(pa.Check.in_range(0, 1, include_max=False, error="outside 0 to 1")),
        },
        checks=[
            pa.Check(lambda df: ~(df["n_correct"] > df["n_examples"]), error="n_correct above n_examples"),
        ],
    )


def report_schema_faults(numbers: pd.DataFrame, faults: Faults) -> None:
    """Check numeric columns against the schema and report each kind of fault once, with all its rows.

    Parameters
    ----------
    numbers : pandas.DataFrame, shape (rows, columns)
        The numeric columns (float, NaN where missing), index 0 ... rows-1.
    faults : Faults
        Where problems go.
    """
    import pandera.pandas as pa

    try:
        evaluations_schema().validate(numbers, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        relation = cases["schema_context"].eq("DataFrameSchema")  # a relation is reported once a column
        above = np.zeros(len(numbers), bool)
        above[cases.loc[relation, "index"].astype(int).to_numpy()] = True
        faults.add("more correct answers than examples", column="n_correct", where=above)
        cases = cases[~relation]
        for (name, check), group in cases.groupby(["column", "check"], sort=False, dropna=False):
            where = np.zeros(len(numbers), bool)
            where[group["index"].dropna().astype(int).to_numpy()] = True
            values = numbers[name][where]
            shown = f"{values.iloc[0]:g}"
            faults.add(f"{check} ({shown})", column=name, where=where, hint=_HINTS[name])
