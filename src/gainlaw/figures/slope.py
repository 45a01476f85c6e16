"""Posterior of the slope, with the region of practical equivalence and the share on each side of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.figures.common.arrange import LEVELS, has_slope
from gainlaw.figures.common.exhibit import Basis, Drawing
from gainlaw.figures.common.style import (
    ACCENT,
    GREY,
    INK,
    SINGLE,
    WARM,
    PaperFigure,
    finish,
    new_figure,
    note_size,
    style,
)
from gainlaw.formats import percent, tails
from gainlaw.scales import SCALES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gainlaw.fitting.record import FitRecord

__all__ = ["draw_slope", "exhibits", "plot_slope", "slope_data"]

_NAMES = {"overall": "overall: the groups observed", "population": "population: new groups, on average"}


def plot_slope(fit: FitRecord, *, rope: tuple[float, float] | None = None) -> PaperFigure:
    """Plot the posterior of the slope over the observed groups and for the population.

    Parameters
    ----------
    fit : Fit
        A fit.
    rope : (float, float), optional
        Slopes that are as good as none, in the unit of the fit; (-1, 1) on points and (-0.1, 0.1) on log-odds
        unless given.

    Returns
    -------
    PaperFigure
        Its `plot_data` has the layers `density` and `share`.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> figure = plot_slope(fit, rope=(-1, 1))  # doctest: +SKIP
    >>> figure.plot_data.head()  # doctest: +SKIP
    """
    if rope is None:
        rope = (-SCALES[fit.scale].point, SCALES[fit.scale].point)
    return draw_slope(
        slope_data(fit),
        rope=rope,
        unit=SCALES[fit.scale].per_decade,
        ci_prob=fit.ci_prob,
        digits=fit.spec.decimals(2),
    )


def slope_data(fit: FitRecord) -> dict[str, np.ndarray]:
    """Return the draws of the slope by level.

    Returns
    -------
    dict of str to numpy.ndarray, shape (draws,)
        For `overall` and `population`.
    """
    from gainlaw.posterior.levels import gain_curve

    return {level: gain_curve(fit, level=level).slope() for level in ("overall", "population")}


def draw_slope(
    draws: Mapping[str, np.ndarray],
    *,
    rope: tuple[float, float],
    unit: str = "points per decade",
    ci_prob: float = 0.95,
    digits: int = 2,
) -> PaperFigure:
    """Draw the posteriors of the slope from their draws.

    Parameters
    ----------
    draws : mapping of str to numpy.ndarray, shape (draws,)
        By level.
    rope : (float, float)
        The region of practical equivalence.
    unit : str
        Unit of the slope.
    ci_prob : float
        Probability of the interval.
    digits : int
        Decimals of the mean in words, see `gainlaw.formats.decimals`.

    Returns
    -------
    PaperFigure
    """
    tails = np.concatenate([np.quantile(values, [0.002, 0.998]) for values in draws.values()])
    low, high = min(tails.min(), rope[0]), max(tails.max(), rope[1])
    pad = 0.05 * (high - low)
    grid = np.linspace(low - pad, high + pad, 400)
    densities, shares = [], []
    for level, values in draws.items():
        densities.append(pd.DataFrame({"level": level, "slope": grid, "density": _density(values, grid)}))
        shares.append(_shares(level, values, rope, ci_prob))
    density, share = pd.concat(densities, ignore_index=True), pd.DataFrame(shares)
    with style():
        figure, grid_axes = new_figure(SINGLE, 0.5 + 1.15 * len(draws), len(draws), 1, sharex=True)
        for axes, row, color in zip(grid_axes[:, 0], shares, (ACCENT, WARM), strict=False):
            _draw_level(axes, density[density["level"] == row["level"]], row, rope, color)
        grid_axes[-1, 0].set_xlabel(f"slope ({unit})")
        grid_axes[0, 0].set_xlim(grid[0], grid[-1])
    alt = f"Posterior of the slope in {unit}; from {rope[0]:g} to {rope[1]:g} it counts as none. " + " ".join(
        f"{str(row['level']).capitalize()}: mean {row['mean']:.{digits}f}, {100 * float(row['below']):.1f}% below, "
        f"{100 * float(row['inside']):.1f}% inside, {100 * float(row['above']):.1f}% above."
        for row in shares
    )
    return finish(figure, {"density": density, "share": share}, alt)


def _shares(
    level: str, values: np.ndarray, rope: tuple[float, float], ci_prob: float
) -> dict[str, float | str]:
    low, high = np.quantile(values, tails(ci_prob))
    return {
        "level": level,
        "mean": float(values.mean()),
        "ci_low": float(low),
        "ci_high": float(high),
        "below": float((values < rope[0]).mean()),
        "inside": float(((values >= rope[0]) & (values <= rope[1])).mean()),
        "above": float((values > rope[1]).mean()),
    }


def _density(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return a Gaussian kernel density of the draws, with Silverman's width, from at most 4,000 of them."""
    kept = np.sort(values)[:: max(1, len(values) // 4000)]
    spread = min(kept.std(), (np.quantile(kept, 0.75) - np.quantile(kept, 0.25)) / 1.34) or kept.std() or 1e-9
    width = 0.9 * spread * len(kept) ** -0.2
    steps = (grid[:, None] - kept[None, :]) / width
    return np.exp(-0.5 * steps**2).mean(axis=1) / (width * np.sqrt(2 * np.pi))


def _percent(share: float) -> str:
    """Write a share in percent; one that would round to nothing or all without being certain is a bound."""
    if share < 0.0005:
        return "< 0.1%"
    return "> 99.9%" if share > 0.9995 else f"{100 * share:.1f}%"


def _draw_level(axes: Axes, density: pd.DataFrame, row: dict, rope: tuple[float, float], color: str) -> None:
    x, y = density["slope"].to_numpy(), density["density"].to_numpy()
    axes.axvspan(*rope, color=GREY, alpha=0.22, linewidth=0, zorder=1)
    axes.axvline(0, color=INK, linewidth=0.6, zorder=2)
    axes.fill_between(x, y, color=color, alpha=0.3, zorder=3)
    axes.plot(x, y, color=color, linewidth=1.1, zorder=4)
    axes.plot(
        [row["ci_low"], row["ci_high"]],
        [0, 0],
        color=color,
        linewidth=3,
        solid_capstyle="butt",
        zorder=5,
        clip_on=False,
    )
    axes.plot(
        row["mean"], 0, "o", color="white", markeredgecolor=color, markersize=4, zorder=6, clip_on=False
    )
    axes.set_ylim(0, 1.45 * y.max())
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_title(_NAMES.get(row["level"], row["level"]))
    words = (
        (0.0, "left", f"below: {_percent(row['below'])}"),
        (0.5, "center", f"in ROPE: {_percent(row['inside'])}"),
        (1.0, "right", f"above: {_percent(row['above'])}"),
    )
    for place, align, text in words:
        axes.annotate(
            text, (place, 0.97), xycoords="axes fraction", ha=align, va="top", fontsize=note_size(), color=INK
        )


def exhibits(basis: Basis) -> Iterator[Drawing]:
    """Yield the posterior of the slope, where the main fit has one."""
    main = basis.fits.main
    if has_slope(main):
        caption = (
            "Posterior of the slope over the groups observed (top) and for the population (bottom). Grey: "
            f"the region of practical equivalence; bar: {percent(main.ci_prob)} interval; dot: mean."
        )
        yield Drawing("slope", "results", caption, plot_slope(main), before=f"slopes_{LEVELS[0]}")
