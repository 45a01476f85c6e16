"""Power-scaling sensitivity: how the answer moves when the prior or the likelihood is made stronger.

The prior of the top-level parameters, or the likelihood, is raised to the power 0.8 and 1.25, by reweighting the
draws (Kallioinen et al. 2024, doi 10.1007/s11222-023-10366-5). The number given is the distance between the two
reweighted distributions, per doubling of the power; above 0.05 the answer depends on what was scaled.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.model.engines.importance import smooth_weights
from gainlaw.posterior.levels import gain_curve
from gainlaw.posterior.record import Posterior
from gainlaw.posterior.tree import prior_log_densities

__all__ = ["SENSITIVITY_LIMIT", "prior_log_density", "prior_sensitivity"]

Float = NDArray[np.float64]

SENSITIVITY_LIMIT = 0.05
_POWERS = (0.8, 1.25)
COLUMNS = ("component", "distance", "mean_weaker", "mean", "mean_stronger", "pareto_k", "verdict")


def prior_log_density(posterior: Posterior) -> dict[str, Float]:
    """Return the log prior density of every draw, shape (draws,), by component.

    Components are ``fixed effects``, ``standard deviations`` (with correlations and the law's shape), and one for each
    term's standard deviations.
    """
    found = prior_log_densities(posterior.spec, posterior.draws["posterior"].to_dataset())
    by_name = {
        name: values.to_numpy().reshape(posterior.n_draws, -1).sum(axis=1) for name, values in found.items()
    }
    fixed = [by_name.pop(name) for name in ("mu", "covariate") if name in by_name]
    components = {"fixed effects": np.sum(fixed, axis=0)}
    components |= {name: value for name, value in by_name.items() if name.startswith("tau_")}
    components["standard deviations"] = np.sum(
        list(by_name.values()) or [np.zeros(posterior.n_draws)], axis=0
    )
    return components


def prior_sensitivity(posterior: Posterior) -> pd.DataFrame:
    """Return the power-scaling sensitivity of the overall slope (or gain, for the constant law).

    Returns
    -------
    DataFrame
        One row a component: the distance, the mean of the slope with the component weaker (power 0.8), as it is and
        stronger (1.25), the Pareto k of the reweighting and a verdict in words.
    """
    from arviz_stats.base import array_stats

    overall = gain_curve(posterior, "overall")
    values = overall.slope() if posterior.law.has_slope else overall.intercept
    components = prior_log_density(posterior)
    components["likelihood"] = posterior.draws["sample_stats"]["log_lik"].to_numpy().reshape(-1)
    rows = []
    for name, log_density in components.items():
        means, distribution, worst = [], [], -np.inf
        for power in _POWERS:
            smoothed = smooth_weights(_within_laws(posterior, (power - 1.0) * log_density))
            means.append(float(np.sum(smoothed.weights * values)))
            distribution.append(smoothed.weights)
            worst = max(worst, smoothed.pareto_k)
        distance = float(
            array_stats.power_scale_sense(
                values[None, :], distribution[0][None, :], distribution[1][None, :], *_POWERS
            )
        )
        if worst > 0.7:
            verdict = "too influential to reweight"
        else:
            verdict = "sensitive" if distance > SENSITIVITY_LIMIT else "not sensitive"
        rows.append((name, distance, means[0], float(values.mean()), means[1], worst, verdict))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _within_laws(posterior: Posterior, log_weights: Float) -> Float:
    """Return weights that leave every law of a stacked average what it has; those of other posteriors as they are."""
    which = posterior.stacked
    if which is None:
        return log_weights
    out = log_weights.copy()
    for law in np.unique(which):
        own = which == law
        out[own] -= np.logaddexp.reduce(log_weights[own]) - np.log(own.sum())
    return out
