"""A power of size whose exponent changes by d around one size, over about half a decade."""

from gainlaw.laws.curve_law import CurveLaw, CurveParameter

__all__ = ["LAW"]

LAW = CurveLaw(
    name="broken_power",
    formula="a * power10(-r * x) * (1 + power10(5 * (x - m))) ** (-d / 5)",
    latex=r"g(N) = a\,(N/10^9)^{-r}\,(1 + 10^{5(x - m)})^{-d/5}",
    parameters=(
        CurveParameter("a", "{gain}", "coefficient"),
        CurveParameter("r", "1", "exponent before the break", (-1.0, 1.0)),
        CurveParameter("m", "decades from 1B", "position of the break", (-1.0, 1.0), along="x"),
        CurveParameter("d", "1", "change of the exponent at the break", (-1.0, 1.0)),
    ),
    description="a power of size whose exponent changes by d around one size, over about half a decade",
)
