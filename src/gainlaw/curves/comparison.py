"""Laws side by side on the same points: how well each describes them, and how well it predicts what it has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.curves.fit import CurveFit
from gainlaw.curves.identifiability import leave_one_out, without_largest
from gainlaw.curves.kernels import problem as kernel
from gainlaw.curves.points import CurvePoints
from gainlaw.errors import InputError, Problem
from gainlaw.notes import count_of

__all__ = ["COMPARABLE", "compare_curves", "in_words"]

Float = NDArray[np.float64]

#: Losses by which laws are compared: their objectives are likelihoods of one kind.
COMPARABLE = ("squared", "gls")
# Points less parameters, the spread among them, that a law needs to be judged by its AICc: with two or fewer left the
# correction alone is larger than any difference in fit.
SPARE = 3
# Laws whose AICc is this close to the least cannot be told apart (Burnham and Anderson 2004).
CLOSE = 4.0


def compare_curves(fits: Sequence[CurveFit]) -> pd.DataFrame:
    r"""Compare laws fitted to the same points.

    Parameters
    ----------
    fits : sequence of CurveFit
        Fits of one set of points by one loss, ``squared`` or ``gls``.

    Returns
    -------
    pandas.DataFrame
        One row a law, the best first: ``law``, ``parameters`` (the spread counted), ``sigma``, ``aicc`` and
        ``delta_aicc``, ``loo_rmse`` (each checkpoint predicted without it), ``holdout_error`` (the largest size
        predicted without it: data less prediction), ``weight`` (Akaike's), and ``close``: whether it cannot be told
        from the best. The AICc is NaN for a law with too many parameters to be judged by it (fewer than three points
        more than parameters), an error of prediction where the remaining sizes are not more than the parameters.

    Raises
    ------
    InputError
        If the points or losses differ, or the loss is a robust one or of counts.

    Notes
    -----
    :math:`\mathrm{AICc} = n \log(S/n) + 2k + 2k(k+1)/(n-k-1)` (Hurvich and Tsai 1989, doi 10.1093/biomet/76.2.297).
    Burnham and Anderson (2004), doi 10.1177/0049124104268644.

    Examples
    --------
    >>> import gainlaw as gl
    >>> from gainlaw.curves.comparison import compare_curves
    >>> sizes, y = [1e8, 2e8, 4e8, 8e8, 1.6e9, 3.2e9, 6.4e9], [9.1, 7.2, 6.3, 5.1, 4.4, 3.4, 3.1]
    >>> compare_curves([gl.fit_curve(sizes, y, law=law) for law in ("constant", "linear", "power")])["law"][0]
    'power'
    """
    if not fits:
        raise InputError(Problem("a comparison needs a fit"))
    first = fits[0]
    for fit in fits:
        if (
            fit.loss != first.loss
            or len(fit.points) != len(first.points)
            or not np.array_equal(fit.points.y, first.points.y)
        ):
            raise InputError(Problem("laws are compared on the same points with the same loss"))
    if first.loss not in COMPARABLE:
        raise InputError(Problem(f"laws are compared with the loss squared or gls, not {first.loss}"))
    frame = pd.DataFrame([_row(fit) for fit in fits])
    frame["delta_aicc"] = frame["aicc"] - frame["aicc"].min()
    relative = np.exp(-0.5 * frame["delta_aicc"])
    frame["weight"] = relative / relative.sum()
    frame["close"] = frame["delta_aicc"] <= CLOSE
    order = frame["aicc"].fillna(np.inf).to_numpy().argsort(kind="stable")
    return frame.iloc[order].reset_index(drop=True)


def _row(fit: CurveFit) -> dict[str, object]:
    n, k = len(fit.points), len(fit.law.parameters) + 1
    total = 2.0 * fit.optimum.objective
    aicc = (
        n * np.log(max(total, 1e-300) / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
        if n - k >= SPARE
        else np.nan
    )
    return {
        "law": fit.law.name,
        "parameters": k,
        "sigma": fit.sigma,
        "aicc": aicc,
        "loo_rmse": _loo(fit),
        "holdout_error": _holdout(fit),
    }


def _loo(fit: CurveFit) -> float:
    """Return the root mean square error of checkpoints predicted without them."""
    if fit.points.n_sizes - 1 <= len(fit.law.parameters):
        return float("nan")
    names, theta = leave_one_out(fit)
    squares = []
    for name, each in zip(names, theta, strict=True):
        out = fit.points.groups == name
        predicted = kernel.predict(fit.problem, each)[0]
        squares.append(np.mean((fit.points.y - predicted)[out] ** 2))
    return float(np.sqrt(np.mean(squares)))


def _holdout(fit: CurveFit) -> float:
    """Return the mean of the largest size's numbers less what the smaller sizes predict for it."""
    theta = without_largest(fit)
    if theta is None:
        return float("nan")
    n = fit.points.variables["N"]
    return float(np.mean((fit.points.y - kernel.predict(fit.problem, theta)[0])[n == n.max()]))


def in_words(table: pd.DataFrame, points: CurvePoints) -> str:
    """Say which law describes the points best, by how much, and which cannot be told from it.

    Parameters
    ----------
    table : pandas.DataFrame
        From `compare_curves`.
    points : CurvePoints
        What the laws were fitted to.
    """
    sizes = count_of(points.n_sizes, points.place)
    if table["aicc"].notna().sum() == 0:
        return f"From {sizes} no law can be judged: each has nearly as many parameters as there are {points.place}s."
    best = table.iloc[0]
    others = table.iloc[1:]
    close = [_spoken(name) for name in others.loc[others["close"], "law"]]
    beaten = others.loc[~others["close"] & others["aicc"].notna()]
    unknown = [_spoken(name) for name in others.loc[others["aicc"].isna(), "law"]]
    words = f"The {_spoken(best['law'])} law describes the {sizes} best"
    if len(others) and others["delta_aicc"].notna().any():
        words += f" (AICc lower by {others['delta_aicc'].min():.1f} than the next)"
    words += "."
    if close:
        words += f" {sizes} cannot tell it from the {_listed(close)} law{'s' if len(close) > 1 else ''}."
    if len(beaten):
        verb = "laws fit" if len(beaten) > 1 else "law fits"
        words += f" The {_listed([_spoken(name) for name in beaten['law']])} {verb} worse."
    if unknown:
        verb = "laws have" if len(unknown) > 1 else "law has"
        words += f" The {_listed(unknown)} {verb} too many parameters to be judged from {sizes}."
    told = table[table["loo_rmse"].notna()]
    if len(told) > 1:
        leader = told.iloc[int(told["loo_rmse"].to_numpy().argmin())]
        words += f" {points.replicate.capitalize()}s left out are predicted best by the {_spoken(leader['law'])} law"
        words += f" (root mean square error {leader['loo_rmse']:.3g})."
    return words


def _spoken(name: object) -> str:
    return str(name).replace("_", " ")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
