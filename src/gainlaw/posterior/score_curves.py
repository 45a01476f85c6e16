r"""Scores before and after, by a law of scores: two sigmoids, what lies between them, and what it is worth in size.

With the chance-corrected log-odds of the untuned score a line :math:`u = b + b_1 x` and those of the tuned one
:math:`u + a + a_1 x` in log size, and with the guess rate :math:`g`, a score is :math:`g + (1 - g)\,\sigma(\cdot)`. The
gain in points is the difference of the two: it may rise, peak and fall while both lines are straight. An untuned model
reaches the tuned one's score at :math:`x + (a + a_1 x) / b_1`: tuning is worth the factor
:math:`10^{(a + a_1 x) / b_1}` in size, one number where the lines are parallel. Where the untuned curve is flat no size
reaches it.

Under a law with ability the tuned log-odds are :math:`(1 + \gamma)\,u + a + a_1 x`: tuning adds
:math:`a + a_1 x + \gamma u`, all of which is called the gain here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from gainlaw.errors import InputError, Problem
from gainlaw.model.spec.joint import FIXED
from gainlaw.model.spec.terms import Term
from gainlaw.posterior.abilities import ability_draws, baseline_spread, cells_of
from gainlaw.posterior.curves import Curve, line_at, observed_range
from gainlaw.posterior.record import Posterior
from gainlaw.sizes import N0, decades, model_sizes

__all__ = [
    "AT_CHANCE",
    "NOT_REACHED",
    "REACH",
    "PointsCurve",
    "ScoreCurves",
    "lifted",
    "points_curve",
    "points_view",
    "score_curves",
    "within_reach",
]

Float = NDArray[np.float64]

NOT_REACHED = "not_reached"
"""The status of a factor in size where the untuned curve is flat, or may be: no size reaches the tuned score."""

AT_CHANCE = "at_chance"
"""Its status where untuned scores lie within two standard errors of guessing at all sizes: they say nothing of size."""

REACH = 1.0
"""Decades beyond the observed sizes up to which an untuned model is said to reach a score."""

# Sizes at which a peak is looked for.
_GRID = 33
# Abilities at which the gain is largest.
_ABILITIES = 129
_ERRORS = 2.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScoreCurves:
    """Draws of the untuned and the tuned score of a level, over the combinations of groups that were observed.

    Parameters
    ----------
    base, base_slope : ndarray, shape (draws, cells)
        Log-odds of the untuned scores at the law's centre, and their slopes per decade.
    gain, gain_slope : ndarray, shape (draws, cells)
        What tuning adds to them.
    chance : ndarray, shape (cells,)
        Guess rates.
    weight : ndarray, shape (cells,)
        The share of each cell: every task counts the same, and within one every combination.
    centre : float
        Where the law's shape is 0, in decades from 1e9 parameters.
    x_range : tuple of float
        The range of the sizes at which the level was observed, likewise.
    spans : ndarray, shape (2, cells)
        The same of each cell; that of the level for a cell of one size.
    at_chance : bool
        Whether the untuned scores lie within two standard errors of chance at all sizes.
    ability : ndarray, shape (draws,)
        The change of the gain on log-odds for one unit of the untuned log-odds; 0 for a law without.
    """

    base: Float
    base_slope: Float
    gain: Float
    gain_slope: Float
    chance: Float
    weight: Float
    centre: float
    x_range: tuple[float, float]
    spans: Float
    at_chance: bool
    ability: Float

    def scores(self, params: ArrayLike) -> tuple[Float, Float]:
        """Return draws of the untuned and of the tuned score in per cent, shape (draws, sizes) each.

        Parameters
        ----------
        params : float or sequence of float
            Model sizes in parameters.
        """
        return self._scores(np.atleast_1d(decades(model_sizes(params))), 0.0, 0.0, 0.0)

    def points(
        self, x: Float, gain: Float | float = 0.0, gain_slope: Float | float = 0.0, base: Float | float = 0.0
    ) -> Float:
        """Return draws of the gain in points, shape (draws, sizes).

        Parameters
        ----------
        x : ndarray, shape (sizes,)
            Decades from 1e9 parameters.
        gain, gain_slope, base : ndarray, shape (draws,), or float
            What is added to every cell's log-odds.
        """
        untuned, tuned = self._scores(x, gain, gain_slope, base)
        return tuned - untuned

    def mean_slope(
        self, gain: Float | float = 0.0, gain_slope: Float | float = 0.0, base: Float | float = 0.0
    ) -> Float:
        """Return draws, shape (draws,), of the slope of the gain in points per decade.

        Every cell counts with its average slope over the sizes at which it was itself observed: a curve is not
        followed to sizes where other families alone were seen.

        Parameters
        ----------
        gain, gain_slope, base
            As for `points`.
        """
        ends = []
        for x in self.spans:
            untuned, tuned = self._lines(x, gain, gain_slope, base)
            ends.append(expit(tuned) - expit(untuned))
        room = 100.0 * (1.0 - self.chance) * self.weight
        return np.asarray((ends[1] - ends[0]) @ (room / (self.spans[1] - self.spans[0])))

    def slope(self) -> Float:
        """Return draws, shape (draws,), of the untuned log-odds per decade, averaged over the cells."""
        return np.asarray(self.base_slope @ self.weight)

    def ability_effect(self) -> Float:
        """Return draws of the change of the gain on log-odds for one unit of the untuned log-odds, shape (draws,)."""
        return self.ability

    def size_effect(self) -> Float:
        """Return draws of the change of the gain on log-odds per decade at equal ability, shape (draws,)."""
        own = self.gain_slope - self.ability[:, None] * self.base_slope
        return np.asarray(own @ self.weight)

    def peak_ability(self) -> Float:
        """Return draws of the untuned score from which the gain in points is largest, shape (draws,).

        In per cent of the way from guessing to all right, at the middle of the sizes; NaN in draws in which the gain is
        largest at an end of the range of the untuned scores.
        """
        h = self._place(None) - self.centre
        ability = self.ability[:, None]
        added = (self.gain + self.gain_slope * h - ability * (self.base + self.base_slope * h)) @ self.weight
        ends = np.median([self.base + self.base_slope * (x - self.centre) for x in self.spans], axis=1)
        u = np.linspace(ends.min(), ends.max(), _ABILITIES)
        points = expit((1.0 + ability) * u + added[:, None]) - expit(u)
        at, offset = _top(points)
        return 100.0 * expit(u[0] + (at + offset) * (u[1] - u[0]))

    def size_multiplier(self, params: float | None = None) -> Float:
        """Return draws of the factor of parameters at which untuned models reach the tuned score, shape (draws,).

        Parameters
        ----------
        params : float, optional
            The size of the tuned model; by default the middle of the observed range on the log scale, where the
            factor is the geometric mean over the range.

        Notes
        -----
        Of the average over the cells on log-odds, where it has a closed form. In draws whose untuned curve does not
        rise it is the limit, infinite for a gain and 0 for a loss. So it is where the size lies over `REACH` decades
        outside the observed range: the line is not known to go on that far.
        """
        x = self._place(params)
        gain = self.gain @ self.weight + (self.gain_slope @ self.weight) * (x - self.centre)
        slope = self.slope()
        rises = slope > 0.0
        away = np.where(rises, gain / np.where(rises, slope, 1.0), np.where(gain > 0.0, np.inf, -np.inf))
        low, high = self.reach(params)
        with np.errstate(over="ignore"):
            factor = 10.0**away
        return np.where(factor > high, np.inf, np.where(factor < low, 0.0, factor))

    def reach(self, params: float | None = None) -> tuple[float, float]:
        """Return the factors in size that lead to `REACH` decades below and above the observed range."""
        low, high = (end - self._place(params) for end in self.x_range)
        return 10.0 ** (low - REACH), 10.0 ** (high + REACH)

    def _place(self, params: float | None) -> float:
        return 0.5 * sum(self.x_range) if params is None else float(decades(params))

    def refusal(self, ci_prob: float) -> str:
        """Return why there is no factor in size: `AT_CHANCE`, `NOT_REACHED`; empty where there is one.

        Parameters
        ----------
        ci_prob : float
            Probability of the interval of the untuned slope, which must lie above 0.
        """
        if self.at_chance:
            return AT_CHANCE
        return NOT_REACHED if np.quantile(self.slope(), 0.5 * (1.0 - ci_prob)) <= 0.0 else ""

    def peak(self) -> Float:
        """Return draws of the size, in parameters, at which the gain in points is largest, shape (draws,).

        NaN in draws in which it is largest at an end of the observed range: there it rises or falls throughout.
        """
        x = np.linspace(*self.x_range, _GRID)
        at, offset = _top(self.points(x))
        return N0 * 10.0 ** (x[0] + (at + offset) * (x[1] - x[0]))

    def _scores(
        self, x: Float, gain: Float | float, gain_slope: Float | float, base: Float | float
    ) -> tuple[Float, Float]:
        ceiling = 100.0 * (1.0 - self.chance) * self.weight
        floor = 100.0 * float(self.chance @ self.weight)
        untuned, tuned = (np.empty((len(self.base), len(x))) for _ in range(2))
        for k, each in enumerate(x):
            before, after = self._lines(each, gain, gain_slope, base)
            untuned[:, k], tuned[:, k] = (floor + expit(line) @ ceiling for line in (before, after))
        return untuned, tuned

    def _lines(
        self, x: Float | float, gain: Float | float, gain_slope: Float | float, base: Float | float
    ) -> tuple[Float, Float]:
        """Return the log-odds of every cell, untuned and tuned, shape (draws, cells), at one place or one for each."""
        own, slope, lift = (np.reshape(each, (-1, 1)) for each in (gain, gain_slope, base))
        h = x - self.centre
        untuned = self.base + lift + self.base_slope * h
        return untuned, untuned + self.gain + own + (self.gain_slope + slope) * h


def _top(values: Float) -> tuple[NDArray[np.int64], Float]:
    """Return where every row is largest, and how far off a parabola through its neighbours has it; NaN at an end."""
    count = values.shape[1]
    at = values.argmax(axis=1)
    inside = (at > 0) & (at < count - 1)
    low, middle, high = (values[np.arange(len(at)), np.clip(at + k, 0, count - 1)] for k in (-1, 0, 1))
    bend = np.where(inside, low - 2.0 * middle + high, -1.0)
    offset = np.where(bend < 0.0, 0.5 * (low - high) / np.where(bend < 0.0, bend, -1.0), 0.0)
    return at, np.where(inside, offset, np.nan)


def score_curves(
    posterior: Posterior, selection: Mapping[str, str], level: str | None = None, *, prior: bool = False
) -> ScoreCurves:
    """Return the untuned and tuned curves of a level.

    Parameters
    ----------
    posterior : Posterior
        The posterior of a law of scores; a fit is one.
    selection : mapping of str to str
        Groups fixed, by column.
    level : {"population", "overall"}, optional
        The level when no group is fixed.
    prior : bool
        Use prior draws.

    Raises
    ------
    InputError
        If the law is not one of scores, or the groups fixed were never observed together.
    """
    law, frame = posterior.law, posterior.gains.frame
    if not law.form.scores:
        what = f"the law {law.name} has no curve of untuned scores"
        raise InputError(Problem(what, hint="fit law=two_curve"))
    mask, labels, rows, weight = cells_of(frame, selection)
    cells = frame.loc[rows]
    data = posterior.draws["prior" if prior else "posterior"]
    mu = data["mu"].to_numpy().reshape(-1, 2)
    line = np.stack(
        [data["covariate"].sel(covariate_name=name).to_numpy().reshape(-1) for name in FIXED], axis=-1
    )
    chance = cells["chance"].to_numpy(float)
    if level == "population":
        base, base_slope, gain, gain_slope = (each[:, [k]] for each in (line, mu) for k in (0, 1))
        chance, weight = np.array([chance @ weight]), np.ones(1)
    else:
        spec, behind = posterior.spec, len(posterior.rows.frame) - len(frame)
        base, base_slope = _sum(data, spec.baseline_terms, line, behind + rows)
        gain, gain_slope = _sum(data, spec.terms, mu, rows)
    ability = ability_draws(posterior, prior=prior)
    gain, gain_slope = gain + ability[:, None] * base, gain_slope + ability[:, None] * base_slope
    x = decades(frame.loc[mask, "params"].to_numpy(dtype=float))
    ends = (float(x.min()), float(x.max()))
    x_range = ends if ends[0] < ends[1] else observed_range(posterior)
    spans = np.array(x_range)[:, None]
    if level != "population":
        seen = frame[mask].assign(x=x).groupby(labels, sort=False, dropna=False)["x"]
        low, high = (seen.transform(end)[rows].to_numpy(float) for end in ("min", "max"))
        spans = np.where(low < high, [low, high], spans)
    floored = _at_chance(posterior, mask)
    return ScoreCurves(
        base, base_slope, gain, gain_slope, chance, weight, law.centre, x_range, spans, floored, ability
    )


def _sum(data: object, terms: tuple[Term, ...], line: Float, rows: NDArray[np.int64]) -> tuple[Float, Float]:
    """Return intercepts and slopes, shape (draws, rows), of the law of some rows: the line and its terms."""
    intercept, slope = (np.repeat(line[:, [k]], len(rows), axis=1) for k in (0, 1))
    for term in (term for term in terms if term.of_law):
        effects = data[term.name].to_numpy()  # type: ignore[index]  # an xarray dataset
        effects = effects.reshape(len(line), *effects.shape[2:])
        loading = np.eye(term.n_groups) if term.loading is None else term.loading
        taken = effects.swapaxes(1, 2) @ loading[term.index[rows]].T
        intercept = intercept + taken[:, 0]
        if term.slope:
            slope = slope + taken[:, 1]
    return intercept, slope


def _at_chance(posterior: Posterior, mask: NDArray[np.bool_]) -> bool:
    """Return whether the untuned scores of some rows lie within two standard errors of chance at every size."""
    rows = posterior.gains.frame[mask].drop_duplicates("block")
    k, n, chance = (rows[name].to_numpy(float) for name in ("k_baseline", "n_baseline", "chance"))
    p = np.maximum((k + 0.5) / (n + 1.0), chance)
    sums = rows.assign(above=k - n * chance, variance=n * p * (1.0 - p)).groupby("params")
    excess = sums["above"].sum() / np.sqrt(sums["variance"].sum())
    return bool((excess <= _ERRORS).all())


def within_reach(powers: Float) -> Float:
    """Return factors in size, as powers of ten, with those out of reach moved to the farthest within it."""
    finite = powers[np.isfinite(powers)]
    return np.clip(powers, finite.min(initial=0.0), finite.max(initial=0.0))


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class PointsCurve(Curve):
    """The gain in points by a law of scores: the difference of two sigmoids, averaged over the cells.

    Slopes are averages over the sizes at which each cell was itself observed.

    ``intercept`` and ``beta`` are those on log-odds: what they are more than the `line`'s is added to every cell.

    Parameters
    ----------
    scores : ScoreCurves
        The two curves.
    line : Curve
        The curve on log-odds.
    lift : ndarray, shape (draws,), or None
        What is added to the untuned log-odds.
    """

    scores: ScoreCurves
    line: Curve
    lift: Float | None = None

    def gain(self, params: ArrayLike) -> Float:
        """Return draws of the gain in points, shape (draws, sizes), or (draws,) for one size."""
        x = decades(model_sizes(params))
        found = self._points(np.atleast_1d(x))
        return found[:, 0] if x.ndim == 0 else found

    def slope(self) -> Float:
        """Return draws of the average slope in points per decade, see `ScoreCurves.mean_slope`."""
        if self.no_slope:
            raise InputError(Problem(f"{self.group} has no slope: {self.no_slope}"))
        return self.scores.mean_slope(*self._shifts())

    def asymptote(self) -> Float:
        """Return draws of the gain at a size without bound: both scores end at the floor or the ceiling."""
        return np.zeros_like(self.intercept)

    def crossing(self, threshold: float) -> Float:
        """Return draws of the largest size, up to two decades beyond those observed, at which the gain is `threshold`.

        NaN in draws where it is not taken there.
        """
        x = np.linspace(self.x_range[0] - 2.0, self.x_range[1] + 2.0, 97)
        above = self._points(x) - threshold
        turns = np.signbit(above[:, 1:]) != np.signbit(above[:, :-1])
        at = turns.shape[1] - 1 - turns[:, ::-1].argmax(axis=1)
        draws = np.arange(len(at))
        low, high = above[draws, at], above[draws, at + 1]
        share = low / np.where(low == high, 1.0, low - high)
        return np.where(turns.any(axis=1), N0 * 10.0 ** (x[at] + share * (x[1] - x[0])), np.nan)

    def _points(self, x: Float) -> Float:
        return self.scores.points(x, *self._shifts())

    def _shifts(self) -> tuple[Float, Float, Float | float]:
        """Return what is added to every cell: to the gain, to its slope, and to the untuned log-odds."""
        lift = 0.0 if self.lift is None else self.lift
        return self.intercept - self.line.intercept, self.beta - self.line.beta, lift


def points_curve(
    posterior: Posterior, selection: Mapping[str, str], level: str | None = None, *, prior: bool = False
) -> PointsCurve:
    """Return the curve of the gain in points at a level, by a law of scores; see `score_curves`."""
    line = line_at(posterior, selection, level, prior=prior)
    scores = score_curves(posterior, selection, level, prior=prior)
    own = {each.name: getattr(line, each.name) for each in fields(line)} | {"x_range": scores.x_range}
    return PointsCurve(**own, scores=scores, line=line)


def points_view[P: Posterior](posterior: P) -> P:
    """Return the posterior of a law of scores, fitted on log-odds, as it reads in points."""
    problem = replace(posterior.problem, spec=replace(posterior.spec, scale="points"))
    return replace(posterior, problem=problem, gains=posterior.gains.to_scale("points"))


def lifted(curve: PointsCurve, posterior: Posterior, rng: np.random.Generator) -> PointsCurve:
    """Return a curve whose baseline is that of a new checkpoint."""
    lift = baseline_spread(posterior, curve.shares) * rng.standard_normal(len(curve.intercept))
    return replace(curve, lift=lift, intercept=curve.intercept + curve.scores.ability * lift)
