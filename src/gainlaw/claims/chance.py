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
from gainlaw.claims.evaluate import FitDraws, Probability, average, holds, probability
from gainlaw.claims.grammar.forms import LinearForm, equivalence_form, linear_form
from gainlaw.claims.grammar.syntax import Claim
from gainlaw.posterior.contrasts import WeightedEstimand

if TYPE_CHECKING:
    from gainlaw.fitting.conditional import Conditional
    from gainlaw.posterior.record import Posterior

__all__ = ["MOST_DRAWS", "Chances", "parts_of"]

MOST_DRAWS = 64_000
"""Draws after which a probability near a threshold is left undecided; a quarter of them for counts, and fewer for
models with many coefficients. The verdict then says that it is within its Monte Carlo error of the threshold."""

# Draws taken in turn where those of the fit do not decide.
_STAGES = (16_000, MOST_DRAWS)
_INF = float("inf")


class Chances:
    """Probabilities of claims on one posterior; what they share is computed once.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    """

    def __init__(self, posterior: Posterior) -> None:
        from gainlaw.fitting.conditional import Conditional

        self.posterior = posterior
        self.model: Conditional = Conditional(posterior)
        self._more: dict[int, Posterior | None] = {}

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
        exact = self._conditional(form, -width, width, self.posterior) if form is not None else None
        if exact is not None:
            return exact
        _, difference = holds(claim, FitDraws(self.posterior))
        near = np.abs(difference) < width
        return probability(near, difference, self.posterior.n_chains, self.posterior.importance_ess)

    def _draws(self) -> Iterator[Posterior]:
        """Yield the posterior, then the same with more and more draws."""
        from gainlaw.fitting.conditional import more_draws

        latest = self.posterior
        yield latest
        for size in _STAGES:
            if size not in self._more:
                self._more[size] = more_draws(latest, size)
            made = self._more[size]
            if made is not None:
                latest = made
                yield made

    def once(self, claim: Claim, draws: Posterior | None = None) -> Probability:
        """Return the probability of a claim from these draws, or from others of the same posterior."""
        draws = self.posterior if draws is None else draws
        said = _interval(claim)
        if said is not None:
            exact = self._conditional(*said, draws)
            if exact is not None:
                return exact
        inside, difference = holds(claim, FitDraws(draws))
        return probability(inside, difference, draws.n_chains, draws.importance_ess)

    def _conditional(self, form: LinearForm, low: float, high: float, draws: Posterior) -> Probability | None:
        """Return the probability that a linear expression lies between two ends; None where it takes draws."""
        given = self.model.inside(parts_of(form), form.constant, low, high, draws)
        return None if given is None else average(given, draws.n_chains, draws.importance_ess)


def parts_of(form: LinearForm) -> list[WeightedEstimand]:
    """Return the estimands of a linear form as the fit knows them."""
    return [
        WeightedEstimand(
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
    # The ends do not count: those that hold with equality lie a hair beyond.
    end = np.nextafter(0.0, _INF) if "=" in claim.op else 0.0
    return (form, -_INF, end) if claim.op in ("<", "<=") else (form, -end, _INF)
