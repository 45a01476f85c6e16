"""The gain goes from a floor to a ceiling along a logistic curve in log size."""

from gainlaw.laws.curve_law import CurveLaw, CurveParameter

__all__ = ["LAW"]

LAW = CurveLaw(
    name="logistic",
    formula="c + a * logistic(k * (x - m))",
    latex=r"g(N) = c + \frac{a}{1 + e^{-k(x - m)}}",
    parameters=(
        CurveParameter("c", "{gain}", "floor"),
        CurveParameter("a", "{gain}", "ceiling less floor"),
        CurveParameter("m", "decades from 1B", "position of the midpoint", (-1.5, 1.5), along="x"),
        CurveParameter("k", "per decade", "steepness", (0.3, 10.0), positive=True),
    ),
    description="the gain goes from a floor to a ceiling along a logistic curve in log size",
    limit=("c", "a"),
)
