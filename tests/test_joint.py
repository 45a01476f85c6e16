"""Hierarchical baselines: the covariance they stand for, and what is left of them when they are made free."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import gainlaw as gl
from gainlaw.laws import law
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.spec.joint import scores_of
from gainlaw.model.spec.problem import build_problem, gaussian_data, specify

SIZES = (100_000_000, 1_000_000_000, 10_000_000_000)


def study(
    rng: np.random.Generator, n: int = 400, intermediates: tuple[str, ...] = ("a", "b")
) -> gl.Evaluations:
    """Return scores in two tasks and three languages: baselines around 50, gains of 5 points and 3 a decade."""
    rows = []
    easy = dict(zip(("x", "y"), (0.45, 0.55), strict=True))
    for c, size in enumerate(SIZES):
        for task, level in easy.items():
            for language in ("de", "ru", "tr"):
                base = level + 0.05 * (c - 1) + 0.02 * rng.standard_normal()
                for who in ("none", *intermediates):
                    accuracy = base + (0.0 if who == "none" else 0.05 + 0.03 * (c - 1))
                    rows.append(
                        {
                            "model": f"m{c}-{who}",
                            "base_model": "" if who == "none" else f"m{c}-none",
                            "model_family": "m",
                            "params": size,
                            "intermediate": who,
                            "task": task,
                            "language": language,
                            "n_correct": rng.binomial(n, accuracy),
                            "n_examples": n,
                            "n_classes": 4,
                        }
                    )
    return gl.evaluations_from_frame(pd.DataFrame(rows))


def test_scores_are_the_scores() -> None:
    evaluations = study(np.random.default_rng(0))
    gains = evaluations.gains(scale="points")
    scores, origin, role = scores_of(gains)
    assert (role == 0).sum() == 18
    assert (role == 1).sum() == len(gains.frame) == 36
    frame = scores.frame
    for row in (0, 5, 20, 40):
        label = frame.loc[row]
        same = evaluations.frame[["task", "language", "params"]] == label[["task", "language", "params"]]
        who = "none" if role[row] == 0 else label["intermediate"]
        match = evaluations.frame[same.all(axis=1) & (evaluations.frame["intermediate"] == who)]
        assert frame["gain"][row] == pytest.approx(100.0 * match["score"].iloc[0])
        assert frame["k_intermediate"][row] == match["n_correct"].iloc[0]
    # Scores of different models on unknown items are independent, each with its binomial variance.
    assert scores.covariance.blocks == ()
    p = frame["gain"] / 100.0
    np.testing.assert_allclose(frame["se"] ** 2, 1e4 * p * (1 - p) / 400, rtol=1e-9)
    assert (origin[role == 1] == np.arange(36)).all()


def test_the_covariance_of_scores_gives_back_that_of_gains() -> None:
    gains = study(np.random.default_rng(1)).gains(scale="points")
    scores, _, role = scores_of(gains)
    cell = scores.frame["cell"].to_numpy()
    contrast = np.zeros((36, len(role)))
    for i in range(36):
        contrast[i, 18 + i] = 1.0
        contrast[i, cell[18 + i]] = -1.0
    np.testing.assert_allclose(
        contrast @ scores.covariance.matrix() @ contrast.T, gains.covariance.matrix(), atol=1e-9
    )
    np.testing.assert_allclose(contrast @ scores.frame["gain"], gains.frame["gain"], atol=1e-9)


def test_the_likelihood_is_that_of_both_hierarchies() -> None:
    gains = study(np.random.default_rng(2)).gains(scale="points")
    spec = specify(
        gains, law("linear"), terms=["task", "checkpoint"], baselines="hierarchical",
        exclude=["baseline_language", "baseline_language_family", "baseline_task_language"],
    )  # fmt: skip
    problem = build_problem(gains, spec)
    rng = np.random.default_rng(3)
    points = rng.uniform(0.3, 4.0, (3, len(problem.hyper)))
    found = Marginal.build(problem, gaussian_data(problem)).log_likelihood(points)
    scores, _, z = scores_of(gains)
    frame, x, priors = scores.frame, problem.x - spec.law.centre, spec.priors

    def alike(*columns: str) -> np.ndarray:
        labels = frame[list(columns)].astype(str).agg("|".join, axis=1).to_numpy()
        return (labels[:, None] == labels).astype(float)

    line = np.outer(x, x)
    mean = priors["covariate:baseline"].arguments[0] + priors["covariate:baseline_slope"].arguments[0] * x
    for point, ours in zip(points, found, strict=True):
        tau = dict(zip(problem.hyper, point, strict=True))
        gain = priors["intercept"].scale ** 2 + priors["slope"].scale ** 2 * line
        gain = gain + alike("task") * (tau["tau_task"] ** 2 + tau["tau_task_slope"] ** 2 * line)
        gain = gain + alike("checkpoint") * tau["tau_checkpoint"] ** 2
        own = priors["covariate:baseline"].scale ** 2 + priors["covariate:baseline_slope"].scale ** 2 * line
        own = own + alike("task") * (
            tau["tau_baseline_task"] ** 2 + tau["tau_baseline_task_slope"] ** 2 * line
        )
        for term, columns in (
            ("checkpoint", ("checkpoint",)),
            ("checkpoint_task", ("checkpoint", "task")),
            ("checkpoint_language_family", ("checkpoint", "language_family")),
            ("cell", ("cell",)),
        ):
            if f"tau_baseline_{term}" in tau:
                own = own + alike(*columns) * tau[f"tau_baseline_{term}"] ** 2
        total = (
            np.outer(z, z) * gain
            + own
            + scores.covariance.matrix()
            + tau["tau_residual"] ** 2 * np.eye(len(z))
        )
        dense = stats.multivariate_normal(mean, total).logpdf(problem.y)
        assert ours == pytest.approx(dense, abs=1e-7)


def test_free_baselines_are_the_limit_of_hierarchical_ones() -> None:
    gains = study(np.random.default_rng(4)).gains(scale="points")
    left = ["residual"]
    # Cells that may be anything know nothing of each other: only differences are left, as with gains alone.
    wide = gl.fit(
        gains, terms=["task", "checkpoint"], baselines="hierarchical",
        exclude=[*left, *(f"baseline_{name}" for name in ("task", "language", "language_family", "task_language"))],
        priors={"tau_baseline_cell": "halfnormal(3000)", "tau_residual": "halfnormal(0.001)"},
    )  # fmt: skip
    free = gl.fit(gains, terms=["task", "checkpoint"], exclude=left)
    for fit in (wide, free):
        assert fit.status == "ok", fit.diagnostics.failures
    a, b = (each.summary("overall").set_index("estimand").loc["slope"] for each in (wide, free))
    # Monte Carlo error of 2,000 effective draws on either side: a fortieth of an sd; four of those.
    assert abs(a["mean"] - b["mean"]) < 0.1 * b["sd"]
    assert a["sd"] == pytest.approx(b["sd"], rel=0.08)


@pytest.mark.parametrize("scale", ["points", "log_odds"])
def test_both_engines_agree(scale: str, tmp_path: Path) -> None:
    gains = study(np.random.default_rng(5), intermediates=("a",)).gains(scale=scale)
    options = {"terms": ["task", "checkpoint"], "baselines": "hierarchical"}
    found = gl.fit(gains, **options)
    assert found.status == "ok", found.diagnostics.failures
    assert found.record["engine"]["used"] == "exact"
    # On counts a draw takes ten times as long, and they are nearly independent.
    length = {"draws": 800, "tune": 400} if scale == "points" else {"draws": 300, "tune": 300, "chains": 2}
    other = gl.fit(gains, engine="nuts", **length, **options)
    least = (
        other.summary().set_index(["level", "estimand"]).loc[[("overall", "slope"), ("population", "slope")]]
    )
    assert least[["ess_bulk", "ess_tail"]].min().min() > 250
    for level, estimand in (("overall", "slope"), ("population", "slope")):
        a, b = (each.summary(level).set_index("estimand").loc[estimand] for each in (found, other))
        # The sampler's Monte Carlo error is a sixteenth of an sd at most; three of those.
        assert abs(a["mean"] - b["mean"]) < 0.2 * b["sd"]
        assert a["sd"] == pytest.approx(b["sd"], rel=0.15)
    line = found.summary("covariate").set_index("group")
    assert {"covariate=baseline", "covariate=baseline_slope"} <= set(line.index)
    if scale == "points":
        assert line.loc["covariate=baseline", "ci_low"] < 50.0 < line.loc["covariate=baseline", "ci_high"]
    again = gl.load_fit(found.save(tmp_path / "fit"))
    assert again.spec.joint
    assert [term.name for term in again.spec.baseline_terms] == [
        term.name for term in found.spec.baseline_terms
    ]
    assert len(found.diagnostics.influence) == 3


def test_what_hierarchical_baselines_cannot_do_is_said_at_once() -> None:
    gains = study(np.random.default_rng(6)).gains(scale="normalized")
    with pytest.raises(gl.InputError, match=r"a line(.|\n)*points or log_odds"):
        gl.fit(gains, "saturating", baselines="hierarchical")
    bare = gl.gains_from_frame(
        gains.frame[["task", "language", "checkpoint", "params", "gain", "se", "scale"]]
    )
    with pytest.raises(gl.InputError, match="scores behind the gains"):
        gl.fit(bare, baselines="hierarchical")
    with pytest.raises(gl.InputError, match="mean 0"):
        gl.fit(
            study(np.random.default_rng(6)).gains(scale="points"), baselines="hierarchical",
            priors={"slope": "normal(2, 1)"},
        )  # fmt: skip
