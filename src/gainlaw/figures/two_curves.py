"""Untuned and tuned scores against model size under a law of scores, and the gain between them below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.figures.common.arrange import levels
from gainlaw.figures.common.exhibit import Basis, Drawing
from gainlaw.figures.common.spots import Mark
from gainlaw.figures.common.style import (
    COLORS,
    DOUBLE,
    INK,
    SINGLE,
    PaperFigure,
    finish,
    new_figure,
    panel_title,
    params_axis,
    style,
)
from gainlaw.formats import MINUS, format_number, percent, tails
from gainlaw.scores.metrics import metric_facts
from gainlaw.sizes import format_params
from gainlaw.tasks import task_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gainlaw.fitting.record import FitRecord

__all__ = ["draw_two_curves", "exhibits", "plot_two_curves", "two_curves_data"]

#: What is drawn: its row, its line and the marker of what was observed.
_KINDS: Mapping[str, tuple[int, Literal["--", "-"], str]] = MappingProxyType(
    {"untuned": (0, "--", "o"), "tuned": (0, "-", "D"), "gain": (1, "-", "D")}
)


def plot_two_curves(
    fit: FitRecord, by: str = "model_family", *, panels: str | None = None, points: int = 40
) -> PaperFigure:
    """Plot untuned and tuned scores against size under the law, and below them the gain, a colour for each group.

    Parameters
    ----------
    fit : Fit
        A fit of a law of scores.
    by : str
        The column of the gains whose groups have a curve each: ``model_family``, ``task``, ...
    panels : str, optional
        A column that says in which panel a group stands, such as ``study``; by default all share one.
    points : int
        Sizes at which the curves are evaluated.

    Returns
    -------
    PaperFigure
        Its `plot_data` has the layers `band` and `cell`, see `two_curves_data`.

    Raises
    ------
    InputError
        For another law, a column that the gains do not have, or a group that stands in several panels.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("flan").pool("benchmark"), law="two_curve")  # doctest: +SKIP
    >>> plot_two_curves(fit).alt  # doctest: +SKIP
    """
    return draw_two_curves(*two_curves_data(fit, by, panels=panels, points=points))


def two_curves_data(
    fit: FitRecord, by: str = "model_family", *, panels: str | None = None, points: int = 40
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the curves and the observed scores behind them, in points.

    Curve and observations of a group are means over the same combinations of the other labels, with the same weight
    each: those that were observed at all its sizes, or, where there are none such, all.

    Parameters
    ----------
    fit, by, panels, points
        As for `plot_two_curves`.

    Returns
    -------
    bands : pandas.DataFrame
        panel, group, kind ("untuned", "tuned" or "gain"), params, mean, ci_low, ci_high, ci_prob.
    cells : pandas.DataFrame
        panel, group, kind, params, value: one row for each size of a group.
    """
    from gainlaw.posterior.grid import SELECTABLE
    from gainlaw.posterior.score_curves import score_curves

    if not fit.law.form.scores:
        what = f"the {fit.law.name} law has no curve of untuned scores"
        raise InputError(Problem(what, hint="fit law=two_curve"))
    frame = fit.gains.frame
    for column in [by, *([panels] if panels else [])]:
        if column not in frame:
            known = [name for name in SELECTABLE if name in frame]
            raise InputError(
                Problem(f"the gains have no column {column!r}", hint=f"one of {', '.join(known)}")
            )
    labels = [name for name in SELECTABLE if name in frame and name != by]
    scores = ["baseline_score", "intermediate_score"]
    seen = frame.assign(**{name: frame[name] / metric_facts(frame).of_rows("point") for name in scores})
    bands, cells = [], []
    for group, part in seen.groupby(by, sort=True):
        place = part[panels].astype(str).unique() if panels else [""]
        if len(place) > 1:
            what = f"{by} {group} stands in several panels: {', '.join(place)}"
            raise InputError(Problem(what, hint=f"panels by a column that each {by} has one value of"))
        keys = part[labels].astype(str).agg(" | ".join, axis=1) if labels else pd.Series("", part.index)
        throughout = part.groupby(keys)["params"].transform("nunique") == part["params"].nunique()
        part = part[throughout] if throughout.any() else part
        combinations = part[labels].astype(str).drop_duplicates()
        curves = [
            score_curves(fit, {by: str(group), **dict(zip(labels, each, strict=True))})
            for each in combinations.itertuples(index=False)
        ]
        sizes = np.geomspace(part["params"].min(), part["params"].max(), points)
        untuned, tuned = np.mean([curve.scores(sizes) for curve in curves], axis=0)
        means = part.groupby("params")[scores].mean().set_axis(["untuned", "tuned"], axis=1)
        means["gain"] = means["tuned"] - means["untuned"]
        for kind, draws in (("untuned", untuned), ("tuned", tuned), ("gain", tuned - untuned)):
            low, high = np.quantile(draws, tails(fit.ci_prob), axis=0)
            told = {"panel": place[0], "group": str(group), "kind": kind}
            ends = {"mean": draws.mean(axis=0), "ci_low": low, "ci_high": high, "ci_prob": fit.ci_prob}
            bands.append(pd.DataFrame({**told, "params": sizes, **ends}))
            cells.append(pd.DataFrame({**told, "params": means.index, "value": means[kind].to_numpy()}))
    return pd.concat(bands, ignore_index=True), pd.concat(cells, ignore_index=True)


def draw_two_curves(bands: pd.DataFrame, cells: pd.DataFrame) -> PaperFigure:
    """Draw the curves from their numbers.

    Parameters
    ----------
    bands, cells : pandas.DataFrame
        As `two_curves_data` returns them.

    Returns
    -------
    PaperFigure
    """
    panels = list(dict.fromkeys(bands["panel"]))
    with style():
        figure, grid = new_figure(
            DOUBLE if len(panels) > 1 else SINGLE, 4.4, 2, len(panels), sharex="col", sharey="row"
        )
        for column, panel in enumerate(panels):
            band, cell = (each[each["panel"] == panel] for each in (bands, cells))
            groups = list(dict.fromkeys(band["group"]))
            for group, color in zip(groups, COLORS * len(groups), strict=False):
                for kind in _KINDS:
                    _draw_kind(
                        grid[_KINDS[kind][0], column],
                        *(each[(each["group"] == group) & (each["kind"] == kind)] for each in (band, cell)),
                        kind=kind,
                        color=color,
                    )
            top, below = grid[:, column]
            top.set_title(panel_title(panel, len(panels)))
            below.axhline(0, color=INK, linewidth=0.6, zorder=1)
            params_axis(below, band["params"].to_numpy(), label=False)
            _legend(top, groups, lines=column == 0)
            for axes in (top, below):
                axes.yaxis.grid(visible=True)
        grid[0, 0].set_ylabel("score (points)")
        grid[1, 0].set_ylabel("gain (points)")
        figure.supxlabel("parameters")
    marks = [
        _marks(grid[row, column], cells[(cells["panel"] == panel) & cells["kind"].isin(kinds)])
        for column, panel in enumerate(panels)
        for row, kinds in enumerate((("untuned", "tuned"), ("gain",)))
    ]
    return finish(figure, {"band": bands, "cell": cells}, _words(bands), marks)


def _marks(axes: Axes, cells: pd.DataFrame) -> Mark:
    """Say what each point of a panel is: a group's mean at one size."""
    words = [
        f"{task_title(group)}, {format_params(params)}: {kind} {format_number(value, 1, MINUS)} points"
        for group, kind, params, value in cells[["group", "kind", "params", "value"]].itertuples(index=False)
    ]
    return axes, cells["params"], cells["value"], words


def _draw_kind(axes: Axes, band: pd.DataFrame, cell: pd.DataFrame, *, kind: str, color: str) -> None:
    _, line, marker = _KINDS[kind]
    face = "white" if kind == "untuned" else color
    axes.fill_between(band["params"], band["ci_low"], band["ci_high"], color=color, alpha=0.10, linewidth=0)
    axes.plot(band["params"], band["mean"], color=color, linestyle=line, linewidth=1.0, zorder=3)
    axes.scatter(
        cell["params"], cell["value"], s=11, marker=marker, facecolor=face, edgecolor=color, linewidths=0.8, zorder=4
    )  # fmt: skip


def _legend(axes: Axes, groups: Sequence[str], *, lines: bool) -> None:
    """Say which colour is whose, and which of the lines is which."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=color) for color, _ in zip(COLORS * len(groups), groups, strict=False)]
    names = [task_title(group) for group in groups]
    for kind in ("untuned", "tuned") if lines else ():
        _, line, marker = _KINDS[kind]
        face = "white" if kind == "untuned" else INK
        handles.append(
            Line2D([], [], color=INK, linestyle=line, marker=marker, markersize=3.5, markerfacecolor=face)
        )
        names.append(kind)
    axes.legend(handles, names, loc="upper left", fontsize=6, handlelength=2.4, labelspacing=0.25)


def _words(bands: pd.DataFrame) -> str:
    said = ["Untuned and tuned scores against model size, and the gain between them."]
    for group in dict.fromkeys(bands["group"]):
        part = bands[bands["group"] == group].set_index("kind")
        ends = {kind: part.loc[kind, "mean"].iloc[[0, -1]] for kind in _KINDS}
        said.append(
            f"{group}: untuned {ends['untuned'].iloc[0]:.0f} to {ends['untuned'].iloc[1]:.0f}, gain "
            f"{ends['gain'].iloc[0]:.1f} to {ends['gain'].iloc[1]:.1f} points from the smallest size to the largest."
        )
    return " ".join(said)


def exhibits(basis: Basis) -> Iterator[Drawing]:
    """Yield the curves of several studies together, and those of the main fit where its law is one of scores."""
    main, across = basis.fits.main, basis.across
    if across is not None:
        caption = (
            "Untuned and tuned scores of every family of models against size under one law, and the gain between them "
            f"(mean and {percent(across.ci_prob)} bands), each a mean over what was observed at all its sizes."
        )
        figure = plot_two_curves(across, panels=basis.panels)
        yield Drawing("across_scores", "across", caption, figure, before="across_slopes")
    by = next((name for name in ("model_family", "task") if name in levels(main)), None)
    if main.law.form.scores and by is not None:
        caption = (
            "Untuned and tuned scores against model size under the law, and the gain between them (mean and "
            f"{percent(main.ci_prob)} bands), each a mean over what was observed at every size of the curve."
        )
        yield Drawing("two_curves", "results", caption, plot_two_curves(main, by))
