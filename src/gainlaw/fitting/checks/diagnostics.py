"""Checks that decide whether a fit may be trusted, in numbers and in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd

from gainlaw.notes import count_of
from gainlaw.posterior.estimates import MIN_ESS, RHAT_LIMIT
from gainlaw.posterior.grid import grid_cells
from gainlaw.posterior.record import Posterior

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["PARETO_K_LIMIT", "Check", "Diagnostics", "cells_check", "run_checks", "scales_check", "speaks"]

BFMI_LIMIT = 0.3
DEPTH_SHARE_LIMIT = 0.01
MAX_DEPTH = 10
PARETO_K_LIMIT = 0.7
# From this share of unseen combinations on, most of an average over the grid is put together from other cells.
_UNSEEN = 0.5


@dataclass(frozen=True, slots=True)
class Check:
    """One diagnostic.

    Parameters
    ----------
    name : str
        Its name.
    passed : bool or None
        None for information without a limit.
    value, limit : float
        What was found and what is allowed; NaN where it does not apply.
    text : str
        What it means, in plain words.
    """

    name: str
    passed: bool | None
    value: float
    limit: float
    text: str


def speaks(check: Check) -> bool:
    """Return whether a note, which passes and fails nothing, has something to say: its value is above its limit."""
    return check.passed is None and bool(check.value > check.limit)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Diagnostics:
    """All diagnostics of a fit.

    Parameters
    ----------
    status : {"ok", "failed"}
        ``failed`` if any check failed: the numbers must not be used.
    checks : tuple of Check
        The checks.
    influence : DataFrame
        The overall slope with each checkpoint left out.
    sensitivity : DataFrame
        How the overall slope moves when the prior or the likelihood is raised to a power.
    scales : DataFrame
        Prior and posterior of every standard deviation, correlation and shape parameter.
    predictive : DataFrame
        Observed mean and spread of every checkpoint's gains beside replicated ones.
    laws : DataFrame
        Of an average over laws, their weights and what each says, see `gainlaw.fitting.averaging.Averaged`.
    """

    status: Literal["ok", "failed"]
    checks: tuple[Check, ...]
    influence: pd.DataFrame
    sensitivity: pd.DataFrame
    scales: pd.DataFrame = field(default_factory=pd.DataFrame)
    predictive: pd.DataFrame = field(default_factory=pd.DataFrame)
    laws: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __repr__(self) -> str:
        """Say in a line what failed."""
        failed = ", ".join(check.name for check in self.failures) or "none"
        return (
            f"<{type(self).__name__}: {self.status}; {count_of(len(self.checks), 'check')}, failed: {failed}>"
        )

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.passed is False)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data for JSON; missing numbers are None."""
        return {
            "status": self.status,
            "checks": [
                {
                    "name": check.name,
                    "passed": check.passed,
                    "value": _plain(check.value),
                    "limit": _plain(check.limit),
                    "text": check.text,
                }
                for check in self.checks
            ],
            "influence": _records(self.influence),
            "sensitivity": _records(self.sensitivity),
            "scales": _records(self.scales),
            "predictive": _records(self.predictive),
            "laws": _records(self.laws),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Diagnostics:
        """Rebuild from `to_dict`."""
        checks = tuple(
            Check(
                each["name"],
                each["passed"],
                float("nan") if each["value"] is None else each["value"],
                float("nan") if each["limit"] is None else each["limit"],
                each["text"],
            )
            for each in data["checks"]
        )
        names = ("influence", "sensitivity", "scales", "predictive", "laws")
        return cls(data["status"], checks, *(_frame(data.get(name, [])) for name in names))


def run_checks(
    posterior: Posterior, estimates: pd.DataFrame, attempts: tuple[dict[str, float], ...]
) -> tuple[Check, ...]:
    """Check a posterior.

    Parameters
    ----------
    posterior : Posterior
        The posterior.
    estimates : DataFrame
        Its table of estimates.
    attempts : tuple of dict
        Target acceptance and divergences of a sampler's attempts.
    """
    stats = cast("xr.DataTree", posterior.draws["sample_stats"])
    if posterior.importance_ess is not None:
        return tuple(_weights(stats.attrs))
    checks = [_divergences(stats, posterior.n_draws, attempts)]
    rhat = float(estimates["rhat"].max())
    worst = _name(estimates, estimates["rhat"].idxmax()) if np.isfinite(rhat) else "nothing"
    checks.append(
        Check(
            "rhat",
            bool(rhat < RHAT_LIMIT) if np.isfinite(rhat) else None,
            rhat,
            RHAT_LIMIT,
            f"The chains {'agree' if rhat < RHAT_LIMIT else 'do not agree'}: the largest rhat of any "
            f"reported estimate is {rhat:.4f} ({worst}); it should be below {RHAT_LIMIT}.",
        )
    )
    for column, part in (("ess_bulk", "centre"), ("ess_tail", "tails")):
        low = float(estimates[column].min())
        worst = _name(estimates, estimates[column].idxmin()) if np.isfinite(low) else "nothing"
        checks.append(
            Check(
                column,
                bool(low > MIN_ESS) if np.isfinite(low) else None,
                low,
                MIN_ESS,
                f"The {part} of every reported estimate rest{'s' if part == 'centre' else ''} on at least "
                f"{low:.0f} effectively independent draws ({worst}); {MIN_ESS:.0f} are asked for.",
            )
        )
    checks.extend(_energy(stats))
    return tuple(checks)


def scales_check(scales: pd.DataFrame) -> tuple[Check, ...]:
    """Return a note on the hyperparameters about which the data say little; it passes and fails nothing."""
    if scales.empty:
        return ()
    silent = scales.loc[scales["verdict"] == "mostly the prior", "parameter"].to_list()
    text = (
        f"The data say little about {', '.join(silent)}: there the prior speaks."
        if silent
        else "The data inform every standard deviation, correlation and shape parameter."
    )
    return (Check("prior_dominated", None, float(len(silent)), float("nan"), text),)


def cells_check(posterior: Posterior) -> tuple[Check, ...]:
    """Return a note on averages over a grid of which most was never observed; nothing where half of it was.

    It passes and fails nothing. Its value is the share of combinations without a gain, of the pair of factors where
    that is largest.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    """
    sparse = [each for each in grid_cells(posterior.spec, posterior.gains) if each.unseen > _UNSEEN]
    if not sparse:
        return ()
    counts = []
    for each in sparse:
        many = " and ".join(
            count_of(number, column.replace("_", " "))
            for number, column in zip(each.groups, each.columns, strict=True)
        )
        fewest = " and ".join(
            f"{column.replace('_', ' ')} {group} ({number} of {of})"
            for column, (group, number), of in zip(
                each.columns, each.fewest, reversed(each.groups), strict=True
            )
        )
        counts.append(
            f"Of the {each.total} combinations of {many}, {each.seen} were observed, the fewest with {fewest}."
        )
    text = (
        f"{' '.join(counts)} The overall averages, and those of a single group, take every other combination to be the "
        "sum of its parts (additivity): how it would depart from that is not in their intervals."
    )
    return (Check("cells", None, max(each.unseen for each in sparse), _UNSEEN, text),)


def _weights(found: Mapping[Any, Any]) -> list[Check]:
    """Check importance sampling by the shape of its weights and what they are worth."""
    ess = float(found["ess"])
    checks = []
    for name, key, what in (
        (
            "pareto_k",
            "pareto_k",
            f"{found['points']:.0f} points at which the marginal likelihood was computed",
        ),
        (
            "likelihood_pareto_k",
            "likelihood_pareto_k",
            "draws that carry the Gaussian summary of the counts to their binomial likelihood",
        ),
    ):
        value = float(found[key])
        if np.isfinite(value):
            passed = value < PARETO_K_LIMIT
            checks.append(
                Check(
                    name,
                    passed,
                    value,
                    PARETO_K_LIMIT,
                    f"The weights of the {what} {'can' if passed else 'cannot'} be trusted: Pareto k is {value:.2f} "
                    f"(below {PARETO_K_LIMIT} asked for; below 0.5 the error falls as for independent draws).",
                )
            )
    checks.append(
        Check(
            "ess",
            ess > MIN_ESS,
            ess,
            MIN_ESS,
            f"Every reported estimate rests on at least {ess:.0f} effectively independent draws; {MIN_ESS:.0f} "
            "are asked for.",
        )
    )
    return checks


def _divergences(stats: xr.DataTree, n_draws: int, attempts: tuple[dict[str, float], ...]) -> Check:
    divergences = int(stats["diverging"].sum())
    tried = (
        f" The first run had {attempts[0]['divergences']:.0f}; it was repeated with smaller steps "
        f"(target acceptance {attempts[-1]['target_accept']:g})."
        if len(attempts) > 1
        else ""
    )
    text = (
        f"None of {n_draws} draws diverged."
        if divergences == 0
        else f"{divergences} of {n_draws} draws diverged: parts of the posterior were not reached."
    )
    return Check("divergences", divergences == 0, divergences, 0, text + tried)


def _energy(stats: xr.DataTree) -> list[Check]:
    from arviz_stats.base import array_stats

    checks = []
    if "energy" in stats:
        bfmi = float(np.min(array_stats.bfmi(stats["energy"].to_numpy(), chain_axis=-2, draw_axis=-1)))
        checks.append(
            Check(
                "bfmi",
                bool(bfmi > BFMI_LIMIT),
                bfmi,
                BFMI_LIMIT,
                f"The sampler {'moves' if bfmi > BFMI_LIMIT else 'does not move'} freely between energy "
                f"levels (smallest BFMI {bfmi:.2f}, above {BFMI_LIMIT} asked for).",
            )
        )
    if "tree_depth" in stats:
        share = float((stats["tree_depth"] >= MAX_DEPTH).mean())
        checks.append(
            Check(
                "tree_depth",
                share <= DEPTH_SHARE_LIMIT,
                share,
                DEPTH_SHARE_LIMIT,
                f"{share:.1%} of the trajectories were cut short at the longest length allowed.",
            )
        )
    return checks


def _name(estimates: pd.DataFrame, index: Any) -> str:
    row = estimates.loc[index]
    return " ".join(str(part) for part in (row["estimand"], row["group"] or row["level"]) if part)


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(key): _number(value) for key, value in record.items()} for record in records]


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _frame(records: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(records)
    for column in frame.columns:
        if frame[column].dtype == object:
            numeric = pd.to_numeric(frame[column], errors="coerce")
            if numeric.notna().sum() == frame[column].notna().sum():
                frame[column] = numeric
    return frame
