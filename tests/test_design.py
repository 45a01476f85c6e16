"""A study planned before it is run: the algebra, promises held against studies simulated and fitted, the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gainlaw as gl
from conftest import Cli
from gainlaw.laws import hierarchical_law
from gainlaw.model.engines import exact
from gainlaw.model.gaussian.combinations import conditional_normals
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.spec.problem import build_problem, gaussian_data, specify
from gainlaw.posterior.grid import reference_weights
from gainlaw.power.algebra import System
from gainlaw.power.components import DEFAULTS, Components, default_components, fitted_components
from gainlaw.power.layout import planned_gains, truth_of
from gainlaw.power.outlook import QUICK, look_ahead, simulate_gains
from gainlaw.power.reading import read_request
from gainlaw.power.record import alternatives
from gainlaw.power.study import Costs, Study
from gainlaw.scores.gains.table import Gains
from gainlaw.scores.simulate import simulate_study

#: A study small enough to be simulated and fitted many times; four sizes have no smooth term.
SMALL = Study(
    sizes={"Sim": (1e8, 5e8, 2e9, 1e10)},
    tasks=("task1", "task2"),
    languages={"en": "Indo-European", "de": "Indo-European", "ru": "Indo-European", "zh": "Sino-Tibetan"},
    slope=-5.0,
    gain=6.0,
    baseline=(0.55, 0.70),
)
SDS = {
    "tau_task": 2.0,
    "tau_language": 1.5,
    "tau_checkpoint": 1.0,
    "tau_checkpoint_task": 0.7,
    "tau_residual": 0.5,
}
ONLY = Components((SDS,), "given")


def slope_draws(gains: Gains, draws: int) -> np.ndarray:
    """Return draws of the overall slope of a study, by the exact engine at its default model."""
    problem = build_problem(gains, specify(gains, hierarchical_law("linear")))
    found = exact.sample(problem, gains, draws=draws, chains=2, seed=0)
    groups = reference_weights(problem.spec, gains, {})
    slope = np.zeros(2 * draws)
    effects = found.effects.reshape(2 * draws, -1)
    for block in problem.design.blocks:
        own = np.ones(1) if block.name == "mu" else groups.get(block.name)
        if own is not None and block.slope_start >= 0:
            slope += effects[:, block.slope_start : block.slope_start + block.size] @ own
    return slope


def realised(study: Study, sds: Mapping[str, float], count: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Return, of studies simulated by counts of right answers, P(slope < 0) and the width of the interval."""
    below, widths = np.empty(count), np.empty(count)
    for k in range(count):
        made = simulate_study(
            1000 + k,
            sizes=study.all_sizes,
            n_tasks=len(study.tasks),
            n_languages=len(study.languages),
            n_examples=study.items,
            intercept=study.gain,
            slope=study.slope,
            baseline=study.baseline,
            sd_task=sds["tau_task"],
            sd_task_slope=0.0,
            sd_language=sds["tau_language"],
            sd_checkpoint=sds["tau_checkpoint"],
            sd_checkpoint_task=sds["tau_checkpoint_task"],
            sd_residual=sds["tau_residual"],
        )
        slope = slope_draws(made.evaluations.gains(scale="points"), draws)
        below[k] = np.mean(slope < 0.0)
        widths[k] = np.diff(np.quantile(slope, [0.025, 0.975]))[0]
    return below, widths


def test_planned_rows_are_those_of_a_table_of_scores() -> None:
    """Sampling variances and the covariance of a shared baseline are those that scores would get."""
    study = replace(SMALL, intermediates=("a", "b"), items=500)
    gains = planned_gains(study)
    frame = gains.frame
    rows = []
    x = np.log10(frame["params"] / 1e9)
    centre = np.mean(np.unique(x))
    logit = np.log(0.55 / 0.45) + (np.log(0.7 / 0.3) - np.log(0.55 / 0.45)) * (x + 1.0) / 2.0
    before = 1.0 / (1.0 + np.exp(-logit))
    after = before + (6.0 - 5.0 * (x - centre)) / 100.0
    for k, row in enumerate(frame.to_dict("records")):
        same = {name: row[name] for name in ("model_family", "task", "language")} | {
            "params": int(row["params"])
        }
        base = f"m{row['params']:g}"
        for model, given, name, score in (
            (base, "", "none", before[k]),
            (f"{base}-{row['intermediate']}", base, row["intermediate"], after[k]),
        ):
            rows.append(same | {"model": model, "base_model": given, "intermediate": name, "score": score})
    import pandas as pd

    scores = pd.DataFrame(rows).drop_duplicates().assign(n_examples=500)
    table = gl.evaluations_from_frame(scores, params_unit="1").gains(scale="points")
    keys = ["params", "task", "language", "intermediate"]
    order = [frame.sort_values(keys).index, table.frame.sort_values(keys).index]
    first, second = (
        each.covariance.matrix()[np.ix_(rows, rows)] for each, rows in zip((gains, table), order, strict=True)
    )
    # Scores are whole counts of right answers: half an item of 500 is 0.4% of a variance.
    assert np.allclose(first, second, rtol=0.01, atol=1e-9)


def test_algebra_of_many_studies_is_that_of_the_engine() -> None:
    """Likelihood, mean and sd of the slope given hyperparameters, and the same with most of them integrated out."""
    study = replace(SMALL, sizes={"A": (1e8, 1e9, 1e10), "B": (5e8, 5e9)}, seeds=2)
    gains = planned_gains(study)
    rng = np.random.default_rng(1)
    observed, _ = simulate_gains(truth_of(gains), gains, default_components().values[0], 3, rng)
    own = replace(gains, frame=gains.frame.assign(gain=observed[:, 1]))
    problem = build_problem(own, specify(own, hierarchical_law("linear")))
    weights = np.zeros(problem.design.n_columns)
    weights[problem.design.blocks[0].slope_start] = 1.0
    system = System(problem, weights)
    turned = problem.rows.rotate(observed.T).T
    free = np.array([name in ("tau_checkpoint", "tau_task_slope", "tau_run") for name in problem.hyper])
    centre = np.array([0.3 if name.startswith("rho") else 1.7 for name in problem.hyper])
    points = np.tile(centre, (5, 1))
    points[:, free] *= rng.uniform(0.3, 2.0, (5, free.sum()))
    found = system.moments(points, turned)
    marginal = Marginal.build(problem, gaussian_data(problem))
    likelihood, mean, variance = conditional_normals(marginal, points, np.tile(weights, (5, 1)))
    assert np.ptp(likelihood - found.log_likelihood[:, 1]) < 1e-8
    assert np.allclose(mean, found.mean[:, 1])
    assert np.allclose(np.sqrt(variance), found.sd)
    around = system.around(points, centre, free, turned)
    assert np.ptp(around.log_likelihood - found.log_likelihood, axis=0).max() < 1e-8
    assert np.allclose(around.mean, found.mean)
    assert np.allclose(around.sd, found.sd)
    residual = np.array([name == "tau_residual" for name in problem.hyper])
    assert system.reduced(centre, residual, turned) is None


def test_sd_of_the_posterior_mean_is_that_of_simulated_studies() -> None:
    study = replace(SMALL, level="population", tasks=("a", "b", "c", "d"))
    sds = SDS | {"tau_task_slope": 2.0}
    gains = planned_gains(study)
    truth, rng = truth_of(gains), np.random.default_rng(3)
    observed, _ = simulate_gains(truth, gains, sds, 4000, rng)
    observed += np.sqrt(gains.covariance.variance)[:, None] * rng.standard_normal(observed.shape)
    problem = build_problem(gains, specify(gains, hierarchical_law("linear")))
    weights = np.zeros(problem.design.n_columns)
    weights[problem.design.blocks[0].slope_start] = 1.0
    system = System(problem, weights)
    point = np.array([[0.0 if name.startswith("rho") else sds.get(name, 0.5) for name in problem.hyper]])
    loadings, slopes = truth.loadings(sds)
    turned = problem.rows.rotate(loadings.T).T
    sd, kept = system.sampling(point, turned, np.zeros(slopes.shape[1]), sds["tau_residual"])
    mean = system.moments(point, problem.rows.rotate(observed.T).T).mean[0]
    # Of 4,000 studies the sd has an error of 1.1%.
    assert np.std(mean) == pytest.approx(sd[0], rel=0.05)
    assert np.mean(mean) == pytest.approx(kept[0] * study.slope, abs=4.0 * sd[0] / np.sqrt(4000))


def test_power_and_width_are_those_of_studies_that_are_fitted() -> None:
    """Forty studies simulated by counts and fitted by the engine; the calibration has hundreds."""
    outlook = look_ahead(SMALL, ONLY)
    assert 0.3 < outlook.power < 0.9
    count = 40
    below, widths = realised(SMALL, SDS, count, 150)
    error = np.sqrt(outlook.power * (1.0 - outlook.power) / count)
    assert np.mean(below >= SMALL.threshold) == pytest.approx(outlook.power, abs=3.0 * error)
    assert widths.mean() == pytest.approx(outlook.width, rel=0.15)


@pytest.mark.calibration
@pytest.mark.parametrize("slope", [-3.0, -5.0, -8.0])
def test_power_is_within_three_points_of_five_hundred_studies(slope: float) -> None:
    study = replace(SMALL, slope=slope)
    outlook = look_ahead(study, ONLY)
    below, widths = realised(study, SDS, 500, 1000)
    print(f"slope {slope}: planned {outlook.power:.3f}, {outlook.width:.2f}; "
          f"realised {np.mean(below >= 0.975):.3f}, {widths[:100].mean():.2f}")  # fmt: skip
    # Three points, and what 500 studies leave uncertain.
    error = np.sqrt(outlook.power * (1.0 - outlook.power) / 500)
    assert np.mean(below >= study.threshold) == pytest.approx(outlook.power, abs=0.03 + 2.0 * error)
    assert widths[:100].mean() == pytest.approx(outlook.width, rel=0.15)


@pytest.mark.calibration
def test_default_components_are_the_medians_of_the_fits() -> None:
    for place, name in enumerate(("bloomz", "ladder")):
        fit = gl.fit(gl.load_dataset(name).gains(scale="points"))
        medians = fit.estimates.query("estimand == 'sd'").set_index("group")["median"]
        for term, values in DEFAULTS.items():
            if np.isfinite(values[place]):
                # Monte Carlo error of medians of wide posteriors.
                assert medians[term] == pytest.approx(values[place], rel=0.1), (name, term)


def test_chances_are_sane() -> None:
    outlook = look_ahead(SMALL, ONLY, QUICK, seed=4)
    down, up = outlook.chances(np.array([0.0, -3.0, -6.0, -60.0]))
    assert (np.diff(down) > 0).all()
    assert (np.diff(up) <= 0).all()
    # Without a slope either side is decided for with 2.5% at most: unknown sds make the posterior wide.
    assert down[0] < 0.035
    assert up[0] < 0.035
    assert down[-1] > 0.999
    verdicts = outlook.verdicts()
    assert sum(verdicts.values()) == pytest.approx(1.0)
    assert verdicts["refuted"] < 1e-3
    mirrored = look_ahead(replace(SMALL, slope=5.0, gain=6.0), ONLY, QUICK, seed=4)
    assert mirrored.power == pytest.approx(outlook.power, abs=0.08)
    assert outlook.verdicts(1.0)["supported"] != verdicts["supported"]


def test_more_of_a_study_narrows_its_interval() -> None:
    plain = look_ahead(SMALL, ONLY, QUICK)
    extended = dict(alternatives(SMALL))
    larger = next(plan for name, plan in extended.items() if "larger" in name)
    assert look_ahead(larger, ONLY, QUICK).width < 0.95 * plain.width
    noisy = Components(({**SDS, "tau_run": 3.0},), "given")
    once, often = (look_ahead(replace(SMALL, seeds=n), noisy, QUICK).width for n in (1, 6))
    assert often < 0.9 * once


def test_components_of_a_fit_bring_their_uncertainty() -> None:
    made = simulate_study(5, sizes=SMALL.all_sizes, n_tasks=2, n_languages=4)
    fit = gl.fit(made.evaluations.gains(scale="points"), draws=250)
    found = fitted_components(fit)
    checkpoints = [each["tau_checkpoint"] for each in found.values]
    assert len(checkpoints) == 4
    assert checkpoints == sorted(checkpoints)
    # One intermediate and one seed: the run is counted in the checkpoint, the intermediate has the packaged default.
    assert "tau_run" not in found.values[0]
    assert found.values[0]["tau_intermediate"] == default_components().values[0]["tau_intermediate"]
    assert "tau_intermediate" in found.notes[0]
    outlook = look_ahead(SMALL, found, QUICK)
    assert len(np.unique(outlook.sd)) >= 4
    with pytest.raises(gl.InputError, match="plans are in points"):
        gl.design(
            {"sizes": ["1B", "10B"]}, fit=gl.fit(fit.gains.to_scale("normalized"), "constant", draws=250)
        )


def test_costs() -> None:
    costs = Costs(runs={1e9: 1.0, 1e10: 20.0}, per_1000_items=0.5)
    assert costs.run(1e10) == pytest.approx(20.0)
    assert costs.run(1e11) == pytest.approx(400.0)
    study = Study(sizes={"M": (1e9, 1e10)}, tasks=("t",), languages={"a": "A"}, items=2000, seeds=3)
    training, scoring = study.cost(costs)
    assert training == pytest.approx(3 * 21.0)
    # Four models of each size, the baseline with them, on 2,000 items.
    assert scoring == pytest.approx(4 * 2 * 0.5 * (1.0 + 10.0))


PLAN: dict[str, Any] = {
    "name": "a plan",
    "sizes": ["100M", "1B", "10B"],
    "tasks": 2,
    "languages": 4,
    "slope": -6.0,
    "grid": {"sizes": [3, 4], "seeds": [1]},
}


@pytest.fixture(scope="module")
def planned() -> gl.Design:
    return gl.design(PLAN)


def test_a_design_answers_shows_and_repeats_itself(planned: gl.Design) -> None:
    again = gl.design(PLAN)
    assert again.record() == planned.record()
    assert gl.design(PLAN, seed=1).power != planned.power
    assert json.loads(json.dumps(planned.record(), allow_nan=False))["claim"] == "slope < 0"
    assert len(repr(planned).splitlines()) == 3
    assert "<table" in planned._repr_html_()
    assert planned.grid["planned"].tolist() == [True, False]
    assert planned.grid["power"].iloc[0] == planned.power
    # Without a cost of scoring, what needs no training has no known cost.
    assert planned.options.set_index("option")["cost"].isna()["twice the items"]
    costs = planned.options["narrower_per_cost"].dropna()
    assert (np.diff(costs) <= 0).all()
    figure = planned.plot()
    assert set(figure.plot_data["layer"]) == {"power", "width", "option"}
    assert f"{planned.power:.2f}" in figure.alt


def test_the_command_prints_and_writes(tmp_path: Path, cli: Cli, svg_alone: None) -> None:
    plan = tmp_path / "study.toml"
    plan.write_text(
        'sizes = ["100M", "1B", "10B"]\ntasks = ["xnli"]\nlanguages = ["en", "sw"]\n'
        '[costs]\nunit = "GPU-hours"\nruns = {"1B" = 2.0, "10B" = 30.0}\nper_1000_items = 0.1\n'
        "[grid]\nsizes = [3]\nseeds = [1]\n[components]\ntau_checkpoint = 1.0\n"
    )
    done = cli("design", plan, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert "GPU-hours" in done.out
    assert "is detected with a probability of" in done.out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"design.csv", "design.tex", "design.md", "design.json", "design.svg"} <= names
    record = json.loads((tmp_path / "out" / "design.json").read_text())
    assert record["components"][0]["tau_checkpoint"] == 1.0
    assert all(option["cost"] is not None for option in record["options"])
    printed = cli("design", plan, "--format", "json")
    assert json.loads(printed.out) == record


def test_every_fault_of_a_plan_is_told_at_once(tmp_path: Path, cli: Cli) -> None:
    plan = tmp_path / "bad.toml"
    plan.write_text(
        'sizs = 3\nsizes = ["1B"]\nslope = "x"\nitems = 1\ntasks = []\nlanguage_families = 2\nbaseline = [1, 2]\n'
        'level = "task"\nname = 3\nfit = 4\n[languages]\nA = ["a", "b"]\nB = ["a"]\n[components]\nfoo = 1\n'
        'tau_task = -1\nrho_task = 2\n[grid]\nsizes = [1]\n[costs]\nruns = {"xx" = 0}\nunit = ""\nwhat = 1\n'
    )
    done = cli("design", plan)
    assert done.code == 2
    for key in (
        *(
            "sizs",
            "sizes",
            "slope",
            "items",
            "tasks",
            "language_families",
            "baseline",
            "level",
            "name",
            "fit",
        ),
        *("languages.B", "components.foo", "components.tau_task", "components.rho_task", "grid.sizes"),
        *("costs.runs", "costs.runs.xx", "costs.unit", "costs.what"),
    ):
        assert f"key '{key}':" in done.err, key


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sizes": None}, "missing"),
        ({"sizes": ["1B", "1B", "2B"]}, "stands twice"),
        ({"sizes": {"M": ["1B"], "N": ["1B"]}}, "two different sizes"),
        ({"sizes": ["1B", True]}, "no model size"),
        ({"slope": 0}, "no sign"),
        ({"slope": float("nan")}, "will not do"),
        ({"tasks": ["a", "a"]}, "stands twice"),
        ({"languages": 500, "tasks": 100}, "too many"),
        ({"seeds": 1.5}, "whole number"),
        ({"grid": 3}, "no table"),
        ({"costs": {"experiment": "ladder", "runs": {"1B": 1}}}, "the experiment tells it"),
    ],
)
def test_faults_of_a_plan(change: dict[str, Any], said: str) -> None:
    with pytest.raises(gl.InputError, match=said):
        read_request(PLAN | change)


def test_files_that_are_no_plan(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "a.toml").write_text("sizes = [")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    for path, said in (
        ("a.toml", "not valid TOML"),
        ("b.toml", "UTF-8"),
        ("c.toml", "no such file"),
        (".", "a folder"),
    ):
        done = cli("design", tmp_path / path)
        assert done.code == 2
        assert said in done.err


def test_costs_of_an_experiment(tmp_path: Path, cli: Cli) -> None:
    pytest.importorskip("torch")
    plan = tmp_path / "study.toml"
    plan.write_text(
        'sizes = ["30K", "100K", "300K"]\ntasks = 1\nlanguages = 2\n[costs]\nexperiment = "ladder"\n'
        "[grid]\nsizes = [3]\nseeds = [1]\n"
    )
    done = cli("design", plan, "--format", "json")
    assert done.code == 0, done.err
    record = json.loads(done.out)
    assert record["costs"]["unit"] == "GPU-hours"
    assert 0.0 < record["cost"] < 1.0
    with pytest.raises(gl.InputError, match="costs="):
        gl.design(plan)
