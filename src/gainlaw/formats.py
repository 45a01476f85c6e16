"""How numbers, intervals, probabilities and names are written in tables, figures and prose."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from gainlaw.scales import SCALES

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MINUS",
    "MISSING",
    "decimals",
    "format_count",
    "format_general",
    "format_interval",
    "format_number",
    "format_probability",
    "interval_title",
    "level_title",
    "parameter_title",
    "percent",
    "tails",
]

#: What stands where a value is missing.
MISSING = "–"

#: The typographic minus sign, for HTML and figures.
MINUS = "\u2212"

# From here on a number is written with an exponent.
_LARGE = 1e6

_LEVELS = {
    "population": "population mean",
    "overall": "overall (observed groups)",
    "task": "task",
    "language_family": "language family",
    "language_tree": "language tree",
    "language": "language",
    "intermediate": "intermediate training",
    "model_family": "model family",
}


def decimals(unit: float, scale: str, base: int | None = None) -> int:
    """Return how many decimals numbers in the unit of a gain are shown with.

    As many as the scale has (1 on points, 2 on log-odds) where the unit of the default priors, which goes with the
    spread of the gains, is 1 or a few; one more for every factor of ten smaller, one fewer, down to 0, for larger.

    Parameters
    ----------
    unit : float
        The unit of the default priors (`gainlaw.scores.gains.spread.prior_unit`).
    scale : str
        The scale of the gains.
    base : int, optional
        Decimals at a unit of 1, where these are not those of the scale.

    Examples
    --------
    >>> decimals(1.0, "points"), decimals(2.0, "log_odds"), decimals(10.0, "points", base=2)
    (1, 2, 1)
    """
    if base is None:
        base = 1 - _power(SCALES[scale].point)
    return max(base - _power(unit), 0)


def _power(value: float) -> int:
    """Return the power of ten of a number's first digit."""
    return int(f"{value:e}".partition("e")[2])


def format_number(value: float, digits: int = 1, minus: str = "-") -> str:
    """Write a number with a fixed number of decimals; a missing one is a dash, and zero has no sign.

    A million and beyond is written with an exponent: its further digits say nothing.

    Parameters
    ----------
    value : float
        The number; NaN and infinite values count as missing.
    digits : int
        Decimals.
    minus : str
        The minus sign to use.

    Examples
    --------
    >>> format_number(-1.26), format_number(-0.04), format_number(float("nan"))
    ('-1.3', '0.0', '–')
    >>> format_number(397859228061021184.0, 2)
    '3.98e17'
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if abs(value) >= _LARGE:
        return format_general(value, minus, 3)
    text = f"{value:.{digits}f}"
    if text.startswith("-") and not text.strip("-0."):
        text = text[1:]
    return text.replace("-", minus)


def format_count(value: float) -> str:
    """Write a whole number with a thin grouping of thousands; missing is a dash.

    Examples
    --------
    >>> format_count(5304), format_count(float("nan"))
    ('5,304', '–')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{round(value):,}"


def format_general(value: float, minus: str = "-", digits: int = 4) -> str:
    """Write a number of any size with so many significant digits; whole numbers keep all theirs, missing is a dash.

    Examples
    --------
    >>> format_general(1650.0), format_general(1.00412), format_general(0.7), format_general(12345.6)
    ('1650', '1.004', '0.7', '12346')
    >>> format_general(3.21e7, digits=2), format_general(4.63e-6, digits=2), format_general(151.2, digits=2)
    ('3.2e7', '4.6e-6', '151')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if value != 0 and not 1e-4 <= abs(value) < _LARGE:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", minus)
    decimals = digits - 1 - math.floor(math.log10(abs(value))) if value else 0
    text = f"{value:.{max(decimals, 0)}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", minus)


def format_interval(low: float, high: float, digits: int = 1, minus: str = "-") -> str:
    """Write an interval in brackets; missing when either end is.

    Examples
    --------
    >>> format_interval(5.44, 8.0)
    '[5.4, 8.0]'
    """
    ends = format_number(low, digits, minus), format_number(high, digits, minus)
    return MISSING if MISSING in ends else f"[{ends[0]}, {ends[1]}]"


def format_probability(value: float, digits: int = 3) -> str:
    """Write a probability; values that would round to 0 or 1 without being certain are shown as bounds.

    Examples
    --------
    >>> format_probability(0.98765), format_probability(0.99999), format_probability(1e-6)
    ('0.988', '> 0.999', '< 0.001')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    step = 10.0**-digits
    if value >= 1 - step / 2:
        return f"> {1 - step:.{digits}f}"
    if value <= step / 2:
        return f"< {step:.{digits}f}"
    return f"{value:.{digits}f}"


def interval_title(frame: pd.DataFrame) -> str:
    """Return the heading of intervals, with their probability where all rows have the same.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows with the column ``ci_prob``.

    Examples
    --------
    >>> import pandas as pd
    >>> interval_title(pd.DataFrame({"ci_prob": [0.8, 0.8]}))
    '80% interval'
    """
    known = set(frame["ci_prob"].dropna())
    return f"{percent(known.pop())} interval" if len(known) == 1 else "Interval"


def tails(prob: float) -> tuple[float, float]:
    """Return the levels of the quantiles that an equal-tailed interval of a probability lies between.

    Examples
    --------
    >>> [round(level, 3) for level in tails(0.9)]
    [0.05, 0.95]
    """
    return 0.5 - 0.5 * prob, 0.5 + 0.5 * prob


def percent(share: float) -> str:
    """Write a share as percent, as short as it goes.

    Examples
    --------
    >>> percent(0.95), percent(0.975)
    ('95%', '97.5%')
    """
    return f"{100 * share:.6g}%"


def level_title(level: str) -> str:
    """Return the words for a level of the hierarchy.

    Examples
    --------
    >>> level_title("population")
    'population mean'
    """
    return _LEVELS.get(level, level.replace("_", " "))


_WORDS = {
    "smooth": "smooth departure from the law",
    "checkpoint": "checkpoint",
    "run": "run",
    "task_language": "task × language",
    "task_model_family": "task × model family",
    "checkpoint_task": "checkpoint × task",
    "checkpoint_language_family": "checkpoint × family",
    "residual": "residual",
}


def parameter_title(name: str) -> str:
    """Return the words for a parameter of the hierarchical model.

    Examples
    --------
    >>> parameter_title("tau_task_slope"), parameter_title("tau_checkpoint_task")
    ('task, slope', 'checkpoint × task')
    """
    if name in {"mu", "mu[intercept]"}:
        return "gain at 1B"
    if name == "mu[slope]":
        return "slope"
    if match := re.fullmatch(r"rho_(.+)", name):
        return f"{_words(match[1])}, correlation"
    if match := re.fullmatch(r"tau_(.+)_slope", name):
        return f"{_words(match[1])}, slope"
    if match := re.fullmatch(r"tau_(.+)", name):
        return _words(match[1])
    return _words(name)


def _words(term: str) -> str:
    return _WORDS.get(term, _LEVELS.get(term, term.replace("_", " ")))
