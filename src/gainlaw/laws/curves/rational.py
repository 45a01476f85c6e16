"""The gain goes from one level to another as N / (N + K) (Hill's law with exponent one)."""

from gainlaw.laws.curve_law import CurveLaw, CurveParameter

__all__ = ["LAW"]

LAW = CurveLaw(
    name="rational",
    formula="c + a * power10(x) / (power10(x) + k)",
    latex=r"g(N) = c + a \frac{N}{N + 10^9 k}",
    parameters=(
        CurveParameter("c", "{gain}", "gain of the smallest models"),
        CurveParameter("a", "{gain}", "change from the smallest to the largest models"),
        CurveParameter(
            "k",
            "billion parameters",
            "size at which half of the change is done",
            (0.02, 50.0),
            positive=True,
            along="x",
        ),
    ),
    description="the gain goes from one level to another as N / (N + K) (Hill's law with exponent one)",
    limit=("c", "a"),
)
