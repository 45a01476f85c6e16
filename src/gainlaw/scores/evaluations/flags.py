"""What deserves a look in an evaluations table, as notes: the one place that looks."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np

from gainlaw.notes import Note, sort_notes
from gainlaw.scores.evaluations.cells.codes import language_notes
from gainlaw.scores.evaluations.columns import KEYS, NAMES
from gainlaw.scores.evaluations.sampling import chance_of_rows, score_variance
from gainlaw.scores.metrics import metric_facts, metric_notes

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.scores.evaluations.pairing import Pairing

__all__ = ["SMALL_N", "average_rows", "find_notes"]

SMALL_N = 200
"""Fewer examples than this and the standard error of one accuracy exceeds 3 points."""


_AVERAGE = re.compile(r"((.+[ _(-])?(avg|average|mean)|overall|all|total)[.)]?", re.IGNORECASE)
_MISSING_WORDS = ("nan", "null", "na", "n/a", "<na>", "nat")


def find_notes(frame: pd.DataFrame, pairing: Pairing) -> tuple[Note, ...]:
    """Look for rows worth knowing about, or worth mending.

    Parameters
    ----------
    frame : pandas.DataFrame
        Canonical evaluations.
    pairing : Pairing
        What pairs in them.

    Returns
    -------
    tuple of Note
        Warnings first.
    """
    notes: list[Note] = []
    lines = frame["row"].to_numpy()

    def flag(kind: str, severity: Literal["warning", "info"], message: str, where: np.ndarray) -> None:
        rows = tuple(int(row) for row in np.unique(lines[where]))
        if rows:
            notes.append(Note(kind, message, rows, severity=severity))

    score, n, k = (frame[c].to_numpy(float) for c in ("score", "n_examples", "n_correct"))
    facts = metric_facts(frame)
    counted, best = facts.share, facts.of_rows("best")
    se = np.sqrt(score_variance(frame, score, k, n, frame["stderr"].to_numpy(float)))
    chance = chance_of_rows(frame)
    base, top = pairing.baseline, pairing.intermediate
    differs = frame["params"].to_numpy()[base] != frame["params"].to_numpy()[top]
    flag(
        "params_differ",
        "warning",
        "the two rows of a pair have different params; the baseline's are used",
        top[differs],
    )
    differs = frame["model_family"].to_numpy()[base] != frame["model_family"].to_numpy()[top]
    flag(
        "family_differs",
        "warning",
        "the two rows of a pair name different model families; the baseline's is used",
        top[differs],
    )
    differs = np.isfinite(n[base]) & np.isfinite(n[top]) & (n[base] != n[top])
    flag(
        "n_differs",
        "warning",
        "the two rows of a pair have different numbers of examples: are they the same items?",
        top[differs],
    )
    notes += language_notes(frame, lines)
    words, where = average_rows(frame)
    flag("averages", "warning", f"averages ({words}) stand beside what they are the average of", where)
    words, where = _missing_words(frame)
    flag(
        "missing_word",
        "warning",
        f"{words} read as a name, not as missing; leave a cell blank where there is none",
        where,
    )
    flag(
        "chance_unknown",
        "warning",
        "the guess rate is not known, so no chance-corrected scale: add n_classes or chance",
        np.isnan(chance) & counted,
    )
    error = frame["stderr"].to_numpy(float)
    binomial = np.sqrt(np.where(counted, score * (1 - score), np.nan) / n)
    apart = np.abs(np.log(np.where(error > 0, error, np.nan) / np.where(binomial > 0, binomial, np.nan)))
    flag(
        "stderr_not_binomial",
        "warning",
        "stderr is more than 3 times as large or as small as the binomial one; stderr is used",
        apart > np.log(3.0),
    )
    flag(
        "stderr_not_binomial",
        "info",
        "stderr is more than 10% away from the binomial one; stderr is used",
        (apart > np.log(1.1)) & (apart <= np.log(3.0)),
    )
    notes += metric_notes(frame, lines)
    flag(
        "largest_error",
        "info",
        "an average of bounded values without stderr: the largest error that n_examples of them can have is taken",
        facts.mean & np.isnan(error),
    )
    # A last digit that was rounded from a 5 is half a unit off, but for the arithmetic.
    average = np.isfinite(k) & (np.abs(score - k / n) > np.maximum(1.000001 * _printed(score), 1e-9))
    flag(
        "not_k_of_n",
        "info",
        "the score is no whole number of examples (an average?); counts are rounded",
        average,
    )
    flag(
        "at_chance",
        "info",
        "the score is within 2 standard errors of guessing, or below",
        np.where(facts.of_rows("better") == "up", score - chance, chance - score) <= 2 * se,
    )
    flag(
        "at_ceiling",
        "info",
        "the score is within 2 standard errors of the best there can be",
        np.abs(best - score) <= 2 * se,
    )
    flag(
        "small_n",
        "info",
        f"fewer than {SMALL_N} examples: one score has a standard error above 3 points",
        (n < SMALL_N) & counted,
    )
    for column, word in (
        ("metric", "metrics"),
        ("split", "splits"),
        ("protocol", "protocols"),
        ("prompt", "prompts"),
    ):
        notes += _mixed(frame.iloc[top], column, word)
    if len(pairing.unpaired):
        flag(
            "unpaired",
            "warning",
            f"rows with an intermediate that have no baseline row; left out of the gains: {_why(pairing)}",
            _mask(frame, pairing.unpaired),
        )
    flag(
        "unused_baseline", "info", "baseline rows that no row is compared with", _mask(frame, pairing.unused)
    )
    return sort_notes(notes)


def _missing_words(frame: pd.DataFrame) -> tuple[str, np.ndarray]:
    """Return the names that other programs write for a missing value, and the rows that have one."""
    found: set[str] = set()
    where = np.zeros(len(frame), bool)
    for column in (*NAMES, *(key for key in KEYS if key != "seed")):
        of = frame[column].str.casefold().isin(_MISSING_WORDS)
        found |= {repr(name) for name in frame.loc[of, column]}
        where |= of.to_numpy(bool)
    return ", ".join(sorted(found)), where


def average_rows(frame: pd.DataFrame) -> tuple[str, np.ndarray]:
    """Return the tasks and languages that are averages of others in the table, in words, and their rows.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores or gains.

    Returns
    -------
    words : str
        The names.
    where : numpy.ndarray of bool, shape (rows,)
        Their rows; none where nothing but averages is in the table.
    """
    words: list[str] = []
    where = np.zeros(len(frame), bool)
    for column in ("task", "language"):
        if column not in frame:
            continue
        names = [str(name) for name in frame[column].unique()]
        averages = [name for name in names if _AVERAGE.fullmatch(name)]
        if averages and len(averages) < len(names):
            words += [f"{column} {name!r}" for name in sorted(averages)]
            where |= frame[column].isin(averages).to_numpy(bool)
    return ", ".join(words), where


def _why(pairing: Pairing) -> str:
    """Return the commonest reasons of rows without a baseline, with their numbers."""
    common = Counter(pairing.reasons).most_common(3)
    return "; ".join(f"{reason} ({count})" for reason, count in common)


def _mask(frame: pd.DataFrame, positions: np.ndarray) -> np.ndarray:
    mask = np.zeros(len(frame), bool)
    mask[positions] = True
    return mask


def _printed(score: np.ndarray) -> np.ndarray:
    """Half a unit of the last digit with which each score was printed (at most six are looked for)."""
    half = np.full(score.shape, 0.5e-6)
    for digits in range(5, 1, -1):
        half = np.where(
            np.isclose(score, np.round(score, digits), rtol=0, atol=1e-12), 0.501 * 10.0**-digits, half
        )
    return half


def _mixed(pairs: pd.DataFrame, column: str, word: str) -> list[Note]:
    """Return a warning when the same cell is compared in several metrics (splits, ...), else a remark."""
    if pairs.empty or pairs[column].nunique() < 2:
        return []
    values = ", ".join(sorted(value or "(blank)" for value in pairs[column].unique()))
    rows = tuple(int(row) for row in pairs["row"])
    cell = ["base_model", "model", "intermediate", "task", "language", "seed"]
    overlap = pairs.groupby(cell, dropna=False)[column].nunique().gt(1).any()
    if overlap:
        text = (
            f"the same cell is compared in several {word} ({values}): no independent experiments; select one"
        )
        return [Note(f"mixed_{column}", text, rows)]
    metrics = metric_facts(pairs).metrics
    if column == "metric" and len({(metric.kind, metric.point, metric.high) for metric in metrics}) > 1:
        what = f"metrics of several kinds in one table ({values}): a point of one is not a point of another; select one"
        return [Note("mixed_metric", what, rows)]
    return [Note(f"mixed_{column}", f"several {word} in one table: {values}", rows, severity="info")]
