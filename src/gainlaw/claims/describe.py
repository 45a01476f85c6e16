"""What stands beside a verdict: estimate and interval, practical equivalence, unit, and what a reader must know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gainlaw.claims.decision import VerdictWord
from gainlaw.claims.grammar.forms import Measure, linear_form
from gainlaw.claims.grammar.syntax import Claim, format_number
from gainlaw.claims.untested import beyond, observed_sizes
from gainlaw.claims.verdict import DEFAULT_ROPE, Companion
from gainlaw.scales import SCALES

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["caveats_of", "disagreement", "rope_of", "summary_of", "unit_of"]


def summary_of(difference: np.ndarray, claim: Claim, ci_prob: float) -> tuple[float, float, float]:
    """Return mean (median where the claim is not linear) and interval over the draws that have a value."""
    values = difference[~np.isnan(difference)]
    if not len(values):
        return float("nan"), float("nan"), float("nan")
    levels = [(1 - ci_prob) / 2, 0.5, (1 + ci_prob) / 2]
    if np.isfinite(values).all():
        low, median, high = np.quantile(values, levels)
    else:  # sizes of crossings overflow to infinity, and inf - inf is no quantile
        low, median, high = np.sort(values)[[round(level * (len(values) - 1)) for level in levels]]
    centre = values.mean() if linear_form(claim.difference) else median
    return float(centre), float(low), float(high)


def rope_of(rope: float | Mapping[str, float] | None, scale: str, claim: Claim, kind: Measure) -> float:
    """Return the half width of practical equivalence on a scale; NaN where the claim has none."""
    if isinstance(rope, Mapping):
        return float(rope.get(scale, float("nan")))
    if rope is not None:
        return float(rope)
    plain = kind.kind == "gain" and linear_form(claim.difference) is not None
    return DEFAULT_ROPE[scale] if plain else float("nan")


def caveats_of(
    fits: Mapping[str, FitRecord], scales: Sequence[str], claim: Claim, undefined: float
) -> list[str]:
    """Return what a reader must know: failed diagnostics, draws without a value, sizes outside those seen."""
    out = [
        f"the diagnostics of the fit on {SCALES[scale].name} failed: do not trust this"
        for scale in scales
        if fits[scale].status == "failed"
    ]
    if undefined > 0:
        share = f"{undefined:.0%}" if undefined >= 0.01 else "less than 1%"
        out.append(f"a side has no value in {share} of the draws, which count against the claim")
    fit = fits[scales[0]]
    outside, seen = beyond(fit, claim), observed_sizes(fit)
    if outside and seen is not None:
        sizes = ", ".join(format_number(n) for n in outside)
        observed = f"{format_number(seen[0])} to {format_number(seen[1])}"
        out.append(f"{sizes} lies outside the sizes seen ({observed}): an extrapolation")
    return out


def disagreement(line: Companion, word: VerdictWord, threshold: float) -> str:
    """Return that the frequentist line does not say what the posterior says, in words; empty where it does."""
    said = line.word(threshold)
    if said in ("", word):
        return ""
    verb = {
        "supported": "supports it",
        "refuted": "refutes it",
        "inconclusive": "does not decide",
    }[said]
    return f"{line.method} {verb} (p = {line.p:.2g})"


def unit_of(fit: FitRecord, claim: Claim, kind: Measure) -> str:
    """Return the unit of the difference of a claim's sides."""
    if kind.kind == "size":
        return "parameters"
    if kind.kind != "gain":
        return ""
    slopes = all(term.name == "slope" for term in claim.terms())
    return f"{fit.unit} per decade" if slopes else str(fit.unit)
