"""A formula as arrays: what compiled code needs to compute its values and its exact first and second derivatives.

Each operation carries the parameters that it depends on, and the pairs of parameters in which its second derivative
is not zero everywhere, so that forward differentiation touches nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gainlaw.laws.expression import BINARY, CONSTANT, PARAMETER, UNARY, VARIABLE, Graph, Node

__all__ = ["Tape", "Work", "build_tape"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

#: Which second derivatives an operation has: in its first operand twice, in both, in its second twice.
_CURVED = {
    "neg": (False, False, False),
    "add": (False, False, False),
    "subtract": (False, False, False),
    "multiply": (False, True, False),
    "divide": (False, True, True),
    "raise": (True, True, True),
    "logaddexp": (True, True, True),
    # Flat but at a kink: a second derivative that is said to be there, and is 0, keeps them from counting as linear.
    "minimum": (True, True, True),
    "maximum": (True, True, True),
}
_UNARY_CURVED = (True, False, False)


class Work(NamedTuple):
    """The arrays that the compiled kernels read."""

    operation: Int
    left: Int
    right: Int
    constant: Float
    source: Int
    gradient_first: Int
    gradient_entries: Int
    second_first: Int
    second_entries: Int
    second_pairs: Int
    gradient_of: Int


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """A formula ready for the kernels.

    Parameters
    ----------
    work : Work
        Arrays, one row an operation: its code, operands, constant, and the parameter or variable that it stands for;
        then, entry by entry, where the first and second derivatives of its operands lie.
    parameters, variables : tuple of str
        Names.
    linear : tuple of bool
        Which parameters the formula is linear in, taken together.
    """

    work: Work
    parameters: tuple[str, ...]
    variables: tuple[str, ...]
    linear: tuple[bool, ...]


def build_tape(graph: Graph) -> Tape:
    """Lay a formula out as arrays.

    Examples
    --------
    >>> from gainlaw.laws.expression import parse
    >>> build_tape(parse("a + b * exp(-r * x)", ["x"])).linear
    (True, True, False)
    """
    builder = _Layout(graph)
    for node in graph.nodes:
        builder.add(node)
    last = len(graph.nodes) - 1
    pairs = set(builder.pairs[last])
    linear = [False] * len(graph.parameters)
    chosen: list[int] = []
    for k in range(len(graph.parameters)):
        if k in builder.depends[last] and all((min(j, k), max(j, k)) not in pairs for j in [*chosen, k]):
            linear[k] = True
            chosen.append(k)
    return Tape(builder.work(), graph.parameters, graph.variables, tuple(linear))


class _Layout:
    """Assigns places to the derivatives of every operation."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.depends: list[list[int]] = []
        self.pairs: list[list[tuple[int, int]]] = []
        self.first: list[int] = [0]
        self.second: list[int] = [0]
        self.gradient: list[tuple[int, int]] = []
        self.curvature: list[tuple[int, ...]] = []
        self.which: list[tuple[int, int]] = []
        self.rows: list[tuple[int, int, int, float, int]] = []

    def add(self, node: Node) -> None:
        operands = [*node.operands, -1, -1][:2]
        left, right = operands
        depends = sorted({p for k in node.operands for p in self.depends[k]})
        source = -1
        if node.kind == PARAMETER:
            source = self.graph.parameters.index(node.name)
            depends = [source]
        elif node.kind == VARIABLE:
            source = self.graph.variables.index(node.name)
        for p in depends:
            self.gradient.append((self.place(left, p), self.place(right, p)))
        pairs = self._pairs(node, left, right) if node.operands else []
        for i, j in pairs:
            self.curvature.append(
                (
                    self.pair_place(left, i, j), self.pair_place(right, i, j),
                    self.place(left, i), self.place(left, j), self.place(right, i), self.place(right, j),
                )
            )  # fmt: skip
            self.which.append((i, j))
        self.depends.append(depends)
        self.pairs.append(pairs)
        self.first.append(len(self.gradient))
        self.second.append(len(self.curvature))
        self.rows.append((_code(node.kind), left, right, node.value, source))

    def place(self, node: int, parameter: int) -> int:
        """Return where a node's derivative in a parameter lies, -1 if it has none."""
        if node < 0 or parameter not in self.depends[node]:
            return -1
        return self.first[node] + self.depends[node].index(parameter)

    def pair_place(self, node: int, i: int, j: int) -> int:
        if node < 0 or (i, j) not in self.pairs[node]:
            return -1
        return self.second[node] + self.pairs[node].index((i, j))

    def _pairs(self, node: Node, left: int, right: int) -> list[tuple[int, int]]:
        twice, both, other = _CURVED.get(node.kind, _UNARY_CURVED)
        found = {pair for k in node.operands for pair in self.pairs[k]}
        u = self.depends[left]
        v = self.depends[right] if right >= 0 else []
        chosen = [(a, b) for use, a, b in ((twice, u, u), (both, u, v), (other, v, v)) if use]
        for first, second in chosen:
            found |= {(min(i, j), max(i, j)) for i in first for j in second}
        return sorted(found)

    def work(self) -> Work:
        """Return the arrays."""
        columns = list(zip(*self.rows, strict=True))
        last = len(self.rows) - 1
        gradient_of = np.array(
            [self.place(last, p) for p in range(len(self.graph.parameters))], dtype=np.int64
        )
        return Work(
            operation=np.array(columns[0], dtype=np.int64),
            left=np.array(columns[1], dtype=np.int64),
            right=np.array(columns[2], dtype=np.int64),
            constant=np.array(columns[3], dtype=np.float64),
            source=np.array(columns[4], dtype=np.int64),
            gradient_first=np.array(self.first, dtype=np.int64),
            gradient_entries=np.array(self.gradient, dtype=np.int64).reshape(-1, 2),
            second_first=np.array(self.second, dtype=np.int64),
            second_entries=np.array(self.curvature, dtype=np.int64).reshape(-1, 6),
            second_pairs=np.array(self.which, dtype=np.int64).reshape(-1, 2),
            gradient_of=gradient_of,
        )


def _code(kind: str) -> int:
    """Return the number by which the kernels know an operation: 0 to 2 for leaves, then `UNARY`, then `BINARY`."""
    return (CONSTANT, PARAMETER, VARIABLE, *UNARY, *BINARY).index(kind)
