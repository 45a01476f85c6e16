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

One prior can say where an estimate lies while the data say how wide it is. On log-odds a score at the floor is as low
as the prior of baselines lets it be, and a gain from there as large. The share of that prior is how many of its own
sds an estimate would move if the sd of the prior were halved (`gainlaw.model.binomial.baseline_shift`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gainlaw.posterior.record import Posterior

__all__ = ["MOSTLY_PRIOR", "baseline_share", "narrower_baselines", "prior_share", "prior_widening"]

Float = NDArray[np.float64]

MOSTLY_PRIOR = 0.5
"""From this share on an estimate is called mostly its prior."""

# Draws beyond these quantiles count as lying on them: a ratio, or a size, has no mean.
_ENDS = (0.005, 0.995)
# Of a normal law these quantiles lie an sd from the median; others may have no sd.
_MIDDLE = (0.15866, 0.5, 0.84134)


def prior_widening(posterior: Posterior) -> Float:
    """Return the ``s`` of every posterior draw, chain by chain, shape (draws,).

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    """
    data, spec = posterior.draws["posterior"], posterior.spec
    size = posterior.n_draws
    mu = data["mu"].to_numpy().reshape(size, -1)
    values = {name: data[name].to_numpy().reshape(size) for name in spec.hyper_names}
    values["intercept"] = mu[:, 0]
    if spec.law.has_slope:
        values["slope"] = mu[:, 1]
    if spec.covariates:
        effects = data["covariate"].to_numpy().reshape(size, -1)
        values |= {f"covariate:{name}": effects[:, k] for k, name in enumerate(spec.covariates)}
    total = np.sum([spec.priors[name].widening(value) for name, value in values.items()], axis=0)
    which = posterior.stacked
    if which is None:
        return total
    # Stacking gives a law the weight that it has, however wide its priors.
    means = np.bincount(which, total) / np.maximum(np.bincount(which), 1)
    return np.asarray(total - means[which])


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


def narrower_baselines(posterior: Posterior) -> Posterior | None:
    """Return the posterior with its draws moved to where they would lie if the prior of baselines were half as wide.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.

    Returns
    -------
    Posterior or None
        None where baselines have no such prior.
    """
    import xarray as xr

    if "baseline_shift" not in posterior.draws.children:
        return None
    draws, shift = posterior.draws["posterior"].to_dataset(), posterior.draws["baseline_shift"]
    moved = {name: draws[name] + shift[str(name)].to_numpy() for name in shift.data_vars}
    stats = posterior.draws["sample_stats"].to_dataset()
    return posterior.with_draws(
        xr.DataTree.from_dict({"posterior": draws.assign(moved), "sample_stats": stats})
    )


def baseline_share(draws: Float, moved: Float | None) -> Float:
    """Return how many of its own sds an estimate moves if the prior of baselines is made half as wide; at most 1.

    Parameters
    ----------
    draws : ndarray, shape (..., draws)
        Posterior draws of estimates.
    moved : ndarray, shape (..., draws), or None
        The same of `narrower_baselines`.

    Returns
    -------
    ndarray, shape (...)
        NaN without moved draws, and where the draws have no spread.

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal(0.0, 0.3, 10_000)
    >>> round(float(baseline_share(draws, draws + 0.06)), 2)
    0.2
    """
    draws = np.asarray(draws, dtype=float)
    if moved is None:
        return np.full(draws.shape[:-1], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        low, middle, high = np.quantile(draws, _MIDDLE, axis=-1, method="inverted_cdf")
        away = np.abs(np.median(moved, axis=-1) - middle)
        spread = (high - low) / 2.0
        clear = np.isfinite(spread) & (spread > 1e-12 * np.abs(middle))
        return np.where(clear, np.minimum(away / spread, 1.0), np.nan)
