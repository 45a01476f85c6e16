"""What the points of a curve cannot tell about its law, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gainlaw.curves.estimate import ENOUGH
from gainlaw.curves.kernels import problem as kernel
from gainlaw.curves.points import size_variables
from gainlaw.curves.profile import profile
from gainlaw.notes import count_of

if TYPE_CHECKING:
    from gainlaw.curves.record import CurveRecord

__all__ = ["Finding", "condition", "examine", "leave_one_out", "without_largest"]

Float = NDArray[np.float64]

# Condition number of the scaled derivatives beyond which parameters can hardly be told apart.
ILL = 1e3
# An effect on the curve, of a unit or of all of a parameter, that counts as none, next to the curve.
_DEAD = 1e-12
# Numbers computed at most when checkpoints are left out one at a time: of more, those that matter most are.
_REFITTED = 400_000
_AT_LEAST = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the data cannot tell.

    Parameters
    ----------
    check : str
        What was looked at.
    failed : bool
        Whether the fit must not be trusted for it; otherwise a caution.
    message : str
        What was found, in plain words.
    """

    check: str
    failed: bool
    message: str


def condition(fit: CurveRecord) -> float:
    """Return the condition number of the derivatives at the points, each scaled to length one."""
    _, slope = kernel.predict(fit.problem, fit.optimum.theta)
    length = np.sqrt((slope**2).sum(axis=0))
    if not np.isfinite(slope).all() or not (length > 0).all():
        return float("inf")
    return float(np.linalg.cond(slope / length))


def leave_one_out(fit: CurveRecord, chosen: Sequence[str] | None = None) -> tuple[list[str], Float]:
    """Return checkpoints, all by default, and the parameters without each of them, shape (checkpoints, p)."""
    names, place = np.unique(fit.points.groups, return_inverse=True)
    left = np.arange(len(names)) if chosen is None else np.flatnonzero(np.isin(names, chosen))
    theta = np.empty((len(left), len(fit.law.parameters)))
    block = max(_REFITTED // len(fit.points), 1)
    for first in range(0, len(left), block):
        out = left[first : first + block]
        weight = (place[None] != out[:, None]).astype(float)
        theta[first : first + block] = kernel.refit(fit.problem, fit.optimum.theta[None], weight=weight)[0]
    return [str(name) for name in names[left]], theta


def without_largest(fit: CurveRecord) -> Float | None:
    """Return the parameters without the largest size, shape (p,); None where the other sizes are too few, or none."""
    n = fit.points.variables.get("N")
    if n is None or fit.points.n_sizes - 1 <= len(fit.law.parameters) or n.min() == n.max():
        return None
    theta, _ = kernel.refit(fit.problem, fit.optimum.theta[None], weight=(n < n.max()).astype(float)[None])
    return theta[0]


def examine(fit: CurveRecord) -> tuple[Finding, ...]:
    """Look at all that can keep a law from being told: see the messages.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit_curve([1e8, 3e8, 1e9, 3e9, 1e10], [9.0, 8.1, 6.9, 6.1, 5.0], law="offset_power")
    >>> any(each.check == "profile" for each in fit.findings)
    True
    """
    found: list[Finding] = []
    p, sizes, groups = len(fit.law.parameters), fit.points.n_sizes, fit.points.n_groups
    told = f"{count_of(p, 'parameter')} from {count_of(sizes, f'distinct {fit.points.place}')}"
    steep = not fit.optimum.certified
    if steep:
        found.append(
            Finding(
                "optimum",
                True,
                "the search did not end at an optimum: a direction leads further down, perhaps without end "
                f"(gradient {fit.optimum.steepness:.1e} of the sum of its terms)",
            )
        )
    dead = _dead(fit)
    if dead and not steep:
        found.append(
            Finding(
                "optimum",
                True,
                f"the points say nothing of {' and '.join(dead)}: the search went where the curve does not depend on "
                f"{'it' if len(dead) == 1 else 'them'}",
            )
        )
    found += _bounds(fit)
    if sizes <= p:
        found.append(
            Finding(
                "sizes",
                True,
                f"{told}: the curve passes wherever it is told to",
            )
        )
    elif sizes < p + 3:
        found.append(Finding("sizes", False, f"{told} ({count_of(groups, fit.points.replicate)})"))
    best = fit.optimum
    if not steep and best.agreeing < min(ENOUGH, best.converged):
        found.append(
            Finding(
                "starts",
                False,
                f"only {best.agreeing} of the {best.converged} searches that converged ended at this optimum, "
                "the rest at worse ones; there may be a better one",
            )
        )
    number = condition(fit)
    if number > ILL and not dead:
        found.append(
            Finding(
                "condition",
                False,
                f"parameters move together (condition number {number:.3g}): read the curve, not them",
            )
        )
    if sizes > p and fit.df > 0 and fit.loss not in ("lad", "huber") and not steep and not dead:
        found += _ridges(fit)
    if sizes > p and fit.sized and not steep:
        found += _one_checkpoint(fit)
    return tuple(found)


def _bounds(fit: CurveRecord) -> list[Finding]:
    """Return the parameters that stand at a bound, and those of which their bounds say all that is said."""
    own = fit.estimates
    rows = list(zip(own["parameter"].astype(str), own["bound"], own["estimate"], strict=True))
    at = [f"{name} stands at its {bound} bound {value:g}" for name, bound, value in rows if bound]
    found = []
    if at:
        what = "the points put it there or beyond; its interval is one-sided, the errors of others those without it"
        found.append(Finding("bounds", False, f"{' and '.join(at)}: {what}"))
    low, high = fit.law.limits
    same = (own["low"] == low) & (own["high"] == high) & np.isfinite(low) & np.isfinite(high)
    whole = [name for (name, _, _), every in zip(rows, same, strict=True) if every]
    if whole:
        what = f"the {fit.ci_prob:.0%} interval of {' and '.join(whole)} is that of its bounds"
        found.append(Finding("bounds", False, f"{what}: the points do not narrow it"))
    return found


def _dead(fit: CurveRecord) -> list[str]:
    """Return the parameters that have no effect on the curve at the points."""
    slope = kernel.jacobian(fit.problem, fit.optimum.theta)
    effect = np.sqrt((slope**2).sum(axis=0)) * np.maximum(np.abs(fit.optimum.theta), 1.0)
    least = _DEAD * float(np.abs(kernel.predict(fit.problem, fit.optimum.theta)[0]).max())
    return [each.name for each, size in zip(fit.law.parameters, effect, strict=True) if size <= least]


def _ridges(fit: CurveRecord) -> list[Finding]:
    """Return the parameters whose profile interval has no end."""
    open_ended = []
    for parameter, linear in zip(fit.law.parameters, fit.law.linear, strict=True):
        if not linear and not profile(fit, parameter.name, points=25).bounded:
            open_ended.append(parameter.name)
    if not open_ended:
        return []
    names = " and ".join(open_ended)
    return [Finding("profile", False, f"the data put no end to the {fit.ci_prob:.0%} interval of {names}")]


def _one_checkpoint(fit: CurveRecord) -> list[Finding]:
    """Return whether one checkpoint decides the sign of the slope."""
    if fit.points.n_groups - 1 < len(fit.law.parameters):
        return []
    whole = float(fit.slope()[0])
    if whole == 0.0:
        return []
    names, theta = leave_one_out(fit, _suspects(fit, whole))
    slopes = fit.slope(theta)
    turned = [
        name for name, slope in zip(names, slopes, strict=True) if np.isfinite(slope) and slope * whole < 0
    ]
    if not turned:
        return []
    return [Finding("influence", False, f"without {' or '.join(turned)} the slope changes its sign")]


def _suspects(fit: CurveRecord, whole: float) -> list[str]:
    """Return the checkpoints without which the slope's sign is likeliest to change, by one Newton step each."""
    names, place = np.unique(fit.points.groups, return_inverse=True)
    share, hessian = kernel.curvature(fit.problem, fit.optimum.theta)
    ends = kernel.predict(fit.problem, fit.optimum.theta, fit.law.inputs(size_variables(fit.sizes[[0, -1]])))[
        1
    ]
    pulls = np.stack([np.bincount(place, each) for each in share.T], axis=1)
    moved = pulls @ np.linalg.lstsq(hessian, ends[1] - ends[0], rcond=None)[0]
    count = max(_AT_LEAST, _REFITTED // len(fit.points))
    return [str(names[k]) for k in np.argsort(moved * np.sign(whole), kind="stable")[:count]]
