"""What it takes to explore the hyperparameters of a fit once more: its data, and where its posterior lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gainlaw.estimands import FitLike
from gainlaw.hierarchy.hyper import Coordinates, coordinates
from gainlaw.hierarchy.importance import TruncatedT
from gainlaw.hierarchy.posterior import hyper_points
from gainlaw.hierarchy.problem import ModelProblem, gaussian_data

__all__ = ["exponents", "kernel_data", "wide_proposal"]

Float = NDArray[np.float64]

# The variance of the proposal over that of the posterior.
_WIDER = 1.5


def kernel_data(fit: FitLike, problem: ModelProblem) -> tuple:
    """Return the inputs of the Gaussian kernels; counts are summarised by their Gaussian sites.

    Parameters
    ----------
    fit : Fit
        The fit.
    problem : ModelProblem
        Its arrays.
    """
    if fit.spec.likelihood == "binomial":
        from gainlaw.hierarchy import binomial, binomial_tables

        return binomial.refined_data(problem, binomial_tables.build_tables(fit.gains))
    return gaussian_data(problem)


def wide_proposal(fit: FitLike, problem: ModelProblem) -> tuple[Coordinates, TruncatedT] | None:
    """Return a proposal with the moments of the posterior, a little wider; None without hyperparameters.

    Parameters
    ----------
    fit : Fit
        The fit.
    problem : ModelProblem
        Its arrays.
    """
    if not problem.hyper:
        return None
    points = hyper_points(problem, fit.posterior)
    place = coordinates(problem, np.median(points, axis=0))
    points = place.points(points)
    covariance = np.atleast_2d(np.cov(points.T))
    covariance = _WIDER * covariance + np.diag(1e-12 + 1e-6 * np.diag(covariance))
    return place, TruncatedT(points.mean(axis=0), np.linalg.cholesky(covariance), *place.bounds)


def exponents(problem: ModelProblem, points: Float) -> Float | None:
    """Return the exponents among hyperparameters, shape (n, k) to (n,); None for laws without."""
    return points[:, problem.hyper.index("exponent")] if problem.spec.law.has_exponent else None
