r"""How much of an estimate is its prior: how its interval widens as every prior is made wider.

With the scale of every prior multiplied by ``c``, an estimate that the data determine keeps its width, and one that
they say nothing about gets ``c`` times as wide. The share of the prior is what lies between,

.. math:: \mathrm{share} = \frac{d \log E|\theta - m|}{d \log c}\bigg|_{c = 1}
    = \frac{\mathrm{Cov}(|\theta - m|, s)}{E|\theta - m|},
    \qquad s = \sum_j \frac{\partial}{\partial \log c} \log p_j(\psi_j; c),

with ``m`` the posterior median and the covariance taken over the posterior draws, so that no refit is needed. With one
normal prior and a normal likelihood it is the posterior variance over the prior variance: the share of the posterior
precision that the prior brings. It counts what priors of standard deviations do too: the slope of a population from two
tasks is as wide as the prior of the spread of slopes makes it, however wide its own prior is. Compare the power-scaling
of Kallioinen et al. 2024 (doi 10.1007/s11222-023-10366-5), which scales densities rather than widths.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gainlaw.estimands.grid import FitLike

__all__ = ["MOSTLY_PRIOR", "prior_share", "prior_widening"]

Float = NDArray[np.float64]

MOSTLY_PRIOR = 0.5
"""From this share on an estimate is called mostly its prior."""

# Draws beyond these quantiles count as lying on them: a ratio, or a size, has no mean.
_ENDS = (0.005, 0.995)


def prior_widening(fit: FitLike) -> Float:
    """Return the ``s`` of every posterior draw, chain by chain, shape (draws,).

    Parameters
    ----------
    fit : Fit
        A fit.
    """
    data, spec = fit.posterior["posterior"], fit.spec
    size = data.sizes["chain"] * data.sizes["draw"]
    mu = data["mu"].to_numpy().reshape(size, -1)
    values = {name: data[name].to_numpy().reshape(size) for name in spec.hyper_names}
    values["intercept"] = mu[:, 0]
    if spec.law.has_slope:
        values["slope"] = mu[:, 1]
    if spec.covariates:
        effects = data["covariate"].to_numpy().reshape(size, -1)
        values |= {f"covariate:{name}": effects[:, k] for k, name in enumerate(spec.covariates)}
    return np.sum([spec.priors[name].widening(value) for name, value in values.items()], axis=0)


def prior_share(draws: Float, widening: Float) -> Float:
    """Return the share of the prior in an estimate: about 0 where the data speak, 1 where the prior does.

    Parameters
    ----------
    draws : ndarray, shape (..., draws)
        Posterior draws of estimates. Positive ones that spread over orders of magnitude are better given as logarithms.
    widening : ndarray, shape (draws,)
        From `prior_widening`, for the same draws in the same order.

    Returns
    -------
    ndarray, shape (...)
        NaN where the draws are all the same, or where over half of a per cent are infinite or undefined.

    Notes
    -----
    The Monte-Carlo error is about 0.05 for 4,000 draws.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> prior = rng.normal(0.0, 2.0, 100_000)
    >>> bool(abs(prior_share(prior, (prior / 2.0) ** 2 - 1.0) - 1.0) < 0.02)
    True
    """
    draws = np.asarray(draws, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = np.quantile(draws, _ENDS, axis=-1, keepdims=True, method="inverted_cdf")
        away = np.abs(np.clip(draws, low, high) - np.median(draws, axis=-1, keepdims=True))
        # Widening moves the draws between the ends alone.
        spread = np.mean(np.where((draws > low) & (draws < high), away, 0.0), axis=-1)
        moved = np.mean(away * (widening - widening.mean()), axis=-1)
        known = np.isfinite(spread) & (spread > 1e-12 * np.abs(draws).max(axis=-1))
        return np.where(known, moved / spread, np.nan)
