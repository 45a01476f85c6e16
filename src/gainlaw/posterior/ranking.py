"""Rankings of groups, with the uncertainty of the rank."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gainlaw.posterior.grid import levels_of
from gainlaw.posterior.levels import curve_at
from gainlaw.posterior.record import Posterior

__all__ = ["rank_groups"]


def rank_groups(
    posterior: Posterior, column: str, *, by: str = "slope", params: float | None = None
) -> pd.DataFrame:
    """Rank the groups of a column by slope or by gain, largest first.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    column : str
        ``task``, ``language_family``, ``language``, ``intermediate`` or ``model_family``.
    by : {"slope", "gain"}
        What to rank by.
    params : float, optional
        The size, for ``by="gain"``.

    Returns
    -------
    DataFrame
        group, median of the estimand, median rank, its 95% interval, and the probabilities of being first and last.
    """
    groups = levels_of(posterior.gains, column)
    curves = [curve_at(posterior, {column: group}) for group in groups]
    draws = np.stack(
        [each.slope() if by == "slope" else each.gain(1e9 if params is None else params) for each in curves]
    )
    ranks = (-draws).argsort(axis=0).argsort(axis=0) + 1
    low, middle, high = np.quantile(ranks, [0.025, 0.5, 0.975], axis=1, method="inverted_cdf")
    table = pd.DataFrame(
        {
            "group": groups,
            "median": np.median(draws, axis=1),
            "rank": middle.astype(int),
            "rank_low": low.astype(int),
            "rank_high": high.astype(int),
            "p_first": (ranks == 1).mean(axis=1),
            "p_last": (ranks == len(groups)).mean(axis=1),
        }
    )
    return table.sort_values("median", ascending=False, ignore_index=True)
