"""The table of claims and their verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gainlaw.tables.table import Column, Table

if TYPE_CHECKING:
    from gainlaw.claims import Verdict

__all__ = ["claims_table", "companions_table"]


def claims_table(verdicts: Sequence[Verdict]) -> Table:
    """Return the claims with verdict, probability on each scale, estimate and interval.

    Parameters
    ----------
    verdicts : sequence of Verdict
        What `gainlaw.assess_file` returns.
    """
    from gainlaw.claims import verdicts_frame

    frame = verdicts_frame(list(verdicts)).reset_index(drop=True)
    columns = (
        Column("name", "Claim", width=0.22),
        Column("claim", "Expression", "code", width=0.24),
        Column("verdict", "Verdict", "status"),
        Column("probability_points", "P, points", "probability"),
        Column("probability_log_odds", "P, log-odds", "probability"),
        Column("estimate", "Estimate", "number", 1),
        Column("ci_low", "95% interval", "interval", 1, high="ci_high"),
    )
    caption = "Claims of the field and what these data say about them."
    notes = (
        "P is the posterior probability of the claim on that scale.",
        "A claim is supported or refuted when both scales say so, scale-dependent when they disagree, and "
        "untested when the rows it needs are missing.",
        "The estimate is of the left side minus the right side.",
    )
    return Table("claims", caption, frame, columns, notes, size="scriptsize")


def companions_table(verdicts: Sequence[Verdict]) -> Table | None:
    """Return the frequentist line beside every judged claim, or None where there is none.

    Parameters
    ----------
    verdicts : sequence of Verdict
        What `gainlaw.assess_file` returns.
    """
    import pandas as pd

    rows = [
        {
            "name": verdict.name,
            "method": verdict.companion.method,
            "estimate": verdict.companion.estimate,
            "se": verdict.companion.se,
            "df": verdict.companion.df,
            "p": verdict.companion.p,
            "p_holm": verdict.companion.p_holm,
        }
        for verdict in verdicts
        if verdict.companion is not None
    ]
    if not rows:
        return None
    columns = (
        Column("name", "Claim", width=0.32),
        Column("method", "Method", width=0.2),
        Column("estimate", "Estimate", "number", 2),
        Column("se", "s.e.", "number", 2),
        Column("df", "d.f.", "number", 1),
        Column("p", "p", "probability"),
        Column("p_holm", "p, Holm", "probability"),
    )
    caption = "The frequentist companion of each claim."
    notes = ("p is one-sided for the claim; Holm's correction is over the list.",)
    return Table("companions", caption, pd.DataFrame(rows), columns, notes, size="footnotesize")
