"""The Evaluations record and the functions that read one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.notes import Note, sort_notes
from gainlaw.scores.evaluations.cells.build import build_frame
from gainlaw.scores.evaluations.cells.declare import Declared
from gainlaw.scores.evaluations.check import Overview, check_evaluations
from gainlaw.scores.evaluations.columns import BASELINE
from gainlaw.scores.evaluations.flags import find_notes
from gainlaw.scores.evaluations.pairing import pair_rows
from gainlaw.scores.evaluations.pooling import pooled_frame
from gainlaw.scores.evaluations.predictions import build_predictions
from gainlaw.scores.evaluations.record import EvaluationsRecord
from gainlaw.scores.gains.table import Gains, compute_gains
from gainlaw.scores.reading.files import read_raw
from gainlaw.scores.reading.frames import RawTable, raw_from_frame

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.options import ParamsUnit, Unit
    from gainlaw.scales import Scale

__all__ = ["Evaluations", "evaluations_from_frame", "read_evaluations"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Evaluations(EvaluationsRecord):
    """Scores of models with and without intermediate training.

    The attributes are those of `EvaluationsRecord`.

    Examples
    --------
    >>> import gainlaw as gl
    >>> evals = gl.load_dataset("bloomz")
    >>> evals
    <Evaluations 'bloomz': 672 scores; 16 models, 4 tasks, 26 languages>
    >>> evals.gains()
    <Gains 'bloomz' in points: 420 gains; 6 checkpoints of 6 sizes, 4 tasks, 26 languages>
    """

    def gains(
        self, scale: Scale = "points", variance: Literal["auto", "paired", "unpaired"] = "auto"
    ) -> Gains:
        """Return the gain of every row with an intermediate over its baseline row.

        A thin wrapper of `gainlaw.compute_gains`, which see.
        """
        return compute_gains(self, scale=scale, variance=variance)

    def check(self) -> Overview:
        """Return what is in the table, what pairs, what does not and why, and rows worth a look."""
        return check_evaluations(self)

    def select(self, **wanted: Any) -> Evaluations:
        """Keep the rows whose columns have the values wanted, and the baselines they are compared with.

        A condition on ``intermediate``, ``model`` or ``base_model`` chooses rows with an intermediate; the
        baseline rows of the models they build on stay, so that what is selected still gives gains. Every
        other condition holds for all rows.

        Parameters
        ----------
        **wanted : value or list of values
            Column name -> value, or list of values, to keep.

        Returns
        -------
        Evaluations
            The rows that fit every condition, in their order.

        Raises
        ------
        InputError
            If a column or a value is not in the table, or no row fits every condition.

        Examples
        --------
        >>> import gainlaw as gl
        >>> evals = gl.load_dataset("bloomz")
        >>> len(evals.select(task="xwinograd", language=["fr", "pt"]))
        32
        >>> evals.select(intermediate="P3").frame["model"].unique().tolist()
        ['bloom-7b1', 'bloom', 'bloomz-7b1-p3', 'bloomz-p3']
        """
        mask = np.ones(len(self.frame), bool)
        chosen = np.ones(len(self.frame), bool)
        for column, value in wanted.items():
            fits = self._fits(column, value)
            if column in {"intermediate", "model", "base_model"}:
                chosen &= fits
            else:
                mask &= fits
        baseline = self.frame["intermediate"].eq(BASELINE).to_numpy()
        anchors = self.frame["base_model"][chosen & mask & ~baseline].unique()
        serves = baseline & self.frame["model"].isin(anchors).to_numpy(bool)
        keep = mask & (chosen | serves)
        if not (mask & chosen).any():
            raise InputError("no row fits all the conditions of the selection", self.source or None)
        return self._keep(keep)

    def pool(self, by: str) -> Evaluations:
        """Return one score a model and value of a column, of all its items together.

        The tasks become the values of `by`: ``benchmark`` where the tasks are parts of one, or ``task`` itself to put
        its languages together. Chance is the guess rate over the same items. Tasks and languages that not every model
        with that value was scored on are left out, and a note says how many rows.

        Parameters
        ----------
        by : str
            A column of the table.

        Returns
        -------
        Evaluations
            With counts; seeds, prompts, splits, metrics and protocols stay apart. Answers to single items are not kept.

        Raises
        ------
        InputError
            If there is no such column, scores are no shares of a known number of items, or models share no task.

        Examples
        --------
        >>> import gainlaw as gl
        >>> gl.load_dataset("flan").pool("benchmark")
        <Evaluations 'flan by benchmark': 48 scores; 16 models, 3 tasks, 1 language>
        """
        frame, left_out = pooled_frame(self.frame, by, self.source)
        pooled = evaluations_from_frame(frame, f"{self.source} by {by}", require_pairs=False, params_unit="1")
        if not left_out:
            return pooled
        what = "not every model was scored on their task and language; left out of the pooled scores"
        note = Note("unshared_tasks", what, count=left_out, severity="info", standing=True)
        return replace(pooled, notes=sort_notes([*pooled.notes, note]))

    def _fits(self, column: str, value: Any) -> np.ndarray:
        if column not in self.frame:
            hint = f"columns: {', '.join(self.frame.columns)}"
            raise InputError(Problem("no such column to select by", column, hint=hint), self.source or None)
        single = isinstance(value, (str, bytes)) or not isinstance(value, Iterable)
        values = [value] if single else list(value)
        absent = [item for item in values if not self.frame[column].isin([item]).any()]
        if absent:
            shown = ", ".join(repr(item) for item in absent)
            known = ", ".join(str(item) for item in self.frame[column].unique()[:20])
            raise InputError(
                Problem(f"no row has {shown}", column, hint=f"present: {known}"), self.source or None
            )
        return self.frame[column].isin(values).to_numpy(bool)

    def _keep(self, mask: np.ndarray) -> Evaluations:
        predictions = self.predictions
        if predictions is not None:
            position = predictions["position"].to_numpy()
            renumber = np.cumsum(mask) - 1
            predictions = predictions[mask[position]].assign(position=renumber[position[mask[position]]])
            predictions = predictions.reset_index(drop=True) if len(predictions) else None
        frame = self.frame[mask].reset_index(drop=True)
        notes = _all_notes([note for note in self.notes if note.standing], frame)
        return replace(self, frame=frame, predictions=predictions, notes=notes)


def read_evaluations(
    path: str | os.PathLike[str],
    predictions: str | os.PathLike[str] | pd.DataFrame | None = None,
    *,
    require_pairs: bool = True,
    rename: Mapping[str, str] | None = None,
    metrics: Mapping[str, Mapping[str, Any]] | None = None,
    unit: Unit | None = None,
    params_unit: ParamsUnit | None = None,
) -> Evaluations:
    r"""Read a table of scores.

    Parameters
    ----------
    path : path-like
        A ``.csv`` file (UTF-8, commas), a ``.parquet`` file, or a folder that holds ``evaluations.csv`` (or
        ``.parquet``) and perhaps ``predictions.parquet`` (or ``.csv``), itself or in the only folder in it that does.
    predictions : path-like or pandas.DataFrame, optional
        Item-level answers (``model, intermediate, task, language``, key columns, ``example``, ``correct``).
    require_pairs : bool, default True
        Whether a table that cannot give gains (no baseline, no intermediate, a ``base_model`` without any
        baseline row) is an error; False reads it all the same.
    rename : mapping of str to str, optional
        Columns to be read under another name: old name -> new name.
    metrics : mapping, optional
        What metrics are, by name: ``{"wer": {"max": 100}, "mine": {"share": False, "better": "down"}}`` with the
        keys ``share, better, min, max, point``; needed for metrics that gainlaw does not know.
    unit : {"fraction", "points"}, optional
        ``points``: scores and standard errors are in per cent and are divided by 100.
    params_unit : {"1", "K", "M", "B"}, optional
        The unit of ``params``: ``B`` for billions. Without it sizes below 10,000 are refused.

    Returns
    -------
    Evaluations
        The scores, with language families added.

    Raises
    ------
    InputError
        Every fault of the file at once: the column, the lines and what to write instead.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "scores.csv"
    >>> _ = file.write_text(
    ...     "model_family,model,params,base_model,intermediate,task,language,score,n_examples\n"
    ...     "XLM-R,xlmr,560000000,,none,xnli,sw,0.74,5010\n"
    ...     "XLM-R,xlmr-squad,560000000,xlmr,squad,xnli,sw,0.75,5010\n"
    ... )
    >>> len(read_evaluations(file))
    2
    """
    file = Path(path)
    if file.is_dir():
        file, predictions = _in_folder(file, predictions)
        # The runner counts the parameters of its models, the smallest too.
        params_unit = params_unit or "1"
    raw = read_raw(file).renamed(rename or {})
    return evaluations_from_raw(raw, predictions, require_pairs, Declared(metrics, unit, params_unit))


def evaluations_from_frame(
    frame: pd.DataFrame,
    source: str = "",
    predictions: str | os.PathLike[str] | pd.DataFrame | None = None,
    *,
    require_pairs: bool = True,
    metrics: Mapping[str, Mapping[str, Any]] | None = None,
    unit: Unit | None = None,
    params_unit: ParamsUnit | None = None,
) -> Evaluations:
    """Validate a frame of scores; row i is called line i + 2 in messages, as if it were a CSV file.

    Parameters
    ----------
    frame : pandas.DataFrame
        The columns of an evaluations file.
    source : str, optional
        What to call it in messages.
    predictions : path-like or pandas.DataFrame, optional
        Item-level answers.
    require_pairs, metrics, unit, params_unit
        As in `read_evaluations`.

    Returns
    -------
    Evaluations
        The scores; `frame` is left as it is.

    Raises
    ------
    InputError
        Every fault at once.

    Examples
    --------
    >>> import pandas as pd
    >>> cell = {"model_family": "XLM-R", "params": 560_000_000, "task": "xnli", "language": "sw"}
    >>> rows = [
    ...     {**cell, "model": "xlmr", "intermediate": "none", "n_correct": 3707, "n_examples": 5010},
    ...     {**cell, "model": "xlmr-squad", "base_model": "xlmr", "intermediate": "squad",
    ...      "n_correct": 3757, "n_examples": 5010},
    ... ]
    >>> evaluations_from_frame(pd.DataFrame(rows)).gains().frame["gain"].round(2).item()
    1.0
    """
    return evaluations_from_raw(
        raw_from_frame(frame, source), predictions, require_pairs, Declared(metrics, unit, params_unit)
    )


def evaluations_from_raw(
    raw: RawTable,
    predictions: str | os.PathLike[str] | pd.DataFrame | None = None,
    require_pairs: bool = True,
    declared: Declared | None = None,
) -> Evaluations:
    """Validate a table of raw cells; the step that both readers share."""
    frame, notes = build_frame(raw, require_pairs, declared)
    items = None if predictions is None else build_predictions(predictions, frame)
    return Evaluations(frame, raw.source, raw.sha256, _all_notes(notes, frame), items)


def _all_notes(of_reading: Iterable[Note], frame: pd.DataFrame) -> tuple[Note, ...]:
    return sort_notes([*of_reading, *find_notes(frame, pair_rows(frame))])


def _in_folder(
    folder: Path, predictions: str | os.PathLike[str] | pd.DataFrame | None
) -> tuple[Path, str | os.PathLike[str] | pd.DataFrame | None]:
    tables = ("evaluations.csv", "evaluations.parquet")
    for name in tables:
        if (folder / name).is_file():
            for items in ("predictions.parquet", "predictions.csv"):
                if predictions is None and (folder / items).is_file():
                    predictions = folder / items
            return folder / name, predictions
    inside = sorted({path.parent for name in tables for path in folder.glob(f"*/{name}")})
    if len(inside) == 1:
        return _in_folder(inside[0], predictions)
    names = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
    hint = f"give one of {', '.join(map(str, inside))}" if inside else f"it holds {names}"
    raise InputError(
        Problem("the folder has no evaluations.csv or evaluations.parquet", hint=hint), str(folder)
    )
