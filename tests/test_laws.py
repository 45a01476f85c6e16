"""Laws: formulas, their inverses and limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gainlaw.errors import InputError
from gainlaw.laws import LAWS, asymptote, decades, law

X = np.linspace(-2.0, 2.5, 19)


@pytest.mark.parametrize("name", ["linear", "offset_power"])
@pytest.mark.parametrize("exponent", [1e-9, 1e-3, 0.2, 1.0])
def test_shape_is_zero_with_unit_slope_at_the_reference_size(name: str, exponent: float) -> None:
    shape = LAWS[name].shape
    step = 1e-6
    b = np.array(exponent)
    assert shape(np.array(0.0), b) == 0.0
    # A central difference of step 1e-6 has a relative error near 1e-10, rounding included.
    slope = (shape(np.array(step), b) - shape(np.array(-step), b)) / (2 * step)
    assert slope == pytest.approx(1.0, abs=1e-8)


@given(st.floats(1e-12, 2.0), st.floats(-2.0, 2.0))
def test_inverse_undoes_the_offset_power_law(exponent: float, x: float) -> None:
    b = np.array(exponent)
    h = law("offset_power").shape(np.array(x), b)
    assert law("offset_power").inverse(h, b) == pytest.approx(x, abs=1e-6)


def test_offset_power_is_the_usual_law_in_other_parameters() -> None:
    a, beta, b = 3.0, -2.0, 0.4
    coefficient = -beta / (b * np.log(10))
    usual = asymptote(np.array(a), np.array(beta), np.array(b)) + coefficient * 10.0 ** (-b * X)
    ours = a + beta * law("offset_power").shape(X, np.array(b))
    np.testing.assert_allclose(ours, usual, rtol=1e-12)


def test_offset_power_tends_to_the_linear_law() -> None:
    shape = law("offset_power").shape
    # The two branches meet: just below and above the switch the values agree to rounding.
    np.testing.assert_allclose(shape(X, np.array(4.3e-7)), shape(X, np.array(4.4e-7)), rtol=1e-6)
    np.testing.assert_allclose(shape(X, np.array(1e-10)), X, atol=1e-8)


def test_a_size_beyond_the_asymptote_has_no_crossing() -> None:
    assert np.isnan(law("offset_power").inverse(np.array(2.0), np.array(1.0)))


def test_mean_slope_of_the_linear_law_is_its_slope() -> None:
    assert law("linear").mean_slope_factor(-1.0, 2.0) == pytest.approx(1.0)


def test_decades() -> None:
    np.testing.assert_allclose(decades(np.array([1e8, 1e9, 1e10])), [-1, 0, 1], atol=1e-12)


def test_unknown_law_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="constant, linear, offset_power"):
        law("cubic")
