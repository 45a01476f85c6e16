"""The restricted likelihood of a linear mixed model with known sampling covariance, and its derivatives.

Two forms of the same numbers: `dense_point` works with n x n matrices and is quicker when there are about as
many random coefficients as rows; `low_rank_point` works with (q + p) x (q + p) cross products (Woodbury) and is
quicker when rows outnumber coefficients. Both take rows already rotated so that the known covariance is diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["KenwardRogerParts", "Model", "Point", "evaluate_point", "kenward_roger_parts"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Model:
    """A linear mixed model in rotated coordinates.

    Parameters
    ----------
    a : ndarray, shape (n, q + p + 1)
        Random designs side by side, fixed design, response.
    s : ndarray, shape (n,)
        Known variances.
    blocks : tuple of slice
        Columns of each random block.
    q, p : int
        Numbers of random and fixed coefficients.
    residual : bool
        Whether the last variance is that of a residual.
    """

    a: Array
    s: Array
    blocks: tuple[slice, ...]
    q: int
    p: int
    residual: bool

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.s)

    @property
    def m(self) -> int:
        """Number of variances."""
        return len(self.blocks) + self.residual

    @property
    def dense(self) -> bool:
        """Whether n x n matrices are the cheaper form."""
        return self.n <= self.q + self.p or self.n <= 400


@dataclass(frozen=True, slots=True)
class Point:
    """The restricted likelihood at one set of variances.

    Parameters
    ----------
    loglik : float
        Restricted log-likelihood without constants.
    score : ndarray, shape (m,)
        Its gradient.
    information : ndarray, shape (m, m)
        Expected information.
    phi : ndarray, shape (p, p)
        Covariance of the fixed coefficients.
    beta : ndarray, shape (p,)
        Fixed coefficients.
    """

    loglik: float
    score: Array
    information: Array
    phi: Array
    beta: Array


@dataclass(frozen=True, slots=True)
class KenwardRogerParts:
    """``P_k = -X'V^-1 V_k V^-1 X``, shape (m, p, p), and ``Q_kl = X'V^-1 V_k V^-1 V_l V^-1 X``, (m, m, p, p)."""

    p_matrices: Array
    q_matrices: Array


def evaluate_point(model: Model, theta: Array) -> Point | None:
    """Return the restricted likelihood at the variances `theta`, or None where V is not positive definite."""
    try:
        return dense_point(model, theta) if model.dense else low_rank_point(model, theta)
    except np.linalg.LinAlgError:
        return None


def dense_point(model: Model, theta: Array) -> Point | None:
    """Return the restricted likelihood with n x n matrices."""
    q, p = model.q, model.p
    z, x, y = model.a[:, :q], model.a[:, q : q + p], model.a[:, -1]
    inverse, logdet = _inverse(_covariance(model, theta))
    vx = inverse @ x
    phi, logdet_x = _inverse(x.T @ vx)
    beta = phi @ (vx.T @ y)
    projector = inverse - vx @ phi @ vx.T
    py = projector @ y
    pz = projector @ z
    zpz, zpy = z.T @ pz, z.T @ py
    score, information = np.empty(model.m), np.empty((model.m, model.m))
    for i, bi in enumerate(model.blocks):
        score[i] = 0.5 * (zpy[bi] @ zpy[bi] - np.trace(zpz[bi, bi]))
        for j, bj in enumerate(model.blocks):
            information[i, j] = 0.5 * (zpz[bi, bj] ** 2).sum()
    if model.residual:
        score[-1] = 0.5 * (py @ py - np.trace(projector))
        information[-1, -1] = 0.5 * (projector**2).sum()
        for i, bi in enumerate(model.blocks):
            information[i, -1] = information[-1, i] = 0.5 * (pz[:, bi] ** 2).sum()
    loglik = -0.5 * (logdet + logdet_x + float(y @ py))
    return Point(loglik, score, information, phi, beta) if np.isfinite(loglik) else None


def low_rank_point(model: Model, theta: Array) -> Point | None:
    """Return the restricted likelihood with cross products of the designs."""
    q, p = model.q, model.p
    zx, xs = slice(0, q + p), slice(q, q + p)
    w = 1.0 / _diagonal(model, theta)
    if not (np.isfinite(w).all() and w.min() > 0):
        return None
    a, aw = model.a, model.a * w[:, None]
    w1 = a.T @ aw
    k0, logdet_inner = _inner(model, theta, w1)
    phi, logdet_x = _inverse(w1[xs, xs] - w1[xs, :q] @ k0[:q, :q] @ w1[:q, xs])
    lift = np.vstack([-k0[:q, :q] @ w1[:q, xs], np.eye(p)])
    k = k0 + lift @ phi @ lift.T
    kw = k @ w1[zx]
    apa = w1 - w1[:, zx] @ kw
    beta = phi @ (w1[xs, -1] - w1[xs, zx] @ k0 @ w1[zx, -1])
    score, information = np.empty(model.m), np.empty((model.m, model.m))
    for i, bi in enumerate(model.blocks):
        score[i] = 0.5 * (apa[bi, -1] @ apa[bi, -1] - np.trace(apa[bi, bi]))
        for j, bj in enumerate(model.blocks):
            information[i, j] = 0.5 * (apa[bi, bj] ** 2).sum()
    if model.residual:
        w2, w3 = aw[:, zx].T @ aw[:, zx], (aw[:, zx] * w[:, None]).T @ aw[:, zx]
        kw2 = k @ w2
        py = aw[:, -1] - aw[:, zx] @ kw[:, -1]
        score[-1] = 0.5 * (py @ py - (w.sum() - np.trace(kw2)))
        information[-1, -1] = 0.5 * ((w**2).sum() - 2 * (k * w3).sum() + (kw2 * kw2.T).sum())
        reduce = np.eye(q + p) - kw[:, zx]
        diagonal = (reduce * (w2 @ reduce)).sum(axis=0)
        for i, bi in enumerate(model.blocks):
            information[i, -1] = information[-1, i] = 0.5 * diagonal[bi].sum()
    logdet = float(-np.log(w).sum()) + logdet_inner + logdet_x
    loglik = -0.5 * (logdet + float(apa[-1, -1]))
    return Point(loglik, score, information, phi, beta) if np.isfinite(loglik) else None


def kenward_roger_parts(model: Model, theta: Array) -> KenwardRogerParts:
    """Return what Kenward and Roger's adjustment needs at the variances `theta`."""
    q, p = model.q, model.p
    z, x = model.a[:, :q], model.a[:, q : q + p]
    if model.dense:
        inverse, _ = _inverse(_covariance(model, theta))
        vx, vz = inverse @ x, inverse @ z
        v2x = inverse @ vx
    else:
        w = 1.0 / _diagonal(model, theta)
        w1 = model.a.T @ (model.a * w[:, None])
        k0, _ = _inner(model, theta, w1)

        def solve(b: Array) -> Array:
            scaled = b * w[:, None]
            return np.asarray(scaled - (z * w[:, None]) @ (k0[:q, :q] @ (z.T @ scaled)))

        vx, vz = solve(x), solve(z)
        v2x = solve(vx)
    zvz, zvx, zv2x = z.T @ vz, z.T @ vx, z.T @ v2x
    ps, qs = np.empty((model.m, p, p)), np.empty((model.m, model.m, p, p))
    for i, bi in enumerate(model.blocks):
        ps[i] = -zvx[bi].T @ zvx[bi]
        for j, bj in enumerate(model.blocks):
            qs[i, j] = zvx[bi].T @ zvz[bi, bj] @ zvx[bj]
        if model.residual:
            qs[i, -1] = zvx[bi].T @ zv2x[bi]
            qs[-1, i] = qs[i, -1].T
    if model.residual:
        ps[-1], qs[-1, -1] = -vx.T @ vx, vx.T @ v2x
    return KenwardRogerParts(ps, qs)


def _diagonal(model: Model, theta: Array) -> Array:
    return model.s + (float(theta[-1]) if model.residual else 0.0)


def _roots(model: Model, theta: Array) -> Array:
    root = np.zeros(model.q)
    for block, value in zip(model.blocks, theta, strict=False):
        root[block] = np.sqrt(value)
    return root


def _covariance(model: Model, theta: Array) -> Array:
    scaled = model.a[:, : model.q] * _roots(model, theta)
    out = scaled @ scaled.T
    out[np.diag_indices(model.n)] += _diagonal(model, theta)
    return np.asarray(out)


def _inner(model: Model, theta: Array, w1: Array) -> tuple[Array, float]:
    """Return ``k0`` with ``V^-1 = W - W [Z X] k0 [Z X]' W`` and the log determinant of its inverse part."""
    q, size = model.q, model.q + model.p
    root = _roots(model, theta)
    k0 = np.zeros((size, size))
    if not q:
        return k0, 0.0
    inverse, logdet = _inverse(np.eye(q) + root[:, None] * w1[:q, :q] * root)
    k0[:q, :q] = root[:, None] * inverse * root
    return k0, logdet


def _inverse(matrix: Array) -> tuple[Array, float]:
    """Return the inverse of a positive definite matrix and its log determinant."""
    logdet = 2.0 * float(np.log(np.diag(np.linalg.cholesky(matrix))).sum())
    inverse = np.linalg.inv(matrix)
    if not np.isfinite(logdet):
        raise np.linalg.LinAlgError
    return np.asarray((inverse + inverse.T) / 2), logdet
