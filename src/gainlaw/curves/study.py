"""Several laws for several curves of one table of gains, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from gainlaw.curves.comparison import COMPARABLE, compare_curves, in_words
from gainlaw.curves.fit import CurveFit, fit_curve
from gainlaw.curves.points import CurvePoints, checkpoint_points
from gainlaw.errors import InputError, Problem
from gainlaw.laws import law as law_of
from gainlaw.laws import usual
from gainlaw.laws.record import Law
from gainlaw.notes import count_of
from gainlaw.scores.gains.table import Gains

__all__ = ["DEFAULT_LAWS", "CurveStudy", "fit_curves", "fit_points"]

#: What is fitted where no law is named.
DEFAULT_LAWS = usual()


@dataclass(frozen=True, eq=False)
class CurveStudy:
    """Laws fitted to curves.

    Parameters
    ----------
    fits : dict of (str, str) to CurveFit
        By curve and law.
    skipped : tuple of (str, str, str)
        Curve, law and reason, of what could not be fitted.
    """

    fits: dict[tuple[str, str], CurveFit]
    skipped: tuple[tuple[str, str, str], ...]

    @property
    def curves(self) -> list[str]:
        """Names of the curves."""
        return list(dict.fromkeys(curve for curve, _ in self.fits))

    @property
    def laws(self) -> list[str]:
        """Names of the laws that were fitted."""
        return list(dict.fromkeys(law for _, law in self.fits))

    def of(self, curve: str) -> list[CurveFit]:
        """Return the fits of one curve."""
        return [fit for (name, _), fit in self.fits.items() if name == curve]

    @cached_property
    def compared(self) -> dict[str, pd.DataFrame]:
        """`compare_curves` of every curve."""
        return {name: compare_curves(self.of(name)) for name in self.curves}

    @property
    def comparison(self) -> pd.DataFrame:
        """`compare_curves` of every curve, one below the other, with the column ``curve`` first."""
        parts = []
        for name in self.curves:
            table = self.compared[name].copy()
            table.insert(0, "curve", name)
            notes = {fit.law.name: "; ".join(each.message for each in fit.findings) for fit in self.of(name)}
            parts.append(table.assign(note=table["law"].map(notes)))
        return pd.concat(parts, ignore_index=True)

    @property
    def estimates(self) -> pd.DataFrame:
        """The estimates, asymptotes and derived numbers of every fit, after its curve, law and replicates."""
        parts = []
        for (curve, law), fit in self.fits.items():
            part = pd.concat(
                [each for each in (fit.estimates, fit.asymptote, fit.derived) if len(each)], ignore_index=True
            )
            for column, value in (
                ("sizes", fit.points.n_sizes), ("checkpoints", fit.points.n_groups), ("law", law), ("curve", curve),
            ):  # fmt: skip
                part.insert(0, column, value)
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    @property
    def words(self) -> dict[str, str]:
        """Say of every curve which law describes it best, by how much; nothing where laws cannot be compared."""
        if not self.comparable:
            return {}
        return {name: in_words(self.compared[name], self.of(name)[0].points) for name in self.curves}

    @property
    def comparable(self) -> bool:
        """Whether the loss of the fits is one by which laws are compared."""
        return all(fit.loss in COMPARABLE for fit in self.fits.values())

    def best(self, curve: str) -> CurveFit:
        """Return the fit that describes a curve best, the only one where there is one."""
        fits = self.of(curve)
        if len(fits) == 1:
            return fits[0]
        law = str(self.compared[curve]["law"].iloc[0])
        return self.fits[curve, law]


def fit_curves(
    gains: Gains,
    laws: Sequence[str | Law] = DEFAULT_LAWS,
    *,
    by: Sequence[str] = (),
    loss: str = "squared",
    ci_prob: float = 0.95,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> CurveStudy:
    """Fit laws to the curve of every group: one point a checkpoint.

    Parameters
    ----------
    gains : Gains
        Gains with model sizes.
    laws : sequence of str or Law
        Names, formulas or laws.
    by : sequence of str
        Columns that tell curves apart.
    loss : {"squared", "gls"}
        Equal weights, or the known sampling covariance.
    ci_prob : float
        Probability of the intervals.
    seed : int
        Seed of the starts.
    progress : callable, optional
        Called with the number of fits that are done and of all.

    Raises
    ------
    InputError
        If a law or column does not exist, or no law can be fitted to any curve.

    Examples
    --------
    >>> import gainlaw as gl
    >>> from gainlaw.curves.study import fit_curves
    >>> study = fit_curves(gl.load_dataset("bloomz", intermediates="xP3").gains(), ["constant", "linear"])
    >>> study.comparison["law"].tolist()
    ['linear', 'constant']
    """
    chosen = [law_of(each) for each in laws]
    several = [law.name for law in chosen if law.variables != ("x",)]
    if several:
        hint = "for a curve in several columns of a table name them: --y COLUMN --x COLUMN,..."
        what = f"{', '.join(several)}: not a law of the gain against size alone"
        raise InputError(Problem(what, hint=hint))
    curves = checkpoint_points(gains, by)
    return fit_points(curves, chosen, loss=loss, ci_prob=ci_prob, seed=seed, progress=progress)


def fit_points(
    curves: Mapping[str, CurvePoints],
    laws: Sequence[Law],
    *,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> CurveStudy:
    """Fit laws to the points of every curve.

    Parameters
    ----------
    curves : mapping of str to CurvePoints
        The points by the name of their curve; those of a table come from `gainlaw.curve_points`.
    laws : sequence of Law
        The laws; several are compared, which needs the loss ``squared`` or ``gls``.
    progress : callable, optional
        Called with the number of fits that are done and of all.
    **options
        Those of `gainlaw.fit_curve`: loss, delta, nu, ci_prob, seed.

    Raises
    ------
    InputError
        If there is no law, no law can be fitted to any curve, or several cannot be compared.
    """
    if not laws:
        raise InputError(Problem("no law to fit"))
    loss = options.get("loss")
    if len(laws) > 1 and loss not in (None, *COMPARABLE):
        hint = "give one law, or compare them with " + " or ".join(COMPARABLE)
        raise InputError(Problem(f"laws fitted by the loss {loss} are not compared", hint=hint))
    fits, skipped = {}, []
    for turn, (name, points) in enumerate(curves.items()):
        for place, law in enumerate(laws):
            if progress is not None:
                progress(turn * len(laws) + place, len(curves) * len(laws))
            reason = _reason(points, law)
            if reason:
                skipped.append((name, law.name, reason))
                continue
            fits[name, law.name] = fit_curve(points, law=law, **options)
    if not fits:
        raise InputError([Problem(f"{curve}: {law}: {reason}") for curve, law, reason in skipped])
    return CurveStudy(fits, tuple(skipped))


def _reason(points: CurvePoints, law: Law) -> str:
    """Return why a law cannot be fitted to points, or nothing."""
    parameters = len(law.parameters)
    if points.n_sizes < parameters:
        return f"{count_of(parameters, 'parameter')}, {count_of(points.n_sizes, points.place)}"
    return ""
