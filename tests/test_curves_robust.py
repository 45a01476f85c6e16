"""Robust losses of curves: optima held against exact methods, errors against simulation; every law by every loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

import gainlaw as gl
from gainlaw.curves.estimate import STEEP, spread_starts
from gainlaw.curves.fit import CurveFit
from gainlaw.curves.kernels import problem as kernel
from gainlaw.curves.points import points_from_arrays
from gainlaw.figures.curves import plot_curves
from gainlaw.laws import LAWS, shaped
from gainlaw.laws.record import Law
from test_curves import TRUTH

OUTSIDE = gl.formula_law("c + a * exp(-r * x)", positive=["r"], start={"r": (0.1, 5.0)}, name="outside")
EVERY = {**LAWS, "outside": OUTSIDE}
TRUE = {**TRUTH, "outside": [1.0, 3.0, 0.8]}
# Laws that vary little over their variables, with less noise.
QUIETER = {"chinchilla": 0.1, "loss_accuracy": 0.1, "finetuning": 0.02, "language_mixture": 0.02}
# Distance to an optimum, relative to it, that counts as reaching it.
REACHED = 1e-8


def study(law: Law, n: int, sd: float, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return variables, numbers with normal or heavy-tailed noise, and the true parameters as searched for."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(-1.2, 1.1, n))
    variables = {"x": x, "N": 1e9 * 10.0**x, "z": np.arange(n) % 2.0, "log_n": np.log(1e9) + 2.0 * x}
    variables["log_d"] = rng.uniform(np.log(1e9), np.log(1e12), n)
    variables |= {
        "log_df": variables["log_d"] - 5.0,
        "log_dp": variables["log_d"],
        "p": rng.uniform(0.05, 1.0, n),
        "l": 2.4 - 0.9 * x,
    }
    kept = {name: variables[name] for name in (*law.variables, *(("N",) if law.variables == ("x",) else ()))}
    truth = law.searched(np.array(TRUE[law.name]))
    problem = kernel.set_up(law, points_from_arrays(kept, np.zeros(n)), "squared")
    noise = rng.standard_t(3, n) if seed % 2 else rng.normal(size=n)
    scale = QUIETER.get(law.name, 1.0) * sd
    return kept, kernel.predict(problem, truth)[0] + scale * noise, truth


def gap_by_duality(fit: CurveFit) -> float:
    """Return how far above the least a law that is linear in its parameters is at most, relative to it.

    Any u that is orthogonal to the columns of X and no larger than delta bounds Huber's loss from below by
    ``u'y - u'u / 2``, and the sum of absolute residuals, with delta 1, by ``u'y``.
    """
    slope, r = kernel.jacobian(fit.problem, fit.optimum.theta), -fit.residuals
    delta = fit.problem.setting[0] if fit.loss == "huber" else 1.0
    u = -np.clip(r, -delta, delta) if fit.loss == "huber" else _multipliers(slope, r)
    q = np.linalg.qr(slope)[0]
    u = u - q @ (q.T @ u)
    u = u * min(1.0, delta / np.abs(u).max())
    bound = u @ fit.points.y - (0.5 * u @ u if fit.loss == "huber" else 0.0)
    return fit.optimum.objective / bound - 1.0


def _multipliers(slope: np.ndarray, r: np.ndarray) -> np.ndarray:
    on = np.abs(r) < 1e-9
    u = np.where(on, 0.0, -np.sign(r))
    u[on] = np.linalg.lstsq(slope[on].T, -slope.T @ u, rcond=None)[0]
    return u


def test_the_example_that_stopped_short_reaches_the_optimum() -> None:
    sizes = [*(1e8 * 2.0 ** np.arange(10)), 1.02e11, 2.05e11]
    y = [9.1, 7.2, 6.3, 5.1, 4.4, 3.4, 3.1, 2.3, 2.2, 1.1, 9.0, -0.6]
    fit = gl.fit_curve(sizes, y, loss="huber", delta=0.1)
    assert fit.values["b"] == pytest.approx(-2.52186, abs=1e-5)
    assert fit.optimum.certified
    assert gap_by_duality(fit) < 1e-12
    assert 0.05 < fit.bootstrap(400).estimates["se"][1] < 1.0
    assert gl.assess_curve(fit, "slope < -3", draws=400).verdict != "supported"


@pytest.mark.parametrize("n", [8, 21, 200])
def test_linear_laws_reach_the_optimum_that_duality_and_linear_programming_prove(n: int) -> None:
    for seed in range(4):
        for name in ("constant", "linear"):
            variables, y, _ = study(EVERY[name], n, 0.3, seed)
            for delta in (1e-4, 1e-2, 1.0):
                fit = gl.fit_curve(variables, y, law=name, loss="huber", delta=delta)
                assert gap_by_duality(fit) < REACHED, (name, seed, delta)
            fit = gl.fit_curve(variables, y, law=name, loss="lad")
            assert fit.status == "ok"
            slope = kernel.jacobian(fit.problem, fit.optimum.theta)
            p = slope.shape[1]
            cost = np.concatenate([np.zeros(p), np.ones(2 * n)])
            equal = np.hstack([slope, np.eye(n), -np.eye(n)])
            bounds = [(None, None)] * p + [(0, None)] * (2 * n)
            exact = linprog(cost, A_eq=equal, b_eq=y, bounds=bounds, method="highs")
            assert fit.optimum.objective <= exact.fun * (1 + REACHED), (name, seed)


def reference(fit: CurveFit, truth: np.ndarray, seed: int, count: int) -> float:
    """Return the best proven optimum of long searches from random starts, the truth and the fit, and their squares."""
    problem = (
        fit.problem
        if fit.loss == "huber"
        else replace(fit.problem, setting=(1e-3 * fit.problem.setting[0], 0.0))
    )
    starts = spread_starts(problem, count, np.random.default_rng(seed))
    starts = np.concatenate([starts, truth[None], fit.optimum.theta[None]])
    theta, report = kernel.refit(
        problem, np.concatenate([starts, kernel.refit(problem.unweighted, starts)[0]]), steps=2000
    )
    proven = report[:, 1] <= STEEP
    if fit.loss == "huber":
        return float(report[proven, 0].min(initial=np.inf))
    return min(
        (float(np.abs(kernel.residuals(problem, each)).sum()) for each in theta[proven]), default=np.inf
    )


def misses(law: Law, seed: int, count: int, most: int) -> list[tuple[object, ...]]:
    """Fit one random study by both losses; return what neither reached a proven optimum nor is said to have failed."""
    rng = np.random.default_rng(seed + 10_000)
    p = len(law.parameters)
    n = int(np.exp(rng.uniform(np.log(max(8, p + 2)), np.log(most))))
    delta, sd = 10.0 ** rng.uniform(-4, 0), 10.0 ** rng.uniform(-2, 0)
    variables, y, truth = study(law, n, sd, seed)
    found = []
    for loss in ("huber", "lad"):
        fit = gl.fit_curve(
            variables, y, law=law, loss=loss, delta=delta if loss == "huber" else None, seed=seed
        )
        best = reference(fit, truth, seed, count)
        short = fit.optimum.objective / best - 1.0
        few = fit.optimum.agreeing < min(3, fit.optimum.converged)
        if fit.optimum.certified and short > REACHED:
            found.append((law.name, loss, seed, n, delta, sd, short, fit.optimum.agreeing, few))
    return found


@pytest.mark.parametrize("name", sorted(EVERY))
def test_huber_and_lad_reach_proven_optima_of_every_law(name: str) -> None:
    """Up to 40 points against a dozen searches; the 300 studies below have up to 200 and 96."""
    for seed in (1, 2):  # heavy-tailed noise and normal
        assert not misses(EVERY[name], seed, 12, 40)


@pytest.mark.calibration
def test_huber_and_lad_reach_proven_optima_in_300_studies() -> None:
    """All laws in turn; one study in a hundred may end in another proven optimum than the best of 200 searches."""
    names = sorted(EVERY)
    found = [miss for seed in range(300) for miss in misses(EVERY[names[seed % len(names)]], seed, 96, 200)]
    print(f"{len(found)} of 600 fits neither at the best proven optimum nor failed", found)
    assert len(found) <= 6


@pytest.mark.parametrize(("loss", "delta"), [("lad", None), ("huber", None), ("huber", 1e-3)])
def test_errors_are_the_spread_of_estimates_over_studies(loss: str, delta: float | None) -> None:
    """150 studies of 20 points; the spread is known to 6%, and mean errors of such studies to about as much."""
    sizes = np.geomspace(1e8, 1e10, 20)
    x = np.log10(sizes / 1e9)
    estimates, delta_method, resampled = [], [], []
    for seed in range(150):
        y = 2.0 - x + 0.3 * np.random.default_rng(seed).normal(size=20)
        fit = gl.fit_curve(sizes, y, loss=loss, delta=delta, starts=2)
        estimates.append(fit.values["b"])
        delta_method.append(fit.estimates["se"][1])
        resampled.append(fit.bootstrap(100, kind="smooth").estimates["se"][1])
    spread = np.std(estimates)
    assert np.mean(delta_method) == pytest.approx(spread, rel=0.2)
    assert np.mean(resampled) == pytest.approx(spread, rel=0.2)


@pytest.mark.parametrize(("loss", "delta"), [("lad", None), ("huber", None), ("huber", 1e-2)])
def test_errors_hold_where_the_spread_differs_from_size_to_size(loss: str, delta: float | None) -> None:
    """100 studies of 60 points whose noise grows towards both ends: errors of one distribution would be 30% short."""
    x = np.linspace(-1, 1, 60)
    estimates, delta_method, resampled = [], [], []
    for seed in range(100):
        y = 2.0 - x + (0.1 + 0.5 * np.abs(x)) * np.random.default_rng(seed).normal(size=60)
        fit = gl.fit_curve(1e9 * 10**x, y, loss=loss, delta=delta, starts=2)
        estimates.append(fit.values["b"])
        delta_method.append(fit.estimates["se"][1])
        resampled.append(fit.bootstrap(60).estimates["se"][1])
    assert np.mean(delta_method) == pytest.approx(np.std(estimates), rel=0.2)
    assert np.mean(resampled) == pytest.approx(np.std(estimates), rel=0.25)


@pytest.mark.calibration
@pytest.mark.parametrize(("law", "name", "truth"), [("linear", "b", -1.0), ("offset_power", "r", 0.6)])
@pytest.mark.parametrize(("loss", "delta"), [("lad", None), ("huber", None), ("huber", 0.03)])
@pytest.mark.parametrize("n", [10, 24, 80])
def test_bootstrap_intervals_cover(
    law: str, name: str, truth: float, loss: str, delta: float | None, n: int
) -> None:
    """300 studies, half of them heavy-tailed; the limits are 92 and 98% with two errors of a share of 300."""
    x = np.linspace(-1.1, 1.0, n)
    mean = 2.0 - x if law == "linear" else 2.0 + 3.0 * 10 ** (-0.6 * x)
    covered = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        noise = rng.standard_t(3, n) if seed % 2 else rng.normal(size=n)
        fit = gl.fit_curve(
            1e9 * 10**x, mean + 0.15 * noise, law=law, loss=loss, delta=delta, starts=4, seed=seed
        )
        low, high = fit.bootstrap(500).estimates.set_index("parameter").loc[name, ["low", "high"]]
        covered += low <= truth <= high
    print(f"{law} {loss} delta={delta} n={n}: {covered / 300:.1%} of 95% intervals hold {name}")
    assert 0.92 - 0.03 <= covered / 300 <= 0.98 + 0.015


@pytest.mark.parametrize("loss", kernel.LOSSES)
@pytest.mark.parametrize("name", sorted(EVERY))
def test_every_law_by_every_loss_has_every_exhibit_or_a_message(name: str, loss: str) -> None:
    """Estimates, predictions, findings, resamples and figures; what does not apply is an InputError, nothing else."""
    law = EVERY[name]
    variables, y, _ = study(law, 14, 0.05, 5)
    options: dict[str, object] = {}
    if loss in ("binomial", "beta_binomial"):
        y, options = np.round(200 * (y - y.min() + 0.1) / (np.ptp(y) + 0.3)), {"trials": 200}
    if loss == "gls":
        options = {"se": np.full(len(y), 0.05)}
    fit = _allowed(lambda: gl.fit_curve(variables, y, law=law, loss=loss, starts=4, **options))
    if fit is None:
        assert loss in ("binomial", "beta_binomial")
        return
    assert fit.status in ("ok", "failed")
    assert len(fit.estimates) == len(law.parameters)
    at = {key: each[:2] for key, each in variables.items()}
    assert len(fit.predict(at)) == 2
    _allowed(lambda: fit.bootstrap(10).curve(at))
    _allowed(lambda: fit.profile(law.parameters[0].name, points=5))
    drawn = _allowed(lambda: plot_curves([fit]))
    assert (drawn is not None) == (law.variables == ("x",))
    judged = _allowed(lambda: gl.assess_curve(fit, "slope < 0", draws=20))
    assert judged is None or (judged.verdict == "untested") == (fit.status == "failed")


def _allowed(run):
    try:
        return run()
    except gl.InputError:
        return None


def test_variables_of_ones_own_named_like_sizes_have_findings() -> None:
    rng = np.random.default_rng(0)
    n, d = rng.uniform(1, 10, 30), rng.uniform(1, 10, 30)
    law = gl.formula_law("a + b / N + c / D", variables=("N", "D"))
    fit = gl.fit_curve({"N": n, "D": d}, 1.0 + 2.0 / n + 3.0 / d + 0.01 * rng.normal(size=30), law=law)
    assert fit.status == "ok"
    assert len(fit.bootstrap(20).curve({"N": [2.0], "D": [3.0]})) == 1
    for refused in (
        fit.slope,
        lambda: plot_curves([fit]),
        lambda: gl.assess_curve(fit, "slope < 0", draws=20),
    ):
        with pytest.raises(gl.InputError, match="not one of size alone"):
            refused()


def test_stalled_and_lesser_searches_are_told_apart() -> None:
    x = np.linspace(-1, 1, 40)
    y = np.sin(9.0 * x + 0.4) + 0.02 * np.random.default_rng(1).normal(size=40)
    law = gl.formula_law("sin(w * x + f)", start={"w": (0.0, 60.0), "f": (-3.0, 3.0)})
    fit = gl.fit_curve({"x": x}, y, law=law, starts=2)
    best = fit.optimum
    assert best.agreeing <= best.converged <= best.starts
    found = [each.message for each in fit.findings if each.check == "starts"]
    assert bool(found) == (best.agreeing < min(3, best.converged))
    runaway = gl.fit_curve({"x": x}, (x > 0.3).astype(float), law="logistic")
    assert runaway.status == "failed"
    assert [each.check for each in runaway.findings if each.failed] == ["optimum"]


def test_known_errors_are_used_or_refused() -> None:
    sizes, y, se = np.geomspace(1e8, 1e10, 6), [9.0, 7.1, 6.2, 4.9, 4.3, 3.3], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    fit = gl.fit_curve(sizes, y, se=se)
    assert fit.loss == "gls"
    whole = gl.fit_curve(sizes, y, covariance=np.diag(np.square(se)))
    for column in ("estimate", "se", "low"):
        np.testing.assert_allclose(fit.estimates[column], whole.estimates[column], rtol=1e-8)
    for loss in ("squared", "huber", "lad", "student_t"):
        with pytest.raises(gl.InputError, match="does not use the known errors"):
            gl.fit_curve(sizes, y, se=se, loss=loss)
    with pytest.raises(gl.InputError, match="both se and a covariance"):
        gl.fit_curve(sizes, y, se=se, covariance=np.eye(6))


def test_a_hundred_thousand_points_with_errors_are_fitted_and_examined() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 100_000)
    fit = gl.fit_curve(
        1e9 * 10**x, 3.0 - x + 0.1 * rng.normal(size=len(x)), se=np.full(len(x), 0.1), starts=2
    )
    assert fit.points.covariance.shape == (100_000,)
    assert fit.status == "ok"
    assert fit.values["b"] == pytest.approx(-1.0, abs=0.01)
    assert len(fit.bootstrap(4, kind="pairs").theta) == 4


def test_laws_text_sizes_series_and_masks() -> None:
    sizes, y = ["100M", "560M", "1B", "7B", "13B", "70B"], [9.0, 7.1, 6.2, 4.9, 4.3, 3.3]
    fit = gl.fit_curve(sizes, y, law=gl.law("linear"))
    np.testing.assert_array_equal(fit.points.variables["N"], [1e8, 5.6e8, 1e9, 7e9, 1.3e10, 7e10])
    assert fit.predict("30B")["gain"].iloc[0] == fit.predict(3e10)["gain"].iloc[0]
    for name in shaped():
        if LAWS[name].variables == ("x",):
            assert gl.fit_curve(sizes, y, law=gl.law(name), starts=2).law.name == name
    from gainlaw.curves.kernels import newton

    gl.fit_curve(np.geomspace(1e8, 1e10, 12), y * 2).bootstrap(5)
    compiled = len(newton.fit_many.signatures)
    series = pd.Series(np.geomspace(1e8, 1e10, 12)[::-1])
    for kind in ("pairs", "wild"):
        gl.fit_curve(series, pd.Series(y * 2), groups=pd.Series(list("abcdefghijkl"))).bootstrap(5, kind=kind)
    assert len(newton.fit_many.signatures) == compiled
    masked = np.ma.masked_array(y, mask=[False, True, False, False, False, True])
    with pytest.raises(gl.InputError, match="points 2, 6"):
        gl.fit_curve(sizes, masked)
    with pytest.raises(gl.InputError, match="'7Q'"):
        gl.fit_curve([*sizes[:-1], "7Q"], y)


SIX, SIZES = [9.0, 7.1, 6.2, 4.9, 4.3, 3.3], np.geomspace(1e8, 1e10, 6)


@pytest.mark.parametrize(
    "call",
    [
        lambda: gl.fit_curve([[1, 2], [3]], SIX),
        lambda: gl.fit_curve(SIZES, ["a"] * 6),
        lambda: gl.fit_curve(SIZES, SIX, law=3),
        lambda: gl.fit_curve(SIZES, SIX, se="x"),
        lambda: gl.fit_curve(SIZES, SIX, se=[0.1] * 5),
        lambda: gl.fit_curve(SIZES, SIX, covariance=np.eye(5)),
        lambda: gl.fit_curve(SIZES, SIX, covariance=-np.eye(6)),
        lambda: gl.fit_curve(SIZES, SIX, covariance=np.triu(np.ones((6, 6)))),
        lambda: gl.fit_curve(SIZES, SIX, trials=[1, 2], loss="binomial"),
        lambda: gl.fit_curve(SIZES, SIX, loss="huber", delta=float("nan")),
        lambda: gl.fit_curve(SIZES, SIX, loss="huber", delta="x"),
        lambda: gl.fit_curve(SIZES, SIX, loss="student_t", nu=float("inf")),
        lambda: gl.fit_curve(SIZES, SIX, seed=-1),
        lambda: gl.fit_curve(SIZES, SIX, starts=2.5),
        lambda: gl.fit_curve(SIZES, SIX, ci_prob="x"),
        lambda: gl.fit_curve(SIZES, SIX, start={"a": "x", "b": 1.0}),
        lambda: gl.fit_curve(SIZES, SIX, start={"a": 1.0, "b": float("nan")}),
        lambda: gl.fit_curve(SIZES, SIX, groups=5),
        lambda: gl.fit_curve({"x": [1.0, 2.0], "y": [1.0]}, [1.0, 2.0]),
        lambda: gl.fit_curve({}, SIX),
        lambda: gl.fit_curve(SIZES, SIX).predict({"x": [1.0], "N": [1.0, 2.0]}),
        lambda: gl.fit_curve(SIZES, SIX).predict("x"),
        lambda: gl.fit_curve(SIZES, SIX).predict({"z": [1.0]}),
        lambda: gl.fit_curve(SIZES, SIX).bootstrap(10, kind="smooth"),
        lambda: gl.fit_curve(SIZES, SIX).bootstrap(1.5),
        lambda: gl.fit_curve(SIZES, SIX).profile("b", points=0),
        lambda: gl.fit_curve(SIZES, SIX, loss="lad").bootstrap(10, kind="wild"),
        lambda: gl.fit_curve(SIZES, SIX, loss="lad").profile("b"),
        lambda: plot_curves([]),
        lambda: plot_curves([gl.fit_curve(SIZES, SIX)], points=0),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_an_input_error(call) -> None:
    with pytest.raises(gl.InputError):
        call()
