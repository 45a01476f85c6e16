"""Coverage of the overall slope, and false verdicts where the truth is a constant gain in log-odds.

Run by ``make calibration``; prints the tables and writes them to ``docs/calibration.md``. Each simulated study is
fitted with the default model and, for the first table, once more without checkpoint effects, as a notebook would.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gainlaw._threads import one_blas_thread
from gainlaw.claims import decide
from gainlaw.estimands import MIN_ESS, curve
from gainlaw.evaluations import evaluations_from_frame
from gainlaw.fitting import Fit
from gainlaw.fitting.diagnostics import PARETO_K_LIMIT
from gainlaw.gains import BlockCovariance, Gains, gains_from_frame
from gainlaw.hierarchy import build_problem, specify
from gainlaw.laws import law
from gainlaw.simulate import simulate_study

REPLICATES = ("checkpoint", "run", "checkpoint_task", "checkpoint_language_family")
THRESHOLD = 0.975
SETTINGS = {"draws": 500, "chains": 2}
EIGHT = {
    "sizes": (7e7, 1.6e8, 4.1e8, 1e9, 1.4e9, 2.8e9, 6.9e9, 1.2e10),
    "n_tasks": 3,
    "n_languages": 8,
    "sd_checkpoint": 2.5,
    "sd_checkpoint_task": 1.5,
}
FIVE = EIGHT | {"sizes": (7e7, 4.1e8, 1.4e9, 2.8e9, 1.2e10)}


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
    from gainlaw.hierarchy import exact, nuts
    from gainlaw.hierarchy.posterior import build_tree

    spec = specify(gains, law("linear"), exclude=exclude)
    problem = build_problem(gains, spec)
    draws = exact.sample(problem, gains, seed=seed, **SETTINGS)
    found = draws.importance
    assert found is not None
    worst = max(found.pareto_k, float(np.nan_to_num(found.likelihood_pareto_k)))
    failed = worst >= PARETO_K_LIMIT or found.ess < MIN_ESS
    if failed:
        draws = nuts.sample(problem, gains, tune=300, seed=seed, **SETTINGS)
    fit = Fit(spec, gains, build_tree(problem, gains, draws, seed))
    overall, population = (_summary(curve(fit, level).slope(), failed) for level in ("overall", "population"))
    return overall, population


def _summary(values: np.ndarray, failed: bool) -> Slope:
    low, high = np.quantile(values, [0.025, 0.975])
    return Slope(float(low), float(high), float((values < 0).mean()), failed)


def _coverage(seed: int, design: dict[str, Any]) -> tuple[bool, bool, float, float, bool]:
    """Return whether the interval covers the truth with and without checkpoint effects, both widths, failure."""
    study = simulate_study(seed, **design)
    gains = study.evaluations.gains()
    full = slope_of(gains, seed)
    naive = slope_of(gains, seed, REPLICATES)
    truth = study.overall_slope
    return (
        full.low <= truth <= full.high,
        naive.low <= truth <= naive.high,
        full.high - full.low,
        naive.high - naive.low,
        full.failed,
    )


def eight_checkpoints(seed: int) -> tuple[bool, bool, float, float, bool]:
    """Coverage with eight checkpoints."""
    return _coverage(seed, EIGHT)


def five_checkpoints(seed: int) -> tuple[bool, bool, float, float, bool]:
    """Coverage with five checkpoints."""
    return _coverage(seed, FIVE)


def _constant(seed: int, baseline: tuple[float, float]) -> tuple[str, float, float]:
    """Return the verdict on "the gain shrinks with scale" and both probabilities, for a constant log-odds gain."""
    study = simulate_study(
        seed,
        scale="log_odds",
        intercept=0.5,
        slope=0.0,
        baseline=baseline,
        n_tasks=2,
        n_languages=8,
        n_examples=2000,
        sd_task=0.1,
        sd_task_slope=0.0,
        sd_language=0.1,
        sd_checkpoint=0.05,
        sd_checkpoint_task=0.03,
        sd_residual=0.03,
    )
    points = slope_of(study.evaluations.gains(scale="points"), seed).p_negative
    log_odds = slope_of(study.evaluations.gains(scale="log_odds"), seed).p_negative
    verdict, _, _ = decide([("points", points), ("log_odds", log_odds)], THRESHOLD)
    return verdict, points, log_odds


def ceiling_run(seed: int) -> tuple[str, float, float]:
    """Baselines rising from 50% to 92%."""
    return _constant(seed, (0.50, 0.92))


def floor_run(seed: int) -> tuple[str, float, float]:
    """Baselines leaving the floor, 5% to 50%."""
    return _constant(seed, (0.05, 0.50))


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


def _design(name: str) -> dict[str, Any]:
    change = GRID[name]
    return BASE | (_LOG_ODDS if change.get("scale") == "log_odds" else {}) | change


def grid_run(seed: int, name: str) -> tuple[bool, bool, float, float, bool]:
    """Return whether the intervals of the overall and the population slope cover, their widths, and failure."""
    design = _design(name)
    study = simulate_study(seed, **design)
    overall, population = slopes_of(study.evaluations.gains(scale=design.get("scale", "points")), seed)
    return (
        overall.low <= study.overall_slope <= overall.high,
        population.low <= study.slope <= population.high,
        overall.high - overall.low,
        population.high - population.low,
        overall.failed,
    )


def grid_table(runs: int, workers: int, first_seed: int) -> list[str]:
    """Return the coverage over designs, in Markdown."""
    lines = [
        "## Over a grid of designs",
        "",
        "One thing at a time is changed in a base design of six sizes, four tasks, eight languages, 500 items, and sds",
        "of 2 points between checkpoints and 1 point between checkpoints within a task (log-odds: 0.2 and 0.1).",
        "",
        "| design | overall slope covered | width | population slope covered | width | weights failed |",
        "|---|---|---|---|---|---|",
    ]
    for name in GRID:
        results = list(_map(partial(grid_run, name=name), range(first_seed, first_seed + runs), workers))
        overall, population = (sum(row[k] for row in results) for k in (0, 1))
        wide, wider = (np.mean([row[k] for row in results]) for k in (2, 3))
        lines.append(
            f"| {name} | {_interval(overall, runs)} | {wide:.2f} | {_interval(population, runs)} | {wider:.2f} "
            f"| {sum(row[4] for row in results)} |"
        )
    return [
        *lines,
        "",
        "Where there are few sizes or tasks, their standard deviations are left to the priors, and the intervals cover",
        "more than they promise: with three sizes the checkpoint effects alone could make any slope. The population",
        "slope asks about tasks and families never seen; with two tasks its interval is the prior's.",
        "",
    ]


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
    design = _design("log-odds, at the ceiling") | {"n_examples": 150}
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
    from gainlaw.hierarchy import exact
    from gainlaw.hierarchy.posterior import build_tree

    spec = specify(gains, law("linear"), exclude=exclude)
    problem = build_problem(gains, spec)
    draws = exact.sample(problem, gains, seed=seed, **SETTINGS)
    values = curve(Fit(spec, gains, build_tree(problem, gains, draws, seed)), "overall").gain(1e9)
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


def shortcut_table(runs: int, workers: int, first_seed: int) -> list[str]:
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
        results = list(_map(run, range(first_seed, first_seed + runs), workers))
        full, bare = (sum(row[k] for row in results) for k in (0, 1))
        lines.append(f"| {name} | {what} | {_interval(full, runs)} | {_interval(bare, runs)} |")
    return [*lines, ""]


def _map(run: Callable, seeds: range, workers: int) -> Iterator:
    with ProcessPoolExecutor(workers) as pool:
        for done, result in enumerate(pool.map(run, seeds, chunksize=4), start=1):
            if done % 10 == 0:
                print(f"\r{_name(run)} {done}/{len(seeds)}", end="", file=sys.stderr, flush=True)
            yield result
    print(file=sys.stderr)


def _name(run: Callable) -> str:
    return str(run.keywords.get("name")) if isinstance(run, partial) else run.__name__


def _interval(successes: int, runs: int) -> str:
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(successes, runs, method="wilson")
    return f"{successes / runs:.1%} [{low:.1%}, {high:.1%}]"


def tables(runs: int, workers: int, first_seed: int = 1000) -> str:
    """Run everything and return the page in Markdown."""
    seeds = range(first_seed, first_seed + runs)
    lines = [
        "# Calibration",
        "",
        f"Written by `make calibration` ({runs} simulated studies a row, seeds {seeds[0]} to {seeds[-1]}).",
        "Numbers in brackets are 95% Wilson intervals of the proportion.",
        "",
        "## Does the 95% interval of the overall slope cover the truth?",
        "",
        "Three tasks, eight languages in four families, one baseline and one intermediate score each of 1,000 items;",
        "checkpoints differ by an sd of 2.5 points, checkpoints within a task by 1.5 points. The truth of each study",
        "is the slope averaged over its own tasks and languages. The fewer the checkpoints, the more their sd is left",
        "to its prior, and the more careful the interval.",
        "",
        "| study | model | covers the truth | mean width (points per decade) |",
        "|---|---|---|---|",
    ]
    failures = 0
    for name, run in (("eight checkpoints", eight_checkpoints), ("five checkpoints", five_checkpoints)):
        results = list(_map(run, seeds, workers))
        failures += sum(row[4] for row in results)
        for column, model in enumerate(("default, with checkpoint effects", "without checkpoint effects")):
            covered = sum(row[column] for row in results)
            width = np.mean([row[2 + column] for row in results])
            lines.append(f"| {name} | {model} | {_interval(covered, runs)} | {width:.2f} |")
    lines += [
        "",
        f"Default fits whose importance weights failed, so that the sampler took over: {failures} of {2 * runs}.",
        "",
        '## How often is "the gain shrinks with scale" called when the gain is constant in log-odds?',
        "",
        "A constant gain of 0.5 log-odds in every study (two tasks, eight languages, five checkpoints, 2,000 items).",
        f"Threshold {THRESHOLD}. A verdict of `supported` or `refuted` would be wrong; `scale-dependent` and",
        "`inconclusive` are right.",
        "",
        "| baselines | supported or refuted | scale-dependent | inconclusive | decided on points alone |",
        "|---|---|---|---|---|",
    ]
    for name, run in (("50% rising to 92%", ceiling_run), ("5% rising to 50%", floor_run)):
        outcomes = list(_map(run, seeds, workers))
        wrong = sum(verdict in ("supported", "refuted") for verdict, _, _ in outcomes)
        scale = sum(verdict == "scale-dependent" for verdict, _, _ in outcomes)
        points = sum(p >= THRESHOLD or p <= 1 - THRESHOLD for _, p, _ in outcomes)
        lines.append(
            f"| {name} | {_interval(wrong, runs)} | {_interval(scale, runs)} | {_interval(runs - wrong - scale, runs)} "
            f"| {_interval(points, runs)} |"
        )
    lines += ["", *shortcut_table(runs, workers, first_seed), *grid_table(runs, workers, first_seed)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the tables and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "calibration.md")
    arguments = parser.parse_args()
    page = tables(arguments.runs, arguments.workers)
    print(page)
    arguments.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
