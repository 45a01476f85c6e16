"""The engine ``nuts``: PyMC priors, nutpie sampler, coefficients drawn exactly where the model is Gaussian."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.binomial import kernels as binomial_kernels
from gainlaw.model.binomial.sites import binomial_model, summarise
from gainlaw.model.effects import add_prior_means
from gainlaw.model.engines.density import LogDensity
from gainlaw.model.engines.draws import Draws, Progress
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.spec.problem import ModelProblem, gaussian_data
from gainlaw.scores.gains.table import Gains

__all__ = ["sample"]

Float = NDArray[np.float64]

# Target acceptance of the first attempt and of the retries after divergences.
ACCEPTANCE = (0.9, 0.97, 0.99)
# The binomial model's draws are cheap and correlated: this many are made for every one kept. Standard deviations of
# terms that the data hardly tell apart, such as families of one language and languages, take ten draws to move on.
THIN = 4


def sample(
    problem: ModelProblem,
    gains: Gains,
    *,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    progress: Progress | None = None,
) -> Draws:
    """Sample the posterior of a hierarchical law.

    The Gaussian model samples the hyperparameters with every coefficient integrated out, then draws the
    coefficients from their exact conditional; the binomial model samples everything, in coordinates chosen at the
    mode. Divergent runs are repeated with a higher target acceptance, and say so.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    gains : Gains
        Its data.
    draws, tune, chains : int
        Draws kept and tuned for each chain; chains.
    seed : int
        Seed of everything random here.
    progress : callable, optional
        Called with (done, total) draws.
    """
    if problem.spec.likelihood == "binomial":
        return _sample_binomial(problem, gains, draws, tune, chains, seed, progress)
    return _sample_gaussian(problem, draws, tune, chains, seed, progress)


def _sample_gaussian(
    problem: ModelProblem, draws: int, tune: int, chains: int, seed: int, progress: Progress | None
) -> Draws:
    data = gaussian_data(problem)
    if problem.hyper:
        tree, attempts = _run(LogDensity.of(problem, data), 0, draws, tune, chains, seed, progress)
        hyper, stats = _hyper_draws(problem, tree), _stats(tree)
    else:
        hyper, stats, attempts = {}, _no_stats(chains, draws), ()
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    names = problem.hyper
    points = np.stack([hyper[name].reshape(-1) for name in names], axis=1) if names else np.zeros((1, 0))
    which = np.arange(chains * draws) if names else np.zeros(chains * draws, dtype=np.int64)
    effects = Marginal.build(problem, data).draw(points, which, rng)
    return Draws(hyper, effects.reshape(chains, draws, -1), stats, attempts)


def _sample_binomial(
    problem: ModelProblem,
    gains: Gains,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    progress: Progress | None,
) -> Draws:
    summary = summarise(problem, gains)
    model = binomial_model(problem, summary.tables, summary.geometry)
    n_zeta = len(problem.y) + problem.design.n_columns
    density = LogDensity.of(problem, model)
    tree, attempts = _run(density, n_zeta, THIN * draws, 2 * tune, chains, seed, progress)
    tree = tree.isel(draw=slice(THIN - 1, None, THIN))
    hyper = _hyper_draws(problem, tree)
    zeta = tree["posterior"]["zeta"].to_numpy().reshape(chains * draws, -1)
    packed = np.concatenate(
        [problem.pack({name: value.reshape(-1) for name, value in hyper.items()}), zeta], axis=1
    )
    effects = binomial_kernels.effects_of(packed, model)
    return Draws(
        hyper,
        add_prior_means(problem, effects).reshape(chains, draws, -1),
        _stats(tree),
        attempts,
        summary=summary,
    )


def _run(
    density: LogDensity,
    n_zeta: int,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    progress: Progress | None,
) -> tuple[Any, tuple[dict[str, float], ...]]:
    """Sample until no trajectory diverges; return the draws of the hyperparameters and of ``zeta``."""
    import nutpie

    from gainlaw._threads import one_blas_thread

    n_hyper = density.n_hyper
    centre = np.concatenate([density.coordinates.start(), np.zeros(n_zeta)])
    # From Python, not from PyMC's own model: nutpie compiles that anew in every process, for half a minute.
    compiled = nutpie.compiled_pyfunc.from_pyfunc(
        len(centre),
        lambda: density,
        lambda *_: lambda point: {"hyper": density.hyperparameters(point), "zeta": point[n_hyper:]},
        [np.dtype(float), np.dtype(float)],
        [(n_hyper,), (n_zeta,)],
        ["hyper", "zeta"],
        make_initial_point_fn=lambda seed: centre + np.random.default_rng(seed).uniform(-1, 1, len(centre)),
    )
    callback = None
    if progress is not None:

        def callback(states: list[Any]) -> None:
            progress(
                sum(state.finished_draws for state in states), sum(state.total_draws for state in states)
            )

    attempts: list[dict[str, float]] = []
    for attempt, acceptance in enumerate(ACCEPTANCE):
        with one_blas_thread():
            tree = nutpie.sample(
                compiled,
                draws=draws,
                tune=tune,
                chains=chains,
                cores=min(chains, os.cpu_count() or 1),
                seed=int(np.random.SeedSequence(seed, spawn_key=(0, attempt)).generate_state(1)[0]),
                save_warmup=False,
                progress_bar=False,
                progress_callback=callback,
                target_accept=acceptance,
            )
        divergences = int(tree["sample_stats"]["diverging"].sum())
        attempts.append({"target_accept": acceptance, "divergences": divergences})
        if divergences == 0:
            break
    return tree, tuple(attempts)


def _hyper_draws(problem: ModelProblem, tree: Any) -> dict[str, Float]:
    values = tree["posterior"]["hyper"].to_numpy()
    return {name: values[..., k] for k, name in enumerate(problem.hyper)}


def _stats(tree: Any) -> dict[str, NDArray[Any]]:
    stats = tree["sample_stats"]
    names = {"diverging": "diverging", "energy": "energy", "depth": "tree_depth", "n_steps": "n_steps"}
    return {target: stats[name].to_numpy() for name, target in names.items() if name in stats}


def _no_stats(chains: int, draws: int) -> dict[str, NDArray[Any]]:
    return {"diverging": np.zeros((chains, draws), dtype=bool)}
