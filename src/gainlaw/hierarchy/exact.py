r"""The engine ``exact``: coefficients integrated out, hyperparameters by importance sampling, nothing left to tune.

Given the hyperparameters every coefficient is Gaussian, so the marginal likelihood of the scales and correlations is
known in closed form (`kernels.conditional_moments`). They are explored by adaptive importance sampling
(`importance.explore`) and the coefficients drawn from their exact conditional. On log-odds each row's binomial
likelihood is first summarised by a Gaussian at the posterior; the draws are then reweighted to the likelihood
itself, residuals and shared baselines integrated out, and the weights say whether the summary was good enough.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gainlaw._threads import in_threads
from gainlaw.gains import Gains
from gainlaw.hierarchy import kernels
from gainlaw.hierarchy.draws import Draws, Importance, Progress
from gainlaw.hierarchy.hyper import find_mode, first_proposal, log_prior, named, pack_points
from gainlaw.hierarchy.importance import Explored, Smoothed, explore, smooth_weights, systematic
from gainlaw.hierarchy.posterior import add_prior_means, linear_predictor
from gainlaw.hierarchy.problem import ModelProblem, gaussian_data

__all__ = ["sample"]

Float = NDArray[np.float64]

# Effective points asked of the hyperparameters for each draw kept, and the most points tried for it.
ESS_SHARE = 0.5
MAX_POINTS_SHARE = 8
# However few draws are kept.
LEAST_ESS = 600.0
LEAST_BATCH = 2000
# On log-odds: effective candidates asked for each draw kept, and the most tried for it.
CORRECTED_SHARE = 0.5
MAX_BATCHES = 6
# Floats of packed hyperparameters held at a time.
_CHUNK = 4_000_000


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
    if problem.spec.likelihood == "binomial":
        data, correct = _binomial(problem, gains)
    else:
        data, correct = gaussian_data(problem), None

    def log_density(points: Float) -> Float:
        return _log_marginal(problem, data, points) + log_prior(problem, points)

    def report(share: float) -> None:
        if progress is not None:
            progress(int(size * share * (0.6 if correct else 0.9)), size)

    explored = _explore(problem, data, log_density, rng, size, report)
    if correct is None:
        picked = systematic(explored.smoothed.weights, size, rng)
        points = explored.points[picked]
        effects = _conditional(problem, data, points, rng)
        ess, evidence, likelihood_k = explored.smoothed.ess, explored.smoothed.log_mean, float("nan")
    else:
        points, effects, second, ess = _corrected(problem, data, explored, correct, size, rng)
        evidence, likelihood_k = explored.smoothed.log_mean + second.log_mean, second.pareto_k
    if progress is not None:
        progress(size, size)
    shape = (chains, draws)
    lp = log_density(points) if problem.hyper else np.zeros(size)
    return Draws(
        {name: value.reshape(shape) for name, value in named(problem, points).items()},
        effects.reshape(*shape, -1),
        {"lp": lp.reshape(shape)},
        importance=Importance(
            explored.smoothed.pareto_k, min(ess, float(size)), len(explored.points), evidence, likelihood_k
        ),
    )


def _corrected(
    problem: ModelProblem,
    data: tuple,
    explored: Explored,
    correct: Callable[[Float, Float], Float],
    size: int,
    rng: np.random.Generator,
) -> tuple[Float, Float, Smoothed, float]:
    """Return draws under the likelihood itself: points, effects, their weights and the effective number of draws.

    Candidates are drawn under the Gaussian summary until their weights are worth enough.
    """
    picked, effects, log_weights = np.zeros(0, dtype=np.int64), [], np.zeros(0)
    for _ in range(MAX_BATCHES):
        new = systematic(explored.smoothed.weights, max(size, LEAST_BATCH), rng)
        points = explored.points[new]
        effects.append(_conditional(problem, data, points, rng))
        picked = np.concatenate([picked, new])
        log_weights = np.concatenate([log_weights, correct(points, effects[-1])])
        second = smooth_weights(log_weights)
        # Candidates at the same hyperparameters stand or fall together: both counts bound the information.
        shares = np.bincount(picked, weights=second.weights)
        ess = min(second.ess, float(1.0 / np.sum(shares**2)), explored.smoothed.ess)
        if second.ess >= max(CORRECTED_SHARE * size, LEAST_ESS):
            break
    chosen = systematic(second.weights, size, rng)
    return explored.points[picked[chosen]], np.concatenate(effects)[chosen], second, ess


def _explore(
    problem: ModelProblem,
    data: tuple,
    log_density: Callable[[Float], Float],
    rng: np.random.Generator,
    size: int,
    report: Callable[[float], None],
) -> Explored:
    if not problem.hyper:
        nothing = np.zeros((size, 0))
        evidence = float(_log_marginal(problem, data, nothing[:1])[0])
        weights = np.full(size, 1.0 / size)
        return Explored(nothing, Smoothed(weights, float("-inf"), float(size), evidence))
    place, first = first_proposal(problem, log_density, find_mode(problem, data))
    found = explore(
        place.density(log_density),
        first,
        rng,
        target_ess=max(ESS_SHARE * size, LEAST_ESS),
        max_points=MAX_POINTS_SHARE * max(size, LEAST_BATCH),
        progress=report,
    )
    return Explored(place.values(found.points), found.smoothed)


def _chunks(problem: ModelProblem, size: int) -> list[slice]:
    step = max(_CHUNK // len(problem.base), 16)
    return [slice(a, min(a + step, size)) for a in range(0, size, step)]


def _log_marginal(problem: ModelProblem, data: tuple, points: Float) -> Float:
    """Return the log marginal likelihood of hyperparameters, shape (n, k) to (n,)."""
    keep = np.ones(len(problem.y))
    return np.concatenate(
        [
            _marginal_chunk(pack_points(problem, points[rows]), keep, data)
            for rows in _chunks(problem, len(points))
        ]
    )


def _marginal_chunk(packed: Float, keep: Float, data: tuple) -> Float:
    nothing = np.zeros((len(packed), int(data[-1])))

    def part(rows: slice) -> Float:
        return kernels.conditional_moments(packed[rows], keep, nothing[rows], *data)[0]

    return in_threads(part, len(packed))


def _conditional(problem: ModelProblem, data: tuple, points: Float, rng: np.random.Generator) -> Float:
    """Return coefficients drawn from their exact conditional at each point, shape (n, q)."""
    effects = np.empty((len(points), problem.design.n_columns))
    for rows in _chunks(problem, len(points)):
        packed = pack_points(problem, points[rows])
        normals = rng.standard_normal((len(packed), problem.design.n_columns))

        def part(inside: slice, packed: Float = packed, normals: Float = normals) -> Float:
            return kernels.conditional_draws(packed[inside], normals[inside], problem.design.sizes, *data)

        effects[rows] = in_threads(part, len(packed))
    return add_prior_means(problem, effects)


def _binomial(problem: ModelProblem, gains: Gains) -> tuple[tuple, Callable[[Float, Float], Float]]:
    """Return the Gaussian summary of the counts, and the log weights that carry draws to the counts themselves."""
    from gainlaw.hierarchy import binomial, binomial_marginal, binomial_tables

    tables = binomial_tables.build_tables(gains)
    geometry = binomial.build_geometry(problem, tables)
    data = binomial.geometry_data(problem, tables, geometry)

    def correct(points: Float, effects: Float) -> Float:
        values = named(problem, points)
        tau = values.get("tau_residual", np.zeros(len(points)))
        line = linear_predictor(problem, effects, values.get("exponent"))
        exact = binomial_marginal.row_log_marginals(tables, line, tau).sum(axis=1)
        away = geometry.site - binomial.rotate_draws(tables, geometry, line)
        total = geometry.site_variance + tau[:, None] ** 2
        summary = -0.5 * (np.log(2.0 * np.pi * total) + away**2 / total).sum(axis=1)
        return exact - summary

    return data, correct
