r"""Laws that level off on both sides: logistic in log size, and the saturating law that is one of them.

With :math:`s(x) = 1 / (1 + e^{-k (x - m)})` in decades ``x`` from 1e9 parameters,

.. math:: g(N) = a + \beta\,R\,\frac{s(x) - s(c)}{s(x_2) - s(x_1)}, \qquad R = x_2 - x_1,

over the observed range from ``x1`` to ``x2``: ``a`` is the gain at the centre ``c`` of the sizes and ``beta`` the
average slope over that range, whatever the shape, so that one prior serves all. As the steepness ``k`` goes to 0 the
logistic law becomes the linear law. With :math:`k = \ln 10` it is the saturating (Michaelis-Menten, bounded rational)
law :math:`N / (N + K)` with half of its rise at ``K = 1e9 * 10^m`` parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit, log_expit, logit

from gainlaw.laws.base import Array, Definition, Law, ShapeParameter
from gainlaw.sizes import size_text

__all__ = ["LOGISTIC", "SATURATING", "logistic_law", "saturating_law"]

_LN10 = float(np.log(10.0))
# Below this steepness the law is the line to double precision; rounding would take over.
_LEAST = 1e-7


_OPEN, _CLOSE = ('<mo stretchy="false">(</mo>', '<mo stretchy="false">)</mo>')


def _s_at(x: str) -> str:
    return f"<mi>s</mi>{_OPEN}{x}{_CLOSE}"


def _one_over(base: str, power: str) -> str:
    """Return one over one plus a power, as MathML."""
    raised = f"<msup>{base}<mrow>{power}</mrow></msup>"
    return f"<mfrac><mn>1</mn><mrow><mn>1</mn><mo>+</mo>{raised}</mrow></mfrac>"


_H = Definition(
    "h",
    r"R\,\frac{s(x) - s(c)}{s(x_{\max}) - s(x_{\min})}",
    f"<mi>R</mi><mfrac><mrow>{_s_at('<mi>x</mi>')}<mo>−</mo>{_s_at('<mi>c</mi>')}</mrow>"
    f"<mrow>{_s_at('<msub><mi>x</mi><mi>max</mi></msub>')}<mo>−</mo>{_s_at('<msub><mi>x</mi><mi>min</mi></msub>')}"
    "</mrow></mfrac>",
)


def _difference(low: Array, high: Array) -> tuple[Array, Array]:
    """Return sign and log of ``expit(high) - expit(low)``, exact in either tail."""
    below, above = np.minimum(low, high), np.maximum(low, high)
    with np.errstate(divide="ignore"):
        size = log_expit(above) + log_expit(-below) + np.log(-np.expm1(below - above))
    return np.asarray(np.sign(high - low)), np.asarray(size)


def _values(psi: Array | None, steepness: float | None) -> tuple[Array, Array]:
    """Return midpoint and steepness."""
    if psi is None:
        raise ValueError("the law needs its shape parameters")
    psi = np.asarray(psi, dtype=float)
    k = np.full(psi.shape[:-1], steepness) if steepness is not None else np.maximum(psi[..., 1], _LEAST)
    return psi[..., 0], k


def _shape(
    x: Array, psi: Array | None = None, *, x1: float, x2: float, centre: float, steepness: float | None
) -> Array:
    m, k = _values(psi, steepness)
    sign, rise = _difference(k * (centre - m), k * (np.asarray(x, dtype=float) - m))
    _, whole = _difference(k * (x1 - m), k * (x2 - m))
    return (x2 - x1) * sign * np.exp(rise - whole)


def _inverse(
    h: Array, psi: Array | None = None, *, x1: float, x2: float, centre: float, steepness: float | None
) -> Array:
    m, k = _values(psi, steepness)
    _, whole = _difference(k * (x1 - m), k * (x2 - m))
    level = expit(k * (centre - m)) + np.asarray(h, dtype=float) * np.exp(whole) / (x2 - x1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((level > 0.0) & (level < 1.0), m + logit(np.clip(level, 0.0, 1.0)) / k, np.nan)


def _limit(
    psi: Array | None = None, *, x1: float, x2: float, centre: float, steepness: float | None
) -> Array:
    m, k = _values(psi, steepness)
    _, whole = _difference(k * (x1 - m), k * (x2 - m))
    return (x2 - x1) * np.exp(log_expit(k * (m - centre)) - whole)


def _midpoint(x1: float, x2: float) -> ShapeParameter:
    prior = f"normal({0.5 * (x1 + x2):.6g}, {0.5 * (x2 - x1) + 0.5:.6g})"
    return ShapeParameter("midpoint", "m", prior, "decades from 1B", "is where half of the rise is done")


def _sigmoid(
    name: str, s: str, s_latex: str, s_printed: Definition, description: str, curve: str, steepness: float | None,
    placed: Callable[[float, float, float], Law], x1: float, x2: float, centre: float,
) -> Law:  # fmt: skip
    """Return a law by the formula of its ``s``; the steepness is a parameter of the law if None."""
    parameters = [_midpoint(x1, x2)]
    if steepness is None:
        words = "is how abruptly it rises"
        parameters.append(ShapeParameter("steepness", "k", "halfnormal(2.5)", "per decade", words))
    options: dict[str, Any] = {"x1": x1, "x2": x2, "centre": centre, "steepness": steepness}
    at = size_text(centre)
    return Law(
        name=name,
        formula=f"gain = a + beta * R * (s(x) - s(c)) / (s(x2) - s(x1)),  {s},  R = x2 - x1,  "
        f"x = log10(params / 1e9),  c = log10({at} / 1e9)",
        latex=rf"g(N) = a + \beta\,R\,\frac{{s(x) - s(c)}}{{s(x_2) - s(x_1)}},\quad {s_latex}",
        has_slope=True,
        parameters=tuple(parameters),
        shape=partial(_shape, **options),
        inverse=partial(_inverse, **options),
        limit=partial(_limit, **options),
        description=description,
        definitions=(_H, s_printed),
        curve=curve,
        x_range=(x1, x2),
        centre=centre,
        placed=placed,
    )


def logistic_law(x1: float, x2: float, centre: float) -> Law:
    """Return the logistic law over a range of sizes and with a centre, in decades from 1e9 parameters.

    Examples
    --------
    >>> law = logistic_law(-1.0, 1.0, 0.0)
    >>> [round(float(law.shape(x, np.array([0.0, 2.0]))), 6) for x in (-1.0, 0.0, 1.0)]
    [-1.0, 0.0, 1.0]
    """
    return _sigmoid(
        "logistic",
        "s(x) = 1 / (1 + exp(-k (x - m)))",
        r"s(x) = \frac{1}{1 + e^{-k (x - m)}}",
        Definition(
            "s",
            r"\frac{1}{1 + e^{-k (x - m)}}",
            _one_over("<mi>e</mi>", f"<mo>−</mo><mi>k</mi>{_OPEN}<mi>x</mi><mo>−</mo><mi>m</mi>{_CLOSE}"),
        ),
        "the gain goes from one level to another along a logistic curve in the logarithm of size",
        "logistic",
        None,
        logistic_law,
        x1,
        x2,
        centre,
    )


def saturating_law(x1: float, x2: float, centre: float) -> Law:
    """Return the saturating law over a range of sizes and with a centre, in decades from 1e9 parameters.

    Examples
    --------
    >>> law, psi = saturating_law(-1.0, 1.0, 0.0), np.array([0.5])
    >>> low, half, high = law.shape(np.array(-40.0), psi), law.shape(np.array(0.5), psi), law.limit(psi)
    >>> bool(np.isclose(half, (low + high) / 2))
    True
    """
    return _sigmoid(
        "saturating",
        "s(x) = N / (N + K), K = 1e9 * 10^m",
        r"s = \frac{N}{N + 10^{9 + m}}",
        Definition(
            "s", r"\frac{1}{1 + 10^{m - x}}", _one_over("<mn>10</mn>", "<mi>m</mi><mo>−</mo><mi>x</mi>")
        ),
        "the gain rises in proportion to small sizes and levels off, half of it reached at a size K",
        "rational",
        _LN10,
        saturating_law,
        x1,
        x2,
        centre,
    )


LOGISTIC = logistic_law(-1.0, 1.0, 0.0)
SATURATING = saturating_law(-1.0, 1.0, 0.0)
