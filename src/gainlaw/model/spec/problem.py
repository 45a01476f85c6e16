"""A model specification and the arrays that an engine needs, built from a table of gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gainlaw.formats import decimals
from gainlaw.laws.placed import PlacedLaw, place
from gainlaw.laws.record import Law
from gainlaw.model.gaussian.known_errors import IndependentRows, axes_of, independent_rows
from gainlaw.model.gaussian.records import GaussianData, gaussian_record
from gainlaw.model.spec.covariates import (
    SLOPE,
    check_identified,
    columns_of,
    effects_of,
    read_covariates,
    scaling_of,
    standardise,
)
from gainlaw.model.spec.design import Design, build_design
from gainlaw.model.spec.joint import FIXED, PREFIX, baseline_terms, is_joint, require_joint, scores_of
from gainlaw.model.spec.priors import Prior, baseline_prior, check_priors, default_priors, override_priors
from gainlaw.model.spec.requirements import sizes_of, variances_of
from gainlaw.model.spec.terms import Dropped, Term, choose_terms
from gainlaw.model.spec.tree import Relations
from gainlaw.options import Baselines, require_choice
from gainlaw.scales import SCALES, Scale
from gainlaw.scores.gains.table import Gains

__all__ = [
    "ModelProblem",
    "ModelSpec",
    "build_problem",
    "gaussian_data",
    "observations",
    "rows_data",
    "specify",
]

Float = NDArray[np.float64]
Likelihood = Literal["gaussian", "binomial"]


@dataclass(frozen=True, slots=True, eq=False)
class ModelSpec:
    """A hierarchical model of one table of gains.

    Parameters
    ----------
    law : PlacedLaw
        The law of the population mean and of every term with slopes.
    scale : str
        The scale of the gain.
    likelihood : {"gaussian", "binomial"}
        ``gaussian``: gains with a known sampling covariance. ``binomial``: counts of both models, the
        baseline's own log-odds integrated out under the normal prior ``baseline``.
    terms : tuple of Term
        The grouping terms.
    dropped : tuple of Dropped
        Terms that the data cannot identify, and why.
    residual : bool
        Whether there is a residual sd beside the terms.
    covariates : tuple of str
        The effects of covariates: columns of the gains, and ``NAME:slope`` where the slope changes with one.
    covariate_scaling : dict of str to (float, float)
        Mean and standard deviation of every column, which were subtracted and divided by.
    priors : dict of str to Prior
        The prior of every top-level parameter.
    baseline_terms : tuple of Term
        The terms of hierarchical baselines, over the rows of `joint.scores_of`.
    prior_unit : float
        What the default priors were multiplied by, see `gainlaw.scores.gains.spread.prior_unit`.
    """

    law: PlacedLaw
    scale: Scale
    likelihood: Likelihood
    terms: tuple[Term, ...]
    dropped: tuple[Dropped, ...]
    residual: bool
    covariates: tuple[str, ...]
    covariate_scaling: dict[str, tuple[float, float]]
    priors: dict[str, Prior]
    baseline_terms: tuple[Term, ...] = ()
    prior_unit: float = 1.0

    @property
    def joint(self) -> bool:
        """Whether the rows are scores, with hierarchical baselines, rather than gains."""
        return is_joint(self.covariates)

    @property
    def all_terms(self) -> tuple[Term, ...]:
        """The terms of the gain and of the baselines: kinds first, then replicates."""
        both = (*self.terms, *self.baseline_terms)
        return (*(term for term in both if not term.replicate), *(term for term in both if term.replicate))

    @property
    def hyper_names(self) -> tuple[str, ...]:
        """The standard deviations, correlations and shape parameters."""
        shape = {parameter.name for parameter in self.law.parameters}
        return tuple(name for name in self.priors if name.startswith(("tau_", "rho_")) or name in shape)

    @property
    def common_names(self) -> tuple[str, ...]:
        """Those with one meaning under every law: of an average neither spreads of slopes nor shape parameters."""
        if not self.law.members:
            return self.hyper_names
        sloped = {
            f"{part}_{term.name}{end}"
            for term in self.terms
            for part, end in (("tau", "_slope"), ("rho", ""))
        }
        shape = {parameter.name for parameter in self.law.parameters}
        return tuple(name for name in self.hyper_names if name not in sloped | shape)

    @property
    def unit(self) -> str:
        """The unit of the gain on this scale."""
        return SCALES[self.scale].unit

    def decimals(self, base: int | None = None) -> int:
        """Return how many decimals gains are shown with, see `gainlaw.formats.decimals`."""
        return decimals(self.prior_unit, self.scale, base)


@dataclass(frozen=True, slots=True, eq=False)
class ModelProblem:
    """The arrays behind a `ModelSpec`.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    design : Design
        The model matrix.
    rows : IndependentRows
        The model matrix and the variances with the known errors made independent.
    alike : ndarray of int, shape (n,)
        Rows with the same number have the same size and checkpoint.
    x : ndarray, shape (n,)
        Decades from 1e9 parameters.
    y : ndarray, shape (n,)
        Gains.
    offset : ndarray, shape (n,)
        Prior means of intercept and covariates at every row.
    hyper : tuple of str
        Names of the hyperparameters, in the engine's order.
    position : ndarray of int
        Where each of them stands in the packed vector; -1 for the law's parameters, which act through its shape.
    base : ndarray
        The packed vector with every constant in place.
    """

    spec: ModelSpec
    design: Design
    rows: IndependentRows
    alike: NDArray[np.int64]
    x: Float
    y: Float
    offset: Float
    slope_mean: float
    hyper: tuple[str, ...]
    position: NDArray[np.int64]
    base: Float

    @property
    def n_blocks(self) -> int:
        """The number of coefficient blocks."""
        return len(self.design.blocks)

    def shapes(self, psi: Float | None) -> Float:
        """Return the law's shape at every row, shape (draws or 1, n), twice as wide for a law that lifts.

        The second half is then the lift of every row: ``1 + g`` for a tuned score, 1 for an untuned one.

        Parameters
        ----------
        psi : ndarray, shape (draws, k), or None
            Draws of the law's shape parameters, for laws with some.
        """
        law = self.spec.law
        h = np.atleast_2d(law.shape(self.x, None if psi is None else psi[:, None, :]))
        if not law.form.lift or psi is None:
            return h
        lift = 1.0 + np.multiply.outer(law.ability(psi), self.role)
        return np.hstack([np.broadcast_to(h, lift.shape), lift])

    @property
    def role(self) -> Float:
        """What the gain is multiplied by in every row: 1, or 0 in that of an untuned score."""
        return self.design.value[:, 0]

    def pack(self, values: Mapping[str, Float]) -> Float:
        """Return packed vectors, shape (draws, p), from flat draws of the hyperparameters.

        Parameters
        ----------
        values : mapping of str to ndarray, shape (draws,)
            Draws of every hyperparameter.
        """
        draws = len(next(iter(values.values()))) if values else 1
        packed = np.tile(self.base, (draws, 1))
        for name, position in zip(self.hyper, self.position, strict=True):
            if position >= 0:
                packed[:, position] = values[name]
        psi = self.spec.law.psi(values)
        if psi is not None:
            packed[:, 3 * self.n_blocks + 1 :] = self.shapes(psi)
        return packed


def specify(
    gains: Gains,
    law: Law,
    *,
    terms: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    covariates: Sequence[str] = (),
    priors: Mapping[str, str | Prior] | None = None,
    tree: bool | Relations = False,
    baselines: Baselines = "free",
) -> ModelSpec:
    """Choose the model that a table of gains supports.

    Parameters
    ----------
    gains : Gains
        The data.
    law : Law
        The law; it has a shape.
    terms, exclude : sequence of str, optional
        Consider only these terms; leave those out.
    covariates : sequence of str
        Numeric columns of the gains; ``NAME:slope`` where the slope is to change with one too.
    priors : mapping, optional
        Priors that replace the defaults.
    tree : bool or Relations
        Languages along their tree, see `gainlaw.model.spec.tree`, in place of families and languages.
    baselines : {"free", "hierarchical"}
        Whether every baseline stands for itself, or they have a hierarchy of their own (`gainlaw.model.spec.joint`).

    Raises
    ------
    InputError
        For sizes that cannot carry the law, unknown terms or priors, covariates that are missing, not numeric,
        without variation, or not to be told from each other, from size or from a term.
    """
    frame = gains.frame
    x = sizes_of(gains, law)
    placed = place(law, x)
    joint = require_choice(baselines, Baselines, "baselines") == "hierarchical"
    if joint:
        require_joint(gains, placed)
    theirs = [name for name in exclude if joint and name.startswith(PREFIX)]
    chosen, dropped, residual = choose_terms(
        frame,
        x,
        has_slope=placed.has_slope,
        include=terms,
        exclude=[name for name in exclude if name not in theirs],
        tree=tree,
    )
    names = effects_of(covariates)
    scaling = scaling_of(gains, names)
    check_identified(gains, names, scaling, chosen, x if placed.has_slope else None)
    own: tuple[Term, ...] = ()
    if joint:
        scores, _, _ = scores_of(gains)
        own, more = baseline_terms(
            scores, sizes_of(scores, law), [each.removeprefix(PREFIX) for each in theirs]
        )
        dropped, names, residual = (*dropped, *more), (*names, *FIXED), True
    unit = gains.prior_unit
    defaults = default_priors(
        gains.scale,
        (*chosen, *own),
        names,
        has_slope=placed.has_slope,
        shape=placed.parameters,
        unit=unit,
        level=float(frame["gain"].median()),
        joint=joint,
    )
    if not residual:
        defaults.pop("tau_residual")
    counted = gains.scale == "log_odds" and _has_counts(gains)
    if counted and not joint:
        defaults["baseline"] = baseline_prior()
    return ModelSpec(
        law=placed,
        scale=gains.scale,
        likelihood="binomial" if counted else "gaussian",
        terms=chosen,
        dropped=dropped,
        residual=residual,
        covariates=names,
        covariate_scaling=scaling,
        priors=check_priors(override_priors(defaults, priors), defaults, joint, placed.form.lift),
        baseline_terms=own,
        prior_unit=unit,
    )


def observations(gains: Gains, spec: ModelSpec) -> Gains:
    """Return the rows of a model: the gains, or the scores behind them where the baselines have a hierarchy."""
    if spec.law.form.scores:
        gains = gains.to_scale("log_odds")
    return scores_of(gains)[0] if spec.joint else gains


def build_problem(gains: Gains, spec: ModelSpec) -> ModelProblem:
    """Return the arrays of a model.

    Parameters
    ----------
    gains : Gains
        The data.
    spec : ModelSpec
        The model, from `specify` on the same data.
    """
    law, priors = spec.law, spec.priors
    terms, weight = spec.terms, None
    if spec.joint:
        gains, origin, weight = scores_of(gains)
        terms = _over_scores(spec, origin, weight)
    x = sizes_of(gains, law.law)
    y = gains.frame["gain"].to_numpy(dtype=float)
    names = columns_of(spec.covariates)
    covariates = standardise(read_covariates(gains, names, constant=True), names, spec.covariate_scaling)
    if weight is not None:
        covariates[:, [name not in FIXED for name in names]] *= weight[:, None]
    lifted = {f"covariate:{name}" for name in FIXED} | {each.name for each in spec.baseline_terms}
    design = build_design(
        terms,
        covariates,
        spec.covariates,
        has_slope=law.has_slope,
        weight=weight,
        lifted=lifted if law.form.lift else (),
    )
    alike = _alike(gains, x if law.has_slope else np.zeros(len(x)))
    offset = np.full(len(y), priors["intercept"].arguments[0])
    for column, name in enumerate(names):
        offset = offset + priors[f"covariate:{name}"].arguments[0] * covariates[:, column]
    blocks = len(design.blocks)
    base = np.zeros(3 * blocks + 1 + len(y) * (2 if law.form.lift else 1))
    base[0] = priors["intercept"].scale
    if law.has_slope:
        base[blocks] = priors["slope"].scale
    for position, name in enumerate(names, start=1):
        base[position] = priors[f"covariate:{name}"].scale
        if name + SLOPE in spec.covariates:
            base[blocks + position] = priors[f"covariate:{name}{SLOPE}"].scale
    if not law.parameters:
        base[3 * blocks + 1 :] = law.shape(x, None)
    hyper, position_of = _hyperparameters(spec, blocks)
    return ModelProblem(
        spec=spec,
        design=design,
        rows=independent_rows(design, variances_of(gains), axes_of(gains.covariance.blocks), alike),
        alike=alike,
        x=x,
        y=y,
        offset=offset,
        slope_mean=priors["slope"].arguments[0] if law.has_slope else 0.0,
        hyper=hyper,
        position=position_of,
        base=base,
    )


def _over_scores(spec: ModelSpec, origin: NDArray[np.int64], weight: Float) -> tuple[Term, ...]:
    """Return all terms over the rows of the scores: those of the gain count for intermediate models alone."""
    gain = {term.name for term in spec.terms}
    return tuple(
        replace(term, index=term.index[origin], weight=weight) if term.name in gain else term
        for term in spec.all_terms
    )


def gaussian_data(problem: ModelProblem) -> GaussianData:
    """Return the gains as the Gaussian kernels read them."""
    return rows_data(problem, problem.rows, problem.y)


def rows_data(problem: ModelProblem, rows: IndependentRows, y: Float) -> GaussianData:
    """Return observations `y` of every row, with errors as `rows` has them, as the Gaussian kernels read them."""
    return gaussian_record(
        rows.rotate(y - problem.offset),
        rows.variance,
        rows.rotate(np.ones(len(y))),
        problem.slope_mean,
        rows.design,
    )


def _hyperparameters(spec: ModelSpec, blocks: int) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    names: list[str] = []
    positions: list[int] = []
    first = 1 + len(columns_of(spec.covariates))
    for offset, term in enumerate(spec.all_terms):
        block = first + offset
        names.append(f"tau_{term.name}")
        positions.append(block)
        if term.slope:
            names.append(f"tau_{term.name}_slope")
            positions.append(blocks + block)
        if term.correlated:
            names.append(f"rho_{term.name}")
            positions.append(2 * blocks + block)
    if spec.residual:
        names.append("tau_residual")
        positions.append(3 * blocks)
    for parameter in spec.law.parameters:
        names.append(parameter.name)
        positions.append(-1)
    return tuple(names), np.array(positions, dtype=np.int64)


def _has_counts(gains: Gains) -> bool:
    columns = ("k_baseline", "n_baseline", "k_intermediate", "n_intermediate", "chance")
    known = all(name in gains.frame.columns and gains.frame[name].notna().all() for name in columns)
    # Counts say nothing of a covariance that is not that of shared baselines.
    return known and gains.shares_baselines


def _alike(gains: Gains, x: Float) -> NDArray[np.int64]:
    """Return a number for every row: equal ones share a shape of the law, and are left out together."""
    frame = gains.frame
    names = frame["checkpoint"].astype(str) if "checkpoint" in frame.columns else np.full(len(frame), "")
    checkpoint = np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)[1]
    sizes = np.unique(x, return_inverse=True)[1]
    return np.asarray(sizes * (int(checkpoint.max()) + 1) + checkpoint, dtype=np.int64)
