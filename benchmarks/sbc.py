"""Simulation-based calibration: are posteriors right on average over the prior, for every model and engine?

Run by ``make calibration``. Parameters are drawn from the prior, data from the model, and the posterior is computed; if
the engine is right, the rank of the truth among the posterior draws is uniform (Talts et al. 2018, arXiv 1804.06788).
Uniformity is tested by the simultaneous bands of the empirical distribution function (Säilynoja, Bürkner and Vehtari
2022, doi 10.1007/s11222-022-10090-6). Writes ``docs/sbc.md`` and ``docs/img/sbc.png``.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from resume import resumed

import gainlaw as gl
from gainlaw._threads import one_blas_thread
from gainlaw.laws import law
from gainlaw.model.binomial.quadrature import BASELINE_SD
from gainlaw.model.effects import linear_predictor
from gainlaw.model.spec.problem import ModelProblem, ModelSpec, build_problem, observations, specify
from gainlaw.options import Baselines
from gainlaw.posterior.tree import prior_draws
from gainlaw.scales import Scale
from gainlaw.scores.gains.table import Gains

SIZES = (7e7, 4.1e8, 1.4e9, 6.9e9, 1.2e10)
LANGUAGES = ("en", "de", "ru", "hi", "sw", "zh")
ITEMS = 400
NULL_RUNS = 4000


@dataclass(frozen=True, slots=True)
class Model:
    """A model to calibrate: its law and scale, how many intermediates share each baseline, and its options."""

    law: str
    scale: Scale
    intermediates: int
    tree: bool = False
    baselines: Baselines = "free"


MODELS = {
    "constant law, points": Model("constant", "points", 1),
    "linear law, points": Model("linear", "points", 1),
    "offset power law, points": Model("offset_power", "points", 1),
    "saturating law, points": Model("saturating", "points", 1),
    "logistic law, points": Model("logistic", "points", 1),
    "linear law, points, tree of languages": Model("linear", "points", 1, tree=True),
    "linear law, points, hierarchical baselines": Model("linear", "points", 1, baselines="hierarchical"),
    "linear law, points, shared baselines": Model("linear", "points", 2),
    "linear law, log-odds": Model("linear", "log_odds", 1),
    "linear law, log-odds, shared baselines": Model("linear", "log_odds", 2),
    "linear law, log-odds, hierarchical baselines": Model("linear", "log_odds", 1, baselines="hierarchical"),
}


def evaluations(baseline: np.ndarray, after: np.ndarray) -> gl.Evaluations:
    """Return scores from counts, baseline (sizes, tasks, languages) and after (intermediates, ...)."""
    rows = []
    for s, t, k in np.ndindex(*baseline.shape):
        common = {
            "model_family": "Sim",
            "params": int(SIZES[s]),
            "task": f"task{t}",
            "language": LANGUAGES[k],
            "n_examples": ITEMS,
            "chance": 0.25,
        }
        rows.append(
            common
            | {
                "model": f"m{s}",
                "base_model": "",
                "intermediate": "none",
                "n_correct": int(baseline[s, t, k]),
            }
        )
        rows.extend(
            common
            | {
                "model": f"m{s}-{i}",
                "base_model": f"m{s}",
                "intermediate": f"it{i}",
                "n_correct": int(after[i, s, t, k]),
            }
            for i in range(len(after))
        )
    return gl.evaluations_from_frame(pd.DataFrame(rows), source="simulated")


def simulate(
    model: Model, rng: np.random.Generator
) -> tuple[Gains, ModelProblem, dict[str, float], np.ndarray]:
    """Draw parameters from the prior and data from the model; return data, model, hyperparameters and effects."""
    tasks = 2
    shape = (len(SIZES), tasks, len(LANGUAGES))
    base = np.full(shape, ITEMS // 2)
    after = np.broadcast_to(base + 10, (model.intermediates, *shape))
    gains = evaluations(base, after).gains(scale=model.scale)
    priors = {"intercept": "normal(0, 1)"} if model.scale == "log_odds" else {}
    options: dict[str, Any] = {"priors": priors, "tree": model.tree, "baselines": model.baselines}
    problem = build_problem(gains, specify(gains, law(model.law), **options))
    hyper, effects = prior_draws(problem, rng)
    psi = problem.spec.law.psi({name: value[:1] for name, value in hyper.items()})
    line = linear_predictor(problem, effects[:1], psi)[0]
    truth = {name: float(value[0]) for name, value in hyper.items()}
    latent = line + truth.get("tau_residual", 0.0) * rng.standard_normal(len(line))
    if model.scale == "points":
        rows = observations(gains, problem.spec)
        noise = rows.covariance.matrix()
        values = latent + rng.multivariate_normal(np.zeros(len(line)), noise, method="eigh")
        if model.baselines == "hierarchical":
            return rows, replace(problem, y=values), truth, effects[0]
        gains = replace(gains, frame=gains.frame.assign(gain=values))
    elif model.baselines == "hierarchical":
        gains = _scores(gains, latent, problem.spec, shape, rng)
        return observations(gains, problem.spec), build_problem(gains, problem.spec), truth, effects[0]
    else:
        gains = _counts(gains, latent, model, shape, rng)
    return gains, build_problem(gains, problem.spec), truth, effects[0]


def _scores(
    gains: Gains, latent: np.ndarray, spec: ModelSpec, shape: tuple[int, ...], rng: np.random.Generator
) -> Gains:
    """Return gains on log-odds whose scores are binomial around latent scores."""
    frame = observations(gains, spec).frame
    counts = rng.binomial(ITEMS, 0.25 + 0.75 / (1.0 + np.exp(-latent)))
    place = (
        (frame["role"] == "intermediate").to_numpy(dtype=int),
        np.searchsorted(SIZES, frame["params"].astype(float)),
        pd.Categorical(frame["task"]).codes,
        pd.Categorical(frame["language"], categories=LANGUAGES).codes,
    )
    both = np.zeros((2, *shape), dtype=int)
    both[place] = counts
    made = evaluations(both[0], both[1:]).gains(scale="log_odds")
    assert (observations(made, spec).frame["k_intermediate"].to_numpy() == counts).all()
    return made


def _counts(
    gains: Gains, latent: np.ndarray, model: Model, shape: tuple[int, ...], rng: np.random.Generator
) -> Gains:
    """Return gains on log-odds whose counts are binomial around the latent gains."""
    eta = rng.normal(scale=BASELINE_SD, size=shape)
    frame = gains.frame
    place = (
        pd.Categorical(frame["intermediate"]).codes,
        np.searchsorted(SIZES, frame["params"].astype(float)),
        pd.Categorical(frame["task"]).codes,
        pd.Categorical(frame["language"], categories=LANGUAGES).codes,
    )
    moved = np.zeros((model.intermediates, *shape))
    moved[place] = latent
    accuracy = 0.25 + 0.75 / (1.0 + np.exp(-eta))
    after = 0.25 + 0.75 / (1.0 + np.exp(-(eta + moved)))
    evals = evaluations(rng.binomial(ITEMS, accuracy), rng.binomial(ITEMS, after))
    made = evals.gains(scale="log_odds")
    assert (made.frame[["task", "language", "params"]] == frame[["task", "language", "params"]]).all(
        axis=None
    )
    return made


@one_blas_thread()
def ranks(seed: int, name: str, engine: str) -> dict[str, float]:
    """Return the rank of every true value among its posterior draws, in (0, 1), and whether the engine failed."""
    from gainlaw.model.engines import exact, nuts

    model = MODELS[name]
    rng = np.random.default_rng([seed, list(MODELS).index(name)])
    gains, problem, hyper, effects = simulate(model, rng)
    if engine == "exact":
        draws = exact.sample(problem, gains, draws=250, chains=4, seed=seed)
        assert draws.importance is not None
        worst = np.nanmax([draws.importance.pareto_k, draws.importance.likelihood_pareto_k])
        failed = worst >= 0.7 or draws.importance.ess < 400
    else:
        draws = nuts.sample(problem, gains, draws=250, tune=500, chains=4, seed=seed)
        failed = draws.attempts[-1]["divergences"] > 0
    found = {}
    for parameter, value in hyper.items():
        found[parameter] = _rank(draws.hyper[parameter], value, rng)
    flat = draws.effects.reshape(-1, draws.effects.shape[-1])
    for block in problem.design.blocks:
        for part, start in (("intercept", block.start), ("slope", block.slope_start)):
            if start >= 0:
                found[f"{block.name} {part}"] = _rank(flat[:, start], effects[start], rng)
    return found | {"failed": float(failed)}


def _rank(draws: np.ndarray, truth: float, rng: np.random.Generator) -> float:
    return float(((draws < truth).sum() + rng.random()) / (draws.size + 1))


def band_statistic(values: np.ndarray) -> np.ndarray:
    """Return the smallest two-sided binomial tail of the empirical distribution function, one for each row."""
    from scipy.stats import binom

    size = values.shape[1]
    grid = np.arange(1, 100) / 100
    count = (values[:, :, None] <= grid).sum(axis=1)
    return 2.0 * np.minimum(binom.cdf(count, size, grid), binom.sf(count - 1, size, grid)).min(axis=1)


def uniformity(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return p values of uniformity, one for each row of ranks, by the simulated law of `band_statistic`."""
    size = values.shape[1]
    null = np.concatenate([band_statistic(rng.random((50, size))) for _ in range(NULL_RUNS // 50)])
    return np.array([(1 + (null <= each).sum()) / (1 + len(null)) for each in band_statistic(values)])


def run(name: str, engine: str, runs: int, workers: int, folder: Path) -> pd.DataFrame:
    """Return the ranks of `runs` simulations."""
    one = partial(ranks, name=name, engine=engine)
    return pd.DataFrame(resumed(one, range(runs), workers, f"sbc {name}, {engine}", folder))


DRAWN = 200


def figure(found: dict[tuple[str, str], pd.DataFrame], path: Path) -> None:
    """Draw the difference of every empirical distribution function to the uniform one, with its 95% band."""
    import matplotlib.pyplot as plt

    # Of few studies the steps are wider than what is looked for; their test stands in the table.
    found = {key: table for key, table in found.items() if len(table) >= DRAWN} or found
    columns = 4
    rows = -(-len(found) // columns)
    drawn, axes = plt.subplots(
        rows, columns, figsize=(10, 2.4 * rows), sharex=True, sharey=True, layout="constrained"
    )
    grid = np.linspace(0, 1, 201)
    rng = np.random.default_rng(0)
    for ax, ((name, engine), table) in itertools.zip_longest(
        axes.flat, found.items(), fillvalue=((None, None), None)
    ):
        if table is None:
            ax.set_axis_off()
            continue
        size = len(table)
        band = np.quantile(
            [
                np.abs(np.searchsorted(np.sort(rng.random(size)), grid) / size - grid).max()
                for _ in range(2000)
            ],
            0.95,
        )
        ax.axhspan(-band, band, color="0.9", lw=0)
        for column in table.columns.drop("failed"):
            ax.plot(
                grid,
                np.searchsorted(np.sort(table[column]), grid) / size - grid,
                lw=0.6,
                color="C0",
                alpha=0.6,
            )
        ax.set_title(f"{name}\n{engine}, {size} studies", fontsize=8)
        ax.set_ylim(-0.2, 0.2)
    drawn.supxlabel("rank of the truth among posterior draws", fontsize=9)
    drawn.supylabel("distribution function less uniform", fontsize=9)
    drawn.savefig(path, dpi=150)
    plt.close(drawn)


def main() -> None:
    """Run the calibration, print the table and write page and figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500, help="studies for each model with the engine exact")
    parser.add_argument(
        "--nuts-runs", type=int, default=40, help="studies for each model with the engine nuts"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs")
    parser.add_argument("--work", type=Path, default=Path(__file__).parents[1] / ".calibration")
    arguments = parser.parse_args()
    found: dict[tuple[str, str], pd.DataFrame] = {}
    for engine, runs in (("exact", arguments.runs), ("nuts", arguments.nuts_runs)):
        for name in arguments.models if runs else ():
            found[name, engine] = run(name, engine, runs, arguments.workers, arguments.work)
    page = report(found)
    print(page)
    (arguments.out / "sbc.md").write_text(page, encoding="utf-8")
    figure(found, arguments.out / "img" / "sbc.png")


def report(found: dict[tuple[str, str], pd.DataFrame]) -> str:
    """Return the page in Markdown."""
    from statsmodels.stats.multitest import multipletests

    lines = [
        "# Simulation-based calibration",
        "",
        "Written by `make calibration`. Parameters are drawn from the prior, data from the model; if an engine is",
        "right, the rank of each true value among its posterior draws is uniform. Each study has two tasks, six",
        f"languages in four families, five checkpoints and {ITEMS} items a score, with every term of the default",
        "model. `smallest p` is the smallest p value of uniformity over all parameters, Holm-adjusted for their number",
        "(simultaneous bands of the empirical distribution function); below 0.01 would be a failure. `failed` counts",
        "studies whose own diagnostics said that the answer must not be used; they are counted in, not left out. In",
        "use, `nuts` takes over from `exact` then.",
        "",
        "| model | engine | studies | parameters | smallest p | failed |",
        "|---|---|---|---|---|---|",
    ]
    rng = np.random.default_rng(1)
    for (name, engine), table in found.items():
        values = table.drop(columns="failed").to_numpy().T
        adjusted = multipletests(uniformity(values, rng), method="holm")[1]
        lines.append(
            f"| {name} | {engine} | {len(table)} | {len(values)} | {adjusted.min():.3f} "
            f"({table.columns[int(adjusted.argmin())]}) | {int(table['failed'].sum())} |"
        )
    lines += ["", "![Differences to the uniform distribution](img/sbc.png)", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
