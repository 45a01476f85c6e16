"""The value of a claim's expressions in every posterior draw, and the probability that the claim holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gainlaw.claims.grammar.syntax import Apply, Claim, Estimand, Expr, Negate, Number, Selector
from gainlaw.options import SCORE_ESTIMANDS

if TYPE_CHECKING:
    from gainlaw.posterior.curves import Curve
    from gainlaw.posterior.record import Posterior
    from gainlaw.posterior.score_curves import ScoreCurves

__all__ = [
    "Array",
    "FitDraws",
    "Lookup",
    "Probability",
    "average",
    "evaluate",
    "holds",
    "probability",
]

Array = NDArray[np.float64]
Lookup = Callable[[Estimand], Array]


@dataclass(frozen=True, slots=True)
class Probability:
    """A posterior probability and what is known of it.

    Parameters
    ----------
    value : float
        The probability: the share of the draws in which the claim holds, or the average of what it is given the
        hyperparameters of each.
    mcse : float
        Its Monte Carlo standard error, from the effective number of draws.
    undefined : float
        Share of the draws in which a side has no value (a curve that never crosses the threshold); in these
        the claim counts as not holding.
    """

    value: float
    mcse: float
    undefined: float


class FitDraws:
    """The draws of every estimand of one posterior, each computed once.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    prior : bool
        Whether to draw from the prior instead of the posterior.
    """

    def __init__(self, posterior: Posterior, *, prior: bool = False) -> None:
        self.posterior = posterior
        self.prior = prior
        self._curves: dict[Selector, Curve] = {}
        self._draws: dict[Estimand, Array] = {}

    def __call__(self, term: Estimand) -> Array:
        """Return the draws of one estimand, shape (draws,)."""
        if term not in self._draws:
            self._draws[term] = np.asarray(self._compute(term), dtype=float).reshape(-1)
        return self._draws[term]

    def _curve(self, selector: Selector) -> Curve:
        from gainlaw.posterior.levels import gain_curve

        if selector not in self._curves:
            level = None if selector.group else selector.level
            self._curves[selector] = gain_curve(
                self.posterior, level, prior=self.prior, **dict(selector.group)
            )
        return self._curves[selector]

    def scores(self, selector: Selector) -> ScoreCurves:
        """Return the untuned and tuned curves of a level, by a law of scores."""
        from gainlaw.posterior.score_curves import score_curves

        level = None if selector.group else selector.level
        return score_curves(self.posterior, dict(selector.group), level, prior=self.prior)

    def _compute(self, term: Estimand) -> Array:
        if term.name == "effect":
            from gainlaw.posterior.curves import covariate_effect

            return covariate_effect(self.posterior, dict(term.selector.group)["covariate"], prior=self.prior)
        if term.name in SCORE_ESTIMANDS:
            return np.asarray(getattr(self.scores(term.selector), term.name)(*term.args))
        line = self._curve(term.selector)
        if term.name == "slope":
            return line.slope()
        if term.name == "gain":
            return line.gain(term.args[0])
        if term.name == "ratio":
            return line.ratio(*term.args)
        return line.crossing(term.args[0])


def evaluate(expr: Expr, lookup: Lookup) -> Array:
    """Return the value of an expression in every draw.

    Parameters
    ----------
    expr : Expr
        The expression.
    lookup : callable
        ``lookup(term) -> ndarray (draws,)``: aligned draws of an estimand.

    Returns
    -------
    ndarray, shape (draws,) or ()
        The values; NaN where one has none.

    Examples
    --------
    >>> from gainlaw.claims.grammar.parse import parse_claim
    >>> claim = parse_claim("abs(slope) - 1 < 0")
    >>> evaluate(claim.left, lambda term: np.array([-3.0, 0.5])).tolist()
    [2.0, -0.5]
    """
    if isinstance(expr, Number):
        return np.asarray(expr.value)
    if isinstance(expr, Estimand):
        return lookup(expr)
    if isinstance(expr, Negate):
        return -evaluate(expr.operand, lookup)
    if isinstance(expr, Apply):
        args = np.broadcast_arrays(*[evaluate(arg, lookup) for arg in expr.args])
        if expr.name == "abs":
            return np.abs(args[0])
        return np.min(args, axis=0) if expr.name == "min" else np.max(args, axis=0)
    left, right = evaluate(expr.left, lookup), evaluate(expr.right, lookup)
    if expr.op == "+":
        return left + right
    if expr.op == "-":
        return left - right
    if expr.op == "*":
        return left * right
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(left / np.where(right == 0, np.nan, right))


def holds(claim: Claim, lookup: Lookup) -> tuple[NDArray[np.bool_], Array]:
    """Return in which draws a claim holds, and left side minus right side.

    Parameters
    ----------
    claim : Claim
        The claim.
    lookup : callable
        Draws of an estimand.

    Returns
    -------
    inside : ndarray of bool, shape (draws,)
        Whether it holds; False where a side has no value.
    difference : ndarray, shape (draws,)
        Left minus right; NaN where a side has no value.
    """
    difference = np.atleast_1d(evaluate(claim.left, lookup) - evaluate(claim.right, lookup))
    compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}[claim.op]
    return np.asarray(compare(difference, 0.0)), difference


def probability(
    inside: NDArray[np.bool_], difference: Array, chains: int = 1, ess: float | None = None
) -> Probability:
    """Return the share of draws in which a claim holds, with its Monte Carlo error.

    The error is ``sqrt(p (1 - p) / ess)`` with the effective sample size of the indicator and ``p`` drawn
    away from 0 and 1 by half a draw, so that "all draws agree" is not read as "certain".

    Parameters
    ----------
    inside : ndarray of bool, shape (draws,)
        Whether the claim holds, chains one after another.
    difference : ndarray, shape (draws,)
        Left minus right.
    chains : int
        Number of chains.
    ess : float, optional
        Effective number of draws, where the engine knows it.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> d = rng.normal(-1.0, 1.0, 4000)
    >>> p = probability(d < 0, d, chains=4)
    >>> round(p.value, 2), 0.004 < p.mcse < 0.008
    (0.85, True)
    """
    n = len(inside)
    size = _effective_size(inside.astype(float), chains) if ess is None else min(ess, float(n))
    share = float(inside.mean())
    softened = (share * size + 0.5) / (size + 1.0)
    return Probability(
        value=share,
        mcse=float(np.sqrt(softened * (1.0 - softened) / size)),
        undefined=float(np.isnan(difference).sum() / n),
    )


def average(given: Array, chains: int = 1, ess: float | None = None) -> Probability:
    """Return the average of probabilities given the hyperparameters of each draw, with its Monte Carlo error.

    Parameters
    ----------
    given : ndarray, shape (draws,)
        Probability given the hyperparameters of each draw, chains one after another.
    chains, ess
        As for `probability`.

    Examples
    --------
    >>> import numpy as np
    >>> average(np.full(400, 0.9)).value
    0.9
    """
    size = _effective_size(given, chains) if ess is None else min(ess, float(len(given)))
    value = float(np.clip(given.mean(), 0.0, 1.0))
    return Probability(round(value, 15), float(given.std() / np.sqrt(size)), 0.0)


def _effective_size(values: Array, chains: int) -> float:
    n = len(values)
    if n < 8 * max(chains, 1) or n % max(chains, 1) or values.min() == values.max():
        return float(n)
    from arviz_stats.base import array_stats

    size = float(array_stats.ess(values.reshape(chains, -1), method="mean"))
    return min(size, float(n)) if np.isfinite(size) and size > 0 else float(n)
