r"""How a law enters the hierarchical model: its shape.

.. math:: \mathrm{gain}(x) = a + \beta\,h(x; \psi)

The shape ``h`` is 0 at the law's centre ``c``, so ``a`` is the gain there. Where the law is the line or tends to it at
its centre, ``h'(c) = 1`` and ``beta`` is the local slope there, per decade; laws that level off on both sides are
scaled so that ``beta`` is the average slope over the observed range. A model whose priors of ``a`` and ``beta`` are
independent says the same in any unit of size if the centre is that of the sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from gainlaw.errors import InputError, Problem
from gainlaw.laws.expression import Graph, parse

__all__ = ["PLACES", "Definition", "Shape", "ShapeParameter", "Weighing"]

Weighing = Literal["evidence", "stacking"]
"""How the laws of an average are weighed: by the evidence of all gains, or by their predictions of left-out ones."""

#: What the texts of a shape may say besides its parameters and ``x`` (of the inverse: ``h``), all in decades from 1e9.
PLACES = ("low", "high", "centre")


@dataclass(frozen=True, slots=True)
class ShapeParameter:
    """A parameter in which a law of the hierarchical model is not linear.

    Parameters
    ----------
    name : str
        Its name in options and files.
    symbol : str
        Its symbol in formulas.
    prior : str
        Its default prior, as in options; ``normal`` for a parameter of either sign, else positive. ``{middle}`` and
        ``{reach}`` stand for the middle of the observed range and half its length plus half a decade.
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

    @property
    def positive(self) -> bool:
        """Whether it is positive."""
        return not self.prior.startswith("normal")


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
class Shape:
    """The shape of a law of the form ``a + beta * h(x; psi)``, as formulas (`gainlaw.laws.expression.parse`).

    Parameters
    ----------
    value : str
        ``h`` in ``x`` (decades from 1e9 parameters), the symbols of `parameters` and `PLACES`.
    inverse : str
        ``x`` in ``h``; no finite number where no size has that value. Empty for a law without size.
    limit : str
        ``h`` as size grows without bound; empty for a law that does not level off.
    formula, latex : str
        The law in plain text and in LaTeX; ``{centre}`` stands for the size at the centre.
    parameters : tuple of ShapeParameter
        The parameters ``psi``.
    definitions : tuple of Definition
        ``h`` as it is printed, where it is not ``x`` itself, and the functions that it is made of.
    scores : bool
        Whether it is a law of scores: those of baselines have it too, on chance-corrected log-odds. The gain in points
        is then the difference of two sigmoids.
    lift : str
        Of a law of scores: the symbol of the parameter ``g`` by which ability moves the gain. Tuned scores have ``1 +
        g`` times the untuned log-odds, so that the gain is ``g`` times these and ``a + beta * h``. Empty for none.
    members : tuple of (str, Shape)
        Of an average of laws (`gainlaw.laws.averages`): the shapes that ``h`` may be, by the names of their laws. Its
        first parameter says which one; it has no formula of its own.
    weighing : {"evidence", "stacking"}
        How the members are weighed.
    """

    value: str
    inverse: str
    limit: str
    formula: str
    latex: str
    parameters: tuple[ShapeParameter, ...] = ()
    definitions: tuple[Definition, ...] = ()
    scores: bool = False
    lift: str = ""
    members: tuple[tuple[str, Shape], ...] = ()
    weighing: Weighing = "evidence"

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols of its parameters, in their order."""
        return tuple(each.symbol for each in self.parameters)

    @property
    def has_slope(self) -> bool:
        """Whether the law depends on size at all."""
        return bool(self.members) or "x" in self.graph.variables

    @property
    def ranged(self) -> bool:
        """Whether the law is scaled to the observed range."""
        return bool(self.members) or bool({"low", "high"} & set(self.graph.variables))

    @property
    def straight(self) -> bool:
        """Whether the law is a line in log size."""
        return not self.members and self.graph == _parsed("x - centre", "x", ())

    @property
    def least_sizes(self) -> int:
        """How many distinct sizes it takes to tell the law's coefficients."""
        if self.members:
            return min(shape.least_sizes for _, shape in self.members if shape.has_slope)
        return 1 + self.has_slope + len(self.parameters) - bool(self.lift)

    @property
    def graph(self) -> Graph:
        """``h`` as operations."""
        return self.parsed(self.value, "x")

    def parsed(self, text: str, variable: str) -> Graph:
        """Return one of the texts as operations; its variable besides `PLACES` is ``x`` or ``h``."""
        return _parsed(text, variable, self.symbols)


@lru_cache(maxsize=256)
def _parsed(text: str, variable: str, symbols: tuple[str, ...]) -> Graph:
    graph = parse(text, (variable, *PLACES))
    unknown = sorted(set(graph.parameters) - set(symbols))
    if unknown:
        allowed = ", ".join((variable, *PLACES, *symbols))
        raise InputError(
            Problem(f"the shape {text!r} holds {', '.join(unknown)}", hint=f"allowed: {allowed}")
        )
    return graph
