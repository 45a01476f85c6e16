"""Estimands that are linear in the coefficients, as weights on the columns of the model matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gainlaw.laws.placed import PlacedLaw
from gainlaw.model.spec.covariates import column_of
from gainlaw.model.spec.design import Design
from gainlaw.model.spec.joint import FIXED
from gainlaw.posterior.abilities import baseline_weights
from gainlaw.posterior.curves import observed_range
from gainlaw.posterior.grid import reference_weights
from gainlaw.posterior.record import Posterior
from gainlaw.sizes import decades

__all__ = ["Combination", "WeightedEstimand", "combine", "level_weights"]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WeightedEstimand:
    """An estimand times a weight: one part of a linear combination.

    Parameters
    ----------
    name : {"slope", "gain", "effect"}
        The estimand.
    weight : float
        Its weight.
    params : float
        Where the gain is taken, in parameters; not used for the others.
    population : bool
        Whether it is of the mean of the hierarchy rather than of the groups observed.
    group : tuple of (str, str)
        The groups held fixed, by column; for an effect ``(("covariate", name),)``.
    """

    name: Literal["slope", "gain", "effect"]
    weight: float = 1.0
    params: float = 1e9
    population: bool = False
    group: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Combination:
    """A linear combination of estimands as a combination of coefficients.

    Parameters
    ----------
    law : PlacedLaw
        The law.
    x_range : tuple of float
        The observed range of sizes, over which slopes are averaged.
    fixed : ndarray, shape (q,)
        Weights that do not depend on the law's shape: of intercepts and covariates.
    sloped : tuple of (float or None, ndarray of shape (q,))
        Weights of slopes, to be multiplied by the law's shape at that size (in decades from 1e9 parameters), or, for
        None, by the factor that averages the slope.
    lifted : tuple of (float or None, ndarray of shape (q,), ndarray of shape (q,))
        Of a law with ability: weights of the untuned log-odds, and of their slopes, which are taken likewise; both are
        multiplied by the effect of ability.
    """

    law: PlacedLaw
    x_range: tuple[float, float]
    fixed: Float
    sloped: tuple[tuple[float | None, Float], ...]
    lifted: tuple[tuple[float | None, Float, Float], ...] = ()

    def weights(self, psi: Float | None) -> Float:
        """Return the weight of every coefficient, one row for every row of shape parameters (one for laws without)."""
        used = np.flatnonzero(self.fixed)
        for _, weight in self.sloped:
            used = np.union1d(used, np.flatnonzero(weight))
        for _, level, slope in self.lifted:
            used = np.union1d(used, np.flatnonzero((level != 0.0) | (slope != 0.0)))
        rows = 1 if psi is None else len(psi)
        total = np.tile(self.fixed[used], (rows, 1))
        size = np.abs(total)
        for x, weight in self.sloped:
            part = np.reshape(self._factor(x, psi), (-1, 1)) * weight[used]
            total += part
            size += np.abs(part)
        for x, level, slope in self.lifted:
            part = level[used] + np.reshape(self._factor(x, psi), (-1, 1)) * slope[used]
            part = np.reshape(self.law.ability(psi), (-1, 1)) * part
            total += part
            size += np.abs(part)
        # Weights that cancel leave rounding behind.
        total[np.abs(total) <= 1e-12 * size.max(axis=1, initial=0.0, keepdims=True)] = 0.0
        whole = np.zeros((rows, len(self.fixed)))
        whole[:, used] = total
        return whole

    def _factor(self, x: float | None, psi: Float | None) -> Float:
        if x is None:
            return self.law.mean_slope_factor(*self.x_range, psi)
        return self.law.shape(np.asarray(x), psi)


def combine(posterior: Posterior, parts: Sequence[WeightedEstimand]) -> Combination:
    """Return a linear combination of estimands as a combination of the coefficients.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    parts : sequence of WeightedEstimand
        What is added up.
    """
    design = posterior.problem.design
    fixed = np.zeros(design.n_columns)
    sloped: list[tuple[float | None, Float]] = []
    lifted: list[tuple[float | None, Float, Float]] = []
    for part in parts:
        if part.name == "effect":
            name = dict(part.group)["covariate"]
            column = column_of(name)
            block = next(block for block in design.blocks if block.name == f"covariate:{column}")
            weight = part.weight / posterior.spec.covariate_scaling.get(column, (0.0, 1.0))[1]
            if name == column:
                fixed[block.start] += weight
            else:
                sloped.append((None, np.zeros_like(fixed)))
                sloped[-1][1][block.slope_start] = weight
            continue
        level = (
            {} if part.population else reference_weights(posterior.spec, posterior.gains, dict(part.group))
        )
        intercepts, slopes = level_weights(design, level)
        if part.name == "gain":
            fixed += part.weight * intercepts
        place = None if part.name == "slope" else float(decades(part.params))
        sloped.append((place, part.weight * slopes))
        if posterior.law.form.lift:
            start, steep = _ability_weights(posterior, part)
            lifted.append((place, part.weight * (part.name == "gain") * start, part.weight * steep))
    return Combination(posterior.law, observed_range(posterior), fixed, tuple(sloped), tuple(lifted))


def _ability_weights(posterior: Posterior, part: WeightedEstimand) -> tuple[Float, Float]:
    """Return the weights of the untuned log-odds of a level and of their slope, shape (q,) each."""
    design = posterior.problem.design
    found = baseline_weights(posterior, dict(part.group), "population" if part.population else None)
    level, slope = np.zeros(design.n_columns), np.zeros(design.n_columns)
    starts = {block.name: block.start for block in design.blocks}
    level[starts[f"covariate:{FIXED[0]}"]] = slope[starts[f"covariate:{FIXED[1]}"]] = 1.0
    for block in design.blocks:
        if block.name in found:
            level[block.start : block.start + block.size] = found[block.name]
            if block.slope_start >= 0:
                slope[block.slope_start : block.slope_start + block.size] = found[block.name]
    return level, slope


def level_weights(design: Design, groups: Mapping[str, Float]) -> tuple[Float, Float]:
    """Return the weights of a level over the columns of the model matrix: of its intercept, and of its slope.

    Parameters
    ----------
    design : Design
        The model matrix.
    groups : mapping of str to ndarray
        The weights of the groups of every term, as `reference_weights` returns them; empty for the population.

    Returns
    -------
    intercepts, slopes : ndarray, shape (q,)
    """
    intercepts, slopes = np.zeros(design.n_columns), np.zeros(design.n_columns)
    for block in design.blocks:
        own = np.ones(1) if block.name == "mu" else groups.get(block.name)
        if own is None:
            continue
        intercepts[block.start : block.start + block.size] = own
        if block.slope_start >= 0:
            slopes[block.slope_start : block.slope_start + block.size] = own
    return intercepts, slopes
