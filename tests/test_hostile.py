"""Studies that break software: the right answer, checked by dense linear algebra or another engine, or a refusal."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import gainlaw as gl
from gainlaw.model.engines.hyper import log_prior
from gainlaw.model.spec.problem import build_problem
from gainlaw.posterior import tree
from gainlaw.posterior.tree import hyper_points

SIZES = (1e8, 5e8, 2e9, 1e10)
EVERY = 20  # of 4,000 draws, those that are looked at


def table(
    rng: np.random.Generator,
    *,
    tasks: int = 3,
    languages: int = 6,
    families: int = 3,
    sizes: tuple[float, ...] = SIZES,
    se: float = 0.5,
    slope: float = 2.0,
    checkpoint: float = 0.5,
    task: float = 1.0,
) -> pd.DataFrame:
    """Return gains of a study in points with checkpoint and task effects; sds of 0 leave them out."""
    cells = list(itertools.product(range(len(sizes)), range(tasks), range(languages)))
    c, t, k = (np.array(each) for each in zip(*cells, strict=True))
    x = np.log10(np.array(sizes) / 1e9)
    gain = 3.0 + slope * x[c] + checkpoint * rng.standard_normal(len(sizes))[c]
    gain += task * rng.standard_normal(tasks)[t] + se * rng.standard_normal(len(c))
    return pd.DataFrame(
        {
            "task": [f"task{i}" for i in t],
            "language": [f"l{i}" for i in k],
            "language_family": [f"f{i % families}" for i in k],
            "checkpoint": [f"m{i}" for i in c],
            "params": np.array(sizes)[c],
            "gain": gain,
            "se": se,
            "scale": "points",
        }
    )


def dense(fit: gl.Fit) -> tuple[np.ndarray, np.ndarray]:
    """Return log density and conditional mean of the overall slope at draws, by dense matrices from the model alone.

    Data are normal with the fixed effects' prior and every term's covariance; no code of the engine is used but the
    model matrix.
    """
    problem = build_problem(fit.gains, fit.spec)
    design, spec = problem.design, fit.spec
    points = hyper_points(fit)[::EVERY]
    n, q = len(problem.y), design.n_columns
    found = []
    for point in points:
        values = dict(zip(problem.hyper, point, strict=True))
        columns, prior = np.zeros((n, q)), np.zeros((q, q))
        # A term whose rows have several groups (the smooth departure) has entries behind those of the blocks.
        for entry, k in enumerate(design.block[0]):
            at = design.blocks[k].start + design.group[:, entry]
            columns[np.arange(n), at] += design.value[:, entry]
        for k, block in enumerate(design.blocks):
            first = slice(block.start, block.start + block.size)
            if block.name == "mu":
                sd, slope_sd, rho = spec.priors["intercept"].scale, spec.priors["slope"].scale, 0.0
            else:
                sd, rho = values[f"tau_{block.name}"], values.get(f"rho_{block.name}", 0.0)
                slope_sd = values.get(f"tau_{block.name}_slope", 0.0)
            prior[first, first] = np.eye(block.size) * sd**2
            if block.slope_start >= 0:
                second = slice(block.slope_start, block.slope_start + block.size)
                columns[np.arange(n), block.slope_start + design.group[:, k]] += (
                    design.value[:, k] * problem.x
                )
                prior[second, second] = np.eye(block.size) * slope_sd**2
                prior[first, second] = prior[second, first] = np.eye(block.size) * rho * sd * slope_sd
        noise = np.diag(fit.gains.covariance.variance)
        covariance = columns @ prior @ columns.T + noise + np.eye(n) * values.get("tau_residual", 0.0) ** 2
        log_density = stats.multivariate_normal(np.zeros(n), covariance, allow_singular=True).logpdf(
            problem.y
        )
        log_density += float(log_prior(problem, point[None])[0])
        mean = prior @ columns.T @ np.linalg.solve(covariance, problem.y)
        # The overall slope weighs the groups as the rows do.
        weight = np.zeros(q)
        for k, block in enumerate(design.blocks):
            if block.slope_start >= 0:
                np.add.at(weight, block.slope_start + design.group[:, k], design.value[:, k] / n)
        found.append((log_density, weight @ mean))
    return tuple(np.array(found).T)  # type: ignore[return-value]


def assert_right(fit: gl.Fit, tolerance: float = 1e-6) -> None:
    """Assert that the fit passes its checks and has the density and the slope of dense linear algebra."""
    assert fit.status == "ok", fit.diagnostics.failures
    assert fit.record["engine"]["used"] == "exact"
    lp = fit.draws["sample_stats"]["lp"].to_numpy().reshape(-1)[::EVERY]
    log_density, slope = dense(fit)
    np.testing.assert_allclose(
        lp - lp[0], log_density - log_density[0], atol=tolerance * len(fit.gains.frame) * 10
    )
    row = fit.summary("overall").set_index("estimand").loc["slope"]
    # 200 draws of the hyperparameters carry the mean to a fifteenth of its sd and better; four of those.
    assert abs(slope.mean() - row["mean"]) < 4 * max(row["sd"], 1e-9) / np.sqrt(len(slope))


@pytest.mark.parametrize(
    ("name", "options", "without"),
    [
        ("one task", {"tasks": 1}, "task"),
        ("one family", {"families": 1}, "language_family"),
        ("one language", {"languages": 1, "families": 1}, "language"),
        (
            "one cell a checkpoint",
            {"tasks": 1, "languages": 1, "families": 1, "sizes": (*SIZES, 3e10)},
            "task",
        ),
    ],
)
def test_what_has_one_level_is_left_out(name: str, options: dict, without: str) -> None:
    gains = gl.gains_from_frame(table(np.random.default_rng(1), **options))
    fit = gl.fit(gains)
    assert without not in {term.name for term in fit.spec.terms}
    assert without in {dropped.name for dropped in fit.spec.dropped}
    # With a smooth departure far out on the residual's tail, tabulated equations are some thousandths off.
    assert_right(fit, 2e-4 if "smooth" in {term.name for term in fit.spec.terms} else 1e-6)


def test_two_sizes_carry_a_line_and_say_how_little() -> None:
    gains = gl.gains_from_frame(table(np.random.default_rng(2), sizes=(1e8, 1e10)))
    fit = gl.fit(gains)
    assert_right(fit)
    row = fit.summary("overall").set_index("estimand").loc["slope"]
    # Two checkpoints leave their sd to its prior (half-normal of 5): the interval must not be that of 36 gains.
    assert row["ci_high"] - row["ci_low"] > 4.0
    assert row["ci_low"] < 2.0 < row["ci_high"]
    with pytest.raises(gl.InputError, match=r"offset_power.*at least 3"):
        gl.fit(gains, "offset_power")


def test_one_size_is_refused() -> None:
    gains = gl.gains_from_frame(table(np.random.default_rng(2), sizes=(1e9,)))
    with pytest.raises(gl.InputError, match="only one"):
        gl.fit(gains)


def test_equal_gains_have_no_slope() -> None:
    frame = table(np.random.default_rng(3))
    fit = gl.fit(gl.gains_from_frame(frame.assign(gain=2.0)))
    assert_right(fit)
    rows = fit.summary("overall").set_index("estimand")
    assert abs(rows.loc["slope", "mean"]) < 0.05
    assert rows.loc["slope", "ci_low"] < 0.0 < rows.loc["slope", "ci_high"]
    at = fit.summary("overall").query("estimand == 'gain' and params == 1e9").iloc[0]
    # The prior of the intercept (sd 10) draws towards zero by less than this.
    assert at["mean"] == pytest.approx(2.0, abs=0.05)


def test_an_sd_that_piles_up_at_zero() -> None:
    # Twelve tasks that do not differ, measured well: the posterior of their sd is a half bell at zero.
    frame = table(np.random.default_rng(4), tasks=12, languages=3, task=0.0, se=0.2)
    fit = gl.fit(gl.gains_from_frame(frame), terms=["task", "checkpoint"])
    assert_right(fit)
    tau = fit.draws["posterior"]["tau_task"].to_numpy().reshape(-1)
    assert np.quantile(tau, 0.95) < 0.2
    # A density that is highest at zero: the lowest tenth of its range holds more than the next.
    edges = np.quantile(tau, 0.99) * np.array([0.0, 0.15, 0.3])
    counts = np.histogram(tau, edges)[0]
    assert counts[0] > 0.8 * counts[1] > 0


@pytest.mark.parametrize("pair", [("language", "language_family"), ("task", "intermediate")])
def test_confounded_terms_are_named_and_one_is_left_out(pair: tuple[str, str]) -> None:
    frame = table(np.random.default_rng(5), families=6)
    frame[pair[1]] = "x" + frame[pair[0]].str[1:]
    fit = gl.fit(gl.gains_from_frame(frame))
    kept = {term.name for term in fit.spec.terms}
    assert len(kept & set(pair)) == 1
    (dropped,) = (each for each in fit.spec.dropped if each.name in pair)
    assert next(iter(kept & set(pair))) in dropped.reason
    assert_right(fit)


def test_size_confounded_with_the_model_family_is_not_told_apart_silently() -> None:
    frame = table(np.random.default_rng(6))
    frame["model_family"] = np.where(frame["params"] < 1e9, "small", "large")
    fit = gl.fit(gl.gains_from_frame(frame))
    assert_right(fit)
    alone = gl.fit(gl.gains_from_frame(frame.drop(columns="model_family")))
    rows = [each.summary("overall").set_index("estimand").loc["slope"] for each in (fit, alone)]
    widths = [row["ci_high"] - row["ci_low"] for row in rows]
    if "model_family" in {term.name for term in fit.spec.terms}:
        assert widths[0] > widths[1]
    else:
        assert "model_family" in {each.name for each in fit.spec.dropped}


def test_standard_errors_of_a_millionth_and_of_ten() -> None:
    frame = table(np.random.default_rng(7), languages=8, families=4)
    frame["se"] = np.where(np.arange(len(frame)) % 2 == 0, 1e-6, 10.0)
    fit = gl.fit(gl.gains_from_frame(frame))
    assert_right(fit)
    row = fit.summary("overall").set_index("estimand").loc["slope"]
    assert row["ci_low"] < 2.0 < row["ci_high"]


def test_standard_errors_of_zero_are_refused_with_their_lines() -> None:
    frame = table(np.random.default_rng(8))
    frame.loc[[3, 5], "se"] = 0.0
    with pytest.raises(gl.InputError, match=r"'se'.*lines 5, 7"):
        gl.gains_from_frame(frame)


def counts(rng: np.random.Generator, n: int = 40) -> pd.DataFrame:
    """Return scores of a study at floor and ceiling: accuracies of exactly 0 and 1 among them."""
    rows = []
    for (c, size), t, k in itertools.product(enumerate(SIZES), range(2), range(3)):
        base = (0.01, 0.97)[t]
        for who, p in (("none", base), ("mnli", min(base + 0.02 + 0.01 * c, 0.995))):
            hits = rng.binomial(n, p)
            rows.append(
                {
                    "model": f"m{c}-{who}",
                    "base_model": "" if who == "none" else f"m{c}-none",
                    "params": size,
                    "model_family": "m",
                    "intermediate": who,
                    "task": f"task{t}",
                    "language": f"l{k}",
                    "language_family": f"f{k % 2}",
                    "n_correct": hits,
                    "n_examples": n,
                    "n_classes": 1_000_000,
                }
            )
    return pd.DataFrame(rows)


def test_accuracies_of_zero_and_one_agree_with_sampling() -> None:
    evaluations = gl.evaluations_from_frame(counts(np.random.default_rng(9)))
    gains = evaluations.gains(scale="log_odds")
    scores = evaluations.frame["score"]
    assert (scores == 0.0).any()
    assert (scores == 1.0).any()
    found = gl.fit(gains, terms=["task", "checkpoint"])
    assert found.status == "ok"
    assert np.isfinite(found.estimates.loc[found.estimates["estimand"] == "slope", "mean"]).all()
    other = gl.fit(gains, terms=["task", "checkpoint"], engine="nuts", draws=400, tune=300)
    a, b = (each.summary("overall").set_index("estimand").loc["slope"] for each in (found, other))
    # The sampler's Monte Carlo error is about 1/25 of an sd, and four or five of them; of tails twice that.
    assert abs(a["mean"] - b["mean"]) < 0.2 * b["sd"]
    assert a["sd"] == pytest.approx(b["sd"], rel=0.15)
    assert abs(a["ci_low"] - b["ci_low"]) < 0.4 * b["sd"]
    assert abs(a["ci_high"] - b["ci_high"]) < 0.4 * b["sd"]


def test_accuracies_of_zero_and_one_on_points() -> None:
    gains = gl.evaluations_from_frame(counts(np.random.default_rng(9))).gains(scale="points")
    assert (gains.frame["se"] > 0).all()
    assert_right(gl.fit(gains, terms=["task", "checkpoint"]))


@pytest.mark.parametrize(
    ("tasks", "languages"), [(20, 100), pytest.param(40, 250, marks=pytest.mark.calibration)]
)
def test_tens_and_hundreds_of_thousands_of_gains(
    tasks: int, languages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(10)
    sizes = tuple(np.round(np.logspace(8, 10.3, 20)))
    frame = table(rng, tasks=tasks, languages=languages, families=25, sizes=sizes, checkpoint=0.3)
    most = len(frame) * 500
    monkeypatch.setattr(tree, "MOST_VALUES", most)
    fit = gl.fit(gl.gains_from_frame(frame), terms=["task", "checkpoint"], draws=250)
    assert fit.status == "ok"
    row = fit.summary("overall").set_index("estimand").loc["slope"]
    # With so many gains the overall slope is the regression of twenty checkpoints' means on size.
    x = np.log10(np.array(sizes) / 1e9)
    line = stats.linregress(x, frame.groupby("params")["gain"].mean().to_numpy())
    assert row["mean"] == pytest.approx(line.slope, abs=0.25 * line.stderr)
    assert row["sd"] == pytest.approx(line.stderr, rel=0.15)
    kept = fit.draws["log_likelihood"]["gain"]
    assert kept.sizes["row"] == len(frame)
    assert kept.size <= 1.2 * most < len(frame) * fit.n_draws
