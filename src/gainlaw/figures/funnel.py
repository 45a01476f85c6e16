"""Funnel plot: gains around the law against their standard errors, with the width that sampling alone would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from gainlaw.figures.common.spots import cell_words
from gainlaw.figures.common.style import (
    ACCENT,
    GREY,
    INK,
    SINGLE,
    WARM,
    PaperFigure,
    finish,
    new_figure,
    style,
)
from gainlaw.formats import format_number, percent, tails
from gainlaw.posterior.heterogeneity import term_variances
from gainlaw.posterior.levels import gain_curve
from gainlaw.scales import SCALES

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["draw_funnel", "funnel_data", "plot_funnel"]

#: Standard errors at which the sides of the funnel are computed.
_STEPS = 60


def plot_funnel(fit: FitRecord) -> PaperFigure:
    """Plot every gain less the overall law at its size against its standard error.

    Between the solid lines lies the share `ci_prob` of the gains if sampling error were all that sets them apart from
    the law, between the dashed ones if the terms of the model are added (the median of their variance, see
    `gainlaw.posterior.heterogeneity`). Gains that are missing on one side among the large standard errors speak for
    selective reporting, though other causes look alike (Sterne et al. 2011, doi 10.1136/bmj.d4002).

    Parameters
    ----------
    fit : Fit
        A fit.

    Returns
    -------
    PaperFigure
        Its `plot_data` has the layers `cell` and `side`.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> figure = plot_funnel(fit)  # doctest: +SKIP
    """
    cells, sides = funnel_data(fit)
    return draw_funnel(cells, sides, unit=SCALES[fit.scale].axis, digits=fit.spec.decimals())


def funnel_data(fit: FitRecord) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the points and the sides of a funnel plot.

    Parameters
    ----------
    fit : Fit
        A fit.

    Returns
    -------
    cells : pandas.DataFrame
        away (the gain less the posterior mean of the overall law at its size), se, and the labels of each row.
    sides : pandas.DataFrame
        se, sampling and model (half widths of the funnel by sampling error alone and with the model's terms), ci_prob.
    """
    frame = fit.gains.frame
    sizes = frame["params"].to_numpy(float) if fit.law.has_slope else np.full(len(frame), 1e9)
    distinct, where = np.unique(sizes, return_inverse=True)
    expected = gain_curve(fit, level="overall").gain(distinct).mean(axis=0)[where]
    labels = [name for name in ("checkpoint", "params", "task", "language", "intermediate") if name in frame]
    cells = frame[labels].assign(
        away=frame["gain"].to_numpy(float) - expected, se=frame["se"].to_numpy(float)
    )
    spread = float(np.median(np.sum(list(term_variances(fit).values()), axis=0)))
    se = np.linspace(0.0, 1.05 * cells["se"].max(), _STEPS)
    wide = float(ndtri(tails(fit.ci_prob)[1]))
    sides = pd.DataFrame(
        {"se": se, "sampling": wide * se, "model": wide * np.sqrt(se**2 + spread), "ci_prob": fit.ci_prob}
    )
    return cells, sides


def draw_funnel(
    cells: pd.DataFrame, sides: pd.DataFrame, *, unit: str = "percentage points", digits: int = 1
) -> PaperFigure:
    """Draw a funnel plot from its numbers.

    Parameters
    ----------
    cells, sides : pandas.DataFrame
        As `funnel_data` returns them.
    unit : str
        The unit of the gain.
    digits : int
        Decimals in words, see `gainlaw.formats.decimals`.

    Returns
    -------
    PaperFigure
    """
    inside = float((cells["away"].abs() <= np.interp(cells["se"], sides["se"], sides["sampling"])).mean())
    wide = percent(sides["ci_prob"].iloc[0])
    with style():
        figure, grid = new_figure(SINGLE, 2.7)
        axes = grid[0, 0]
        axes.axvline(0, color=INK, linewidth=0.6, zorder=1)
        axes.scatter(cells["away"], cells["se"], s=7, color=GREY, alpha=0.6, linewidths=0, zorder=3)
        for name, color, dashes, label in (
            ("sampling", ACCENT, "-", f"{wide}, sampling alone"),
            ("model", WARM, (0, (4, 2)), f"{wide}, with the model's terms"),
        ):
            for side in (-1.0, 1.0):
                shown = label if side > 0 else None
                axes.plot(
                    side * sides[name], sides["se"], color=color, linestyle=dashes, label=shown, zorder=4
                )
        axes.set_ylim(float(sides["se"].iloc[-1]), 0.0)
        axes.set_xlabel(f"gain less the overall law ({unit})")
        axes.set_ylabel(f"standard error ({unit})")
        figure.legend(loc="outside upper center", ncols=2, handlelength=1.8, columnspacing=1.2)
    away = cells.rename(columns={"away": "gain"}).drop(columns="se")
    words = [f"{word} from the overall law" for word in cell_words(away, digits)]
    alt = (
        f"Funnel plot of {len(cells)} gains around the overall law: standard errors from "
        f"{format_number(cells['se'].min(), digits + 1)} to {format_number(cells['se'].max(), digits + 1)} {unit}; "
        f"{percent(round(inside, 3))} of the gains lie where sampling error alone would put {wide}."
    )
    return finish(figure, {"cell": cells, "side": sides}, alt, [(axes, cells["away"], cells["se"], words)])
