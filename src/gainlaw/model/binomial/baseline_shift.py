"""Where a posterior would lie if the prior of baselines were narrower.

On log-odds a score at the floor or the ceiling is as far out as the prior of baselines lets it be. The coefficients'
posterior means are found by the Gaussian sites of the counts under two such priors; their difference has no noise of
draws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.binomial.sites import Summary, build_geometry, geometry_data
from gainlaw.model.binomial.tables import build_tables
from gainlaw.model.effects import scaled
from gainlaw.model.engines.hyper import pack_points
from gainlaw.model.gaussian import kernels
from gainlaw.model.gaussian.records import GaussianData
from gainlaw.model.spec.problem import ModelProblem
from gainlaw.scores.gains.table import Gains

__all__ = ["NARROWER", "baseline_shift"]

Float = NDArray[np.float64]

NARROWER = 0.5
"""The sd of the other prior, as a share of that of the model's."""


def baseline_shift(gains: Gains, summary: Summary) -> Float:
    """Return by how much coefficients would be elsewhere with a narrower prior of baselines, shape (q,).

    Parameters
    ----------
    gains : Gains
        The data of a model of counts whose baselines stand for themselves.
    summary : Summary
        The counts under the model's own prior.
    """
    problem = summary.problem
    mean, sd = problem.spec.priors["baseline"].arguments
    tables = build_tables(gains, (mean, NARROWER * sd))
    mode = summary.geometry.mode
    narrower = build_geometry(problem, tables, mode)
    moved = _means(problem, mode, geometry_data(problem, tables, narrower))
    return moved - _means(problem, mode, summary.data)


def _means(problem: ModelProblem, mode: Float, data: GaussianData) -> Float:
    """Return the posterior means of the coefficients, in the unit of the scale, at the hyperparameters' mode."""
    packed = pack_points(problem, mode[None])
    a, b = kernels.normal_equations(packed[0], data)
    z = np.linalg.solve(a, b)[: problem.design.n_columns]
    return scaled(problem, packed, z[None])[0]
