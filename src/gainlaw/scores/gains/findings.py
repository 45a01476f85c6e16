"""What deserves a look in a table of gains, as notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from gainlaw.notes import Note
from gainlaw.scores.evaluations.flags import average_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["find_gain_notes", "unsized_notes"]

_MANY = 0.1

_IDENTITY = (
    *("params", "model_family", "base_model", "model", "intermediate", "checkpoint", "task", "language"),
    *("seed", "prompt", "split", "metric", "protocol", "gain", "se"),
)


def find_gain_notes(frame: pd.DataFrame, lines: np.ndarray | None = None) -> tuple[Note, ...]:
    """Look for effects counted twice (exact repeats, averages beside their parts) and log-odds without a size.

    Parameters
    ----------
    frame : pandas.DataFrame
        Gains.
    lines : numpy.ndarray of int, optional
        The line of each row.

    Examples
    --------
    >>> import pandas as pd
    >>> effects = pd.DataFrame({"task": ["a", "b", "a"], "gain": [1.0, 2.0, 1.0], "se": [0.5, 0.5, 0.5]})
    >>> [note.message for note in find_gain_notes(effects)]
    ['the same effect stands in several rows: labels, gain and standard error repeat exactly']
    """
    repeated = frame.duplicated([name for name in _IDENTITY if name in frame], keep=False).to_numpy()
    words, averages = average_rows(frame)
    found = []
    for kind, message, where in (
        (
            "repeated_effects",
            "the same effect stands in several rows: labels, gain and standard error repeat exactly",
            repeated,
        ),
        ("averages", f"averages ({words}) stand beside what they are the average of", averages),
    ):
        if where.any():
            rows = () if lines is None else tuple(lines[where].tolist())
            found.append(Note(kind, message, rows, count=int(where.sum())))
    return (*found, *unsized_notes(frame, lines))


def unsized_notes(frame: pd.DataFrame, lines: np.ndarray | None = None) -> tuple[Note, ...]:
    """Look for gains on log-odds without a size: both scores at the guess rate, or both at the best there can be.

    Their likelihood has no maximum, so that the prior of the baselines decides where they lie. It is a warning where
    more than a tenth of the rows are so.

    Parameters
    ----------
    frame : pandas.DataFrame
        Gains.
    lines : numpy.ndarray of int, optional
        The line of each row.

    Examples
    --------
    >>> import pandas as pd
    >>> gains = pd.DataFrame({"scale": "log_odds", "chance": 0.25, "baseline_score": [0.25, 0.5]})
    >>> gains = gains.assign(intermediate_score=[0.26, 0.6], n_baseline=900, n_intermediate=900)
    >>> [(note.kind, note.count) for note in unsized_notes(gains)]
    [('unsized', 1)]
    """
    sides = ("baseline", "intermediate")
    needed = ("scale", "chance", *(f"{side}_score" for side in sides), *(f"n_{side}" for side in sides))
    if not set(needed) <= set(frame) or not frame["scale"].eq("log_odds").all():
        return ()
    low = high = np.ones(len(frame), bool)
    for side in sides:
        p, n = frame[f"{side}_score"].to_numpy(float), frame[f"n_{side}"].to_numpy(float)
        inside = (p * n + 0.5) / (n + 1.0)
        reach = 2.0 * np.sqrt(inside * (1.0 - inside) / n)
        low = low & (p - frame["chance"].to_numpy(float) <= reach)
        high = high & (1.0 - p <= reach)
    where = low | high
    if not where.any():
        return ()
    what = (
        "both scores are within 2 standard errors of guessing, or of the best there can be: on log-odds such a gain "
        "has no size, and many of them let the prior of the baselines set the level: fit again with another, "
        "--prior 'baseline=normal(0, 5)'"
    )
    rows = () if lines is None else tuple(sorted(lines[where].tolist()))
    severity: Literal["warning", "info"] = "warning" if where.mean() > _MANY else "info"
    return (Note("unsized", what, rows, severity=severity, count=int(where.sum())),)
