"""Which grouping terms a table of gains supports, and which it does not, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.hierarchy.tree import language_tree

__all__ = ["CANDIDATES", "MIN_GROUPS_CORRELATED", "TREE", "Candidate", "Dropped", "Term", "choose_terms"]

TREE = "language_tree"
"""The term of languages along their tree."""

MIN_GROUPS_CORRELATED = 5
"""With fewer groups the correlation of intercept and slope is not estimated (it is set to zero)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A term that a model may have.

    Parameters
    ----------
    name : str
        The term's name.
    columns : tuple of str
        The columns whose combinations are the groups.
    slope : bool
        Whether groups differ in slope too, where the data can show it.
    replicate : bool
        Whether the groups are replicates of the measurement (checkpoints, runs) rather than kinds of it.
    """

    name: str
    columns: tuple[str, ...]
    slope: bool
    replicate: bool


CANDIDATES: tuple[Candidate, ...] = (
    Candidate("task", ("task",), True, False),
    Candidate("language_family", ("language_family",), True, False),
    Candidate("language", ("language",), True, False),
    Candidate("intermediate", ("intermediate",), True, False),
    Candidate("model_family", ("model_family",), False, False),
    Candidate("task_language", ("task", "language"), False, False),
    Candidate("checkpoint", ("checkpoint",), False, True),
    Candidate("run", ("checkpoint", "intermediate", "seed"), False, True),
    Candidate("checkpoint_task", ("checkpoint", "task"), False, True),
    Candidate("checkpoint_language_family", ("checkpoint", "language_family"), False, True),
)
"""Every term the model may have, in the order in which they are tried."""


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A grouping term in a model.

    Parameters
    ----------
    name : str
        The term's name.
    columns : tuple of str
        The columns that define its groups.
    groups : tuple of str
        Group labels, sorted; combinations are joined with ``" | "``.
    index : ndarray of int, shape (n,)
        The group of every row.
    slope : bool
        Whether the groups have slopes of their own.
    correlated : bool
        Whether intercept and slope are correlated a priori.
    replicate : bool
        Whether the groups are replicates.
    path : ndarray of int, shape (n, depth), or None
        For a tree: the groups that add up to every row's deviation, each with the weight ``depth ** -0.5``. `groups`
        are then the nodes, and `index` is the last step.
    weight : ndarray, shape (n,), or None
        What a group's effect is multiplied by in every row; 1 if None.
    """

    name: str
    columns: tuple[str, ...]
    groups: tuple[str, ...]
    index: NDArray[np.int64]
    slope: bool
    correlated: bool
    replicate: bool
    path: NDArray[np.int64] | None = None
    weight: NDArray[np.float64] | None = None

    @property
    def n_groups(self) -> int:
        """The number of groups."""
        return len(self.groups)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A term (or a part of one) that the data cannot identify, and why."""

    name: str
    reason: str


def choose_terms(
    frame: pd.DataFrame,
    x: NDArray[np.float64],
    *,
    has_slope: bool,
    include: Sequence[str] | None = None,
    exclude: Iterable[str] = (),
    tree: bool = False,
) -> tuple[tuple[Term, ...], tuple[Dropped, ...], bool]:
    """Choose the terms that a table of gains can identify.

    A term is left out when its column is missing or has one value, or when it groups the rows exactly as a term
    before it does. A term that gives every row a group of its own takes the residual's place if it is a kind
    (task, language, ...), and leaves the field to the residual if it is a replicate or an interaction. Slopes need
    two groups that each span two sizes.

    Parameters
    ----------
    frame : DataFrame
        The gains.
    x : ndarray, shape (n,)
        Decades from 1e9 parameters.
    has_slope : bool
        Whether the law has a slope.
    include : sequence of str, optional
        Consider only these terms.
    exclude : iterable of str
        Leave these out.
    tree : bool
        One term for languages along their tree in place of language families and languages.

    Returns
    -------
    terms : tuple of Term
    dropped : tuple of Dropped
    residual : bool
        Whether a residual sd is identified beside the terms.

    Raises
    ------
    InputError
        For a name that is no term.
    """
    candidates = _with_tree(frame) if tree else CANDIDATES
    names = [candidate.name for candidate in candidates]
    exclude = tuple(exclude)
    unknown = [name for name in (*(include or ()), *exclude) if name not in (*names, "residual")]
    if unknown:
        raise InputError(
            [
                Problem(f"there is no term {name!r}", hint=f"terms: {', '.join(names)}, residual")
                for name in unknown
            ]
        )
    terms: list[Term] = []
    dropped: list[Dropped] = []
    residual = "residual" not in exclude
    rows = len(frame)
    for candidate in candidates:
        if (include is not None and candidate.name not in include) or candidate.name in exclude:
            dropped.append(Dropped(candidate.name, "left out on request"))
            continue
        columns = [column for column in candidate.columns if _is_known(frame, column)]
        if candidate.name == "run" and "checkpoint" in columns:
            pass
        elif len(columns) < len(candidate.columns):
            missing = sorted(set(candidate.columns) - set(columns))
            dropped.append(Dropped(candidate.name, f"no values in column {', '.join(missing)}"))
            continue
        path: NDArray[np.int64] | None = None
        groups: Sequence[str]
        if candidate.name == TREE:
            groups, path = language_tree(frame)
            index = path[:, -1]
            count = len(np.unique(index))
        else:
            index, found = pd.factorize(_join(frame, columns), sort=True)
            groups = [str(group) for group in found]
            count = len(groups)
        if count < 2:
            dropped.append(Dropped(candidate.name, f"only one group ({groups[0]})"))
            continue
        twin = next((term for term in terms if _same_partition(term.index, index)), None)
        if twin is not None:
            dropped.append(Dropped(candidate.name, f"groups the rows exactly as {twin.name} does"))
            continue
        if count == rows:
            if candidate.replicate or len(candidate.columns) > 1:
                dropped.append(Dropped(candidate.name, "every row is a group of its own: it is the residual"))
                continue
            residual = False
            dropped.append(Dropped("residual", f"every row is a group of {candidate.name}"))
        slope = candidate.slope and has_slope and _spanning(index, x, len(groups)) >= 2
        if candidate.slope and has_slope and not slope:
            dropped.append(Dropped(f"{candidate.name} slope", "fewer than two groups span two sizes"))
        correlated = slope and count >= MIN_GROUPS_CORRELATED
        if slope and not correlated:
            dropped.append(
                Dropped(f"{candidate.name} correlation", f"{count} groups, {MIN_GROUPS_CORRELATED} needed")
            )
        terms.append(
            Term(
                candidate.name,
                tuple(columns),
                tuple(groups),
                index.astype(np.int64),
                slope,
                correlated,
                candidate.replicate,
                path,
            )
        )
    return tuple(terms), tuple(dropped), residual


def _with_tree(frame: pd.DataFrame) -> tuple[Candidate, ...]:
    """Return the candidates with languages along their tree in the place of families and languages."""
    missing = [name for name in ("language", "language_family") if not _is_known(frame, name)]
    if missing:
        hint = "fill the column, or leave the option out"
        raise InputError(
            [Problem("a tree of languages needs this column", name, hint=hint) for name in missing]
        )
    rest = [each for each in CANDIDATES if each.name != "language_family"]
    return tuple(
        Candidate(TREE, ("language",), True, False) if each.name == "language" else each for each in rest
    )


def _is_known(frame: pd.DataFrame, column: str) -> bool:
    if column not in frame.columns:
        return False
    values = frame[column]
    return bool(values.notna().all() and (values.astype(str) != "").all())


def _join(frame: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.object_]:
    labels = frame[columns[0]].astype(str)
    for column in columns[1:]:
        labels = labels + " | " + frame[column].astype(str)
    return labels.to_numpy(dtype=object)


def _same_partition(first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    pairs = len(np.unique(np.stack([first, second], axis=1), axis=0))
    return bool(pairs == len(np.unique(first)) == len(np.unique(second)))


def _spanning(index: NDArray[np.int64], x: NDArray[np.float64], n_groups: int) -> int:
    """Count the groups with at least two distinct sizes."""
    pairs = np.unique(np.stack([index.astype(float), np.round(x, 9)], axis=1), axis=0)
    return int((np.bincount(pairs[:, 0].astype(int), minlength=n_groups) >= 2).sum())
