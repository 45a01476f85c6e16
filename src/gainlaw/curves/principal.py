"""Principal components of the benchmark scores of many models: what observational laws take for capability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.notes import count_of
from gainlaw.numbers import read_number
from gainlaw.scores.reading.cells import TableFaults, parse_numbers
from gainlaw.scores.reading.frames import RawTable, raw_from_frame

__all__ = ["Components", "components"]

Float = NDArray[np.float64]

# Share of a model's scores, and of the models with a score, that must be there.
_KNOWN = 0.5
# Imputation ends when no score moves by more standard deviations than this, and has failed after so many turns.
_STILL = 1e-9
_TURNS = 5000


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Components:
    """Principal components of scores.

    Parameters
    ----------
    table : pandas.DataFrame
        The table that they were made from, with the columns ``pc1``, ``pc2``, ... in the unit of the scores.
    loadings : pandas.DataFrame
        One row a score: ``score``, its ``mean``, how many were ``imputed``, and what of a component goes into it
        (``pc1``) with the percentile interval of resampled models (``pc1_low``, ``pc1_high``).
    share : ndarray, shape (number,)
        Share of the scores' variance that each component has.
    ci_prob : float
        Probability of the intervals.
    """

    table: pd.DataFrame
    loadings: pd.DataFrame
    share: Float
    ci_prob: float

    def __repr__(self) -> str:
        """Say in a line how much of the variance they hold."""
        return f"<{type(self).__name__}: {self.words}>"

    @property
    def words(self) -> str:
        """How much of the variance they hold, and how many scores were imputed, in words."""
        held = ", ".join(f"pc{k + 1} {share:.0%}" for k, share in enumerate(self.share))
        filled = int(self.loadings["imputed"].sum())
        missing = f"; {count_of(filled, 'missing score')} imputed" if filled else ""
        return (
            f"{held} of the variance of {count_of(len(self.loadings), 'score')} of "
            f"{count_of(len(self.table), 'model')}{missing}"
        )


def components(
    frame: pd.DataFrame | RawTable,
    scores: Sequence[str],
    *,
    number: int = 1,
    groups: str | None = None,
    draws: int = 200,
    ci_prob: float = 0.95,
    seed: int = 0,
) -> Components:
    r"""Return the principal components of the scores of models.

    With scores :math:`s_{mj}` of models m on benchmarks j they are the leading :math:`u_{mk}` of
    :math:`s_{mj} = \mu_j + \sum_k u_{mk} \gamma_{kj}`, the scores in their own unit, each :math:`\gamma_k` of length
    one and with a positive sum. Missing scores are imputed by the first component of the standardised scores, again
    and again until they stay as they are; laws of the components then take them for known.

    Parameters
    ----------
    frame : pandas.DataFrame or RawTable
        One row a model.
    scores : sequence of str
        Columns of scores, all in one unit.
    number : int
        Components.
    groups : str, optional
        The column of families, whose models are resampled together; models by themselves without.
    draws : int
        Resamples for the intervals of the loadings.
    ci_prob : float
        Probability of the intervals.
    seed : int
        Seed of the resamples.

    Raises
    ------
    InputError
        With every fault: columns that are missing, text, scores that do not vary, models with fewer than half of the
        scores, scores of fewer than half of the models, too few of either.

    Notes
    -----
    Ruan, Maddison and Hashimoto (2024, arXiv 2405.10938): components of public models' scores are log-linear in
    training compute within a family, and scores of other tasks a logistic curve of them.

    Examples
    --------
    >>> import pandas as pd
    >>> scores = pd.DataFrame({"a": [0.2, 0.4, 0.6, 0.8], "b": [0.3, 0.4, 0.5, 0.6], "c": [0.5, 0.6, None, 0.8]})
    >>> found = components(scores, ["a", "b", "c"])
    >>> found
    <Components: pc1 100% of the variance of 3 scores of 4 models; 1 missing score imputed>
    >>> found.table["pc1"].round(3).tolist()
    [-0.367, -0.122, 0.122, 0.367]
    """
    raw = frame if isinstance(frame, RawTable) else raw_from_frame(frame)
    names = [str(each) for each in scores]
    wanted = int(read_number(number, "number", least=1, whole=True))
    draws = int(read_number(draws, "draws", least=2, whole=True))
    read_number(ci_prob, "ci_prob", above=0, below=1)
    values = _read(raw, names, wanted, groups)
    mean, loading, share = _decompose(values, wanted)
    place = np.arange(len(values))
    if groups is not None:
        place = np.unique(raw.frame[groups].astype(str).to_numpy(), return_inverse=True)[1]
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(25,)))
    drawn = [each for _ in range(draws) if (each := _resampled(values, place, loading, rng)) is not None]
    tail = 0.5 - 0.5 * ci_prob
    low, high = np.quantile(drawn, [tail, 1.0 - tail], axis=0) if len(drawn) > 1 else (loading * np.nan,) * 2
    told = {"score": names, "mean": mean, "imputed": np.isnan(values).sum(axis=0)}
    table = raw.frame.copy()
    made = (_imputed(values) - mean) @ loading.T
    for k in range(wanted):
        name = f"pc{k + 1}"
        told |= {name: loading[k], f"{name}_low": low[k], f"{name}_high": high[k]}
        table[name] = made[:, k]
    return Components(table, pd.DataFrame(told), share, ci_prob)


def _read(raw: RawTable, names: Sequence[str], number: int, groups: str | None) -> Float:
    """Return the scores, shape (models, benchmarks), NaN where one is missing; refuse what cannot be decomposed."""
    known = [str(each) for each in raw.frame.columns]
    lacking = [each for each in (*names, *([groups] if groups else [])) if each not in known]
    problems = [Problem("no such column", each, hint="columns: " + ", ".join(known)) for each in lacking]
    problems += [Problem("named twice", each) for each in dict.fromkeys(names) if names.count(each) > 1]
    problems += [
        Problem("there is one already", f"pc{k + 1}") for k in range(number) if f"pc{k + 1}" in known
    ]
    if problems:
        raise InputError(problems, raw.source or "the table")
    faults = TableFaults(raw.lines, raw.source)
    values = np.column_stack([parse_numbers(raw.frame[each], each, faults)[0] for each in names])
    faults.raise_any()
    there = np.isfinite(values)
    few = there.mean(axis=1) < _KNOWN
    faults.add(
        "fewer than half of the scores",
        where=few,
        hint="leave these models out, or the scores that most lack",
    )
    for k, name in enumerate(names):
        own = values[there[:, k], k]
        if there[:, k].mean() < _KNOWN:
            faults.add("missing for more than half of the models", column=name, hint="leave it out")
        elif not own.std() > 0.0:
            faults.add("the same for every model", column=name, hint="leave it out")
    if len(names) < max(2, number):
        faults.add(
            f"{count_of(number, 'component')} of {count_of(len(names), 'score')}", hint="name more scores"
        )
    if len(values) < number + 2:
        faults.add(f"{count_of(number, 'component')} of {count_of(len(values), 'model')}")
    faults.raise_any()
    return values


def _imputed(values: Float) -> Float:
    """Return scores with the missing ones in the place that the first component of the standardised ones gives them."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    mean, sd = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    scaled = np.where(missing, 0.0, (values - mean) / sd)
    for _ in range(_TURNS):
        middle = scaled.mean(axis=0)
        u, s, v = np.linalg.svd(scaled - middle, full_matrices=False)
        moved = np.where(missing, middle + s[0] * np.outer(u[:, 0], v[0]), scaled)
        still = np.abs(moved - scaled).max() <= _STILL
        scaled = moved
        if still:
            return np.where(missing, mean + sd * scaled, values)
    what = "missing scores that the other scores do not tell: imputation does not settle"
    raise InputError(Problem(what, hint="leave out the models or the scores that lack most"))


def _decompose(values: Float, number: int) -> tuple[Float, Float, Float]:
    """Return means, loadings, shape (number, benchmarks), and shares of the variance."""
    whole = _imputed(values)
    mean = whole.mean(axis=0)
    _, s, v = np.linalg.svd(whole - mean, full_matrices=False)
    loading = v[:number] * np.where(v[:number].sum(axis=1) < 0.0, -1.0, 1.0)[:, None]
    return mean, loading, s[:number] ** 2 / (s**2).sum()


def _resampled(
    values: Float, place: NDArray[np.int64], loading: Float, rng: np.random.Generator
) -> Float | None:
    """Return the loadings of resampled groups, their signs those of the estimate; None where they cannot be had."""
    groups = place.max() + 1
    rows = np.concatenate([np.flatnonzero(place == k) for k in rng.integers(groups, size=groups)])
    drawn = values[rows]
    there = np.isfinite(drawn)
    if (there.sum(axis=0) < 2).any() or not (np.nanstd(np.where(there, drawn, np.nan), axis=0) > 0.0).all():
        return None
    try:
        found = _decompose(drawn, len(loading))[1]
    except (InputError, np.linalg.LinAlgError):
        return None
    return (
        found * np.where((found * loading).sum(axis=1) < 0.0, -1.0, 1.0)[:, None]
        if len(found) == len(loading)
        else None
    )
