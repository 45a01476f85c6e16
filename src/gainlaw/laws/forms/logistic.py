"""The gain goes from a floor to a ceiling along a logistic curve in log size."""

from gainlaw.laws.record import Law, Parameter
from gainlaw.laws.shape import ShapeParameter
from gainlaw.laws.sigmoid import sigmoid

__all__ = ["LAW"]

LAW = Law(
    name="logistic",
    formula="c + a * logistic(k * (x - m))",
    latex=r"g(N) = c + \frac{a}{1 + e^{-k(x - m)}}",
    parameters=(
        Parameter("c", "{gain}", "floor"),
        Parameter("a", "{gain}", "ceiling less floor"),
        Parameter("m", "decades from 1B", "position of the midpoint", (-1.5, 1.5), along="x"),
        Parameter("k", "per decade", "steepness", (0.3, 10.0), positive=True),
    ),
    description="the gain goes from one level to another along a logistic curve in the logarithm of size",
    limit=("c", "a"),
    shape=sigmoid(
        "k",
        ShapeParameter("steepness", "k", "halfnormal(2.5)", "per decade", "is how abruptly it rises"),
        formula="s(x) = 1 / (1 + exp(-k (x - m)))",
        latex=r"s(x) = \frac{1}{1 + e^{-k (x - m)}}",
        s_latex=r"\frac{1}{1 + e^{-k (x - m)}}",
        s_mathml=(
            "<mfrac><mn>1</mn><mrow><mn>1</mn><mo>+</mo><msup><mi>e</mi><mrow><mo>−</mo><mi>k</mi>"
            '<mo stretchy="false">(</mo><mi>x</mi><mo>−</mo><mi>m</mi><mo stretchy="false">)</mo></mrow></msup>'
            "</mrow></mfrac>"
        ),
    ),
    usual=True,
)
