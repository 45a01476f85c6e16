"""Formulas on arrays: the values of a graph with NumPy, for parameters and variables that broadcast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from gainlaw.laws.expression import Graph, evaluate

__all__ = ["log_quantity", "values_of", "variable_of"]

_FUNCTIONS: Mapping[str, Any] = {
    "neg": np.negative, "exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos, "arctan": np.arctan,
    "tanh": np.tanh, "expm1": np.expm1, "log1p": np.log1p, "logistic": expit, "probit": ndtr, "power": np.power,
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "raise": np.power,
    "logaddexp": np.logaddexp, "minimum": np.minimum, "maximum": np.maximum,
}  # fmt: skip


def values_of(graph: Graph, values: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the values of a formula; arrays of parameters and variables broadcast.

    Parameters
    ----------
    graph : Graph
        The formula.
    values : mapping of str to array
        Its parameters, in the form in which they stand in the graph, and its variables.

    Examples
    --------
    >>> from gainlaw.laws.expression import parse
    >>> values_of(parse("a * exp(-x)", ["x"]), {"a": np.array([[1.0], [2.0]]), "x": np.array([0.0])}).tolist()
    [[1.0], [2.0]]
    """
    return np.asarray(evaluate(graph, values, _FUNCTIONS))


def variable_of(transform: str, log: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a variable of a law from the natural logarithm of its quantity; `transform` as in `variables.source_of`.

    Examples
    --------
    >>> float(variable_of("decades", np.log(1e10)).round(9))
    1.0
    """
    if transform == "decades":
        return log / np.log(10.0) - 9.0
    return log if transform else np.exp(log)


def log_quantity(transform: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the natural logarithm of a quantity from the variable that a law has of it; NaN where it has none.

    Examples
    --------
    >>> float(np.exp(log_quantity("decades", np.array(1.0))).round(3))
    10000000000.0
    """
    if transform == "decades":
        return (values + 9.0) * np.log(10.0)
    return values if transform else np.log(np.where(values > 0.0, values, np.nan))
