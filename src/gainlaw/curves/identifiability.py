"""What the points of a curve cannot tell about its law, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gainlaw.curves import kernel

if TYPE_CHECKING:
    from gainlaw.curves.fit import CurveFit

__all__ = ["Finding", "condition", "examine", "leave_one_out", "without_largest"]

Float = NDArray[np.float64]

# Condition number of the scaled derivatives beyond which parameters can hardly be told apart.
ILL = 1e3
# A share of agreeing starts below which the optimum may not be the only one.
FEW_AGREE = 0.25
# A gradient cosine above which a fit has not converged.
STEEP = 1e-6
# A derivative this small next to the largest says nothing of its parameter.
_DEAD = 1e-9


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


def condition(fit: CurveFit) -> float:
    """Return the condition number of the derivatives at the points, each scaled to length one."""
    _, slope = kernel.predict(fit.task, fit.optimum.theta)
    length = np.sqrt((slope**2).sum(axis=0))
    if not np.isfinite(slope).all() or not (length > 0).all():
        return float("inf")
    return float(np.linalg.cond(slope / length))


def leave_one_out(fit: CurveFit) -> tuple[list[str], Float]:
    """Return the checkpoints, and the parameters without each of them, shape (checkpoints, p)."""
    names, place = np.unique(fit.points.groups, return_inverse=True)
    weight = 1.0 - (place[None] == np.arange(len(names))[:, None])
    theta, _ = kernel.refit(fit.task, fit.optimum.theta[None], weight=np.ascontiguousarray(weight))
    return [str(name) for name in names], theta


def without_largest(fit: CurveFit) -> Float | None:
    """Return the parameters without the largest size, shape (p,); None where the other sizes are too few, or none."""
    n = fit.points.variables.get("N")
    if n is None or fit.points.n_sizes - 1 <= len(fit.law.parameters):
        return None
    theta, _ = kernel.refit(fit.task, fit.optimum.theta[None], weight=(n < n.max()).astype(float)[None])
    return theta[0]


def examine(fit: CurveFit) -> tuple[Finding, ...]:
    """Look at all that can keep a law from being told: see the messages.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit_curve([1e8, 3e8, 1e9, 3e9, 1e10], [9.0, 8.1, 6.9, 6.1, 5.0], law="power_offset")
    >>> any(each.check == "profile" for each in fit.findings)
    True
    """
    found: list[Finding] = []
    p, sizes, groups = len(fit.law.parameters), fit.points.n_sizes, fit.points.n_groups
    steep = fit.optimum.cosine > STEEP and fit.loss not in ("lad", "huber") and not _perfect(fit)
    if steep:
        found.append(
            Finding(
                "optimum",
                True,
                f"the search did not end at an optimum (gradient cosine {fit.optimum.cosine:.1e})",
            )
        )
    if sizes <= p:
        found.append(
            Finding(
                "sizes",
                True,
                f"{p} parameters from {sizes} distinct sizes: the curve passes wherever it is told to",
            )
        )
    elif sizes < p + 3:
        found.append(
            Finding("sizes", False, f"{p} parameters from {sizes} distinct sizes ({groups} checkpoints)")
        )
    if fit.optimum.agreement < FEW_AGREE and p > 1:
        found.append(
            Finding(
                "starts",
                False,
                f"{fit.optimum.agreement:.0%} of {fit.optimum.starts} starts agree on the optimum; there are others",
            )
        )
    number = condition(fit)
    if number > ILL:
        found.append(
            Finding(
                "condition",
                False,
                f"parameters move together (condition number {number:.0f}): read the curve, not them",
            )
        )
    if sizes > p and fit.df > 0 and fit.loss not in ("lad", "huber") and not steep:
        found += _ridges(fit)
    if sizes > p and "N" in fit.points.variables:
        found += _one_checkpoint(fit)
    return tuple(found)


def _perfect(fit: CurveFit) -> bool:
    """Return whether the curve passes through all points, so that a gradient cosine means nothing."""
    size = float(np.abs(fit.points.y).max())
    return bool(np.abs(fit.residuals).max() <= 1e-10 * max(size, 1e-300))


def _ridges(fit: CurveFit) -> list[Finding]:
    """Return the parameters whose profile interval has no end."""
    open_ended = []
    for parameter, linear in zip(fit.law.parameters, fit.law.linear, strict=True):
        if not linear and not fit.profile(parameter.name, points=25).bounded:
            open_ended.append(parameter.name)
    if not open_ended:
        return []
    names = " and ".join(open_ended)
    return [Finding("profile", False, f"the data put no end to the {fit.ci_prob:.0%} interval of {names}")]


def _one_checkpoint(fit: CurveFit) -> list[Finding]:
    """Return whether one checkpoint decides the sign of the slope."""
    if fit.law.name == "constant" or fit.points.n_groups - 1 < len(fit.law.parameters):
        return []
    names, theta = leave_one_out(fit)
    whole = float(fit.slope()[0])
    slopes = fit.slope(theta)
    turned = [
        name for name, slope in zip(names, slopes, strict=True) if np.isfinite(slope) and slope * whole < 0
    ]
    if not turned:
        return []
    return [Finding("influence", False, f"without {' or '.join(turned)} the slope changes its sign")]
