"""The compute-optimal frontier: best size and tokens against compute, and what the law predicts there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.figures.common.style import (
    ACCENT,
    DOUBLE,
    GREY,
    INK,
    WARM,
    PaperFigure,
    finish,
    log_axis,
    new_figure,
    style,
)
from gainlaw.formats import format_general, percent
from gainlaw.sizes import format_params

if TYPE_CHECKING:
    from gainlaw.curves.frontier import Frontier

__all__ = ["plot_frontier"]

_POINTS = 25


def plot_frontier(frontier: Frontier, compute: list[float]) -> PaperFigure:
    """Plot the frontier from the smallest run to the largest compute asked for, with its intervals.

    Parameters
    ----------
    frontier : Frontier
        The frontier.
    compute : list of float
        Floating-point operations that were asked for; they are marked.

    Returns
    -------
    PaperFigure
        Its `plot_data` has the layers `frontier`, `asked` and `run`.

    Examples
    --------
    >>> import numpy as np
    >>> import gainlaw as gl
    >>> n, d = (each.ravel() for each in np.meshgrid(np.geomspace(1e8, 1e10, 5), np.geomspace(1e9, 1e11, 5)))
    >>> loss = np.log(1.8 + 480 / n**0.35 + 2100 / d**0.37)
    >>> fit = gl.fit_curve({"log_n": np.log(n), "log_d": np.log(d)}, loss, law="chinchilla")
    >>> plot_frontier(fit.frontier(50), [1e22]).plot_data["layer"].unique().tolist()
    ['frontier', 'asked', 'run']
    """
    runs = frontier.runs
    ends = min(runs["compute"].min(), *compute), max(runs["compute"].max(), *compute)
    line, asked = frontier.at(np.geomspace(*ends, _POINTS)), frontier.at(compute)
    label = frontier.fit.points.columns.get("y", "predicted")
    unlogged = label.removeprefix("log(").removesuffix(")") if frontier.fit.points.logged else label
    with style():
        figure, grid = new_figure(DOUBLE, 2.6, 1, 3)
        for axes, name, title in zip(
            grid[0], ("params", "tokens", "value"), ("parameters", "tokens", unlogged), strict=True
        ):
            axes.scatter(runs["compute"], runs[name], s=4, color=GREY, label="runs", zorder=2, linewidths=0)
            axes.fill_between(
                line["compute"], line[f"{name}_low"], line[f"{name}_high"], color=ACCENT, alpha=0.3,
                label=f"{percent(frontier.fit.ci_prob)} interval", zorder=3, linewidth=0,
            )  # fmt: skip
            axes.plot(line["compute"], line[name], color=ACCENT, label="compute-optimal", zorder=4)
            axes.axvline(runs["compute"].max(), color=INK, linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)
            axes.scatter(
                asked["compute"], asked[name], s=18, marker="D", color=WARM, label="asked for", zorder=5
            )
            log_axis(axes, "x", np.array(ends), "compute (FLOP)")
            if name == "value":
                axes.set_ylabel(title)
            else:
                shown = pd.concat([line[name], runs[name]]).to_numpy()
                log_axis(axes, "y", shown, title, write=format_params)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4, columnspacing=1.2)
    alt = "Compute-optimal size, tokens and prediction against compute. " + " ".join(
        f"At {format_general(budget, digits=3)} FLOP: {format_params(size)} parameters "
        f"[{format_params(low)}, {format_params(high)}], {format_params(tokens)} tokens."
        for budget, size, low, high, tokens in asked[
            ["compute", "params", "params_low", "params_high", "tokens"]
        ].to_numpy()
    )
    return finish(figure, {"frontier": line, "asked": asked, "run": runs}, alt)
