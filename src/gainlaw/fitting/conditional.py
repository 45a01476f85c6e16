r"""A posterior given its hyperparameters: a Gaussian model, whose linear statements have probabilities without draws.

Given the hyperparameters :math:`h` a difference :math:`d` that is linear in the coefficients is normal with known
moments, so that

.. math:: P(d < 0 \mid y) = \mathrm{E}_{h \mid y}\, \Phi(-m_h / \sqrt{v_h}),

whose Monte Carlo error is that of the average over the hyperparameters alone [1]_. For counts the moments are those of
a summary, and probabilities come from draws.

References
----------
.. [1] Gelfand, A. E. and Smith, A. F. M. (1990). Sampling-based approaches to calculating marginal densities. Journal
   of the American Statistical Association 85(410), 398-409. doi:10.1080/01621459.1990.10476213
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gainlaw._threads import one_blas_thread
from gainlaw.fitting.checks.diagnostics import PARETO_K_LIMIT
from gainlaw.fitting.exploration import kernel_data, shape_values
from gainlaw.model.gaussian.combinations import conditional_normals, factored_normals
from gainlaw.posterior.contrasts import WeightedEstimand, combine
from gainlaw.posterior.record import Posterior
from gainlaw.posterior.tree import hyper_points, posterior_tree

if TYPE_CHECKING:
    from gainlaw.model.binomial.sites import Summary
    from gainlaw.model.gaussian.marginal import Marginal

__all__ = ["Conditional", "more_draws"]

Float = NDArray[np.float64]

# The seed of draws beyond those of a fit, so that what they decide does not depend on the seed of the fit.
_SEED = 20
# Numbers in the coefficients of all draws that may be held; draws under the likelihood of counts cost more.
_MOST_NUMBERS = 40_000_000
# Draws times the square of the columns that each has to factorise: half a minute of one core, whatever the model.
_MOST_WORK = 5e8
_COUNTS_SHARE = 0.25
_CHAINS = 4


class Conditional:
    """A posterior as a Gaussian model given the hyperparameters; what its methods share is made once.

    Parameters
    ----------
    posterior : Posterior
        The posterior, by either engine; a fit is one.
    """

    def __init__(self, posterior: Posterior) -> None:
        self.posterior = posterior
        self._kept: tuple[Posterior, Float, NDArray[np.intp], Float | None] | None = None

    @cached_property
    def summary(self) -> Summary | None:
        """The Gaussian summary of the counts, where the likelihood is binomial."""
        from gainlaw.model.binomial.sites import summarise

        if self.posterior.spec.likelihood != "binomial":
            return None
        return summarise(self.posterior.problem, self.posterior.rows)

    @cached_property
    def marginal(self) -> Marginal:
        """The model with its coefficients integrated out."""
        from gainlaw.model.gaussian.marginal import Marginal

        return Marginal.build(self.posterior.problem, kernel_data(self.posterior, self.summary))

    @cached_property
    def points(self) -> Float:
        """The posterior draws of the hyperparameters, shape (draws, k)."""
        return hyper_points(self.posterior)

    def inside(
        self,
        parts: Sequence[WeightedEstimand],
        constant: float,
        low: float,
        high: float,
        other: Posterior | None = None,
    ) -> Float | None:
        """Return the probability, given each draw of the hyperparameters, that a difference lies between two ends.

        Parameters
        ----------
        parts, constant
            The difference is `constant` plus the sum of the parts.
        low, high : float
            The ends, which may be infinite.
        other : Posterior, optional
            The same with other draws, see `more_draws`.

        Returns
        -------
        ndarray, shape (draws,), or None
            None for counts, and for differences that the model does not have.
        """
        from scipy.special import ndtr

        if self.posterior.spec.likelihood == "binomial":
            return None
        problem = self.posterior.problem
        points, place, factors = self._at(other or self.posterior)
        weights = combine(self.posterior, parts).weights(shape_values(problem, points))
        if not weights.any():
            return None
        with one_blas_thread():
            if factors is None:
                _, mean, variance = conditional_normals(self.marginal, points, weights)
            else:
                mean, variance = factored_normals(problem, factors, points, weights)
        mean, sd = mean + constant, np.sqrt(np.maximum(variance, 1e-300))
        # Under a law without a slope a slope is 0, neither below it nor above.
        certain = ~weights.any(axis=1)
        spread = ndtr((high - mean) / sd) - ndtr((low - mean) / sd)
        return np.where(certain, (low < mean) & (mean < high), spread)[place]

    def _at(self, other: Posterior) -> tuple[Float, NDArray[np.intp], Float | None]:
        """Return the distinct hyperparameters among draws, where each draw stands among them, and their factors."""
        if self._kept is None or self._kept[0] is not other:
            points, place = np.unique(hyper_points(other), axis=0, return_inverse=True)
            with one_blas_thread():
                self._kept = other, points, place.reshape(-1), self.marginal.factors(points)
        return self._kept[1:]


def more_draws(posterior: Posterior, size: int) -> Posterior | None:
    """Return a posterior with more draws, which do not depend on the seed of those that it has.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    size : int
        Draws wanted; models of counts get a quarter of them, and models with many coefficients fewer, so that the work
        has a bound.

    Returns
    -------
    Posterior or None
        It has groups ``posterior`` and ``sample_stats`` alone. None for one by the sampler ``nuts``, whose draws are
        slow, where fewer than twice as many as there are can be had, and where the weights of the new draws cannot be
        trusted.
    """
    from gainlaw.fitting.averaging import more_of
    from gainlaw.model.engines import exact

    if posterior.importance_ess is None:
        return None
    problem = posterior.problem
    wanted = size * _COUNTS_SHARE if posterior.spec.likelihood == "binomial" else size
    most = min(_MOST_NUMBERS // problem.design.n_columns, int(_MOST_WORK / problem.design.n_core**2))
    size = min(int(wanted), most) // _CHAINS
    if size * _CHAINS < 2 * posterior.n_draws:
        return None
    with one_blas_thread():
        if problem.spec.law.members:
            drawn = more_of(posterior, size, _CHAINS, _SEED)
        else:
            drawn = exact.sample(problem, posterior.rows, draws=size, chains=_CHAINS, seed=_SEED)
    assert drawn.importance is not None
    worst = np.nanmax([drawn.importance.pareto_k, drawn.importance.likelihood_pareto_k])
    if worst > PARETO_K_LIMIT:
        return None
    return posterior.with_draws(posterior_tree(problem, drawn))
