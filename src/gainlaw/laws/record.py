"""A law: its formula as text, and all that searches, samplers and reports need to know of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from gainlaw.errors import InputError, Problem
from gainlaw.laws.expression import parse
from gainlaw.laws.shape import Definition, Shape, ShapeParameter
from gainlaw.laws.variables import Quantity, quantity, source_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gainlaw.laws.tape import Tape

    Float = NDArray[np.float64]

__all__ = ["Derived", "Law", "Parameter", "formula_law", "read_law"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a formula.

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
    low, high : float, optional
        Between what values it is searched for, both among them.
    """

    name: str
    unit: str
    meaning: str
    start: tuple[float, float] = (-1.0, 1.0)
    positive: bool = False
    along: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Derived:
    """A number that a law's parameters say in other words.

    Parameters
    ----------
    name : str
        Its name in tables and claims.
    formula : str
        A formula of the parameters in their own units.
    meaning : str
        What it is, for reports.
    positive : bool
        Whether it is positive; its interval is then made on a log scale.
    unit : str
        Its unit; ``{gain}`` stands for that of the gain.
    """

    name: str
    formula: str
    meaning: str
    positive: bool = True
    unit: str = "1"


@dataclass(frozen=True)
class Law:
    """A law of gain or score.

    The formula serves fits of one curve (`gainlaw.fit_curve`): first and second derivatives are exact and follow from
    it, see `gainlaw.laws.tape`. A law of the form ``a + beta * h(x)`` may say its shape ``h``; the hierarchical model
    (`gainlaw.fit`) then takes it too.

    Parameters
    ----------
    name : str
        Its name in options and files.
    formula : str
        The right-hand side, see `gainlaw.laws.expression.parse`.
    parameters : tuple of Parameter
        Its parameters, in the order of all arrays.
    description : str
        One sentence for reports.
    latex : str
        The formula in LaTeX; the text itself if empty.
    variables : tuple of str
        What the curve depends on; ``x`` is log10(params / 1e9), ``log_n`` the natural logarithm of a quantity n.
    quantities : tuple of Quantity
        Those behind the variables that are not known to every law (`gainlaw.laws.variables`): how columns of a table
        are called that hold them.
    response : {"", "log"}
        ``log`` for a law of the logarithm of what is measured; tables are then read so, and predictions told as they
        are measured.
    derived : tuple of Derived
        Numbers that its parameters say in other words.
    limit : tuple of str
        The parameters whose sum the value tends to as size grows without bound; empty where there is no such limit.
    shape : Shape, optional
        How it enters the hierarchical model.
    usual : bool
        Whether comparisons of laws include it unless told otherwise.

    Examples
    --------
    >>> from gainlaw.laws import law
    >>> power = law("offset_power")
    >>> [each.name for each in power.parameters], power.linear
    (['c', 'a', 'r'], (True, True, False))
    """

    name: str
    formula: str
    parameters: tuple[Parameter, ...]
    description: str
    latex: str = ""
    variables: tuple[str, ...] = ("x",)
    quantities: tuple[Quantity, ...] = ()
    response: Literal["", "log"] = ""
    derived: tuple[Derived, ...] = ()
    limit: tuple[str, ...] = ()
    shape: Shape | None = None
    usual: bool = False

    @property
    def form(self) -> Shape:
        """How it enters the hierarchical model.

        Raises
        ------
        InputError
            If it does not.
        """
        if self.shape is None:
            what = f"the law {self.name} does not enter the hierarchical model"
            raise InputError(Problem(what, hint="give a law with a shape, or use gl.fit_curve"))
        return self.shape

    @property
    def measured(self) -> tuple[Quantity, ...]:
        """What its variables are made of, each once, in their order."""
        own = {each.name: each for each in self.quantities}
        names = dict.fromkeys(source_of(each)[0] for each in self.variables)
        return tuple(own.get(name) or quantity(name) for name in names)

    @property
    def title(self) -> str:
        """Its name in running text."""
        return self.name.replace("_", " ")

    @cached_property
    def tape(self) -> Tape:
        """The formula as arrays; positive parameters enter by their logarithm."""
        from gainlaw.laws.tape import build_tape

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
        import numpy as np

        return np.array([each.positive for each in self.parameters])

    @cached_property
    def limits(self) -> tuple[Float, Float]:
        """The least and the largest value of every parameter in its own unit, infinite where it has none."""
        import numpy as np

        low = np.array([-np.inf if each.low is None else each.low for each in self.parameters])
        high = np.array([np.inf if each.high is None else each.high for each in self.parameters])
        return np.where(self.positive, np.maximum(low, 0.0), low), high

    @cached_property
    def bounds(self) -> tuple[Float, Float]:
        """The least and the largest value of every parameter as it is searched for, infinite where it has none."""
        import numpy as np

        low, high = self.limits
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.positive, np.log(low), low), np.where(self.positive, np.log(high), high)

    @property
    def unbounded(self) -> Law:
        """The law without the bounds of its parameters."""
        return replace(self, parameters=tuple(replace(each, low=None, high=None) for each in self.parameters))

    def record(self) -> dict[str, Any]:
        """Return all that it is as it stands in a JSON file; `read_law` takes it back."""
        return dict(json.loads(json.dumps(asdict(self))))

    def natural(self, theta: Float) -> Float:
        """Return parameters in their own units from those searched for, shape (..., p)."""
        import numpy as np

        with np.errstate(over="ignore"):
            found = np.where(self.positive, np.exp(np.where(self.positive, theta, 0.0)), theta)
        # A bound is told as it was given, not as the exponential of its logarithm.
        (low, high), (least, most) = self.limits, self.bounds
        return np.select([theta <= least, theta >= most], [low, high], np.clip(found, low, high))

    def searched(self, values: Float) -> Float:
        """Return what is searched for from parameters in their own units, shape (..., p).

        Raises
        ------
        InputError
            If a parameter that is positive is not.
        """
        import numpy as np

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
        import numpy as np

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


def read_law(record: Mapping[str, Any]) -> Law:
    """Return a law from the record of it.

    Examples
    --------
    >>> from gainlaw.laws import law
    >>> read_law(law("logistic").record()) == law("logistic")
    True
    """
    given = dict(record)
    given["parameters"] = tuple(
        Parameter(**{**each, "start": tuple(each["start"])}) for each in given["parameters"]
    )
    given["variables"], given["limit"] = tuple(given["variables"]), tuple(given["limit"])
    given["derived"] = tuple(Derived(**each) for each in given.get("derived", ()))
    given["quantities"] = tuple(
        Quantity(**{**each, "columns": tuple(each["columns"])}) for each in given.get("quantities", ())
    )
    if given["shape"] is not None:
        given["shape"] = _read_shape(given["shape"])
    return Law(**given)


def _read_shape(record: Mapping[str, Any]) -> Shape:
    shape = dict(record)
    shape["parameters"] = tuple(ShapeParameter(**each) for each in shape["parameters"])
    shape["definitions"] = tuple(Definition(**each) for each in shape["definitions"])
    shape["members"] = tuple((name, _read_shape(each)) for name, each in shape.get("members", ()))
    return Shape(**shape)


def formula_law(
    formula: str,
    *,
    variables: Sequence[str] = ("x",),
    positive: Sequence[str] = (),
    start: Mapping[str, tuple[float, float]] | None = None,
    name: str = "formula",
) -> Law:
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
        If the formula cannot be read, or has no parameter.

    Examples
    --------
    >>> formula_law("c + a * exp(-r * x)", positive=["r"]).linear
    (True, True, False)
    """
    graph = parse(formula, variables, positive=positive)
    if not graph.parameters:
        raise InputError(Problem(f"the formula {formula!r} has no parameter to fit"))
    ranges = dict(start or {})
    unknown = sorted(set(ranges) - set(graph.parameters))
    if unknown:
        raise InputError(Problem(f"no parameter of the formula: {', '.join(unknown)}"))
    parameters = tuple(
        Parameter(
            each,
            "",
            "",
            ranges.get(each, (0.05, 20.0) if each in positive else (-1.0, 1.0)),
            each in positive,
        )
        for each in graph.parameters
    )
    return Law(name, formula, parameters, "a formula of one's own", variables=tuple(variables))
