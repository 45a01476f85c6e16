"""The posterior of a law's coefficients: the model, its data and its draws, as one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gainlaw.laws.placed import PlacedLaw
from gainlaw.model.spec.priors import Prior
from gainlaw.model.spec.problem import ModelProblem, ModelSpec, observations
from gainlaw.scales import Scale
from gainlaw.scores.gains.table import Gains

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Posterior"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Posterior:
    """What every estimand, and every check of a fit, is a function of.

    Parameters
    ----------
    problem : ModelProblem
        The model, and its arrays for these gains.
    gains : Gains
        The data.
    draws : xarray.DataTree
        What ArviZ reads: groups ``posterior``, ``prior``, ``sample_stats``, ``log_likelihood``, ``log_prior``,
        ``posterior_predictive`` and ``observed_data``, see `gainlaw.posterior.tree.build_tree`.
    """

    problem: ModelProblem
    gains: Gains
    draws: xr.DataTree

    def __repr__(self) -> str:
        """Say in a line what it is of."""
        model = f"{self.law.name} law on {self.scale}, {self.n_draws} draws"
        return f"<{type(self).__name__} {self.gains.source!r}: {model}>"

    @property
    def spec(self) -> ModelSpec:
        """The model: law, scale, terms kept and dropped, priors."""
        return self.problem.spec

    @property
    def priors(self) -> dict[str, Prior]:
        """The prior of every parameter, in the unit of the scale; what ``gainlaw.fit(priors=...)`` takes."""
        return dict(self.spec.priors)

    @property
    def law(self) -> PlacedLaw:
        """The law of the gain."""
        return self.spec.law

    @property
    def scale(self) -> Scale:
        """The scale of the gain."""
        return self.spec.scale

    @property
    def reads_points(self) -> bool:
        """Whether its gains are in points though its coefficients are on log-odds: a law of scores seen in points."""
        return self.law.form.scores and self.scale == "points"

    @property
    def unit(self) -> str:
        """The unit of the gain."""
        return self.spec.unit

    @property
    def rows(self) -> Gains:
        """The rows of the model: the gains, or the scores behind them where the baselines have a hierarchy."""
        return observations(self.gains, self.spec)

    @property
    def n_rows(self) -> int:
        """The number of gains."""
        return len(self.gains.frame)

    @property
    def n_checkpoints(self) -> int:
        """The number of distinct checkpoints: the replicates behind every slope."""
        return self._count("checkpoint")

    @property
    def n_sizes(self) -> int:
        """The number of distinct model sizes."""
        return self._count("params")

    @property
    def n_chains(self) -> int:
        """The number of chains that the draws come from."""
        return int(self.draws["posterior"].sizes["chain"])

    @property
    def n_draws(self) -> int:
        """The number of draws, of all chains together."""
        return self.n_chains * int(self.draws["posterior"].sizes["draw"])

    @property
    def which_law(self) -> NDArray[np.int64]:
        """The number of the law behind every draw of an average over laws."""
        name = self.law.parameters[0].name
        return self.draws["posterior"][name].to_numpy().reshape(-1).astype(np.int64)

    @property
    def stacked(self) -> NDArray[np.int64] | None:
        """The number of the law behind every draw of an average whose weights are no probabilities; else None."""
        if not self.law.members or self.law.form.weighing == "evidence":
            return None
        return self.which_law

    @property
    def importance_ess(self) -> float | None:
        """The effective number of draws by importance sampling, None for a sampler's chains."""
        ess = self.draws["sample_stats"].attrs.get("ess")
        return None if ess is None else float(ess)

    def with_draws(self, draws: xr.DataTree) -> Posterior:
        """Return the posterior of the same model and data with other draws."""
        return Posterior(self.problem, self.gains, draws)

    def _count(self, column: str) -> int:
        """Return the number of distinct known values of a column of the gains."""
        if column not in self.gains.frame.columns:
            return 0
        values = self.gains.frame[column].dropna()
        return int(values[values.astype(str) != ""].nunique())
