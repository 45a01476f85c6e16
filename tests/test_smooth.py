"""The smooth term: departures from the law that neighbouring sizes share, and the notes on what a law leaves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.fitting.checks.diagnostics import speaks
from gainlaw.laws import law
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.spec.problem import build_problem, gaussian_data, specify

SIZES = (1e8, 3e8, 1e9, 3e9, 1e10, 3e10, 6e10, 2e11)


def effects(deviation: np.ndarray, families: int = 1, noise: float = 0.3, slope: float = -1.0) -> gl.Gains:
    """Return effects of three tasks whose checkpoints deviate from a line as asked, shape (families, sizes)."""
    rng = np.random.default_rng(2)
    deviation = np.broadcast_to(deviation, (families, len(SIZES)))
    rows = [
        {
            "params": size,
            "model_family": f"f{family}",
            "base_model": f"f{family}-{size:g}",
            "task": task,
            "gain": 5.0
            + own
            + slope * np.log10(size / 1e9)
            + deviation[family, k]
            + noise * rng.standard_normal(),
            "se": noise,
        }
        for family in range(families)
        for k, size in enumerate(SIZES)
        for task, own in (("a", -2.0), ("b", 0.0), ("c", 3.0))
    ]
    return gl.gains_from_frame(pd.DataFrame(rows))


def without_level(covariance: np.ndarray) -> np.ndarray:
    centring = np.eye(len(covariance)) - 1.0 / len(covariance)
    return centring @ covariance @ centring


@pytest.mark.parametrize("families", [1, 2])
def test_the_likelihood_is_that_of_an_autoregression_in_log_size(families: int) -> None:
    gains = effects(np.zeros(len(SIZES)), families)
    spec = specify(gains, law("linear"), terms=["smooth", "checkpoint"])
    problem = build_problem(gains, spec)
    points = np.random.default_rng(0).uniform(0.3, 2.0, (3, len(problem.hyper)))
    found = Marginal.build(problem, gaussian_data(problem)).log_likelihood(points)
    frame, x = gains.frame, problem.x - spec.law.centre
    same = (frame["model_family"].to_numpy()[:, None] == frame["model_family"].to_numpy()).astype(float)
    one = (frame["checkpoint"].to_numpy()[:, None] == frame["checkpoint"].to_numpy()).astype(float)
    sizes, at = np.unique(np.round(x, 9), return_inverse=True)
    smooth = same * without_level(np.exp(-np.abs(sizes[:, None] - sizes) / np.ptp(sizes)))[np.ix_(at, at)]
    from scipy.stats import multivariate_normal

    for point, ours in zip(points, found, strict=True):
        tau = dict(zip(problem.hyper, point, strict=True))
        total = (
            spec.priors["intercept"].scale ** 2
            + spec.priors["slope"].scale ** 2 * np.outer(x, x)
            + tau["tau_smooth"] ** 2 * smooth
            + tau["tau_checkpoint"] ** 2 * one
            + np.diag(frame["se"] ** 2 + tau["tau_residual"] ** 2)
        )
        assert ours == pytest.approx(multivariate_normal(np.zeros(len(x)), total).logpdf(problem.y), abs=1e-6)


def test_it_needs_five_sizes_in_a_family_and_a_slope() -> None:
    gains = effects(np.zeros(len(SIZES)))
    frame = gains.frame[["params", "model_family", "base_model", "task", "gain", "se"]]
    four = gl.gains_from_frame(frame[frame["params"].between(2e8, 2e10)])
    assert "smooth" in {term.name for term in specify(gains, law("linear")).terms}
    for asked, few in (("constant", gains), ("linear", four)):
        spec = specify(few, law(asked))
        assert "smooth" not in {term.name for term in spec.terms}
        assert "smooth" in {each.name for each in spec.dropped}
    assert "smooth" not in {term.name for term in specify(gains, law("linear"), exclude=["smooth"]).terms}


def test_many_sizes_are_held_by_few_parts() -> None:
    from gainlaw.model.spec.smooth import MOST, smooth_parts

    x = np.linspace(-1.0, 2.0, 40)
    groups, index, loading = smooth_parts(pd.DataFrame({"params": 1e9 * 10**x}), x)
    assert len(groups) == MOST
    np.testing.assert_array_equal(index, np.arange(40))
    whole = np.trace(without_level(np.exp(-np.abs(x[:, None] - x) / np.ptp(x))))
    assert np.sum(loading**2) > 0.9 * whole
    # The level of the ladder is that of the law.
    np.testing.assert_allclose(loading.sum(axis=0), 0.0, atol=1e-12)


def test_departures_of_neighbours_widen_the_slope_and_are_told() -> None:
    drift = 3.0 * np.array([-1.0, -1.0, 0.8, 1.0, 1.0, 0.9, -0.8, -1.0])
    options = {"draws": 500, "chains": 2, "seed": 1}
    with_smooth = gl.fit(effects(drift), **options)
    without = gl.fit(effects(drift), exclude=["smooth"], **options)
    for estimand, wider in (("slope", 1.0), ("gain", 1.1)):
        sds = [
            fit.summary("overall").query(f"estimand == '{estimand}'").iloc[0]["sd"]
            for fit in (with_smooth, without)
        ]
        assert sds[0] > wider * sds[1]
    notes = {check.name: check for check in without.diagnostics.checks}
    assert speaks(notes["neighbours"])
    assert "intervals are too narrow" in notes["neighbours"].text
    assert notes["neighbours"].passed is None


def test_a_bend_is_told_and_a_line_is_not() -> None:
    x = np.log10(np.array(SIZES) / 1e9)
    options = {"draws": 300, "chains": 2, "seed": 1}
    bent = gl.fit(effects(-2.0 * (x - 0.4) ** 2), **options)
    note = next(check for check in bent.diagnostics.checks if check.name == "bend")
    assert speaks(note)
    assert "One slope hides a bend" in note.text
    assert "without f0-2e+11 its slope is" in note.text
    straight = gl.fit(effects(0.5 * np.array([1.0, -1.0, 0.3, 0.6, -1.2, 0.4, 0.8, -0.6])), **options)
    assert not speaks(next(check for check in straight.diagnostics.checks if check.name == "bend"))


def test_a_new_checkpoint_departs_too() -> None:
    fit = gl.fit(
        effects(2.0 * np.array([-1.0, -0.5, 0.5, 1.0, 0.4, -0.5, -0.2, 0.3])), draws=300, chains=2, seed=1
    )
    mean, new = (fit.predict(3e9).set_index("kind").loc[kind, "sd"] for kind in ("mean", "new_checkpoint"))
    assert new > mean
