"""Profiles: the objective over one parameter, the others at their best; its ridge shows what moves with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.curves.kernels import problem as kernel
from gainlaw.errors import InputError, Problem
from gainlaw.formats import percent
from gainlaw.numbers import read_number

if TYPE_CHECKING:
    from gainlaw.curves.record import CurveRecord

__all__ = ["Profile", "profile"]

Float = NDArray[np.float64]

# How far a profile is followed, in standard errors; and in units of the log of a positive parameter at most.
REACH = 8.0
WIDEST = 12.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Profile:
    """The profile of one parameter.

    Parameters
    ----------
    parameter : str
        Its name.
    frame : pandas.DataFrame
        Every parameter in its own unit along the ridge, and ``root``: the signed square root of twice the objective
        above its least, in standard deviations.
    low, high : float
        The interval; on a side where the data do not end it the parameter's bound, or else infinite, or 0 below a
        positive parameter.
    ci_prob : float
        Its probability.
    bounded : bool
        Whether the data end the interval on both sides, or on the one where no bound is at which the estimate stands.
    """

    parameter: str
    frame: pd.DataFrame
    low: float
    high: float
    ci_prob: float
    bounded: bool

    def __repr__(self) -> str:
        """Say in a line what interval it gives."""
        interval = f"{percent(self.ci_prob)} interval [{self.low:.4g}, {self.high:.4g}]"
        return f"<{type(self).__name__} of {self.parameter}: {interval}{'' if self.bounded else ', not bounded'}>"


def profile(fit: CurveRecord, parameter: str, *, points: int = 41) -> Profile:
    r"""Profile one parameter.

    With an estimated spread the interval holds the values for which :math:`(S - S_{min}) / \hat\sigma^2 \le t^2`, of
    half the objective :math:`S`; with counts, twice the log likelihood falls by less than :math:`\chi^2_1`.

    Parameters
    ----------
    fit : CurveRecord
        The curve; any loss but least absolute deviation and Huber's.
    parameter : str
        A parameter of its law.
    points : int
        Values at which the objective is computed.

    Raises
    ------
    InputError
        If there is no such parameter, no degree of freedom, or the loss has no likelihood.

    Notes
    -----
    Bates and Watts (1988), doi 10.1002/9780470316757, chapter 6.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit_curve([1e8, 3e8, 1e9, 3e9, 1e10], [9.0, 6.1, 4.0, 2.6, 1.8], law="power")
    >>> fit.profile("r").bounded
    True
    """
    names = [each.name for each in fit.law.parameters]
    if parameter not in names:
        raise InputError(Problem(f"no parameter {parameter!r}", hint="the law has " + ", ".join(names)))
    if fit.loss in ("lad", "huber"):
        raise InputError(
            Problem(f"the loss {fit.loss} has no likelihood to profile", hint="use the bootstrap")
        )
    read_number(points, "points", least=2, whole=True)
    if fit.df < 1:
        raise InputError(Problem("as many parameters as points: a profile has no spread to be measured by"))
    k = names.index(parameter)
    scale = 1.0 if np.isnan(fit.sigma) or fit.loss == "student_t" else fit.sigma
    step = float(np.sqrt(np.diag(fit.covariance))[k])
    widest = WIDEST if fit.law.positive[k] else 1e4 * (1.0 + abs(fit.optimum.theta[k]))
    if not np.isfinite(step) or step <= 0.0:
        step = widest / REACH
    reach = min(REACH * step, widest)
    room = [abs(float(ends[k]) - float(fit.optimum.theta[k])) for ends in fit.law.bounds]
    sides = [
        _side(fit, k, sign, min(reach, left), points // 2 + 1, scale)
        for sign, left in zip((-1.0, 1.0), room, strict=True)
    ]
    theta = np.concatenate([sides[0][0][::-1], fit.optimum.theta[None], sides[1][0]])
    root = np.concatenate([-sides[0][1][::-1], [0.0], sides[1][1]])
    natural = fit.law.natural(theta)
    frame = pd.DataFrame({name: natural[:, j] for j, name in enumerate(names)}).assign(root=root)
    found = np.array([_end(theta[:, k], root, sign * fit.limit) for sign in (-1.0, 1.0)])
    bounded = bool((np.isfinite(found) | (np.array(room) == 0.0)).all())
    found = np.clip(found, *(ends[k] for ends in fit.law.bounds))
    low, high = fit.law.natural(np.where(np.arange(len(names)) == k, found[:, None], 0.0))[:, k]
    return Profile(parameter, frame, float(low), float(high), fit.ci_prob, bounded)


def _side(
    fit: CurveRecord, k: int, sign: float, reach: float, count: int, scale: float
) -> tuple[Float, Float]:
    """Follow the ridge to one side; each point starts where the last one ended."""
    p = len(fit.law.parameters)
    count = count if reach > 0.0 else 0
    theta, roots = np.empty((count, p)), np.empty(count)
    last = fit.optimum.theta.copy()
    for j in range(count):
        start = last.copy()
        start[k] = fit.optimum.theta[k] + sign * reach * ((j + 1) / count) ** 1.5
        found, report = kernel.refit(fit.problem, np.stack([start]), fixed=k)
        rise = 2.0 * (report[0, 0] - fit.optimum.objective) / scale**2
        if not np.isfinite(rise):
            return theta[:j], roots[:j]
        theta[j], roots[j] = found[0], np.sqrt(max(rise, 0.0))
        last = found[0]
    return theta, roots


def _end(values: Float, root: Float, limit: float) -> float:
    """Return where the signed root crosses a limit, or infinity on that side."""
    outside = np.flatnonzero(root <= limit) if limit < 0 else np.flatnonzero(root >= limit)
    if not len(outside):
        return float(np.copysign(np.inf, limit))
    j = outside[-1] if limit < 0 else outside[0]
    i = j + 1 if limit < 0 else j - 1
    share = (limit - root[i]) / (root[j] - root[i])
    return float(values[i] + share * (values[j] - values[i]))
