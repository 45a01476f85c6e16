"""What comparisons of fits share: sums of log predictive densities, their standard errors, and when to trust them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gainlaw.fitting.checks.diagnostics import PARETO_K_LIMIT
from gainlaw.scores.gains.table import Gains

__all__ = ["elpd_difference", "elpd_status", "same_gains"]


def elpd_difference(values: pd.Series, best: pd.Series) -> dict[str, float]:
    """Return a model's log predictive density and how far it lies from the best model's.

    Parameters
    ----------
    values, best : Series of float
        Log predictive density of every group that is left out, with the same index. Groups count as independent: the
        standard error of a sum over n of them is the root of n times their standard deviation (Vehtari, Gelman and
        Gabry 2017, arXiv 1507.04544, equation 23).

    Returns
    -------
    dict of str to float
        elpd, se, elpd_diff, se_diff, in nats.

    Examples
    --------
    >>> import pandas as pd
    >>> found = elpd_difference(pd.Series([-3.0, -5.0]), pd.Series([-2.0, -5.0]))
    >>> {name: round(value, 3) for name, value in found.items()}
    {'elpd': -8.0, 'se': 2.0, 'elpd_diff': -1.0, 'se_diff': 1.0}
    """
    difference, root = values - best, np.sqrt(len(values))
    return {
        "elpd": float(values.sum()),
        "se": float(root * values.std(ddof=1)),
        "elpd_diff": float(difference.sum()),
        "se_diff": float(root * difference.std(ddof=1)),
    }


def elpd_status(pareto_k: float) -> str:
    """Return whether the weights by which groups are left out can be trusted.

    Parameters
    ----------
    pareto_k : float
        The heaviest tail of them.

    Examples
    --------
    >>> elpd_status(0.4), elpd_status(float("nan"))
    ('ok', 'unreliable (pareto_k)')
    """
    return "ok" if pareto_k <= PARETO_K_LIMIT else "unreliable (pareto_k)"


def same_gains(first: Gains, second: Gains) -> bool:
    """Return whether two tables hold the same gains, in any order of rows.

    Parameters
    ----------
    first, second : Gains
        On one scale.
    """
    a, b = (np.sort(each.frame["gain"].to_numpy(float)) for each in (first, second))
    return len(a) == len(b) and bool(np.allclose(a, b, rtol=0, atol=1e-9))
