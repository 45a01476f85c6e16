"""The gain approaches an asymptote as a power of size."""

from gainlaw.laws.curve_law import CurveLaw, CurveParameter

__all__ = ["LAW"]

LAW = CurveLaw(
    name="power_offset",
    formula="c + a * power10(-r * x)",
    latex=r"g(N) = c + a (N/10^9)^{-r}",
    parameters=(
        CurveParameter("c", "{gain}", "gain in the limit of large sizes"),
        CurveParameter("a", "{gain}", "gain at 1B above the limit"),
        CurveParameter("r", "1", "exponent", (0.02, 3.0), positive=True),
    ),
    description="the gain approaches an asymptote as a power of size",
    limit=("c",),
)
