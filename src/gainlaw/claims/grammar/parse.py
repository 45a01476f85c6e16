"""The grammar of claims: text to a small syntax tree and back.

::

    claim    = expr ("<" | ">" | "<=" | ">=") expr
    expr     = product { ("+" | "-") product }
    product  = unary { ("*" | "/") unary }
    unary    = "-" unary | primary
    primary  = number | estimand | ("abs" | "min" | "max") "(" expr { "," expr } ")" | "(" expr ")"
    estimand = name [ selector ] [ "(" number { "," number } ")" ] [ selector ]
    selector = "[" item { "," item } "]"
    item     = "population" | "overall" | key "=" value

A number may carry a size suffix: ``560M`` is 560e6, ``10B`` is 10e9. A value that is not a plain word is
quoted: ``[language_family="Nuclear Trans New Guinea"]``. `parse_claim` reads the text, `str` writes the
canonical form.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from decimal import Decimal

from gainlaw.claims.grammar.syntax import (
    KEY_ORDER,
    SUFFIX,
    WORD,
    Apply,
    Binary,
    Claim,
    Estimand,
    Expr,
    Negate,
    Number,
    Selector,
    ordered_group,
)
from gainlaw.errors import InputError, Problem

__all__ = ["ESTIMANDS", "FUNCTIONS", "parse_claim"]

ESTIMANDS: dict[str, tuple[str, ...]] = {
    "slope": (),
    "gain": ("params",),
    "ratio": ("params", "params"),
    "crossing": ("threshold",),
    "effect": (),
    "peak": (),
    "size_multiplier": ("params",),
    "size_effect": (),
    "ability_effect": (),
    "peak_ability": (),
}
"""Every estimand and the arguments it takes."""

OPTIONAL = ("size_multiplier",)
"""Those that may do without."""

FUNCTIONS: dict[str, tuple[int, int]] = {"abs": (1, 1), "min": (2, 64), "max": (2, 64)}
"""Every function and the least and largest number of its arguments."""

COMPARISONS = ("<=", ">=", "<", ">")
LEVELS = ("overall", "population")
MAX_DEPTH = 60

_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_NAME = re.compile(r"[^\W\d]\w*")


def parse_claim(text: str, parameters: Mapping[str, bool] | None = None) -> Claim:
    """Read a claim.

    Parameters
    ----------
    text : str
        The claim, for example ``slope[task=xnli] < slope[task=xcopa]``.
    parameters : mapping of str to bool, optional
        Parameters of a curve's law that may stand in it, and whether each is positive.

    Returns
    -------
    Claim
        The syntax tree; ``str`` of it is the canonical text.

    Raises
    ------
    InputError
        If the text is not a claim; the message marks the place with a caret.

    Examples
    --------
    >>> print(parse_claim("abs( gain(1e9) ) < 1"))
    abs(gain(1B)) < 1
    >>> print(parse_claim("gain(10B)[intermediate=P3] < gain(10B)[intermediate=xP3]"))
    gain(10B)[intermediate=P3] < gain(10B)[intermediate=xP3]
    """
    if not isinstance(text, str):
        raise InputError(Problem(f"a claim is text, not {type(text).__name__}", hint="such as 'slope < 0'"))
    return _Parser(text, parameters or {}).claim()


class _Parser:
    """Recursive descent over the text itself; `at` is the place of the next character."""

    def __init__(self, text: str, parameters: Mapping[str, bool]) -> None:
        self.parameters = parameters
        self.text = text.replace("≤", "<=").replace("≥", ">=").replace("−", "-")
        self.at = 0
        self.depth = 0

    def fail(self, message: str, at: int | None = None, hint: str | None = None) -> InputError:
        place = self.at if at is None else at
        shown = re.sub(r"\s", " ", self.text)
        advice = f"; {hint}" if hint else ""
        return InputError(Problem(f"{message}{advice}\n    {shown}\n    {' ' * place}^"))

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def peek(self) -> str:
        self.skip()
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self, token: str) -> bool:
        if self.peek() and self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def expect(self, token: str, what: str) -> None:
        if not self.take(token):
            found = f"found {self.peek()!r}" if self.peek() else "the text ends"
            raise self.fail(f"expected {token!r} {what}, but {found}")

    def match(self, pattern: re.Pattern[str]) -> str | None:
        self.skip()
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found.group()

    def claim(self) -> Claim:
        if not self.peek():
            raise self.fail("the claim is empty", hint="for example: slope < 0")
        left = self.expr()
        op = self.comparison()
        right = self.expr()
        if self.peek() and self.peek() in "<>=":
            raise self.fail("a claim is one comparison", hint="write two claims, or abs(a - b) < d")
        if self.peek():
            raise self.fail("this is not part of the comparison", hint="operators are + - * / and ( )")
        claim = Claim(left, op, right)
        if not claim.terms():
            raise self.fail("the claim names no estimand", 0, f"use one of: {', '.join(ESTIMANDS)}")
        return claim

    def comparison(self) -> str:
        if not self.peek():
            raise self.fail("the claim compares nothing", hint="add a comparison such as < 0")
        for op in COMPARISONS:
            if self.take(op):
                return op
        if self.peek() in "=!":
            raise self.fail(
                "equality is not a claim that data can support", hint="use <, >, <=, >=, or abs(a - b) < d"
            )
        raise self.fail("expected a comparison", hint=f"one of: {' '.join(COMPARISONS)}")

    def expr(self) -> Expr:
        left = self.product()
        while self.peek() and self.peek() in "+-":
            op = self.text[self.at]
            self.at += 1
            left = Binary(op, left, self.product())
        return left

    def product(self) -> Expr:
        left = self.unary()
        while self.peek() and self.peek() in "*/":
            op = self.text[self.at]
            self.at += 1
            self.skip()
            start = self.at
            right = self.unary()
            if op == "/" and _constant(right) == 0:
                raise self.fail("division by zero", start)
            left = Binary(op, left, right)
        return left

    def unary(self) -> Expr:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(f"nested more than {MAX_DEPTH} deep")
        node = Negate(self.unary()) if self.take("-") else self.primary()
        self.depth -= 1
        return node

    def primary(self) -> Expr:
        if self.take("("):
            inner = self.expr()
            self.expect(")", "to close the parenthesis")
            return inner
        if self.peek() and (self.peek().isdigit() or self.peek() == "."):
            return Number(self.number())
        self.skip()
        start = self.at
        name = self.match(_NAME)
        if name is None:
            found = f"found {self.peek()!r}" if self.peek() else "the text ends"
            raise self.fail(f"expected a number or an estimand, but {found}")
        if name in FUNCTIONS:
            return self.function(name, start)
        if name in self.parameters and name not in ESTIMANDS:
            return Estimand(name, positive=self.parameters[name])
        if name not in ESTIMANDS:
            near = difflib.get_close_matches(name, [*ESTIMANDS, *FUNCTIONS, *self.parameters], n=1)
            known = f"estimands: {', '.join(ESTIMANDS)}"
            if self.parameters:
                known += f"; parameters: {', '.join(self.parameters)}"
            hint = f"did you mean {near[0]!r}?" if near else known
            raise self.fail(f"unknown name {name!r}", start, hint)
        return self.term(name, start)

    def function(self, name: str, start: int) -> Expr:
        self.expect("(", f"after {name}")
        args = [self.expr()]
        while self.take(","):
            args.append(self.expr())
        self.expect(")", f"to close {name}(")
        least, most = FUNCTIONS[name]
        if not least <= len(args) <= most:
            wanted = "one expression" if most == 1 else f"at least {least} expressions"
            raise self.fail(f"{name} takes {wanted}, not {len(args)}", start)
        return Apply(name, tuple(args))

    def term(self, name: str, start: int) -> Estimand:
        wanted = ESTIMANDS[name]
        selector = self.selector() if self.peek() == "[" else None
        args: list[float] = []
        if wanted and (name not in OPTIONAL or self.peek() == "("):
            self.expect("(", f"after {name}: it takes {' and '.join(wanted)}")
            args.append(self.argument())
            while self.take(","):
                args.append(self.argument())
            self.expect(")", f"to close {name}(")
            if len(args) != len(wanted):
                raise self.fail(f"{name} takes {len(wanted)} number(s), not {len(args)}", start)
            if wanted[0] == "params" and min(args) <= 0:
                raise self.fail("a number of parameters is > 0", start, "for example 10e9, 560M or 10B")
            if name == "ratio" and args[0] == args[1]:
                raise self.fail("a ratio compares two different sizes", start)
        elif self.peek() == "(":
            raise self.fail(f"{name} takes no arguments")
        if self.peek() == "[":
            if selector is not None:
                raise self.fail("a second selector", hint="put everything into one: [task=xnli, language=sw]")
            selector = self.selector()
        selector = selector or Selector()
        has_covariate = "covariate" in dict(selector.group)
        if name == "effect" and not has_covariate:
            raise self.fail("effect needs a covariate", start, "for example effect[covariate=unseen]")
        if name != "effect" and has_covariate:
            raise self.fail("a covariate belongs to effect", start, "for example effect[covariate=unseen]")
        return Estimand(name, tuple(args), selector)

    def selector(self) -> Selector:
        self.expect("[", "to open a selector")
        level: str | None = None
        group: dict[str, str] = {}
        while True:
            self.skip()
            start = self.at
            key = self.match(_NAME)
            if key is None:
                raise self.fail("expected population, overall or key=value", hint="for example [task=xnli]")
            if self.take("="):
                if key not in KEY_ORDER:
                    near = difflib.get_close_matches(key, KEY_ORDER, n=1)
                    hint = f"did you mean {near[0]!r}?" if near else f"columns: {', '.join(KEY_ORDER)}"
                    raise self.fail(f"claims cannot fix {key!r}", start, hint)
                if key in group:
                    raise self.fail(f"{key} is given twice", start)
                group[key] = self.value()
            elif key in LEVELS:
                if level is not None:
                    raise self.fail("two levels in one selector", start)
                level = key
            else:
                raise self.fail(f"{key!r} stands alone", start, "write population, overall or key=value")
            if not self.take(","):
                break
        self.expect("]", "to close the selector")
        if level is not None and group:
            raise self.fail(f"{level} fixes no group", hint="name the level or the groups, not both")
        return Selector(level or "overall", ordered_group(tuple(group.items())))

    def value(self) -> str:
        if self.take('"'):
            start = self.at
            out: list[str] = []
            while self.at < len(self.text):
                char = self.text[self.at]
                self.at += 1
                if char == '"':
                    if not out:
                        raise self.fail("an empty value", start - 1)
                    return "".join(out)
                if char == "\\" and self.at < len(self.text):
                    char = self.text[self.at]
                    self.at += 1
                out.append(char)
            raise self.fail("the quotation mark is never closed", start - 1)
        word = self.match(WORD)
        if word is None:
            raise self.fail("expected a value after =", hint='quote values with spaces: [language="..."]')
        return word

    def argument(self) -> float:
        sign = -1.0 if self.take("-") else 1.0
        if not (self.peek() and (self.peek().isdigit() or self.peek() == ".")):
            raise self.fail("expected a number", hint="for example 10e9, 560M or 10B")
        return sign * self.number()

    def number(self) -> float:
        self.skip()
        start = self.at
        digits = self.match(_NUMBER)
        if digits is None:
            raise self.fail("expected a number")
        power = 0
        if self.at < len(self.text) and self.text[self.at] in SUFFIX:
            power = SUFFIX[self.text[self.at]]
            self.at += 1
        if self.at < len(self.text) and (self.text[self.at].isalnum() or self.text[self.at] in "_."):
            raise self.fail("this is not a number", start, "for example 10e9, 560M or 10B")
        value = float(Decimal(digits).scaleb(power))
        if not math.isfinite(value):
            raise self.fail("the number is too large", start)
        return value


def _constant(expr: Expr) -> float | None:
    """Return the value of an expression made of numbers only, else None."""
    if isinstance(expr, Number):
        return expr.value
    if isinstance(expr, Negate):
        inner = _constant(expr.operand)
        return None if inner is None else -inner
    if isinstance(expr, Binary):
        left, right = _constant(expr.left), _constant(expr.right)
        if left is None or right is None or (expr.op == "/" and right == 0):
            return None
        if expr.op == "/":
            return left / right
        return {"+": left + right, "-": left - right, "*": left * right}[expr.op]
    return None
