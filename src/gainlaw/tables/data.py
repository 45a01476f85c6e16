"""Tables of what went in: the data, the checkpoints and the raw mean gains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.notes import count_of
from gainlaw.scores.metrics import metric_facts, spoken_metric
from gainlaw.sizes import size_groups
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table
from gainlaw.tasks import task_title

if TYPE_CHECKING:
    from gainlaw.scores.gains.table import Gains

__all__ = ["checkpoints_table", "data_table", "gains_table"]

# Columns that a page has room for.
_MOST_SIZES = 8


def data_table(gains: Gains) -> Table:
    """Return what is in the gains: one row a task, with languages, families, sizes and examples.

    Parameters
    ----------
    gains : Gains
        The gains a fit used.

    Examples
    --------
    >>> import gainlaw as gl
    >>> data_table(gl.load_dataset("bloomz").gains()).frame["task"].tolist()
    ['XCOPA', 'XNLI', 'XStoryCloze', 'XWinograd']
    """
    cells = gains.frame
    task = cells["task"].astype(str) if "task" in cells else pd.Series("all", index=cells.index)
    rows = []
    for name, part in cells.groupby(task, sort=True):
        examples = part["n_intermediate"] if "n_intermediate" in part else pd.Series(dtype=float)
        rows.append(
            {
                "task": task_title(str(name)),
                "rows": len(part),
                "languages": _distinct(part, "language"),
                "families": _distinct(part, "language_family"),
                "intermediates": _distinct(part, "intermediate"),
                "checkpoints": _distinct(part, "checkpoint"),
                "sizes": _distinct(part, "params"),
                "chance": 100 * float(part["chance"].mean()) if "chance" in part else np.nan,
                "examples_low": float(examples.min()) if examples.notna().any() else np.nan,
                "examples_high": float(examples.max()) if examples.notna().any() else np.nan,
                "median_se": float(part["se"].median()),
            }
        )
    frame = pd.DataFrame(rows)
    columns = (
        Column("task", "Task"),
        Column("rows", "Gains", "count"),
        Column("languages", "Languages", "count"),
        Column("families", "Families", "count"),
        Column("checkpoints", "Checkpoints", "count"),
        Column("sizes", "Sizes", "count"),
        Column("chance", "Chance (%)", "number", 1),
        Column("examples_low", "Items, min", "count"),
        Column("examples_high", "Items, max", "count"),
        Column("median_se", "Median s.e.", "number", gains.decimals()),
    )
    caption = "The data: gains by target task, with the languages and the checkpoints behind them."
    notes = (
        "A gain is the score after intermediate training minus that of the same checkpoint without it.",
        "Items are test examples per language; s.e. is the sampling error of one gain.",
    )
    return Table("data", caption, frame, _known(columns, frame), notes, size="footnotesize")


def checkpoints_table(gains: Gains) -> Table:
    """Return the checkpoints, the replicates of any statement about scale: one row each, by size.

    Parameters
    ----------
    gains : Gains
        The gains a fit used.

    Examples
    --------
    >>> import gainlaw as gl
    >>> checkpoints_table(gl.load_dataset("bloomz").gains()).frame["checkpoint"].tolist()[:2]
    ['bloom-560m', 'bloom-1b1']
    """
    cells = gains.frame
    label = cells["checkpoint"].astype(str) if "checkpoint" in cells else pd.Series("all", index=cells.index)
    rows = []
    for name, part in cells.groupby(label, sort=False):
        point = metric_facts(part).of_rows("point")
        before = part["baseline_score"] / point if "baseline_score" in part else pd.Series(dtype=float)
        after = part["intermediate_score"] / point if "intermediate_score" in part else pd.Series(dtype=float)
        rows.append(
            {
                "checkpoint": str(name),
                "params": float(part["params"].iloc[0]) if "params" in part else np.nan,
                "intermediates": _names(part, "intermediate"),
                "tasks": _distinct(part, "task"),
                "languages": _distinct(part, "language"),
                "rows": len(part),
                "baseline": float(before.mean()) if before.notna().any() else np.nan,
                "after": float(after.mean()) if after.notna().any() else np.nan,
                "gain": float(part["gain"].mean()),
            }
        )
    frame = pd.DataFrame(rows).sort_values("params", kind="stable").reset_index(drop=True)
    _, unit = spoken_metric(cells)
    columns = (
        Column("checkpoint", "Checkpoint"),
        Column("params", "Parameters", "params"),
        Column("intermediates", "Intermediate training"),
        Column("tasks", "Tasks", "count"),
        Column("languages", "Languages", "count"),
        Column("rows", "Gains", "count"),
        Column("baseline", f"Before ({unit})", "number", 1),
        Column("after", f"After ({unit})", "number", 1),
        Column("gain", "Mean gain", "number", gains.decimals()),
    )
    caption = (
        f"{count_of(len(frame), 'checkpoint')}. Each is one replicate for a statement about scale, however many "
        "tasks and languages it was scored on."
    )
    notes = ("Before, after and gain are plain means over the gains of a checkpoint.",)
    return Table("checkpoints", caption, frame, _known(columns, frame), notes, size="footnotesize")


def gains_table(gains: Gains) -> Table:
    """Return the raw mean gains: one row a task (and intermediate), one column a size, or a range of many sizes.

    Parameters
    ----------
    gains : Gains
        The gains.

    Examples
    --------
    >>> import gainlaw as gl
    >>> table = gains_table(gl.load_dataset("bloomz", intermediates="xP3").gains())
    >>> table.frame.set_index("task").loc["XNLI", ["gain_560M", "gain_176B"]].round(1).tolist()
    [5.9, 18.5]
    """
    cells = gains.frame
    keys = [name for name in ("intermediate", "task") if name in cells and cells[name].notna().all()]
    if "intermediate" in keys and len(cells["intermediate"].unique()) == 1:
        keys.remove("intermediate")
    grouped = cells.assign(group="all") if not keys else cells
    keys = keys or ["group"]
    sizes = sorted(grouped["params"].dropna().unique())
    titles = dict(zip(sizes, size_groups(sizes, _MOST_SIZES), strict=True))
    order = list(dict.fromkeys(titles.values()))
    means = grouped.assign(size=[titles.get(size, "") for size in grouped["params"]]).pivot_table(
        index=keys, columns="size", values="gain", aggfunc="mean"
    )
    means = means[[title for title in ("", *order) if title in means]]
    headings = list(means.columns)
    means.columns = pd.Index([f"gain_{title}" if title else "gain" for title in headings])
    frame = means.reset_index()
    languages = grouped.groupby(keys)["language"].nunique() if "language" in cells else None
    if languages is not None:
        frame["languages"] = [int(languages.loc[key]) for key in means.index]
    if "task" in frame:
        frame["task"] = [task_title(str(name)) for name in frame["task"]]
    words = {"intermediate": "Intermediate", "task": "Task", "group": ""}
    digits = gains.decimals()
    columns = [Column(key, words[key]) for key in keys]
    if languages is not None:
        columns.append(Column("languages", "Languages", "count"))
    columns += [
        Column(key, title or "Mean gain", "number", digits)
        for key, title in zip(means.columns, headings, strict=True)
    ]
    grouped_sizes = " (a range holds its lower end)" if len(order) < len(sizes) else ""
    caption = f"Mean gain by task and model size{grouped_sizes}, averaged over languages without a model."
    rule = "intermediate" if "intermediate" in keys else ""
    return Table("gains", caption, frame, tuple(columns), rule_by=rule)


def _distinct(part: pd.DataFrame, column: str) -> float:
    return float(part[column].nunique()) if column in part and part[column].notna().any() else np.nan


def _names(part: pd.DataFrame, column: str) -> str:
    return ", ".join(sorted(part[column].dropna().astype(str).unique())) if column in part else ""


def _known(columns: tuple[Column, ...], frame: pd.DataFrame) -> tuple[Column, ...]:
    """Leave out the columns of which nothing is known."""
    return tuple(
        column
        for column in columns
        if column.key in frame and (frame[column.key].notna() & (frame[column.key] != "")).any()
    )
