"""The record of a fit: a posterior with its estimates, its diagnostics and what was run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.fitting.checks.diagnostics import PARETO_K_LIMIT, Diagnostics
from gainlaw.formats import format_interval, format_number, format_probability
from gainlaw.notes import count_of
from gainlaw.posterior.record import Posterior
from gainlaw.scales import SCALES

if TYPE_CHECKING:
    from arviz_stats.utils import ELPDDataLOO

__all__ = ["FitRecord"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FitRecord(Posterior):
    """A hierarchical law fitted to gains.

    Parameters
    ----------
    problem, gains, draws
        The posterior, see `gainlaw.posterior.record.Posterior`.
    estimates : DataFrame
        Every estimand at every level, see `gainlaw.posterior.estimates.estimate_table`.
    diagnostics : Diagnostics
        Checks, influence of checkpoints, prior sensitivity.
    record : dict
        What was asked and run, on what, with what.
    path : Path or None
        The fit directory it was read from.
    """

    estimates: pd.DataFrame
    diagnostics: Diagnostics
    record: dict[str, Any]
    path: Path | None = None

    def __repr__(self) -> str:
        """Say in three lines at most what was fitted, what came out, and whether it can be used."""
        alert = self.alert
        return "\n".join(
            [f"<{type(self).__name__} {self.gains.source!r}: {self.headline}>", self.answer, alert][
                : 3 if alert else 2
            ]
        )

    @property
    def headline(self) -> str:
        """What was fitted to what, in a line."""
        replicates = count_of(self.n_rows, "gain")
        if self.n_checkpoints:
            replicates += (
                f", {count_of(self.n_checkpoints, 'checkpoint')} of {count_of(self.n_sizes, 'size')}"
            )
        return f"{self.law.name} law on {self.scale}: {replicates}; diagnostics {self.status}"

    @property
    def answer(self) -> str:
        """The slope over the groups observed and that of the population, in a line; the gain of a law without one."""
        estimand = "slope" if self.law.has_slope else "gain"
        unit = SCALES[self.scale].per_decade if self.law.has_slope else self.unit
        digits, parts = self.spec.decimals(), []
        kept = self.estimates[self.estimates["estimand"] == estimand]
        for level in ("overall", "population"):
            for row in kept[kept["level"] == level].to_dict("records")[:1]:
                interval = format_interval(row["ci_low"], row["ci_high"], digits)
                chance = format_probability(row["p_positive"])
                parts.append(f"{level} {format_number(row['mean'], digits)} {interval}, P(> 0) {chance}")
        return f"{estimand} in {unit}: {'; '.join(parts)}"

    @property
    def alert(self) -> str:
        """What failed, in a line; empty where the fit can be used."""
        failed = ", ".join(check.name for check in self.diagnostics.failures)
        return f"do not use these numbers: failed {failed}" if self.status != "ok" else ""

    @property
    def status(self) -> str:
        """``ok`` or ``failed``: a failed fit must not be used."""
        return self.diagnostics.status

    @property
    def ci_prob(self) -> float:
        """The probability of the intervals in the estimates, which every table and figure of the fit follows."""
        return float(self.estimates["ci_prob"].iloc[0])

    @property
    def loo(self) -> ELPDDataLOO:
        """Leave-one-checkpoint-out cross-validation as ArviZ keeps it, so that ``arviz.compare`` takes it.

        Checkpoints are the replicates: ``elpd_i`` and ``pareto_k`` have one value for each. What `compare` needs is in
        it; the effective number of parameters ``p`` is not defined for left-out groups, and NaN.

        Raises
        ------
        InputError
            If there are fewer than three checkpoints.
        """
        import xarray as xr
        from arviz_stats.utils import ELPDDataLOO

        found = self.diagnostics.influence
        if found.empty:
            raise InputError(
                Problem("the fit has fewer than three checkpoints", hint="nothing can be left out")
            )
        elpd, pareto_k = (
            xr.DataArray(
                found[name].to_numpy(float),
                dims="checkpoint",
                coords={"checkpoint": found["checkpoint"].tolist()},
            )
            for name in ("elpd", "pareto_k")
        )
        return ELPDDataLOO(
            elpd=float(elpd.sum()),
            se=float(np.sqrt(elpd.size) * elpd.std(ddof=1)),
            p=float("nan"),
            n_samples=self.n_draws,
            n_data_points=int(elpd.size),
            scale="log",
            warning=bool((pareto_k > PARETO_K_LIMIT).any()),
            good_k=PARETO_K_LIMIT,
            elpd_i=elpd,
            pareto_k=pareto_k,
        )

    def summary(self, level: str | None = None) -> pd.DataFrame:
        """Return the estimates, all or of one level.

        Parameters
        ----------
        level : str, optional
            ``population``, ``overall``, ``task``, ``language_family``, ``language``, ``intermediate``,
            ``model_family``, ``covariate`` or ``model``.

        Raises
        ------
        InputError
            If the fit has no estimates at that level.
        """
        if level is None:
            return self.estimates.copy()
        part = self.estimates[self.estimates["level"] == level]
        if part.empty:
            levels = ", ".join(dict.fromkeys(self.estimates["level"]))
            raise InputError(
                Problem(f"the fit has no estimates at level {level!r}", hint=f"it has: {levels}")
            )
        return part.reset_index(drop=True)
