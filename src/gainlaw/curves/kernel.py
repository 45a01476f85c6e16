"""A law, points and a loss as the compiled kernels take them, and what the kernels give back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gainlaw.curves.points import CurvePoints
from gainlaw.errors import InputError, Problem
from gainlaw.laws import CurveLaw

__all__ = [
    "LOSSES",
    "Loss",
    "Task",
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
LOSSES: tuple[str, ...] = ("squared", "gls", "huber", "lad", "student_t", "binomial", "beta_binomial")

STEPS = 300
# Median absolute deviation of a standard normal number.
_MAD = 0.6744897501960817


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A law, points and a loss, as the compiled kernels take them.

    Parameters
    ----------
    law : CurveLaw
        The law.
    points : CurvePoints
        The points.
    loss : str
        One of `LOSSES`.
    setting : tuple of float
        Huber's delta; degrees of freedom and scale of Student's t; intraclass correlation of the beta-binomial.
    variables : ndarray, shape (v, n)
        The law's variables.
    precision : ndarray, shape (n, n) or (0, 0)
        Inverse covariance of `gls`.
    """

    law: CurveLaw
    points: CurvePoints
    loss: str
    setting: tuple[float, float]
    variables: Float
    precision: Float


def set_up(
    law: CurveLaw, points: CurvePoints, loss: str, *, delta: float | None = None, nu: float = 4.0
) -> Task:
    """Return the problem with what its loss has to be told, found from the data where it was not given.

    Raises
    ------
    InputError
        If the loss needs counts or standard errors that the points lack.
    """
    if loss not in LOSSES:
        raise InputError(Problem(f"loss is {loss!r}", hint="allowed: " + ", ".join(LOSSES)))
    variables = law.inputs(points.variables)
    precision = np.zeros((0, 0))
    if loss == "gls":
        if points.covariance is None:
            raise InputError(Problem("the loss gls needs standard errors or a covariance of the points"))
        try:
            root = np.linalg.inv(np.linalg.cholesky(points.covariance))
        except np.linalg.LinAlgError as err:
            raise InputError(Problem("the covariance of the points is not positive definite")) from err
        precision = root.T @ root
    if loss in ("binomial", "beta_binomial") and points.trials is None:
        raise InputError(Problem(f"the loss {loss} needs counts: y as successes, and trials"))
    if loss not in ("binomial", "beta_binomial") and points.trials is not None:
        raise InputError(Problem(f"counts need the loss binomial or beta_binomial, not {loss}"))
    if delta is not None and (loss != "huber" or not delta > 0):
        raise InputError(Problem("delta is a positive number, for the loss huber"))
    problem = Task(law, points, loss, (delta or 0.0, 0.0), variables, precision)
    if loss == "student_t":
        if not nu > 0:
            raise InputError(Problem(f"nu is {nu}; degrees of freedom are positive"))
        return replace(problem, setting=(nu, 1.0))
    if loss == "beta_binomial":
        return replace(problem, setting=(0.01, 0.0))
    return problem


def _code(loss: str) -> int:
    from gainlaw.curves import newton

    return {
        "squared": newton.SQUARED,
        "gls": newton.SQUARED,
        "huber": newton.HUBER,
        "lad": newton.HUBER,
        "student_t": newton.STUDENT_T,
        "binomial": newton.BINOMIAL,
        "beta_binomial": newton.BETA_BINOMIAL,
    }[loss]


def arguments(problem: Task) -> tuple:
    """Return what the kernels take after the data: trials, precision, loss and setting."""
    points = problem.points
    trials = np.ones(len(points)) if points.trials is None else points.trials
    return trials, problem.precision, _code(problem.loss), np.array(problem.setting)


def refit(
    problem: Task,
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
    problem : Task
        The problem.
    starts : ndarray, shape (1 or fits, p)
        Starting values.
    y, weight : ndarray, shape (1 or fits, n), optional
        Data and weights; those of the points, and ones, by default.
    fixed : int, optional
        A parameter that stays at its start.
    steps : int
        Most Newton steps.

    Returns
    -------
    theta, report : ndarray, shape (fits, p), (fits, 3)
        Estimates; and objective, gradient cosine, steps.
    """
    from gainlaw.curves import newton

    fit_many: Any = newton.fit_many
    p = len(problem.law.parameters)
    values = problem.points.y[None] if y is None else y
    weights = np.ones((1, len(problem.points))) if weight is None else weight
    fits = max(len(starts), len(values), len(weights))
    theta, report = np.empty((fits, p)), np.empty((fits, 3))
    free = np.array([k for k in range(p) if k != fixed], dtype=np.int64)
    linear = np.array([k for k in free if problem.law.linear[k]], dtype=np.int64)
    with np.errstate(all="ignore"):
        fit_many(
            problem.law.tape.work, problem.variables, np.ascontiguousarray(starts), values, weights,
            *arguments(problem), linear, free, steps, theta, report,
        )  # fmt: skip
    return theta, report


def predict(problem: Task, theta: Float, variables: Float | None = None) -> tuple[Float, Float]:
    """Return predictions, shape (n,), and their derivatives, shape (n, p), at the points or at other variables."""
    from gainlaw.curves.newton import SQUARED, fitted

    at = problem.variables if variables is None else variables
    n = at.shape[1]
    ones = np.ones(n)
    with np.errstate(all="ignore"):
        value, slope, _, _ = fitted(
            problem.law.tape.work, at, np.ascontiguousarray(theta), np.zeros(n), ones, ones, np.zeros((0, 0)),
            SQUARED, np.zeros(2),
        )  # fmt: skip
    return value, slope


def predict_many(problem: Task, theta: Float, variables: Float) -> Float:
    """Return the predictions of many sets of parameters, shape (m, p), at variables, shape (v, n): shape (m, n)."""
    from gainlaw.curves.newton import curves_at

    out = np.empty((len(theta), variables.shape[1]))
    with np.errstate(all="ignore"):
        curves_at(problem.law.tape.work, variables, np.ascontiguousarray(theta), out)
    return out


def residuals(problem: Task, theta: Float) -> Float:
    """Return prediction less data, shape (n,)."""
    return predict(problem, theta)[0] - problem.points.y


def robust_sd(residuals: Float) -> float:
    """Return the standard deviation that normal residuals of this median size would have."""
    return float(np.median(np.abs(residuals))) / _MAD


def jacobian(problem: Task, theta: Float) -> Float:
    """Return the derivatives of the prediction in the parameters searched for, shape (n, p)."""
    return predict(problem, theta)[1]


def curvature(problem: Task, theta: Float) -> tuple[Float, Float]:
    """Return gradient and Hessian of the objective, shape (p,) and (p, p)."""
    from gainlaw.curves.newton import fitted

    with np.errstate(all="ignore"):
        _, _, gradient, hessian = fitted(
            problem.law.tape.work,
            problem.variables,
            np.ascontiguousarray(theta),
            problem.points.y,
            np.ones(len(problem.points)),
            *arguments(problem),
        )
    return gradient, hessian
