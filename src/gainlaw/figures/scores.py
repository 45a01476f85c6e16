"""Scores before and after intermediate training against model size, with the chance level."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from gainlaw.figures.style import (
    ACCENT,
    DOUBLE,
    GREY,
    INK,
    SINGLE,
    PaperFigure,
    finish,
    new_figure,
    params_axis,
    style,
)
from gainlaw.scores.metrics import metric_facts, spoken_metric
from gainlaw.scores.tasks import task_title

if TYPE_CHECKING:
    from gainlaw.scores.gains.table import Gains

__all__ = ["draw_scores", "plot_scores", "scores_data"]


def plot_scores(gains: Gains) -> PaperFigure | None:
    """Plot the scores behind the gains, or nothing where a gains table does not hold them.

    Parameters
    ----------
    gains : Gains
        Gains with baseline and intermediate scores.

    Returns
    -------
    PaperFigure or None
        Its `plot_data` has the layer `score`; None when the scores are unknown.

    Examples
    --------
    >>> import gainlaw as gl
    >>> figure = plot_scores(gl.load_dataset("bloomz", intermediates="xP3").gains())
    >>> sorted(figure.plot_data["task"].unique())
    ['xcopa', 'xnli', 'xstory_cloze', 'xwinograd']
    """
    rows = scores_data(gains)
    return draw_scores(rows) if len(rows) else None


def scores_data(gains: Gains) -> pd.DataFrame:
    """Return the mean score in points (percent of an accuracy) before and after, by task and size.

    Returns
    -------
    pandas.DataFrame
        task, params, baseline, intermediate, chance (points; NaN when unknown), n_rows, metric (the name of the
        scores' metric, "score" where there are several), unit ("%" or "points"); empty when the scores are not in
        the table.
    """
    frame = gains.frame
    needed = ["params", "baseline_score", "intermediate_score"]
    if any(name not in frame for name in needed) or frame[needed].isna().all().any():
        return pd.DataFrame()
    task = frame["task"].astype(str) if "task" in frame else "all"
    chance = frame["chance"] if "chance" in frame else float("nan")
    cells = frame.assign(task=task, chance=chance).dropna(subset=needed)
    scores = ["baseline_score", "intermediate_score", "chance"]
    cells[scores] = 0.01 * cells[scores].div(metric_facts(cells).of_rows("point"), axis=0)
    table = (
        cells.groupby(["task", "params"], as_index=False)
        .agg(
            baseline=("baseline_score", "mean"),
            intermediate=("intermediate_score", "mean"),
            chance=("chance", "mean"),
            n_rows=("baseline_score", "size"),
        )
        .sort_values(["task", "params"])
    )
    percent = ["baseline", "intermediate", "chance"]
    table[percent] = 100 * table[percent]
    name, unit = spoken_metric(cells)
    return table.assign(metric=name, unit=unit).reset_index(drop=True)


def draw_scores(rows: pd.DataFrame) -> PaperFigure:
    """Draw the scores from their numbers.

    Parameters
    ----------
    rows : pandas.DataFrame
        As `scores_data` returns it.

    Returns
    -------
    PaperFigure
    """
    name, unit = str(rows["metric"].iloc[0]), str(rows["unit"].iloc[0])
    tasks = list(dict.fromkeys(rows["task"]))
    columns = min(len(tasks), 4)
    lines = math.ceil(len(tasks) / columns)
    with style():
        figure, grid = new_figure(
            DOUBLE if columns > 1 else SINGLE, 0.5 + 1.6 * lines, lines, columns, sharex=True, sharey=True
        )
        flat = grid.ravel()
        for axes, task in zip(flat, tasks, strict=False):
            part = rows[rows["task"] == task]
            axes.yaxis.grid(visible=True)
            if part["chance"].notna().any():
                axes.axhline(
                    part["chance"].mean(), color=INK, linewidth=0.7, linestyle=(0, (3, 2)), label="chance"
                )
            axes.fill_between(
                part["params"], part["baseline"], part["intermediate"], color=ACCENT, alpha=0.12
            )
            axes.plot(
                part["params"], part["baseline"], color=GREY, marker="o", markersize=3, label="baseline"
            )
            axes.plot(
                part["params"],
                part["intermediate"],
                color=ACCENT,
                marker="D",
                markersize=3,
                label="after intermediate training",
            )
            axes.set_title(task_title(task))
        for axes in flat[len(tasks) :]:
            axes.set_visible(False)
        params_axis(flat[0], rows["params"].to_numpy(), label=False)
        figure.supxlabel("parameters", fontsize=7.5, color=INK)
        figure.supylabel(f"mean {name} ({unit})", fontsize=7.5, color=INK)
        handles, labels = flat[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside upper right", ncols=3 if columns > 1 else 1, handlelength=1.6
        )
    ends = rows.sort_values("params").groupby("task", sort=False).agg(["first", "last"])
    sign = unit if unit == "%" else f" {unit}"
    alt = f"Mean {name} before and after intermediate training by model size. " + " ".join(
        f"{task_title(str(task))}: {row[('baseline', 'first')]:.0f} to {row[('intermediate', 'first')]:.0f}{sign} "
        f"at the smallest size, {row[('baseline', 'last')]:.0f} to {row[('intermediate', 'last')]:.0f}{sign} "
        "at the largest."
        for task, row in ends.iterrows()
    )
    return finish(figure, {"score": rows}, alt)
