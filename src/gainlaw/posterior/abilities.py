"""Abilities: the untuned log-odds of the groups observed, which a law with ability makes the gain depend on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.model.spec.joint import FIXED, PREFIX
from gainlaw.posterior.grid import SELECTABLE, Weights
from gainlaw.posterior.record import Posterior

__all__ = ["ability_draws", "baseline_spread", "baseline_weights", "cells_of", "mean_ability"]

Float = NDArray[np.float64]


def ability_draws(posterior: Posterior, *, prior: bool = False) -> Float:
    """Return draws of the change of the gain for one unit of untuned log-odds, shape (draws,); 0 for most laws.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    prior : bool
        Use prior draws.
    """
    data = posterior.draws["prior" if prior else "posterior"].dataset
    values = {each.name: data[each.name].to_numpy().reshape(-1) for each in posterior.law.parameters}
    return np.zeros(data["mu"][..., 0].size) + posterior.law.ability(posterior.law.psi(values))


def cells_of(
    frame: pd.DataFrame, selection: Mapping[str, str]
) -> tuple[NDArray[np.bool_], list[str], NDArray[np.int64], Float]:
    """Return the combinations of groups that were observed with those that a selection fixes.

    Parameters
    ----------
    frame : DataFrame
        The gains.
    selection : mapping of str to str
        Groups fixed, by column.

    Returns
    -------
    mask : ndarray of bool, shape (gains,)
        The gains that have the groups.
    labels : list of str
        The columns whose combinations are meant.
    rows : ndarray of int, shape (cells,)
        The first gain of every combination.
    weight : ndarray, shape (cells,)
        Its share: every task counts the same, and within one every combination.

    Raises
    ------
    InputError
        If the groups were never observed together.
    """
    mask = np.ones(len(frame), dtype=bool)
    for column, group in selection.items():
        mask &= (frame[column].astype(str) == group).to_numpy()
    if not mask.any():
        names = " and ".join(f"{column} {group!r}" for column, group in selection.items())
        raise InputError(Problem(f"no gain has {names}"))
    labels = [column for column in SELECTABLE if column in frame.columns]
    cells = frame[mask].drop_duplicates(labels)
    share = 1.0 / cells.groupby("task")["task"].transform("size").to_numpy(float) if "task" in cells else None
    weight = np.ones(len(cells)) if share is None else share
    return mask, labels, cells.index.to_numpy(), weight / weight.sum()


def baseline_weights(posterior: Posterior, selection: Mapping[str, str], level: str | None = None) -> Weights:
    """Return the weights of the effects of the baselines' terms in the ability of a level.

    Parameters
    ----------
    posterior : Posterior
        The posterior of a law of scores.
    selection : mapping of str to str
        Groups fixed, by column.
    level : {"population", "overall"}, optional
        The level when no group is fixed.

    Returns
    -------
    dict of str to ndarray
        By term, over its groups; the average of the combinations that were observed. Empty for the population.
    """
    if level == "population":
        return {}
    frame = posterior.gains.frame
    _, _, rows, weight = cells_of(frame, selection)
    tuned = len(posterior.rows.frame) - len(frame) + rows
    found = {}
    for term in posterior.spec.baseline_terms:
        if term.of_law:
            loading = np.eye(term.n_groups) if term.loading is None else term.loading
            found[term.name] = weight @ loading[term.index[tuned]]
    return found


def mean_ability(
    posterior: Posterior, selection: Mapping[str, str], level: str | None = None, *, prior: bool = False
) -> tuple[Float, Float]:
    """Return draws of the untuned log-odds of a level at the law's centre, and of their slope, shape (draws,) each.

    Parameters
    ----------
    posterior, selection, level
        As for `baseline_weights`.
    prior : bool
        Use prior draws.
    """
    data = posterior.draws["prior" if prior else "posterior"].dataset
    intercept, slope = (
        data["covariate"].sel(covariate_name=name).to_numpy().reshape(-1).copy() for name in FIXED
    )
    for name, weight in baseline_weights(posterior, selection, level).items():
        effects = data[name].to_numpy()
        intercept += (effects[..., 0] @ weight).reshape(-1)
        if effects.shape[-1] > 1:
            slope += (effects[..., 1] @ weight).reshape(-1)
    return intercept, slope


def baseline_spread(posterior: Posterior, shares: Mapping[str, float]) -> Float:
    """Return draws of the sd that a new checkpoint adds to the untuned log-odds, shape (draws,).

    Parameters
    ----------
    posterior : Posterior
        The posterior of a law of scores.
    shares : mapping of str to float
        What is left of the variance of the terms of replicates, see `gainlaw.posterior.grid.replicate_shares`.
    """
    data, variance = posterior.draws["posterior"], np.zeros(posterior.n_draws)
    for term in posterior.spec.baseline_terms:
        if term.replicate:
            own = shares.get(term.name.removeprefix(PREFIX), 1.0)
            variance += own * data[f"tau_{term.name}"].to_numpy().reshape(-1) ** 2
    return np.sqrt(variance)
