r"""The shape of laws that level off on both sides: logistic in log size, and the saturating law that is one of them.

With :math:`s(x) = 1 / (1 + e^{-k (x - m)})` in decades ``x`` from 1e9 parameters,

.. math:: g(N) = a + \beta\,R\,\frac{s(x) - s(c)}{s(x_2) - s(x_1)}, \qquad R = x_2 - x_1,

over the observed range from ``x1`` to ``x2``: ``a`` is the gain at the centre ``c`` of the sizes and ``beta`` the
average slope over that range, whatever the shape, so that one prior serves all. As the steepness ``k`` goes to 0 the
logistic law becomes the linear law. With :math:`k = \ln 10` it is the saturating (Michaelis-Menten, bounded rational)
law :math:`N / (N + K)` with half of its rise at ``K = 1e9 * 10^m`` parameters.
"""

from __future__ import annotations

from gainlaw.laws.shape import Definition, Shape, ShapeParameter

__all__ = ["sigmoid"]

_OPEN, _CLOSE = '<mo stretchy="false">(</mo>', '<mo stretchy="false">)</mo>'


def _s_at(x: str) -> str:
    return f"<mi>s</mi>{_OPEN}{x}{_CLOSE}"


_H = Definition(
    "h",
    r"R\,\frac{s(x) - s(c)}{s(x_{\max}) - s(x_{\min})}",
    f"<mi>R</mi><mfrac><mrow>{_s_at('<mi>x</mi>')}<mo>−</mo>{_s_at('<mi>c</mi>')}</mrow>"
    f"<mrow>{_s_at('<msub><mi>x</mi><mi>max</mi></msub>')}<mo>−</mo>{_s_at('<msub><mi>x</mi><mi>min</mi></msub>')}"
    "</mrow></mfrac>",
)
_MIDPOINT = ShapeParameter(
    "midpoint", "m", "normal({middle}, {reach})", "decades from 1B", "is where half of the rise is done"
)


def _log_cosh(half: str) -> str:
    """Return the logarithm of twice a hyperbolic cosine, as a formula."""
    return f"logsumexp({half}, -({half}))"


def sigmoid(
    k: str, *parameters: ShapeParameter, formula: str, latex: str, s_latex: str, s_mathml: str
) -> Shape:
    """Return the shape of a law that levels off on both sides.

    Parameters
    ----------
    k : str
        The steepness, as a formula.
    *parameters : ShapeParameter
        Those in it.
    formula, latex : str
        The function s in plain text and in LaTeX.
    s_latex, s_mathml : str
        Its right-hand side as it is printed.
    """
    low, high, centre, x = (f"{k} * ({place} - m) / 2" for place in ("low", "high", "centre", "x"))
    reach, away = f"{k} * (high - low) / 2", f"{k} * (x - centre) / 2"
    # s(u) - s(v) = tanh((u - v) / 2) cosh((u - v) / 2) / (2 cosh(u / 2) cosh(v / 2)), which neither tail spoils.
    rise = f"{_log_cosh(low)} + {_log_cosh(high)} - {_log_cosh(reach)}"
    whole = f"(tanh({reach}) * exp(-({rise})))"
    # The curve's level at h, and how far it is from the ceiling: each exact in its own tail.
    level = f"logistic({k} * (centre - m)) + h * {whole} / (high - low)"
    left = f"logistic({k} * (m - centre)) - h * {whole} / (high - low)"
    return Shape(
        value=f"(high - low) * tanh({away}) / tanh({reach}) "
        f"* exp({rise} + {_log_cosh(away)} - {_log_cosh(x)} - {_log_cosh(centre)})",
        inverse=f"m + (log({level}) - log({left})) / ({k})",
        limit=f"(high - low) * logistic({k} * (m - centre)) / {whole}",
        formula=f"gain = a + beta * R * (s(x) - s(c)) / (s(x2) - s(x1)),  {formula},  R = x2 - x1,  "
        "x = log10(params / 1e9),  c = log10({centre} / 1e9)",
        latex=rf"g(N) = a + \beta\,R\,\frac{{s(x) - s(c)}}{{s(x_2) - s(x_1)}},\quad {latex}",
        parameters=(_MIDPOINT, *parameters),
        definitions=(_H, Definition("s", s_latex, s_mathml)),
    )
