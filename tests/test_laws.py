"""Laws: their shapes, inverses and limits; every law, and one from outside, in every engine and every exhibit."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gainlaw as gl
from gainlaw.curves.kernels.tape import with_gradient
from gainlaw.curves.study import CurveStudy
from gainlaw.errors import InputError
from gainlaw.figures import curves
from gainlaw.figures.common.arrange import arrange_fits
from gainlaw.laws import LAWS, hierarchical_law, law, shaped
from gainlaw.laws.placed import PlacedLaw, place
from gainlaw.laws.record import Law, Parameter, read_law
from gainlaw.laws.shape import Definition, Shape, ShapeParameter
from gainlaw.laws.tape import build_tape
from gainlaw.options import DEFAULT_LAW, DEFAULT_SECOND_LAW
from gainlaw.posterior.levels import gain_curve
from gainlaw.report.content import collect
from gainlaw.report.exhibits import FIGURES, basis_of
from gainlaw.report.page import render_page
from gainlaw.scores.simulate import simulate_study
from gainlaw.sizes import decades

PACKAGE = Path(gl.__file__).parent
X = np.linspace(-2.0, 2.5, 19)

OUTSIDE = Law(
    name="squashed",
    formula="c + a * tanh(k * (x - m))",
    parameters=(
        Parameter("c", "{gain}", "gain in the middle"),
        Parameter("a", "{gain}", "half of the way"),
        Parameter("k", "per decade", "steepness", (0.2, 5.0), positive=True),
        Parameter("m", "decades from 1B", "the middle", (-1.0, 1.0), along="x"),
    ),
    description="the gain goes from one level to another, symmetrically about the centre of the sizes",
    shape=Shape(
        value="tanh(w * (x - centre)) / w",
        inverse="centre + (log1p(h * w) - log1p(-h * w)) / (2 * w)",
        limit="1 / w",
        formula="gain = a + beta * tanh(w x) / w,  x = log10(params / {centre})",
        latex=r"g(N) = a + \beta\,\tanh(w x) / w",
        parameters=(
            ShapeParameter("tightness", "w", "halfnormal(1)", "per decade", "is how soon it levels off"),
        ),
        definitions=(
            Definition("h", r"\tanh(w x) / w", "<mi>tanh</mi><mi>w</mi><mi>x</mi><mo>/</mo><mi>w</mi>"),
        ),
    ),
)
SHAPED = {**{name: LAWS[name] for name in shaped()}, OUTSIDE.name: OUTSIDE}


def over(name: str, low: float = -1.0, high: float = 1.0) -> PlacedLaw:
    return place(SHAPED[name], np.array([low, high]))


def psi_of(placed: PlacedLaw, *values: float) -> np.ndarray:
    """Return values for the shape parameters: a position where one may be negative, else a rate."""
    position, rate = values
    return np.array([rate if each.positive else position for each in placed.form.parameters])


@pytest.mark.parametrize("name", SHAPED)
@pytest.mark.parametrize("rate", [1e-9, 1e-3, 0.2, 1.0, 6.0])
@pytest.mark.parametrize("position", [-6.0, -0.4, 0.0, 1.3, 8.0])
def test_the_shape_of_every_law(name: str, rate: float, position: float) -> None:
    placed = over(name, -1.2, 2.0)
    psi = psi_of(placed, position, rate)
    assert placed.shape(np.array(0.4), psi) == 0.0
    h = placed.shape(X, psi)
    assert np.isfinite(h).all()
    if not placed.has_slope:
        assert not h.any()
        assert np.isnan(placed.inverse(h, psi)).all()
        return
    assert (np.diff(h) >= 0.0).all()
    if placed.form.ranged:
        assert placed.mean_slope_factor(-1.2, 2.0, psi) == pytest.approx(1.0, rel=1e-12)
    else:
        # A central difference of step 1e-6 has a relative error near 1e-10, rounding included.
        ends = placed.shape(0.4 + np.array([-1e-6, 1e-6]), psi)
        assert (ends[1] - ends[0]) / 2e-6 == pytest.approx(1.0, abs=1e-8)
    # Far from its steepest point a curve is flat: sizes are told apart as far as rounding allows, values always.
    back = placed.inverse(h, psi)
    seen = np.isfinite(back)
    scale = np.abs(h).max()
    np.testing.assert_allclose(placed.shape(back[seen], psi), h[seen], rtol=1e-6, atol=1e-6 * scale)
    assert seen.any()


@pytest.mark.parametrize("name", SHAPED)
def test_the_limit_of_every_law_is_its_shape_at_no_finite_size(name: str) -> None:
    placed = over(name, -1.0, 2.0)
    psi = psi_of(placed, 0.6, 0.9)
    limit = placed.limit(psi)
    if not placed.form.limit:
        assert limit == (np.inf if placed.has_slope else 0.0)
        return
    assert limit == pytest.approx(float(placed.shape(np.array(60.0), psi)), rel=1e-9)
    assert np.isnan(placed.inverse(1.01 * limit, psi))


@pytest.mark.parametrize("name", SHAPED)
def test_every_law_is_the_same_from_its_record(name: str) -> None:
    assert read_law(json.loads(json.dumps(SHAPED[name].record()))) == SHAPED[name]


def test_no_module_but_its_own_names_a_law() -> None:
    """A law is added by one file: whatever is said of it elsewhere is read from its record."""
    # A default, a direction of a sentence, operations of formulas, schedules of training and the probability to detect
    # a slope are no laws.
    elsewhere = {
        ("options.py", DEFAULT_LAW), ("options.py", DEFAULT_SECOND_LAW), ("report/answer.py", "constant"),
        ("curves/kernels/tape.py", "power"), ("curves/kernels/tape.py", "logistic"),
        ("curves/kernels/tape.py", "probit"), ("power/record.py", "power"), ("figures/design.py", "power"),
        ("tables/design.py", "power"),
    }  # fmt: skip
    found = set()
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE)
        if place.parts[0] in ("laws", "training"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in LAWS:
                found.add((str(place), node.value))
    assert found == elsewhere


def test_offset_power_is_the_usual_law_in_other_parameters() -> None:
    placed = over("offset_power")
    a, beta, b = 3.0, -2.0, 0.4
    coefficient = -beta / (b * np.log(10))
    ours = a + beta * placed.shape(X, np.array([b]))
    asymptote = a + beta * placed.limit(np.array([b]))
    usual = asymptote + coefficient * 10.0 ** (-b * X)
    np.testing.assert_allclose(ours, usual, rtol=1e-12)


@given(st.floats(1e-12, 2.0), st.floats(-2.0, 2.0))
def test_inverse_undoes_the_offset_power_law(exponent: float, x: float) -> None:
    b, placed = np.array([exponent]), over("offset_power")
    assert placed.inverse(placed.shape(np.array(x), b), b) == pytest.approx(x, abs=1e-6)


def test_offset_power_tends_to_the_linear_law() -> None:
    np.testing.assert_allclose(over("offset_power").shape(X, np.array([1e-10])), X, atol=1e-7)


def test_a_size_beyond_the_asymptote_has_no_crossing() -> None:
    assert np.isnan(over("offset_power").inverse(np.array(2.0), np.array([1.0])))


def test_decades() -> None:
    np.testing.assert_allclose(decades(np.array([1e8, 1e9, 1e10])), [-1, 0, 1], atol=1e-12)


def test_unknown_laws_list_the_known_ones() -> None:
    with pytest.raises(InputError, match=", ".join(LAWS)):
        law("cubic")
    names = ", ".join(shaped())
    for wrong in ("cubic", "richards", law("richards"), "a + b * x", gl.formula_law("a + b * x")):
        with pytest.raises(InputError, match=names):
            hierarchical_law(wrong)
        with pytest.raises(InputError, match=names):
            gl.fit(gl.load_dataset("bloomz").gains(), law=wrong)


def test_a_shape_that_says_what_it_does_not_know_is_refused() -> None:
    assert OUTSIDE.shape is not None
    wrong = Law("wrong", "a", (Parameter("a", "", ""),), "", shape=Shape("q * (x - centre)", "h", "", "", ""))
    with pytest.raises(InputError, match="holds q"):
        gl.fit(gl.load_dataset("bloomz").gains(), law=wrong)


def test_the_logistic_law_contains_the_linear_and_the_saturating_law() -> None:
    logistic, saturating = (over(name, -1.0, 2.0) for name in ("logistic", "saturating"))
    np.testing.assert_allclose(logistic.shape(X, np.array([0.7, 1e-6])), X - 0.5, atol=1e-5)
    same = logistic.shape(X, np.array([0.7, np.log(10.0)]))
    np.testing.assert_allclose(saturating.shape(X, np.array([0.7])), same, rtol=1e-12)
    # The saturating law by its textbook formula, N / (N + K), up to an affine map.
    size = 10.0**X
    textbook = size / (size + 10.0**0.7)
    slope, level = np.polyfit(textbook, same, 1)
    np.testing.assert_allclose(slope * textbook + level, same, atol=1e-9)


def test_shapes_overflow_nowhere() -> None:
    placed = over("logistic", -1.0, 2.0)
    with np.errstate(over="raise"):
        h = placed.shape(np.array([-40.0, 40.0]), np.array([[0.3, 400.0]]))
    assert np.isfinite(h).all()
    assert h[1] == pytest.approx(float(placed.limit(np.array([0.3, 400.0]))))


@pytest.mark.parametrize("name", [name for name, each in SHAPED.items() if each.form.parameters])
def test_the_samplers_shape_is_that_of_the_law(name: str) -> None:
    placed = over(name, -1.0, 2.0)
    tape = build_tape(placed.form.graph)
    places = {"x": X, "low": placed.low, "high": placed.high, "centre": placed.centre}
    variables = np.array([np.broadcast_to(places[each], X.shape) for each in tape.variables])
    order = [[each.symbol for each in placed.form.parameters].index(symbol) for symbol in tape.parameters]
    for pair in ([0.4, 1.2], [2.9, 6.0], [0.1, 0.05]):
        psi = psi_of(placed, *pair)
        values, slopes = with_gradient(tape.work, psi[order], variables)
        np.testing.assert_allclose(values, placed.shape(X, psi), rtol=1e-9, atol=1e-12)
        for slope, k in zip(slopes, order, strict=True):
            step = 1e-6 * (np.arange(len(psi)) == k)
            ends = [placed.shape(X, psi + sign * step) for sign in (1, -1)]
            np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-6, rtol=1e-5, atol=1e-6)


STUDY = simulate_study(2, n_tasks=2, n_languages=4).evaluations
# A law of scores has twice the rows, and each of their log-odds is sampled.
SMALL = STUDY.select(language=STUDY.frame["language"].min())
QUICK = {"draws": 300, "chains": 2, "terms": ["task", "checkpoint"]}


@pytest.fixture(scope="module", params=SHAPED)
def fitted(request) -> gl.Fit:
    """Return a fit of each law."""
    each = SHAPED[request.param]
    return gl.fit(SMALL if each.form.scores else STUDY, law=each, **QUICK)


def test_every_law_in_every_engine(fitted: gl.Fit) -> None:
    """Overall gain at 1B within a third of an sd of the exact engine's: of 300 draws three errors and more."""
    few = {"draws": 150, "tune": 200} if fitted.spec.law.form.scores else {"tune": 300}
    sampled = gl.fit(fitted.gains, law=fitted.spec.law.law, engine="nuts", **(QUICK | few))
    assert [fit.record["engine"]["used"] for fit in (fitted, sampled)] == ["exact", "nuts"]
    found, expected = (gain_curve(fit, "overall").gain(1e9) for fit in (sampled, fitted))
    assert abs(found.mean() - expected.mean()) < expected.std() / 3


@pytest.fixture(scope="module")
def curves_once() -> Iterator[None]:
    """Fit the curves of the same gains once: they do not depend on the law of the hierarchical model."""
    found: dict[tuple[str, int], CurveStudy | None] = {}
    fitted_anew = curves.study_of

    def study_of(fit: gl.Fit) -> CurveStudy | None:
        key = (fit.scale, fit.n_rows)
        if key not in found:
            found[key] = fitted_anew(fit)
        return found[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "study_of", study_of)
        yield


@pytest.mark.usefixtures("curves_once")
def test_every_law_in_every_exhibit(fitted: gl.Fit, tmp_path) -> None:
    placed = fitted.spec.law
    fitted.save(tmp_path / "fit")
    again = gl.load_fit(tmp_path / "fit")
    assert again.spec.law == placed
    fits = arrange_fits(again)
    basis = basis_of(fits)
    drawn = [drawing.name for exhibits in FIGURES for drawing in exhibits(basis)]
    assert {"scores", "forest_task", "priors_figure"} <= set(drawn)
    content = collect(fits, figures=[])
    page = render_page(content, (), "Laws")
    assert f"follows the {placed.title} law ({placed.description})" in page
    assert f"Every estimate of the {placed.title} law" in content.tables["estimates"].caption
    for each in placed.parameters:
        assert f"; {each.symbol} {each.description}" in page
        assert f"{each.name} of the law, {each.symbol}" in set(content.tables["priors"].frame["meaning"])


@pytest.mark.usefixtures("svg_alone", "curves_once")
def test_a_law_from_outside_has_a_report(tmp_path) -> None:
    gl.write_report(gl.fit(STUDY, law=OUTSIDE, **QUICK), tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert f"follows the {OUTSIDE.title} law ({OUTSIDE.description})" in page
    assert r"\tanh(w x) / w" in (tmp_path / "report" / "paper.tex").read_text(encoding="utf-8")
