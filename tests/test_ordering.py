"""Eliminating whole terms beside the replicates changes the work, and nothing that follows from the model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gainlaw as gl
from gainlaw.laws import law
from gainlaw.model.engines.hyper import pack_points
from gainlaw.model.gaussian import kernels, ordering
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.gaussian.ordering import deepened
from gainlaw.model.gaussian.records import no_table
from gainlaw.model.spec.problem import build_problem, gaussian_data, specify


@pytest.fixture(autouse=True)
def however_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "_SMALL", 0)


def a_problem(seed: int, families: int, tasks: int = 3, scale: str = "points"):
    """Return a study of families of one to three checkpoints, each on all tasks and some languages."""
    rng = np.random.default_rng(seed)
    rows = [
        (
            f"F{f}",
            f"m{f}-{c}",
            int(10 ** (8 + 0.7 * c + 0.1 * f)),
            f"t{t}",
            f"x{k:02d}",
            rng.normal(3.0, 2.0),
            1.0,
        )
        for f in range(families)
        for c in range(1 + f % 3)
        for t in range(tasks)
        for k in rng.choice(9, 5, replace=False)
    ]
    columns = ["model_family", "base_model", "params", "task", "language", "gain", "se"]
    gains = gl.gains_from_frame(pd.DataFrame(rows, columns=columns).assign(intermediate="i"), scale=scale)
    return build_problem(gains, specify(gains, law("linear")))


def points_of(problem, seed: int, count: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    correlation = np.array([name.startswith("rho_") for name in problem.hyper])
    return np.where(
        correlation,
        rng.uniform(-0.8, 0.8, (count, len(correlation))),
        rng.uniform(0.05, 3.0, (count, len(correlation))),
    )


@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(1, 3))
def test_the_likelihood_and_its_gradient_are_the_same(seed: int, families: int, tasks: int) -> None:
    problem = a_problem(seed, families, tasks)
    data = gaussian_data(problem)
    keep = (np.random.default_rng(seed).random(len(problem.y)) < 0.8).astype(float)
    deep = data._replace(matrix=deepened(problem.design.blocks, data.matrix))
    for theta in pack_points(problem, points_of(problem, seed)):
        for kept in (data.keep, keep):
            one, down = kernels.gaussian_marginal(theta, data._replace(keep=kept))
            two, other = kernels.gaussian_marginal(theta, deep._replace(keep=kept))
            # sums of a few hundred terms in another order
            assert one == pytest.approx(two, abs=1e-8 * len(problem.y))
            np.testing.assert_allclose(down, other, rtol=1e-6, atol=1e-6)


def test_families_go_first_where_there_are_many() -> None:
    problem = a_problem(0, 40)
    data = gaussian_data(problem)
    matrix = deepened(problem.design.blocks, data.matrix)
    before, after = (
        {block.name for block in problem.design.blocks if each.place[block.start] < each.n_core}
        for each in (data.matrix, matrix)
    )
    assert before - after == {"model_family", "task_model_family"}
    assert len(matrix.bounds) - 1 == 40
    # tasks hold everything together: eliminating them first would save nothing
    assert {"mu", "task", "task_language"} <= after


def test_a_core_that_costs_nothing_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = a_problem(0, 40)
    data = gaussian_data(problem)
    monkeypatch.setattr(ordering, "_SMALL", data.matrix.n_core + 1)
    assert deepened(problem.design.blocks, data.matrix) is data.matrix


def covariance_of(draw: Callable[[np.ndarray], np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of what a linear function of standard normals gives, without any error."""
    middle, moved = draw(np.zeros((1, size)))[0], draw(np.eye(size))
    return middle, (moved - middle).T @ (moved - middle)


def test_coefficients_have_the_same_conditional() -> None:
    problem = a_problem(1, 7)
    data = gaussian_data(problem)
    deep = data._replace(matrix=deepened(problem.design.blocks, data.matrix))
    theta, size = pack_points(problem, points_of(problem, 2, 1)), len(data.matrix.place)
    found = [
        covariance_of(
            lambda normals, each=each: kernels.conditional_draws(
                theta, np.zeros(len(normals), dtype=np.int64), normals, each, no_table(each.matrix)
            ),
            size,
        )
        for each in (data, deep)
    ]
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-7, atol=1e-9)


def test_a_fit_is_the_same_but_for_its_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = a_problem(3, 12)
    marginal = Marginal.build(problem, gaussian_data(problem))
    assert marginal.deep.matrix.n_core < marginal.data.matrix.n_core
    points = points_of(problem, 4, 6)
    monkeypatch.setattr(ordering, "_SMALL", 10_000)
    plain = Marginal.build(problem, gaussian_data(problem))
    np.testing.assert_allclose(marginal.log_likelihood(points), plain.log_likelihood(points), rtol=1e-10)
    # what is asked of single coefficients is asked in the order in which they stand
    contrasts = np.random.default_rng(0).normal(size=(6, plain.data.matrix.n_core))
    np.testing.assert_allclose(
        marginal.moments(points, contrasts), plain.moments(points, contrasts), rtol=1e-9
    )
