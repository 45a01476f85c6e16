"""Every compiled kernel with its indices checked: in a process of their own, as plain Python on NumPy arrays."""

from __future__ import annotations

import functools
import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd
import pytest

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src"
#: NumPy raises where an index lies beyond an array; compiled code does not look. Nothing is compiled there.
CHECKED = os.environ.get("NUMBA_DISABLE_JIT") == "1"
KERNELS: set[str] = set()
CALLED: set[str] = set()

if CHECKED:

    def noted(*_: object, **__: object) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Stand in for `numba.njit`: note which functions are to be compiled, and which are called."""

        def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
            name = f"{function.__module__}.{function.__qualname__}"
            KERNELS.add(name)

            @functools.wraps(function)
            def call(*arguments: Any) -> Any:
                CALLED.add(name)
                return function(*arguments)

            return call

        return wrap

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numba, "njit", noted)
        for path in sorted(SOURCE.rglob("*.py")):
            if "@numba.njit" in path.read_text(encoding="utf-8"):
                importlib.import_module(".".join(path.relative_to(SOURCE).with_suffix("").parts))

in_that_process = pytest.mark.skipif(not CHECKED, reason="in the process of the first test only")


@pytest.mark.skipif(CHECKED, reason="this is that process")
def test_no_kernel_reaches_outside_its_arrays() -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-n",
        "0",
        "-x",
        Path(__file__).name,
    ]
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed, 1 skipped" in done.stdout


@in_that_process
def test_nothing_is_compiled_in_that_process() -> None:
    from gainlaw.model.gaussian import kernels

    assert numba.config.DISABLE_JIT
    assert not hasattr(kernels.gaussian_marginal, "py_func")
    assert len(KERNELS) > 50


@in_that_process
@pytest.mark.parametrize("intermediates", [1, 2])
@pytest.mark.parametrize("scale", ["points", "log_odds"])
def test_a_small_study(scale: str, intermediates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import gainlaw as gl
    from gainlaw.laws import law
    from gainlaw.model.binomial.kernels import binomial_joint, effects_of
    from gainlaw.model.binomial.marginal import row_log_marginals
    from gainlaw.model.binomial.sites import binomial_model, summarise
    from gainlaw.model.effects import linear_predictor
    from gainlaw.model.gaussian import reduced, reduced_many
    from gainlaw.model.gaussian.combinations import factored_normals, left_out_normals
    from gainlaw.model.gaussian.kernels import gaussian_marginal
    from gainlaw.model.gaussian.marginal import Marginal
    from gainlaw.model.gaussian.row_kernels import normal_log_densities, normal_log_density
    from gainlaw.model.spec.problem import build_problem, gaussian_data, specify
    from gainlaw.scores.simulate import simulate_study

    monkeypatch.setattr(Marginal, "_pays", lambda self: True)
    monkeypatch.setattr(reduced, "_pays", lambda *arguments: True)
    monkeypatch.setattr(reduced_many, "_LEAST_ROWS", 0)
    # Counts take long in plain Python; no kernel of theirs knows which terms there are.
    n_tasks, n_languages, kinds = (2, 2, 3) if scale == "points" else (2, 1, 1)
    frame = simulate_study(
        1, n_tasks=n_tasks, n_languages=n_languages, sizes=(1e8, 1e10), n_examples=60, chance=0.3
    ).evaluations.frame
    if intermediates == 2:
        more = frame[frame["intermediate"] != "none"]
        frame = pd.concat([frame, more.assign(intermediate="more", model=more["model"] + "-more")])
    gains = gl.evaluations_from_frame(frame).gains(scale=scale)
    for terms in (["task", "checkpoint"], ["task", "checkpoint", "checkpoint_task"], ["task"])[:kinds]:
        problem = build_problem(gains, specify(gains, law("linear"), terms=terms))
        rng = np.random.default_rng(0)
        points = rng.uniform(0.4, 0.9, (3, len(problem.hyper)))
        packed = problem.pack({name: points[:1, k] for k, name in enumerate(problem.hyper)})[0]
        if scale == "points":
            data = gaussian_data(problem)
            assert np.isfinite(gaussian_marginal(packed, data)[0])
        else:
            summary = summarise(problem, gains)
            data = summary.data
            model = binomial_model(problem, summary.tables, summary.geometry)
            effects = rng.normal(size=problem.design.n_columns + len(problem.y))
            together = np.concatenate([packed, effects])
            assert np.isfinite(binomial_joint(together, model)[0])
            assert np.isfinite(effects_of(together[None], model)).all()
            line = summary.tables.site + rng.normal(size=(2, len(gains)))
            assert np.isfinite(row_log_marginals(summary.tables, line, np.array([0.0, 0.5]))).all()
        blocks = problem.n_blocks
        replicates = [
            k for k, each in enumerate(problem.design.blocks) if each.start >= problem.design.n_core
        ]
        near = {3 * blocks: (0.4, 0.9)} | dict.fromkeys(replicates, (0.4, 0.9))
        plain = Marginal.build(problem, data)
        contrasts, which = rng.normal(size=(3, problem.design.n_core)), np.array([0, 2, 2])
        tables = plain.tabulated(lambda reach, near=near: near), plain._over_residual(near)
        for marginal in (plain, *tables):
            assert np.isfinite(marginal.moments(points, contrasts)).all()
            assert np.isfinite(marginal.draw(points, which, rng)).all()
        factors, weights = plain.factors(points), np.ones((1, problem.design.n_columns))
        assert np.isfinite(factored_normals(problem, factors, points, weights)).all()
        effects = plain.draw(points, np.arange(3), rng)
        line, tau = linear_predictor(problem, effects, None), np.array([0.4, 0.5, 0.6])
        known = data.y, data.variance
        assert np.isfinite(normal_log_densities(line, tau, *known)).all()
        rows = np.arange(len(problem.y))
        assert np.isfinite(normal_log_density(line, tau, rows, *known)).all()
        groups = gains.frame["checkpoint"].astype("category").cat.codes.to_numpy().astype(np.int64)
        assert left_out_normals(problem, data, points, weights, groups) is not None


@in_that_process
@pytest.mark.parametrize("kind", ["any", "within checkpoints"])
def test_known_errors(kind: str) -> None:
    from gainlaw.model.gaussian.marginal import Marginal
    from gainlaw.model.spec.problem import gaussian_data
    from test_known_covariance import a_problem

    gains, problem, point = a_problem("linear", kind)
    for left_out in ("", gains.frame["checkpoint"].iloc[0]):
        keep = (gains.frame["checkpoint"] != left_out).to_numpy(float)
        marginal = Marginal.build(problem, gaussian_data(problem), keep)
        assert np.isfinite(marginal.moments(point[None], np.ones((1, problem.design.n_core)))).all()
        assert np.isfinite(
            marginal.draw(point[None], np.zeros(2, dtype=np.int64), np.random.default_rng(0))
        ).all()


@in_that_process
@pytest.mark.parametrize("loss", ["squared", "huber", "lad", "student_t", "binomial", "beta_binomial"])
def test_a_curve(loss: str) -> None:
    import gainlaw as gl
    from gainlaw.curves.kernels.problem import predict_many
    from gainlaw.curves.kernels.tape import with_gradient

    sizes = np.geomspace(1e8, 1e11, 9)
    y = 0.6 - 0.1 * (sizes / 1e9) ** -0.3
    if loss.endswith("binomial"):
        fit = gl.fit_curve(sizes, np.round(1000 * y), law="offset_power", loss=loss, trials=1000)
    else:
        fit = gl.fit_curve(sizes, y, law="offset_power", loss=loss)
    assert np.isfinite(
        predict_many(fit.problem, np.tile(fit.optimum.theta, (2, 1)), fit.problem.variables)
    ).all()
    assert np.isfinite(with_gradient(fit.law.tape.work, fit.optimum.theta, fit.problem.variables)[1]).all()
    assert np.abs(fit.residuals).max() < 1e-3 + 5 * loss.endswith("binomial")


@in_that_process
def test_every_kernel_was_called() -> None:
    assert sorted(KERNELS - CALLED) == []
