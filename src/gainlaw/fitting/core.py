"""Fit a hierarchical law to gains: the one function."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from gainlaw._threads import one_blas_thread
from gainlaw.errors import InputError, Problem
from gainlaw.fitting.checks.baselines import baselines_check
from gainlaw.fitting.checks.diagnostics import Check, Diagnostics, cells_check, run_checks, scales_check
from gainlaw.fitting.checks.influence import influence_table, left_out
from gainlaw.fitting.checks.laws import laws_check
from gainlaw.fitting.checks.predictive import predictive_data
from gainlaw.fitting.checks.prior_scales import prior_scales
from gainlaw.fitting.checks.sensitivity import prior_sensitivity
from gainlaw.fitting.checks.trend import trend_checks
from gainlaw.fitting.provenance import build_record
from gainlaw.fitting.record import FitRecord
from gainlaw.laws import hierarchical_law
from gainlaw.laws.record import Law
from gainlaw.model.spec.priors import Prior
from gainlaw.model.spec.problem import ModelProblem, build_problem, observations, specify
from gainlaw.model.spec.tree import Relations, read_relations
from gainlaw.options import DEFAULT_LAW, Baselines, Engine, require_choice
from gainlaw.posterior.estimates import MIN_ESS, estimate_table
from gainlaw.posterior.record import Posterior
from gainlaw.scales import Scale
from gainlaw.scores.evaluations.table import Evaluations
from gainlaw.scores.gains.cells.reading import read_table
from gainlaw.scores.gains.table import Gains
from gainlaw.sizes import model_sizes

if TYPE_CHECKING:
    from gainlaw.fitting.averaging import Averaged
    from gainlaw.model.binomial.sites import Summary

__all__ = ["Progress", "check_numbers", "fit"]

_MOST_DRAWS = 1_000_000
"""All chains together; more neither fit into memory nor tell more."""

Progress = Callable[[int, int], None]


def fit(
    data: Gains | Evaluations | str | os.PathLike[str] | pd.DataFrame,
    law: str | Law = DEFAULT_LAW,
    *,
    scale: Scale | None = None,
    engine: Engine | str = "exact",
    terms: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    covariates: Sequence[str] = (),
    priors: Mapping[str, str | Prior] | None = None,
    draws: int = 1000,
    tune: int = 500,
    chains: int = 4,
    seed: int = 0,
    ci_prob: float = 0.95,
    params: Sequence[float | str] | None = None,
    tree: object = False,
    baselines: Baselines | str = "free",
    progress: Progress | None = None,
) -> FitRecord:
    r"""Fit a hierarchical law of the gain against model size.

    With ``x = log10(params / 1e9)`` and the law's shape ``h``,

    .. math::

        \mathrm{gain}_i = (\mu_0 + \mu_1 h(x_i)) + \sum_t (u_{t,g(i)} + v_{t,g(i)} h(x_i))
            + c_{\mathrm{checkpoint}(i)} + \cdots + r_i + e_i,

    where the terms ``t`` (tasks, language families, ...) and the replicates (checkpoint, checkpoint by task, ...)
    are those that the data can identify, ``r`` is a residual and ``e`` the sampling error with its known
    covariance. On the log-odds scale with counts at hand, the binomial likelihood of each pair takes the place of
    ``e``.

    Parameters
    ----------
    data : Gains, Evaluations, path-like or DataFrame
        Gains, or evaluations from which they are computed; or a file or a frame with either, read by
        `gainlaw.read_table`, which has the options for tables in other units or with other names.
    law : str or Law
        A law that has a shape: its name (`gainlaw.laws.shaped`), or one of one's own (`gainlaw.laws.record.Law`).
        ``average`` and ``stacked`` average over them by their evidence, or by how they predict checkpoints left out
        (`gainlaw.laws.averages`); others are made by `gainlaw.laws.average_of`.
    scale : {"points", "log_odds", "normalized", "error_reduction"}, optional
        The scale; by default that of the gains, or points.
    engine : {"exact", "nuts"}
        How the posterior is computed. ``exact``: coefficients integrated out, importance sampling of the scales; where
        its diagnostics fail, ``nuts`` takes over and the record says so. ``nuts``: PyMC's model by nutpie.
    terms, exclude : sequence of str, optional
        Consider only these terms; leave those out.
    covariates : sequence of str
        Numeric columns that shift the gain, and its slope too as ``NAME:slope``. They are standardised: their priors
        are for one standard deviation over the rows, and every other estimate is at their means.
    priors : mapping of str to str or Prior, optional
        Priors by parameter name, e.g. ``{"tau_task": "halfnormal(5)"}``, in the unit of the scale.
    draws, tune, chains : int
        Draws kept for each chain, spent on tuning (``nuts``), and chains. The draws of ``exact`` are independent; it
        returns ``draws * chains`` of them.
    seed : int
        Seed of everything random: the same seed gives the same numbers.
    ci_prob : float
        Probability of the intervals.
    params : sequence of float or str, optional
        Sizes at which the gain is reported: numbers, or text such as ``"13B"``.
    tree : bool, path, DataFrame or mapping
        One term for languages along their tree (`gainlaw.model.spec.tree`) in place of one for families and one for
        languages: the tree of families and genera, or a file or frame, see `gainlaw.model.spec.tree.read_relations`.
    baselines : {"free", "hierarchical"}
        ``free``: every baseline stands for itself. ``hierarchical``: the rows are the scores of both models, the
        baselines with a line in log size and terms of their own (`gainlaw.model.spec.joint`).
    progress : callable, optional
        Called with (done, total) draws.

    Returns
    -------
    Fit

    Raises
    ------
    InputError
        For options or data that cannot be used.

    Notes
    -----
    A fit whose diagnostics fail is returned all the same, with ``status`` ``failed``.

    Examples
    --------
    >>> import gainlaw as gl
    >>> gains = gl.load_dataset("bloomz").gains(scale="points")
    >>> result = gl.fit(gains, law="linear")  # doctest: +SKIP
    >>> result.summary(level="task")  # doctest: +SKIP
    """
    engine = cast("Engine", require_choice(engine, Engine, "engine"))
    check_numbers(draws, seed, tune, chains, ci_prob)
    sizes = None if params is None else np.atleast_1d(model_sizes(params)).tolist()
    start = time.perf_counter()
    chosen = hierarchical_law(law)
    if chosen.form.scores:
        scale, baselines = scale or "log_odds", "hierarchical"
    if chosen.form.members and engine != "exact":
        hint = "engine=exact, or fit its laws one by one"
        raise InputError(
            Problem(f"an average over laws needs the evidence of each, which {engine} has not", hint=hint)
        )
    gains = _as_gains(data, scale)
    relations = read_relations(tree)
    spec = specify(
        gains, chosen, terms=terms, exclude=exclude, covariates=covariates, priors=priors, tree=relations,
        baselines=cast("Baselines", baselines),
    )  # fmt: skip
    problem = build_problem(gains, spec)
    with one_blas_thread():
        run = partial(_run, problem, gains, draws, tune, chains, seed, progress, sizes=sizes, ci_prob=ci_prob)
        used, why = engine, ""
        posterior, estimates, checks, summary, averaged = run(engine)
        failed = [check for check in checks if check.passed is False]
        # So few draws satisfy no engine: another one would not do better.
        if draws * chains <= MIN_ESS:
            failed = [check for check in failed if check.name != "ess"]
        if engine == "exact" and failed and averaged is None:
            used, why = "nuts", " ".join(check.text for check in failed)
            posterior, estimates, checks, summary, _ = run("nuts")
        status = "failed" if any(check.passed is False for check in checks) else "ok"
        scales = prior_scales(posterior)
        outside = left_out(posterior, summary) if averaged is None else averaged.left_out
        influence = influence_table(outside, ci_prob)
        laws = pd.DataFrame() if averaged is None else averaged.laws
        diagnostics = Diagnostics(
            cast("Any", status),
            checks
            + laws_check(posterior, laws, ci_prob)
            + scales_check(scales)
            + cells_check(posterior)
            + trend_checks(posterior, influence)
            + baselines_check(posterior, influence),
            influence,
            prior_sensitivity(posterior),
            scales,
            predictive_data(posterior),
            laws,
        )
    resolved = {
        "law": chosen.name,
        "scale": gains.scale,
        "engine": engine,
        "terms": None if terms is None else list(terms),
        "exclude": list(exclude),
        "covariates": list(covariates),
        "draws": draws,
        "tune": tune,
        "chains": chains,
        "seed": seed,
        "ci_prob": ci_prob,
        "params": sizes,
        "tree": relations.record if isinstance(relations, Relations) else relations,
        "baselines": baselines,
    }
    given = {
        **resolved,
        "scale": scale,
        "priors": {name: str(value) for name, value in (priors or {}).items()},
    }
    record = build_record(
        posterior, given=given, resolved=resolved, status=status, seconds=time.perf_counter() - start
    )
    record["engine"] = {"used": used, "fallback": why or None}
    return FitRecord(problem, gains, posterior.draws, estimates, diagnostics, record)


def _run(
    problem: ModelProblem,
    gains: Gains,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    progress: Progress | None,
    engine: Engine,
    *,
    sizes: Sequence[float] | None,
    ci_prob: float,
) -> tuple[Posterior, pd.DataFrame, tuple[Check, ...], Summary | None, Averaged | None]:
    """Compute the posterior by one engine; return it with its estimates, checks and summary of counts.

    Of an average over laws its members come last.
    """
    from gainlaw.posterior.tree import build_tree

    rows, averaged = observations(gains, problem.spec), None
    if problem.spec.law.members:
        from gainlaw.fitting.averaging import average, fit_members

        members = fit_members(problem, gains, draws=draws, chains=chains, seed=seed, progress=progress)
        averaged = average(problem, gains, members, seed=seed, ci_prob=ci_prob)
        result = averaged.draws
    elif engine == "exact":
        from gainlaw.model.engines import exact

        result = exact.sample(problem, rows, draws=draws, chains=chains, seed=seed, progress=progress)
    else:
        from gainlaw.model.engines import nuts

        result = nuts.sample(
            problem, rows, draws=draws, tune=tune, chains=chains, seed=seed, progress=progress
        )
    posterior = Posterior(problem, gains, build_tree(problem, rows, result, seed))
    estimates = estimate_table(posterior, sizes=sizes, ci_prob=ci_prob)
    return posterior, estimates, run_checks(posterior, estimates, result.attempts), result.summary, averaged


def _as_gains(
    data: Gains | Evaluations | str | os.PathLike[str] | pd.DataFrame, scale: Scale | None
) -> Gains:
    if scale is not None:
        require_choice(scale, Scale, "scale")
    if isinstance(data, str | os.PathLike | pd.DataFrame):
        data = read_table(data)
    if isinstance(data, Evaluations):
        return data.gains(scale=scale or "points")
    if not isinstance(data, Gains):
        raise InputError(
            Problem(
                f"fit takes gains or evaluations, not {type(data).__name__}", hint="see gl.read_evaluations"
            )
        )
    return data if scale is None else data.to_scale(scale)


def check_numbers(draws: int, seed: int, tune: int = 500, chains: int = 4, ci_prob: float = 0.95) -> None:
    """Raise an InputError with every number among the options of `fit` that is out of range."""
    problems = []
    for name, value, low, high in (
        ("draws", draws, 100, _MOST_DRAWS),
        ("tune", tune, 100, _MOST_DRAWS),
        ("chains", chains, 2, _MOST_DRAWS),
        ("seed", seed, 0, 2**63 - 1),
    ):
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or not low <= value <= high:
            problems.append(Problem(f"{name} is {value!r}", hint=f"a whole number from {low:,} to {high:,}"))
    if not problems and draws * chains > _MOST_DRAWS:
        problems.append(
            Problem(f"{draws:,} draws in {chains:,} chains are too many", hint=f"{_MOST_DRAWS:,} in all")
        )
    if not 0.5 <= ci_prob < 1:
        problems.append(Problem(f"ci_prob is {ci_prob!r}", hint="at least 0.5 and below 1"))
    if problems:
        raise InputError(problems, source="options")
