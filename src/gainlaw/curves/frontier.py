"""The compute-optimal frontier: the size and the tokens at which a law is least for a given compute of training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gainlaw.curves.resampling import CurveBootstrap
from gainlaw.errors import InputError, Problem
from gainlaw.laws.expression import parse
from gainlaw.laws.numeric import log_quantity, values_of, variable_of
from gainlaw.laws.record import Law
from gainlaw.laws.variables import FLOPS_PER_TOKEN, PARAMS, TOKENS, source_of
from gainlaw.numbers import read_numbers

if TYPE_CHECKING:
    from gainlaw.curves.record import CurveRecord

__all__ = ["Frontier"]

Float = NDArray[np.float64]

# Sizes, evenly spread on a log scale from one parameter to one token, among which the least is first looked for.
_GRID = 64
# Steps of the golden section; the bracket shrinks by 0.618 each, to about 1e-7 of a factor e.
_STEPS = 34
_GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)


@dataclass(frozen=True, eq=False, repr=False)
class Frontier:
    r"""The compute-optimal frontier of a law in size N and tokens D.

    For compute C it is where :math:`L(N, D)` is least among all :math:`6 N D = C`; for
    :math:`E + A N^{-\alpha} + B D^{-\beta}` at :math:`N = G (C/6)^{\beta/(\alpha+\beta)}` with
    :math:`G = (\alpha A / \beta B)^{1/(\alpha+\beta)}` (Hoffmann et al. 2022, arXiv 2203.15556, equation 4). It is
    found by a search, for the estimate and for every refit of a bootstrap, so that any law in N and D has one.
    Intervals are percentiles; they say how well the law is known, not whether it holds so far out.

    Parameters
    ----------
    fit : CurveRecord
        The curve; its law is one in size and tokens.
    bootstrap : CurveBootstrap
        Its refits.

    Raises
    ------
    InputError
        If the law is not one in size and tokens.
    """

    fit: CurveRecord
    bootstrap: CurveBootstrap

    def __post_init__(self) -> None:
        """Refuse laws that have no frontier."""
        _roles(self.fit.law)

    def __repr__(self) -> str:
        """Say in a line what it is of."""
        return f"<{type(self).__name__} of the {self.fit.law.name} law, {len(self.bootstrap.theta)} refits>"

    def at(self, compute: ArrayLike) -> pd.DataFrame:
        """Return the frontier at amounts of compute.

        Parameters
        ----------
        compute : array of float
            Floating-point operations of training.

        Returns
        -------
        pandas.DataFrame
            ``compute``; ``params``, ``tokens``, ``ratio`` (tokens a parameter) and ``value`` (what the law predicts
            there, in the unit in which it was measured), each with ``_low`` and ``_high``; ``reach``, the compute next
            to the largest of the points. NaN where no size between one parameter and one token is best.
        """
        budgets = np.atleast_1d(read_numbers(compute, "compute"))
        if not (np.isfinite(budgets) & (budgets > FLOPS_PER_TOKEN)).all():
            hint = f"numbers of FLOP above {FLOPS_PER_TOKEN:g}"
            raise InputError(Problem("compute that is no such number", hint=hint))
        tail = 0.5 - 0.5 * self.fit.ci_prob
        rows = []
        for budget in budgets:
            best, drawn = (
                self._optimum(self.fit.optimum.theta[None], budget),
                self._optimum(self.bootstrap.theta, budget),
            )
            row = {"compute": float(budget)}
            for name in best:
                low, high = np.quantile(drawn[name], [tail, 1.0 - tail])
                row |= {name: float(best[name][0]), f"{name}_low": float(low), f"{name}_high": float(high)}
            rows.append(row | {"reach": float(budget / self.largest)})
        return pd.DataFrame(rows)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """The points: ``params``, ``tokens``, ``compute`` in FLOP, and ``value`` as it was measured."""
        points = self.fit.points
        size, tokens = (
            log_quantity(source_of(each)[1], points.variables[each]) for each in _roles(self.fit.law)
        )
        value = self.fit.as_measured(points.y)
        compute = FLOPS_PER_TOKEN * np.exp(size + tokens)
        return pd.DataFrame(
            {"params": np.exp(size), "tokens": np.exp(tokens), "compute": compute, "value": value}
        )

    @property
    def largest(self) -> float:
        """The largest compute of the points, in FLOP."""
        return float(self.runs["compute"].max())

    def exponent(self, compute: float) -> tuple[float, float, float]:
        """Return how the best size grows at a compute, d log N / d log C, and its percentile interval."""
        ends = [compute / 2.0, 2.0 * compute]

        def slope(theta: Float) -> Float:
            below, above = (np.log(self._optimum(theta, each)["params"]) for each in ends)
            return np.asarray((above - below) / np.log(4.0))

        tail = 0.5 - 0.5 * self.fit.ci_prob
        low, high = np.quantile(slope(self.bootstrap.theta), [tail, 1.0 - tail])
        return float(slope(self.fit.optimum.theta[None])[0]), float(low), float(high)

    def _optimum(self, theta: Float, compute: float) -> dict[str, Float]:
        """Return size, tokens, their ratio and the value where each set of parameters, shape (m, p), is least."""
        budget = float(np.log(compute / FLOPS_PER_TOKEN))
        law = self.fit.law
        graph = parse(law.formula, law.variables, parameters=[each.name for each in law.parameters])
        natural = law.natural(theta)
        named = {each.name: natural[:, k, None] for k, each in enumerate(law.parameters)}
        size, tokens = _roles(law)

        def value(log_n: Float) -> Float:
            at = {
                size: variable_of(source_of(size)[1], log_n),
                tokens: variable_of(source_of(tokens)[1], budget - log_n),
            }
            with np.errstate(all="ignore"):
                found = values_of(graph, {**named, **at})
            return np.where(np.isfinite(found), found, np.inf)

        grid = np.linspace(0.0, budget, _GRID)
        place = value(grid[None]).argmin(axis=1)
        inside = (place > 0) & (place < _GRID - 1)
        low, high = grid[np.maximum(place - 1, 0)][:, None], grid[np.minimum(place + 1, _GRID - 1)][:, None]
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        at_left, at_right = value(left), value(right)
        for _ in range(_STEPS):
            keep = at_left < at_right
            low, high = np.where(keep, low, left), np.where(keep, right, high)
            fresh = np.where(keep, high - _GOLDEN * (high - low), low + _GOLDEN * (high - low))
            at_fresh = value(fresh)
            left, right = np.where(keep, fresh, right), np.where(keep, left, fresh)
            at_left, at_right = np.where(keep, at_fresh, at_right), np.where(keep, at_left, at_fresh)
        log_n = np.where(inside, (0.5 * (low + high))[:, 0], np.nan)
        least = np.where(inside, np.minimum(at_left, at_right)[:, 0], np.nan)
        return {
            "params": np.exp(log_n),
            "tokens": np.exp(budget - log_n),
            "ratio": np.exp(budget - 2.0 * log_n),
            "value": self.fit.as_measured(least),
        }


def _roles(law: Law) -> tuple[str, str]:
    """Return the law's variables of size and of tokens."""
    found: dict[str, str] = {}
    for variable in law.variables:
        name = source_of(variable)[0]
        for each in (PARAMS, TOKENS):
            if each.called(name):
                found.setdefault(each.name, variable)
    if len(found) < 2 or len(law.variables) > 2:
        hint = (
            "a law such as E + A / N^alpha + B / D^beta; in formulas call them n and d: --x n=COLUMN,d=COLUMN"
        )
        raise InputError(Problem(f"the law {law.name} is not one of size and tokens alone", hint=hint))
    return found[PARAMS.name], found[TOKENS.name]
