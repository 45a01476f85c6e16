"""A power of size whose exponent changes by d around one size, over about half a decade."""

from gainlaw.laws.record import Law, Parameter

__all__ = ["LAW"]

LAW = Law(
    name="broken_power",
    formula="a * power10(-r * x) * (1 + power10(5 * (x - m))) ** (-d / 5)",
    latex=r"g(N) = a\,(N/10^9)^{-r}\,(1 + 10^{5(x - m)})^{-d/5}",
    parameters=(
        Parameter("a", "{gain}", "coefficient"),
        Parameter("r", "1", "exponent before the break", (-1.0, 1.0)),
        Parameter("m", "decades from 1B", "position of the break", (-1.0, 1.0), along="x"),
        Parameter("d", "1", "change of the exponent at the break", (-1.0, 1.0)),
    ),
    description="a power of size whose exponent changes by d around one size, over about half a decade",
)
