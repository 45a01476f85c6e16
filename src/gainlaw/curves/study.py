"""Several laws for several curves of one table of gains, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from gainlaw.curves.comparison import compare_curves, in_words
from gainlaw.curves.fit import CurveFit, fit_curve
from gainlaw.curves.points import CurvePoints, checkpoint_points
from gainlaw.errors import InputError, Problem
from gainlaw.laws import law as law_of
from gainlaw.laws import usual
from gainlaw.laws.record import Law
from gainlaw.notes import count_of
from gainlaw.scores.gains.table import Gains

__all__ = ["DEFAULT_LAWS", "CurveStudy", "fit_curves"]

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
        """The estimates and asymptotes of every fit, after ``curve``, ``law``, ``checkpoints`` and ``sizes``."""
        parts = []
        for (curve, law), fit in self.fits.items():
            part = pd.concat(
                [each for each in (fit.estimates, fit.asymptote) if len(each)], ignore_index=True
            )
            for column, value in (
                ("sizes", fit.points.n_sizes), ("checkpoints", fit.points.n_groups), ("law", law), ("curve", curve),
            ):  # fmt: skip
                part.insert(0, column, value)
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    @property
    def words(self) -> dict[str, str]:
        """Say of every curve which law describes it best, by how much, and what cannot be told."""
        return {name: in_words(self.compared[name], self.of(name)[0].points.n_sizes) for name in self.curves}

    def best(self, curve: str) -> CurveFit:
        """Return the fit that describes a curve best."""
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
    if not chosen:
        raise InputError(Problem("no law to fit"))
    several = [law.name for law in chosen if law.variables != ("x",)]
    if several:
        raise InputError(Problem(f"{', '.join(several)}: not a law of the gain against size alone"))
    fits, skipped = {}, []
    curves = checkpoint_points(gains, by)
    for turn, (name, points) in enumerate(curves.items()):
        for place, law in enumerate(chosen):
            if progress is not None:
                progress(turn * len(chosen) + place, len(curves) * len(chosen))
            reason = _reason(points, law)
            if reason:
                skipped.append((name, law.name, reason))
                continue
            fits[name, law.name] = fit_curve(points, law=law, loss=loss, ci_prob=ci_prob, seed=seed)
    if not fits:
        raise InputError([Problem(f"{curve}: {law}: {reason}") for curve, law, reason in skipped])
    return CurveStudy(fits, tuple(skipped))


def _reason(points: CurvePoints, law: Law) -> str:
    """Return why a law cannot be fitted to points, or nothing."""
    parameters = len(law.parameters)
    if points.n_sizes < parameters:
        return f"{count_of(parameters, 'parameter')}, {count_of(points.n_sizes, 'size')}"
    return ""
