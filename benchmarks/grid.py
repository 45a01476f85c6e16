"""Coverage over a grid of designs, one thing changed at a time."""

from __future__ import annotations

from functools import partial

import numpy as np
from slopes import GRID, Runner, design_of, slopes_of, wilson

from gainlaw.scores.simulate import simulate_study

__all__ = ["grid_run", "grid_table"]


def grid_run(seed: int, name: str) -> tuple[bool, bool, float, float, bool]:
    """Return whether the intervals of the overall and the population slope cover, their widths, and failure."""
    design = design_of(name)
    study = simulate_study(seed, **design)
    overall, population = slopes_of(study.evaluations.gains(scale=design.get("scale", "points")), seed)
    return (
        overall.low <= study.overall_slope <= overall.high,
        population.low <= study.slope <= population.high,
        overall.high - overall.low,
        population.high - population.low,
        overall.failed,
    )


def grid_table(runner: Runner, runs: int) -> list[str]:
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
        results = runner(partial(grid_run, name=name), runs, name)
        overall, population = (sum(row[k] for row in results) for k in (0, 1))
        wide, wider = (np.mean([row[k] for row in results]) for k in (2, 3))
        lines.append(
            f"| {name} | {wilson(overall, runs)} | {wide:.2f} | {wilson(population, runs)} | {wider:.2f} "
            f"| {sum(row[4] for row in results)} |"
        )
    return [
        *lines,
        "",
        "Where there are few sizes or tasks, their standard deviations are left to the priors, and the intervals cover",
        "more than they promise: with three sizes the checkpoint effects alone could make any slope. The population",
        "slope asks about tasks and families never seen; with two tasks its interval is the prior's.",
        "",
        "**Where the method is weak.** On log-odds every baseline has a normal prior of mean 0 and sd 3. Near floor",
        "and ceiling it pulls baselines towards the middle, all of them the same way, and the gains with them: over",
        "30 studies the overall gain at 1B came out 0.07 log-odds too low in the design that leaves the floor and",
        "0.04 too high at the ceiling with 150 items, half and a third of a posterior sd. (A uniform prior on",
        "accuracy: 0.15 and 0.10, and coverage of 83% and 90%.) More items help; so does the scale of points, which",
        "has no such prior.",
        "",
    ]
