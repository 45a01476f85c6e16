"""Formulas on arrays: the values of a graph with NumPy, for parameters and variables that broadcast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from gainlaw.laws.expression import Graph, evaluate

__all__ = ["values_of"]

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
