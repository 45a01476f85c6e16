"""Coverage of the overall slope, and false verdicts where the truth is a constant gain in log-odds.

Run by ``make calibration``; prints the tables and writes them to ``docs/calibration.md``. Each simulated study is
fitted with the default model and, for the first table, once more without checkpoint effects, as a notebook would.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from departures import departure_table
from grid import grid_table
from ladders import ability_table, ladder_table
from resume import resumed
from shortcuts import shortcut_table
from slopes import FIRST_SEED, REPLICATES, slope_of, wilson

from gainlaw.claims.decision import DEFAULT_THRESHOLD, decide
from gainlaw.scores.simulate import simulate_study

EIGHT = {
    "sizes": (7e7, 1.6e8, 4.1e8, 1e9, 1.4e9, 2.8e9, 6.9e9, 1.2e10),
    "n_tasks": 3,
    "n_languages": 8,
    "sd_checkpoint": 2.5,
    "sd_checkpoint_task": 1.5,
}
FIVE = EIGHT | {"sizes": (7e7, 4.1e8, 1.4e9, 2.8e9, 1.2e10)}


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
    word = decide([("points", points, 0.0), ("log_odds", log_odds, 0.0)], DEFAULT_THRESHOLD).word
    return word, points, log_odds


def ceiling_run(seed: int) -> tuple[str, float, float]:
    """Baselines rising from 50% to 92%."""
    return _constant(seed, (0.50, 0.92))


def floor_run(seed: int) -> tuple[str, float, float]:
    """Baselines leaving the floor, 5% to 50%."""
    return _constant(seed, (0.05, 0.50))


def tables(runs: int, grid_runs: int, workers: int, work: Path) -> str:
    """Run everything and return the page in Markdown."""

    def runner(run: Callable, count: int, name: str) -> list:
        return resumed(run, range(FIRST_SEED, FIRST_SEED + count), workers, name, work)

    lines = [
        "# Calibration",
        "",
        f"Written by `make calibration`: {runs} simulated studies a row, {grid_runs} in the last table; seeds from",
        f"{FIRST_SEED} on, 1,000 posterior draws a fit.",
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
        results = runner(run, runs, run.__name__)
        failures += sum(row[4] for row in results)
        for column, model in enumerate(("default, with checkpoint effects", "without checkpoint effects")):
            covered = sum(row[column] for row in results)
            width = np.mean([row[2 + column] for row in results])
            lines.append(f"| {name} | {model} | {wilson(covered, runs)} | {width:.2f} |")
    lines += [
        "",
        f"Default fits whose importance weights failed, so that the sampler took over: {failures} of {2 * runs}.",
        "",
        '## How often is "the gain shrinks with scale" called when the gain is constant in log-odds?',
        "",
        "A constant gain of 0.5 log-odds in every study (two tasks, eight languages, five checkpoints, 2,000 items).",
        f"Threshold {DEFAULT_THRESHOLD}. A verdict of `supported` or `refuted` would be wrong; every other is right.",
        "",
        "| baselines | supported or refuted | on one scale | scale-dependent | inconclusive | decided on points |",
        "|---|---|---|---|---|---|",
    ]
    for name, run in (("50% rising to 92%", ceiling_run), ("5% rising to 50%", floor_run)):
        outcomes = runner(run, runs, run.__name__)
        wrong = sum(verdict in ("supported", "refuted") for verdict, _, _ in outcomes)
        counts = [
            sum(verdict in words for verdict, _, _ in outcomes)
            for words in (
                ("supported on one scale", "refuted on one scale"),
                ("scale-dependent",),
                ("inconclusive",),
            )
        ]
        points = sum(p >= DEFAULT_THRESHOLD or p <= 1 - DEFAULT_THRESHOLD for _, p, _ in outcomes)
        lines.append(
            "| " + " | ".join([name, *(wilson(count, runs) for count in (wrong, *counts, points))]) + " |"
        )
    lines += [
        "",
        *shortcut_table(runner, runs),
        *ladder_table(runner, runs),
        *ability_table(runner, runs),
        *departure_table(runner, runs),
        *grid_table(runner, grid_runs),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the tables and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--grid-runs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path(__file__).parents[1] / ".calibration")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "calibration.md")
    arguments = parser.parse_args()
    page = tables(arguments.runs, arguments.grid_runs, arguments.workers, arguments.work)
    print(page)
    arguments.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
