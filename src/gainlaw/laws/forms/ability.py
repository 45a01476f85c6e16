"""The gain follows the untuned score: on log-odds the tuned score is a line in the untuned one, and size adds to it."""

from gainlaw.laws.record import Law, Parameter
from gainlaw.laws.shape import Shape, ShapeParameter

__all__ = ["LAW"]

LAW = Law(
    name="ability",
    formula="c + a * logistic((1 + z * g) * k * (x - m) + z * d)",
    latex=r"y(N, z) = c + \frac{a}{1 + e^{-(1 + zg)k(x - m) - zd}}",
    parameters=(
        Parameter("c", "{gain}", "floor"),
        Parameter("a", "{gain}", "ceiling less floor"),
        Parameter("m", "decades from 1B", "midpoint of the baseline", (-1.5, 1.5), along="x"),
        Parameter("k", "per decade", "steepness of the baseline", (0.3, 6.0), positive=True),
        Parameter("g", "1", "change of the gain on log-odds for one unit of the baseline's", (-0.5, 0.3)),
        Parameter("d", "log-odds", "gain of a baseline halfway up", (-0.5, 2.0)),
    ),
    description="on log-odds the gain is a line in the ability, the untuned log-odds without their errors, and in size",
    variables=("x", "z"),
    shape=Shape(
        value="x - centre",
        inverse="h + centre",
        limit="",
        formula="gain = a + g * ability + beta * x on log-odds, ability b + b1 * x,  x = log10(params / {centre})",
        latex=(
            r"g(N) = a + \gamma\,\theta + \beta\,x,\quad \theta = b + b_1\,x + \cdots,\quad x = \log_{10}(N/N_c)"
        ),
        parameters=(
            ShapeParameter(
                "ability_effect",
                "g",
                "normal(0, 0.5)",
                "",
                "change of the gain on log-odds for one unit of the untuned log-odds",
            ),
        ),
        scores=True,
        lift="g",
    ),
)
