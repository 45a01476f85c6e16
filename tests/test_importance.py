"""Importance sampling on targets whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from gainlaw.model.engines.importance import TruncatedT, explore, smooth_weights, systematic


def a_proposal(k: int, seed: int = 0, lower: float = 0.0) -> TruncatedT:
    rng = np.random.default_rng(seed)
    factor = np.tril(0.3 * rng.normal(size=(k, k)), -1) + np.diag(rng.uniform(0.5, 1.5, k))
    return TruncatedT(rng.normal(0.5, 0.5, k), factor, np.full(k, lower), np.full(k, np.inf))


def test_large_weights_stay_large() -> None:
    log_weights = np.linspace(-3.0, 3.0, 400)
    found = smooth_weights(log_weights)
    assert found.weights[399] == found.weights.max() > 100 * found.weights[0]
    assert np.corrcoef(np.log(found.weights), log_weights)[0, 1] > 0.999
    assert found.weights.sum() == pytest.approx(1.0)


def test_weights_carry_one_normal_to_another() -> None:
    # From N(0, 1) to N(0.5, 0.8): the mean, and the constant that was left out, come back.
    draws = np.random.default_rng(1).normal(size=20_000)
    log_weights = stats.norm.logpdf(draws, 0.5, 0.8) + 1.7 - stats.norm.logpdf(draws)
    found = smooth_weights(log_weights)
    assert found.pareto_k < 0.5
    # sd / sqrt(ess) is 0.008.
    assert found.weights @ draws == pytest.approx(0.5, abs=0.03)
    assert found.log_mean == pytest.approx(1.7, abs=0.03)
    assert 5_000 < found.ess < 20_000


def test_a_proposal_that_is_too_narrow_is_found_out() -> None:
    draws = np.random.default_rng(2).normal(0, 0.25, size=4000)
    found = smooth_weights(stats.norm.logpdf(draws) - stats.norm.logpdf(draws, 0, 0.25))
    assert found.pareto_k > 0.7


@pytest.mark.parametrize("log_weights", [np.zeros(50), np.full(50, -900.0), np.arange(3.0)])
def test_weights_without_a_tail(log_weights: np.ndarray) -> None:
    found = smooth_weights(log_weights)
    assert found.weights.sum() == pytest.approx(1.0)
    assert found.log_mean == pytest.approx(
        np.log(np.mean(np.exp(log_weights - log_weights.max()))) + log_weights.max()
    )


def test_no_weight_at_all_is_no_information() -> None:
    assert smooth_weights(np.full(10, -np.inf)).ess == 0.0


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=30).filter(lambda w: sum(w) > 0.1))
@settings(max_examples=50, deadline=None)
def test_systematic_draws_follow_their_weights(weights: list[float]) -> None:
    share = np.array(weights) / sum(weights)
    picked = systematic(share, 1000, np.random.default_rng(0))
    counts = np.bincount(picked, minlength=len(share))
    # As evenly as whole numbers allow: each count is one of the two whole numbers around its share.
    assert (np.abs(counts - 1000 * share) <= 1.0 + 1e-6).all()


def test_the_truncated_density_is_one() -> None:
    proposal = a_proposal(2)
    # An integral over (0, inf)^2 in coordinates u / (1 - u).
    grid = (np.arange(600) + 0.5) / 600
    a, b = np.meshgrid(grid, grid)
    points = np.stack([a.ravel() / (1 - a.ravel()), b.ravel() / (1 - b.ravel())], axis=1)
    jacobian = 1 / (1 - a.ravel()) ** 2 / (1 - b.ravel()) ** 2
    total = np.mean(np.exp(proposal.log_density(points)) * jacobian)
    assert total == pytest.approx(1.0, abs=2e-3)


def test_truncated_points_respect_their_bounds_and_their_density() -> None:
    proposal = TruncatedT(np.array([-0.5]), np.array([[1.0]]), np.array([0.0]), np.array([2.0]))
    points = proposal.sample((np.arange(4000)[:, None] + 0.5) / 4000)[:, 0]
    assert points.min() > 0.0
    assert points.max() < 2.0
    mean, _ = integrate.quad(lambda x: x * np.exp(proposal.log_density(np.array([[x]]))[0]), 0, 2)
    assert points.mean() == pytest.approx(mean, abs=1e-4)


def test_exploring_finds_integral_and_moments() -> None:
    # A product of gamma densities, two of them piled up at zero, times a constant.
    shapes, scales = np.array([1.0, 1.2, 9.0, 2.5]), np.array([2.0, 0.5, 0.3, 1.0])
    seen: list[float] = []

    def log_density(points: np.ndarray) -> np.ndarray:
        return stats.gamma.logpdf(points, shapes, scale=scales).sum(axis=1) - 3.3

    found = explore(
        log_density,
        a_proposal(4, 3),
        np.random.default_rng(4),
        target_ess=1500,
        max_points=20_000,
        progress=seen.append,
    )
    assert found.smoothed.pareto_k < 0.5
    assert found.smoothed.ess >= 1500
    assert seen[-1] == 1.0
    assert found.smoothed.log_mean == pytest.approx(-3.3, abs=0.05)
    mean = found.smoothed.weights @ found.points
    sd = scales * np.sqrt(shapes)
    # Four standard errors at 1500 effective points.
    np.testing.assert_allclose(mean, shapes * scales, atol=4 * sd.max() / np.sqrt(1500))
    np.testing.assert_allclose(found.log_density, log_density(found.points))
