"""The gain does not depend on size."""

from gainlaw.laws.record import Law, Parameter
from gainlaw.laws.shape import Shape

__all__ = ["LAW"]

LAW = Law(
    name="constant",
    formula="a",
    latex=r"g(N) = a",
    parameters=(Parameter("a", "{gain}", "gain at every size"),),
    description="the gain does not change with size",
    limit=("a",),
    shape=Shape(value="0", inverse="", limit="", formula="gain = a", latex=r"g = a"),
    usual=True,
)
