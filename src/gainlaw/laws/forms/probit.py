"""The gain goes from a floor to a ceiling along a normal distribution function of log size."""

from gainlaw.laws.record import Law, Parameter

__all__ = ["LAW"]

LAW = Law(
    name="probit",
    formula="c + a * probit(k * (x - m))",
    latex=r"g(N) = c + a\,\Phi(k(x - m))",
    parameters=(
        Parameter("c", "{gain}", "floor"),
        Parameter("a", "{gain}", "ceiling less floor"),
        Parameter("m", "decades from 1B", "position of the midpoint", (-1.5, 1.5), along="x"),
        Parameter("k", "per decade", "steepness", (0.2, 6.0), positive=True),
    ),
    description="the gain goes from a floor to a ceiling along a normal distribution function of log size",
    limit=("c", "a"),
)
