r"""The smooth term: departures from the law that neighbouring sizes share.

Deviations of checkpoints from a law need not be independent: a law that is wrong by a little, or a recipe that changes
with size, moves neighbours together, and intervals that take them for independent are too narrow. The departures of
one family of models are a Gaussian process in log size with the covariance

.. math:: \tau_s^2 \exp(-|x - x'| / R),

``R`` being the range of the family's sizes in decades: an autoregression between neighbours, however they are spaced.
Together with the independent deviations of checkpoints it stands in for shorter correlations too, so that the length
needs no parameter. What all sizes of a family would share is taken out of it: the level of a whole ladder cannot be
told from that of the law, and a gain would be known no better than the prior of the process. It is written in the
eigenvectors of its covariance between the sizes at hand, at most `MOST` of them, so that it is a term like the others
and is integrated out with them; the slope and the gain of a fit are those of the law, which the process departs from.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["LEAST_SIZES", "MOST", "SMOOTH", "families_of", "smooth_parts"]

SMOOTH = "smooth"
"""The name of the term."""

LEAST_SIZES = 5
"""A family of models with fewer sizes has no smooth term: the checkpoints' own deviations are all that can be told."""

MOST = 8
"""The most eigenvectors kept; they hold over 90 per cent of the variance."""


def families_of(frame: pd.DataFrame) -> NDArray[np.object_]:
    """Return the family of models of every row, shape (n,); those without one are a family together, named ""."""
    if "model_family" not in frame.columns:
        return np.full(len(frame), "", dtype=object)
    return frame["model_family"].fillna("").astype(str).to_numpy(dtype=object)


def smooth_parts(
    frame: pd.DataFrame, x: NDArray[np.float64]
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.float64]] | str:
    """Return the labels of the term's parts, every row's size within its family, and what each part adds there.

    Parameters
    ----------
    frame : DataFrame
        The gains.
    x : ndarray, shape (n,)
        Decades from 1e9 parameters.

    Returns
    -------
    groups : tuple of str
        One label a part.
    index : ndarray of int, shape (n,)
        The size of every row, families apart.
    loading : ndarray, shape (sizes, parts)
        Products of two lines add up to the correlation of their sizes; lines of families with few sizes are 0. A
        sentence in place of all three says why there is no such term.
    """
    places = pd.DataFrame({"family": families_of(frame), "x": np.round(x, 9)})
    sizes = places.drop_duplicates().sort_values(["family", "x"], ignore_index=True)
    index = (
        sizes.reset_index().merge(places.reset_index(), on=["family", "x"]).sort_values("index_y")["index_x"]
    )
    parts = {
        str(name): (rows.index, _loadings(rows["x"].to_numpy()))
        for name, rows in sizes.groupby("family")
        if len(rows) >= LEAST_SIZES
    }
    if not parts:
        return f"no family of models has {LEAST_SIZES} sizes"
    groups: list[str] = []
    loading = np.zeros((len(sizes), sum(part.shape[1] for _, part in parts.values())))
    for name, (rows, part) in parts.items():
        loading[rows, len(groups) : len(groups) + part.shape[1]] = part
        groups += [f"{name} | {k + 1}" if len(parts) > 1 else f"{k + 1}" for k in range(part.shape[1])]
    return tuple(groups), index.to_numpy(dtype=np.int64), loading


def _loadings(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the leading eigenvectors of the covariance between sizes, scaled, shape (sizes, parts)."""
    away = np.abs(sizes[:, None] - sizes)
    correlation = np.exp(-away / np.ptp(sizes))
    means = correlation.mean(axis=0)
    # Without what all sizes share; one eigenvalue is then 0.
    values, vectors = np.linalg.eigh(correlation - means - means[:, None] + means.mean())
    kept = slice(len(sizes) - min(len(sizes) - 1, MOST), None)
    found = (vectors[:, kept] * np.sqrt(values[kept]))[:, ::-1]
    # Eigenvectors have no sign of their own; the last size, which none leaves at 0, gives them one.
    return found * np.where(found[-1] < 0.0, -1.0, 1.0)
