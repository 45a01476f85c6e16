"""Forest plot: the slope of every group of a level, with the overall and the population rows marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gainlaw.figures.common.arrange import has_slope, levels
from gainlaw.figures.common.exhibit import Basis, Drawing
from gainlaw.figures.common.spots import interval_words
from gainlaw.figures.common.style import (
    ACCENT,
    DOUBLE,
    INK,
    WARM,
    PaperFigure,
    finish,
    new_figure,
    note_size,
    style,
)
from gainlaw.formats import MINUS, format_interval, format_number, format_probability, level_title, percent
from gainlaw.scales import SCALES
from gainlaw.tables.estimates import group_labels
from gainlaw.tasks import task_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gainlaw.fitting.record import FitRecord

__all__ = ["alike", "draw_forest", "exhibits", "forest_data", "plot_forest"]

#: The columns of numbers beside the intervals: where (0 to 1), how they are set, their head, and their text in a row of
#: `forest_data`.
_COLUMNS: tuple[tuple[float, str, str, Callable[[dict[Any, Any], int], str]], ...] = (
    (
        0.0,
        "left",
        "mean [{wide} interval]",
        lambda row, digits: (
            f"{format_number(row['mean'], digits, MINUS)} "
            f"{format_interval(row['ci_low'], row['ci_high'], digits, MINUS)}"
        ),
    ),
    (0.66, "right", "P(> 0)", lambda row, _: format_probability(row["p_positive"])),
    (0.83, "right", "lang.", lambda row, _: format_number(row["n_languages"], 0)),
    (1.0, "right", "ckpt.", lambda row, _: format_number(row["n_checkpoints"], 0)),
)

#: So many groups whose means lie within this share of an interval's width are not drawn in a report.
MANY, ALIKE = 8, 0.15

_TOP = {"population": "population", "overall": "overall"}


def plot_forest(fit: FitRecord, level: str = "task", estimand: str = "slope") -> PaperFigure:
    """Plot an estimand for every group of a level, with posterior intervals of 50% and of the fit's `ci_prob`.

    Parameters
    ----------
    fit : Fit
        A fit.
    level : {"task", "language_family", "language", "intermediate", "model_family"}
        The groups.
    estimand : {"slope", "gain"}
        Slope per decade of parameters, or the gain at one billion parameters.

    Returns
    -------
    PaperFigure
        Its `plot_data` has the layer `interval`.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> figure = plot_forest(fit, level="language_family")  # doctest: +SKIP
    >>> figure.plot_data.head()  # doctest: +SKIP
    """
    unit = SCALES[fit.scale].per_decade if estimand == "slope" else fit.unit
    rows = forest_data(fit, level, estimand)
    return draw_forest(rows, unit=f"{estimand} ({unit})", digits=fit.spec.decimals())


def forest_data(fit: FitRecord, level: str = "task", estimand: str = "slope") -> pd.DataFrame:
    """Return the rows of a forest plot.

    Parameters
    ----------
    fit, level, estimand
        As for `plot_forest`.

    Returns
    -------
    pandas.DataFrame
        level, group, label, mean, low50, high50, ci_low, ci_high, ci_prob, p_positive, n_languages,
        n_checkpoints, n_rows; groups by their mean, then the overall and the population rows.

    Raises
    ------
    InputError
        If the fit has no such level.
    """
    from gainlaw.errors import InputError, Problem
    from gainlaw.posterior.levels import gain_curve

    cells = fit.gains.frame
    if level not in cells:
        raise InputError(Problem(f"the fit has no level {level!r}", hint="a column of its gains"))
    chosen = [(level, group) for group in sorted(cells[level].astype(str).unique())]
    labels = group_labels(fit)
    prob = fit.ci_prob
    tail = (1 - prob) / 2
    rows = []
    for name, group in [*chosen, ("overall", ""), ("population", "")]:
        where: dict[str, Any] = {name: group} if group else {"level": name}
        line = gain_curve(fit, **where)
        draws = line.slope() if estimand == "slope" else line.gain(np.array([1e9]))[:, 0]
        kept = cells[cells[level].astype(str) == group] if group else cells
        low, low50, high50, high = np.quantile(draws, [tail, 0.25, 0.75, 1 - tail])
        rows.append(
            {
                "level": name,
                "group": group,
                "label": labels.get(group, task_title(group)) if group else _TOP[name],
                "mean": float(draws.mean()),
                "low50": low50,
                "high50": high50,
                "ci_low": low,
                "ci_high": high,
                "ci_prob": prob,
                "p_positive": float((draws > 0).mean()),
                "n_languages": kept["language"].nunique() if "language" in kept else np.nan,
                "n_checkpoints": kept["checkpoint"].nunique() if "checkpoint" in kept else np.nan,
                "n_rows": len(kept),
            }
        )
    frame = pd.DataFrame(rows)
    groups = frame["level"] == level
    return pd.concat([frame[groups].sort_values("mean", ascending=False), frame[~groups]], ignore_index=True)


def alike(rows: pd.DataFrame, level: str) -> bool:
    """Return whether so many groups differ so little that a picture of them says one thing over and over.

    Parameters
    ----------
    rows : pandas.DataFrame
        As `forest_data` returns it.
    level : str
        The groups.
    """
    groups = rows[rows["level"] == level]
    width = float((groups["ci_high"] - groups["ci_low"]).median())
    return len(groups) >= MANY and float(np.ptp(groups["mean"])) < ALIKE * width


def draw_forest(
    rows: pd.DataFrame,
    *,
    unit: str = "slope (points per decade)",
    digits: int = 1,
    beside: pd.DataFrame | None = None,
) -> PaperFigure:
    """Draw a forest plot from its numbers.

    Parameters
    ----------
    rows : pandas.DataFrame
        As `forest_data` returns it, from top to bottom.
    unit : str
        The label of the horizontal axis.
    digits : int
        Decimals in words, see `gainlaw.formats.decimals`; small numbers get one more beside the intervals.
    beside : pandas.DataFrame, optional
        The same groups on another scale: kept with the numbers, not drawn.

    Returns
    -------
    PaperFigure
    """
    count = len(rows)
    with style():
        figure, grid = new_figure(
            DOUBLE,
            0.62 + 0.21 * count,
            1,
            2,
            sharey=True,
            gridspec_kw={"width_ratios": [3.2, 2.0 * note_size() / 7]},
        )
        axes, side = grid[0]
        heights = np.arange(count)[::-1].astype(float)
        top = rows["level"].isin(list(_TOP)).to_numpy()
        heights[~top] += 0.5
        axes.axvline(0, color=INK, linewidth=0.6, zorder=1)
        axes.xaxis.grid(visible=True)
        for height, marked, row in zip(heights, top, rows.to_dict("records"), strict=True):
            color = WARM if marked else ACCENT
            axes.plot([row["ci_low"], row["ci_high"]], [height, height], color=color, linewidth=1.0, zorder=3)
            axes.plot(
                [row["low50"], row["high50"]],
                [height, height],
                color=color,
                linewidth=3.2,
                solid_capstyle="butt",
                zorder=4,
            )
            axes.plot(
                row["mean"],
                height,
                marker="D" if marked else "o",
                color=color,
                markersize=4.5,
                zorder=5,
                markeredgecolor="white",
                markeredgewidth=0.5,
            )
        if top.any() and not top.all():
            axes.axhline(
                float(heights[top].max()) + 0.75, color="#B0B0B0", linewidth=0.6, linestyle=(0, (4, 3))
            )
        axes.set_yticks(heights, list(rows["label"]))
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.7, float(heights.max()) + 0.7)
        axes.set_xlabel(unit)
        axes.spines["left"].set_visible(False)
        _draw_numbers(side, rows, heights, digits)
    alt = f"Forest plot of the {unit}: " + "; ".join(
        f"{row['label']} {row['mean']:.{digits}f} [{row['ci_low']:.{digits}f}, {row['ci_high']:.{digits}f}]"
        for row in rows.to_dict("records")
    )
    marks = [(axes, rows["mean"], heights, interval_words(rows, rows["label"], digits))]
    layers = {"interval": rows} | ({} if beside is None else {"other scale": beside})
    return finish(figure, layers, alt + ".", marks)


def _draw_numbers(axes: Axes, rows: pd.DataFrame, heights: np.ndarray, digits: int) -> None:
    """Write the columns of numbers beside the intervals."""
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    wide = percent(rows["ci_prob"].iloc[0])
    for place, align, head, _ in _COLUMNS:
        axes.annotate(
            head.format(wide=wide),
            (place, 1.0),
            xycoords="axes fraction",
            ha=align,
            va="bottom",
            fontsize=note_size(),
            color="#4D4D4D",
        )
    for height, row in zip(heights, rows.to_dict("records"), strict=True):
        for place, align, _, text in _COLUMNS:
            axes.text(
                place,
                height,
                text(row, digits),
                ha=align,
                va="center_baseline",
                fontsize=note_size(),
                color=INK,
            )


def _on(fit: FitRecord, level: str, estimand: str) -> pd.DataFrame:
    return forest_data(fit, level, estimand).assign(scale=fit.scale, estimand=estimand)


def exhibits(basis: Basis) -> Iterator[Drawing]:
    """Yield a forest of slopes for every level of the main fit, or of gains where it has no slope."""
    main, wide = basis.fits.main, percent(basis.fits.main.ci_prob)
    estimand = "slope" if has_slope(main) else "gain"
    unit = SCALES[main.scale].per_decade if estimand == "slope" else main.unit
    for level in levels(main, estimand):
        if estimand == "slope":
            caption = (
                f"Slope ({SCALES[main.scale].per_decade}) by {level_title(level)}: mean, 50% and {wide} interval. "
                "Orange: over all groups observed, and the population mean."
            )
        else:
            caption = f"Gain ({main.unit}) by {level_title(level)}: mean, 50% and {wide} interval."
        rows, other = _on(main, level, estimand), None
        if alike(rows, level):
            continue
        if basis.fits.twin is not None and level in levels(basis.fits.twin, estimand):
            other = _on(basis.fits.twin, level, estimand)
        figure = draw_forest(rows, unit=f"{estimand} ({unit})", digits=main.spec.decimals(), beside=other)
        yield Drawing(f"forest_{level}", "results", caption, figure, before=f"slopes_{level}")
