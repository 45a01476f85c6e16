"""Evaluations: the table of scores, its reader, its schema, what pairs in it, and what is odd about it."""

from gainlaw.scores.evaluations.columns import BASELINE, KEYS
from gainlaw.scores.evaluations.pairing import Pairing, pair_rows
from gainlaw.scores.evaluations.table import Evaluations, evaluations_from_frame, read_evaluations

__all__ = [
    "BASELINE",
    "KEYS",
    "Evaluations",
    "Pairing",
    "evaluations_from_frame",
    "pair_rows",
    "read_evaluations",
]
