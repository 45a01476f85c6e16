"""A law of the hierarchical model over the sizes of a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gainlaw.laws.averages import narrowed
from gainlaw.laws.expression import Graph
from gainlaw.laws.numeric import values_of
from gainlaw.laws.record import Law
from gainlaw.laws.shape import Definition, Shape, ShapeParameter
from gainlaw.sizes import N0, centre_of, format_params, size_text

__all__ = ["Array", "PlacedLaw", "place"]

Array = NDArray[np.float64]

# Shapes tend to the line as a positive parameter goes to 0, where their formulas are 0 / 0. At this value they are the
# line to eight digits, and inverses are not yet lost to rounding.
_LEAST = 1e-8


@dataclass(frozen=True, slots=True)
class PlacedLaw:
    """A law of the hierarchical model over the sizes of a study: scaled to their range, centred among them.

    Parameters
    ----------
    law : Law
        The law; it has a shape.
    low, high : float
        The range of the sizes, in decades from 1e9 parameters.
    centre : float
        Where ``h`` is 0, in decades from 1e9 parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from gainlaw.laws import law
    >>> logistic = place(law("logistic"), np.array([-1.0, 1.0]))
    >>> logistic.shape(np.array([-1.0, 0.0, 1.0]), np.array([0.0, 2.0])).round(6).tolist()
    [-1.0, 0.0, 1.0]
    """

    law: Law
    low: float
    high: float
    centre: float

    @property
    def form(self) -> Shape:
        """The law's shape."""
        return self.law.form

    @property
    def name(self) -> str:
        """The law's name."""
        return self.law.name

    @property
    def title(self) -> str:
        """The law's name in running text."""
        return self.law.title

    @property
    def description(self) -> str:
        """One sentence for reports."""
        return self.law.description

    @property
    def formula(self) -> str:
        """The law in plain text."""
        return self.form.formula.replace("{centre}", size_text(self.centre))

    @property
    def has_slope(self) -> bool:
        """Whether the law depends on size at all."""
        return self.form.has_slope

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The functions that its equation is printed with."""
        return self.form.definitions

    @property
    def members(self) -> tuple[PlacedLaw, ...]:
        """The laws of an average over the same sizes; none for a law."""
        return tuple(
            replace(self, law=Law(name, "", (), shape.formula, shape=shape))
            for name, shape in self.form.members
        )

    @property
    def parameters(self) -> tuple[ShapeParameter, ...]:
        """The parameters of its shape, with their priors over the range."""
        middle, reach = 0.5 * (self.low + self.high), 0.5 * (self.high - self.low) + 0.5
        return tuple(
            replace(
                each, prior=each.prior.replace("{middle}", f"{middle:.6g}").replace("{reach}", f"{reach:.6g}")
            )
            for each in self.form.parameters
        )

    @property
    def x_range(self) -> tuple[float, float] | None:
        """The range that the law is scaled to; None for a law that is not."""
        return (self.low, self.high) if self.form.ranged else None

    @property
    def centre_words(self) -> str:
        """The size at which the law's constant is the gain, in words: ``1B parameters, the centre of the sizes``."""
        if not self.has_slope:
            return "every size"
        return f"{format_params(float(f'{N0 * 10.0**self.centre:.2g}'))} parameters, the centre of the sizes"

    def shape(self, x: Array, psi: Array | None = None) -> Array:
        """Return ``h`` at sizes; psi has one number for each parameter on its last axis, the rest broadcasts with x."""
        x = np.asarray(x, dtype=float)
        if not self.has_slope:
            return np.zeros_like(x)
        if self.form.members:
            return self._chosen(psi, lambda law, own: law.shape(x, own))
        return self._evaluate(self.form.graph, psi, {"x": x})

    def inverse(self, h: Array, psi: Array | None = None) -> Array:
        """Return the sizes where the shape has the value `h`; NaN where no finite size has."""
        h = np.asarray(h, dtype=float)
        if self.form.members:
            return self._chosen(psi, lambda law, own: law.inverse(h, own))
        if not self.form.inverse:
            return np.full_like(h, np.nan)
        with np.errstate(all="ignore"):
            x = self._evaluate(self.form.parsed(self.form.inverse, "h"), psi, {"h": h})
        return np.where(np.isfinite(x), x, np.nan)

    def limit(self, psi: Array | None = None) -> Array:
        """Return ``h`` as size grows without bound; infinite for a law that does not level off."""
        if self.form.members:
            return self._chosen(psi, lambda law, own: law.limit(own))
        if not self.form.limit:
            return np.asarray(np.inf if self.has_slope else 0.0)
        return self._evaluate(self.form.parsed(self.form.limit, "x"), psi, {})

    def _evaluate(self, graph: Graph, psi: Array | None, values: dict[str, Any]) -> Array:
        values |= {"low": self.low, "high": self.high, "centre": self.centre}
        if self.form.parameters:
            if psi is None:
                raise ValueError(f"the law {self.name} needs its shape parameters")
            psi = np.asarray(psi, dtype=float)
            for k, each in enumerate(self.form.parameters):
                values[each.symbol] = np.maximum(psi[..., k], _LEAST) if each.positive else psi[..., k]
        return values_of(graph, values)

    def _chosen(self, psi: Array | None, of: Callable[[PlacedLaw, Array | None], Array]) -> Array:
        """Return what the member says that the first shape parameter names."""
        if psi is None:
            raise ValueError(f"the average {self.name} needs its shape parameters")
        psi, places = np.asarray(psi, dtype=float), [each.name for each in self.form.parameters]
        found = []
        for member in self.members:
            own = [places.index(each.name) for each in member.form.parameters]
            found.append(of(member, psi[..., own] if own else None))
        return np.select([psi[..., 0] == k for k in range(len(found))], found, default=np.nan)

    def ability(self, psi: Array | None) -> Array | float:
        """Return the change of the gain for one unit of untuned log-odds, shape (...,), from shape parameters (..., k).

        0 for a law without.
        """
        return (
            psi[..., self.form.symbols.index(self.form.lift)] if psi is not None and self.form.lift else 0.0
        )

    def psi(self, values: Mapping[str, Array]) -> Array | None:
        """Return the shape parameters, shape (draws, k), from flat draws by name; None for laws without."""
        columns = [values[parameter.name] for parameter in self.form.parameters]
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


def place(law: Law, x: Array) -> PlacedLaw:
    """Return a law over observed sizes: scaled to their range, centred at the mean of the distinct ones.

    An average keeps the laws that so many sizes can carry.

    Parameters
    ----------
    law : Law
        The law.
    x : ndarray, shape (n,)
        Sizes in decades from 1e9 parameters, in any order and number; without any, a decade on either side of 1e9.

    Raises
    ------
    InputError
        If the law has no shape.
    """
    if not len(x) or not law.form.has_slope:
        return PlacedLaw(law, -1.0, 1.0, 0.0)
    low, high = float(np.min(x)), float(np.max(x))
    law = narrowed(law, len(np.unique(x)))
    return PlacedLaw(law, low, high if high > low else low + 1.0, centre_of(x))
