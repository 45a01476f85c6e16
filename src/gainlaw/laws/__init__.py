"""Laws: formulas of the gain against model size. No fitting happens here."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from gainlaw.errors import InputError, Problem
from gainlaw.laws import forms
from gainlaw.laws.averages import average_of
from gainlaw.laws.record import Law, Parameter, formula_law, read_law
from gainlaw.laws.shape import Definition, Shape, ShapeParameter, Weighing

__all__ = [
    "AVERAGES",
    "LAWS",
    "Definition",
    "Law",
    "Parameter",
    "Shape",
    "ShapeParameter",
    "average_of",
    "formula_law",
    "hierarchical",
    "hierarchical_law",
    "law",
    "read_law",
    "shaped",
    "usual",
]


def _found() -> list[Law]:
    modules = (import_module(f"{forms.__name__}.{each.name}") for each in iter_modules(forms.__path__))
    return sorted((each.LAW for each in modules), key=lambda each: (len(each.parameters), each.name))


#: Every law by name, those of fewer parameters first.
LAWS = MappingProxyType({each.name: each for each in _found()})


def _averages() -> dict[str, Law]:
    weighings: dict[str, Weighing] = {"average": "evidence", "stacked": "stacking"}
    own = [each for each in LAWS.values() if each.usual and each.shape is not None]
    return {name: average_of(own, name=name, weighing=how) for name, how in weighings.items()}


#: Averages over the usual laws of the gain, by name: of the hierarchical model alone.
AVERAGES = MappingProxyType(_averages())


def shaped() -> tuple[str, ...]:
    """Return the names of the single laws that the hierarchical model takes.

    Examples
    --------
    >>> shaped()[:3]
    ('constant', 'linear', 'offset_power')
    """
    return tuple(name for name, each in LAWS.items() if each.shape is not None)


def hierarchical() -> tuple[str, ...]:
    """Return the names of all that the hierarchical model takes: single laws, and averages over them.

    Examples
    --------
    >>> hierarchical()[-2:]
    ('average', 'stacked')
    """
    return (*shaped(), *AVERAGES)


def usual() -> tuple[str, ...]:
    """Return the names of the laws that are compared where none is named.

    Examples
    --------
    >>> usual()[0]
    'constant'
    """
    return tuple(name for name, each in LAWS.items() if each.usual)


def law(name: str | Law) -> Law:
    """Return the law called `name`, or made from a formula.

    Parameters
    ----------
    name : str or Law
        One of `LAWS`, or a formula in ``x`` (log10(params / 1e9)) such as ``"c + a * exp(-r * x)"``. For positive
        parameters and ranges of starting values see `formula_law`. A law is returned as it is.

    Raises
    ------
    InputError
        If it is none of these; the message lists the laws there are.

    Examples
    --------
    >>> law("linear").formula, law("a + b * x ** 2").linear
    ('a + b * x', (True, True))
    """
    if isinstance(name, Law):
        return name
    if not isinstance(name, str):
        raise InputError(Problem(f"a law is a name, a formula or a law, not {type(name).__name__}"))
    if name in LAWS:
        return LAWS[name]
    if name.isidentifier():
        raise InputError(Problem(f"law is {name!r}", hint=f"allowed: {', '.join(LAWS)}, or a formula in x"))
    return formula_law(name, name=name)


def hierarchical_law(name: str | Law) -> Law:
    """Return the law called `name`, if the hierarchical model takes it.

    Raises
    ------
    InputError
        If there is no such law, or it has no shape; the message lists those that have.

    Examples
    --------
    >>> hierarchical_law("linear").name
    'linear'
    """
    if isinstance(name, Law) and name.shape is not None:
        return name
    if isinstance(name, str) and name in hierarchical():
        return AVERAGES.get(name) or LAWS[name]
    what = f"{name.name if isinstance(name, Law) else name!r} is no law of the hierarchical model"
    hint = f"allowed: {', '.join(hierarchical())}; for one curve gl.fit_curve takes any law and formula"
    raise InputError(Problem(what, hint=hint))
