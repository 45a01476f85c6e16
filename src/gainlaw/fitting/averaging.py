r"""Averages over laws: every member fitted alone, weighed by evidence or by stacking, and mixed into one posterior.

By evidence the weights are the probabilities of the laws given the gains, each being as probable as the others a
priori; the evidence of the engine ``exact`` is a by-product of its sampling. By stacking they are

.. math:: \hat w = \arg\max_w \sum_c \log \sum_k w_k\, p_k(y_c \mid y_{-c}), \qquad w_k \ge 0, \; \sum_k w_k = 1,

over checkpoints :math:`c` left out (Yao et al. 2018, doi 10.1214/17-BA1091). Stacking looks for the mixture that
predicts best, evidence for the law that holds: with few checkpoints the first has little to go by, and the second hangs
on the priors of what the laws do not share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.fitting.checks.influence import LeftOut, averaged, left_out
from gainlaw.fitting.checks.laws import described
from gainlaw.model.engines import exact
from gainlaw.model.engines.draws import Draws, Progress
from gainlaw.model.engines.mixing import mixed, weights_by_evidence
from gainlaw.model.spec.members import member_problems
from gainlaw.model.spec.problem import ModelProblem, observations
from gainlaw.posterior.levels import gain_curve
from gainlaw.posterior.record import Posterior
from gainlaw.posterior.tree import posterior_tree
from gainlaw.scores.gains.table import Gains

__all__ = ["Averaged", "Member", "average", "fit_members", "more_of", "stacking_weights"]

Float = NDArray[np.float64]

_ROUNDS = 5000


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A law of an average, fitted alone.

    Parameters
    ----------
    posterior : Posterior
        Its posterior, with the groups ``posterior`` and ``sample_stats`` alone.
    drawn : Draws
        What the engine returned.
    outside : LeftOut or None
        The overall slope, and the predictive densities, without each checkpoint.
    """

    posterior: Posterior
    drawn: Draws
    outside: LeftOut | None

    @property
    def name(self) -> str:
        """The law's name."""
        return self.posterior.law.name

    @property
    def log_evidence(self) -> float:
        """The log marginal likelihood of all gains."""
        assert self.drawn.importance is not None
        return self.drawn.importance.log_evidence

    def row(self, params: float, ci_prob: float) -> dict[str, str | float]:
        """Return what `Averaged.laws` says of it besides weights."""
        found = self.drawn.importance
        assert found is not None
        curve = gain_curve(self.posterior, "overall")
        slope = curve.slope() if self.posterior.law.has_slope else np.zeros(self.posterior.n_draws)
        return {
            "law": self.name,
            "log_evidence": self.log_evidence,
            "elpd": np.nan if self.outside is None else float(self.outside.elpd.sum()),
            "pareto_k": float(np.nanmax([found.pareto_k, found.likelihood_pareto_k])),
            **described("gain", curve.gain(params), ci_prob),
            **described("slope", slope, ci_prob),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Averaged:
    """An average over laws.

    Parameters
    ----------
    draws : Draws
        Its draws.
    laws : DataFrame
        One row a law: ``weight`` (that it has in the average), ``evidence`` and ``stacking`` (its weight by either),
        ``log_evidence``, ``elpd`` (of checkpoints left out), ``pareto_k``, and mean and interval of the overall gain at
        the largest size, ``gain_mean``, ``gain_ci_low`` and ``gain_ci_high``, and of the overall slope, ``slope_*``.
    left_out : LeftOut or None
        What is known without each checkpoint.
    """

    draws: Draws
    laws: pd.DataFrame
    left_out: LeftOut | None


def fit_members(
    problem: ModelProblem,
    gains: Gains,
    *,
    draws: int,
    chains: int,
    seed: int,
    progress: Progress | None = None,
) -> tuple[Member, ...]:
    """Fit every law of an average alone.

    Parameters
    ----------
    problem : ModelProblem
        The model of the average.
    gains : Gains
        The gains.
    draws, chains, seed, progress
        As for `gainlaw.model.engines.exact.sample`.

    Raises
    ------
    InputError
        For stacking with fewer than three checkpoints.
    """
    if problem.spec.law.form.weighing == "stacking" and _checkpoints(gains) < 3:
        hint = "average by evidence (law=average)"
        raise InputError(Problem("stacking takes three checkpoints or more, to leave one out", hint=hint))
    rows, problems = observations(gains, problem.spec), member_problems(problem)
    found = []
    for done, member in enumerate(problems):
        report = None if progress is None else partial(_part, progress, done, len(problems))
        drawn = exact.sample(member, rows, draws=draws, chains=chains, seed=seed, progress=report)
        posterior = Posterior(member, gains, posterior_tree(member, drawn))
        found.append(Member(posterior, drawn, left_out(posterior, drawn.summary, "slope")))
    return tuple(found)


def average(
    problem: ModelProblem, gains: Gains, members: Sequence[Member], *, seed: int, ci_prob: float
) -> Averaged:
    """Weigh the members of an average and mix their draws.

    Parameters
    ----------
    problem : ModelProblem
        The model of the average.
    gains : Gains
        The gains.
    members : sequence of Member
        From `fit_members`.
    seed : int
        Seed of which draws are taken.
    ci_prob : float
        Probability of the intervals in ``laws``.
    """
    stacked = problem.spec.law.form.weighing == "stacking"
    outside = [each.outside for each in members if each.outside is not None]
    evidence = weights_by_evidence(np.array([each.log_evidence for each in members]))
    stacking = (
        stacking_weights(np.stack([each.elpd for each in outside]))
        if outside
        else np.full(len(members), np.nan)
    )
    weights = stacking if stacked else evidence
    largest = float(gains.frame["params"].max())
    laws = pd.DataFrame([each.row(largest, ci_prob) for each in members])
    columns = {"weight": weights, "evidence": evidence, "stacking": stacking}
    for place, (name, values) in enumerate(columns.items(), 1):
        laws.insert(place, name, values)
    without = averaged(outside, weights, stacked=stacked) if outside else None
    return Averaged(mixed(problem, [each.drawn for each in members], weights, seed), laws, without)


def more_of(posterior: Posterior, size: int, chains: int, seed: int) -> Draws:
    """Return other draws of an average with the weights that its laws have among those that are there.

    Parameters
    ----------
    posterior : Posterior
        The average.
    size : int
        Draws a chain.
    chains, seed : int
        As for `average`.
    """
    problem = posterior.problem
    counts = np.bincount(posterior.which_law, minlength=len(problem.spec.law.members))
    weights = counts / posterior.n_draws
    members = member_problems(problem)
    rows = posterior.rows
    parts = [exact.sample(member, rows, draws=size, chains=chains, seed=seed) for member in members]
    return mixed(problem, parts, weights, seed)


def stacking_weights(log_density: Float) -> Float:
    """Return the weights of the mixture that predicts what was left out best.

    Parameters
    ----------
    log_density : ndarray, shape (members, n)
        Log predictive densities of everything left out, given the rest.

    Returns
    -------
    ndarray, shape (members,)
        They sum to 1. The objective is concave; it is climbed by expectation and maximisation.

    Examples
    --------
    >>> stacking_weights(np.array([[0.0, 0.0, -9.0], [-9.0, -9.0, 0.0]])).round(2).tolist()
    [0.67, 0.33]
    """
    density = np.exp(log_density - log_density.max(axis=0))
    weights = np.full(len(density), 1.0 / len(density))
    for _ in range(_ROUNDS):
        weights = weights * (density / (weights @ density)).mean(axis=1)
    return np.asarray(weights / weights.sum())


def _checkpoints(gains: Gains) -> int:
    """Return the number of checkpoints, each of which can be left out."""
    if "checkpoint" not in gains.frame.columns:
        return 0
    return int(gains.frame["checkpoint"].dropna().astype(str).nunique())


def _part(progress: Progress, before: int, parts: int, done: int, total: int) -> None:
    progress((before * total + done) // parts, total)
