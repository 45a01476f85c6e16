"""Several curves fitted at once, with parameters that they share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from gainlaw.curves.fit import CurveFit, fit_curve
from gainlaw.curves.points import CurvePoints
from gainlaw.errors import InputError, Problem
from gainlaw.laws import law as law_of
from gainlaw.laws.changed import Bounds, bounded, tied
from gainlaw.laws.record import Law

__all__ = ["fit_tied"]


def fit_tied(
    curves: Mapping[str, CurvePoints],
    law: str | Law,
    shared: Collection[str],
    *,
    bounds: Mapping[str, Bounds] | None = None,
    **options: Any,
) -> CurveFit:
    """Fit one law to several curves at once, some of its parameters the same for all.

    The search starts from each curve's own fit. One spread, one scale of the errors, holds for all curves.

    Parameters
    ----------
    curves : mapping of str to CurvePoints
        The points of each curve, as `gainlaw.curve_points` gives them.
    law : str or Law
        The law.
    shared : collection of str
        Parameters that the curves share; the others are fitted for each, as ``a_NAME``.
    bounds : mapping of str to (float or None, float or None), optional
        Bounds of the law's parameters, as in `gainlaw.fit_curve`; those of one that is not shared hold for each curve.
    **options
        Those of `gainlaw.fit_curve`: loss, delta, nu, starts, ci_prob, seed.

    Raises
    ------
    InputError
        If the law has no such parameter, there is but one curve, or a curve cannot be fitted by itself.

    Examples
    --------
    >>> import pandas as pd
    >>> import gainlaw as gl
    >>> frame = pd.DataFrame({"size": [1e8, 1e9, 1e10] * 2, "team": ["red"] * 3 + ["blue"] * 3})
    >>> frame["score"] = [1.0, 2.0, 3.0, 5.0, 6.0, 7.0]
    >>> fit = fit_tied(gl.curve_points(frame, "score", "size", "linear", by=["team"]), "linear", ["b"])
    >>> {name: round(value, 6) for name, value in fit.values.items()}
    {'a_red': 2.0, 'a_blue': 6.0, 'b': 1.0}
    """
    chosen = bounded(law_of(law), bounds or {})
    joint, indicators = tied(chosen, shared, list(curves))
    own = [fit_curve(points, law=chosen, **options).values for points in curves.values()]
    names = iter(each.name for each in joint.parameters)
    start: dict[str, float] = {}
    for each in chosen.parameters:
        values = [one[each.name] for one in own]
        if each.name in shared:
            start[next(names)] = float(np.median(values))
        else:
            start |= {next(names): value for value in values}
    return fit_curve(_joined(curves, indicators), law=joint, start=start, **options)


def _joined(curves: Mapping[str, CurvePoints], indicators: tuple[str, ...]) -> CurvePoints:
    """Return the points of all curves with the variables that tell them apart."""
    parts = list(curves.values())
    first = parts[0]
    place = np.repeat(np.arange(len(parts)), [len(each) for each in parts])
    variables = {
        name: np.concatenate([each.variables[name] for each in parts])
        for name in first.variables
        if name != "N"
    }
    variables |= {name: (place == k).astype(float) for k, name in enumerate(indicators)}

    def joined(field: str) -> np.ndarray | None:
        values = [getattr(each, field) for each in parts]
        if any(each is None for each in values):
            return None
        if any(each.ndim > 1 for each in values):
            hint = "fit the curves one by one"
            raise InputError(Problem("curves whose points have errors in common cannot be tied", hint=hint))
        return np.concatenate(values)

    return CurvePoints(
        variables=variables,
        y=np.concatenate([each.y for each in parts]),
        groups=np.concatenate([each.groups for each in parts]),
        unit=first.unit,
        covariance=joined("covariance"),
        trials=joined("trials"),
        name="all",
        weight=joined("weight"),
        columns=first.columns,
        logged=first.logged,
    )
