"""Simulated ladders of several families of models whose tuning is worth a factor in size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from gainlaw.scores.evaluations.table import Evaluations

__all__ = ["Ladders", "simulate_ladders"]


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
    source = f"simulated ladders, seed {seed}"
    evaluations = evaluations_from_frame(pd.DataFrame(rows), source=source, params_unit="1")
    return Ladders(evaluations, multiplier, points)
