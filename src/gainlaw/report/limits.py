"""What the answer of a report does not say: its law, whether another predicts better, what it never saw or misses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.errors import InputError
from gainlaw.figures.common.arrange import estimate_row
from gainlaw.fitting.checks.diagnostics import speaks
from gainlaw.formats import format_number
from gainlaw.report.answer import numbers
from gainlaw.report.words import predictive_words
from gainlaw.scales import SCALES
from gainlaw.sizes import format_params

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["limits_of"]

# From this log of a Bayes factor on (3 to 1) the evidence is said to prefer a law; from twice its standard error on a
# difference in prediction.
_EVIDENCE, _ERRORS = np.log(3.0), 2.0


def limits_of(
    fit: FitRecord, others: Mapping[str, FitRecord] | None = None, comparison: pd.DataFrame | None = None
) -> tuple[str, ...]:
    """Return what a reader of the answer must know of the law behind it.

    Parameters
    ----------
    fit : Fit
        The fit that answers.
    others : mapping of str to Fit, optional
        Fits beside it, by name; those of the same gains on the same scale are compared with it.
    comparison : pandas.DataFrame, optional
        What `gainlaw.compare` returned, where it is known already.

    Returns
    -------
    tuple of str
        Sentences: the law, what another one says that predicts better, what it leaves of the checkpoints, how little
        of the grid was observed, and the statistics that it misses.
    """
    if not fit.spec.law.has_slope:
        return tuple(_notes(fit, "cells"))
    rivals = {
        name: each
        for name, each in (others or {}).items()
        if each.scale == fit.scale and each.n_rows == fit.n_rows and each.spec.law.name != fit.spec.law.name
    }
    return tuple(
        each
        for each in (_law(fit, rivals, comparison), *_notes(fit, "bend", "neighbours", "cells"), _misses(fit))
        if each
    )


def _law(fit: FitRecord, rivals: Mapping[str, FitRecord], comparison: pd.DataFrame | None) -> str:
    if fit.spec.law.members:
        return " ".join(check.text for check in fit.diagnostics.checks if check.name == "laws")
    own = f"This is the answer of the {_title(fit.spec.law.name)}"
    table = _compared(fit, rivals) if comparison is None else comparison
    if table is None or fit.spec.law.name not in set(table["law"]):
        return f"{own}; no other law was compared."
    mine = table[table["law"] == fit.spec.law.name].iloc[0]
    better = _better_by_evidence(table, mine) or _better_by_prediction(table, mine)
    if better is None:
        names = ", ".join(_title(name) for name in table["law"] if name != mine["law"])
        return f"{own}; neither evidence nor prediction prefers another ({names})."
    best, how = better
    said = f"{own}, but {how} the {_title(best)}"
    rival = next((each for each in rivals.values() if each.spec.law.name == best), None)
    row = None if rival is None else estimate_row(rival, "slope", "overall")
    if rival is None or row is None:
        return f"{said}."
    average = f"under which the average slope over the sizes observed is {numbers(row, rival)}"
    return f"{said}, {average}{_bend(rival)}."


def _compared(fit: FitRecord, rivals: Mapping[str, FitRecord]) -> pd.DataFrame | None:
    from gainlaw.fitting.comparison import compare

    try:
        return compare({"": fit, **rivals}) if rivals else None
    except InputError:
        return None


def _better_by_evidence(table: pd.DataFrame, mine: pd.Series) -> tuple[str, str] | None:
    evidence = table["log_evidence"] - mine["log_evidence"]
    if evidence.isna().all() or evidence.max() < _EVIDENCE:
        return None
    gap, best = float(evidence.max()), int(np.nanargmax(evidence.to_numpy()))
    return str(table["law"].iloc[best]), f"the evidence prefers, by a factor of {_factor(gap)},"


def _factor(gap: float) -> str:
    """Return what a difference in log evidence is as a factor.

    >>> _factor(4.2), _factor(12.0), _factor(300.0)
    ('67', 'about 200,000', 'more than a million')
    """
    if gap < np.log(1e3):
        return f"{np.exp(gap):.0f}"
    return f"about {float(f'{np.exp(gap):.0e}'):,.0f}" if gap < np.log(1e6) else "more than a million"


def _better_by_prediction(table: pd.DataFrame, mine: pd.Series) -> tuple[str, str] | None:
    gap, error = -float(mine["elpd_diff"]), float(mine["se_diff"])
    if not gap > _ERRORS * error or gap == 0.0:
        return None
    best = str(table["law"].iloc[int(table["elpd"].to_numpy().argmax())])
    said = f"checkpoints left out are better predicted (by {format_number(gap, 1)} in log density, s.e. "
    return best, f"{said}{format_number(error, 1)}) by"


def _bend(fit: FitRecord) -> str:
    """Return the slope near either end of the sizes under a law that bends; empty where it hardly does."""
    from gainlaw.posterior.levels import gain_curve

    sizes = fit.gains.frame["params"].dropna().to_numpy(dtype=float)
    line, ends = gain_curve(fit, "overall"), (float(sizes.min()), float(sizes.max()))
    steps = [(ends[0], ends[0] * 1.26), (ends[1] / 1.26, ends[1])]
    slopes = [
        float(np.median(line.gain(high) - line.gain(low)) / np.log10(high / low)) for low, high in steps
    ]
    digits = fit.spec.decimals()
    first, last = (format_number(slope, digits, "\u2212") for slope in slopes)
    if first == last:
        return ""
    return (
        f" but {first} {SCALES[fit.scale].per_decade} at {format_params(ends[0])} and {last} at "
        f"{format_params(ends[1])}: one slope hides a bend"
    )


def _notes(fit: FitRecord, *names: str) -> list[str]:
    """Return what these checks have to say, in the order of the diagnostics."""
    checks = fit.diagnostics.checks
    return [check.text for check in checks if check.name in names and speaks(check)]


def _misses(fit: FitRecord) -> str:
    """Return the statistics of checkpoints that the fit does not reproduce, where more miss than chance explains."""
    if not fit.n_checkpoints:
        return ""
    from scipy.stats import binom

    from gainlaw.fitting.checks.predictive import predictive_data

    check = predictive_data(fit)
    missed = (check["observed"] < check["low95"]) | (check["observed"] > check["high95"])
    # One in twenty misses by chance; so many or more in one study of twenty.
    if not missed.any() or missed.sum() <= binom.isf(0.05, len(check), 0.05):
        return ""
    return f"It does not fit everywhere. {predictive_words(check)} One in twenty would by chance."


def _title(law: str) -> str:
    return f"{law.replace('_', ' ')} law"
