"""What an engine returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gainlaw.model.binomial.sites import Summary

__all__ = ["Draws", "Importance", "Progress"]

Float = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Importance:
    """What importance sampling says of itself.

    Parameters
    ----------
    pareto_k : float
        Shape of the weights of the hyperparameters.
    ess : float
        Effective number of independent draws behind every estimate, after every reweighting.
    points : int
        Points at which the marginal likelihood was computed.
    log_evidence : float
        Log marginal likelihood of the data.
    likelihood_pareto_k : float
        Shape of the weights that carry the Gaussian summary of the binomial likelihood to the likelihood itself;
        NaN where there is nothing to correct.
    """

    pareto_k: float
    ess: float
    points: int
    log_evidence: float
    likelihood_pareto_k: float


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Draws of the posterior.

    Parameters
    ----------
    hyper : dict of str to ndarray, shape (chains, draws)
        Hyperparameters by name.
    effects : ndarray, shape (chains, draws, q)
        Coefficients in the unit of the scale, in the order of the design's columns.
    stats : dict of str to ndarray, shape (chains, draws)
        Of a sampler: ``diverging``, ``energy``, ``tree_depth``, ``n_steps``. Of importance sampling: ``lp``, the log
        posterior density of the hyperparameters up to a constant.
    attempts : tuple of dict
        Target acceptance and divergences of every attempt of a sampler; the last one is kept.
    importance : Importance or None
        Where the draws come from importance sampling.
    summary : Summary or None
        The Gaussian summary of the counts, where the likelihood is binomial.
    members : tuple of Summary
        Of an average over laws: those of its members.
    """

    hyper: dict[str, Float]
    effects: Float
    stats: dict[str, NDArray[Any]]
    attempts: tuple[dict[str, float], ...] = ()
    importance: Importance | None = None
    summary: Summary | None = None
    members: tuple[Summary, ...] = ()
