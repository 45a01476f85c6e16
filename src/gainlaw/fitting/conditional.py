r"""A fit given its hyperparameters: a Gaussian model, in which linear statements have probabilities without draws.

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
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gainlaw._threads import one_blas_thread
from gainlaw.fitting.checks.diagnostics import PARETO_K_LIMIT
from gainlaw.fitting.exploration import shape_values
from gainlaw.model.gaussian.combinations import conditional_normals, factored_normals
from gainlaw.model.spec.problem import ModelProblem, build_problem, gaussian_data, observations
from gainlaw.posterior.contrasts import Part, combine
from gainlaw.posterior.grid import FitLike
from gainlaw.posterior.tree import hyper_points, posterior_tree

if TYPE_CHECKING:
    from gainlaw.fitting.core import Fit
    from gainlaw.model.binomial.sites import Summary
    from gainlaw.model.gaussian.marginal import Marginal

__all__ = ["Conditional", "more_draws"]

Float = NDArray[np.float64]

# The seed of draws beyond those of a fit, so that what they decide does not depend on the seed of the fit.
_SEED = 20
# Numbers in the coefficients of all draws that may be held; draws under the likelihood of counts cost more.
_MOST_NUMBERS = 40_000_000
_COUNTS_SHARE = 0.25
_CHAINS = 4


class Conditional:
    """A fit as a Gaussian model of its coefficients given the hyperparameters; what its methods share is made once.

    Parameters
    ----------
    fit : Fit
        A fit, by either engine.
    """

    def __init__(self, fit: FitLike) -> None:
        self.fit = fit
        self._kept: tuple[FitLike, Float, NDArray[np.intp], Float | None] | None = None

    @cached_property
    def problem(self) -> ModelProblem:
        """The model's arrays."""
        return build_problem(self.fit.gains, self.fit.spec)

    @cached_property
    def summary(self) -> Summary | None:
        """The Gaussian summary of the counts, where the likelihood is binomial."""
        from gainlaw.model.binomial.sites import summarise

        if self.fit.spec.likelihood != "binomial":
            return None
        return summarise(self.problem, observations(self.fit.gains, self.fit.spec))

    @cached_property
    def marginal(self) -> Marginal:
        """The model with its coefficients integrated out."""
        from gainlaw.model.gaussian.marginal import Marginal

        data = gaussian_data(self.problem) if self.summary is None else self.summary.data
        return Marginal.build(self.problem, data)

    @cached_property
    def points(self) -> Float:
        """The posterior draws of the hyperparameters, shape (draws, k)."""
        return hyper_points(self.problem, self.fit.posterior)

    def inside(
        self, parts: Sequence[Part], constant: float, low: float, high: float, draws: FitLike | None = None
    ) -> Float | None:
        """Return the probability, given each draw of the hyperparameters, that a difference lies between two ends.

        Parameters
        ----------
        parts, constant
            The difference is `constant` plus the sum of the parts.
        low, high : float
            The ends, which may be infinite.
        draws : Fit, optional
            The fit with other draws of the same posterior, see `more_draws`.

        Returns
        -------
        ndarray, shape (draws,), or None
            None for counts, and for differences that the model does not have.
        """
        from scipy.special import ndtr

        if self.fit.spec.likelihood == "binomial":
            return None
        points, place, factors = self._at(draws or self.fit)
        weights = combine(self.fit, self.problem, parts).weights(shape_values(self.problem, points))
        if not weights.any():
            return None
        with one_blas_thread():
            if factors is None:
                _, mean, variance = conditional_normals(self.marginal, points, weights)
            else:
                mean, variance = factored_normals(self.problem, factors, points, weights)
        mean, sd = mean + constant, np.sqrt(np.maximum(variance, 1e-300))
        return np.asarray(ndtr((high - mean) / sd) - ndtr((low - mean) / sd))[place]

    def _at(self, draws: FitLike) -> tuple[Float, NDArray[np.intp], Float | None]:
        """Return the distinct hyperparameters of draws, where each draw stands among them, and their factors."""
        if self._kept is None or self._kept[0] is not draws:
            points, place = np.unique(
                hyper_points(self.problem, draws.posterior), axis=0, return_inverse=True
            )
            with one_blas_thread():
                self._kept = draws, points, place.reshape(-1), self.marginal.factors(points)
        return self._kept[1:]


def more_draws(fit: Fit, size: int) -> Fit | None:
    """Return a fit with more draws of its posterior, which do not depend on the seed of the fit.

    Parameters
    ----------
    fit : Fit
        A fit.
    size : int
        Draws wanted; models of counts get a quarter of them, and models with many coefficients fewer.

    Returns
    -------
    Fit or None
        It has groups ``posterior`` and ``sample_stats`` alone. None for a fit by the sampler ``nuts``, whose draws are
        slow, and where the weights of the new draws cannot be trusted.
    """
    from gainlaw.model.engines import exact

    if (fit.record.get("engine") or {}).get("used") != "exact":
        return None
    problem = build_problem(fit.gains, fit.spec)
    wanted = size * _COUNTS_SHARE if fit.spec.likelihood == "binomial" else size
    size = min(int(wanted), _MOST_NUMBERS // problem.design.n_columns) // _CHAINS
    posterior = fit.posterior["posterior"]
    if size * _CHAINS <= posterior.sizes["chain"] * posterior.sizes["draw"]:
        return None
    with one_blas_thread():
        drawn = exact.sample(
            problem, observations(fit.gains, fit.spec), draws=size, chains=_CHAINS, seed=_SEED
        )
    assert drawn.importance is not None
    worst = np.nanmax([drawn.importance.pareto_k, drawn.importance.likelihood_pareto_k])
    if worst > PARETO_K_LIMIT:
        return None
    return replace(fit, posterior=posterior_tree(problem, drawn))
