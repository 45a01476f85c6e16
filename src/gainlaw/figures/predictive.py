"""The posterior predictive check as a figure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.figures.common.exhibit import Basis, Drawing
from gainlaw.figures.common.spots import Mark, interval_words
from gainlaw.figures.common.style import ACCENT, DOUBLE, INK, WARM, PaperFigure, finish, new_figure, style
from gainlaw.sizes import format_params

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["draw_predictive", "exhibits", "plot_predictive"]


def plot_predictive(fit: FitRecord) -> PaperFigure:
    """Plot the observed mean and spread of each checkpoint's gains beside what the model replicates.

    Parameters
    ----------
    fit : Fit
        A fit with a posterior predictive sample.

    Returns
    -------
    PaperFigure
        Its `plot_data` has the layer `check`.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> figure = plot_predictive(fit)  # doctest: +SKIP
    >>> figure.plot_data.head()  # doctest: +SKIP
    """
    from gainlaw.fitting.checks.predictive import predictive_data

    return draw_predictive(predictive_data(fit), unit=fit.unit, digits=fit.spec.decimals())


def draw_predictive(check: pd.DataFrame, *, unit: str = "points", digits: int = 1) -> PaperFigure:
    """Draw the posterior predictive check from its numbers.

    Parameters
    ----------
    check : pandas.DataFrame
        As `gainlaw.fitting.checks.predictive.predictive_data` returns it.
    unit : str
        Unit of the gain.
    digits : int
        Decimals in words, see `gainlaw.formats.decimals`.

    Returns
    -------
    PaperFigure
    """
    titles = {"mean": "mean of a checkpoint", "sd": "spread within a checkpoint"}
    shown = [name for name in titles if (check["statistic"] == name).any()]
    count = int(check["checkpoint"].nunique())
    with style():
        figure, grid = new_figure(DOUBLE, 0.75 + 0.19 * max(count, 4), 1, len(shown), sharey=True)
        marks: list[Mark] = []
        for axes, name in zip(grid[0], shown, strict=True):
            rows = check[check["statistic"] == name]
            heights = np.arange(len(rows))
            axes.xaxis.grid(visible=True)
            axes.hlines(
                heights, rows["low95"], rows["high95"], color=ACCENT, linewidth=1.0, label="95% replicated"
            )
            axes.hlines(
                heights,
                rows["low50"],
                rows["high50"],
                color=ACCENT,
                linewidth=3.5,
                alpha=0.55,
                label="50% replicated",
            )
            axes.scatter(
                rows["observed"],
                heights,
                marker="D",
                s=18,
                color=WARM,
                zorder=5,
                label="observed",
                edgecolors="white",
                linewidths=0.4,
            )
            axes.set_yticks(heights, [_label(row) for row in rows.to_dict("records")])
            axes.tick_params(axis="y", length=0)
            axes.set_ylim(-0.6, len(rows) - 0.4)
            axes.set_title(titles[name])
            said = rows.rename(columns={"low95": "ci_low", "high95": "ci_high"})
            names = [f"{_label(row)}, observed and 95% replicated" for row in rows.to_dict("records")]
            marks.append((axes, rows["observed"], heights, interval_words(said, names, digits, "observed")))
            axes.set_xlabel(f"{'standard deviation of the gains' if name == 'sd' else 'mean gain'} ({unit})")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=3)
        for axes in grid[0]:
            axes.spines["left"].set_color(INK)
    outside = check[(check["observed"] < check["low95"]) | (check["observed"] > check["high95"])]
    alt = (
        f"Observed and replicated mean and spread of the gains of {count} checkpoints; "
        f"{len(outside)} of {len(check)} observed values lie outside the 95% interval of the replications."
    )
    return finish(figure, {"check": check}, alt, marks)


def _label(row: dict) -> str:
    return f"{row['checkpoint']} ({format_params(row['params'])})"


def exhibits(basis: Basis) -> Iterator[Drawing]:
    """Yield the posterior predictive check, where checkpoints are known."""
    main = basis.fits.main
    if main.n_checkpoints:
        caption = "Observed mean and spread of the gains of each checkpoint beside what the model replicates."
        yield Drawing("predictive", "diagnostics", caption, plot_predictive(main))
