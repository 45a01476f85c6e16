"""Columns that have a meaning here, columns that say the same thing twice, and rows that are chosen by them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.scores.evaluations.columns import COMPUTED
from gainlaw.scores.simulate import simulate_study
from test_input_cells import scores

DOCS = Path(__file__).parents[1] / "docs" / "data-format.md"


def effects(**columns: object) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "params": [10**9, 10**9, 7 * 10**9, 7 * 10**9],
            "base_model": ["a", "a", "b", "b"],
            "intermediate": "ft",
            "task": "xnli",
            "language": ["en", "fr", "en", "fr"],
            "gain": [2.0, 1.0, 3.0, 2.5],
            "se": [1.0, 1.1, 1.2, 0.9],
        }
    )
    return frame.assign(**columns)


def refused(frame: pd.DataFrame, column: str, says: str, rows: tuple[int, ...]) -> None:
    read = gl.gains_from_frame if "gain" in frame else gl.evaluations_from_frame
    with pytest.raises(gl.InputError, match=says) as caught:
        read(frame)
    assert [(problem.column, problem.rows) for problem in caught.value.problems] == [(column, rows)]


def test_the_names_with_a_meaning_are_documented() -> None:
    chapter = DOCS.read_text(encoding="utf-8").split("## Names with a meaning")[1].split("\n## ")[0]
    assert set(COMPUTED) <= set(chapter.split("`")[1::2])


def test_own_columns_of_such_a_name_are_left_out_of_the_gains_and_said() -> None:
    for name in COMPUTED:
        evals = gl.evaluations_from_frame(scores().assign(**{name: "mine"}))
        (note,) = (note for note in evals.gains().notes if note.kind == "own_columns")
        assert (repr(name) in note.message, f"--rename {name}=NEW" in note.message) == (True, True)
        gains = evals.gains().frame
        assert name not in gains or "mine" not in set(gains[name].astype(str))


@pytest.mark.parametrize("command", ["check", "gains", "fit", "curve"])
def test_every_command_that_reads_a_table_renames(command: str, cli, tmp_path: Path) -> None:
    file = tmp_path / "effects.csv"
    pd.concat([effects(), effects(language=["tr", "fi"] * 2)]).assign(checkpoint="step143000").to_csv(
        file, index=False
    )
    outputs = {"gains": ("-o", tmp_path / "out.csv"), "fit": ("-o", tmp_path / "fit", "--draws", 250)}
    refusal = cli(command, file, *outputs.get(command, ()))
    assert refusal.code == 2
    assert "'checkpoint': a checkpoint has several sizes (lines 2, 3," in refusal.err
    assert "--rename checkpoint=step" in refusal.err
    outcome = cli(command, file, "--rename", "checkpoint=step", *outputs.get(command, ()))
    assert outcome.code in {0, 1}, outcome.err
    if command == "gains":
        assert set(pd.read_csv(tmp_path / "out.csv")["step"]) == {"step143000"}


def test_a_checkpoint_of_several_sizes_is_refused_in_python_too() -> None:
    gains = gl.gains_from_frame(effects())
    with pytest.raises(gl.InputError, match="'step' has several sizes"):
        replace(gains, frame=gains.frame.assign(checkpoint="step"))
    runs = gl.gains_from_frame(effects(checkpoint=["a1", "a2", "b1", "b2"]))
    assert runs.frame["checkpoint"].nunique() == 4
    few = effects().drop(columns=["task", "intermediate"])
    refused(few.assign(base_model="a"), "params", "a base_model has several sizes", (2, 3, 4, 5))


def test_rows_of_a_gains_table_are_line_numbers() -> None:
    with pytest.raises(gl.InputError, match="'row'"):
        gl.gains_from_frame(effects(row="first"))


def test_variance_is_how_the_error_was_got_or_its_square() -> None:
    se = effects()["se"]
    assert set(gl.gains_from_frame(effects(variance=se**2)).frame["variance"]) == {"given"}
    assert set(gl.gains_from_frame(effects(variance=(se**2).round(1))).frame["variance"]) == {"given"}
    refused(effects(variance=[1.0, 1.21, 1.2, 0.81]), "variance", "not the square of se", (4,))
    refused(effects(variance="x"), "variance", "--rename variance=NEW", (2, 3, 4, 5))


def test_a_gain_agrees_with_its_scores() -> None:
    before = np.array([0.50, 0.48, 0.60, 0.55])
    after = before + effects()["gain"] / 100
    gl.gains_from_frame(effects(baseline_score=before, intermediate_score=after.round(2)))
    wrong = after.to_numpy().copy()
    wrong[2] = 0.45
    refused(
        effects(baseline_score=before, intermediate_score=wrong),
        "gain", r"the gain 3 is not intermediate_score - baseline_score = -15", (4,),
    )  # fmt: skip
    counts = {"k_baseline": [500, 480, 600, 500], "n_baseline": 1000}
    refused(effects(baseline_score=before, **counts), "baseline_score", "k_baseline / n_baseline", (5,))


@pytest.mark.parametrize("scale", ["points", "normalized", "error_reduction", "log_odds"])
@pytest.mark.parametrize("digits", [2, 4, None])
def test_gains_that_were_written_are_read(scale: str, digits: int | None, tmp_path: Path) -> None:
    study = simulate_study(11, n_tasks=2, n_languages=6, sizes=(1e8, 1e9, 1e10, 1e11)).evaluations
    for evals in (study, gl.load_dataset("bloomz")):  # the second has baselines at the guess rate
        gains = evals.gains(scale=scale)
        frame = gains.frame if digits is None else gains.frame.round(digits)
        frame = frame[frame["se"] > 0].drop(columns=["block", "baseline_se"])
        assert len(gl.gains_from_frame(frame)) == len(frame)
    frame = study.gains(scale=scale).frame.drop(columns=["block", "baseline_se"])
    row = int((frame["baseline_score"] - frame["chance"]).argmax())
    frame.loc[row, "gain"] += 10 * frame["se"][row]
    with pytest.raises(gl.InputError, match=r"the gain .* is not"):
        gl.gains_from_frame(frame)


def test_scores_agree_with_their_counts_to_the_digits_written() -> None:
    counts = [500, 507, 450, 457, 500, 570, 450, 520]
    exact = scores().assign(n_correct=counts, score=[k / 1000 for k in counts])
    for digits in (1, 2, 3):
        gl.evaluations_from_frame(exact.assign(score=exact["score"].round(digits)))
    refused(exact.assign(n_correct=[500, 511, *counts[2:]]), "score", "disagree", (3,))


def test_guess_rates_sizes_and_families_agree() -> None:
    gl.evaluations_from_frame(scores().assign(chance=0.33, n_classes=3))
    refused(scores().assign(chance=0.5, n_classes=3), "chance", "1 / n_classes is 0.333", tuple(range(2, 10)))
    sizes = scores().assign(params=[10**9, 2 * 10**9] * 2 + [7 * 10**9] * 4)
    refused(sizes, "params", r"2e\+09 parameters, but its base_model 1e\+09", (3, 5))
    adapters = scores().assign(params=[10**9, 101 * 10**7] * 2 + [7 * 10**9] * 4)
    assert "params_differ" in {note.kind for note in gl.evaluations_from_frame(adapters).notes}
    families = scores().assign(language_family=["Indo-European"] * 7 + ["Uralic"])
    refused(families, "language_family", "several values", (4, 5, 8, 9))
    refused(effects(language_family=["x", "y", "x", "z"]), "language_family", "several values", (3, 5))


def test_what_is_counted_twice_is_said() -> None:
    twice = pd.DataFrame({"task": list("ABAC"), "gain": [1.0, 2.0, 1.0, 1.0], "se": 0.5})
    gains = gl.gains_from_frame(twice)
    assert [(note.kind, note.rows) for note in gains.notes] == [("repeated_effects", (2, 4))]
    assert gains.subset(np.array([True, True, False, True])).notes == ()
    frame = effects(language=["en", "fr", "en", "avg"])
    assert ("averages", (5,)) in {(note.kind, note.rows) for note in gl.gains_from_frame(frame).notes}
    evals = gl.evaluations_from_frame(scores().replace({"language": {"fr": "Average"}}))
    assert ("averages", (4, 5, 8, 9)) in {(note.kind, note.rows) for note in evals.gains().notes}


def test_a_table_that_is_both_is_refused_and_a_column_gain_of_scores_is_not(tmp_path: Path) -> None:
    file = tmp_path / "both.csv"
    scores().assign(gain=0.1, se=0.1).to_csv(file, index=False)
    with pytest.raises(gl.InputError, match="gain and se, as gains have, and score"):
        gl.read_table(file)
    assert len(gl.read_table(file, rename={"se": "spread"}).gains()) == 4


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("public=true", 4),
        ("public=No", 4),
        ('note="a,b"', 2),
        ('note="a,b",c', 4),
        ('note="say ""x"""', 2),
        ('note=""', 2),
        ('lr=""', 2),
        ("lr=0.1", 6),
        ("seed=7", 4),
        ('seed=""', 4),
        ("number=9007199254740993", 2),
        ("day=2024-01-05", 4),
        ("params=7B", 4),
    ],
)
def test_conditions_reach_every_value(condition: str, rows: int, cli, tmp_path: Path) -> None:
    frame = scores().assign(
        public=[True] * 4 + [False] * 4,
        note=["a,b", "a,b", "c", "c", 'say "x"', 'say "x"', "", ""],
        lr=[0.1] * 6 + [np.nan] * 2,
        seed=pd.array([7] * 4 + [None] * 4, dtype="Int64"),
        number=[2**53 + 1] * 2 + [2**53] * 6,
        day=pd.to_datetime(["2024-01-05"] * 4 + ["2024-01-06"] * 4),
    )
    for file in (tmp_path / "a.parquet", tmp_path / "a.csv"):
        frame.to_parquet(file) if file.suffix == ".parquet" else frame.to_csv(file, index=False)
        outcome = cli("check", file, "--where", condition)
        assert outcome.code == 0, outcome.err
        assert f": {rows} scores" in outcome.out, (file, outcome.out)


def test_selections_in_python_take_any_list() -> None:
    evals = gl.evaluations_from_frame(scores())
    for languages in (["en"], ("en",), {"en"}, np.array(["en"]), pd.Series(["en"]), iter(["en"])):
        assert len(evals.select(language=languages)) == 4


def test_fit_and_report_say_what_check_warns_of(cli, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    lost = scores().iloc[[1]].assign(language="sw")
    pd.concat([scores(), scores().assign(task="xcopa"), lost]).to_csv(file, index=False)
    said = "1 row: rows with an intermediate that have no baseline row"
    assert said in cli("check", file).out
    fit = cli("fit", file, "-o", tmp_path / "fit", "--draws", 250, "--params", "13B")
    assert f"warning: {said}" in fit.err
    assert said in cli("gains", file, "-o", tmp_path / "gains.csv").err
    assert said in cli("curve", file, "--law", "linear").err
    assert said in cli("summary", tmp_path / "fit").err
    (note,) = (note for note in gl.load_fit(tmp_path / "fit").gains.notes if note.kind == "unpaired")
    assert (note.count, note.rows) == (1, (18,))
