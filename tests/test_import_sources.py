"""Each kind of result files is read as what it says, on files made up in its layout."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import gainlaw as gl
from conftest import Cli
from gainlaw.cli import app
from gainlaw.imports.reading import read_results
from gainlaw.imports.record import Score
from gainlaw.imports.wishes import Wishes, parse_task_rule
from result_files import (
    eee_answer,
    eee_record,
    eee_result,
    euroeval_line,
    inspect_log,
    leaderboard,
    lighteval_results,
    model_card,
    workbook,
    write_helm,
    write_json,
)

RULE = "{base}-chat={base}"
WIDE = [
    ("model", "Params (B)", "sw", "fr", "Average"),
    ("m-1b", 1.1, 41.2, 45.1, 43.15),
    ("m-1b-chat", 1.1, 44, 47, 45.5),
]


def read(*paths: Path, **wishes: object) -> tuple[list[Score], str]:
    found = read_results(paths, Wishes(**wishes))  # type: ignore[arg-type]
    return list(found.scores), "\n".join(str(note) for note in found.notes)


def wide(path: Path) -> Path:
    """Write the wide table in the format that the name of the file says."""
    frame = pd.DataFrame(WIDE[1:], columns=list(WIDE[0]))
    suffix = path.name.partition(".")[2]
    if suffix == "parquet":
        frame.to_parquet(path, index=False)
    elif suffix == "xlsx":
        path.write_bytes(workbook(WIDE))
    else:
        mark = {"tsv": "\t", "csv": ",", "csv.gz": ",", "txt": ";"}[suffix]
        data = frame.to_csv(index=False, sep=mark).encode()
        path.write_bytes(gzip.compress(data) if suffix == "csv.gz" else data)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.txt", "a.parquet", "a.xlsx"])
def test_a_wide_table_is_read_from_every_format(name: str, tmp_path: Path) -> None:
    scores, said = read(wide(tmp_path / name), tasks=(parse_task_rule("{language}=xnli"),), percent=True)
    assert [(s.model, s.task, s.language, s.score) for s in scores] == [
        ("m-1b", "xnli", "sw", 0.412),
        ("m-1b", "xnli", "fr", 0.451),
        ("m-1b-chat", "xnli", "sw", 0.44),
        ("m-1b-chat", "xnli", "fr", 0.47),
    ]
    assert {s.params for s in scores} == {1.1e9}
    assert "averages over several tasks, left out: Average" in said


def test_a_table_on_standard_input(tmp_path: Path) -> None:
    arguments = ["import", "-", "-o", str(tmp_path / "x.csv"), "--pair", RULE, "--map", "{language}=xnli"]
    arguments += ["--percent", "--n-examples", "xnli=5010"]
    text = pd.DataFrame(WIDE[1:], columns=list(WIDE[0])).to_csv(index=False)
    done = CliRunner().invoke(app, arguments, input=text)
    assert done.exit_code == 0, done.output
    assert set(pd.read_csv(tmp_path / "x.csv")["n_examples"]) == {5010}


def test_columns_that_are_no_task_are_left_out_and_named(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("model,xnli_sw,XCOPA,colour,id\nm-1b,0.4,0.5,red,7\n")
    scores, said = read(file)
    assert [(s.task, s.language) for s in scores] == [("xnli", "sw"), ("xcopa", "")]
    assert "no known task and no language" in said
    assert "colour, id" in said


def test_rows_of_single_scores_with_a_column_for_everything(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        "who,task,language,metric,score,n,se,params,shots\n"
        "m-1b,xnli,sw,acc,0.41,5010,,1B,0\nm-1b-chat,xnli,sw,acc,45.5%,5010,,1000000000,0\nm-1b,mt,fr,bleu,31.5,,0.4,,5\n"
    )
    scores, _ = read(file, rename={"who": "model"})
    assert [(s.score, s.n, s.params) for s in scores[:2]] == [(0.41, 5010, 1e9), (0.455, 5010, 1e9)]
    assert (scores[2].metric, scores[2].score, scores[2].stderr, scores[2].shots) == ("bleu", 31.5, 0.4, "5")


def test_every_eval_ever_reads_scores_errors_sizes_and_languages(tmp_path: Path) -> None:
    z = NormalDist().inv_cdf(0.975)
    results = [
        eee_result("Swahili", 0.4, dataset="global-mmlu-lite", n=400),
        eee_result(
            "German", 0.6, dataset="global-mmlu-lite", interval=(0.6 - 0.02 * z, 0.6 + 0.02 * z, 0.95)
        ),
        eee_result("Global MMLU Lite", 0.5, dataset="global-mmlu-lite"),
        eee_result("Culturally Sensitive", 0.5, dataset="global-mmlu-lite"),
        eee_result("Quiz (overall)", 0.5, dataset="quiz", n=100),
        eee_result("xnli_fr", 55.0, high=100.0, error=1.5),
        eee_result("translation", 2.5, metric="edit_cost", error=0.1, high=None, lower_is_better=True),
    ]
    record = eee_record("m-1b", results)
    record["model_info"]["additional_details"]["params_billions"] = 1.25
    scores, said = read(write_json(tmp_path / "a.json", record))
    by = {(s.task, s.language): s for s in scores}
    assert set(by) == {
        ("global_mmlu_lite", "sw"),
        ("global_mmlu_lite", "de"),
        ("xnli", "fr"),
        ("translation", ""),
    }
    assert by["global_mmlu_lite", "sw"].n == 400
    assert by["global_mmlu_lite", "de"].stderr == pytest.approx(0.02)
    assert (by["xnli", "fr"].score, by["xnli", "fr"].stderr) == pytest.approx((0.55, 0.015))
    assert dict(by["translation", ""].declared) == {
        "metric_share": "no",
        "metric_better": "down",
        "metric_min": "0",
    }
    assert {s.params for s in scores} == {1.25e9}
    assert "left out: Global MMLU Lite, Culturally Sensitive, Quiz (overall)" in said


def test_numbers_of_runs_are_not_taken_for_numbers_of_items(tmp_path: Path) -> None:
    record = eee_record("m-1b", [eee_result("xnli_fr", 0.5, n=10, error=0.01)])
    scores, said = read(write_json(tmp_path / "a.json", record))
    assert np.isnan(scores[0].n)
    assert "not those of items" in said


def test_answers_of_every_eval_ever_are_paired(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    answers = {"m-1b": rng.random(50) < 0.5, "m-1b-chat": rng.random(50) < 0.7}
    for i, (model, right) in enumerate(answers.items()):
        result = eee_result("xnli_sw", float(right.mean()), n=50, identifier="xnli_sw")
        record = eee_record(
            model, [result], detailed_evaluation_results={"format": "jsonl", "file_path": "x"}
        )
        write_json(tmp_path / f"{i}.json", record)
        lines = [json.dumps(eee_answer("xnli_sw", j, bool(each))) for j, each in enumerate(right)]
        (tmp_path / f"{i}_samples.jsonl").write_text("\n".join(lines))
    gains = gl.import_results(tmp_path, pair=RULE).gains(variance="paired").frame
    n10, n01 = (
        (answers["m-1b-chat"] & ~answers["m-1b"]).sum(),
        (answers["m-1b"] & ~answers["m-1b-chat"]).sum(),
    )
    assert gains["se"].item() == pytest.approx(100 * np.sqrt((n10 + n01 - (n10 - n01) ** 2 / 50) / 50**2))


def test_records_of_every_eval_ever_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    records = [eee_record(model, [eee_result("xnli_sw", 0.4, n=100)]) for model in ("m-1b", "m-1b-chat")]
    file.write_text("\n".join(json.dumps(each) for each in records))
    assert [(s.model, s.line) for s in read(file)[0]] == [("org/m-1b", 1), ("org/m-1b-chat", 2)]


@pytest.mark.parametrize("archive", [False, True])
def test_logs_of_inspect_with_their_answers(archive: bool, tmp_path: Path) -> None:
    for name, right in (("m-1b", 40), ("m-1b-chat", 50)):
        log = inspect_log(f"hf/{name}", [1] * right + [0] * (100 - right))
        if archive:
            with zipfile.ZipFile(tmp_path / f"{name}.eval", "w", zipfile.ZIP_DEFLATED) as file:
                for sample in log.pop("samples"):
                    file.writestr(f"samples/{sample['id']}_epoch_1.json", json.dumps(sample))
                file.writestr("header.json", json.dumps(log))
        else:
            write_json(tmp_path / f"{name}.json", log)
    evals = gl.import_results(tmp_path, pair=RULE)
    assert evals.predictions is not None
    rows = evals.frame[["task", "language", "n_correct", "n_examples"]].values.tolist()
    assert sorted(rows) == [["xnli", "sw", 40, 100], ["xnli", "sw", 50, 100]]
    assert evals.gains(variance="paired").frame["se"].item() == pytest.approx(
        100 * np.sqrt((10 - 1) / 100**2)
    )


def test_inspect_over_several_epochs_keeps_the_error_and_not_the_number(tmp_path: Path) -> None:
    (score,), said = read(write_json(tmp_path / "a.json", inspect_log("m-1b", [1, 0] * 50, epochs=2)))
    assert np.isnan(score.n)
    assert score.stderr > 0
    assert score.items is None
    assert "several epochs" in said


def test_runs_of_helm(tmp_path: Path) -> None:
    write_helm(tmp_path / "a", "org/m-1b", [1, 0, 1, 0, 0])
    write_helm(
        tmp_path / "b", "org/m-1b-chat", [1, 1, 1, 0, 0], run="commonsense:dataset=hellaswag,method=joint"
    )
    scores, _ = read(tmp_path)
    assert [(s.model, s.task, s.score, s.n, s.shots, s.split) for s in scores] == [
        ("org/m-1b", "mmlu_law", 0.4, 5, "5", "test"),
        ("org/m-1b-chat", "hellaswag", 0.6, 5, "5", "test"),
    ]
    assert scores[0].items is not None
    assert scores[0].items.correct.tolist() == [1, 0, 1, 0, 0]


def test_results_of_lighteval(tmp_path: Path) -> None:
    value = lighteval_results("m-1b", {"xnli_sw|5": (40, 100), "leaderboard|arc:challenge|25|0": (30, 90)})
    scores, said = read(write_json(tmp_path / "a.json", value))
    assert [(s.task, s.language, s.shots, s.n, s.split) for s in scores] == [
        ("xnli", "sw", "5", 100, "test"),
        ("arc:challenge", "", "25", 90, "test"),
    ]
    assert "averages over several tasks, left out: all" in said


def test_what_euroeval_writes_behind_a_score_is_the_half_width_of_an_interval(tmp_path: Path) -> None:
    lines, table = tmp_path / "a.jsonl", tmp_path / "b.csv"
    lines.write_text(
        json.dumps(euroeval_line("m-1b", 40.0, 1.96))
        + "\n"
        + json.dumps(euroeval_line("m-1b-chat", 45, 3.92))
    )
    cells = {
        "m-1b": ("1000000000.0", "40.00 ± 1.96 / 55.00 ± 2.50"),
        "m-1b-chat (val)": ("?", "45.00 ± 3.92 / 57.00 ± 2.00"),
    }
    table.write_text(leaderboard(cells))
    for file in (lines, table):
        scores, _ = read(file)
        assert [(s.language, s.metric, s.score) for s in scores] == [("da", "mcc", 0.4), ("da", "mcc", 0.45)]
        assert [s.stderr for s in scores] == pytest.approx([0.01, 0.02])
        assert scores[0].params == 1e9
    assert [s.split for s in scores] == ["test", "validation"]
    ranks = tmp_path / "c.csv"  # a leaderboard of several languages
    ranks.write_text("<span>Task Type</span>,\nModel,Danish\nm-1b,1.40@@1.40\n")
    with pytest.raises(gl.InputError, match="no column of the leaderboard is one dataset in one language"):
        read(ranks)
    wanted, _ = read(table, metrics=("accuracy",))
    assert [(s.metric, s.score) for s in wanted] == [("accuracy", 0.55), ("accuracy", 0.57)]


def test_model_cards(tmp_path: Path) -> None:
    for name, scores in (("m-1b", {"sw": 41.5, "fr": 45.0}), ("m-1b-chat", {"sw": 0.445, "fr": 0.47})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "README.md").write_text(model_card(name, scores))
    evals = gl.import_results(tmp_path, pair=RULE, n_examples=2490)
    assert evals.gains().frame.set_index("language")["gain"].round(6).to_dict() == {"sw": 3.0, "fr": 2.0}
    assert any("above 1, read as per cent: m-1b" in str(note) for note in evals.notes)


def test_predictions_of_xtreme_are_judged_by_gold_labels(tmp_path: Path, cli: Cli) -> None:
    gold, right = ["a", "b", "c", "a"] * 10, {"m-1b": 20, "m-1b-chat": 30}
    for task, suffix in (("xnli", "tsv"), ("xcopa", "jsonl")):
        for name in ("gold", *right):
            folder = tmp_path / ("gold" if name == "gold" else f"runs/{name}") / task
            folder.mkdir(parents=True)
            labels = [label if i < right.get(name, 40) else "d" for i, label in enumerate(gold)]
            lines = labels if suffix == "tsv" else [json.dumps({"label": label}) for label in labels]
            (folder / f"test-sw.{suffix}").write_text("\n".join(lines) + "\n")
    done = cli("import", tmp_path / "runs", "-o", tmp_path / "x", "--pair", RULE, "--gold", tmp_path / "gold")
    assert done.code == 0, done.err
    gains = gl.read_evaluations(tmp_path / "x").gains(variance="paired").frame
    assert gains["gain"].tolist() == [25.0, 25.0]
    assert gains["se"].tolist() == pytest.approx([100 * np.sqrt((10 - 100 / 40) / 40**2)] * 2)
    refused = cli("import", tmp_path / "runs", "-o", tmp_path / "y", "--pair", RULE)
    assert refused.code == 2
    assert "--gold FOLDER" in refused.err


def write_pair(kind: str, folder: Path) -> None:
    """Write the results of two models of two sizes each, as one kind of files."""
    rows = [
        (f"m-{size}{suffix}", 40 + 5 * i + gain)
        for i, size in enumerate(("1b", "7b"))
        for suffix, gain in SIDES
    ]
    for name, right in rows:
        answers = [1] * right + [0] * (100 - right)
        if kind == "every_eval_ever":
            write_json(folder / f"{name}.json", eee_record(name, [eee_result("xnli_sw", right / 100, n=100)]))
        elif kind == "inspect":
            write_json(folder / f"{name}.json", inspect_log(name, answers))
        elif kind == "helm":
            write_helm(folder / name, name, answers, run="xnli_sw:x=1")
        elif kind == "lighteval":
            write_json(folder / f"{name}.json", lighteval_results(name, {"xnli_sw|0": (right, 100)}))
        elif kind == "model_cards":
            (folder / f"{name}.md").write_text(model_card(name, {"sw": right / 100}))
    if kind == "euroeval":
        params = {"1": 10**9, "7": 7 * 10**9}
        records = [euroeval_line(name, float(right), 2.0, params[name[2]]) for name, right in rows]
        (folder / "a.jsonl").write_text("\n".join(json.dumps(record) for record in records))
    elif kind == "tables":
        (folder / "a.csv").write_text(
            "model,xnli_sw\n" + "".join(f"{name},{right / 100}\n" for name, right in rows)
        )


SIDES = (("", 0), ("-chat", 6))
KINDS = ["every_eval_ever", "inspect", "helm", "lighteval", "euroeval", "model_cards", "tables"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_goes_through_check_and_gains(kind: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_pair(kind, tmp_path / "in")
    scores, gains = tmp_path / "scores.csv", tmp_path / "gains.csv"
    done = cli("import", tmp_path / "in", "-o", scores, "--pair", RULE, "--n-examples", 100)
    assert done.code == 0, done.err
    assert cli("check", scores).code == 0
    done = cli("gains", scores, "-o", gains)
    assert done.code == 0, done.err
    frame = pd.read_csv(gains)
    assert frame["gain"].tolist() == pytest.approx([6.0, 6.0])
    assert frame["params"].tolist() == [1e9, 7e9]
    assert (frame["se"] > 0).all()
