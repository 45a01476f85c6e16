"""Columns of a table of scores that say the same thing twice: they agree to the digits written, or are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gainlaw.scores.evaluations.columns import BASELINE
from gainlaw.scores.metrics import metric_facts
from gainlaw.scores.reading.cells import parse_text
from gainlaw.scores.reading.digits import half_units

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.options import Unit
    from gainlaw.scores.reading.cells import TableFaults

__all__ = ["OTHER_MODEL", "check_agreement"]

OTHER_MODEL = 2.0
"""A model this many times larger or smaller than its base model is another model; adapters and heads add less."""

_NOISE = 1e-6
_HINT = "two columns that say the same thing must agree: correct or leave out one"


def check_agreement(frame: pd.DataFrame, raw: pd.DataFrame, unit: Unit | None, faults: TableFaults) -> None:
    """Report scores, counts, guess rates, sizes and families that contradict each other.

    Parameters
    ----------
    frame : pandas.DataFrame
        Parsed scores, NaN where missing.
    raw : pandas.DataFrame
        The cells as they were written, row by row.
    unit : {"fraction", "points"}, optional
        The unit of the scores that was declared.
    faults : TableFaults
        Where contradictions go.
    """
    counted = metric_facts(frame).share
    if {"score", "n_correct"} <= set(raw):
        score, n = frame["score"].to_numpy(float), frame["n_examples"].to_numpy(float)
        ratio = frame["n_correct"].to_numpy(float) / n
        slack = half_units(raw["score"]) * (0.01 if unit == "points" else 1.0) + 0.5 / n
        apart = counted & (np.abs(score - ratio) > (1 + _NOISE) * slack)
        if apart.any():
            i = int(np.flatnonzero(apart)[0])
            what = f"score and n_correct / n_examples disagree ({score[i]:.6g} and {ratio[i]:.6g})"
            faults.add(what, column="score", where=apart, hint=_HINT)
    if {"chance", "n_classes"} <= set(raw):
        chance, guess = frame["chance"].to_numpy(float), 1.0 / frame["n_classes"].to_numpy(float)
        apart = counted & (np.abs(chance - guess) > (1 + _NOISE) * half_units(raw["chance"]))
        if apart.any():
            i = int(np.flatnonzero(apart)[0])
            what = f"chance is {chance[i]:.6g}, but 1 / n_classes is {guess[i]:.6g}"
            faults.add(what, column="chance", where=apart, hint=_HINT)
    for name in ("language_family", "genus"):
        if name in raw:
            own = parse_text(raw[name]).reset_index(drop=True)
            several = own.where(own.ne("")).groupby(frame["language"]).transform("nunique").gt(1)
            faults.add("a language has several values", column=name, where=several.to_numpy(bool), hint=_HINT)
    _check_sizes(frame, faults)


def _check_sizes(frame: pd.DataFrame, faults: TableFaults) -> None:
    baseline = frame["intermediate"].eq(BASELINE)
    sizes = frame[baseline].groupby("model")["params"].first()
    base = frame["base_model"].map(sizes).to_numpy(float)
    own = frame["params"].to_numpy(float)
    with np.errstate(invalid="ignore"):
        factor = np.maximum(own / base, base / own)
        apart = ~baseline.to_numpy(bool) & (factor >= OTHER_MODEL)
    if apart.any():
        i = int(np.flatnonzero(apart)[0])
        what = f"the model has {own[i]:.4g} parameters, but its base_model {base[i]:.4g}"
        faults.add(what, column="params", where=apart, hint="correct params, or base_model")
