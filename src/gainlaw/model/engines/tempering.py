r"""From draws under the Gaussian summary to draws under the counts, in steps small enough to be certified.

One importance weight per draw, the likelihood over its summary, can have too heavy a tail where many cells lie at
floor or ceiling. A sequential Monte Carlo sampler raises the weight :math:`w` to powers that grow in equal steps from
0 to 1. At each power the draws are resampled, and their coefficients are moved by elliptical slice sampling, whose
stationary distribution is that of the power; the weight of one step is only a root of :math:`w`. The ellipses are
those of the Gaussian conditional of the coefficients given the hyperparameters, so no step size has to be chosen.

Sources: Del Moral, Doucet & Jasra (2006), doi 10.1111/j.1467-9868.2006.00553.x; Murray, Adams & MacKay (2010),
arXiv 1001.0175.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.engines.importance import smooth_weights, systematic, worth
from gainlaw.model.gaussian.marginal import Marginal

__all__ = ["Correct", "Corrected", "temper"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Correct = Callable[[Float, Float], Float]

# Moves of every draw at each power, and the most shrinkings of one slice's bracket.
MOVES = 1
SHRINKINGS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """Draws under the counts.

    Parameters
    ----------
    picked : ndarray of int, shape (n,)
        The hyperparameters' row of every draw.
    effects : ndarray, shape (n, q)
        Coefficients.
    pareto_k : float
        Shape of the tail of the weights; with several steps that of the worst.
    ess : float
        What the draws are worth; with several steps after the worst.
    log_mean : float
        Log of the likelihood's mean weight, the correction of the log evidence.
    """

    picked: Int
    effects: Float
    pareto_k: float
    ess: float
    log_mean: float


def temper(
    marginal: Marginal,
    points: Float,
    picked: Int,
    effects: Float,
    log_weights: Float,
    correct: Correct,
    steps: int,
    carried: int,
    size: int,
    rng: np.random.Generator,
) -> Corrected:
    """Carry draws under the Gaussian summary to the counts.

    Parameters
    ----------
    marginal : Marginal
        The model with the summary as its data.
    points : ndarray, shape (m, k)
        Hyperparameters.
    picked : ndarray of int, shape (n,)
        The row of `points` of every draw.
    effects : ndarray, shape (n, q)
        Its coefficients, drawn given the hyperparameters and the summary.
    log_weights : ndarray, shape (n,)
        Log of the counts' likelihood over the summary's, as `correct` gives it.
    correct : callable
        Returns the log weights of hyperparameters, shape (j, k), and coefficients, shape (j, q).
    steps : int
        Powers between the summary and the counts, the last of them included.
    carried : int
        Draws to go on with between steps.
    size : int
        Draws to return.
    rng : numpy.random.Generator
        Random numbers.
    """
    pareto_k, ess, log_mean = float("-inf"), float(size), 0.0
    for step in range(1, steps + 1):
        smoothed = smooth_weights(log_weights / steps)
        ess = min(ess, worth(smoothed, picked))
        pareto_k, log_mean = max(pareto_k, smoothed.pareto_k), log_mean + smoothed.log_mean
        chosen = systematic(smoothed.weights, size if step == steps else carried, rng)
        picked, effects, log_weights = picked[chosen], effects[chosen], log_weights[chosen]
        centre, others = marginal.around(points, picked, MOVES, rng)
        for other in others:
            effects, log_weights = _slice(
                points[picked], effects - centre, other, centre, log_weights, correct, step / steps, rng
            )
    return Corrected(picked, effects, pareto_k, ess, log_mean)


def _slice(
    points: Float,
    away: Float,
    other: Float,
    centre: Float,
    log_weights: Float,
    correct: Correct,
    power: float,
    rng: np.random.Generator,
) -> tuple[Float, Float]:
    """Move every draw once along the ellipse through `away` and `other` around `centre`.

    A draw whose bracket has been shrunk often enough stays: the way back would have met the same refusals in the same
    order, so that the distribution is kept.
    """
    size = len(away)
    level = power * log_weights + np.log(rng.random(size))
    angle = rng.uniform(0.0, 2.0 * np.pi, size)
    low, high = angle - 2.0 * np.pi, angle.copy()
    moved, new = centre + away, log_weights.copy()
    todo = np.arange(size)
    for _ in range(SHRINKINGS):
        turn = angle[todo, None]
        proposal = centre[todo] + away[todo] * np.cos(turn) + other[todo] * np.sin(turn)
        value = correct(points[todo], proposal)
        accepted = power * value > level[todo]
        moved[todo[accepted]], new[todo[accepted]] = proposal[accepted], value[accepted]
        todo = todo[~accepted]
        if not len(todo):
            break
        rejected = angle[todo]
        low[todo] = np.where(rejected < 0.0, rejected, low[todo])
        high[todo] = np.where(rejected < 0.0, high[todo], rejected)
        angle[todo] = rng.uniform(low[todo], high[todo])
    return moved, new
