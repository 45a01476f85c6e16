"""The compiled likelihoods against dense linear algebra, finite differences and adaptive quadrature."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.special import expit, logsumexp

import gainlaw as gl
from gainlaw.laws import law
from gainlaw.model.binomial import kernels as binomial_kernels
from gainlaw.model.binomial import sites as binomial
from gainlaw.model.binomial import tables as binomial_tables
from gainlaw.model.binomial.marginal import row_log_marginals
from gainlaw.model.gaussian import kernels
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.spec.problem import build_problem, gaussian_data, specify


def a_problem(which: str, name: str = "linear"):
    evals = gl.load_dataset("bloomz")
    if which == "one intermediate":
        evals = evals.select(intermediate=["none", "xP3"])
    gains = evals.gains(scale="points")
    if which == "no checkpoints":
        frame = gains.frame[["task", "language", "params", "gain", "se"]]
        gains = gl.gains_from_frame(frame.drop_duplicates(["task", "language", "params"]))
    problem = build_problem(gains, specify(gains, law(name), priors={"slope": "normal(0.7, 10)"}))
    return gains, problem


def random_scales(problem, seed: int = 0):
    rng = np.random.default_rng(seed)
    theta = problem.base.copy()
    for name, position in zip(problem.hyper, problem.position, strict=True):
        if position >= 0:
            theta[position] = rng.uniform(-0.6, 0.6) if name.startswith("rho_") else rng.uniform(0.3, 4.0)
    if problem.spec.law.parameters:
        psi = np.array([0.3, 1.4])[: len(problem.spec.law.parameters)]
        theta[3 * problem.n_blocks + 1 :] = problem.spec.law.shape(problem.x, psi)
    return theta


def dense_covariance(gains, problem, theta):
    blocks = problem.n_blocks
    h = theta[3 * blocks + 1 :]
    total = gains.covariance.matrix() + theta[3 * blocks] ** 2 * np.eye(len(h))
    for k, block in enumerate(problem.design.blocks):
        s0, s1, rho = theta[k], theta[blocks + k], theta[2 * blocks + k]
        if block.slope_start < 0:
            s1 = rho = 0.0
        own = np.array([[s0 * s0, rho * s0 * s1], [rho * s0 * s1, s1 * s1]])
        for g in range(block.size):
            here = (problem.design.block == k) & (problem.design.group == g)
            inside = (here * problem.design.value).sum(axis=1)
            columns = np.stack([inside, inside * h], axis=1)
            total += columns @ own @ columns.T
    return total


@pytest.mark.parametrize("which", ["one intermediate", "three intermediates", "no checkpoints"])
@pytest.mark.parametrize("name", ["linear", "offset_power", "saturating", "logistic"])
def test_marginal_likelihood_equals_the_dense_normal_density(which: str, name: str) -> None:
    gains, problem = a_problem(which, name)
    theta = random_scales(problem)
    value, _ = kernels.gaussian_marginal(theta, gaussian_data(problem))
    mean = 0.7 * theta[3 * problem.n_blocks + 1 :]
    dense = stats.multivariate_normal(mean, dense_covariance(gains, problem, theta)).logpdf(problem.y)
    assert value == pytest.approx(dense, abs=1e-7)


@pytest.mark.parametrize("which", ["one intermediate", "three intermediates"])
def test_marginal_gradient_agrees_with_finite_differences(which: str) -> None:
    _, problem = a_problem(which)
    theta, data = random_scales(problem, 1), gaussian_data(problem)
    _, gradient = kernels.gaussian_marginal(theta, data)
    h_entries = range(3 * problem.n_blocks + 1, len(theta), 41)
    for j in (*problem.position, *h_entries):
        step = np.zeros(len(theta))
        step[j] = 1e-5
        up, down = (kernels.gaussian_marginal(theta + sign * step, data)[0] for sign in (1, -1))
        # Central differences of a value near 1e3 carry about 1e-7 / 1e-5 of rounding at worst.
        assert gradient[j] == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-4)


def test_coefficients_are_drawn_from_their_exact_conditional() -> None:
    _, problem = a_problem("three intermediates")
    theta = random_scales(problem, 2)
    a, b = kernels.normal_equations(theta, gaussian_data(problem))
    mean, covariance = np.linalg.solve(a, b), np.linalg.inv(a)
    draws = 20_000
    normals = np.random.default_rng(3).standard_normal((draws, problem.design.n_columns))
    marginal = Marginal.build(problem, gaussian_data(problem))
    effects = kernels.conditional_draws(
        theta[None], np.zeros(draws, dtype=np.int64), normals, marginal.data, marginal.table
    )
    # Checked on the task intercepts, which are their scale times a standardised coefficient.
    block = problem.design.blocks[1]
    scale = theta[1]
    part = slice(block.start, block.start + block.size)
    sd = scale * np.sqrt(np.diag(covariance)[part])
    np.testing.assert_allclose(
        effects[:, part].mean(0), scale * mean[part], atol=5 * sd.max() / np.sqrt(draws)
    )
    np.testing.assert_allclose(
        np.corrcoef(effects[:, part].T),
        covariance[part, part] / np.sqrt(np.outer(np.diag(covariance)[part], np.diag(covariance)[part])),
        atol=5 / np.sqrt(draws),
    )


def test_leaving_rows_out_equals_a_fit_without_them() -> None:
    gains, problem = a_problem("one intermediate")
    theta = random_scales(problem, 4)
    keep = (gains.frame["checkpoint"] != "bloom-3b").to_numpy()
    contrast = np.zeros((1, problem.design.n_core))
    contrast[0, 1] = theta[problem.n_blocks]
    marginal = Marginal.build(problem, gaussian_data(problem), keep.astype(float))
    log_lik, mean, variance = kernels.conditional_moments(
        theta[None], contrast, marginal.data, marginal.table
    ).T
    h = theta[3 * problem.n_blocks + 1 :]
    total = dense_covariance(gains, problem, theta)[np.ix_(keep, keep)]
    y = problem.y[keep] - 0.7 * h[keep]
    assert log_lik[0] == pytest.approx(stats.multivariate_normal(None, total).logpdf(y), abs=1e-7)
    shared = theta[problem.n_blocks] ** 2 * h[keep]
    assert mean[0] == pytest.approx(shared @ np.linalg.solve(total, y), rel=1e-8)
    assert variance[0] == pytest.approx(
        theta[problem.n_blocks] ** 2 - shared @ np.linalg.solve(total, shared), rel=1e-8
    )


def counts(k0: int, n0: int, k1: int, n1: int, classes: int = 2, intermediates: int = 1):
    rows = [("b", "", "none", k0, n0)]
    rows += [(f"i{j}", "b", f"t{j}", k1, n1) for j in range(intermediates)]
    rows = [
        dict(zip(("model", "base_model", "intermediate", "n_correct", "n_examples"), row, strict=True))
        for row in rows
    ]
    frame = pd.DataFrame(rows).assign(
        model_family="m", params=1e9, task="t", language="en", n_classes=classes
    )
    return gl.evaluations_from_frame(frame).gains(scale="log_odds")


def log_likelihood(
    gain: float,
    k0: int,
    n0: int,
    k1: int,
    n1: int,
    c: float,
    times: int = 1,
    baseline: tuple[float, float] = (0.0, 3.0),
) -> float:
    """log of the integral over the baseline's log-odds, by adaptive quadrature; free of the tables' method."""

    def term(eta: float, k: int, n: int) -> float:
        p = c + (1 - c) * expit(eta)
        return k * np.log(p) + (n - k) * (np.log1p(-c) - np.logaddexp(0, eta))

    def integrand(eta: float) -> float:
        prior = -0.5 * ((eta - baseline[0]) / baseline[1]) ** 2
        return term(eta, k0, n0) + times * term(eta + gain, k1, n1) + prior

    grid = np.linspace(-16, 16, 4001)
    values = np.array([integrand(e) for e in grid])
    top = values.max()
    inside = grid[values > top - 30]
    area, _ = integrate.quad(
        lambda e: np.exp(integrand(e) - top), inside[0], inside[-1], limit=400, epsabs=0, epsrel=1e-9
    )
    return float(top + np.log(area))


@pytest.mark.parametrize(
    "cell",
    [(60, 100, 70, 100), (1245, 2490, 1600, 2490), (40, 100, 50, 100), (98, 100, 100, 100), (100, 100, 95, 100),
     (0, 100, 3, 100), (830, 2490, 1300, 2490), (1500, 1511, 1505, 1511)],
)  # fmt: skip
@pytest.mark.parametrize("classes", [2, 3])
def test_tabulated_pair_likelihood_agrees_with_quadrature(
    cell: tuple[int, int, int, int], classes: int
) -> None:
    gains = counts(*cell, classes=classes)
    tables = binomial_tables.build_tables(gains)
    centre, sd = tables.site[0], np.sqrt(tables.site_variance[0])
    at = centre + sd * np.array([-3.0, -1.3, 0.0, 0.8, 2.6])
    ours = row_log_marginals(tables, at[:, None], np.zeros(len(at)))[:, 0]
    exact = np.array([log_likelihood(g, *cell, 1 / classes) for g in at])
    # Both are up to a constant; 1e-3 in log likelihood is far below what any posterior can feel, and values that
    # are 20 below the others do not matter to a twentieth.
    far = exact < exact.max() - 20
    np.testing.assert_allclose((ours - ours[2])[~far], (exact - exact[2])[~far], atol=1e-3)
    np.testing.assert_allclose((ours - ours[2])[far], (exact - exact[2])[far], rtol=5e-2)


@pytest.mark.parametrize("prior", [(0.0, 1.0), (1.0, 0.3), (-2.0, 4.0), (4.0, 0.2)])
@pytest.mark.parametrize(
    "cell", [(60, 100, 70, 100), (0, 100, 3, 100), (1245, 2490, 1600, 2490), (100, 100, 95, 100)]
)
def test_the_prior_of_baselines_may_be_given(
    prior: tuple[float, float], cell: tuple[int, int, int, int]
) -> None:
    for times in (1, 2):
        tables = binomial_tables.build_tables(counts(*cell, intermediates=times), prior)
        at = tables.site[0] + np.sqrt(tables.site_variance[0]) * np.array([-1.3, 0.0, 0.8])
        line = np.repeat(at[:, None], times, axis=1)
        ours = row_log_marginals(tables, line, np.zeros(len(at))).sum(axis=1)
        exact = np.array([log_likelihood(g, *cell, 0.5, times=times, baseline=prior) for g in at])
        np.testing.assert_allclose(ours - ours[1], exact - exact[1], atol=1e-3)


def test_the_prior_of_baselines_is_printed_set_and_kept_in_bounds() -> None:
    gains = gl.load_dataset("bloomz", tasks="xcopa", intermediates="xP3").gains(scale="log_odds")
    assert str(specify(gains, law("linear")).priors["baseline"]) == "normal(0, 3)"
    assert "baseline" not in specify(gains.to_scale("points"), law("linear")).priors
    given = {"baseline": "normal(0.5, 1)"}
    problem = build_problem(gains, specify(gains, law("linear"), terms=["checkpoint"], priors=given))
    own = binomial.summarise(problem, gains).tables
    np.testing.assert_array_equal(own.site, binomial_tables.build_tables(gains, (0.5, 1.0)).site)
    assert np.abs(own.site - binomial_tables.build_tables(gains).site).max() > 0.05
    for wrong in ("normal(0, 0.01)", "normal(0, 9)", "halfnormal(1)"):
        with pytest.raises(gl.InputError, match="baseline"):
            specify(gains, law("linear"), priors={"baseline": wrong})


def test_rows_of_one_baseline_are_integrated_together() -> None:
    cell = (70, 100, 80, 100)
    gains = counts(*cell, intermediates=2)
    tables = binomial_tables.build_tables(gains)
    at = np.array([[0.2, 0.2], [0.6, 0.6], [1.1, 1.1]])
    ours = row_log_marginals(tables, at, np.zeros(len(at))).sum(axis=1)
    exact = np.array([log_likelihood(g, *cell, 0.5, times=2) for g in at[:, 0]])
    np.testing.assert_allclose(ours - ours[1], exact - exact[1], atol=1e-4)
    alone = np.array([2 * log_likelihood(g, *cell, 0.5) for g in at[:, 0]])
    assert np.abs((alone - alone[1]) - (exact - exact[1])).max() > 0.05


@pytest.mark.parametrize("which", ["one intermediate", "three intermediates"])
def test_binomial_gradient_agrees_with_finite_differences(which: str) -> None:
    evals = gl.load_dataset("bloomz", tasks=["xcopa", "xwinograd"])
    if which == "one intermediate":
        evals = evals.select(intermediate=["none", "xP3"])
    gains = evals.gains(scale="log_odds")
    problem = build_problem(gains, specify(gains, law("linear")))
    tables = binomial_tables.build_tables(gains)
    geometry = binomial.build_geometry(problem, tables)
    model = binomial.binomial_model(problem, tables, geometry)._replace(slope_mean=0.1)
    scales = {name: np.array([1.2 * v]) for name, v in zip(problem.hyper, geometry.mode, strict=True)}
    zeta = np.random.default_rng(0).normal(size=problem.design.n_columns + len(problem.y))
    packed = np.concatenate([problem.pack(scales)[0], zeta])
    _, gradient = binomial_kernels.binomial_joint(packed, model)
    for j in (*problem.position, *range(3 * problem.n_blocks + 1, len(packed), 23)):
        step = np.zeros(len(packed))
        step[j] = 1e-5
        up, down = (binomial_kernels.binomial_joint(packed + s * step, model)[0] for s in (1, -1))
        assert gradient[j] == pytest.approx((up - down) / 2e-5, rel=2e-4, abs=2e-4)


def test_log_odds_of_a_block_and_of_logsumexp_agree() -> None:
    # The trapezoid weights are a normalised posterior of the baseline.
    tables = binomial_tables.build_tables(counts(70, 100, 80, 100, intermediates=2))
    assert logsumexp(tables.shared.node_weight) == pytest.approx(0.0, abs=1e-12)


def test_extreme_linear_predictors_end_and_have_the_likelihood_of_a_far_baseline() -> None:
    gains = gl.load_dataset("bloomz", tasks="xcopa").gains(scale="log_odds")
    tables = binomial_tables.build_tables(gains)
    far = np.full((3, len(gains.frame)), 0.0)
    far[0], far[1], far[2] = -1e7, 1e7, 40.0
    found = row_log_marginals(tables, far, np.full(3, 0.3))
    assert np.isfinite(found).all()
    here = row_log_marginals(tables, tables.site[None, :], np.full(1, 0.3))
    firsts = tables.shared.members[tables.shared.first[:-1]]
    # A gain without bound would need accuracies of one; a loss without bound leaves guessing, which may well be true.
    assert (found[1:, firsts] < here[0, firsts]).all()
