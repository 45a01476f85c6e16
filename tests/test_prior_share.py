"""Estimates that are mostly their prior are marked; those that the data determine are not."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

import gainlaw as gl
from gainlaw.model.spec.priors import prior
from gainlaw.posterior.levels import gain_curve
from gainlaw.posterior.shares import narrower_baselines, prior_share
from gainlaw.report.answer import answer
from gainlaw.scores.simulate import simulate_study
from gainlaw.tables.estimates import gain_at_table, slopes_table

QUICK = {"draws": 500, "chains": 2}


@pytest.mark.parametrize(
    "text",
    ["normal(1, 3)", "halfnormal(2)", "halfcauchy(2)", "halfstudent_t(4, 2)", "exponential(2)", "lkj(2)"],
)
def test_the_widening_is_the_derivative_in_the_scale(text: str) -> None:
    each = prior(text)
    values = np.array([0.1, 0.5, 0.9])
    step = 1e-5

    def scaled(factor: float) -> np.ndarray:
        if each.family == "lkj":
            return each.log_density(values)
        arguments = (*each.arguments[:-1], each.arguments[-1] * factor)
        return type(each)(each.family, arguments).log_density(values)

    numeric = (scaled(1 + step) - scaled(1 - step)) / (2 * step)
    np.testing.assert_allclose(each.widening(values), numeric, atol=1e-6)


def test_the_share_of_a_normal_prior_is_its_share_of_the_precision() -> None:
    rng = np.random.default_rng(0)
    for data_sd in (0.5, 2.0, 20.0):
        share = 1.0 / (1.0 + 4.0 / data_sd**2)
        draws = rng.normal(0.0, 2.0 * np.sqrt(share), 200_000)
        found = prior_share(draws, prior("normal(0, 2)").widening(draws))
        assert found == pytest.approx(share, abs=0.02)


def test_the_share_counts_the_prior_of_a_spread() -> None:
    """A mean of two groups: its own prior is wide, that of the groups' sd is not, and decides the width."""
    rng = np.random.default_rng(0)
    tau = np.abs(rng.normal(0.0, 5.0, 400_000))
    weight = 1.0 / np.sqrt(tau**2 + 0.01)
    tau = rng.choice(tau, 200_000, p=weight / weight.sum())
    mean = rng.normal(0.0, np.sqrt((tau**2 + 0.01) / 2.0))
    assert prior_share(mean, prior("halfnormal(5)").widening(tau)) > 0.5


def test_estimates_without_a_mean_have_a_share_and_constants_have_none() -> None:
    rng = np.random.default_rng(0)
    known = rng.normal(size=50_000)
    ratio = stats.cauchy.ppf(stats.norm.cdf(known))
    found = prior_share(np.stack([ratio, np.ones_like(known), np.full_like(known, np.inf)]), known**2 - 1.0)
    assert found[0] > 0.5
    assert np.isnan(found[1:]).all()


@pytest.fixture(scope="module")
def two_sizes() -> gl.Fit:
    return gl.fit(simulate_study(1, sizes=(7e9, 8e9)).evaluations, seed=1, **QUICK)


def test_a_slope_from_7b_and_8b_is_marked(two_sizes: gl.Fit) -> None:
    slopes = two_sizes.estimates.query("estimand == 'slope'")
    assert (slopes["prior_share"] > 0.6).all()
    text = slopes_table(two_sizes, "task").to_markdown()
    assert re.search(r"population[^|\n]*†", text)
    assert "† mostly what the priors say" in text
    gains = two_sizes.estimates[two_sizes.estimates["estimand"] == "gain"]
    gains = gains[gains["level"].isin(["task", "overall", "population"])]
    assert ("†" in gain_at_table(two_sizes, "task").to_markdown()) == (gains["prior_share"] >= 0.5).any()
    found = answer(two_sizes)
    assert found.direction == "unsettled"
    assert "mostly what the priors say, since 2 sizes and 2 checkpoints" in found.text
    predicted = two_sizes.predict(70e9)
    assert (predicted["prior_share"] > 0.5).all()


def test_the_population_slope_of_two_tasks_is_marked_and_the_overall_slope_is_not() -> None:
    study = simulate_study(2, n_tasks=2, sizes=(1e8, 3e8, 1e9, 3e9, 1e10, 3e10))
    fit = gl.fit(study.evaluations, seed=1, draws=1000, chains=4)
    slopes = fit.estimates.query("estimand == 'slope'").set_index("level")["prior_share"]
    assert slopes["population"] > 0.5
    assert (slopes.drop("population") < 0.35).all()
    text = slopes_table(fit, "task").to_markdown()
    assert re.search(r"population[^|\n]*†", text)
    assert "That interval is mostly what the priors say" in answer(fit).text


def test_the_bundled_study_is_not_marked_all_over() -> None:
    fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains(), seed=1, **QUICK)
    rows = fit.estimates[fit.estimates["estimand"].isin(["slope", "gain"])]
    rows = rows[rows["level"] != "population"]
    # A share from these draws is known to 0.06.
    assert (rows["prior_share"] < 0.5).mean() > 0.95
    assert rows["prior_share"].max() < 0.6


#: Terms without which a fit of the packaged scores is quick.
LEFT_OUT = ("smooth", "task_language", "checkpoint_language_family")


@pytest.fixture(scope="module")
def at_the_floor() -> gl.Fit:
    """Half of the scores are at the guess rate."""
    return gl.fit(
        gl.load_dataset("bloomz", intermediates="xP3").gains(scale="log_odds"), seed=1, exclude=LEFT_OUT
    )


def test_levels_that_hang_on_the_prior_of_baselines_are_marked_and_slopes_are_not(
    at_the_floor: gl.Fit,
) -> None:
    rows = at_the_floor.estimates.query("level == 'overall'").set_index(["estimand", "params"])["prior_share"]
    assert rows.loc["gain", 1e10] == 1.0
    assert (rows.loc["slope"] < 0.5).all()
    assert "log-odds half as wide" in gain_at_table(at_the_floor, "task").to_markdown()
    assert "These levels are mostly what the priors say." in answer(at_the_floor).text
    predicted = at_the_floor.predict(10e9).set_index("kind")["prior_share"]
    assert predicted["mean"] == 1.0
    reason = gl.assess(at_the_floor, "gain(10B) > 0", scale="log_odds", both=False).reason
    assert "hangs on the prior of the baselines" in reason


def test_the_move_is_that_of_a_fit_with_a_narrower_prior(at_the_floor: gl.Fit) -> None:
    narrow = gl.fit(at_the_floor.gains, seed=1, exclude=LEFT_OUT, priors={"baseline": "normal(0, 1.5)"})
    moved = narrower_baselines(at_the_floor)
    assert moved is not None
    for size in (1e9, 1e10, 1e11):
        here, there, again = (gain_curve(each).gain(size) for each in (at_the_floor, moved, narrow))
        # The two fits differ by the Monte-Carlo error of medians, and the hyperparameters are held in one of them.
        assert np.median(there) == pytest.approx(np.median(again), abs=0.25 * here.std())
        assert np.median(again) < np.median(here) - 0.8 * here.std()


def test_scores_in_the_middle_do_not_hang_on_it() -> None:
    study = simulate_study(3, scale="log_odds", intercept=0.6, slope=-0.2, sd_task=0.2, sd_task_slope=0.1)
    fit = gl.fit(study.evaluations, scale="log_odds", seed=1, **QUICK)
    moved = narrower_baselines(fit)
    assert moved is not None
    here, there = gain_curve(fit).gain(1e9), gain_curve(moved).gain(1e9)
    assert abs(np.median(there) - np.median(here)) < 0.1 * here.std()
    assert narrower_baselines(gl.fit(study.evaluations, seed=1, **QUICK)) is None
