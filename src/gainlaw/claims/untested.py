"""Why a claim cannot be judged on a fit that has its rows: what its sizes and the draws of its sides show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from gainlaw.claims.evaluate import Array, FitDraws, evaluate, holds
from gainlaw.claims.grammar.certain import sum_of_parts
from gainlaw.claims.grammar.syntax import Apply, Binary, Claim, Estimand, Expr, Negate, format_number
from gainlaw.options import SIZE_ESTIMANDS

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["FARTHEST", "beyond", "observed_sizes", "why_untested"]

FARTHEST = 1.0
"""Decades beyond the sizes observed up to which a claim is judged."""


def why_untested(fit: FitRecord, claim: Claim, threshold: float) -> tuple[str, ...]:
    """Return why these data cannot judge a claim, in words; nothing where they can.

    Parameters
    ----------
    fit : Fit
        A fit that has the rows which the claim needs.
    claim : Claim
        The claim.
    threshold : float
        Probability from which the sign of a denominator counts as known.

    Returns
    -------
    tuple of str
        Sizes too far beyond those observed; a denominator whose sign the data leave open; a difference that the model
        fixes, or that is mostly its prior.
    """
    draws = FitDraws(fit)
    out = _far(fit, claim) or [
        *_far_crossings(fit, claim, draws),
        *_denominators(claim, draws, threshold),
        *_unknown_factors(fit, claim, draws),
    ]
    return tuple(out or _prior(fit, claim, draws))


def observed_sizes(fit: FitRecord) -> tuple[float, float] | None:
    """Return the smallest and the largest size observed, None without sizes."""
    params = fit.gains.frame["params"].to_numpy(dtype=float, na_value=np.nan)
    known = params[np.isfinite(params)]
    return (float(known.min()), float(known.max())) if len(known) else None


def beyond(fit: FitRecord, claim: Claim, decades: float = 0.0) -> tuple[float, ...]:
    """Return the sizes that a claim names more than so many decades beyond those observed, sorted.

    Parameters
    ----------
    fit : Fit
        The fit.
    claim : Claim
        The claim: where it takes gains and ratios, and what it compares crossings with.
    decades : float
        How far is not too far.
    """
    seen = observed_sizes(fit)
    if seen is None:
        return ()
    sized = ("gain", "ratio", "size_multiplier")
    named = {n for term in claim.terms() if term.name in sized for n in term.args}
    parts, constant = sum_of_parts(Binary("-", claim.left, claim.right))
    if constant and any(isinstance(part, Estimand) and part.name == "crossing" for part in parts):
        named.add(abs(constant) / max(abs(weight) for weight in parts.values()))
    slack = 10.0**decades * 1.001
    return tuple(sorted(n for n in named if not seen[0] / slack <= n <= seen[1] * slack))


def _far(fit: FitRecord, claim: Claim) -> list[str]:
    far, seen = beyond(fit, claim, FARTHEST), observed_sizes(fit)
    if not far or seen is None or not fit.spec.law.has_slope:
        return []
    names = ", ".join(format_number(n) for n in far)
    lies = "lies" if len(far) == 1 else "lie"
    return [f"{names} {lies} more than a decade beyond the sizes observed ({_range(seen)})"]


def _far_crossings(fit: FitRecord, claim: Claim, draws: FitDraws) -> list[str]:
    out, seen = [], observed_sizes(fit)
    for term in (term for term in claim.terms() if term.name == "crossing" and seen is not None):
        sizes = draws(term)
        sizes = sizes[~np.isnan(sizes)]
        if not len(sizes) or seen is None:
            out.append(f"{term} has no value: the curve does not get there")
            continue
        middle, slack = float(np.median(sizes)), 10.0**FARTHEST
        if not seen[0] / slack <= middle <= seen[1] * slack:
            where = f"{middle:.1g}" if np.isfinite(middle) else "more than any number of"
            out.append(
                f"{term} lies at {where} parameters, more than a decade beyond the sizes observed ({_range(seen)}); "
                "claim the gain at a size within reach"
            )
    return out


def _unknown_factors(fit: FitRecord, claim: Claim, draws: FitDraws) -> list[str]:
    """Return which factors in size the untuned scores do not know."""
    words = {
        "at_chance": "the untuned scores lie within two standard errors of chance at all sizes",
        "not_reached": "the untuned curve may be flat, so that no size reaches the tuned score",
    }
    found = {
        term: draws.scores(term.selector).refusal(fit.ci_prob)
        for term in claim.terms()
        if term.name == "size_multiplier"
    }
    return [f"{term} is not known: {words[reason]}" for term, reason in found.items() if reason]


def _denominators(claim: Claim, draws: FitDraws, threshold: float) -> list[str]:
    out = []
    for expr in dict.fromkeys([*_divisors(claim.left), *_divisors(claim.right)]):
        positive = float(np.mean(evaluate(expr, draws) > 0))
        if 1.0 - threshold < positive < threshold:
            out.append(
                f"the denominator {expr} is positive with P = {positive:.2f}, so that the quotient has no meaning; "
                "claim a difference, as in gain(10B) < 0.5 * gain(1B)"
            )
    return out


def _divisors(expr: Expr) -> Iterator[Expr]:
    """Yield what an expression divides by."""
    if isinstance(expr, Estimand) and expr.name == "ratio":
        yield Estimand("gain", (expr.args[1],), expr.selector)
    elif isinstance(expr, Negate):
        yield from _divisors(expr.operand)
    elif isinstance(expr, Apply):
        for arg in expr.args:
            yield from _divisors(arg)
    elif isinstance(expr, Binary):
        yield from _divisors(expr.left)
        yield from _divisors(expr.right)
        if expr.op == "/" and sum_of_parts(expr.right)[0]:
            yield expr.right


def _prior(fit: FitRecord, claim: Claim, draws: FitDraws) -> list[str]:
    """Return whether the model fixes the difference, or the prior speaks rather than the data."""
    from gainlaw.posterior import shares

    prior = FitDraws(fit, prior=True)
    _, before = holds(claim, prior)
    sizes = [np.abs(prior(term)) for term in claim.terms()]
    largest = max(np.max(size, where=np.isfinite(size), initial=0.0) for size in sizes)
    if np.isfinite(before).all() and before.max() - before.min() <= 1e-9 * largest:
        return [
            "the model makes both sides differ by the same number whatever the data: it has no such difference"
        ]
    values = _comparable(claim, draws)
    widening = shares.prior_widening(fit)
    share = max(float(shares.prior_share(each, widening)) for each in values)
    if share >= shares.MOSTLY_PRIOR:
        return [f"the difference is mostly its prior ({share:.0%}): these data say little about it"]
    moved = shares.narrower_baselines(fit)
    if moved is None:
        return []
    elsewhere = _comparable(claim, FitDraws(moved))
    pairs = zip(values, elsewhere, strict=True)
    away = max(float(shares.baseline_share(here, there)) for here, there in pairs)
    if away >= shares.MOSTLY_PRIOR:
        far = "its sd or more" if away >= 1.0 else f"{away:.1f} of its sd"
        return [
            "the difference hangs on the prior of the baselines, as scores at the floor or the ceiling do: with a "
            f"prior half as wide it would be elsewhere by {far}"
        ]
    return []


def _comparable(claim: Claim, draws: FitDraws) -> list[Array]:
    """Return the draws of a claim's sizes, as orders of magnitude, or else of the difference of its sides."""
    from gainlaw.posterior.score_curves import within_reach

    terms = [term for term in claim.terms() if term.name in SIZE_ESTIMANDS]
    with np.errstate(divide="ignore"):
        sizes = [np.log10(draws(term)) for term in terms]
    return [
        within_reach(each) if term.name == "size_multiplier" else each
        for term, each in zip(terms, sizes, strict=True)
    ] or [holds(claim, draws)[1]]


def _range(seen: tuple[float, float]) -> str:
    return f"{format_number(seen[0])} to {format_number(seen[1])}"
