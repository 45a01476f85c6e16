"""Published meta-analyses whose effects have errors in common: both engines, quadrature, and REML.

- Periodontal disease, two outcomes a trial: Berkey et al. 1998, Statistics in Medicine 17(22), 2537-2550,
  doi:10.1002/(SICI)1097-0258(19981130)17:22<2537::AID-SIM953>3.0.CO;2-C. REML estimates with an unstructured
  covariance between trials: 0.3534 (probing depth) and -0.3392 (attachment level).
- Smoking cessation, three treatments in one trial against one control: Hasselblad 1998, Medical Decision Making 18(1),
  37-43, doi:10.1177/0272989X9801800110; the trials with a group without contact.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import gainlaw as gl
from gainlaw.fitting.point_null import point_null
from gainlaw.frequentist.mixed import fit_mixed
from gainlaw.model.gaussian.combinations import conditional_normals
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.spec.problem import build_problem, gaussian_data
from gainlaw.posterior.contrasts import WeightedEstimand
from test_point_null import AWAY, SE

PERIODONTAL = np.array([0.47, -0.32, 0.20, -0.60, 0.40, -0.12, 0.26, -0.31, 0.56, -0.39])
WITHIN = np.array([(75, 30, 77), (57, 9, 8), (21, 7, 14), (29, 9, 15), (148, 72, 304)]) / 1e4

# Trial, quitters and smokers without contact; quitters and smokers with one treatment.
SMOKING = np.array(
    [(1, 9, 140, 23, 140), (1, 9, 140, 10, 138), (3, 75, 731, 363, 714), (4, 2, 106, 9, 205), (5, 58, 549, 237, 1561),
     (6, 0, 33, 9, 48), (7, 3, 100, 31, 98), (8, 1, 31, 26, 95), (9, 6, 39, 17, 77), (10, 79, 702, 77, 694),
     (11, 18, 671, 21, 535), (12, 64, 642, 107, 761), (13, 5, 62, 8, 90), (14, 20, 234, 34, 237), (15, 0, 20, 9, 20),
     (16, 8, 116, 19, 149), (17, 95, 1107, 143, 1031), (18, 15, 187, 36, 504), (19, 78, 584, 73, 675),
     (20, 69, 1177, 54, 888)]
)  # fmt: skip

ENGINES = ("exact", "nuts")


def two_outcomes() -> tuple[gl.Gains, np.ndarray]:
    """Return the trials as gains: an outcome is a size, so that a trial's pair of effects has a line of its own."""
    whole = np.zeros((10, 10))
    for k, (a, b, c) in enumerate(WITHIN):
        whole[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = [[a, b], [b, c]]
    frame = pd.DataFrame(
        {
            "language": np.repeat(list("vwxyz"), 2),
            "params": np.tile([10**9, 10**10], 5),
            "gain": PERIODONTAL,
            "se": np.sqrt(np.diag(whole)),
        }
    )
    return gl.gains_from_frame(frame, scale="log_odds", covariance=whole), whole


def quantiles(scale: float, size: int) -> np.ndarray:
    """Return equally likely values of a half-normal sd."""
    return scale * norm.ppf(0.5 + (np.arange(size) + 0.5) / (2 * size))


def average(
    y: np.ndarray, X: np.ndarray, totals: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of coefficients, averaged over equally likely covariances of the data."""
    inverse = np.linalg.inv(totals)
    precision = X.T @ inverse @ X + np.diag(1.0 / prior**2)
    spread = np.linalg.inv(precision)
    means = np.einsum("kij,kj->ki", spread, X.T @ inverse @ y)
    quadratic = np.einsum("i,kij,j->k", y, inverse, y) - np.einsum("ki,kij,kj->k", means, precision, means)
    log_weight = -0.5 * (np.linalg.slogdet(totals)[1] + np.linalg.slogdet(precision)[1] + quadratic)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    mean = weight @ means
    away = means - mean
    return mean, np.einsum("k,kij->ij", weight, spread) + away.T @ (away * weight[:, None])


@pytest.fixture(scope="module")
def of_two_outcomes() -> tuple[np.ndarray, np.ndarray]:
    """Return posterior means and sds of both outcomes, by quadrature over the trials' sds and correlation."""
    _, whole = two_outcomes()
    first, second = quantiles(0.3, 40), quantiles(0.5, 40)
    rho = -1.0 + 2.0 * (np.arange(40) + 0.5) / 40
    a, b, r = (each.ravel() for each in np.meshgrid(first, second, rho, indexing="ij"))
    own = np.array([[a * a, r * a * b], [r * a * b, b * b]]).transpose(2, 0, 1)
    # Intercept and slope are those at the centre of the two sizes that stand for the outcomes.
    line = np.array([[1.0, -0.5], [1.0, 0.5]])
    own = line @ own @ line.T
    totals = np.tile(whole, (len(a), 1, 1))
    for k in range(5):
        totals[:, 2 * k : 2 * k + 2, 2 * k : 2 * k + 2] += own
    mean, spread = average(PERIODONTAL, np.tile(line, (5, 1)), totals, np.ones(2))
    return line @ mean, np.sqrt(np.diag(line @ spread @ line.T))


@pytest.mark.parametrize("engine", ENGINES)
def test_two_outcomes_a_trial(engine: str, of_two_outcomes: tuple[np.ndarray, np.ndarray]) -> None:
    mean, sd = of_two_outcomes
    gains, _ = two_outcomes()
    priors = {
        "intercept": "normal(0, 1)", "slope": "normal(0, 1)", "tau_language": "halfnormal(0.3)",
        "tau_language_slope": "halfnormal(0.5)", "rho_language": "lkj(1)",
    }  # fmt: skip
    fit = gl.fit(gains, terms=["language"], exclude=["residual"], priors=priors, engine=engine, draws=2000)
    assert fit.status == "ok"
    assert fit.record["engine"]["used"] == engine
    mu = fit.draws["posterior"]["mu"].to_numpy().reshape(-1, 2)
    found = np.stack([mu[:, 0] - 0.5 * mu[:, 1], mu[:, 0] + 0.5 * mu[:, 1]])
    np.testing.assert_allclose(found.mean(axis=1) / sd, mean / sd, atol=0.05)
    np.testing.assert_allclose(found.std(axis=1), sd, rtol=0.05)
    # The published REML estimates have no priors: these were made wide.
    np.testing.assert_allclose(found.mean(axis=1) / sd, np.array([0.3534, -0.3392]) / sd, atol=0.05)


def shared_control() -> tuple[gl.Gains, np.ndarray]:
    """Return the log odds ratios of the trials; those of a trial share the control group's error."""
    trial, k0, n0, k1, n1 = SMOKING.T.astype(float)
    add = 0.5 * (k0 == 0)
    effect = np.log((k1 + add) / (n1 - k1 + add)) - np.log((k0 + add) / (n0 - k0 + add))
    control = 1 / (k0 + add) + 1 / (n0 - k0 + add)
    variance = control + 1 / (k1 + add) + 1 / (n1 - k1 + add)
    frame = pd.DataFrame(
        {"base_model": [f"trial {t:.0f}" for t in trial], "gain": effect, "se": np.sqrt(variance)}
    ).assign(block=trial.astype(int), baseline_se=np.sqrt(control))
    return gl.gains_from_frame(frame, scale="log_odds"), trial


@pytest.mark.parametrize("engine", ENGINES)
def test_treatments_that_share_a_control(engine: str) -> None:
    gains, trial = shared_control()
    y, V = gains.frame["gain"].to_numpy(), gains.covariance.matrix()
    assert V[0, 1] == pytest.approx(1 / 9 + 1 / 131)
    same = (trial[:, None] == trial).astype(float)
    a, b = (each.ravel() for each in np.meshgrid(quantiles(1.0, 60), quantiles(1.0, 60), indexing="ij"))
    totals = V + a[:, None, None] ** 2 * same + b[:, None, None] ** 2 * np.eye(len(y))
    mean, spread = average(y, np.ones((len(y), 1)), totals, np.array([10.0]))
    sd = np.sqrt(spread[0, 0])
    priors = {
        "intercept": "normal(0, 10)", "tau_checkpoint": "halfnormal(1)", "tau_residual": "halfnormal(1)",
    }  # fmt: skip
    # The least known tail of the sampler has about one effective draw in fifteen.
    draws = 3000 if engine == "nuts" else 2000
    fit = gl.fit(gains, "constant", terms=["checkpoint"], priors=priors, engine=engine, draws=draws, tune=500)
    assert fit.status == "ok"
    assert fit.record["engine"]["used"] == engine
    mu = fit.draws["posterior"]["mu"].to_numpy().ravel()
    assert mu.mean() / sd == pytest.approx(mean[0] / sd, abs=0.05)
    assert mu.std() == pytest.approx(sd, rel=0.05)
    # REML takes its own variances for known: given these the mean and its sd are the same.
    reml = fit_mixed(
        y, np.ones(len(y)), [same[:, np.unique(trial, return_index=True)[1]]], S=gains.covariance
    )
    problem = build_problem(gains, fit.spec)
    point = np.sqrt(reml.variances)[None]
    weights = np.eye(1, problem.design.n_columns)
    _, centre, variance = conditional_normals(Marginal.build(problem, gaussian_data(problem)), point, weights)
    # The prior of sd 10 pulls by a thousandth of an sd.
    assert centre[0] == pytest.approx(reml.beta[0], abs=3e-3 * sd)
    assert variance[0] == pytest.approx(reml.covariance[0, 0], rel=1e-3)
    assert mu.mean() / sd == pytest.approx(reml.beta[0] / sd, abs=0.15)


def test_both_engines_have_the_same_point_nulls() -> None:
    """Two sds as in the test above, so that the sampler's model is compiled already."""
    frame = pd.DataFrame(
        {"task": list("abcdefgh") * 2, "gain": 4.5 + np.r_[AWAY, AWAY[::-1]], "se": np.tile(SE, 2)}
    )
    priors = {
        "intercept": "normal(0, 10)", "tau_task": "halfnormal(2)", "tau_residual": "halfnormal(1)",
    }  # fmt: skip
    exact, nuts = (
        gl.fit(gl.gains_from_frame(frame), "constant", priors=priors, engine=engine, draws=500, tune=300)
        for engine in ENGINES
    )
    for parts in (
        [WeightedEstimand("gain", population=True)],
        [WeightedEstimand("gain")],
        [WeightedEstimand("gain", group=(("task", "b"),))],
    ):
        a, b = (point_null(fit, parts) for fit in (exact, nuts))
        assert a.log_factor == pytest.approx(b.log_factor, abs=4 * np.hypot(a.log_error, b.log_error))
