"""One function an engine: fit the model of a study, return draws of what is reported and the times."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from engines_studies import FIXED, SD, Float, Study, make_study

if TYPE_CHECKING:
    import pymc as pm

CHAINS, DRAWS = 4, 1000
# Tuning iterations a chain: each engine's own default.
TUNE, TUNE_GAINLAW = 1000, 500


@dataclass(frozen=True, slots=True)
class Options:
    """What a sampler is asked for.

    Parameters
    ----------
    seed : int
        Seed of everything random.
    accept : float
        Target acceptance; gainlaw's engines choose theirs.
    draws, tune : int
        Draws kept and tuning iterations of a chain; gainlaw's engines have their own.
    """

    seed: int
    accept: float
    draws: int = DRAWS
    tune: int = TUNE


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One fit.

    Parameters
    ----------
    draws : dict of str to ndarray, shape (chains, draws)
        Draws of the study's quantities.
    seconds : float
        From the table to the draws, without compilation.
    compile_seconds : float
        Compilation; see each engine for how it is told apart.
    divergences : int
        Divergent transitions kept.
    ess : float
        Where the draws carry no trace of it (importance sampling), the effective number of draws; else NaN.
    pareto_k : float
        Shape of the weights of importance sampling; else NaN.
    """

    draws: dict[str, Float]
    seconds: float
    compile_seconds: float
    divergences: int = 0
    ess: float = float("nan")
    pareto_k: float = float("nan")


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fit_gainlaw(engine: str, study: Study, options: Options) -> Result:
    """Fit with one of gainlaw's engines, by their own defaults."""
    from gainlaw._threads import one_blas_thread
    from gainlaw.laws import law
    from gainlaw.model.engines import exact, nuts
    from gainlaw.model.spec.problem import build_problem, specify
    from gainlaw.scores.gains.cells.reading import gains_from_frame

    start = time.perf_counter()
    gains = gains_from_frame(study.frame.drop(columns="run"))
    priors = dict.fromkeys((*study.sds, "tau_residual"), f"halfnormal({SD})")
    priors |= dict.fromkeys(("intercept", "slope"), f"normal(0, {FIXED})")
    spec = specify(gains, law("linear"), terms=[term.name for term in study.terms], priors=priors)
    # The other engines' model has no correlations of intercepts and slopes, and counts sizes from 1e9.
    spec = replace(
        spec,
        law=law("linear"),
        terms=tuple(replace(term, correlated=False) for term in spec.terms),
        priors={name: prior for name, prior in spec.priors.items() if not name.startswith("rho_")},
    )
    problem = build_problem(gains, spec)
    with one_blas_thread():
        if engine == "exact":
            found = exact.sample(problem, gains, draws=DRAWS, chains=CHAINS, seed=options.seed)
        else:
            found = nuts.sample(
                problem, gains, draws=DRAWS, tune=TUNE_GAINLAW, chains=CHAINS, seed=options.seed
            )
    seconds = time.perf_counter() - start
    mu = found.effects[..., problem.design.blocks[0].start :]
    draws = {"intercept": mu[..., 0], "slope": mu[..., 1], **found.hyper}
    draws = {name: draws[name] for name in study.quantities}
    if found.importance is not None:
        return Result(draws, seconds, 0.0, 0, found.importance.ess, found.importance.pareto_k)
    return Result(draws, seconds, 0.0, int(found.stats["diverging"].sum()))


def warm_gainlaw(engine: str, study: Study) -> float:
    """Return what a first fit takes beyond a second one of the same, tiny study: compiled code fits every study."""
    runs = any(term.name == "run" for term in study.terms)
    tiny = make_study("tiny with runs" if runs else "tiny")
    times = []
    for _ in range(2):
        start = time.perf_counter()
        fit_gainlaw(engine, tiny, Options(0, 0.0))
        times.append(time.perf_counter() - start)
    return times[0] - times[1]


def plain_model(study: Study) -> pm.Model:
    """Return the model as a PyMC user writes it: non-centred effects, residual and sampling error in one sd."""
    import pymc as pm

    x = study.x
    with pm.Model() as model:
        line = pm.Normal("intercept", 0.0, FIXED) + pm.Normal("slope", 0.0, FIXED) * x
        for name, (term, is_slope) in study.sds.items():
            raw = pm.Normal(f"{name}_raw", shape=study.groups(term))
            effect = pm.Deterministic(f"{name}_effect", pm.HalfNormal(name, SD) * raw)[study.codes(term)]
            line = line + (effect * x if is_slope else effect)
        residual = pm.HalfNormal("tau_residual", SD)
        pm.Normal("gain", line, pm.math.sqrt(study.se**2 + residual**2), observed=study.gain)
    return model


def centred_model(study: Study) -> pm.Model:
    """Return the same model in the coordinates an expert chooses where the data are many.

    Tasks are centred at the population's line, languages at their family's, runs at 0; only families stay
    non-centred.
    """
    import pymc as pm

    terms = {term.name: term for term in study.terms}
    task, family, language = (study.codes(terms[name]) for name in ("task", "language_family", "language"))
    family_of = family[np.unique(language, return_index=True)[1]]
    with pm.Model() as model:
        sd = {name: pm.HalfNormal(name, SD) for name in study.sds}
        line = 0.0
        for part, suffix, weight in (("intercept", "", 1.0), ("slope", "_slope", study.x)):
            mean = pm.Normal(part, 0.0, FIXED)
            tasks = pm.Normal(
                f"task{suffix}", mean, sd[f"tau_task{suffix}"], shape=study.groups(terms["task"])
            )
            raw = pm.Normal(f"family{suffix}_raw", shape=study.groups(terms["language_family"]))
            families = pm.Deterministic(f"family{suffix}", sd[f"tau_language_family{suffix}"] * raw)
            languages = pm.Normal(
                f"language{suffix}", families[family_of], sd[f"tau_language{suffix}"], shape=len(family_of)
            )
            line = line + (tasks[task] + languages[language]) * weight
        if "run" in terms:
            runs = pm.Normal("run", 0.0, sd["tau_run"], shape=study.groups(terms["run"]))
            line = line + runs[study.codes(terms["run"])]
        residual = pm.HalfNormal("tau_residual", SD)
        pm.Normal("gain", line, pm.math.sqrt(study.se**2 + residual**2), observed=study.gain)
    return model


def fit_pymc(sampler: str, centred: bool, study: Study, options: Options) -> Result:
    """Fit with PyMC by its own sampler or by nutpie; it says itself how long the sampling took."""
    import pymc as pm

    start = time.perf_counter()
    with centred_model(study) if centred else plain_model(study):
        tree = pm.sample(
            options.draws, tune=options.tune, chains=CHAINS, cores=cores(), random_seed=options.seed,
            nuts_sampler=sampler, progressbar=False, compute_convergence_checks=False,
            nuts={"target_accept": options.accept},
        )  # fmt: skip
    return _from_tree(tree, study, time.perf_counter() - start, {})


def fit_bambi(study: Study, options: Options) -> Result:
    """Fit with bambi: its formula, and a family that adds the known sampling error to the residual."""
    import bambi
    import pymc as pm

    start = time.perf_counter()
    se = study.se

    def measured(name: str, mu: Any, sigma: Any, **others: Any) -> Any:
        return pm.Normal(name, mu, pm.math.sqrt(se**2 + sigma**2), **others)

    sd = bambi.Prior("HalfNormal", sigma=SD)
    fixed, grouped = bambi.Prior("Normal", mu=0, sigma=FIXED), bambi.Prior("Normal", mu=0, sigma=sd)
    names, parts = {}, ["gain ~ 1 + x"]
    for name, (term, is_slope) in study.sds.items():
        names[name] = f"{'x' if is_slope else '1'}|{term.name}_sigma"
        parts.append(f"({'0 + x' if is_slope else '1'}|{term.name})")
    priors = {"Intercept": fixed, "x": fixed, "sigma": sd}
    priors |= dict.fromkeys((name.removesuffix("_sigma") for name in names.values()), grouped)
    likelihood = bambi.Likelihood("Measured", params=["mu", "sigma"], parent="mu", dist=measured)
    model = bambi.Model(
        " + ".join(parts), study.frame.assign(x=study.x), family=bambi.Family("measured", likelihood, "identity"),
        priors=priors, auto_scale=False, center_predictors=False,
    )  # fmt: skip
    tree = model.fit(
        draws=options.draws, tune=options.tune, chains=CHAINS, cores=cores(), random_seed=options.seed,
        progressbar=False, compute_convergence_checks=False, nuts={"target_accept": options.accept},
    )  # fmt: skip
    names |= {"intercept": "Intercept", "slope": "x", "tau_residual": "sigma"}
    return _from_tree(tree, study, time.perf_counter() - start, names)


def _from_tree(tree: Any, study: Study, wall: float, names: Mapping[str, str]) -> Result:
    """Read a result of ``pm.sample``."""
    posterior, stats = tree["posterior"], tree["sample_stats"]
    sampling = next(
        group.attrs["sampling_time"] for group in (posterior, stats) if "sampling_time" in group.attrs
    )
    return Result(
        {name: posterior[names.get(name, name)].to_numpy() for name in study.quantities},
        float(sampling),
        wall - float(sampling),
        int(stats["diverging"].sum()),
    )


def fit_numpyro(study: Study, options: Options) -> Result:
    """Fit with NumPyro in double precision, a device for every chain; JAX itself says how long it compiled."""
    import jax
    import numpyro
    from numpyro import distributions as dist
    from numpyro.infer import MCMC, NUTS

    x, se = study.x, study.se
    codes = {term.name: study.codes(term) for term in study.terms}

    def model(gain: Float) -> None:
        line = numpyro.sample("intercept", dist.Normal(0.0, FIXED))
        line = line + numpyro.sample("slope", dist.Normal(0.0, FIXED)) * x
        for name, (term, is_slope) in study.sds.items():
            sd = numpyro.sample(name, dist.HalfNormal(SD))
            raw = numpyro.sample(f"{name}_raw", dist.Normal().expand([study.groups(term)]).to_event(1))
            effect = numpyro.deterministic(f"{name}_effect", sd * raw)[codes[term.name]]
            line = line + (effect * x if is_slope else effect)
        residual = numpyro.sample("tau_residual", dist.HalfNormal(SD))
        numpyro.sample("gain", dist.Normal(line, (se**2 + residual**2) ** 0.5), obs=gain)

    numpyro.set_host_device_count(CHAINS)
    jax.config.update("jax_enable_x64", True)
    compiling: list[float] = []

    def listen(event: str, seconds: float, **_: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            compiling.append(seconds)

    jax.monitoring.register_event_duration_secs_listener(listen)
    start = time.perf_counter()
    sampler = MCMC(
        NUTS(model, target_accept_prob=options.accept), num_warmup=options.tune, num_samples=options.draws,
        num_chains=CHAINS, chain_method="parallel", progress_bar=False,
    )  # fmt: skip
    sampler.run(jax.random.key(options.seed), study.gain, extra_fields=("diverging",))
    draws = sampler.get_samples(group_by_chain=True)
    found = {name: np.asarray(draws[name]) for name in study.quantities}
    wall, compiled = time.perf_counter() - start, sum(compiling)
    divergences = int(np.asarray(sampler.get_extra_fields()["diverging"]).sum())
    return Result(found, wall - compiled, compiled, divergences)


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine of the benchmark.

    Parameters
    ----------
    label : str
        Its name on the page.
    packages : tuple of str
        What must be installed; their versions are reported.
    fit : callable
        Takes the study and the options.
    gainlaw : str
        For an engine of gainlaw its name, else empty.
    """

    label: str
    packages: tuple[str, ...]
    fit: Callable[[Study, Options], Result]
    gainlaw: str = ""


ENGINES = {
    "exact": Engine("gainlaw `exact`", ("gainlaw", "numba"), partial(fit_gainlaw, "exact"), "exact"),
    "nuts": Engine("gainlaw `nuts`", ("gainlaw", "nutpie"), partial(fit_gainlaw, "nuts"), "nuts"),
    "pymc": Engine("PyMC", ("pymc", "pytensor"), partial(fit_pymc, "pymc", False)),
    "pymc-nutpie": Engine("PyMC, nutpie", ("pymc", "nutpie"), partial(fit_pymc, "nutpie", False)),
    "pymc-centred": Engine("PyMC, nutpie, centred", ("pymc", "nutpie"), partial(fit_pymc, "nutpie", True)),
    "bambi": Engine("bambi", ("bambi", "pymc"), fit_bambi),
    "numpyro": Engine("NumPyro", ("numpyro", "jax"), fit_numpyro),
}
