r"""The engine ``exact``: coefficients integrated out, hyperparameters by importance sampling, nothing left to tune.

Given the hyperparameters every coefficient is Gaussian, so the marginal likelihood of the scales and correlations is
known in closed form (`marginal.Marginal`). They are explored by adaptive importance sampling
(`importance.explore`) and the coefficients drawn from their exact conditional. On log-odds each row's binomial
likelihood is first summarised by a Gaussian at the posterior; the draws are then reweighted to the likelihood
itself, residuals and shared baselines integrated out, and the weights say whether the summary was good enough. Where
it was not, the draws are carried there in steps (`tempering.temper`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.binomial.sites import summarise
from gainlaw.model.engines.draws import Draws, Importance, Progress
from gainlaw.model.engines.hyper import Coordinates, find_mode, first_proposal, log_prior, named, table_ranges
from gainlaw.model.engines.importance import (
    Explored,
    Smoothed,
    TruncatedT,
    explore,
    smooth_weights,
    systematic,
    worth,
)
from gainlaw.model.engines.tempering import Correct, Corrected, temper
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.spec.problem import ModelProblem, gaussian_data
from gainlaw.scores.gains.table import Gains

__all__ = ["explore_scales", "sample"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

# Effective points asked of the hyperparameters for each draw kept, and the most points tried for it.
ESS_SHARE = 0.25
MAX_POINTS_SHARE = 8
# However few draws are kept.
LEAST_ESS = 1000.0
LEAST_BATCH = 2000
# On log-odds: effective points and candidates asked for each draw kept, and the most candidates tried for it.
CORRECTED_SHARE = 0.5
MAX_BATCHES = 6
# Where the tail of the weights is heavier than this, draws go from the summary to the counts in so many steps, with
# more of them, and more draws between them, if the weights cannot be relied on or are worth too little.
HEAVY, RELIABLE, WORTH = 0.35, 0.7, 500.0
STEPS = (3, 6)


def sample(
    problem: ModelProblem,
    gains: Gains,
    *,
    draws: int,
    chains: int,
    seed: int,
    progress: Progress | None = None,
) -> Draws:
    """Sample the posterior of a hierarchical law.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    gains : Gains
        Its data.
    draws, chains : int
        ``draws * chains`` independent draws are returned, in that shape.
    seed : int
        Seed of everything random here.
    progress : callable, optional
        Called with (done, total) draws.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(4,)))
    size = draws * chains
    summary = summarise(problem, gains) if problem.spec.likelihood == "binomial" else None
    marginal = Marginal.build(problem, summary.data if summary is not None else gaussian_data(problem))

    def report(share: float) -> None:
        if progress is not None:
            progress(int(size * share * (0.6 if summary is not None else 0.9)), size)

    explored, marginal = explore_scales(
        problem,
        marginal,
        rng,
        target_ess=max((ESS_SHARE if summary is None else CORRECTED_SHARE) * size, LEAST_ESS),
        max_points=MAX_POINTS_SHARE * max(size, LEAST_BATCH),
        progress=report,
    )
    if summary is None:
        picked = systematic(explored.smoothed.weights, size, rng)
        effects = marginal.draw(explored.points, picked, rng)
        ess, evidence, likelihood_k = explored.smoothed.ess, explored.smoothed.log_mean, float("nan")
    else:
        corrected = _corrected(marginal, explored, summary.correction(problem), size, rng)
        picked, effects, likelihood_k = corrected.picked, corrected.effects, corrected.pareto_k
        ess = min(corrected.ess, explored.smoothed.ess)
        evidence = explored.smoothed.log_mean + corrected.log_mean
    if progress is not None:
        progress(size, size)
    shape = (chains, draws)
    return Draws(
        {name: value.reshape(shape) for name, value in named(problem, explored.points[picked]).items()},
        effects.reshape(*shape, -1),
        {"lp": explored.log_density[picked].reshape(shape)},
        importance=Importance(
            explored.smoothed.pareto_k, min(ess, float(size)), len(explored.points), evidence, likelihood_k
        ),
        summary=summary,
    )


def _corrected(
    marginal: Marginal, explored: Explored, correct: Correct, size: int, rng: np.random.Generator
) -> Corrected:
    """Return draws under the likelihood itself.

    Candidates are drawn under the Gaussian summary until their weights are worth enough. Where the tail of the weights
    is too heavy for that, the first candidates are carried there in steps.
    """
    points, candidates = explored.points, max(size, LEAST_BATCH)
    picked, effects, log_weights = np.zeros(0, dtype=np.int64), [], np.zeros(0)
    for _ in range(MAX_BATCHES):
        new = systematic(explored.smoothed.weights, candidates, rng)
        effects.append(marginal.draw(points, new, rng))
        picked = np.concatenate([picked, new])
        log_weights = np.concatenate([log_weights, correct(points[new], effects[-1])])
        second = smooth_weights(log_weights)
        heavy = second.pareto_k >= HEAVY and len(effects) > 1
        if second.ess >= max(CORRECTED_SHARE * size, LEAST_ESS) or heavy:
            break
    chosen = systematic(second.weights, size, rng)
    at_once = Corrected(
        picked[chosen],
        np.concatenate(effects)[chosen],
        second.pareto_k,
        worth(second, picked),
        second.log_mean,
    )
    if second.pareto_k < HEAVY:
        return at_once
    ways = [at_once]
    start = picked[: 2 * candidates], np.concatenate(effects[:2]), log_weights[: 2 * candidates]
    for steps, carried in zip(STEPS, (size, len(start[0])), strict=True):
        in_steps = temper(marginal, points, *start, correct, steps, carried, size, rng)
        if in_steps.pareto_k < RELIABLE and in_steps.ess >= WORTH:
            return in_steps
        ways.append(in_steps)
    return max(ways, key=lambda way: (way.pareto_k < RELIABLE, way.ess))


def explore_scales(
    problem: ModelProblem,
    marginal: Marginal,
    rng: np.random.Generator,
    *,
    target_ess: float,
    max_points: int,
    start: tuple[Coordinates, TruncatedT] | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[Explored, Marginal]:
    """Return weighted hyperparameters given the rows that a marginal keeps.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    marginal : Marginal
        Its marginal likelihood.
    rng, target_ess, max_points, progress
        As for `importance.explore`.
    start : tuple of Coordinates and TruncatedT, optional
        Coordinates and the first proposal in them; by default found from the mode.

    Returns
    -------
    explored : Explored
        Points, shape (n, k), their log densities, and their weights. Without hyperparameters all points are alike.
    marginal : Marginal
        The one given, with the tables that served.
    """
    if not problem.hyper:
        nothing = np.zeros((max_points, 0))
        evidence = float(marginal.log_likelihood(nothing[:1])[0])
        smoothed = Smoothed(np.full(max_points, 1.0 / max_points), float("-inf"), float(max_points), evidence)
        return Explored(nothing, np.zeros(max_points), smoothed), marginal

    def log_density(points: Float) -> Float:
        return marginal.log_likelihood(points) + log_prior(problem, points)

    place, first = start or first_proposal(problem, log_density, find_mode(problem, marginal.deep))
    marginal = marginal.tabulated(partial(table_ranges, problem, place, first))
    density = place.density(log_density)
    found = explore(density, first, rng, target_ess=target_ess, max_points=max_points, progress=progress)
    points = place.values(found.points)
    return Explored(points, found.log_density - place.log_jacobian(found.points), found.smoothed), marginal
