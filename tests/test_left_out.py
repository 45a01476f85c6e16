"""Checkpoints left out in closed form, and several kinds of replicates as polynomials: both against the long way."""

from __future__ import annotations

import numpy as np
import pytest

import gainlaw as gl
from gainlaw.fitting import exploration
from gainlaw.fitting.checks import influence
from gainlaw.fitting.checks.influence import influence_table, left_out
from gainlaw.laws import law
from gainlaw.model.binomial.sites import summarise
from gainlaw.model.engines.hyper import pack_scales
from gainlaw.model.gaussian import reduced_many
from gainlaw.model.gaussian.combinations import conditional_normals, left_out_normals
from gainlaw.model.gaussian.marginal import ROUGH, Marginal
from gainlaw.model.spec.problem import ModelProblem, build_problem, gaussian_data, specify
from gainlaw.scores.gains.table import Gains
from gainlaw.scores.simulate import simulate_study


def some_points(problem: ModelProblem, size: int, seed: int = 0) -> np.ndarray:
    points = np.abs(np.random.default_rng(seed).normal(1.0, 0.3, (size, len(problem.hyper))))
    points[:, [name.startswith("rho") for name in problem.hyper]] = 0.2
    return points


def groups_of(gains: Gains) -> np.ndarray:
    return gains.frame["checkpoint"].astype("category").cat.codes.to_numpy().astype(np.int64)


STUDIES = {
    "fewer rows than coefficients": {"intermediates": "xP3"},
    "more rows than coefficients": {"terms": ["task", "checkpoint", "checkpoint_task"]},
    "counts": {"tasks": "xcopa"},
    "one kind of replicates": {"intermediates": "xP3", "terms": ["task", "checkpoint"]},
    "no replicates": {"intermediates": "xP3", "terms": ["task", "language"]},
    "a law with an exponent": {"intermediates": "xP3", "law": "offset_power"},
}


@pytest.mark.parametrize("name", STUDIES)
def test_what_the_others_say_of_a_checkpoint_is_the_ratio_of_two_likelihoods(name: str) -> None:
    chosen = dict(STUDIES[name])
    terms, which = chosen.pop("terms", None), law(chosen.pop("law", "linear"))
    gains = gl.load_dataset("bloomz", **chosen).gains(scale="log_odds" if name == "counts" else "points")
    problem = build_problem(gains, specify(gains, which, terms=terms))
    data = summarise(problem, gains).data if name == "counts" else gaussian_data(problem)
    points, groups = some_points(problem, 3), groups_of(gains)
    sizes = np.bincount(groups)
    if name.endswith("coefficients"):
        assert (sizes.max() > data.matrix.n_core) == name.startswith("more")
    weights = np.zeros((1, problem.design.n_columns))
    weights[0, :2] = 0.3, 1.0
    found = left_out_normals(problem, data, points, weights, groups)
    assert found is not None
    density, mean, variance = found
    whole = conditional_normals(Marginal.build(problem, data), points, weights)
    np.testing.assert_allclose(mean[:, -1], whole[1], atol=1e-8)
    np.testing.assert_allclose(variance[:, -1], whole[2], rtol=1e-8)
    for k in range(len(sizes)):
        rest = conditional_normals(
            Marginal.build(problem, data, (groups != k).astype(float)), points, weights
        )
        np.testing.assert_allclose(density[:, k], whole[0] - rest[0], atol=1e-7)
        np.testing.assert_allclose(mean[:, k], rest[1], atol=1e-7)
        np.testing.assert_allclose(variance[:, k], rest[2], rtol=1e-7)


def test_errors_that_checkpoints_share_leave_no_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = gl.load_dataset("bloomz", intermediates="xP3").gains().frame
    rows = frame[["task", "language", "model_family", "base_model", "intermediate", "params", "gain", "se"]]
    shared = 0.2 * np.outer(rows["se"], rows["se"]) + np.diag(0.8 * rows["se"] ** 2)
    gains = gl.gains_from_frame(rows, covariance=shared)
    problem = build_problem(gains, specify(gains, law("linear"), terms=["task", "checkpoint"]))
    found = left_out_normals(
        problem,
        gaussian_data(problem),
        some_points(problem, 2),
        np.ones((1, problem.design.n_columns)),
        groups_of(gains),
    )
    assert found is None
    monkeypatch.setattr(exploration, "_ESS", 60.0)
    fit = gl.fit(gains, terms=["task", "checkpoint"], draws=200, chains=2)
    assert np.isfinite(fit.diagnostics.influence[["slope_mean", "elpd"]].to_numpy()).all()


def test_reweighted_points_say_what_explorations_without_the_checkpoint_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = gl.fit(
        gl.load_dataset("bloomz", intermediates="xP3").gains(), terms=["task", "language", "checkpoint"]
    )
    found = influence_table(left_out(fit), 0.95)
    assert (found["pareto_k"] <= 0.6).all()
    monkeypatch.setattr(influence, "_HEAVY", -np.inf)
    explored = influence_table(left_out(fit), 0.95)
    assert list(explored["checkpoint"]) == list(found["checkpoint"])
    # Both have a few hundred effective points: means to a fifth of an sd, log densities to half a unit.
    sd = explored["slope_sd"]
    np.testing.assert_allclose(found["slope_mean"] / sd, explored["slope_mean"] / sd, atol=0.2)
    np.testing.assert_allclose(found["slope_sd"], sd, rtol=0.2)
    np.testing.assert_allclose(found["elpd"], explored["elpd"], atol=0.5)


def test_polynomials_in_several_sds_give_the_same_likelihood_moments_and_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reduced_many, "_LEAST_ROWS", 0)
    sizes = (1e8, 3e8, 1e9, 3e9, 1e10)
    gains = simulate_study(1, n_tasks=3, n_languages=8, sizes=sizes).evaluations.gains()
    problem = build_problem(gains, specify(gains, law("linear"), priors={"slope": "normal(0.7, 10)"}))
    blocks, design = problem.n_blocks, problem.design
    replicates = [k for k, block in enumerate(design.blocks) if block.start >= design.n_core]
    assert len(replicates) > 1
    ranges = {3 * blocks: (0.6, 1.6)} | dict.fromkeys(replicates, (0.5, 1.5))
    plain = Marginal.build(problem, gaussian_data(problem))
    table = plain.tabulated(lambda reach: ranges)
    assert isinstance(table.reduced, reduced_many.ReducedMany)
    points = some_points(problem, 60)
    reached = table.reduced.covers(pack_scales(problem, points))
    assert 30 < reached.sum() < 60
    contrasts = np.random.default_rng(2).normal(size=(60, design.n_core))
    found, expected = table.moments(points, contrasts), plain.moments(points, contrasts)
    np.testing.assert_allclose(found[:, 0], expected[:, 0], atol=2 * ROUGH)
    sd = np.sqrt(expected[:, 2])
    np.testing.assert_allclose(found[:, 1] / sd, expected[:, 1] / sd, atol=0.02)
    np.testing.assert_allclose(found[:, 2], expected[:, 2], rtol=0.02)
    which = np.random.default_rng(3).permutation(np.repeat(np.arange(60), 3))
    draws = [each.draw(points, which, np.random.default_rng(1)) for each in (plain, table)]
    # The same normal numbers: what differs is the approximation alone.
    np.testing.assert_allclose(draws[0], draws[1], atol=0.05)
    assert np.abs(draws[0] - draws[1]).mean() < 2e-3


def test_too_many_kinds_of_replicates_for_polynomials_take_the_long_way() -> None:
    gains = gl.load_dataset("bloomz").gains()
    problem = build_problem(gains, specify(gains, law("linear")))
    wide = {int(position): (1e-6, 1e6) for position in problem.position if position >= 0}
    plain = Marginal.build(problem, gaussian_data(problem))
    assert reduced_many.reduced_many(problem, plain.data, wide, 6) is None
