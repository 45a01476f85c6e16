"""The engine ``nuts``: PyMC model, nutpie sampler, coefficients drawn exactly where the model is Gaussian."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.binomial import kernels as binomial_kernels
from gainlaw.model.binomial.records import BinomialModel
from gainlaw.model.binomial.sites import binomial_model, summarise
from gainlaw.model.effects import add_prior_means
from gainlaw.model.engines.draws import Draws, Progress
from gainlaw.model.engines.pymc_model import (
    compile_model,
    hyper_families,
    hyper_order,
    leaf_kinds,
    model_data,
)
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.gaussian.records import GaussianData
from gainlaw.model.spec.problem import ModelProblem, gaussian_data
from gainlaw.scores.gains.table import Gains

__all__ = ["sample"]

Float = NDArray[np.float64]

# Target acceptance of the first attempt and of the retries after divergences.
ACCEPTANCE = (0.9, 0.97, 0.99)
# The binomial model's draws are cheap and correlated: this many are made for every one kept.
THIN = 2


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
        tree, attempts = _run(problem, data, 0, draws, tune, chains, seed, progress)
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
    tree, attempts = _run(problem, model, n_zeta, THIN * draws, 2 * tune, chains, seed, progress)
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
    problem: ModelProblem,
    record: GaussianData | BinomialModel,
    n_zeta: int,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    progress: Progress | None,
) -> tuple[Any, tuple[dict[str, float], ...]]:
    import nutpie

    from gainlaw._threads import one_blas_thread

    order = hyper_order(problem)
    law = problem.spec.law
    # Laws without shape parameters share a compiled model.
    shape = law.form.graph if law.parameters else None
    names = {each.symbol: each.name for each in law.parameters}
    at = tuple(order.index(names[symbol]) for symbol in shape.parameters) if shape is not None else ()
    compiled = compile_model(hyper_families(problem), shape, at, n_zeta, leaf_kinds(record))
    compiled = compiled.with_data(**model_data(problem, record))
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
    hyper: dict[str, Float] = {}
    order = hyper_order(problem)
    start = 0
    for family, size in hyper_families(problem):
        values = tree["posterior"][family].to_numpy()
        for k in range(size):
            name = order[start + k]
            hyper[name] = 2.0 * values[..., k] - 1.0 if family == "lkj" else values[..., k]
        start += size
    return {name: hyper[name] for name in problem.hyper}


def _stats(tree: Any) -> dict[str, NDArray[Any]]:
    stats = tree["sample_stats"]
    names = {"diverging": "diverging", "energy": "energy", "depth": "tree_depth", "n_steps": "n_steps"}
    return {target: stats[name].to_numpy() for name, target in names.items() if name in stats}


def _no_stats(chains: int, draws: int) -> dict[str, NDArray[Any]]:
    return {"diverging": np.zeros((chains, draws), dtype=bool)}
