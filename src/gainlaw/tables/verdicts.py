"""The tables of claims: verdicts, and the frequentist line and Bayes factor beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gainlaw.formats import MISSING, format_interval, format_number, interval_title
from gainlaw.sizes import format_params
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table

if TYPE_CHECKING:
    from gainlaw.claims.verdict import Verdict
    from gainlaw.fitting.record import FitRecord

__all__ = ["claims_by_group", "claims_frame", "claims_table", "companions_table", "untested_table"]

# In a table of more claims than the first, those made for more groups than the second stand apart.
_MANY, _GROUPS = 12, 4

# What more claims than these share is said below the table.
_FEW = 3

_WORDS = ("text", "note", "reason", "registered", "unit")


def claims_frame(verdicts: Sequence[Verdict] | pd.DataFrame) -> pd.DataFrame:
    """Return verdicts as a frame, whether they are given as records or as the frame of a CLAIMS.csv.

    Parameters
    ----------
    verdicts : sequence of Verdict or pandas.DataFrame
        From `gainlaw.assess_file`, or read back from the file that ``gainlaw claims`` writes.

    Returns
    -------
    pandas.DataFrame
        As `gainlaw.claims.verdict.verdicts_frame` makes it, with `words`: the claim in plain words, or its name.

    Examples
    --------
    >>> from gainlaw.claims.verdict import Verdict
    >>> verdict = Verdict(name="shrinks", claim="slope < 0", verdict="refuted", probability=0.001)
    >>> claims_frame([verdict])["words"].tolist()
    ['shrinks']
    """
    from gainlaw.claims.verdict import verdicts_frame

    frame = verdicts if isinstance(verdicts, pd.DataFrame) else verdicts_frame(list(verdicts))
    frame = frame.reset_index(drop=True)
    # Of a column of words that is empty throughout, a file does not say what it is.
    words = [name for name in _WORDS if name in frame]
    frame = frame.assign(
        **{name: frame[name].astype(object).where(frame[name].notna(), "") for name in words}
    )
    text = frame["text"] if "text" in frame else pd.Series("", index=frame.index)
    return frame.assign(words=text.where(text != "", frame["name"]))


def claims_table(verdicts: Sequence[Verdict] | pd.DataFrame, fits: Sequence[FitRecord] = ()) -> Table:
    """Return the claims with verdict, probability on each scale, estimate and interval.

    Parameters
    ----------
    verdicts : sequence of Verdict or pandas.DataFrame
        As for `claims_frame`.
    fits : sequence of Fit
        The fits they were judged on: their gains say how many decimals are shown, two unless given.

    Examples
    --------
    >>> from gainlaw.claims.verdict import Verdict
    >>> verdict = Verdict(name="shrinks", claim="slope < 0", verdict="refuted", probability=0.001)
    >>> claims_table([verdict]).cells()[0][:3]
    ['refuted', 'shrinks', 'slope < 0']
    """
    frame = claims_frame(verdicts)
    judged = frame[frame["verdict"] != "untested"]
    digits = _digits(fits)
    shown = [
        _shown(row, digits) for row in frame[["estimate", "ci_low", "ci_high", "unit"]].to_dict("records")
    ]
    frame = frame.assign(difference=[each[0] for each in shown], interval=[each[1] for each in shown])
    frame = frame.assign(remarks=frame["note"].where(frame["note"] != "", frame["reason"]))
    frame, common = _common(frame)
    columns = (
        Column("verdict", "Verdict", "status", width=0.1),
        Column("words", "Claim", width=0.165),
        Column("claim", "Expression", "code", width=0.13),
        Column("probability_points", "P, points", "probability"),
        Column("probability_log_odds", "P, log-odds", "probability"),
        Column("difference", "Difference", "right"),
        Column("interval", interval_title(judged), "right"),
        Column("remarks", "Remarks", width=0.145),
    )
    caption = "The claims and what these data say about them."
    notes = (
        f"P is the posterior probability of the claim on that scale{_errors(frame)}.",
        *_verdict_words(frame),
        "The difference is the left side minus the right side.",
        *common,
        *_registered(frame),
    )
    return Table("claims", caption, frame, columns, notes, size="scriptsize")


def _common(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Take out of the remarks what most of many claims share, and say it once."""
    pieces = [remark.split("; ") for remark in frame["remarks"]]
    counts = Counter(piece for each in pieces for piece in each if piece)
    shared = [piece for piece, count in counts.items() if count > max(_FEW, len(frame) / 2)]
    kept = ["; ".join(piece for piece in each if piece not in shared) for each in pieces]
    said = tuple(f"Of {counts[piece]} of the {len(frame)} claims: {piece}." for piece in shared)
    return frame.assign(remarks=kept), said


def _digits(fits: Sequence[FitRecord]) -> int:
    return max((fit.spec.decimals(2) for fit in fits), default=2)


def _shown(row: dict[Hashable, Any], digits: int) -> tuple[str, str]:
    """Return estimate and interval as text: sizes as sizes, what has no unit to two decimals."""
    if row["unit"] != "parameters":
        digits = digits if row["unit"] else 2
        return format_number(row["estimate"], digits), format_interval(row["ci_low"], row["ci_high"], digits)
    mean, low, high = (_size(row[key]) for key in ("estimate", "ci_low", "ci_high"))
    return mean, MISSING if MISSING in (low, high) else f"[{low}, {high}]"


def _size(value: float) -> str:
    """Return a difference of sizes, whose sign counts."""
    return f"-{format_params(-value)}" if value < 0 else format_params(value)


def _verdict_words(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return what the verdicts of a table mean, each that occurs."""
    from gainlaw.claims.decision import VERDICTS

    seen = set(frame["verdict"])
    words = "; ".join(f"{word}: {meaning}" for word, meaning in VERDICTS.items() if word in seen)
    return (f"{words[:1].upper()}{words[1:]}.",) if words else ()


def _registered(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return whether the claims were registered before the data; nothing for claims of no file."""
    said = frame.get("registered", ())
    return tuple(f"The claims were {words}." if words == "not registered" else f"The claims: {words}."
                 for words in dict.fromkeys(said) if words)  # fmt: skip


def _errors(frame: pd.DataFrame) -> str:
    """Return how large the Monte Carlo errors of the probabilities are."""
    known = frame[["mcse", "mcse_log_odds"]].to_numpy(dtype=float)
    known = known[np.isfinite(known)]
    return f", with a Monte Carlo error of at most {known.max():.1g}" if len(known) else ""


def claims_by_group(table: Table) -> tuple[Table, dict[str, pd.DataFrame]]:
    """Return the claims of a long table that are made once, and those made for each of many groups.

    Parameters
    ----------
    table : Table
        From `claims_table`.

    Returns
    -------
    single : Table
        ``claims_alone``: the claims made once, or for a few groups; of a short table the table itself.
    grouped : dict of str to DataFrame
        By the claim, the rows of its groups.
    """
    stems = table.frame["name"].astype(str).str.replace(r" \[.*\]$", "", regex=True)
    many = stems.map(stems.value_counts()) > _GROUPS
    if len(stems) <= _MANY or not many.any():
        return table, {}
    grouped = {str(stem): rows for stem, rows in table.frame[many].groupby(stems[many], sort=False)}
    return replace(table, name="claims_alone", frame=table.frame[~many].reset_index(drop=True)), grouped


def companions_table(
    verdicts: Sequence[Verdict] | pd.DataFrame, fits: Sequence[FitRecord] = ()
) -> Table | None:
    """Return Bayes factor, practical equivalence and the frequentist line of every judged claim.

    Parameters
    ----------
    verdicts : sequence of Verdict or pandas.DataFrame
        As for `claims_frame`.
    fits : sequence of Fit
        The fits they were judged on: their gains say how many decimals are shown, two unless given.

    Returns
    -------
    Table or None
        None where no claim was judged.

    Examples
    --------
    >>> from gainlaw.claims.verdict import Verdict
    >>> verdict = Verdict(name="shrinks", claim="slope < 0", verdict="refuted", probability=0.001)
    >>> companions_table([verdict]).name
    'companions'
    """
    frame = claims_frame(verdicts)
    frame = frame[frame["verdict"] != "untested"].reset_index(drop=True)
    if frame.empty:
        return None
    digits = _digits(fits)
    wanted = (
        Column("words", "Claim", width=0.3),
        Column("p_rope", "P(in ROPE)", "probability"),
        Column("bayes_factor", "Bayes factor", "general", 2),
        Column("companion_estimate", "Estimate", "number", digits),
        Column("companion_se", "s.e.", "number", digits),
        Column("companion_df", "d.f.", "general", 3),
        Column("companion_p", "p", "probability"),
        Column("companion_p_holm", "p, Holm", "probability"),
        Column("companion_cr2_p", "p, CR2", "probability"),
    )
    columns = tuple(column for column in wanted if column.key in frame and frame[column.key].notna().any())
    caption = "Beside the verdicts: practical equivalence, Bayes factor and the frequentist companion."
    notes = (
        "The Bayes factor is of a difference against none (Savage-Dickey) and depends on the prior.",
        "Estimate, standard error and p are of a mixed model by REML with small-sample degrees of "
        "freedom; p is one-sided for the claim, Holm's over the list, CR2 from errors clustered by "
        "checkpoint.",
    )
    return Table("companions", caption, frame, columns, notes, size="scriptsize")


def untested_table(verdicts: Sequence[Verdict] | pd.DataFrame) -> Table | None:
    """Return the claims that could not be judged, with what each would take.

    Parameters
    ----------
    verdicts : sequence of Verdict or pandas.DataFrame
        As for `claims_frame`.

    Returns
    -------
    Table or None
        None where every claim was judged.

    Examples
    --------
    >>> from gainlaw.claims.verdict import Verdict
    >>> untested_table([Verdict(name="slow", claim="slope < 0", verdict="untested", probability=np.nan)]).cells()
    [['slow', 'slope < 0', '–']]
    """
    frame = claims_frame(verdicts)
    frame = frame[frame["verdict"] == "untested"].reset_index(drop=True)
    if frame.empty:
        return None
    columns = (
        Column("words", "Claim", width=0.22),
        Column("claim", "Expression", "code", width=0.27),
        Column("reason", "It would take", width=0.45),
    )
    return Table("untested", "Claims that these data cannot test.", frame, columns, size="scriptsize")
