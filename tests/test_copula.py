"""The copula proposal: a density that its samples follow, with the margins and ties of the points it was made from."""

from __future__ import annotations

import numpy as np
from scipy import stats

from gainlaw.model.engines.copula import copula


def skewed(size: int, seed: int) -> np.ndarray:
    """Return points of a law with skewed, tied margins, the first cut off at 0."""
    rng = np.random.default_rng(seed)
    z = rng.multivariate_normal([0.0, 0.0, 0.0], [[1.0, 0.7, 0.0], [0.7, 1.0, -0.4], [0.0, -0.4, 1.0]], size)
    return np.column_stack(
        [np.abs(stats.halfnorm.ppf(stats.norm.cdf(z[:, 0]))), np.exp(z[:, 1] / 2), z[:, 2]]
    )


LOWER, UPPER = np.array([0.0, 0.0, -np.inf]), np.full(3, np.inf)


def test_its_density_is_that_of_its_samples():
    proposal = copula(skewed(2000, 0), np.full(2000, 1 / 2000), LOWER, UPPER)
    points = proposal.sample(np.random.default_rng(1).random((40_000, 3)))
    # Importance sampling of a known law by the proposal gives the law's total mass, 1, and its probabilities.
    centre, covariance = points.mean(axis=0), np.cov(points.T) / 4.0
    weights = np.exp(
        stats.multivariate_normal(centre, covariance).logpdf(points) - proposal.log_density(points)
    )
    assert abs(weights.mean() - 1.0) < 5 * weights.std() / np.sqrt(len(points))
    inside = weights * (points[:, 0] < centre[0])
    assert abs(inside.mean() - 0.5) < 5 * inside.std() / np.sqrt(len(points))


def test_it_has_the_margins_and_ties_of_its_points():
    given = skewed(4000, 2)
    points = copula(given, np.full(4000, 1 / 4000), LOWER, UPPER).sample(
        np.random.default_rng(3).random((20_000, 3))
    )
    for mine, theirs in zip(points.T, given.T, strict=True):
        # The kernel widens a margin a little; two samples of these sizes differ by 0.023 at 5 %.
        assert stats.ks_2samp(mine, theirs).statistic < 0.04
    assert np.allclose(stats.spearmanr(points).statistic, stats.spearmanr(given).statistic, atol=0.05)
    assert (points[:, :2] >= 0.0).all()


def test_weights_count_as_often_as_a_point_would():
    given = skewed(300, 4)
    times = np.random.default_rng(5).integers(0, 4, 300)
    repeated = np.repeat(given, times, axis=0)
    one = copula(given, times / times.sum(), LOWER, UPPER)
    # Kernels are as wide as the effective number of points says, which differs; ends of cells are the same.
    other = copula(repeated, np.full(len(repeated), 1 / len(repeated)), LOWER, UPPER)
    at = given[times > 0]
    assert np.abs(one.log_density(at) - other.log_density(at)).mean() < 0.2


def test_beyond_its_cells_there_is_nothing():
    proposal = copula(skewed(500, 6), np.full(500, 1 / 500), LOWER, UPPER)
    assert np.isneginf(proposal.log_density(np.array([[-0.1, 1.0, 0.0], [1.0, 1.0, 50.0]]))).all()
    assert np.isfinite(proposal.log_density(np.array([[0.5, 1.0, 0.0]]))).all()
