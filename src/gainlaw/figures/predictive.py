"""Posterior predictive check: the observed mean gain of every checkpoint against replicated studies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.figures.style import ACCENT, DOUBLE, INK, WARM, PaperFigure, finish, new_figure, style
from gainlaw.tables.formats import format_params

if TYPE_CHECKING:
    from gainlaw.fitting import Fit

__all__ = ["draw_predictive", "plot_predictive", "predictive_data", "predictive_frame"]


def plot_predictive(fit: Fit) -> PaperFigure:
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
    return draw_predictive(predictive_data(fit), unit=fit.unit)


def predictive_data(fit: Fit) -> pd.DataFrame:
    """Return observed and replicated statistics by checkpoint (`predictive_frame`) for a fit."""
    replicated = np.asarray(fit.posterior["posterior_predictive"]["gain"])
    observed = np.asarray(fit.posterior["observed_data"]["gain"])
    cells = fit.gains.frame
    return predictive_frame(
        observed,
        replicated.reshape(-1, observed.size),
        cells["checkpoint"].astype(str).to_numpy(),
        cells["params"].to_numpy(dtype=float),
    )


def predictive_frame(
    observed: np.ndarray, replicated: np.ndarray, checkpoint: np.ndarray, params: np.ndarray
) -> pd.DataFrame:
    """Compare the mean and the standard deviation of each checkpoint's gains with their replications.

    Parameters
    ----------
    observed : numpy.ndarray, shape (n,)
        Gains.
    replicated : numpy.ndarray, shape (draws, n)
        Posterior predictive draws of the same gains.
    checkpoint : numpy.ndarray of str, shape (n,)
        The checkpoint of each row.
    params : numpy.ndarray, shape (n,)
        Its size.

    Returns
    -------
    pandas.DataFrame
        statistic ("mean", "sd"), checkpoint, params, observed, median, low50, high50, low95, high95, and
        `p`, the share of replications above the observed value, by size.

    References
    ----------
    .. [1] Gelman, Meng and Stern (1996), Posterior predictive assessment of model fitness via realized
       discrepancies, Statistica Sinica 6, 733-760.

    Examples
    --------
    >>> import numpy as np
    >>> replicated = np.random.default_rng(0).normal(size=(1000, 4))
    >>> names, sizes = np.array(["a", "a", "b", "b"]), np.array([1e9, 1e9, 1e10, 1e10])
    >>> frame = predictive_frame(np.zeros(4), replicated, names, sizes)
    >>> frame[["statistic", "checkpoint", "observed"]].values.tolist()
    [['mean', 'a', 0.0], ['mean', 'b', 0.0]]
    """
    rows = []
    for name, spread in (("mean", np.mean), ("sd", np.std)):
        for label in dict.fromkeys(checkpoint[np.argsort(params, kind="stable")]):
            kept = checkpoint == label
            if name == "sd" and kept.sum() < 3:
                continue
            value, draws = float(spread(observed[kept])), spread(replicated[:, kept], axis=1)
            low95, low50, middle, high50, high95 = np.quantile(draws, [0.025, 0.25, 0.5, 0.75, 0.975])
            rows.append(
                {
                    "statistic": name,
                    "checkpoint": label,
                    "params": float(params[kept][0]),
                    "observed": value,
                    "median": middle,
                    "low50": low50,
                    "high50": high50,
                    "low95": low95,
                    "high95": high95,
                    "p": float((draws > value).mean()),
                }
            )
    return pd.DataFrame(rows)


def draw_predictive(check: pd.DataFrame, *, unit: str = "points") -> PaperFigure:
    """Draw the posterior predictive check from its numbers.

    Parameters
    ----------
    check : pandas.DataFrame
        As `predictive_frame` returns it.
    unit : str
        Unit of the gain.

    Returns
    -------
    PaperFigure
    """
    titles = {"mean": "mean of a checkpoint", "sd": "spread within a checkpoint"}
    shown = [name for name in titles if (check["statistic"] == name).any()]
    count = int(check["checkpoint"].nunique())
    with style():
        figure, grid = new_figure(DOUBLE, 0.75 + 0.19 * max(count, 4), 1, len(shown), sharey=True)
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
    return finish(figure, {"check": check}, alt)


def _label(row: dict) -> str:
    return f"{row['checkpoint']} ({format_params(row['params'])})"
