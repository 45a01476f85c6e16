r"""The gain approaches an asymptote as a power of size.

In the usual form ``gain = asymptote + coefficient * (N / Nc)^(-b)`` the three parameters are nearly collinear over one
or two decades. The hierarchical model writes it as

.. math:: g(N) = a + \beta\,\frac{1 - (N/N_c)^{-b}}{b \ln 10}, \qquad b > 0,

with ``a`` the gain at the centre ``Nc`` of the sizes and ``beta`` the local slope per decade there. The usual
parameters follow: ``asymptote = a + beta / (b ln 10)`` and ``coefficient = -beta / (b ln 10)``. As ``b -> 0`` the law
becomes the linear law, so the two are nested and a small exponent says "no bend can be seen".
"""

from gainlaw.laws.record import Law, Parameter
from gainlaw.laws.shape import Definition, Shape, ShapeParameter

__all__ = ["LAW"]

LAW = Law(
    name="offset_power",
    formula="c + a * power10(-r * x)",
    latex=r"g(N) = c + a (N/10^9)^{-r}",
    parameters=(
        Parameter("c", "{gain}", "gain in the limit of large sizes"),
        Parameter("a", "{gain}", "gain at 1B above the limit"),
        Parameter("r", "1", "exponent", (0.02, 3.0), positive=True),
    ),
    description="the gain approaches an asymptote as a power of size",
    limit=("c",),
    shape=Shape(
        value="-expm1(-(b * log(10)) * (x - centre)) / (b * log(10))",
        inverse="centre - log1p(-h * b * log(10)) / (b * log(10))",
        limit="1 / (b * log(10))",
        formula="gain = a + beta * (1 - 10^(-b x)) / (b ln 10),  x = log10(params / {centre})",
        latex=r"g(N) = a + \beta\,\frac{1 - (N/N_c)^{-b}}{b \ln 10}",
        parameters=(
            ShapeParameter("exponent", "b", "halfnormal(0.5)", "1", "bends the curve towards its asymptote"),
        ),
        definitions=(
            Definition(
                "h",
                r"\frac{1 - 10^{-b x}}{b \ln 10}",
                "<mfrac><mrow><mn>1</mn><mo>−</mo><msup><mn>10</mn><mrow><mo>−</mo><mi>b</mi><mi>x</mi></mrow></msup>"
                '</mrow><mrow><mi>b</mi><mspace width="0.17em"></mspace><mi>ln</mi><mspace width="0.17em"></mspace>'
                "<mn>10</mn></mrow></mfrac>",
            ),
        ),
    ),
    usual=True,
)
