"""Which intermediate row is compared with which baseline row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gainlaw.scores.evaluations.columns import BASELINE, KEYS
from gainlaw.scores.reading.cells import group_codes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Pairing", "pair_rows"]


@dataclass(frozen=True, slots=True)
class Pairing:
    """The pairs of an evaluations table.

    Attributes
    ----------
    intermediate : numpy.ndarray of int, shape (pairs,)
        Positions of the rows with an intermediate, in the order of the table.
    baseline : numpy.ndarray of int, shape (pairs,)
        Position of the baseline row of each.
    unpaired : numpy.ndarray of int, shape (left,)
        Positions of the rows with an intermediate that have no baseline row.
    reasons : tuple of str, length left
        Why, row by row.
    unused : numpy.ndarray of int
        Positions of the baseline rows that no row is compared with.
    """

    intermediate: np.ndarray
    baseline: np.ndarray
    unpaired: np.ndarray
    reasons: tuple[str, ...]
    unused: np.ndarray


def pair_rows(frame: pd.DataFrame) -> Pairing:
    """Pair each row with an intermediate with its baseline row.

    Two rows are compared when the baseline's model is the row's ``base_model`` and task, language, seed,
    prompt, split, metric and protocol are equal (missing equals missing). A baseline without a seed serves
    every seed; nothing else is matched loosely, so prompts of different languages are never compared.

    Parameters
    ----------
    frame : pandas.DataFrame
        Canonical evaluations.

    Returns
    -------
    Pairing
        Positions into `frame`.

    Examples
    --------
    >>> import gainlaw as gl
    >>> pairing = pair_rows(gl.load_dataset("bloomz").frame)
    >>> len(pairing.intermediate), len(pairing.unpaired)
    (420, 0)
    """
    none = frame["intermediate"].eq(BASELINE).to_numpy()
    anchored = frame.assign(anchor=frame["model"].where(none, frame["base_model"]))
    fixed = ["anchor", "task", "language", *(key for key in KEYS if key != "seed")]
    loose = group_codes(anchored, fixed)
    exact = group_codes(anchored.assign(loose=loose), ["loose", "seed"])
    base = np.flatnonzero(none)
    size = max(len(frame), 1)
    of_exact = np.full(size, -1)
    of_exact[exact[base]] = base
    of_loose = np.full(size, -1)
    seedless = base[frame["seed"].isna().to_numpy()[base]]
    of_loose[loose[seedless]] = seedless
    rows = np.flatnonzero(~none)
    found = of_exact[exact[rows]]
    found = np.where(found >= 0, found, of_loose[loose[rows]])
    paired = found >= 0
    unpaired = rows[~paired]
    unused = np.setdiff1d(base, found[paired])
    reasons = _reasons(frame, unpaired, base) if len(unpaired) else ()
    return Pairing(rows[paired], found[paired], unpaired, reasons, unused)


def _reasons(frame: pd.DataFrame, unpaired: np.ndarray, base: np.ndarray) -> tuple[str, ...]:
    """Say for each unpaired row which step of the key finds no baseline row."""
    baselines = frame.iloc[base]
    left = frame.iloc[unpaired]
    reasons = np.full(len(left), "", dtype=object)
    steps = ["base_model", "task", "language", *(key for key in KEYS if key != "seed"), "seed"]
    for i, step in enumerate(steps):
        keys = steps[: i + 1]
        sides = [baselines.assign(base_model=baselines["model"])[keys], left[keys]]
        codes = _joint_codes(sides, keys)
        known = np.isin(codes[len(baselines) :], codes[: len(baselines)])
        new = (reasons == "") & ~known
        names = left[step].astype("str").fillna("")
        for value in names[new].unique():
            reasons[new & names.eq(value).to_numpy(bool)] = _reason(step, repr(value) if value else "blank")
    reasons[reasons == ""] = "no baseline row with the same keys"
    return tuple(str(reason) for reason in reasons)


def _joint_codes(sides: list[pd.DataFrame], keys: list[str]) -> np.ndarray:
    import pandas as pd

    return group_codes(pd.concat(sides, ignore_index=True), keys)


def _reason(step: str, shown: str) -> str:
    if step == "base_model":
        return "no base_model is named" if shown == "blank" else f"base_model {shown} has no baseline row"
    if step in {"task", "language"}:
        return f"the base model has no baseline row for {step} {shown}"
    return f"the base model has no baseline row with {step} {shown}"
