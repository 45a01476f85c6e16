"""Laws of one curve: a formula as text, and what the searches and the reports need to know of its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.laws.expression import parse
from gainlaw.laws.tape import Tape, build_tape

__all__ = ["CurveLaw", "CurveParameter", "formula_law"]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CurveParameter:
    """A parameter of a curve.

    Parameters
    ----------
    name : str
        Its name in the formula.
    unit : str
        Its unit; ``{gain}`` stands for that of the gain.
    meaning : str
        What it is, for reports.
    start : tuple of float
        The range in which searches start. A formula's linear parameters need none.
    positive : bool
        Whether it is positive; it is then searched for on a log scale.
    along : str
        The variable along which it is a position: the range of starts, of a positive parameter its log10, then counts
        from the middle of the data in units of half their range.
    """

    name: str
    unit: str
    meaning: str
    start: tuple[float, float] = (-1.0, 1.0)
    positive: bool = False
    along: str = ""


@dataclass(frozen=True)
class CurveLaw:
    """A law of one curve.

    First and second derivatives are exact; they follow from the formula, see `gainlaw.laws.tape`.

    Parameters
    ----------
    name : str
        Its name in options and files.
    formula : str
        The right-hand side, see `gainlaw.laws.expression.parse`.
    latex : str
        The formula in LaTeX; the text itself if empty.
    parameters : tuple of CurveParameter
        Its parameters, in the order of all arrays.
    description : str
        One sentence for reports.
    variables : tuple of str
        What the curve depends on; ``x`` is log10(params / 1e9).
    limit : tuple of str
        The parameters whose sum the value tends to as size grows without bound; empty where there is no such limit.

    Examples
    --------
    >>> from gainlaw.laws import curve_law
    >>> law = curve_law("power_offset")
    >>> [each.name for each in law.parameters], law.linear
    (['c', 'a', 'r'], (True, True, False))
    """

    name: str
    formula: str
    parameters: tuple[CurveParameter, ...]
    description: str
    latex: str = ""
    variables: tuple[str, ...] = ("x",)
    limit: tuple[str, ...] = ()

    @cached_property
    def tape(self) -> Tape:
        """The formula as arrays; positive parameters enter by their logarithm."""
        names = [each.name for each in self.parameters]
        positive = [each.name for each in self.parameters if each.positive]
        return build_tape(parse(self.formula, self.variables, positive=positive, parameters=names))

    @property
    def linear(self) -> tuple[bool, ...]:
        """Which parameters the formula is linear in, taken together."""
        return self.tape.linear

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Which parameters are positive."""
        return np.array([each.positive for each in self.parameters])

    def natural(self, theta: Float) -> Float:
        """Return parameters in their own units from those searched for, shape (..., p)."""
        with np.errstate(over="ignore"):
            return np.where(self.positive, np.exp(np.where(self.positive, theta, 0.0)), theta)

    def searched(self, values: Float) -> Float:
        """Return what is searched for from parameters in their own units, shape (..., p).

        Raises
        ------
        InputError
            If a parameter that is positive is not.
        """
        values = np.asarray(values, dtype=float)
        wrong = [
            each.name
            for k, each in enumerate(self.parameters)
            if each.positive and not (values[..., k] > 0).all()
        ]
        if wrong:
            raise InputError(Problem(f"{', '.join(wrong)} of the law {self.name} must be positive"))
        return np.where(self.positive, np.log(np.where(self.positive, values, 1.0)), values)

    def inputs(self, variables: Mapping[str, object]) -> Float:
        """Return the variables in the order of the tape, shape (v, n).

        Raises
        ------
        InputError
            If one is missing or not finite.
        """
        missing = [name for name in self.tape.variables if name not in variables]
        if missing:
            raise InputError(
                Problem(
                    f"the law {self.name} needs {', '.join(missing)}", hint="given: " + ", ".join(variables)
                )
            )
        arrays = [np.atleast_1d(np.asarray(variables[name], dtype=float)) for name in self.tape.variables]
        size = max((len(each) for each in arrays), default=0)
        if not arrays:
            size = max((len(np.atleast_1d(np.asarray(each))) for each in variables.values()), default=1)
        out = np.empty((len(arrays), size))
        for k, each in enumerate(arrays):
            out[k] = each
        if not np.isfinite(out).all():
            raise InputError(
                Problem(f"values of {', '.join(self.tape.variables)} that are not finite numbers")
            )
        return out


def formula_law(
    formula: str,
    *,
    variables: Sequence[str] = ("x",),
    positive: Sequence[str] = (),
    start: Mapping[str, tuple[float, float]] | None = None,
    name: str = "formula",
) -> CurveLaw:
    """Return a law from a formula of one's own; its derivatives are found automatically, and are exact.

    Parameters
    ----------
    formula : str
        The right-hand side, such as ``"c + a * exp(-r * x)"``; see `gainlaw.laws.expression.parse`.
    variables : sequence of str
        Names of what the curve depends on; the other names are parameters. ``x`` is log10(params / 1e9).
    positive : sequence of str
        Parameters that are positive.
    start : mapping of str to (float, float), optional
        Ranges in which searches for a parameter start; by default -1 to 1, for positive ones 0.05 to 20.
    name : str
        Its name in tables.

    Raises
    ------
    InputError
        If the formula cannot be read.

    Examples
    --------
    >>> formula_law("c + a * exp(-r * x)", positive=["r"]).linear
    (True, True, False)
    """
    graph = parse(formula, variables, positive=positive)
    ranges = dict(start or {})
    unknown = sorted(set(ranges) - set(graph.parameters))
    if unknown:
        raise InputError(Problem(f"no parameter of the formula: {', '.join(unknown)}"))
    parameters = tuple(
        CurveParameter(
            each,
            "",
            "",
            ranges.get(each, (0.05, 20.0) if each in positive else (-1.0, 1.0)),
            each in positive,
        )
        for each in graph.parameters
    )
    return CurveLaw(name, formula, parameters, "a formula of one's own", variables=tuple(variables))
