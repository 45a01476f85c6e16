"""Gains on one scale to gains on another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.scores.evaluations.sampling import score_variance
from gainlaw.scores.gains.compute import pair_gains, scale_contrast
from gainlaw.scores.gains.covariance import BlockCovariance
from gainlaw.scores.gains.record import IDENTITY, GainsRecord
from gainlaw.scores.metrics import metric_facts
from gainlaw.scores.reading.cells import group_codes

if TYPE_CHECKING:
    from gainlaw.scales import Scale

__all__ = ["rescale"]


def rescale(gains: GainsRecord, scale: Scale) -> GainsRecord:
    """Return `gains` on `scale`; `Gains.to_scale` is the public way here.

    With the evaluations at hand the gains are computed anew. Without, ``points`` and ``normalized`` are
    multiples of each other, and the rest is computed from both scores and the sampling variances that the
    table implies.

    Raises
    ------
    InputError
        If the table does not hold what the scale needs.
    """
    if gains.evaluations is not None and gains.shares_baselines:
        return _from_evaluations(gains, scale)
    reason = gains.missing_scale(scale)
    if reason:
        what = f"the gains cannot be put on the scale {scale!r}: {reason}"
        raise InputError(Problem(what, "metric", hint="stay on points"), gains.source or None)
    if {gains.scale, scale} == {"points", "normalized"} and "chance" in gains.frame:
        facts = metric_facts(gains.frame)
        room = (facts.of_rows("best") - gains.frame["chance"].to_numpy(float)) * facts.per_point / 100.0
        if np.isfinite(room).all():
            factor = room if scale == "points" else 1.0 / room
            frame = gains.frame.assign(scale=scale)
            for column in ("gain", "se", "baseline_se"):
                frame[column] = frame[column] * factor
            return replace(gains, frame=frame, scale=scale, covariance=gains.covariance.scaled(factor))
    return _from_scores(gains, scale)


def _from_evaluations(gains: GainsRecord, scale: Scale) -> GainsRecord:
    import pandas as pd

    evals = gains.evaluations
    assert evals is not None
    paired = gains.frame["variance"].eq("paired").any()
    whole = pair_gains(evals, scale, "auto" if paired else "unpaired")
    keys = [key for key in IDENTITY if key in gains.frame and key in whole.frame]
    codes = group_codes(pd.concat([whole.frame[keys], gains.frame[keys]], ignore_index=True), keys)
    there, wanted = codes[: len(whole)], codes[len(whole) :]
    if not np.isin(wanted, there).all():
        raise InputError("the gains do not belong to the evaluations kept with them", gains.source or None)
    mask = np.isin(there, wanted)
    part = whole.subset(mask)
    order = np.argsort(np.argsort(wanted, kind="stable"), kind="stable")
    position = np.argsort(there[mask], kind="stable")[order]
    if not np.array_equal(position, np.arange(len(part))):
        part = _reordered(part, position)
    return replace(part, notes=gains.notes, source=gains.source, sha256=gains.sha256, lines=gains.lines)


def _reordered(gains: GainsRecord, position: np.ndarray) -> GainsRecord:
    where = np.argsort(position)
    blocks = []
    for rows, cov in gains.covariance.blocks:
        moved = where[rows]
        order = np.argsort(moved)
        blocks.append((moved[order], cov[np.ix_(order, order)]))
    covariance = BlockCovariance(gains.covariance.variance[position], tuple(blocks))
    lines = None if gains.lines is None else gains.lines[position]
    frame = gains.frame.iloc[position].reset_index(drop=True)
    return replace(gains, frame=frame, covariance=covariance, lines=lines)


def _from_scores(gains: GainsRecord, scale: Scale) -> GainsRecord:
    frame = gains.frame
    lost = f"the gains cannot be put on the scale {scale!r}"
    needed = ("baseline_score", "intermediate_score", "n_baseline", "n_intermediate")
    missing = [column for column in needed if column not in frame or frame[column].isna().any()]
    if missing:
        what = f"{lost}: both scores and their numbers of examples are needed"
        raise InputError(Problem(what, missing[0], hint="or give the evaluations"), gains.source or None)
    if frame["variance"].eq("paired").any():
        what = f"{lost} without the items behind the paired standard errors"
        raise InputError(
            Problem(what, "variance", hint="give the evaluations with predictions"), gains.source or None
        )
    sides: dict[str, np.ndarray] = {}
    for side in ("baseline", "intermediate"):
        p, n = frame[f"{side}_score"].to_numpy(float), frame[f"n_{side}"].to_numpy(float)
        rounded = np.where(metric_facts(frame).share, np.round(p * n), np.nan)
        k = frame[f"k_{side}"].to_numpy(float) if f"k_{side}" in frame else rounded
        none = np.full(len(p), np.nan)
        sides |= {
            f"{side}_score": p,
            f"n_{side}": n,
            f"k_{side}": k,
            f"{side}_variance": score_variance(frame, p, k, n, none),
        }
    parts = scale_contrast(scale, sides, frame, gains.source)
    a, b = parts.intermediate_loading, parts.baseline_loading
    v0, v1 = sides["baseline_variance"], sides["intermediate_variance"]
    variance = a**2 * v1 + b**2 * v0
    if not gains.shares_baselines:
        # What is known is the covariance of the gains alone: it is stretched as far as the standard errors of the
        # scores are, row by row, and its correlations stay.
        here = scale_contrast(gains.scale, sides, frame, gains.source)
        factor = np.sqrt(variance / (here.intermediate_loading**2 * v1 + here.baseline_loading**2 * v0))
        changed = frame.assign(gain=parts.gain, scale=scale)
        for column in ("se", "baseline_se"):
            changed[column] = frame[column] * factor
        return replace(gains, frame=changed, scale=scale, covariance=gains.covariance.scaled(factor))
    blocks = []
    for rows, _ in gains.covariance.blocks:
        cov = np.outer(b[rows], b[rows]) * v0[rows[0]]
        cov[np.diag_indices(len(rows))] = variance[rows]
        blocks.append((rows, cov))
    changed = frame.assign(
        gain=parts.gain, se=np.sqrt(variance), scale=scale, baseline_se=np.abs(b) * np.sqrt(v0)
    )
    return replace(
        gains, frame=changed, scale=scale, covariance=BlockCovariance(variance, tuple(blocks)).validate()
    )
