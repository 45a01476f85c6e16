"""Why the interval is wide: the same slope with languages, checkpoints and tasks as the replicates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.errors import InputError
from gainlaw.figures.common.arrange import estimate_row
from gainlaw.figures.common.exhibit import Basis, Drawing
from gainlaw.figures.common.style import (
    ACCENT,
    DOUBLE,
    GREY,
    INK,
    WARM,
    PaperFigure,
    finish,
    new_figure,
    note_size,
    style,
)
from gainlaw.formats import MINUS, format_interval, format_number, percent
from gainlaw.scales import SCALES

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["draw_width", "exhibits", "width_data", "width_frame"]


def width_frame(rows: Sequence[tuple[str, str, float, float, float]], ci_prob: float = 0.95) -> pd.DataFrame:
    """Put named intervals of one slope into a frame.

    Parameters
    ----------
    rows : sequence of (label, replicate, mean, low, high)
        What the interval is called, what it treats as the replicate, and its numbers.
    ci_prob : float
        Probability of the intervals.

    Returns
    -------
    pandas.DataFrame
        label, replicate, mean, ci_low, ci_high, ci_prob, width, and `ratio`, the width over that of the first row.

    Examples
    --------
    >>> frame = width_frame([("languages", "language", 6.6, 5.4, 8.0), ("checkpoints", "checkpoint", 6.2, 3.3, 8.9)])
    >>> frame["ratio"].round(1).tolist()
    [1.0, 2.2]
    """
    frame = pd.DataFrame(rows, columns=["label", "replicate", "mean", "ci_low", "ci_high"])
    frame["ci_prob"] = ci_prob
    frame["width"] = frame["ci_high"] - frame["ci_low"]
    frame["ratio"] = frame["width"] / frame["width"].iloc[0]
    return frame


def width_data(fit: FitRecord) -> pd.DataFrame:
    """Return the interval of a fit's slope with languages, checkpoints and tasks as the replicates.

    Returns
    -------
    pandas.DataFrame
        As `width_frame` returns it; empty without a slope, or without a task and language at three sizes.
    """
    from gainlaw.scores.gains.bootstrap import language_bootstrap_slope

    overall, population = (estimate_row(fit, "slope", level) for level in ("overall", "population"))
    if overall is None or population is None:
        return pd.DataFrame()
    try:
        only = language_bootstrap_slope(fit.gains, ci_prob=fit.ci_prob)
    except InputError:
        return pd.DataFrame()
    rows = [("languages only", "language", only.estimate, only.ci_low, only.ci_high)]
    for label, replicate, row in (
        ("these tasks, other checkpoints", "checkpoint", overall),
        ("other tasks and families too", "checkpoint, task and family", population),
    ):
        rows.append((label, replicate, float(row["mean"]), float(row["ci_low"]), float(row["ci_high"])))
    return width_frame(rows, fit.ci_prob)


def draw_width(rows: pd.DataFrame, *, unit: str = "points per decade", digits: int = 1) -> PaperFigure:
    """Draw the intervals of one slope, narrowest question first.

    Parameters
    ----------
    rows : pandas.DataFrame
        As `width_frame` returns it, from top to bottom.
    unit : str
        Unit of the slope.
    digits : int
        Decimals of the numbers, see `gainlaw.formats.decimals`.

    Returns
    -------
    PaperFigure

    Examples
    --------
    >>> rows = width_frame([("languages", "language", 6.6, 5.4, 8.0), ("checkpoints", "checkpoint", 6.2, 3.3, 8.9)])
    >>> draw_width(rows).alt
    '95% intervals of the same slope. languages: 6.6 [5.4, 8.0]. checkpoints: 6.2 [3.3, 8.9].'
    """
    heights = np.arange(len(rows))[::-1]
    colors = [GREY, ACCENT, WARM, "#009E73"]
    with style():
        figure, grid = new_figure(
            DOUBLE,
            0.5 + 0.3 * len(rows),
            1,
            2,
            sharey=True,
            gridspec_kw={"width_ratios": [3.2, 1.7 + 0.3 * max(digits - 1, 0)]},
        )
        axes, side = grid[0]
        axes.axvline(0, color=INK, linewidth=0.6, zorder=1)
        axes.xaxis.grid(visible=True)
        side.set_axis_off()
        side.set_xlim(0, 1)
        for y, color, row in zip(heights, colors * 4, rows.to_dict("records"), strict=False):
            axes.hlines(y, row["ci_low"], row["ci_high"], color=color, linewidth=5, alpha=0.55)
            axes.plot(
                row["mean"], y, "o", color=color, markersize=5, markeredgecolor="white", markeredgewidth=0.6
            )
            interval = format_interval(row["ci_low"], row["ci_high"], digits, MINUS)
            side.text(
                0.0,
                y,
                f"{format_number(row['mean'], digits, MINUS)} {interval}",
                va="center_baseline",
                fontsize=note_size(),
            )
            side.text(
                1.0, y, f"{row['ratio']:.1f}× as wide", va="center_baseline", ha="right", fontsize=note_size()
            )
        axes.set_yticks(heights, list(rows["label"]))
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"slope ({unit})")
    alt = f"{percent(rows['ci_prob'].iloc[0])} intervals of the same slope. " + " ".join(
        f"{row['label']}: {row['mean']:.{digits}f} [{row['ci_low']:.{digits}f}, {row['ci_high']:.{digits}f}]."
        for row in rows.to_dict("records")
    )
    return finish(figure, {"interval": rows}, alt)


def exhibits(basis: Basis) -> Iterator[Drawing]:
    """Yield the interval of the slope by what is the replicate, where there is a slope."""
    if len(basis.width):
        main = basis.fits.main
        caption = (
            "One slope, three questions: what is taken as the replicate decides how wide the interval is."
        )
        unit, digits = SCALES[main.scale].per_decade, main.spec.decimals()
        figure = draw_width(basis.width, unit=unit, digits=digits)
        yield Drawing("width", "width", caption, figure, before="sds")
