"""The engine `exact`: coordinates, tables, evidence and corrected likelihoods against independent computations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.special import expit, logsumexp

import gainlaw as gl
from gainlaw import _threads
from gainlaw.laws import law
from gainlaw.model.binomial import tables as binomial_tables
from gainlaw.model.binomial.marginal import row_log_marginals
from gainlaw.model.engines import exact, nuts
from gainlaw.model.engines.hyper import coordinates, log_prior, pack_scales
from gainlaw.model.gaussian import reduced
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.spec.problem import build_problem, gaussian_data, specify
from gainlaw.scores.simulate import simulate_study


def bloomz(scale: str = "points", **chosen: object) -> gl.Gains:
    return gl.load_dataset("bloomz", **chosen).gains(scale=scale)


def some_points(problem, size: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack(
        [
            rng.uniform(-0.7, 0.7, size) if name.startswith("rho_") else rng.uniform(0.2, 4.0, size)
            for name in problem.hyper
        ],
        axis=1,
    )


def test_coordinates_return_and_keep_volume() -> None:
    gains = bloomz()
    problem = build_problem(gains, specify(gains, law("linear")))
    points = some_points(problem, 5)
    place = coordinates(problem, points[0])
    np.testing.assert_allclose(place.values(place.points(points)), points, rtol=1e-12)
    at, step = place.points(points), 1e-6
    slopes = [
        (place.values(at + step * np.eye(at.shape[1])[k]) - place.values(at))[:, k] / step
        for k in range(at.shape[1])
    ]
    np.testing.assert_allclose(place.log_jacobian(at), np.log(slopes).sum(axis=0), atol=1e-4)


@pytest.mark.parametrize("name", ["one intermediate", "three intermediates", "a checkpoint left out"])
def test_tables_over_the_residual_give_the_same_likelihood_and_draws(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A table is right where it saves no work, too.
    monkeypatch.setattr(Marginal, "_pays", lambda self: True)
    gains = bloomz(intermediates="xP3") if name == "one intermediate" else bloomz()
    problem = build_problem(gains, specify(gains, law("linear"), priors={"slope": "normal(0.7, 10)"}))
    keep = np.ones(len(problem.y))
    if name == "a checkpoint left out":
        keep = (gains.frame["checkpoint"] != "bloom").to_numpy().astype(float)
    plain = Marginal.build(problem, gaussian_data(problem), keep)
    table = plain.tabulated(lambda reach: {3 * problem.n_blocks: (0.8, 4.0)})
    assert len(table.table.cores) > 0
    assert table.reduced is None
    points = some_points(problem, 20)
    np.testing.assert_allclose(table.log_likelihood(points), plain.log_likelihood(points), atol=1e-5)
    which = np.repeat(np.arange(20), 3)
    draws = [each.draw(points, which, np.random.default_rng(1)) for each in (plain, table)]
    np.testing.assert_allclose(draws[0], draws[1], atol=1e-5)


ONE_SD = {
    "checkpoints": {"terms": ["task", "language", "checkpoint"]},
    "a checkpoint left out": {"terms": ["task", "language", "checkpoint"]},
    "shared baselines": {"terms": ["task", "language", "checkpoint"]},
    "cells of checkpoint and task, uncorrelated slopes": {
        "terms": ["task", "language_family", "checkpoint_task"]
    },
    "no replicates": {"terms": ["task", "language"]},
    "a tree": {"terms": ["task", "language_tree", "checkpoint"], "tree": True},
    "a covariate": {"terms": ["task", "checkpoint"], "covariates": ["seen_in_pretraining"]},
    "the mean alone": {"terms": ["checkpoint"]},
    "a constant law": {"terms": ["task", "checkpoint"]},
}


@pytest.mark.parametrize("name", ONE_SD)
def test_tables_without_the_replicates_give_the_same_likelihood_moments_and_draws(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Tables are right where they save no work, too.
    monkeypatch.setattr(reduced, "_pays", lambda *arguments: True)
    gains = bloomz() if name == "shared baselines" else bloomz(intermediates="xP3")
    chosen = law("constant" if name == "a constant law" else "linear")
    priors = {"slope": "normal(0.7, 10)"} if chosen.form.has_slope else {}
    problem = build_problem(gains, specify(gains, chosen, priors=priors, **ONE_SD[name]))
    keep = np.ones(len(problem.y))
    if name == "a checkpoint left out":
        keep = (gains.frame["checkpoint"] != "bloom").to_numpy().astype(float)
    lone = reduced.lone_replicate(problem, gaussian_data(problem))
    assert (lone == -1) == (name == "no replicates")
    ranges = {3 * problem.n_blocks: (0.8, 4.0)} | ({lone: (0.0, 3.0)} if lone >= 0 else {})
    plain = Marginal.build(problem, gaussian_data(problem), keep)
    table = plain.tabulated(lambda reach: ranges)
    assert table.reduced is not None
    # Points beyond the tables, which take the long way, are among them.
    points = some_points(problem, 60)
    scales = pack_scales(problem, points)
    reached = table.reduced.covers(scales)
    assert 10 < reached.sum() < 60
    contrasts = np.random.default_rng(2).normal(size=(60, problem.design.n_core))
    np.testing.assert_allclose(table.log_likelihood(points), plain.log_likelihood(points), atol=1e-5)
    # A likelihood that is off by 1e-5 at most has moments that are off by a few times as much of an sd.
    found, expected = table.moments(points, contrasts), plain.moments(points, contrasts)
    sd = np.sqrt(expected[:, 2])
    np.testing.assert_allclose(found[:, 1] / sd, expected[:, 1] / sd, atol=1e-4)
    np.testing.assert_allclose(found[:, 2], expected[:, 2], rtol=1e-4)
    which = np.random.default_rng(3).permutation(np.repeat(np.arange(60), 3))
    draws = [each.draw(points, which, np.random.default_rng(1)) for each in (plain, table)]
    np.testing.assert_allclose(draws[0], draws[1], atol=2e-4)
    around = [each.around(points, which, 2, np.random.default_rng(1)) for each in (plain, table)]
    np.testing.assert_allclose(around[0][0], around[1][0], atol=2e-4)
    np.testing.assert_allclose(around[0][1], around[1][1], atol=2e-4)


def test_numbers_from_tables_do_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduced, "_pays", lambda *arguments: True)
    gains = bloomz(intermediates="xP3")
    problem = build_problem(gains, specify(gains, law("linear"), terms=["task", "language", "checkpoint"]))
    lone = reduced.lone_replicate(problem, gaussian_data(problem))
    ranges = {3 * problem.n_blocks: (0.1, 5.0), lone: (0.1, 5.0)}
    marginal = Marginal.build(problem, gaussian_data(problem)).tabulated(lambda reach: ranges)
    points = some_points(problem, 101)
    which = np.arange(101)
    found = []
    for cores in (1, 2, 3, 7):
        monkeypatch.setattr("gainlaw._threads.cores", lambda cores=cores: cores)
        draws = marginal.draw(points, which, np.random.default_rng(1))
        found.append((marginal.log_likelihood(points).tobytes(), draws.tobytes()))
    assert len(set(found)) == 1


@pytest.mark.parametrize(("asked", "most"), [("1", 1), ("1000", 1000), ("", 1000), ("all", 1000), ("0", 1)])
def test_threads_keep_to_what_the_environment_says(
    asked: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    here = _threads.cores()
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert _threads.cores() == min(here, most)


@pytest.mark.parametrize("digits", reduced.DIGITS)
@pytest.mark.parametrize("ends", [(0.0, 0.5), (0.3, 4.0), (0.0, 30.0)])
def test_axes_give_the_digits_that_they_promise(digits: int, ends: tuple[float, float]) -> None:
    axis = reduced.Axis.over(0, ends, 0.25, digits)
    sds = np.linspace(*ends, 201)
    assert axis.covers(sds).all()
    # What is tabulated is made of shares of variances and logarithms of their sums.
    for of in (lambda t: 1.0 / (0.25 + t**2), lambda t: np.log(0.4 + t**2), lambda t: t**2 / (3.0 + t**2)):
        exact_, found = of(sds), axis.weights(sds) @ of(axis.nodes)
        # The bound holds but for a constant, which is below 30 for functions of this size.
        assert np.abs(found - exact_).max() < 30.0 * np.abs(exact_).max() * 10.0**-digits


@pytest.mark.parametrize("chosen", ["two kinds of replicate", "an exponent"])
def test_what_cannot_be_reduced_is_not(chosen: str) -> None:
    gains = bloomz(intermediates="xP3")
    spec = specify(gains, law("offset_power" if chosen == "an exponent" else "linear"))
    problem = build_problem(gains, spec)
    assert reduced.lone_replicate(problem, gaussian_data(problem)) is None


def test_a_law_with_an_exponent_has_no_table() -> None:
    gains = bloomz(intermediates="xP3")
    problem = build_problem(gains, specify(gains, law("offset_power")))
    plain = Marginal.build(problem, gaussian_data(problem))
    assert plain.tabulated(lambda reach: {3 * problem.n_blocks: (0.8, 4.0)}) is plain


def test_draws_do_not_depend_on_their_order() -> None:
    gains = bloomz(intermediates="xP3")
    problem = build_problem(gains, specify(gains, law("linear")))
    marginal = Marginal.build(problem, gaussian_data(problem))
    points = some_points(problem, 4)
    effects = marginal.draw(points, np.array([3, 0, 0, 2]), np.random.default_rng(0))
    assert effects.shape == (4, problem.design.n_columns)
    assert len(np.unique(effects[:, 0])) == 4


def test_evidence_equals_quadrature() -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"task": list("abcdefgh"), "gain": rng.normal(4, 3, 8), "se": rng.uniform(0.5, 2.0, 8)}
    )
    gains = gl.gains_from_frame(frame)
    fit = gl.fit(gains, law="constant", priors={"intercept": "normal(0, 20)", "tau_task": "halfnormal(10)"})
    y, s2 = frame["gain"].to_numpy(), frame["se"].to_numpy() ** 2

    def density(tau: float) -> float:
        total = np.diag(s2 + tau**2) + 20.0**2
        return stats.multivariate_normal(np.zeros(8), total).pdf(y) * stats.halfnorm.pdf(tau, scale=10.0)

    area, _ = integrate.quad(density, 0, 80, epsabs=0, epsrel=1e-8)
    found = fit.draws["sample_stats"].attrs
    assert found["log_evidence"] == pytest.approx(np.log(area), abs=0.02)
    assert found["pareto_k"] < 0.5


def test_log_density_of_draws_is_kept() -> None:
    gains = bloomz(intermediates="xP3")
    spec = specify(gains, law("linear"))
    problem = build_problem(gains, spec)
    draws = exact.sample(problem, gains, draws=150, chains=2, seed=1)
    points = np.stack([draws.hyper[name].reshape(-1) for name in problem.hyper], axis=1)
    again = Marginal.build(problem, gaussian_data(problem)).log_likelihood(points) + log_prior(
        problem, points
    )
    np.testing.assert_allclose(draws.stats["lp"].reshape(-1), again, atol=1e-4)


@pytest.mark.parametrize("tau", [0.0, 0.02, 0.3, 1.5])
@pytest.mark.parametrize("intermediates", [1, 3])
def test_residuals_and_baselines_are_integrated_out(tau: float, intermediates: int) -> None:
    evals = gl.load_dataset("bloomz", tasks=["xcopa"])
    if intermediates == 1:
        evals = evals.select(intermediate=["none", "xP3"])
    gains = evals.gains(scale="log_odds")
    tables = binomial_tables.build_tables(gains)
    rng = np.random.default_rng(1)
    line = tables.site + 0.3 * rng.normal(size=(2, len(gains)))
    found = row_log_marginals(tables, line, np.array([tau, tau]))
    frame = gains.frame
    k0, n0, k1, n1, c = (
        frame[name].to_numpy(dtype=float)
        for name in ("k_baseline", "n_baseline", "k_intermediate", "n_intermediate", "chance")
    )
    eta = np.linspace(-16, 16, 3201)
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    log_weights = np.log(weights / weights.sum())

    def log_counts(k: float, n: float, chance: float, at: np.ndarray) -> np.ndarray:
        p = chance + (1 - chance) * expit(at)
        return k * np.log(p) + (n - k) * (np.log1p(-chance) - np.logaddexp(0, at))

    groups = [[i] for i in range(0, len(frame), 9)] if intermediates == 1 else None
    if groups is None:
        groups = [
            tables.shared.members[a:b].tolist()
            for a, b in zip(tables.shared.first[:-1:5], tables.shared.first[1::5], strict=True)
        ]
    for rows in groups:
        i = rows[0]
        base = log_counts(k0[i], n0[i], c[i], eta) + stats.norm.logpdf(eta, scale=3.0)
        total = base.copy()
        for row in rows:
            inside = eta[:, None] + line[0, row] + tau * nodes
            total += logsumexp(log_counts(k1[row], n1[row], c[row], inside) + log_weights, axis=1)
        # Both with the baseline's posterior normalised.
        reference = logsumexp(total) - logsumexp(base)
        assert found[0, i] == pytest.approx(reference, abs=1e-3)


@pytest.mark.parametrize("floor", [False, True])
def test_in_steps_or_at_once_the_draws_are_the_same(floor: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every estimate within 0.12 sd, about three times what two lots of 1,500 effective draws differ by."""
    baseline = {"baseline": (0.05, 0.3), "chance": 0.25} if floor else {}
    study = simulate_study(4, scale="log_odds", n_tasks=2, n_languages=4, n_examples=400, **baseline)
    gains = study.evaluations.gains(scale="log_odds")
    monkeypatch.setattr(exact, "HEAVY", np.inf)
    at_once = gl.fit(gains, draws=1000, exclude=["smooth"])
    monkeypatch.setattr(exact, "HEAVY", -np.inf)
    in_steps = gl.fit(gains, draws=1000, exclude=["smooth"])
    assert in_steps.record["engine"]["used"] == "exact"
    found, expected = (fit.draws["posterior"] for fit in (in_steps, at_once))
    for name in expected.data_vars:
        a, b = found[name], expected[name]
        sd = b.std(("chain", "draw"))
        apart = abs(a.mean(("chain", "draw")) - b.mean(("chain", "draw"))) / sd
        assert float(apart.max()) < 0.12, name
    evidence = [fit.draws["sample_stats"].attrs["log_evidence"] for fit in (in_steps, at_once)]
    assert evidence[0] == pytest.approx(evidence[1], abs=0.15)
    assert np.exp(evidence[0] - evidence[1]) != 1.0


def test_steps_lighten_the_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    gains = bloomz("log_odds", intermediates=["xP3"])
    problem = build_problem(gains, specify(gains, law("linear"), exclude=["smooth", "task_language"]))
    monkeypatch.setattr(exact, "HEAVY", -np.inf)
    in_steps = exact.sample(problem, gains, draws=500, chains=4, seed=1).importance
    monkeypatch.setattr(exact, "HEAVY", np.inf)
    at_once = exact.sample(problem, gains, draws=500, chains=4, seed=1).importance
    assert in_steps is not None
    assert at_once is not None
    assert in_steps.likelihood_pareto_k < at_once.likelihood_pareto_k
    assert in_steps.ess > 200
    # What the steps add up to is the mean of the weights, here known to a few hundredths.
    assert in_steps.log_evidence == pytest.approx(at_once.log_evidence, abs=0.2)


def test_a_failing_summary_is_handed_to_the_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    study = simulate_study(3, n_tasks=2, n_languages=4)
    sampled = exact.sample

    def poor(*arguments: object, **options: object):
        draws = sampled(*arguments, **options)
        return replace(draws, importance=replace(draws.importance, pareto_k=1.1))

    def chains(*arguments: object, tune: int, **options: object):
        draws = sampled(*arguments, **options)
        return replace(draws, importance=None, stats={"diverging": np.zeros((4, 300), dtype=bool)})

    monkeypatch.setattr(exact, "sample", poor)
    monkeypatch.setattr(nuts, "sample", chains)
    fit = gl.fit(study.evaluations, draws=300)
    assert fit.record["engine"]["used"] == "nuts"
    assert "Pareto k is 1.10" in fit.record["engine"]["fallback"]
    assert any(check.name == "rhat" for check in fit.diagnostics.checks)


def test_the_same_seed_gives_the_same_numbers_whatever_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    from gainlaw import _threads

    study = simulate_study(3, n_tasks=2, n_languages=4)
    many = gl.fit(study.evaluations, scale="log_odds", seed=5, draws=300)
    monkeypatch.setattr(_threads, "cores", lambda: 1)
    one = gl.fit(study.evaluations, scale="log_odds", seed=5, draws=300)
    pd.testing.assert_frame_equal(many.estimates, one.estimates)
