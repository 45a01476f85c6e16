"""Tables of what a ladder stands on: models against controls of their size, and how far languages are aligned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from gainlaw.scores.controls import ALL_TASKS
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table

if TYPE_CHECKING:
    from gainlaw.scores.controls import ControlCheck

__all__ = ["alignment_table", "chance_table", "controls_table"]

_UNIT = "percent of the way from chance to certainty, outside English"


def controls_table(check: ControlCheck) -> Table:
    """Return what models have over controls of their own size, for all tasks and for each.

    Parameters
    ----------
    check : ControlCheck
        What `gainlaw.check_controls` found.
    """
    frame = check.sizes.assign(block=check.sizes["task"].eq(ALL_TASKS))
    columns = (
        Column("params", "Parameters", "params"),
        Column("task", "Task"),
        Column("runs", "Runs", "count"),
        Column("control_runs", "Of controls", "count"),
        Column("pretrained", "Pretrained", "number"),
        Column("control", "Control", "number"),
        Column("over", "Over the control", "estimate", low="ci_low", high="ci_high"),
    )
    notes = (
        "Scores with and without intermediate training count alike. The intervals are Student's, of the runs of a size "
        "and of the items, which all runs and languages share.",
    )
    caption = f"Models and controls of the same architecture without pretraining, {_UNIT}."
    return Table("controls", caption, frame, columns, notes, rule_by="params")


def chance_table(check: ControlCheck) -> Table:
    """Return how far the controls of all sizes are above chance, for each task.

    Parameters
    ----------
    check : ControlCheck
        What `gainlaw.check_controls` found.
    """
    frame = check.chance.assign(errors=check.chance["above"] / check.chance["se"])
    columns = (
        Column("task", "Task"),
        Column("runs", "Runs", "count"),
        Column("above", "Above chance", "number"),
        Column("se", "Standard error", "number"),
        Column("errors", "In standard errors", "number"),
    )
    return Table("controls_chance", f"The controls of all sizes against chance, {_UNIT}.", frame, columns)


def alignment_table(alignment: pd.DataFrame) -> Table:
    """Return how many words and sentences find their English counterpart, by size, over languages and runs.

    Parameters
    ----------
    alignment : pandas.DataFrame
        ``alignment.csv`` of a run.
    """
    keys = ["model_family", "params_non_embedding", "params"]
    frame = (
        alignment.assign(
            word=100 * alignment["word_retrieval"], sentence=100 * alignment["sentence_retrieval"]
        )
        .groupby(keys, as_index=False)
        .agg(
            runs=("model", "nunique"),
            word=("word", "mean"),
            word_low=("word", "min"),
            word_high=("word", "max"),
            sentence=("sentence", "mean"),
            sentence_low=("sentence", "min"),
            sentence_high=("sentence", "max"),
        )
    )
    columns = (
        Column("model_family", "Models"),
        Column("params", "Parameters", "params"),
        Column("params_non_embedding", "Beside embeddings", "params"),
        Column("runs", "Runs", "count"),
        Column("word", "Words (%)", "estimate", low="word_low", high="word_high"),
        Column("sentence", "Sentences (%)", "estimate", low="sentence_low", high="sentence_high"),
    )
    words, sentences = int(alignment["words"].max()), int(alignment["sentences"].max())
    notes = (
        "The share of words, by their embeddings, and of sentences, by their states, whose nearest English one has the "
        f"same meaning; by chance 1 in {words} and 1 in {sentences}. Means over runs and languages, from the lowest to "
        "the highest of a run and language.",
    )
    caption = "Alignment of the languages with English before any task is trained."
    return Table("alignment", caption, frame, columns, notes, rule_by="model_family")
