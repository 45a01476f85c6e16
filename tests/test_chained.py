"""Predictions in two steps: closed forms, runs drawn together, coverage, places, faults, and the command."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from conftest import Cli
from gainlaw.curves.chained import Chain
from gainlaw.curves.places import variables_at
from gainlaw.laws.changed import fixed

LOSS = {"a": 6.17, "b": 7.67, "e": 0.3, "alpha": 0.347, "beta": 0.367}
SCORE = fixed(gl.law("loss_accuracy"), {"c": 0.25})


def loss_at(size: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Return the true loss."""
    left = np.exp(LOSS["a"]) * size ** -LOSS["alpha"] + np.exp(LOSS["b"]) * tokens ** -LOSS["beta"]
    return np.exp(LOSS["e"]) + left


def score_at(loss: np.ndarray) -> np.ndarray:
    """Return the true accuracy, chance 0.25."""
    return 0.25 + 0.65 / (1.0 + np.exp(3.0 * (loss - 2.1)))


def runs(seed: int, sizes: int = 4, amounts: int = 5) -> pd.DataFrame:
    """Return a ladder of runs, 190M to 1.3B parameters at 10 to 200 tokens each."""
    rng = np.random.default_rng(seed)
    size = np.repeat(np.geomspace(1.9e8, 1.3e9, sizes), amounts)
    tokens = size * np.tile(np.geomspace(10.0, 200.0, amounts), sizes)
    loss = loss_at(size, tokens) * np.exp(0.005 * rng.standard_normal(len(size)))
    score = score_at(loss) + 0.008 * rng.standard_normal(len(size))
    return pd.DataFrame({"params": size, "tokens": tokens, "loss": loss, "accuracy": score})


def chained(frame: pd.DataFrame, **options: object) -> Chain:
    first = gl.fit_curve(frame, "loss", x=["params", "tokens"], law="chinchilla", **options)
    return gl.chain(first, gl.fit_curve(frame, "accuracy", x="loss", law=SCORE, **options))


@pytest.fixture(scope="module")
def two() -> Chain:
    return chained(runs(0))


def test_a_chain_is_one_law_of_the_other(two: Chain) -> None:
    frame = two.predict({"params": ["7B", 1.3e9], "tokens": ["1T", 2.6e11]}, draws=200)
    for row in frame.itertuples():
        loss = np.exp(two.first.predict({"log_n": [row.log_n], "log_d": [row.log_d]})["gain"].iloc[0])
        assert row.between == pytest.approx(loss, rel=1e-12)
        assert row.value == pytest.approx(two.second.predict({"l": [loss]})["gain"].iloc[0], rel=1e-12)
        assert row.between_low < row.between < row.between_high
        assert row.new_low < row.value_low < row.value < row.value_high < row.new_high
    assert frame["reach"].to_numpy() == pytest.approx([7e9 * 1e12 / (1.3e9 * 2.6e11), 1.0])
    assert (frame["status"] == "ok").all()
    losses = two.second.points.variables["l"]
    expected = (losses.min() - frame["between"][0]) / (losses.max() - losses.min())
    assert frame["beyond"][0] == pytest.approx(expected)
    again = chained(runs(0)).predict({"params": [7e9], "tokens": [1e12]}, draws=200)
    assert again.iloc[0].equals(frame.iloc[0])


def test_straight_lines_have_the_error_of_both_and_of_what_they_have_in_common() -> None:
    """The pairs bootstrap tends to the sum of squares of the rows' influences, added up for rows of the same run."""
    rng = np.random.default_rng(1)
    x, e = np.linspace(-1.0, 1.0, 200), rng.standard_normal((2, 200))
    loss = 2.0 - x + 0.4 * e[0]
    score = 1.0 + 2.0 * loss - 0.6 * e[0] + 0.3 * e[1]
    first = gl.fit_curve({"x": x}, loss, law="a + b * x")
    second = gl.fit_curve({"l": loss}, score, law=gl.formula_law("a + b * l", variables=["l"]))
    two, own = gl.chain(first, second), gl.chain(first, second, same_runs=False)
    assert two.same_runs
    assert (two.resampled(4000).together, two.resampled(4000).kinds) == (True, ("pairs", "pairs"))
    assert not own.resampled(4000).together
    at = first.values["a"] + 2.0 * first.values["b"]
    pulls = []
    for fit, along, place in ((first, x, 2.0), (second, loss, at)):
        design = np.column_stack([np.ones(200), along])
        pulls.append(design @ np.linalg.solve(design.T @ design, [1.0, place]) * fit.residuals)
    pulls[0] *= second.values["b"]
    widths = {}
    for chain, variance in ((two, (sum(pulls) ** 2).sum()), (own, sum((each**2).sum() for each in pulls))):
        row = chain.predict({"x": [2.0]}).iloc[0]
        widths[chain] = row["value_high"] - row["value_low"]
        assert widths[chain] == pytest.approx(2.0 * first.limit * np.sqrt(variance * 200 / 198), rel=0.05)
    assert widths[two] < 0.9 * widths[own]
    assert two._correlation() == pytest.approx(np.corrcoef(first.residuals, second.residuals)[0, 1])
    assert own._correlation() == 0.0


def test_runs_that_both_have_are_drawn_together_and_others_by_themselves() -> None:
    """The second law may be fitted to more checkpoints of the same runs, or to other runs of the same names."""
    frame = runs(2).assign(run=[f"r{k}" for k in range(20)])
    first = gl.fit_curve(frame, "loss", x=["params", "tokens"], law="chinchilla", groups="run")
    early = frame.assign(loss=frame["loss"] + 0.3, accuracy=score_at(frame["loss"] + 0.3))
    more = gl.fit_curve(pd.concat([frame, early]), "accuracy", x="loss", law=SCORE, groups="run")
    assert gl.chain(first, more).same_runs
    other = gl.fit_curve(early, "accuracy", x="loss", law=SCORE, groups="run")
    assert not gl.chain(first, other).same_runs
    mixed = early.assign(loss=np.where(np.arange(20) < 5, frame["loss"], early["loss"]))
    mixed = gl.fit_curve(mixed, "accuracy", x="loss", law=SCORE, groups="run")
    with pytest.raises(gl.InputError, match="the losses of 5 agree"):
        gl.chain(first, mixed)
    assert gl.chain(first, mixed, same_runs=True).same_runs


def test_two_laws_hold_the_truth_at_ten_times_the_compute() -> None:
    """40 studies of 20 runs: figures of 300 are in docs/curves.md."""
    size, tokens = 1.3e9 * 10**0.5, 2.6e11 * 10**0.5
    truth = loss_at(np.array(size), np.array(tokens))
    held = np.zeros(2)
    for seed in range(40):
        row = (
            chained(runs(100 + seed), starts=6)
            .predict({"params": [size], "tokens": [tokens]}, draws=300)
            .iloc[0]
        )
        assert row["reach"] == pytest.approx(10.0)
        held += [
            row["between_low"] <= truth <= row["between_high"],
            row["value_low"] <= score_at(truth) <= row["value_high"],
        ]
    assert held.min() >= 34, held


@pytest.mark.calibration
@pytest.mark.parametrize(("sizes", "amounts"), [(3, 3), (4, 5), (5, 8)])
def test_two_laws_cover(sizes: int, amounts: int) -> None:
    """300 studies: the loss, the accuracy and that of a new run at 1, 10 and 100 times the largest compute."""
    size, tokens = 1.3e9 * 10 ** np.array([0.0, 0.5, 1.0]), 2.6e11 * 10 ** np.array([0.0, 0.5, 1.0])
    truth = loss_at(size, tokens)
    held = np.zeros((3, 3))
    for seed in range(300):
        frame = chained(runs(seed, sizes, amounts)).predict({"params": size, "tokens": tokens}, draws=1000)
        rng = np.random.default_rng(9000 + seed)
        new = score_at(truth * np.exp(0.005 * rng.standard_normal(3))) + 0.008 * rng.standard_normal(3)
        for k, (name, value) in enumerate((("between", truth), ("value", score_at(truth)), ("new", new))):
            held[k] += (frame[f"{name}_low"] <= value) & (value <= frame[f"{name}_high"])
    print(sizes * amounts, "runs", (held / 300).round(3).tolist())
    assert held.min() >= 300 * 0.89, held


def test_places_are_told_by_what_the_law_depends_on() -> None:
    law = gl.law("chinchilla")
    want = {"log_n": np.log(7e9), "log_d": np.log(1e12)}
    for given in (
        {"params": "7B", "tokens": "1T"},
        {"n": 7e9, "d": 1e12},
        {"log_n": want["log_n"], "log_d": want["log_d"]},
        {"tokens": 1e12, "compute": 6 * 7e9 * 1e12},
    ):
        for name, value in variables_at(law, given).items():
            assert value[0] == pytest.approx(want[name], rel=1e-12)
    columns = {"log_n": "log(width)", "log_d": "log(steps)"}
    at = variables_at(law, {"steps": 1e12, "width": 7e9}, columns)
    assert at["log_n"][0] == pytest.approx(want["log_n"])
    for given, message in (
        ({"params": 7e9}, "no column for d"),
        ({"params": 7e9, "tokens": 1e12, "steps": 1}, "no place for 'steps'"),
        ({"width": 7e9, "steps": 1e12}, "no place for 'width'"),
        ({"params": [7e9, 8e9], "tokens": 1e12}, "as many of each"),
        ({"params": -7e9, "tokens": 1e12}, "not positive"),
    ):
        with pytest.raises(gl.InputError, match=message):
            variables_at(law, given)


def test_what_does_not_chain_is_refused() -> None:
    frame = runs(3).assign(bpb=lambda table: table["loss"] / 3.0)
    first = gl.fit_curve(frame, "loss", x=["params", "tokens"], law="chinchilla")
    with pytest.raises(gl.InputError, match="not of the loss alone"):
        gl.chain(first, first)
    with pytest.raises(gl.InputError, match="predicts 'loss', the second depends on 'bpb'"):
        gl.chain(first, gl.fit_curve(frame, "accuracy", x="bpb", law=SCORE))
    with pytest.raises(gl.InputError, match=r"intervals of 0.95 and of 0.9"):
        gl.chain(first, gl.fit_curve(frame, "accuracy", x="loss", law=SCORE, ci_prob=0.9))


def test_counts_and_logarithms_chain_too() -> None:
    frame = runs(4)
    rng = np.random.default_rng(4)
    frame["right"], frame["items"] = rng.binomial(1000, frame["accuracy"]), 1000
    first = gl.fit_curve(frame, "loss", x=["params", "tokens"], law="chinchilla")
    second = gl.fit_curve(frame, "right", x="loss", law=SCORE, trials="items", loss="binomial")
    row = gl.chain(first, second).predict({"params": [4e9], "tokens": [8e11]}, draws=200).iloc[0]
    assert row["value_low"] < score_at(loss_at(np.array(4e9), np.array(8e11))) < row["value_high"]
    assert np.isnan(row["new_low"])
    power = gl.fit_curve(frame, "log(accuracy)", x="loss", law="a - k * log_loss")
    twin = gl.fit_curve(
        {"l": np.log(frame["loss"])},
        np.log(frame["accuracy"]),
        law=gl.formula_law("a - k * l", variables=["l"]),
    )
    here = gl.chain(first, power).predict({"params": [4e9], "tokens": [8e11]}, draws=50).iloc[0]
    assert here["value"] == pytest.approx(
        np.exp(twin.predict({"l": [np.log(here["between"])]})["gain"].iloc[0])
    )


def test_the_command_predicts_in_one_step_and_in_two(cli: Cli, tmp_path) -> None:
    frame = runs(5)
    frame.to_csv(tmp_path / "runs.csv", index=False)
    asked = ["curve", tmp_path / "runs.csv", "--y", "loss", "--x", "params,tokens", "--law", "chinchilla"]
    at = ["--at", "params=7B,tokens=1T", "--at", "params=13B,tokens=2.6T"]
    two = [
        *asked,
        "--then",
        "accuracy",
        "--fix",
        "then.c=0.25",
        "--bound",
        "then.a=:0.75",
        *at,
        "--draws",
        "200",
    ]
    shown = cli(*two, "--json")
    assert shown.code == 0, shown.err
    found = pd.DataFrame(json.loads(shown.out)["predictions"])
    chain = gl.chain(
        gl.fit_curve(frame, "loss", x=["params", "tokens"], law="chinchilla"),
        gl.fit_curve(frame, "accuracy", x="loss", law=SCORE, bounds={"a": (None, 0.75)}),
    )
    expected = chain.predict({"params": ["7B", "13B"], "tokens": ["1T", "2.6T"]}, draws=200)
    for name in ("between", "between_low", "value", "value_high", "new_high", "reach", "beyond"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)
    shown = cli(*asked, *at, "-o", tmp_path / "out")
    assert "New run" in shown.out
    written = pd.read_csv(tmp_path / "out" / "predictions.csv")
    fit = chain.first.predict(
        variables_at(chain.first.law, {"params": ["7B", "13B"], "tokens": ["1T", "2.6T"]})
    )
    np.testing.assert_allclose(written["value"], np.exp(fit["gain"]), rtol=1e-9)
    np.testing.assert_allclose(written["value_high"], np.exp(fit["high"]), rtol=1e-9)
    for options, message in (
        (["--then", "accuracy"], "--then goes with --y and --at"),
        ([*at, "--by", "loss", "--share", "e"], "share no parameters"),
        (["--then-law", "linear"], "--then-law: with --then alone"),
        (["--fix", "then.c=0.25"], "then.c: with --then alone"),
        ([*at, "--at", "params=1B"], "places with different names"),
        (["--at", "params=7B,steps=3"], "no place for 'steps'"),
        ([*at, "--then", "accuracy", "--then-law", "chinchilla"], "depends on"),
        ([*at, "--then", "acuracy"], "did you mean 'accuracy'"),
        ([*at, "--then", "accuracy", "--fix", "then.q=1"], "no parameter q"),
    ):
        refused = cli(*asked, *options)
        assert (refused.code, message in refused.err) == (2, True), refused.err


def test_a_second_law_for_every_curve(cli: Cli, tmp_path) -> None:
    frame = pd.concat([runs(6).assign(mix="web"), runs(7).assign(mix="code")])
    frame.loc[frame["mix"] == "code", "accuracy"] += 0.02
    frame.to_csv(tmp_path / "runs.csv", index=False)
    shown = cli("curve", tmp_path / "runs.csv", "--y", "loss", "--x", "params,tokens", "--law", "chinchilla",
                "--by", "mix", "--then", "accuracy", "--at", "params=7B,tokens=1T",
                "--draws", "100", "--json")  # fmt: skip
    found = pd.DataFrame(json.loads(shown.out)["predictions"]).set_index("curve")
    assert found.loc["code", "value"] > found.loc["web", "value"]
