"""Draws of an average over laws, from those of its members."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.engines.draws import Draws, Importance
from gainlaw.model.spec.problem import ModelProblem

__all__ = ["mixed", "weights_by_evidence"]

Float = NDArray[np.float64]


def weights_by_evidence(log_evidence: Float) -> Float:
    """Return the probability of every member, each being as probable as the others a priori.

    Parameters
    ----------
    log_evidence : ndarray, shape (members,)
        Log marginal likelihoods of the same data.

    Examples
    --------
    >>> weights_by_evidence(np.log([1.0, 3.0])).round(2).tolist()
    [0.25, 0.75]
    """
    weights = np.exp(log_evidence - np.max(log_evidence))
    return weights / weights.sum()


def mixed(problem: ModelProblem, parts: Sequence[Draws], weights: Float, seed: int) -> Draws:
    """Return draws of an average: so many of every member as its weight says, in random order.

    The shape parameters that a member does not have are drawn from their priors, so that the draws are those of one
    model with all of them, of which the first says which law holds.

    Parameters
    ----------
    problem : ModelProblem
        The model of the average.
    parts : sequence of Draws
        Draws of its members (`gainlaw.model.spec.members.member_problems`) by the engine ``exact``, in the same number.
    weights : ndarray, shape (members,)
        Their weights; they sum to 1.
    seed : int
        Seed of which draws are taken.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(8,)))
    chains, draws, columns = parts[0].effects.shape
    size = chains * draws
    counts = np.diff(np.rint(size * np.concatenate([[0.0], np.cumsum(weights)])).astype(int))
    taken = [rng.permutation(size)[:count] for count in counts]
    order, shape = rng.permutation(size), (chains, draws)
    which = problem.spec.law.parameters[0].name

    def values(name: str, k: int) -> Float:
        if name == which:
            return np.full(counts[k], float(k))
        if name in parts[k].hyper:
            return parts[k].hyper[name].reshape(-1)[taken[k]]
        return problem.spec.priors[name].sample(int(counts[k]), rng)

    known = [part.importance for part in parts if part.importance is not None]
    ess = np.array([each.ess for each in known])
    evidence = np.array([each.log_evidence for each in known])
    tails = [each.likelihood_pareto_k for each in known]
    stacked = problem.spec.law.form.weighing == "stacking"
    return Draws(
        {
            name: np.concatenate([values(name, k) for k in range(len(parts))])[order].reshape(shape)
            for name in problem.hyper
        },
        np.concatenate([part.effects.reshape(size, -1)[own] for part, own in zip(parts, taken, strict=True)])[
            order
        ].reshape(*shape, columns),
        {},
        importance=Importance(
            max(each.pareto_k for each in known),
            float(1.0 / np.sum(weights / ess)),
            sum(each.points for each in known),
            float("nan") if stacked else float(np.logaddexp.reduce(evidence) - np.log(len(evidence))),
            float("nan") if np.isnan(tails).all() else float(np.nanmax(tails)),
        ),
        summary=parts[int(np.argmax(weights))].summary,
        members=tuple(part.summary for part in parts if part.summary is not None),
    )
