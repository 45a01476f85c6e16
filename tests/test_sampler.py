"""What the sampler explores: its priors against SciPy's, its density against the kernels and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import gainlaw as gl
from gainlaw.laws import law
from gainlaw.model.binomial.kernels import binomial_joint
from gainlaw.model.binomial.sites import binomial_model, summarise
from gainlaw.model.engines.density import LogDensity
from gainlaw.model.engines.pymc_model import Coordinates
from gainlaw.model.gaussian.kernels import gaussian_marginal
from gainlaw.model.spec.priors import Prior
from gainlaw.model.spec.problem import build_problem, gaussian_data, specify
from gainlaw.posterior.estimates import MIN_ESS

PRIORS = {
    "a": (Prior("halfnormal", (2.0,)), stats.halfnorm(0.0, 2.0)),
    "b": (Prior("lkj", (3.0,)), stats.beta(3.0, 3.0, loc=-1.0, scale=2.0)),
    "c": (Prior("normal", (0.3, 0.5)), stats.norm(0.3, 0.5)),
    "d": (Prior("halfcauchy", (1.5,)), stats.halfcauchy(0.0, 1.5)),
    "e": (Prior("halfnormal", (0.1,)), stats.halfnorm(0.0, 0.1)),
    "f": (Prior("exponential", (4.0,)), stats.expon(0.0, 4.0)),
    "g": (Prior("halfstudent_t", (3.0, 2.0)), stats.t(3.0, 0.0, 2.0)),
}


@pytest.mark.parametrize("names", ["abcdefg", "ea"])
def test_the_samplers_priors_are_those_of_scipy(names: str) -> None:
    found = Coordinates.of({name: PRIORS[name][0] for name in names})
    point = np.random.default_rng(0).normal(size=len(names))
    values, slopes, density, gradient = found.at(point)
    assert sorted(found.order) == list(range(len(names)))
    expected = np.log(np.abs(slopes)).sum()
    for value, k in zip(values, found.order, strict=True):
        expected += PRIORS[names[k]][1].logpdf(value) + np.log(2.0) * (names[k] == "g")
    assert density == pytest.approx(expected, abs=1e-8)
    for j in range(len(names)):
        step = 1e-6 * (np.arange(len(names)) == j)
        up, down = (found.at(point + sign * step) for sign in (1, -1))
        np.testing.assert_allclose((up[0] - down[0]) / 2e-6, slopes * (step > 0), atol=1e-7)
        assert gradient[j] == pytest.approx((up[2] - down[2]) / 2e-6, abs=1e-6)
    assert np.isfinite(found.at(found.start())[2])


@pytest.mark.parametrize("name", PRIORS)
def test_densities_of_priors_are_those_of_scipy(name: str) -> None:
    own, scipys = PRIORS[name]
    values = np.concatenate([np.linspace(-1.0, 1.0, 41), np.geomspace(1e-9, 1e6, 60)])
    with np.errstate(divide="ignore"):
        expected = scipys.logpdf(values) + np.log(2.0) * (own.family == "halfstudent_t")
    if own.family == "halfstudent_t":
        expected[values < 0.0] = -np.inf
    # densities below 1e-300 have lost digits on either side
    np.testing.assert_allclose(own.log_density(values), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    ("scale", "name"),
    [("points", "linear"), ("points", "offset_power"), ("log_odds", "linear"), ("log_odds", "logistic")],
)
def test_the_samplers_density_is_prior_times_likelihood(scale: str, name: str) -> None:
    gains = gl.load_dataset("bloomz", tasks=["xcopa", "xwinograd"]).gains(scale=scale)
    problem = build_problem(gains, specify(gains, law(name), priors={"slope": "normal(0.7, 10)"}))
    rng = np.random.default_rng(1)
    if scale == "points":
        record, kernel, zeta = gaussian_data(problem), gaussian_marginal, np.zeros(0)
    else:
        summary = summarise(problem, gains)
        record, kernel = binomial_model(problem, summary.tables, summary.geometry), binomial_joint
        zeta = rng.normal(size=problem.design.n_columns + len(problem.y))
    density = LogDensity.of(problem, record)
    start = density.coordinates.start()
    point = np.concatenate([start + 0.3 * rng.normal(size=len(start)), zeta])
    value, gradient = density(point)
    hyper = dict(zip(problem.hyper, density.hyperparameters(point)[:, None], strict=True))
    likelihood, _ = kernel(np.concatenate([problem.pack(hyper)[0], zeta]), record)
    prior = density.coordinates.at(point[: len(start)])[2]
    assert value == pytest.approx(likelihood + prior, abs=1e-8)
    for j in (*range(len(start)), *range(len(start), len(point), 41)):
        step = np.zeros(len(point))
        step[j] = 1e-5
        up, down = (density(point + sign * step)[0] for sign in (1, -1))
        assert gradient[j] == pytest.approx((up - down) / 2e-5, rel=2e-4, abs=2e-4)


def test_a_point_without_a_density_has_none() -> None:
    gains = gl.load_dataset("bloomz", tasks=["xcopa"]).gains(scale="points")
    problem = build_problem(gains, specify(gains, law("linear")))
    density = LogDensity.of(problem, gaussian_data(problem))
    for far in (np.nan, 800.0):
        value, gradient = density(np.full(density.n_hyper, far))
        assert np.isnan(value)
        assert gradient.shape == (density.n_hyper,)


def test_the_sampler_converges_and_agrees_on_log_odds() -> None:
    """On few rows; `make calibration` has all of them, at default settings."""
    evals = gl.load_dataset("bloomz", tasks="xcopa").select(intermediate=["none", "xP3"])
    gains, terms = evals.gains(scale="log_odds"), ["language", "checkpoint"]
    exact = gl.fit(gains, terms=terms)
    nuts = gl.fit(gains, terms=terms, engine="nuts", draws=400, tune=300)
    assert nuts.status == "ok", [check.text for check in nuts.diagnostics.failures]
    assert nuts.estimates[["ess_bulk", "ess_tail"]].min().min() > MIN_ESS
    a, b = (fit.estimates[fit.estimates["sd"].notna()] for fit in (exact, nuts))
    # Four standard errors of the difference of two means of about 1,000 independent draws.
    apart = (a["mean"] - b["mean"]).abs() / b["sd"]
    assert apart.max() < 0.18
    assert (a["sd"] / b["sd"]).between(0.8, 1.25).all()
