"""The sampling covariance of gains as the columns of their table, or the file beside it, say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gainlaw.scores.gains.covariance import BlockCovariance

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.scores.reading.cells import TableFaults

__all__ = ["rebuild_covariance"]

# Two columns that say the same may differ by what rounding to three digits does to a square.
_ROUNDING = 0.01
# Blocks named in a message.
_NAMED = 6

_Fault = tuple[str, str, str]
"""What is wrong with a block, the column at fault, and what to try."""

_UNKNOWN: _Fault = (
    "rows share a block, but their covariance is not known",
    "baseline_se",
    "give baseline_se or correlation, or the matrix (--covariance); keep the .cov.parquet beside the table, or drop "
    "the column block",
)


def rebuild_covariance(
    frame: pd.DataFrame, beside: pd.DataFrame | None, faults: TableFaults, names: np.ndarray | None = None
) -> BlockCovariance | None:
    """Return the covariance of rows that have the same ``block``.

    Parameters
    ----------
    frame : DataFrame
        The gains, with ``block``, ``se``, ``baseline_se`` and perhaps ``correlation``.
    beside : DataFrame or None
        What `Gains.write` wrote beside the table: covariances of pairs of rows.
    faults : TableFaults
        Where it is told what contradicts itself or is missing: each kind of fault once, with its blocks.
    names : numpy.ndarray of str, shape (rows,), optional
        What the table calls the blocks; by default their numbers.

    Returns
    -------
    BlockCovariance or None
        None where there are faults.
    """
    se = frame["se"].to_numpy(float)
    given = None if beside is None else _pairs(frame, beside, faults)
    if faults.problems:
        return None
    blocks = []
    found: dict[_Fault, list[np.ndarray]] = {}
    for positions in frame.groupby("block", sort=True).indices.values():
        rows = np.sort(np.asarray(positions))
        if len(rows) < 2:
            continue
        i, j = np.triu_indices(len(rows), 1)
        if given is None:
            off, fault = _from_columns(frame, rows)
        else:
            fault = None
            pairs = zip(rows[i].tolist(), rows[j].tolist(), strict=True)
            off = np.array([given.get(pair, np.nan) for pair in pairs])
        if fault is None and not np.isfinite(off).all():
            fault = _UNKNOWN
        if fault is not None:
            found.setdefault(fault, []).append(rows)
            continue
        cov = np.diag(se[rows] ** 2)
        cov[i, j] = cov[j, i] = off
        blocks.append((rows, cov))
    names = frame["block"].astype(str).to_numpy() if names is None else names
    for (what, column, hint), each in found.items():
        shown = ", ".join(str(names[rows[0]]) for rows in each[:_NAMED])
        more = f" and {len(each) - _NAMED} more" if len(each) > _NAMED else ""
        where = np.zeros(len(frame), bool)
        where[np.concatenate(each)] = True
        said = f"{what}: block{'s' if len(each) > 1 else ''} {shown}{more}"
        faults.add(said, column=column, where=where, hint=hint)
    return None if faults.problems else BlockCovariance(se**2, tuple(blocks))


def _pairs(frame: pd.DataFrame, beside: pd.DataFrame, faults: TableFaults) -> dict[tuple[int, int], float]:
    """Return the covariances of pairs, if the file belongs to the table."""
    n = len(frame)
    lost = "the covariance file beside the table does not belong to it"
    hint = "write both again, or take the .cov.parquet away and give block and baseline_se"
    if not {"i", "j", "cov"} <= set(beside) or not all(
        beside[name].dtype.kind in "fiu" and ((beside[name] >= 0) & (beside[name] < n)).all()
        for name in ("i", "j")
    ):
        faults.add(lost, column="block", hint=hint)
        return {}
    own = beside[beside["i"] == beside["j"]]
    if len(own) and "gain" in beside:
        at = own["i"].to_numpy(int)
        far = np.ones(n, bool)
        far[at] = False
        se, gain = frame["se"].to_numpy(float)[at], frame["gain"].to_numpy(float)[at]
        far[at] = ~np.isclose(own["cov"].to_numpy(float), se**2, rtol=1e-6, atol=0.0)
        far[at] |= ~np.isclose(own["gain"].to_numpy(float), gain, rtol=1e-6, atol=1e-9)
        faults.add(f"{lost}: it was written for other gains", column="gain", where=far, hint=hint)
    block, i, j = frame["block"].to_numpy(), beside["i"].to_numpy(int), beside["j"].to_numpy(int)
    apart = np.zeros(n, bool)
    apart[i[block[i] != block[j]]] = True
    faults.add(f"{lost}: it connects rows of several blocks", column="block", where=apart, hint=hint)
    return {(int(i), int(j)): float(c) for i, j, c in beside[["i", "j", "cov"]].itertuples(index=False)}


def _from_columns(frame: pd.DataFrame, rows: np.ndarray) -> tuple[np.ndarray, _Fault | None]:
    """Return the covariances of all pairs of a block, as ``baseline_se`` or ``correlation`` says, and what is wrong.

    They are NaN where neither column says anything.
    """
    i, j = np.triu_indices(len(rows), 1)
    se, shared = (frame[name].to_numpy(float)[rows] for name in ("se", "baseline_se"))
    from_baseline = shared[i] * shared[j]
    if "correlation" not in frame or frame["correlation"].iloc[rows].isna().all():
        return from_baseline, None
    correlation = frame["correlation"].to_numpy(float)[rows]
    least = -1.0 / (len(rows) - 1)
    if not (correlation == correlation[0]).all():
        hint = "one correlation a block; where pairs differ, give the matrix (--covariance)"
        return from_baseline, ("the rows of a block have several correlations", "correlation", hint)
    if not least <= correlation[0] <= 1.0:
        what = f"{len(rows)} errors cannot have the correlation {correlation[0]:g}, each with each"
        hint = f"{least:.3g} to 1"
        return from_baseline, (what, "correlation", hint)
    off = correlation[0] * se[i] * se[j]
    if (np.abs(off - from_baseline) > _ROUNDING * se[i] * se[j]).any():
        what = "correlation and baseline_se say different things"
        hint = "correlation times both se is the product of both baseline_se; leave one of the columns out"
        return off, (what, "correlation", hint)
    return off, None
