"""A planned study read from a TOML file or a mapping, every fault of it told at once.

.. code-block:: toml

    name = "xlm-r, three tasks"
    sizes = ["300M", "1B", "3B", "10B", "30B"]   # or a table: [sizes], then FAMILY = ["300M", ...] for each
    tasks = ["xnli", "xcopa"]                    # or a number
    languages = ["en", "de", "sw"]               # codes, or a number, or a table as of sizes
    language_families = 5                        # where languages is a number
    intermediates = 1                            # or names
    items = 1000                                 # in every task and language
    seeds = 1
    slope = -3.0                                 # points per decade: the truth assumed, its sign the claim
    slope_sd = 1.5                               # of the prior of the true slope, for the assurance
    gain = 5.0                                   # at the middle size, in points
    baseline = [0.5, 0.7]                        # accuracy of the smallest and of the largest checkpoint
    level = "overall"                            # or "population"
    threshold = 0.975
    ci_prob = 0.95
    fit = "fits/xp3"                             # variance components from this fit

    [components]                                 # or given, in points
    tau_checkpoint = 1.5

    [costs]
    experiment = "ladder"                        # costs of `gainlaw plan`, in GPU-hours; or
    unit = "GPU-hours"
    runs = {"1B" = 2.0, "10B" = 25.0}            # of one training run
    per_1000_items = 0.01                        # of scoring 1,000 items by a 1B model

    [grid]
    sizes = [5, 7, 9]                            # numbers of sizes
    seeds = [1, 3]
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gainlaw._io import parse_toml, read_toml
from gainlaw.claims.decision import DEFAULT_THRESHOLD
from gainlaw.errors import InputError, Problem
from gainlaw.model.spec.terms import CANDIDATES
from gainlaw.power.study import PLANNED_LANGUAGES, Costs, Study
from gainlaw.scores.languages import describe_languages
from gainlaw.sizes import parse_size

__all__ = ["Request", "read_request"]

_KEYS = (
    *("name", "sizes", "tasks", "languages", "language_families", "intermediates", "items", "seeds"),
    *("slope", "slope_sd", "gain", "baseline", "level", "threshold", "ci_prob"),
    *("fit", "components", "costs", "grid"),
)
_MOST_ROWS = 10_000
"""Gains of one planned study; more take long and change nothing."""

COMPONENTS = (
    *(f"tau_{each.name}" for each in CANDIDATES),
    *(f"tau_{each.name}_slope" for each in CANDIDATES if each.slope),
    *(f"rho_{each.name}" for each in CANDIDATES if each.slope),
    "tau_residual",
)
"""The components that a study may give."""


@dataclass(frozen=True, slots=True)
class Request:
    """A planned study and what is asked of it.

    Parameters
    ----------
    study : Study
        The plan.
    components : dict of str to float
        Variance components that are given.
    fit : Path or None
        A fit directory that the others come from.
    costs : Costs
        What parts of it cost.
    experiment : str
        The experiment whose plan tells what training runs cost, in place of `costs`; empty without.
    sizes, seeds : tuple of int
        Numbers of sizes and seeds of the curve.
    """

    study: Study
    components: Mapping[str, float] = field(default_factory=dict)
    fit: Path | None = None
    costs: Costs = field(default_factory=Costs)
    experiment: str = ""
    sizes: tuple[int, ...] = ()
    seeds: tuple[int, ...] = ()


def read_request(source: str | os.PathLike[str] | Mapping[str, Any]) -> Request:
    """Read a planned study.

    Parameters
    ----------
    source : path-like or mapping
        A TOML file, see the top of this module; or what one would hold. The fit of a file is found from its folder.

    Raises
    ------
    InputError
        If there is no such file, it is no TOML, or anything in it is wrong; all faults are told together.

    Examples
    --------
    >>> read_request({"sizes": ["1B", "3B", "10B"], "tasks": 2}).study.tasks
    ('task 1', 'task 2')
    """
    if isinstance(source, Mapping):
        return _Reader("planned study", Path()).read(source)
    table = parse_toml(read_toml(source, "a planned study"), str(source))
    return _Reader(str(source), Path(source).parent).read(table)


class _Reader:
    """Collects the faults of one plan while it is read."""

    def __init__(self, source: str, folder: Path) -> None:
        self.source, self.folder = source, folder
        self.problems: list[Problem] = []

    def fault(self, key: str, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(message, key, hint=hint, kind="key"))

    def read(self, table: Mapping[str, Any]) -> Request:
        self.unknown("", table, _KEYS)
        slope = self.number("slope", table, -3.0, -1000.0, 1000.0)
        if slope == 0.0:
            self.fault("slope", "0 has no sign to detect", "the slope to be found, in points per decade")
        low, high = self.baseline(table)
        level = table.get("level", "overall")
        if level not in ("overall", "population"):
            self.fault("level", f"{level!r} is no level of a plan", "allowed: overall, population")
        name = table.get("name", "planned study")
        if not isinstance(name, str) or not name.strip():
            self.fault("name", f"{name!r} is no name")
        sizes = self.sizes(table.get("sizes"))
        tasks = self.names("tasks", table.get("tasks", 3), "task")
        languages = self.languages(table)
        intermediates = self.names("intermediates", table.get("intermediates", 1), "intermediate")
        items = self.whole("items", table, 1000, 10, 10**7)
        seeds = self.whole("seeds", table, 1, 1, 100)
        slope_sd = self.number("slope_sd", table, abs(slope) / 2.0, 0.0, 1000.0)
        gain = self.number("gain", table, 5.0, -100.0, 100.0)
        threshold = self.number("threshold", table, DEFAULT_THRESHOLD, 0.51, 0.9999)
        ci_prob = self.number("ci_prob", table, 0.95, 0.5, 0.9999)
        components = self.components(table.get("components", {}))
        costs, experiment = self.costs(table.get("costs", {}))
        curve = self.grid(table.get("grid", {}))
        fit = table.get("fit")
        if fit is not None and not isinstance(fit, str):
            self.fault("fit", f"{fit!r} is no fit directory")
        if not self.problems:
            study = Study(
                sizes, tasks, languages, intermediates, items, seeds, slope, slope_sd, gain, (low, high), level,
                threshold, ci_prob, name.strip(),
            )  # fmt: skip
            models = len(study.all_sizes)
            rows = models * len(study.tasks) * len(study.languages) * len(study.intermediates) * study.seeds
            if rows > _MOST_ROWS:
                hint = f"{_MOST_ROWS:,} at most: fewer languages or tasks, of as many families, tell the same"
                self.fault("languages", f"{rows:,} gains are too many to plan with", hint)
        if self.problems:
            raise InputError(self.problems, source=self.source)
        where = None if fit is None else self.folder / fit
        return Request(study, components, where, costs, experiment, *curve)

    def unknown(self, where: str, table: Mapping[str, Any], allowed: Sequence[str]) -> None:
        for key in table:
            if key not in allowed:
                self.fault(f"{where}{key}", "there is no such key", f"allowed: {', '.join(allowed)}")

    def number(self, key: str, table: Mapping[str, Any], default: float, low: float, high: float) -> float:
        value = table.get(key.rpartition(".")[2], default)
        good = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        if not good:
            self.fault(key, f"{value!r} will not do", f"a number from {low:g} to {high:g}")
        return float(value) if good else default

    def whole(self, key: str, table: Mapping[str, Any], default: int, low: int, high: int) -> int:
        value = table.get(key, default)
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        if not good:
            self.fault(key, f"{value!r} will not do", f"a whole number from {low:,} to {high:,}")
        return value if good else default

    def baseline(self, table: Mapping[str, Any]) -> tuple[float, float]:
        value = table.get("baseline", [0.5, 0.7])
        good = isinstance(value, list | tuple) and len(value) == 2
        if not good or not all(isinstance(p, float) and 0.0 < p < 1.0 for p in value):
            hint = (
                "accuracies of the smallest and of the largest checkpoint, each between 0 and 1: [0.5, 0.7]"
            )
            self.fault("baseline", f"{value!r} will not do", hint)
            return 0.5, 0.7
        return value[0], value[1]

    def size(self, key: str, value: object) -> float:
        try:
            size = parse_size(value) if isinstance(value, str) else float(value)  # type: ignore[arg-type]
        except (InputError, TypeError, ValueError):
            size = math.nan
        if isinstance(value, bool) or not 1e3 <= size <= 1e15:
            self.fault(key, f"{value!r} is no model size", "parameters, such as 560e6 or '560M'")
            return math.nan
        return size

    def sizes(self, value: object) -> dict[str, tuple[float, ...]]:
        groups = value if isinstance(value, Mapping) else {"models": value}
        found: dict[str, tuple[float, ...]] = {}
        for family, own in groups.items():
            key = f"sizes.{family}" if groups is value else "sizes"
            if not isinstance(own, list | tuple) or not own:
                said = "it is missing" if own is None else f"{own!r} will not do"
                self.fault(key, said, 'sizes of the checkpoints, such as ["300M", "1B", "3B"]')
                continue
            sizes = [self.size(key, each) for each in own]
            if len(set(sizes)) < len(sizes) and not any(math.isnan(size) for size in sizes):
                self.fault(key, "a size stands twice: a checkpoint of one family has a size of its own")
            found[str(family)] = tuple(sorted(sizes))
        distinct = {size for sizes in found.values() for size in sizes if not math.isnan(size)}
        if found and len(distinct) < 2 and not any(problem.column == "sizes" for problem in self.problems):
            self.fault("sizes", "a slope needs two different sizes at least")
        return found

    def names(self, key: str, value: object, word: str) -> tuple[str, ...]:
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 200:
            return tuple(f"{word} {k}" for k in range(1, value + 1))
        if isinstance(value, list | tuple) and value and all(isinstance(v, str) and v.strip() for v in value):
            if len(set(value)) == len(value):
                return tuple(value)
            self.fault(key, "a name stands twice")
        else:
            self.fault(key, f"{value!r} will not do", f"a number of {word}s from 1 to 200, or their names")
        return ()

    def languages(self, table: Mapping[str, Any]) -> dict[str, str]:
        value = table.get("languages")
        if "language_families" in table and (not isinstance(value, int) or isinstance(value, bool)):
            hint = "languages by name have the families of the language table, or those that a table names"
            self.fault("language_families", "it goes with a number of languages", hint)
        if value is None:
            return dict(PLANNED_LANGUAGES)
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 500:
            families = self.whole("language_families", table, min(5, value), 1, value)
            return {f"language {k + 1}": f"family {k % families + 1}" for k in range(value)}
        groups = value if isinstance(value, Mapping) else {"": value}
        found: dict[str, str] = {}
        for family, own in groups.items():
            key = f"languages.{family}" if groups is value else "languages"
            names = self.names(key, own if isinstance(own, list | tuple) else None, "language")
            if not names and not isinstance(own, list | tuple):
                continue
            for twice in sorted(set(names) & set(found)):
                self.fault(key, f"{twice!r} stands in two families")
            own_families = [family] * len(names)
            if groups is not value and names:
                own_families = describe_languages(names)["language_family"].tolist()
            found |= dict(zip(names, map(str, own_families), strict=True))
        return found

    def components(self, value: object) -> dict[str, float]:
        if not isinstance(value, Mapping):
            self.fault("components", f"{value!r} is no table")
            return {}
        found = {}
        for name in value:
            if name not in COMPONENTS:
                self.fault(
                    f"components.{name}", "there is no such component", f"there are: {', '.join(COMPONENTS)}"
                )
                continue
            low, high = (-0.95, 0.95) if name.startswith("rho_") else (0.0, 1000.0)
            found[name] = self.number(f"components.{name}", value, 0.0, low, high)
        return found

    def costs(self, value: object) -> tuple[Costs, str]:
        if not isinstance(value, Mapping):
            self.fault("costs", f"{value!r} is no table")
            return Costs(), ""
        self.unknown("costs.", value, ("experiment", "unit", "runs", "per_1000_items"))
        experiment = value.get("experiment")
        if experiment is not None:
            if not isinstance(experiment, str) or not experiment:
                self.fault("costs.experiment", f"{experiment!r} is no experiment")
            for other in ("runs", "unit"):
                if other in value:
                    self.fault(f"costs.{other}", "the experiment tells it", "give one of them")
        runs = value.get("runs", {"1B": 1.0})
        known: dict[float, float] = {}
        if isinstance(runs, Mapping) and runs:
            for size, cost in runs.items():
                good = isinstance(cost, int | float) and not isinstance(cost, bool) and 0.0 < cost < 1e15
                if not good:
                    self.fault(f"costs.runs.{size}", f"{cost!r} is no cost", "a number above 0")
                known[self.size("costs.runs", size)] = float(cost) if good else 1.0
        else:
            self.fault("costs.runs", f"{runs!r} will not do", 'the cost of a run by size: {"1B" = 2.0}')
        scoring = math.nan
        if "per_1000_items" in value:
            scoring = self.number("costs.per_1000_items", value, 0.0, 0.0, 1e15)
        unit = value.get("unit", Costs().unit if "runs" not in value else "units of cost")
        if not isinstance(unit, str) or not unit.strip():
            self.fault("costs.unit", f"{unit!r} is no unit")
        if experiment is not None:
            return Costs("GPU-hours", Costs().runs, scoring), str(experiment)
        return Costs(str(unit), known, scoring), ""

    def grid(self, value: object) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if not isinstance(value, Mapping):
            self.fault("grid", f"{value!r} is no table")
            return (), ()
        self.unknown("grid.", value, ("sizes", "seeds"))
        found = []
        for key, low, high in (("sizes", 2, 40), ("seeds", 1, 100)):
            own = value.get(key, [])
            good = isinstance(own, list | tuple) and all(
                isinstance(n, int) and not isinstance(n, bool) and low <= n <= high for n in own
            )
            if not good or len(own) > 8:
                self.fault(
                    f"grid.{key}", f"{own!r} will not do", f"up to 8 whole numbers from {low} to {high}"
                )
            found.append(tuple(sorted(set(own))) if good else ())
        return found[0], found[1]
