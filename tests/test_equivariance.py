"""A fit says the same in other units: of size, and of the gain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.laws import hierarchical_law, law, shaped
from gainlaw.model.engines.hyper import pack_points
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.spec.problem import build_problem, gaussian_data, specify
from gainlaw.posterior.tree import prior_draws
from gainlaw.scores.gains.spread import gain_spread, prior_unit
from gainlaw.scores.simulate import simulate_study

QUICK = {"draws": 500, "chains": 2}


def effects(factor: float = 1.0, unit: float = 1.0) -> gl.Gains:
    """Return published effects, the gains multiplied by `factor` and the sizes by `unit`."""
    rng = np.random.default_rng(4)
    rows = []
    for size in (3e8, 1e9, 7e9, 7e10):
        luck = rng.normal(0, 1.0)
        for task, own in (("a", -2.0), ("b", 0.0), ("c", 1.5)):
            gain = 5.0 - (2.0 + 0.5 * own) * np.log10(size / 1e9) + own + luck + rng.normal(0, 0.5)
            rows.append((size * unit, f"m{size:g}", task, gain * factor, 0.5 * factor))
    frame = pd.DataFrame(rows, columns=["params", "base_model", "task", "gain", "se"])
    return gl.gains_from_frame(frame, unit="points")


@pytest.mark.parametrize("name", ["linear", "offset_power", "saturating", "logistic", "average"])
def test_the_likelihood_of_a_law_does_not_know_the_unit_of_size(name: str) -> None:
    found = []
    for unit in (1.0, 1e3):
        gains = effects(unit=unit)
        spec = specify(gains, hierarchical_law(name))
        problem = build_problem(gains, spec)
        points = np.random.default_rng(0).uniform(0.1, 0.9, (5, len(problem.hyper)))
        if "law" in problem.hyper:
            points[:, problem.hyper.index("law")] = np.arange(len(points)) % len(spec.law.members)
        if "midpoint" in problem.hyper:
            points[:, problem.hyper.index("midpoint")] += np.log10(unit)
        found.append(Marginal.build(problem, gaussian_data(problem)).log_likelihood(points))
        assert pack_points(problem, points).shape[0] == 5
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)


def test_slopes_do_not_depend_on_the_unit_of_size() -> None:
    slopes = [
        gl.fit(effects(unit=unit), seed=2, **QUICK).estimates.query("estimand == 'slope'")
        for unit in (1.0, 1e3)
    ]
    # The same seed draws the same; what rounding does to the proposals moves a draw or two.
    np.testing.assert_allclose(slopes[1]["mean"], slopes[0]["mean"], atol=0.02)
    np.testing.assert_allclose(slopes[1]["sd"], slopes[0]["sd"], rtol=0.02)


@pytest.mark.parametrize("name", shaped())
def test_prior_draws_spread_least_at_the_centre_of_the_sizes(name: str) -> None:
    gains = effects()
    spec = specify(gains, law(name))
    problem = build_problem(gains, spec)
    _, draws = prior_draws(problem, np.random.default_rng(0))
    at = (
        np.unique(np.log10(gains.frame["params"].to_numpy(float) / 1e9)).mean() if spec.law.has_slope else 0.0
    )
    assert spec.law.centre == pytest.approx(at)
    psi = np.array([0.5, 1.0])[: len(spec.law.parameters)]
    assert float(spec.law.shape(np.array(at), psi)) == pytest.approx(0.0, abs=1e-9)
    assert draws[:, 0].std() == pytest.approx(spec.priors["intercept"].scale, rel=0.1)


def test_hierarchical_baselines_do_not_depend_on_the_unit_of_size() -> None:
    found = []
    plain = simulate_study(3, n_tasks=2, n_languages=3, sizes=(1e8, 1e9, 3e10)).evaluations.gains()
    for factor in (1.0, 1e3):
        gains = replace(plain, frame=plain.frame.assign(params=factor * plain.frame["params"].astype(float)))
        problem = build_problem(gains, specify(gains, law("linear"), baselines="hierarchical"))
        points = np.random.default_rng(0).uniform(0.1, 0.9, (3, len(problem.hyper)))
        found.append(Marginal.build(problem, gaussian_data(problem)).log_likelihood(points))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)


@pytest.mark.parametrize("factor", [0.1, 5.0, 10.0])
def test_gains_times_a_factor_give_slopes_times_it(factor: float) -> None:
    plain, scaled = (gl.fit(effects(factor=each), seed=2, draws=1000, chains=2) for each in (1.0, factor))
    table = plain.estimates.query("estimand == 'slope'").reset_index()
    other = scaled.estimates.query("estimand == 'slope'").reset_index()
    # Units are rounded to 1, 2 and 5: what is left moves means by a fraction of their sd, widths by a quarter at most.
    np.testing.assert_allclose(other["mean"] / factor, table["mean"], atol=0.25 * table["sd"].max())
    np.testing.assert_allclose(other["sd"] / factor, table["sd"], rtol=0.3)


def test_the_unit_of_the_priors_follows_the_gains() -> None:
    assert [prior_unit(spread, "points") for spread in (0.0, 0.35, 3.0, 7.0, 18.0, 35.0)] == [
        1,
        0.1,
        1,
        2,
        5,
        10,
    ]
    assert [prior_unit(spread, "log_odds") for spread in (1e-12, 1e12)] == [1e-5, 1e4]
    rng = np.random.default_rng(0)
    true, se = rng.normal(10.0, 4.0, 2000), np.full(2000, 3.0)
    assert gain_spread(true + rng.normal(0.0, 3.0, 2000), se) == pytest.approx(4.0, rel=0.1)
    # Few rows that agree by chance do not make the priors narrow.
    assert gain_spread(np.array([1.0, 1.0, 1.1]), np.full(3, 2.0)) == pytest.approx(2.0)


def test_gains_far_from_zero_with_little_spread_have_a_wide_intercept() -> None:
    gains = effects()
    frame = gains.frame.assign(gain=60.0 + 0.1 * gains.frame["gain"], se=0.05)
    spec = specify(
        gl.gains_from_frame(frame[["params", "base_model", "task", "gain", "se"]], unit="points"),
        law("linear"),
    )
    assert spec.priors["intercept"].scale == 100.0
    assert spec.priors["tau_checkpoint"].scale < 1.0
