"""The syntax tree of a claim: frozen nodes whose ``str`` is the canonical text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

__all__ = [
    "Apply",
    "Binary",
    "Claim",
    "Estimand",
    "Expr",
    "Negate",
    "Number",
    "Selector",
    "format_number",
    "ordered_group",
    "walk_terms",
]

KEY_ORDER = ("task", "language_family", "language", "intermediate", "model_family", "covariate")
SUFFIX = {"K": 3, "k": 3, "M": 6, "B": 9, "T": 12}
WORD = re.compile(r"\w[\w.+\-/:]*")


@dataclass(frozen=True, slots=True)
class Selector:
    """Whom an estimand is about: a level of the hierarchy, and the groups held fixed.

    Parameters
    ----------
    level : {"overall", "population"}
        ``overall`` averages over the groups observed, ``population`` is the mean of the hierarchy.
    group : tuple of (str, str)
        Column and value of each group held fixed, in the canonical order of columns.
    """

    level: str = "overall"
    group: tuple[tuple[str, str], ...] = ()

    def with_group(self, key: str, value: str) -> Selector:
        """Return the selector with `key` set to `value`, unless it already fixes `key` or the population."""
        if key in dict(self.group) or self.level == "population":
            return self
        return replace(self, group=ordered_group((*self.group, (key, value))))

    def __str__(self) -> str:
        """Return the selector in brackets, or nothing for the plain overall level."""
        items = ["population"] if self.level == "population" else []
        items += [f"{key}={_quote(value)}" for key, value in self.group]
        return f"[{', '.join(items)}]" if items else ""


@dataclass(frozen=True, slots=True)
class Number:
    """A number >= 0 as written in a claim."""

    value: float

    def __str__(self) -> str:
        """Return the shortest form that reads back as the same number."""
        return format_number(self.value)


@dataclass(frozen=True, slots=True)
class Estimand:
    """An estimand: a name of `ESTIMANDS`, its arguments, and whom it is about; or a parameter of a curve's law.

    Parameters
    ----------
    name : str
        Its name.
    args : tuple of float
        Its arguments.
    selector : Selector
        Whom it is about.
    positive : bool, optional
        Of a parameter, whether it is positive; None for what is none.
    """

    name: str
    args: tuple[float, ...] = ()
    selector: Selector = Selector()
    positive: bool | None = None

    def __str__(self) -> str:
        """Return the term with its selector after its arguments."""
        args = f"({', '.join(_signed(arg) for arg in self.args)})" if self.args else ""
        return f"{self.name}{args}{self.selector}"


@dataclass(frozen=True, slots=True)
class Negate:
    """Minus an expression."""

    operand: Expr

    def __str__(self) -> str:
        """Return the operand behind a minus sign."""
        inner = f"({self.operand})" if isinstance(self.operand, Binary | Negate) else str(self.operand)
        return f"-{inner}"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two expressions joined by ``+ - *`` or ``/``."""

    op: str
    left: Expr
    right: Expr

    def __str__(self) -> str:
        """Return the expression with the parentheses it needs and no others."""
        left = f"({self.left})" if _rank(self.left) < _rank(self) else str(self.left)
        right = f"({self.right})" if _rank(self.right) <= _rank(self) else str(self.right)
        return f"{left} {self.op} {right}"


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of `FUNCTIONS` applied to expressions."""

    name: str
    args: tuple[Expr, ...]

    def __str__(self) -> str:
        """Return the call."""
        return f"{self.name}({', '.join(str(arg) for arg in self.args)})"


Expr = Number | Estimand | Negate | Binary | Apply


@dataclass(frozen=True, slots=True)
class Claim:
    """A comparison of two expressions: what is claimed.

    Parameters
    ----------
    left, right : Expr
        The two sides.
    op : {"<", ">", "<=", ">="}
        The comparison.

    Examples
    --------
    >>> from gainlaw.claims.grammar.parse import parse_claim
    >>> print(parse_claim("gain[task=xnli](10e9)<1"))
    gain(10B)[task=xnli] < 1
    """

    left: Expr
    op: str
    right: Expr

    @property
    def difference(self) -> Expr:
        """Left side minus right side; the right side is left out when it is 0."""
        return self.left if self.right == Number(0.0) else Binary("-", self.left, self.right)

    def terms(self) -> tuple[Estimand, ...]:
        """Return every estimand of the claim once, in order of appearance."""
        return tuple(dict.fromkeys([*walk_terms(self.left), *walk_terms(self.right)]))

    def select(self, key: str, value: str) -> Claim:
        """Return the claim about one group: every estimand that leaves `key` open gets ``key=value``."""
        return Claim(_select(self.left, key, value), self.op, _select(self.right, key, value))

    def __str__(self) -> str:
        """Return the canonical text, which `parse_claim` reads back as an equal claim."""
        return f"{self.left} {self.op} {self.right}"


def walk_terms(expr: Expr) -> Iterator[Estimand]:
    """Yield the estimands of an expression from left to right."""
    if isinstance(expr, Estimand):
        yield expr
    elif isinstance(expr, Negate):
        yield from walk_terms(expr.operand)
    elif isinstance(expr, Binary):
        yield from walk_terms(expr.left)
        yield from walk_terms(expr.right)
    elif isinstance(expr, Apply):
        for arg in expr.args:
            yield from walk_terms(arg)


def format_number(value: float) -> str:
    """Return the shortest text of a number >= 0 that the grammar reads back exactly.

    Examples
    --------
    >>> format_number(1.3e10), format_number(560e6), format_number(0.5), format_number(1234567.0)
    ('13B', '560M', '0.5', '1234567')
    """
    if value >= 1e6:
        exact = Decimal(repr(value))
        for suffix in ("T", "B", "M"):
            short = (exact / Decimal(10) ** SUFFIX[suffix]).normalize()
            if 1 <= short < 1000 and len(short.as_tuple().digits) <= 4:
                return f"{short:f}{suffix}"
    if value == int(value) and value < 1e15:
        return str(int(value))
    return repr(float(value))


def ordered_group(group: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the groups of a selector in the canonical order: task, family, language, and the rest."""
    return tuple(sorted(group, key=lambda item: KEY_ORDER.index(item[0])))


def _quote(value: str) -> str:
    if WORD.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _signed(value: float) -> str:
    return f"-{format_number(-value)}" if value < 0 else format_number(value)


def _rank(expr: Expr) -> int:
    if isinstance(expr, Binary):
        return 1 if expr.op in "+-" else 2
    return 3


def _select(expr: Expr, key: str, value: str) -> Expr:
    if isinstance(expr, Estimand):
        return replace(expr, selector=expr.selector.with_group(key, value))
    if isinstance(expr, Negate):
        return Negate(_select(expr.operand, key, value))
    if isinstance(expr, Binary):
        return Binary(expr.op, _select(expr.left, key, value), _select(expr.right, key, value))
    if isinstance(expr, Apply):
        return Apply(expr.name, tuple(_select(arg, key, value) for arg in expr.args))
    return expr
