"""The law with ability: the gain is a line in the untuned log-odds without their errors, and in log size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logit

import gainlaw as gl
from conftest import Cli
from gainlaw.errors import InputError
from gainlaw.laws import law
from gainlaw.model.binomial import kernels as binomial_kernels
from gainlaw.model.binomial.sites import binomial_model, build_geometry, summarise
from gainlaw.model.binomial.tables import build_tables
from gainlaw.model.effects import linear_predictor, standard_weights
from gainlaw.model.engines.density import LogDensity
from gainlaw.model.gaussian import kernels
from gainlaw.model.spec.problem import ModelProblem, build_problem, observations, specify
from gainlaw.posterior.contrasts import WeightedEstimand, combine
from gainlaw.posterior.curves import line_at
from gainlaw.posterior.score_curves import score_curves
from gainlaw.posterior.tree import effects_of
from gainlaw.report.across import Across, across_words
from gainlaw.scores.gains.table import Gains
from gainlaw.scores.simulate_ladders import AbilityLadders, simulate_abilities

EFFECT = -0.3


@pytest.fixture(scope="module")
def study() -> AbilityLadders:
    return simulate_abilities(2, ability_effect=EFFECT)


@pytest.fixture(scope="module")
def fit(study: AbilityLadders) -> gl.Fit:
    return gl.fit(study.evaluations, law="ability", draws=500, chains=2)


@pytest.fixture(scope="module")
def curves(study: AbilityLadders) -> gl.Fit:
    return gl.fit(study.evaluations, law="two_curve", draws=200, chains=2)


def small_problem() -> tuple[Gains, ModelProblem]:
    evals = simulate_abilities(1, n_families=3).evaluations
    gains = evals.gains(scale="log_odds")
    return gains, build_problem(gains, specify(gains, law("ability"), baselines="hierarchical"))


def scales_of(problem: ModelProblem, seed: int, effect: float = 0.7) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: np.array(
            [
                effect
                if name == "ability_effect"
                else rng.uniform(-0.6, 0.6)
                if name.startswith("rho_")
                else rng.uniform(0.3, 1.5)
            ]
        )
        for name in problem.hyper
    }


def test_tuned_rows_have_the_untuned_log_odds_times_one_plus_the_effect() -> None:
    gains, problem = small_problem()
    theta = problem.pack(scales_of(problem, 0))
    tuned = (observations(gains, problem.spec).frame["role"] == "intermediate").to_numpy()
    psi = np.array([[0.7]])
    plain = problem.design.dense(problem.shapes(psi)[0, : len(problem.y)])
    lifted = problem.design.dense(problem.shapes(psi)[0])
    theirs = np.zeros(problem.design.n_columns, dtype=bool)
    for block in problem.design.blocks:
        own = block.name.startswith(("baseline", "covariate:baseline"))
        assert block.lifted is own
        if own:
            theirs[block.start : block.start + block.size * (2 if block.slope_start >= 0 else 1)] = True
    np.testing.assert_array_equal(lifted[~tuned], plain[~tuned])
    np.testing.assert_array_equal(lifted[:, ~theirs], plain[:, ~theirs])
    np.testing.assert_allclose(lifted[np.ix_(tuned, theirs)], 1.7 * plain[np.ix_(tuned, theirs)])
    effects = np.random.default_rng(1).normal(size=(5, problem.design.n_columns))
    np.testing.assert_allclose(
        linear_predictor(problem, effects, np.full((5, 1), 0.7)), effects @ lifted.T, atol=1e-12
    )
    np.testing.assert_allclose(theta[0, 3 * problem.n_blocks + 1 :], problem.shapes(psi)[0])


@pytest.mark.parametrize("effect", [0.7, -1.0, 0.0])
def test_the_marginal_likelihood_is_the_dense_one_and_its_gradient_that_of_differences(effect: float) -> None:
    gains, problem = small_problem()
    data = summarise(problem, observations(gains, problem.spec)).data
    theta = problem.pack(scales_of(problem, 3, effect))[0]
    value, gradient = kernels.gaussian_marginal(theta, data)
    blocks, n = problem.n_blocks, len(problem.y)
    whole = problem.design.dense(theta[3 * blocks + 1 :])
    dense = standard_weights(problem, theta[None], whole, whole.shape[1])
    covariance = dense @ dense.T + np.diag(data.variance + theta[3 * blocks] ** 2)
    assert value == pytest.approx(stats.multivariate_normal(None, covariance).logpdf(data.y), abs=1e-7)
    for j in (*problem.position[problem.position >= 0], *range(3 * blocks + 1, 3 * blocks + 1 + 2 * n, 11)):
        step = np.zeros(len(theta))
        step[j] = 1e-5
        up, down = (kernels.gaussian_marginal(theta + sign * step, data)[0] for sign in (1, -1))
        # Central differences of a value near 1e2 carry about 1e-8 / 1e-5 of rounding.
        assert gradient[j] == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-4)


def test_the_sampler_reads_the_same_density_with_its_gradient() -> None:
    gains, problem = small_problem()
    rows = observations(gains, problem.spec)
    tables = build_tables(rows)
    geometry = build_geometry(problem, tables)
    model = binomial_model(problem, tables, geometry)
    zeta = np.random.default_rng(0).normal(size=problem.design.n_columns + len(problem.y))
    packed = np.concatenate([problem.pack(scales_of(problem, 4, 0.4))[0], zeta])
    _, gradient = binomial_kernels.binomial_joint(packed, model)
    for j in (*problem.position[problem.position >= 0], *range(3 * problem.n_blocks + 1, len(packed), 23)):
        step = np.zeros(len(packed))
        step[j] = 1e-5
        up, down = (binomial_kernels.binomial_joint(packed + s * step, model)[0] for s in (1, -1))
        assert gradient[j] == pytest.approx((up - down) / 2e-5, rel=2e-4, abs=2e-4)
    density = LogDensity.of(problem, model)
    point = np.concatenate([density.coordinates.start() + 0.1, zeta])
    at, slope = density(point)
    assert np.isfinite(at)
    for j in range(density.n_hyper):
        step = np.zeros(len(point))
        step[j] = 1e-5
        up, down = (density(point + s * step)[0] for s in (1, -1))
        assert slope[j] == pytest.approx((up - down) / 2e-5, rel=2e-4, abs=2e-4)


def test_what_is_true_is_covered(fit: gl.Fit, study: AbilityLadders) -> None:
    assert fit.status == "ok", fit.diagnostics.failures
    assert fit.record["engine"]["used"] == "exact"
    rows = fit.estimates[fit.estimates["level"].isin(["overall", "model"])].set_index("estimand")
    truths = {
        "ability_effect": EFFECT,
        "size_effect": 0.0,
        "slope": study.slope,
        "peak_ability": study.peak_ability,
    }
    for name, truth in truths.items():
        row = rows.loc[name]
        assert row["status"] == "ok"
        assert row["ci_low"] <= truth <= row["ci_high"], name
    # The data know them: these are not their priors.
    assert rows.loc["ability_effect", "ci_high"] - rows.loc["ability_effect", "ci_low"] < 0.3
    assert rows.loc["size_effect", "ci_high"] - rows.loc["size_effect", "ci_low"] < 0.4


def test_a_new_family_is_foretold_from_its_baseline(fit: gl.Fit, study: AbilityLadders) -> None:
    asked = {"task": "task1", "new": ["model_family"]}
    table = fit.predict("13B", baseline=study.new_baseline, **asked)
    for _, row in table.iterrows():
        assert row["ci_low"] <= study.new_gain <= row["ci_high"]
        assert row["ci_high"] - row["ci_low"] < 20.0
    with pytest.raises(InputError, match="hangs on its baseline"):
        fit.predict("13B", **asked)


def test_a_known_baseline_takes_the_place_of_the_levels_own(fit: gl.Fit) -> None:
    chance, low, high = 0.25, 0.4, 0.8
    gains = {
        score: fit.predict("1B", task="task1", baseline=score).query("kind == 'mean'")["median"].item()
        for score in (low, high)
    }
    effect = fit.draws["posterior"]["ability_effect"].to_numpy().reshape(-1)
    for score, found in gains.items():
        u = logit((score - chance) / (1 - chance))
        line = line_at(fit, {"task": "task1"}, ability=float(u)).gain(1e9)
        expected = 75.0 * (expit(u + line) - expit(u))
        assert found == pytest.approx(np.median(expected), abs=1e-9)
    # From one baseline to another the gain on log-odds changes by the effect times the way between.
    lines = [line_at(fit, {"task": "task1"}, ability=u).gain(1e9) for u in (0.0, 2.0)]
    np.testing.assert_allclose(lines[1] - lines[0], 2.0 * effect)


@pytest.mark.parametrize(
    ("group", "population"),
    [((), False), ((), True), ((("task", "task2"),), False), ((("model_family", "family2"),), False)],
)
def test_combinations_of_coefficients_say_what_curves_say(
    fit: gl.Fit, group: tuple[tuple[str, str], ...], population: bool
) -> None:
    level = "population" if population else None if group else "overall"
    curve = line_at(fit, dict(group), level)
    psi = fit.draws["posterior"]["ability_effect"].to_numpy().reshape(-1, 1)
    effects = effects_of(fit)
    for part, expected in (
        (WeightedEstimand("gain", 1.0, 3e9, population, group), curve.gain(3e9)),
        (WeightedEstimand("slope", 1.0, 0.0, population, group), curve.slope()),
    ):
        weights = combine(fit, [part]).weights(psi)
        np.testing.assert_allclose((weights * effects).sum(axis=1), expected, atol=1e-9)


def test_the_score_curves_are_those_of_the_rows(fit: gl.Fit) -> None:
    curves = score_curves(fit, {"task": "task1", "model_family": "family1"})
    assert curves.base.shape[1] == 1
    effect = curves.ability_effect()
    expected = curves.gain_slope[:, 0] - effect * curves.base_slope[:, 0]
    np.testing.assert_allclose(curves.size_effect(), expected)
    untuned, tuned = curves.scores(1e9)
    np.testing.assert_allclose(tuned - untuned, curves.points(np.zeros(1)))


def test_the_peak_is_where_no_other_untuned_score_gains_more(fit: gl.Fit) -> None:
    curves = score_curves(fit, {"model_family": "family1"})
    at = curves.peak_ability()
    known = np.isfinite(at)
    assert known.mean() > 0.5
    h = 0.5 * sum(curves.x_range) - curves.centre
    g = curves.ability[:, None]
    added = (curves.gain + curves.gain_slope * h - g * (curves.base + curves.base_slope * h)) @ curves.weight
    gain = lambda share: expit((1 + curves.ability) * logit(share) + added) - share  # noqa: E731
    top = gain(at / 100.0)[known]
    for away in (-2.0, 2.0):
        assert (gain(np.clip(at + away, 0.5, 99.5) / 100.0)[known] < top).all()


def test_claims_know_what_acts(fit: gl.Fit) -> None:
    def verdict(text: str) -> str:
        return gl.assess(fit, text).verdict

    assert verdict("ability_effect < 0") == "supported"
    assert verdict("size_effect > 0.5") == "refuted"
    assert verdict("size_effect > 0") == "inconclusive"
    assert verdict("peak_ability < 50") == "supported"
    assert verdict("slope < 0") in ("supported", "supported on one scale")


def test_commands_show_it_and_foretell_with_a_baseline(fit: gl.Fit, cli: Cli, tmp_path: Path) -> None:
    place = fit.save(tmp_path / "fit")
    shown = cli("summary", place, "--level", "model_family")
    assert shown.code == 0
    assert "Change of the gain at equal ability" in shown.out
    asked = ["predict", place, "--params", "13B", "--task", "task1", "--new", "model_family"]
    assert cli(*asked, "--baseline", "0.4").code == 0
    elsewhere = ["predict", place, "--params", "13B", "--new", "model_family", "--baseline", "0.4"]
    assert cli(*elsewhere, "--chance", "0").code == 0
    assert cli(*asked, "--baseline", "0.4", "--chance", "0").code == 2
    refused = cli(*asked)
    assert refused.code == 2
    assert "hangs on its baseline" in refused.err


def test_priors_of_baselines_lie_around_zero(study: AbilityLadders) -> None:
    given = {"covariate:baseline": "normal(1, 3)", "covariate:baseline_slope": "normal(0.5, 1)"}
    with pytest.raises(InputError, match="a law with ability needs the mean 0") as error:
        gl.fit(study.evaluations, law="ability", priors=given)
    assert len(error.value.problems) == 2


def test_claims_on_ability_need_the_law(curves: gl.Fit) -> None:
    for text in ("ability_effect < 0", "size_effect > 0", "peak_ability > 10"):
        found = gl.assess(curves, text)
        assert found.verdict == "untested"
        assert "the law ability" in found.reason


def test_it_is_kept_and_read_in_points(fit: gl.Fit, tmp_path: Path) -> None:
    fit.save(tmp_path / "fit")
    again = gl.load_fit(tmp_path / "fit")
    pd.testing.assert_frame_equal(again.estimates, fit.estimates)
    points = again.in_points()
    assert {"gain", "slope", "size_effect", "peak_ability", "size_multiplier"} <= set(
        points.estimates["estimand"]
    )
    gain = points.estimates.query("estimand == 'gain' and level == 'overall' and params == 1e9")[
        "median"
    ].item()
    assert gain == pytest.approx(np.median(gl.gain_curve(points, "overall").gain(1e9)), abs=1e-9)


def test_its_table_has_every_group(fit: gl.Fit) -> None:
    shown = fit.table("abilities", level="model_family")
    assert list(shown.frame["title"])[-1].startswith("overall")
    assert len(shown.frame) == 7
    overall = fit.estimates.query("estimand == 'size_effect' and level == 'overall'").iloc[0]
    assert shown.frame["median"].iloc[-1] == overall["median"]
    assert "One unit of the untuned log-odds changes the gain by" in shown.notes[0]
    assert shown.frame["peak"].iloc[-1].count("%") == 1
    with pytest.raises(InputError, match="no effects of size by language"):
        fit.table("abilities", level="language")


def test_many_studies_say_what_ability_and_size_change(fit: gl.Fit, curves: gl.Fit) -> None:
    line = gl.fit(fit.gains.to_scale("points"), draws=200, chains=2)
    said = across_words(Across(curves, line, ability=fit)).text
    assert "Taken apart, one unit of the untuned log-odds changes what tuning adds by −0.3" in said
    assert said.count("that of the untuned score alone does not hold zero.") == 1
    assert "Taken apart" not in across_words(Across(curves, line)).text
    with pytest.raises(InputError, match="the fit with ability"):
        Across(curves, line, ability=curves)


def test_regression_to_the_mean_is_none_of_ability() -> None:
    # Tuning adds the same log-odds everywhere, and scores of 100 items vary by 5 points.
    slopes, covered = [], []
    for seed in range(2):
        made = simulate_abilities(
            seed,
            ability_effect=0.0,
            n_examples=100,
            n_families=8,
            sd_level=0.2,
            sd_slope=0.05,
            mean_slope=0.2,
        )
        gains = made.evaluations.gains().frame
        naive = stats.linregress(gains["baseline_score"], gains["gain"])
        slopes.append(naive.slope / naive.stderr)
        found = gl.fit(made.evaluations, law="ability", draws=400, chains=2).estimates.set_index("estimand")
        covered.append(found.loc["ability_effect", "ci_low"] <= 0.0 <= found.loc["ability_effect", "ci_high"])
    assert max(slopes) < -2.0
    assert all(covered)
