"""From an engine's draws to the one DataTree that everything above reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gainlaw._threads import in_threads, pieces
from gainlaw.model.effects import Lines, lines_of
from gainlaw.model.gaussian.known_errors import axes_of, turned
from gainlaw.model.gaussian.row_kernels import normal_log_densities, normal_log_density
from gainlaw.model.spec.covariates import SLOPE
from gainlaw.model.spec.problem import ModelProblem, ModelSpec
from gainlaw.posterior.record import Posterior
from gainlaw.scores.gains.table import Gains

if TYPE_CHECKING:
    import xarray as xr

    from gainlaw.model.binomial.sites import Summary
    from gainlaw.model.engines.draws import Draws

__all__ = [
    "MOST_VALUES",
    "PRIOR_DRAWS",
    "REPLICATES",
    "build_tree",
    "effects_of",
    "hyper_points",
    "posterior_tree",
    "prior_draws",
    "prior_log_densities",
    "row_log_likelihood",
]

Float = NDArray[np.float64]

PRIOR_DRAWS = 4000
"""Draws of the prior kept with every fit."""

REPLICATES = 400
"""Posterior predictive replicates kept with every fit."""

MOST_VALUES = 100_000_000
"""Rows times draws of the likelihoods, or of the replicates, kept with a fit; of larger tables fewer draws are kept."""

# Draws that are looked at together where not all are kept.
_TOGETHER = 128


def build_tree(problem: ModelProblem, gains: Gains, draws: Draws, seed: int) -> xr.DataTree:
    """Assemble posterior, prior, likelihood and replicated data.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    gains : Gains
        Its data.
    draws : Draws
        What the engine returned.
    seed : int
        Seed of the prior draws and the replicates.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior``, ``prior``, ``sample_stats``, ``log_likelihood``, ``log_prior``, ``posterior_predictive``
        and ``observed_data`` as ArviZ has them; on log-odds with baselines that stand for themselves also
        ``baseline_shift``, see `baseline_shift.baseline_shift`.
    """
    import xarray as xr

    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    chains, per_chain = draws.effects.shape[:2]
    flat = draws.effects.reshape(chains * per_chain, -1)
    psi = problem.spec.law.psi({name: value.reshape(-1) for name, value in draws.hyper.items()})
    tau = draws.hyper["tau_residual"].reshape(-1) if "tau_residual" in draws.hyper else np.zeros(len(flat))
    n = len(problem.y)
    lines = lines_of(problem, flat, psi)
    # Of a large table the rows' likelihoods are kept for some of the draws.
    every = max(-(-per_chain * chains * n // MOST_VALUES), 1)
    thinned = np.arange(len(flat)).reshape(chains, per_chain)[:, ::every]
    some = thinned.ravel()
    log_lik = row_log_likelihood(problem, gains, lines(some), tau[some], draws.summary)
    total = (
        log_lik.sum(axis=1)
        if every == 1 and (draws.summary is not None or not gains.covariance.blocks)
        else _total_log_likelihood(problem, gains, lines, tau, draws.summary)
    )
    size = max(min(REPLICATES, max(MOST_VALUES // n, 50)) // chains, 1)
    spread = np.linspace(0, per_chain - 1, min(size, per_chain)).astype(int)
    picked = (np.arange(chains)[:, None] * per_chain + spread).ravel()
    replicated = _replicate(gains, lines(picked), tau[picked], rng)
    row, chain = {"row": np.arange(n)}, {"chain": np.arange(chains)}
    hyper, effects = prior_draws(problem, rng)
    posterior = _parameters(problem, draws.hyper, draws.effects)
    groups = {
        "posterior": posterior,
        "prior": _parameters(problem, {k: v[None, :] for k, v in hyper.items()}, effects[None]),
        "log_prior": xr.Dataset(prior_log_densities(problem.spec, posterior)),
        "sample_stats": _stats(draws, {**draws.stats, "log_lik": total.reshape(chains, per_chain)}),
        "log_likelihood": xr.Dataset(
            {"gain": (("chain", "draw", "row"), log_lik.reshape(*thinned.shape, -1))},
            coords={**row, **chain, "draw": thinned[0]},
        ),
        "posterior_predictive": xr.Dataset(
            {"gain": (("chain", "draw", "row"), replicated.reshape(chains, -1, n))},
            coords={**row, **chain, "draw": spread},
        ),
        "observed_data": xr.Dataset({"gain": (("row",), problem.y)}, coords=row),
    }
    if draws.summary is not None and not problem.spec.joint:
        from gainlaw.model.binomial.baseline_shift import baseline_shift

        shifts = np.stack([baseline_shift(gains, each) for each in draws.members or (draws.summary,)])
        # Under an average over laws every draw moves as its own law does.
        own = (
            draws.hyper[problem.spec.law.parameters[0].name].astype(int)
            if draws.members
            else np.zeros((1, 1), int)
        )
        groups["baseline_shift"] = _parameters(problem, {}, shifts[own])
    return xr.DataTree.from_dict(groups)


def row_log_likelihood(
    problem: ModelProblem, gains: Gains, line: Float, tau: Float, summary: Summary | None
) -> Float:
    """Return each row's log likelihood with its residual integrated out, shape (draws, n).

    Parameters
    ----------
    problem : ModelProblem
        The model.
    gains : Gains
        Its data.
    line : ndarray, shape (draws, n)
        From `linear_predictor`.
    tau : ndarray, shape (draws,)
        Residual sds.
    summary : Summary or None
        That of the counts, where the likelihood is binomial.

    Notes
    -----
    Rows that share a baseline are not independent. On log-odds their joint likelihood stands at the first of them; on
    the other scales each has its own marginal one.
    """
    if summary is not None:
        from gainlaw.model.binomial.marginal import row_log_marginals

        return row_log_marginals(summary.tables, line, tau)
    variance = np.asarray(gains.covariance.variance, dtype=float)
    return in_threads(
        lambda draws: normal_log_densities(line[draws], tau[draws], problem.y, variance), len(line)
    )


def _total_log_likelihood(
    problem: ModelProblem,
    gains: Gains,
    lines: Lines,
    tau: Float,
    summary: Summary | None,
) -> Float:
    """Return the log likelihood of all rows together, shape (draws,), with what their errors have in common."""
    if summary is not None:
        from gainlaw.model.binomial.marginal import total_log_marginals

        return total_log_marginals(summary.tables, lines, tau, lambda line, tau: np.zeros(len(tau)))
    rows, variance, rotations = (
        np.arange(len(problem.y)),
        np.array(gains.covariance.variance, dtype=float),
        [],
    )
    for members, values, axes in axes_of(gains.covariance.blocks):
        variance[members] = values
        rotations.append((members, axes))
    y = turned(problem.y, rotations)

    def part(draws: slice) -> Float:
        found = []
        for some in pieces(draws, _TOGETHER):
            line = turned(lines(np.arange(some.start, some.stop)), rotations)
            found.append(normal_log_density(line, tau[some], rows, y, variance))
        return np.concatenate(found)

    return in_threads(part, len(tau))


def prior_log_densities(spec: ModelSpec, draws: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the log prior density of every draw of the top-level parameters, by the names of the parameters.

    Group effects have no prior of their own: theirs is made of these parameters.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    draws : xarray.Dataset
        Draws of its parameters, as in the group ``posterior``.
    """
    import xarray as xr

    def density(values: xr.DataArray, priors: Sequence[str]) -> xr.DataArray:
        each = [spec.priors[name].log_density(values[..., k].to_numpy()) for k, name in enumerate(priors)]
        return xr.DataArray(np.stack(each, axis=-1), dims=values.dims, coords=values.coords)

    fixed = ["intercept", "slope"][: draws["mu"].shape[-1]]
    found = {"mu": density(draws["mu"], fixed)}
    if "covariate" in draws:
        found["covariate"] = density(draws["covariate"], [f"covariate:{name}" for name in spec.covariates])
    for name in spec.hyper_names:
        values = draws[name]
        found[name] = values.copy(data=spec.priors[name].log_density(values.to_numpy()))
    return found


def prior_draws(problem: ModelProblem, rng: np.random.Generator) -> tuple[dict[str, Float], Float]:
    """Draw hyperparameters, shape (draws,), and coefficients, shape (draws, q), from the prior."""
    priors = problem.spec.priors
    hyper = {name: priors[name].sample(PRIOR_DRAWS, rng) for name in problem.hyper}
    effects = np.empty((PRIOR_DRAWS, problem.design.n_columns))
    for block in problem.design.blocks:
        first = slice(block.start, block.start + block.size)
        if block.name == "mu" or block.name.startswith("covariate:"):
            name = "intercept" if block.name == "mu" else block.name
            effects[:, first] = priors[name].sample(PRIOR_DRAWS, rng)[:, None]
            if block.slope_start >= 0:
                name = "slope" if block.name == "mu" else block.name + SLOPE
                effects[:, block.slope_start] = priors[name].sample(PRIOR_DRAWS, rng)
            continue
        z = rng.standard_normal((PRIOR_DRAWS, block.size))
        effects[:, first] = hyper[f"tau_{block.name}"][:, None] * z
        if block.slope_start >= 0:
            rho = hyper.get(f"rho_{block.name}", np.zeros(PRIOR_DRAWS))[:, None]
            own = rng.standard_normal((PRIOR_DRAWS, block.size))
            slope = hyper[f"tau_{block.name}_slope"][:, None] * (rho * z + np.sqrt(1.0 - rho**2) * own)
            effects[:, block.slope_start : block.slope_start + block.size] = slope
    return hyper, effects


def posterior_tree(problem: ModelProblem, draws: Draws) -> xr.DataTree:
    """Return an engine's draws and what it says of them, without prior, likelihood and replicated data.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    draws : Draws
        What the engine returned.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior`` and ``sample_stats``, as `build_tree` has them.
    """
    import xarray as xr

    groups = {
        "posterior": _parameters(problem, draws.hyper, draws.effects),
        "sample_stats": _stats(draws, draws.stats),
    }
    return xr.DataTree.from_dict(groups)


def _stats(draws: Draws, stats: dict[str, Float]) -> xr.Dataset:
    """Return statistics of every draw; attributes are what importance sampling says of itself."""
    import xarray as xr

    attributes = {}
    if draws.importance is not None:
        attributes = {name: float(value) for name, value in asdict(draws.importance).items()}
    counted = {name: (("chain", "draw"), value) for name, value in stats.items()}
    return xr.Dataset(counted, coords=_numbered(*draws.effects.shape[:2]), attrs=attributes)


def _numbered(chains: int, draws: int) -> dict[str, NDArray[np.int64]]:
    return {"chain": np.arange(chains), "draw": np.arange(draws)}


def _parameters(problem: ModelProblem, hyper: dict[str, Float], effects: Float) -> xr.Dataset:
    """Name every parameter; effects have shape (chains, draws, q)."""
    import xarray as xr

    variables: dict[str, tuple[tuple[str, ...], Float]] = {
        name: (("chain", "draw"), value) for name, value in hyper.items()
    }
    coords: dict[str, list[str]] = {}
    covariates: list[Float] = []
    terms = {term.name: term for term in problem.spec.all_terms}
    for block in problem.design.blocks:
        first = effects[..., block.start : block.start + block.size]
        if block.name.startswith("covariate:"):
            covariates.append(first[..., 0])
            if block.slope_start >= 0:
                covariates.append(effects[..., block.slope_start])
            continue
        parts = [first]
        coef = "coef_intercept"
        if block.slope_start >= 0:
            parts.append(effects[..., block.slope_start : block.slope_start + block.size])
            coef = "coef"
        coords[coef] = ["intercept", "slope"][: len(parts)]
        stacked = np.stack(parts, axis=-1)
        if block.name == "mu":
            variables["mu"] = (("chain", "draw", coef), stacked[..., 0, :])
        else:
            group = f"{block.name}_group"
            coords[group] = list(terms[block.name].groups)
            variables[block.name] = (("chain", "draw", group, coef), stacked)
    if covariates:
        coords["covariate_name"] = list(problem.spec.covariates)
        variables["covariate"] = (("chain", "draw", "covariate_name"), np.stack(covariates, axis=-1))
    return xr.Dataset(variables, coords={**coords, **_numbered(*effects.shape[:2])})


def hyper_points(posterior: Posterior) -> Float:
    """Return the posterior draws of the hyperparameters, chain by chain, shape (draws, k).

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    """
    data = posterior.draws["posterior"]
    columns = [data[name].to_numpy().reshape(-1) for name in posterior.problem.hyper]
    return np.stack(columns, axis=1).astype(float) if columns else np.zeros((posterior.n_draws, 0))


def effects_of(posterior: Posterior) -> Float:
    """Return the posterior draws of the coefficients in the order of the design's columns, shape (draws, q).

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    """
    problem, data, size = posterior.problem, posterior.draws["posterior"], posterior.n_draws
    effects = np.empty((size, problem.design.n_columns))
    places = {f"covariate:{name}": k for k, name in enumerate(problem.spec.covariates)}
    for block in problem.design.blocks:
        if block.name in places:
            own = data["covariate"].to_numpy().reshape(size, -1)
            effects[:, block.start] = own[:, places[block.name]]
            if block.slope_start >= 0:
                effects[:, block.slope_start] = own[:, places[block.name + SLOPE]]
            continue
        values = data[block.name].to_numpy().reshape(size, block.size, -1)
        effects[:, block.start : block.start + block.size] = values[..., 0]
        if block.slope_start >= 0:
            effects[:, block.slope_start : block.slope_start + block.size] = values[..., 1]
    return effects


def _replicate(gains: Gains, line: Float, tau: Float, rng: np.random.Generator) -> Float:
    """Draw new data, shape (replicates, n): a new residual and new sampling error, the same groups."""
    noise = rng.standard_normal(line.shape) * gains.frame["se"].to_numpy(dtype=float)
    for rows, covariance in gains.covariance.blocks:
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.clip(values, 0.0, None))
        noise[:, rows] = rng.standard_normal((len(line), len(rows))) @ root.T
    return line + tau[:, None] * rng.standard_normal(line.shape) + noise
