"""Errors with a known covariance between rows of any sizes, tasks and checkpoints, against dense linear algebra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import gainlaw as gl
from gainlaw.laws import hierarchical, hierarchical_law, law
from gainlaw.model.binomial import kernels as binomial_kernels
from gainlaw.model.binomial import sites as binomial
from gainlaw.model.binomial import tables as binomial_tables
from gainlaw.model.effects import add_prior_means, linear_predictor
from gainlaw.model.gaussian import kernels
from gainlaw.model.gaussian.combinations import coefficient_shifts, conditional_normals, factored_normals
from gainlaw.model.gaussian.known_errors import diagonal_and_factor
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.gaussian.records import gaussian_record
from gainlaw.model.spec.problem import build_problem, gaussian_data, specify
from gainlaw.posterior.tree import effects_of
from gainlaw.scores.gains.covariance import BlockCovariance

SIZES = (3e8, 1e9, 7e9, 3e10)
KINDS = ("one baseline for all sizes", "any", "nearly all rows", "singular", "within checkpoints")
TERMS = {
    "default": {},
    "no checkpoints": {"exclude": ["checkpoint", "run", "checkpoint_task"]},
    "checkpoints alone": {"terms": ["task", "checkpoint"]},
    "runs without checkpoints": {"terms": ["task", "intermediate", "run"]},
}


def table(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (family, int(size), task, language, intermediate)
        for family in ("m", "n")
        for size in SIZES[: 4 if family == "m" else 3]
        for task in ("a", "b")
        for language in ("en", "de", "sw")
        for intermediate in ("p", "q")
        if rng.random() < 0.8
    ]
    frame = pd.DataFrame(rows, columns=["model_family", "params", "task", "language", "intermediate"])
    frame["base_model"] = frame["model_family"] + frame["params"].astype(str)
    return frame.assign(gain=rng.normal(2, 3, len(frame)), se=rng.uniform(0.4, 2.0, len(frame)))


def known(gains: gl.Gains, kind: str, seed: int = 0) -> gl.Gains:
    """Return gains with a covariance of some kind, their standard errors kept."""
    rng = np.random.default_rng(seed)
    frame, n = gains.frame, len(gains)
    if kind == "one baseline for all sizes":
        label = frame.groupby(["model_family", "task", "language"]).ngroup().to_numpy()
    elif kind == "within checkpoints":
        label = frame.groupby(["checkpoint", "task"]).ngroup().to_numpy()
    else:
        label = rng.permutation(n) // (n - 3 if kind == "nearly all rows" else 5)
    se, blocks = frame["se"].to_numpy(float), []
    for each in np.unique(label):
        rows = np.flatnonzero(label == each)
        m = len(rows)
        if m < 2:
            continue
        if kind == "one baseline for all sizes":
            own = 0.5 * se[rows].min() ** 2 * np.ones((m, m))
            own[np.diag_indices(m)] = se[rows] ** 2
        else:
            factor = rng.normal(size=(m, 1 if kind == "singular" else m + 2))
            own = factor @ factor.T
            own *= np.outer(se[rows], se[rows]) / np.sqrt(np.outer(np.diag(own), np.diag(own)))
        blocks.append((rows, own))
    return gains.with_covariance(BlockCovariance(se**2, tuple(blocks)).matrix())


def a_problem(name: str, kind: str, options: dict | None = None, seed: int = 0):
    gains = known(gl.gains_from_frame(table(seed)), kind, seed)
    priors = {"slope": "normal(0.7, 10)"} if name != "constant" else {}
    problem = build_problem(gains, specify(gains, hierarchical_law(name), priors=priors, **(options or {})))
    rng = np.random.default_rng(seed + 1)
    point = np.empty(len(problem.hyper))
    for k, each in enumerate(problem.hyper):
        point[k] = rng.uniform(-0.6, 0.6) if each.startswith("rho_") else rng.uniform(0.3, 3.0)
        if each == "law":
            point[k] = rng.integers(len(problem.spec.law.members))
    return gains, problem, point


def dense(gains: gl.Gains, problem, point: np.ndarray):
    """Return the mean and covariance of the effects a priori, their matrix, and the covariance of the noise."""
    theta = problem.pack({name: point[k : k + 1] for k, name in enumerate(problem.hyper)})[0]
    design, blocks = problem.design, problem.n_blocks
    h = theta[3 * blocks + 1 :][: len(problem.y)]
    matrix, prior = np.zeros((len(h), design.n_columns)), np.zeros((design.n_columns, design.n_columns))
    for i, k in np.ndindex(*design.block.shape):
        block = design.blocks[design.block[i, k]]
        matrix[i, block.start + design.group[i, k]] += design.value[i, k]
        if block.slope_start >= 0:
            matrix[i, block.slope_start + design.group[i, k]] += design.value[i, k] * h[i]
    for k, block in enumerate(design.blocks):
        for g in range(block.size):
            one, two = block.start + g, block.slope_start + g
            prior[one, one] = theta[k] ** 2
            if block.slope_start >= 0:
                prior[two, two] = theta[blocks + k] ** 2
                prior[one, two] = prior[two, one] = theta[k] * theta[blocks + k] * theta[2 * blocks + k]
    mean = add_prior_means(problem, np.zeros((1, design.n_columns)))[0]
    noise = gains.covariance.matrix() + theta[3 * blocks] ** 2 * np.eye(len(h))
    return theta, mean, prior, matrix, noise


def conditional(mean, prior, matrix, noise, y):
    total = matrix @ prior @ matrix.T + noise
    gain = np.linalg.solve(total, matrix @ prior).T
    return mean + gain @ (y - matrix @ mean), prior - gain @ matrix @ prior, total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", hierarchical())
def test_likelihood_and_moments_equal_the_dense_ones(name: str, kind: str) -> None:
    gains, problem, point = a_problem(name, kind)
    theta, mean, prior, matrix, noise = dense(gains, problem, point)
    marginal = Marginal.build(problem, gaussian_data(problem))
    at, spread, total = conditional(mean, prior, matrix, noise, problem.y)
    expected = stats.multivariate_normal(matrix @ mean, total).logpdf(problem.y)
    value, _ = kernels.gaussian_marginal(theta, marginal.data)
    assert value == pytest.approx(expected, abs=1e-6)
    assert marginal.log_likelihood(point[None])[0] == pytest.approx(expected, abs=1e-6)
    weights = np.zeros((1, problem.design.n_columns))
    weights[0, : problem.design.n_core] = np.random.default_rng(5).normal(size=problem.design.n_core)
    found = conditional_normals(marginal, point[None], weights)
    variance = weights[0] @ spread @ weights[0]
    assert found[0][0] == pytest.approx(expected, abs=1e-6)
    assert found[1][0] == pytest.approx(weights[0] @ at, abs=1e-6 * np.sqrt(variance))
    assert found[2][0] == pytest.approx(variance, rel=1e-6)
    factors = marginal.factors(point[None])
    again = factored_normals(problem, factors, point[None], weights)
    np.testing.assert_allclose(np.ravel(again), np.ravel(found[1:]), rtol=1e-9)
    shift = coefficient_shifts(problem, marginal.data, point[None], weights)[0]
    np.testing.assert_allclose(shift, spread @ weights[0] / variance, atol=1e-6 * np.abs(shift).max())
    # The mean of all coefficients, replicates included: draws without their noise.
    centre, _ = marginal.around(point[None], np.zeros(1, dtype=np.int64), 1, np.random.default_rng(0))
    np.testing.assert_allclose(centre[0], at, atol=1e-6 * np.sqrt(np.diag(spread)).max())


@pytest.mark.parametrize("options", TERMS)
@pytest.mark.parametrize("kind", KINDS[:2])
def test_draws_and_gradient_are_those_of_the_dense_model(options: str, kind: str) -> None:
    gains, problem, point = a_problem("linear", kind, TERMS[options], seed=2)
    theta, mean, prior, matrix, noise = dense(gains, problem, point)
    at, spread, _ = conditional(mean, prior, matrix, noise, problem.y)
    marginal = Marginal.build(problem, gaussian_data(problem))
    draws = marginal.draw(point[None], np.zeros(6000, dtype=np.int64), np.random.default_rng(3))
    sd = np.sqrt(np.diag(spread))
    # Five standard errors of a mean of 6000, and of an sd; over some hundred comparisons.
    assert (np.abs(draws.mean(axis=0) - at) < 5 * sd / np.sqrt(6000)).all()
    np.testing.assert_allclose(draws.std(axis=0), sd, rtol=5 / np.sqrt(2 * 6000))
    _, gradient = kernels.gaussian_marginal(theta, marginal.data)
    for j in (*problem.position, *range(3 * problem.n_blocks + 1, len(theta), 17)):
        step = np.zeros(len(theta))
        step[j] = 1e-5
        up, down = (kernels.gaussian_marginal(theta + sign * step, marginal.data)[0] for sign in (1, -1))
        assert gradient[j] == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("options", TERMS)
@pytest.mark.parametrize("kind", KINDS)
def test_leaving_a_checkpoint_out_equals_a_fit_without_it(kind: str, options: str) -> None:
    gains, problem, point = a_problem("linear", kind, TERMS[options], seed=4)
    _, mean, prior, matrix, noise = dense(gains, problem, point)
    keep = (gains.frame["checkpoint"] != gains.frame["checkpoint"].iloc[-1]).to_numpy()
    at, spread, total = conditional(mean, prior, matrix[keep], noise[np.ix_(keep, keep)], problem.y[keep])
    marginal = Marginal.build(problem, gaussian_data(problem), keep.astype(float))
    weights = np.zeros((1, problem.design.n_columns))
    weights[0, problem.design.blocks[0].slope_start] = 1.0
    value, centre, variance = (float(each[0]) for each in conditional_normals(marginal, point[None], weights))
    expected = stats.multivariate_normal(matrix[keep] @ mean, total).logpdf(problem.y[keep])
    assert value == pytest.approx(expected, abs=1e-6)
    assert variance == pytest.approx(weights[0] @ spread @ weights[0], rel=1e-6)
    assert centre == pytest.approx(weights[0] @ at, abs=1e-6 * np.sqrt(variance))


@pytest.mark.parametrize("kind", KINDS[:3])
def test_tables_give_the_same_likelihood(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Marginal, "_pays", lambda self: True)
    _, problem, point = a_problem("linear", kind, TERMS["checkpoints alone"])
    plain = Marginal.build(problem, gaussian_data(problem))
    at = problem.hyper.index("tau_residual")
    checkpoint = int(problem.position[problem.hyper.index("tau_checkpoint")])
    table = plain.tabulated(lambda reach: {3 * problem.n_blocks: (0.8, 3.0), checkpoint: (0.2, 4.0)})
    assert table.reduced is None
    assert table.table.low == 0.8
    points = np.tile(point, (20, 1))
    points[:, at] = np.linspace(0.81, 2.9, 20)
    np.testing.assert_allclose(table.log_likelihood(points), plain.log_likelihood(points), atol=1e-5)


def test_a_covariance_is_split_into_a_diagonal_and_few_columns() -> None:
    rng = np.random.default_rng(0)
    for m in (2, 3, 7):
        for rank in (1, 2, m):
            factor = rng.normal(size=(m, rank))
            whole = factor @ factor.T + (0.0 if rank == m else 1.0) * np.diag(rng.uniform(0.1, 1, m))
            own, columns = diagonal_and_factor(whole)
            np.testing.assert_allclose(
                np.diag(own) + columns @ columns.T, whole, atol=3e-9 * np.diag(whole).max()
            )
            assert (own > 0).all()
            assert columns.shape[1] < m
    shared = np.diag([1.0, 2.0, 3.0, 4.0]) + np.outer([1, 2, 1, 0.5], [1, 2, 1, 0.5])
    assert diagonal_and_factor(shared)[1].shape[1] == 1
    assert diagonal_and_factor(np.diag([1.0, 2.0]))[1].shape[1] == 0


@pytest.mark.parametrize("engine", ["exact", "nuts"])
def test_a_fit_keeps_the_likelihood_of_all_rows_together(engine: str) -> None:
    gains = known(gl.gains_from_frame(table()), "any")
    fit = gl.fit(gains, engine=engine, terms=["task", "checkpoint"], draws=100, tune=100, chains=2)
    problem = build_problem(gains, fit.spec)
    effects = effects_of(fit)
    line = linear_predictor(problem, effects, None)
    tau = fit.draws["posterior"]["tau_residual"].to_numpy().ravel()
    found = fit.draws["sample_stats"]["log_lik"].to_numpy().ravel()
    for k in range(0, len(tau), 37):
        total = gains.covariance.matrix() + tau[k] ** 2 * np.eye(len(gains))
        assert found[k] == pytest.approx(
            stats.multivariate_normal(line[k], total).logpdf(problem.y), abs=1e-6
        )
    # New data have errors in common as the old ones have.
    rows, own = gains.covariance.blocks[0]
    away = fit.draws["posterior_predictive"]["gain"].to_numpy().reshape(-1, len(problem.y))[:, rows]
    assert np.cov(away.T)[0, 1] - own[0, 1] == pytest.approx(np.cov(line[:, rows].T)[0, 1], abs=1.5)
    # Leaving a checkpoint out has a density, and the rest a slope.
    assert np.isfinite(fit.diagnostics.influence[["elpd", "slope_mean"]].to_numpy()).all()


def test_a_covariance_without_an_inverse_needs_no_residual() -> None:
    gains = gl.gains_from_frame(table())
    gains = gains.subset(~gains.frame.duplicated(["task", "language", "params"]).to_numpy())
    gains = known(gains, "singular")
    fit = gl.fit(gains, terms=["task", "checkpoint"], exclude=["residual"], draws=100, chains=2)
    assert np.isfinite(fit.estimates.query("estimand == 'slope'")["mean"].to_numpy(float)).all()
    assert np.isfinite(fit.draws["sample_stats"]["log_lik"].to_numpy()).all()


@pytest.mark.parametrize("wrong", [0.0, np.nan, -1.0])
def test_errors_that_are_none_are_refused(wrong: float) -> None:
    gains = gl.gains_from_frame(table())
    variance = gains.covariance.variance.copy()
    variance[3] = wrong
    with pytest.raises(gl.InputError, match="zero or missing"):
        gl.fit(replace(gains, covariance=BlockCovariance(variance)), draws=100)


def test_a_model_matrix_that_reaches_outside_is_refused() -> None:
    _, problem, _ = a_problem("linear", "any")
    design = problem.rows.design
    for name, at, value in (
        ("group", (0, 1), 99), ("block", (2, 1), 50), ("block", (2, 1), -3), ("place", 0, 1), ("cluster", 0, 10_000),
        ("bounds", 0, 1), ("bounds", -1, 3),
    ):  # fmt: skip
        moved = getattr(design, name).copy()
        moved[at] = value
        with pytest.raises(ValueError, match="inconsistent"):
            replace(design, **{name: moved})
    # A replicate's effect in a row of another cluster, which is what ended the process.
    _, problem, _ = a_problem("linear", "within checkpoints", TERMS["checkpoints alone"])
    design = problem.rows.design
    at = next(k for k, block in enumerate(design.blocks) if block.name == "checkpoint")
    group = design.group.copy()
    group[design.block == at] = (group[design.block == at] + 1) % design.blocks[at].size
    with pytest.raises(ValueError, match="clusters of entries"):
        replace(design, group=group)
    data = gaussian_data(problem)
    with pytest.raises(ValueError, match="rows"):
        Marginal.build(problem, data, np.ones(3))
    with pytest.raises(ValueError, match="positive"):
        gaussian_record(data.y, 0.0 * data.variance, data.unit, data.slope_mean, design)


def test_counts_of_one_baseline_for_all_sizes() -> None:
    """On log-odds the sites of rows that share a baseline across sizes have the same two ways."""
    rng = np.random.default_rng(0)
    rows = [
        (int(size), f"m{size:.0f}", language, intermediate)
        for size in SIZES
        for language in ("en", "de", "sw", "fr", "tr", "zh")
        for intermediate in ("p", "q")
    ]
    frame = pd.DataFrame(rows, columns=["params", "base_model", "language", "intermediate"])
    block = frame.groupby("language").ngroup().to_numpy()
    k0 = rng.binomial(400, 0.6, 6)[block]
    k1 = rng.binomial(400, 0.65, len(frame))
    p0, p1 = (k0 + 0.5) / 401, (k1 + 0.5) / 401
    frame = frame.assign(
        task="t", gain=np.log(p1 / (1 - p1) / p0 * (1 - p0)), se=np.sqrt(1 / p1 / (1 - p1) + 1 / p0 / (1 - p0)) / 20,
        baseline_se=np.sqrt(1 / p0 / (1 - p0)) / 20, block=block, k_baseline=k0, n_baseline=400, k_intermediate=k1,
        n_intermediate=400, baseline_score=k0 / 400, intermediate_score=k1 / 400, chance=0.0,
    )  # fmt: skip
    gains = gl.gains_from_frame(frame, scale="log_odds")
    spec = specify(gains, law("linear"), terms=["language", "checkpoint"])
    assert spec.likelihood == "binomial"
    problem = build_problem(gains, spec)
    summary = binomial.summarise(problem, gains)
    assert len(summary.tables.shared.members) == len(frame)
    # The summary as a dense normal model.
    whole = np.zeros((len(frame), len(frame)))
    site = summary.geometry.site.copy()
    for members, axes in zip(
        binomial._members(summary.tables), binomial._axes(summary.tables, summary.geometry), strict=True
    ):
        whole[np.ix_(members, members)] = (axes * summary.geometry.site_variance[members]) @ axes.T
        site[members] = axes @ summary.geometry.site[members]
    point = np.array([0.2 if name.startswith("rho") else 0.3 for name in problem.hyper])
    _, mean, prior, matrix, noise = dense(
        replace(gains, covariance=BlockCovariance(np.zeros(len(frame)))), problem, point
    )
    total = matrix @ prior @ matrix.T + noise + whole
    expected = stats.multivariate_normal(matrix @ mean, total).logpdf(site)
    found = Marginal.build(problem, summary.data).log_likelihood(point[None])[0]
    assert found == pytest.approx(expected, abs=1e-6)
    fit = gl.fit(gains, terms=["language", "checkpoint"], draws=500)
    assert fit.status == "ok"
    normal = gl.fit(
        gains.with_covariance(gains.covariance.matrix()), terms=["language", "checkpoint"], draws=500
    )
    assert normal.spec.likelihood == "gaussian"
    # With counts in the middle the delta method is good: both likelihoods say the same within a fifth of an sd.
    both = [each.summary("overall").query("estimand == 'slope'").iloc[0] for each in (fit, normal)]
    assert both[0]["mean"] == pytest.approx(both[1]["mean"], abs=0.2 * both[1]["sd"])
    assert both[0]["sd"] == pytest.approx(both[1]["sd"], rel=0.2)


@pytest.mark.parametrize("rows", [[0, 99], [-1, 0], [2, 1], [1, 1], [0.0, 1.0], []])
def test_blocks_that_are_none_of_the_table_are_refused(rows: list) -> None:
    gains = gl.gains_from_frame(table())
    at = np.array(rows) if rows else np.zeros(0, dtype=int)
    own = np.eye(len(at))
    with pytest.raises(gl.InputError, match="covariance block"):
        gl.fit(replace(gains, covariance=BlockCovariance(gains.covariance.variance, ((at, own),))), draws=100)
    with pytest.raises(gl.InputError, match="3 rows"):
        gl.fit(replace(gains, covariance=BlockCovariance(np.ones(3))), draws=100)


def test_likelihoods_of_what_is_no_number_are_none() -> None:
    gains = gl.load_dataset("bloomz", tasks="xcopa").gains(scale="log_odds")
    tables = binomial_tables.build_tables(gains)
    gradient, row = np.zeros(len(gains)), np.zeros(len(gains))
    for beyond in (np.nan, np.inf, -np.inf, 1e300):
        line = np.full(len(gains), beyond)
        assert not binomial_kernels.likelihood(line, tables.rows, tables.shared, gradient, row) > -1e3
