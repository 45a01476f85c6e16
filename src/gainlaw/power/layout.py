"""The gains of a study that has not been run: every row, its sampling covariance, and what varies between rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.model.spec.terms import CANDIDATES
from gainlaw.power.study import Study
from gainlaw.scores.gains.covariance import BlockCovariance
from gainlaw.scores.gains.table import Gains
from gainlaw.sizes import centre_of, decades

__all__ = ["Truth", "planned_gains", "truth_of"]

Float = NDArray[np.float64]

# Planned accuracies are kept so far from 0 and 1: a score there would have no sampling error.
_EDGE = 0.01


def planned_gains(study: Study) -> Gains:
    """Return the gains of a study as they would be if nothing varied but size, with their sampling covariance.

    Every model is scored on every task in every language; the intermediates and seeds of a checkpoint share its
    baseline.

    Parameters
    ----------
    study : Study
        The plan.

    Examples
    --------
    >>> from gainlaw.power.study import Study
    >>> gains = planned_gains(Study(sizes={"M": (1e8, 1e9, 1e10)}, tasks=("t1", "t2"), seeds=2))
    >>> len(gains), len(gains.covariance.blocks)
    (120, 60)
    """
    models = [(family, size) for family, sizes in study.sizes.items() for size in sizes]
    axes = (len(models), len(study.tasks), len(study.languages), len(study.intermediates), study.seeds)
    model, task, language, intermediate, seed = (index.reshape(-1) for index in np.indices(axes))
    x = decades(np.array([size for _, size in models]))
    planned = study.gain + study.slope * (x - centre_of(x))
    low, high = (np.log(p / (1.0 - p)) for p in study.baseline)
    span = np.ptp(x)
    share = (x - x.min()) / span if span else np.full(len(x), 0.5)
    before = 1.0 / (1.0 + np.exp(-(low + (high - low) * share)))
    after = np.clip(before + planned / 100.0, _EDGE, 1.0 - _EDGE)
    shared, own = (1e4 * p * (1.0 - p) / study.items for p in (before, after))
    families = list(study.languages.values())
    names = {
        "model_family": [models[k][0] for k in model],
        "checkpoint": [f"{models[k][0]} {models[k][1]:g}" for k in model],
        "intermediate": np.array(study.intermediates)[intermediate],
        "task": np.array(study.tasks)[task],
        "language": np.array(list(study.languages))[language],
        "language_family": np.array(families)[language],
    }
    frame = pd.DataFrame({key: pd.Series(value, dtype="str") for key, value in names.items()})
    frame["params"] = np.array([size for _, size in models])[model]
    frame["base_model"] = frame["checkpoint"]
    if study.seeds > 1:
        frame["seed"] = seed
    variance = (shared + own)[model]
    frame["gain"], frame["se"], frame["scale"], frame["variance"] = (
        planned[model], np.sqrt(variance), "points", "unpaired",
    )  # fmt: skip
    frame["baseline_score"], frame["intermediate_score"] = before[model], after[model]
    frame["n_baseline"] = frame["n_intermediate"] = study.items
    together = len(study.intermediates) * study.seeds
    frame["block"] = np.arange(len(frame)) // together
    blocks = []
    if together > 1:
        for start in range(0, len(frame), together):
            rows = np.arange(start, start + together)
            k = model[start]
            blocks.append((rows, np.full((together, together), shared[k]) + own[k] * np.eye(together)))
    return Gains(frame, "points", BlockCovariance(variance, tuple(blocks)), source=study.name)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What varies between the rows of a planned study beside the law: effects of groups, and of their slopes.

    Parameters
    ----------
    names : tuple of str
        The terms, as in `gainlaw.model.spec.terms.CANDIDATES`, that the study has groups of.
    index : tuple of ndarray of int, shape (n,)
        The group of every row, for each.
    slope : tuple of bool
        Whether groups differ in slope.
    h : ndarray, shape (n,)
        Decades from the centre of the sizes.
    """

    names: tuple[str, ...]
    index: tuple[NDArray[np.int64], ...]
    slope: tuple[bool, ...]
    h: Float

    def loadings(self, components: Mapping[str, float]) -> tuple[Float, Float]:
        """Return what independent standard normal numbers add to the gains, and to the slopes of their rows.

        Parameters
        ----------
        components : mapping of str to float
            Standard deviations in points (and points per decade) and correlations; what is not named is 0.

        Returns
        -------
        gains, slopes : ndarray, shape (n, G)
            The residual is not among them.
        """
        columns, slopes = [], []
        for name, index, has_slope in zip(self.names, self.index, self.slope, strict=True):
            tau, steep = components.get(f"tau_{name}", 0.0), components.get(f"tau_{name}_slope", 0.0)
            rho = components.get(f"rho_{name}", 0.0)
            groups = np.eye(int(index.max()) + 1)[index]
            parts = [(tau, rho * steep), (0.0, steep * np.sqrt(1.0 - rho**2))] if has_slope else [(tau, 0.0)]
            for level, tilt in parts:
                if level or tilt:
                    columns.append(groups * (level + tilt * self.h)[:, None])
                    slopes.append(groups * tilt)
        if not columns:
            return np.zeros((len(self.h), 0)), np.zeros((len(self.h), 0))
        return np.concatenate(columns, axis=1), np.concatenate(slopes, axis=1)


def truth_of(gains: Gains) -> Truth:
    """Return what may vary between the rows of a planned study, whether or not a model of them can tell it apart.

    A run is a training run: one for every checkpoint, intermediate and seed, also where there is one of each.
    """
    frame = gains.frame
    x = decades(frame["params"].to_numpy(float))
    names, indices, slopes = [], [], []
    for each in CANDIDATES:
        columns = [column for column in each.columns if column in frame.columns]
        index = np.zeros(len(frame), dtype=np.int64)
        for column in columns:
            codes, labels = pd.factorize(frame[column])
            index = index * len(labels) + codes
        index = np.unique(index, return_inverse=True)[1]
        names.append(each.name)
        indices.append(index.astype(np.int64))
        slopes.append(each.slope)
    return Truth(tuple(names), tuple(indices), tuple(slopes), x - centre_of(x))
