"""One curve fitted to points: what is resampled, profiled and said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gainlaw.curves.estimate import minimise
from gainlaw.curves.frontier import Frontier
from gainlaw.curves.identifiability import Finding, examine
from gainlaw.curves.kernels import problem as kernel
from gainlaw.curves.points import CurvePoints, checkpoint_points, points_from_arrays
from gainlaw.curves.profile import Profile, profile
from gainlaw.curves.reading import column_law, curve_points
from gainlaw.curves.record import CurveRecord
from gainlaw.curves.resampling import DRAWS, CurveBootstrap, bootstrap
from gainlaw.errors import InputError, Problem
from gainlaw.faces import notebook_html
from gainlaw.formats import MINUS, format_general, percent
from gainlaw.laws import law as law_of
from gainlaw.laws.changed import bounded
from gainlaw.laws.record import Law
from gainlaw.notes import count_of
from gainlaw.numbers import read_number
from gainlaw.options import DEFAULT_LAW
from gainlaw.scores.gains.table import Gains

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CurveFit", "fit_curve"]

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class CurveFit(CurveRecord):
    """One curve fitted to points.

    The parameters are those of `CurveRecord`.
    """

    def _repr_html_(self) -> str:
        rows = [
            (
                row["parameter"],
                *(format_general(row[name], MINUS) for name in ("estimate", "se", "low", "high")),
                row["unit"],
                row["meaning"],
            )
            for row in self.estimates.to_dict("records")
        ]
        wide = percent(self.ci_prob)
        head = ("Parameter", "Estimate", "s.e.", f"{wide} low", f"{wide} high", "Unit", "Meaning")
        findings = [each.message for each in self.findings]
        alert = "do not use these numbers" if self.status != "ok" else ""
        return notebook_html(self.headline, head, rows, notes=[self.law.formula, *findings], alert=alert)

    @property
    def status(self) -> str:
        """``ok``, or ``failed`` where a finding says that the fit must not be trusted."""
        return "failed" if any(each.failed for each in self.findings) else "ok"

    def bootstrap(self, draws: int = DRAWS, *, kind: str | None = None) -> CurveBootstrap:
        """Refit to resampled checkpoints; see `gainlaw.curves.resampling.bootstrap`."""
        if (draws, kind) not in self._resampled:
            self._resampled[draws, kind] = bootstrap(self, draws, kind=kind)
        return self._resampled[draws, kind]

    @cached_property
    def _resampled(self) -> dict[tuple[int, str | None], CurveBootstrap]:
        """Resamples that were made, which claims and the frontier share."""
        return {}

    def frontier(self, draws: int = DRAWS) -> Frontier:
        """Return the compute-optimal size and tokens of a law in both, with bootstrap intervals.

        Parameters
        ----------
        draws : int
            Refits.

        Raises
        ------
        InputError
            If the law is not one of size and tokens.

        Examples
        --------
        >>> import gainlaw as gl
        >>> import numpy as np
        >>> n, d = (each.ravel() for each in np.meshgrid(np.geomspace(1e8, 1e10, 5), np.geomspace(1e9, 1e11, 5)))
        >>> loss = 1.8 + 480 / n**0.35 + 2100 / d**0.37
        >>> fit = gl.fit_curve({"log_n": np.log(n), "log_d": np.log(d)}, np.log(loss), law="chinchilla")
        >>> f"{fit.frontier(100).at([1e21])['params'][0]:.3g}"
        '2.94e+09'
        """
        return Frontier(self, self.bootstrap(draws))

    def profile(self, parameter: str, *, points: int = 41) -> Profile:
        """Return the profile of the objective over one parameter; see `gainlaw.curves.profile.profile`."""
        return profile(self, parameter, points=points)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What the points cannot tell about the law; see `gainlaw.curves.identifiability.examine`."""
        return examine(self)


def fit_curve(
    data: Gains | CurvePoints | pd.DataFrame | ArrayLike | Mapping[str, ArrayLike],
    y: ArrayLike | str | None = None,
    *,
    x: str | Sequence[str] | Mapping[str, str] | None = None,
    law: str | Law = DEFAULT_LAW,
    loss: str | None = None,
    delta: float | None = None,
    nu: float = 4.0,
    se: ArrayLike | str | None = None,
    covariance: ArrayLike | None = None,
    weights: ArrayLike | str | None = None,
    trials: ArrayLike | str | None = None,
    groups: Sequence[object] | str | None = None,
    bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
    start: Mapping[str, float] | None = None,
    starts: int = 16,
    ci_prob: float = 0.95,
    seed: int = 0,
) -> CurveFit:
    r"""Fit one curve.

    Parameters
    ----------
    data : Gains, CurvePoints, pandas.DataFrame, array or mapping of str to array
        Gains, which become one point for each checkpoint (`checkpoint_points`); or model sizes in parameters, as
        numbers or text such as ``"7B"``; or the law's variables by name; or any table, with `x`.
    y : array or str, optional
        The numbers at the sizes: gains, losses, or counts of successes with `trials`. Of a table, their column or
        ``log(COLUMN)``; a law of a logarithm takes it by itself.
    x : str, sequence of str or mapping of str to str, optional
        Of a table, the columns that the law depends on, see `gainlaw.curve_points`; `se`, `weights`, `trials` and
        `groups` are columns then too, and a formula is one of columns.
    law : str or Law
        A name of `gainlaw.laws.LAWS`, a formula in ``x`` = log10(params / 1e9), or a law.
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
    weights : array, optional
        Factors of the points' losses, for ``squared`` and ``huber``.
    trials : array, optional
        Items behind each count.
    groups : sequence, optional
        The checkpoint of each point.
    bounds : mapping of str to (float or None, float or None), optional
        The least and the largest value of parameters in their own units, as in ``{"alpha": (0, 1), "e": (0, None)}``.
        An estimate that ends at one is a finding, and its interval is one-sided.
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
    Bounds are kept by projected Newton steps (Bertsekas 1982, doi 10.1137/0320018), which end where no
    parameter that may move leads down. Linear parameters are projected out of the first steps (Golub and
    Pereyra 1973, doi 10.1137/0710036); then damped Newton steps with exact second derivatives, from several
    starts. Huber's loss (1964, doi 10.1214/aoms/1177703732) is minimised from a large threshold down to its own
    (Madsen and Nielsen 1993, SIAM J. Optim. 3, 223-235). A search that ends where a direction leads further
    down is a finding, and the fit's status is then failed.

    Examples
    --------
    >>> import gainlaw as gl
    >>> sizes = [1e8, 3e8, 1e9, 3e9, 1e10]
    >>> fit = gl.fit_curve(sizes, [9.0, 6.1, 4.0, 2.6, 1.8], law="power")
    >>> round(fit.values["r"], 2)
    0.36
    """
    import pandas as pd

    known = {"se": se, "covariance": covariance, "weights": weights, "trials": trials, "groups": groups}
    if isinstance(data, pd.DataFrame):
        chosen, points = _of_table(data, y, x, law, known)
    else:
        if x is not None:
            raise InputError(
                Problem("x names columns of a data frame", hint="fit_curve(frame, 'loss', x=...)")
            )
        chosen, points = law_of(law), _points(data, y, **known)
    chosen = bounded(chosen, bounds or {})
    # Errors that were given are there to be used; those of gains leave out what sets checkpoints apart.
    given = se is not None or covariance is not None or bool(points.columns)
    used = _loss(loss, given and points.covariance is not None)
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
    problem = kernel.set_up(chosen, points, used, delta=delta, nu=nu)
    problem, optimum = minimise(problem, starts=starts, start=start, seed=seed)
    return CurveFit(problem, optimum, ci_prob, seed)


def _loss(loss: str | None, known: bool) -> str:
    """Return the loss: where none is named, the one that uses the errors that were given, or squares."""
    if loss is None:
        return "gls" if known else "squared"
    if known and loss != "gls":
        hint = "leave out the errors, or the loss (it is then gls)"
        raise InputError(Problem(f"the loss {loss} does not use the known errors of the points", hint=hint))
    return loss


def _of_table(
    frame: pd.DataFrame,
    y: object,
    x: str | Sequence[str] | Mapping[str, str] | None,
    law: str | Law,
    known: Mapping[str, Any],
) -> tuple[Law, CurvePoints]:
    """Return the law, and the points of the one curve that a table has."""
    named = {name: column for name, column in known.items() if column is not None}
    wrong = [name for name, column in named.items() if not isinstance(column, str)]
    if x is None or not isinstance(y, str) or wrong:
        what = f"of a data frame, {', '.join(['y', 'x', *wrong])} are columns by name"
        raise InputError(Problem(what, hint="fit_curve(frame, 'loss', x=['params', 'tokens'], law=...)"))
    chosen = column_law(law, x)
    return chosen, next(iter(curve_points(frame, y, x, chosen, **named).values()))


def _points(data: object, y: object, **known: object) -> CurvePoints:
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
