"""The gain approaches a limit exponentially in size."""

from gainlaw.laws.curve_law import CurveLaw, CurveParameter

__all__ = ["LAW"]

LAW = CurveLaw(
    name="saturating_exponential",
    formula="c + a * exp(-power10(x) / k)",
    latex=r"g(N) = c + a e^{-N / (10^9 k)}",
    parameters=(
        CurveParameter("c", "{gain}", "gain in the limit of large sizes"),
        CurveParameter("a", "{gain}", "gain of the smallest models above the limit"),
        CurveParameter(
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
