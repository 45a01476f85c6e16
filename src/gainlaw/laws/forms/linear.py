"""The gain changes by the same amount with every tenfold size."""

from gainlaw.laws.record import Law, Parameter
from gainlaw.laws.shape import Shape

__all__ = ["LAW"]

LAW = Law(
    name="linear",
    formula="a + b * x",
    latex=r"g(N) = a + b \log_{10}(N/10^9)",
    parameters=(
        Parameter("a", "{gain}", "gain at 1B"),
        Parameter("b", "{gain} per decade", "slope"),
    ),
    description="the gain changes by the same amount with every factor of ten in size",
    shape=Shape(
        value="x - centre",
        inverse="h + centre",
        limit="",
        formula="gain = a + beta * x,  x = log10(params / {centre})",
        latex=r"g(N) = a + \beta\,x,\quad x = \log_{10}(N/N_c)",
    ),
    usual=True,
)
