"""One curve: its law, its estimates with their errors, and its predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gainlaw.curves.estimate import Optimum, minimise
from gainlaw.curves.kernels import problem as kernel
from gainlaw.curves.kernels.problem import Task
from gainlaw.curves.points import CurvePoints, checkpoint_points, points_from_arrays, read_variables
from gainlaw.curves.robust import robust_covariance
from gainlaw.errors import InputError, Problem
from gainlaw.laws import curve_law
from gainlaw.laws.base import Law
from gainlaw.laws.curve_law import CurveLaw
from gainlaw.notes import count_of
from gainlaw.numbers import read_number
from gainlaw.scores.gains.table import Gains
from gainlaw.sizes import decades

if TYPE_CHECKING:
    from gainlaw.curves.identifiability import Finding
    from gainlaw.curves.profile import Profile
    from gainlaw.curves.resampling import CurveBootstrap

__all__ = ["CurveFit", "fit_curve"]

Float = NDArray[np.float64]

_COUNTS = ("binomial", "beta_binomial")


@dataclass(frozen=True, eq=False)
class CurveFit:
    r"""One curve fitted to points.

    Standard errors are the delta method's: with squared loss :math:`\hat\sigma^2 (J'J)^{-1}`, with ``gls`` the same
    with the known covariance and its scale estimated, with robust losses a sandwich
    (`gainlaw.curves.robust.robust_covariance`), with counts the inverse of the observed
    information. Few points bend: `bootstrap` and `profile` do not assume that they do not.

    Parameters
    ----------
    task : Task
        Law, points and loss.
    optimum : Optimum
        Where the search ended.
    ci_prob : float
        Probability of the intervals.
    seed : int
        Seed of the starts and of the bootstrap.
    """

    task: Task
    optimum: Optimum
    ci_prob: float = 0.95
    seed: int = 0

    @property
    def law(self) -> CurveLaw:
        """The law."""
        return self.task.law

    @property
    def points(self) -> CurvePoints:
        """The points."""
        return self.task.points

    @property
    def loss(self) -> str:
        """The loss."""
        return self.task.loss

    @property
    def df(self) -> int:
        """Points less parameters."""
        return len(self.points) - len(self.law.parameters)

    @cached_property
    def values(self) -> dict[str, float]:
        """The estimates by name, in their own units."""
        natural = self.law.natural(self.optimum.theta)
        return {each.name: float(value) for each, value in zip(self.law.parameters, natural, strict=True)}

    @cached_property
    def residuals(self) -> Float:
        """Data less prediction, shape (n,), in the unit of the data; of counts, as shares."""
        trials = 1.0 if self.points.trials is None else self.points.trials
        return self.points.y / trials - kernel.predict(self.task, self.optimum.theta)[0]

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
        p = len(self.law.parameters)
        _, slope = kernel.predict(self.task, self.optimum.theta)
        try:
            if self.loss == "gls" and self.task.precision.shape[0]:
                return self.sigma**2 * np.linalg.inv(slope.T @ self.task.precision @ slope)
            if self.loss in ("squared", "gls"):
                return self.sigma**2 * _inverse(slope * np.sqrt(self.task.weight)[:, None])
            if self.loss in _COUNTS:
                return np.linalg.inv(kernel.curvature(self.task, self.optimum.theta)[1])
            return robust_covariance(self.task, slope, self.residuals)
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
        """Parameter, estimate, standard error, interval and unit, one row a parameter."""
        theta, positive = self.optimum.theta, self.law.positive
        se = np.sqrt(np.diag(self.covariance))
        natural = self.law.natural(theta)
        low, high = (self.law.natural(theta + side * self.limit * se) for side in (-1.0, 1.0))
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
        }
        return pd.DataFrame([row])

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
        value, slope = kernel.predict(self.task, self.optimum.theta, self.law.inputs(variables))
        variance = np.einsum("ij,jk,ik->i", slope, self.covariance, slope)
        se = np.sqrt(np.maximum(variance, 0.0))
        spread = self.sigma**2 if self.loss != "gls" else self.sigma**2 * float(np.median(self._known()))
        wide = np.sqrt(se**2 + spread)
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

    def _known(self) -> Float:
        assert self.points.variance is not None
        return self.points.variance

    def curve(self, theta: Float, sizes: ArrayLike | Mapping[str, ArrayLike]) -> Float:
        """Return the curves of many parameters, shape (m, p), at sizes, shape (m, k)."""
        inputs = self.law.inputs(read_variables(sizes))
        return kernel.predict_many(self.task, np.atleast_2d(theta), inputs)

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

    @property
    def status(self) -> str:
        """``ok``, or ``failed`` where a finding says that the fit must not be trusted."""
        return "failed" if any(each.failed for each in self.findings) else "ok"

    def bootstrap(self, draws: int = 4000, *, kind: str | None = None) -> CurveBootstrap:
        """Refit to resampled checkpoints; see `gainlaw.curves.resampling.bootstrap`."""
        from gainlaw.curves.resampling import bootstrap

        return bootstrap(self, draws, kind=kind)

    def profile(self, parameter: str, *, points: int = 41) -> Profile:
        """Return the profile of the objective over one parameter; see `gainlaw.curves.profile.profile`."""
        from gainlaw.curves.profile import profile

        return profile(self, parameter, points=points)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What the points cannot tell about the law; see `gainlaw.curves.identifiability.examine`."""
        from gainlaw.curves.identifiability import examine

        return examine(self)


def fit_curve(
    data: Gains | CurvePoints | ArrayLike | Mapping[str, ArrayLike],
    y: ArrayLike | None = None,
    *,
    law: str | CurveLaw | Law = "linear",
    loss: str | None = None,
    delta: float | None = None,
    nu: float = 4.0,
    se: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    trials: ArrayLike | None = None,
    groups: Sequence[object] | None = None,
    start: Mapping[str, float] | None = None,
    starts: int = 16,
    ci_prob: float = 0.95,
    seed: int = 0,
) -> CurveFit:
    r"""Fit one curve.

    Parameters
    ----------
    data : Gains, CurvePoints, array or mapping of str to array
        Gains, which become one point for each checkpoint (`checkpoint_points`); or model sizes in parameters, as
        numbers or text such as ``"7B"``; or the law's variables by name.
    y : array, optional
        The numbers at the sizes: gains, losses, or counts of successes with `trials`.
    law : str, CurveLaw or Law
        A name of `gainlaw.laws.CURVE_LAWS`, a formula in ``x`` = log10(params / 1e9), or a law; of a hierarchical one
        its curve.
    loss : {"squared", "gls", "huber", "lad", "student_t", "binomial", "beta_binomial"}, optional
        ``squared`` gives every point the same weight and estimates the spread; ``gls`` weighs by the known covariance
        and estimates its scale; ``lad`` is least absolute deviation. By default ``gls`` where `se` or `covariance` is
        given and ``squared`` otherwise, also for gains, whose sampling errors leave out what sets checkpoints apart.
    delta : float, optional
        Huber's threshold in the unit of `y`; 1.345 robust standard deviations by default.
    nu : float
        Degrees of freedom of ``student_t``.
    se, covariance : array, optional
        Known errors of `y`, used by the loss ``gls``; another loss is refused with them.
    trials : array, optional
        Items behind each count.
    groups : sequence, optional
        The checkpoint of each point.
    start : mapping of str to float, optional
        A start in the parameters' own units; further starts are spread around it.
    starts : int
        Number of starts; twice as many follow, up to twice, while few searches agree on the best optimum.
    ci_prob : float
        Probability of the intervals.
    seed : int
        Seed of the starts and of the bootstrap.

    Raises
    ------
    InputError
        If the input cannot be used, or there are fewer points than parameters.

    Notes
    -----
    Linear parameters are projected out of the first steps (Golub and Pereyra 1973, doi 10.1137/0710036); then damped
    Newton steps with exact second derivatives, from several starts. Huber's loss (1964, doi 10.1214/aoms/1177703732)
    is minimised from a large threshold down to its own (Madsen and Nielsen 1993, SIAM J. Optim. 3, 223-235). A search
    that ends where a direction leads further down is a finding, and the fit's status is then failed.

    Examples
    --------
    >>> import gainlaw as gl
    >>> sizes = [1e8, 3e8, 1e9, 3e9, 1e10]
    >>> fit = gl.fit_curve(sizes, [9.0, 6.1, 4.0, 2.6, 1.8], law="power")
    >>> round(fit.values["r"], 2)
    0.36
    """
    chosen = curve_law(law)
    points = _points(data, y, se=se, covariance=covariance, trials=trials, groups=groups)
    used = _loss(loss, se is not None or covariance is not None)
    if len(points) < len(chosen.parameters):
        raise InputError(
            Problem(
                f"the law {chosen.name} has {count_of(len(chosen.parameters), 'parameter')}, "
                f"{points.name or 'the curve'} {count_of(len(points), 'point')}"
            )
        )
    read_number(starts, "starts", least=1, whole=True)
    read_number(ci_prob, "ci_prob", above=0, below=1)
    read_number(seed, "seed", least=0, whole=True)
    task = kernel.set_up(chosen, points, used, delta=delta, nu=nu)
    task, optimum = minimise(task, starts=starts, start=start, seed=seed)
    return CurveFit(task, optimum, ci_prob, seed)


def _loss(loss: str | None, known: bool) -> str:
    """Return the loss: where none is named, the one that uses the errors that were given, or squares."""
    if loss is None:
        return "gls" if known else "squared"
    if known and loss != "gls":
        hint = "leave out the errors, or the loss (it is then gls)"
        raise InputError(Problem(f"the loss {loss} does not use the known errors of the points", hint=hint))
    return loss


def _inverse(slope: Float) -> Float:
    """Return the inverse of ``slope' slope``."""
    inverse = np.linalg.inv(np.linalg.qr(slope)[1])
    with np.errstate(over="ignore", invalid="ignore"):
        product = inverse @ inverse.T
    return product if np.isfinite(product).all() else np.full_like(product, np.nan)


def _points(data: object, y: ArrayLike | None, **known: object) -> CurvePoints:
    given = [name for name, value in known.items() if value is not None]
    if isinstance(data, CurvePoints):
        if y is not None or given:
            raise InputError(
                Problem("points hold their numbers and errors already", hint="leave out y and the rest")
            )
        return data
    if isinstance(data, Gains):
        if y is not None or given:
            raise InputError(
                Problem("gains hold their numbers and errors already", hint="leave out y and the rest")
            )
        return next(iter(checkpoint_points(data).values()))
    if y is None:
        raise InputError(Problem("sizes need the numbers measured at them", hint="fit_curve(sizes, y, ...)"))
    return points_from_arrays(data, y, **known)  # type: ignore[arg-type]
