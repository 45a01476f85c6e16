"""Predictions in two steps: a law of a loss, and a law of what the loss makes of a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gainlaw.curves.fit import CurveFit
from gainlaw.curves.places import plain_column, reach, variables_at
from gainlaw.curves.resampling import BLOCK, DRAWS, FEW, group_numbers, kind_of, refits
from gainlaw.errors import InputError, Problem
from gainlaw.laws.expression import parse
from gainlaw.laws.numeric import log_quantity, values_of, variable_of
from gainlaw.laws.record import Law
from gainlaw.laws.variables import source_of
from gainlaw.numbers import read_number

__all__ = ["Chain", "Resampled", "chain"]

Float = NDArray[np.float64]

# Losses of a run in both tables that differ by less, relative to them, are one number.
_SAME = 1e-6
# Runs from which a correlation of residuals is computed.
_FEWEST = 5


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """Refits of both laws to resampled runs.

    Parameters
    ----------
    first, second : ndarray, shape (kept, p), (kept, q)
        Parameters searched for, of the refits that can be used.
    kinds : tuple of str
        How the runs of each were resampled.
    together : bool
        Whether the same runs were drawn for both.
    draws : int
        Refits tried.
    """

    first: Float
    second: Float
    kinds: tuple[str, str]
    together: bool
    draws: int


@dataclass(frozen=True, eq=False, repr=False)
class Chain:
    r"""Two laws, the second of what the first predicts: :math:`\mathrm{score} = g(f(x))`.

    Parameters
    ----------
    first, second : CurveFit
        The law of the loss, and that of the score against the loss.
    same_runs : bool
        Whether groups of the same name are the same runs in both.
    """

    first: CurveFit
    second: CurveFit
    same_runs: bool

    def __repr__(self) -> str:
        """Say in a line what follows from what."""
        runs = "of the same runs" if self.same_runs else "of runs of their own"
        return f"<{type(self).__name__}: {self.first.law.name}, then {self.second.law.name}, {runs}>"

    @property
    def status(self) -> str:
        """``ok``, or ``failed`` where one of the fits is."""
        return "failed" if "failed" in (self.first.status, self.second.status) else "ok"

    def resampled(self, draws: int = DRAWS) -> Resampled:
        """Return refits of both laws; groups that are the same runs are drawn together.

        Each is resampled as `gainlaw.curves.resampling.bootstrap` would resample it. Where that differs between them,
        runs are drawn in pairs if both have ten or more, else their residuals are multiplied (wild) if both losses
        allow it, else each is resampled by itself.

        Parameters
        ----------
        draws : int
            Refits.

        Raises
        ------
        InputError
            If a fit has no degrees of freedom, or no refit can be used.
        """
        draws = int(read_number(draws, "draws", least=2, whole=True))
        if draws not in self._made:
            self._made[draws] = self._resample(draws)
        return self._made[draws]

    @cached_property
    def _made(self) -> dict[int, Resampled]:
        return {}

    def _resample(self, draws: int) -> Resampled:
        fits = (self.first, self.second)
        if min(fit.df for fit in fits) < 1:
            raise InputError(Problem("as many parameters as points: nothing is left to resample"))
        names = np.unique(np.concatenate([np.unique(fit.points.groups) for fit in fits]))
        kinds = tuple(kind_of(fit) for fit in fits)
        if self.same_runs and kinds[0] != kinds[1]:
            kinds = _common(fits) or kinds
        together = self.same_runs and kinds[0] == kinds[1] and kinds[0] in ("pairs", "wild")
        rng = np.random.default_rng(np.random.SeedSequence(self.first.seed, spawn_key=(23,)))
        block = max(BLOCK // max(len(fit.points) for fit in fits), 1)
        parts = []
        for begin in range(0, draws, block):
            count = min(block, draws - begin)
            numbers = group_numbers(kinds[0], len(names), count, rng) if together else None
            made = []
            for fit, kind in zip(fits, kinds, strict=True):
                own = None
                if numbers is not None:
                    own = np.ascontiguousarray(
                        numbers[:, np.searchsorted(names, np.unique(fit.points.groups))]
                    )
                made.append(refits(fit, kind, count, rng, own))
            usable = made[0][1] & made[1][1]
            parts.append([theta[usable] for theta, _ in made])
        first, second = (np.concatenate(each) for each in zip(*parts, strict=True))
        if len(first) < 2:
            raise InputError(Problem(f"none of {draws} resamples could be fitted by both laws"))
        return Resampled(first, second, (kinds[0], kinds[1]), together, draws)

    def predict(self, at: Mapping[str, ArrayLike], *, draws: int = DRAWS) -> pd.DataFrame:
        """Return what both laws together predict at places, with percentile intervals of refits of both.

        Parameters
        ----------
        at : mapping of str to array
            What the first law depends on, by its variables or by the quantities behind them
            (`gainlaw.curves.places.variables_at`): ``{"params": ["7B"], "tokens": ["4T"]}``.
        draws : int
            Refits.

        Returns
        -------
        pandas.DataFrame
            The variables; ``between``, what the first law predicts in the unit in which it was measured, and ``value``,
            what the second makes of it, each with ``_low`` and ``_high`` of its mean; ``new_low`` and ``new_high`` of a
            new run, whose loss and score scatter around the laws as those of the runs do, NaN for counts; ``reach``,
            how many times the largest of the first law's points the place is (`gainlaw.curves.places.reach`); and
            ``beyond``, how far ``between`` lies outside what the second law was fitted to, in widths of that range;
            ``status`` of the chain.

        Raises
        ------
        InputError
            If a variable is missing, or the refits cannot be made.

        Examples
        --------
        >>> import numpy as np
        >>> import gainlaw as gl
        >>> size = np.geomspace(1e8, 1e10, 12)
        >>> loss = 1.5 + (size / 1e9) ** -0.3 + 0.01 * np.cos(np.arange(12))
        >>> score = 0.25 + 0.7 / (1 + np.exp(4 * (loss - 2.4))) + 0.01 * np.sin(np.arange(12))
        >>> first = gl.fit_curve({"x": np.log10(size / 1e9)}, loss, law="offset_power")
        >>> second = gl.fit_curve({"l": loss}, score, law="loss_accuracy", bounds={"c": (0.25, 0.3)})
        >>> row = gl.chain(first, second).predict({"params": ["100B"]}, draws=200).iloc[0]
        >>> bool(row["value_low"] < row["value"] < row["value_high"]), float(row["reach"].round(9))
        (True, 10.0)
        """
        variables = variables_at(self.first.law, at, self.first.points.columns)
        made = self.resampled(draws)
        scatter = self._scatter(len(made.first))
        best = self._values(None, variables, None)
        drawn, new = self._values(made, variables, None), self._values(made, variables, scatter)[1]
        tail = 0.5 - 0.5 * self.first.ci_prob
        frame = pd.DataFrame(dict(variables))
        for name, here, each in zip(("between", "value"), best, drawn, strict=True):
            low, high = np.nanquantile(each, [tail, 1.0 - tail], axis=0)
            frame = frame.assign(**{name: here[0], f"{name}_low": low, f"{name}_high": high})
        frame["new_low"], frame["new_high"] = (
            np.nanquantile(new, [tail, 1.0 - tail], axis=0) if np.isfinite(new).any() else (np.nan, np.nan)
        )
        known, between = _measured(self.second), best[0][0]
        outside = np.maximum(known.min() - between, between - known.max())
        frame["reach"] = reach(self.first, variables)
        frame["beyond"] = np.maximum(outside, 0.0) / (known.max() - known.min())
        return frame.assign(status=self.status)

    def _values(
        self, made: Resampled | None, variables: Mapping[str, Float], noise: Float | None
    ) -> tuple[Float, Float]:
        """Return what both laws predict, shape (m, k), between and at the end: the estimates, or every refit."""
        between = _along(self.first, variables, *(() if made is None else (made.first, made.kinds[0])))
        between = between if noise is None else between + noise[0]
        between = self.first.as_measured(between)
        (variable,) = self.second.law.variables
        transform = source_of(variable)[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            given = variable_of(transform, np.log(between)) if transform else between
        at = {variable: given}
        value = _along(self.second, at, *(() if made is None else (made.second, made.kinds[1])))
        value = value if noise is None else value + noise[1]
        return between, self.second.as_measured(value)

    def _scatter(self, draws: int) -> Float:
        """Return how new runs depart from both curves, shape (2, draws, 1), correlated as the residuals."""
        rng = np.random.default_rng(np.random.SeedSequence(self.first.seed, spawn_key=(24,)))
        one, two = rng.standard_normal((2, draws, 1))
        share = self._correlation()
        return np.stack(
            [self.first.spread * one, self.second.spread * (share * one + np.sqrt(1.0 - share**2) * two)]
        )

    def _correlation(self) -> float:
        """Return the correlation of the residuals of runs that both laws have; 0 of fewer than five."""
        means = [
            pd.Series(fit.residuals).groupby(fit.points.groups).mean() for fit in (self.first, self.second)
        ]
        both = pd.concat(means, axis=1, join="inner") if self.same_runs else pd.DataFrame()
        if len(both) < _FEWEST or not (both.std() > 0.0).all():
            return 0.0
        return float(np.corrcoef(both.to_numpy(), rowvar=False)[0, 1])


def chain(first: CurveFit, second: CurveFit, *, same_runs: bool | None = None) -> Chain:
    r"""Chain two fits: a law of a loss, and a law of a score against that loss.

    Parameters
    ----------
    first : CurveFit
        The law of the loss against size and tokens, compute, or whatever it depends on.
    second : CurveFit
        The law of the score; its one variable is the loss: ``loss_accuracy``, or a formula.
    same_runs : bool, optional
        Whether groups (`groups` of `gainlaw.fit_curve`; of a table its lines by default) of the same name are the same
        runs in both, which are then resampled together. By default they are where their losses agree; the second may
        have more of them, such as earlier checkpoints.

    Raises
    ------
    InputError
        If the second law has not one variable, the loss goes by two names, or the losses of some groups of the
        same name agree and those of others do not.

    Notes
    -----
    Two steps: Bhagia et al. (2024, arXiv 2412.04403), with a loss of the task itself between, and a logistic curve;
    Gadre et al. (2024, arXiv 2403.08540), with the error an exponential of the loss; Llama Team (2024, arXiv
    2407.21783, section 3.2.1), with compute before, and older models in the second step.

    Examples
    --------
    >>> import numpy as np
    >>> import gainlaw as gl
    >>> size = np.geomspace(1e8, 1e10, 12)
    >>> loss = 1.5 + (size / 1e9) ** -0.3
    >>> first = gl.fit_curve({"x": np.log10(size / 1e9)}, loss, law="offset_power")
    >>> law = gl.formula_law("c - exp(loss - m)", variables=["loss"])
    >>> second = gl.fit_curve({"loss": loss}, 0.9 - np.exp(loss - 4.0), law=law)
    >>> chain(first, second)
    <Chain: offset_power, then formula, of the same runs>
    """
    if len(second.law.variables) != 1:
        names = ", ".join(second.law.variables)
        what = f"the second law {second.law.name} is of {names}, not of the loss alone"
        raise InputError(Problem(what, hint="loss_accuracy, or a formula of the loss"))
    problems = []
    if first.points.columns and second.points.columns:
        given, taken = (
            plain_column(first.points.columns["y"]), plain_column(second.points.columns[second.law.variables[0]])
        )  # fmt: skip
        if given != taken:
            problems.append(Problem(f"the first law predicts {given!r}, the second depends on {taken!r}"))
    if first.ci_prob != second.ci_prob:
        problems.append(
            Problem(f"intervals of {first.ci_prob:g} and of {second.ci_prob:g}", hint="the same ci_prob")
        )
    if problems:
        raise InputError(problems)
    return Chain(first, second, _same_runs(first, second) if same_runs is None else bool(same_runs))


def _common(fits: tuple[CurveFit, CurveFit]) -> tuple[str, str] | None:
    """Return a way in which the runs of both fits may be resampled at once; None where there is none."""
    if min(fit.points.n_groups for fit in fits) >= FEW:
        return "pairs", "pairs"
    plain = all(fit.loss not in ("huber", "lad") and fit.points.trials is None for fit in fits)
    return ("wild", "wild") if plain else None


def _same_runs(first: CurveFit, second: CurveFit) -> bool:
    """Return whether groups of the same name have the same losses."""
    losses = first.as_measured(first.points.y)
    theirs = _measured(second)
    agree = []
    for name in np.intersect1d(first.points.groups, second.points.groups):
        own, other = losses[first.points.groups == name], theirs[second.points.groups == name]
        agree.append(bool(np.isclose(own[:, None], other[None], rtol=_SAME, atol=0.0).any(axis=1).all()))
    if agree and any(agree) and not all(agree):
        what = f"of {len(agree)} groups that both fits have, the losses of {sum(agree)} agree"
        raise InputError(Problem(what, hint="say whether they are the same runs: same_runs=True or False"))
    return bool(agree) and all(agree)


def _measured(second: CurveFit) -> Float:
    """Return the losses that the second law was fitted to, as they were measured."""
    (variable,) = second.law.variables
    transform = source_of(variable)[1]
    values = np.asarray(second.points.variables[variable])
    return np.exp(log_quantity(transform, values)) if transform else values


def _along(
    fit: CurveFit, variables: Mapping[str, Float], theta: Float | None = None, kind: str = ""
) -> Float:
    """Return a fit's curve at variables, shape (1 or m, k), or those of its refits, their departures widened.

    Percentiles of refits to few runs are too short: those drawn in pairs by the degrees of freedom, and all by what
    Student's t is wider than the normal law.
    """
    from scipy.stats import norm, t

    best = _curves(fit.law, fit.optimum.theta[None], variables)
    if theta is None:
        return best
    level = 0.5 + 0.5 * fit.ci_prob
    wider = float(t.ppf(level, min(fit.points.n_groups - 1, fit.df)) / norm.ppf(level))
    if kind == "pairs":
        wider *= float(np.sqrt(len(fit.points) / fit.df))
    return best + wider * (_curves(fit.law, theta, variables) - best)


def _curves(law: Law, theta: Float, variables: Mapping[str, Float]) -> Float:
    """Return a law's values at variables, for each set of parameters, shape (m, p)."""
    graph = parse(law.formula, law.variables, parameters=[each.name for each in law.parameters])
    natural = law.natural(theta)
    named = {each.name: natural[:, k, None] for k, each in enumerate(law.parameters)}
    with np.errstate(all="ignore"):
        return values_of(graph, {**named, **variables})
