"""Odd and broken result files: each is refused by one clear message, or left out with its reason; none is a fault."""

from __future__ import annotations

import copy
import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gainlaw as gl
from result_files import (
    TIME,
    eee_answer,
    eee_record,
    eee_result,
    euroeval_line,
    inspect_log,
    leaderboard,
    lighteval_results,
    model_card,
    new_results,
    old_results,
    workbook,
    write_answers,
    write_helm,
    write_json,
)

RULE = "{base}-chat={base}"
COUNTS = {"xnli_sw": (50, 100), "xnli_fr": (60, 100)}


def good(folder: Path) -> None:
    """Write two good files, so that what is wrong with another is told beside them."""
    for name, shift in (("m-1b", 0), ("m-1b-chat", 5)):
        counts = {task: (k + shift, n) for task, (k, n) in COUNTS.items()}
        write_json(folder / f"good_{name}.json", new_results(name, counts))


def new(change: Callable[[dict[str, Any]], object]) -> bytes:
    value = copy.deepcopy(new_results("o-1b", COUNTS))
    change(value)
    return json.dumps(value).encode()


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def lines(*values: Any) -> bytes:
    return b"\n".join(json.dumps(value).encode() for value in values)


def without(*keys: str) -> Callable[[dict[str, Any]], object]:
    def change(value: dict[str, Any]) -> None:
        for key in keys[:-1]:
            value = value[key]
        del value[keys[-1]]

    return change


RECORD = eee_record("o-1b", [eee_result("xnli_sw", 0.5, n=100)])
NO_MODEL = {**RECORD, "model_info": {"additional_details": {}}}
NO_SCORE = eee_record("o-1b", [{**eee_result("xnli_sw", 0.5), "score_details": {}}])
LEVELS = eee_record("o-1b", [eee_result("xnli_sw", -1.0, n=9)])
LEVELS["evaluation_results"][0]["metric_config"]["has_unknown_level"] = True
OUTSIDE = eee_record("o-1b", [eee_result("xnli_sw", 0.9, n=100, interval=(0.1, 0.2, 0.95))])

#: What lies beside two good files, and the words by which its being left out is told.
LEFT_OUT: dict[str, tuple[str, bytes, list[str]]] = {
    "no JSON": ("a.json", b'{"results": {', ["no JSON", "line 1"]),
    "JSON cut off": ("a.json", as_json(new_results("o-1b", COUNTS))[:900], ["the file is no JSON"]),
    "JSON of numbers": ("a.json", b"[1, 2]", ["no results of a known kind"]),
    "JSON of text": ("a.json", b'["a"]', ["no results of a known kind"]),
    "an empty object": ("a.json", b"{}", ["no results of a known kind"]),
    "deep nesting": ("a.json", b"[" * 200_000, ["the file is no JSON"]),
    "an empty file": ("a.json", b"", ["the file is empty"]),
    "blanks": ("a.csv", b" \n\n", ["the file is empty"]),
    "an image": ("a.png", b"\x89PNG\r\n\x1a\n\x00\x00", ["neither text nor a table"]),
    "other text": ("notes.txt", b"nothing to see here", ["no results of a known kind"]),
    "UTF-16": ("a.csv", "model,xnli_sw\no-1b,0.5\n".encode("utf-16"), ["neither text nor a table"]),
    "Latin-1": ("a.csv", "model,xnli_sw\nmodèle-1b,0.5\n".encode("latin-1"), ["UTF-8"]),
    "a broken gzip": ("a.json.gz", gzip.compress(b'{"results": {}}' * 99)[:30], ["cannot be read"]),
    "a damaged gzip": (
        "a.json.gz",
        gzip.compress(b'{"results": {}}' * 99)[:12] + b"\xff" * 50,
        ["cannot be read"],
    ),
    "a broken zip": ("a.xlsx", b"PK\x03\x04 nothing", ["no sound zip archive"]),
    "another zip": ("a.zip", b"", ["the file is empty"]),
    "a workbook without a model": (
        "a.xlsx",
        workbook([("a", "b"), (1, 2)]),
        ["no column of the table names the model"],
    ),
    "broken Parquet": ("a.parquet", b"PAR1 nothing", ["no readable Parquet"]),
    "a page without results": ("README.md", b"---\nlicense: mit\n---\n", ["no results of a known kind"]),
    "a page whose header is no YAML": ("README.md", b"---\nmodel-index: [}\n---\n", ["no YAML", "line 2"]),
    "a model index that is text": (
        "README.md",
        b"---\nmodel-index: [a]\n---\n",
        ["no name or no list of results"],
    ),
    "a page with a metric of its own": (
        "README.md",
        model_card("o-1b", {"sw": 0.5}).replace("Accuracy", "Sparkle").encode(),
        ["without a metric that is known", "XNLI (sw)"],
    ),
    "no model": ("a.json", new(lambda v: v.update(config={}, model_name=None)), ["names no model"]),
    "no results": ("a.json", new(lambda v: v.update(results={})), ["has no results"]),
    "results that are a list": (
        "a.json",
        new(lambda v: v.update(results=[])),
        ["no results of a known kind"],
    ),
    "text for a score": (
        "a.json",
        new(lambda v: v["results"].update(xnli_sw={"acc,none": "N/A"})),
        ["tasks without a score: xnli_sw"],
    ),
    "NaN for a score": (
        "a.json",
        new(lambda v: v["results"].update(xnli_sw={"acc,none": math.nan})),
        ["tasks without a score: xnli_sw"],
    ),
    "a score that cannot be": (
        "a.json",
        new(lambda v: v["results"].update(xnli_sw={"acc,none": 1.5})),
        ["outside the range of their metric: xnli by acc"],
    ),
    "a number too large": (
        "a.json",
        new(lambda v: v["results"].update(xnli_sw={"acc,none": 10**400})),
        ["tasks without a score: xnli_sw"],
    ),
    "a metric that nobody knows": (
        "a.json",
        new(lambda v: v["results"].update(xnli_sw={"sparkle,none": 0.5, "sparkle_stderr,none": 0.1})),
        ["metric is not known", "xnli by sparkle"],
    ),
    "a statistic without its error": (
        "a.json",
        new(lambda v: v["results"].update(xnli_sw={"mcc,none": 0.5, "mcc_stderr,none": "N/A"})),
        ["without a standard error", "xnli by mcc"],
    ),
    "an alias alone": (
        "a.json",
        new(lambda v: v["results"].update(xnli_sw={"alias": "xnli_sw"})),
        ["tasks without a score: xnli_sw"],
    ),
    "a group alone": (
        "a.json",
        new(lambda v: v["results"].update(mmlu={"acc,none": 0.5})),
        ["left out: mmlu"],
    ),
    "answers without results": (
        "samples_xnli_sw_2.jsonl",
        lines({"doc_id": 0, "resps": []}),
        ["answers without the"],
    ),
    "answers of Every Eval Ever alone": (
        "a_samples.jsonl",
        lines(eee_answer("x", 0, True)),
        ["answers without the"],
    ),
    "a record without a model": ("a.json", as_json(NO_MODEL), ["names no model (model_info.id)"]),
    "a record without a score": ("a.json", as_json(NO_SCORE), ["evaluations without a score: xnli"]),
    "a record with an unknown level": ("a.json", as_json(LEVELS), ["whose score is unknown (-1)"]),
    "an interval that does not hold its score": (
        "a.json",
        as_json(OUTSIDE),
        ["intervals without their score"],
    ),
    "a line that is no record": (
        "a.jsonl",
        lines(RECORD, {"a": 1}),
        ["lines that are no record", "a.jsonl 2"],
    ),
    "a line that is no JSON": ("a.jsonl", lines(RECORD) + b"\n{", ["line 2 is no JSON"]),
    "a log that failed": (
        "a.json",
        as_json({**inspect_log("o-1b", [1, 0]), "status": "error"}),
        ["status is error"],
    ),
    "a log without a score": (
        "a.json",
        as_json({**inspect_log("o-1b", [1, 0]), "results": None}),
        ["without a score"],
    ),
    "a log without a model": (
        "a.json",
        as_json({**inspect_log("o-1b", [1, 0]), "eval": {"task_id": "x"}}),
        ["names no model and task"],
    ),
    "HELM without its specification": (
        "stats.json",
        as_json([{"name": {"name": "exact_match", "split": "test"}, "count": 1, "mean": 0.5}]),
        ["no run_spec.json with a model"],
    ),
    "a specification of HELM alone": (
        "run_spec.json",
        as_json({"adapter_spec": {}}),
        ["without its stats.json"],
    ),
    "lighteval without a model": (
        "a.json",
        as_json({**lighteval_results("o-1b", {"xnli_sw|0": (5, 9)}), "config_general": {}}),
        ["names no model (config_general.model_name)"],
    ),
    "EuroEval without a known metric": (
        "a.jsonl",
        lines({**euroeval_line("o-1b", 40, 2), "results": {"total": {"test_sparkle": 3.0}}}),
        ["without a score that is known"],
    ),
    "EuroEval without a model": ("a.jsonl", lines({**euroeval_line("", 40, 2)}), ["no results of EuroEval"]),
    "a leaderboard of other tasks": (
        "a.csv",
        leaderboard({"o-1b": ("1", "4 ± 1")}).replace("Knowledge", "Juggling").encode(),
        ["no column of the leaderboard"],
    ),
    "a table without a model": ("a.csv", b"a,b\n1,2\n", ["no column of the table names the model"]),
    "a table without a task": ("a.csv", b"model,colour\no-1b,red\n", ["no column is a known task"]),
    "a table of evaluations": (
        "a.csv",
        b"model,base_model,intermediate,task\no-1b,,none,xnli\n",
        ["a table of evaluations already"],
    ),
    "a table of answers": ("a.csv", b"model,example,correct\no-1b,1,1\n", ["a table of answers"]),
    "scores without a task": ("a.csv", b"model,score\no-1b,0.5\n", ["needs one that names the task"]),
    "languages without a task": ("a.csv", b"model,sw,fr\no-1b,0.5,0.5\n", ["of which task?"]),
    "per cent": ("a.csv", b"model,xnli_sw\no-1b,51.5\n", ["--percent says"]),
    "text in a table": ("a.csv", b"model,xnli_sw,xnli_fr\no-1b,-,0.5\n", ["1 cell without a number"]),
    "uneven rows": ("a.csv", b"model,xnli_sw\no-1b,0.5,0.6\n", ["rows of 3 cells under a header of 2"]),
    "a column twice": ("a.csv", b"model,xnli_sw,xnli_sw\no-1b,0.5,0.6\n", ["appears 2 times"]),
    "a quotation mark never closed": ("a.csv", b'model,xnli_sw\n"o-1b,0.5\n', ["no CSV"]),
    "a header alone": ("a.csv", b"model,xnli_sw\n", ["a header but no rows"]),
    "gold labels missing": ("o-1b/xnli/test-sw.tsv", b"a\nb\n", ["--gold FOLDER"]),
    "predictions of tags": (
        "o-1b/panx/test-sw.tsv",
        b"O\nO\n",
        ["not scored by accuracy, left out: panx"],
    ),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_cannot_be_read_is_left_out_with_its_reason(case: str, tmp_path: Path) -> None:
    good(tmp_path)
    name, data, words = LEFT_OUT[case]
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    evals = gl.import_results(tmp_path, pair=RULE, params={"o-1b": "1B"}, n_examples=100)
    assert set(evals.frame["model"]) == {"m-1b", "m-1b-chat"}
    told = [str(note) for note in evals.notes if note.kind == "import"]
    assert any(all(word in note for word in words) for note in told), told


@pytest.mark.parametrize(
    "case", ["no JSON", "an empty file", "an image", "a table without a model", "per cent"]
)
def test_a_named_file_that_cannot_be_read_is_refused(case: str, tmp_path: Path) -> None:
    good(tmp_path)
    name, data, words = LEFT_OUT[case]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(gl.InputError) as refused:
        gl.import_results([tmp_path, tmp_path / name], pair=RULE)
    assert str(tmp_path / name) in str(refused.value)
    assert all(word in str(refused.value) for word in words)


def wrong_answers(folder: Path) -> None:
    for name in ("m-1b", "m-1b-chat"):
        write_json(folder / name / f"results_{TIME}.json", new_results(name, {"xnli_sw": (50, 100)}))
        write_answers(folder / name, "xnli_sw", [1] * 50 + [0] * 50)


def no_error_and_no_number(folder: Path) -> None:
    for name in ("m-1b", "m-1b-chat"):
        value = old_results(name, {"xnli_sw": (50, 100)})
        del value["results"]["xnli_sw"]["acc_stderr"]
        write_json(folder / f"{name}.json", value)


def no_size(folder: Path) -> None:
    for name in ("m-large", "m-large-chat"):
        write_json(folder / f"{name}.json", new_results(name, COUNTS))


def two_sizes(folder: Path) -> None:
    for i, (name, size) in enumerate((("m-1b", 10**9), ("m-1b", 2 * 10**9), ("m-1b-chat", 10**9))):
        task = "xnli_fr" if i == 1 else "xnli_sw"
        write_json(folder / f"{i}.json", new_results(name, {task: (5, 10)}, params=size))


def nothing(folder: Path) -> None:
    (folder / "a.txt").write_text("a")


#: What is written, what is asked for, and the words of the refusal.
REFUSED: dict[str, tuple[Callable[[Path], object], dict[str, Any], list[str]]] = {
    "a folder without results": (nothing, {}, ["no file holds results", "a.txt"]),
    "no error and no number of items": (no_error_and_no_number, {}, ["no score is left", "--n-examples"]),
    "no size": (no_size, {}, ["m-large: neither a file nor the name", "--params m-large=SIZE"]),
    "two sizes": (two_sizes, {}, ["several sizes: 1000000000, 2000000000", "--params m-1b=SIZE"]),
    "a size that is none": (good, {"params": {"m-1b": "huge"}}, ["'huge' is not a number"]),
    "a size of nothing": (good, {"params": {"m-1b": 0}}, ["cannot be a size"]),
    "half an item": (good, {"n_examples": 0.5}, ["whole and above 0"]),
    "a difference that cannot be allowed": (good, {"across": "metric"}, ["allowed: shots, chat_template"]),
    "a rule of tasks without a task": (good, {"tasks": "xnli_sw="}, ["--map", "cannot be read"]),
    "a rule of tasks with a foreign word": (good, {"tasks": "xnli_{x}=xnli:{y}"}, ["cannot be read"]),
    "a pattern of no file": (good, {"exclude": "*.toml"}, ["no file is called '*.toml'"]),
    "no pairs": (good, {"pair": ()}, ["which model is compared with which?", "'{base}-chat={base}'"]),
    "a pair without scores": (good, {"pair": (), "pairs": {"m-1b-chat": "m-2b"}}, ["'m-2b', of which"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_known_is_asked_for(case: str, tmp_path: Path) -> None:
    write, options, words = REFUSED[case]
    write(tmp_path)
    with pytest.raises(gl.InputError) as refused:
        gl.import_results(tmp_path, **{"pair": RULE, **options})
    assert all(word in str(refused.value) for word in words), str(refused.value)


ODD_ANSWERS = {
    "no JSON": (b"{", "line 1 is no JSON"),
    "no doc_id": (b'{"acc": 1.0}', "line 1 has no doc_id"),
    "an item twice": (b'{"doc_id": 0, "acc": 1.0}\n' * 2, "an item is answered twice"),
    "half right": (b'{"doc_id": 0, "acc": 0.5}', "acc is neither 0 nor 1"),
    "nothing": (b"\n", "there are none"),
}


@pytest.mark.parametrize("case", ODD_ANSWERS)
def test_answers_that_cannot_be_read_leave_the_score(case: str, tmp_path: Path) -> None:
    wrong_answers(tmp_path)
    data, words = ODD_ANSWERS[case]
    (tmp_path / "m-1b" / f"samples_xnli_sw_{TIME}.jsonl").write_bytes(data)
    evals = gl.import_results(tmp_path, pair=RULE)
    assert len(evals) == 2
    assert any(f"answers left out: {words}" in str(note) for note in evals.notes)
    assert evals.predictions is not None
    assert set(evals.predictions["model"]) == {"m-1b-chat"}


def test_runs_of_helm_without_a_known_metric_are_left_out(tmp_path: Path) -> None:
    good(tmp_path)
    stats = write_helm(tmp_path / "run", "o-1b", [1, 0])
    stats.write_text(stats.read_text().replace("exact_match", "sparkle"))
    evals = gl.import_results(tmp_path, pair=RULE)
    assert any("without a score that is known" in str(note) for note in evals.notes)
