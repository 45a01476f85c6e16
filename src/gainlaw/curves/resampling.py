"""The bootstrap of one curve: whole checkpoints are resampled, thousands of refits in one compiled call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gainlaw.curves.derived import derived_values
from gainlaw.curves.kernels import problem as kernel
from gainlaw.curves.points import read_variables
from gainlaw.curves.robust import smoothing
from gainlaw.errors import InputError, Problem
from gainlaw.numbers import read_number

if TYPE_CHECKING:
    from gainlaw.curves.record import CurveRecord

__all__ = ["BLOCK", "DRAWS", "FEW", "CurveBootstrap", "bootstrap", "group_numbers", "kind_of", "refits"]

Float = NDArray[np.float64]

#: Refits where no number is named.
DRAWS = 4000
KINDS = ("pairs", "wild", "smooth")
#: With fewer checkpoints than this, resampling them leaves too few distinct ones: residuals are reweighted instead.
FEW = 10
# With fewer points than this, pairs overstate the errors of least absolute deviation by a third and more.
FEW_ROBUST = 20
# Webb's six-point distribution: with few checkpoints two points would give few distinct samples.
_WEBB = np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)])
# A refit whose gradient stays steeper than this, next to the sum of its terms' sizes, has not converged.
CONVERGED = 1e-5
#: Numbers (refits times points) that are drawn at a time.
BLOCK = 4_000_000


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CurveBootstrap:
    """Refits of a curve to resampled checkpoints.

    Parameters
    ----------
    fit : CurveRecord
        The curve.
    kind : {"pairs", "wild", "smooth"}
        Whether checkpoints were drawn with replacement, their residuals multiplied by random numbers, or residuals
        drawn and smoothed.
    theta : ndarray, shape (kept, p)
        Parameters searched for, of the refits that can be used.
    draws : int
        Refits tried.
    """

    fit: CurveRecord
    kind: str
    theta: Float
    draws: int

    def __repr__(self) -> str:
        """Say in a line what was resampled."""
        law = self.fit.law.name
        return f"<{type(self).__name__} of the {law} law: {self.kind}, {len(self.theta)} of {self.draws} refits kept>"

    @property
    def lost(self) -> int:
        """Refits that could not be used: too few distinct checkpoints, or no optimum at a finite place."""
        return self.draws - len(self.theta)

    @property
    def estimates(self) -> pd.DataFrame:
        """Standard error and percentile interval of every parameter, and of what they say in other words.

        ``at_bound`` is the share of refits in which a parameter stands at a bound; NaN for what is derived of them.
        """
        law = self.fit.law
        other, best = derived_values(law, self.theta), derived_values(law, self.fit.optimum.theta)
        drawn = np.column_stack([law.natural(self.theta), *other.values()])
        tail = 0.5 - 0.5 * self.fit.ci_prob
        low, high = np.quantile(drawn, [tail, 1.0 - tail], axis=0)
        least, most = law.bounds
        stopped = ((self.theta <= least) | (self.theta >= most)).mean(axis=0)
        return pd.DataFrame(
            {
                "parameter": [*(each.name for each in law.parameters), *other],
                "estimate": [*self.fit.values.values(), *map(float, best.values())],
                "se": drawn.std(axis=0, ddof=1),
                "low": low,
                "high": high,
                "at_bound": [*stopped, *[np.nan] * len(other)],
            }
        )

    def curve(self, sizes: ArrayLike | Mapping[str, ArrayLike]) -> pd.DataFrame:
        """Return the curve with the percentile interval of its mean at sizes in parameters, or at variables by name."""
        at = read_variables(sizes)
        values = self.fit.curve(self.theta, at)
        tail = 0.5 - 0.5 * self.fit.ci_prob
        low, high = np.nanquantile(values, [tail, 1.0 - tail], axis=0)
        given = at if isinstance(sizes, Mapping) else {"N": at["N"]}
        return pd.DataFrame(
            {**given, "gain": self.fit.curve(self.fit.optimum.theta, at)[0], "low": low, "high": high}
        )

    def slope(self) -> Float:
        """Return the average slopes per decade over the observed sizes, shape (kept,)."""
        return self.fit.slope(self.theta)


def bootstrap(fit: CurveRecord, draws: int = DRAWS, *, kind: str | None = None) -> CurveBootstrap:
    """Refit a curve to resampled checkpoints.

    Parameters
    ----------
    fit : CurveRecord
        The curve.
    draws : int
        Refits.
    kind : {"pairs", "wild", "smooth"}, optional
        ``pairs`` draws checkpoints with replacement; ``wild`` keeps the sizes and multiplies every checkpoint's
        residuals, divided by one less their leverage, by a random number; ``smooth`` keeps the sizes and draws
        residuals from their distribution, made symmetric and smoothed by a normal kernel, as if the same at every size.
        By default ``smooth`` for ``huber`` and ``lad`` with fewer than twenty points, each a checkpoint, ``wild`` for
        other losses with fewer than ten checkpoints, else ``pairs``; counts can only be drawn in pairs.

    Raises
    ------
    InputError
        If there are no degrees of freedom, or the kind does not suit the loss.

    Notes
    -----
    Webb (2023), reworking wild bootstrap-based inference for clustered errors, doi 10.1111/caje.12661. The errors of
    least absolute deviation, and of Huber's loss with a small threshold, depend on the density of the residuals at 0,
    which multiplied residuals get wrong and pairs of few points get roughly; smoothed ones have it (De Angelis, Hall
    and Young 1993, J. Am. Stat. Assoc. 88, 1310-1316).

    Examples
    --------
    >>> import gainlaw as gl
    >>> sizes = [1e8, 2e8, 4e8, 8e8, 1.6e9, 3.2e9, 6.4e9, 1.28e10]
    >>> fit = gl.fit_curve(sizes, [9.1, 7.2, 6.3, 5.1, 4.4, 3.4, 3.1, 2.3])
    >>> bool(fit.bootstrap(500).slope().max() < 0)
    True
    """
    chosen = kind_of(fit, kind)
    if fit.df < 1:
        raise InputError(Problem("as many parameters as points: nothing is left to resample"))
    draws = int(read_number(draws, "draws", least=2, whole=True))
    rng = np.random.default_rng(np.random.SeedSequence(fit.seed, spawn_key=(22,)))
    block = max(BLOCK // len(fit.points), 1)
    counts = [min(block, draws - first) for first in range(0, draws, block)]
    blocks = [refits(fit, chosen, count, rng) for count in counts]
    kept = np.concatenate([theta[usable] for theta, usable in blocks])
    if len(kept) < 2:
        raise InputError(Problem(f"none of {draws} resamples could be fitted by the law {fit.law.name}"))
    return CurveBootstrap(fit, chosen, kept, draws)


def kind_of(fit: CurveRecord, kind: str | None = None) -> str:
    """Return how to resample: as asked for, or as suits loss and points."""
    counts = fit.points.trials is not None
    robust = fit.loss in ("huber", "lad")
    single = fit.points.n_groups == len(fit.points)
    if kind is None:
        if robust and single and fit.points.n_groups < FEW_ROBUST:
            return "smooth"
        return "pairs" if robust or counts or fit.points.n_groups >= FEW else "wild"
    if kind not in KINDS:
        raise InputError(Problem(f"kind is {kind!r}", hint="allowed: " + ", ".join(KINDS)))
    if kind != "pairs" and counts:
        raise InputError(Problem("counts have no residuals to reweight", hint="kind='pairs'"))
    if kind == "wild" and robust:
        hint = "kind='smooth' or 'pairs'"
        raise InputError(
            Problem(
                f"multiplied residuals do not keep the density that the errors of {fit.loss} depend on",
                hint=hint,
            )
        )
    if kind == "smooth" and not (robust and single):
        hint = "kind='pairs' or 'wild'" if not robust else "kind='pairs'"
        raise InputError(Problem("smooth is for huber and lad, with one point a checkpoint", hint=hint))
    return kind


def group_numbers(kind: str, groups: int, draws: int, rng: np.random.Generator) -> Float:
    """Return what resampling draws for every group, shape (draws, groups).

    Of ``pairs`` how often it is there, of ``wild`` the factor of its residuals.
    """
    if kind == "pairs":
        return rng.multinomial(groups, np.full(groups, 1.0 / groups), size=draws).astype(float)
    return rng.choice(_WEBB, size=(draws, groups))


def refits(
    fit: CurveRecord, kind: str, draws: int, rng: np.random.Generator, numbers: Float | None = None
) -> tuple[Float, NDArray[np.bool_]]:
    """Return the parameters of refits, shape (draws, p), and which of them can be used.

    Parameters
    ----------
    fit : CurveRecord
        The curve.
    kind : {"pairs", "wild", "smooth"}
        How to resample.
    draws : int
        Refits.
    rng : numpy.random.Generator
        Where random numbers come from.
    numbers : ndarray, shape (draws, groups), optional
        Those of `group_numbers` for the fit's groups in the order of their names; drawn here by default.
    """
    names, place = np.unique(fit.points.groups, return_inverse=True)
    enough = np.ones(draws, dtype=bool)
    if numbers is None and kind != "smooth":
        numbers = group_numbers(kind, len(names), draws, rng)
    if kind == "pairs" and numbers is not None:
        weight = np.ascontiguousarray(numbers[:, place])
        theta, report = kernel.refit(fit.problem, fit.optimum.theta[None], weight=weight)
        enough = _distinct(fit, weight) >= len(fit.law.parameters)
    else:
        value, slope = kernel.predict(fit.problem, fit.optimum.theta)
        if numbers is None:
            rest, width, stretch = smoothing(fit.residuals, slope.shape[1])
            shape = (draws, len(value))
            sign = rng.choice([-1.0, 1.0], size=shape)
            y = value + (sign * rng.choice(rest, size=shape) + width * rng.standard_normal(shape)) / stretch
        else:
            root = np.sqrt(fit.problem.weight)
            leverage = np.clip(np.sum(np.linalg.qr(slope * root[:, None])[0] ** 2, axis=1), 0.0, 0.99)
            stretched = fit.residuals / (1.0 - leverage)
            y = value + stretched * numbers[:, place]
        theta, report = kernel.refit(fit.problem, fit.optimum.theta[None], y=y)
    return theta, enough & np.isfinite(fit.law.natural(theta)).all(axis=1) & (report[:, 1] < CONVERGED)


def _distinct(fit: CurveRecord, weight: Float) -> NDArray[np.int64]:
    """Return the number of distinct places on the axes in every resample."""
    stacked = np.stack([np.round(each, 12) for each in fit.points.variables.values()])
    _, place = np.unique(stacked, axis=1, return_inverse=True)
    place = np.asarray(place).ravel()
    there = np.zeros((len(weight), place.max() + 1), dtype=bool)
    for column, k in enumerate(place):
        there[:, k] |= weight[:, column] > 0
    return there.sum(axis=1)
