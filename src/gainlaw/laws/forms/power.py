"""The gain changes by the same factor with every tenfold size."""

from gainlaw.laws.record import Law, Parameter

__all__ = ["LAW"]

LAW = Law(
    name="power",
    formula="a * power10(-r * x)",
    latex=r"g(N) = a (N/10^9)^{-r}",
    parameters=(
        Parameter("a", "{gain}", "gain at 1B"),
        Parameter("r", "1", "exponent", (-1.0, 1.0)),
    ),
    description="the gain changes by the same factor with every tenfold size",
    usual=True,
)
