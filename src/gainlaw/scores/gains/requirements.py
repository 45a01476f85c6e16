"""What a law needs of the gains it is fitted to."""

from __future__ import annotations

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.scores.gains.table import Gains

__all__ = ["require_sizes"]

_SIZES = {"constant": 1, "linear": 2, "offset_power": 3, "saturating": 3, "logistic": 4}


def require_sizes(gains: Gains, law: str) -> int:
    """Return the number of distinct sizes, if it is enough for the law.

    Parameters
    ----------
    gains : Gains
        The table to fit.
    law : str
        ``constant`` fits any table, ``linear`` needs two distinct values of ``params``, ``offset_power`` and
        ``saturating`` three, ``logistic`` four.

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
    >>> require_sizes(gl.load_dataset("bloomz").gains(), "linear")
    6
    """
    params = gains.frame["params"].to_numpy(float)
    sizes = np.unique(params[np.isfinite(params)])
    needed = _SIZES.get(law, 2)
    if len(sizes) >= needed or needed <= 1:
        return len(sizes)
    found = "the table has no params" if not len(sizes) else f"there is {_count(len(sizes))}: {_list(sizes)}"
    rows = tuple(int(row) for row in gains.frame["row"].dropna()[:12]) if "row" in gains.frame else ()
    what = f"the law {law!r} needs at least {needed} distinct sizes, but {found}"
    hint = "add models of other sizes, or fit the law 'constant'"
    raise InputError(Problem(what, "params", rows, hint), gains.source or None)


def _count(n: int) -> str:
    return "only one" if n == 1 else f"only {n}"


def _list(sizes: np.ndarray) -> str:
    return ", ".join(f"{size:.4g}" for size in sizes)
