"""Scores of baseline and intermediate models go from one floor to one ceiling; the gain is their difference."""

from gainlaw.laws.curve_law import CurveLaw, CurveParameter

__all__ = ["LAW"]

LAW = CurveLaw(
    name="two_curve",
    formula="c + a * logistic((k + z * q) * (x - m + z * s))",
    latex=r"y(N, z) = c + \frac{a}{1 + e^{-(k + zq)(x - m + zs)}}",
    parameters=(
        CurveParameter("c", "{gain}", "floor"),
        CurveParameter("a", "{gain}", "ceiling less floor"),
        CurveParameter("m", "decades from 1B", "midpoint of the baseline", (-1.5, 1.5), along="x"),
        CurveParameter("k", "per decade", "steepness of the baseline", (0.3, 6.0), positive=True),
        CurveParameter(
            "q", "per decade", "steepness of the intermediate model less the baseline's", (-0.5, 0.5)
        ),
        CurveParameter("s", "decades", "how much earlier the intermediate model's midpoint is", (-0.5, 1.0)),
    ),
    description=(
        "baseline (z = 0) and intermediate scores (z = 1) each go from a common floor to a common ceiling; the gain "
        "is their difference"
    ),
    variables=("x", "z"),
)
