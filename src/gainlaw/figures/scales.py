"""Points beside log-odds: the same groups' slopes on both scales."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.figures.common.arrange import has_slope
from gainlaw.figures.common.exhibit import Basis, Drawing
from gainlaw.figures.common.spots import Mark, interval_words
from gainlaw.figures.common.style import ACCENT, DOUBLE, INK, WARM, PaperFigure, finish, new_figure, style
from gainlaw.figures.forest import forest_data
from gainlaw.scales import SCALES

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["draw_scales", "exhibits", "plot_scales", "scales_data"]


def plot_scales(fit: FitRecord, other: FitRecord, level: str = "task") -> PaperFigure:
    """Plot the slopes of two fits of the same study on two scales, side by side.

    Parameters
    ----------
    fit, other : Fit
        The fits, such as one on points and one on log-odds.
    level : str
        The groups shown below the overall and population rows.

    Returns
    -------
    PaperFigure
        Its `plot_data` has the layer `interval`.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> other = gl.fit(fit.gains, scale="log_odds")  # doctest: +SKIP
    >>> plot_scales(fit, other).alt  # doctest: +SKIP
    """
    digits: dict[str, int] = {each.scale: each.spec.decimals(2) for each in (fit, other)}
    return draw_scales(scales_data(fit, other, level), digits=digits)


def scales_data(fit: FitRecord, other: FitRecord, level: str = "task") -> pd.DataFrame:
    """Return the rows of both forests (`forest_data`) with a column `scale`, in the order of the first."""
    first, second = (forest_data(each, level).assign(scale=each.scale) for each in (fit, other))
    order = {key: place for place, key in enumerate(zip(first["level"], first["group"], strict=True))}
    keys = [order.get(key, len(order)) for key in zip(second["level"], second["group"], strict=True)]
    second = second.iloc[np.argsort(keys, kind="stable")]
    return pd.concat([first, second], ignore_index=True)


def draw_scales(rows: pd.DataFrame, *, digits: Mapping[str, int] = MappingProxyType({})) -> PaperFigure:
    """Draw the slopes on each scale from their numbers.

    Parameters
    ----------
    rows : pandas.DataFrame
        As `scales_data` returns it.
    digits : mapping of str to int
        Decimals in words by scale, see `gainlaw.formats.decimals`; two unless given.

    Returns
    -------
    PaperFigure
    """
    scales = list(dict.fromkeys(rows["scale"]))
    labels = list(dict.fromkeys(rows["label"]))
    heights = {label: len(labels) - 1 - place for place, label in enumerate(labels)}
    marked = set(rows.loc[rows["level"].isin(["overall", "population"]), "label"])
    with style():
        figure, grid = new_figure(DOUBLE, 0.7 + 0.24 * len(labels), 1, len(scales), sharey=True)
        marks: list[Mark] = []
        for axes, scale in zip(grid[0], scales, strict=True):
            part = rows[rows["scale"] == scale]
            at = [heights[label] for label in part["label"]]
            marks.append((axes, part["mean"], at, interval_words(part, part["label"], digits.get(scale, 2))))
            axes.axvline(0, color=INK, linewidth=0.6, zorder=1)
            axes.xaxis.grid(visible=True)
            for row in part.to_dict("records"):
                color, y = (WARM if row["label"] in marked else ACCENT), heights[row["label"]]
                axes.hlines(y, row["ci_low"], row["ci_high"], color=color, linewidth=1.0)
                axes.hlines(y, row["low50"], row["high50"], color=color, linewidth=3.2)
                axes.plot(
                    row["mean"],
                    y,
                    "D" if row["label"] in marked else "o",
                    color=color,
                    markersize=4.5,
                    markeredgecolor="white",
                    markeredgewidth=0.5,
                )
            axes.set_title(SCALES[scale].title)
            axes.set_xlabel(f"slope ({SCALES[scale].per_decade})")
            axes.set_yticks(list(heights.values()), list(heights))
            axes.tick_params(axis="y", length=0)
            axes.set_ylim(-0.6, len(labels) - 0.4)
            axes.spines["left"].set_visible(False)
    alt = "Slopes of the same groups on " + " and ".join(SCALES[scale].title for scale in scales) + ". "
    alt += " ".join(
        f"{row['label']}, {SCALES[row['scale']].title}: {row['mean']:.{places}f} "
        f"[{row['ci_low']:.{places}f}, {row['ci_high']:.{places}f}]."
        for row in rows.to_dict("records")
        for places in (digits.get(row["scale"], 2),)
    )
    return finish(figure, {"interval": rows}, alt, marks)


def exhibits(basis: Basis) -> Iterator[Drawing]:
    """Yield the slopes on both scales, where the same study is fitted on both."""
    main, twin = basis.fits.main, basis.fits.twin
    if twin is not None and has_slope(main):
        caption = (
            "The same slopes on two scales. Where they decide for opposite directions the finding is "
            "scale-dependent."
        )
        yield Drawing("scales", "results", caption, plot_scales(main, twin))
