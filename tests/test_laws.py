"""Laws: formulas, their inverses and limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gainlaw as gl
from gainlaw.errors import InputError
from gainlaw.laws import LAWS, law
from gainlaw.posterior.curves import gain_curve
from gainlaw.scores.simulate import simulate_study
from gainlaw.sizes import decades

X = np.linspace(-2.0, 2.5, 19)


@pytest.mark.parametrize("name", ["linear", "offset_power"])
@pytest.mark.parametrize("exponent", [1e-9, 1e-3, 0.2, 1.0])
def test_shape_is_zero_with_unit_slope_at_the_reference_size(name: str, exponent: float) -> None:
    shape = LAWS[name].shape
    step = 1e-6
    b = np.array([exponent])
    assert shape(np.array(0.0), b) == 0.0
    # A central difference of step 1e-6 has a relative error near 1e-10, rounding included.
    slope = (shape(np.array(step), b) - shape(np.array(-step), b)) / (2 * step)
    assert slope == pytest.approx(1.0, abs=1e-8)


@given(st.floats(1e-12, 2.0), st.floats(-2.0, 2.0))
def test_inverse_undoes_the_offset_power_law(exponent: float, x: float) -> None:
    b = np.array([exponent])
    h = law("offset_power").shape(np.array(x), b)
    assert law("offset_power").inverse(h, b) == pytest.approx(x, abs=1e-6)


def test_offset_power_is_the_usual_law_in_other_parameters() -> None:
    a, beta, b = 3.0, -2.0, 0.4
    coefficient = -beta / (b * np.log(10))
    ours = a + beta * law("offset_power").shape(X, np.array([b]))
    asymptote = a + beta * law("offset_power").limit(np.array([b]))
    usual = asymptote + coefficient * 10.0 ** (-b * X)
    np.testing.assert_allclose(ours, usual, rtol=1e-12)


def test_offset_power_tends_to_the_linear_law() -> None:
    shape = law("offset_power").shape
    # The two branches meet: just below and above the switch the values agree to rounding.
    np.testing.assert_allclose(shape(X, np.array([4.3e-7])), shape(X, np.array([4.4e-7])), rtol=1e-6)
    np.testing.assert_allclose(shape(X, np.array([1e-10])), X, atol=1e-8)


def test_a_size_beyond_the_asymptote_has_no_crossing() -> None:
    assert np.isnan(law("offset_power").inverse(np.array(2.0), np.array([1.0])))


def test_mean_slope_of_the_linear_law_is_its_slope() -> None:
    assert law("linear").mean_slope_factor(-1.0, 2.0) == pytest.approx(1.0)


def test_decades() -> None:
    np.testing.assert_allclose(decades(np.array([1e8, 1e9, 1e10])), [-1, 0, 1], atol=1e-12)


def test_unknown_law_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="constant, linear, offset_power, saturating, logistic"):
        law("cubic")


@pytest.mark.parametrize("name", ["saturating", "logistic"])
@pytest.mark.parametrize("midpoint", [-6.0, -0.4, 0.0, 1.3, 8.0])
@pytest.mark.parametrize("steepness", [1e-6, 0.5, 2.302585092994046, 40.0])
def test_laws_that_level_off_have_unit_average_slope_over_their_range(
    name: str, midpoint: float, steepness: float
) -> None:
    each = law(name).over(np.array([-1.2, 2.0]))
    psi = np.array([midpoint, steepness][: len(each.parameters)])
    assert each.shape(np.array(0.4), psi) == 0.0
    assert each.mean_slope_factor(-1.2, 2.0, psi) == pytest.approx(1.0, rel=1e-12)
    h = each.shape(X, psi)
    assert (np.diff(h) >= 0.0).all()
    assert np.isfinite(h).all()


@given(st.floats(-2.0, 3.0), st.floats(0.01, 6.0), st.floats(-2.0, 3.0))
def test_inverse_undoes_the_logistic_law(midpoint: float, steepness: float, x: float) -> None:
    psi = np.array([midpoint, steepness])
    each = law("logistic").over(np.array([-1.0, 2.0]))
    h = each.shape(np.array(x), psi)
    back = each.inverse(h, psi)
    # Far from the midpoint the curve is flat, and sizes are told apart as far as rounding allows.
    assert each.shape(back, psi) == pytest.approx(float(h), rel=1e-9, abs=1e-9)


def test_the_logistic_law_contains_the_linear_and_the_saturating_law() -> None:
    logistic, saturating = (law(name).over(np.array([-1.0, 2.0])) for name in ("logistic", "saturating"))
    np.testing.assert_allclose(logistic.shape(X, np.array([0.7, 1e-6])), X - 0.5, atol=1e-5)
    same = logistic.shape(X, np.array([0.7, np.log(10.0)]))
    np.testing.assert_allclose(saturating.shape(X, np.array([0.7])), same, rtol=1e-12)
    # The saturating law by its textbook formula, N / (N + K), up to an affine map.
    size = 10.0**X
    textbook = size / (size + 10.0**0.7)
    slope, level = np.polyfit(textbook, same, 1)
    np.testing.assert_allclose(slope * textbook + level, same, atol=1e-9)


@pytest.mark.parametrize("name", ["offset_power", "saturating", "logistic"])
def test_the_limit_is_the_shape_at_no_finite_size(name: str) -> None:
    each = law(name).over(np.array([-1.0, 2.0]))
    psi = np.array([0.6, 1.5])[: len(each.parameters)]
    assert each.limit(psi) == pytest.approx(float(each.shape(np.array(60.0), psi)), rel=1e-9)
    assert np.isnan(each.inverse(1.01 * each.limit(psi), psi))


@pytest.mark.parametrize("name", ["offset_power", "saturating", "logistic"])
def test_the_samplers_formula_is_the_laws(name: str) -> None:
    import pytensor
    import pytensor.tensor as pt

    from gainlaw.model.engines.pymc_model import _shape_of

    each = law(name).over(np.array([-1.0, 2.0]))
    values, x = pt.dvector(), pt.dvector()
    size = len(each.parameters)
    formula = _shape_of(name, [values[k] for k in range(size)], x, each.centre, np.array([-1.0, 2.0]))
    function = pytensor.function([values, x], formula, mode="FAST_COMPILE")
    for psi in ([0.4, 1.2], [2.9, 6.0], [0.1, 0.05]):
        chosen = np.array(psi[:size])
        np.testing.assert_allclose(function(chosen, X), each.shape(X, chosen), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["constant", "offset_power", "saturating", "logistic"])
def test_the_sampler_knows_every_law(name: str) -> None:
    """Overall gain at 1B within a third of an sd of the exact engine's, with some hundred draws."""
    study = simulate_study(2, n_tasks=2, n_languages=4)
    options = {"law": name, "terms": ["task", "checkpoint"]}
    fits = [
        gl.fit(study.evaluations, engine=engine, draws=300, chains=2, tune=300, **options)
        for engine in ("exact", "nuts")
    ]
    assert [fit.record["engine"]["used"] for fit in fits] == ["exact", "nuts"]
    found, expected = (gain_curve(fit, "overall").gain(1e9) for fit in reversed(fits))
    assert abs(found.mean() - expected.mean()) < expected.std() / 3
