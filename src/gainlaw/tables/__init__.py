"""Tables of a study: one `Table` object, written as LaTeX, CSV, Markdown or HTML, and its builders."""

from __future__ import annotations

from gainlaw.tables.abilities import abilities_table
from gainlaw.tables.checks import (
    compare_table,
    diagnostics_table,
    influence_table,
    priors_table,
    sensitivity_table,
)
from gainlaw.tables.covariates import effects_table
from gainlaw.tables.curves import curve_claims_table, curve_laws_table, curve_parameters_table
from gainlaw.tables.data import checkpoints_table, data_table, gains_table
from gainlaw.tables.estimates import estimates_table, gain_at_table, sds_table, slopes_table
from gainlaw.tables.laws import laws_table
from gainlaw.tables.multipliers import multipliers_table
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table
from gainlaw.tables.verdicts import (
    claims_by_group,
    claims_frame,
    claims_table,
    companions_table,
    untested_table,
)

__all__ = [
    "Column",
    "Table",
    "abilities_table",
    "checkpoints_table",
    "claims_by_group",
    "claims_frame",
    "claims_table",
    "companions_table",
    "compare_table",
    "curve_claims_table",
    "curve_laws_table",
    "curve_parameters_table",
    "data_table",
    "diagnostics_table",
    "effects_table",
    "estimates_table",
    "gain_at_table",
    "gains_table",
    "influence_table",
    "laws_table",
    "multipliers_table",
    "priors_table",
    "sds_table",
    "sensitivity_table",
    "slopes_table",
    "untested_table",
]
