"""Curves with their points: the law, bands of its mean and of a new checkpoint, and the test of the largest size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.figures.common.exhibit import Basis, Drawing
from gainlaw.figures.common.spots import Mark, cell_words
from gainlaw.figures.common.style import (
    ACCENT,
    DOUBLE,
    GREY,
    INK,
    SINGLE,
    WARM,
    PaperFigure,
    finish,
    new_figure,
    params_axis,
    style,
)
from gainlaw.formats import percent
from gainlaw.numbers import read_number
from gainlaw.tasks import task_title

if TYPE_CHECKING:
    from gainlaw.curves.fit import CurveFit
    from gainlaw.curves.study import CurveStudy
    from gainlaw.fitting.record import FitRecord

__all__ = ["curves_data", "draw_curves", "exhibits", "plot_curves", "plot_ridges", "study_of"]

_PER_ROW = 3

# Sizes below which a curve by itself says nothing.
_CURVE_SIZES = 4


def plot_curves(fits: Sequence[CurveFit], *, points: int = 80, beyond: float = 0.5) -> PaperFigure:
    """Plot fitted curves, one panel each.

    Parameters
    ----------
    fits : sequence of CurveFit
        The curves.
    points : int
        Sizes at which they are evaluated.
    beyond : float
        How far beyond the largest size they are drawn, in decades; the bands widen there.

    Returns
    -------
    PaperFigure
        Its `plot_data` has the layers `band`, `point`, `heldout` and, where the points are means, `cell`.

    Raises
    ------
    InputError
        If there is no fit, or a curve is not one of model size alone.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit_curve(gl.load_dataset("bloomz", intermediates="xP3").gains())
    >>> plot_curves([fit]).plot_data["layer"].unique().tolist()
    ['band', 'point', 'heldout', 'cell']
    """
    first = fits[0].points if fits else None
    label = first.label if first is not None and first.columns else ""
    size = (
        first.columns.get("x", "size").removeprefix("log10(").removesuffix(" / 1e9)")
        if label and first
        else "parameters"
    )
    numbers = curves_data(fits, points=points, beyond=beyond)
    return draw_curves(*numbers, unit=fits[0].points.unit, label=label, size=size)


def curves_data(
    fits: Sequence[CurveFit], *, points: int = 80, beyond: float = 0.5
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the bands of the curves, their points, the curves without the largest size, and the cells."""
    from gainlaw.curves.identifiability import without_largest

    if not fits:
        raise InputError(Problem("a figure of curves needs a fit"))
    read_number(points, "points", least=2, whole=True)
    read_number(beyond, "beyond", least=0)
    bands, dots, held, cells = [], [], [], []
    for k, fit in enumerate(fits):
        n = fit.points.variables["N"] if fit.sized else fit.sizes
        sizes = np.geomspace(n.min(), n.max() * 10.0**beyond, points)
        panel = f"{task_title(fit.points.name)}: {fit.law.title}" if fit.points.name else fit.law.name
        bands.append(fit.predict(sizes).assign(panel=panel, place=k).rename(columns={"N": "params"}))
        shown = pd.DataFrame(
            {
                "params": n, "gain": fit.points.y, "residual": fit.residuals, "panel": panel, "place": k,
                "checkpoint": fit.points.groups,
            }
        )  # fmt: skip
        if fit.points.variance is not None:
            shown["se"] = np.sqrt(fit.points.variance)
        dots.append(shown)
        theta = without_largest(fit)
        if theta is not None:
            held.append(
                pd.DataFrame(
                    {"params": sizes, "gain": fit.curve(theta, sizes)[0], "panel": panel, "place": k}
                )
            )
        params, gain = fit.points.scatter
        cells.append(pd.DataFrame({"params": params, "gain": gain, "panel": panel, "place": k}))
    empty = pd.DataFrame({"params": [], "gain": [], "panel": [], "place": []})
    return (
        pd.concat(bands, ignore_index=True),
        pd.concat(dots, ignore_index=True),
        pd.concat([*held, empty]),
        pd.concat([*cells, empty]),
    )


def draw_curves(
    bands: pd.DataFrame, dots: pd.DataFrame, held: pd.DataFrame, cells: pd.DataFrame, *, unit: str = "points",
    label: str = "", size: str = "parameters",
) -> PaperFigure:  # fmt: skip
    """Draw curves from their numbers, see `curves_data`; residuals stand below each.

    A `label` says what the numbers are where they are no gains, `size` what stands along the horizontal axis.
    """
    places = sorted(bands["place"].unique())
    columns = 2 if len(places) == 4 else min(len(places), _PER_ROW)
    rows = math.ceil(len(places) / columns)
    limit = _limits(bands, dots, cells, zero=not label)
    with style():
        figure, grid = new_figure(
            SINGLE if columns == 1 else DOUBLE,
            2.7 * rows,
            2 * rows,
            columns,
            height_ratios=[3, 1] * rows,
        )
        marks: list[Mark] = []
        for place in places:
            row, column = divmod(int(place), columns)
            axes, below = grid[2 * row, column], grid[2 * row + 1, column]
            band = bands[bands["place"] == place]
            dot = dots[dots["place"] == place]
            test = held[held["place"] == place]
            cell = cells[cells["place"] == place]
            if len(cell):
                axes.scatter(cell["params"], cell["gain"], s=3, color=GREY, label="single cells", zorder=2)
            if not label:
                axes.axhline(0, color=INK, linewidth=0.6, zorder=1)
            axes.fill_between(
                band["params"],
                band["new_low"],
                band["new_high"],
                color=GREY,
                alpha=0.25,
                label="new run" if label else "new checkpoint",
                zorder=2,
            )
            axes.fill_between(
                band["params"],
                band["low"],
                band["high"],
                color=ACCENT,
                alpha=0.3,
                label="mean curve",
                zorder=3,
            )
            axes.plot(band["params"], band["gain"], color=ACCENT, zorder=4)
            if len(test):
                axes.plot(
                    test["params"], test["gain"], color=WARM, linestyle=(0, (4, 2)), linewidth=1.0,
                    label="fitted without the largest size", zorder=4,
                )  # fmt: skip
            axes.scatter(
                dot["params"],
                dot["gain"],
                s=16,
                marker="D",
                color=INK,
                label="run" if label else "mean of a checkpoint",
                zorder=5,
            )
            axes.set_title(band["panel"].iloc[0])
            axes.set_ylim(*limit)
            marks.append((axes, dot["params"], dot["gain"], cell_words(dot, 2)))
            below.axhline(0, color=INK, linewidth=0.6)
            below.vlines(dot["params"], 0.0, dot["residual"], color=INK, linewidth=0.8)
            below.scatter(dot["params"], dot["residual"], s=10, marker="D", color=INK)
            reach = 1.15 * max(float(dots["residual"].abs().max()), 1e-12)
            below.set_ylim(-reach, reach)
            params_axis(axes, bands["params"].to_numpy(), label=False)
            axes.tick_params(labelbottom=False)
            params_axis(below, bands["params"].to_numpy(), label=False)
            below.set_xlabel(size)
            if column == 0:
                axes.set_ylabel(label or (f"gain ({unit})" if unit else "value"))
                below.set_ylabel("residual")
        for spare in range(len(places), rows * columns):
            row, column = divmod(spare, columns)
            grid[2 * row, column].set_axis_off()
            grid[2 * row + 1, column].set_axis_off()
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside upper left", ncols=2 if columns == 1 else 4, columnspacing=1.0
        )
    ends = (
        f"{band['panel'].iloc[0]}: {band['gain'].iloc[0]:.1f} at the smallest size, "
        f"{band['gain'].iloc[-1]:.1f} at the largest drawn."
        for _, band in bands.groupby("place")
    )
    alt = (
        f"{label or f'Gain ({unit})'} against {size if label else 'model size'} with fitted curves and residuals. "
        + " ".join(ends)
    )
    return finish(figure, {"band": bands, "point": dots, "heldout": held, "cell": cells}, alt, marks)


def _limits(
    bands: pd.DataFrame, dots: pd.DataFrame, cells: pd.DataFrame, *, zero: bool
) -> tuple[float, float]:
    """Return vertical limits that show all points and curves, and the bands as far as they are of use."""
    low, high = float(dots["gain"].min()), float(dots["gain"].max())
    low, high = min(low, float(bands["gain"].min())), max(high, float(bands["gain"].max()))
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if len(cells):
        low, high = min(low, float(cells["gain"].min())), max(high, float(cells["gain"].max()))
    reach = max(high - low, 1e-9)
    shown = bands[["new_low", "new_high"]].to_numpy(dtype=float)
    finite = shown[np.isfinite(shown)]
    if len(finite):
        low = min(low, max(float(finite.min()), low - 0.5 * reach))
        high = max(high, min(float(finite.max()), high + 0.5 * reach))
    return low - 0.03 * reach, high + 0.03 * reach


def plot_ridges(fit: CurveFit, parameter: str) -> PaperFigure:
    """Plot what the other parameters do while one is moved, and how the fit suffers.

    Parameters
    ----------
    fit : CurveFit
        The curve.
    parameter : str
        The parameter that is moved.

    Returns
    -------
    PaperFigure
        Its `plot_data` has the layer `ridge`.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit_curve([1e8, 3e8, 1e9, 3e9, 1e10], [9.0, 6.1, 4.0, 2.6, 1.8], law="power")
    >>> plot_ridges(fit, "r").plot_data["layer"].unique().tolist()
    ['ridge']
    """
    from matplotlib.ticker import LogFormatter

    found = fit.profile(parameter)
    others = [each for each in fit.law.parameters if each.name != parameter]
    own = next(each for each in fit.law.parameters if each.name == parameter)
    with style():
        figure, grid = new_figure(SINGLE, 1.6 + 1.1 * len(others), 1 + len(others), 1, sharex=True)
        axes = grid[0, 0]
        axes.plot(found.frame[parameter], found.frame["root"].abs(), color=ACCENT)
        axes.axhline(
            fit.limit, color=WARM, linestyle=(0, (4, 2)), linewidth=1.0, label=f"{fit.ci_prob:.0%} interval"
        )
        axes.set_ylim(0.0, 2.5 * fit.limit)
        axes.set_ylabel("rise of the misfit (sd)")
        axes.legend(loc="upper center")
        for row, other in enumerate(others, start=1):
            grid[row, 0].plot(found.frame[parameter], found.frame[other.name], color=INK)
            grid[row, 0].set_ylabel(other.name)
        if own.positive:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(LogFormatter())
            axes.xaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False))
        grid[-1, 0].set_xlabel(f"{parameter}: {own.meaning}" if own.meaning else parameter)
    alt = (
        f"Profile of {parameter} of the law {fit.law.name}: best at {fit.values[parameter]:.3g}, "
        f"{fit.ci_prob:.0%} interval from {found.low:.3g} to {found.high:.3g}."
    )
    return finish(figure, {"ridge": found.frame}, alt)


def study_of(fit: FitRecord) -> CurveStudy | None:
    """Return the laws of one curve for each task's checkpoint means; None where there are too few sizes for one."""
    from gainlaw.curves.study import fit_curves

    frame = fit.gains.frame
    if frame["params"].isna().any() or fit.n_sizes < _CURVE_SIZES or "task" not in frame:
        return None
    try:
        return fit_curves(fit.gains, by=["task"], ci_prob=fit.ci_prob)
    except InputError:
        return None


def exhibits(basis: Basis) -> Iterator[Drawing]:
    """Yield the best curve of each task, where there are sizes enough."""
    if basis.study is not None:
        best = [basis.study.best(name) for name in basis.study.curves]
        caption = (
            f"The law that describes each task's checkpoint means best, with {percent(best[0].ci_prob)} bands of the "
            "mean and of a new checkpoint (delta method), the same law fitted without the largest size, and residuals."
        )
        yield Drawing("curves", "curves", caption, plot_curves(best), before="curve_laws")
