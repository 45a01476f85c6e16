"""Influence of checkpoints: the overall slope with each checkpoint left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.figures.common.arrange import has_slope
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
from gainlaw.formats import MINUS, format_number, percent
from gainlaw.scales import SCALES
from gainlaw.sizes import format_params

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["PARETO_LIMIT", "draw_influence", "exhibits", "influence_data", "plot_influence"]

#: Above this Pareto k the reweighted posterior is not reliable (Vehtari et al. 2024, JMLR 25(72)).
PARETO_LIMIT = 0.7

#: Checkpoints in the figure of a report; its table has all.
_MOST = 20


def plot_influence(fit: FitRecord) -> PaperFigure:
    """Plot the overall slope when each checkpoint in turn is left out.

    Parameters
    ----------
    fit : Fit
        A fit.

    Returns
    -------
    PaperFigure
        Its `plot_data` has the layers `influence` and `full`.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> figure = plot_influence(fit)  # doctest: +SKIP
    >>> figure.plot_data.head()  # doctest: +SKIP
    """
    rows, full = influence_data(fit)
    return draw_influence(rows, full, unit=SCALES[fit.scale].per_decade, digits=fit.spec.decimals(2))


def influence_data(fit: FitRecord) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return the influence table of a fit by size, and the slope on all data.

    Returns
    -------
    rows : pandas.DataFrame
        checkpoint, params, slope_mean, slope_ci_low, slope_ci_high, shift (in posterior standard
        deviations), pareto_k.
    full : dict
        mean, ci_low, ci_high, ci_prob of the overall slope.
    """
    estimates = fit.estimates
    overall = estimates[(estimates["estimand"] == "slope") & (estimates["level"] == "overall")].iloc[0]
    full = {name: float(overall[name]) for name in ("mean", "ci_low", "ci_high", "ci_prob")}
    return fit.diagnostics.influence.sort_values("params", kind="stable").reset_index(drop=True), full


def draw_influence(
    rows: pd.DataFrame, full: dict[str, float], *, unit: str = "points per decade", digits: int = 2
) -> PaperFigure:
    """Draw the influence plot from its numbers.

    Parameters
    ----------
    rows : pandas.DataFrame
        checkpoint, params, slope_mean, slope_ci_low, slope_ci_high, shift, pareto_k.
    full : dict
        mean, ci_low, ci_high, ci_prob of the slope on all data.
    unit : str
        Unit of the slope.
    digits : int
        Decimals in words, see `gainlaw.formats.decimals`.

    Returns
    -------
    PaperFigure
    """
    count = len(rows)
    heights = np.arange(count, dtype=float)
    doubtful = (rows["pareto_k"] > PARETO_LIMIT).to_numpy()
    with style():
        figure, grid = new_figure(
            DOUBLE, 0.75 + 0.21 * max(count, 3), 1, 2, sharey=True, gridspec_kw={"width_ratios": [3.4, 1.5]}
        )
        axes, side = grid[0]
        axes.axvspan(
            full["ci_low"],
            full["ci_high"],
            color="#DDDDDD",
            linewidth=0,
            zorder=0,
            label=f"{percent(full['ci_prob'])}, all data",
        )
        axes.axvline(full["mean"], color=INK, linewidth=0.9, zorder=1, label="mean, all data")
        axes.axvline(0, color=INK, linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)
        for kind, color, marker, label in (
            (~doubtful, ACCENT, "o", "checkpoint left out"),
            (doubtful, WARM, "X", f"left out, Pareto k > {PARETO_LIMIT:g}: do not rely on it"),
        ):
            if kind.any():
                axes.hlines(
                    heights[kind],
                    rows["slope_ci_low"][kind],
                    rows["slope_ci_high"][kind],
                    color=color,
                    linewidth=1.2,
                    zorder=3,
                )
                axes.scatter(
                    rows["slope_mean"][kind],
                    heights[kind],
                    s=22,
                    marker=marker,
                    color=color,
                    zorder=4,
                    label=label,
                    edgecolors="white",
                    linewidths=0.4,
                )
        names = [
            f"without {row['checkpoint']} ({format_params(row['params'])})" for row in rows.to_dict("records")
        ]
        axes.set_yticks(heights, names)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.7, count - 0.3)
        axes.set_xlabel(f"overall slope ({unit})")
        axes.spines["left"].set_visible(False)
        side.set_axis_off()
        side.set_xlim(0, 1)
        for place, text in ((0.45, "shift (s.d.)"), (0.95, "Pareto k")):
            side.annotate(
                text, (place, 1.0), xycoords="axes fraction", ha="right", va="bottom", fontsize=note_size()
            )
        for height, bad, row in zip(heights, doubtful, rows.to_dict("records"), strict=True):
            side.text(
                0.45,
                height,
                format_number(row["shift"], 2, MINUS),
                ha="right",
                va="center_baseline",
                fontsize=note_size(),
            )
            side.text(
                0.95,
                height,
                format_number(row["pareto_k"], 2, MINUS),
                ha="right",
                va="center_baseline",
                fontsize=note_size(),
                color=WARM if bad else INK,
                fontweight="bold" if bad else "normal",
            )
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4, handlelength=1.4, columnspacing=1.2)
    alt = (
        f"Overall slope with each of {count} checkpoints left out; on all data {full['mean']:.{digits}f}. "
        + " ".join(
            f"Without {row['checkpoint']}: {row['slope_mean']:.{digits}f}." for row in rows.to_dict("records")
        )
    )
    said = rows.rename(columns={f"slope_{name}": name for name in ("mean", "ci_low", "ci_high")})
    marks = [(axes, said["mean"], heights, interval_words(said, names, digits))]
    return finish(figure, {"influence": rows, "full": pd.DataFrame([full])}, alt, marks)


def exhibits(basis: Basis) -> Iterator[Drawing]:
    """Yield the influence of each checkpoint, where leaving one out leaves a slope."""
    main = basis.fits.main
    if has_slope(main) and len(main.diagnostics.influence):
        wide = percent(main.ci_prob)
        rows, full = influence_data(main)
        most = rows.loc[sorted(rows["shift"].abs().fillna(np.inf).nlargest(_MOST).index)].reset_index(
            drop=True
        )
        which = f" (the {_MOST} of {len(rows)} that move it most)" if len(rows) > _MOST else ""
        caption = (
            f"Overall slope with each checkpoint left out{which}. Grey: mean and {wide} interval on all data."
        )
        figure = draw_influence(most, full, unit=SCALES[main.scale].per_decade, digits=main.spec.decimals(2))
        yield Drawing("influence", "width", caption, figure, before="influence_table")
