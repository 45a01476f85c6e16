"""Point estimates of one curve: spread starts, damped Newton from each, the best kept and its optimum described."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gainlaw.curves.absolute import settle
from gainlaw.curves.kernels.problem import CurveProblem, jacobian, refit, residuals, robust_sd
from gainlaw.errors import InputError, Problem
from gainlaw.numbers import read_number

__all__ = ["STEEP", "Optimum", "minimise"]

Float = NDArray[np.float64]
Draw = Callable[[int], Float]

# Starts whose objective is this close to the best, relative to it, agree with it.
AGREEMENT = 1e-6
# A gradient this small next to the sum of the sizes of its terms is that of an optimum: the objective then lies within
# about as small a share of the least nearby.
STEEP = 1e-8
# A gradient that is zero but for rounding.
_FLAT = 1e-9
# Points spread over the ranges for each start; a start is a point that squares find promising, or one of the first.
_SPREAD = 16
# More starts are tried until this many agree on the best optimum, up to so many rounds.
ENOUGH = 3
_ROUNDS = 3
# Steps of a search that has not ended after the usual number.
_LONG = 3000
# Starts that MINPACK tries as well.
_VALLEYS = 4
# Least absolute deviation as the limit of Huber's loss: its threshold in units of the residuals' scale, and of the
# data; resamples are refitted with one at which Newton's steps are few and that still hardly matters.
_SHARP = 1e-6
_LEAST = 1e-12
_SMOOTHED = 1e-2
# Optima of Huber's loss that are moved to the ones of least absolute deviation nearby.
_SETTLED = 6
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
    steepness : float
        The gradient without units: its largest entry next to the sum of the sizes of its terms, less what rounding may
        account for; 0 at an optimum.
    agreeing : int
        Searches that converged to it.
    converged : int
        Searches that converged.
    starts : int
        Starts tried.
    """

    theta: Float
    objective: float
    steepness: float
    agreeing: int
    converged: int
    starts: int

    @property
    def certified(self) -> bool:
        """Whether it is an optimum: no direction leads down."""
        return self.steepness <= STEEP


def spread_starts(problem: CurveProblem, count: int, rng: np.random.Generator) -> Float:
    """Return starting values, shape (count, p): half the most promising of many over the law's ranges, half the first.

    A position along a variable is looked for where the data are.
    """
    from scipy.stats import qmc

    law = problem.law
    many = 2 ** int(np.ceil(np.log2(_SPREAD * count)))
    unit = qmc.Sobol(len(law.parameters), rng=rng).random(many)
    low, high = np.transpose([_range(problem, k) for k in range(len(law.parameters))])
    points = low + (high - low) * unit
    y = problem.points.y if problem.points.trials is None else problem.points.y / problem.points.trials
    points[:, np.array(law.linear)] = 0.1 * np.abs(y).max() + 1e-3
    theta, report = refit(problem.unweighted, points, y=y[None], steps=0)
    promising = np.argsort(np.where(np.isfinite(report[:, 0]), report[:, 0], np.inf), kind="stable")
    return np.concatenate([points[: count - count // 2], theta[promising[: count // 2]]])


def _range(problem: CurveProblem, k: int) -> tuple[float, float]:
    """Return the range of starts of a parameter as it is searched for: within its bounds, or next to the nearer one."""
    each = problem.law.parameters[k]
    low, high = np.log10(each.start) if each.positive else np.array(each.start, dtype=float)
    if each.along:
        x = problem.points.variables[each.along]
        half = max(0.5 * float(x.max() - x.min()), 0.1)
        low, high = 0.5 * float(x.max() + x.min()) + half * np.array([low, high])
    unit = np.log(10.0) if each.positive else 1.0
    low, high = unit * float(low), unit * float(high)
    least, most = (float(ends[k]) for ends in problem.law.bounds)
    if most < low:
        return max(least, most - (high - low)), most
    if least > high:
        return least, min(most, least + (high - low))
    return max(low, least), min(high, most)


def minimise(
    problem: CurveProblem,
    *,
    starts: int = 16,
    start: Mapping[str, float] | None = None,
    seed: int = 0,
) -> tuple[CurveProblem, Optimum]:
    """Search from several starts; return the problem, its loss told what the data say, and the best optimum.

    A law with bounds is fitted without them first: an optimum that keeps them is the answer, and one that does not
    gives further starts, itself moved to the bounds and the best with each bound that it does not keep.

    Parameters
    ----------
    problem : CurveProblem
        The problem.
    starts : int
        Number of starts; twice as many follow, up to twice, while few searches agree on the best optimum.
    start : mapping of str to float, optional
        Starting values in the parameters' own units; the other starts are spread around them.
    seed : int
        Seed of the spread.

    Raises
    ------
    InputError
        If `start` does not name every parameter or lies outside bounds, or no start gives a finite objective.
    """
    least, most = problem.law.bounds
    if not np.isfinite([least, most]).any():
        return _search(problem, partial(_draw, problem, starts, start, seed))
    draw = partial(_draw, problem, starts, start, seed)
    first = draw(0)
    free = replace(problem, law=problem.law.unbounded)
    found, best = _search(free, partial(_draw, free, starts, start, seed))
    beyond = (best.theta < least) | (best.theta > most)
    if best.certified and not beyond.any():
        return replace(found, law=problem.law), best
    moved = np.clip(best.theta, least, most)
    held = [refit(found, moved[None], fixed=int(k))[0] for k in np.flatnonzero(beyond)]
    first = np.concatenate([first, moved[None], *held])
    return _search(problem, lambda turn: draw(turn) if turn else first)


def _draw(
    problem: CurveProblem, starts: int, start: Mapping[str, float] | None, seed: int, turn: int
) -> Float:
    """Return the starts of a round, shape (count, p)."""
    count = starts * 2**turn
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(21, turn)))
    return spread_starts(problem, count, rng) if start is None else _around(problem, start, count, rng)


def _search(problem: CurveProblem, draw: Draw) -> tuple[CurveProblem, Optimum]:
    """Search as the loss asks for, from round after round of starts."""
    if problem.points.trials is not None:
        return _counts(problem, draw)
    if problem.loss in ("squared", "gls"):
        return problem, _told(problem, *_gather(problem, draw))

    def from_squares(turn: int) -> Float:
        first = draw(turn)
        return np.concatenate([refit(problem.unweighted, first)[0], first])

    if problem.loss == "huber" and problem.setting[0] > 0:
        return problem, _told(problem, *_gather(problem, from_squares))
    return _robust(problem, from_squares)


def _robust(problem: CurveProblem, draw: Draw) -> tuple[CurveProblem, Optimum]:
    """Least absolute deviation by Huber's loss with a tiny threshold, and the losses whose scale it gives."""
    squares, report = _converge(problem.unweighted, draw(0))
    scale = _scale(problem, squares[_order(report)[0]])
    width = max(_SHARP * scale, _LEAST * float(np.abs(problem.points.y).max()))
    absolute = replace(problem, loss="lad", setting=(width, 0.0))
    theta, report = _gather(absolute, draw)
    best = _told(absolute, theta, report)
    if problem.loss == "lad":
        settled = [settle(problem, theta[k], width) for k in _order(report)[:_SETTLED]]
        least = min(total for _, total, _ in settled)
        at, total, steepness = min(
            (each for each in settled if each[1] <= least * (1.0 + 1e-12)), key=lambda each: each[2]
        )
        return replace(absolute, setting=(_SMOOTHED * scale, 0.0)), replace(
            best, theta=at, objective=total, steepness=steepness
        )
    scale = _scale(problem, best.theta)
    if problem.loss == "huber":
        problem = replace(problem, setting=(_HUBER * scale, 0.0))
        return problem, _told(problem, *_converge(problem, theta))
    # Student's t: the scale that maximises the likelihood given the curve, and the curve given the scale, in turn.
    at, nu, change = best.theta, problem.setting[0], np.inf
    for _ in range(1000):
        found = replace(problem, setting=(nu, scale))
        at = refit(found, at[None])[0][0]
        square = residuals(problem, at) ** 2
        new = float(np.sqrt(np.mean((nu + 1.0) * square / (nu + square / scale**2))))
        change = abs(new / scale - 1.0)
        if change <= 1e-10 or new <= 0.0:
            break
        scale = new
    best = _told(found, *_converge(found, np.concatenate([theta, at[None]])))
    return found, replace(best, steepness=max(best.steepness, change if change > STEEP else 0.0))


def _counts(problem: CurveProblem, draw: Draw) -> tuple[CurveProblem, Optimum]:
    """Fit counts, from optima of squares of the shares; the beta-binomial's correlation by a search along a line."""
    from scipy.optimize import minimize_scalar

    shares = (problem.points.y + 0.5) / (np.asarray(problem.points.trials) + 1.0)
    binomial = replace(problem, loss="binomial", setting=(0.0, 0.0))

    def from_squares(turn: int) -> Float:
        first = draw(turn)
        return np.concatenate([refit(problem.unweighted, first, y=shares[None])[0], first])

    theta, report = _gather(binomial, from_squares)
    best = _told(binomial, theta, report)
    if problem.loss == "binomial":
        return problem, best

    def deviance(logit: float) -> float:
        at = replace(problem, setting=(float(1.0 / (1.0 + np.exp(-logit))), 0.0))
        return float(refit(at, best.theta[None])[1][0, 0])

    found = minimize_scalar(deviance, bounds=(-14.0, 3.0), method="bounded", options={"xatol": 1e-6})
    problem = replace(problem, setting=(float(1.0 / (1.0 + np.exp(-found.x))), 0.0))
    return problem, _told(problem, *_converge(problem, theta))


def _around(problem: CurveProblem, start: Mapping[str, float], count: int, rng: np.random.Generator) -> Float:
    """Return the start given, and others around it, their distance from it growing."""
    names = [each.name for each in problem.law.parameters]
    if set(start) != set(names):
        raise InputError(Problem(f"start names {', '.join(start)}", hint="the law has " + ", ".join(names)))
    centre = problem.law.searched(np.array([read_number(start[name], name) for name in names]))
    least, most = problem.law.bounds
    outside = [name for name, wrong in zip(names, (centre < least) | (centre > most), strict=True) if wrong]
    if outside:
        raise InputError(
            Problem(f"start has {', '.join(outside)} outside the bounds of the law {problem.law.name}")
        )
    widths = np.linspace(0.0, 2.0, max(count, 1))[:, None]
    positive = problem.law.positive
    normals = rng.standard_normal((max(count, 1), len(names)))
    return np.where(positive, centre + widths * normals, centre * np.exp(widths * normals))


def _gather(problem: CurveProblem, draw: Draw) -> tuple[Float, Float]:
    """Search from round after round of starts, until enough searches agree on the best optimum."""
    parts: list[tuple[Float, Float]] = []
    for turn in range(_ROUNDS):
        parts.append(_converge(problem, draw(turn)))
        theta, report = (np.concatenate(each) for each in zip(*parts, strict=True))
        best = _told(problem, theta, report)
        if best.certified and (best.agreeing >= ENOUGH or best.agreeing == best.converged):
            break
    return theta, report


def _converge(problem: CurveProblem, starts: Float) -> tuple[Float, Float]:
    """Search from every start: squares also by MINPACK's trust region; the best goes on where it has not ended."""
    theta, report = refit(problem, starts)
    if problem.loss == "squared":
        more, further = refit(problem, _minpack(problem, starts[:_VALLEYS]))
        better = np.flatnonzero(further[:, 0] < report[: len(more), 0])
        theta[better], report[better] = more[better], further[better]
    order = _order(report)
    if not len(order):
        raise InputError(
            Problem(
                f"the law {problem.law.name} has no finite value at any of {len(starts)} starts",
                hint="give ranges of starting values, or a start",
            )
        )
    k = order[0]
    if not report[k, 1] <= STEEP:
        theta[k : k + 1], report[k : k + 1] = refit(problem, theta[k : k + 1], steps=_LONG)
    return theta, report


def _order(report: Float) -> NDArray[np.int64]:
    """Return the searches that ended at a finite objective, the best first."""
    order = np.argsort(report[:, 0], kind="stable")
    return order[np.isfinite(report[order, 0])]


def _told(problem: CurveProblem, theta: Float, report: Float) -> Optimum:
    """Return the best of several searches, and how many of those that converged agree with it."""
    totals = np.where(np.isfinite(report[:, 0]), report[:, 0], np.inf)
    least = float(totals.min())
    # Of optima that differ by rounding alone, that of the first start, or the one with the smallest gradient.
    length = float(problem.points.y @ problem.points.y)
    same = totals <= least + 1e-12 * abs(least) + 1e-15 * np.sqrt(abs(least) * length)
    flat = np.flatnonzero(same & (report[:, 3] < _FLAT))
    k = int(flat[0]) if len(flat) else int(np.argmin(np.where(same, report[:, 3], np.inf)))
    converged = report[:, 1] <= STEEP
    agreeing = converged & (totals <= least + AGREEMENT * abs(least) + 1e-14 * length)
    return Optimum(
        theta[k], float(totals[k]), float(report[k, 1]), int(agreeing.sum()), int(converged.sum()), len(theta)
    )


def _minpack(problem: CurveProblem, starts: Float) -> Float:
    """Return where MINPACK's Levenberg-Marquardt gets to: its QR steps follow narrow valleys further."""
    from scipy.optimize import least_squares

    if len(problem.points) < len(problem.law.parameters):
        return starts
    out = starts.copy()
    options: dict[str, Any] = {"method": "lm", "x_scale": "jac", "ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    for k, each in enumerate(starts):
        # A start from which it meets no finite number stays as it is.
        with np.errstate(all="ignore"), contextlib.suppress(ValueError):
            out[k] = least_squares(
                partial(residuals, problem), each, partial(jacobian, problem), max_nfev=2000, **options
            ).x
    return out


def _scale(problem: CurveProblem, theta: Float) -> float:
    """Return a robust standard deviation of the residuals, more than 0 even where the curve is perfect."""
    least = 1e-12 * (1.0 + float(np.abs(problem.points.y).max()))
    return max(robust_sd(residuals(problem, theta)), least)
