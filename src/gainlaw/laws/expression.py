"""Formulas as text: parsed into a graph of elementary operations, never evaluated as Python."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gainlaw.errors import InputError, Problem

__all__ = ["BINARY", "CONSTANT", "PARAMETER", "UNARY", "VARIABLE", "Graph", "Node", "evaluate", "parse"]

CONSTANT: Final = "constant"
PARAMETER: Final = "parameter"
VARIABLE: Final = "variable"
#: Operations of one operand, as the compiled kernels number them.
UNARY: Final = (
    "neg",
    "exp",
    "log",
    "sin",
    "cos",
    "arctan",
    "power",
    "logistic",
    "probit",
    "expm1",
    "log1p",
    "tanh",
)
#: Operations of two operands.
BINARY: Final = ("add", "subtract", "multiply", "divide", "raise", "logaddexp", "minimum", "maximum")

_FUNCTIONS = (
    "exp",
    "log",
    "log10",
    "sqrt",
    "sin",
    "cos",
    "arctan",
    "logistic",
    "probit",
    "expm1",
    "log1p",
    "tanh",
    "abs",
    "logsumexp",
    "min",
    "max",
    "power10",
)
# Functions of two terms or more, and the operation of two that each is made of.
_FOLDED = {"logsumexp": "logaddexp", "min": "minimum", "max": "maximum"}
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "raise",
}
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a formula.

    Parameters
    ----------
    kind : str
        ``constant``, ``parameter``, ``variable``, or one of `UNARY` and `BINARY`.
    operands : tuple of int
        Nodes before this one.
    value : float
        The constant; the exponent of ``power``.
    name : str
        Of a parameter or variable.
    """

    kind: str
    operands: tuple[int, ...] = ()
    value: float = 0.0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """A formula as operations in an order in which each comes after its operands; the last is the value.

    Parameters
    ----------
    nodes : tuple of Node
        The operations, none of them twice.
    parameters, variables : tuple of str
        Names, in order of first use; for parameters as given.
    """

    nodes: tuple[Node, ...]
    parameters: tuple[str, ...]
    variables: tuple[str, ...]


def evaluate(graph: Graph, values: Mapping[str, Any], functions: Mapping[str, Any]) -> Any:
    """Return the value of a formula: numbers, arrays or symbols, as the functions make them.

    Parameters
    ----------
    graph : Graph
        The formula.
    values : mapping of str to number, array or symbol
        Parameters and variables by name.
    functions : mapping of str to callable
        By the names of `UNARY` and `BINARY`; ``power`` takes its exponent as second argument.

    Examples
    --------
    >>> import math
    >>> evaluate(parse("a * exp(-x)", ["x"]), {"a": 2.0, "x": 0.0}, {
    ...     "exp": math.exp, "neg": lambda u: -u, "multiply": lambda u, v: u * v})
    2.0
    """
    found: list[Any] = []
    for node in graph.nodes:
        operands = [found[k] for k in node.operands]
        if node.kind == CONSTANT:
            found.append(node.value)
        elif node.kind in (PARAMETER, VARIABLE):
            found.append(values[node.name])
        elif node.kind == "power":
            found.append(functions["power"](*operands, node.value))
        else:
            found.append(functions[node.kind](*operands))
    return found[-1]


def parse(
    text: str,
    variables: Sequence[str],
    *,
    positive: Sequence[str] = (),
    parameters: Sequence[str] | None = None,
) -> Graph:
    """Read a formula.

    Parameters
    ----------
    text : str
        A formula with ``+ - * / **``, numbers, names, and the functions exp, log, log10, sqrt, sin, cos, arctan,
        logistic, probit (the normal distribution function), expm1, log1p, tanh, abs, logsumexp, min, max and power10.
        Names that are no variables are parameters; ``pi`` is the number.
    variables : sequence of str
        Names of the variables.
    positive : sequence of str
        Parameters that are the exponential of what is searched for.
    parameters : sequence of str, optional
        The order of the parameters; that of first use by default.

    Raises
    ------
    InputError
        If the text is no such formula.

    Examples
    --------
    >>> parse("a + b * exp(-r * x)", ["x"]).parameters
    ('a', 'b', 'r')
    """
    if len(text) > _LONGEST:
        raise InputError(Problem(f"the formula has {len(text)} characters; {_LONGEST} are allowed"))
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as err:
        raise InputError(Problem(f"not a formula: {text!r}", hint="try 'a + b * exp(-r * x)'")) from err
    builder = _Builder(text, tuple(variables), frozenset(positive))
    try:
        builder.add(tree)
    except RecursionError as err:
        raise InputError(Problem("the formula is nested too deeply")) from err
    found = tuple(builder.parameters)
    order = found if parameters is None else tuple(parameters)
    if set(order) != set(found) or len(set(order)) != len(order):
        raise InputError(
            Problem(f"the formula has the parameters {', '.join(found)}, not {', '.join(order)}")
        )
    unknown = sorted(set(positive) - set(found))
    if unknown:
        raise InputError(
            Problem(f"no parameter of the formula: {', '.join(unknown)}", hint="it has " + ", ".join(found))
        )
    return Graph(tuple(builder.nodes), order, tuple(builder.variables))


class _Builder:
    """Collects the nodes of a formula, each of them once."""

    def __init__(self, text: str, variables: tuple[str, ...], positive: frozenset[str]) -> None:
        self.text, self.known, self.positive = text, variables, positive
        self.nodes: list[Node] = []
        self.places: dict[Node, int] = {}
        self.parameters: dict[str, None] = {}
        self.variables: dict[str, None] = {}

    def put(self, node: Node) -> int:
        values = [self.nodes[k] for k in node.operands]
        if values and all(each.kind == CONSTANT for each in values):
            node = Node(CONSTANT, value=_fold(node, [each.value for each in values]))
        if node not in self.places:
            self.places[node] = len(self.nodes)
            self.nodes.append(node)
        return self.places[node]

    def apply(self, kind: str, *operands: int, value: float = 0.0) -> int:
        return self.put(Node(kind, operands, value))

    def constant(self, value: float) -> int:
        return self.put(Node(CONSTANT, value=float(value)))

    def add(self, tree: ast.expr) -> int:
        """Add the nodes of a syntax tree and return the last."""
        if (
            isinstance(tree, ast.Constant)
            and isinstance(tree.value, int | float)
            and not isinstance(tree.value, bool)
        ):
            return self.constant(float(tree.value))
        if isinstance(tree, ast.Name):
            return self.name(tree.id)
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
            return self.apply("neg", self.add(tree.operand))
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.UAdd):
            return self.add(tree.operand)
        if isinstance(tree, ast.BinOp) and type(tree.op) in _OPERATORS:
            left, right = self.add(tree.left), self.add(tree.right)
            return self.binary(_OPERATORS[type(tree.op)], left, right)
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and not tree.keywords:
            return self.call(tree.func.id, [self.add(each) for each in tree.args])
        raise self.fault(tree, "is nothing that a formula can hold")

    def name(self, name: str) -> int:
        if name in self.known:
            self.variables[name] = None
            return self.put(Node(VARIABLE, name=name))
        if name == "pi":
            return self.constant(math.pi)
        if name in _FUNCTIONS:
            raise InputError(Problem(f"{name} is a function; write {name}(...)"))
        self.parameters[name] = None
        place = self.put(Node(PARAMETER, name=name))
        return self.apply("exp", place) if name in self.positive else place

    def binary(self, kind: str, left: int, right: int) -> int:
        power = self.nodes[right]
        if kind == "raise" and power.kind == CONSTANT:
            return self.apply("power", left, value=power.value)
        return self.apply(kind, left, right)

    def call(self, name: str, operands: list[int]) -> int:
        if name not in _FUNCTIONS:
            raise InputError(
                Problem(f"no function {name!r} in formulas", hint="there are " + ", ".join(_FUNCTIONS))
            )
        if name in _FOLDED and len(operands) > 1:
            last = operands[0]
            for each in operands[1:]:
                last = self.apply(_FOLDED[name], last, each)
            return last
        if len(operands) != 1 or name in _FOLDED:
            expected = "two terms or more" if name in _FOLDED else "one term"
            raise InputError(Problem(f"{name}(...) takes {expected}, not {len(operands)}"))
        (operand,) = operands
        if name == "abs":
            return self.apply("maximum", operand, self.apply("neg", operand))
        if name == "sqrt":
            return self.apply("power", operand, value=0.5)
        if name == "log10":
            return self.apply("multiply", self.constant(1.0 / math.log(10.0)), self.apply("log", operand))
        if name == "power10":
            return self.apply("exp", self.apply("multiply", self.constant(math.log(10.0)), operand))
        return self.apply(name, operand)

    def fault(self, tree: ast.expr, why: str) -> InputError:
        return InputError(
            Problem(
                f"{ast.get_source_segment(self.text.strip(), tree)!r} {why}",
                hint="formulas hold numbers, names, + - * / **, and " + ", ".join(_FUNCTIONS),
            )
        )


def _fold(node: Node, values: list[float]) -> float:
    """Return the value of an operation on constants."""
    functions: Mapping[str, object] = {
        "neg": lambda u: -u,
        "exp": math.exp,
        "expm1": math.expm1,
        "log": math.log,
        "log1p": math.log1p,
        "tanh": math.tanh,
        "minimum": min,
        "maximum": max,
        "sin": math.sin,
        "cos": math.cos,
        "arctan": math.atan,
        "power": lambda u: u**node.value,
        "logistic": lambda u: 1.0 / (1.0 + math.exp(-u)),
        "probit": lambda u: 0.5 * math.erfc(-u / math.sqrt(2.0)),
        "add": lambda u, v: u + v,
        "subtract": lambda u, v: u - v,
        "multiply": lambda u, v: u * v,
        "divide": lambda u, v: u / v,
        "raise": lambda u, v: u**v,
        "logaddexp": lambda u, v: max(u, v) + math.log1p(math.exp(-abs(u - v))),
    }
    try:
        result = functions[node.kind](*values)  # type: ignore[operator]
    except (ArithmeticError, ValueError):
        result = math.nan
    if isinstance(result, complex) or not math.isfinite(result):
        raise InputError(Problem(f"a part of the formula is no finite number: {node.kind} of {values}"))
    return float(result)
