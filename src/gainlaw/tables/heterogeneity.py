"""The table of heterogeneity: what every term adds to the variance of the gains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gainlaw.formats import format_number, parameter_title, percent
from gainlaw.posterior.heterogeneity import TOTAL, heterogeneity
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["heterogeneity_table"]


def heterogeneity_table(fit: FitRecord) -> Table:
    """Return what every term of a fit adds to the variance of the gains: tau squared, and its share I squared.

    Parameters
    ----------
    fit : Fit
        A fit.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> print(heterogeneity_table(fit).to_markdown())  # doctest: +SKIP
    """
    frame = heterogeneity(fit, fit.ci_prob)
    titles = [TOTAL if name == TOTAL else parameter_title(f"tau_{name}") for name in frame["term"]]
    per_cent = {key.replace("i2", "i2_percent"): 100 * frame[key] for key in ("i2", "i2_low", "i2_high")}
    frame = frame.assign(title=titles, block=frame["term"].eq(TOTAL), **per_cent)
    digits, wide = fit.spec.decimals(), percent(fit.ci_prob)
    columns = (
        Column("title", "Term"),
        Column("tau2", f"τ² [{wide} interval]", "estimate", digits, low="tau2_low", high="tau2_high"),
        Column(
            "i2_percent", "I² (%) [interval]", "estimate", 0, low="i2_percent_low", high="i2_percent_high"
        ),
    )
    sampling = format_number(float(frame["sampling_variance"].iloc[0]), digits)
    caption = f"Heterogeneity of the gains by term ({fit.unit} squared): medians with {wide} intervals."
    notes = (
        "τ² is what a term adds to the variance of a gain, averaged over the gains; the total is that of the whole "
        "model, the residual included, around the law.",
        f"I² is its share of the total and the typical sampling variance, {sampling} (Higgins and Thompson 2002, "
        "doi 10.1002/sim.1186; by term as in Nakagawa and Santos 2012, doi 10.1007/s10682-012-9555-5). It depends on "
        "how precise the gains are: τ² is what carries over to another study.",
    )
    return Table("heterogeneity", caption, frame, columns, notes, rule_by="block")
