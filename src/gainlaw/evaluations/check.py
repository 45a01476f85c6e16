"""What an evaluations table holds, what pairs, what does not and why, and which rows deserve a look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gainlaw.evaluations.columns import BASELINE, KEYS, is_count_metric
from gainlaw.evaluations.pairing import Pairing, pair_rows
from gainlaw.evaluations.sampling import accuracy_variance, chance_of_rows
from gainlaw.languages import UNLISTED
from gainlaw.tasks import chance as task_chance
from gainlaw.tasks import find_task

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.evaluations.table import Evaluations

__all__ = ["SMALL_N", "Check", "Flag", "check_evaluations"]

SMALL_N = 200
"""Fewer examples than this and the standard error of one accuracy exceeds 3 points."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One kind of remark on some rows.

    Attributes
    ----------
    name : str
        A short key: ``at_chance``, ``at_ceiling``, ``small_n``, ...
    severity : {"info", "warning"}
        Whether it is worth knowing, or worth mending.
    text : str
        The remark and what follows from it, in one sentence.
    rows : tuple of int
        Lines of the file, in order; empty when it concerns the table as a whole.
    count : int
        How many rows.
    """

    name: str
    severity: str
    text: str
    rows: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many rows it concerns."""
        return len(self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Check:
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
    flags : tuple of Flag
        Remarks, warnings first.
    notes : tuple of str
        What the reader mended or dropped.
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
    flags: tuple[Flag, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain values, ready for JSON (missing numbers are None)."""
        tables = ("models", "tasks", "languages", "pairs", "unpaired")
        plain: dict[str, Any] = {
            name: getattr(self, name) for name in self.__slots__ if name not in {*tables, "flags"}
        }
        plain["sizes"], plain["notes"] = list(self.sizes), list(self.notes)
        for name in tables:
            plain[name] = [
                {key: _plain(value) for key, value in record.items()}
                for record in getattr(self, name).to_dict(orient="records")
            ]
        plain["flags"] = [
            {"name": f.name, "severity": f.severity, "text": f.text, "count": f.count, "rows": list(f.rows)}
            for f in self.flags
        ]
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value != value or type(value).__name__ == "NAType":
        return None
    return value


def check_evaluations(evals: Evaluations) -> Check:
    """Look through an evaluations table; `Evaluations.check` is the short way here.

    Parameters
    ----------
    evals : Evaluations
        The scores.

    Returns
    -------
    Check
        Counts, tables and flags.

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
    return Check(
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
        flags=_flags(frame, pairing),
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
        given = part["chance"].dropna()
        guess = given.iloc[0] if len(given) else task_chance(str(task), n_classes)
        records.append(
            {
                "task": task,
                "title": known.title if known else task,
                "n_classes": np.nan if n_classes is None else float(n_classes),
                "chance": guess,
                "languages": part["language"].nunique(),
                "rows": len(part),
                "pairs": len(top),
                "mean_baseline": base["score"].mean() if len(base) else np.nan,
                "mean_intermediate": top["score"].mean() if len(top) else np.nan,
                "median_n": part["n_examples"].median(),
            }
        )
    return pd.DataFrame(records)


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
        params=base["params"], gain=100 * (top["score"] - base["score"])
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


def _flags(frame: pd.DataFrame, pairing: Pairing) -> tuple[Flag, ...]:
    flags: list[Flag] = []
    lines = frame["row"].to_numpy()

    def flag(name: str, severity: str, text: str, where: np.ndarray) -> None:
        rows = tuple(int(row) for row in np.unique(lines[where]))
        if rows:
            flags.append(Flag(name, severity, text, rows))

    score, n, k = (frame[c].to_numpy(float) for c in ("score", "n_examples", "n_correct"))
    se = np.sqrt(accuracy_variance(score, k, n, frame["stderr"].to_numpy(float)))
    chance = chance_of_rows(frame)
    base, top = pairing.baseline, pairing.intermediate
    differs = frame["params"].to_numpy()[base] != frame["params"].to_numpy()[top]
    flag(
        "params_differ",
        "warning",
        "the two rows of a pair have different params; the baseline's are used",
        top[differs],
    )
    differs = frame["model_family"].to_numpy()[base] != frame["model_family"].to_numpy()[top]
    flag(
        "family_differs",
        "warning",
        "the two rows of a pair name different model families; the baseline's is used",
        top[differs],
    )
    differs = np.isfinite(n[base]) & np.isfinite(n[top]) & (n[base] != n[top])
    flag(
        "n_differs",
        "warning",
        "the two rows of a pair have different numbers of examples: are they the same items?",
        top[differs],
    )
    flag(
        "unlisted_language",
        "warning",
        "the language is not in the table of languages; its family is 'unlisted'",
        frame["language_family"].eq(UNLISTED).to_numpy(),
    )
    flag(
        "chance_unknown",
        "warning",
        "the guess rate is not known, so no chance-corrected scale: add n_classes or chance",
        np.isnan(chance),
    )
    counted = frame["metric"].map(is_count_metric).to_numpy(bool)
    flag(
        "no_counts",
        "warning",
        "the metric is no share of items, so there are no counts for the log-odds model",
        ~counted,
    )
    error = frame["stderr"].to_numpy(float)
    binomial = np.sqrt(score * (1 - score) / n)
    off = np.isfinite(error) & np.isfinite(binomial) & (binomial > 0) & (np.abs(error / binomial - 1) > 0.1)
    flag(
        "stderr_not_binomial",
        "info",
        "stderr is more than 10% away from the binomial one; stderr is used",
        off,
    )
    average = np.isfinite(k) & (np.abs(score - k / n) > np.maximum(_printed(score), 1e-9))
    flag(
        "not_k_of_n",
        "info",
        "the score is no whole number of examples (an average?); counts are rounded",
        average,
    )
    flag(
        "at_chance",
        "info",
        "the score is within 2 standard errors of guessing, or below",
        score - chance <= 2 * se,
    )
    flag("at_ceiling", "info", "the score is within 2 standard errors of 1", 1 - score <= 2 * se)
    flag(
        "small_n",
        "info",
        f"fewer than {SMALL_N} examples: one accuracy has a standard error above 3 points",
        n < SMALL_N,
    )
    for column, word in (
        ("metric", "metrics"),
        ("split", "splits"),
        ("protocol", "protocols"),
        ("prompt", "prompts"),
    ):
        flags += _mixed(frame.iloc[top], column, word)
    if len(pairing.unpaired):
        flag(
            "unpaired",
            "warning",
            "rows with an intermediate that have no baseline row; left out of the gains",
            _mask(frame, pairing.unpaired),
        )
    flag(
        "unused_baseline", "info", "baseline rows that no row is compared with", _mask(frame, pairing.unused)
    )
    return tuple(sorted(flags, key=lambda f: f.severity != "warning"))


def _mask(frame: pd.DataFrame, positions: np.ndarray) -> np.ndarray:
    mask = np.zeros(len(frame), bool)
    mask[positions] = True
    return mask


def _printed(score: np.ndarray) -> np.ndarray:
    """Half a unit of the last digit with which each score was printed (at most six are looked for)."""
    half = np.full(score.shape, 0.5e-6)
    for digits in range(5, 1, -1):
        half = np.where(
            np.isclose(score, np.round(score, digits), rtol=0, atol=1e-12), 0.501 * 10.0**-digits, half
        )
    return half


def _mixed(pairs: pd.DataFrame, column: str, word: str) -> list[Flag]:
    """Return a warning when the same cell is compared in several metrics (splits, ...), else a remark."""
    if pairs.empty or pairs[column].nunique() < 2:
        return []
    values = ", ".join(sorted(value or "(blank)" for value in pairs[column].unique()))
    cell = ["base_model", "model", "intermediate", "task", "language", "seed"]
    overlap = pairs.groupby(cell, dropna=False)[column].nunique().gt(1).any()
    if overlap:
        text = (
            f"the same cell is compared in several {word} ({values}): no independent experiments; select one"
        )
        return [Flag(f"mixed_{column}", "warning", text, tuple(int(row) for row in pairs["row"]))]
    text = f"several {word} in one table: {values}"
    return [Flag(f"mixed_{column}", "info", text, tuple(int(row) for row in pairs["row"]))]
