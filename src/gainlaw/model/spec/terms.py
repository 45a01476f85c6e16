"""Which grouping terms a table of gains supports, and which it does not, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.model.spec.smooth import SMOOTH, smooth_parts
from gainlaw.model.spec.tree import Relations, is_star, language_tree

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
    least : int
        How many groups each of its columns needs for it to be thought of at all.
    """

    name: str
    columns: tuple[str, ...]
    slope: bool
    replicate: bool
    least: int = 2


CANDIDATES: tuple[Candidate, ...] = (
    Candidate("task", ("task",), True, False),
    Candidate("language_family", ("language_family",), True, False),
    Candidate("language", ("language",), True, False),
    Candidate("intermediate", ("intermediate",), True, False),
    Candidate("model_family", ("model_family",), True, False),
    Candidate("task_language", ("task", "language"), False, False),
    # Two families of models differ by task, but how families do takes more.
    Candidate("task_model_family", ("task", "model_family"), False, False, least=3),
    Candidate(SMOOTH, ("params",), False, False),
    Candidate("checkpoint", ("checkpoint",), False, True),
    Candidate("run", ("checkpoint", "intermediate", "seed"), False, True),
    Candidate("checkpoint_task", ("checkpoint", "task"), False, True),
    Candidate("checkpoint_language_family", ("checkpoint", "language_family"), False, True),
)
"""Every term the model may have, in the order in which they are tried."""

_STAYS = ("checkpoint", "run")
"""Replicates of whole models: what varies between them is no kind of gain, so no other term takes their place."""


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
    loading : ndarray, shape (languages, groups), or None
        For a tree: what each of its steps, which are the `groups`, adds to each language's deviation; `index` is then
        the language of every row.
    weight : ndarray, shape (n,), or None
        What a group's effect is multiplied by in every row; 1 if None.
    departure : bool
        Whether it departs from the law (the smooth term, whose `loading` has a line for every size) rather than being
        a part of it.
    """

    name: str
    columns: tuple[str, ...]
    groups: tuple[str, ...]
    index: NDArray[np.int64]
    slope: bool
    correlated: bool
    replicate: bool
    loading: NDArray[np.float64] | None = None
    weight: NDArray[np.float64] | None = None
    departure: bool = False

    @property
    def n_groups(self) -> int:
        """The number of groups."""
        return len(self.groups)

    @property
    def of_law(self) -> bool:
        """Whether the groups have laws of their own, rather than departures from them (checkpoints, the smooth)."""
        return not self.replicate and not self.departure

    def matrix(self) -> NDArray[np.float64]:
        """Return the weight of every group in every row, shape (n, n_groups), of intercepts."""
        loading = np.eye(self.n_groups) if self.loading is None else self.loading
        found = loading[self.index]
        return found if self.weight is None else found * self.weight[:, None]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A term (or a part of one) that the data cannot identify, and why.

    Parameters
    ----------
    name : str
        The term, or its part.
    reason : str
        Why it is left out.
    twin : str
        The term that groups the rows alike, for which it is left out; empty for other reasons.
    """

    name: str
    reason: str
    twin: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Grouping:
    """A candidate with its groups in the rows at hand."""

    candidate: Candidate
    columns: tuple[str, ...]
    groups: tuple[str, ...]
    index: NDArray[np.int64]
    loading: NDArray[np.float64] | None = None

    @property
    def count(self) -> int:
        """The number of groups; for a tree, of languages."""
        return len(np.unique(self.index))

    @property
    def plain(self) -> bool:
        """Whether the groups are independent and vary alike, as those of all but trees do."""
        return self.loading is None or is_star(self.loading)


def choose_terms(
    frame: pd.DataFrame,
    x: NDArray[np.float64],
    *,
    has_slope: bool,
    include: Sequence[str] | None = None,
    exclude: Iterable[str] = (),
    tree: bool | Relations = False,
) -> tuple[tuple[Term, ...], tuple[Dropped, ...], bool]:
    """Choose the terms that a table of gains can identify.

    A term is left out when its column is missing or has one value, or when it groups the rows exactly as another one:
    as a checkpoint or run, which are the replicates and stay whatever else goes, or as a term before it. Where every
    row is a group, a replicate or an interaction is the residual, and a kind (task, language, ...) takes the
    residual's place. Slopes need two groups that each span two sizes; the smooth term needs a law with a slope and a
    family of models with five sizes (`gainlaw.model.spec.smooth`).

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
    tree : bool or Relations
        One term for languages along their tree in place of language families and languages. Languages that are related
        are no independent groups: it stands beside a residual, or checkpoints, that group the rows alike.

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
    candidates = _with_tree(frame, tree) if tree else CANDIDATES
    relations = tree if isinstance(tree, Relations) else None
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
    dropped: list[Dropped] = []
    residual = "residual" not in exclude
    asked = [
        each for each in candidates if (include is None or each.name in include) and each.name not in exclude
    ]
    found: list[_Grouping] = []
    smooth: Term | None = None
    for candidate in candidates:
        if candidate.name == SMOOTH and candidate in asked:
            smooth = _smooth(frame, x, has_slope, dropped)
            continue
        if candidate.least > 2 and _fewest(frame, candidate) < candidate.least:
            continue
        grouping = _grouping(frame, candidate, relations) if candidate in asked else "left out on request"
        if isinstance(grouping, str):
            dropped.append(Dropped(candidate.name, grouping))
        else:
            found.append(grouping)
    settled: list[_Grouping] = []
    for each in sorted(found, key=lambda grouping: grouping.candidate.name not in _STAYS):
        name, kind = each.candidate.name, not each.candidate.replicate and len(each.candidate.columns) == 1
        twin = next((other for other in settled if _same_partition(other.index, each.index)), None)
        if not each.plain:
            settled.append(each)
            continue
        if twin is not None:
            dropped.append(_give_way(each, twin))
            continue
        settled.append(each)
        if each.count == len(frame):
            if kind:
                residual = False
                dropped.append(Dropped("residual", f"every row is a group of {name}"))
            elif residual or name not in _STAYS:
                dropped.append(Dropped(name, "every row is a group of its own: it is the residual"))
                found.remove(each)
    terms = [_term(each, x, has_slope, dropped) for each in found if each in settled]
    if smooth is not None:
        terms.insert(sum(not term.replicate for term in terms), smooth)
    return tuple(terms), tuple(dropped), residual


def _smooth(
    frame: pd.DataFrame, x: NDArray[np.float64], has_slope: bool, dropped: list[Dropped]
) -> Term | None:
    """Return the smooth term; why there is none is added to `dropped`."""
    parts = smooth_parts(frame, x) if has_slope else "the law does not depend on size"
    if isinstance(parts, str):
        dropped.append(Dropped(SMOOTH, parts))
        return None
    groups, index, loading = parts
    return Term(SMOOTH, ("params",), groups, index, False, False, False, loading, departure=True)


def _grouping(frame: pd.DataFrame, candidate: Candidate, relations: Relations | None) -> _Grouping | str:
    """Return the groups of a candidate, or why it has none."""
    columns = tuple(column for column in candidate.columns if _is_known(frame, column))
    # A run is told apart by what is known of it beside its checkpoint.
    if len(columns) < len(candidate.columns) and not (candidate.name == "run" and "checkpoint" in columns):
        return f"no values in column {', '.join(sorted(set(candidate.columns) - set(columns)))}"
    if candidate.name == TREE:
        tree = language_tree(frame, relations)
        found = _Grouping(candidate, columns, tree.nodes, tree.index, tree.loading)
        return found if found.count > 1 else f"only one group ({tree.languages[0]})"
    index, labels = pd.factorize(_join(frame, columns), sort=True)
    groups = tuple(str(group) for group in labels)
    return (
        _Grouping(candidate, columns, groups, index.astype(np.int64))
        if len(groups) > 1
        else f"only one group ({groups[0]})"
    )


def _give_way(each: _Grouping, twin: _Grouping) -> Dropped:
    name, other = each.candidate.name, twin.candidate
    reason = f"groups the rows exactly as {other.name} does"
    if other.name in _STAYS and not each.candidate.replicate:
        reason += f", which stays as the replicate: what is due to {name} cannot be told from it"
    return Dropped(name, reason, other.name)


def _term(each: _Grouping, x: NDArray[np.float64], has_slope: bool, dropped: list[Dropped]) -> Term:
    """Return the term of a grouping; what of its slopes is left out is added to `dropped`."""
    candidate = each.candidate
    wanted = candidate.slope and has_slope
    slope = wanted and _spanning(each.index, x) >= 2
    if wanted and not slope:
        dropped.append(Dropped(f"{candidate.name} slope", "fewer than two groups span two sizes"))
    correlated = slope and each.count >= MIN_GROUPS_CORRELATED
    if slope and not correlated:
        reason = f"{each.count} groups, {MIN_GROUPS_CORRELATED} needed"
        dropped.append(Dropped(f"{candidate.name} correlation", reason))
    return Term(
        candidate.name,
        each.columns,
        each.groups,
        each.index,
        slope,
        correlated,
        candidate.replicate,
        each.loading,
    )


def _with_tree(frame: pd.DataFrame, tree: bool | Relations) -> tuple[Candidate, ...]:
    """Return the candidates with languages along their tree in the place of families and languages."""
    needed = ("language",) if isinstance(tree, Relations) else ("language", "language_family")
    missing = [name for name in needed if not _is_known(frame, name)]
    if missing:
        hint = "fill the column, or leave the option out"
        raise InputError(
            [Problem("a tree of languages needs this column", name, hint=hint) for name in missing]
        )
    rest = [each for each in CANDIDATES if each.name != "language_family"]
    return tuple(
        Candidate(TREE, ("language",), True, False) if each.name == "language" else each for each in rest
    )


def _fewest(frame: pd.DataFrame, candidate: Candidate) -> int:
    """Return the number of groups of that column of a candidate which has the fewest."""
    return min(len(set(frame[name])) if _is_known(frame, name) else 0 for name in candidate.columns)


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


def _spanning(index: NDArray[np.int64], x: NDArray[np.float64]) -> int:
    """Count the groups with at least two distinct sizes."""
    pairs = np.unique(np.stack([index.astype(float), np.round(x, 9)], axis=1), axis=0)
    return int((np.bincount(pairs[:, 0].astype(int), minlength=1) >= 2).sum())
