"""The shape shared by every law of the gain against model size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["N0", "Array", "Definition", "Law", "ShapeParameter", "decades"]

Array = NDArray[np.float64]

N0 = 1e9
"""The reference size: every law is written in ``x = log10(params / N0)``."""


def decades(params: float | Array) -> Array:
    """Return ``x = log10(params / 1e9)``, the position on the size axis in decades.

    Parameters
    ----------
    params : float or array
        Model sizes, in parameters.

    Examples
    --------
    >>> float(decades(1e10))
    1.0
    """
    return np.log10(np.asarray(params, dtype=float) / N0)


@dataclass(frozen=True, slots=True)
class ShapeParameter:
    """A parameter in which a law is not linear.

    Parameters
    ----------
    name : str
        Its name in options and files.
    symbol : str
        Its symbol in formulas.
    prior : str
        Its default prior, as in options; ``normal`` for a parameter of either sign, else positive.
    unit : str
        Its unit.
    description : str
        What it does, for reports.
    """

    name: str
    symbol: str
    prior: str
    unit: str
    description: str


@dataclass(frozen=True, slots=True)
class Definition:
    """A function of ``x`` as it is printed in equations.

    Parameters
    ----------
    name : str
        One letter.
    latex, mathml : str
        What it is, in ``x``; MathML as one element or several.
    """

    name: str
    latex: str
    mathml: str


@dataclass(frozen=True, slots=True)
class Law:
    r"""A law that is linear in its coefficients: ``gain(x) = a + beta * h(x; psi)``.

    The shape ``h`` has ``h(0) = 0``, so ``a`` is the gain at 1e9 parameters. Where the law is the line or tends to it
    at 1e9 parameters, ``h'(0) = 1`` and ``beta`` is the local slope there, per decade; laws that level off on both
    sides are scaled so that ``beta`` is the average slope over the observed range (see `over`).

    Parameters
    ----------
    name : str
        The name used in options and files.
    formula : str
        The formula in plain text.
    latex : str
        The formula in LaTeX.
    has_slope : bool
        Whether the law depends on size at all.
    parameters : tuple of ShapeParameter
        The parameters ``psi`` of ``h``.
    shape : callable
        ``shape(x, psi) -> h``; psi has one number for each parameter on its last axis, the rest broadcasts with x.
    inverse : callable
        ``inverse(h, psi) -> x``; NaN where no finite size has that shape value.
    limit : callable
        ``limit(psi) -> h`` as size grows without bound; infinite for a law that does not level off.
    description : str
        One sentence for reports.
    definitions : tuple of Definition
        The shape ``h`` as it is printed, where it is not ``x`` itself, and the functions that it is made of.
    x_range : tuple of float or None
        The range that a law is scaled to.
    scaled : callable or None
        Returns the same law scaled to another range.
    curve : str
        The law of one curve (`gainlaw.laws.CURVE_LAWS`) that has its form; empty where there is none.
    """

    name: str
    formula: str
    latex: str
    has_slope: bool
    parameters: tuple[ShapeParameter, ...]
    shape: Callable[[Array, Array | None], Array]
    inverse: Callable[[Array, Array | None], Array]
    limit: Callable[[Array | None], Array]
    description: str
    definitions: tuple[Definition, ...] = ()
    x_range: tuple[float, float] | None = None
    scaled: Callable[[float, float], Law] | None = None
    curve: str = ""

    def over(self, x_low: float, x_high: float) -> Law:
        """Return the law scaled to an observed range of sizes, in decades from 1e9 parameters.

        Most laws do not depend on it and are returned as they are.
        """
        return self if self.scaled is None or not x_high > x_low else self.scaled(x_low, x_high)

    def psi(self, values: Mapping[str, Array]) -> Array | None:
        """Return the shape parameters, shape (draws, k), from flat draws by name; None for laws without."""
        columns = [values[parameter.name] for parameter in self.parameters]
        return np.stack(columns, axis=-1) if columns else None

    def mean_slope_factor(self, x_low: float, x_high: float, psi: Array | None = None) -> Array:
        """Return ``(h(x_high) - h(x_low)) / (x_high - x_low)``, which turns ``beta`` into the average slope.

        Parameters
        ----------
        x_low, x_high : float
            The observed range, in decades from 1e9 parameters.
        psi : array, shape (..., k), optional
            The shape parameters (their draws), for laws that have some.
        """
        high = self.shape(np.asarray(x_high, dtype=float), psi)
        low = self.shape(np.asarray(x_low, dtype=float), psi)
        return (high - low) / (x_high - x_low)
