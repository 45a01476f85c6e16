"""What is reported of a fit: effective draws, convergence, agreement with the reference, medians over repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from engines_fits import Result


def score(found: Result, reference: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the numbers of one fit.

    Parameters
    ----------
    found : Result
        The fit.
    reference : mapping of str to (mean, sd)
        The reference posterior of the same quantities.

    Returns
    -------
    dict of str to float
        ``ess``: the smallest bulk ess (the engine's own count, where it weights independent draws); ``rhat``: the
        largest; ``shift``: the largest distance of a mean from the reference's, in the reference's sds; ``sd_low``
        and ``sd_high``: the smallest and largest sd, as a ratio to the reference's.
    """
    from arviz_stats.base import array_stats

    draws = np.stack([found.draws[name] for name in reference])
    mean, sd = np.array(list(reference.values())).T
    weighted = np.isfinite(found.ess)
    ess = array_stats.ess(draws, chain_axis=-2, draw_axis=-1, method="bulk").min()
    rhat = array_stats.rhat(draws, chain_axis=-2, draw_axis=-1).max()
    ratio = draws.std(axis=(1, 2)) / sd
    least = float(min(ess, found.ess)) if weighted else float(ess)
    return {
        "seconds": found.seconds,
        "compile": found.compile_seconds,
        "ess": least,
        "ess_per_second": least / found.seconds,
        "divergences": float(found.divergences),
        "rhat": float("nan") if weighted else float(rhat),
        "shift": float(np.abs((draws.mean(axis=(1, 2)) - mean) / sd).max()),
        "sd_low": float(ratio.min()),
        "sd_high": float(ratio.max()),
        "k": found.pareto_k,
    }


@dataclass(frozen=True, slots=True)
class Task:
    """One engine on one study, at one target acceptance of the samplers that are not gainlaw's."""

    study: str
    engine: str
    accept: float


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Parameters
    ----------
    table : str
        The table: a study, or a study at the samplers' default target acceptance.
    task : Task
        What was fitted.
    fits : int
        The number of fits.
    why : str
        In words why there are none.
    numbers : dict of str to float
        Medians over the fits of what `score` returns; ``compile`` is that of the first fit, ``again`` that of a
        later process.
    """

    table: str
    task: Task
    fits: int = 0
    why: str = ""
    numbers: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        table: str,
        task: Task,
        found: Sequence[Result] | str,
        again: float,
        reference: Mapping[str, Sequence[float]],
    ) -> Row:
        """Return the row of an engine's results."""
        if isinstance(found, str):
            return cls(table, task, why=found)
        each = [score(result, reference) for result in found]
        numbers = {name: float(np.median([one[name] for one in each])) for name in each[0]}
        return cls(table, task, len(found), numbers=numbers | {"compile": each[0]["compile"], "again": again})

    def __getitem__(self, name: str) -> float:
        """Return a number, NaN where there is none."""
        return self.numbers.get(name, float("nan"))
