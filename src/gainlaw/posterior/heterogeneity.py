r"""How much the gains differ beyond their sampling errors, and which terms of the model that comes from.

A term with the standard deviation :math:`\tau_0` of its intercepts, :math:`\tau_1` of its slopes and their correlation
:math:`\rho` adds to the variance of row :math:`i`, whose law has the shape :math:`h_i`,

.. math:: w_i (\tau_0^2 + 2 \rho \tau_0 \tau_1 h_i + \tau_1^2 h_i^2),

with :math:`w_i = 1` unless the groups have a tree or neighbours. Its :math:`\tau^2` is the mean over the rows, that of
the model the sum over its terms, the residual included. Its :math:`I^2` is its share of the total variance of a typical
row,

.. math:: I^2_t = \frac{\tau_t^2}{\sum_u \tau_u^2 + s^2}, \qquad s^2 = \frac{n - p}{\mathrm{tr}(P)}, \qquad
    P = V^{-1} - V^{-1} X (X' V^{-1} X)^{-1} X' V^{-1},

where :math:`V` is the sampling covariance and :math:`X` the law's intercept and slope. With independent rows and
:math:`X` a column of ones, :math:`s^2` is the typical sampling variance of Higgins and Thompson 2002 (doi
10.1002/sim.1186, equation 9), and with one term the sum is their :math:`I^2`; its division among the terms of a
hierarchy is that of Nakagawa and Santos 2012 (doi 10.1007/s10682-012-9555-5).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.formats import tails
from gainlaw.posterior.record import Posterior
from gainlaw.scores.gains.covariance import BlockCovariance

__all__ = ["heterogeneity", "typical_variance"]

Float = NDArray[np.float64]

RESIDUAL = "residual"
TOTAL = "total"


def heterogeneity(posterior: Posterior, ci_prob: float = 0.95) -> pd.DataFrame:
    """Return what every term adds to the variance of the gains, and its share.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    ci_prob : float
        Probability of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        ``term`` (``total`` is the last), ``tau2`` (posterior median, in squared units of the scale) with ``tau2_low``
        and ``tau2_high``, ``i2`` (posterior median, between 0 and 1) with ``i2_low`` and ``i2_high``, and
        ``sampling_variance``, the typical one, the same in every row. On log-odds the sampling variances are those of
        the table, of accuracies moved off the edges, which the model does not use.

    Raises
    ------
    InputError
        For a model whose rows are scores (hierarchical baselines): their variance is not one of gains.
    """
    problem = posterior.problem
    if problem.spec.joint:
        hint = "fit with baselines='free'"
        raise InputError(
            Problem("the rows of this model are scores, whose variance is not that of gains", hint=hint)
        )
    low, high = tails(ci_prob)
    parts = term_variances(posterior)
    parts[TOTAL] = np.sum(list(parts.values()), axis=0)
    columns = [np.ones(len(problem.x)), problem.x] if posterior.law.has_slope else [np.ones(len(problem.x))]
    sampling = typical_variance(posterior.gains.covariance, np.column_stack(columns))
    rows = []
    for name, tau2 in parts.items():
        share = tau2 / (parts[TOTAL] + sampling)
        rows.append(
            (name, *np.quantile(tau2, [0.5, low, high]), *np.quantile(share, [0.5, low, high]), sampling)
        )
    names = ["term", "tau2", "tau2_low", "tau2_high", "i2", "i2_low", "i2_high", "sampling_variance"]
    return pd.DataFrame(rows, columns=names)


def term_variances(posterior: Posterior) -> dict[str, Float]:
    """Return draws of what every term adds to the variance of a row, averaged over the rows, each shape (draws,)."""
    problem, data = posterior.problem, posterior.draws["posterior"]

    def draws(name: str) -> Float:
        return data[name].to_numpy().reshape(-1) if name in data else np.zeros(posterior.n_draws)

    h = problem.shapes(problem.spec.law.psi({name: draws(name) for name in problem.hyper}))
    parts = {}
    for k, block in enumerate(problem.design.blocks):
        if f"tau_{block.name}" not in data:
            continue
        weight = (np.where(problem.design.block == k, problem.design.value, 0.0) ** 2).sum(axis=1)
        level, slope = draws(f"tau_{block.name}"), draws(f"tau_{block.name}_slope")
        means = weight.mean(), (weight * h).mean(axis=1), (weight * h**2).mean(axis=1)
        both = 2.0 * draws(f"rho_{block.name}") * level * slope
        parts[block.name] = level**2 * means[0] + both * means[1] + slope**2 * means[2]
    if "tau_residual" in data:
        parts[RESIDUAL] = draws("tau_residual") ** 2
    return parts


def typical_variance(covariance: BlockCovariance, X: Float) -> float:
    """Return the typical sampling variance of rows, in squared units of the gain.

    Parameters
    ----------
    covariance : BlockCovariance
        Their sampling covariance.
    X : ndarray, shape (n, p)
        The fixed effects.

    Returns
    -------
    float
        NaN where a combination of the rows has no sampling error, or there are no more rows than fixed effects.

    Examples
    --------
    >>> typical_variance(BlockCovariance(np.full(5, 4.0)), np.ones((5, 1)))
    4.0
    """
    values, turn = covariance.rotation()
    n, p = X.shape
    if n <= p or values.min() <= 0:
        return float("nan")
    Z = turn(X)
    W = Z / values[:, None]
    trace = (1.0 / values).sum() - np.trace(np.linalg.solve(Z.T @ W, W.T @ W))
    return float((n - p) / trace)
