"""The decision rule: what can be said of a claim, and what its probabilities on one or two scales come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gainlaw.scales import SCALES

__all__ = [
    "DEFAULT_THRESHOLD",
    "MARGIN",
    "VERDICTS",
    "Decision",
    "VerdictWord",
    "decide",
    "is_near",
    "probability_words",
]

VerdictWord = Literal[
    "supported",
    "refuted",
    "supported on one scale",
    "refuted on one scale",
    "inconclusive",
    "scale-dependent",
    "untested",
]

VERDICTS: dict[VerdictWord, str] = {
    "supported": "every scale on which the claim is judged supports it",
    "refuted": "every scale on which the claim is judged refutes it",
    "supported on one scale": "one scale supports it; the other leans the same way and does not decide",
    "refuted on one scale": "one scale refutes it; the other leans the same way and does not decide",
    "inconclusive": "no scale decides, or one does and the other leans the opposite way",
    "scale-dependent": "the two scales decide for opposite directions",
    "untested": "these data cannot judge it, for the reason given",
}
"""What can be said of a claim, and what each word means."""

DEFAULT_THRESHOLD = 0.975
"""A scale supports a claim from this posterior probability, and refutes it at one minus it. The only home of the
number: claims, curves and the answer of a report take it from here."""

MARGIN = 2.0
"""A probability that lies within so many Monte Carlo errors of a threshold has not passed it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the posterior probabilities of a claim on one or two scales come to.

    Parameters
    ----------
    word : VerdictWord
        The verdict.
    words : tuple of {"supported", "refuted", "inconclusive"}
        The verdict on each scale alone.
    decided_on : str
        The scale that decides, where only one of two does.
    note : str
        What each scale says, where they do not say the same, and which probability is too near the threshold.
    """

    word: VerdictWord
    words: tuple[VerdictWord, ...]
    decided_on: str
    note: str


def decide(judged: Sequence[tuple[str, float, float]], threshold: float) -> Decision:
    """Return the verdict of the posterior probabilities of a claim on one or two scales.

    A scale supports the claim from `threshold` and refutes it up to ``1 - threshold``; it does neither where the
    probability lies within `MARGIN` Monte Carlo errors of that bound. On two scales the verdict is the one that they
    share. Where they decide for opposite directions it is ``scale-dependent``; where one decides and the other leans
    the same way, ``supported`` or ``refuted on one scale``. Where the other leans the opposite way it is
    ``inconclusive``: a direction that a change of scale turns round is not established, and neither is that it turns.

    Parameters
    ----------
    judged : sequence of (str, float, float)
        Scale, probability and its Monte Carlo error; the scale that carries the estimate first.
    threshold : float
        In (0.5, 1).

    Examples
    --------
    >>> decide([("points", 0.999, 0.0), ("log_odds", 0.6, 0.01)], 0.975).word
    'supported on one scale'
    >>> decide([("points", 0.999, 0.0), ("log_odds", 0.4, 0.01)], 0.975).word
    'inconclusive'
    >>> decide([("points", 0.999, 0.0), ("log_odds", 0.01, 0.001)], 0.975).word
    'scale-dependent'
    >>> decide([("points", 0.976, 0.002)], 0.975).note
    'P = 0.976 on points is within two Monte Carlo errors (0.002) of the threshold'
    """
    words = [outcome(p, threshold, error) for _, p, error in judged]
    near = [
        f"P = {p:.3f} on {SCALES[scale].name} is within two Monte Carlo errors ({error:.2g}) of the threshold"
        for scale, p, error in judged
        if is_near(p, error, threshold)
    ]
    if len(set(words)) == 1:
        return Decision(words[0], tuple(words), "", "; ".join(near))
    said = ", ".join(
        f"{word} on {SCALES[scale].name} ({probability_words(p)})"
        for word, (scale, p, _) in zip(words, judged, strict=True)
    )
    note = "; ".join([said, *near])
    if "inconclusive" not in words:
        return Decision("scale-dependent", tuple(words), "", note)
    sure = words.index("supported") if "supported" in words else words.index("refuted")
    other = judged[1 - sure][1]
    if (other > 0.5) != (words[sure] == "supported"):
        return Decision("inconclusive", tuple(words), "", f"{note}: the scales lean in opposite directions")
    word: VerdictWord = "supported on one scale" if words[sure] == "supported" else "refuted on one scale"
    return Decision(word, tuple(words), judged[sure][0], note)


def outcome(p: float, threshold: float, error: float = 0.0) -> VerdictWord:
    """Return what the probability of a claim says on one scale: ``supported``, ``refuted`` or ``inconclusive``.

    Examples
    --------
    >>> outcome(0.98, 0.975), outcome(0.98, 0.975, 0.004), outcome(0.01, 0.975)
    ('supported', 'inconclusive', 'refuted')
    """
    if p - MARGIN * error >= threshold:
        return "supported"
    return "refuted" if p + MARGIN * error <= 1.0 - threshold else "inconclusive"


def is_near(p: float, error: float, threshold: float) -> bool:
    """Return whether a probability is within `MARGIN` Monte Carlo errors of a threshold, on either side."""
    return min(abs(p - threshold), abs(p - (1.0 - threshold))) < MARGIN * error


def probability_words(p: float, error: float = 0.0) -> str:
    """Return a probability in words, with its Monte Carlo error where that shows.

    Examples
    --------
    >>> probability_words(0.9771, 0.0004), probability_words(0.62), probability_words(0.9999)
    ('P = 0.9771 ± 0.0004', 'P = 0.62', 'P > 0.999')
    """
    if p > 0.999 or p < 0.001:
        return "P > 0.999" if p > 0.5 else "P < 0.001"
    if error >= 5e-5:
        digits = 3 if error >= 5e-4 else 4
        return f"P = {p:.{digits}f} ± {error:.{digits}f}"
    return f"P = {p:.3f}" if p > 0.99 or p < 0.01 else f"P = {p:.2f}"
