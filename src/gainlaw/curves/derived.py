"""What a law's parameters say in other words: functions of them, with errors by the delta method."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.laws.expression import Graph, parse
from gainlaw.laws.numeric import values_of
from gainlaw.laws.record import Derived, Law
from gainlaw.laws.tape import build_tape

__all__ = ["derived_estimates", "derived_values"]

Float = NDArray[np.float64]


def derived_values(law: Law, theta: Float) -> dict[str, Float]:
    """Return every derived number by name, shape (...), from parameters searched for, shape (..., p).

    Examples
    --------
    >>> from gainlaw.laws import law
    >>> round(float(derived_values(law("chinchilla"), np.array([6.169, 7.67, 0.597, 0.347, 0.367]))["A"]), 1)
    477.7
    """
    natural = law.natural(theta)
    named = {each.name: natural[..., k] for k, each in enumerate(law.parameters)}
    return {each.name: values_of(_graph(law, each, logs=False), named) for each in law.derived}


def derived_estimates(
    law: Law, theta: Float, covariance: Float, limit: float, unit: str, held: NDArray[np.str_]
) -> pd.DataFrame:
    """Return the derived numbers in the columns of `CurveRecord.estimates`; intervals of positive ones on a log scale.

    Parameters
    ----------
    law : Law
        The law.
    theta, covariance : ndarray, shape (p,), (p, p)
        Parameters searched for, and their covariance.
    limit : float
        Half the width of an interval in standard errors.
    unit : str
        The unit of the curve.
    held : ndarray of str, shape (p,)
        The bound at which each parameter stands; a number that is one such parameter in other words has a one-sided
        interval.
    """
    from gainlaw.curves.kernels.tape import with_gradient

    names = [each.name for each in law.parameters]
    rows = []
    for each in law.derived:
        tape = build_tape(_graph(law, each, logs=True))
        at = [names.index(name) for name in tape.parameters]
        value, slope = with_gradient(tape.work, np.ascontiguousarray(theta[at]), np.zeros((0, 1)))
        estimate, pull = float(value[0]), slope[:, 0]
        se = float(np.sqrt(max(pull @ covariance[np.ix_(at, at)] @ pull, 0.0)))
        if each.positive:
            # Of a search that ran off to infinity nothing is left but 0.
            share = se / estimate if estimate > 0.0 else np.nan
            low, high = (estimate * np.exp(side * limit * share) for side in (-1.0, 1.0))
        else:
            low, high = (estimate + side * limit * se for side in (-1.0, 1.0))
        bound = ""
        if len(at) == 1 and held[at[0]]:
            bound = "lower" if (held[at[0]] == "lower") == (pull[0] > 0.0) else "upper"
            low, high, se = (estimate, high, np.nan) if bound == "lower" else (low, estimate, np.nan)
        rows.append(
            {
                "parameter": each.name, "estimate": estimate, "se": se, "low": low, "high": high,
                "unit": each.unit.replace("{gain}", unit), "meaning": each.meaning, "bound": bound,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _graph(law: Law, each: Derived, *, logs: bool) -> Graph:
    """Return the formula of a derived number, in parameters as they are, or positive ones by their logarithm."""
    plain = parse(each.formula, ())
    if not logs:
        return plain
    positive = [one.name for one in law.parameters if one.positive and one.name in plain.parameters]
    return parse(each.formula, (), positive=positive)
