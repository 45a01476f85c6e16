"""A law, points and a loss as the compiled kernels take them, and what the kernels give back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gainlaw.curves.kernels.records import Data, Search
from gainlaw.curves.points import CurvePoints
from gainlaw.errors import InputError, Problem
from gainlaw.laws.record import Law
from gainlaw.numbers import read_number

__all__ = [
    "LOSSES",
    "WEIGHTED",
    "CurveProblem",
    "Loss",
    "bend",
    "curvature",
    "jacobian",
    "predict",
    "predict_many",
    "refit",
    "residuals",
    "robust_sd",
    "set_up",
]

Float = NDArray[np.float64]
Loss = Literal["squared", "gls", "huber", "lad", "student_t", "binomial", "beta_binomial"]
#: Losses that take weights of the points.
WEIGHTED = ("squared", "huber")
LOSSES: tuple[str, ...] = ("squared", "gls", "huber", "lad", "student_t", "binomial", "beta_binomial")

STEPS = 300
# Median absolute deviation of a standard normal number.
_MAD = 0.6744897501960817


@dataclass(frozen=True, slots=True, eq=False)
class CurveProblem:
    """A law, points and a loss, as the compiled kernels take them.

    Parameters
    ----------
    law : Law
        The law.
    points : CurvePoints
        The points.
    loss : str
        One of `LOSSES`.
    setting : tuple of float
        Huber's delta; degrees of freedom and scale of Student's t; intraclass correlation of the beta-binomial.
    variables : ndarray, shape (v, n)
        The law's variables.
    weight : ndarray, shape (n,)
        Weight of each point: that of the points, ones without; for `gls` with independent errors one over their
        variances.
    precision : ndarray, shape (n, n) or (0, 0)
        Inverse covariance of `gls`, where errors are not independent.
    data : Data
        The points and their loss for the kernels; made here.
    """

    law: Law
    points: CurvePoints
    loss: str
    setting: tuple[float, float]
    variables: Float
    weight: Float
    precision: Float
    data: Data = field(init=False)

    def __post_init__(self) -> None:
        """Lay the data out for the kernels."""
        points = self.points
        trials = np.ones(len(points)) if points.trials is None else points.trials
        data = Data(points.y, self.weight, trials, self.precision, _code(self.loss), np.array(self.setting))
        object.__setattr__(self, "data", data)

    @property
    def unweighted(self) -> CurveProblem:
        """The same law and points by squares of the same weight."""
        return replace(
            self,
            loss="squared",
            setting=(0.0, 0.0),
            weight=np.ones(len(self.points)),
            precision=np.zeros((0, 0)),
        )


def set_up(
    law: Law, points: CurvePoints, loss: str, *, delta: float | None = None, nu: float = 4.0
) -> CurveProblem:
    """Return the problem with what its loss has to be told, found from the data where it was not given.

    Raises
    ------
    InputError
        If the loss needs counts or standard errors that the points lack.
    """
    if loss not in LOSSES:
        raise InputError(Problem(f"loss is {loss!r}", hint="allowed: " + ", ".join(LOSSES)))
    variables = law.inputs(points.variables)
    weight, precision = np.ones(len(points)), np.zeros((0, 0))
    if points.weight is not None:
        if loss not in WEIGHTED:
            raise InputError(
                Problem(f"the loss {loss} takes no weights", hint="allowed: " + ", ".join(WEIGHTED))
            )
        weight = points.weight
    if loss == "gls":
        if points.covariance is None:
            raise InputError(Problem("the loss gls needs standard errors or a covariance of the points"))
        if points.covariance.ndim == 1:
            weight = 1.0 / points.covariance
        else:
            try:
                root = np.linalg.inv(np.linalg.cholesky(points.covariance))
            except np.linalg.LinAlgError as err:
                raise InputError(Problem("the covariance of the points is not positive definite")) from err
            precision = root.T @ root
    if loss in ("binomial", "beta_binomial") and points.trials is None:
        raise InputError(Problem(f"the loss {loss} needs counts: y as successes, and trials"))
    if loss not in ("binomial", "beta_binomial") and points.trials is not None:
        raise InputError(Problem(f"counts need the loss binomial or beta_binomial, not {loss}"))
    if delta is not None and loss != "huber":
        raise InputError(
            Problem("delta is the threshold of the loss huber", hint="loss='huber', or leave it out")
        )
    threshold = 0.0 if delta is None else read_number(delta, "delta", above=0)
    problem = CurveProblem(law, points, loss, (threshold, 0.0), variables, weight, precision)
    if loss == "student_t":
        return replace(problem, setting=(read_number(nu, "nu", above=0), 1.0))
    if loss == "beta_binomial":
        return replace(problem, setting=(0.01, 0.0))
    return problem


def _code(loss: str) -> int:
    from gainlaw.curves.kernels import losses

    return {
        "squared": losses.SQUARED,
        "gls": losses.SQUARED,
        "huber": losses.HUBER,
        "lad": losses.HUBER,
        "student_t": losses.STUDENT_T,
        "binomial": losses.BINOMIAL,
        "beta_binomial": losses.BETA_BINOMIAL,
    }[loss]


def refit(
    problem: CurveProblem,
    starts: Float,
    *,
    y: Float | None = None,
    weight: Float | None = None,
    fixed: int | None = None,
    steps: int = STEPS,
) -> tuple[Float, Float]:
    """Fit many data sets at once, each by damped Newton from its start.

    Parameters
    ----------
    problem : CurveProblem
        The problem.
    starts : ndarray, shape (1 or fits, p)
        Starting values.
    y, weight : ndarray, shape (1 or fits, n), optional
        Data, and factors of the points' weights; those of the points, and ones, by default.
    fixed : int, optional
        A parameter that stays at its start.
    steps : int
        Most Newton steps.

    Returns
    -------
    theta, report : ndarray, shape (fits, p), (fits, 4)
        Estimates; and objective, steepness of its gradient (0 at an optimum), steps, steepness with rounding.
    """
    from gainlaw.curves.kernels import newton

    fit_many: Any = newton.fit_many
    p = len(problem.law.parameters)
    # One order of arrays, so that the kernels are compiled once.
    data = problem.data._replace(
        y=problem.points.y[None] if y is None else np.ascontiguousarray(y),
        weight=problem.weight[None] if weight is None else np.ascontiguousarray(weight * problem.weight),
    )
    fits = max(len(starts), len(data.y), len(data.weight))
    theta, report = np.empty((fits, p)), np.empty((fits, 4))
    free = np.array([k for k in range(p) if k != fixed], dtype=np.int64)
    linear = np.array([k for k in free if problem.law.linear[k]], dtype=np.int64)
    search = Search(linear, free, steps, *problem.law.bounds)
    with np.errstate(all="ignore"):
        fit_many(
            problem.law.tape.work,
            problem.variables,
            np.ascontiguousarray(starts),
            data,
            search,
            theta,
            report,
        )
    return theta, report


def predict(problem: CurveProblem, theta: Float, variables: Float | None = None) -> tuple[Float, Float]:
    """Return predictions, shape (n,), and their derivatives, shape (n, p), at the points or at other variables."""
    from gainlaw.curves.kernels.losses import SQUARED
    from gainlaw.curves.kernels.newton import fitted

    at = problem.variables if variables is None else variables
    n = at.shape[1]
    nothing = Data(np.zeros(n), np.ones(n), np.ones(n), np.zeros((0, 0)), SQUARED, np.zeros(2))
    with np.errstate(all="ignore"):
        value, slope, _, _ = fitted(problem.law.tape.work, at, np.ascontiguousarray(theta), nothing)
    return value, slope


def predict_many(problem: CurveProblem, theta: Float, variables: Float) -> Float:
    """Return the predictions of many sets of parameters, shape (m, p), at variables, shape (v, n): shape (m, n)."""
    from gainlaw.curves.kernels.newton import curves_at

    out = np.empty((len(theta), variables.shape[1]))
    with np.errstate(all="ignore"):
        curves_at(problem.law.tape.work, variables, np.ascontiguousarray(theta), out)
    return out


def residuals(problem: CurveProblem, theta: Float) -> Float:
    """Return prediction less data, shape (n,)."""
    return predict(problem, theta)[0] - problem.points.y


def robust_sd(residuals: Float) -> float:
    """Return the standard deviation that normal residuals of this median size would have."""
    return float(np.median(np.abs(residuals))) / _MAD


def bend(problem: CurveProblem, theta: Float, factor: Float) -> Float:
    """Return the sum over points of a factor times the second derivatives of the prediction, shape (p, p)."""
    value, slope = predict(problem, theta)
    at = replace(problem.unweighted, points=replace(problem.points, y=value - factor, trials=None))
    return curvature(at, theta)[1] - slope.T @ slope


def jacobian(problem: CurveProblem, theta: Float) -> Float:
    """Return the derivatives of the prediction in the parameters, shape (n, p)."""
    return predict(problem, theta)[1]


def curvature(problem: CurveProblem, theta: Float) -> tuple[Float, Float]:
    """Return each point's share of the objective's gradient, shape (n, p), and the Hessian, shape (p, p)."""
    from gainlaw.curves.kernels.newton import fitted

    with np.errstate(all="ignore"):
        _, slope, first, hessian = fitted(
            problem.law.tape.work, problem.variables, np.ascontiguousarray(theta), problem.data
        )
    return first[:, None] * slope, hessian
