"""The reference grid: which weights turn group effects into the gain of a level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.model.spec.problem import ModelSpec
from gainlaw.model.spec.terms import TREE, Term
from gainlaw.posterior.record import Posterior
from gainlaw.scores.gains.table import Gains

__all__ = [
    "SELECTABLE",
    "Cells",
    "Weights",
    "check_selection",
    "grid_cells",
    "levels_of",
    "reference_weights",
    "replicate_shares",
    "terms_of",
    "why_absent",
    "why_no_slope",
]

SELECTABLE = ("task", "language_family", "language", "intermediate", "model_family")
"""Columns that a level may fix."""

Weights = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Cells:
    """How much of the grid of two factors was observed.

    Parameters
    ----------
    columns : tuple of str
        The two factors.
    groups : tuple of int
        The number of groups of each.
    seen : int
        The number of their combinations with a gain.
    fewest : tuple of (str, int)
        Of each factor the group that was seen with the fewest groups of the other one, and with how many.
    """

    columns: tuple[str, str]
    groups: tuple[int, int]
    seen: int
    fewest: tuple[tuple[str, int], tuple[str, int]]

    @property
    def total(self) -> int:
        """The number of combinations in the grid."""
        return self.groups[0] * self.groups[1]

    @property
    def unseen(self) -> float:
        """The share of the combinations without a gain."""
        return 1.0 - self.seen / self.total


def levels_of(gains: Gains, column: str) -> list[str]:
    """Return the groups of a column, sorted; empty when the column is missing or blank."""
    if column not in gains.frame.columns:
        return []
    values = gains.frame[column].dropna().astype(str)
    return sorted(value for value in values.unique() if value)


def terms_of(spec: ModelSpec, column: str) -> tuple[Term, ...]:
    """Return the terms through which the groups of a column differ.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    column : str
        One of `SELECTABLE`.

    Returns
    -------
    tuple of Term
        Those over the column's groups or combinations of them, or those of another column that groups the rows
        alike; language families differ through their languages too. None where the groups gave way to replicates.
    """
    own = {column, TREE} if column in ("language", "language_family") else {column}
    twins = {each.twin for each in spec.dropped if each.name in own and each.twin}
    if twins - set(SELECTABLE):
        # What is due to these groups is with the replicates; interactions are not all of it.
        return ()
    # A column that groups the rows alike stands for this one, in interactions too.
    alike = {column, *twins}
    if "language_family" in alike:
        alike.add("language")
    return tuple(term for term in spec.terms if term.of_law and alike & set(term.columns))


def why_absent(spec: ModelSpec, gains: Gains, column: str) -> str:
    """Return why the groups of a column have no estimates of their own; empty where they have.

    Groups that no term tells apart would all be given the average, which is not what was asked for.
    """
    if len(levels_of(gains, column)) < 2 or terms_of(spec, column):
        return ""
    reason = next((each.reason for each in spec.dropped if each.name == column), "")
    return f"the model has no term for {column}" + (f": {reason}" if reason else "")


def why_no_slope(spec: ModelSpec, gains: Gains, column: str) -> str:
    """Return why the groups of a column have no slopes of their own; empty where they have.

    Without them every group would be given the slope of all groups together.
    """
    terms = terms_of(spec, column)
    if not spec.law.has_slope or len(levels_of(gains, column)) < 2 or any(term.slope for term in terms):
        return ""
    names = [f"{term.name} slope" for term in terms]
    reason = next((each.reason for each in spec.dropped if each.name in names), "")
    return f"the model has no slopes by {column}" + (f": {reason}" if reason else "")


def check_selection(posterior: Posterior, selection: Mapping[str, str]) -> None:
    """Raise an `InputError` that names every column or group which the fit does not have, or cannot tell apart."""
    problems = []
    for column, group in selection.items():
        if column not in SELECTABLE:
            problems.append(Problem(f"no level {column!r}", hint=f"levels: {', '.join(SELECTABLE)}"))
            continue
        known = levels_of(posterior.gains, column)
        if group not in known:
            hint = f"groups: {', '.join(known)}" if known else "the gains have no such column"
            problems.append(Problem(f"{column} {group!r} is not in the fit", hint=hint))
        elif reason := why_absent(posterior.spec, posterior.gains, column):
            problems.append(Problem(f"{column} {group!r} has no estimate: {reason}"))
    if not problems and "language" in selection and "language_family" in selection:
        frame = posterior.gains.frame
        own = frame.loc[frame["language"] == selection["language"], "language_family"].iloc[0]
        if own != selection["language_family"]:
            problems.append(Problem(f"language {selection['language']!r} is in family {own!r}"))
    if problems:
        raise InputError(problems)


def reference_weights(spec: ModelSpec, gains: Gains, selection: Mapping[str, str]) -> Weights:
    """Return the weight of every group effect in the gain of a level.

    What the selection fixes has weight one on its group. Everything else is averaged over the groups observed, each
    task, each language, each intermediate and each model family counting the same, as in estimated marginal means;
    a language's family goes with it. Replicate terms (checkpoints, runs) and the residual have no weight: they are
    what the law is estimated through, not part of it.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    gains : Gains
        The data.
    selection : mapping of str to str
        Groups fixed, by column; empty for the overall level.

    Returns
    -------
    dict of str to ndarray
        Weights over the groups of every term that is not a replicate. They sum to one, or to zero for a
        combination that was never observed (its effect is then at its prior mean).
    """
    frame = gains.frame
    base = np.ones(len(frame), dtype=bool)
    for column in ("language", "language_family"):
        if column in selection:
            base &= (frame[column].astype(str) == selection[column]).to_numpy()
    through = {column: terms_of(spec, column) for column in selection}
    weights: Weights = {}
    for term in spec.terms:
        if not term.of_law:
            continue
        mask = (
            base if set(term.columns) & {"language", "language_family"} else np.ones(len(frame), dtype=bool)
        )
        for column, group in selection.items():
            if term in through[column]:
                mask = mask & (frame[column].astype(str) == group).to_numpy()
        groups = term.n_groups if term.loading is None else len(term.loading)
        own = _average(term.name, term.columns, term.index, groups, frame, mask)
        weights[term.name] = own if term.loading is None else own @ term.loading
    return weights


def grid_cells(spec: ModelSpec, gains: Gains) -> tuple[Cells, ...]:
    """Return how much of the reference grid was observed, by pairs of factors.

    `reference_weights` averages over each factor separately. What that says of a combination that has no gain is the
    sum of the effects of its parts.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    gains : Gains
        The data.

    Returns
    -------
    tuple of Cells
        Every pair of factors whose groups the model tells apart; of languages and their families the languages.
        Factors that group the rows alike have one effect, and are no pair.
    """
    factors = [
        column for column in SELECTABLE if len(levels_of(gains, column)) > 1 and terms_of(spec, column)
    ]
    if "language" in factors and "language_family" in factors:
        factors.remove("language_family")
    found = []
    for one, other in combinations(factors, 2):
        pairs = gains.frame[[one, other]].dropna().astype(str).drop_duplicates()
        pairs = pairs[(pairs != "").all(axis=1)]
        counts = [pairs[column].value_counts().sort_index() for column in (one, other)]
        if any((count > 1).any() for count in counts):
            first, second = ((str(count.idxmin()), int(count.min())) for count in counts)
            groups = (len(counts[0]), len(counts[1]))
            found.append(Cells((one, other), groups, len(pairs), (first, second)))
    return tuple(found)


def replicate_shares(spec: ModelSpec, gains: Gains, selection: Mapping[str, str]) -> dict[str, float]:
    """Return what is left of the variance of every replicate term in the average over a level.

    Parameters
    ----------
    spec, gains, selection
        As for `reference_weights`.

    Returns
    -------
    dict of str to float
        1 for checkpoints and runs; for those by task or language family, unless one is fixed, the sum of the squared
        weights that tasks or families have in the average.
    """
    fixed = {*selection, *(each.twin for each in spec.dropped if each.name in selection)}
    if "language" in fixed:
        fixed.add("language_family")
    frame = gains.frame
    shares = {}
    for term in spec.terms:
        if term.replicate:
            column = term.columns[-1]
            shares[term.name] = 1.0
            if term.name.startswith("checkpoint_") and column not in fixed:
                index, found = pd.factorize(frame[column].astype(str))
                rows = np.ones(len(frame), dtype=bool)
                own = _average(column, (column,), index, len(found), frame, rows)
                shares[term.name] = float(np.sum(own**2))
    return shares


def _average(
    name: str,
    columns: tuple[str, ...],
    index: NDArray[np.int64],
    n_groups: int,
    frame: pd.DataFrame,
    mask: NDArray[np.bool_],
) -> NDArray[np.float64]:
    weight = np.zeros(n_groups)
    if not mask.any():
        return weight
    if name == "language_family" and "language" in frame.columns:
        group, _ = _pairs(index, frame["language"], mask)
        weight += np.bincount(group, minlength=n_groups)
    elif len(columns) > 1:
        # Interactions: each group of the first column counts the same, whatever the number of its partners.
        group, unit = _pairs(index, frame[columns[0]], mask)
        weight += np.bincount(group, 1.0 / np.bincount(unit)[unit], minlength=n_groups)
    else:
        weight[index[mask]] = 1.0
    return weight / weight.sum()


def _pairs(
    index: NDArray[np.int64], units: pd.Series, mask: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of a group and a unit, by their numbers, that rows have, each once."""
    codes, found = pd.factorize(units.astype(str), use_na_sentinel=False)
    group, unit = np.divmod(np.unique(index[mask] * len(found) + codes[mask]), len(found))
    return group, unit
