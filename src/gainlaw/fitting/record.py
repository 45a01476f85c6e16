"""The record of a fit: a posterior with its estimates, its diagnostics and what was run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.fitting.checks.diagnostics import Diagnostics
from gainlaw.posterior.record import Posterior

__all__ = ["FitRecord"]


@dataclass(frozen=True, slots=True, eq=False)
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

    @property
    def status(self) -> str:
        """``ok`` or ``failed``: a failed fit must not be used."""
        return self.diagnostics.status

    @property
    def ci_prob(self) -> float:
        """The probability of the intervals in the estimates, which every table and figure of the fit follows."""
        return float(self.estimates["ci_prob"].iloc[0])

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
