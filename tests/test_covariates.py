"""Covariates: the unit of a column says nothing, what cannot be told apart is refused, slopes may change with them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import gainlaw as gl
from gainlaw.claims.frequentist import companion
from gainlaw.claims.grammar.parse import parse_claim
from gainlaw.errors import InputError
from gainlaw.fitting.provenance import seal
from gainlaw.laws import law
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.spec.joint import scores_of
from gainlaw.model.spec.problem import build_problem, gaussian_data, specify

CASE = Path(__file__).parent / "cases" / "c32_small_unit_covariate.csv"
EFFECTS = ("effect", "effect_per_sd")


NO_VALUES = """gain,se,params,task,language,depth,label,block
1.0,0.5,560000000,xnli,en,1,a,one
1.5,0.5,1000000000,xnli,en,2,1,one
2.0,0.5,560000000,xnli,fr,,2,two
2.5,0.5,1000000000,xnli,fr,4,,two
3.0,0.5,560000000,xnli,de,3,5,three
2.5,0.5,3000000000,xnli,de,,6,four
"""


def test_missing_values_and_labels_are_named_by_line_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "effects.csv"
    pd.read_csv(io.StringIO(NO_VALUES)).drop(columns="block").to_csv(path, index=False)
    gains = gl.read_gains(path)
    with pytest.raises(InputError) as error:
        gl.fit(gains, covariates=["depth", "label"])
    assert [(each.column, each.rows) for each in error.value.problems] == [
        ("depth", (4, 7)),
        ("label", (2,)),
        ("label", (5,)),
    ]
    assert "missing or infinite values in 2 rows" in str(error.value)
    with pytest.raises(InputError, match=r"in 1 row \(line 4\)"):
        gl.fit(gains.subset(gains.frame["language"] != "de"), covariates=["depth"])


def test_blocks_without_their_errors_are_one_problem_that_names_them(tmp_path: Path) -> None:
    path = tmp_path / "effects.csv"
    path.write_text(NO_VALUES)
    with pytest.raises(InputError) as error:
        gl.read_gains(path)
    (problem,) = error.value.problems
    assert problem.column == "baseline_se"
    assert problem.rows == (2, 3, 4, 5)
    assert problem.message.endswith("is not known: blocks one, two")


def study(rng: np.random.Generator, checkpoints: int = 8, slope: float = 2.0) -> pd.DataFrame:
    """Return gains with an effect of 3 points for one unit of v, and of `slope` points a decade on the slope."""
    value = rng.uniform(0.0, 2.0, (checkpoints, 4))
    return pd.DataFrame(
        [
            {
                "base_model": f"m{c}",
                "params": int(10 ** (8 + c % 4)),
                "model_family": f"f{c // 4}",
                "task": f"t{t}",
                "language": ("en", "tr", "zh", "sw")[k],
                "v": value[c, k],
                "gain": 5.0 + (3.0 + slope * (c % 4 - 1)) * value[c, k] + 0.5 * rng.standard_normal(),
                "se": 0.5,
            }
            for c in range(checkpoints)
            for t in range(2)
            for k in range(4)
        ]
    )


def fit_on(frame: pd.DataFrame, *names: str, **options) -> gl.Fit:
    return gl.fit(gl.gains_from_frame(frame), covariates=names, draws=150, seed=3, **options)


@pytest.mark.parametrize(("factor", "shift"), [(1e6, 0.0), (1e-6, 0.0), (-2.0, 30.0)])
def test_another_unit_leaves_all_else_equal(factor: float, shift: float) -> None:
    frame = study(np.random.default_rng(0))
    options = {"terms": ["task", "checkpoint"]}
    first = fit_on(frame, "v:slope", **options).estimates
    second = fit_on(frame.assign(v=factor * frame["v"] + shift), "v:slope", **options).estimates
    per_unit = first["estimand"] == "effect"
    sign = np.where(first["level"] == "covariate", np.sign(factor), 1.0)
    numbers = ["mean", "sd", "median", "ci_low", "ci_high"]
    a, b = (each[~per_unit][numbers].to_numpy(float) for each in (first, second))
    if factor > 0:
        # The standardised column is the same to the last digit that is kept.
        np.testing.assert_array_equal(a, b)
    else:
        # Other draws of the same posterior: 600 of them.
        flipped = sign[~per_unit] * b[:, 0]
        assert (np.abs(a[:, 0] - flipped) < 0.25 * a[:, 1]).all() or np.isnan(a[:, 0]).any()
    scaled = first[per_unit]["mean"].to_numpy() / factor
    np.testing.assert_allclose(
        second[per_unit]["mean"], scaled, rtol=1e-9 if factor > 0 else 0.2, atol=0.0 if factor > 0 else 0.3
    )


def test_effects_of_one_quantity_in_three_units() -> None:
    gains = gl.read_gains(CASE)
    rows = []
    for name, unit in (("share", 1.0), ("share_pct", 1e2), ("share_ppm", 1e6)):
        table = gl.fit(gains, covariates=[name], draws=150).summary("covariate").set_index("estimand")
        rows.append((unit * table.loc["effect", "mean"], table.loc["effect_per_sd", "mean"]))
        assert table.loc["effect_per_sd", "mean"] == pytest.approx(
            table.loc["effect", "mean"] * gains.frame[name].std(ddof=0)
        )
    np.testing.assert_allclose(rows, rows[:1] * 3, rtol=1e-6)


@pytest.mark.parametrize("name", ["linear", "offset_power", "saturating", "logistic"])
def test_the_likelihood_is_that_of_an_interaction_with_size(name: str) -> None:
    gains = gl.gains_from_frame(study(np.random.default_rng(1)))
    spec = specify(
        gains, law(name), terms=["checkpoint"], covariates=["v:slope"], priors={"covariate:v": "normal(1, 4)"}
    )
    assert spec.covariates == ("v", "v:slope")
    problem = build_problem(gains, spec)
    rng = np.random.default_rng(2)
    points = rng.uniform(0.3, 2.0, (3, len(problem.hyper)))
    found = Marginal.build(problem, gaussian_data(problem)).log_likelihood(points)
    v = gains.frame["v"].to_numpy(float)
    z = (v - v.mean()) / v.std()
    same = np.equal.outer(gains.frame["checkpoint"].to_numpy(), gains.frame["checkpoint"].to_numpy())
    priors = spec.priors
    for point, ours in zip(points, found, strict=True):
        value = {key: np.array([each]) for key, each in zip(problem.hyper, point, strict=True)}
        h = np.ravel(spec.law.shape(problem.x, spec.law.psi(value)))
        columns = {"intercept": np.ones(len(z)), "slope": h, "covariate:v": z, "covariate:v:slope": z * h}
        total = (
            gains.covariance.matrix()
            + value["tau_checkpoint"] ** 2 * same
            + value["tau_residual"] ** 2 * np.eye(len(z))
        )
        for key, column in columns.items():
            total = total + priors[key].scale ** 2 * np.outer(column, column)
        dense = stats.multivariate_normal(z, total).logpdf(problem.y)
        assert ours == pytest.approx(dense, abs=1e-7)


def test_hierarchical_baselines_shift_the_gain_alone() -> None:
    from test_joint import study as scores_study

    evaluations = scores_study(np.random.default_rng(2), intermediates=("a",))
    gains = evaluations.gains(scale="points")
    frame = gains.frame.assign(v=np.random.default_rng(3).normal(size=len(gains.frame)))
    gains = gl.gains_from_frame(frame)
    spec = specify(
        gains, law("linear"), terms=["checkpoint"], covariates=["v:slope"], baselines="hierarchical"
    )
    problem = build_problem(gains, spec)
    _, origin, role = scores_of(gains)
    v = frame["v"].to_numpy()
    z = ((v - v.mean()) / v.std())[origin] * role
    block = next(each for each in problem.design.blocks if each.name == "covariate:v")
    entry = [each.name for each in problem.design.blocks].index("covariate:v")
    np.testing.assert_allclose(problem.design.value[:, entry], z, atol=1e-12)
    assert block.slope_start >= 0
    assert spec.covariates == ("v", "v:slope", "baseline", "baseline_slope")


def test_both_engines_agree(tmp_path: Path) -> None:
    from test_joint import study as scores_study

    evaluations = scores_study(np.random.default_rng(5), intermediates=("a",))
    frame = evaluations.frame.copy()
    frame["v"] = frame["language"].map({"de": 0.0, "ru": 1.0, "tr": 5.0})
    gains = gl.evaluations_from_frame(frame).gains(scale="log_odds")
    options = {"terms": ["checkpoint"], "covariates": ["v:slope"]}
    found, other = gl.fit(gains, **options), gl.fit(gains, engine="nuts", draws=200, tune=300, **options)
    assert found.status == "ok", found.diagnostics.failures
    assert found.record["engine"]["used"] == "exact"
    for group in ("covariate=v", "covariate=v:slope"):
        a, b = (
            each.summary("covariate").query("estimand == 'effect_per_sd'").set_index("group").loc[group]
            for each in (found, other)
        )
        # The sampler's Monte Carlo error is about a twentieth of an sd; four of those.
        assert abs(a["mean"] - b["mean"]) < 0.2 * b["sd"]
        assert a["sd"] == pytest.approx(b["sd"], rel=0.15)
    again = gl.load_fit(found.save(tmp_path / "fit"))
    assert again.spec.covariates == ("v", "v:slope")
    pd.testing.assert_frame_equal(again.summary("covariate"), found.summary("covariate"), atol=1e-9)
    assert again.predict(1e10)["mean"].notna().all()
    record = json.loads((tmp_path / "fit" / "fit.json").read_text("utf-8"))
    record["model"]["covariates"]["v"] = 2.0
    (tmp_path / "fit" / "fit.json").write_text(json.dumps(seal(record)), "utf-8")
    # Draws of effects in another unit must not be read as if they were in this one.
    with pytest.raises(InputError, match="another one: covariates"):
        gl.load_fit(tmp_path / "fit")


def test_the_slope_found_is_the_true_one() -> None:
    fit = fit_on(study(np.random.default_rng(6)), "v:slope", terms=["checkpoint"])
    table = fit.summary("covariate").query("estimand == 'effect'").set_index("group")
    assert table.loc["covariate=v:slope", "ci_low"] < 2.0 < table.loc["covariate=v:slope", "ci_high"]
    assert table.loc["covariate=v:slope", "sd"] < 0.5
    assert gl.assess(fit, 'effect[covariate="v:slope"] > 0').verdict == "supported"
    assert gl.assess(fit, "effect[covariate=w] > 0").verdict == "untested"


def test_the_frequentist_line_is_that_of_the_same_effects() -> None:
    frame = study(np.random.default_rng(7))
    lines = {}
    for unit in (1.0, 1e4):
        fit = fit_on(frame.assign(v=unit * frame["v"]), "v:slope", terms=["checkpoint"])
        lines[unit] = [
            companion(fit, parse_claim(f'effect[covariate="{name}"] > 0')) for name in ("v", "v:slope")
        ]
    for one, other in zip(lines[1.0], lines[1e4], strict=True):
        assert one.estimate == pytest.approx(1e4 * other.estimate, rel=1e-6)
        assert one.p == pytest.approx(other.p, rel=1e-4, abs=1e-12)
    # Effects that are far from zero are found alike by both: prior and posterior differ by less than an sd.
    table = fit.summary("covariate").query("estimand == 'effect'").set_index("group")
    for name, line in zip(("v", "v:slope"), lines[1e4], strict=True):
        row = table.loc[f"covariate={name}"]
        assert abs(row["mean"] - line.estimate) < 0.5 * row["sd"]


@pytest.mark.parametrize(
    ("columns", "covariates", "message"),
    [
        ({"w": lambda f: 100.0 * f["v"] + 3.0}, ["v", "w"], "v and w say the same"),
        ({"w": lambda f: f["v"] / 1e3 + f["u"], "u": lambda f: np.arange(len(f)) % 3}, ["v", "w", "u"], "say the same"),
        ({"w": lambda f: np.log2(f["params"])}, ["w"], r"log\(params\) and w say the same"),
        ({"w": lambda f: (f["model_family"] == "f0") * 1.0}, ["w"], "w cannot be told from model_family"),
        ({"w": lambda f: (f["task"] == "t0") * 1.0}, ["w"], r"w cannot be told from task(.|\n)*--drop task"),
        ({"w": lambda f: 5.0 + 0.0 * f["v"]}, ["w"], "same value in every row"),
        ({"w": lambda f: 1e9 + 1e-7 * f["v"]}, ["w"], "same value in every row"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_apart_is_refused_by_name(
    columns: dict, covariates: list[str], message: str
) -> None:
    frame = study(np.random.default_rng(8))
    for name, column in reversed(columns.items()):
        frame[name] = column(frame)
    with pytest.raises(InputError, match=message):
        specify(gl.gains_from_frame(frame), law("linear"), covariates=covariates)


def test_too_few_checkpoints_for_a_covariate_of_theirs_are_refused() -> None:
    frame = study(np.random.default_rng(9), checkpoints=3)
    frame["w"] = frame["base_model"].map({"m0": 1.0, "m1": 0.0, "m2": 0.7})
    with pytest.raises(InputError, match="w cannot be told from checkpoint: its 3 groups"):
        specify(gl.gains_from_frame(frame), law("linear"), covariates=["w"])
    # A column that varies within checkpoints takes nothing from them.
    assert specify(gl.gains_from_frame(frame), law("linear"), covariates=["v"]).covariates == ("v",)


def test_a_column_of_a_term_that_was_left_out_is_free() -> None:
    frame = study(np.random.default_rng(10))
    frame["w"] = (frame["task"] == "t0") * 1.0
    spec = specify(
        gl.gains_from_frame(frame), law("linear"), covariates=["w"], exclude=["task", "checkpoint_task"]
    )
    assert spec.covariate_scaling == {"w": (0.5, 0.5)}


def test_slopes_of_covariates_need_a_law_with_a_slope_and_a_prior_around_zero() -> None:
    gains = gl.gains_from_frame(study(np.random.default_rng(11)))
    with pytest.raises(InputError, match="v:slope: the constant law has no slope"):
        specify(gains, law("constant"), covariates=["v:slope"])
    with pytest.raises(InputError, match="covariate:v:slope is normal\\(1, 2\\)"):
        specify(gains, law("linear"), covariates=["v:slope"], priors={"covariate:v:slope": "normal(1, 2)"})


def test_effects_are_printed_by_fit_and_summary(cli, tmp_path: Path) -> None:
    study(np.random.default_rng(12)).to_csv(tmp_path / "x.csv", index=False)
    outcome = cli("fit", tmp_path / "x.csv", "-o", tmp_path / "fit", "--covariate", "v:slope", "--draws", 150)
    assert outcome.code in (0, 1), outcome.err
    for text in (
        outcome.out,
        cli("summary", tmp_path / "fit").out,
        cli("summary", tmp_path / "fit", "--level", "covariate").out,
    ):
        assert "Effect of one s.d." in text
        assert "v:slope" in text


def test_a_column_called_baseline_has_the_prior_of_any_other_column() -> None:
    gains = gl.load_dataset("bloomz", intermediates="xP3").gains()
    named = replace(gains, frame=gains.frame.assign(baseline=100 * gains.frame["baseline_score"]))
    other = replace(named, frame=named.frame.rename(columns={"baseline": "own"}))
    ours, theirs = (
        specify(each, law("linear"), covariates=[column]).priors[f"covariate:{column}"]
        for each, column in ((named, "baseline"), (other, "own"))
    )
    assert ours == theirs
