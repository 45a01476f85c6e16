"""Linear mixed models by REML when the sampling covariance is known: arrays in, a frozen result out.

The model is ``y = X b + sum_k Z_k u_k + r + e`` with ``u_k ~ N(0, t_k I)``, an optional residual
``r ~ N(0, t_r I)`` and a known sampling error ``e ~ N(0, S)``: ``V = S + sum_k t_k Z_k Z_k' + t_r I``.
The variances ``t >= 0`` maximise the restricted likelihood [1]_. ``S`` is rotated to a diagonal once; after
that every evaluation costs ``n (q + p)^2`` with ``q`` random and ``p`` fixed coefficients.

References
----------
.. [1] Patterson, H. D. and Thompson, R. (1971). Recovery of inter-block information when block sizes are
   unequal. Biometrika 58(3), 545-554. doi:10.1093/biomet/58.3.545
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gainlaw.errors import InputError
from gainlaw.frequentist.reml import Model, Point, evaluate_point, kenward_roger_parts

__all__ = ["MixedFit", "Rotates", "fit_mixed"]

Array = NDArray[np.float64]
MixedStatus = Literal["ok", "boundary", "not converged", "singular"]


class Rotates(Protocol):
    """A covariance that knows its eigen-decomposition, such as the block covariance of a gains table."""

    def rotation(self) -> tuple[Array, Callable[[Array], Array]]:
        """Return eigenvalues (n,) and the map ``a -> Q' a`` for arrays of n rows."""
        ...


@dataclass(frozen=True, slots=True)
class MixedFit:
    """A linear mixed model fitted by REML.

    Parameters
    ----------
    status : {"ok", "boundary", "not converged", "singular"}
        ``boundary``: at least one variance is 0, a legal estimate. ``singular``: X has no full column rank or
        V is not positive definite; every number is then NaN.
    beta : ndarray, shape (p,)
        Fixed coefficients by generalised least squares.
    covariance : ndarray, shape (p, p)
        ``(X' V^-1 X)^-1`` at the estimated variances.
    variances : ndarray, shape (m,)
        The variances: one a random block, in order, and the residual last when there is one.
    information : ndarray, shape (m, m)
        Expected restricted information of the variances.
    p_matrices : ndarray, shape (m, p, p)
        ``-X' V^-1 V_k V^-1 X`` with ``V_k = dV/dt_k``.
    q_matrices : ndarray, shape (m, m, p, p)
        ``X' V^-1 V_k V^-1 V_l V^-1 X``.
    loglik : float
        Restricted log-likelihood, ``log|X'X| / 2`` included.
    score : ndarray, shape (m,)
        Gradient of the restricted log-likelihood at the estimate.
    n : int
        Number of observations.
    """

    status: MixedStatus
    beta: Array
    covariance: Array
    variances: Array
    information: Array
    p_matrices: Array
    q_matrices: Array
    loglik: float
    score: Array
    n: int


def fit_mixed(
    y: ArrayLike,
    X: ArrayLike,
    Z: Sequence[ArrayLike] = (),
    S: ArrayLike | Rotates | None = None,
    *,
    residual: bool = True,
    max_iter: int = 100,
) -> MixedFit:
    """Fit a linear mixed model with known sampling covariance by REML.

    Parameters
    ----------
    y : array_like, shape (n,)
        Observations.
    X : array_like, shape (n, p)
        Fixed design, full column rank, p < n.
    Z : sequence of array_like, each of shape (n, q_k)
        Random designs; the coefficients of one block share one variance.
    S : array_like of shape (n,) or (n, n), object with ``rotation()``, or None
        Known sampling variances or covariance; None means no known part.
    residual : bool
        Whether to estimate a residual variance on top of `S`.
    max_iter : int
        Limit of iterations.

    Returns
    -------
    MixedFit
        The fit, with its status. Nothing is raised for data that cannot identify the model.

    Raises
    ------
    InputError
        If the shapes do not agree, a value is not finite, or neither `S` nor `residual` gives noise.

    Examples
    --------
    Random-effects meta-analysis of the eight schools (Rubin 1981): REML puts the variance at 0.

    >>> import numpy as np
    >>> y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    >>> se = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    >>> fit = fit_mixed(y, np.ones((8, 1)), S=se**2)
    >>> fit.status, round(float(fit.beta[0]), 3), round(float(fit.covariance[0, 0]) ** 0.5, 3)
    ('boundary', 7.686, 4.072)
    """
    problem = _Problem.build(y, X, Z, S, residual)
    model = problem.model
    if problem.rank < model.p or model.p >= model.n:
        return _singular(model)
    if model.m == 0:
        return _finish(problem, np.empty(0), converged=True)
    theta, converged = _maximise(model, max_iter)
    return _finish(problem, theta, converged=converged)


@dataclass(frozen=True, slots=True)
class _Problem:
    """The model with y in units of its residual sd, and what is needed to undo that."""

    model: Model
    log_xx: float
    rank: int
    unit: float

    @classmethod
    def build(
        cls, y: ArrayLike, X: ArrayLike, Z: Sequence[ArrayLike], S: ArrayLike | Rotates | None, residual: bool
    ) -> _Problem:
        target = np.asarray(y, dtype=float).reshape(-1)
        fixed = np.asarray(X, dtype=float)
        fixed = fixed[:, None] if fixed.ndim == 1 else fixed
        random = [np.asarray(block, dtype=float) for block in Z]
        random = [block[:, None] if block.ndim == 1 else block for block in random]
        n = len(target)
        for name, array in [("X", fixed), *[(f"Z[{i}]", block) for i, block in enumerate(random)]]:
            if array.ndim != 2 or len(array) != n:
                raise InputError(f"{name} has shape {array.shape}, but y has {n} rows")
        if not all(np.isfinite(array).all() for array in [target, fixed, *random]):
            raise InputError("y, X and Z must be finite: drop rows with missing values first")
        known, rotate = _rotation(S, n)
        if S is None and not residual:
            raise InputError("without a known covariance the model needs a residual variance")
        resid = target - fixed @ np.linalg.lstsq(fixed, target, rcond=None)[0]
        unit = float(np.sqrt(resid @ resid / max(n - fixed.shape[1], 1)))
        unit = unit if unit > 0 else 1.0
        ends = np.cumsum([0, *[block.shape[1] for block in random]])
        blocks = tuple(slice(int(lo), int(hi)) for lo, hi in pairwise(ends))
        a = rotate(np.column_stack([*random, fixed, target / unit]))
        model = Model(a, known / unit**2, blocks, int(ends[-1]), fixed.shape[1], residual)
        log_xx = float(np.linalg.slogdet(fixed.T @ fixed)[1])
        return cls(model, log_xx, int(np.linalg.matrix_rank(fixed)), unit)


def _rotation(S: ArrayLike | Rotates | None, n: int) -> tuple[Array, Callable[[Array], Array]]:
    if S is None:
        return np.zeros(n), lambda a: a
    if hasattr(S, "rotation"):
        values, rotate = S.rotation()
        return np.asarray(values, dtype=float), rotate
    known = np.asarray(S, dtype=float)
    if known.shape not in ((n,), (n, n)):
        raise InputError(f"S has shape {known.shape}, but y has {n} rows")
    if not np.isfinite(known).all():
        raise InputError("the sampling covariance must be finite")
    if known.ndim == 1:
        if (known < 0).any():
            raise InputError("sampling variances are >= 0")
        return known, lambda a: a
    values, vectors = np.linalg.eigh((known + known.T) / 2)
    if values.min() < -1e-8 * max(values.max(), 1e-300):
        raise InputError("the sampling covariance has a negative eigenvalue")
    return np.clip(values, 0.0, None), lambda a: vectors.T @ a


def _maximise(model: Model, max_iter: int) -> tuple[Array, bool]:
    """Maximise over variances >= 0: projected Fisher scoring, and a quasi-Newton search where that stalls."""
    floor = np.zeros(model.m)
    if model.residual and model.s.min() <= 0:
        floor[-1] = 1e-10
    start = np.full(model.m, 0.5 / model.m)
    first = evaluate_point(model, start)
    if first is None:
        return start, False
    # a variance whose effects lie in the span of the fixed design has no information: it stays at 0
    known = np.diag(first.information) * start**2 > 1e-9
    ceiling = np.where(known, 1e8, floor)
    theta, converged = _score_steps(model, np.minimum(start, ceiling), floor, ceiling, max_iter)
    if converged:
        return theta, True
    from scipy.optimize import minimize

    def negative(values: Array) -> tuple[float, Array]:
        point = evaluate_point(model, values)
        return (1e10, np.zeros(model.m)) if point is None else (-point.loglik, -point.score)

    bounds = [(float(low), float(high)) for low, high in zip(floor, ceiling, strict=True)]
    found = minimize(
        negative, theta, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": max_iter}
    )
    return _score_steps(model, np.clip(found.x, floor, ceiling), floor, ceiling, max_iter)


def _score_steps(
    model: Model, start: Array, floor: Array, ceiling: Array, max_iter: int
) -> tuple[Array, bool]:
    """Projected Fisher scoring with step halving; return the variances and whether the score is settled."""
    theta = start
    best = evaluate_point(model, theta)
    if best is None:
        return theta, False
    for _ in range(max_iter):
        free = _free(theta, best, floor, ceiling)
        if _unsettled(theta, best, free) < 1e-8:
            return theta, True
        step = np.zeros(model.m)
        diagonal = np.sqrt(np.maximum(np.diag(best.information), 1e-300))
        scaled = best.information / np.outer(diagonal, diagonal)
        block, pull = scaled[np.ix_(free, free)], (best.score / diagonal)[free]
        step[free] = np.linalg.lstsq(block, pull, rcond=1e-10)[0] / diagonal[free]
        trial, point = theta, None
        for shrink in 0.5 ** np.arange(12):
            trial = np.clip(theta + shrink * step, floor, ceiling)
            point = evaluate_point(model, trial)
            if point is not None and point.loglik >= best.loglik - 1e-12 * (1 + abs(best.loglik)):
                break
            point = None
        if point is None or np.abs(trial - theta).max() < 1e-14:
            break
        theta, best = trial, point
    return theta, bool(_unsettled(theta, best, _free(theta, best, floor, ceiling)) < 1e-5)


def _free(theta: Array, point: Point, floor: Array, ceiling: Array) -> NDArray[np.bool_]:
    """Return which variances can move: not held, and not pushed against their bound."""
    return np.asarray((ceiling > floor) & ((theta > floor) | (point.score > 0)))


def _unsettled(theta: Array, point: Point, free: NDArray[np.bool_]) -> float:
    """Return the largest gain in log-likelihood, to first order, of changing one free variance by itself."""
    return float(np.abs(np.where(free, point.score, 0.0) * np.maximum(theta, 1e-3)).max(initial=0.0))


def _finish(problem: _Problem, theta: Array, *, converged: bool) -> MixedFit:
    model, unit = problem.model, problem.unit
    point = evaluate_point(model, theta)
    if point is None:
        return _singular(model)
    parts = kenward_roger_parts(model, theta)
    dof = model.n - model.p
    loglik = point.loglik - dof * (0.5 * np.log(2 * np.pi) + np.log(unit)) + 0.5 * problem.log_xx
    at_zero = theta <= 1e-8
    status: MixedStatus = "not converged" if not converged else "boundary" if at_zero.any() else "ok"
    return MixedFit(
        status=status,
        beta=point.beta * unit,
        covariance=point.phi * unit**2,
        variances=np.where(at_zero, 0.0, theta) * unit**2,
        information=point.information / unit**4,
        p_matrices=parts.p_matrices / unit**4,
        q_matrices=parts.q_matrices / unit**6,
        loglik=float(loglik),
        score=point.score / unit**2,
        n=model.n,
    )


def _singular(model: Model) -> MixedFit:
    p, m = model.p, model.m
    return MixedFit(
        status="singular",
        beta=np.full(p, np.nan),
        covariance=np.full((p, p), np.nan),
        variances=np.full(m, np.nan),
        information=np.full((m, m), np.nan),
        p_matrices=np.full((m, p, p), np.nan),
        q_matrices=np.full((m, m, p, p), np.nan),
        loglik=float("nan"),
        score=np.full(m, np.nan),
        n=model.n,
    )
