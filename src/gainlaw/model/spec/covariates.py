r"""Covariates: columns of numbers that shift the gain, and its slope where they are asked to.

Inside the model a covariate is :math:`z = (v - \bar v) / s` with the mean and the standard deviation of its column
over the rows, so that a prior of its effect means the same in whatever unit the column is written. ``NAME:slope`` lets
the covariate change the slope too: :math:`z\,(b + c\,h(x))`, both standing in the model. The intercept and the slope
of everything else are then those at the covariates' means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.model.spec.terms import Term
from gainlaw.notes import count_of
from gainlaw.scores.gains.table import Gains

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "SLOPE",
    "check_identified",
    "column_of",
    "columns_of",
    "effects_of",
    "read_covariates",
    "scaling_of",
    "standardise",
]

Float = NDArray[np.float64]

SLOPE = ":slope"
"""What follows the name of a covariate whose effect changes with size."""

# The least share of a column's variance that others must leave unexplained: below it, what belongs to which is known
# a hundred times worse than each by itself, and is decided by rounding and priors.
_LEAST_OWN = 1e-4
# How much of a unit column is nothing.
_NOTHING = 1e-9
# Of standardised columns, of size 1: more than any answer depends on, fewer than rounding moves.
_DECIMALS = 11


def effects_of(asked: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the effects in a model: an effect on the slope comes with that on the gain.

    Examples
    --------
    >>> effects_of(["tokens:slope", "depth"])
    ('tokens', 'tokens:slope', 'depth')
    """
    names: list[str] = []
    for name in asked:
        names += [column_of(name), name]
    sloped = set(asked)
    unique = dict.fromkeys(column_of(name) for name in names)
    return tuple(
        name
        for column in unique
        for name in ((column, column + SLOPE) if column + SLOPE in sloped else (column,))
    )


def column_of(effect: str) -> str:
    """Return the column behind the name of an effect."""
    return effect.removesuffix(SLOPE)


def columns_of(effects: Sequence[str]) -> tuple[str, ...]:
    """Return the columns behind the names of effects, each once."""
    return tuple(dict.fromkeys(column_of(name) for name in effects))


def read_covariates(gains: Gains, columns: Sequence[str], *, constant: bool = False) -> Float:
    """Return columns of numbers, shape (n, columns).

    Parameters
    ----------
    gains : Gains
        The data.
    columns : sequence of str
        Their names.
    constant : bool
        Whether a column may have one value throughout.

    Raises
    ------
    InputError
        For columns that are missing, not numeric, not finite or without variation, all at once.
    """
    frame = gains.frame
    problems: list[Problem] = []
    found: list[Float] = []
    for name in columns:
        if name not in frame.columns:
            hint = f"columns: {', '.join(frame.columns)}"
            problems.append(Problem("no such column for a covariate", name, hint=hint))
            continue
        values, text = _numbers(frame[name])
        missing = ~np.isfinite(values) & ~text
        if text.any():
            hint = "code a label as 0 and 1"
            problems.append(Problem("a covariate must be numeric", name, gains.lines_of(text), hint))
        if missing.any():
            what = f"a covariate has missing or infinite values in {count_of(int(missing.sum()), 'row')}"
            hint = "fill them in, or leave those rows or the covariate out"
            problems.append(Problem(what, name, gains.lines_of(missing), hint))
        if text.any() or missing.any():
            continue
        if not constant and _is_constant(values):
            problems.append(Problem("a covariate has the same value in every row", name))
        else:
            found.append(values)
    if problems:
        raise InputError(problems, source=gains.source)
    return np.stack(found, axis=1) if found else np.zeros((len(frame), 0))


def _numbers(column: pd.Series) -> tuple[Float, NDArray[np.bool_]]:
    """Return a column's numbers, NaN where there is none, and where something else than a number stands."""
    import pandas as pd

    try:
        values = column.to_numpy(dtype=float, na_value=np.nan)
        return values, np.zeros(len(column), bool)
    except (TypeError, ValueError):
        cells = column.astype(str).str.strip()
        values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float)
        text = np.isnan(values) & column.notna().to_numpy(bool) & cells.ne("").to_numpy(bool)
        return values, text if text.any() else np.ones(len(column), bool)


def scaling_of(gains: Gains, effects: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the mean and the standard deviation over the rows of every column behind some effects."""
    columns = columns_of(effects)
    values = read_covariates(gains, columns)
    return {
        name: (float(column.mean()), float(column.std()))
        for name, column in zip(columns, values.T, strict=True)
    }


def standardise(values: Float, columns: Sequence[str], scaling: Mapping[str, tuple[float, float]]) -> Float:
    """Return columns, shape (n, columns), less their means, over their sds; those without a scaling as they are.

    They are rounded: in another unit a column differs in its last digits, which may decide what is drawn.
    """
    mean, sd = np.array([scaling.get(name, (0.0, 1.0)) for name in columns]).reshape(-1, 2).T
    return np.round((values - mean) / sd, _DECIMALS)


def check_identified(
    gains: Gains,
    effects: Sequence[str],
    scaling: Mapping[str, tuple[float, float]],
    terms: Sequence[Term],
    x: Float | None,
) -> None:
    """Raise an `InputError` that names every covariate whose effect the rows cannot tell from something else.

    Parameters
    ----------
    gains : Gains
        The data.
    effects : sequence of str
        From `effects_of`.
    scaling : mapping
        From `scaling_of`.
    terms : sequence of Term
        The grouping terms.
    x : ndarray, shape (n,), or None
        Decades from 1e9 parameters; None for laws without a slope.
    """
    if x is None and (sloped := [name for name in effects if name.endswith(SLOPE)]):
        what = f"{', '.join(sloped)}: the constant law has no slope that a covariate could change"
        raise InputError(Problem(what, hint="law=linear, or the covariate alone"), gains.source)
    columns = columns_of(effects)
    values = read_covariates(gains, columns)
    standard = dict(zip(columns, standardise(values, columns, scaling).T, strict=True))
    fixed = {} if x is None else {"log(params)": x}
    for name in effects:
        z = standard[column_of(name)]
        fixed[name] = z * x if x is not None and name.endswith(SLOPE) else z
    problems = _collinear(fixed, effects) or _confounded(fixed, effects, terms, x)
    if problems:
        raise InputError(problems, gains.source)


def _is_constant(values: Float) -> bool:
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max(initial=0.0))


def _collinear(fixed: Mapping[str, Float], effects: Sequence[str]) -> list[Problem]:
    """Return the sets of columns, constant included, that say the same but for a share `_LEAST_OWN`."""
    names, problems = list(fixed), []
    while names:
        unit = _units([fixed[name] for name in names])
        _, sizes, rows = np.linalg.svd(unit, full_matrices=False)
        if sizes[-1] ** 2 >= _LEAST_OWN:
            break
        shares = np.abs(rows[-1])
        alike = [name for name, share in zip(names, shares, strict=True) if share > 0.05 * shares.max()]
        named = [name for name in alike if name in effects]
        if not named:
            break
        what = f"{' and '.join(alike)} say the same of these rows: their effects cannot be told apart"
        problems.append(Problem(what, column_of(named[-1]), hint=f"leave out {named[-1]}"))
        names.remove(named[-1])
    return problems


def _confounded(
    fixed: Mapping[str, Float], effects: Sequence[str], terms: Sequence[Term], x: Float | None
) -> list[Problem]:
    """Return the covariates that leave nothing of the differences between a term's groups to the term."""
    names = ["", *fixed]
    every = np.stack([np.ones_like(next(iter(fixed.values()))), *fixed.values()], axis=1) if fixed else None
    if every is None:
        return []
    every = every / np.sqrt((every**2).sum(axis=0))
    problems = []
    for term in terms:
        for own in (None, x) if term.slope else (None,):
            whole, size = _degrees_taken(every, term.index, own)
            if whole < size:
                continue
            rest = (k for k, name in enumerate(names) if name in effects)
            guilty = [
                names[k] for k in rest if _degrees_taken(np.delete(every, k, 1), term.index, own)[0] < size
            ]
            if guilty:
                groups = len(np.unique(term.index))
                what = f"{' and '.join(guilty)} cannot be told from {term.name}: its {groups} groups"
                what += " differ in nothing that the covariates (and the size) do not explain"
                hint = f"leave a covariate out, or the term (--drop {term.name})"
                problems.append(Problem(what, column_of(guilty[0]), hint=hint))
                break
    return problems


def _degrees_taken(columns: Float, index: NDArray[np.int64], x: Float | None) -> tuple[int, int]:
    """Return how many differences between groups (and between their slopes) are combinations of columns, and of all.

    Combinations of columns that are the same within every group, or lie on a line over x in each, leave nothing when
    the groups' means, or lines, are taken away.
    """
    _, group = np.unique(index, return_inverse=True)
    counts = np.bincount(group)

    def centred(values: Float) -> Float:
        return values - (np.bincount(group, values) / counts)[group]

    left = np.stack([centred(column) for column in columns.T], axis=1)
    size = len(counts)
    if x is not None:
        within = centred(x)
        spread = np.bincount(group, within**2)
        lines = spread > _NOTHING * max(float(np.ptp(x)) ** 2, 1e-300)
        tilt = [np.bincount(group, within * column) / np.where(lines, spread, np.inf) for column in left.T]
        left = left - np.stack([each[group] * within for each in tilt], axis=1)
        size += int(lines.sum())
    return _rank(columns) - _rank(left), size


def _rank(columns: Float) -> int:
    """Return the rank of columns that were of unit length, before something was taken away from them."""
    return int((np.linalg.svd(columns, compute_uv=False) > np.sqrt(_NOTHING)).sum())


def _units(columns: Sequence[Float]) -> Float:
    """Return columns less their means, of unit length."""
    centred = np.stack([column - column.mean() for column in columns], axis=1)
    length = np.sqrt((centred**2).sum(axis=0))
    return centred / np.where(length > 0, length, 1.0)
