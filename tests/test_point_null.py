"""Bayes factors of a difference against none: closed forms, quadrature, nested models, both engines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import gainlaw as gl
from gainlaw.claims import density
from gainlaw.claims.evaluate import FitDraws, holds
from gainlaw.claims.factors import bayes_factors
from gainlaw.claims.grammar.parse import parse_claim
from gainlaw.fitting.point_null import PointNull, PointNulls, point_null
from gainlaw.model.gaussian import marginal
from gainlaw.posterior.contrasts import WeightedEstimand
from gainlaw.scores.simulate import simulate_study

SE = np.array([1.5, 1.0, 1.6, 1.1, 0.9, 1.1, 1.0, 1.8])
AWAY = np.array([2.8, 0.8, -0.3, 0.7, -0.1, 0.1, 1.8, 1.2]) - 0.9


def tasks(mean: float, **options) -> gl.Fit:
    """Eight tasks around a mean: the only hyperparameter is their sd."""
    frame = pd.DataFrame({"task": list("abcdefgh"), "gain": mean + AWAY, "se": SE})
    priors = {"intercept": "normal(0, 10)", "tau_task": "halfnormal(2)"}
    return gl.fit(gl.gains_from_frame(frame), law="constant", priors=priors, **options)


def over_tau(mean: float, function) -> float:
    """The posterior expectation of ``function(tau, y)`` in the model of `tasks`."""
    y = mean + AWAY

    def weight(tau: float) -> float:
        total = np.diag(SE**2 + tau**2) + 100.0
        return stats.multivariate_normal(np.zeros(8), total).pdf(y) * stats.halfnorm.pdf(tau, scale=2.0)

    grid = np.linspace(1e-6, 14.0, 4001)
    weights = np.array([weight(tau) for tau in grid])
    values = np.array([function(tau, y) for tau in grid])
    return float(np.trapezoid(weights * values, grid) / np.trapezoid(weights, grid))


def factor(fit: gl.Fit, claim: str) -> tuple[float, str]:
    parsed = parse_claim(claim)
    value, _, note = bayes_factors(fit, parsed, *holds(parsed, FitDraws(fit)))
    return value, note


@pytest.mark.parametrize("null", [0.0, 1.0, 9.0])
def test_without_hyperparameters_the_answer_is_a_closed_form(null: float) -> None:
    frame = pd.DataFrame({"gain": 1.0 + AWAY, "se": SE})
    priors = {"intercept": "normal(2, 4)"}
    fit = gl.fit(
        gl.gains_from_frame(frame), law="constant", terms=[], exclude=["residual"], priors=priors, draws=500
    )
    precision = 1 / 16 + np.sum(1 / SE**2)
    centre = (2 / 16 + np.sum(frame["gain"] / SE**2)) / precision
    exact = stats.norm.pdf(null, 2, 4) / stats.norm.pdf(null, centre, precision**-0.5)
    assert factor(fit, f"gain(1B) < {null}")[0] == pytest.approx(exact, rel=1e-9)


def population_density(tau: float, y: np.ndarray) -> float:
    weights = 1 / (SE**2 + tau**2)
    precision = weights.sum() + 1 / 100
    return float(stats.norm.pdf(0.0, weights @ y / precision, precision**-0.5))


@pytest.mark.parametrize("mean", [0.0, 1.5, 4.5, 12.0])
def test_the_mean_of_a_hierarchy_agrees_with_quadrature(mean: float) -> None:
    fit = tasks(mean)
    exact = stats.norm.pdf(0, 0, 10) / over_tau(mean, population_density)
    draws = gl.gain_curve(fit, "population").intercept
    found = point_null(fit, [WeightedEstimand("gain", population=True)])
    if mean == 4.5:
        # Far out: no draw of four thousand is anywhere near.
        assert draws.mean() / draws.std() > 8
    assert found.log_factor == pytest.approx(np.log(exact), abs=0.1)
    assert abs(found.log_factor - np.log(exact)) < 4 * found.log_error
    assert found.log_error < 0.05
    assert not found.groups_alone


@pytest.mark.parametrize("gap", [0.0, 3.0, 10.0])
def test_a_difference_of_groups_agrees_with_quadrature(gap: float) -> None:
    """Its density at 0 is infinite: the null leaves the sd of the groups its prior."""
    y = AWAY + gap * (np.arange(8) == 0)
    frame = pd.DataFrame({"task": list("abcdefgh"), "gain": y, "se": SE})
    priors = {"intercept": "normal(0, 10)", "tau_task": "halfnormal(2)"}
    fit = gl.fit(gl.gains_from_frame(frame), law="constant", priors=priors)

    def marginal(tau: float, pull: np.ndarray) -> float:
        """Density of the data when the effects have the covariance tau^2 pull."""
        total = np.diag(SE**2) + tau**2 * pull + 100.0
        return stats.multivariate_normal(np.zeros(8), total).pdf(y) * stats.halfnorm.pdf(tau, scale=2.0)

    contrast = np.eye(8)[0] - np.eye(8)[1]
    # Given that their difference is none, the effects of the two tasks are the same half of their sum.
    same = np.eye(8) - np.outer(contrast, contrast) / 2
    upper = integrate.quad(lambda tau: marginal(tau, np.eye(8)), 0, 16)[0]
    lower = integrate.quad(lambda tau: marginal(tau, same), 0, 16)[0]
    found = point_null(
        fit,
        [
            WeightedEstimand("gain", 1.0, group=(("task", "a"),)),
            WeightedEstimand("gain", -1.0, group=(("task", "b"),)),
        ],
    )
    assert found.groups_alone
    assert found.log_factor == pytest.approx(np.log(upper / lower), abs=max(0.02, 4 * found.log_error))
    value, note = factor(fit, "gain(1B)[task=a] > gain(1B)[task=b]")
    assert np.log(value) == pytest.approx(found.log_factor)
    assert "the groups' spread keeps its prior" in note


@pytest.mark.parametrize("scale", ["points", "log_odds"])
@pytest.mark.parametrize("intercept", [0.5, 6.0])
def test_it_is_the_ratio_of_the_evidence_of_nested_models(scale: str, intercept: float) -> None:
    """Without a mean the linear law is the constant law; on log-odds both count the same binomial likelihood."""
    step = 1.0 if scale == "points" else 0.1
    study = simulate_study(
        5, scale=scale, n_tasks=1, n_languages=4, slope=0.0, sd_task_slope=0.0, sd_checkpoint=step,
        intercept=intercept * step, sd_language=step, sd_residual=0.5 * step, sd_checkpoint_task=0.0,
    )  # fmt: skip
    gains = study.evaluations.gains(scale=scale)
    frame = gains.frame
    fits = {law: gl.fit(gains, law=law, terms=["checkpoint"], seed=2) for law in ("linear", "constant")}
    evidence = {law: fit.draws["sample_stats"].attrs["log_evidence"] for law, fit in fits.items()}
    found = point_null(fits["linear"], [WeightedEstimand("slope", population=True)])
    assert found.log_factor == pytest.approx(evidence["linear"] - evidence["constant"], abs=0.08)
    assert frame["checkpoint"].nunique() == 5
    assert fits["linear"].spec.likelihood == ("gaussian" if scale == "points" else "binomial")


@pytest.fixture(scope="module")
def study():
    return simulate_study(3, n_tasks=2, n_languages=4)


CLAIMS = ["slope < 0", "gain(10B) < 2", "slope[population] < 0", "gain(1B) < gain(10B)"]


@pytest.mark.parametrize("law", ["linear", "offset_power"])
@pytest.mark.parametrize("scale", ["points", "log_odds"])
def test_the_mixture_of_draws_agrees_roughly(study, scale: str, law: str) -> None:
    fit = gl.fit(study.evaluations.gains(scale=scale), law=law, seed=1)
    seen = 0
    for text in CLAIMS if scale == "points" else CLAIMS[:1]:
        claim = parse_claim(text)
        posterior, prior = (holds(claim, FitDraws(fit, prior=prior))[1] for prior in (False, True))
        rough = density.bayes_factor(posterior, prior)
        if not rough.extrapolated:
            seen += 1
            assert np.log(factor(fit, text)[0]) == pytest.approx(np.log(rough.value), abs=0.3), text
    assert seen


def test_effects_of_covariates() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"gain": rng.normal(size=30), "se": 1.0, "z": np.repeat([0.0, 1.0], 15)})
    frame["gain"] += 2.0 * frame["z"]
    fit = gl.fit(
        gl.gains_from_frame(frame),
        law="constant",
        terms=[],
        exclude=["residual"],
        covariates=["z"],
        draws=500,
        priors={"intercept": "normal(0, 20)", "covariate:z": "normal(0, 10)"},
    )
    # One unit is two sds, and the prior is that of one sd.
    design = np.stack([np.ones(30), frame["z"] - 0.5], axis=1)
    precision = design.T @ design + np.diag([1 / 400, 1 / 400])
    mean = np.linalg.solve(precision, design.T @ frame["gain"])[1]
    sd = np.linalg.inv(precision)[1, 1] ** 0.5
    exact = stats.norm.pdf(0, 0, 20) / stats.norm.pdf(0, mean, sd)
    assert factor(fit, "effect[covariate=z] > 0")[0] == pytest.approx(exact, rel=1e-9)


def test_effects_of_covariates_on_the_slope() -> None:
    rng = np.random.default_rng(4)
    x, v = np.tile([-1.0, 0.0, 1.0], 10), np.repeat([0.0, 3.0], 15)
    frame = pd.DataFrame({"params": 10 ** (9 + x), "gain": rng.normal(size=30) + v * x, "se": 1.0, "v": v})
    sds = {"intercept": 20, "slope": 10, "covariate:v": 10, "covariate:v:slope": 5}
    fit = gl.fit(
        gl.gains_from_frame(frame), terms=[], exclude=["residual"], covariates=["v:slope"], draws=500,
        priors={name: f"normal(0, {sd})" for name, sd in sds.items()},
    )  # fmt: skip
    z = (v - 1.5) / 1.5
    design = np.stack([np.ones(30), x, z, z * x], axis=1)
    precision = design.T @ design + np.diag([1 / 400, 1 / 100, 1 / 100, 1 / 25])
    mean = np.linalg.solve(precision, design.T @ frame["gain"])[3] / 1.5
    sd = np.linalg.inv(precision)[3, 3] ** 0.5 / 1.5
    exact = stats.norm.pdf(0, 0, 5 / 1.5) / stats.norm.pdf(0, mean, sd)
    assert factor(fit, 'effect[covariate="v:slope"] > 0')[0] == pytest.approx(exact, rel=1e-9)
    row = fit.summary("covariate").query("estimand == 'effect'").set_index("group").loc["covariate=v:slope"]
    # Two thousand independent draws.
    assert abs(row["mean"] - mean) < 4 * sd / np.sqrt(2000)


def test_no_difference_and_no_linear_form_have_no_factor(study) -> None:
    fit = gl.fit(study.evaluations.gains(), terms=["checkpoint"], draws=500)
    # Without kinds of gains the population is the groups observed; tasks that no term tells apart have no slopes.
    value, note = factor(fit, "slope[population] < slope[overall]")
    with pytest.raises(gl.InputError, match="no term for task"):
        factor(fit, "slope[task=task1] < slope[task=task2]")
    assert np.isnan(value)
    assert "the model has no such difference" in note
    assert np.isnan(factor(fit, "abs(slope) < 1")[0])
    assert np.isnan(factor(fit, "slope < slope")[0])


def test_rough_factors_are_called_so(monkeypatch: pytest.MonkeyPatch, study) -> None:

    fit = gl.fit(study.evaluations.gains(), terms=["checkpoint"], draws=500)
    assert "order of magnitude" not in factor(fit, "slope < 0")[1]
    monkeypatch.setattr(PointNulls, "factor", lambda *given: PointNull(3.0, 0.5, 0.4, False))
    value, note = factor(fit, "slope < 0")
    assert value == pytest.approx(np.exp(3.0))
    assert "order of magnitude" in note
    monkeypatch.setattr(PointNulls, "factor", lambda *given: None)
    claim = parse_claim("slope < 0")
    posterior, prior = (holds(claim, FitDraws(fit, prior=prior))[1] for prior in (False, True))
    assert factor(fit, "slope < 0")[0] == density.bayes_factor(posterior, prior).value


def test_a_fit_read_back_gives_the_same_factor(tmp_path, study) -> None:
    fit = gl.fit(study.evaluations.gains(), draws=500)
    again = gl.load_fit(fit.save(tmp_path / "fit"))
    parts = [WeightedEstimand("gain", 1.0, 1e10), WeightedEstimand("gain", -2.0, 1e8)]
    first, second = (point_null(each, parts, -30.0) for each in (fit, again))
    assert second.log_factor == pytest.approx(first.log_factor, abs=1e-6)


@pytest.mark.parametrize("scale", ["points", "log_odds"])
def test_claims_that_share_a_fit_get_what_each_gets_alone(
    study, scale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = gl.fit(study.evaluations.gains(scale=scale), draws=500)
    asked = [
        ([WeightedEstimand("slope")], 0.0),
        ([WeightedEstimand("gain", 1.0, 1e10)], -1.0),
        ([WeightedEstimand("gain", 1.0, 1e10), WeightedEstimand("gain", -2.0, 1e8)], -30.0),
    ]
    shared = PointNulls(fit)
    together = [shared.factor(*each).log_factor for each in asked]
    # The likelihoods of counts are tabulated where the first claims need them: interpolated, to about 1e-5.
    near = 1e-8 if scale == "points" else 1e-4
    assert [point_null(fit, *each).log_factor for each in asked] == pytest.approx(together, abs=near)
    # Where the factors of all draws would not fit into memory they are made anew.
    monkeypatch.setattr(marginal, "_MOST_FACTORS", 0)
    assert [point_null(fit, *each).log_factor for each in asked] == pytest.approx(together, abs=near)
