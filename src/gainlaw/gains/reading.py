"""Gains tables from files and frames: ours, or published effects with only `gain` and `se`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gainlaw._input import (
    Faults,
    RawTable,
    check_names,
    parse_free,
    parse_numbers,
    parse_text,
    raw_from_frame,
    read_raw,
)
from gainlaw.errors import InputError, Problem
from gainlaw.evaluations.codes import language_notes, one_spelling
from gainlaw.evaluations.declare import Declared, declare_metrics
from gainlaw.evaluations.sampling import chance_of_rows
from gainlaw.evaluations.scores import declared_columns
from gainlaw.evaluations.units import parameters_of
from gainlaw.gains.covariance import BlockCovariance
from gainlaw.gains.rebuild import rebuild_covariance
from gainlaw.gains.table import Gains, covariance_path, order_columns
from gainlaw.gains.units import check_errors, points_of, scale_of
from gainlaw.metrics import metric_facts, metric_notes
from gainlaw.notes import Note, sort_notes
from gainlaw.options import ParamsUnit, Scale, Unit

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.evaluations import Evaluations

__all__ = ["gains_from_frame", "is_gains_file", "read_gains", "read_table"]

_NAMES = (
    *("model_family", "base_model", "model", "intermediate", "checkpoint", "task", "language"),
    *("language_name", "language_family", "genus", "prompt", "split", "metric", "protocol", "variance"),
)
_FRACTIONS = ("baseline_score", "intermediate_score", "chance")
_COUNTS = ("n_baseline", "n_intermediate", "k_baseline", "k_intermediate")
_NUMBERS = ("params", "gain", "se", "seed", *_FRACTIONS, *_COUNTS, "block", "baseline_se", "correlation")


def read_gains(
    path: str | os.PathLike[str],
    *,
    metrics: Mapping[str, Mapping[str, Any]] | None = None,
    covariance: str | os.PathLike[str] | np.ndarray | pd.DataFrame | None = None,
    unit: Unit | None = None,
    params_unit: ParamsUnit | None = None,
) -> Gains:
    r"""Read a gains table.

    Parameters
    ----------
    path : path-like
        A ``.csv`` or ``.parquet`` file with the columns ``gain`` and ``se``, and whatever labels there are:
        ``params``, ``task``, ``language``, ``intermediate``, ``base_model``, ... A table written by
        `Gains.write` brings its covariance along.
    covariance : path-like, ndarray or DataFrame, optional
        The sampling covariance of the rows, in place of what the table says, see `Gains.with_covariance`.
    metrics, params_unit : optional
        What metrics are and what one of ``params`` is, as in `read_evaluations`.
    unit : {"fraction", "points"}, optional
        ``fraction``: gains and their standard errors are multiplied by 100. Without it gains that look like
        fractions are refused, unless their scores prove what they are.

    Returns
    -------
    Gains
        ``params`` is NaN throughout when the file has none (then only the law ``constant`` fits).

    Raises
    ------
    InputError
        Every fault of the file at once: the column, the lines and what to write instead.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "effects.csv"
    >>> _ = file.write_text("task,params,gain,se\nxnli,560000000,2.8,1.5\nxnli,7000000000,0.8,1.0\n")
    >>> read_gains(file).frame["gain"].tolist()
    [2.8, 0.8]
    """
    declared = Declared(metrics, unit, params_unit)
    return _gains(read_raw(path), None, declared, covariance_path(path), covariance)


def gains_from_frame(
    frame: pd.DataFrame,
    source: str = "",
    scale: Scale | None = None,
    *,
    metrics: Mapping[str, Mapping[str, Any]] | None = None,
    covariance: str | os.PathLike[str] | np.ndarray | pd.DataFrame | None = None,
    unit: Unit | None = None,
    params_unit: ParamsUnit | None = None,
) -> Gains:
    """Validate a frame of gains; row i is called line i + 2 in messages, as if it were a CSV file.

    Parameters
    ----------
    frame : pandas.DataFrame
        At least ``gain`` and ``se`` (above 0); ``params`` in all rows or in none.
    source : str, optional
        What to call it in messages.
    scale : {"points", "log_odds", "normalized", "error_reduction"}, optional
        The unit of ``gain`` and ``se``; the column ``scale`` says so too; ``points`` when neither does.
    covariance : path-like, ndarray or DataFrame, optional
        The sampling covariance of the rows, see `Gains.with_covariance`.
    metrics, params_unit : optional
        What metrics are and what one of ``params`` is, as in `read_evaluations`.
    unit : {"fraction", "points"}, optional
        ``fraction``: gains and their standard errors are multiplied by 100. Without it gains that look like
        fractions are refused, unless their scores prove what they are.

    Returns
    -------
    Gains
        The table; rows are independent unless ``block`` with ``baseline_se`` or ``correlation`` says otherwise, or
        `covariance` does.

    Raises
    ------
    InputError
        Every fault at once.

    Examples
    --------
    >>> import pandas as pd
    >>> effects = pd.DataFrame({"task": ["a", "b"], "gain": [2.8, 0.8], "se": [1.5, 1.0]})
    >>> gains_from_frame(effects).scale
    'points'
    """
    declared = Declared(metrics, unit, params_unit)
    return _gains(raw_from_frame(frame, source), scale, declared, None, covariance)


def is_gains_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is a gains table, which has a column ``gain``.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    return not Path(path).is_dir() and "gain" in read_raw(path).frame


def read_table(
    path: str | os.PathLike[str],
    *,
    metrics: Mapping[str, Mapping[str, Any]] | None = None,
    covariance: str | os.PathLike[str] | None = None,
    unit: Unit | None = None,
    params_unit: ParamsUnit | None = None,
) -> Evaluations | Gains:
    """Read evaluations or gains, whichever the file's columns say; or a packaged dataset by its name.

    Parameters
    ----------
    path : path-like
        A file, a folder with ``evaluations.csv``, or the name of a packaged dataset such as ``bloomz``
        (a file or folder of that name comes first).
    covariance : path-like, optional
        The sampling covariance of a gains table's rows, see `Gains.with_covariance`.
    metrics, params_unit : optional
        What metrics are and what one of ``params`` is, as in `read_evaluations`.
    unit : {"fraction", "points"}, optional
        ``fraction``: gains and their standard errors are multiplied by 100. Without it gains that look like
        fractions are refused, unless their scores prove what they are.

    Returns
    -------
    Evaluations or Gains
        Gains when there is a column ``gain``, evaluations when there is ``score`` or ``n_correct``.

    Raises
    ------
    InputError
        If the file is neither, or has faults.

    Examples
    --------
    >>> type(read_table("bloomz")).__name__
    'Evaluations'
    """
    from gainlaw.datasets import DATASETS, load_dataset
    from gainlaw.evaluations import read_evaluations
    from gainlaw.evaluations.table import evaluations_from_raw

    file = Path(path)
    bundled = not file.exists() and str(path) in DATASETS
    raw = None if bundled or file.is_dir() else read_raw(file)
    declared = Declared(metrics, unit, params_unit)
    columns = set() if raw is None else set(raw.frame.columns)
    if raw is not None and "gain" in columns:
        return _gains(raw, None, declared, covariance_path(file), covariance)
    if covariance is not None:
        hint = "write the gains first (gainlaw gains), then give the covariance of their rows"
        raise InputError(Problem("a covariance goes with a table of gains", hint=hint), str(path))
    if bundled:
        return load_dataset(str(path))
    if raw is None:
        return read_evaluations(file, metrics=metrics, unit=unit, params_unit=params_unit)
    if columns & {"score", "n_correct", "model", "base_model"}:
        return evaluations_from_raw(raw, declared=declared)
    what = "the file is neither evaluations (score or n_correct) nor gains (gain, se)"
    hint = f"its columns are {', '.join(list(raw.frame.columns)[:12])}"
    raise InputError(Problem(what, column="score", rows=(1,), hint=hint), str(path))


def _gains(
    raw: RawTable,
    scale: Scale | None,
    declared: Declared,
    side: Path | None,
    given: str | os.PathLike[str] | np.ndarray | pd.DataFrame | None,
) -> Gains:
    import pandas as pd

    from gainlaw.gains.given import attach_covariance, read_covariance

    raw = declare_metrics(raw, declared.metrics)
    faults = Faults(raw.lines, raw.source)
    for column in ("gain", "se"):
        if column not in raw.frame:
            faults.add(
                "the column is missing", column=column, hint=f"the file has: {', '.join(raw.frame.columns)}"
            )
    faults.raise_any()
    columns: dict[str, object] = {name: parse_text(raw.frame[name]) for name in _NAMES if name in raw.frame}
    bad: dict[str, np.ndarray] = {}
    for name in _NUMBERS:
        # A correlation is that of a block; without blocks the column is the user's own.
        if name in raw.frame and (name != "correlation" or "block" in raw.frame):
            columns[name], bad[name] = parse_numbers(raw.frame[name], name, faults)
    if "params" in columns:
        columns["params"] = parameters_of(np.asarray(columns["params"], float), declared.params_unit, faults)
    columns |= declared_columns(raw.frame, faults)
    rest = {
        name: parse_free(raw.frame[name]) for name in raw.frame if name not in columns and name != "scale"
    }
    frame = pd.DataFrame(columns | rest)
    spelt: list[Note] = []
    if "language" in frame:
        frame["language"] = one_spelling(frame["language"], raw.lines, spelt)
    _check_numbers(frame, bad, faults)
    unit = scale_of(raw, scale, faults)
    _check_labels(frame, faults)
    faults.raise_any()
    notes = [*raw.notes, *spelt, *metric_notes(frame, raw.lines)]
    factor = points_of(frame, unit, declared.unit, faults, notes)
    faults.raise_any()
    if factor != 1:
        for name in {"gain", "se", "baseline_se"} & set(frame):
            frame[name] = factor * frame[name]
    check_errors(frame, unit, faults)
    faults.raise_any()
    frame = _complete(frame, unit, raw.lines, notes)
    if given is None:
        beside = read_raw(side).frame if side is not None and side.is_file() else None
        beside = beside if beside is None or factor == 1 else beside.assign(cov=factor**2 * beside["cov"])
        covariance = rebuild_covariance(frame, beside, faults)
        faults.raise_any()
    else:
        covariance = BlockCovariance(frame["se"].to_numpy(float) ** 2)
    assert covariance is not None
    gains = Gains(
        order_columns(frame), unit, covariance.validate(), raw.source, raw.sha256, None, sort_notes(notes)
    )
    if given is None:
        return gains
    matrix = read_covariance(given)
    return attach_covariance(gains, replace(matrix, values=factor**2 * matrix.values), raw.lines)


def _check_numbers(frame: pd.DataFrame, bad: dict[str, np.ndarray], faults: Faults) -> None:
    def where(mask: pd.Series) -> np.ndarray:
        return mask.fillna(False).to_numpy(bool)

    for name in ("gain", "se"):
        faults.add("no value", column=name, where=where(frame[name].isna()) & ~bad[name])
    hint = "the standard error of the gain, above 0; a gain without one cannot be weighed"
    faults.add("zero or negative", column="se", where=where(frame["se"] <= 0), hint=hint)
    if "params" in frame:
        missing = where(frame["params"].isna()) & ~bad["params"]
        if not missing.all():
            faults.add("no value, though other rows have one", column="params", where=missing)
        hint = "the number of parameters as a whole number above 0"
        faults.add("zero or negative", column="params", where=where(frame["params"] <= 0), hint=hint)
        faults.add("not a whole number", column="params", where=where(frame["params"] % 1 > 0), hint=hint)
        faults.add("1e15 or above", column="params", where=where(frame["params"] >= 1e15), hint=hint)
    facts = metric_facts(frame)
    for name in _FRACTIONS:
        if name in frame:
            floor, ceiling = facts.of_rows("low"), facts.of_rows("high")
            value = frame[name].to_numpy(float)
            outside = (value < floor) | (value > ceiling)
            for a, b in sorted(set(zip(floor[outside].tolist(), ceiling[outside].tolist(), strict=True))):
                hint = "write a fraction" if b == 1 else "write it in the unit of its metric"
                mine = outside & (floor == a) & (ceiling == b)
                faults.add(f"outside {a:g} to {b:g}", column=name, where=mine, hint=hint)
    for name in _COUNTS:
        if name in frame:
            low = frame[name] < (1 if name.startswith("n_") else 0)
            faults.add("too small for a count", column=name, where=where(low))
            faults.add("not a whole number", column=name, where=where(frame[name] % 1 > 0))
    for side in ("baseline", "intermediate"):
        if f"k_{side}" in frame and f"n_{side}" in frame:
            above = where(frame[f"k_{side}"] > frame[f"n_{side}"])
            faults.add("more correct answers than examples", column=f"k_{side}", where=above)
    for name in ("seed", "block"):
        if name in frame:
            faults.add("not a whole number", column=name, where=where(frame[name] % 1 > 0))
    if "baseline_se" in frame:
        faults.add("negative", column="baseline_se", where=where(frame["baseline_se"] < 0))
        above = where(frame["baseline_se"] > frame["se"] * (1 + 1e-9))
        if "variance" in frame:
            above = above & ~frame["variance"].eq("paired").to_numpy(bool)
        faults.add("above se, of which it is a part", column="baseline_se", where=above)


def _check_labels(frame: pd.DataFrame, faults: Faults) -> None:
    if "intermediate" in frame:
        hint = "a gains table holds contrasts; scores belong in an evaluations table"
        none = frame["intermediate"].str.casefold().eq("none").to_numpy()
        faults.add("a baseline row", column="intermediate", where=none, hint=hint)
    for name in ("task", "language", "intermediate", "base_model", "model_family", "language_family"):
        if name not in frame:
            continue
        blank = frame[name].eq("").to_numpy()
        if not blank.all():
            faults.add("no value, though other rows have one", column=name, where=blank)
        check_names(frame[name], name, faults)
    labels = [c for c in ("base_model", "intermediate", "task", "language") if c in frame]
    if len(labels) < 4:
        return
    keys = [*labels, *(c for c in ("model", "seed", "prompt", "split", "metric", "protocol") if c in frame)]
    if "base_model" in frame and "params" in frame:
        several = frame.groupby("base_model")["params"].transform("nunique").gt(1) & frame["base_model"].ne(
            ""
        )
        faults.add("a base_model has several sizes", column="params", where=several.to_numpy())
    twice = frame.duplicated(keys, keep=False).to_numpy()
    hint = "tell them apart by seed, prompt, split, metric or protocol, or keep one"
    faults.add(
        "several rows of the same base_model, intermediate, task, language and keys",
        column="gain",
        where=twice,
        hint=hint,
    )


def _complete(frame: pd.DataFrame, unit: Scale, lines: np.ndarray, notes: list[Note]) -> pd.DataFrame:
    from gainlaw.languages import describe_languages

    if "params" not in frame or frame["params"].isna().all():
        frame["params"] = np.nan
    else:
        frame["params"] = frame["params"].astype("int64")
    if "seed" in frame:
        frame["seed"] = frame["seed"].astype("Int64")
    frame["scale"] = unit
    frame["checkpoint"] = _checkpoint(frame)
    if "language" in frame:
        table = describe_languages(frame["language"].unique()).set_index("language")
        for column in ("language_name", "language_family", "genus"):
            if column not in frame:
                frame[column] = frame["language"].map(table[column]).astype("str")
        notes += language_notes(frame, lines)
    if "task" in frame and "chance" not in frame:
        frame["chance"] = chance_of_rows(frame)
    if "variance" not in frame:
        frame["variance"] = "given"
    if "baseline_se" not in frame:
        frame["baseline_se"] = np.nan
    if "block" not in frame or frame["block"].isna().all():
        frame["block"] = np.arange(len(frame))
        labels = [
            c
            for c in ("base_model", "task", "language", "seed", "prompt", "split", "metric", "protocol")
            if c in frame
        ]
        if {"base_model", "task"} <= set(labels):
            shared = frame.duplicated(labels, keep=False).to_numpy()
            if shared.any():
                what = (
                    "rows share a baseline with another row, but the table has no columns "
                    "block and baseline_se: their sampling errors are taken as independent"
                )
                notes.append(Note("independence_assumed", what, tuple(lines[shared].tolist())))
    else:
        free = frame["block"].isna().to_numpy()
        block = np.empty(len(frame), np.int64)  # a row without a block is one of its own
        block[~free] = frame["block"][~free].astype("int64")
        block[free] = block[~free].max() + 1 + np.arange(int(free.sum()))
        frame["block"] = block
    return frame


def _checkpoint(frame: pd.DataFrame) -> pd.Series:
    import pandas as pd

    label = pd.Series([""] * len(frame), dtype="str")
    if frame["params"].notna().all():
        size = frame["params"].map(lambda n: f"{n:.0f}").astype("str")
        family = frame.get("model_family", label)
        label = size.where(family.eq(""), family + ":" + size).astype("str")
    if "base_model" in frame:
        label = frame["base_model"].where(frame["base_model"].ne(""), label)
    if "checkpoint" in frame:
        label = frame["checkpoint"].where(frame["checkpoint"].ne(""), label)
    return label
