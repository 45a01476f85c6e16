"""Heterogeneity: the typical sampling variance, tau squared and I squared, against published numbers and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.posterior.heterogeneity import heterogeneity, typical_variance
from gainlaw.scores.gains.covariance import BlockCovariance


def test_typical_variance_is_that_of_higgins_and_thompson() -> None:
    """Equation 9 of Higgins and Thompson 2002: (k - 1) sum w / ((sum w)^2 - sum w^2)."""
    variance = np.array([0.3, 1.2, 0.8, 2.0, 0.1])
    w = 1 / variance
    expected = 4 * w.sum() / (w.sum() ** 2 - (w**2).sum())
    assert typical_variance(BlockCovariance(variance), np.ones((5, 1))) == pytest.approx(expected, rel=1e-12)


def test_the_bcg_trials_have_their_published_heterogeneity() -> None:
    """Log risk ratios of 13 trials (Colditz et al. 1994): tau^2 0.3132 by REML is I^2 92.22% (metafor, dat.bcg)."""
    from test_frequentist import BCG

    sampling = typical_variance(BlockCovariance(BCG[:, 2]), np.ones((13, 1)))
    assert 100 * 0.3132 / (0.3132 + sampling) == pytest.approx(92.22, abs=0.01)


def test_shared_errors_and_a_slope_enter_as_the_matrices_say() -> None:
    rng = np.random.default_rng(3)
    block = np.array([[2.0, 0.7, 0.4], [0.7, 1.5, 0.3], [0.4, 0.3, 1.1]])
    variance = np.concatenate([np.diag(block), rng.uniform(0.5, 2.0, 4)])
    covariance = BlockCovariance(variance, ((np.arange(3), block),))
    X = np.column_stack([np.ones(7), rng.normal(size=7)])
    V = np.linalg.inv(covariance.matrix())
    P = V - V @ X @ np.linalg.inv(X.T @ V @ X) @ X.T @ V
    assert typical_variance(covariance, X) == pytest.approx(5 / np.trace(P), rel=1e-10)


def test_no_spread_of_its_own_for_rows_without_error() -> None:
    assert np.isnan(typical_variance(BlockCovariance(np.array([0.0, 1.0, 1.0])), np.ones((3, 1))))


@pytest.fixture(scope="module")
def fit() -> gl.Fit:
    evals = gl.load_dataset("bloomz", intermediates="xP3").select(task=["xcopa", "xwinograd"])
    return gl.fit(evals, draws=300)


def test_terms_add_up_by_hand(fit: gl.Fit) -> None:
    found = heterogeneity(fit).set_index("term")
    draws = fit.draws["posterior"]
    x = fit.problem.x
    h = fit.law.shape(x, None)
    for term in ("task", "language_family"):
        level, slope = (draws[f"tau_{term}{end}"].to_numpy().ravel() for end in ("", "_slope"))
        rho = draws[f"rho_{term}"].to_numpy().ravel() if f"rho_{term}" in draws else 0.0
        by_hand = level**2 + 2 * rho * level * slope * h.mean() + slope**2 * (h**2).mean()
        assert found.loc[term, "tau2"] == pytest.approx(np.median(by_hand), rel=1e-9)
    residual = draws["tau_residual"].to_numpy().ravel() ** 2
    assert found.loc["residual", "tau2"] == pytest.approx(np.median(residual), rel=1e-9)
    assert ((found["i2"] > 0) & (found["i2"] < 1)).all()
    assert found.loc["total", "i2"] == found["i2"].max()


def test_a_known_spread_is_found() -> None:
    """200 studies with a spread of 3 and errors of 2: tau^2 is 9, and I^2 9 / 13."""
    rng = np.random.default_rng(11)
    frame = pd.DataFrame({"gain": rng.normal(5.0, 3.0, 200) + rng.normal(0.0, 2.0, 200), "se": 2.0})
    frame["task"] = [f"t{k}" for k in range(200)]
    found = heterogeneity(gl.fit(frame, "constant", draws=500)).set_index("term").loc["total"]
    assert found["tau2_low"] < 9.0 < found["tau2_high"]
    assert found["i2_low"] < 9 / 13 < found["i2_high"]
    assert found["sampling_variance"] == pytest.approx(4.0)


def test_a_model_of_scores_has_none(fit: gl.Fit) -> None:
    few = fit.gains.subset((fit.gains.frame["language"] == "zh").to_numpy())
    joint = gl.fit(few, draws=100, tune=100, baselines="hierarchical")
    with pytest.raises(gl.InputError, match="rows of this model are scores"):
        joint.heterogeneity()


def test_the_table_says_what_the_numbers_mean(fit: gl.Fit) -> None:
    table = fit.table("heterogeneity")
    assert table.cells()[-1][0] == "total"
    assert "10.1002/sim.1186" in table.to_markdown()
    table.to_latex()
