"""Where the standard deviations of simulated studies will lie, as a proposal for importance sampling shared by all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.engines.hyper import log_prior
from gainlaw.model.spec.priors import Prior
from gainlaw.power.algebra import System

__all__ = ["Proposal", "propose"]

Float = NDArray[np.float64]

# Cells of one hyperparameter, and from and to which multiples of its prior's scale they reach.
_CELLS, _LOW, _HIGH = 9, 0.004, 5.0
# A hyperparameter that moves the log sd of the slope by less than this over its posterior is held fixed, and of those
# that move it more so many are averaged over: the weights of more would be worth little.
_MATTERS, _MOST = 0.015, 6
# How flat proposals are: locations differ between studies about as much as one posterior is wide.
_FLATTER = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """Independent laws of the hyperparameters that matter, each even within cells; the others are held fixed.

    Parameters
    ----------
    centre : ndarray, shape (k,)
        Where those are held that are fixed.
    free : ndarray of bool, shape (k,)
        Those that are not.
    edges : ndarray, shape (k, cells + 1)
        Of the cells.
    mass : ndarray, shape (k, cells)
        Of the cells; they sum to one.
    """

    centre: Float
    free: np.ndarray
    edges: Float
    mass: Float

    def sample(self, size: int, rng: np.random.Generator) -> tuple[Float, Float]:
        """Return points, shape (size, k), and their log density; one point where nothing is free."""
        from scipy.stats import qmc

        points, log_q = np.tile(self.centre, (size, 1)), np.zeros(size)
        which = np.flatnonzero(self.free)
        if not len(which):
            return points[:1], log_q[:1]
        uniforms = qmc.Sobol(len(which), rng=rng).random(size)
        for column, k in enumerate(which):
            below = np.concatenate([[0.0], np.cumsum(self.mass[k])])
            below /= below[-1]
            points[:, k] = np.interp(uniforms[:, column], below, self.edges[k])
            cell = np.clip(np.searchsorted(below, uniforms[:, column], side="right") - 1, 0, len(below) - 2)
            log_q += np.log(np.diff(below)[cell] / np.diff(self.edges[k])[cell])
        return points, log_q


def propose(system: System, observed: Float, like: Proposal | None = None) -> Proposal:
    """Return a proposal from how the mean log posterior of some studies changes with one hyperparameter at a time.

    Parameters
    ----------
    system : System
        The model of the design.
    observed : ndarray, shape (n, S)
        Gains of S studies, turned as the rows of the model are.
    like : Proposal, optional
        That of the same design with other priors: what matters there matters here.
    """
    problem = system.problem
    priors = [problem.spec.priors[name] for name in problem.hyper]
    correlated = np.array([each.family == "lkj" for each in priors])
    edges = np.stack(
        [
            np.linspace(-0.98, 0.98, _CELLS + 1)
            if rho
            else np.concatenate([[1e-6], each.scale * np.geomspace(_LOW, _HIGH, _CELLS)])
            for each, rho in zip(priors, correlated, strict=True)
        ]
    )
    middles = 0.5 * (edges[:, 1:] + edges[:, :-1])
    centre = np.where(correlated, 0.0, 0.3 * np.array([each.scale for each in priors]))
    chosen = np.arange(len(priors))
    mass = np.full(middles.shape, 1.0 / _CELLS)
    matters = np.zeros(len(priors))
    if like is not None:
        centre, chosen = like.centre.copy(), np.flatnonzero(like.free)
    for turn in range(3 if like is None else 1):
        grid = np.repeat(centre[None], len(chosen) * _CELLS, axis=0)
        for place, k in enumerate(chosen):
            grid[place * _CELLS : (place + 1) * _CELLS, k] = middles[k]
        if turn == 0 and like is None:
            found = system.moments(grid, observed)
        else:
            found = system.around(grid, centre, _marked(chosen, priors), observed)
        target = (found.log_likelihood.mean(axis=1) + log_prior(problem, grid)).reshape(len(chosen), _CELLS)
        log_sd = np.log(found.sd).reshape(len(chosen), _CELLS)
        for place, k in enumerate(chosen):
            width = np.diff(edges[k])
            density = np.exp(target[place] - target[place].max())
            likely = density * width / np.sum(density * width)
            flat = density**_FLATTER * width
            mass[k] = flat / flat.sum()
            centre[k] = likely @ middles[k]
            mean = likely @ log_sd[place]
            matters[k] = np.sqrt(likely @ (log_sd[place] - mean) ** 2)
        if like is not None:
            break
        order = np.argsort(-matters, kind="stable")[: _MOST if turn else 2 * _MOST]
        chosen = np.sort([k for k in order if matters[k] > _MATTERS]).astype(np.int64)
        if not len(chosen):
            break
    return Proposal(centre, _marked(chosen, priors), edges, mass)


def _marked(chosen: NDArray[np.int64], priors: Sequence[Prior]) -> NDArray[np.bool_]:
    free = np.zeros(len(priors), dtype=bool)
    free[chosen] = True
    return free
