"""What an average over laws says of its members, and what averaging costs in width."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.fitting.checks.diagnostics import Check
from gainlaw.formats import format_interval, format_number
from gainlaw.options import DEFAULT_LAW
from gainlaw.posterior.levels import gain_curve
from gainlaw.posterior.record import Posterior
from gainlaw.sizes import format_params

__all__ = ["described", "laws_check"]


def laws_check(posterior: Posterior, laws: pd.DataFrame, ci_prob: float) -> tuple[Check, ...]:
    """Return a note on the weights of the laws, and on how much wider than under one law the average's intervals are.

    It passes and fails nothing. Its value is the width of the interval of the overall gain at the largest size over
    that under the default law, or the most probable one where that is not among them.

    Parameters
    ----------
    posterior : Posterior
        The average; a fit is one.
    laws : DataFrame
        From `Averaged`; empty for other posteriors.
    ci_prob : float
        Probability of the intervals.
    """
    if laws.empty:
        return ()
    largest = float(posterior.gains.frame["params"].max())
    curve, digits = gain_curve(posterior, "overall"), posterior.spec.decimals()
    own = {**described("gain", curve.gain(largest), ci_prob), **described("slope", curve.slope(), ci_prob)}
    known = laws["law"].to_list()
    single = laws.iloc[known.index(DEFAULT_LAW) if DEFAULT_LAW in known else int(laws["weight"].argmax())]
    title = f"{single['law'].replace('_', ' ')} law alone"
    said = []
    for name, where in (("gain", f"gain at {format_params(largest)}"), ("slope", "slope")):
        wide, narrow = (each[f"{name}_ci_high"] - each[f"{name}_ci_low"] for each in (own, single))
        ends = format_interval(single[f"{name}_ci_low"], single[f"{name}_ci_high"], digits)
        said.append(
            f"the interval of the overall {where} is {wide / narrow if narrow > 0 else np.inf:.2f} times as wide as "
            f"under the {title} ({format_number(single[f'{name}_mean'], digits)} {ends})"
        )
    stacked = posterior.law.form.weighing == "stacking"
    one, other = ("stacking", "evidence") if stacked else ("evidence", "stacking")
    listed = ", ".join(
        f"{row['law'].replace('_', ' ')} {row[one]:.2f}"
        + ("" if np.isnan(row[other]) else f" ({row[other]:.2f})")
        for _, row in laws.sort_values("weight", ascending=False, kind="stable").iterrows()
    )
    text = f"Weights of the laws by {one} (by {other}): {listed}. What averaging costs: {'; '.join(said)}."
    width = (own["gain_ci_high"] - own["gain_ci_low"]) / (single["gain_ci_high"] - single["gain_ci_low"])
    return (Check("laws", None, float(width), float("nan"), text),)


def described(name: str, values: NDArray[np.float64], ci_prob: float) -> dict[str, float]:
    """Return mean and interval of draws as columns that begin with a name."""
    low, high = np.quantile(values, [0.5 - 0.5 * ci_prob, 0.5 + 0.5 * ci_prob])
    return {
        f"{name}_mean": float(values.mean()),
        f"{name}_ci_low": float(low),
        f"{name}_ci_high": float(high),
    }
