"""Comparison of laws over families, studies or sizes left out, beside reference lines that know no law."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.fitting.core import fit
from gainlaw.fitting.elpd import elpd_difference, elpd_status, same_gains
from gainlaw.fitting.left_out import Predictions, groups_of, predict_left_out, previous_size
from gainlaw.fitting.record import FitRecord
from gainlaw.laws import shaped
from gainlaw.scores.gains.table import Gains

__all__ = ["LEAVE", "compare_across"]

LEAVE = {"family": "model_family", "study": "study", "checkpoint": "checkpoint", "largest": "largest"}
"""What may be left out together, and the column that says so; any other column of the gains may be named too."""

COVERED = 0.95
"""The probability of the predictive intervals whose coverage is given."""

# The terms of the reference lines; their law is the first, which knows no size.
_REFERENCES = {
    "task means": ("task", "checkpoint", "checkpoint_task", "run"),
    "task, recipe and family means": (
        *("task", "intermediate", "model_family", "task_model_family"),
        *("checkpoint", "checkpoint_task", "run"),
    ),
}


def compare_across(fits: Mapping[str, FitRecord], leave: str) -> pd.DataFrame:
    """Compare fits by how well they predict the gains of groups left out, in points, beside reference lines.

    Parameters
    ----------
    fits : mapping of str to Fit
        Fits of the same gains: laws of the gain in points, and laws of scores.
    leave : str
        ``family``, ``study``, ``checkpoint``, ``largest`` (the largest size of every family with three, one family at
        a time), or a column of the gains.

    Returns
    -------
    DataFrame
        model, law, elpd (sum of the log predictive densities of single gains), se, elpd_diff (to the best), se_diff,
        rmse (root mean square error of a group's mean gain, points), coverage (of 95% predictive intervals of single
        gains), gains, groups, pareto_k_max, status; best elpd first. Standard errors take groups as independent. The
        reference lines are the means of tasks, those with recipes and families, and, where sizes are left out, the gain
        of the family's previous size.

    Raises
    ------
    InputError
        For fits of other rows or of other scales, or groups that cannot be left out.
    """
    first = next(iter(fits.values()))
    points = first.gains.to_scale("points")
    _require(fits, points, leave)
    column = LEAVE.get(leave, leave)
    everything = dict(fits)
    for name, terms in _REFERENCES.items():
        everything.setdefault(name, fit(points, law=shaped()[0], terms=terms, draws=500, chains=2))
    found = {}
    for name, each in everything.items():
        groups, names = groups_of(each.gains.frame, column)
        found[name] = _scores(each.gains.to_scale("points"), groups, names, predict_left_out(each, groups))
    groups, names = groups_of(points.frame, column)
    previous = previous_size(points, groups) if leave == "largest" else None
    if previous is not None:
        found["previous size"] = _scores(points, groups, names, previous)
    best = max(found, key=lambda name: found[name]["elpd"].sum())
    rows = []
    for name, table in found.items():
        tail = float(table["pareto_k"].max())
        rows.append(
            {
                "model": name,
                "law": everything[name].spec.law.name if name in everything else "",
                **elpd_difference(table["elpd"], found[best]["elpd"]),
                "rmse": float(np.sqrt((table["error"] ** 2).mean())),
                "coverage": float(table["inside"].sum() / table["gains"].sum()),
                "gains": int(table["gains"].sum()),
                "groups": len(table),
                "pareto_k_max": tail,
                "status": elpd_status(tail),
            }
        )
    return pd.DataFrame(rows).sort_values("elpd", ascending=False, ignore_index=True)


def _scores(gains: Gains, groups: np.ndarray, names: list[str], found: Predictions) -> pd.DataFrame:
    """Return what the predictions are worth, one row a group."""
    out = groups >= 0
    tail = 0.5 * (1.0 - COVERED)
    error = found.mean - gains.frame["gain"].to_numpy(float)
    table = pd.DataFrame(
        {
            "elpd": found.elpd[out],
            "error": error[out],
            "inside": np.abs(found.below[out] - 0.5) <= 0.5 - tail,
            "group": groups[out],
        }
    ).groupby("group")
    scores = table.agg(
        elpd=("elpd", "sum"), error=("error", "mean"), inside=("inside", "sum"), gains=("elpd", "size")
    )
    scores["pareto_k"] = found.pareto_k if len(found.pareto_k) else -np.inf
    return scores.set_axis(names)


def _require(fits: Mapping[str, FitRecord], points: Gains, leave: str) -> None:
    """Raise an `InputError` unless every fit can predict the same gains of the same groups."""
    problems = []
    for name, each in fits.items():
        if each.law.members:
            what = f"{name} averages over laws, whose weights change with what is left out"
            problems.append(Problem(what, hint="compare fits of its laws, or leave the groups to leave out"))
            continue
        if each.scale != "points" and not each.law.form.scores:
            hint = "fit it on points, or law=two_curve"
            problems.append(Problem(f"{name} is on the scale {each.scale}: it predicts no points", hint=hint))
        elif not same_gains(each.gains.to_scale("points"), points):
            problems.append(
                Problem(f"{name} was fitted to other rows than the first fit", hint="use the same gains")
            )
    column, frame = LEAVE.get(leave, leave), points.frame
    if column != "largest" and column not in frame.columns:
        hint = f"leave one of {', '.join(LEAVE)}, or a column: {', '.join(frame.columns)}"
        problems.append(Problem(f"there is no column {column!r} whose groups could be left out", hint=hint))
    elif not problems:
        groups, names = groups_of(frame, column)
        blocks = frame["block"] if "block" in frame else pd.Series(np.arange(len(frame)))
        if len(names) < 3:
            what = f"{len(names)} groups to leave out, {', '.join(names) or 'none'}: three are needed"
            problems.append(Problem(what, column))
        elif len({*zip(blocks, groups, strict=True)}) > len(set(blocks)):
            what = "gains over one baseline lie in several groups: leaving one out would not hide it"
            problems.append(Problem(what, column))
    if problems:
        raise InputError(problems, source="compare")
