"""The gain goes from one level to another as N / (N + K) (Michaelis-Menten; Hill's law with exponent one)."""

from gainlaw.laws.record import Law, Parameter
from gainlaw.laws.sigmoid import sigmoid

__all__ = ["LAW"]

LAW = Law(
    name="saturating",
    formula="c + a * power10(x) / (power10(x) + k)",
    latex=r"g(N) = c + a \frac{N}{N + 10^9 k}",
    parameters=(
        Parameter("c", "{gain}", "gain of the smallest models"),
        Parameter("a", "{gain}", "change from the smallest to the largest models"),
        Parameter(
            "k",
            "billion parameters",
            "size at which half of the change is done",
            (0.02, 50.0),
            positive=True,
            along="x",
        ),
    ),
    description="the gain rises in proportion to small sizes and levels off, half of it reached at a size K",
    limit=("c", "a"),
    shape=sigmoid(
        "log(10)",
        formula="s(x) = N / (N + K), K = 1e9 * 10^m",
        latex=r"s = \frac{N}{N + 10^{9 + m}}",
        s_latex=r"\frac{1}{1 + 10^{m - x}}",
        s_mathml=(
            "<mfrac><mn>1</mn><mrow><mn>1</mn><mo>+</mo><msup><mn>10</mn><mrow><mi>m</mi><mo>−</mo><mi>x</mi></mrow>"
            "</msup></mrow></mfrac>"
        ),
    ),
    usual=True,
)
