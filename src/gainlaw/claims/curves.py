"""Claims judged on one curve: the same grammar and the same words, by refits to resampled checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gainlaw.claims.decision import DEFAULT_THRESHOLD, VerdictWord, decide
from gainlaw.claims.evaluate import holds
from gainlaw.claims.grammar.certain import refuse_certain
from gainlaw.claims.grammar.forms import measure
from gainlaw.claims.grammar.parse import parse_claim
from gainlaw.claims.grammar.syntax import Claim, Estimand
from gainlaw.claims.verdict import DEFAULT_ROPE
from gainlaw.curves.derived import derived_values
from gainlaw.curves.resampling import DRAWS
from gainlaw.errors import InputError, Problem
from gainlaw.scales import SCALES
from gainlaw.sizes import decades

if TYPE_CHECKING:
    from gainlaw.curves.fit import CurveFit
    from gainlaw.laws.record import Law

__all__ = ["CurveVerdict", "assess_curve", "claimable"]

Float = NDArray[np.float64]

_SCALES = {facts.unit: scale for scale, facts in SCALES.items()}
# Sizes at which a crossing is looked for, over the observed range.
_GRID = 400


@dataclass(frozen=True, slots=True)
class CurveVerdict:
    """A claim judged on one curve.

    Parameters
    ----------
    claim : str
        The claim in canonical form.
    verdict : VerdictWord
        What the refits say, see `gainlaw.claims.decision.decide`.
    share : float
        Share of the refits in which the claim holds.
    share_twin : float
        The same on the other scale; NaN where none was given.
    estimate, low, high : float
        Left side minus right side at the estimate, and its percentile interval.
    rope, share_rope : float
        Half width of practical equivalence, and the share of refits in which both sides differ by less.
    negligible : bool
        Whether that share reaches the threshold.
    draws : int
        Refits.
    note : str
        Why it is untested, or judged on one scale only; empty otherwise.
    """

    claim: str
    verdict: VerdictWord
    share: float
    share_twin: float
    estimate: float
    low: float
    high: float
    rope: float
    share_rope: float
    negligible: bool
    draws: int
    note: str = ""


def assess_curve(
    fit: CurveFit,
    claim: str | Claim,
    *,
    twin: CurveFit | None = None,
    threshold: float = DEFAULT_THRESHOLD,
    rope: float | None = None,
    draws: int = DRAWS,
) -> CurveVerdict:
    """Judge a claim on a curve by the bootstrap of its checkpoints.

    The share of refits in which the claim holds takes the place that a posterior probability has for a hierarchical
    fit; it is a bootstrap's degree of confidence, with no prior behind it and nothing pooled. A claim on a fit whose
    status is failed is untested.

    Parameters
    ----------
    fit : CurveFit
        The curve.
    claim : str or Claim
        In ``slope``, ``gain(10B)``, ``ratio(10B, 1B)`` and ``crossing(0)``, the smallest observed size at which the
        curve takes a value, and in parameters of the law and what is derived of them (``alpha > beta``); no groups,
        because a curve is one group.
    twin : CurveFit, optional
        The same curve on the other scale; what the two come to says `gainlaw.claims.decision.decide`. A claim with a
        number of a unit, or in parameters, is judged on the first scale only.
    threshold : float
        Share from which a claim is supported; it is refuted at one minus it.
    rope : float, optional
        Half width of practical equivalence; that of the scale by default.
    draws : int
        Refits.

    Raises
    ------
    InputError
        If the claim names groups, the population or a covariate, or the threshold is not between 0.5 and 1.

    Examples
    --------
    >>> import gainlaw as gl
    >>> from gainlaw.claims.curves import assess_curve
    >>> sizes = [1e8, 2e8, 4e8, 8e8, 1.6e9, 3.2e9, 6.4e9, 1.28e10]
    >>> fit = gl.fit_curve(sizes, [9.1, 7.2, 6.3, 5.1, 4.4, 3.4, 3.1, 2.3])
    >>> assess_curve(fit, "slope < 0", draws=500).verdict
    'supported'
    """
    if not 0.5 < threshold < 1.0:
        raise InputError(Problem(f"threshold is {threshold}", hint="a number between 0.5 and 1"))
    parsed = parse_claim(claim, claimable(fit.law)) if isinstance(claim, str) else claim
    ends = zip(*(each.tolist() for each in fit.law.limits), strict=True)
    refuse_certain(parsed, dict(zip((each.name for each in fit.law.parameters), ends, strict=True)))
    strange = [
        term.name
        for term in parsed.terms()
        if term.positive is not None and term.name not in claimable(fit.law)
    ]
    if strange:
        hint = "it has " + ", ".join(claimable(fit.law))
        raise InputError(Problem(f"the law {fit.law.name} has no parameter {', '.join(strange)}", hint=hint))
    wrong = [str(term) for term in parsed.terms() if term.selector.group or term.selector.level != "overall"]
    wrong += [str(term) for term in parsed.terms() if term.name == "effect"]
    if wrong:
        raise InputError(
            Problem(f"{', '.join(wrong)}: a curve is one group, without population or covariates")
        )
    bound = measure(parsed).bound
    width = _rope(fit) if rope is None else rope
    nan, note = float("nan"), _distrust(fit)
    if note:
        return CurveVerdict(str(parsed), "untested", nan, nan, nan, nan, nan, width, nan, False, 0, note)
    inside, difference = holds(parsed, _Draws(fit, fit.bootstrap(draws).theta))
    _, at = holds(parsed, _Draws(fit, fit.optimum.theta[None]))
    share, share_twin = float(inside.mean()), float("nan")
    shares = [(_SCALES.get(fit.points.unit, "points"), share, _error(share, len(inside)))]
    judged = twin is not None and not bound
    note = f"on the other scale, {_distrust(twin)}" if twin is not None and judged and _distrust(twin) else ""
    if twin is not None and judged and not note:
        share_twin = float(holds(parsed, _Draws(twin, twin.bootstrap(draws).theta))[0].mean())
        shares.append((_SCALES.get(twin.points.unit, "log_odds"), share_twin, _error(share_twin, draws)))
    verdict = decide(shares, threshold).word
    tail = 0.5 - 0.5 * fit.ci_prob
    known = difference[np.isfinite(difference)]
    low, high = np.quantile(known, [tail, 1.0 - tail]) if len(known) else (np.nan, np.nan)
    share_rope = float((np.abs(difference) < width).mean())
    return CurveVerdict(
        str(parsed), verdict, share, share_twin, float(at[0]), float(low), float(high), width, share_rope,
        share_rope >= threshold, len(difference), note,
    )  # fmt: skip


def claimable(law: Law) -> dict[str, bool]:
    """Return the names that claims on a curve of this law may use beside estimands, and whether each is positive.

    Examples
    --------
    >>> from gainlaw.laws import law
    >>> claimable(law("offset_power"))
    {'c': False, 'a': False, 'r': True}
    """
    names = {each.name: each.positive for each in law.parameters}
    return names | {each.name: each.positive for each in law.derived}


def _distrust(fit: CurveFit) -> str:
    """Return why a fit must not be trusted, or nothing."""
    return "; ".join(each.message for each in fit.findings if each.failed)


class _Draws:
    """The values of estimands in refits of a curve."""

    def __init__(self, fit: CurveFit, theta: Float) -> None:
        self.fit, self.theta = fit, theta

    def __call__(self, term: Estimand) -> Float:
        if term.positive is not None:
            return self._parameter(term.name)
        if term.name == "slope":
            return self.fit.slope(self.theta)
        if term.name == "gain":
            return self.fit.curve(self.theta, [term.args[0]])[:, 0]
        if term.name == "ratio":
            ends = self.fit.curve(self.theta, list(term.args))
            with np.errstate(divide="ignore", invalid="ignore"):
                return ends[:, 0] / np.where(ends[:, 1] == 0, np.nan, ends[:, 1])
        return self._crossing(term.args[0])

    def _parameter(self, name: str) -> Float:
        """Return a parameter of the law in its own unit, or what is derived of them."""
        names = [each.name for each in self.fit.law.parameters]
        if name in names:
            return np.asarray(self.fit.law.natural(self.theta)[:, names.index(name)])
        return derived_values(self.fit.law, self.theta)[name]

    def _crossing(self, value: float) -> Float:
        """Return the smallest size in the observed range at which each refit takes a value, NaN if none does."""
        sizes = np.geomspace(self.fit.sizes[0], self.fit.sizes[-1], _GRID)
        away = self.fit.curve(self.theta, sizes) - value
        turned = (np.sign(away[:, 1:]) != np.sign(away[:, :-1])) & np.isfinite(away[:, 1:] + away[:, :-1])
        first = turned.argmax(axis=1)
        rows = np.arange(len(away))
        before, after = away[rows, first], away[rows, first + 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(turned.any(axis=1) & (before != after), before / (before - after), 0.0)
        x = decades(sizes)
        at = 1e9 * 10.0 ** (x[first] + share * (x[first + 1] - x[first]))
        return np.where(turned.any(axis=1), at, np.nan)


def _error(share: float, draws: int) -> float:
    """Return the Monte Carlo error of a share of refits; half a refit either way where all agree."""
    softened = (share * draws + 0.5) / (draws + 1.0)
    return float(np.sqrt(softened * (1.0 - softened) / draws))


def _rope(fit: CurveFit) -> float:
    return DEFAULT_ROPE.get(_SCALES.get(fit.points.unit, ""), float("nan"))
