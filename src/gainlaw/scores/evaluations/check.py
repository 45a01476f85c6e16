"""What an evaluations table holds, what pairs, what does not and why, and which rows deserve a look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gainlaw.faces import notebook_html
from gainlaw.formats import format_count, format_number
from gainlaw.notes import Note, count_of
from gainlaw.scores.evaluations.columns import BASELINE, KEYS
from gainlaw.scores.evaluations.pairing import Pairing, pair_rows
from gainlaw.scores.evaluations.sampling import chance_of_rows
from gainlaw.scores.metrics import metric_facts
from gainlaw.sizes import format_params
from gainlaw.tasks import find_task

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.scores.evaluations.record import EvaluationsRecord

__all__ = ["Overview", "check_evaluations"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Overview:
    """What `gainlaw check` prints.

    Attributes
    ----------
    source : str
        The file or dataset.
    n_rows, n_baselines, n_intermediate_rows, n_pairs, n_unpaired, n_unused : int
        Rows; rows with ``none``; rows with an intermediate; of these, with and without a baseline row;
        baseline rows that nothing is compared with.
    n_checkpoints, n_sizes : int
        Distinct baseline models and sizes among the pairs: the replicates of a law over size.
    sizes : tuple of int
        Those sizes, increasing.
    models : pandas.DataFrame
        ``model_family, params, model, intermediate, base_model, rows, tasks, languages, paired``, by size.
    tasks : pandas.DataFrame
        ``task, title, n_classes, chance, languages, rows, pairs, mean_baseline, mean_intermediate,
        median_n`` (means over the pairs, fractions).
    languages : pandas.DataFrame
        ``language_family, languages, codes, rows, pairs``.
    pairs : pandas.DataFrame
        ``intermediate, base_model, params, pairs, tasks, languages, mean_gain`` (points).
    unpaired : pandas.DataFrame
        ``row, model, base_model, intermediate, task, language``, the key columns present, ``reason``.
    notes : tuple of Note
        What the reader mended or dropped, and what deserves a look; warnings first.
    """

    source: str
    n_rows: int
    n_baselines: int
    n_intermediate_rows: int
    n_pairs: int
    n_unpaired: int
    n_unused: int
    n_checkpoints: int
    n_sizes: int
    sizes: tuple[int, ...]
    models: pd.DataFrame
    tasks: pd.DataFrame
    languages: pd.DataFrame
    pairs: pd.DataFrame
    unpaired: pd.DataFrame
    notes: tuple[Note, ...]

    def __repr__(self) -> str:
        """Say in a line what pairs."""
        replicates = f"{count_of(self.n_checkpoints, 'checkpoint')} of {count_of(self.n_sizes, 'size')}"
        return (
            f"<{type(self).__name__} {self.source!r}: {self.n_pairs} of {count_of(self.n_intermediate_rows, 'row')} "
            f"with an intermediate have a baseline; {replicates}>"
        )

    def _repr_html_(self) -> str:
        rows = [
            (
                str(row["intermediate"]),
                str(row["base_model"]),
                format_params(row["params"]),
                *(format_count(row[name]) for name in ("pairs", "tasks", "languages")),
                format_number(row["mean_gain"]),
            )
            for row in self.pairs.to_dict("records")
        ]
        head = ("Intermediate", "Baseline", "Size", "Pairs", "Tasks", "Languages", "Mean gain (points)")
        return notebook_html(repr(self)[1:-1], head, rows, notes=map(str, self.notes))

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain values, ready for JSON (missing numbers are None)."""
        tables = ("models", "tasks", "languages", "pairs", "unpaired")
        plain: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__ if name not in tables}
        plain["sizes"], plain["notes"] = list(self.sizes), [note.to_dict() for note in self.notes]
        for name in tables:
            plain[name] = [
                {key: _plain(value) for key, value in record.items()}
                for record in getattr(self, name).to_dict(orient="records")
            ]
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value != value or type(value).__name__ == "NAType":
        return None
    return value


def check_evaluations(evals: EvaluationsRecord) -> Overview:
    """Look through an evaluations table; `Evaluations.check` is the short way here.

    Parameters
    ----------
    evals : EvaluationsRecord
        The scores.

    Returns
    -------
    Overview
        Counts, tables and notes.

    Examples
    --------
    >>> import gainlaw as gl
    >>> check = gl.load_dataset("bloomz").check()
    >>> check.n_pairs, check.n_checkpoints, check.n_sizes
    (420, 6, 6)
    """
    frame = evals.frame
    pairing = pair_rows(frame)
    paired = np.zeros(len(frame), bool)
    paired[pairing.intermediate] = True
    paired[pairing.baseline] = True
    known = frame.assign(paired=paired)
    base = frame.iloc[pairing.baseline]
    sizes = tuple(int(n) for n in np.unique(base["params"])) if len(base) else ()
    return Overview(
        source=evals.source,
        n_rows=len(frame),
        n_baselines=int(frame["intermediate"].eq(BASELINE).sum()),
        n_intermediate_rows=int(frame["intermediate"].ne(BASELINE).sum()),
        n_pairs=len(pairing.intermediate),
        n_unpaired=len(pairing.unpaired),
        n_unused=len(pairing.unused),
        n_checkpoints=int(base["model"].nunique()),
        n_sizes=len(sizes),
        sizes=sizes,
        models=_models(known),
        tasks=_tasks(frame, pairing),
        languages=_languages(known),
        pairs=_pairs(frame, pairing),
        unpaired=_unpaired(frame, pairing),
        notes=evals.notes,
    )


def _models(frame: pd.DataFrame) -> pd.DataFrame:
    by = ["params", "model_family", "base_model", "model", "intermediate"]
    anchored = frame.assign(base_model=frame["base_model"].where(frame["base_model"].ne(""), frame["model"]))
    table = anchored.groupby(by, sort=True).agg(
        rows=("score", "size"),
        tasks=("task", "nunique"),
        languages=("language", "nunique"),
        paired=("paired", "sum"),
    )
    table = table.reset_index().sort_values(
        ["params", "model_family", "base_model", "intermediate"],
        key=lambda s: s.mask(s.eq(BASELINE), "") if s.name == "intermediate" else s,
        kind="stable",
    )
    columns = [
        "model_family",
        "params",
        "model",
        "intermediate",
        "base_model",
        "rows",
        "tasks",
        "languages",
        "paired",
    ]
    return table[columns].reset_index(drop=True)


def _tasks(frame: pd.DataFrame, pairing: Pairing) -> pd.DataFrame:
    import pandas as pd

    records = []
    for task, part in frame.groupby("task", sort=True):
        base = frame.iloc[pairing.baseline].query("task == @task")
        top = frame.iloc[pairing.intermediate].query("task == @task")
        known = find_task(str(task))
        classes = part["n_classes"].dropna()
        n_classes = classes.iloc[0] if len(classes) else (known.n_classes if known else None)
        guess = chance_of_rows(part)
        guess = guess[np.isfinite(guess)]
        records.append(
            {
                "task": task,
                "title": known.title if known else task,
                "n_classes": np.nan if n_classes is None else float(n_classes),
                "chance": guess[0] if len(guess) else np.nan,
                "languages": part["language"].nunique(),
                "rows": len(part),
                "pairs": len(top),
                "mean_baseline": _in_hundreds(base).mean() if len(base) else np.nan,
                "mean_intermediate": _in_hundreds(top).mean() if len(top) else np.nan,
                "median_n": part["n_examples"].median(),
            }
        )
    return pd.DataFrame(records)


def _in_hundreds(frame: pd.DataFrame) -> pd.Series:
    """Return scores as fractions of 100 points, whatever one point of their metric is."""
    return 0.01 * frame["score"] / metric_facts(frame).of_rows("point")


def _languages(frame: pd.DataFrame) -> pd.DataFrame:
    table = (
        frame.assign(top=frame["paired"] & frame["intermediate"].ne(BASELINE))
        .groupby("language_family")
        .agg(
            languages=("language", "nunique"),
            codes=("language", lambda codes: " ".join(sorted(set(codes)))),
            rows=("score", "size"),
            pairs=("top", "sum"),
        )
    )
    return table.reset_index().sort_values(
        ["languages", "language_family"], ascending=[False, True], ignore_index=True
    )


def _pairs(frame: pd.DataFrame, pairing: Pairing) -> pd.DataFrame:
    base = frame.iloc[pairing.baseline].reset_index(drop=True)
    top = frame.iloc[pairing.intermediate].reset_index(drop=True)
    table = top[["intermediate", "base_model", "task", "language"]].assign(
        params=base["params"], gain=metric_facts(top).per_point * (top["score"] - base["score"])
    )
    grouped = table.groupby(["intermediate", "params", "base_model"], sort=True).agg(
        pairs=("gain", "size"),
        tasks=("task", "nunique"),
        languages=("language", "nunique"),
        mean_gain=("gain", "mean"),
    )
    columns = ["intermediate", "base_model", "params", "pairs", "tasks", "languages", "mean_gain"]
    return grouped.reset_index()[columns]


def _unpaired(frame: pd.DataFrame, pairing: Pairing) -> pd.DataFrame:
    keys = [key for key in KEYS if not (frame[key].isna() | frame[key].astype("str").eq("")).all()]
    columns = ["row", "model", "base_model", "intermediate", "task", "language", *keys]
    return frame.iloc[pairing.unpaired][columns].assign(reason=list(pairing.reasons)).reset_index(drop=True)
