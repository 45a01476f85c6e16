"""The gain approaches a limit exponentially in size."""

from gainlaw.laws.record import Law, Parameter

__all__ = ["LAW"]

LAW = Law(
    name="saturating_exponential",
    formula="c + a * exp(-power10(x) / k)",
    latex=r"g(N) = c + a e^{-N / (10^9 k)}",
    parameters=(
        Parameter("c", "{gain}", "gain in the limit of large sizes"),
        Parameter("a", "{gain}", "gain of the smallest models above the limit"),
        Parameter(
            "k",
            "billion parameters",
            "size at which all but 37% of the change is done",
            (0.02, 50.0),
            positive=True,
            along="x",
        ),
    ),
    description="the gain approaches a limit exponentially in size",
    limit=("c",),
)
