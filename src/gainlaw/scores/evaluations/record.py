"""The record of evaluations: the scores, where they come from, and what is to be said of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gainlaw._io import write_frame_atomic
from gainlaw.faces import notebook_html
from gainlaw.notes import Note, count_of
from gainlaw.scores.evaluations.columns import DERIVED

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EvaluationsRecord"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EvaluationsRecord:
    """Scores of models with and without intermediate training.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row a score. Columns ``model_family, model, params`` (int64), ``base_model`` (empty on baselines),
        ``intermediate`` (``none`` on baselines), ``task, language, score`` (fraction), ``n_correct,
        n_examples, stderr`` (float, NaN when unknown; counts are rounded from the score where the file has
        none), ``seed`` (Int64), ``prompt, split, metric, protocol`` (empty when absent), ``n_classes,
        chance`` (as given, NaN otherwise), ``source, language_name, language_family, genus``, ``row`` (the
        line in the file), then the user's own columns.
    source : str
        The file, dataset or name of the frame.
    sha256 : str or None
        Of the file's bytes.
    notes : tuple of Note
        What the reader mended or dropped, and what deserves a look in the rows; warnings first.
    predictions : pandas.DataFrame or None
        Item-level answers, with ``position``: the row of `frame` each belongs to.
    """

    frame: pd.DataFrame
    source: str = ""
    sha256: str | None = None
    notes: tuple[Note, ...] = ()
    predictions: pd.DataFrame | None = None

    def __repr__(self) -> str:
        """Say in a line what there is: a notebook shows the frame where that is asked for."""
        counts = ", ".join(
            count_of(self.frame[column].nunique(), word)
            for column, word in (("model", "model"), ("task", "task"), ("language", "language"))
        )
        return f"<{type(self).__name__} {self.source!r}: {count_of(len(self), 'score')}; {counts}>"

    def _repr_html_(self) -> str:
        rows = [
            (str(task), *(str(part[column].nunique()) for column in ("language", "model")), str(len(part)))
            for task, part in self.frame.groupby("task", sort=True)
        ]
        head = ("Task", "Languages", "Models", "Scores")
        return notebook_html(repr(self)[1:-1], head, rows, notes=map(str, self.notes))

    def __len__(self) -> int:
        """Return the number of scores."""
        return len(self.frame)

    def head(self, n: int = 5) -> pd.DataFrame:
        """Return the first rows of the frame."""
        return self.frame.head(n)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the table so that `read_evaluations` gives it back.

        Parameters
        ----------
        path : path-like
            A ``.csv`` or ``.parquet`` file; anything else is a folder, which gets ``evaluations.csv`` and,
            when items are kept, ``predictions.parquet``.

        Returns
        -------
        pathlib.Path
            The table written.
        """
        target = Path(path)
        folder = target.suffix.lower() not in {".csv", ".parquet", ".pq"}
        written = write_frame_atomic(self.written(), target / "evaluations.csv" if folder else target)
        if folder and self.predictions is not None:
            write_frame_atomic(self.predictions.drop(columns="position"), target / "predictions.parquet")
        return written

    def written(self) -> pd.DataFrame:
        """Return the columns that `write` writes: what was derived and what is empty is left out."""
        import pandas as pd

        frame = self.frame.drop(columns=[c for c in DERIVED if c in self.frame and c != "language_family"])
        ratio = frame["n_correct"] / frame["n_examples"]
        exact = (
            ratio - frame["score"]
        ).abs() <= 1e-12  # counts rounded from a score are not written as given
        frame["n_correct"] = frame["n_correct"].where(exact)
        for column in ("n_correct", "n_examples", "n_classes"):
            frame[column] = frame[column].astype("Int64")
        empty = [
            c
            for c in frame
            if frame[c].isna().all() or (pd.api.types.is_string_dtype(frame[c]) and frame[c].eq("").all())
        ]
        return frame.drop(columns=[c for c in empty if c not in {"base_model", "n_examples"}])
