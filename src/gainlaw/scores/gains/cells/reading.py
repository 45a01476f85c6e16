"""Gains tables from files and frames: ours, or published effects with only `gain` and `se`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.notes import Note, sort_notes
from gainlaw.options import ParamsUnit, Unit
from gainlaw.scales import Scale
from gainlaw.scores.evaluations.cells.codes import language_notes, one_spelling
from gainlaw.scores.evaluations.cells.declare import Declared, declare_metrics
from gainlaw.scores.evaluations.cells.units import parameters_of
from gainlaw.scores.evaluations.cells.values import declared_columns
from gainlaw.scores.evaluations.sampling import chance_of_rows
from gainlaw.scores.gains.cells.agreement import WRITTEN, check_agreement, check_variance
from gainlaw.scores.gains.cells.checks import (
    LABELS,
    NUMBERS,
    check_labels,
    check_numbers,
    checkpoint_labels,
    number_names,
)
from gainlaw.scores.gains.cells.rebuild import rebuild_covariance
from gainlaw.scores.gains.cells.units import check_errors, points_of, scale_of
from gainlaw.scores.gains.covariance import BlockCovariance
from gainlaw.scores.gains.findings import find_gain_notes
from gainlaw.scores.gains.record import order_columns
from gainlaw.scores.gains.table import Gains, covariance_path
from gainlaw.scores.metrics import metric_notes
from gainlaw.scores.reading.cells import TableFaults, parse_free, parse_numbers, parse_text
from gainlaw.scores.reading.digits import half_units
from gainlaw.scores.reading.files import read_raw
from gainlaw.scores.reading.frames import RawTable, raw_from_frame

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.scores.evaluations.table import Evaluations

__all__ = ["gains_from_frame", "read_gains", "read_table"]


def read_gains(
    path: str | os.PathLike[str],
    *,
    rename: Mapping[str, str] | None = None,
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
    rename : mapping of str to str, optional
        Columns to be read under another name: old name -> new name.
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
    return _gains(read_raw(path).renamed(rename or {}), None, declared, covariance_path(path), covariance)


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


def read_table(
    path: str | os.PathLike[str] | pd.DataFrame,
    *,
    rename: Mapping[str, str] | None = None,
    metrics: Mapping[str, Mapping[str, Any]] | None = None,
    covariance: str | os.PathLike[str] | None = None,
    unit: Unit | None = None,
    params_unit: ParamsUnit | None = None,
) -> Evaluations | Gains:
    """Read evaluations or gains, whichever the file's columns say; or a packaged dataset by its name.

    Parameters
    ----------
    path : path-like or DataFrame
        A file, a folder with ``evaluations.csv``, or the name of a packaged dataset such as ``bloomz``
        (a file or folder of that name comes first); or a frame with the columns of such a file.
    rename : mapping of str to str, optional
        Columns to be read under another name: old name -> new name.
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
    import pandas as pd

    from gainlaw.scores.datasets import DATASETS, load_dataset
    from gainlaw.scores.evaluations.table import evaluations_from_raw, read_evaluations

    file = None if isinstance(path, pd.DataFrame) else Path(path)
    source = "frame" if file is None else str(path)
    bundled = file is not None and not file.exists() and source in DATASETS
    raw = None
    if isinstance(path, pd.DataFrame):
        raw = raw_from_frame(path, source).renamed(rename or {})
    elif file is not None and not bundled and not file.is_dir():
        raw = read_raw(file).renamed(rename or {})
    declared = Declared(metrics, unit, params_unit)
    columns = set() if raw is None else set(raw.frame.columns)
    scores = columns & {"score", "n_correct"}
    if scores and {"gain", "se"} <= columns:
        what = f"the table has gain and se, as gains have, and {' and '.join(sorted(scores))}, as scores have"
        hint = "give columns of your own another name: --rename gain=NEW, or --rename score=NEW"
        raise InputError(Problem(what, "gain", rows=(1,), hint=hint), source)
    if raw is not None and "gain" in columns and not scores:
        return _gains(
            raw, None, declared, None if source in ("frame", "-") else covariance_path(source), covariance
        )
    if covariance is not None:
        hint = "write the gains first (gainlaw gains), then give the covariance of their rows"
        raise InputError(Problem("a covariance goes with a table of gains", hint=hint), source)
    if bundled:
        return load_dataset(source)
    if raw is None:
        assert file is not None
        return read_evaluations(file, rename=rename, metrics=metrics, unit=unit, params_unit=params_unit)
    if columns & {"score", "n_correct", "model", "base_model"}:
        return evaluations_from_raw(raw, declared=declared)
    what = "the table is neither evaluations (score or n_correct) nor gains (gain, se)"
    hint = f"its columns are {', '.join(list(raw.frame.columns)[:12])}"
    raise InputError(Problem(what, column="score", rows=(1,), hint=hint), source)


def _gains(
    raw: RawTable,
    scale: Scale | None,
    declared: Declared,
    side: Path | None,
    given: str | os.PathLike[str] | np.ndarray | pd.DataFrame | None,
) -> Gains:
    import pandas as pd

    from gainlaw.scores.gains.cells.given import attach_covariance, read_covariance

    raw = declare_metrics(raw, declared.metrics)
    faults = TableFaults(raw.lines, raw.source)
    for column in ("gain", "se"):
        if column not in raw.frame:
            faults.add(
                "the column is missing", column=column, hint=f"the file has: {', '.join(raw.frame.columns)}"
            )
    faults.raise_any()
    columns: dict[str, object] = {name: parse_text(raw.frame[name]) for name in LABELS if name in raw.frame}
    bad: dict[str, np.ndarray] = {}
    for name in NUMBERS:
        # A correlation is that of a block; without blocks the column is the user's own.
        if name in raw.frame and (name != "correlation" or "block" in raw.frame):
            cells = number_names(raw.frame[name], faults) if name == "block" else raw.frame[name]
            columns[name], bad[name] = parse_numbers(cells, name, faults)
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
    check_numbers(frame, bad, faults)
    unit = scale_of(raw, scale, faults)
    check_labels(frame, faults)
    faults.raise_any()
    notes = [*raw.notes, *(note.stand() for note in (*spelt, *metric_notes(frame, raw.lines)))]
    factor = points_of(frame, unit, declared.unit, faults, notes)
    faults.raise_any()
    halves = {name: half_units(raw.frame[name]) for name in WRITTEN if name in raw.frame}
    check_variance(frame, halves, faults)
    if factor != 1:
        for name in {"gain", "se", "baseline_se"} & set(frame):
            frame[name] = factor * frame[name]
            halves[name] = factor * halves.get(name, np.zeros(len(frame)))
    check_errors(frame, unit, faults)
    faults.raise_any()
    frame = _complete(frame, unit, raw.lines, notes)
    check_agreement(frame, halves, unit, faults)
    faults.raise_any()
    if given is None:
        beside = read_raw(side).frame if side is not None and side.is_file() else None
        beside = beside if beside is None or factor == 1 else beside.assign(cov=factor**2 * beside["cov"])
        names = parse_text(raw.frame["block"]).to_numpy() if "block" in raw.frame else None
        covariance = rebuild_covariance(frame, beside, faults, names)
        faults.raise_any()
    else:
        covariance = BlockCovariance(frame["se"].to_numpy(float) ** 2)
    assert covariance is not None
    notes += find_gain_notes(frame, raw.lines)
    gains = Gains(
        order_columns(frame),
        unit,
        covariance.validate(),
        raw.source,
        raw.sha256,
        notes=sort_notes(notes),
        lines=raw.lines,
    )
    if given is None:
        return gains
    matrix = read_covariance(given)
    return attach_covariance(gains, replace(matrix, values=factor**2 * matrix.values), raw.lines)


def _complete(frame: pd.DataFrame, unit: Scale, lines: np.ndarray, notes: list[Note]) -> pd.DataFrame:
    from gainlaw.scores.languages import describe_languages

    if "params" not in frame or frame["params"].isna().all():
        frame["params"] = np.nan
    else:
        frame["params"] = frame["params"].astype("int64")
    if "seed" in frame:
        frame["seed"] = frame["seed"].astype("Int64")
    for name in {"row", "baseline_row"} & set(frame):
        frame[name] = frame[name].astype("Int64" if frame[name].isna().any() else "int64")
    frame["scale"] = unit
    frame["checkpoint"] = checkpoint_labels(frame)
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
                notes.append(Note("independence_assumed", what, tuple(lines[shared].tolist()), standing=True))
    else:
        free = frame["block"].isna().to_numpy()
        block = np.empty(len(frame), np.int64)  # a row without a block is one of its own
        block[~free] = frame["block"][~free].astype("int64")
        block[free] = block[~free].max() + 1 + np.arange(int(free.sum()))
        frame["block"] = block
    return frame
