"""A covariance that the user hands in: a matrix from a file, an array or a frame, checked against the gains."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.notes import Note, sort_notes
from gainlaw.scores.gains.covariance import BlockCovariance

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.scores.gains.record import GainsRecord

__all__ = ["GivenMatrix", "attach_covariance", "read_covariance"]

# The diagonal and the squared standard errors may differ by what rounding to three digits does to a square.
_ROUNDING = 0.01
_SYMMETRY = 1e-6
_LEAST_EIGENVALUE = -1e-8
_SHAPE = "a square of numbers, one row and one column a gain; or the same with a first column of labels and a header"


@dataclass(frozen=True, slots=True, eq=False)
class GivenMatrix:
    """A matrix as it was given.

    Parameters
    ----------
    values : ndarray, shape (m, m)
        Its numbers.
    key : str
        The column of the gains that holds the labels; empty where the matrix is in the order of the rows.
    labels : tuple of str, length m
        The labels of its rows; none without a key.
    source : str
        What to call it in messages.
    """

    values: np.ndarray
    key: str
    labels: tuple[str, ...]
    source: str


def read_covariance(given: str | os.PathLike[str] | np.ndarray | pd.DataFrame | GivenMatrix) -> GivenMatrix:
    """Read a covariance matrix.

    Parameters
    ----------
    given : path-like, ndarray or DataFrame
        A ``.npy``, ``.csv`` or ``.parquet`` file, an array of shape (m, m), or a frame. Without labels it is in the
        order of the rows. With labels, its first column (a frame: the index) is named as the column of the gains that
        holds them, and the other columns have the same labels in the same order.

    Raises
    ------
    InputError
        If it cannot be read, or is not a square of finite numbers.

    Examples
    --------
    >>> read_covariance(np.array([[4.0, 1.0], [1.0, 9.0]])).key
    ''
    """
    import pandas as pd

    if isinstance(given, GivenMatrix):
        return given
    if isinstance(given, pd.DataFrame):
        return _from_frame(given, "the covariance")
    if isinstance(given, np.ndarray):
        return _checked(given, "", (), "the covariance")
    if not isinstance(given, (str, os.PathLike)):
        what = f"a covariance is a file, an array or a frame, not {type(given).__name__}"
        raise InputError(Problem(what, hint=_SHAPE))
    path, source = Path(given), str(given)
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".csv", ".parquet", ".pq"):
        raise InputError(Problem("a covariance is read from .npy, .csv or .parquet", hint=_SHAPE), source)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(Problem(f"the file cannot be read: {error.strerror or error}"), source) from None
    if suffix == ".npy":
        try:
            values = np.load(io.BytesIO(data), allow_pickle=False)
        except (ValueError, OSError, EOFError, MemoryError) as error:
            raise InputError(Problem(f"the file is no plain array: {error}", hint=_SHAPE), source) from None
        return _checked(values, "", (), source)
    if suffix == ".csv":
        try:
            text = data.decode("utf-8-sig")
            lines = list(csv.reader(io.StringIO(text, newline="")))
        except UnicodeDecodeError:
            raise InputError(Problem("the file is not UTF-8", hint="save it as UTF-8"), source) from None
        except csv.Error as error:
            raise InputError(Problem(f"the file is no CSV: {error}", hint=_SHAPE), source) from None
        return _from_cells(lines, source)
    try:
        return _from_frame(pd.read_parquet(io.BytesIO(data)), source)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:160]
        raise InputError(Problem(f"the file is no readable Parquet: {reason}"), source) from None


def _from_cells(lines: list[list[str]], source: str) -> GivenMatrix:
    rows = [[cell.strip() for cell in line] for line in lines if any(cell.strip() for cell in line)]
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise InputError(Problem("the lines are of several lengths, or there are none", hint=_SHAPE), source)
    names = [str(k) for k in range(len(rows))]
    if len(rows) == len(rows[0]) and rows[0] != ["", *names[:-1]] and _number(rows[0][0]) is not None:
        return _checked(
            np.array([[_number(cell) for cell in row] for row in rows], dtype=float), "", (), source
        )
    if len(rows) == len(rows[0]) + 1 and rows[0] in (names[:-1], names[1:]):
        # A frame of nothing but numbers writes their places as its header.
        return _checked(
            np.array([[_number(cell) for cell in row] for row in rows[1:]], dtype=float), "", (), source
        )
    body = np.array([[_number(cell) for cell in row[1:]] for row in rows[1:]], dtype=float)
    return _labelled(rows[0][0], [row[0] for row in rows[1:]], rows[0][1:], body, source)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _from_frame(frame: pd.DataFrame, source: str) -> GivenMatrix:
    import pandas as pd

    if isinstance(frame.index, pd.MultiIndex):
        raise InputError(Problem("the index has several levels", hint=_SHAPE), source)
    if frame.shape[1] == len(frame) + 1:
        frame = frame.set_index(frame.columns[0])
    try:
        values = frame.to_numpy(dtype=float)
    except (TypeError, ValueError):
        raise InputError(Problem("not all cells are numbers", hint=_SHAPE), source) from None
    if frame.index.name is None and isinstance(frame.index, pd.RangeIndex):
        return _checked(values, "", (), source)
    labels, columns = [str(each) for each in frame.index], [str(each) for each in frame.columns]
    return _labelled(str(frame.index.name or ""), labels, columns, values, source)


def _labelled(
    key: str, labels: Sequence[str], columns: Sequence[str], values: np.ndarray, source: str
) -> GivenMatrix:
    if list(columns) != list(labels):
        hint = "the header has the labels of the first column, in the same order"
        raise InputError(Problem("rows and columns have different labels", hint=hint), source)
    if not key:
        if list(labels) in ([str(k) for k in range(len(labels))], [str(k + 1) for k in range(len(labels))]):
            return _checked(values, "", (), source)
        hint = "name the first column as the column of the gains that holds these labels"
        raise InputError(Problem("the labels have no name", hint=hint), source)
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise InputError(Problem(f"labels stand twice: {', '.join(twice[:6])}", key), source)
    return _checked(values, key, tuple(labels), source)


def _checked(values: np.ndarray, key: str, labels: tuple[str, ...], source: str) -> GivenMatrix:
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not len(values):
        raise InputError(Problem(f"the covariance has the shape {values.shape}", hint=_SHAPE), source)
    if values.dtype.kind not in "fiu":
        raise InputError(Problem(f"the covariance holds {values.dtype}, not numbers", hint=_SHAPE), source)
    values = values.astype(float)
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        cells = ", ".join(f"row {i + 1} column {j + 1}" for i, j in wrong[:6])
        raise InputError(Problem(f"{len(wrong)} cells are no finite numbers: {cells}", hint=_SHAPE), source)
    return GivenMatrix(values, key, labels, source)


def attach_covariance[G: GainsRecord](
    gains: G,
    given: str | os.PathLike[str] | np.ndarray | pd.DataFrame | GivenMatrix,
    lines: np.ndarray | None = None,
) -> G:
    """Return gains with the sampling covariance that was given; `Gains.with_covariance` is the public way here.

    Parameters
    ----------
    gains : GainsRecord
        The gains.
    given : path-like, ndarray or DataFrame
        See `read_covariance`; in squared units of the gains' scale.
    lines : ndarray of int, shape (rows,), optional
        What to call the rows in messages; row i is line i + 2 without.

    Raises
    ------
    InputError
        If its size or labels do not fit the gains, it is not symmetric or not positive semidefinite, or its diagonal
        is not the square of the standard errors.
    """
    matrix = read_covariance(given)
    frame, source = gains.frame, matrix.source
    lines = np.arange(len(frame)) + 2 if lines is None else lines
    whole = _in_order(frame, matrix)
    se = frame["se"].to_numpy(float)
    problems = []

    def fault(message: str, where: np.ndarray, hint: str) -> None:
        rows = tuple(int(line) for line in lines[np.flatnonzero(where)])
        problems.append(Problem(message, "se", rows, hint))

    diagonal = np.diag(whole)
    if (diagonal <= 0).any():
        fault("the covariance has variances of zero or less", diagonal <= 0, "variances are above 0")
    apart = (diagonal > 0) & (np.abs(diagonal - se**2) > _ROUNDING * se**2)
    if apart.any():
        hint = "give both in the unit of the gains' scale, variances as squares"
        fault("the diagonal of the covariance is not the square of the standard error", apart, hint)
    if problems:
        raise InputError(problems, source)
    # Correlations are taken from the matrix, variances from the standard errors: they may have been rounded apart.
    correlation = whole / np.sqrt(np.outer(diagonal, diagonal))
    skew = np.abs(correlation - correlation.T) > _SYMMETRY
    if skew.any():
        i, j = np.argwhere(skew)[0]
        what = f"the covariance is not symmetric: {whole[i, j]:g} and {whole[j, i]:g} for the same two gains"
        raise InputError(
            Problem(what, rows=(int(lines[i]), int(lines[j])), hint="write every pair alike"), source
        )
    correlation = 0.5 * (correlation + correlation.T)
    blocks = []
    for rows in _components(correlation):
        part = correlation[np.ix_(rows, rows)]
        part[np.diag_indices(len(rows))] = 1.0
        least = float(np.linalg.eigvalsh(part)[0])
        if least < _LEAST_EIGENVALUE:
            hint = "no errors have such correlations; round less if rounding did it"
            what = f"the covariance is not positive semidefinite: its correlations have the eigenvalue {least:.2g}"
            problems.append(Problem(what, rows=tuple(int(line) for line in lines[rows]), hint=hint))
        # Rounding may have left a singular matrix a little below zero.
        part = (part + max(-least, 0.0) * np.eye(len(rows))) / (1.0 + max(-least, 0.0))
        blocks.append((rows, part * np.outer(se[rows], se[rows])))
    if problems:
        raise InputError(problems, source)
    block = np.arange(len(frame))
    for rows, _ in blocks:
        block[rows] = rows[0]
    block = np.unique(block, return_inverse=True)[1]
    frame = frame.assign(block=block, baseline_se=np.nan, variance="given")
    covariance = BlockCovariance(se**2, tuple(blocks)).validate()
    joined = lines[np.concatenate([np.zeros(0, dtype=int), *(rows for rows, _ in blocks)])]
    what = f"rows have errors in common, as the covariance says that was given ({source})"
    note = Note("covariance_given", what, tuple(sorted(joined.tolist())), severity="info", standing=True)
    notes = [each for each in gains.notes if each.kind != "independence_assumed"]
    return replace(
        gains, frame=frame, covariance=covariance, notes=sort_notes([*notes, note] if blocks else notes)
    )


def _in_order(frame: pd.DataFrame, matrix: GivenMatrix) -> np.ndarray:
    """Return the matrix in the order of the gains."""
    n, m = len(frame), len(matrix.values)
    if not matrix.key:
        if m != n:
            hint = "one row and one column a gain, in their order; or name the rows by a first column"
            raise InputError(
                Problem(f"the covariance is of {m} rows, the gains are {n}", hint=hint), matrix.source
            )
        return matrix.values
    if matrix.key not in frame:
        hint = f"the first column is named as the column of the gains with the labels: {', '.join(frame.columns)}"
        raise InputError(Problem(f"the gains have no column {matrix.key!r}", hint=hint), matrix.source)
    names = frame[matrix.key].map(_label).tolist()
    place = {label: k for k, label in enumerate(matrix.labels)}
    problems = []
    absent = [i for i, name in enumerate(names) if name not in place]
    if absent:
        what = f"the covariance has no row {', '.join(sorted({names[i] for i in absent})[:6])}"
        problems.append(Problem(what, matrix.key, tuple(i + 2 for i in absent)))
    seen: dict[str, int] = {}
    twice = [i for i, name in enumerate(names) if seen.setdefault(name, i) != i]
    if twice:
        problems.append(Problem("several gains have the same label", matrix.key, tuple(i + 2 for i in twice)))
    if problems:
        raise InputError(problems, matrix.source)
    order = [place[name] for name in names]
    return matrix.values[np.ix_(order, order)]


def _label(value: object) -> str:
    """Return a cell as a file writes it."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _components(correlation: np.ndarray) -> list[np.ndarray]:
    """Return the sets of two or more rows that hang together."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    _, labels = connected_components(csr_array(correlation != 0.0), directed=False)
    order = np.argsort(labels, kind="stable")
    sets = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return [rows for rows in sets if len(rows) > 1]
