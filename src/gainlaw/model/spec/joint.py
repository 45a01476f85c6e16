r"""The scores behind the gains as the rows of a model: baselines with a hierarchy of their own.

With a score for every baseline and every intermediate model,

.. math::

    \mathrm{score}_r = b(N_r) + [\text{task}, \text{language}, \dots, \text{cell}]_r + z_r\,\mathrm{gain}_r
        + \varepsilon_r,

``z`` being 1 for an intermediate model's score and 0 for a baseline's. The gain has the law and the terms that it has
without the scores; the baseline has a line in log size and the same kinds of terms. ``cell`` is what the scores of one
checkpoint, task and language have in common. Scores share what the hierarchies know, so that a gain measured from a
baseline that came out low by chance is pulled back; the model of the gains alone takes every baseline as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.laws.placed import PlacedLaw
from gainlaw.model.spec.terms import Dropped, Term, choose_terms
from gainlaw.options import DEFAULT_LAW
from gainlaw.scores.evaluations.sampling import accuracy_variance
from gainlaw.scores.gains.covariance import BlockCovariance
from gainlaw.scores.gains.table import Gains
from gainlaw.sizes import centre_of, decades

__all__ = ["FIXED", "PREFIX", "baseline_terms", "is_joint", "require_joint", "scores_of"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

PREFIX = "baseline_"
"""What the names of the baselines' terms begin with."""

FIXED = ("baseline", "baseline_slope")
"""The columns of the baselines' population line: its score at the centre of the sizes and its slope per decade."""

# Terms that baselines do not have.
_NOT_THEIRS = ("intermediate", "run", "smooth")

_NEEDED = (
    "baseline_score", "intermediate_score", "k_baseline", "k_intermediate", "n_baseline", "n_intermediate", "block",
)  # fmt: skip


def is_joint(covariates: Sequence[str]) -> bool:
    """Return whether a model's columns are those of a model of scores."""
    return set(FIXED) <= set(covariates)


def require_joint(gains: Gains, law: PlacedLaw) -> None:
    """Raise an `InputError` unless a model of the scores can be made.

    Parameters
    ----------
    gains : Gains
        The gains.
    law : PlacedLaw
        Their law.
    """
    problems = []
    if not law.form.straight:
        problems.append(
            Problem(
                f"hierarchical baselines go with a law that is a line, not {law.name!r}",
                hint=f"law={DEFAULT_LAW}",
            )
        )
    if law.form.scores and gains.scale != "log_odds":
        hint = "leave the scale out: the same fit gives its gains in points"
        problems.append(
            Problem(f"the law {law.name!r} is fitted on log-odds, not on {gains.scale}", hint=hint)
        )
    elif gains.scale not in ("points", "log_odds"):
        problems.append(
            Problem(f"hierarchical baselines have no meaning on {gains.scale!r}", hint="points or log_odds")
        )
    missing = [name for name in _NEEDED if name not in gains.frame.columns or gains.frame[name].isna().any()]
    if missing:
        hint = "fit evaluations with n_examples, or leave the baselines free"
        problems.append(
            Problem(f"the scores behind the gains are not all known: {', '.join(missing)}", hint=hint)
        )
    elif not _one_checkpoint_a_block(gains):
        hint = "leave the baselines free, or give the scores behind the gains"
        problems.append(
            Problem(
                "rows with errors in common are not all gains over one baseline of one size",
                "block",
                hint=hint,
            )
        )
    if problems:
        raise InputError(problems, source=gains.source or None)


def _one_checkpoint_a_block(gains: Gains) -> bool:
    """Return whether rows of a block share one baseline: that of one checkpoint, on one task and language."""
    labels = [name for name in ("params", "checkpoint", "task", "language") if name in gains.frame]
    return gains.shares_baselines and bool(
        (gains.frame.groupby("block")[labels].nunique(dropna=False) == 1).all(axis=None)
    )


def scores_of(gains: Gains) -> tuple[Gains, Int, Float]:
    """Return the scores behind the gains as a table of the same make.

    Parameters
    ----------
    gains : Gains
        Gains on points or log-odds with the scores and items of both models.

    Returns
    -------
    scores : Gains
        The baselines, then the intermediate models in the order of the gains. ``gain`` is the score in the unit of the
        scale, ``role`` says whose it is, ``k_intermediate`` and ``n_intermediate`` are its counts, ``baseline`` and
        ``baseline_slope`` the columns of the baselines' line.
    origin : ndarray of int, shape (rows,)
        The gain from which a row has its labels: for a baseline the first that shares it.
    role : ndarray, shape (rows,)
        1 for an intermediate model's score, 0 for a baseline's.
    """
    frame = gains.frame
    block, first = np.unique(frame["block"].to_numpy(), return_index=True)
    place = np.searchsorted(block, frame["block"].to_numpy())
    n = len(frame)
    origin = np.concatenate([first, np.arange(n)]).astype(np.int64)
    role = np.repeat([0.0, 1.0], [len(first), n])
    table = frame.iloc[origin].reset_index(drop=True)

    def own(name: str) -> Float:
        """Return a side's column at its own rows."""
        pair = [
            frame[each].to_numpy(dtype=float, na_value=np.nan)
            if each in frame.columns
            else np.full(n, np.nan)
            for each in (f"{name}_baseline", f"{name}_intermediate")
        ]
        return np.concatenate([pair[0][first], pair[1]])

    score = np.concatenate(
        [frame["baseline_score"].to_numpy(float)[first], frame["intermediate_score"].to_numpy(float)]
    )
    k, items = own("k"), own("n")
    variance = accuracy_variance(score, k, items, np.full(len(score), np.nan))
    if gains.scale == "points":
        value, covariance = 100.0 * score, _covariance(gains, place, 1e4 * variance)
    else:
        chance = table["chance"].to_numpy(float)
        smooth = np.clip((k + 0.5) / (items + 1.0), chance + 0.5 / (items + 1.0), None)
        value = np.log((smooth - chance) / (1.0 - smooth))
        slope = (1.0 - chance) / ((smooth - chance) * (1.0 - smooth))
        covariance = BlockCovariance(slope**2 * variance, ())
    x = decades(table["params"].to_numpy(dtype=float))
    table = table.assign(
        gain=value,
        se=np.sqrt(covariance.variance),
        k_intermediate=k,
        n_intermediate=items,
        role=np.where(role == 1.0, "intermediate", "baseline"),
        cell=np.concatenate([np.arange(len(first)), place]),
        baseline=1.0,
        baseline_slope=x - centre_of(x),
    )
    return replace(gains, frame=table, covariance=covariance, lines=None), origin, role


def _covariance(gains: Gains, place: Int, variance: Float) -> BlockCovariance:
    """Return the covariance of the scores (squared points), from that of the gains and the scores' own variances.

    With scores ``0`` (the baseline) and ``i``, ``Cov(g_i, g_j) = S_ij - S_i0 - S_0j + S_00``. Scores on the same items
    are correlated; where nothing says so this gives 0.
    """
    count = int(place.max()) + 1
    whole = {int(i): (np.asarray(rows), block) for rows, block in gains.covariance.blocks for i in rows}
    spread = np.asarray(gains.covariance.variance, dtype=float)
    blocks, variance = [], variance.copy()
    for b in range(count):
        rows = np.flatnonzero(place == b)
        v0, v1 = variance[b], variance[count + rows]
        own = np.diag(spread[rows])
        if int(rows[0]) in whole:
            members, block = whole[int(rows[0])]
            at = np.searchsorted(members, rows)
            own = block[np.ix_(at, at)]
        side = 0.5 * (v0 + v1 - np.diag(own))
        inner = own + side[:, None] + side[None, :] - v0
        joint = np.block([[np.array([[v0]]), side[None, :]], [side[:, None], inner]])
        joint[np.diag_indices(len(joint))] = np.concatenate([[v0], v1])
        off = joint - np.diag(np.diag(joint))
        if np.abs(off).max() > 1e-9 * np.diag(joint).max():
            values, vectors = np.linalg.eigh(joint)
            joint = (vectors * np.maximum(values, 1e-6 * values.max())) @ vectors.T
            members = np.concatenate([[b], count + rows])
            variance[members] = np.diag(joint)
            blocks.append((members, joint))
    return BlockCovariance(variance, tuple(blocks))


def baseline_terms(
    scores: Gains, x: Float, exclude: Sequence[str]
) -> tuple[tuple[Term, ...], tuple[Dropped, ...]]:
    """Choose the terms of the baselines.

    Parameters
    ----------
    scores : Gains
        From `scores_of`.
    x : ndarray, shape (rows,)
        Decades from 1e9 parameters.
    exclude : sequence of str
        Terms to leave out, by their names without the prefix.
    """
    frame = scores.frame
    terms, dropped, _ = choose_terms(
        frame,
        x,
        has_slope=True,
        exclude=(*_NOT_THEIRS, *(name for name in exclude if name != "cell")),
    )
    found = [replace(term, name=PREFIX + term.name) for term in terms]
    left = [Dropped(PREFIX + each.name, each.reason) for each in dropped if each.name not in _NOT_THEIRS]
    cell = frame["cell"].to_numpy(dtype=np.int64)
    twin = next(
        (term for term in found if len(np.unique(term.index * (cell.max() + 1) + cell)) == term.n_groups),
        None,
    )
    if "cell" in exclude:
        left.append(Dropped(PREFIX + "cell", "left out on request"))
    elif twin is not None and twin.n_groups == cell.max() + 1:
        left.append(Dropped(PREFIX + "cell", f"groups the rows exactly as {twin.name} does"))
    else:
        labels = [column for column in ("checkpoint", "task", "language") if column in frame.columns]
        firsts = frame.drop_duplicates("cell").sort_values("cell")[labels]
        names = firsts.astype(str).agg(" | ".join, axis=1)
        # Seeds, prompts and the like may tell cells apart too.
        several = names.duplicated(keep=False)
        groups = tuple(
            f"{name} ({number})" if repeated else name
            for number, (name, repeated) in enumerate(zip(names, several, strict=True))
        )
        found.append(Term(PREFIX + "cell", tuple(labels), groups, cell, False, False, True))
    return tuple(found), tuple(left)
