"""Models against controls of their own size: what must pass, what must not, and how often intervals hold the truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import gainlaw as gl
from gainlaw.scores.controls import ALL_TASKS, ControlCheck
from gainlaw.tables.controls import chance_table, controls_table

LANGUAGES = ("en", "a", "b")
SIZES = (1000, 4000)


def study(
    seed: int,
    *,
    pretrained: Mapping[str, float] | float = 0.7,
    control: Mapping[str, float] | float = 0.5,
    runs: int = 3,
    items: int = 120,
    spread: float = 0.02,
    sizes: tuple[int, ...] = SIZES,
    without_control: tuple[int, ...] = (),
) -> gl.Evaluations:
    """Return scores of two tasks, three languages and two kinds of training, with true shares of right answers."""
    rng = np.random.default_rng(seed)
    rows, answers = [], []
    hard = {task: rng.normal(0, 0.05, items) for task in ("t", "u")}  # shared by all runs and languages
    for size in sizes:
        for family, shares in (("ladder", pretrained), ("none", control)):
            if family == "none" and size in without_control:
                continue
            for run in range(runs):
                base, own = f"{family}-{size}-{run}", rng.normal(0, spread)
                for intermediate in ("none", "more"):
                    name = base if intermediate == "none" else f"{base}+more"
                    for task in ("t", "u"):
                        share = shares if isinstance(shares, float) else shares[task]
                        for language in LANGUAGES:
                            right = rng.random(items) < np.clip(share + own + hard[task], 0, 1)
                            rows.append(
                                {
                                    "model_family": family,
                                    "model": name,
                                    "params": size,
                                    "base_model": "" if intermediate == "none" else base,
                                    "intermediate": intermediate,
                                    "task": task,
                                    "language": language,
                                    "n_correct": int(right.sum()),
                                    "n_examples": items,
                                    "n_classes": 2,
                                    "seed": 0,
                                }
                            )
                            answers.append(
                                pd.DataFrame(
                                    {
                                        key: rows[-1][key]
                                        for key in ("model", "intermediate", "task", "language", "seed")
                                    }
                                    | {"example": np.arange(items).astype(str), "correct": right.astype(int)}
                                )
                            )
    return gl.evaluations_from_frame(
        pd.DataFrame(rows), predictions=pd.concat(answers, ignore_index=True), params_unit="1"
    )


def check(seed: int, **given: object) -> ControlCheck:
    return gl.check_controls(study(seed, **given), "none")  # type: ignore[arg-type]


def test_models_that_beat_a_control_at_chance_pass() -> None:
    found = check(1)
    assert found.passed
    assert found.failures == ()
    assert "at every size" in found.words
    assert list(found.sizes["task"]) == [ALL_TASKS, "t", "u"] * 2
    assert set(found.sizes["runs"]) == {3}
    # 0.7 right of two: 40% of the way from chance to certainty.
    assert found.sizes.query("task == 'all tasks'")["over"].to_numpy() == pytest.approx(40, abs=8)
    assert controls_table(found).to_markdown()
    assert chance_table(found).to_markdown()


def test_models_no_better_than_their_control_fail_and_it_is_said_where() -> None:
    found = check(2, pretrained=0.5)
    assert not found.passed
    assert found.words.startswith("This ladder is no evidence on transfer")
    assert sum("over its control" in each for each in found.failures) == 2


def test_a_control_above_chance_fails_even_where_models_beat_it() -> None:
    found = check(3, pretrained=0.9, control={"t": 0.6, "u": 0.5})
    assert [each for each in found.failures if "above chance on t" in each]
    assert not [each for each in found.failures if "on u" in each]
    assert (found.sizes["ci_low"] > 0).all()


def test_a_task_that_models_do_not_carry_is_named_though_the_whole_passes() -> None:
    found = check(4, pretrained={"t": 0.5, "u": 0.9})
    assert found.passed
    assert "On t alone they do not at 1K and 4K." in found.words


def test_a_size_without_a_control_fails() -> None:
    found = check(5, without_control=(4000,))
    assert found.failures == ("there is no control of 4K",)
    assert np.isnan(found.sizes.query("params == 4000")["over"]).all()


def test_the_numbers_are_those_of_a_hand_calculation() -> None:
    evals = study(6, sizes=(1000,))
    row = gl.check_controls(evals, "none").sizes.iloc[1]  # task t
    table = evals.predictions
    assert table is not None
    frame = evals.frame.iloc[table["position"]].reset_index(drop=True)
    table = table.reset_index(drop=True).assign(
        family=frame["model_family"],
        run=frame["model"].str.removesuffix("+more"),
        above=200 * (table["correct"].to_numpy() - 0.5),
    )
    table = table[table["task"].eq("t") & table["language"].ne("en")]
    sides = dict(list(table.groupby("family")))
    runs = {name: part.groupby("run")["above"].mean() for name, part in sides.items()}
    items = {name: part.groupby("example")["above"].mean() for name, part in sides.items()}
    parts = [runs["ladder"].var() / 3, runs["none"].var() / 3, (items["ladder"] - items["none"]).var() / 120]
    freedom = sum(parts) ** 2 / sum(v**2 / n for v, n in zip(parts, (2, 2, 119), strict=True))
    assert row["over"] == pytest.approx(runs["ladder"].mean() - runs["none"].mean())
    assert row["se"] == pytest.approx(sum(parts) ** 0.5)
    assert row["ci_high"] - row["over"] == pytest.approx(stats.t.ppf(0.975, freedom) * sum(parts) ** 0.5)


def test_intervals_hold_the_truth_and_controls_at_chance_are_rarely_refused() -> None:
    held, refused, count = 0, 0, 30
    for seed in range(count):
        found = check(100 + seed, pretrained=0.6, items=40, sizes=(1000,))
        row = found.sizes.iloc[0]
        held += row["ci_low"] <= 20 <= row["ci_high"]
        refused += any("above chance on t" in each for each in found.failures)
    # 95% and, of Student's t with few runs, about 10%; three binomial standard errors of 30.
    assert held / count >= 0.95 - 3 * (0.95 * 0.05 / count) ** 0.5
    assert refused / count <= 0.10 + 3 * (0.10 * 0.90 / count) ** 0.5


def test_what_cannot_be_judged_is_refused_all_at_once() -> None:
    evals = study(7, runs=2)
    with pytest.raises(gl.InputError, match="there are ladder, none"):
        gl.check_controls(evals, "nobody")
    with pytest.raises(gl.InputError, match="one run"):
        gl.check_controls(study(8, runs=1), "none")
    bare = gl.evaluations_from_frame(
        evals.frame.drop(columns=["n_classes", "chance", "row"]), params_unit="1"
    )
    with pytest.raises(gl.InputError) as refused:
        gl.check_controls(bare, "none")
    assert len(refused.value.problems) == 2  # no chance level, no answers
    only = evals.select(language="en")
    with pytest.raises(gl.InputError, match="no language beside en"):
        gl.check_controls(only, "none")
