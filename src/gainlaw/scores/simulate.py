"""Simulated studies with known truth: checkpoints, tasks and languages with effects, scored on a finite test set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem

if TYPE_CHECKING:
    from gainlaw.scores.evaluations.table import Evaluations

__all__ = ["Simulated", "simulate_study"]

Float = NDArray[np.float64]

# Codes of the language table, so that families are known: five families of three languages.
_LANGUAGES = (
    "en",
    "de",
    "ru",
    "zh",
    "my",
    "hi",
    "sw",
    "yo",
    "wo",
    "ta",
    "te",
    "ml",
    "id",
    "tl",
    "jv",
    "vi",
    "th",
)


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated study and what is true in it.

    Parameters
    ----------
    evaluations : Evaluations
        Scores of baselines and of one intermediate training.
    scale : {"points", "log_odds"}
        The scale on which the law of the gain is linear.
    intercept, slope : float
        The population's gain at 1e9 parameters and slope per decade, on that scale.
    overall_intercept, overall_slope : float
        The same, averaged over the tasks and languages of the study.
    """

    evaluations: Evaluations
    scale: Literal["points", "log_odds"]
    intercept: float
    slope: float
    overall_intercept: float
    overall_slope: float


def simulate_study(
    seed: int,
    *,
    scale: Literal["points", "log_odds"] = "points",
    sizes: Sequence[float] = (1e8, 3e8, 1e9, 3e9, 1e10),
    n_tasks: int = 3,
    n_languages: int = 10,
    n_examples: int = 1000,
    intercept: float = 6.0,
    slope: float = -2.0,
    baseline: tuple[float, float] = (0.55, 0.70),
    chance: float = 0.0,
    sd_task: float = 2.0,
    sd_task_slope: float = 1.0,
    sd_language: float = 1.5,
    sd_checkpoint: float = 1.5,
    sd_checkpoint_task: float = 1.0,
    sd_residual: float = 0.5,
    shape: Callable[[Float], Float] | None = None,
) -> Simulated:
    r"""Simulate a study of one model family and one intermediate training.

    The gain of cell *i* (task, language, checkpoint) is linear in ``x = log10(params / 1e9)``,

    .. math:: g_i = a + b x_i + u_{task} + v_{task} x_i + w_{language} + c_{checkpoint} + d_{checkpoint,task} + r_i,

    on points or on chance-corrected log-odds; counts are binomial. With `shape` its values take the place of ``x``.

    Parameters
    ----------
    seed : int
        Seed of the study.
    scale : {"points", "log_odds"}
        Scale on which the gain follows the law.
    sizes : sequence of float
        Parameters of the checkpoints.
    n_tasks, n_languages, n_examples : int
        Design: every task in every language, `n_examples` items each.
    intercept, slope : float
        Population gain at 1e9 parameters and slope per decade, in the unit of the scale.
    baseline : tuple of float
        Chance-corrected accuracy of the baseline at the smallest and the largest size; log-odds in between are
        linear in x.
    chance : float
        Guess rate of every task.
    sd_task, sd_task_slope, sd_language, sd_checkpoint, sd_checkpoint_task, sd_residual : float
        Standard deviations, in the unit of the scale.
    shape : callable, optional
        Of an array of decades from 1e9 parameters, the shape of another law, with slopes as its coefficients.

    Returns
    -------
    Simulated

    Raises
    ------
    InputError
        For a design that cannot be made.

    Examples
    --------
    >>> study = simulate_study(1, n_tasks=2, n_languages=4)
    >>> len(study.evaluations.gains())
    40
    """
    import pandas as pd

    from gainlaw.scores.evaluations.table import evaluations_from_frame

    _check(sizes, n_tasks, n_languages, n_examples, baseline, chance)
    rng = np.random.default_rng(seed)
    x = np.log10(np.asarray(sizes, dtype=float) / 1e9)
    tasks, languages = rng.normal(0, sd_task, n_tasks), rng.normal(0, sd_language, n_languages)
    task_slopes = rng.normal(0, sd_task_slope, n_tasks)
    h = (x if shape is None else shape(x))[:, None, None]
    cells = (len(x), n_tasks, n_languages)
    gain = (
        intercept
        + slope * h
        + tasks[None, :, None]
        + task_slopes[None, :, None] * h
        + languages[None, None, :]
        + rng.normal(0, sd_checkpoint, (len(x), 1, 1))
        + rng.normal(0, sd_checkpoint_task, (len(x), n_tasks, 1))
        + rng.normal(0, sd_residual, cells)
    )
    low, high = (np.log(p / (1 - p)) for p in baseline)
    eta = low + (high - low) * (x - x.min()) / np.ptp(x)
    eta = eta[:, None, None] + rng.normal(0, 0.2, (1, n_tasks, 1)) + rng.normal(0, 0.2, (1, 1, n_languages))
    p0 = chance + (1 - chance) / (1 + np.exp(-np.broadcast_to(eta, cells)))
    moved = chance + (1 - chance) / (1 + np.exp(-(eta + gain)))
    p1 = np.clip(p0 + gain / 100, 0, 1) if scale == "points" else moved
    counts = {"none": rng.binomial(n_examples, p0), "sim": rng.binomial(n_examples, p1)}
    names = _LANGUAGES[:n_languages]
    rows = [
        {
            "model_family": "Sim",
            "model": f"sim-{params:g}" + ("" if intermediate == "none" else "-it"),
            "params": int(params),
            "base_model": "" if intermediate == "none" else f"sim-{params:g}",
            "intermediate": intermediate,
            "task": f"task{t + 1}",
            "language": language,
            "n_correct": int(count[s, t, k]),
            "n_examples": n_examples,
            "chance": chance,
        }
        for intermediate, count in counts.items()
        for s, params in enumerate(sizes)
        for t in range(n_tasks)
        for k, language in enumerate(names)
    ]
    evaluations = evaluations_from_frame(
        pd.DataFrame(rows), source=f"simulated study, seed {seed}", params_unit="1"
    )
    return Simulated(
        evaluations=evaluations,
        scale=scale,
        intercept=intercept,
        slope=slope,
        overall_intercept=float(intercept + tasks.mean() + languages.mean()),
        overall_slope=float(slope + task_slopes.mean()),
    )


def _check(
    sizes: Sequence[float],
    n_tasks: int,
    n_languages: int,
    n_examples: int,
    baseline: tuple[float, float],
    chance: float,
) -> None:
    problems = []
    if len(set(sizes)) < 2 or min(sizes) <= 0:
        problems.append(Problem("sizes need two distinct positive values", "sizes"))
    if n_tasks < 1 or n_examples < 1:
        problems.append(Problem("n_tasks and n_examples must be at least 1"))
    if not 1 <= n_languages <= len(_LANGUAGES):
        problems.append(Problem(f"n_languages must lie between 1 and {len(_LANGUAGES)}", "n_languages"))
    if not all(0 < p < 1 for p in baseline):
        problems.append(Problem("baseline accuracies must lie strictly between 0 and 1", "baseline"))
    if not 0 <= chance < 1:
        problems.append(Problem("chance must be at least 0 and below 1", "chance"))
    if problems:
        raise InputError(problems, source="simulate_study")
