"""The points of a figure that a reader can ask: where each lies in the picture, and what stands behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.formats import MINUS, format_interval, format_number
from gainlaw.notes import count_of
from gainlaw.sizes import format_params
from gainlaw.tasks import task_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Mark", "Spot", "cell_words", "checkpoint_words", "interval_words", "placed"]

#: A point: how far from the left and from the top of the figure it lies (0 to 1), and what it is.
type Spot = tuple[float, float, str]

#: Coordinates along one axis, in the data.
type Along = Sequence[float] | np.ndarray | pd.Series

#: Points of one panel, as they are drawn: the panel, their coordinates, and what each is.
type Mark = tuple[Axes, Along, Along, Sequence[str]]


def placed(figure: Figure, marks: Sequence[Mark]) -> tuple[Spot, ...]:
    """Return where the points of a figure lie in it; those outside their panel are left out.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure, its layout settled.
    marks : sequence of Mark
        Its points.
    """
    found: list[Spot] = []
    for axes, x, y, words in marks:
        # The limits are settled when they are asked for; the transformation does not ask.
        (low, high), (bottom, top) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
        points = np.column_stack([np.asarray(x, dtype=float), np.asarray(y, dtype=float)])
        inside = (points >= [low, bottom]).all(axis=1) & (points <= [high, top]).all(axis=1)
        share = axes.transData.transform(points[inside]) / [figure.bbox.width, figure.bbox.height]
        said = [word for word, shown in zip(words, inside, strict=True) if shown]
        found += [
            (round(float(left), 4), round(1 - float(up), 4), word)
            for (left, up), word in zip(share, said, strict=True)
        ]
    return tuple(found)


def cell_words(cells: pd.DataFrame, digits: int) -> list[str]:
    """Say of every gain which it is: language, task, intermediate training, checkpoint, size, gain and its error.

    Parameters
    ----------
    cells : pandas.DataFrame
        gain and, where known, se, params, checkpoint, intermediate, task, language, language_name.
    digits : int
        Decimals of the gain.

    Examples
    --------
    >>> cell_words(pd.DataFrame({"gain": [3.14], "se": [0.5], "task": ["xnli"], "params": [7e9]}), 1)
    ['XNLI, 7B: 3.1 ± 0.5']
    """
    return [
        f"{', '.join(_names(row)) or 'gain'}: {format_number(row['gain'], digits, MINUS)}{_error(row, digits)}"
        for row in cells.to_dict("records")
    ]


def checkpoint_words(means: pd.DataFrame, counts: Sequence[int], digits: int) -> list[str]:
    """Say of every checkpoint's mean gain whose it is and of how many gains.

    Parameters
    ----------
    means : pandas.DataFrame
        gain, params and, where known, checkpoint.
    counts : sequence of int
        Gains behind each.
    digits : int
        Decimals of the gain.
    """
    return [
        f"{', '.join(_names(row))}: {format_number(row['gain'], digits, MINUS)}, mean of {count_of(count, 'gain')}"
        for row, count in zip(means.to_dict("records"), counts, strict=True)
    ]


def interval_words(rows: pd.DataFrame, names: Iterable[str], digits: int, middle: str = "mean") -> list[str]:
    """Say of every row with an interval which it is, its middle and its ends.

    Parameters
    ----------
    rows : pandas.DataFrame
        `middle`, ci_low, ci_high.
    names : iterable of str
        What the rows are called.
    digits : int
        Decimals.
    middle : str
        The column of the middle.
    """
    return [
        f"{name}: {format_number(row[middle], digits, MINUS)} "
        f"{format_interval(row['ci_low'], row['ci_high'], digits, MINUS)}"
        for name, row in zip(names, rows.to_dict("records"), strict=True)
    ]


def _names(row: dict) -> list[str]:
    """Return what tells one gain from another, as far as it is known."""
    language, code = row.get("language_name"), row.get("language")
    known = [
        f"{language} ({code})" if _is(language) and language != code else code,
        task_title(str(row["task"])) if _is(row.get("task")) else None,
        row.get("intermediate"),
    ]
    size = format_params(row["params"]) if _is(row.get("params")) else ""
    checkpoint = row.get("checkpoint")
    known.append((f"{checkpoint} ({size})" if size else checkpoint) if _is(checkpoint) else size or None)
    return [str(each) for each in known if _is(each)]


def _is(value: object) -> bool:
    return value is not None and not bool(pd.isna(value)) and value != ""  # type: ignore[call-overload]


def _error(row: dict, digits: int) -> str:
    return f" ± {format_number(row['se'], digits)}" if _is(row.get("se")) else ""
