r"""The offset power law: the gain approaches an asymptote as a power of size.

In the usual form ``gain = asymptote + coefficient * (N / Nc)^(-b)`` the three parameters are nearly
collinear over one or two decades. Here it is written as

.. math:: g(N) = a + \beta\,\frac{1 - (N/N_c)^{-b}}{b \ln 10}, \qquad b > 0,

with ``a`` the gain at the centre ``Nc`` of the sizes and ``beta`` the local slope per decade there. The usual
parameters follow: ``asymptote = a + beta / (b ln 10)`` and ``coefficient = -beta / (b ln 10)``. As ``b -> 0`` the law
becomes the linear law, so the two are nested and a small exponent says "no bend can be seen".
"""

from __future__ import annotations

from functools import partial

import numpy as np

from gainlaw.laws.base import Array, Definition, Law, ShapeParameter
from gainlaw.sizes import size_text

__all__ = ["OFFSET_POWER", "offset_power_law"]

_THIN = '<mspace width="0.17em"></mspace>'
_LN10 = float(np.log(10.0))
# Below this the closed form loses digits to cancellation; the series is then exact to double precision.
_SMALL = 1e-6


def _shape(x: Array, psi: Array | None = None, *, centre: float) -> Array:
    x, rate = np.asarray(x, dtype=float) - centre, _rate(psi)
    small = np.abs(rate) < _SMALL
    safe = np.where(small, 1.0, rate)
    return np.where(small, x - 0.5 * rate * x**2, -np.expm1(-safe * x) / safe)


def _inverse(h: Array, psi: Array | None = None, *, centre: float) -> Array:
    h, rate = np.asarray(h, dtype=float), _rate(psi)
    small = np.abs(rate) < _SMALL
    safe = np.where(small, 1.0, rate)
    inside = 1.0 - h * safe
    exact = -np.log(np.where(inside > 0, inside, np.nan)) / safe
    return centre + np.where(small, h + 0.5 * rate * h**2, exact)


def _limit(psi: Array | None = None) -> Array:
    return 1.0 / _rate(psi)


def _rate(psi: Array | None) -> Array:
    if psi is None:
        raise ValueError("the offset power law needs an exponent")
    return np.asarray(psi, dtype=float)[..., 0] * _LN10


def offset_power_law(x1: float, x2: float, centre: float) -> Law:
    """Return the offset power law with a centre, in decades from 1e9 parameters; its range does not matter.

    Examples
    --------
    >>> float(offset_power_law(-1.0, 2.0, 0.5).shape(np.array(0.5), np.array([0.3])))
    0.0
    """
    return Law(
        name="offset_power",
        formula=f"gain = a + beta * (1 - 10^(-b x)) / (b ln 10),  x = log10(params / {size_text(centre)})",
        latex=r"g(N) = a + \beta\,\frac{1 - (N/N_c)^{-b}}{b \ln 10}",
        has_slope=True,
        parameters=(
            ShapeParameter("exponent", "b", "halfnormal(0.5)", "1", "bends the curve towards its asymptote"),
        ),
        shape=partial(_shape, centre=centre),
        inverse=partial(_inverse, centre=centre),
        limit=_limit,
        description="the gain approaches an asymptote as a power of size",
        definitions=(
            Definition(
                "h",
                r"\frac{1 - 10^{-b x}}{b \ln 10}",
                "<mfrac><mrow><mn>1</mn><mo>−</mo><msup><mn>10</mn><mrow><mo>−</mo><mi>b</mi><mi>x</mi></mrow></msup>"
                f"</mrow><mrow><mi>b</mi>{_THIN}<mi>ln</mi>{_THIN}<mn>10</mn></mrow></mfrac>",
            ),
        ),
        curve="power_offset",
        centre=centre,
        placed=offset_power_law,
    )


OFFSET_POWER = offset_power_law(-1.0, 1.0, 0.0)
