"""What deserves a look in a table of gains, as notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gainlaw.evaluations.flags import average_rows
from gainlaw.notes import Note

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["find_gain_notes"]

_IDENTITY = (
    *("params", "model_family", "base_model", "model", "intermediate", "checkpoint", "task", "language"),
    *("seed", "prompt", "split", "metric", "protocol", "gain", "se"),
)


def find_gain_notes(frame: pd.DataFrame, lines: np.ndarray | None = None) -> tuple[Note, ...]:
    """Look for effects that are counted twice: exact repeats, and averages beside their parts.

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
    return tuple(found)
