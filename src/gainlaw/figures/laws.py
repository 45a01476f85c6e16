"""Several laws in one panel: the overall curve of each fit with its posterior band, and the checkpoints' means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.figures.common.arrange import has_slope, law_title
from gainlaw.figures.common.exhibit import Basis, Drawing
from gainlaw.figures.common.spots import cell_words
from gainlaw.figures.common.style import (
    ACCENT,
    COLORS,
    INK,
    SINGLE,
    WARM,
    PaperFigure,
    finish,
    new_figure,
    params_axis,
    style,
)
from gainlaw.figures.gain_curve import band_frame, describe_band
from gainlaw.formats import percent

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["draw_laws", "exhibits", "laws_data", "plot_laws"]

_COLORS = (ACCENT, WARM, COLORS[2], COLORS[3], COLORS[4])
_LINES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1, 1, 1)), "-")


def plot_laws(fits: Mapping[str, FitRecord], *, points: int = 60) -> PaperFigure:
    """Plot the overall curves of several fits of the same gains.

    Parameters
    ----------
    fits : mapping of str to Fit
        The fits by the name that stands in the legend, all on one scale.
    points : int
        Sizes at which the curves are evaluated.

    Returns
    -------
    PaperFigure
        Its `plot_data` has the layers `band` and `checkpoint`.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> bent = gl.fit(fit.gains, law="offset_power")  # doctest: +SKIP
    >>> plot_laws({"linear": fit, "offset power": bent}).alt  # doctest: +SKIP
    """
    first = next(iter(fits.values()))
    bands, means = laws_data(fits, points=points)
    return draw_laws(bands, means, unit=f"gain ({first.unit})", digits=first.spec.decimals())


def laws_data(fits: Mapping[str, FitRecord], *, points: int = 60) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the bands of the curves (`band_frame`; the panel is the name) and the checkpoints' mean gains.

    The mean of a checkpoint gives every task the same weight, as the overall curve does.
    """
    from gainlaw.posterior.levels import gain_curve

    cells = next(iter(fits.values())).gains.frame
    sizes = np.geomspace(cells["params"].min(), cells["params"].max(), points)
    bands = [
        band_frame(name, sizes, gain_curve(fit, level="overall").gain(sizes), fit.ci_prob)
        for name, fit in fits.items()
    ]
    by_task = [name for name in ("checkpoint", "params", "task") if name in cells]
    means = cells.groupby(by_task)["gain"].mean().reset_index()
    means = means.groupby(["checkpoint", "params"])["gain"].mean().reset_index()
    return pd.concat(bands, ignore_index=True), means


def draw_laws(
    bands: pd.DataFrame, means: pd.DataFrame, *, unit: str = "gain (points)", digits: int = 1
) -> PaperFigure:
    """Draw the curves of several laws from their numbers.

    Parameters
    ----------
    bands, means : pandas.DataFrame
        As `laws_data` returns them.
    unit : str
        The label of the vertical axis.
    digits : int
        Decimals in words, see `gainlaw.formats.decimals`.

    Returns
    -------
    PaperFigure
    """
    names = list(dict.fromkeys(bands["panel"]))
    with style():
        figure, grid = new_figure(SINGLE, 2.5)
        axes = grid[0, 0]
        axes.axhline(0, color=INK, linewidth=0.6, zorder=1)
        axes.yaxis.grid(visible=True)
        for name, color, line in zip(names, _COLORS * len(names), _LINES * len(names), strict=False):
            band = bands[bands["panel"] == name]
            axes.fill_between(
                band["params"], band["ci_low"], band["ci_high"], color=color, alpha=0.15, zorder=2
            )
            axes.plot(band["params"], band["mean"], color=color, linestyle=line, label=name, zorder=4)
        axes.scatter(
            means["params"],
            means["gain"],
            s=16,
            marker="D",
            color=INK,
            label="mean of a checkpoint",
            zorder=5,
        )
        params_axis(axes, bands["params"].to_numpy())
        axes.set_ylabel(unit)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=2, handlelength=2.2, columnspacing=1.0)
    alt = f"{unit} against model size under {', '.join(names)}. " + " ".join(
        describe_band(bands[bands["panel"] == name], name, digits) for name in names
    )
    words = cell_words(means, digits)
    return finish(
        figure, {"band": bands, "checkpoint": means}, alt, [(axes, means["params"], means["gain"], words)]
    )


def exhibits(basis: Basis) -> Iterator[Drawing]:
    """Yield the curves of all fits of the same gains, where there are several."""
    main = basis.fits.main
    laws = {
        law_title(fit): fit
        for fit in (main, *basis.fits.others.values())
        if fit.scale == main.scale and fit.n_rows == main.n_rows and has_slope(fit)
    }
    if len(laws) > 1:
        caption = (
            "The same gains under several laws: mean over the groups observed with its "
            f"{percent(main.ci_prob)} band."
        )
        yield Drawing("other_laws", "others", caption, plot_laws(laws), before="compare")
