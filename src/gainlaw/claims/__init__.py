"""Claims: a small grammar, posterior probabilities, verdicts on two scales, and a frequentist line.

>>> claim = parse_claim("slope[task=xnli] < slope[task=xcopa]")
>>> [str(term) for term in claim.terms()]
['slope[task=xnli]', 'slope[task=xcopa]']
"""

from gainlaw.claims.assessment import assess, assess_file
from gainlaw.claims.curves import CurveVerdict, assess_curve
from gainlaw.claims.decision import DEFAULT_THRESHOLD, VERDICTS, Decision, decide
from gainlaw.claims.frequentist import companion
from gainlaw.claims.grammar.file import ClaimEntry, ClaimFile, read_claims
from gainlaw.claims.grammar.parse import parse_claim
from gainlaw.claims.grammar.syntax import Claim
from gainlaw.claims.rows import Needs, missing_rows
from gainlaw.claims.verdict import DEFAULT_ROPE, Companion, Judgement, Verdict, verdicts_frame, write_verdicts

__all__ = [
    "DEFAULT_ROPE",
    "DEFAULT_THRESHOLD",
    "VERDICTS",
    "Claim",
    "ClaimEntry",
    "ClaimFile",
    "Companion",
    "CurveVerdict",
    "Decision",
    "Judgement",
    "Needs",
    "Verdict",
    "assess",
    "assess_curve",
    "assess_file",
    "companion",
    "decide",
    "missing_rows",
    "parse_claim",
    "read_claims",
    "verdicts_frame",
    "write_verdicts",
]
