"""How much the data say about every standard deviation, correlation and shape parameter: prior beside posterior."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gainlaw.posterior.record import Posterior

__all__ = ["PRIOR_DOMINATED", "prior_scales"]

PRIOR_DOMINATED = 0.8
"""A posterior at least this share as wide as its prior is mostly the prior."""

COLUMNS = (
    "parameter", "prior", "prior_median", "prior_sd", "posterior_median", "posterior_sd", "sd_ratio", "verdict",
)  # fmt: skip


def prior_scales(posterior: Posterior) -> pd.DataFrame:
    """Compare the prior and the posterior of every hyperparameter.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.

    Returns
    -------
    DataFrame
        parameter, prior (as it is written), medians and sds of both in the unit of the scale, sd_ratio (posterior over
        prior; widths from quartiles where a prior has no sd) and a verdict: ``mostly the prior`` where the ratio is
        `PRIOR_DOMINATED` or more, else ``informed by the data``.
    """
    rows = []
    for name, prior in posterior.spec.priors.items():
        if name not in posterior.spec.common_names:
            continue
        before = posterior.draws["prior"][name].to_numpy().reshape(-1)
        after = posterior.draws["posterior"][name].to_numpy().reshape(-1)
        heavy = prior.family in ("halfcauchy", "halfstudent_t")
        wide, narrow = (_quartiles(each) if heavy else float(each.std()) for each in (before, after))
        ratio = narrow / wide
        rows.append(
            (
                name,
                str(prior),
                float(np.median(before)),
                wide,
                float(np.median(after)),
                narrow,
                ratio,
                "mostly the prior" if ratio >= PRIOR_DOMINATED else "informed by the data",
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _quartiles(values: np.ndarray) -> float:
    """Return the interquartile range as the sd of a normal law with the same."""
    low, high = np.quantile(values, [0.25, 0.75])
    return float((high - low) / 1.349)
