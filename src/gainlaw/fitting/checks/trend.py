"""What a law leaves: whether neighbouring checkpoints deviate alike, and whether one slope hides a bend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.fitting.checks.diagnostics import Check
from gainlaw.fitting.exploration import shape_values
from gainlaw.formats import format_number
from gainlaw.model.effects import linear_predictor
from gainlaw.model.spec.smooth import LEAST_SIZES, SMOOTH, families_of
from gainlaw.posterior.levels import gain_curve
from gainlaw.posterior.record import Posterior
from gainlaw.posterior.tree import effects_of, hyper_points
from gainlaw.sizes import N0, format_params

__all__ = ["checkpoint_deviations", "trend_checks"]

Float = NDArray[np.float64]

# Draws over which the law's line is averaged, orders of the checkpoints that are tried, and the error of either check.
_DRAWS, _ORDERS, _ALPHA = 200, 2000, 0.05


@dataclass(frozen=True, slots=True, eq=False)
class _Deviations:
    """Mean deviations of checkpoints from the law, sorted by family and size."""

    family: NDArray[np.object_]
    x: Float
    value: Float


def checkpoint_deviations(posterior: Posterior) -> pd.DataFrame:
    """Return how far the gains of every checkpoint lie from the law on average, in the unit of the scale.

    Tasks, languages and whatever else the law holds are taken out at their posterior means; the deviations of
    checkpoints and the smooth term are not. Rows count by their precision.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.

    Returns
    -------
    DataFrame
        checkpoint, model_family, x (decades from 1e9 parameters) and deviation, by family and size.
    """
    spec, problem, frame = posterior.spec, posterior.problem, posterior.rows.frame
    effects = effects_of(posterior)
    some = np.linspace(0, len(effects) - 1, min(_DRAWS, len(effects))).astype(int)
    effects = effects[some].copy()
    departs = {term.name for term in spec.all_terms if not term.of_law}
    for block in problem.design.blocks:
        if block.name in departs:
            effects[:, block.start : block.start + block.size] = 0.0
    psi = shape_values(problem, hyper_points(posterior))
    line = linear_predictor(problem, effects, None if psi is None else psi[some]).mean(axis=0)
    tau = float(posterior.draws["posterior"]["tau_residual"].median()) if spec.residual else 0.0
    weight = 1.0 / np.maximum(frame["se"].to_numpy(dtype=float) ** 2 + tau**2, 1e-12)
    rows = pd.DataFrame(
        {
            "checkpoint": frame["checkpoint"].astype(str).to_numpy(),
            "model_family": families_of(frame),
            "x": problem.x,
            "weight": weight,
            "sum": weight * (problem.y - line),
        }
    )
    found = rows.groupby(["model_family", "x", "checkpoint"], as_index=False)[["weight", "sum"]].sum()
    return found.assign(deviation=found["sum"] / found["weight"]).drop(columns=["weight", "sum"])


def trend_checks(posterior: Posterior, influence: pd.DataFrame) -> tuple[Check, ...]:
    """Return two notes on what the law leaves: neighbours that deviate alike, and a bend.

    They pass and fail nothing; their value is above their limit where they have something to say. Families with fewer
    than five sizes say nothing.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    influence : DataFrame
        The slope without each checkpoint.
    """
    frame = posterior.gains.frame
    if not posterior.law.has_slope or "checkpoint" not in frame.columns:
        return ()
    if frame["checkpoint"].isna().any() or (frame["checkpoint"].astype(str) == "").any():
        return ()
    table = checkpoint_deviations(posterior)
    many = table.groupby("model_family")["x"].transform("nunique") >= LEAST_SIZES
    if not many.any():
        return ()
    kept = table[many]
    found = _Deviations(
        kept["model_family"].to_numpy(dtype=object), kept["x"].to_numpy(), kept["deviation"].to_numpy()
    )
    return _neighbours(posterior, found), _bend(posterior, found, influence)


def _lag_one(value: Float, family: NDArray[np.object_]) -> Float:
    """Return the correlation of neighbours within families, of values of shape (orders, n) sorted by size."""
    away = value.copy()
    for name in np.unique(family):
        away[:, family == name] -= away[:, family == name].mean(axis=1, keepdims=True)
    together = family[1:] == family[:-1]
    return (away[:, 1:] * away[:, :-1])[:, together].sum(axis=1) / np.maximum((away**2).sum(axis=1), 1e-300)


def _neighbours(posterior: Posterior, found: _Deviations) -> Check:
    rng = np.random.default_rng(0)
    orders = np.tile(found.value, (_ORDERS, 1))
    for name in np.unique(found.family):
        inside = found.family == name
        orders[:, inside] = rng.permuted(orders[:, inside], axis=1)
    value = float(_lag_one(found.value[None], found.family)[0])
    limit = float(np.quantile(_lag_one(orders, found.family), 1.0 - _ALPHA))
    smooth = any(term.name == SMOOTH for term in posterior.spec.terms)
    if value <= limit:
        text = "Neighbouring checkpoints do not deviate from the law alike more than chance would have it"
    elif smooth:
        text = (
            "Neighbouring checkpoints deviate from the law alike; the smooth term widens the intervals for it"
        )
    else:
        text = (
            "Neighbouring checkpoints deviate from the law alike, and the model takes them for independent: its "
            "intervals are too narrow"
        )
    return Check(
        "neighbours",
        None,
        value,
        limit,
        f"{text} (lag-one correlation over size {value:.2f}, above {limit:.2f} in one of twenty random orders).",
    )


def _bend(posterior: Posterior, found: _Deviations, influence: pd.DataFrame) -> Check:
    """Test a quadratic in log size in what the law leaves of the checkpoints' means."""
    from scipy import stats

    names = np.unique(found.family)
    middle = found.x - found.x.mean()
    design = np.column_stack([*((found.family == name).astype(float) for name in names), middle, middle**2])
    beta, _, _, _ = np.linalg.lstsq(design, found.value, rcond=None)
    df = len(found.value) - design.shape[1]
    spread = float(np.sum((found.value - design @ beta) ** 2)) / df
    error = float(np.sqrt(spread * np.linalg.inv(design.T @ design)[-1, -1]))
    value = abs(float(beta[-1])) / max(error, 1e-300)
    limit = float(stats.t.ppf(1.0 - _ALPHA / 2.0, df))
    if value <= limit:
        text = (
            f"A curve through the checkpoints' means does not bend away from the {_title(posterior)} more than their "
            f"spread allows (t = {value:.1f} with {df} d.f.)."
        )
        return Check("bend", None, value, limit, text)
    line = gain_curve(posterior, "overall")
    ends = np.array([found.x.min(), found.x.max()])
    step = 0.05
    own = [
        float(np.mean(line.gain(1e9 * 10.0 ** (at + step)) - line.gain(1e9 * 10.0 ** (at - step))))
        / (2 * step)
        for at in ends
    ]
    slopes = own + beta[-2] + 2.0 * beta[-1] * (ends - found.x.mean())
    low, high = (format_number(float(slope), posterior.spec.decimals()) for slope in slopes)
    small, large = (format_params(N0 * 10.0**at) for at in ends)
    text = (
        f"One slope hides a bend: a curve through the checkpoints' means (t = {value:.1f} with {df} d.f.) has a slope "
        f"of {low} {posterior.unit} per decade at {small} parameters and of {high} at {large}. What is reported is "
        f"the average of the {_title(posterior)} over these sizes"
    )
    last = influence[influence["params"] == influence["params"].max()] if len(influence) else influence
    if len(last) == 1:
        text += f"; without {last['checkpoint'].iloc[0]} its slope is {last['slope_mean'].iloc[0]:.3g}"
    return Check("bend", None, value, limit, text + ".")


def _title(posterior: Posterior) -> str:
    return f"{posterior.law.title} law"
