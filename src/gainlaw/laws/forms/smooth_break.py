"""A power of size whose exponent changes around one size, as sharply as the data say (arXiv 2210.14891)."""

from gainlaw.laws.record import Law, Parameter

__all__ = ["LAW"]

LAW = Law(
    name="smooth_break",
    formula="c + a * power10(-r * x) * (1 + power10((x - m) / w)) ** (-d * w)",
    latex=r"g(N) = c + a\,(N/10^9)^{-r}\,(1 + 10^{(x - m)/w})^{-dw}",
    parameters=(
        Parameter("c", "{gain}", "constant"),
        Parameter("a", "{gain}", "coefficient"),
        Parameter("r", "1", "exponent before the break", (-1.0, 1.0)),
        Parameter("m", "decades from 1B", "position of the break", (-1.0, 1.0), along="x"),
        Parameter("d", "1", "change of the exponent at the break", (-1.0, 1.0)),
        Parameter("w", "decades", "width of the break", (0.05, 0.5), positive=True),
    ),
    description=(
        "a power of size whose exponent changes by d around one size, over w decades (Caballero et al. 2022, arXiv "
        "2210.14891, with one break)"
    ),
)
