"""Verdicts: the record of a judged claim, and the table of a list."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gainlaw.claims.decision import DEFAULT_THRESHOLD, VerdictWord, outcome, probability_words
from gainlaw.errors import InputError, Problem
from gainlaw.faces import notebook_html
from gainlaw.formats import MISSING, format_probability
from gainlaw.notes import count_of
from gainlaw.scales import SCALES

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DEFAULT_ROPE",
    "Companion",
    "Judgement",
    "Verdict",
    "Verdicts",
    "verdicts_frame",
    "write_verdicts",
]

DEFAULT_ROPE: dict[str, float] = {name: scale.point for name, scale in SCALES.items()}
"""Half width of practical equivalence: one point, and about as much on the other scales."""

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Companion:
    """The frequentist line beside a verdict.

    Parameters
    ----------
    method : str
        How it was computed: ``"REML, Kenward-Roger"``; two one-sided tests for a claim ``abs(...) < d``.
    status : str
        ``ok``, ``boundary`` (a variance estimated as 0), or why there is no test.
    estimate, se : float
        Left side minus right side of the claim, and its standard error, in the unit of the scale.
    df : float
        Degrees of freedom of t.
    p : float
        One-sided p value: small when the data speak for the claim, near 1 when they speak against it.
    p_holm : float
        `p` adjusted by Holm's method over the list of claims; NaN for a claim judged alone.
    cr2_se, cr2_df, cr2_p : float
        The same from cluster-robust CR2 standard errors with the checkpoint as the cluster.
    cr2_status : str
        The status of these.
    """

    method: str
    status: str
    estimate: float = _NAN
    se: float = _NAN
    df: float = _NAN
    p: float = _NAN
    p_holm: float = _NAN
    cr2_se: float = _NAN
    cr2_df: float = _NAN
    cr2_p: float = _NAN
    cr2_status: str = ""

    def word(self, threshold: float) -> str:
        """Return ``supported``, ``refuted`` or ``inconclusive`` by the rule of a scale; empty where there is no test.

        Examples
        --------
        >>> Companion("REML", "ok", p=0.94).word(0.975)
        'inconclusive'
        """
        return outcome(1.0 - self.p, threshold) if np.isfinite(self.p) else ""

    def __str__(self) -> str:
        """Return the line as text."""
        if not np.isfinite(self.p):
            return f"{self.method}: no test ({self.status})"
        return f"{self.method}: {self.estimate:.3g} (se {self.se:.3g}, df {self.df:.1f}), p = {self.p:.3g}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one scale says of a claim.

    Parameters
    ----------
    scale : str
        The scale.
    probability : float
        Posterior probability that the claim holds.
    mcse : float
        Its Monte Carlo standard error.
    word : {"supported", "refuted", "inconclusive"}
        The verdict on this scale alone.
    """

    scale: str
    probability: float
    mcse: float
    word: VerdictWord


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Verdict:
    """A judged claim.

    Parameters
    ----------
    name : str
        The claim's name in its file, or its text.
    claim : str
        The claim in canonical form.
    verdict : VerdictWord
        What the data say, on every scale the claim applies to: a key of `VERDICTS`.
    decided_on : str
        The scale that decides, where only one of two does.
    probability : float
        Posterior probability of the claim on `scale`.
    probability_points, probability_log_odds : float
        The same on either scale; NaN on a scale where the claim was not judged.
    mcse, mcse_log_odds : float
        Monte Carlo standard errors of `probability` and of `probability_log_odds`.
    scale, unit : str
        The scale and the unit of the estimate and of everything below.
    estimate, ci_low, ci_high : float
        Left side minus right side: posterior mean (median where the claim is not linear in its estimands) and
        equal-tailed interval.
    ci_prob : float
        Probability of the interval.
    threshold : float
        Probability from which a scale supports the claim; it refutes it at 1 - threshold.
    rope : float
        Half width of the region of practical equivalence around left = right; NaN where there is none.
    p_rope : float
        Posterior probability that left and right differ by less than `rope`.
    negligible : bool
        Whether `p_rope` reaches the threshold.
    bayes_factor : float
        Savage-Dickey ``BF10`` of a difference against none, see `gainlaw.fitting.point_null.point_null`; NaN where the
        claim is not linear in its estimands.
    bayes_factor_direction : float
        Posterior odds of the claim over its prior odds; NaN where it does not apply.
    prior_note : str
        The priors behind the Bayes factors, and how far to trust them.
    companion : Companion or None
        The frequentist line; None where the claim has none.
    reason : str
        Why a claim is untested.
    n_checkpoints, n_sizes : int
        Distinct checkpoints and sizes behind the claim: the fewest behind any group it names; 0 for an
        untested claim.
    judgements : tuple of Judgement
        What every scale says.
    text, source : str
        The claim in plain words, and where it comes from.
    note : str
        What else a reader must know: which scale disagrees, failed diagnostics, extrapolation.
    registered : str
        Of a claim from a file, whether that was registered before the data, and is unchanged: see
        `gainlaw.claims.registration`.
    """

    name: str
    claim: str
    verdict: VerdictWord
    decided_on: str = ""
    probability: float = _NAN
    probability_points: float = _NAN
    probability_log_odds: float = _NAN
    mcse: float = _NAN
    mcse_log_odds: float = _NAN
    scale: str = ""
    unit: str = ""
    estimate: float = _NAN
    ci_low: float = _NAN
    ci_high: float = _NAN
    ci_prob: float = 0.95
    threshold: float = DEFAULT_THRESHOLD
    rope: float = _NAN
    p_rope: float = _NAN
    negligible: bool = False
    bayes_factor: float = _NAN
    bayes_factor_direction: float = _NAN
    prior_note: str = ""
    companion: Companion | None = None
    reason: str = ""
    n_checkpoints: int = 0
    n_sizes: int = 0
    judgements: tuple[Judgement, ...] = ()
    text: str = ""
    source: str = ""
    note: str = ""
    registered: str = ""

    def __repr__(self) -> str:
        """Return the verdict in a line."""
        return f"<{type(self).__name__} {self}>"

    def _repr_html_(self) -> str:
        rest = [each for each in (self.text, self.reason, self.note, str(self.companion or "")) if each]
        return notebook_html(f"{self.name}: {self.verdict}", _HEAD, [_cells(self)], notes=rest)

    def __str__(self) -> str:
        """Return the verdict as one readable line."""
        label = self.claim if self.name == self.claim else f"{self.name}: {self.claim}"
        if self.verdict == "untested":
            return f"{label} -> untested: {self.reason}"
        odds = ", ".join(
            f"{probability_words(j.probability, j.mcse)} on {SCALES[j.scale].name}" for j in self.judgements
        )
        size = (
            f"{_number(self.estimate)} [{_number(self.ci_low)}, {_number(self.ci_high)}] {self.unit}".strip()
        )
        counts = f"{count_of(self.n_checkpoints, 'checkpoint')}, {count_of(self.n_sizes, 'size')}"
        return f"{label} -> {self.verdict} ({odds}; difference {size}; {counts})"


class Verdicts(list[Verdict]):
    """A list of verdicts, which prints one a line and stands as a table in a notebook.

    Examples
    --------
    >>> Verdicts([Verdict(name="slope < 0", claim="slope < 0", verdict="untested", reason="no sizes")])
    slope < 0 -> untested: no sizes
    """

    def __repr__(self) -> str:
        """Return the verdicts, one a line; of more than three, how many there are and the first."""
        lines = [str(each) for each in self]
        return "\n".join(lines if len(lines) <= 3 else [f"{len(lines)} verdicts:", *lines[:1], "..."])

    def _repr_html_(self) -> str:
        return notebook_html(count_of(len(self), "claim"), _HEAD, [_cells(each) for each in self])

    @property
    def frame(self) -> pd.DataFrame:
        """The verdicts as a data frame, see `verdicts_frame`."""
        return verdicts_frame(self)


_HEAD = ("Claim", "Verdict", "P, points", "P, log-odds", "Difference", "Interval", "Unit", "Checkpoints")


def _cells(verdict: Verdict) -> tuple[str, ...]:
    label = verdict.claim if verdict.name == verdict.claim else f"{verdict.name}: {verdict.claim}"
    ends = f"[{_number(verdict.ci_low)}, {_number(verdict.ci_high)}]"
    return (
        label,
        verdict.verdict,
        format_probability(verdict.probability_points),
        format_probability(verdict.probability_log_odds),
        MISSING if np.isnan(verdict.estimate) else _number(verdict.estimate),
        MISSING if np.isnan(verdict.estimate) else ends,
        verdict.unit,
        str(verdict.n_checkpoints),
    )


def verdicts_frame(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Return verdicts as a table, one a row.

    Parameters
    ----------
    verdicts : sequence of Verdict
        From `gainlaw.assess` or `gainlaw.assess_file`.

    Returns
    -------
    pandas.DataFrame
        Columns ``name, claim, verdict, probability`` first, then the fields of `Verdict` and of its
        `Companion` (prefix ``companion_``). Numbers that do not exist are NaN.
    """
    import pandas as pd

    fields = [
        *(
            "name",
            "claim",
            "verdict",
            "probability",
            "decided_on",
            "probability_points",
            "probability_log_odds",
        ),
        *("mcse", "mcse_log_odds"),
        *(
            "estimate",
            "ci_low",
            "ci_high",
            "ci_prob",
            "unit",
            "scale",
            "threshold",
            "rope",
            "p_rope",
            "negligible",
        ),
        *("bayes_factor", "bayes_factor_direction", "prior_note"),
    ]
    line = [
        *("method", "status", "estimate", "se", "df", "p", "p_holm"),
        *("cr2_se", "cr2_df", "cr2_p", "cr2_status"),
    ]
    rest = ["n_checkpoints", "n_sizes", "reason", "note", "text", "source", "registered"]
    empty = Companion("", "")
    rows = [
        {
            **{field: getattr(verdict, field) for field in fields},
            **{f"companion_{field}": getattr(verdict.companion or empty, field) for field in line},
            "companion_verdict": (verdict.companion or empty).word(verdict.threshold),
            **{field: getattr(verdict, field) for field in rest},
        }
        for verdict in verdicts
    ]
    return pd.DataFrame(
        rows, columns=[*fields, *[f"companion_{field}" for field in line], "companion_verdict", *rest]
    )


def write_verdicts(verdicts: Sequence[Verdict], path: str | os.PathLike[str], *, safe: bool = False) -> Path:
    """Write verdicts as CSV or Parquet, by the suffix; the file appears whole or not at all.

    Parameters
    ----------
    verdicts : sequence of Verdict
        The verdicts.
    path : path-like
        A ``.csv`` or ``.parquet`` file.
    safe : bool
        Prefix the cells of a CSV file that a spreadsheet would run, see `gainlaw._io.csv_text`.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        For another suffix.
    """
    from gainlaw._io import write_frame_atomic

    target = Path(path)
    if target.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(
            Problem(f"verdicts cannot be written to {target.name}", hint="name it .csv or .parquet")
        )
    write_frame_atomic(verdicts_frame(verdicts), target, safe=safe)
    return target


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1e6 else f"{value:.2e}"
