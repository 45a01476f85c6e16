"""Evaluations: what the reader makes of a table, which rows pair, and what the check says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gainlaw import load_dataset, read_evaluations
from gainlaw._io import atomic_path, sha256_file, write_frame_atomic, write_text_atomic
from gainlaw.errors import InputError
from gainlaw.notes import Note
from gainlaw.scores.evaluations.columns import CANONICAL
from gainlaw.scores.evaluations.pairing import pair_rows
from gainlaw.scores.evaluations.table import Evaluations, evaluations_from_frame
from gainlaw.scores.languages import describe_languages, load_languages
from gainlaw.scores.metrics import chance
from gainlaw.tasks import TASKS, find_task

BASE = {"model_family": "A", "params": 10**9, "task": "xnli", "language": "sw", "n_examples": 1000}


def table(*rows: dict[str, object]) -> Evaluations:
    return evaluations_from_frame(pd.DataFrame([{**BASE, "base_model": "", **row} for row in rows]), "mine")


def base(**row: object) -> dict[str, object]:
    return {"model": "a", "intermediate": "none", "score": 0.5, **row}


def top(**row: object) -> dict[str, object]:
    return {"model": "a-ft", "base_model": "a", "intermediate": "ft", "score": 0.6, **row}


def test_canonical_columns_and_types() -> None:
    frame = table(base(), top(lab="mine")).frame
    assert list(frame.columns) == [*CANONICAL, "lab"]
    assert frame["params"].dtype == "int64"
    assert frame["seed"].dtype == "Int64"
    assert frame["base_model"].tolist() == ["", "a"]
    assert frame["n_correct"].tolist() == [500.0, 600.0]
    assert frame["stderr"].isna().all()
    assert frame[["language_name", "language_family", "genus"]].iloc[0].tolist() == [
        "Swahili",
        "Atlantic-Congo",
        "Bantu",
    ]
    assert frame["row"].tolist() == [2, 3]


def test_counts_win_over_a_rounded_score() -> None:
    frame = table(base(score=0.33, n_correct=333), top(score=0.6, n_correct=602)).frame
    assert frame["score"].tolist() == [0.333, 0.602]


def test_a_score_that_is_no_count_keeps_its_value() -> None:
    evals = table(base(n_examples=100, score=0.625), top(n_examples=100))
    assert evals.frame["score"][0] == 0.625
    assert evals.frame["n_correct"][0] == 62
    assert evals.gains().frame["gain"].item() == pytest.approx(-2.5)
    assert [note.rows for note in evals.notes if note.kind == "not_k_of_n"] == [(2,)]


def test_the_given_frame_is_left_alone() -> None:
    frame = pd.DataFrame([{**BASE, "base_model": None, **row} for row in (base(), top())])
    before = frame.copy()
    evaluations_from_frame(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_own_columns_are_kept_as_numbers_where_they_are_numbers(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    lines = ["model_family,model,params,base_model,intermediate,task,language,score,n_examples,lr,lab,epochs"]
    lines += ["A,a,1000000,,none,xnli,no,0.5,10,0.1,x,1", "A,b,1000000,a,ft,xnli,no,0.6,10,,y,2"]
    file.write_text("\n".join(lines))
    frame = read_evaluations(file).frame
    assert frame["lr"].dtype == float
    assert frame["epochs"].tolist() == [1, 2]
    assert frame["lab"].tolist() == ["x", "y"]
    assert frame["language_name"].tolist() == ["Norwegian", "Norwegian"]  # not a truth value, nor missing
    gains = read_evaluations(file).gains().frame
    assert gains[["epochs", "lab"]].iloc[0].tolist() == [2, "y"]


def test_own_language_families_win() -> None:
    frame = pd.DataFrame([{**BASE, "base_model": "", **row} for row in (base(), top())])
    families = evaluations_from_frame(frame.assign(language_family=["Niger-Congo", ""])).frame[
        "language_family"
    ]
    assert families.tolist() == ["Niger-Congo", "Atlantic-Congo"]


def test_pairs_share_every_key() -> None:
    evals = table(
        base(prompt="en"),
        base(prompt="sw", score=0.4),
        top(prompt="en"),
        top(prompt="sw"),
        top(prompt="fr"),
        top(prompt="en", language="ar"),
        top(prompt="en", task="xcopa"),
    )
    pairing = pair_rows(evals.frame)
    assert pairing.intermediate.tolist() == [2, 3]
    assert pairing.baseline.tolist() == [0, 1]
    assert pairing.unpaired.tolist() == [4, 5, 6]
    assert [reason.split("row ")[1] for reason in pairing.reasons] == [
        "with prompt 'fr'",
        "for language 'ar'",
        "for task 'xcopa'",
    ]
    assert evals.gains().frame["gain"].round(6).tolist() == [10, 20]
    (note,) = (note for note in evals.gains().notes if note.kind == "unpaired")
    assert note.count == 3
    assert "prompt 'fr' (1)" in note.message


def test_seeds_pair_with_their_own_or_with_a_baseline_without_one() -> None:
    own = table(base(seed=1, score=0.4), base(seed=2, score=0.5), top(seed=1), top(seed=2), top(seed=3))
    assert own.gains().frame["gain"].round(6).tolist() == [20, 10]
    assert own.check().unpaired["reason"].item().endswith("with seed '3'")
    one = table(base(), top(seed=1), top(seed=2, score=0.7))
    gains = one.gains()
    assert gains.frame["gain"].round(6).tolist() == [10, 20]
    assert gains.frame["block"].tolist() == [0, 0]
    assert len(gains.covariance.blocks) == 1
    assert gains.frame["seed"].tolist() == [1, 2]


def test_a_model_may_keep_its_name_after_training() -> None:
    evals = table(base(), top(model="a"))
    assert evals.gains().frame["gain"].round(6).tolist() == [10]


def test_selection_keeps_the_baselines() -> None:
    evals = load_dataset("bloomz")
    part = evals.select(intermediate="P3", task=["xnli", "xcopa"])
    assert len(part.gains()) == 2 * 26
    assert evals.select(model="bloomz-560m").gains().frame["base_model"].unique().tolist() == ["bloom-560m"]
    assert evals.select(intermediate="none").frame["intermediate"].unique().tolist() == ["none"]
    assert len(evals.select(language_family="Turkic", params=[560000000])) == 4
    with pytest.raises(InputError, match=r"column 'task': no row has 'squad'; present: "):
        evals.select(task="squad")
    with pytest.raises(InputError, match="no such column"):
        evals.select(tusk="xnli")
    with pytest.raises(InputError, match="all the conditions"):
        evals.select(task="xwinograd", language="sw")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_writing_and_reading_again(suffix: str, tmp_path: Path) -> None:
    evals = load_dataset("bloomz", tasks="xwinograd")
    back = read_evaluations(evals.write(tmp_path / f"scores{suffix}"))
    same = evals.frame.drop(columns="row")
    pd.testing.assert_frame_equal(back.frame.drop(columns="row"), same, check_dtype=False)
    assert back.sha256 == sha256_file(tmp_path / f"scores{suffix}")


def test_a_folder_with_predictions(tmp_path: Path) -> None:
    evals = table(base(score=0.5, n_examples=4), top(score=0.75, n_examples=4))
    answers = pd.DataFrame(
        {
            "model": ["a"] * 4 + ["a-ft"] * 4,
            "intermediate": ["none"] * 4 + ["ft"] * 4,
            "task": "xnli",
            "language": "sw",
            "example": list("wxyz") * 2,
            "correct": [True, True, False, False, True, True, True, False],
        }
    )
    evals = evaluations_from_frame(evals.frame.drop(columns="row"), predictions=answers)
    evals.write(tmp_path / "study")
    back = read_evaluations(tmp_path / "study")
    assert back.predictions is not None
    assert back.gains().frame["variance"].tolist() == ["paired"]
    assert back.gains().frame["se"].item() == pytest.approx(100 * np.sqrt((1 - 1 / 4) / 16))
    kept = back.select(task="xnli")
    assert kept.predictions is not None
    assert kept.predictions["position"].tolist() == [0] * 4 + [1] * 4


def test_check_of_the_packaged_scores() -> None:
    check = load_dataset("bloomz").check()
    assert (check.n_rows, check.n_pairs, check.n_unpaired, check.n_unused) == (672, 420, 0, 0)
    assert check.sizes == (560000000, 1100000000, 1700000000, 3000000000, 7100000000, 176000000000)
    assert check.models["params"].is_monotonic_increasing
    assert check.models["intermediate"].iloc[:2].tolist() == ["none", "xP3"]
    assert check.tasks.set_index("task")["languages"].to_dict() == {
        "xcopa": 11,
        "xnli": 15,
        "xstory_cloze": 10,
        "xwinograd": 6,
    }
    assert check.languages["languages"].sum() == 26
    assert not [note for note in check.notes if note.severity == "warning"]
    assert {note.kind for note in check.notes} == {"at_chance", "small_n", "mixed_split"}
    plain = json.loads(json.dumps(check.to_dict(), allow_nan=False))
    assert plain["n_checkpoints"] == 6
    assert plain["notes"][0]["count"] >= len(plain["notes"][0]["rows"])


def test_check_of_everything_warns_of_mixed_prompts_and_metrics() -> None:
    check = load_dataset("bloomz", all_rows=True).check()
    assert check.n_unpaired == 12
    assert check.unpaired["reason"].unique().tolist() == [
        "the base model has no baseline row with prompt 'human-translated'"
    ]
    assert [note.kind for note in check.notes if note.severity == "warning"] == [
        "mixed_metric",
        "mixed_prompt",
        "unpaired",
    ]


def test_notes() -> None:
    evals = table(
        base(n_examples=150, score=0.34),
        top(model="b", n_examples=100, score=0.99, params=11 * 10**8, model_family="B"),
        base(language="xx", stderr=0.1),
        top(language="xx", stderr=0.1),
        base(language="ar"),
        base(task="mystery"),
        top(task="mystery"),
    )
    notes = {note.kind: note for note in evals.check().notes}
    assert notes["at_chance"].rows == (2, 4)
    assert notes["at_ceiling"].rows == (3,)
    assert notes["small_n"].rows == (2, 3)
    assert notes["params_differ"].rows == notes["family_differs"].rows == notes["n_differs"].rows == (3,)
    assert notes["unlisted_language"].rows == (4, 5)
    assert notes["stderr_not_binomial"].rows == (4, 5)
    assert notes["unused_baseline"].rows == (6,)
    assert notes["chance_unknown"].rows == (7, 8)
    assert evals.check().languages["language_family"].tolist().count("xx (unlisted)") == 1


def test_check_without_pairs() -> None:
    check = load_dataset("harness_baselines").check()
    assert (check.n_pairs, check.n_checkpoints, check.sizes) == (0, 0, ())
    assert check.pairs.empty
    json.dumps(check.to_dict(), allow_nan=False)
    context = load_dataset("mt0").check()
    assert context.unpaired["reason"].str.contains("has no baseline row").all()


def test_notes_say_what_was_mended(tmp_path: Path) -> None:
    evals = table(base(), base(), top(intermediate="ft"), base(intermediate="None"))
    assert any("repeat another row" in str(note) for note in evals.notes)
    assert any("'None' was read as 'none'" in str(note) for note in evals.notes)


def test_large_tables_are_read_in_seconds() -> None:
    import time

    n = 10_000
    cells = pd.DataFrame({"language": [f"l{i}" for i in range(n)]})
    frame = pd.concat([cells.assign(**base()), cells.assign(**top())]).assign(
        **{key: value for key, value in BASE.items() if key != "language"}
    )
    start = time.perf_counter()
    gains = evaluations_from_frame(frame).gains()
    assert len(gains) == n
    assert time.perf_counter() - start < 10  # about a second on an idle core


def test_languages() -> None:
    languages = load_languages()
    assert languages["language"].is_unique
    languages.loc[0, "name"] = "changed"
    assert load_languages().loc[0, "name"] != "changed"
    described = describe_languages(["zh-Hans", "SWH", "no", "xyz", "qu"])
    assert described["language_family"].tolist() == [
        "Sino-Tibetan",
        "Atlantic-Congo",
        "Indo-European",
        "xyz (unlisted)",
        "Quechuan",
    ]
    assert described["known"].tolist() == [True, True, True, False, True]
    assert described["seen_in_pretraining"].tolist()[:3] == [True, True, False]
    assert described["language_name"][3] == "xyz"
    assert describe_languages([]).empty


def test_tasks() -> None:
    assert chance("XNLI") == pytest.approx(1 / 3)
    assert chance("paws-x") == 0.5
    assert chance("xnli", 2) == 0.5
    assert chance("xnli", np.nan) == pytest.approx(1 / 3)
    assert np.isnan(chance("xquad"))
    assert chance("tatoeba") == 0
    assert find_task("unheard of") is None
    assert all(task.name == name for name, task in TASKS.items())


def test_atomic_writes_leave_nothing_half_written(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "a.csv"
    write_text_atomic(file, "old")

    def fail() -> None:
        with atomic_path(file) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert file.read_text() == "old"
    assert [p.name for p in file.parent.iterdir()] == ["a.csv"]
    write_frame_atomic(pd.DataFrame({"a": [1]}), file)
    assert file.read_text() == "a\n1\n"
    assert file.stat().st_mode & 0o777 == (tmp_path / "deep" / "a.csv").stat().st_mode & 0o777


def test_imports_stay_light() -> None:
    heavy = ("pymc", "torch", "matplotlib", "arviz", "seaborn", "statsmodels", "scipy.stats")
    code = (
        "import sys, gainlaw.scores.gains, gainlaw.scores.datasets, gainlaw.scores.languages;"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_notes_travel_with_the_data() -> None:
    rows = [base(), top(), base(), base(task="lost"), top(task="mystery"), base(language="fr")]
    evals = table(*rows, top(language="fr", n_examples=900))
    warned = {note.kind: note.count for note in evals.notes if note.severity == "warning"}
    assert warned == {"repeated": 1, "unpaired": 1, "n_differs": 1, "chance_unknown": 2}
    # a selection keeps what the reader did and looks anew at the rows that are left
    assert {note.kind for note in evals.select(task="xnli").notes if note.severity == "warning"} == {
        "repeated",
        "n_differs",
    }
    gains = evals.gains()
    for kept in (gains, gains.to_scale("normalized"), gains.subset(np.arange(2) < 1)):
        assert {note.kind: note.count for note in kept.notes if note.severity == "warning"} == warned
    assert [Note.from_dict(json.loads(json.dumps(note.to_dict()))) for note in gains.notes] == list(
        gains.notes
    )
