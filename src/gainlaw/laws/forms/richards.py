"""A logistic curve in log size whose two sides may bend differently (Richards)."""

from gainlaw.laws.record import Law, Parameter

__all__ = ["LAW"]

LAW = Law(
    name="richards",
    formula="c + a * (1 + exp(-k * (x - m))) ** (-1 / v)",
    latex=r"g(N) = c + a (1 + e^{-k(x - m)})^{-1/v}",
    parameters=(
        Parameter("c", "{gain}", "floor"),
        Parameter("a", "{gain}", "ceiling less floor"),
        Parameter("m", "decades from 1B", "position", (-1.5, 1.5), along="x"),
        Parameter("k", "per decade", "steepness", (0.3, 10.0), positive=True),
        Parameter("v", "1", "asymmetry; 1 is the logistic law", (0.2, 5.0), positive=True),
    ),
    description="a logistic curve in log size whose two sides may bend differently (Richards)",
    limit=("c", "a"),
)
