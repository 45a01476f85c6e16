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
    max_iter: int = 200,
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
    if np.linalg.matrix_rank(problem.x) < problem.p or problem.p >= problem.n:
        return _singular(problem)
    if problem.m == 0:
        return _finish(problem, np.empty(0), converged=True)
    start = np.full(problem.m, 0.5 / problem.m)
    theta, converged = _maximise(problem, start, max_iter)
    return _finish(problem, theta, converged=converged)


@dataclass(frozen=True, slots=True)
class _Problem:
    """The model in rotated coordinates, with y in units of its residual sd."""

    a: Array  # (n, q + p + 1): random designs, fixed design, y
    x: Array  # (n, p) fixed design as given
    s: Array  # (n,) known variances after rotation and scaling
    blocks: tuple[slice, ...]
    q: int
    p: int
    residual: bool
    unit: float

    @property
    def n(self) -> int:
        return len(self.s)

    @property
    def m(self) -> int:
        return len(self.blocks) + self.residual

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
        return cls(a, fixed, known / unit**2, blocks, int(ends[-1]), fixed.shape[1], residual, unit)


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


@dataclass(frozen=True, slots=True)
class _Point:
    """The restricted likelihood and its parts at one set of variances."""

    loglik: float
    score: Array
    information: Array
    w: Array
    k0: Array  # V^-1 = W - W A0 k0 A0' W over the random columns, padded with zeros to q + p
    k: Array  # the same for P
    phi: Array
    w1: Array
    w2: Array


def _evaluate(problem: _Problem, theta: Array) -> _Point | None:
    """Return the restricted likelihood at `theta` (scaled), or None where V is not positive definite."""
    q, p, n = problem.q, problem.p, problem.n
    tail = float(theta[-1]) if problem.residual else 0.0
    d = problem.s + tail
    if d.min() <= 0:
        return None
    w, a = 1.0 / d, problem.a
    aw = a * w[:, None]
    w1, w2 = a.T @ aw, aw.T @ aw
    root = np.zeros(q)
    for block, value in zip(problem.blocks, theta, strict=False):
        root[block] = np.sqrt(value)
    inner = np.eye(q) + root[:, None] * w1[:q, :q] * root[None, :]
    try:
        chol = np.linalg.cholesky(inner)
        half = np.linalg.solve(chol, np.diag(root))
        g = half.T @ half
        k0 = np.zeros((q + p, q + p))
        k0[:q, :q] = g
        t = np.vstack([-g @ w1[:q, q : q + p], np.eye(p)])
        info_x = w1[q : q + p, q : q + p] - w1[q : q + p, :q] @ g @ w1[:q, q : q + p]
        chol_x = np.linalg.cholesky((info_x + info_x.T) / 2)
    except np.linalg.LinAlgError:
        return None
    phi = np.linalg.inv(info_x)
    phi = (phi + phi.T) / 2
    k = k0 + t @ phi @ t.T
    zx = slice(0, q + p)
    apa = w1 - w1[:, zx] @ k @ w1[zx]
    kw = k @ w1[zx]
    appa = w2 - w2[:, zx] @ kw - kw.T @ w2[zx] + kw.T @ w2[zx, zx] @ kw
    logdet = float(-np.log(w).sum() + 2 * np.log(np.diag(chol)).sum() + 2 * np.log(np.diag(chol_x)).sum())
    loglik = -0.5 * (logdet + float(apa[-1, -1]))
    m = problem.m
    score, information = np.empty(m), np.empty((m, m))
    for i, bi in enumerate(problem.blocks):
        score[i] = 0.5 * (float(apa[bi, -1] @ apa[bi, -1]) - float(np.trace(apa[bi, bi])))
        for j, bj in enumerate(problem.blocks):
            information[i, j] = 0.5 * float((apa[bi, bj] ** 2).sum())
    if problem.residual:
        w3 = aw.T @ (aw * w[:, None])
        kw2 = k @ w2[zx, zx]
        trace_p = float(w.sum() - np.trace(kw2))
        trace_pp = float((w**2).sum() - 2 * np.trace(k @ w3[zx, zx]) + np.trace(kw2 @ kw2))
        score[-1] = 0.5 * (float(appa[-1, -1]) - trace_p)
        information[-1, -1] = 0.5 * trace_pp
        for i, bi in enumerate(problem.blocks):
            information[i, -1] = information[-1, i] = 0.5 * float(np.trace(appa[bi, bi]))
    if not np.isfinite(loglik) or n <= p:
        return None
    return _Point(loglik, score, information, w, k0, k, phi, w1, w2)


def _maximise(problem: _Problem, start: Array, max_iter: int) -> tuple[Array, bool]:
    """Maximise over variances >= 0: a quasi-Newton search, then projected Fisher scoring to polish."""
    from scipy.optimize import minimize

    floor = np.zeros(problem.m)
    if problem.residual and problem.s.min() <= 0:
        floor[-1] = 1e-10

    def negative(theta: Array) -> tuple[float, Array]:
        point = _evaluate(problem, theta)
        return (1e10, np.zeros(problem.m)) if point is None else (-point.loglik, -point.score)

    bounds = [(float(low), 1e8) for low in floor]
    found = minimize(
        negative, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": max_iter}
    )
    theta = np.maximum(found.x, floor)
    best = _evaluate(problem, theta)
    if best is None:
        return theta, False
    for _ in range(50):
        free = (theta > floor) | (best.score > 0)
        gain = np.where(free, best.score, 0.0) * np.maximum(theta, 1e-3)
        if np.abs(gain).max() < 1e-9:
            return theta, True
        step = np.zeros(problem.m)
        block = best.information[np.ix_(free, free)]
        step[free] = np.linalg.lstsq(block, best.score[free], rcond=1e-12)[0]
        for shrink in 0.5 ** np.arange(20):
            trial = np.maximum(theta + shrink * step, floor)
            point = _evaluate(problem, trial)
            if point is not None and point.loglik >= best.loglik - 1e-13 * abs(best.loglik):
                break
        else:
            break
        if point is None or np.abs(trial - theta).max() < 1e-13:
            break
        theta, best = trial, point
    settled = np.abs(np.where((theta > floor) | (best.score > 0), best.score, 0.0) * np.maximum(theta, 1e-3))
    return theta, bool(settled.max() < 1e-5)


def _finish(problem: _Problem, theta: Array, *, converged: bool) -> MixedFit:
    point = _evaluate(problem, theta)
    if point is None:
        return _singular(problem)
    q, p, m, unit = problem.q, problem.p, problem.m, problem.unit
    xs = slice(q, q + p)
    zx = slice(0, q + p)
    beta = point.phi @ (point.w1[xs, -1] - point.w1[xs, zx] @ point.k0 @ point.w1[zx, -1])
    a = problem.a[:, : q + p]
    w1, w2 = point.w1[zx, zx], point.w2[zx, zx]
    reduce = np.eye(q + p) - point.k0 @ w1
    e1 = w1 @ reduce
    e2 = reduce.T @ w2 @ reduce
    w3 = (a * point.w[:, None] ** 3).T @ a
    e3 = reduce.T @ (w3 - w2 @ point.k0 @ w2) @ reduce
    ps, qs = np.empty((m, p, p)), np.empty((m, m, p, p))
    for i, bi in enumerate(problem.blocks):
        ps[i] = -e1[xs, bi] @ e1[bi, xs]
        for j, bj in enumerate(problem.blocks):
            qs[i, j] = e1[xs, bi] @ e1[bi, bj] @ e1[bj, xs]
        if problem.residual:
            qs[i, -1] = e1[xs, bi] @ e2[bi, xs]
            qs[-1, i] = qs[i, -1].T
    if problem.residual:
        ps[-1], qs[-1, -1] = -e2[xs, xs], e3[xs, xs]
    log_xx = float(np.linalg.slogdet(problem.x.T @ problem.x)[1])
    dof = problem.n - p
    loglik = point.loglik - dof * (0.5 * np.log(2 * np.pi) + np.log(unit)) + 0.5 * log_xx
    at_zero = bool((theta <= 1e-8).any())
    status: MixedStatus = "not converged" if not converged else "boundary" if at_zero else "ok"
    return MixedFit(
        status=status,
        beta=beta * unit,
        covariance=point.phi * unit**2,
        variances=np.where(theta <= 1e-8, 0.0, theta) * unit**2,
        information=point.information / unit**4,
        p_matrices=ps / unit**4,
        q_matrices=qs / unit**6,
        loglik=float(loglik),
        score=point.score / unit**2,
        n=problem.n,
    )


def _singular(problem: _Problem) -> MixedFit:
    p, m = problem.p, problem.m
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
        n=problem.n,
    )
