"""Posterior curves of the gain: a law with draws for its coefficients, at any level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.laws.placed import PlacedLaw
from gainlaw.model.spec.covariates import column_of
from gainlaw.model.spec.terms import TREE
from gainlaw.options import DEFAULT_LAW
from gainlaw.posterior.abilities import ability_draws, baseline_spread, mean_ability
from gainlaw.posterior.grid import (
    Weights,
    check_selection,
    reference_weights,
    replicate_shares,
    why_no_slope,
)
from gainlaw.posterior.record import Posterior
from gainlaw.sizes import N0, decades, model_sizes

__all__ = [
    "Curve",
    "covariate_effect",
    "line_at",
    "new_checkpoint",
    "new_group",
    "observed_range",
]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Curve:
    """Draws of the gain as a function of size.

    Parameters
    ----------
    law : PlacedLaw
        The law.
    intercept : ndarray, shape (draws,)
        Gain at the law's centre, in the unit of the scale. Draws run chain by chain.
    beta : ndarray, shape (draws,)
        The law's coefficient ``beta``: for most laws the local slope per decade at its centre.
    psi : ndarray, shape (draws, k), or None
        The shape parameters, for laws with some.
    level : str
        ``population``, ``overall`` or the fixed columns joined with ``,``.
    group : str
        What is fixed, e.g. ``"task=xnli"``; empty otherwise.
    n_chains : int
        Chains that the draws come from.
    x_range : tuple of float
        The observed range of sizes, in decades from 1e9 parameters.
    weights : dict of str to ndarray
        Weights of the group effects.
    shares : dict of str to float
        What is left of the variance of every replicate term in the average, see `gainlaw.posterior.grid`; 1 for those
        that are not named.
    no_slope : str
        Why the groups that are fixed have no slopes of their own; empty where they have.
    """

    law: PlacedLaw
    intercept: Float
    beta: Float
    psi: Float | None
    level: str
    group: str
    n_chains: int
    x_range: tuple[float, float]
    weights: Weights
    shares: Mapping[str, float] = field(default_factory=dict)
    no_slope: str = ""

    def __repr__(self) -> str:
        """Say in a line what it is the curve of."""
        return f"<{type(self).__name__} of {self.label}: {self.law.name} law, {len(self.intercept)} draws>"

    @property
    def label(self) -> str:
        """A short name: the group, or the level."""
        return self.group or self.level

    def gain(self, params: ArrayLike) -> Float:
        """Return draws of the gain, shape (draws, sizes), or (draws,) for one size.

        Parameters
        ----------
        params : float or sequence of float
            Model sizes in parameters.
        """
        x = decades(model_sizes(params))
        if x.ndim == 0:
            return self.intercept + self.beta * self._shape(x)
        psi = None if self.psi is None else self.psi[:, None, :]
        return self.intercept[:, None] + self.beta[:, None] * self.law.shape(x[None, :], psi)

    def slope(self) -> Float:
        """Return draws of the average slope per decade over the observed range of sizes.

        Raises
        ------
        InputError
            For the constant law, which has none, and for groups without slopes of their own.
        """
        self._need_slope("slope")
        if self.no_slope:
            raise InputError(Problem(f"{self.group} has no slope: {self.no_slope}"))
        return self.beta * self.law.mean_slope_factor(*self.x_range, self.psi)

    def asymptote(self) -> Float:
        """Return draws of the gain that the law tends to as size grows without bound; infinite where it has none."""
        with np.errstate(invalid="ignore"):
            return self.intercept + self.beta * self.law.limit(self.psi)

    def ratio(self, params: float, reference: float) -> Float:
        """Return draws of the gain at `params` over the gain at `reference`.

        A ratio of two uncertain numbers has no mean: use its quantiles.
        """
        return self.gain(params) / self.gain(reference)

    def crossing(self, threshold: float) -> Float:
        """Return draws of the size, in parameters, at which the gain equals `threshold`.

        NaN in draws where the law never takes the value; ``inf`` or 0 where the size is beyond what a float holds.
        """
        self._need_slope("crossing")
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            h = (threshold - self.intercept) / self.beta
            x = self.law.inverse(h, self.psi)
            return N0 * 10.0**x

    def _shape(self, x: Float) -> Float:
        return self.law.shape(x, self.psi)

    def _need_slope(self, what: str) -> None:
        if not self.law.has_slope:
            raise InputError(Problem(f"the {self.law.name} law has no {what}", hint=f"fit law={DEFAULT_LAW}"))


def line_at(
    posterior: Posterior,
    selection: Mapping[str, str],
    level: str | None = None,
    *,
    prior: bool = False,
    ability: float | None = None,
) -> Curve:
    """Return the curve of a selection of groups in the unit of the coefficients, see `gainlaw.posterior.levels`.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    selection : mapping of str to str
        Groups to fix, by column.
    level : {"population", "overall"}, optional
        The level when no group is fixed.
    prior : bool
        Use prior draws.
    ability : float, optional
        Of a law with ability: the untuned log-odds from which the gain is taken, at every size; by default those that
        the law has for the level at each size.

    Raises
    ------
    InputError
        For a level or a group that the fit does not have.
    """
    group = dict(selection)
    if level not in (None, "population", "overall"):
        raise InputError(
            Problem(f"level is {level!r}", hint="population or overall; fix groups by name, e.g. task='xnli'")
        )
    if level is not None and group:
        raise InputError(Problem(f"level {level!r} cannot fix groups", hint="leave the level out"))
    check_selection(posterior, group)
    data = posterior.draws["prior" if prior else "posterior"].dataset
    weights = {} if level == "population" else reference_weights(posterior.spec, posterior.gains, group)
    mu = data["mu"].to_numpy()
    intercept = mu[..., 0].copy()
    slope = mu[..., 1].copy() if posterior.law.has_slope else np.zeros_like(intercept)
    for name, weight in weights.items():
        effects = data[name].to_numpy()
        intercept += effects[..., 0] @ weight
        if effects.shape[-1] > 1:
            slope += effects[..., 1] @ weight
    intercept, slope = intercept.reshape(-1), slope.reshape(-1)
    if posterior.law.form.lift:
        effect = ability_draws(posterior, prior=prior)
        own = mean_ability(posterior, group, level, prior=prior) if ability is None else (ability, 0.0)
        intercept, slope = intercept + effect * own[0], slope + effect * own[1]
    return Curve(
        law=posterior.law,
        intercept=intercept,
        beta=slope,
        psi=_psi(posterior, prior=prior),
        level=level or (",".join(group) if group else "overall"),
        group=",".join(f"{column}={value}" for column, value in group.items()),
        n_chains=mu.shape[0],
        x_range=observed_range(posterior),
        weights=weights,
        shares={} if level == "population" else replicate_shares(posterior.spec, posterior.gains, group),
        no_slope="; ".join(
            filter(None, (why_no_slope(posterior.spec, posterior.gains, column) for column in group))
        ),
    )


def new_checkpoint(
    base: Curve, posterior: Posterior, rng: np.random.Generator, *, ability: float | None = None
) -> Curve:
    """Return the curve with the spread of a new checkpoint (and run) added.

    Parameters
    ----------
    base : Curve
        A curve of this posterior.
    posterior : Posterior
        The posterior; a fit is one.
    rng : numpy.random.Generator
        Source of the new effects.
    ability : float, optional
        Its untuned log-odds, where they are known.
    """
    variance = np.zeros(len(base.intercept))
    for term in posterior.spec.terms:
        if term.of_law:
            continue
        tau = posterior.draws["posterior"][f"tau_{term.name}"].to_numpy().reshape(-1)
        variance += tau**2 * base.shares.get(term.name, 1.0)
    if posterior.law.form.lift and ability is None and not posterior.reads_points:
        variance += (ability_draws(posterior) * baseline_spread(posterior, base.shares)) ** 2
    return replace(base, intercept=base.intercept + np.sqrt(variance) * rng.standard_normal(len(variance)))


def new_group(base: Curve, posterior: Posterior, names: Sequence[str], rng: np.random.Generator) -> Curve:
    """Return the curve of a group that was never observed: its effects are drawn from the hierarchy.

    Parameters
    ----------
    base : Curve
        A curve of this posterior.
    posterior : Posterior
        The posterior; a fit is one.
    names : sequence of str
        Terms to draw anew, e.g. ``["task"]``, ``["language_family", "language"]``.
    rng : numpy.random.Generator
        Source of the new effects.

    Raises
    ------
    InputError
        For a name that is not a term of the fit, or whose group is fixed already.
    """
    intercept, slope = base.intercept.copy(), base.beta.copy()
    data = posterior.draws["posterior"]
    terms = {term.name: term for term in posterior.spec.terms if term.of_law}
    unknown = [name for name in names if name not in terms]
    if unknown:
        raise InputError(
            [Problem(f"the fit has no term {name!r}", hint=f"terms: {', '.join(terms)}") for name in unknown]
        )
    names, fixed = list(dict.fromkeys(names)), set(base.level.split(","))
    # A language has its family, so that it cannot be in a new one.
    inside = {"language_family": {"language"}}
    clashes = [
        Problem(
            f"{name} cannot be new where {base.group} is given",
            hint=f"leave out the group to predict a new {name}, or the new {name} to predict the group",
        )
        for name in names
        if set(terms[name].columns) <= fixed or inside.get(name, set()) & fixed
    ]
    if clashes:
        raise InputError(clashes)
    for name in names:
        term = terms[name]
        weight = base.weights.get(name)
        if weight is not None:
            effects = data[name].to_numpy()
            intercept -= (effects[..., 0] @ weight).reshape(-1)
            if term.slope:
                slope -= (effects[..., 1] @ weight).reshape(-1)
        z = rng.standard_normal((2, len(intercept)))
        intercept += data[f"tau_{name}"].to_numpy().reshape(-1) * z[0]
        if term.slope:
            rho = data[f"rho_{name}"].to_numpy().reshape(-1) if term.correlated else np.zeros(len(slope))
            tau = data[f"tau_{name}_slope"].to_numpy().reshape(-1)
            slope += tau * (rho * z[0] + np.sqrt(1.0 - rho**2) * z[1])
    kept = {name: weight for name, weight in base.weights.items() if name not in names}
    # A new language of the tree has a family of its own.
    drawn = {column for name in names for column in terms[name].columns} | (
        {"language_family"} if TREE in names else set()
    )
    single = [term.name for term in posterior.spec.terms if term.replicate and drawn & set(term.columns)]
    return replace(
        base,
        shares={name: share for name, share in base.shares.items() if name not in single},
        intercept=intercept,
        beta=slope,
        weights=kept,
        level="new " + ", ".join(names),
        group=base.group,
    )


def covariate_effect(posterior: Posterior, name: str, *, prior: bool = False, per_sd: bool = False) -> Float:
    """Return draws, shape (draws,), of the change in gain for one unit of a covariate.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    name : str
        A covariate, or ``NAME:slope`` for the change in the average slope over the observed range of sizes.
    prior : bool
        Use prior draws.
    per_sd : bool
        For a change by one standard deviation of the covariate over the rows, instead of one unit.

    Raises
    ------
    InputError
        If the fit has no such covariate.
    """
    if name not in posterior.spec.covariates:
        known = ", ".join(posterior.spec.covariates) or "none"
        raise InputError(Problem(f"the fit has no covariate {name!r}", hint=f"covariates: {known}"))
    data = posterior.draws["prior" if prior else "posterior"]
    draws = data["covariate"].sel(covariate_name=name).to_numpy().reshape(-1)
    column = column_of(name)
    if name != column:
        draws = draws * posterior.law.mean_slope_factor(
            *observed_range(posterior), _psi(posterior, prior=prior)
        )
    return draws if per_sd else draws / posterior.spec.covariate_scaling.get(column, (0.0, 1.0))[1]


def _psi(posterior: Posterior, *, prior: bool) -> Float | None:
    """Return the draws of the law's shape parameters, shape (draws, k); None for laws without."""
    data, law = posterior.draws["prior" if prior else "posterior"], posterior.law
    return law.psi({each.name: data[each.name].to_numpy().reshape(-1) for each in law.parameters})


def observed_range(posterior: Posterior) -> tuple[float, float]:
    """Return the observed range of sizes in decades from 1e9 parameters, one decade wide where there is no range."""
    params = posterior.gains.frame["params"].to_numpy(dtype=float, na_value=np.nan)
    params = params[np.isfinite(params)]
    if not len(params):
        return 0.0, 1.0
    low, high = float(decades(params.min())), float(decades(params.max()))
    return (low, high) if high > low else (low, low + 1.0)
