"""Cluster-robust standard errors for few clusters: CR2 with Satterthwaite degrees of freedom.

The estimator is weighted least squares, ``b = M X' W y`` with ``M = (X' W X)^-1``, and its covariance
``M (sum_j X_j' W_j A_j e_j e_j' A_j' W_j X_j) M``. The matrices ``A_j`` make it unbiased when the working
covariance ``Phi`` holds (bias-reduced linearisation [1]_), in the form that stands cluster fixed effects
[2]_: ``A_j = D_j' B_j^(+1/2) D_j`` with ``Phi_j = D_j' D_j`` and
``B_j = D_j [(I - H) Phi (I - H)']_jj D_j'``.
The degrees of freedom match the variance of the variance estimate under ``Phi``.

References
----------
.. [1] Bell, R. M. and McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression with
   multi-stage samples. Survey Methodology 28(2), 169-181.
.. [2] Pustejovsky, J. E. and Tipton, E. (2018). Small-sample methods for cluster-robust variance estimation
   and hypothesis testing in fixed effects models. Journal of Business & Economic Statistics 36(4), 672-683.
   doi:10.1080/07350015.2016.1247004
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gainlaw.errors import InputError
from gainlaw.frequentist.small_sample import t_probability

__all__ = ["RobustTest", "cr2_test"]

WorkingBlock = Callable[[NDArray[np.intp]], NDArray[np.float64]]
RobustStatus = Literal["ok", "df below 4", "too few clusters", "singular", "no df"]


@dataclass(frozen=True, slots=True)
class RobustTest:
    """A cluster-robust test of one linear combination.

    Parameters
    ----------
    status : {"ok", "df below 4", "too few clusters", "singular", "no df"}
        ``df below 4``: the numbers stand, but the t approximation is known to be poor (Tipton 2015,
        doi:10.1037/met0000011). With the last three statuses what cannot be had is NaN.
    estimate, se : float
        The combination and its CR2 standard error.
    df : float
        Satterthwaite degrees of freedom.
    statistic : float
        ``(estimate - null) / se``.
    p_two_sided, p_less, p_greater : float
        p values against ``!=``, ``<`` and ``>``.
    n_clusters : int
        Number of clusters.
    """

    status: RobustStatus
    estimate: float
    se: float
    df: float
    statistic: float
    p_two_sided: float
    p_less: float
    p_greater: float
    n_clusters: int


def cr2_test(
    y: ArrayLike,
    X: ArrayLike,
    clusters: ArrayLike,
    contrast: ArrayLike,
    *,
    working: ArrayLike | WorkingBlock | None = None,
    weighted: bool = True,
    null: float = 0.0,
) -> RobustTest:
    """Test one linear combination with CR2 standard errors.

    Parameters
    ----------
    y : array_like, shape (n,)
        Observations.
    X : array_like, shape (n, p)
        Design, full column rank.
    clusters : array_like, shape (n,)
        Labels of the clusters; rows of different clusters are independent.
    contrast : array_like, shape (p,)
        The weights.
    working : array_like, shape (n,) or (n, n), or callable, optional
        Working variances or covariance; only its blocks within clusters are used. A callable gets the rows of
        a cluster, shape (m,), and returns their block, shape (m, m). Identity by default.
    weighted : bool
        Whether the weights are the inverse of `working` (as meta-analysis does) or 1 (least squares).
    null : float
        Value under the null hypothesis.

    Returns
    -------
    RobustTest
        The test, with its status. Nothing is raised for data that cannot give one.

    Raises
    ------
    InputError
        If the shapes do not agree.

    Examples
    --------
    Clusters of equal size and one mean: the t test of the cluster means, df = clusters - 1.

    >>> import numpy as np
    >>> y = np.array([1.0, 2.0, 4.0, 5.0, 9.0, 6.0])
    >>> test = cr2_test(y, np.ones((6, 1)), [0, 0, 1, 1, 2, 2], [1.0])
    >>> round(test.df, 6), round(test.statistic, 6), test.status
    (2.0, 2.598076, 'df below 4')
    """
    target = np.asarray(y, dtype=float).reshape(-1)
    x = np.asarray(X, dtype=float)
    x = x[:, None] if x.ndim == 1 else x
    labels = np.asarray(clusters)
    c = np.asarray(contrast, dtype=float).reshape(-1)
    n, p = x.shape
    if not (len(target) == len(labels) == n and len(c) == p):
        raise InputError(
            f"shapes do not agree: y {target.shape}, X {x.shape}, clusters {labels.shape}, contrast {c.shape}"
        )
    names, code = np.unique(labels.astype(str), return_inverse=True)
    rows = [np.flatnonzero(code == j) for j in range(len(names))]
    phi = [_block(working, index) for index in rows]
    if np.linalg.matrix_rank(x) < p or not all(np.isfinite(block).all() for block in phi):
        return _no_test("singular", len(names))
    try:
        roots = [np.linalg.cholesky(block).T for block in phi]
    except np.linalg.LinAlgError:
        return _no_test("singular", len(names))
    wx = [np.linalg.solve(f, x[i]) if weighted else x[i] for f, i in zip(phi, rows, strict=True)]
    m = np.linalg.inv(sum((x[i].T @ w for i, w in zip(rows, wx, strict=True)), np.zeros((p, p))))
    estimate = float(c @ m @ sum((w.T @ target[i] for i, w in zip(rows, wx, strict=True)), np.zeros(p)))
    if len(names) < 2:
        return _no_test("too few clusters", len(names), estimate)
    beta = m @ sum((w.T @ target[i] for i, w in zip(rows, wx, strict=True)), np.zeros(p))
    # Phi W X, and X M X' W Phi W X M X': the parts of (I - H) Phi (I - H)'
    pwx = [f @ w for f, w in zip(phi, wx, strict=True)]
    middle = m @ sum((w.T @ v for w, v in zip(wx, pwx, strict=True)), np.zeros((p, p))) @ m
    scores = np.empty(len(names))
    size = 0.0  # what the scores would be if the residuals were as large as y
    loads = np.zeros((n, len(names)))  # column j: (I - H)_j' A_j' W_j X_j M c
    wx_all = np.empty((n, p))
    for i, w in zip(rows, wx, strict=True):
        wx_all[i] = w
    for j, (i, f, root, w, v) in enumerate(zip(rows, phi, roots, wx, pwx, strict=True)):
        left = v @ m @ x[i].T
        residual_cov = f - left - left.T + x[i] @ middle @ x[i].T
        adjust = root.T @ _inverse_root(root @ residual_cov @ root.T, _rank(residual_cov, root)) @ root
        load = adjust.T @ (w @ (m @ c))
        scores[j] = float(load @ (target[i] - x[i] @ beta))
        size += float(np.abs(load) @ np.abs(target[i]))
        loads[i, j] += load
        loads[:, j] -= wx_all @ (m @ (x[i].T @ load))
    variance = float((scores**2).sum())
    cross = sum(
        (loads[i].T @ f @ loads[i] for i, f in zip(rows, phi, strict=True)),
        np.zeros((len(names), len(names))),
    )
    expected = float(np.trace(cross))
    plain = float(c @ middle @ c)
    if not expected > 1e-10 * plain or not variance > (1e-12 * size) ** 2:
        return _no_test("no df", len(names), estimate)
    df = float(expected / np.linalg.norm(cross)) ** 2
    statistic = (estimate - null) / variance**0.5
    less, greater = t_probability(statistic, df), t_probability(-statistic, df)
    return RobustTest(
        status="ok" if df >= 4 else "df below 4",
        estimate=estimate,
        se=variance**0.5,
        df=df,
        statistic=statistic,
        p_two_sided=2 * min(less, greater),
        p_less=less,
        p_greater=greater,
        n_clusters=len(names),
    )


def _block(working: ArrayLike | WorkingBlock | None, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    if working is None:
        return np.eye(len(rows))
    if callable(working):
        return np.asarray(working(rows), dtype=float)
    full = np.asarray(working, dtype=float)
    if full.ndim == 1:
        return np.diag(full[rows])
    return full[np.ix_(rows, rows)]


def _rank(residual_cov: NDArray[np.float64], root: NDArray[np.float64]) -> int:
    """Return the rank of a residual covariance, judged against the working covariance ``root' root``."""
    half = np.linalg.solve(root.T, residual_cov)
    white = np.linalg.solve(root.T, half.T)
    return int((np.linalg.eigvalsh((white + white.T) / 2) > 1e-8).sum())


def _inverse_root(b: NDArray[np.float64], rank: int) -> NDArray[np.float64]:
    """Return the symmetric pseudo-inverse square root of a positive semi-definite matrix of known rank."""
    if rank == 0:
        return np.zeros_like(b)
    values, vectors = np.linalg.eigh((b + b.T) / 2)
    values, vectors = values[-rank:], vectors[:, -rank:]
    return (vectors / np.sqrt(np.maximum(values, 1e-300))) @ vectors.T


def _no_test(status: RobustStatus, n_clusters: int, estimate: float = float("nan")) -> RobustTest:
    nan = float("nan")
    return RobustTest(status, estimate, nan, nan, nan, nan, nan, nan, n_clusters)
