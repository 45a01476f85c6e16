"""Which fit of a report answers, which stand beside it, and which levels it has to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gainlaw.errors import InputError
from gainlaw.scales import SCALES

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.fitting.record import FitRecord

__all__ = [
    "LEVELS",
    "Fits",
    "arrange_fits",
    "estimate_row",
    "has_slope",
    "law_title",
    "levels",
    "panels_of",
    "wider_fit",
]

#: Levels that get a forest and a table of slopes, where the fit has them.
LEVELS = ("task", "language_family", "language", "intermediate", "model_family")

#: Panels of a figure of a report; more of them nobody looks at.
_MOST_PANELS = 12


@dataclass(frozen=True, slots=True)
class Fits:
    """The fits of a report by their part in it.

    Parameters
    ----------
    main : Fit
        The fit that answers.
    twin : Fit or None
        The same study and law on the other scale.
    others : mapping of str to Fit
        Every other fit, by its name.
    """

    main: FitRecord
    twin: FitRecord | None
    others: Mapping[str, FitRecord]


def arrange_fits(fits: FitRecord | Sequence[FitRecord] | Mapping[str, FitRecord]) -> Fits:
    """Say which fit answers, which is its twin on the other scale, and which stand beside them.

    Parameters
    ----------
    fits : Fit, sequence of Fit or mapping of str to Fit
        The first one answers.

    Raises
    ------
    InputError
        If there is none.
    """
    if isinstance(fits, Mapping):
        named = dict(fits)
    else:
        sequence = list(fits) if isinstance(fits, Sequence) else [fits]
        named = {f"{number}. {_describe(fit)}": fit for number, fit in enumerate(sequence, 1)}
    if not named:
        raise InputError("a report needs at least one fit")
    names = list(named)
    main = named[names[0]]
    twin = next((name for name in names[1:] if _are_twins(main, named[name])), None)
    others = {name: named[name] for name in names[1:] if name != twin}
    return Fits(main, None if twin is None else named[twin], others)


def _describe(fit: FitRecord) -> str:
    return f"{law_title(fit)}, {SCALES[fit.scale].title}"


def _are_twins(first: FitRecord, second: FitRecord) -> bool:
    return (
        first.scale != second.scale
        and first.spec.law.name == second.spec.law.name
        and first.n_rows == second.n_rows
        and first.n_checkpoints == second.n_checkpoints
    )


def estimate_row(
    fit: FitRecord, estimand: str, level: str, group: str = "", params: float | None = None
) -> pd.Series | None:
    """Return one row of the estimates, or None when the fit does not have it.

    Parameters
    ----------
    fit : Fit
        A fit.
    estimand, level, group : str
        What to look for; `group` like ``task=xnli``.
    params : float, optional
        For a gain, its size.
    """
    rows = fit.estimates
    kept = rows[
        (rows["estimand"] == estimand) & (rows["level"] == level) & (rows["group"].fillna("") == group)
    ]
    if params is not None:
        kept = kept[np.isclose(kept["params"].astype(float), params, rtol=1e-6)]
    return None if kept.empty else kept.iloc[0]


def has_slope(fit: FitRecord) -> bool:
    """Return whether the fit says anything about size."""
    return estimate_row(fit, "slope", "overall") is not None


def levels(fit: FitRecord, estimand: str = "slope") -> list[str]:
    """Return the levels with at least two groups in the estimates, in the order of the report."""
    rows = fit.estimates[fit.estimates["estimand"] == estimand]
    counts = rows.groupby("level")["group"].nunique()
    return [level for level in LEVELS if counts.get(level, 0) >= 2]


def panels_of(tasks: pd.Series) -> tuple[list[str], str]:
    """Return the tasks that a report draws a panel for, by their names, and in words which of all they are.

    Parameters
    ----------
    tasks : pandas.Series of str
        The task of each row; of many tasks those with most rows are drawn.

    Examples
    --------
    >>> import pandas as pd
    >>> panels_of(pd.Series(["xnli", "pawsx", "xnli"]))
    (['pawsx', 'xnli'], '')
    >>> panels_of(pd.Series([f"t{number:02}" for number in range(30)]))[1]
    ' (of 30 tasks the 12 with most rows)'
    """
    counts = tasks.astype(str).value_counts().sort_index().sort_values(ascending=False, kind="stable")
    shown = sorted(counts.index[:_MOST_PANELS])
    which = f" (of {len(counts)} tasks the {_MOST_PANELS} with most rows)" if len(counts) > len(shown) else ""
    return shown, which


def law_title(fit: FitRecord) -> str:
    """Return the name of a fit's law in words."""
    return f"{fit.spec.law.title} law"


def wider_fit(fits: Fits) -> FitRecord | None:
    """Return the first fit beside the main one, on its scale, that has several intermediate trainings."""
    main = fits.main
    wider = next((fit for fit in fits.others.values() if "intermediate" in levels(fit, "gain")), None)
    if wider is None or "intermediate" in levels(main, "gain") or wider.scale != main.scale:
        return None
    return wider
