"""What the shortcuts of notebooks cost: coverage with and without each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from slopes import BASE, REPLICATES, SETTINGS, Runner, design_of, slope_of, slopes_of, wilson

from gainlaw._threads import one_blas_thread
from gainlaw.laws import law
from gainlaw.model.spec.problem import build_problem, specify
from gainlaw.posterior.levels import gain_curve
from gainlaw.posterior.record import Posterior
from gainlaw.scores.evaluations.table import evaluations_from_frame
from gainlaw.scores.gains.cells.reading import gains_from_frame
from gainlaw.scores.gains.covariance import BlockCovariance
from gainlaw.scores.gains.table import Gains
from gainlaw.scores.simulate import simulate_study

__all__ = ["SHORTCUTS", "shortcut_table"]

FAMILIES = BASE | {"n_languages": 16, "sd_checkpoint": 0.5, "sd_checkpoint_task": 0.3, "sd_language": 0.3}


def no_checkpoints(seed: int) -> tuple[bool, bool]:
    """Checkpoint effects left out."""
    study = simulate_study(seed, **BASE)
    return _covers(study.evaluations.gains(), study.overall_slope, seed, REPLICATES)


def no_families(seed: int) -> tuple[bool, bool]:
    """Language families with slopes of their own, and a model without the families: the population's slope."""
    rng = np.random.default_rng([seed, 1])
    study = simulate_study(seed, **(FAMILIES | {"scale": "points"}))
    gains = study.evaluations.gains()
    frame = gains.frame
    x = np.log10(frame["params"].to_numpy(dtype=float) / 1e9)
    codes = frame["language_family"].astype("category").cat.codes.to_numpy()
    tilt, shift = rng.normal(0, 2.0, codes.max() + 1), rng.normal(0, 2.0, codes.max() + 1)
    moved = replace(
        gains, frame=frame.assign(gain=frame["gain"].to_numpy(dtype=float) + shift[codes] + tilt[codes] * x)
    )
    full = slopes_of(moved, seed)[1]
    bare = slopes_of(moved, seed, ("language_family", "checkpoint_language_family"))[1]
    return full.low <= study.slope <= full.high, bare.low <= study.slope <= bare.high


def shared_baselines(seed: int) -> tuple[bool, bool]:
    """Eight intermediates against each baseline score, with and without the covariance that this gives."""
    rng = np.random.default_rng([seed, 2])
    sizes, languages, count, items = (1e8, 1e9, 1e10), ("en", "de", "hi", "sw"), 8, 100
    effect = rng.normal(0, 1.0, count)
    rows = []
    for s, size in enumerate(sizes):
        for task in ("a", "b"):
            for language in languages:
                base = {"model_family": "Sim", "params": size, "task": task, "language": language}
                base |= {"n_examples": items, "chance": 0.0}
                none = {"model": f"m{s}", "base_model": "", "intermediate": "none"}
                rows.append(base | none | {"n_correct": int(rng.binomial(items, 0.6))})
                for k in range(count):
                    after = {"model": f"m{s}-{k}", "base_model": f"m{s}", "intermediate": f"it{k}"}
                    hits = int(rng.binomial(items, 0.6 + (5.0 + effect[k]) / 100.0))
                    rows.append(base | after | {"n_correct": hits})
    gains = evaluations_from_frame(pd.DataFrame(rows)).gains()
    truth, exclude = 5.0 + float(effect.mean()), (*REPLICATES, "task_language", "language")
    alone = replace(gains, covariance=BlockCovariance(gains.covariance.variance, ()))
    ends = [_gain_at_one_billion(each, seed, exclude) for each in (gains, alone)]
    found = [low <= truth <= high for low, high in ends]
    return found[0], found[1]


def delta_method(seed: int) -> tuple[bool, bool]:
    """Gains at the ceiling on log-odds by their delta-method errors instead of the counts."""
    design = design_of("log-odds, at the ceiling") | {"n_examples": 150}
    study = simulate_study(seed, **design)
    gains = study.evaluations.gains(scale="log_odds")
    columns = [
        "params",
        "model_family",
        "base_model",
        "checkpoint",
        "task",
        "language",
        "language_family",
        "gain",
        "se",
    ]
    plain = gains_from_frame(gains.frame[columns].assign(scale="log_odds"))
    truth = study.overall_intercept
    found = []
    for each in (gains, plain):
        low, high = _gain_at_one_billion(each, seed)
        found.append(low <= truth <= high)
    return found[0], found[1]


@one_blas_thread()
def _gain_at_one_billion(gains: Gains, seed: int, exclude: tuple[str, ...] = ()) -> tuple[float, float]:
    from gainlaw.model.engines import exact
    from gainlaw.posterior.tree import build_tree

    spec = specify(gains, law("linear"), exclude=exclude)
    problem = build_problem(gains, spec)
    draws = exact.sample(problem, gains, seed=seed, **SETTINGS)
    values = gain_curve(Posterior(problem, gains, build_tree(problem, gains, draws, seed)), "overall").gain(
        1e9
    )
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def own_baseline(seed: int) -> tuple[bool, bool]:
    """No effect of scale at all; the gain regressed on its own noisy baseline "shows" that gains shrink."""
    design = BASE | {
        "slope": 0.0,
        "sd_task_slope": 0.0,
        "n_examples": 100,
        "sd_checkpoint": 0.0,
        "sd_task": 0.5,
    }
    study = simulate_study(seed, **(design | {"sd_checkpoint_task": 0.0, "sd_language": 0.5}))
    gains = study.evaluations.gains()
    full = slope_of(gains, seed)
    import statsmodels.api as sm

    base = 100.0 * gains.frame["k_baseline"] / gains.frame["n_baseline"]
    line = sm.OLS(gains.frame["gain"].astype(float), sm.add_constant(base.astype(float))).fit()
    low, high = line.conf_int().iloc[1]
    return full.low <= study.overall_slope <= full.high, bool(low <= 0.0 <= high)


def _covers(gains: Gains, truth: float, seed: int, exclude: tuple[str, ...]) -> tuple[bool, bool]:
    full, bare = slope_of(gains, seed), slope_of(gains, seed, exclude)
    return full.low <= truth <= full.high, bare.low <= truth <= bare.high


SHORTCUTS: dict[str, tuple[Callable[[int], tuple[bool, bool]], str]] = {
    "checkpoint effects left out": (no_checkpoints, "overall slope"),
    "language families ignored": (no_families, "population slope"),
    "shared baselines ignored, eight intermediates": (shared_baselines, "overall gain at 1B"),
    "delta method at the ceiling, 150 items": (delta_method, "overall gain at 1B, log-odds"),
    "gain regressed on its own baseline": (own_baseline, "no trend where there is none"),
}


def shortcut_table(runner: Runner, runs: int) -> list[str]:
    """Return what each shortcut costs in coverage, in Markdown."""
    lines = [
        "## What each shortcut costs",
        "",
        "Share of studies in which the 95% interval holds the truth.",
        "",
        "| shortcut | of what | default model | with the shortcut |",
        "|---|---|---|---|",
    ]
    for name, (run, what) in SHORTCUTS.items():
        results = runner(run, runs, name)
        full, bare = (sum(row[k] for row in results) for k in (0, 1))
        lines.append(f"| {name} | {what} | {wilson(full, runs)} | {wilson(bare, runs)} |")
    return [*lines, ""]
