"""The figure of a planned study: its power, the interval over numbers of sizes and seeds, and what to add."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gainlaw.figures.common.style import (
    ACCENT,
    DOUBLE,
    GREY,
    INK,
    WARM,
    PaperFigure,
    finish,
    new_figure,
    style,
)
from gainlaw.formats import percent
from gainlaw.notes import count_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gainlaw.power.record import DesignRecord

__all__ = ["plot_design"]

_MARKS = ("o", "s", "D", "^", "v", "P", "X", "*")


def plot_design(design: DesignRecord) -> PaperFigure:
    """Draw a planned study.

    Left: the probability that the slope is detected, against the true slope. Middle: the expected width of the interval
    against the number of sizes, a line for each number of seeds. Right: by how much each addition narrows the interval.

    Parameters
    ----------
    design : Design
        From `gainlaw.design`.

    Returns
    -------
    PaperFigure
        Its `plot_data` has the layers `power`, `width` and `option`.

    Examples
    --------
    >>> import gainlaw as gl
    >>> plan = {"sizes": ["100M", "1B", "10B"], "tasks": 2, "languages": 4, "grid": {"sizes": [3], "seeds": [1]}}
    >>> plot_design(gl.design(plan)).alt[:40]
    'Power to detect a slope against the true'
    """
    study, outlook = design.study, design.outlook
    with style():
        figure, grid = new_figure(DOUBLE, 2.5, 1, 3, gridspec_kw={"width_ratios": [1.1, 1.0, 0.9]})
        power, width, options = grid[0]
        _draw_power(power, design)
        for place, seeds in enumerate(sorted(set(design.grid["seeds"]))):
            rows = design.grid[design.grid["seeds"] == seeds]
            color = (ACCENT, WARM, "#009E73", GREY)[place % 4]
            width.plot(
                rows["sizes"],
                rows["width"],
                marker=_MARKS[place % len(_MARKS)],
                color=color,
                label=count_of(seeds, "seed"),
            )
        width.set_ylim(0.0, 1.15 * design.grid["width"].max())
        width.set_xticks(sorted(set(design.grid["sizes"])))
        width.set_xlabel("sizes")
        width.set_ylabel("interval width (points per decade)")
        width.set_title("expected interval")
        width.legend()
        narrowing = design.options.sort_values("narrower", kind="stable")
        heights = np.arange(len(narrowing))
        options.barh(heights, 100.0 * narrowing["narrower"], color=ACCENT, height=0.62)
        options.axvline(0.0, color=INK, linewidth=0.6)
        options.set_yticks(heights, [_short(name) for name in narrowing["option"]])
        options.tick_params(axis="y", length=0)
        options.set_xlabel("narrower interval (%)")
        options.set_title("one more of it")
    verdicts = outlook.verdicts()
    alt = (
        f"Power to detect a slope against the true slope: {verdicts['supported']:.2f} at {study.slope:g} points per "
        f"decade with {count_of(outlook.checkpoints, 'checkpoint')}. Expected width of the {percent(study.ci_prob)} "
        f"interval by number of sizes and seeds: {outlook.width:.1f} as planned. What narrows it most: "
        f"{narrowing['option'].iloc[-1]}, by {100 * narrowing['narrower'].iloc[-1]:.0f}%."
    )
    return finish(figure, {"power": design.curve, "width": design.grid, "option": design.options}, alt)


def _draw_power(axes: Axes, design: DesignRecord) -> None:
    curve, study = design.curve, design.study
    axes.plot(curve["slope"], curve["power"], color=ACCENT, label="detected")
    axes.plot(curve["slope"], curve["wrong"], color=WARM, linestyle="--", label="wrong sign")
    axes.axvline(study.slope, color=GREY, linewidth=0.8)
    axes.plot(study.slope, design.power, "o", color=INK, markersize=4)
    axes.axhline(0.8, color=GREY, linewidth=0.5, linestyle=":")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("true slope (points per decade)")
    axes.set_ylabel("probability")
    axes.set_title("power")
    axes.legend()


def _short(name: str) -> str:
    return name.removeprefix("a ").removeprefix("an ")
