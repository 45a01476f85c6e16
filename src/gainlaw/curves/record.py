"""The record of one fitted curve: its law, its estimates with their errors, and its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gainlaw.curves.derived import derived_estimates
from gainlaw.curves.estimate import Optimum
from gainlaw.curves.kernels import problem as kernel
from gainlaw.curves.kernels.problem import CurveProblem
from gainlaw.curves.points import CurvePoints, read_variables
from gainlaw.curves.robust import robust_covariance
from gainlaw.errors import InputError, Problem
from gainlaw.formats import format_general
from gainlaw.laws.record import Law
from gainlaw.notes import count_of
from gainlaw.sizes import decades

__all__ = ["CurveRecord"]

Float = NDArray[np.float64]

_COUNTS = ("binomial", "beta_binomial")


@dataclass(frozen=True, eq=False, repr=False)
class CurveRecord:
    r"""One curve fitted to points.

    Standard errors are the delta method's: with squared loss :math:`\hat\sigma^2 (J'J)^{-1}`, with ``gls`` the same
    with the known covariance and its scale estimated, with robust losses a sandwich
    (`gainlaw.curves.robust.robust_covariance`), with counts the inverse of the observed
    information. Few points bend: `CurveFit.bootstrap` and `CurveFit.profile` do not assume that they do not. Where a
    parameter stands at a bound they are those without it: the bound is where the estimate stopped, not where the truth
    is known to be.

    Parameters
    ----------
    problem : CurveProblem
        Law, points and loss.
    optimum : Optimum
        Where the search ended.
    ci_prob : float
        Probability of the intervals.
    seed : int
        Seed of the starts and of the bootstrap.
    """

    problem: CurveProblem
    optimum: Optimum
    ci_prob: float = 0.95
    seed: int = 0

    def __repr__(self) -> str:
        """Say in two lines what was fitted and what came out."""
        values = ", ".join(f"{name} {format_general(value)}" for name, value in self.values.items())
        return f"<{type(self).__name__} {self.headline}>\n{self.law.formula}: {values}"

    @property
    def headline(self) -> str:
        """What was fitted to what, in a line."""
        name = f"{self.points.name}: " if self.points.name else ""
        return f"{name}{self.law.name} law, {self.loss} loss, {count_of(len(self.points), 'point')}"

    @property
    def law(self) -> Law:
        """The law."""
        return self.problem.law

    @property
    def points(self) -> CurvePoints:
        """The points."""
        return self.problem.points

    @property
    def loss(self) -> str:
        """The loss."""
        return self.problem.loss

    @property
    def df(self) -> int:
        """Points less parameters."""
        return len(self.points) - len(self.law.parameters)

    @cached_property
    def values(self) -> dict[str, float]:
        """The estimates by name, in their own units."""
        natural = self.law.natural(self.optimum.theta)
        return {each.name: float(value) for each, value in zip(self.law.parameters, natural, strict=True)}

    @property
    def held(self) -> NDArray[np.str_]:
        """The bound at which each parameter stands, shape (p,): ``lower``, ``upper`` or nothing."""
        low, high = self.law.bounds
        return np.select([self.optimum.theta <= low, self.optimum.theta >= high], ["lower", "upper"], "")

    @cached_property
    def residuals(self) -> Float:
        """Data less prediction, shape (n,), in the unit of the data; of counts, as shares."""
        trials = 1.0 if self.points.trials is None else self.points.trials
        return self.points.y / trials - kernel.predict(self.problem, self.optimum.theta)[0]

    @cached_property
    def sigma(self) -> float:
        """Residual standard deviation; NaN without degrees of freedom and for counts.

        For ``gls`` it is in units of the known errors, for robust losses 1.48 times the median absolute residual.
        """
        if self.df < 1 or self.loss in _COUNTS:
            return float("nan")
        if self.loss in ("huber", "lad", "student_t"):
            return kernel.robust_sd(self.residuals)
        return float(np.sqrt(2.0 * self.optimum.objective / self.df))

    @cached_property
    def covariance(self) -> Float:
        """Covariance of the parameters searched for, shape (p, p); NaN where it cannot be had."""
        found = self._sandwich()
        # Where parameters cannot be told apart, rounding alone makes variances, of either sign.
        return found if (np.diag(found) >= 0).all() else np.full_like(found, np.nan)

    def _sandwich(self) -> Float:
        p = len(self.law.parameters)
        _, slope = kernel.predict(self.problem, self.optimum.theta)
        try:
            if self.loss == "gls" and self.problem.precision.shape[0]:
                return self.sigma**2 * np.linalg.inv(slope.T @ self.problem.precision @ slope)
            if self.loss in ("squared", "gls"):
                return self.sigma**2 * _inverse(slope * np.sqrt(self.problem.weight)[:, None])
            if self.loss in _COUNTS:
                return np.linalg.inv(kernel.curvature(self.problem, self.optimum.theta)[1])
            return robust_covariance(self.problem, slope, self.residuals)
        except np.linalg.LinAlgError:
            return np.full((p, p), np.nan)

    @property
    def limit(self) -> float:
        """Half the width of an interval in standard errors: a quantile of Student's t, for counts of the normal law."""
        from scipy.stats import norm, t

        level = 0.5 + 0.5 * self.ci_prob
        if self.loss in _COUNTS:
            return float(norm.ppf(level))
        return float(t.ppf(level, self.df)) if self.df > 0 else float("nan")

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """Parameter, estimate, standard error, interval, unit and the bound that it stands at, one row a parameter.

        Intervals end at the bounds. At one an estimate has no standard error, and its interval is one-sided: as far
        into the range as the error without the bound would let it reach.
        """
        theta, positive = self.optimum.theta, self.law.positive
        se = np.sqrt(np.diag(self.covariance))
        natural = self.law.natural(theta)
        low, high = (
            self.law.natural(np.clip(theta + side * self.limit * se, *self.law.bounds))
            for side in (-1.0, 1.0)
        )
        se = np.where(self.held == "", se, np.nan)
        unit = self.points.unit or "1"
        return pd.DataFrame(
            {
                "parameter": [each.name for each in self.law.parameters],
                "estimate": natural,
                "se": np.where(positive, natural * se, se),
                "low": low,
                "high": high,
                "unit": [each.unit.replace("{gain}", unit) for each in self.law.parameters],
                "meaning": [each.meaning for each in self.law.parameters],
                "bound": self.held,
            }
        )

    @cached_property
    def asymptote(self) -> pd.DataFrame:
        """What the curve tends to as size grows without bound, in the columns of `estimates`.

        Empty where the law has no such limit, or where one of its parameters is it.
        """
        names = self.law.limit
        if len(names) < 2:
            return self.estimates.iloc[:0]
        inside = np.array([each.name in names for each in self.law.parameters], dtype=float)
        value = float(sum(self.values[name] for name in names))
        slope = np.where(self.law.positive, self.law.natural(self.optimum.theta), 1.0) * inside
        se = float(np.sqrt(max(slope @ self.covariance @ slope, 0.0)))
        row = {
            "parameter": " + ".join(names),
            "estimate": value,
            "se": se,
            "low": value - self.limit * se,
            "high": value + self.limit * se,
            "unit": self.points.unit or "1",
            "meaning": "gain in the limit of large sizes",
            "bound": "",
        }
        return pd.DataFrame([row])

    @cached_property
    def derived(self) -> pd.DataFrame:
        """What the law's parameters say in other words, in the columns of `estimates`; empty where it says nothing."""
        if not self.law.derived:
            return self.estimates.iloc[:0]
        unit = self.points.unit or "1"
        return derived_estimates(self.law, self.optimum.theta, self.covariance, self.limit, unit, self.held)

    def predict(self, sizes: ArrayLike | Mapping[str, ArrayLike]) -> pd.DataFrame:
        """Return the curve with the intervals of its mean and of a new checkpoint, by the delta method.

        Parameters
        ----------
        sizes : array of float or mapping of str to array
            Model sizes in parameters; or the variables of the law by name.

        Returns
        -------
        pandas.DataFrame
            The variables, ``gain``, ``se``, ``low`` and ``high`` of the mean, ``new_low`` and ``new_high``.
        """
        variables = read_variables(sizes)
        value, slope = kernel.predict(self.problem, self.optimum.theta, self.law.inputs(variables))
        variance = np.einsum("ij,jk,ik->i", slope, self.covariance, slope)
        se = np.sqrt(np.maximum(variance, 0.0))
        wide = np.sqrt(se**2 + self.spread**2)
        return pd.DataFrame(
            {
                **variables,
                "gain": value,
                "se": se,
                "low": value - self.limit * se,
                "high": value + self.limit * se,
                "new_low": value - self.limit * wide,
                "new_high": value + self.limit * wide,
            }
        )

    @property
    def logged(self) -> bool:
        """Whether the curve is of the natural logarithm of what was measured."""
        return self.law.response == "log" or self.points.logged

    def as_measured(self, values: Float) -> Float:
        """Return values of the curve in the unit in which they were measured."""
        return np.exp(values) if self.logged else values

    @property
    def spread(self) -> float:
        """Standard deviation of a new checkpoint around the curve: `sigma`; for ``gls`` at the median known error."""
        known = self.points.variance
        return self.sigma * (
            float(np.sqrt(np.median(known))) if self.loss == "gls" and known is not None else 1.0
        )

    def curve(self, theta: Float, sizes: ArrayLike | Mapping[str, ArrayLike]) -> Float:
        """Return the curves of many parameters, shape (m, p), at sizes, shape (m, k)."""
        inputs = self.law.inputs(read_variables(sizes))
        return kernel.predict_many(self.problem, np.atleast_2d(theta), inputs)

    def slope(self, theta: Float | None = None) -> Float:
        """Return the average slope per decade between the smallest and the largest size, shape (m,)."""
        n = self._range()
        at = self.optimum.theta if theta is None else theta
        ends = self.curve(at, n)
        return (ends[:, 1] - ends[:, 0]) / float(np.diff(decades(n))[0])

    @property
    def sized(self) -> bool:
        """Whether the curve depends on model size alone, so that it has a slope per decade."""
        return "N" in self.points.variables and set(self.law.variables) <= {"N", "x"}

    @property
    def sizes(self) -> Float:
        """The sizes of the points, from the smallest to the largest.

        Raises
        ------
        InputError
            If the curve depends on other variables.
        """
        if not self.sized:
            names = ", ".join(self.law.variables)
            raise InputError(
                Problem(f"this curve is not one of size alone: its law {self.law.name} is of {names}")
            )
        return np.sort(self.points.variables["N"])

    def _range(self) -> Float:
        ends = self.sizes[[0, -1]]
        if not ends[1] > ends[0]:
            raise InputError(Problem("a slope per decade needs two sizes or more"))
        return ends


def _inverse(slope: Float) -> Float:
    """Return the inverse of ``slope' slope``."""
    inverse = np.linalg.inv(np.linalg.qr(slope)[1])
    with np.errstate(over="ignore", invalid="ignore"):
        product = inverse @ inverse.T
    return product if np.isfinite(product).all() else np.full_like(product, np.nan)
