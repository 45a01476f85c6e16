"""What a law needs of the gains it is fitted to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.laws import LAWS, shaped
from gainlaw.laws.record import Law
from gainlaw.scores.gains.table import Gains
from gainlaw.sizes import decades

__all__ = ["require_sizes", "sizes_of", "variances_of"]

Float = NDArray[np.float64]


def require_sizes(gains: Gains, law: Law) -> int:
    """Return the number of distinct sizes, if it is enough for the law.

    Parameters
    ----------
    gains : Gains
        The table to fit.
    law : Law
        A law with a shape; it needs as many sizes as it has coefficients.

    Returns
    -------
    int
        Distinct values of ``params``; 0 when the table has none.

    Raises
    ------
    InputError
        If there are too few.

    Examples
    --------
    >>> import gainlaw as gl
    >>> require_sizes(gl.load_dataset("bloomz").gains(), gl.law("linear"))
    6
    """
    params = gains.frame["params"].to_numpy(float)
    sizes = np.unique(params[np.isfinite(params)])
    needed = law.form.least_sizes
    if len(sizes) >= needed or needed <= 1:
        return len(sizes)
    found = "the table has no params" if not len(sizes) else f"there is {_count(len(sizes))}: {_list(sizes)}"
    rows = tuple(int(row) for row in gains.frame["row"].dropna()[:12]) if "row" in gains.frame else ()
    what = f"the law {law.name!r} needs at least {needed} distinct sizes, but {found}"
    fewer = [name for name in shaped() if LAWS[name].form.least_sizes <= max(len(sizes), 1)]
    hint = f"add models of other sizes, or fit a law of fewer coefficients: {', '.join(fewer)}"
    raise InputError(Problem(what, "params", rows, hint), gains.source or None)


def sizes_of(gains: Gains, law: Law) -> Float:
    """Return the size of every row in decades from 1e9 parameters, if they are enough for the law.

    Parameters
    ----------
    gains : Gains
        The table to fit.
    law : Law
        A law with a shape.

    Returns
    -------
    ndarray, shape (n,)
        For a law without size 0 where a row has none.

    Raises
    ------
    InputError
        If rows have no size, or there are too few different ones.
    """
    frame = gains.frame
    params = (
        frame["params"].to_numpy(dtype=float, na_value=np.nan)
        if "params" in frame.columns
        else np.full(len(frame), np.nan)
    )
    if not law.form.has_slope:
        return np.nan_to_num(decades(params), nan=0.0)
    if np.isnan(params).any():
        raise InputError(
            Problem(
                f"the {law.name} law needs the model size of every row",
                "params",
                hint=f"add the column, or fit law={shaped()[0]}",
            )
        )
    require_sizes(gains, law)
    return decades(params)


def _count(n: int) -> str:
    return "only one" if n == 1 else f"only {n}"


def _list(sizes: np.ndarray) -> str:
    return ", ".join(f"{size:.4g}" for size in sizes)


def variances_of(gains: Gains) -> Float:
    """Return the sampling variances of the gains, shape (n,), if a model can weigh them.

    Parameters
    ----------
    gains : Gains
        The data.

    Raises
    ------
    InputError
        For variances that are zero or missing, and a covariance of other rows.
    """
    variance = np.asarray(gains.covariance.variance, dtype=float)
    if variance.shape != (len(gains.frame),):
        raise InputError(f"the covariance is of {len(variance)} rows, the gains are {len(gains.frame)}")
    wrong = np.flatnonzero(~(np.isfinite(variance) & (variance > 0)))
    if len(wrong):
        hint = "every gain needs a standard error above 0"
        raise InputError(
            Problem(
                "the sampling variance is zero or missing", "se", tuple(int(i) + 2 for i in wrong), hint=hint
            ),
            source=gains.source or None,
        )
    gains.covariance.validate()
    return variance
