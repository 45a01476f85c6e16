"""Point estimates of one curve: spread starts, damped Newton from each, the best kept and its optimum described."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gainlaw.curves.kernel import Task, jacobian, refit, residuals, robust_sd
from gainlaw.errors import InputError, Problem

__all__ = ["Optimum", "minimise"]

Float = NDArray[np.float64]

# All starts take a few steps; the most promising go on.
FIRST_STEPS = 20
PROMISING = 5
# Starts whose objective is this close to the best, relative to it, agree with it.
AGREEMENT = 1e-6
# Steps between points through which a curve of least absolute deviation passes.
_CORNERS = 60
# A gradient cosine that counts as zero.
_FLAT = 1e-9
# Starts that MINPACK tries as well.
_VALLEYS = 4
# Least absolute deviation as the limit of Huber's loss: thresholds in units of the residuals' scale.
_LAD = (0.3, 1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4, 1e-5, 1e-6)
_SMOOTHED = 0.03
# Huber's threshold in robust standard deviations: 95% efficient for normal errors.
_HUBER = 1.345


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Where the search ended.

    Parameters
    ----------
    theta : ndarray, shape (p,)
        Parameters; positive ones by their logarithm.
    objective : float
        Half the sum of squares, the sum of losses, or the negative log likelihood up to a constant.
    cosine : float
        Largest cosine between residuals and a derivative: the gradient without units, 0 at an optimum.
    agreement : float
        Share of the starts that ended there.
    starts : int
        Starts tried.
    """

    theta: Float
    objective: float
    cosine: float
    agreement: float
    starts: int


def spread_starts(problem: Task, count: int, rng: np.random.Generator) -> Float:
    """Return starting values, shape (count, p): spread over the ranges of the law."""
    from scipy.stats import qmc

    law = problem.law
    p = len(law.parameters)
    unit = qmc.Sobol(p, rng=rng).random(count)
    low = np.array([each.start[0] for each in law.parameters])
    high = np.array([each.start[1] for each in law.parameters])
    low, high = (
        np.where(law.positive, np.log(np.where(law.positive, each, 1.0)), each) for each in (low, high)
    )
    starts = low + (high - low) * unit
    linear = np.array(law.linear)
    y = problem.points.y if problem.points.trials is None else problem.points.y / problem.points.trials
    starts[:, linear] = 0.1 * np.abs(y).max() + 1e-3
    return starts


def minimise(
    problem: Task,
    *,
    starts: int = 16,
    start: Mapping[str, float] | None = None,
    seed: int = 0,
) -> tuple[Task, Optimum]:
    """Search from several starts; return the problem, its loss told what the data say, and the best optimum.

    Parameters
    ----------
    problem : Task
        The problem.
    starts : int
        Number of spread starts.
    start : mapping of str to float, optional
        Starting values in the parameters' own units; the other starts are spread around them.
    seed : int
        Seed of the spread.

    Raises
    ------
    InputError
        If `start` does not name every parameter, or no start gives a finite objective.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(21,)))
    first = spread_starts(problem, starts, rng) if start is None else _around(problem, start, starts, rng)
    squared = replace(problem, loss="squared", setting=(0.0, 0.0), precision=np.zeros((0, 0)))
    if problem.loss in ("squared", "gls"):
        return problem, _best(problem, first)
    if problem.points.trials is not None:
        shares = (problem.points.y + 0.5) / (problem.points.trials + 1.0)
        theta, _ = refit(squared, first, y=shares[None])
        if problem.loss == "binomial":
            return problem, _best(problem, np.concatenate([theta, first]))
        return _beta_binomial(problem, np.concatenate([theta, first]))
    if problem.loss == "huber" and problem.setting[0] > 0:
        return problem, _best(problem, np.concatenate([first, _best(squared, first, valleys=0).theta[None]]))
    return _robust(problem, squared, first)


def _robust(problem: Task, squared: Task, first: Float) -> tuple[Task, Optimum]:
    """Least absolute deviation by Huber's loss with ever smaller thresholds, and the losses whose scale it gives."""
    start = _best(squared, first, valleys=0)
    scale = _scale(problem, start.theta)
    thetas, absolute = np.concatenate([first, start.theta[None]]), problem
    for share in _LAD:
        absolute = replace(problem, loss="lad", setting=(share * scale, 0.0))
        thetas, _ = refit(absolute, thetas)
    best = _best(absolute, thetas)
    if problem.loss == "lad":
        theta = _corner(problem, best.theta)
        total = float(np.abs(residuals(problem, theta)).sum())
        # Resamples are refitted with a loss that Newton's steps can follow, at a threshold that hardly matters.
        return replace(absolute, setting=(_SMOOTHED * scale, 0.0)), Optimum(
            theta, total, float("nan"), best.agreement, best.starts
        )
    scale = _scale(problem, best.theta)
    if problem.loss == "huber":
        problem = replace(problem, setting=(_HUBER * scale, 0.0))
        return problem, _best(problem, np.concatenate([first, best.theta[None]]))
    # Student's t: the scale that maximises the likelihood given the curve, and the curve given the scale, in turn.
    theta, nu = best.theta, problem.setting[0]
    for _ in range(200):
        found = replace(problem, setting=(nu, scale))
        moved, _ = refit(found, theta[None])
        theta = moved[0]
        square = residuals(problem, theta) ** 2
        new = float(np.sqrt(np.mean((nu + 1.0) * square / (nu + square / scale**2))))
        if abs(new - scale) <= 1e-10 * scale or new <= 0.0:
            break
        scale = new
    return found, _best(found, np.concatenate([first, theta[None]]))


def _corner(problem: Task, theta: Float) -> Float:
    """Walk to where the sum of absolute residuals is least: there the curve passes through as many points as it can.

    Each step tries to pass through every choice of p of the p + 3 nearest points, and takes the best.
    """
    p = len(theta)

    def total(at: Float) -> float:
        value = float(np.abs(residuals(problem, at)).sum())
        return value if np.isfinite(value) else np.inf

    least = total(theta)
    for _ in range(_CORNERS):
        r, slope = residuals(problem, theta), jacobian(problem, theta)
        near = np.argsort(np.abs(r), kind="stable")[: p + 3]
        moved, value = theta, least
        for chosen in itertools.combinations(near, p):
            rows = list(chosen)
            with contextlib.suppress(np.linalg.LinAlgError):
                candidate = theta - np.linalg.solve(slope[rows], r[rows])
                reached = total(candidate)
                if reached < value:
                    moved, value = candidate, reached
        if value >= least * (1.0 - 1e-14):
            return theta
        theta, least = moved, value
    return theta


def _beta_binomial(problem: Task, first: Float) -> tuple[Task, Optimum]:
    """Maximise over the intraclass correlation, the curve at its optimum for each."""
    from scipy.optimize import minimize_scalar

    best = _best(
        replace(problem, loss="binomial", setting=(0.0, 0.0)),
        first,
    )

    def deviance(logit: float) -> float:
        at = replace(problem, setting=(float(1.0 / (1.0 + np.exp(-logit))), 0.0))
        return float(refit(at, best.theta[None])[1][0, 0])

    found = minimize_scalar(deviance, bounds=(-14.0, 3.0), method="bounded", options={"xatol": 1e-6})
    problem = replace(problem, setting=(float(1.0 / (1.0 + np.exp(-found.x))), 0.0))
    return problem, _best(problem, np.concatenate([first, best.theta[None]]))


def _around(problem: Task, start: Mapping[str, float], count: int, rng: np.random.Generator) -> Float:
    """Return the start given, and others around it, their distance from it growing."""
    names = [each.name for each in problem.law.parameters]
    if set(start) != set(names):
        raise InputError(Problem(f"start names {', '.join(start)}", hint="the law has " + ", ".join(names)))
    centre = problem.law.searched(np.array([float(start[name]) for name in names]))
    widths = np.linspace(0.0, 2.0, max(count, 1))[:, None]
    positive = problem.law.positive
    normals = rng.standard_normal((max(count, 1), len(names)))
    return np.where(positive, centre + widths * normals, centre * np.exp(widths * normals))


def _best(problem: Task, starts: Float, *, valleys: int = _VALLEYS) -> Optimum:
    """Return the best optimum over starts; for squares, after a trust-region search by MINPACK from each of them."""
    theta, report = refit(problem, starts, steps=FIRST_STEPS)
    promising = np.argsort(np.where(np.isfinite(report[:, 0]), report[:, 0], np.inf), kind="stable")[
        :PROMISING
    ]
    theta[promising], report[promising] = refit(problem, theta[promising])
    searched = problem.loss == "squared" and valleys > 0
    if searched:
        more, further = refit(problem, _minpack(problem, starts, valleys))
        theta, report = np.concatenate([theta, more]), np.concatenate([report, further])
    totals = np.where(np.isfinite(report[:, 0]), report[:, 0], np.inf)
    if not np.isfinite(totals).any():
        raise InputError(
            Problem(
                f"the law {problem.law.name} has no finite value at any of {len(starts)} starts",
                hint="give ranges of starting values, or a start",
            )
        )
    tolerance = AGREEMENT * abs(totals.min()) + 1e-14 * float(problem.points.y @ problem.points.y)
    close = totals <= totals.min() + tolerance
    # Of optima that differ by rounding alone, that of the first start, or the one with the smallest gradient.
    same = totals <= totals.min() + 1e-12 * abs(totals.min())
    k = 0 if same[0] and report[0, 1] < _FLAT else int(np.argmin(np.where(same, report[:, 1], np.inf)))
    agreeing = close[: len(starts)] | close[len(starts) :] if searched else close
    return Optimum(theta[k], float(totals[k]), float(report[k, 1]), float(agreeing.mean()), len(starts))


def _minpack(problem: Task, starts: Float, valleys: int) -> Float:
    """Return where MINPACK's Levenberg-Marquardt gets to: its QR steps follow narrow valleys further."""
    from scipy.optimize import least_squares

    if len(problem.points) < len(problem.law.parameters):
        return starts
    out = starts.copy()
    options: dict[str, Any] = {"method": "lm", "x_scale": "jac", "ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    for k, each in enumerate(starts[:valleys]):
        # A start from which it meets no finite number stays as it is.
        with np.errstate(all="ignore"), contextlib.suppress(ValueError):
            out[k] = least_squares(
                partial(residuals, problem), each, partial(jacobian, problem), max_nfev=2000, **options
            ).x
    return out


def _scale(problem: Task, theta: Float) -> float:
    """Return a robust standard deviation of the residuals, more than 0 even where the curve is perfect."""
    least = 1e-12 * (1.0 + float(np.abs(problem.points.y).max()))
    return max(robust_sd(residuals(problem, theta)), least)
