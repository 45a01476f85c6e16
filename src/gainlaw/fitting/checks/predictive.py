"""Posterior predictive check: the mean and spread of every checkpoint's gains against replicated studies."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gainlaw.posterior.record import Posterior

__all__ = ["predictive_data", "predictive_frame"]

COLUMNS = (
    "statistic", "checkpoint", "params", "observed", "median", "low50", "high50", "low95", "high95", "p",
)  # fmt: skip


def predictive_data(posterior: Posterior) -> pd.DataFrame:
    """Return observed and replicated statistics by checkpoint for a posterior, see `predictive_frame`."""
    if not {"checkpoint", "params"} <= set(posterior.gains.frame.columns):
        return pd.DataFrame(columns=list(COLUMNS))
    replicated = np.asarray(posterior.draws["posterior_predictive"]["gain"])
    observed = np.asarray(posterior.draws["observed_data"]["gain"])
    cells = posterior.rows.frame
    return predictive_frame(
        observed,
        replicated.reshape(-1, observed.size),
        cells["checkpoint"].astype(str).to_numpy(),
        cells["params"].to_numpy(dtype=float, na_value=np.nan),
    )


def predictive_frame(
    observed: np.ndarray, replicated: np.ndarray, checkpoint: np.ndarray, params: np.ndarray
) -> pd.DataFrame:
    """Compare the mean and the standard deviation of each checkpoint's gains with their replications.

    Parameters
    ----------
    observed : numpy.ndarray, shape (n,)
        Gains.
    replicated : numpy.ndarray, shape (draws, n)
        Posterior predictive draws of the same gains.
    checkpoint : numpy.ndarray of str, shape (n,)
        The checkpoint of each row.
    params : numpy.ndarray, shape (n,)
        Its size.

    Returns
    -------
    pandas.DataFrame
        statistic ("mean", "sd"), checkpoint, params, observed, median, low50, high50, low95, high95, and
        `p`, the share of replications above the observed value, by size.

    References
    ----------
    .. [1] Gelman, Meng and Stern (1996), Posterior predictive assessment of model fitness via realized
       discrepancies, Statistica Sinica 6, 733-760.

    Examples
    --------
    >>> import numpy as np
    >>> replicated = np.random.default_rng(0).normal(size=(1000, 4))
    >>> names, sizes = np.array(["a", "a", "b", "b"]), np.array([1e9, 1e9, 1e10, 1e10])
    >>> frame = predictive_frame(np.zeros(4), replicated, names, sizes)
    >>> frame[["statistic", "checkpoint", "observed"]].values.tolist()
    [['mean', 'a', 0.0], ['mean', 'b', 0.0]]
    """
    rows = []
    for name, spread in (("mean", np.mean), ("sd", np.std)):
        for label in dict.fromkeys(checkpoint[np.argsort(params, kind="stable")]):
            kept = checkpoint == label
            if name == "sd" and kept.sum() < 3:
                continue
            value, draws = float(spread(observed[kept])), spread(replicated[:, kept], axis=1)
            low95, low50, middle, high50, high95 = np.quantile(draws, [0.025, 0.25, 0.5, 0.75, 0.975])
            rows.append(
                {
                    "statistic": name,
                    "checkpoint": label,
                    "params": float(params[kept][0]),
                    "observed": value,
                    "median": middle,
                    "low50": low50,
                    "high50": high50,
                    "low95": low95,
                    "high95": high95,
                    "p": float((draws > value).mean()),
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))
