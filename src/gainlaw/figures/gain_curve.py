"""Gain against model size: the law's posterior bands with the cells behind them, one panel a group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.figures.common.arrange import has_slope, levels, panels_of, wider_fit
from gainlaw.figures.common.exhibit import Basis, Drawing
from gainlaw.figures.common.spots import Mark, cell_words, checkpoint_words
from gainlaw.figures.common.style import (
    ACCENT,
    DOUBLE,
    GREY,
    INK,
    SINGLE,
    PaperFigure,
    finish,
    hide_spare,
    new_figure,
    panel_title,
    params_axis,
    style,
)
from gainlaw.fitting.companion import in_points
from gainlaw.formats import percent, tails
from gainlaw.scales import SCALES
from gainlaw.tasks import task_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gainlaw.fitting.record import FitRecord

__all__ = ["draw_gain", "exhibits", "gain_data", "plot_gain"]

#: More dots than these are a picture in the picture: a file of vectors would be of megabytes.
_MANY = 5000

_CELL = ("params", "gain", "se", "checkpoint", "intermediate", "task", "language", "language_name")


@overload
def plot_gain(
    fit: FitRecord,
    by: str | None = "task",
    *,
    tasks: Sequence[str] | str | None = None,
    ax: None = None,
    points: int = 60,
) -> PaperFigure: ...


@overload
def plot_gain(
    fit: FitRecord,
    by: str | None = "task",
    *,
    tasks: Sequence[str] | str | None = None,
    ax: Axes,
    points: int = 60,
) -> Axes: ...


def plot_gain(
    fit: FitRecord,
    by: str | None = "task",
    *,
    tasks: Sequence[str] | str | None = None,
    ax: Axes | None = None,
    points: int = 60,
) -> PaperFigure | Axes:
    """Plot the gain against model size with posterior bands of 50% and of the fit's `ci_prob`, one panel a group.

    Parameters
    ----------
    fit : Fit
        A fit.
    by : {"task", "language_family", "intermediate", "model_family"} or None
        What the panels are; None draws one panel of the overall curve.
    tasks : str or sequence of str, optional
        Draw these tasks alone, in this order, where the panels are tasks.
    ax : matplotlib.axes.Axes, optional
        Draw into these axes, in the style of their figure; for one panel alone.
    points : int
        Sizes at which the curve is evaluated.

    Returns
    -------
    PaperFigure or Axes
        The figure, whose `plot_data` has the layers `band`, `cell` and `checkpoint`; the axes where they are given.

    Raises
    ------
    InputError
        For tasks that the fit does not have, or axes for several panels.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> figure = plot_gain(fit, by="task")  # doctest: +SKIP
    >>> figure.plot_data.head()  # doctest: +SKIP
    """
    bands, cells = gain_data(fit, by, tasks=tasks, points=points)
    unit = f"gain ({SCALES[fit.scale].axis})"
    if ax is None:
        return draw_gain(bands, cells, unit=unit, digits=fit.spec.decimals())
    panels = list(dict.fromkeys(bands["panel"]))
    if len(panels) > 1:
        hint = f"name one of {', '.join(panels)}, give by=None, or leave ax out"
        raise InputError(Problem(f"one set of axes holds one panel, not {len(panels)}", hint=hint))
    _draw_panel(ax, panels[0], bands, cells, _checkpoint_means(cells))
    params_axis(ax, np.concatenate([bands["params"], cells["params"]]))
    ax.set_ylabel(unit)
    return ax


def gain_data(
    fit: FitRecord,
    by: str | None = "task",
    *,
    tasks: Sequence[str] | str | None = None,
    points: int = 60,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the bands of the curves and the cells behind them.

    Parameters
    ----------
    fit, by, tasks, points
        As for `plot_gain`.

    Returns
    -------
    bands : pandas.DataFrame
        panel, params, mean, low50, high50, ci_low, ci_high, ci_prob.
    cells : pandas.DataFrame
        panel, params, gain, se, checkpoint, intermediate, task, language, language_name, as far as known.
    """
    from gainlaw.posterior.levels import gain_curve

    frame = fit.gains.frame
    panels = ["overall"] if by is None else sorted(frame[by].astype(str).unique()) if by in frame else []
    if tasks is not None:
        wanted = [tasks] if isinstance(tasks, str) else list(tasks)
        if by != "task":
            raise InputError(
                Problem(f"tasks are named, but the panels are by {by}", hint="leave by or tasks out")
            )
        absent = [task for task in wanted if task not in panels]
        if absent or not wanted:
            what = f"the fit has no task {', '.join(map(repr, absent))}" if absent else "no task is named"
            raise InputError(Problem(what, hint=f"tasks: {', '.join(panels)}"))
        panels = wanted
    if not panels:
        raise InputError(Problem(f"the fit has no level {by!r}", hint="a column of its gains"))
    if not fit.law.has_slope:
        hint = "plot a forest (fit.plot('forest', estimand='gain')), or fit another law"
        raise InputError(Problem(f"the {fit.law.name} law has no curve over size", hint=hint))
    bands = []
    for group in panels:
        chosen: dict[str, Any] = {"level": "overall"} if by is None else {by: group}
        line = gain_curve(fit, **chosen)
        # A group's curve ends where the group does: beyond lies what other groups and the priors say.
        seen = frame["params"] if by is None else frame.loc[frame[by].astype(str) == group, "params"]
        sizes = np.geomspace(seen.min(), seen.max(), points)
        bands.append(band_frame(group, sizes, line.gain(sizes), fit.ci_prob))
    kept = [name for name in _CELL if name in frame]
    cells = frame[kept].assign(panel="overall" if by is None else frame[by].astype(str))
    return pd.concat(bands, ignore_index=True), cells[cells["panel"].isin(panels)]


def band_frame(panel: str, sizes: np.ndarray, draws: np.ndarray, ci_prob: float = 0.95) -> pd.DataFrame:
    """Summarise the draws of one curve.

    Parameters
    ----------
    panel : str
        The panel's name.
    sizes : numpy.ndarray, shape (P,)
        Parameters.
    draws : numpy.ndarray, shape (draws, P)
        Gains.
    ci_prob : float
        Probability of the wider band.

    Returns
    -------
    pandas.DataFrame
        panel, params, mean, low50, high50, ci_low, ci_high, ci_prob, by size.

    Examples
    --------
    >>> import numpy as np
    >>> band_frame("xnli", np.array([1e9]), np.arange(101.0)[:, None])["high50"].tolist()
    [75.0]
    """
    low50, high50, low, high = np.quantile(draws, [0.25, 0.75, *tails(ci_prob)], axis=0)
    ends = {"low50": low50, "high50": high50, "ci_low": low, "ci_high": high, "ci_prob": ci_prob}
    return pd.DataFrame({"panel": panel, "params": sizes, "mean": draws.mean(axis=0), **ends})


def draw_gain(
    bands: pd.DataFrame, cells: pd.DataFrame, *, unit: str = "gain (points)", digits: int = 1
) -> PaperFigure:
    """Draw the curves from their numbers.

    Parameters
    ----------
    bands, cells : pandas.DataFrame
        As `gain_data` returns them.
    unit : str
        The label of the vertical axis.
    digits : int
        Decimals in words, see `gainlaw.formats.decimals`.

    Returns
    -------
    PaperFigure
    """
    panels = list(dict.fromkeys(bands["panel"]))
    # Many panels stand in fours or fives, whichever leaves fewer places empty.
    columns = min(len(panels), 4) if len(panels) <= 8 else min((4, 5), key=lambda wide: -len(panels) % wide)
    rows = math.ceil(len(panels) / columns)
    width = DOUBLE if columns > 1 else SINGLE
    means = _checkpoint_means(cells)
    with style():
        figure, axes = new_figure(width, 0.45 + 1.85 * rows, rows, columns, sharex=True, sharey=True)
        flat = axes.ravel()
        for panel, place in zip(panels, flat, strict=False):
            _draw_panel(place, panel, bands, cells, means)
            place.set_title(panel_title(task_title(panel), columns))
        hide_spare(axes, len(panels))
        params_axis(flat[0], np.concatenate([bands["params"], cells["params"]]), label=False)
        figure.supxlabel("parameters")
        figure.supylabel(unit)
        handles, labels = flat[0].get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside upper right",
            ncols=4 if columns > 2 else 2,
            handlelength=1.4,
            columnspacing=1.2,
        )
    alt = f"{unit} against model size for {', '.join(task_title(panel) for panel in panels)}. " + " ".join(
        describe_band(bands[bands["panel"] == panel], task_title(panel), digits) for panel in panels
    )
    marks = [
        mark
        for panel, axes in zip(panels, flat, strict=False)
        for mark in _marks(
            axes, cells[cells["panel"] == panel], means[means["panel"] == panel], digits, len(cells) <= _MANY
        )
    ]
    return finish(figure, {"band": bands, "cell": cells, "checkpoint": means}, alt, marks)


def _draw_panel(
    axes: Axes, panel: str, bands: pd.DataFrame, cells: pd.DataFrame, means: pd.DataFrame
) -> None:
    band, cell = bands[bands["panel"] == panel], cells[cells["panel"] == panel]
    mean = means[means["panel"] == panel]
    axes.axhline(0, color=INK, linewidth=0.6, zorder=1)
    axes.yaxis.grid(visible=True)
    sizes = band["params"]
    wide = percent(band["ci_prob"].iloc[0])
    axes.fill_between(sizes, band["ci_low"], band["ci_high"], color=ACCENT, alpha=0.18, label=wide, zorder=2)
    axes.fill_between(sizes, band["low50"], band["high50"], color=ACCENT, alpha=0.35, label="50%", zorder=3)
    axes.plot(sizes, band["mean"], color=ACCENT, zorder=5)
    axes.scatter(
        cell["params"],
        cell["gain"],
        s=7,
        color=GREY,
        alpha=0.55,
        linewidths=0,
        zorder=4,
        label="one language" if "language" in cell and len(set(cell["language"])) > 1 else "one gain",
        rasterized=len(cells) > _MANY,
    )
    axes.scatter(
        mean["params"], mean["gain"], s=16, marker="D", color=INK, zorder=6, label="mean of a checkpoint"
    )
    axes.set_title(task_title(panel))
    axes.margins(y=0.06)


def _marks(axes: Axes, cells: pd.DataFrame, means: pd.DataFrame, digits: int, single: bool) -> Iterator[Mark]:
    """Say what each point of a panel is; the means of checkpoints lie above single cells, which may be too many."""
    if "checkpoint" in means:
        counts = cells.groupby(["checkpoint", "params"], sort=False).size()
        yield axes, means["params"], means["gain"], checkpoint_words(means, counts.tolist(), digits)
    if single:
        yield axes, cells["params"], cells["gain"], cell_words(cells, digits)


def _checkpoint_means(cells: pd.DataFrame) -> pd.DataFrame:
    keys = [name for name in ("panel", "checkpoint", "params") if name in cells]
    return cells.groupby(keys, sort=False)["gain"].mean().reset_index()


def describe_band(band: pd.DataFrame, name: str, digits: int) -> str:
    """Return in words where a band begins and ends."""
    first, last = band["mean"].iloc[0], band["mean"].iloc[-1]
    return f"{name}: {first:.{digits}f} at the smallest size, {last:.{digits}f} at the largest."


def exhibits(basis: Basis) -> Iterator[Drawing]:
    """Yield the curves of all studies, the main fit, other intermediate trainings, and of every study beside."""
    main, wider = basis.fits.main, wider_fit(basis.fits)
    if basis.across is not None:
        caption = (
            "Gain against model size by family of models, each over its own sizes, under the law of both scores (mean, "
            f"50% and {percent(basis.across.ci_prob)} bands). Dots are benchmarks, diamonds the mean of a checkpoint."
        )
        figure = plot_gain(in_points(basis.across), "model_family")
        yield Drawing("across_gain", "across", caption, figure, before="across_slopes")
    if has_slope(main):
        by, tasks, words = _panels(main)
        caption = (
            f"Gain against model size{words} with the posterior of the law (mean, 50% and "
            f"{percent(main.ci_prob)} bands). Dots are single languages, diamonds the mean of a checkpoint."
        )
        yield Drawing("gain_curve", "answer", caption, plot_gain(main, by, tasks=tasks))
        twin = basis.fits.twin
        if twin is not None and has_slope(twin):
            name, words = f"gain_curve_{twin.scale}", f"{caption} Here in {SCALES[twin.scale].title}."
            figure = plot_gain(twin, by, tasks=tasks)
            yield Drawing(name, "results", words, figure, instead_of="gain_curve")
    if wider is not None:
        caption = "Gain against model size by intermediate training. Dots are single languages and tasks."
        figure = plot_gain(wider, "intermediate")
        yield Drawing("other_intermediate", "others", caption, figure, before="other_gain_at_intermediate")
    for number, (name, fit) in enumerate(basis.beside.items(), 1):
        if has_slope(fit):
            by, tasks, words = _panels(fit)
            caption = f"{name}: gain against model size{words}. Dots are single languages."
            figure = plot_gain(fit, by, tasks=tasks)
            yield Drawing(f"beside_{number}", "beside", caption, figure, before=f"beside_slopes_{number}")


def _panels(fit: FitRecord) -> tuple[str | None, list[str] | None, str]:
    """Return what the panels are, which tasks, and that in words; one panel for a fit of one task."""
    if "task" not in levels(fit):
        return None, None, ""
    tasks, which = panels_of(fit.gains.frame["task"])
    return "task", tasks, f" by task{which}"
