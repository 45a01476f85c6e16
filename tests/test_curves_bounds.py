"""Bounds of parameters: every law by every loss against fits with the parameter fixed there, errors, faults, words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from conftest import Cli
from gainlaw.curves.fit import CurveFit
from gainlaw.curves.points import CurvePoints, points_from_arrays
from gainlaw.curves.tying import fit_tied
from gainlaw.laws.changed import bounded, fixed
from gainlaw.laws.record import Law, read_law
from test_curves_robust import EVERY, study

LOSSES = ("squared", "gls", "covariance", "huber", "lad", "student_t", "binomial", "beta_binomial")
# How much more a bounded fit may lose than one that it cannot be worse than, where valleys run on without end.
SLACK = 1e-5


def posed(law: Law, loss: str, seed: int, n: int = 40) -> tuple[Law, CurvePoints, dict[str, str]]:
    """Return a law, points that it made, and the options of a loss; of counts the law is within a logistic one."""
    variables, y, _ = study(law, n, 0.05, 2 * seed)
    rng = np.random.default_rng(seed)
    if loss in ("binomial", "beta_binomial"):
        centred = f"logistic(({law.formula} - {y.mean():.4f}) / {max(y.std(), 0.5):.4f})"
        shares = 1.0 / (1.0 + np.exp(-(y - y.mean()) / max(y.std(), 0.5)))
        counts = rng.binomial(400, shares).astype(float)
        law = replace(law, formula=centred, shape=None)
        return law, points_from_arrays(variables, counts, trials=400.0), {"loss": loss}
    known: dict[str, np.ndarray] = {}
    if loss == "gls":
        known["se"] = rng.uniform(0.5, 2.0, n)
    if loss == "covariance":
        known["covariance"] = 0.3 * np.ones((n, n)) + np.diag(rng.uniform(0.5, 2.0, n))
    return law, points_from_arrays(variables, y, **known), {} if known else {"loss": loss}


def least(fit: CurveFit) -> float:
    """Return what a loss is minimised over, whatever scale each fit found for it."""
    if fit.loss == "student_t":
        scale = fit.problem.setting[1]
        return fit.optimum.objective + len(fit.points) * float(np.log(scale))
    return fit.optimum.objective


def keeps(name: str, loss: str, which: list[int] | None) -> None:
    """Bound parameters of a law beyond their estimates; the fits are held against those with the parameter fixed."""
    law, points, options = posed(EVERY[name], loss, 1)
    free = gl.fit_curve(points, law=law, starts=8, **options)
    setting = {"delta": free.problem.setting[0]} if loss == "huber" else {}
    for k, each in enumerate(law.parameters):
        if which is not None and k not in which:
            continue
        value = free.values[each.name]
        step = 0.2 * abs(value) + 0.02
        wide = {each.name: (value - 100.0 * step, value + 100.0 * step)}
        same = gl.fit_curve(points, law=law, starts=8, bounds=wide, **options)
        assert same.optimum.theta.tobytes() == free.optimum.theta.tobytes()
        edge = value + step
        fit = gl.fit_curve(points, law=law, starts=8, bounds={each.name: (edge, None)}, **options, **setting)
        assert (fit.optimum.theta >= fit.law.bounds[0]).all()
        assert fit.values[each.name] >= edge
        assert (fit.held[k] == "lower") == (fit.values[each.name] == edge)
        if fit.status != "ok":
            continue
        if len(law.parameters) > 1:
            other = gl.fit_curve(points, law=fixed(law, {each.name: edge}), starts=8, **options, **setting)
            assert least(fit) <= least(other) + SLACK * abs(least(other)), each.name
        if fit.held[k]:
            row = fit.estimates.iloc[k]
            assert np.isnan(row["se"])
            assert np.isnan(row["low"]) or (row["low"] == edge and row["high"] > edge), row


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", sorted(EVERY))
def test_every_law_keeps_a_bound_by_every_loss(name: str, loss: str) -> None:
    keeps(name, loss, [LOSSES.index(loss) % len(EVERY[name].parameters)])


@pytest.mark.calibration
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", sorted(EVERY))
def test_every_law_keeps_every_bound_by_every_loss(name: str, loss: str) -> None:
    keeps(name, loss, None)


def line(seed: int, slope: float, n: int = 20, sd: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Return positions from -1 to 1 and numbers on a line with noise; its slope has a standard error of about 0.11."""
    x = np.linspace(-1.0, 1.0, n)
    return x, 1.0 + slope * x + sd * np.random.default_rng(seed).standard_normal(n)


def test_a_line_at_its_bound_is_the_mean_of_what_is_left() -> None:
    x, y = line(0, 0.5)
    fit = gl.fit_curve({"x": x}, y, law="a + b * x", bounds={"b": (None, 0.0)})
    assert fit.values["b"] == 0.0
    assert fit.values["a"] == pytest.approx(y.mean(), rel=1e-12)
    rows = fit.estimates.set_index("parameter")
    spread = np.sqrt(((y - y.mean()) ** 2).sum() / 18)
    assert rows.loc["a", "se"] == pytest.approx(spread / np.sqrt(20.0))
    assert rows.loc["b", "bound"] == "upper"
    assert rows.loc["b", "low"] == pytest.approx(-fit.limit * spread / np.sqrt((x**2).sum()))
    assert rows.loc["b", "high"] == 0.0
    assert "b stands at its upper bound 0" in fit.findings[0].message
    assert fit.status == "ok"
    alone = gl.fit_curve({"x": x}, y, law="a + b * x", bounds={"b": (-5.0, 5.0)})
    assert (alone.estimates["bound"] == "").all()
    assert alone.findings == gl.fit_curve({"x": x}, y, law="a + b * x").findings


def test_least_absolute_deviation_at_bounds_is_that_of_linear_programming() -> None:
    from scipy.optimize import linprog

    for seed in range(8):
        x, y = line(seed, 0.5, n=15)
        ends = [(0.9, 1.1), (None, 0.3)] if seed % 2 else [(None, 0.8), (0.1, 0.2)]
        fit = gl.fit_curve(
            {"x": x}, y, law="a + b * x", loss="lad", bounds=dict(zip("ab", ends, strict=True))
        )
        equal = np.hstack([np.column_stack([np.ones(15), x]), np.eye(15), -np.eye(15)])
        cost = np.concatenate([np.zeros(2), np.ones(30)])
        exact = linprog(cost, A_eq=equal, b_eq=y, bounds=[*ends, *[(0, None)] * 30], method="highs")
        assert fit.optimum.objective == pytest.approx(exact.fun, rel=1e-9)
        assert fit.optimum.certified


def test_refits_profiles_and_claims_keep_the_bounds() -> None:
    x, y = line(1, 0.5)
    for loss in ("squared", "huber", "lad", "student_t"):
        fit = gl.fit_curve({"x": x}, y, law="a + b * x", loss=loss, bounds={"b": (0.45, 0.6)})
        drawn = fit.bootstrap(300)
        assert (drawn.theta[:, 1] >= 0.45).all()
        assert (drawn.theta[:, 1] <= 0.6).all()
        at = drawn.estimates.set_index("parameter").loc["b", "at_bound"]
        assert at == np.isin(drawn.theta[:, 1], [0.45, 0.6]).mean() > 0.1
    free = gl.fit_curve({"x": x}, y, law="a + b * x").profile("b")
    half = gl.fit_curve({"x": x}, y, law="a + b * x", bounds={"b": (None, 0.5)}).profile("b")
    assert (half.low, half.high) == (pytest.approx(free.low, rel=1e-6), 0.5)
    assert half.frame["b"].max() == 0.5
    at = gl.fit_curve({"x": x}, y, law="a + b * x", bounds={"b": (None, 0.2)})
    assert (at.profile("b").high, at.profile("b").bounded) == (0.2, True)
    assert gl.assess_curve(at, "b < 0.1", draws=200).verdict == "refuted"
    with pytest.raises(gl.InputError, match="true whatever the data say"):
        gl.assess_curve(at, "b < 0.3")
    narrow = gl.fit_curve({"x": x}, y, law="a + b * x", bounds={"b": (0.4, 0.42)})
    assert any("is that of its bounds" in each.message for each in narrow.findings)


def test_a_number_that_is_a_parameter_in_other_words_has_its_one_sided_interval() -> None:
    law, points, _ = posed(EVERY["chinchilla"], "squared", 3)
    fit = gl.fit_curve(points, law=law, bounds={"e": (0.7, None)})
    own, said = fit.estimates.set_index("parameter").loc["e"], fit.derived.set_index("parameter")
    assert own["bound"] == said.loc["E", "bound"] == "lower"
    np.testing.assert_allclose([said.loc["E", "low"], said.loc["E", "high"]], np.exp([0.7, own["high"]]))
    assert (said["bound"] == "").sum() == 2


@pytest.mark.parametrize(
    ("law", "bounds", "message"),
    [
        ("linear", {"q": (0, 1)}, "no parameter q of the law linear; it has a, b"),
        ("linear", {"b": (1, 0)}, "the bounds of b cross: 1 is more than 0"),
        ("linear", {"b": (1, 1)}, "both 1; fix it there"),
        ("linear", {"b": (None, None)}, "bounded on neither side"),
        ("linear", {"b": 3}, "the bounds of b are 3"),
        ("linear", {"b": (0, 1, 2)}, "the least and the largest value"),
        ("linear", {"b": (float("nan"), 1)}, "the least and the largest value"),
        ("linear", {"b": (float("inf"), None)}, "the least and the largest value"),
        ("linear", {"b": ("0", None)}, "the least and the largest value"),
        ("power", {"r": (-1, 0)}, ""),
        ("offset_power", {"r": (None, 0)}, "r of the law offset_power is positive, and bounded to 0 or less"),
    ],
    ids=str,
)
def test_bounds_that_cannot_be_are_refused(law: str, bounds: dict, message: str) -> None:
    if not message:
        assert bounded(gl.law(law), bounds).parameters[1].high == 0
        return
    with pytest.raises(gl.InputError, match=message):
        bounded(gl.law(law), bounds)


def test_bounds_and_what_else_is_known_of_a_law_go_together_or_are_refused_at_once() -> None:
    law = bounded(gl.law("offset_power"), {"c": (0.0, 1.0), "r": (None, 2.0)})
    assert law.name == "offset_power, 0 <= c <= 1, r <= 2"
    assert read_law(law.record()) == law
    assert law.limits[0].tolist() == [0.0, -np.inf, 0.0]
    assert bounded(law, {}) is law
    assert fixed(law, {"c": 0.5}).parameters[1].high == 2.0
    with pytest.raises(gl.InputError, match="c is fixed at 2, outside its bounds 0 <= c <= 1"):
        fixed(law, {"c": 2.0})
    with pytest.raises(gl.InputError) as refused:
        bounded(gl.law("linear"), {"q": (0, 1), "a": (2, 1), "b": (3, 3)})
    assert len(refused.value.problems) == 3
    x, y = line(2, 0.5)
    with pytest.raises(gl.InputError, match="start has b outside the bounds"):
        gl.fit_curve({"x": x}, y, law="a + b * x", bounds={"b": (None, 0.4)}, start={"a": 1.0, "b": 0.5})


def test_bounds_hold_for_curves_that_share_parameters() -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"size": np.tile(np.geomspace(1e8, 1e10, 12), 2), "team": np.repeat(["red", "blue"], 12)}
    )
    red = frame["team"].eq("red")
    x = np.log10(frame["size"] / 1e9)
    frame["score"] = np.where(red, 2.0, -1.0) + 1.5 * x + 0.1 * rng.standard_normal(24)
    curves = gl.curve_points(frame, "score", "size", "linear", by=["team"])
    fit = fit_tied(curves, "linear", ["b"], bounds={"a": (0.0, None), "b": (None, 5.0)})
    assert fit.values["a_blue"] == 0.0
    assert fit.held.tolist() == ["", "lower", ""]
    blue, both = x[~red], np.concatenate([x[red] - x[red].mean(), x[~red]])
    left = np.concatenate([frame["score"][red] - frame["score"][red].mean(), frame["score"][~red]])
    assert fit.values["b"] == pytest.approx((both * left).sum() / (both**2).sum(), rel=1e-9)
    assert len(blue) == 12


def test_the_command_takes_bounds(cli: Cli, tmp_path) -> None:
    rng = np.random.default_rng(4)
    size = np.tile(np.geomspace(1e8, 1e10, 12), 2)
    frame = pd.DataFrame({"size": size, "team": np.repeat(["red", "blue"], 12)})
    frame["score"] = 5.0 * (size / 1e9) ** -0.4 + 0.05 * rng.standard_normal(24)
    frame.to_csv(tmp_path / "scores.csv", index=False)
    asked = ["curve", tmp_path / "scores.csv", "--y", "score", "--x", "size", "--by", "team"]
    shown = cli(
        *asked, "--law", "offset_power", "--bound", "c=0.5:", "--bound", "r=:3", "-o", tmp_path / "out"
    )
    assert shown.code == 0, shown.err
    assert "c stands at its lower bound 0.5" in shown.err
    assert "At bound" in shown.out
    written = pd.read_csv(tmp_path / "out" / "curve_parameters.csv")
    assert written["bound"].dropna().tolist() == ["lower", "lower"]
    shared = cli(*asked, "--law", "offset_power", "--bound", "c=0.5:", "--share", "c,r")
    assert (shared.code, "c stands at its lower bound 0.5" in shared.err) == (0, True), shared.err
    for options, words in (
        (["--bound", "c=0.5"], ["--bound c=0.5: no bounds"]),
        (
            ["--bound", "c=0:nan", "--bound", "r=x:"],
            ["--bound c=0:nan: no bounds", "--bound r=x:: no bounds"],
        ),
        (
            ["--bound", "c=1:0", "--bound", "q=0:", "--bound", "r=:-1"],
            ["cross", "no parameter q", "is positive"],
        ),
        (["--bound", "c=0:1", "--fix", "c=2"], ["c is fixed at 2, outside its bounds 0 <= c <= 1"]),
        (["--bound", "c=0:", "--bound", "c=:1"], ["c is given twice"]),
    ):
        refused = cli(*asked, "--law", "offset_power", *options)
        assert refused.code == 2
        for each in words:
            assert each in refused.err, refused.err
    gains = cli(
        "curve", "dataset:bloomz", "--where", "intermediate=xP3", "--law", "linear", "--bound", "b=:0"
    )
    assert (gains.code, "b stands at its upper bound 0" in gains.err) == (0, True), gains.err


@pytest.mark.calibration
@pytest.mark.parametrize("slope", [0.0, 0.1, 0.2, 0.5])
@pytest.mark.parametrize("method", ["delta", "pairs"])
def test_intervals_next_to_a_bound_cover(slope: float, method: str) -> None:
    """400 studies of 20 points, the slope bounded at 0, 0 to 4.5 standard errors from it; the other is the line's 1."""
    held = {"a": 0, "b": 0, "at 0.8": 0}
    for seed in range(400):
        x, y = line(5000 + seed, slope)
        fit = gl.fit_curve({"x": x}, y, law="a + b * x", bounds={"b": (0.0, None)}, starts=4)
        made = fit if method == "delta" else fit.bootstrap(1000)
        rows = made.estimates.set_index("parameter")
        there = (fit.predict({"x": [0.8]}) if method == "delta" else made.curve({"x": [0.8]})).iloc[0]
        held["a"] += rows.loc["a", "low"] <= 1.0 <= rows.loc["a", "high"]
        held["b"] += rows.loc["b", "low"] <= slope <= rows.loc["b", "high"]
        held["at 0.8"] += there["low"] <= 1.0 + 0.8 * slope <= there["high"]
    print(method, slope, {name: count / 400 for name, count in held.items()})
    assert min(held.values()) >= 400 * (0.925 if method == "delta" else 0.89), held
