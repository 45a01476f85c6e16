"""Scores before and after intermediate training against model size, with the chance level."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from gainlaw.figures.common.arrange import panels_of
from gainlaw.figures.common.exhibit import Basis, Drawing
from gainlaw.figures.common.spots import Mark
from gainlaw.figures.common.style import (
    ACCENT,
    DOUBLE,
    GREY,
    INK,
    SINGLE,
    PaperFigure,
    finish,
    hide_spare,
    new_figure,
    panel_title,
    params_axis,
    style,
)
from gainlaw.notes import count_of
from gainlaw.scores.metrics import metric_facts, spoken_metric
from gainlaw.sizes import format_params
from gainlaw.tasks import task_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gainlaw.scores.gains.table import Gains

__all__ = ["STAGES", "draw_scores", "exhibits", "plot_scores", "scores_data"]

#: The columns of the scores that a gain is the difference of, and what they are called.
STAGES = {"baseline_score": "baseline", "intermediate_score": "after intermediate training"}


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
    """Return the scores before and after in points (percent of an accuracy), one row a score.

    Returns
    -------
    pandas.DataFrame
        task, params, stage ("baseline" or "after intermediate training"), score, chance (points; NaN when unknown),
        metric (the name of the scores' metric, "score" where there are several), unit ("%" or "points"), and language
        where the gains have one; empty when the scores are not in the table.
    """
    frame = gains.frame
    needed = ["params", *STAGES]
    if any(name not in frame for name in needed) or frame[needed].isna().all().any():
        return pd.DataFrame()
    task = frame["task"].astype(str) if "task" in frame else "all"
    chance = frame["chance"] if "chance" in frame else float("nan")
    cells = frame.assign(task=task, chance=chance).dropna(subset=needed)
    scores = [*STAGES, "chance"]
    cells[scores] = cells[scores].div(metric_facts(cells).of_rows("point"), axis=0)
    name, unit = spoken_metric(cells)
    rows = cells.rename(columns=STAGES).melt(
        id_vars=[key for key in ("task", "language", "params", "chance") if key in cells],
        value_vars=list(STAGES.values()),
        var_name="stage",
        value_name="score",
    )
    return rows.assign(metric=name, unit=unit)


def draw_scores(rows: pd.DataFrame) -> PaperFigure:
    """Draw the scores from their numbers: their mean at each size, and the range of the middle half of them.

    Parameters
    ----------
    rows : pandas.DataFrame
        As `scores_data` returns it.

    Returns
    -------
    PaperFigure
    """
    import seaborn as sns

    name, unit = str(rows["metric"].iloc[0]), str(rows["unit"].iloc[0])
    tasks = sorted(set(rows["task"]))
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
            sns.lineplot(
                part,
                x="params",
                y="score",
                hue="stage",
                style="stage",
                palette=dict(zip(STAGES.values(), (GREY, ACCENT), strict=True)),
                markers=dict(zip(STAGES.values(), ("o", "D"), strict=True)),
                dashes=False,
                estimator="mean",
                errorbar=("pi", 50),
                markersize=4,
                ax=axes,
            )
            axes.set(title=panel_title(task_title(task), columns), xlabel="", ylabel="")
            handles, labels = axes.get_legend_handles_labels()
            axes.get_legend().remove()
        hide_spare(grid, len(tasks))
        params_axis(flat[0], rows["params"].to_numpy(), label=False)
        figure.supxlabel("parameters")
        figure.supylabel(f"mean {name} ({unit})")
        figure.legend(
            handles, labels, loc="outside upper right", ncols=3 if columns > 1 else 1, handlelength=1.6
        )
    marks = [_marks(axes, rows[rows["task"] == task], unit) for axes, task in zip(flat, tasks, strict=False)]
    return finish(figure, {"score": rows}, _words(rows, name, unit), marks)


def _marks(axes: Axes, rows: pd.DataFrame, unit: str) -> Mark:
    """Say what each point of a panel is: a stage's mean at one size."""
    sign = unit if unit == "%" else f" {unit}"
    means = rows.groupby(["stage", "params"])["score"].agg(["mean", "size"]).reset_index()
    words = [
        f"{stage}, {format_params(params)}: {mean:.1f}{sign}, mean of {count_of(int(size), 'score')}"
        for stage, params, mean, size in means.itertuples(index=False)
    ]
    return axes, means["params"], means["mean"], words


def _words(rows: pd.DataFrame, name: str, unit: str) -> str:
    """Say the means at the smallest and at the largest size of each task."""
    means = rows.pivot_table(index=["task", "params"], columns="stage", values="score")
    sign = unit if unit == "%" else f" {unit}"
    said = [f"Mean {name} before and after intermediate training by model size."]
    for task, of_task in means.groupby(level="task"):
        first, last = (
            [float(row[stage]) for stage in STAGES.values()] for _, row in of_task.iloc[[0, -1]].iterrows()
        )
        said.append(
            f"{task_title(str(task))}: {first[0]:.0f} to {first[1]:.0f}{sign} at the smallest size, "
            f"{last[0]:.0f} to {last[1]:.0f}{sign} at the largest."
        )
    return " ".join(said)


def exhibits(basis: Basis) -> Iterator[Drawing]:
    """Yield the scores behind the gains, where they are known at several sizes."""
    main = basis.fits.main
    sized = main.gains.frame["params"].notna().all() and main.n_sizes > 1
    rows = scores_data(main.gains) if sized else pd.DataFrame()
    if len(rows):
        name, _ = spoken_metric(main.gains.frame)
        tasks, which = panels_of(rows["task"])
        caption = (
            f"Mean {name} before and after intermediate training, over the languages of each task{which}; the bands "
            "hold the middle half of them."
        )
        yield Drawing("scores", "data", caption, draw_scores(rows[rows["task"].isin(tasks)]))
