"""The gain does not depend on size."""

from gainlaw.laws.curve_law import CurveLaw, CurveParameter

__all__ = ["LAW"]

LAW = CurveLaw(
    name="constant",
    formula="a",
    latex=r"g(N) = a",
    parameters=(CurveParameter("a", "{gain}", "gain at every size"),),
    description="the gain does not depend on size",
    limit=("a",),
)
