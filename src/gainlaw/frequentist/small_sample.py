"""Tests of one linear combination of fixed coefficients in small samples.

For a contrast ``c`` of a `MixedFit`: ``t = (c'b - null) / se``, referred to Student's t with ``df`` degrees
of freedom. Satterthwaite [1]_ matches the variance of ``c' Phi c``; Kenward and Roger [2]_ also widen ``Phi``
for the variances being estimates. For one contrast the two have the same degrees of freedom,
``df = 2 (c' Phi c)^2 / (g' W g)``, with ``g`` the gradient of ``c' Phi c`` in the variances and ``W`` the
inverse of their expected information; they differ in the standard error.

References
----------
.. [1] Fai, A. H.-T. and Cornelius, P. L. (1996). Approximate F-tests of multiple degree of freedom hypotheses
   in generalized least squares analyses of unbalanced split-plot experiments. Journal of Statistical
   Computation and Simulation 54(4), 363-378. doi:10.1080/00949659608811740
.. [2] Kenward, M. G. and Roger, J. H. (1997). Small sample inference for fixed effects from restricted
   maximum likelihood. Biometrics 53(3), 983-997. doi:10.2307/2533558
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gainlaw.errors import InputError
from gainlaw.frequentist.mixed import MixedFit

__all__ = ["ContrastTest", "contrast_test", "holm", "kenward_roger_covariance", "t_probability"]

Method = Literal["kenward-roger", "satterthwaite"]
ContrastStatus = Literal["ok", "boundary", "not converged", "singular", "no df"]


@dataclass(frozen=True, slots=True)
class ContrastTest:
    """A test of one linear combination.

    Parameters
    ----------
    status : {"ok", "boundary", "not converged", "singular", "no df"}
        ``no df``: the data say nothing about a variance that the standard error depends on (two sizes and a
        checkpoint effect, say); ``df`` and the p values are then NaN. The rest is the status of the fit.
    method : str
        How the standard error and the degrees of freedom were computed.
    estimate, se : float
        The combination and its standard error, in the unit of the data.
    df : float
        Degrees of freedom.
    statistic : float
        ``(estimate - null) / se``.
    p_two_sided, p_less, p_greater : float
        p values of ``estimate = null`` against ``!=``, ``<`` and ``>``.
    """

    status: ContrastStatus
    method: str
    estimate: float
    se: float
    df: float
    statistic: float
    p_two_sided: float
    p_less: float
    p_greater: float


def kenward_roger_covariance(fit: MixedFit) -> NDArray[np.float64]:
    """Return the covariance of the fixed coefficients, widened for the estimated variances.

    ``Phi + 2 Phi [sum_kl W_kl (Q_kl - P_k Phi P_l)] Phi``; V is linear in the variances, so the second
    derivatives of Kenward and Roger (1997), doi:10.2307/2533558, are 0.

    Parameters
    ----------
    fit : MixedFit
        The fit.

    Returns
    -------
    ndarray, shape (p, p)
        The adjusted covariance; NaN where the information of the variances is singular.
    """
    if not len(fit.variances):
        return fit.covariance
    w = _inverse_information(fit)
    phi = fit.covariance
    weighted = np.tensordot(w, fit.p_matrices, axes=1)
    inner = np.tensordot(w, fit.q_matrices, axes=2) - (fit.p_matrices @ phi @ weighted).sum(axis=0)
    adjusted = phi + 2 * phi @ inner @ phi
    return (adjusted + adjusted.T) / 2


def contrast_test(
    fit: MixedFit, contrast: ArrayLike, *, null: float = 0.0, method: Method = "kenward-roger"
) -> ContrastTest:
    """Test one linear combination of the fixed coefficients.

    Parameters
    ----------
    fit : MixedFit
        The fit.
    contrast : array_like, shape (p,)
        The weights.
    null : float
        Value under the null hypothesis.
    method : {"kenward-roger", "satterthwaite"}
        Which standard error; see the module.

    Returns
    -------
    ContrastTest
        Estimate, standard error, degrees of freedom and p values. Where they cannot be had they are NaN and
        the status says why.

    Raises
    ------
    InputError
        If the contrast has the wrong length.

    Examples
    --------
    With one random block and balanced data the test of the mean is the t test of the block means.

    >>> import numpy as np
    >>> from gainlaw.frequentist.mixed import fit_mixed
    >>> y = np.array([1.0, 2.0, 4.0, 5.0, 9.0, 6.0])
    >>> block = np.kron(np.eye(3), np.ones((2, 1)))
    >>> test = contrast_test(fit_mixed(y, np.ones(6), [block]), [1.0])
    >>> means = np.array([1.5, 4.5, 7.5])
    >>> round(test.df, 6), round(test.statistic, 6), round(float(4.5 / means.std(ddof=1) * 3**0.5), 6)
    (2.0, 2.598076, 2.598076)
    """
    c = np.asarray(contrast, dtype=float).reshape(-1)
    if len(c) != len(fit.beta):
        raise InputError(f"the contrast has {len(c)} weights, the fit {len(fit.beta)} coefficients")
    name = "REML, Kenward-Roger" if method == "kenward-roger" else "REML, Satterthwaite"
    if fit.status == "singular":
        return _no_test("singular", name)
    estimate = float(c @ fit.beta)
    variance = float(c @ fit.covariance @ c)
    if not variance > 0:
        return _no_test("singular", name, estimate)
    if not len(fit.variances):
        return _test(fit.status, name, estimate, variance**0.5, float("inf"), null)
    pull = fit.covariance @ c
    gradient = -(fit.p_matrices @ pull) @ pull
    w = _inverse_information(fit)
    spread = float(gradient @ w @ gradient)
    blind = ~np.isfinite(spread) or np.abs(gradient - fit.information @ w @ gradient).max() > 1e-6 * (
        np.abs(gradient).max() + 1e-300
    )
    if blind or spread <= 0:
        return _no_test("no df", name, estimate, variance**0.5)
    df = 2 * variance**2 / spread
    if method == "kenward-roger":
        widened = float(c @ kenward_roger_covariance(fit) @ c)
        if not widened > 0:
            return _no_test("no df", name, estimate, variance**0.5)
        variance = widened
    return _test(fit.status, name, estimate, variance**0.5, df, null)


def t_probability(statistic: float, df: float) -> float:
    """Return the probability that Student's t with `df` degrees of freedom is below `statistic`.

    Examples
    --------
    >>> round(t_probability(-2.0, 5.0), 4), round(t_probability(1.96, float("inf")), 4)
    (0.051, 0.975)
    """
    from scipy.special import ndtr, stdtr

    if not (np.isfinite(statistic) and df > 0):
        return float("nan")
    return float(ndtr(statistic) if np.isinf(df) else stdtr(df, statistic))


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Adjust p values for a list of tests by Holm's step-down method.

    Parameters
    ----------
    p : array_like, shape (m,)
        p values; NaN means that there was no test, and stays NaN.

    Returns
    -------
    ndarray, shape (m,)
        Adjusted p values: the smallest family-wise error rate at which each test rejects.

    References
    ----------
    .. [1] Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of
       Statistics 6(2), 65-70. https://www.jstor.org/stable/4615733

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, float("nan")]).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    from statsmodels.stats.multitest import multipletests

    values = np.asarray(p, dtype=float).reshape(-1)
    tested = np.isfinite(values)
    out = np.full(len(values), np.nan)
    out[tested] = multipletests(values[tested], method="holm")[1]
    return out


def _inverse_information(fit: MixedFit) -> NDArray[np.float64]:
    """Return the (pseudo-)inverse of the information, on the scale of the standard deviations' units."""
    diagonal = np.sqrt(np.diag(fit.information))
    scale = np.where(diagonal > 0, diagonal, 1.0)
    scaled = fit.information / np.outer(scale, scale)
    if not np.isfinite(scaled).all():
        return np.full_like(scaled, np.nan)
    return np.linalg.pinv(scaled, rcond=1e-9, hermitian=True) / np.outer(scale, scale)


def _test(status: str, name: str, estimate: float, se: float, df: float, null: float) -> ContrastTest:
    statistic = (estimate - null) / se
    less = t_probability(statistic, df)
    greater = t_probability(-statistic, df)
    two_sided = 2 * min(less, greater) if np.isfinite(less) else float("nan")
    return ContrastTest(status, name, estimate, se, df, statistic, two_sided, less, greater)  # type: ignore[arg-type]


def _no_test(
    status: ContrastStatus, name: str, estimate: float = float("nan"), se: float = float("nan")
) -> ContrastTest:
    nan = float("nan")
    return ContrastTest(status, name, estimate, se, nan, nan, nan, nan, nan)
