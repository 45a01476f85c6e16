"""The Bayes factors of a claim: of a difference against none, and of the claim's direction, with their priors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gainlaw.claims.chance import parts_of
from gainlaw.claims.density import bayes_factor, directional_factor
from gainlaw.claims.evaluate import FitDraws, holds
from gainlaw.claims.grammar.forms import LinearForm, linear_form
from gainlaw.claims.grammar.syntax import Claim
from gainlaw.errors import InputError

if TYPE_CHECKING:
    from gainlaw.fitting.point_null import PointNulls
    from gainlaw.fitting.record import FitRecord

__all__ = ["bayes_factors"]

# Above this Monte Carlo error of its logarithm, or this Pareto k, a factor is an order of magnitude.
_ROUGH, _ROUGH_K = 0.3, 0.7


def bayes_factors(
    fit: FitRecord,
    claim: Claim,
    inside: NDArray[np.bool_],
    difference: NDArray[np.float64],
    nulls: PointNulls | None = None,
) -> tuple[float, float, str]:
    """Return the Bayes factors of a claim.

    Parameters
    ----------
    fit : Fit
        The fit.
    claim : Claim
        The claim.
    inside : ndarray of bool, shape (draws,)
        In which draws it holds.
    difference : ndarray, shape (draws,)
        Left minus right.
    nulls : PointNulls, optional
        What the factors of several claims on the fit share.

    Returns
    -------
    factor : float
        ``BF10`` of a difference against none; NaN for claims that are not linear in their estimands.
    direction : float
        Posterior odds of the claim over its prior odds.
    note : str
        The priors, and how far to trust the factor.
    """
    nan = float("nan")
    try:
        prior_inside, prior_difference = holds(claim, FitDraws(fit, prior=True))
    except InputError as error:
        return nan, nan, f"no prior draws: {error}"
    direction = directional_factor(inside, prior_inside)
    note = _priors(fit, claim, prior_difference)
    form = linear_form(claim.difference)
    if form is None or not form.weights:
        return nan, direction, note
    value, remark = _factor(fit, form, difference, prior_difference, nulls)
    return value, direction, f"{note}; {remark}" if remark else note


def _factor(
    fit: FitRecord,
    form: LinearForm,
    difference: NDArray[np.float64],
    prior_difference: NDArray[np.float64],
    nulls: PointNulls | None,
) -> tuple[float, str]:
    """Return the factor of a difference against none, and a remark on it."""
    from gainlaw.fitting.point_null import PointNulls

    if fit.spec.law.members:
        return float(
            "nan"
        ), "no factor of a difference against none: the weights of the laws say which of them holds"
    rough = "the factor is an order of magnitude"
    shared = PointNulls(fit) if nulls is None else nulls
    found = shared.factor(parts_of(form), form.constant)
    if found is None:
        if fit.spec.law.parameters:
            return float("nan"), "the likelihood of the counts is too far from normal for a factor"
        factor = bayes_factor(difference, prior_difference)
        beyond = f"no difference lies outside the posterior draws: {rough}"
        return factor.value, beyond if factor.extrapolated else ""
    if np.isnan(found.log_factor):
        return float("nan"), "the model has no such difference"
    remarks = []
    if found.groups_alone:
        remarks.append("without a difference the groups' spread keeps its prior")
    if found.log_error > _ROUGH or found.pareto_k > _ROUGH_K:
        remarks.append(rough)
    return float(np.exp(np.clip(found.log_factor, -700, 700))), "; ".join(remarks)


def _priors(fit: FitRecord, claim: Claim, prior_difference: NDArray[np.float64]) -> str:
    """Return the prior of the difference and the priors behind it, in words."""
    finite = prior_difference[np.isfinite(prior_difference)]
    kinds = {term.name for term in claim.terms()}
    names = [name for name in fit.spec.priors if name != "baseline" and not name.startswith("rho")]
    curved = {parameter.name for parameter in fit.spec.law.parameters}
    if kinds == {"slope"}:
        names = [n for n in names if n == "slope" or n.endswith("_slope") or n in curved]
    elif kinds == {"effect"}:
        names = [n for n in names if n.startswith("covariate:")]
    listed = ", ".join(f"{name} ~ {fit.spec.priors[name]}" for name in names)
    if linear_form(claim.difference) is None or not len(finite):
        return f"priors: {listed}"
    return f"prior of the difference: mean {finite.mean():.3g}, sd {finite.std():.3g} ({listed})"
