"""Which of several metrics is taken, and how many items a score and its standard error speak of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gainlaw.scores.metrics import find_metric

__all__ = ["PREFERRED", "choose_metric", "declare", "is_number", "items_of", "number_of", "of_items"]

PREFERRED = ("acc", "accuracy", "exact_match", "em", "acc_norm", "f1", "mcc")
"""The metrics that are taken where a file has several and the caller asks for none, the first that is there."""


def is_number(value: object) -> bool:
    """Return whether a value of a file is a finite number.

    Examples
    --------
    >>> is_number(0.5), is_number(True), is_number("0.5"), is_number(float("nan"))
    (True, False, False, False)
    """
    if type(value) is int:
        return -(2**63) < value < 2**63
    return type(value) is float and math.isfinite(value)


def number_of(value: object) -> float:
    """Return a number of a file, also where it is written as text; NaN for anything else.

    Examples
    --------
    >>> number_of("8.357"), number_of(None), number_of("N/A")
    (8.357, nan, nan)
    """
    if is_number(value):
        return float(value)  # type: ignore[arg-type]
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def choose_metric(names: Iterable[str], wanted: Sequence[str] = ()) -> str:
    """Return the metric to take: the first wanted one that is there, else the usual one, else the first known.

    Parameters
    ----------
    names : iterable of str
        The metrics of a task, ``acc`` or ``acc,none``, in the order of the file.
    wanted : sequence of str
        Metrics that go first, with or without what stands behind a comma.

    Examples
    --------
    >>> choose_metric(["acc_norm,none", "acc,none"]), choose_metric(["acc_norm", "acc"], ["acc_norm"])
    ('acc,none', 'acc_norm')
    """
    there = list(names)
    for want in (*wanted, *PREFERRED):
        for name in there:
            if name == want or name.partition(",")[0] == want:
                return name
    known = [name for name in there if find_metric(name) is not None]
    return (known or there or [""])[0]


def items_of(score: float, stderr: float) -> float:
    """Return how many items an accuracy and its standard error speak of, NaN where that is no whole number.

    The standard error of an average of n zeros and ones is sqrt(p(1 - p)/(n - 1)), as harnesses write it.

    Parameters
    ----------
    score, stderr : float
        As fractions.

    Examples
    --------
    >>> items_of(0.3317365269461078, 0.006652654857813421), items_of(1.0, 0.0), items_of(0.33, 0.0067)
    (5010.0, nan, nan)
    """
    spread = score * (1 - score)
    if not (spread > 0 and stderr > 0):
        return math.nan
    n = spread / stderr**2 + 1
    whole = round(n)
    right = score * whole
    # Both numbers carry about 15 digits where they are written in full: then n and the right answers are whole.
    exact = abs(n - whole) <= 1e-6 * whole and abs(right - round(right)) <= 1e-6 * whole
    return float(whole) if whole > 1 and exact else math.nan


def of_items(score: float, n: float, stderr: float) -> bool:
    """Return whether a number of samples can be that of the items of an accuracy, by its standard error.

    Programs that score a model in several runs write the number of runs.

    Examples
    --------
    >>> of_items(0.5, 2500, 0.01), of_items(0.27, 10, 0.02)
    (True, False)
    """
    spread = score * (1 - score)
    if not (spread > 0 and n > 0 and stderr > 0):
        return True
    return 0.5 <= stderr / math.sqrt(spread / n) <= 2.0


def declare(
    metric: str, better: bool | None, low: Any = None, high: Any = None
) -> tuple[tuple[str, str], ...]:
    """Return the columns that say what a metric is, where gainlaw does not know it or knows it otherwise.

    Parameters
    ----------
    metric : str
        Its name in the file.
    better : bool or None
        Whether higher is better; None where the file does not say.
    low, high : float, optional
        Its range, where the file says.

    Examples
    --------
    >>> declare("acc", True), declare("my_loss", False, 0)
    ((), (('metric_share', 'no'), ('metric_better', 'down'), ('metric_min', '0')))
    """
    known = find_metric(metric)
    if better is None or (known is not None and known.better == ("up" if better else "down")):
        return ()
    said: Mapping[str, object] = {
        "metric_share": "no" if known is None else "",
        "metric_better": "up" if better else "down",
        "metric_min": f"{low:.12g}" if is_number(low) else "",
        "metric_max": f"{high:.12g}" if is_number(high) else "",
    }
    return tuple((key, str(value)) for key, value in said.items() if value != "")
