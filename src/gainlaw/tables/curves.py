"""Tables of curves: laws side by side, and their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.formats import format_general, percent
from gainlaw.notes import count_of
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table
from gainlaw.tasks import task_title

if TYPE_CHECKING:
    from gainlaw.claims.curves import CurveVerdict
    from gainlaw.curves.points import CurvePoints
    from gainlaw.curves.record import CurveRecord
    from gainlaw.curves.study import CurveStudy

__all__ = ["curve_claims_table", "curve_laws_table", "curve_parameters_table", "loss_in_words"]


def curve_laws_table(study: CurveStudy) -> Table:
    """Return the laws of every curve side by side, the best first.

    Parameters
    ----------
    study : CurveStudy
        Fitted laws.

    Examples
    --------
    >>> import gainlaw as gl
    >>> from gainlaw.curves.study import fit_curves
    >>> study = fit_curves(gl.load_dataset("bloomz", intermediates="xP3").gains(), ["constant", "linear"])
    >>> curve_laws_table(study).frame["verdict"].tolist()
    ['best', 'worse']
    """
    frame = study.comparison
    leader = frame.groupby("curve")["delta_aicc"].transform("min") == frame["delta_aicc"]
    verdict = np.where(frame["aicc"].isna(), "not judged", np.where(frame["close"], "close", "worse"))
    frame["verdict"] = np.where(leader & frame["aicc"].notna(), "best", verdict)
    frame["curve"] = frame["curve"].map(task_title)
    frame["shown"] = frame["law"].str.replace("_", " ")
    points = next(iter(study.fits.values())).points
    columns = (
        Column("curve", "Curve"),
        Column("shown", "Law"),
        Column("parameters", "Parameters", "count"),
        Column("sigma", "Residual sd", "number", 2),
        Column("delta_aicc", "AICc above the best", "number", 1),
        Column("loo_rmse", "Left-out error", "number", 2),
        Column("holdout_error", "Largest size", "number", 1),
        Column("verdict", "Verdict"),
    )
    sizes = sorted({fit.points.n_sizes for fit in study.fits.values()})
    fewest = f"{sizes[0]} to " if sizes[0] < sizes[-1] else ""
    counts = f"{fewest}{count_of(sizes[-1], points.place)}"
    return Table(
        "curve_laws",
        f"Laws of {_of(points)}, {counts} a curve, one point a checkpoint."
        if not points.columns
        else f"Laws of {_of(points)}, {counts} a curve.",
        frame,
        columns,
        notes=(
            f"Parameters: the residual sd counted. Left-out error: root mean square error of {points.replicate}s "
            "predicted without them. Largest size: its gain less what the smaller sizes predict. Verdict: close, AICc "
            "within 4 of the best; not judged, fewer than three points more than parameters.",
        ),
        rule_by="curve",
        size="footnotesize",
    )


def curve_parameters_table(study: CurveStudy) -> Table:
    """Return the parameters of every law and curve with their intervals.

    Examples
    --------
    >>> import gainlaw as gl
    >>> from gainlaw.curves.study import fit_curves
    >>> study = fit_curves(gl.load_dataset("bloomz", intermediates="xP3").gains(), ["linear"])
    >>> curve_parameters_table(study).frame["parameter"].tolist()
    ['a', 'b']
    """
    frame = study.estimates
    frame["curve"] = frame["curve"].map(task_title)
    frame["shown"] = frame["law"].str.replace("_", " ")
    first = next(iter(study.fits.values()))
    held = bool(frame["bound"].ne("").any())
    columns = (
        Column("curve", "Curve"),
        Column("shown", "Law"),
        Column("parameter", "Parameter", "code"),
        Column("estimate", "Estimate", "general"),
        Column("se", "SE", "general"),
        Column("low", "from", "general"),
        Column("high", "to", "general"),
        *[Column("bound", "At bound")] * held,
        Column("unit", "Unit"),
        Column("meaning", "Meaning"),
    )
    caption = (
        f"Parameters: {_of(first.points)}, by {loss_in_words(first)}, with {percent(first.ci_prob)} intervals "
        "by the delta method."
    )
    notes = (
        "At bound: the estimate stands at a bound that was given, and its interval is one-sided; the errors of the "
        "others are those without the bound.",
    ) * held
    return Table(
        "curve_parameters", caption, frame, columns, notes=notes, rule_by="curve", size="footnotesize"
    )


def _of(points: CurvePoints) -> str:
    """Return what is fitted against what."""
    if not points.columns:
        return f"the mean gain ({points.unit}) against size"
    against = [column for name, column in points.columns.items() if name != "y"]
    return f"{points.label} against {' and '.join(against)}"


def loss_in_words(fit: CurveRecord) -> str:
    """Return the loss in words, with the numbers that it needs.

    Examples
    --------
    >>> import gainlaw as gl
    >>> loss_in_words(gl.fit_curve([1e8, 1e9, 1e10], [3.0, 2.0, 1.0]))
    'least squares'
    """
    setting = fit.problem.setting[0]
    said = {
        "squared": "least squares",
        "gls": "least squares weighted by the known errors",
        "huber": f"Huber's loss, delta {format_general(setting)}",
        "lad": "least absolute deviation",
        "student_t": f"Student's t, {setting:g} degrees of freedom",
        "binomial": "binomial counts",
        "beta_binomial": "beta-binomial counts",
    }[fit.loss]
    return f"{said}, weighted" if fit.points.weight is not None else said


def curve_claims_table(rows: Sequence[tuple[str, str, CurveVerdict]]) -> Table:
    """Return claims judged on curves.

    Parameters
    ----------
    rows : sequence of (str, str, CurveVerdict)
        Curve, law and verdict.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit_curve(gl.load_dataset("bloomz", intermediates="xP3").gains())
    >>> table = curve_claims_table([("all gains", "linear", gl.assess_curve(fit, "slope < 0", draws=200))])
    >>> table.frame["verdict"].tolist()
    ['refuted']
    """
    frame = pd.DataFrame(
        [{"curve": task_title(curve), "law": law, **asdict(each)} for curve, law, each in rows]
    )
    frame["shown"] = frame["law"].str.replace("_", " ")
    columns = (
        Column("curve", "Curve"),
        Column("shown", "Law"),
        Column("verdict", "Verdict", "status"),
        Column("share", "Share", "probability"),
        Column("share_twin", "Share, other scale", "probability"),
        Column("estimate", "Difference", "general"),
        Column("low", "from", "general"),
        Column("high", "to", "general"),
        Column("claim", "Claim"),
    )
    notes: tuple[str, ...] = (
        "Share: of the refits to resampled data, those in which the claim holds. Nothing is pooled.",
    )
    notes += tuple(
        "{}, {}: {} ({}): {}.".format(*map(str, (row.curve, row.shown, row.claim, row.verdict, row.note)))
        for row in frame.itertuples()
        if row.note
    )
    return Table(
        "curve_claims", "Claims, each curve by itself.", frame, columns, notes=notes, rule_by="curve"
    )
