"""Prior beside posterior of the standard deviations: what the data say about the spread of each term."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.figures.common.exhibit import Basis, Drawing
from gainlaw.figures.common.spots import Mark, interval_words
from gainlaw.figures.common.style import ACCENT, DOUBLE, GREY, PaperFigure, finish, new_figure, style
from gainlaw.formats import parameter_title, percent, tails

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["draw_priors", "exhibits", "plot_priors", "priors_data", "priors_frame"]


def plot_priors(fit: FitRecord) -> PaperFigure:
    """Plot the prior and the posterior of the standard deviation of every term.

    Parameters
    ----------
    fit : Fit
        A fit with a prior sample.

    Returns
    -------
    PaperFigure
        Its `plot_data` has the layer `interval`.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> figure = plot_priors(fit)  # doctest: +SKIP
    >>> figure.plot_data.head()  # doctest: +SKIP
    """
    return draw_priors(priors_data(fit), unit=fit.unit, digits=fit.spec.decimals(2))


def priors_data(fit: FitRecord) -> pd.DataFrame:
    """Return prior and posterior intervals of every standard deviation (`priors_frame`) of a fit."""
    posterior, prior = fit.draws["posterior"], fit.draws["prior"]
    names = [name for name in fit.spec.common_names if name.startswith("tau_")]
    names = [name for name in names if name in prior.data_vars]
    return priors_frame(
        {name: np.asarray(prior[name]).ravel() for name in names},
        {name: np.asarray(posterior[name]).ravel() for name in names},
        fit.ci_prob,
    )


def priors_frame(
    prior: dict[str, np.ndarray], posterior: dict[str, np.ndarray], ci_prob: float = 0.95
) -> pd.DataFrame:
    """Summarise prior and posterior draws.

    Parameters
    ----------
    prior, posterior : dict of str to numpy.ndarray, shape (draws,)
        Draws by variable; both have the same names.
    ci_prob : float
        Probability of the wider interval.

    Returns
    -------
    pandas.DataFrame
        variable, source ("prior", "posterior"), median, low50, high50, ci_low, ci_high, ci_prob.

    Examples
    --------
    >>> import numpy as np
    >>> rows = priors_frame({"tau_task": np.linspace(0, 10, 101)}, {"tau_task": np.linspace(0, 2, 101)})
    >>> rows["median"].tolist()
    [5.0, 1.0]
    """
    rows = []
    for name in posterior:
        for source, draws in (("prior", prior[name]), ("posterior", posterior[name])):
            low50, middle, high50, low, high = np.quantile(draws, [0.25, 0.5, 0.75, *tails(ci_prob)])
            ends = {"low50": low50, "high50": high50, "ci_low": low, "ci_high": high, "ci_prob": ci_prob}
            rows.append({"variable": name, "source": source, "median": middle, **ends})
    return pd.DataFrame(rows)


def draw_priors(rows: pd.DataFrame, *, unit: str = "points", digits: int = 2) -> PaperFigure:
    """Draw prior and posterior of the standard deviations from their numbers.

    Parameters
    ----------
    rows : pandas.DataFrame
        As `priors_frame` returns it.
    unit : str
        Unit of the gain.
    digits : int
        Decimals in words, see `gainlaw.formats.decimals`.

    Returns
    -------
    PaperFigure
    """
    names = list(dict.fromkeys(rows["variable"]))
    heights = dict(zip(names, range(len(names))[::-1], strict=True))
    with style():
        figure, grid = new_figure(DOUBLE, 0.7 + 0.27 * max(len(names), 3))
        axes = grid[0, 0]
        axes.xaxis.grid(visible=True)
        marks: list[Mark] = []
        for source, color, shift in (("prior", GREY, 0.16), ("posterior", ACCENT, -0.16)):
            part = rows[rows["source"] == source]
            y = np.array([heights[name] for name in part["variable"]]) + shift
            label = f"{source}, {percent(part['ci_prob'].iloc[0])}" if len(part) else source
            axes.hlines(y, part["ci_low"], part["ci_high"], color=color, linewidth=1.0, label=label)
            axes.hlines(y, part["low50"], part["high50"], color=color, linewidth=3.2, label=f"{source}, 50%")
            axes.scatter(part["median"], y, s=13, color=color, zorder=4, edgecolors="white", linewidths=0.4)
            titles = [f"{parameter_title(name)}, {source}" for name in part["variable"]]
            marks.append((axes, part["median"], y, interval_words(part, titles, digits, "median")))
        axes.set_yticks(list(heights.values()), [parameter_title(name) for name in names])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlim(left=0)
        axes.set_xlabel(f"standard deviation ({unit}; slopes: {unit} per decade)")
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside upper right", ncols=4, handlelength=1.4, columnspacing=1.2
        )
    posterior = rows[rows["source"] == "posterior"]
    alt = f"Prior and posterior of the standard deviations in {unit}. " + " ".join(
        f"{parameter_title(row['variable'])}: posterior median {row['median']:.{digits}f} "
        f"[{row['ci_low']:.{digits}f}, {row['ci_high']:.{digits}f}]."
        for row in posterior.to_dict("records")
    )
    return finish(figure, {"interval": rows}, alt, marks)


def exhibits(basis: Basis) -> Iterator[Drawing]:
    """Yield prior and posterior of the standard deviations."""
    main = basis.fits.main
    caption = (
        f"Prior and posterior of the standard deviations: median, 50% and {percent(main.ci_prob)} interval."
    )
    yield Drawing("priors_figure", "priors", caption, plot_priors(main), before="sensitivity")
