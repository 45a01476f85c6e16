"""Evaluations to gains: pairs, scales, variances and the covariance of rows that share a baseline."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.notes import sort_notes
from gainlaw.options import require_choice
from gainlaw.scales import Scale
from gainlaw.scores.evaluations.columns import CANONICAL, COMPUTED, KEYS
from gainlaw.scores.evaluations.pairing import Pairing, pair_rows
from gainlaw.scores.evaluations.predictions import item_groups
from gainlaw.scores.evaluations.record import EvaluationsRecord
from gainlaw.scores.evaluations.sampling import chance_of_rows, score_variance
from gainlaw.scores.gains.contrast import Contrast, adjusted_accuracy, contrast
from gainlaw.scores.gains.covariance import BlockCovariance
from gainlaw.scores.gains.findings import unsized_notes
from gainlaw.scores.gains.record import GainsRecord, order_columns
from gainlaw.scores.gains.sampling import joint_covariance, mcnemar_variance
from gainlaw.scores.metrics import MetricFacts, metric_facts

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["Variance", "pair_gains", "scale_contrast"]

Variance = Literal["auto", "paired", "unpaired"]


def pair_gains(evals: EvaluationsRecord, scale: Scale = "points", variance: Variance = "auto") -> GainsRecord:
    """Return the record of the gain of every row with an intermediate over its baseline row.

    `gainlaw.compute_gains` is the public way here; its parameters and errors are these.

    Notes
    -----
    Let p0 be a baseline's accuracy and p_i those compared with it, with joint covariance S, diagonal unless
    items are shared. With the loadings a_i = dg_i/dp_i and b_i = dg_i/dp0 of the scale,
    Cov(g_i, g_j) = a_i a_j S_ij + a_i b_j S_i0 + b_i a_j S_0j + b_i b_j S_00. On points and unpaired that
    is Var(p0) off the diagonal. Gains of different checkpoints on the same items are taken as independent.
    """
    require_choice(scale, Scale, "scale")
    require_choice(variance, Variance, "variance")
    pairing = pair_rows(evals.frame)
    if not len(pairing.intermediate):
        raise InputError(_why_nothing(evals, pairing), evals.source or None)
    answers = {} if variance == "unpaired" or evals.predictions is None else item_groups(evals.predictions)
    frame = _labels(evals.frame, pairing)
    sides = _sides(evals.frame, pairing)
    parts = scale_contrast(scale, sides, frame, evals.source)
    frame["gain"] = parts.gain
    covariance, paired = _covariance(pairing, sides, parts, answers)
    if variance == "paired" and not paired.all():
        rows = tuple(int(row) for row in evals.frame["row"].to_numpy()[pairing.intermediate[~paired]])
        what = "variance is 'paired' but the items of the row and of its baseline are not kept, or differ"
        raise InputError(
            Problem(what, rows=rows, hint="add predictions, or use variance='auto'"), evals.source or None
        )
    frame["se"] = np.sqrt(covariance.variance)
    frame["scale"] = scale
    frame = frame.assign(**sides)
    frame["variance"] = np.where(paired, "paired", "unpaired")
    frame["block"] = _first_seen(pairing.baseline)
    frame["baseline_se"] = np.where(
        paired, np.nan, np.abs(parts.baseline_loading) * np.sqrt(sides["baseline_variance"])
    )
    frame = frame.drop(columns=["baseline_variance", "intermediate_variance"])
    lines = evals.frame["row"].to_numpy()[pairing.intermediate]
    notes = sort_notes([*(note.stand() for note in evals.notes), *unsized_notes(frame, lines)])
    return GainsRecord(
        order_columns(frame), scale, covariance, evals.source, evals.sha256, evals, notes, lines
    )


def _why_nothing(evals: EvaluationsRecord, pairing: Pairing) -> Problem:
    if not len(pairing.unpaired):
        what = "no row has an intermediate, so there is no gain to compute"
        return Problem(what, "intermediate", hint="add rows with an intermediate and its base_model")
    rows = tuple(int(row) for row in evals.frame["row"].to_numpy()[pairing.unpaired])
    reasons = "; ".join(reason for reason, _ in Counter(pairing.reasons).most_common(3))
    return Problem(f"no row with an intermediate has a baseline row: {reasons}", "base_model", rows)


def _labels(frame: pd.DataFrame, pairing: Pairing) -> pd.DataFrame:
    """Names of each pair: from its intermediate row, but params and model_family from the baseline."""
    top = frame.iloc[pairing.intermediate].reset_index(drop=True)
    base = frame.iloc[pairing.baseline].reset_index(drop=True)
    columns = ["task", "language", "language_name", "language_family", "genus"]
    labels = base[["params", "model_family"]].assign(checkpoint=top["base_model"])
    labels[["base_model", "model", "intermediate"]] = top[["base_model", "model", "intermediate"]]
    labels[columns] = top[columns]
    for key in KEYS:
        missing = top[key].isna() if key == "seed" else top[key].eq("")
        if not missing.all():
            labels[key] = top[key]
    labels["chance"] = chance_of_rows(top)
    for column in top.columns:
        if column not in (*CANONICAL, *COMPUTED) and column not in labels:
            labels[column] = top[column]
    labels["row"], labels["baseline_row"] = top["row"], base["row"]
    return labels


def _sides(frame: pd.DataFrame, pairing: Pairing) -> dict[str, np.ndarray]:
    score = frame["score"].to_numpy(float)
    k, n = frame["n_correct"].to_numpy(float), frame["n_examples"].to_numpy(float)
    var = score_variance(frame, score, k, n, frame["stderr"].to_numpy(float))
    sides: dict[str, np.ndarray] = {}
    for side, rows in (("baseline", pairing.baseline), ("intermediate", pairing.intermediate)):
        sides[f"{side}_score"] = score[rows]
        sides[f"n_{side}"] = n[rows]
        sides[f"k_{side}"] = k[rows]
        sides[f"{side}_variance"] = var[rows]
    return sides


def scale_contrast(scale: Scale, sides: dict[str, np.ndarray], frame: pd.DataFrame, source: str) -> Contrast:
    """Return the gains on a scale with their loadings.

    Parameters
    ----------
    scale : {"points", "log_odds", "normalized", "error_reduction"}
        The scale.
    sides : dict of str to numpy.ndarray, shape (pairs,)
        ``baseline_score, n_baseline, k_baseline, baseline_variance`` and the same of the intermediate.
    frame : pandas.DataFrame
        With ``chance``, ``metric`` and ``task`` where they are known.
    source : str
        For messages.

    Raises
    ------
    InputError
        If the scale does not exist for a metric, or needs a guess rate that is not known.
    """
    facts = metric_facts(frame)
    require_scale(scale, facts, source)
    best = facts.of_rows("best")
    chance = frame["chance"].to_numpy(float) if "chance" in frame else np.full(len(frame), np.nan)
    unknown = np.isnan(chance)
    if scale in {"normalized", "log_odds"} and unknown.any():
        tasks = sorted(set(frame["task"][unknown])) if "task" in frame else ["(no task column)"]
        what = f"the scale {scale!r} needs the guess rate of task {', '.join(tasks[:6])}"
        hint = "add a column n_classes, or chance (0 for free answers)"
        raise InputError(Problem(what, "n_classes", hint=hint), source or None)
    adjusted = {}
    for side in ("baseline", "intermediate"):
        p, k, n, v = (sides[name] for name in (f"{side}_score", f"k_{side}", f"n_{side}", f"{side}_variance"))
        adjusted[side] = adjusted_accuracy(p, k, n, v, np.nan_to_num(chance))
    p0, n0 = sides["baseline_score"], sides["n_baseline"]
    off = np.where(np.isnan(n0) | ~facts.share, np.sqrt(sides["baseline_variance"]), 0.5 / (n0 + 1.0))
    off_best = best - np.where(facts.of_rows("better") == "up", off, -off)
    return contrast(
        scale,
        p0,
        sides["intermediate_score"],
        baseline_adjusted=adjusted["baseline"],
        intermediate_adjusted=adjusted["intermediate"],
        chance=chance,
        baseline_edge=np.where(p0 == best, off_best, p0),
        per_point=facts.per_point,
        best=best,
    )


def require_scale(scale: Scale, facts: MetricFacts, source: str) -> None:
    """Raise an InputError where a scale does not exist for a metric of the table."""
    missing = [reason for metric in facts.metrics if (reason := metric.missing_scale(scale))]
    if missing:
        what = f"there is no gain on the scale {scale!r}: {'; '.join(missing)}"
        hint = "take the scale points, or leave out those rows"
        raise InputError(Problem(what, "metric", hint=hint), source or None)


def _first_seen(values: np.ndarray) -> np.ndarray:
    import pandas as pd

    return np.asarray(pd.factorize(values)[0])


def _covariance(
    pairing: Pairing, sides: dict[str, np.ndarray], parts: Contrast, answers: dict[int, pd.Series]
) -> tuple[BlockCovariance, np.ndarray]:
    """Combine both sides' sampling errors block by block; say which rows came from shared items."""
    a, b = parts.intermediate_loading, parts.baseline_loading
    v0, v1 = sides["baseline_variance"], sides["intermediate_variance"]
    variance = a**2 * v1 + b**2 * v0
    paired = np.zeros(len(a), bool)
    blocks = []
    for rows in _members(pairing.baseline):
        base = int(pairing.baseline[rows[0]])
        if base not in answers:
            if len(rows) > 1:
                cov = np.outer(b[rows], b[rows]) * v0[rows[0]]
                cov[np.diag_indices(len(rows))] = variance[rows]
                blocks.append((rows, cov))
            continue
        positions = [base, *(int(i) for i in pairing.intermediate[rows])]
        joint, shared = joint_covariance(positions, np.r_[v0[rows[0]], v1[rows]], answers)
        paired[rows] = (shared[1:] == shared[0]) & (shared[1:] >= 0)
        loadings = np.column_stack([b[rows], np.diag(a[rows])])
        cov = loadings @ joint @ loadings.T
        for i in np.flatnonzero(paired[rows]):
            floor = _discordance_floor(answers[base], answers[positions[i + 1]])
            cov[i, i] += floor * a[rows[i]] * -b[rows[i]]
        cov = 0.5 * (cov + cov.T)
        variance[rows] = np.diag(cov)
        if len(rows) > 1:
            blocks.append((rows, cov))
    return BlockCovariance(variance, tuple(blocks)).validate(), paired


def _discordance_floor(baseline: pd.Series, intermediate: pd.Series) -> float:
    """Return what McNemar's variance lacks where no item, or every item, is discordant; 0 elsewhere."""
    gained = float(((intermediate.to_numpy() == 1) & (baseline.to_numpy() == 0)).sum())
    lost = float(((intermediate.to_numpy() == 0) & (baseline.to_numpy() == 1)).sum())
    n = float(len(baseline))
    plain = (gained + lost - (gained - lost) ** 2 / n) / n**2
    return mcnemar_variance(gained, lost, n) if plain <= 0 else 0.0


def _members(baseline: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(baseline, kind="stable")
    cuts = np.flatnonzero(np.diff(baseline[order])) + 1
    return [np.sort(rows) for rows in np.split(order, cuts)]
