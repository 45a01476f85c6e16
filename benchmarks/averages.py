"""Coverage of averages over laws, and of the default law, on studies simulated from each law in turn.

Run by ``make averages``; prints the tables and writes them to ``docs/averages.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from resume import resumed
from slopes import FIRST_SEED, wilson

from gainlaw._threads import one_blas_thread
from gainlaw.claims.decision import DEFAULT_THRESHOLD
from gainlaw.fitting.averaging import Member, average, fit_members
from gainlaw.fitting.checks.diagnostics import PARETO_K_LIMIT
from gainlaw.laws import AVERAGES, average_of, law
from gainlaw.laws.placed import PlacedLaw, place
from gainlaw.model.spec.problem import ModelProblem, build_problem, specify
from gainlaw.options import DEFAULT_LAW
from gainlaw.posterior.levels import gain_curve
from gainlaw.posterior.record import Posterior
from gainlaw.posterior.tree import posterior_tree
from gainlaw.scores.gains.table import Gains
from gainlaw.scores.simulate import Simulated, simulate_study
from gainlaw.sizes import decades

SIZES = (7e7, 2.8e8, 1e9, 2.8e9, 6.9e9, 1.2e10)
LAWS = tuple(name for name, _ in AVERAGES["average"].form.members)
SLOPED = "without constant"
#: The averages, and one over the laws that have a slope.
MIXED = {
    **AVERAGES,
    SLOPED: average_of([law(name) for name in LAWS if law(name).form.has_slope], name=SLOPED),
}
ANSWERS = (*MIXED, DEFAULT_LAW)
SETTINGS = {"draws": 250, "chains": 4}
_CI = 0.95


def _truth(name: str, rng: np.random.Generator) -> tuple[PlacedLaw, np.ndarray | None]:
    """Return a law over the sizes, and shape parameters for it that bend it visibly."""
    placed = place(law(name), decades(np.array(SIZES)))
    drawn = {
        "exponent": rng.uniform(0.3, 1.5),
        "midpoint": rng.uniform(-0.7, 0.7),
        "steepness": rng.uniform(1.5, 6.0),
    }
    psi = placed.psi({each.name: np.array([drawn[each.name]]) for each in placed.parameters})
    return placed, None if psi is None else psi[0]


def simulated(name: str, seed: int) -> tuple[Simulated, Callable[[float], float], float]:
    """Return a study of a law, its overall gain as a function of size, and its overall slope."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(9,)))
    placed, psi = _truth(name, rng)

    def shape(x: np.ndarray) -> np.ndarray:
        return placed.shape(x, psi)

    ends = decades(np.array(SIZES))[[0, -1]]
    factor = float(placed.mean_slope_factor(*ends, psi))
    slope = rng.normal(0.0, 3.0) / (factor or 1.0)
    study = simulate_study(
        seed,
        sizes=SIZES,
        n_tasks=3,
        n_languages=4,
        intercept=rng.normal(5.0, 3.0),
        slope=slope,
        sd_task_slope=1.0 / (factor or 1.0),
        shape=shape,
    )

    def gain(params: float) -> float:
        return study.overall_intercept + study.overall_slope * float(shape(decades(np.array(params))))

    return study, gain, study.overall_slope * factor


def run(seed: int, name: str) -> dict[str, Any]:
    """Return, for every answer, what it says of a study of a law."""
    study, gain, slope = simulated(name, seed)
    gains = study.evaluations.gains()
    found: dict[str, Any] = {"slope": slope}
    with one_blas_thread():
        problems = {each: build_problem(gains, specify(gains, one)) for each, one in MIXED.items()}
        members = fit_members(problems["average"], gains, seed=seed, **SETTINGS)
        for each, problem in problems.items():
            names = {one.name for one in problem.spec.law.members}
            own = tuple(one for one in members if one.name in names)
            found[each] = _said(_mixture(problem, gains, own, seed), gain)
    single = next(each for each in members if each.name == DEFAULT_LAW)
    found[DEFAULT_LAW] = _said(single.posterior, gain)
    averaged = average(problems["average"], gains, members, seed=seed, ci_prob=_CI).laws
    found["weights"] = {how: averaged[how].round(4).to_list() for how in ("evidence", "stacking")}
    found["failed"] = bool((averaged["pareto_k"] > PARETO_K_LIMIT).any())
    return found


def _mixture(problem: ModelProblem, gains: Gains, members: tuple[Member, ...], seed: int) -> Posterior:
    drawn = average(problem, gains, members, seed=seed, ci_prob=_CI).draws
    return Posterior(problem, gains, posterior_tree(problem, drawn))


def _said(posterior: Posterior, gain: Callable[[float], float]) -> dict[str, Any]:
    """Return whether the truth lies inside and how wide it is, at the largest size and beyond; the slope's sign."""
    curve = gain_curve(posterior, "overall")
    found: dict[str, Any] = {}
    for label, params in (("within", SIZES[-1]), ("beyond", 10.0 * SIZES[-1])):
        low, high = np.quantile(curve.gain(params), [0.5 - 0.5 * _CI, 0.5 + 0.5 * _CI])
        found[label] = [bool(low <= gain(params) <= high), float(high - low)]
    slope = curve.slope()
    found["negative"], found["positive"] = float((slope < 0).mean()), float((slope > 0).mean())
    return found


def tables(runs: int, workers: int, work: Path) -> str:
    """Run everything and return the page in Markdown."""
    results = {
        name: resumed(
            partial(run, name=name), range(FIRST_SEED, FIRST_SEED + runs), workers, f"averages {name}", work
        )
        for name in LAWS
    }
    return page(results, runs)


def page(results: dict[str, list[dict[str, Any]]], runs: int) -> str:
    """Return the page of finished simulations."""
    lines = [
        "# Averages over laws",
        "",
        f"Written by `make averages`: {runs} simulated studies a law, seeds from {FIRST_SEED} on, 1,000 draws a fit;",
        "numbers in brackets are 95% Wilson intervals of the proportion. Six sizes from 70M to 12B, three tasks, four",
        "languages, 1,000 items; checkpoints differ by an sd of 1.5 points, within a task by 1.0. The gain of every",
        "study follows the law of its row, with an average slope over the sizes of sd 3 points per decade; exponents",
        "lie between 0.3 and 1.5, midpoints between 200M and 5B, steepness between 1.5 and 6 per decade. All answers",
        "have the same terms and priors.",
        "",
        "## Does the 95% interval of the overall gain cover the truth?",
        "",
        "At the largest size, 12B, and at ten times that size. `average` is by evidence, `stacked` by left-out",
        f"checkpoints, `{SLOPED}` by evidence over the laws that have a slope, `{DEFAULT_LAW}` the {DEFAULT_LAW} law",
        "alone. Widths are mean widths in points.",
        "",
        "| truth | answer | at 12B | width | at 120B | width |",
        "|---|---|---|---|---|---|",
    ]
    pooled: dict[str, list[dict[str, Any]]] = {each: [] for each in ANSWERS}
    for name, rows in [*results.items(), ("all", [])]:
        for answer in ANSWERS:
            said = [row[answer] for row in rows] or pooled[answer]
            pooled[answer] += said if rows else []
            cells = []
            for where in ("within", "beyond"):
                inside = [each[where] for each in said]
                cells.append(wilson(sum(each[0] for each in inside), len(inside)))
                cells.append(f"{np.mean([each[1] for each in inside]):.1f}")
            lines.append(f"| {name.replace('_', ' ')} | {answer} | {' | '.join(cells)} |")
    lines += [
        "",
        "## What is said of the slope",
        "",
        "How often the average slope over the sizes is called negative or positive at a threshold of",
        f"{DEFAULT_THRESHOLD}, and how often wrongly: the other sign, or a slope where there is none.",
        "",
        "| truth | answer | called | wrongly |",
        "|---|---|---|---|",
    ]
    for name, rows in results.items():
        for answer in ANSWERS:
            called = [_sign(row[answer]) for row in rows]
            wrong = sum(
                sign != 0 and sign != np.sign(round(row["slope"], 12))
                for sign, row in zip(called, rows, strict=True)
            )
            some = sum(sign != 0 for sign in called)
            lines.append(
                f"| {name.replace('_', ' ')} | {answer} | {wilson(some, runs)} | {wilson(wrong, runs)} |"
            )
    lines += [
        "",
        "## Weights",
        "",
        "Mean weights by evidence, and by stacking in brackets.",
        "",
        f"| truth | {' | '.join(name.replace('_', ' ') for name in LAWS)} |",
        f"|---|{'---|' * len(LAWS)}",
    ]
    for name, rows in results.items():
        mean = {
            how: np.mean([row["weights"][how] for row in rows], axis=0) for how in ("evidence", "stacking")
        }
        cells = [
            f"{one:.2f} ({two:.2f})" for one, two in zip(mean["evidence"], mean["stacking"], strict=True)
        ]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    failed = sum(row["failed"] for rows in results.values() for row in rows)
    lines += ["", f"Studies with weights of a law that cannot be trusted: {failed} of {runs * len(results)}."]
    return "\n".join(lines) + "\n"


def _sign(said: dict[str, Any]) -> int:
    return int(said["positive"] >= DEFAULT_THRESHOLD) - int(said["negative"] >= DEFAULT_THRESHOLD)


def main() -> None:
    """Print the tables and write them."""
    root = Path(__file__).parents[1]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, default=root / ".calibration")
    parser.add_argument("--out", type=Path, default=root / "docs" / "averages.md")
    arguments = parser.parse_args()
    text = tables(arguments.runs, arguments.workers, arguments.work)
    print(text)
    arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
