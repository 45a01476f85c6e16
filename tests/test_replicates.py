"""Checkpoints and runs stay the replicates, whatever groups the rows as they do; groups have what the rows show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import gainlaw as gl
from gainlaw.errors import InputError
from gainlaw.frequentist.mixed import fit_mixed
from gainlaw.frequentist.small_sample import contrast_test
from gainlaw.laws import law
from gainlaw.model.spec.problem import specify
from gainlaw.model.spec.terms import CANDIDATES, TREE
from gainlaw.posterior.grid import SELECTABLE
from gainlaw.posterior.levels import gain_curve

CASES = Path(__file__).parent / "cases"
LANGUAGES = ("en", "tr", "zh", "sw", "fi", "ko")
STAY = ("checkpoint", "run")
OTHERS = [each for each in CANDIDATES if each.name not in (*STAY, "smooth")]


def rows_of(rng: np.random.Generator, checkpoints: int = 6, tasks: int = 3, cells: int = 4) -> pd.DataFrame:
    """Return gains whose checkpoints differ by 1.5 points, at three sizes."""
    own = 1.5 * rng.standard_normal(checkpoints)
    return pd.DataFrame(
        [
            {
                "base_model": f"m{c}",
                "params": int(10 ** (8 + c % 3)),
                "model_family": f"f{c // 3}",
                "intermediate": f"i{c % 2}",
                "task": f"t{t}",
                "language": LANGUAGES[k],
                "prompt": f"p{t}{k}",
                "gain": 3.0 + own[c] + 0.3 * rng.standard_normal(),
                "se": 0.3,
            }
            for c in range(checkpoints)
            for t in range(tasks)
            for k in range(cells)
        ]
    )


def relabel(frame: pd.DataFrame, column: str, label: pd.Series) -> None:
    """Give a column other groups; a language belongs to one family."""
    frame[column] = label
    if column == "language_family":
        frame["language"] = label + frame["language"]


@pytest.mark.parametrize("name", ["task", "language_family", "language", "intermediate", "model_family"])
def test_a_kind_that_groups_as_checkpoints_do_gives_way(name: str) -> None:
    frame = rows_of(np.random.default_rng(0))
    relabel(frame, name, "g" + frame["base_model"].str[1:])
    fit = gl.fit(gl.gains_from_frame(frame), draws=150)
    kept = {term.name for term in fit.spec.terms}
    assert "checkpoint" in kept
    assert name not in kept
    (reason,) = (each.reason for each in fit.spec.dropped if each.name == name)
    assert "exactly as checkpoint does" in reason
    # No group is given the average of all of them as if it were its own.
    assert name not in set(fit.estimates["level"])
    with pytest.raises(InputError, match=f"no term for {name}.*checkpoint"):
        gain_curve(fit, **{name: "g0"})
    verdict = gl.assess(fit, f"gain(1B)[{name}=g0] > gain(1B)[{name}=g1]")
    assert verdict.verdict == "untested"
    alone = gl.fit(gl.gains_from_frame(frame.drop(columns=name)), draws=150)
    if name in ("intermediate", "model_family"):
        a, b = (each.summary("overall").set_index("estimand").loc["slope"] for each in (fit, alone))
        assert a["sd"] == pytest.approx(b["sd"], rel=0.15)


@pytest.mark.parametrize("candidate", OTHERS, ids=lambda each: each.name)
@pytest.mark.parametrize("stays", STAY)
def test_no_candidate_takes_the_place_of_a_replicate(candidate, stays: str) -> None:
    frame = rows_of(np.random.default_rng(1))
    label = frame["base_model"]
    if stays == "run":
        frame["seed"] = frame.groupby("base_model").cumcount() % 2
        label = label + "s" + frame["seed"].astype(str)
    for column in candidate.columns:
        if column not in ("checkpoint", "seed"):
            relabel(frame, column, label)
    spec = specify(gl.gains_from_frame(frame), law("linear"))
    kept = {term.name for term in spec.terms}
    assert stays in kept
    assert candidate.name not in kept


def test_a_tree_leaves_the_checkpoints_too() -> None:
    frame = rows_of(np.random.default_rng(1))
    frame["language"] = frame["base_model"].map({f"m{c}": name for c, name in enumerate(LANGUAGES)})
    spec = specify(gl.gains_from_frame(frame), law("linear"), tree=True)
    assert "checkpoint" in {term.name for term in spec.terms}


def test_one_row_a_checkpoint_and_family_leaves_the_residual() -> None:
    frame = rows_of(np.random.default_rng(2), tasks=1, cells=1)
    frame["model_family"] = frame["base_model"]
    spec = specify(gl.gains_from_frame(frame), law("linear"))
    assert spec.residual
    assert "model_family" not in {term.name for term in spec.terms}
    # Without a residual the checkpoint is the term that is left to hold the replicates.
    spec = specify(gl.gains_from_frame(frame), law("linear"), exclude=["residual"])
    assert [term.name for term in spec.terms if term.replicate] == ["checkpoint"]


def test_runs_that_are_the_checkpoints_are_one_term() -> None:
    spec = specify(gl.gains_from_frame(rows_of(np.random.default_rng(3))), law("linear"))
    assert [term.name for term in spec.terms if term.name in STAY] == ["checkpoint"]
    assert {each.name: each.twin for each in spec.dropped}["run"] == "checkpoint"


def brute_force(gains: gl.Gains, checkpoint: np.ndarray, priors: dict[str, float]) -> tuple[float, float]:
    """Return mean and sd of a common gain by a grid over the sds of checkpoints and residual, with dense matrices."""
    y, same = gains.frame["gain"].to_numpy(float), (checkpoint[:, None] == checkpoint).astype(float)
    known = gains.covariance.matrix()
    grid = np.linspace(0.01, 12.0, 60), np.linspace(0.005, 2.0, 25)
    logs, means, variances = [], [], []
    for tau in grid[0]:
        for residual in grid[1]:
            total = known + tau**2 * same + residual**2 * np.eye(len(y))
            factor = np.linalg.cholesky(total)
            ones, scaled = np.linalg.solve(factor, np.ones(len(y))), np.linalg.solve(factor, y)
            precision = ones @ ones + priors["intercept"] ** -2
            mean = ones @ scaled / precision
            log = -np.log(np.diag(factor)).sum() - 0.5 * (scaled @ scaled) + 0.5 * precision * mean**2
            log += -0.5 * np.log(precision) + stats.halfnorm.logpdf(tau, scale=priors["tau_checkpoint"])
            logs.append(log + stats.halfnorm.logpdf(residual, scale=priors["tau_residual"]))
            means.append(mean)
            variances.append(1.0 / precision)
    weight = np.exp(np.array(logs) - max(logs))
    weight /= weight.sum()
    mean = float(weight @ means)
    return mean, float(np.sqrt(weight @ (np.array(variances) + np.array(means) ** 2) - mean**2))


def test_one_checkpoint_a_family_has_the_interval_of_its_checkpoints() -> None:
    gains = gl.read_evaluations(CASES / "s03_one_checkpoint_a_family.csv").gains()
    fit = gl.fit(gains, "constant", terms=["checkpoint", "model_family"])
    assert [term.name for term in fit.spec.terms] == ["checkpoint"]
    row = fit.summary("overall").iloc[0]
    checkpoint = gains.frame["checkpoint"].astype(str).to_numpy()
    priors = {name: fit.spec.priors[name].scale for name in ("intercept", "tau_checkpoint", "tau_residual")}
    mean, sd = brute_force(gains, checkpoint, priors)
    # 2,000 effective draws carry a mean to a fortieth of an sd, an sd to a sixtieth and worse; four of those.
    assert abs(row["mean"] - mean) < 0.1 * sd
    assert row["sd"] == pytest.approx(sd, rel=0.1)
    dummies = (checkpoint[:, None] == np.unique(checkpoint)).astype(float)
    reml = contrast_test(
        fit_mixed(gains.frame["gain"], np.ones((len(gains), 1)), [dummies], S=gains.covariance), np.ones(1)
    )
    width = 2 * reml.se * stats.t.ppf(0.975, reml.df)
    assert abs(row["mean"] - reml.estimate) < 0.2 * reml.se
    # Five degrees of freedom: the half-normal prior of the sd, and none, differ by this much.
    assert row["ci_high"] - row["ci_low"] == pytest.approx(width, rel=0.2)


def test_families_have_their_own_slopes() -> None:
    fit = gl.fit(gl.read_evaluations(CASES / "s02_two_families.csv").gains(), draws=300)
    assert next(term for term in fit.spec.terms if term.name == "model_family").slope
    assert str(fit.spec.priors["tau_model_family_slope"]).startswith("halfnormal")
    rows = fit.summary("model_family").query("estimand == 'slope'").set_index("group")
    for family, true in (("Alpha", -5.0), ("Beta", 5.0)):
        row = rows.loc[f"model_family={family}"]
        assert row["ci_low"] < true < row["ci_high"]
        assert abs(row["mean"] - true) < 1.5
    assert gl.assess(fit, "slope[model_family=Alpha] < slope[model_family=Beta]").verdict == "supported"
    assert gl.assess(fit, "slope[model_family=Alpha] > slope[model_family=Beta]").verdict == "refuted"


@pytest.mark.parametrize("name", ["intermediate", "model_family"])
def test_groups_of_one_size_stand_beside_those_with_slopes(name: str) -> None:
    rng = np.random.default_rng(4)
    frame = rows_of(rng, checkpoints=9)
    group = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])[frame["base_model"].str[1:].astype(int)]
    frame["model_family"] = frame["intermediate"] = "x"
    frame[name] = np.array(["up", "down", "lone"])[group]
    x = np.log10(frame["params"] / 1e9)
    frame["gain"] += np.array([4.0, -4.0, 0.0])[group] * x
    frame = frame[(frame[name] != "lone") | (frame["params"] == 1e9)]
    fit = gl.fit(gl.gains_from_frame(frame), draws=300)
    rows = fit.summary(name).query("estimand == 'slope'").set_index("group")["mean"]
    assert rows[f"{name}=up"] > 2.0
    assert rows[f"{name}=down"] < -2.0
    sds = fit.summary(name).query("estimand == 'slope'").set_index("group")["sd"]
    assert sds[f"{name}=lone"] > 2 * sds[f"{name}=up"]


def test_groups_without_slopes_of_their_own_have_none() -> None:
    frame = rows_of(np.random.default_rng(5))
    frame["model_family"] = np.where(frame["params"] < 1e9, "small", "large")
    frame["model_family"] += frame["base_model"].where(frame["params"] == 1e10, "").str[1:]
    fit = gl.fit(gl.gains_from_frame(frame), draws=150)
    assert "model_family" in {term.name for term in fit.spec.terms}
    assert "fewer than two groups" in {e.name: e.reason for e in fit.spec.dropped}["model_family slope"]
    table = fit.summary("model_family")
    assert "gain" in set(table["estimand"])
    assert "slope" not in set(table["estimand"])
    with pytest.raises(InputError, match="no slopes by model_family"):
        gain_curve(fit, model_family="small").slope()
    assert gl.assess(fit, "slope[model_family=small] < 0").verdict == "untested"


def test_columns_that_say_the_same_have_the_same_estimates() -> None:
    frame = rows_of(np.random.default_rng(6))
    frame["gain"] += frame["task"].map({"t0": 0.0, "t1": 4.0, "t2": 8.0})
    frame["intermediate"] = "i" + frame["task"].str[1:]
    fit = gl.fit(gl.gains_from_frame(frame), draws=150)
    assert {each.name: each.twin for each in fit.spec.dropped}["intermediate"] == "task"
    a, b = (fit.summary(name).drop(columns=["level", "group"]) for name in ("task", "intermediate"))
    pd.testing.assert_frame_equal(a, b)
    assert a.query("estimand == 'gain' and params == 1e9")["mean"].diff().min() > 2.0


def test_renaming_groups_changes_nothing() -> None:
    frame = rows_of(np.random.default_rng(7))
    names = {"f0": "zeta", "f1": "alpha"}
    first = gl.fit(gl.gains_from_frame(frame), draws=150)
    second = gl.fit(
        gl.gains_from_frame(frame.assign(model_family=frame["model_family"].map(names))), draws=150
    )
    for family, other in names.items():
        rows = [
            each.summary("model_family").set_index("group").loc[f"model_family={name}"].set_index("estimand")
            for each, name in ((first, family), (second, other))
        ]
        # The posterior is the same; its draws are others, as the groups stand in another order.
        assert (
            abs(rows[0].loc["slope", "mean"] - rows[1].loc["slope", "mean"])
            < 0.3 * rows[0].loc["slope", "sd"]
        )


@pytest.mark.parametrize("column", SELECTABLE)
def test_a_term_left_out_on_request_has_no_level(column: str) -> None:
    frame = rows_of(np.random.default_rng(8))
    spec = specify(gl.gains_from_frame(frame), law("linear"), exclude=[column, "task_language"])
    from gainlaw.posterior.grid import why_absent

    gains = gl.gains_from_frame(frame)
    # Families differ through their languages.
    assert bool(why_absent(spec, gains, column)) is (column != "language_family")


def test_the_tree_is_a_candidate_of_its_own() -> None:
    assert TREE not in {each.name for each in CANDIDATES}
