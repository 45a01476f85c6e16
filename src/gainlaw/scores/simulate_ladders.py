"""Simulated ladders of several families: tuning is worth a factor in size, or its gain goes with ability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

if TYPE_CHECKING:
    from gainlaw.scores.evaluations.table import Evaluations

__all__ = ["AbilityLadders", "Ladders", "simulate_abilities", "simulate_ladders"]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ladders:
    """Simulated ladders and what is true of them.

    Parameters
    ----------
    evaluations : Evaluations
        Scores of every family, untuned and tuned.
    size_multiplier : dict of str to float
        The factor of parameters at which untuned models of a family reach the tuned score, at every size; infinite
        where the untuned curve is flat.
    gain_points : dict of str to float
        The gain in points at 1e9 parameters, averaged over the tasks.
    """

    evaluations: Evaluations
    size_multiplier: dict[str, float]
    gain_points: dict[str, float]


def simulate_ladders(
    seed: int,
    *,
    n_families: int = 4,
    decades: Sequence[float] = (-1.0, -0.5, 0.0, 0.5, 1.0),
    chances: Sequence[float] = (0.25, 0.5, 0.0),
    n_examples: int = 1500,
    shift: tuple[float, float] = (0.35, 0.15),
    slope: tuple[float, float] = (1.0, 0.2),
    flat: bool = True,
    floored: bool = True,
    sd_checkpoint: float = 0.15,
    sd_checkpoint_task: float = 0.1,
    sd_gain: float = 0.06,
) -> Ladders:
    r"""Simulate families that follow one curve, shifted: tuning is worth a factor in size.

    With ``x = log10(params / 1e9)`` the chance-corrected log-odds of an untuned score are
    :math:`u = b_{task} + b_{family} + s_{family} x + c_{checkpoint} + d_{checkpoint, task}`, those of a tuned one
    :math:`u + s_{family} k_{family} + e_{checkpoint}`; the factor in size is :math:`10^k`.

    Parameters
    ----------
    seed : int
        Seed of the study.
    n_families : int
        Families whose untuned curve rises.
    decades : sequence of float
        Their sizes, in decades from 1e9 parameters; every other family is a quarter of a decade larger.
    chances : sequence of float
        The guess rate of every task.
    n_examples : int
        Items of a score.
    shift, slope : tuple of float
        Mean and sd over families of `k` (decades) and of `s` (log-odds per decade).
    flat, floored : bool
        Add a family whose untuned curve is flat, and one that guesses at every size; both gain from tuning.
    sd_checkpoint, sd_checkpoint_task, sd_gain : float
        Standard deviations of `c`, `d` and `e`.

    Examples
    --------
    >>> study = simulate_ladders(1, n_families=3)
    >>> len(study.evaluations.gains()), round(study.size_multiplier["family1"], 2)
    (75, 2.61)
    """
    import pandas as pd

    from gainlaw.scores.evaluations.table import evaluations_from_frame

    rng = np.random.default_rng(seed)
    x, chance = np.asarray(decades, dtype=float), np.asarray(chances, dtype=float)
    easy = rng.normal(0.0, 0.5, len(chance))
    names = [*(f"family{k + 1}" for k in range(n_families)), *["flat"] * flat, *["floored"] * floored]
    rows, multiplier, points = [], {}, {}
    for number, name in enumerate(names):
        own, s, k = rng.normal(0.0, 0.4), max(rng.normal(*slope), 0.3), rng.normal(*shift)
        gain = s * k
        if name in ("flat", "floored"):
            own, s, gain = (-7.0 if name == "floored" else own), 0.0, (6.0 if name == "floored" else 0.6)
        at = x + 0.25 * (number % 2)
        multiplier[name] = float(10.0**k) if s else float("inf")
        curve = (easy + own)[None, :] + s * at[:, None]
        untuned = (
            curve
            + rng.normal(0.0, sd_checkpoint, (len(at), 1))
            + rng.normal(0.0, sd_checkpoint_task, (len(at), len(chance)))
        )
        tuned = untuned + gain + rng.normal(0.0, sd_gain, (len(at), 1))
        middle = easy + own
        points[name] = float(100.0 * np.mean((1.0 - chance) * (expit(middle + gain) - expit(middle))))
        rows += _scores_of(name, at, chance, n_examples, untuned, tuned, rng)
    source = f"simulated ladders, seed {seed}"
    evaluations = evaluations_from_frame(pd.DataFrame(rows), source=source, params_unit="1")
    return Ladders(evaluations, multiplier, points)


@dataclass(frozen=True, slots=True)
class AbilityLadders:
    """Simulated ladders whose gain goes with ability and size, and what is true of them.

    Parameters
    ----------
    evaluations : Evaluations
        Scores of every family, untuned and tuned.
    slope : float
        The change of the gain on log-odds per decade, averaged over the families: that of size, and that of the ability
        which grows with size.
    peak_ability : float
        The untuned score, in per cent of the way from chance, from which the gain in points is largest at the middle
        of the sizes; NaN where it is largest at an end of the abilities.
    new_baseline, new_gain : float
        Of a family that is not among them: its untuned score on the first task at 13e9 parameters, and its gain there
        in points.
    """

    evaluations: Evaluations
    slope: float
    peak_ability: float
    new_baseline: float
    new_gain: float


def simulate_abilities(
    seed: int,
    *,
    n_families: int = 6,
    decades: Sequence[float] = (-1.0, -0.4, 0.2, 0.8),
    chances: Sequence[float] = (0.25, 0.25, 0.25),
    n_examples: int = 1000,
    ability_effect: float = -0.3,
    size_effect: float = 0.0,
    gain: float = 0.6,
    mean_slope: float = 1.1,
    sd_level: float = 0.9,
    sd_slope: float = 0.3,
    sd_family: float = 0.1,
    sd_gain: float = 0.06,
) -> AbilityLadders:
    r"""Simulate families whose gain on log-odds is a line in the untuned log-odds and in log size.

    With ``x = log10(params / 1e9)`` the untuned log-odds are :math:`u = b_{task} + b_{family} + s_{family} x +
    c_{checkpoint} + d_{checkpoint, task}` and the tuned ones :math:`u + a + \gamma u + a_1 x + f_{family} + t_{task} +
    e_{checkpoint}`. In points the gain rises and falls with the ability.

    Parameters
    ----------
    seed : int
        Seed of the study.
    n_families : int
        Families.
    decades : sequence of float
        Their sizes, in decades from 1e9 parameters; every other family is a quarter of a decade larger.
    chances : sequence of float
        The guess rate of every task.
    n_examples : int
        Items of a score.
    ability_effect, size_effect, gain : float
        :math:`\gamma`, :math:`a_1` (per decade) and :math:`a`.
    mean_slope, sd_slope : float
        Mean and standard deviation of `s` (log-odds per decade).
    sd_level, sd_family, sd_gain : float
        Standard deviations of :math:`b_{family}`, of `f` and `t`, and of `e`.

    Examples
    --------
    >>> study = simulate_abilities(1, n_families=3)
    >>> len(study.evaluations.gains()), round(study.slope, 2), round(study.peak_ability, 1)
    (36, -0.33, 22.0)
    """
    import pandas as pd

    from gainlaw.scores.evaluations.table import evaluations_from_frame

    rng = np.random.default_rng(seed)
    x, chance = np.asarray(decades, dtype=float), np.asarray(chances, dtype=float)
    easy, own_task = rng.normal(0.0, 0.5, len(chance)), rng.normal(0.0, sd_family, len(chance))
    level = rng.normal(-0.3, sd_level, n_families + 1)
    steep = rng.normal(mean_slope, sd_slope, n_families + 1)
    own = rng.normal(0.0, sd_family, n_families + 1)
    sizes = [x + 0.25 * (number % 2) for number in range(n_families)]
    rows = []
    for number, at in enumerate(sizes):
        untuned = (
            (easy + level[number])[None, :]
            + steep[number] * at[:, None]
            + rng.normal(0.0, 0.3, (len(at), 1))
            + rng.normal(0.0, 0.15, (len(at), len(chance)))
        )
        added = (
            gain + own[number] + own_task + size_effect * at[:, None] + rng.normal(0.0, sd_gain, (len(at), 1))
        )
        tuned = (1.0 + ability_effect) * untuned + added
        rows += _scores_of(f"family{number + 1}", at, chance, n_examples, untuned, tuned, rng)
    source = f"simulated abilities, seed {seed}"
    evaluations = evaluations_from_frame(pd.DataFrame(rows), source=source, params_unit="1")
    ends = np.concatenate(sizes)
    added = gain + own[:-1].mean() + own_task.mean() + size_effect * 0.5 * (ends.min() + ends.max())
    far = float(np.log10(13.0))
    u = easy[0] + level[-1] + steep[-1] * far
    v = (1.0 + ability_effect) * u + gain + own[-1] + own_task[0] + size_effect * far
    return AbilityLadders(
        evaluations,
        float(size_effect + ability_effect * steep[:-1].mean()),
        _best_start(ability_effect, float(added)),
        float(chance[0] + (1.0 - chance[0]) * expit(u)),
        float(100.0 * (1.0 - chance[0]) * (expit(v) - expit(u))),
    )


def _best_start(ability_effect: float, added: float) -> float:
    """Return the untuned score from which the gain in points is largest, in per cent of the way from chance."""
    u = np.linspace(-8.0, 8.0, 160_001)
    points = expit((1.0 + ability_effect) * u + added) - expit(u)
    at = int(points.argmax())
    return float(100.0 * expit(u[at])) if 0 < at < len(u) - 1 else float("nan")


def _scores_of(
    name: str,
    at: Float,
    chance: Float,
    n_examples: int,
    untuned: Float,
    tuned: Float,
    rng: np.random.Generator,
) -> list[dict[str, object]]:
    """Return the rows of a family of models: counts of right answers by its log-odds, shape (sizes, tasks)."""
    rows: list[dict[str, object]] = []
    for who, line in (("none", untuned), ("tuned", tuned)):
        counts = rng.binomial(n_examples, chance + (1.0 - chance) * expit(line))
        rows += [
            {
                "model_family": name,
                "model": f"{name}-{size:g}" + ("" if who == "none" else "-tuned"),
                "params": round(1e9 * 10.0**size),
                "base_model": "" if who == "none" else f"{name}-{size:g}",
                "intermediate": who,
                "task": f"task{t + 1}",
                "language": "en",
                "n_correct": int(counts[i, t]),
                "n_examples": n_examples,
                "chance": float(chance[t]),
            }
            for i, size in enumerate(at)
            for t in range(len(chance))
        ]
    return rows
