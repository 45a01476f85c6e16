"""How probable a claim is on one fit, with a Monte Carlo error small enough to decide.

A verdict is a property of the data and the model, not of the seed of the draws. A claim that is linear in its
estimands, or bounds the absolute value of one that is, gets its probability as an average of conditional normal
probabilities (`gainlaw.fitting.conditional.Conditional`); any other as a share of draws. Where that lies within
`gainlaw.claims.decision.MARGIN` errors of a threshold more draws are taken, with a seed of their own, until it does
not or `MOST_DRAWS` are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from gainlaw.claims.decision import is_near
from gainlaw.claims.evaluate import FitDraws, Probability, average, count_chains, holds, probability
from gainlaw.claims.grammar.forms import LinearForm, equivalence_form, linear_form
from gainlaw.claims.grammar.syntax import Claim
from gainlaw.posterior.contrasts import Part
from gainlaw.posterior.estimates import importance_ess

if TYPE_CHECKING:
    from gainlaw.fitting.conditional import Conditional
    from gainlaw.fitting.core import Fit

__all__ = ["MOST_DRAWS", "Chances", "parts_of"]

MOST_DRAWS = 64_000
"""Draws after which a probability near a threshold is left undecided; a quarter of them for counts."""

# Draws taken in turn where those of the fit do not decide.
_STAGES = (16_000, MOST_DRAWS)
_INF = float("inf")


class Chances:
    """Probabilities of claims on one fit; what they share is computed once.

    Parameters
    ----------
    fit : Fit
        The fit.
    """

    def __init__(self, fit: Fit) -> None:
        from gainlaw.fitting.conditional import Conditional

        self.fit = fit
        self.model: Conditional = Conditional(fit)
        self._more: dict[int, Fit | None] = {}

    def of(self, claim: Claim, threshold: float) -> Probability:
        """Return the probability of a claim.

        Parameters
        ----------
        claim : Claim
            The claim.
        threshold : float
            Draws are added while the probability is near it, or near one minus it.
        """
        for draws in self._draws():
            found = self.once(claim, draws)
            if not is_near(found.value, found.mcse, threshold):
                break
        return found

    def within(self, claim: Claim, width: float) -> Probability:
        """Return the probability that the sides of a claim differ by less than a width."""
        form = linear_form(claim.difference)
        exact = self._conditional(form, -width, width, self.fit) if form is not None else None
        if exact is not None:
            return exact
        _, difference = holds(claim, FitDraws(self.fit))
        near = np.abs(difference) < width
        return probability(near, difference, count_chains(self.fit), importance_ess(self.fit))

    def _draws(self) -> Iterator[Fit]:
        """Yield the fit, then the same with more and more draws."""
        from gainlaw.fitting.conditional import more_draws

        yield self.fit
        for size in _STAGES:
            if size not in self._more:
                self._more[size] = more_draws(self.fit, size)
            made = self._more[size]
            if made is not None:
                yield made

    def once(self, claim: Claim, draws: Fit | None = None) -> Probability:
        """Return the probability of a claim from the draws of the fit, or from others of the same posterior."""
        draws = self.fit if draws is None else draws
        said = _interval(claim)
        if said is not None:
            exact = self._conditional(*said, draws)
            if exact is not None:
                return exact
        inside, difference = holds(claim, FitDraws(draws))
        return probability(inside, difference, count_chains(draws), importance_ess(draws))

    def _conditional(self, form: LinearForm, low: float, high: float, draws: Fit) -> Probability | None:
        """Return the probability that a linear expression lies between two ends; None where it takes draws."""
        given = self.model.inside(parts_of(form), form.constant, low, high, draws)
        return None if given is None else average(given, count_chains(draws), importance_ess(draws))


def parts_of(form: LinearForm) -> list[Part]:
    """Return the estimands of a linear form as the fit knows them."""
    return [
        Part(
            term.name,  # type: ignore[arg-type]  # a linear form has no other estimands
            weight,
            term.args[0] if term.args else 1e9,
            term.selector.level == "population",
            term.selector.group,
        )
        for term, weight in form.weights
    ]


def _interval(claim: Claim) -> tuple[LinearForm, float, float] | None:
    """Return the linear expression that a claim is about and the ends that it claims, or None for other claims."""
    band, form = equivalence_form(claim), linear_form(claim.difference)
    if band is not None:
        return band[0], -band[1], band[1]
    if form is None or not form.weights:
        return None
    return (form, -_INF, 0.0) if claim.op in ("<", "<=") else (form, 0.0, _INF)
