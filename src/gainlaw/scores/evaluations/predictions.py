"""Item-level answers that go with an evaluations table."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from gainlaw.scores.evaluations.columns import KEYS
from gainlaw.scores.languages import unify_languages
from gainlaw.scores.reading.cells import TableFaults, group_codes, parse_numbers, parse_text
from gainlaw.scores.reading.files import read_raw
from gainlaw.scores.reading.frames import RawTable, raw_from_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["IDENTITY", "build_predictions", "item_groups"]

IDENTITY = ("model", "intermediate", "task", "language")
_TOLERANCE = 0.00501


def build_predictions(
    predictions: str | os.PathLike[str] | pd.DataFrame, evaluations: pd.DataFrame
) -> pd.DataFrame:
    """Read and validate item-level answers.

    Parameters
    ----------
    predictions : path-like or pandas.DataFrame
        One row an item: ``model``, ``intermediate``, ``task``, ``language``, the key columns present
        (``seed``, ``prompt``, ``split``, ``metric``, ``protocol``), ``example`` (the item's id, the same for
        every model) and ``correct`` (0 or 1).
    evaluations : pandas.DataFrame
        The canonical evaluations that the items belong to.

    Returns
    -------
    pandas.DataFrame
        The columns above, ``example`` as text and ``correct`` as float, and ``position``: the position of
        the evaluations row that each item belongs to.

    Raises
    ------
    InputError
        If a column is missing, an item is answered twice, an answer is neither 0 nor 1, items belong to no
        evaluations row, or their mean differs from the score there.
    """
    import pandas as pd

    frame_given = isinstance(predictions, pd.DataFrame)
    raw: RawTable = raw_from_frame(predictions, "predictions") if frame_given else read_raw(predictions)  # type: ignore[arg-type]
    faults = TableFaults(raw.lines, raw.source)
    for column in (*IDENTITY, "example", "correct"):
        if column not in raw.frame:
            faults.add("the column is missing", column=column)
    faults.raise_any()
    frame = pd.DataFrame({name: parse_text(raw.frame[name]) for name in (*IDENTITY, "example")})
    keys = [key for key in KEYS if key in raw.frame]
    for key in keys:
        if key == "seed":
            frame[key] = pd.Series(parse_numbers(raw.frame[key], key, faults)[0]).astype("Int64")
        else:
            frame[key] = parse_text(raw.frame[key])
    frame["language"] = frame["language"].replace(
        unify_languages(frame["language"].unique(), known=evaluations["language"].unique())
    )
    answers = raw.frame["correct"]
    truth = pd.api.types.is_bool_dtype(answers.dtype)
    correct, bad = parse_numbers(answers.astype("int64") if truth else answers, "correct", faults)
    faults.add("neither 0 nor 1", column="correct", where=~np.isin(correct, (0.0, 1.0)) & ~bad)
    faults.add("no value", column="example", where=frame["example"].eq("").to_numpy())
    frame["correct"] = correct
    faults.raise_any()
    frame["position"] = _positions(frame, evaluations, [*IDENTITY, *keys], faults)
    faults.raise_any()
    twice = pd.Series(group_codes(frame, ["position", "example"])).duplicated(keep=False).to_numpy()
    faults.add("the item is answered twice", column="example", where=twice)
    faults.raise_any()
    mean = frame.groupby("position")["correct"].agg(["mean", "size"])
    score = evaluations["score"].to_numpy()[mean.index]
    apart = mean.index[np.abs(mean["mean"].to_numpy() - score) > np.maximum(_TOLERANCE, 0.5 / mean["size"])]
    what = "the share of correct items differs from the score of the evaluations"
    faults.add(what, column="correct", where=frame["position"].isin(apart).to_numpy())
    faults.raise_any()
    return frame


def _positions(
    frame: pd.DataFrame, evaluations: pd.DataFrame, keys: list[str], faults: TableFaults
) -> np.ndarray:
    import pandas as pd

    codes = group_codes(pd.concat([evaluations[keys], frame[keys]], ignore_index=True), keys)
    mine, items = codes[: len(evaluations)], codes[len(evaluations) :]
    if len(np.unique(mine)) < len(mine):
        several = np.isin(
            items, [code for code, n in zip(*np.unique(mine, return_counts=True), strict=True) if n > 1]
        )
        what = "the items fit several evaluations rows"
        faults.add(
            what, column="prompt", where=several, hint=f"add the key columns that differ: {', '.join(KEYS)}"
        )
    lookup = np.full(codes.max() + 1, -1)
    lookup[mine] = np.arange(len(mine))
    found = lookup[items]
    faults.add("the items belong to no row of the evaluations", column="model", where=found < 0)
    return found


def item_groups(predictions: pd.DataFrame) -> dict[int, pd.Series]:
    """Return the answers of each evaluations row, indexed by item and sorted.

    Parameters
    ----------
    predictions : pandas.DataFrame
        What `build_predictions` returned.

    Returns
    -------
    dict of int to pandas.Series
        Position of the evaluations row -> answers (0.0 or 1.0) indexed by ``example``.
    """
    ordered = predictions.sort_values(["position", "example"], kind="stable")
    positions, starts = np.unique(ordered["position"].to_numpy(), return_index=True)
    pieces = np.split(np.arange(len(ordered)), starts[1:])
    answers = ordered.set_index("example")["correct"]
    return {int(position): answers.iloc[rows] for position, rows in zip(positions, pieces, strict=True)}
