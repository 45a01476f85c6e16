"""The shape shared by every law of the gain against model size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gainlaw.sizes import N0, centre_of, format_params

__all__ = ["Array", "Definition", "Law", "ShapeParameter"]

Array = NDArray[np.float64]


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

    The shape ``h`` is 0 at the law's centre ``c``, so ``a`` is the gain there. Where the law is the line or tends to it
    at its centre, ``h'(c) = 1`` and ``beta`` is the local slope there, per decade; laws that level off on both
    sides are scaled so that ``beta`` is the average slope over the observed range (see `over`). A model whose priors of
    ``a`` and ``beta`` are independent says the same in any unit of size if the centre is that of the sizes.

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
    curve : str
        The law of one curve (`gainlaw.laws.CURVE_LAWS`) that has its form; empty where there is none.
    centre : float
        Where ``h`` is 0, in decades from 1e9 parameters.
    placed : callable or None
        Returns the same law over another range and with another centre; None for a law without size.
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
    curve: str = ""
    centre: float = 0.0
    placed: Callable[[float, float, float], Law] | None = None

    @property
    def centre_words(self) -> str:
        """The size at which the law's constant is the gain, in words: ``1B parameters, the centre of the sizes``."""
        if not self.has_slope:
            return "every size"
        return f"{format_params(float(f'{N0 * 10.0**self.centre:.2g}'))} parameters, the centre of the sizes"

    def over(self, x: Array) -> Law:
        """Return the law for observed sizes: scaled to their range, centred at the mean of the distinct ones.

        Parameters
        ----------
        x : ndarray, shape (n,)
            Sizes in decades from 1e9 parameters, in any order and number.
        """
        if self.placed is None or not len(x):
            return self
        low, high = float(np.min(x)), float(np.max(x))
        return self.placed(low, high if high > low else low + 1.0, centre_of(x))

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
