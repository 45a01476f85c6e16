"""A planned study: sizes, tasks, languages, items, seeds, intermediates, and the slope that it is to find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from gainlaw.claims.decision import DEFAULT_THRESHOLD

__all__ = ["PLANNED_LANGUAGES", "Costs", "Study", "with_sizes"]

PLANNED_LANGUAGES: Mapping[str, str] = {
    f"{family}{k}": family for family in ("A", "B", "C", "D", "E") for k in (1, 2)
}
"""The languages of a plan that names none: ten in five families."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What parts of a study cost, in a unit of its own.

    Parameters
    ----------
    unit : str
        What costs are counted in.
    runs : dict of float to float
        Cost of one training run (a checkpoint, one intermediate, one seed) by size in parameters. Between and beyond
        the sizes named it goes along straight lines of log cost on log size; from one size it grows as the size does.
    per_1000_items : float
        Cost of scoring 1,000 items by a model of 1e9 parameters; it grows as the size does. NaN where it is not known:
        then what needs no training run has no known cost.
    """

    unit: str = "runs of a 1B model"
    runs: Mapping[float, float] = field(default_factory=lambda: {1e9: 1.0})
    per_1000_items: float = float("nan")

    def run(self, size: float) -> float:
        """Return the cost of one training run at a size.

        Examples
        --------
        >>> Costs().run(7e9)
        7.0
        >>> round(Costs(runs={1e9: 2.0, 4e9: 8.0}).run(2e9), 6)
        4.0
        """
        known = sorted(self.runs)
        if len(known) == 1:
            return self.runs[known[0]] * size / known[0]
        at = int(np.clip(np.searchsorted(known, size), 1, len(known) - 1))
        low, high = known[at - 1], known[at]
        power = np.log(self.runs[high] / self.runs[low]) / np.log(high / low)
        return float(self.runs[low] * (size / low) ** power)

    def scoring(self, size: float, items: float) -> float:
        """Return the cost of scoring so many items by one model of a size."""
        return self.per_1000_items * items / 1000.0 * size / 1e9


@dataclass(frozen=True, slots=True)
class Study:
    """A planned study: every model is scored on every task in every language.

    Parameters
    ----------
    sizes : dict of str to tuple of float
        Parameters of the checkpoints, by model family.
    tasks, intermediates : tuple of str
        Their names.
    languages : dict of str to str
        The family of every language.
    items : int
        Items in every task and language.
    seeds : int
        Training runs of every checkpoint with every intermediate; they share the checkpoint's baseline.
    slope : float
        The true slope of the gain assumed, in points per decade; its sign is the claim.
    slope_sd : float
        The sd of a normal prior of the true slope around it, for the assurance.
    gain : float
        The mean gain at the middle size, in points; it enters the sampling error alone.
    baseline : tuple of (float, float)
        Accuracy of the smallest and the largest checkpoint before training; on log-odds linear in log size between.
    level : {"overall", "population"}
        Of whom the slope is: of the tasks and languages of the study, or of the mean of the hierarchy.
    threshold, ci_prob : float
        Posterior probability that decides a claim; probability of the interval.
    name : str
        What it is called.
    """

    sizes: Mapping[str, tuple[float, ...]]
    tasks: tuple[str, ...] = ("task 1", "task 2", "task 3")
    languages: Mapping[str, str] = field(default_factory=lambda: dict(PLANNED_LANGUAGES))
    intermediates: tuple[str, ...] = ("intermediate",)
    items: int = 1000
    seeds: int = 1
    slope: float = -3.0
    slope_sd: float = 1.5
    gain: float = 5.0
    baseline: tuple[float, float] = (0.5, 0.7)
    level: Literal["overall", "population"] = "overall"
    threshold: float = DEFAULT_THRESHOLD
    ci_prob: float = 0.95
    name: str = "planned study"

    @property
    def all_sizes(self) -> tuple[float, ...]:
        """The size of every checkpoint."""
        return tuple(size for sizes in self.sizes.values() for size in sizes)

    def cost(self, costs: Costs) -> tuple[float, float]:
        """Return what its training runs cost, and what its scores do.

        Examples
        --------
        >>> Study(sizes={"M": (1e9, 3e9)}, seeds=2).cost(Costs())[0]
        8.0
        """
        runs = len(self.intermediates) * self.seeds
        training = sum(runs * costs.run(size) for size in self.all_sizes)
        items = len(self.tasks) * len(self.languages) * self.items
        return training, sum(costs.scoring(size, items * (runs + 1)) for size in self.all_sizes)

    def total_cost(self, costs: Costs) -> float:
        """Return what it costs, scoring included where its cost is known."""
        training, scoring = self.cost(costs)
        return training + (scoring if np.isfinite(scoring) else 0.0)


def with_sizes(study: Study, count: int) -> Study:
    """Return the study with so many sizes in every model family, evenly spread over its decades.

    Parameters
    ----------
    study : Study
        The plan; a family that has so many sizes keeps them, and one of a single size keeps that.
    count : int
        Sizes wanted, 2 or more.

    Examples
    --------
    >>> with_sizes(Study(sizes={"M": (1e8, 1e10)}), 3).sizes["M"]
    (100000000.0, 1000000000.0, 10000000000.0)
    """
    sizes = {}
    for family, own in study.sizes.items():
        if len(own) in (1, count):
            sizes[family] = own
        else:
            spread = np.geomspace(min(own), max(own), count)
            sizes[family] = tuple(float(round(size)) for size in spread)
    return replace(study, sizes=sizes)
