"""The frequentist line beside a claim: a mixed model by REML, and CR2 with the checkpoint as the cluster.

The model has the grouping terms of the Bayesian fit, but for the smooth departure from the law: over a few sizes it
would leave no degrees of freedom. A claim about the groups observed (``overall``, or one of
them) treats tasks, languages and the other kinds as fixed, with slopes of their own where the term has them, and
an estimand that leaves one open averages over its groups on the reference grid, as the posterior estimands do.
A claim about the ``population`` treats them as random, and a claim about a covariate the kinds with groups in
which it does not vary. Checkpoints, runs and all interactions are random in both. Intercepts and slopes of a
random term are independent, with sizes centred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gainlaw._threads import one_blas_thread
from gainlaw.claims.grammar.forms import LinearForm, equivalence_form, linear_form
from gainlaw.claims.grammar.syntax import Claim, Estimand
from gainlaw.claims.verdict import Companion, Verdict, Verdicts
from gainlaw.errors import InputError
from gainlaw.frequentist.mixed import MixedFit, fit_mixed
from gainlaw.frequentist.robust import RobustTest, cr2_test
from gainlaw.frequentist.small_sample import ContrastTest, contrast_test, holm, t_probability
from gainlaw.model.spec.covariates import SLOPE, column_of, scaling_of
from gainlaw.sizes import decades

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord
    from gainlaw.scores.gains.table import Gains

__all__ = ["FittedDesigns", "adjust_companions", "companion"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Design:
    """A fixed design in full dummy coding, the random designs, and where every column stands."""

    X: Array
    Z: tuple[Array, ...]
    fixed: dict[str, tuple[int, int]]  # term: first column, first slope column or -1
    covariates: dict[str, tuple[int, float]]  # effect: column, effect of one unit over that of one sd
    slope_column: int


@dataclass(frozen=True, slots=True)
class _Fitted:
    """The mixed model of one design: its full-rank design, what carries contrasts to it, the fit, the weights."""

    X: Array
    basis: Array
    scale: Array
    mixed: MixedFit
    working: Any


#: Mixed models of one fit's gains that several claims share, by which terms are fixed.
FittedDesigns = dict[tuple[str, ...], _Fitted]


@one_blas_thread()
def companion(fit: FitRecord, claim: Claim, fitted: FittedDesigns | None = None) -> Companion:
    """Return the frequentist line of a claim.

    Parameters
    ----------
    fit : Fit
        The Bayesian fit: its gains, their sampling covariance and its terms are used, not its draws.
    claim : Claim
        A claim that is linear in slopes, gains and effects, or ``abs(linear) < number``, which is judged by
        two one-sided tests; its estimate is then that of the expression inside ``abs``.
    fitted : dict, optional
        Mixed models fitted for other claims on the same fit; new ones are added.

    Returns
    -------
    Companion
        The line; where there is no test, the reason stands in its status.
    """
    if fit.spec.law.parameters:
        return Companion("none", f"no linear mixed model for the law {fit.spec.law.name}")
    if fit.spec.joint:
        return Companion("none", "no linear mixed model with hierarchical baselines")
    if any(term.loading is not None and term.of_law for term in fit.spec.terms):
        return Companion("none", "no linear mixed model for languages along a tree")
    band = equivalence_form(claim)
    form = band[0] if band else linear_form(claim.difference)
    if form is None or not form.weights:
        return Companion("none", "the claim is not linear in slopes and gains")
    design = _design(fit, form)
    contrast = np.zeros(design.X.shape[1])
    for term, weight in form.weights:
        row = _row(fit, design, term)
        if isinstance(row, str):
            return Companion("none", row)
        contrast += weight * row
    model = _fitted(fit, design, {} if fitted is None else fitted)
    c = _estimable(model, contrast)
    if c is None:
        return Companion("none", "these rows do not determine the contrast")
    y = fit.gains.frame["gain"].to_numpy(dtype=float)
    clusters = _clusters(fit.gains)
    if band is None:
        return _directional(
            claim.op,
            form,
            contrast_test(model.mixed, c, null=-form.constant),
            y,
            model.X,
            clusters,
            c,
            model.working,
        )
    return _equivalence(form, band[1], model.mixed, y, model.X, clusters, c, model.working)


def adjust_companions(verdicts: Sequence[Verdict]) -> Verdicts:
    """Return the verdicts with Holm-adjusted p values over the whole list."""
    p = [verdict.companion.p if verdict.companion else float("nan") for verdict in verdicts]
    return Verdicts(
        verdict
        if verdict.companion is None
        else replace(verdict, companion=replace(verdict.companion, p_holm=float(adjusted)))
        for verdict, adjusted in zip(verdicts, holm(p), strict=True)
    )


def _sizes(fit: FitRecord) -> Array:
    params = fit.gains.frame["params"].to_numpy(dtype=float, na_value=np.nan)
    return np.nan_to_num(decades(params) - fit.spec.law.centre)


def _design(fit: FitRecord, form: LinearForm) -> _Design:
    observed = any(term.selector.level == "overall" for term, _ in form.weights)
    x = _sizes(fit)
    has_slope = fit.spec.law.has_slope
    columns = [np.ones(len(x))] + ([x] if has_slope else [])
    fixed: dict[str, tuple[int, int]] = {}
    random: list[Array] = []
    for group in fit.spec.terms:
        if group.departure:
            continue
        dummies = group.matrix()
        if observed and group.of_law and len(group.columns) == 1 and not _absorbs(fit, group, form):
            start = len(columns)
            columns += list(dummies.T)
            slope_start = len(columns) if group.slope else -1
            columns += list((dummies * x[:, None]).T) if group.slope else []
            fixed[group.name] = (start, slope_start)
            continue
        random.append(dummies)
        if group.slope:
            random.append(dummies * x[:, None])
    covariates: dict[str, tuple[int, float]] = {}
    for name, (mean, sd) in scaling_of(fit.gains, fit.spec.covariates).items():
        z = (fit.gains.frame[name].to_numpy(dtype=float) - mean) / sd
        for effect, column in ((name, z), (name + SLOPE, z * x)):
            if effect in fit.spec.covariates:
                covariates[effect] = len(columns), 1.0 / sd
                columns.append(column)
    return _Design(np.column_stack(columns), tuple(random), fixed, covariates, 1 if has_slope else -1)


def _absorbs(fit: FitRecord, group: Any, form: LinearForm) -> bool:
    """Return whether a term's groups, taken as fixed, would swallow some of a covariate's effect."""
    for term, _ in form.weights:
        name = dict(term.selector.group).get("covariate")
        if term.name == "effect" and name in fit.spec.covariates:
            values = fit.gains.frame[column_of(name)].groupby(np.asarray(group.index)).nunique()
            if (values == 1).any():
                return True
    return False


def _row(fit: FitRecord, design: _Design, term: Estimand) -> Array | str:
    """Return the fixed coefficients' weights in one estimand, or why there are none."""
    from gainlaw.posterior.grid import check_selection, reference_weights, terms_of

    row = np.zeros(design.X.shape[1])
    group = dict(term.selector.group)
    if term.name == "effect":
        name = group.pop("covariate")
        if name not in design.covariates:
            return f"the fit has no covariate {name}"
        column, unit = design.covariates[name]
        row[column] = unit
        return row
    if term.name == "slope" and design.slope_column < 0:
        return "the law has no slope"
    try:
        check_selection(fit, group)
    except InputError as error:
        return "; ".join(problem.message for problem in error.problems)
    for key in group:
        terms = {each.name for each in terms_of(fit.spec, key)}
        if not terms & set(design.fixed) and fit.gains.frame[key].nunique() > 1:
            return f"the model has no term for {key}"
    level = 1.0 if term.name == "gain" else 0.0
    tilt = float(decades(term.args[0])) - fit.spec.law.centre if term.name == "gain" else 1.0
    row[0] = level
    if design.slope_column >= 0:
        row[design.slope_column] = tilt
    grid = reference_weights(fit.spec, fit.gains, group)
    for name, (start, slope_start) in design.fixed.items():
        weights = grid[name]
        row[start : start + len(weights)] = level * weights
        if slope_start >= 0:
            row[slope_start : slope_start + len(weights)] = tilt * weights
    return row


def _fitted(fit: FitRecord, design: _Design, fitted: FittedDesigns) -> _Fitted:
    """Return the mixed model of a design, fitted once."""
    key = tuple(sorted(design.fixed))
    if key not in fitted:
        gains = fit.gains
        scale = np.sqrt((design.X**2).sum(axis=0))
        scale[scale == 0] = 1.0
        _, values, rows = np.linalg.svd(design.X / scale, full_matrices=False)
        basis = rows[values > 1e-9 * values[0]].T
        X = (design.X / scale) @ basis
        y = gains.frame["gain"].to_numpy(dtype=float)
        mixed = fit_mixed(y, X, design.Z, S=gains.covariance, residual=fit.spec.residual)
        working = _working(gains.covariance, design.Z, mixed, residual=fit.spec.residual)
        fitted[key] = _Fitted(X, basis, scale, mixed, working)
    return fitted[key]


def _estimable(model: _Fitted, contrast: Array) -> Array | None:
    """Return the contrast in the full-rank design; None where the rows do not determine it."""
    wanted = contrast / model.scale
    inside = model.basis.T @ wanted
    if np.abs(model.basis @ inside - wanted).max() > 1e-7 * max(np.abs(wanted).max(), 1e-300):
        return None
    return np.asarray(inside)


def _clusters(gains: Gains) -> NDArray[np.intp]:
    """Return the cluster of every row: its checkpoint, and all others whose errors hang together with its own."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, code = np.unique(gains.frame["checkpoint"].astype(str).to_numpy(), return_inverse=True)
    pairs = [(code[rows[0]], code[row]) for rows, _ in gains.covariance.blocks for row in rows[1:]]
    first, second = np.array(pairs, dtype=int).reshape(-1, 2).T
    size = int(code.max()) + 1
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(size, size))
    return connected_components(graph, directed=False)[1][code]


def _working(covariance: Any, Z: tuple[Array, ...], mixed: MixedFit, *, residual: bool) -> Any:
    """Return the function that gives a cluster's block of the estimated covariance of y."""
    lookup = {int(row): (rows, block) for rows, block in covariance.blocks for row in rows}
    variances = np.nan_to_num(mixed.variances)

    def block(rows: NDArray[np.intp]) -> Array:
        out = np.diag(np.asarray(covariance.variance, dtype=float)[rows])
        place = {int(row): k for k, row in enumerate(rows)}
        for row in rows:
            if int(row) in lookup:
                members, known = lookup[int(row)]
                k = int(np.flatnonzero(np.asarray(members) == row)[0])
                for other, value in zip(members, known[k], strict=True):
                    if int(other) in place:
                        out[place[int(row)], place[int(other)]] = value
        for random, variance in zip(Z, variances, strict=False):
            out += variance * random[rows] @ random[rows].T
        return out + (variances[-1] * np.eye(len(rows)) if residual else 0.0)

    return block


def _one_sided(test: ContrastTest | RobustTest, op: str) -> float:
    return test.p_less if op in ("<", "<=") else test.p_greater


def _directional(
    op: str, form: LinearForm, test: ContrastTest, y: Array, X: Array, clusters: Any, c: Array, working: Any
) -> Companion:
    robust = cr2_test(y, X, clusters, c, working=working, null=-form.constant)
    return Companion(
        method=test.method,
        status=test.status,
        estimate=test.estimate + form.constant,
        se=test.se,
        df=test.df,
        p=_one_sided(test, op),
        cr2_se=robust.se,
        cr2_df=robust.df,
        cr2_p=_one_sided(robust, op),
        cr2_status=robust.status,
    )


def _equivalence(
    form: LinearForm, width: float, mixed: MixedFit, y: Array, X: Array, clusters: Any, c: Array, working: Any
) -> Companion:
    """Two one-sided tests (Schuirmann 1987, doi:10.1007/BF01068419): the larger p value counts."""
    test, robust = contrast_test(mixed, c), cr2_test(y, X, clusters, c, working=working)
    nulls = (width - form.constant, -width - form.constant)
    return Companion(
        method=f"{test.method}, two one-sided tests",
        status=test.status,
        estimate=test.estimate + form.constant,
        se=test.se,
        df=test.df,
        p=_larger_p(test, nulls),
        cr2_se=robust.se,
        cr2_df=robust.df,
        cr2_p=_larger_p(robust, nulls),
        cr2_status=robust.status,
    )


def _larger_p(test: ContrastTest | RobustTest, nulls: tuple[float, float]) -> float:
    """Return the larger of the p values against "above the upper null" and "below the lower null"."""
    if not np.isfinite(test.df) or not test.se > 0:
        return float("nan")
    upper = t_probability((test.estimate - nulls[0]) / test.se, test.df)
    lower = t_probability((nulls[1] - test.estimate) / test.se, test.df)
    return max(upper, lower)
