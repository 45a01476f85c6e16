"""What it takes to explore the hyperparameters once more: the data, and where their posterior lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.engines.hyper import Coordinates, coordinates, find_mode, named
from gainlaw.model.engines.importance import Explored, TruncatedT
from gainlaw.model.gaussian.records import GaussianData
from gainlaw.model.spec.problem import ModelProblem, gaussian_data
from gainlaw.posterior.record import Posterior
from gainlaw.posterior.tree import hyper_points

if TYPE_CHECKING:
    from gainlaw.model.binomial.sites import Summary
    from gainlaw.model.gaussian.marginal import Marginal

__all__ = ["explore_kept", "kernel_data", "shape_values", "wide_proposal"]

Float = NDArray[np.float64]

# The variance of the proposal over that of the posterior.
_WIDER = 1.5
# Effective points asked of an exploration of some of the rows, and the most tried.
_ESS, _MOST = 250.0, 8192


def kernel_data(posterior: Posterior, summary: Summary | None = None) -> GaussianData:
    """Return the inputs of the Gaussian kernels; counts are summarised by their Gaussian sites.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    summary : Summary, optional
        That of the counts, where it is known already.
    """
    if posterior.spec.likelihood == "gaussian":
        return gaussian_data(posterior.problem)
    if summary is None:
        from gainlaw.model.binomial.sites import summarise

        summary = summarise(posterior.problem, posterior.rows)
    return summary.data


def wide_proposal(posterior: Posterior) -> tuple[Coordinates, TruncatedT] | None:
    """Return a proposal with the moments of the posterior, a little wider; None without hyperparameters.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    """
    problem = posterior.problem
    if not problem.hyper:
        return None
    points = hyper_points(posterior)
    place = coordinates(problem, np.median(points, axis=0))
    points = place.points(points)
    covariance = np.atleast_2d(np.cov(points.T))
    covariance = _WIDER * covariance + np.diag(1e-12 + 1e-6 * np.diag(covariance))
    return place, TruncatedT(points.mean(axis=0), np.linalg.cholesky(covariance), *place.bounds)


def explore_kept(
    posterior: Posterior, data: GaussianData, keep: Float, rng: np.random.Generator
) -> tuple[Explored, Marginal]:
    """Explore the hyperparameters given some of the rows.

    The first proposal is like the posterior given all rows, and away from it as the mode given some is from that given
    all.

    Parameters
    ----------
    posterior : Posterior
        The posterior given all rows.
    data : GaussianData
        All rows, from `kernel_data`.
    keep : ndarray, shape (n,)
        1 for rows that count, 0 for the others.
    rng : numpy.random.Generator
        Random numbers.

    Returns
    -------
    explored : Explored
        Weighted points, shape (m, k).
    marginal : Marginal
        The model of the rows kept.
    """
    from gainlaw.model.engines.exact import explore_scales
    from gainlaw.model.gaussian.marginal import Marginal

    problem, start = posterior.problem, wide_proposal(posterior)
    marginal = Marginal.build(problem, data, keep)
    if start is not None and not keep.all():
        place, first = start
        every = marginal.deep._replace(keep=data.keep)
        mode = find_mode(problem, every, np.median(hyper_points(posterior), axis=0))
        away = place.points(find_mode(problem, marginal.deep, mode)) - place.points(mode)
        start = place, first.moved(away)
    return explore_scales(problem, marginal, rng, target_ess=_ESS, max_points=_MOST, start=start)


def shape_values(problem: ModelProblem, points: Float) -> Float | None:
    """Return the law's shape parameters among hyperparameters, shape (n, k); None for laws without."""
    return problem.spec.law.psi(named(problem, points))
