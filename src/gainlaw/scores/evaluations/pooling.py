"""Scores of several tasks or languages as one: of all their items together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.scores.evaluations.columns import KEYS
from gainlaw.scores.evaluations.sampling import chance_of_rows
from gainlaw.scores.metrics import metric_facts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MANY", "pooled_frame"]

MANY = "mul"
"""The language of a score over several (ISO 639-2)."""

_MODEL = ("model_family", "model", "params", "base_model", "intermediate")


def pooled_frame(frame: pd.DataFrame, by: str, source: str = "") -> tuple[pd.DataFrame, int]:
    """Return one row for each model and value of a column: right answers, items and guess rate over all its cells.

    Parameters
    ----------
    frame : pandas.DataFrame
        Canonical evaluations.
    by : str
        The column whose values become the tasks.
    source : str
        What the table is called in messages.

    Returns
    -------
    frame : pandas.DataFrame
        The columns of an evaluations table; ``task`` is the value of `by`, ``language`` is `MANY` throughout where the
        table has several.
    left_out : int
        Rows of tasks and languages that not every model has with that value: sizes would be compared on other items.

    Raises
    ------
    InputError
        If there is no such column, scores are no shares of a known number of items, or the models share no cell.
    """
    if by not in frame.columns:
        hint = f"columns: {', '.join(frame.columns)}"
        raise InputError(Problem("no such column to pool by", by, hint=hint), source or None)
    uncounted = ~metric_facts(frame).share | frame["n_correct"].isna().to_numpy()
    if uncounted.any():
        lines = tuple(int(row) for row in frame["row"][uncounted])
        raise InputError(
            Problem("only shares of a known number of items can be pooled", "n_examples", lines),
            source or None,
        )
    keys = [name for name in KEYS if frame[name].notna().all() and name not in (by, "seed")]
    cells = frame[[by, "task", "language", *keys]].astype(str).agg(" | ".join, axis=1)
    models = frame["model"].astype(str)
    wanted = models.groupby([frame[by], *(frame[key] for key in keys)], observed=True).transform("nunique")
    shared = models.groupby(cells).transform("nunique").to_numpy() == wanted.to_numpy()
    if not shared.any():
        raise InputError(
            Problem(
                "no task and language was scored on every model", by, hint="select models that share some"
            ),
            source or None,
        )
    kept = frame[shared]
    kept = kept.assign(guessed=chance_of_rows(kept) * kept["n_examples"])
    labels = [name for name in (*_MODEL, "seed", *keys, by) if name in kept.columns]
    others = [name for name in frame.columns if name not in (*labels, *_DERIVED)]
    groups = kept.groupby(labels, dropna=False, observed=True, sort=False)
    table = groups[["n_correct", "n_examples", "guessed"]].sum(min_count=1).reset_index()
    table["chance"] = table.pop("guessed") / table["n_examples"]
    for name in ("language", "language_family"):
        # One name for all rows: a task in several languages beside one in English says nothing of languages.
        table[name] = MANY if len(set(kept["language"])) > 1 else kept[name].iloc[0]
    for name in others:
        if groups[name].nunique(dropna=False).max() == 1:
            table[name] = groups[name].first().to_numpy()
    table["task"] = table[by]
    # A baseline has no model below it, however it was read.
    table["base_model"] = table["base_model"].where(table["intermediate"].ne("none"), "")
    return table, int(np.sum(~shared))


_DERIVED = (
    *("task", "language", "language_name", "language_family", "genus", "row", "score", "stderr", "n_classes"),
    *("n_correct", "n_examples", "chance"),
)
