"""The gain changes by the same factor with every tenfold size."""

from gainlaw.laws.curve_law import CurveLaw, CurveParameter

__all__ = ["LAW"]

LAW = CurveLaw(
    name="power",
    formula="a * power10(-r * x)",
    latex=r"g(N) = a (N/10^9)^{-r}",
    parameters=(
        CurveParameter("a", "{gain}", "gain at 1B"),
        CurveParameter("r", "1", "exponent", (-1.0, 1.0)),
    ),
    description="the gain changes by the same factor with every tenfold size",
)
