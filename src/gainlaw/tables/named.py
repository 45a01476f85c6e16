"""The tables of one fit by their names, and those of several fits side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.fitting.comparison import name_fits
from gainlaw.fitting.record import FitRecord
from gainlaw.formats import interval_title, level_title
from gainlaw.options import TableName, require_choice
from gainlaw.scales import SCALES
from gainlaw.sizes import format_params
from gainlaw.tables.abilities import abilities_table
from gainlaw.tables.checks import diagnostics_table, influence_table, priors_table, sensitivity_table
from gainlaw.tables.covariates import effects_table
from gainlaw.tables.data import checkpoints_table, data_table, gains_table
from gainlaw.tables.estimates import (
    estimates_table,
    gain_at_table,
    group_labels,
    group_title,
    sds_table,
    slopes_table,
)
from gainlaw.tables.heterogeneity import heterogeneity_table
from gainlaw.tables.laws import laws_table
from gainlaw.tables.multipliers import multipliers_table
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["TABLES", "side_by_side", "table"]

_LEVELLED: Mapping[str, Callable[[FitRecord, str], Table]] = MappingProxyType(
    {
        "slopes": slopes_table,
        "gain_at": gain_at_table,
        "multipliers": multipliers_table,
        "abilities": abilities_table,
    }
)

TABLES: Mapping[TableName, Callable[..., Table | None]] = MappingProxyType(
    {
        "slopes": slopes_table,
        "gain_at": gain_at_table,
        "multipliers": multipliers_table,
        "abilities": abilities_table,
        "sds": sds_table,
        "heterogeneity": heterogeneity_table,
        "effects": effects_table,
        "estimates": estimates_table,
        "laws": laws_table,
        "diagnostics": diagnostics_table,
        "influence": influence_table,
        "priors": priors_table,
        "sensitivity": sensitivity_table,
        "data": lambda fit: data_table(fit.gains),
        "checkpoints": lambda fit: checkpoints_table(fit.gains),
        "gains": lambda fit: gains_table(fit.gains),
    }
)
"""What makes the table of a name: a function of a fit, and of a level where the table has one."""

#: The tables that several fits share, by the estimand in them.
_ESTIMANDS = {"slopes": "slope", "gain_at": "gain", "sds": "sd"}


def table(
    fits: FitRecord | Sequence[FitRecord] | Mapping[str, FitRecord],
    name: TableName | None = None,
    *,
    level: str | None = None,
) -> Table:
    """Return a table of a fit, or one of several fits with a column each.

    Parameters
    ----------
    fits : Fit, sequence of Fit or mapping of str to Fit
        The fits. In a sequence they are named by their directories, or laws.
    name : TableName, optional
        Which; by default ``slopes``, of a law without a slope ``gain_at``. Several fits share the tables ``slopes``,
        ``gain_at`` and ``sds``.
    level : str, optional
        The groups of ``slopes`` and ``gain_at``; by default tasks, where the fit has them.

    Returns
    -------
    Table
        With ``to_latex``, ``to_html``, ``to_markdown``, ``to_great_tables``, ``to_csv`` and ``frame``.

    Raises
    ------
    InputError
        For a table that there is not, or a level that the fit or the table does not have.

    Examples
    --------
    >>> import gainlaw as gl
    >>> print(gl.table([linear, curved]).to_latex())  # doctest: +SKIP
    >>> gl.table(linear, "heterogeneity")  # doctest: +SKIP
    """
    named = {"": fits} if isinstance(fits, FitRecord) else _named(fits)
    several = list(named.values())
    if name is None:
        name = "slopes" if any(fit.law.has_slope for fit in several) else "gain_at"
    require_choice(name, TableName, "table")
    if level is not None and name not in _LEVELLED:
        raise InputError(
            Problem(f"the table {name} has no level", hint=f"these have: {', '.join(_LEVELLED)}")
        )
    if not isinstance(fits, FitRecord):
        return side_by_side(named, name, level)
    if name in _LEVELLED:
        return _LEVELLED[name](fits, level or _level(several))
    made = TABLES[name](fits)
    if made is None or made.frame.empty:
        raise InputError(Problem(f"the fit has nothing for the table {name}"))
    return made


def side_by_side(fits: Mapping[str, FitRecord], name: str = "slopes", level: str | None = None) -> Table:
    """Return the estimates of several fits, a column each.

    Parameters
    ----------
    fits : mapping of str to Fit
        The fits by their names.
    name : {"slopes", "gain_at", "sds"}
        What is estimated.
    level : str, optional
        The groups, as for `table`.

    Raises
    ------
    InputError
        For another table, or if no fit has such estimates.
    """
    if name not in _ESTIMANDS:
        hint = f"several fits share the tables {', '.join(_ESTIMANDS)}"
        raise InputError(Problem(f"the table {name} is one of a single fit", hint=hint))
    estimand, several = _ESTIMANDS[name], list(fits.values())
    shown = (
        ["model"]
        if name == "sds"
        else list(dict.fromkeys([level or _level(several), "overall", "population"]))
    )
    labels: dict[str, str] = {}
    parts = []
    for number, fit in enumerate(several, 1):
        kept = fit.estimates[(fit.estimates["estimand"] == estimand) & fit.estimates["level"].isin(shown)]
        keys = kept[["level", "group", "params"]].fillna({"group": "", "params": 0.0})
        own = kept[["mean", "ci_low", "ci_high", "ci_prob", "prior_share"]].add_suffix(f"_{number}")
        parts.append(pd.concat([keys, own], axis=1).set_index(["level", "group", "params"]))
        labels |= group_labels(fit)
    if all(part.empty for part in parts):
        raise InputError(Problem(f"no fit has {estimand}s by {shown[0]}"))
    frame = pd.concat(parts, axis=1).reset_index()
    frame = frame.assign(place=frame["level"].map({each: place for place, each in enumerate(shown)}))
    frame = frame.sort_values(["place", "group", "params"], kind="stable", ignore_index=True)
    frame["row"] = [_row_title(row, labels) for row in frame.to_dict("records")]
    columns = [
        Column("row", "Standard deviation of" if name == "sds" else level_title(shown[0]).capitalize())
    ]
    for number, (title, fit) in enumerate(fits.items(), 1):
        low, high = f"ci_low_{number}", f"ci_high_{number}"
        columns.append(Column(f"mean_{number}", title, "estimate", fit.spec.decimals(), low=low, high=high))
    probs = pd.DataFrame({"ci_prob": [fit.ci_prob for fit in several]})
    units = dict.fromkeys(SCALES[fit.scale].per_decade if name == "slopes" else fit.unit for fit in several)
    caption = f"{_CAPTIONS[name]} ({', '.join(units)}): mean and {interval_title(probs)}."
    notes = [f"{title}: {fit.headline}." for title, fit in fits.items()]
    return Table(f"fits_{name}", caption, frame, tuple(columns), tuple(notes), rule_by="place")


_CAPTIONS = {
    "slopes": "Slopes of several fits",
    "gain_at": "Expected gains of several fits",
    "sds": "Standard deviations of the terms of several fits",
}


def _named(fits: Sequence[FitRecord] | Mapping[str, FitRecord]) -> dict[str, FitRecord]:
    named = dict(fits) if isinstance(fits, Mapping) else name_fits(fits)
    if not named:
        raise InputError(Problem("a table needs at least one fit"))
    return named


def _level(fits: Sequence[FitRecord]) -> str:
    return "task" if any((fit.estimates["level"] == "task").any() for fit in fits) else "overall"


def _row_title(row: Mapping[Hashable, object], labels: Mapping[str, str]) -> str:
    title = group_title(str(row["level"]), str(row["group"]), labels)
    size = cast("float", row["params"])
    return f"{title} at {format_params(size)}" if size else title
