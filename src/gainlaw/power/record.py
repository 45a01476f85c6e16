"""What is found of a planned study: power, verdicts and width, the curve over sizes and seeds, and what to add."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from gainlaw.formats import format_number, percent
from gainlaw.notes import count_of
from gainlaw.power.components import Components
from gainlaw.power.outlook import FULL, QUICK, Outlook, look_ahead
from gainlaw.power.study import Costs, Study, with_sizes
from gainlaw.sizes import format_params

__all__ = ["DesignRecord", "alternatives", "plan_study"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DesignRecord:
    """A planned study and its outlook.

    Parameters
    ----------
    study : Study
        The plan.
    components : Components
        The variance components assumed, and where they come from.
    costs : Costs
        What parts of it cost.
    outlook : Outlook
        What it will say of its slope.
    curve : pandas.DataFrame
        One row for a true slope: ``slope, power`` (that the slope is detected, of its own sign) and ``wrong`` (that the
        other sign is).
    grid : pandas.DataFrame
        One row for a number of sizes and of seeds: ``sizes, seeds, checkpoints, power, assurance, width, cost`` and
        ``planned``, whether it is the plan.
    options : pandas.DataFrame
        One row for a thing to add: ``option, power, power_gain, width, narrower`` (share by which the interval gets
        narrower), ``cost`` (of the addition) and ``narrower_per_cost``, best first; NaN where a cost is not known.
    seed : int
        Seed of the simulated studies.
    """

    study: Study
    components: Components
    costs: Costs
    outlook: Outlook
    curve: pd.DataFrame
    grid: pd.DataFrame
    options: pd.DataFrame
    seed: int

    @property
    def verdicts(self) -> dict[str, float]:
        """The chance of each verdict on the claim, if the slope is the one assumed."""
        return self.outlook.verdicts()

    @property
    def power(self) -> float:
        """The probability that the slope is detected, if it is the one assumed."""
        return self.outlook.power

    @property
    def assurance(self) -> float:
        """The power averaged over the prior of the true slope."""
        return self.outlook.verdicts(self.study.slope_sd)["supported"]

    @property
    def width(self) -> float:
        """The expected width of the interval of the slope, in points per decade."""
        return self.outlook.width

    @property
    def cost(self) -> float:
        """What the study costs, scoring included where its cost is known."""
        return self.study.total_cost(self.costs)

    @property
    def claim(self) -> str:
        """The claim that the slope has the sign assumed, as a file of claims writes it."""
        side = "<" if self.study.slope < 0 else ">"
        return f"slope{'[population]' if self.study.level == 'population' else ''} {side} 0"

    @property
    def answer(self) -> str:
        """What the plan comes to, in words."""
        outlook, study, chances = self.outlook, self.study, self.verdicts
        basis = f"{count_of(outlook.checkpoints, 'checkpoint')} of {count_of(outlook.sizes, 'size')}"
        return (
            f"With {basis} and {count_of(outlook.rows, 'gain')}, a slope of {study.slope:g} points per decade is "
            f"detected with a probability of {_share(chances['supported'])}; the {percent(study.ci_prob)} interval is "
            f"expected to be {format_number(outlook.width, 1)} points per decade wide. The claim {self.claim} is "
            f"supported in {_share(chances['supported'])} of such studies, refuted in {_share(chances['refuted'])} "
            f"and undecided in {_share(chances['inconclusive'])}. Averaged over slopes of {study.slope:g} ± "
            f"{study.slope_sd:g} it is supported with a probability of {_share(self.assurance)}."
        )

    def record(self) -> dict[str, Any]:
        """Return all of it as plain data for JSON; what is not known is None."""
        study = asdict(self.study)
        costs = {
            **asdict(self.costs),
            "runs": {format_params(n): cost for n, cost in self.costs.runs.items()},
        }
        found = {
            "study": study,
            "claim": self.claim,
            "power": self.power,
            "assurance": self.assurance,
            "verdicts": self.verdicts,
            "interval_width": self.width,
            "cost": self.cost,
            "costs": costs,
            "components": [dict(each) for each in self.components.values],
            "components_origin": self.components.origin,
            "checkpoints": self.outlook.checkpoints,
            "sizes": self.outlook.sizes,
            "gains": self.outlook.rows,
            "not_identified": list(self.outlook.dropped),
            "seed": self.seed,
            "answer": self.answer,
        }
        frames = {"curve": self.curve, "grid": self.grid, "options": self.options}
        rows = {name: frame.to_dict("records") for name, frame in frames.items()}
        plain: dict[str, Any] = _plain({**found, **rows})
        return plain

    def __repr__(self) -> str:
        """Say in three lines what it is, how likely it finds the slope, and what buys most."""
        lines = [
            f"<{type(self).__name__} {self.study.name!r}: {count_of(self.outlook.checkpoints, 'checkpoint')} of "
            f"{count_of(self.outlook.sizes, 'size')}, {count_of(self.outlook.rows, 'gain')}>",
            f"  power {self.power:.2f} for a slope of {self.study.slope:g}, assurance {self.assurance:.2f}, "
            f"interval {self.width:.1f} points per decade wide",
        ]
        best = self.options.iloc[0]
        lines.append(
            f"  adding {best['option']} makes it {100 * best['narrower']:.0f}% narrower for {best['cost']:.3g} "
            f"{self.costs.unit}"
        )
        return "\n".join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _share(value: float) -> str:
    """Return a probability as whole per cent: more digits would not be right."""
    return percent(round(value, 2))


def plan_study(
    study: Study,
    components: Components,
    costs: Costs,
    *,
    sizes: tuple[int, ...] = (),
    seeds: tuple[int, ...] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> DesignRecord:
    """Work out what a planned study will say, how that changes with its size, and what to add.

    Parameters
    ----------
    study : Study
        The plan.
    components : Components
        What varies, by how much.
    costs : Costs
        What parts of it cost.
    sizes, seeds : tuple of int
        Numbers of sizes (of every model family) and of seeds of the curve; by default those planned and a few more.
    seed : int
        Seed of the simulated studies.
    progress : callable, optional
        Called with (done, total) designs.
    """
    own = max(len(each) for each in study.sizes.values())
    # Families of one size each have none to spread: what is asked for is more of what there is.
    counts = sizes or ((own, own + 2, own + 4) if own > 1 else (1,))
    repeats = seeds or (study.seeds, study.seeds + 2)
    cells = [(count, repeat) for count in counts for repeat in repeats]
    added = list(alternatives(study))
    total = 2 + sum((count, repeat) != (own, study.seeds) for count, repeat in cells) + len(added)
    done = 0

    def look(plan: Study) -> Outlook:
        nonlocal done
        made = look_ahead(plan, components, QUICK, seed=seed)
        done += 1
        if progress is not None:
            progress(done, total)
        return made

    outlook = look_ahead(study, components, FULL, seed=seed)
    done += 1
    # What is added is compared with what is looked at as quickly, with the same simulated studies as far as they go.
    plain = look(study)
    rows = []
    for count, repeat in cells:
        plan = replace(with_sizes(study, count) if own > 1 else study, seeds=repeat)
        planned = plan == study
        rows.append(
            _row(plan, outlook if planned else look(plan), costs)
            | {"sizes": count, "seeds": repeat, "planned": planned}
        )
    grid = pd.DataFrame(rows)[
        ["sizes", "seeds", "checkpoints", "power", "assurance", "width", "cost", "planned"]
    ]
    options = _options(study, plain, [(name, plan, look(plan)) for name, plan in added], costs)
    reach = max(3.0 * abs(study.slope), 1.5 * outlook.width)
    slopes = np.linspace(0.0, reach, 61)
    right, wrong = outlook.chances(np.sign(study.slope) * slopes)[:: -1 if study.slope > 0 else 1]
    curve = pd.DataFrame({"slope": np.sign(study.slope) * slopes, "power": right, "wrong": wrong})
    return DesignRecord(study, components, costs, outlook, curve, grid, options, seed)


def _row(plan: Study, outlook: Outlook, costs: Costs) -> dict[str, object]:
    return {
        "checkpoints": outlook.checkpoints,
        "power": outlook.power,
        "assurance": outlook.verdicts(plan.slope_sd)["supported"],
        "width": outlook.width,
        "cost": plan.total_cost(costs),
    }


def _options(
    study: Study, plain: Outlook, added: list[tuple[str, Study, Outlook]], costs: Costs
) -> pd.DataFrame:
    """Return what each addition brings, those that narrow the interval most for their cost first."""
    training, scoring = study.cost(costs)
    rows = []
    for name, plan, outlook in added:
        more, scored = plan.cost(costs)
        more, scored = more - training, scored - scoring
        # Without a known cost of scoring, what takes training costs that; what does not has no known cost.
        cost = more + scored if np.isfinite(scored) else (more if more > 0.0 else float("nan"))
        narrower = 1.0 - outlook.width / plain.width
        rows.append(
            {
                "option": name,
                "checkpoints": outlook.checkpoints,
                "power": outlook.power,
                "power_gain": outlook.power - plain.power,
                "width": outlook.width,
                "narrower": narrower,
                "cost": cost,
                "narrower_per_cost": narrower / cost if cost > 0.0 else float("nan"),
            }
        )
    frame = pd.DataFrame(rows)
    order = frame.sort_values(
        ["narrower_per_cost", "narrower"], ascending=False, na_position="last", kind="stable"
    )
    return order.reset_index(drop=True)


def alternatives(study: Study) -> Iterator[tuple[str, Study]]:
    """Yield what may be added to a study: in words, and the study with it.

    Parameters
    ----------
    study : Study
        The plan.

    Examples
    --------
    >>> [name for name, _ in alternatives(Study(sizes={"M": (1e9, 1e10)}))][:3]
    ['a checkpoint in between (3.16B)', 'a larger checkpoint (100B)', 'a smaller checkpoint (100M)']
    """
    family = max(study.sizes, key=lambda name: len(study.sizes[name]))
    own = study.sizes[family]

    def extended(size: float) -> Study:
        return replace(study, sizes={**study.sizes, family: tuple(sorted((*own, float(round(size)))))})

    if len(own) > 1:
        ratios = np.array(own[1:]) / np.array(own[:-1])
        widest, step = int(np.argmax(ratios)), float(np.exp(np.mean(np.log(ratios))))
        middle = float(np.sqrt(own[widest] * own[widest + 1]))
        for words, size in (
            ("a checkpoint in between", middle),
            ("a larger checkpoint", own[-1] * step),
            ("a smaller checkpoint", own[0] / step),
        ):
            yield f"{words} ({format_params(size)})", extended(size)
    yield "a seed", replace(study, seeds=study.seeds + 1)
    yield "a task", replace(study, tasks=(*study.tasks, "another task"))
    yield (
        "a language of a new family",
        replace(study, languages={**study.languages, "another language": "another family"}),
    )
    yield "an intermediate task", replace(study, intermediates=(*study.intermediates, "another intermediate"))
    yield "twice the items", replace(study, items=2 * study.items)
