"""The table of an average over laws: what each weighs, and what it says alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gainlaw.errors import InputError, Problem
from gainlaw.formats import percent
from gainlaw.scales import SCALES
from gainlaw.sizes import format_params
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["laws_table"]


def laws_table(fit: FitRecord) -> Table:
    """Return the weights of the laws of an average, and the overall gain and slope under each.

    Parameters
    ----------
    fit : Fit
        A fit of an average over laws.

    Raises
    ------
    InputError
        For a fit of one law.

    Examples
    --------
    >>> import gainlaw as gl
    >>> print(laws_table(gl.fit(gl.load_dataset("bloomz"), law="average")).to_markdown())  # doctest: +SKIP
    """
    if not fit.law.members:
        what = f"the {fit.law.title} law is no average, so that it has no weights"
        raise InputError(Problem(what, hint="fit law=average"))
    frame = fit.diagnostics.laws.sort_values("weight", ascending=False, kind="stable", ignore_index=True)
    frame = frame.assign(member=[name.replace("_", " ") for name in frame["law"]])
    digits, ends = fit.spec.decimals(), percent(fit.ci_prob)
    largest = format_params(float(fit.gains.frame["params"].max()))
    columns = (
        Column("member", "Law"),
        Column("evidence", "By evidence", "number", 2),
        Column("stacking", "By stacking", "number", 2),
        Column("slope_mean", "Slope", "number", digits),
        Column("slope_ci_low", f"{ends} interval", "interval", digits, high="slope_ci_high"),
        Column("gain_mean", f"Gain at {largest}", "number", digits),
        Column("gain_ci_low", f"{ends} interval", "interval", digits, high="gain_ci_high"),
    )
    used = fit.law.form.weighing
    caption = f"Weights of the laws that are averaged, and the overall slope ({SCALES[fit.scale].per_decade}) and gain "
    caption += f"({fit.unit}) under each alone."
    notes = (
        f"Every estimate is weighed by {used}. By evidence: the probability of the law given the gains, each law being "
        "as probable as the others a priori; it hangs on the priors of what the laws do not share. By stacking: the "
        "mixture that predicts checkpoints left out best (Yao et al. 2018, doi 10.1214/17-BA1091); few checkpoints "
        "leave it little to go by.",
    )
    return Table("laws", caption, frame, columns, notes)
