"""Claims judged on fits: one claim, or a file of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, cast, overload

import numpy as np

from gainlaw.claims.chance import Chances
from gainlaw.claims.decision import DEFAULT_THRESHOLD, decide, outcome
from gainlaw.claims.describe import caveats_of, disagreement, rope_of, summary_of, unit_of
from gainlaw.claims.evaluate import FitDraws, holds
from gainlaw.claims.factors import bayes_factors
from gainlaw.claims.frequentist import FittedDesigns, adjust_companions, companion
from gainlaw.claims.grammar.certain import refuse_certain
from gainlaw.claims.grammar.file import ClaimEntry, read_claims
from gainlaw.claims.grammar.forms import Measure, measure
from gainlaw.claims.grammar.parse import parse_claim
from gainlaw.claims.grammar.syntax import Claim
from gainlaw.claims.registration import standing
from gainlaw.claims.rows import count_replicates, missing_rows
from gainlaw.claims.untested import why_untested
from gainlaw.claims.verdict import Judgement, Verdict, Verdicts
from gainlaw.errors import InputError, Problem
from gainlaw.options import require_choice
from gainlaw.scales import SCALES, Scale

if TYPE_CHECKING:
    from gainlaw.fitting.point_null import PointNulls
    from gainlaw.fitting.record import FitRecord

__all__ = ["assess", "assess_file"]


type _Claims = list[str] | list[Claim] | list[Claim | str] | tuple[Claim | str, ...]


class _Options(TypedDict, total=False):
    """The options of `assess`, for its two signatures."""

    threshold: float
    rope: float | Mapping[str, float] | None
    other: FitRecord | None
    scale: Scale | None
    log_odds: Claim | str | None
    both: bool
    ci_prob: float
    name: str | None
    text: str
    source: str


@overload
def assess(fit: FitRecord, claim: Claim | str, **options: Unpack[_Options]) -> Verdict: ...


@overload
def assess(fit: FitRecord, claim: _Claims, **options: Unpack[_Options]) -> Verdicts: ...


def assess(
    fit: FitRecord,
    claim: Claim | str | _Claims,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    rope: float | Mapping[str, float] | None = None,
    other: FitRecord | None = None,
    scale: Scale | None = None,
    log_odds: Claim | str | None = None,
    both: bool = True,
    ci_prob: float = 0.95,
    name: str | None = None,
    text: str = "",
    source: str = "",
) -> Verdict | Verdicts:
    """Judge a claim, or every claim of a list.

    A claim without a number in the unit of a scale (``slope < 0``) is judged on the fit's scale and on
    chance-corrected log-odds; what the two come to says `gainlaw.claims.decision.decide`. A claim with such a number
    (``gain(10B) < 1``) is judged on the scale it means, points unless said otherwise, and on log-odds too when
    `log_odds` says what it means there.

    Parameters
    ----------
    fit : Fit
        The fit.
    claim : Claim or str, or sequence of them
        The claim, or several.
    threshold : float
        Probability in (0.5, 1) from which a scale supports the claim; it refutes it at 1 - threshold.
    rope : float or mapping of scale to float, optional
        Half width of the region of practical equivalence around left = right. By default 1 point (0.1
        log-odds) for claims about gains and slopes, and none for others.
    other : Fit, optional
        The fit of the same gains on the other scale. By default it is made when it is needed and kept with
        the fit.
    scale : str, optional
        Judge on this scale only.
    log_odds : Claim or str, optional
        What the claim says on log-odds, where its numbers differ; of one claim alone.
    both : bool
        Whether to judge on the second scale where the claim allows it.
    ci_prob : float
        Probability of the interval.
    name, text, source : str, optional
        Labels for the verdict of one claim.

    Returns
    -------
    Verdict or Verdicts
        What the data say; of several claims a list, with p values adjusted over it by Holm's method.

    Raises
    ------
    InputError
        If the claim cannot be read, or an option is out of range.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz"), law="linear")  # doctest: +SKIP
    >>> print(gl.assess(fit, "slope < 0"))  # doctest: +SKIP
    >>> gl.assess(fit, ["slope < 0", "gain(10B) < 1"])  # doctest: +SKIP
    """
    partners, request = _Partners(fit, other), _Request(threshold, rope, scale, both, ci_prob)
    labels: dict[str, Any] = {"name": name, "text": text, "source": source}
    twin = parse_claim(log_odds) if isinstance(log_odds, str) else log_odds
    if isinstance(claim, Claim | str):
        return _assess(partners, _read(claim), twin, request, labels)
    if twin is not None or any(labels.values()):
        hint = "judge it alone, or write a file of claims (gl.assess_file)"
        raise InputError(
            Problem("log_odds, name, text and source are of one claim, not of a list", hint=hint)
        )
    return adjust_companions([_assess(partners, _read(each), None, request, labels) for each in claim])


def _read(claim: Claim | str) -> Claim:
    return parse_claim(claim) if isinstance(claim, str) else claim


def assess_file(
    fits: FitRecord | Sequence[FitRecord],
    path: str | os.PathLike[str],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Verdicts:
    """Judge every claim of a file.

    Each claim is judged on the first fit that has the rows it needs and, where the claim says which rows it
    is about, does not mix them with others. p values are adjusted over the list by Holm's method.

    Parameters
    ----------
    fits : Fit or sequence of Fit
        The fits, the preferred one first.
    path : path-like
        The file; see `gainlaw.claims.grammar.file.read_claims`.
    progress : callable, optional
        Called with the number of entries of the file that are judged and of all.

    Returns
    -------
    Verdicts
        A list in the order of the file; a claim with ``for_each`` gives one verdict a group.

    Raises
    ------
    InputError
        If the file cannot be read; all its faults are reported together.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fits = [gl.load_fit("fit_points"), gl.load_fit("fit_mixture")]  # doctest: +SKIP
    >>> for verdict in gl.assess_file(fits, "claims.toml"):  # doctest: +SKIP
    ...     print(verdict)
    """
    candidates = [_Partners(fit) for fit in (fits if isinstance(fits, Sequence) else [fits])]
    if not candidates:
        raise InputError("claims need at least one fit")
    listed = read_claims(path)
    registered = standing(path, [each.fit for each in candidates])
    verdicts: list[Verdict] = []
    for done, entry in enumerate(listed.entries, 1):
        found = _entry(candidates, entry, listed.ci_prob)
        verdicts += [replace(verdict, registered=registered) for verdict in found]
        if progress is not None:
            progress(done, len(listed.entries))
    return adjust_companions(verdicts)


def _entry(candidates: Sequence[_Partners], entry: ClaimEntry, ci_prob: float) -> list[Verdict]:
    lacks = [missing_rows(each.fit, entry.claim, entry.needs, entry.where) for each in candidates]
    plain = entry.text.replace("{group}", f"every {entry.for_each}")
    labels = {"name": entry.name, "claim": str(entry.claim), "text": plain, "source": entry.source}
    best = min(range(len(candidates)), key=lambda k: len(lacks[k]))
    if lacks[best]:
        return [_untested(lacks[best], entry.threshold, labels)]
    partners = candidates[best]
    request = _Request(entry.threshold, dict(entry.rope) or None, entry.scale, True, ci_prob)
    if entry.for_each is None:
        named = {"name": entry.name, "text": entry.text, "source": entry.source}
        return [_assess(partners, entry.claim, entry.log_odds, request, named)]
    frame = partners.fit.gains.frame
    for column, wanted in entry.where:
        frame = frame[frame[column].astype(str).isin(wanted)]
    known = frame[entry.for_each].dropna().astype(str).unique() if entry.for_each in frame.columns else ()
    groups = sorted(value for value in known if value)
    if not groups:
        return [_untested((f"column {entry.for_each}",), entry.threshold, labels)]
    out = []
    for value in groups:
        claim = entry.claim.select(entry.for_each, value)
        twin = entry.log_odds.select(entry.for_each, value) if entry.log_odds else None
        text = entry.text.replace("{group}", value)
        named = {"name": f"{entry.name} [{value}]", "text": text, "source": entry.source}
        out.append(_assess(partners, claim, twin, request, named))
    return out


@dataclass(frozen=True, slots=True)
class _Request:
    """How to judge: the options of `assess`."""

    threshold: float
    rope: float | Mapping[str, float] | None
    scale: Scale | None
    both: bool
    ci_prob: float


def _assess(
    partners: _Partners, claim: Claim, twin: Claim | None, request: _Request, named: Mapping[str, Any]
) -> Verdict:
    _check(request.threshold, request.ci_prob, request.rope)
    if request.scale is not None:
        require_choice(request.scale, Scale, "scale")
    refuse_certain(claim)
    kind = measure(claim)
    labels = {**named, "name": named["name"] or str(claim), "claim": str(claim)}
    missing = missing_rows(partners.fit, claim)
    if missing:
        return _untested(missing, request.threshold, labels)
    primary, second, notes = _scales(partners.fit, kind, request.scale, twin, request.both)
    asked = [primary, second] if second else [primary]
    for each in asked:
        partners.want(each)
    if primary not in partners.fits and (kind.bound or request.scale is not None):
        lacks = f"gains on {SCALES[primary].name} ({partners.reasons[primary]})"
        return _untested((lacks,), request.threshold, labels)
    there = [each for each in asked if each in partners.fits]
    said = {each: twin if twin is not None and each != there[0] else claim for each in there}
    reasons = {each: why_untested(partners.fits[each], said[each], request.threshold) for each in there}
    if reasons[there[0]]:
        return _untested(reasons[there[0]], request.threshold, labels)
    why = partners.reasons | {each: "; ".join(found) for each, found in reasons.items() if found}
    notes += [f"on {SCALES[there[0]].name} alone: {why[each]}" for each in asked if each in why]
    judged = {each: said[each] for each in there if each not in why}
    return _judge(partners, judged, kind, request, notes, labels)


def _check(threshold: float, ci_prob: float, rope: float | Mapping[str, float] | None) -> None:
    problems = []
    if not 0.5 < threshold < 1:
        problems.append(Problem(f"threshold is {threshold}", hint="a probability between 0.5 and 1"))
    if not 0 < ci_prob < 1:
        problems.append(Problem(f"ci_prob is {ci_prob}", hint="a probability between 0 and 1"))
    widths = rope if isinstance(rope, Mapping) else {} if rope is None else {"points": rope}
    for key, value in widths.items():
        require_choice(key, Scale, "rope")
        if not (np.isfinite(value) and value >= 0):
            problems.append(Problem(f"rope is {value}", hint="a half width >= 0"))
    if problems:
        raise InputError(problems)


def _scales(
    fit: FitRecord, kind: Measure, scale: Scale | None, twin: Claim | None, both: bool
) -> tuple[str, str | None, list[str]]:
    """Return the scale that carries the estimate, the second scale, and notes."""
    if scale is not None:
        second = "log_odds" if twin is not None and scale != "log_odds" else None
        notes = [] if kind.bound or second else [f"on {SCALES[scale].name} alone, as asked"]
        return scale, second, notes
    if kind.bound:
        notes = [] if twin is not None else ["on points alone: its number is in points"]
        return "points", "log_odds" if twin is not None and both else None, notes
    primary = fit.scale if fit.scale != "log_odds" else "points"
    notes = [] if both else [f"on {SCALES[primary].name} alone, as asked"]
    return primary, "log_odds" if both else None, notes


class _Partners:
    """The fits of the same gains on other scales: those given, and those made when they are asked for."""

    def __init__(self, fit: FitRecord, other: FitRecord | None = None) -> None:
        self.fit = fit
        self.fits: dict[str, FitRecord] = {each.scale: each for each in (other, fit) if each is not None}
        self.reasons: dict[str, str] = {}
        self.fitted: dict[str, FittedDesigns] = {}
        self.nulls: dict[str, PointNulls] = {}
        self.chances: dict[str, Chances] = {}

    def chances_of(self, scale: str) -> Chances:
        """Return what the probabilities of claims on a scale share."""
        if scale not in self.chances:
            self.chances[scale] = Chances(self.fits[scale])
        return self.chances[scale]

    def nulls_of(self, scale: str) -> PointNulls:
        """Return what the Bayes factors of claims on a scale share."""
        from gainlaw.fitting.point_null import PointNulls

        return self.nulls.setdefault(scale, PointNulls(self.fits[scale], self.chances_of(scale).model))

    def want(self, scale: str) -> None:
        """Make sure that the fit on `scale`, or the reason why there is none, is there."""
        from gainlaw.fitting.companion import CompanionError, other_scale_fit

        if scale in self.fits or scale in self.reasons:
            return
        made, reason = None, "the scores behind the gains are not known"
        try:
            made = other_scale_fit(self.fit, cast("Scale", scale))
            if made is None:
                self.fit.gains.to_scale(cast("Scale", scale))
        except CompanionError:
            raise
        except InputError as error:
            reason = "; ".join(problem.message for problem in error.problems)
        if made is None:
            self.reasons[scale] = reason
        else:
            self.fits[scale] = made


def _judge(
    partners: _Partners,
    said: Mapping[str, Claim],
    kind: Measure,
    request: _Request,
    notes: list[str],
    labels: Mapping[str, Any],
) -> Verdict:
    """Judge a claim on the scales for which it says something, the one that carries the estimate first."""
    found, fits, scales = {}, partners.fits, list(said)
    claim = said[scales[0]]
    for scale in scales:
        inside, difference = holds(said[scale], FitDraws(fits[scale]))
        chance = partners.chances_of(scale).of(said[scale], request.threshold)
        undefined = float(np.isnan(difference).mean())
        found[scale] = (inside, difference, chance, undefined)
    decision = decide(
        [(scale, found[scale][2].value, found[scale][2].mcse) for scale in scales], request.threshold
    )
    judgements = tuple(
        Judgement(scale, found[scale][2].value, found[scale][2].mcse, each)
        for scale, each in zip(scales, decision.words, strict=True)
    )
    primary = scales[0]
    fit = fits[primary]
    inside, difference, p, undefined = found[primary]
    estimate, low, high = summary_of(difference, claim, request.ci_prob)
    width = rope_of(request.rope, primary, claim, kind)
    near = partners.chances_of(primary).within(claim, width) if np.isfinite(width) else None
    value, direction, prior_note = bayes_factors(fit, claim, inside, difference, partners.nulls_of(primary))
    line = companion(fit, claim, partners.fitted.setdefault(primary, {}))
    notes += [each for each in (disagreement(line, decision.words[0], request.threshold),) if each]
    notes = [decision.note] * bool(decision.note) + notes + caveats_of(fits, scales, claim, undefined)
    n_checkpoints, n_sizes, few = count_replicates(fit, claim)
    notes += [few] * bool(few)
    by_scale = {j.scale: j for j in judgements}
    points, log_odds = by_scale.get("points"), by_scale.get("log_odds")
    return Verdict(
        **labels,
        verdict=decision.word,
        decided_on=decision.decided_on,
        probability=p.value,
        probability_points=points.probability if points else float("nan"),
        probability_log_odds=log_odds.probability if log_odds else float("nan"),
        mcse=p.mcse,
        mcse_log_odds=log_odds.mcse if log_odds else float("nan"),
        scale=primary,
        unit=unit_of(fit, claim, kind),
        estimate=estimate,
        ci_low=low,
        ci_high=high,
        ci_prob=request.ci_prob,
        threshold=request.threshold,
        rope=width,
        p_rope=near.value if near else float("nan"),
        negligible=near is not None and outcome(near.value, request.threshold, near.mcse) == "supported",
        bayes_factor=value,
        bayes_factor_direction=direction,
        prior_note=prior_note,
        companion=line,
        n_checkpoints=n_checkpoints,
        n_sizes=n_sizes,
        judgements=judgements,
        note="; ".join(notes),
    )


def _untested(missing: Sequence[str], threshold: float, labels: Mapping[str, Any]) -> Verdict:
    return Verdict(**labels, verdict="untested", threshold=threshold, reason="; ".join(missing))
