"""The table of covariates: what one unit, and one standard deviation, of each does to the gain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gainlaw.formats import format_general
from gainlaw.model.spec.covariates import column_of
from gainlaw.scales import SCALES
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["effects_table"]


def effects_table(fit: FitRecord) -> Table:
    """Return the effects of a fit's covariates, per standard deviation over the rows and per unit; empty without any.

    Parameters
    ----------
    fit : Fit
        A fit.

    Examples
    --------
    >>> import gainlaw as gl
    >>> gains = gl.load_dataset("bloomz", intermediates="xP3").gains()
    >>> fit = gl.fit(gains, covariates=["seen_in_pretraining"])  # doctest: +SKIP
    >>> print(effects_table(fit).to_markdown())  # doctest: +SKIP
    """
    rows = fit.estimates[fit.estimates["level"] == "covariate"]
    rows = rows.assign(covariate=rows["group"].str.removeprefix("covariate="))
    scaled = fit.spec.covariate_scaling
    known = np.array([column_of(name) in scaled for name in rows["covariate"]], dtype=bool)
    per_sd = rows[rows["estimand"] == "effect_per_sd"].set_index("group")
    frame = rows[known & (rows["estimand"] == "effect").to_numpy()].reset_index(drop=True)
    frame["mean_of"] = [scaled[column_of(name)][0] for name in frame["covariate"]]
    frame["sd_of"] = [scaled[column_of(name)][1] for name in frame["covariate"]]
    for key in ("mean", "ci_low", "ci_high"):
        frame[f"{key}_per_sd"] = per_sd[key].reindex(frame["group"]).to_numpy()
    frame["unit"] = [
        f"{format_general(mean)} [{format_general(low)}, {format_general(high)}]"
        for mean, low, high in zip(frame["mean"], frame["ci_low"], frame["ci_high"], strict=True)
    ]
    frame["prior"] = [str(fit.spec.priors[f"covariate:{name}"]) for name in frame["covariate"]]
    digits = fit.spec.decimals()
    columns = (
        Column("covariate", "Covariate"),
        Column("mean_of", "Mean", "general"),
        Column("sd_of", "s.d.", "general"),
        Column("mean_per_sd", "Effect of one s.d.", "estimate", digits, "ci_low_per_sd", "ci_high_per_sd"),
        Column("unit", "Effect of one unit", "right"),
        Column("p_positive", "P(> 0)", "probability"),
        Column("prior", "Prior, one s.d.", "code"),
    )
    prob = f"{100 * float(frame['ci_prob'].iloc[0]):g}% intervals" if len(frame) else "intervals"
    units = f"{fit.unit}; on its slope: {SCALES[fit.scale].per_decade}"
    caption = f"Effects of covariates on the gain ({units}), with {prob}."
    notes = (
        "Mean and s.d. are over the rows; all other estimates are those at the means of the covariates.",
    )
    return Table("effects", caption, frame, columns, notes)
