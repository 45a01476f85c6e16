"""The gain changes by the same amount with every tenfold size."""

from gainlaw.laws.curve_law import CurveLaw, CurveParameter

__all__ = ["LAW"]

LAW = CurveLaw(
    name="linear",
    formula="a + b * x",
    latex=r"g(N) = a + b \log_{10}(N/10^9)",
    parameters=(
        CurveParameter("a", "{gain}", "gain at 1B"),
        CurveParameter("b", "{gain} per decade", "slope"),
    ),
    description="the gain changes by the same amount with every tenfold size",
)
