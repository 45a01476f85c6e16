"""Slopes of simulated studies under the default model, and designs to simulate: shared by the calibration tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gainlaw._threads import one_blas_thread
from gainlaw.fitting.checks.diagnostics import PARETO_K_LIMIT
from gainlaw.laws import law
from gainlaw.model.spec.problem import build_problem, specify
from gainlaw.posterior.estimates import MIN_ESS
from gainlaw.posterior.levels import gain_curve
from gainlaw.posterior.record import Posterior
from gainlaw.scores.gains.table import Gains

REPLICATES = ("smooth", "checkpoint", "run", "checkpoint_task", "checkpoint_language_family")
FIRST_SEED = 1000
Runner = Callable[[Callable, int, str], list]
SETTINGS = {"draws": 500, "chains": 2}
BASE: dict[str, Any] = {
    "sizes": (7e7, 2.8e8, 1e9, 2.8e9, 6.9e9, 1.2e10),
    "n_tasks": 4,
    "n_languages": 8,
    "n_examples": 500,
    "sd_checkpoint": 2.0,
    "sd_checkpoint_task": 1.0,
}
_LADDER = tuple(float(f"{size:.2g}") for size in np.geomspace(7e7, 1.2e10, 10))
#: What is changed in the base design, one thing at a time.
GRID: dict[str, dict[str, Any]] = {
    "base design": {},
    "3 sizes": {"sizes": _LADDER[::4]},
    "4 sizes": {"sizes": _LADDER[::3]},
    "10 sizes": {"sizes": _LADDER},
    "no checkpoint effects": {"sd_checkpoint": 0.0, "sd_checkpoint_task": 0.0},
    "checkpoint sd 4 points": {"sd_checkpoint": 4.0},
    "2 tasks": {"n_tasks": 2},
    "8 tasks": {"n_tasks": 8},
    "4 languages": {"n_languages": 4},
    "16 languages": {"n_languages": 16},
    "50 items": {"n_examples": 50},
    "5,000 items": {"n_examples": 5000},
    "log-odds, middle": {"scale": "log_odds"},
    "log-odds, leaving the floor": {"scale": "log_odds", "baseline": (0.03, 0.3), "chance": 0.25},
    "log-odds, at the ceiling": {"scale": "log_odds", "baseline": (0.85, 0.97)},
}
_LOG_ODDS = {
    "intercept": 0.6,
    "slope": -0.2,
    "sd_task": 0.2,
    "sd_task_slope": 0.1,
    "sd_language": 0.15,
    "sd_checkpoint": 0.2,
    "sd_checkpoint_task": 0.1,
    "sd_residual": 0.05,
}


def design_of(name: str) -> dict[str, Any]:
    change = GRID[name]
    return BASE | (_LOG_ODDS if change.get("scale") == "log_odds" else {}) | change


@dataclass(frozen=True, slots=True)
class Slope:
    """The overall slope of one fit."""

    low: float
    high: float
    p_negative: float
    failed: bool


def slope_of(gains: Gains, seed: int, exclude: tuple[str, ...] = ()) -> Slope:
    """Fit the linear law and summarise the overall slope."""
    return slopes_of(gains, seed, exclude)[0]


@one_blas_thread()
def slopes_of(gains: Gains, seed: int, exclude: tuple[str, ...] = ()) -> tuple[Slope, Slope]:
    """Fit the linear law and summarise the overall and the population slope.

    A fit whose weights fail is counted and, as `gainlaw.fit` does, handed to the sampler.
    """
    from gainlaw.model.engines import exact, nuts
    from gainlaw.posterior.tree import build_tree

    spec = specify(gains, law("linear"), exclude=exclude)
    problem = build_problem(gains, spec)
    draws = exact.sample(problem, gains, seed=seed, **SETTINGS)
    found = draws.importance
    assert found is not None
    worst = max(found.pareto_k, float(np.nan_to_num(found.likelihood_pareto_k)))
    failed = worst >= PARETO_K_LIMIT or found.ess < MIN_ESS
    if failed:
        draws = nuts.sample(problem, gains, tune=300, seed=seed, **SETTINGS)
    posterior = Posterior(problem, gains, build_tree(problem, gains, draws, seed))
    overall, population = (
        _summary(gain_curve(posterior, level).slope(), failed) for level in ("overall", "population")
    )
    return overall, population


def _summary(values: np.ndarray, failed: bool) -> Slope:
    low, high = np.quantile(values, [0.025, 0.975])
    return Slope(float(low), float(high), float((values < 0).mean()), failed)


def wilson(successes: int, runs: int) -> str:
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(successes, runs, method="wilson")
    return f"{successes / runs:.1%} [{low:.1%}, {high:.1%}]"
