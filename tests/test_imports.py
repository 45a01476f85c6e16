"""Results of other programs become evaluations: read as they are, paired by rules, nothing assumed in silence."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from conftest import Cli
from gainlaw.imports.pairing import pair_models, suggest_pairs
from gainlaw.imports.reading import read_results
from result_files import (
    LANGUAGES,
    TIME,
    accuracy,
    new_results,
    old_results,
    write_answers,
    write_json,
    write_ladder,
)

RULE = "{base}-chat={base}"


@pytest.fixture(scope="module")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ladder(tmp_path_factory.mktemp("ladder"))


def said(evals: gl.Evaluations, *words: str) -> bool:
    return any(all(word in str(note) for word in words) for note in evals.notes)


def warned(evals: gl.Evaluations, words: str) -> bool:
    return any(words in note.message for note in evals.notes if note.severity == "warning")


def test_a_folder_of_results_goes_through_check_gains_and_fit(ladder: Path, cli: Cli, tmp_path: Path) -> None:
    evals = tmp_path / "scores"
    done = cli("import", ladder, "-o", evals, "--pair", RULE)
    assert done.code == 0, done.err
    assert "18 scores, 9 of them with a baseline and 3600 answers" in done.err
    assert "averages over several tasks, left out: xnli" in done.err
    assert "6 files read: lm-evaluation-harness" in done.err
    assert cli("check", evals).code == 0
    gains = tmp_path / "gains.csv"
    assert cli("gains", evals, "-o", gains, "--variance", "paired").code == 0
    assert len(pd.read_csv(gains)) == 9
    fitted = cli("fit", evals, "-o", tmp_path / "fit", "--draws", "500")
    assert fitted.code in {0, 1}, fitted.err
    assert (tmp_path / "fit" / "estimates.csv").exists()


def test_standard_errors_of_paired_items_are_those_of_a_hand_calculation(ladder: Path) -> None:
    evals = gl.import_results(ladder, pair=RULE)
    gains = evals.gains(variance="paired").frame
    for row in gains.itertuples():
        sides = []
        for model in (row.base_model, f"{row.base_model}-chat"):
            file = ladder / model.replace("/", "__") / f"samples_xnli_{row.language}_{TIME}.jsonl"
            sides.append([json.loads(line)["acc"] for line in file.read_text().splitlines()])
        base, after = np.array(sides)
        n, n10, n01 = len(base), (after > base).sum(), (after < base).sum()
        assert row.gain == pytest.approx(100 * (n10 - n01) / n)
        assert row.se == pytest.approx(100 * np.sqrt((n10 + n01 - (n10 - n01) ** 2 / n) / n**2))


def test_old_results_give_counts_sizes_and_languages(tmp_path: Path) -> None:
    counts = {"xnli_sw": (1662, 5010), "xcopa_qu": (251, 500), "xwinograd_jp": (500, 959)}
    for name, shift in (("org/toy-7b1", 0), ("org/toyz-7b1", 9)):
        for task, (k, n) in counts.items():
            value = old_results(name, {task: (k + shift, n)})
            write_json(tmp_path / f"{name.rpartition('/')[2]}_{task}_0-shot.json", value)
    evals = gl.import_results(tmp_path, pair="toyz-{size}=toy-{size}")
    frame = evals.frame.set_index(["intermediate", "task", "language"])
    assert set(frame.index.get_level_values("intermediate")) == {"none", "toyz"}
    for (task, language), (k, n) in zip(
        [("xnli", "sw"), ("xcopa", "qu"), ("xwinograd", "ja")], counts.values(), strict=True
    ):
        row = frame.loc[("toyz", task, language)]
        assert (row["n_correct"], row["n_examples"], row["params"]) == (k + 9, n, 7_100_000_000)
        assert row["protocol"] == "0-shot, version 0"
    assert set(evals.frame["model_family"]) == {"toy"}
    assert said(evals, "sizes read from names", "toy-7b1 7.1B")


def test_sizes_in_the_file_go_before_those_in_the_name_and_given_ones_before_both(tmp_path: Path) -> None:
    for name, params in (("toy-1b", 1_050_000_000), ("toy-1b-chat", 1_050_000_000)):
        value = new_results(name, {"xnli_en": (50, 100)}, params=params)
        write_json(tmp_path / name / "results_x.json", value)
    assert set(gl.import_results(tmp_path, pair=RULE).frame["params"]) == {1_050_000_000}
    given = gl.import_results(tmp_path, pair=RULE, params={"toy-1b": "1.1B", "toy-1b-chat": 1.1e9})
    assert set(given.frame["params"]) == {1_100_000_000}


def test_what_was_left_out_is_told_where_pairs_are_asked_for(tmp_path: Path) -> None:
    for name, task in (("toy-1b", "xnli_en"), ("toy-1b-chat", "xnli_en"), ("lone-1b", "xcopa_sw")):
        value = old_results(name, {task: (50, 100)})
        if name == "lone-1b":
            del value["results"][task]["acc_stderr"]
        write_json(tmp_path / f"{name}.json", value)
    with pytest.raises(gl.InputError, match="Scores of 2 models") as asked:
        gl.import_results(tmp_path)
    assert "neither items nor a standard error are known" in str(asked.value)
    assert "xcopa (sw)" in str(asked.value)


def test_without_pairs_suggestions_are_told_and_nothing_is_written(
    ladder: Path, cli: Cli, tmp_path: Path
) -> None:
    done = cli("import", ladder, "-o", tmp_path / "x.csv")
    assert done.code == 2
    assert "--pair '{base}-chat={base}'; 3 pairs: org/toy-1b-chat after org/toy-1b" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "words", "compared"),
    [
        ({"shots": 5}, ["not compared", "shots: 5, baseline 0", "--across shots"], False),
        ({"template": "<|im|>"}, ["not compared", "chat template: yes, baseline no"], False),
        ({"version": 2.0}, ["not compared", "version of the task: 2, baseline 1"], False),
        (
            {"harness": "0.4.3"},
            ["across a difference", "version of the program (0.4.3, baseline 0.4.9)"],
            True,
        ),
        ({"text": "{{hypothesis}}"}, ["across a difference", "words of the prompt (changed)"], True),
    ],
)
def test_differences_of_the_two_sides_are_flagged(
    changes: dict, words: list, compared: bool, tmp_path: Path
) -> None:
    write_json(tmp_path / "a.json", new_results("toy-1b", {"xnli_en": (50, 100)}))
    write_json(tmp_path / "b.json", new_results("toy-1b-chat", {"xnli_en": (60, 100)}, **changes))
    evals = gl.import_results(tmp_path, pair=RULE)
    assert said(evals, *words)
    assert all(note.severity == "warning" for note in evals.notes if words[0] in note.message)
    assert len(evals.check().unpaired) == (not compared)
    if not compared:
        key = {"shots": "shots", "template": "chat_template", "version": "task_version"}[next(iter(changes))]
        across = gl.import_results(tmp_path, pair=RULE, across=key)
        assert across.frame["differs"].tolist() == ["", key]
        assert across.gains().frame["gain"].tolist() == pytest.approx([10.0])


def test_other_numbers_and_contents_of_items_are_flagged(tmp_path: Path) -> None:
    for name, n in (("toy-1b", 100), ("toy-1b-chat", 80)):
        folder = tmp_path / name
        write_json(folder / f"results_{TIME}.json", new_results(name, {"xnli_en": (50, n)}))
        answers = write_answers(folder, "xnli_en", [1] * 50 + [0] * (n - 50))
    evals = gl.import_results(tmp_path, pair=RULE)
    assert said(evals, "number of items (80, baseline 100)")
    assert said(evals, "items (80 in common)")
    answers.write_text(answers.read_text().replace('hash 7"', 'another"'))
    evals = gl.import_results(tmp_path, pair=RULE)
    assert said(evals, "1 of one name have another content")
    assert evals.predictions is not None
    assert set(evals.predictions["model"]) == {"toy-1b"}


def test_two_runs_of_one_model_are_refused_by_the_names_of_both_files(tmp_path: Path, cli: Cli) -> None:
    for name, model in (("a", "toy-1b"), ("b", "toy-1b"), ("c", "toy-1b-chat")):
        write_json(tmp_path / f"{name}.json", new_results(model, {"xnli_en": (50, 100)}))
    done = cli("import", tmp_path, "-o", tmp_path / "x.csv", "--pair", RULE)
    assert done.code == 2
    assert f"toy-1b: two scores of xnli (en) in {tmp_path / 'a.json'} and {tmp_path / 'b.json'}" in done.err
    for _ in range(2):  # what was written into the folder before is no result, and is said to be none
        done = cli("import", tmp_path, "-o", tmp_path / "x.csv", "--pair", RULE, "--exclude", "a.json")
        assert done.code == 0, done.err
    assert "a table of evaluations already" in done.err


def test_answers_that_contradict_the_score_are_left_out(tmp_path: Path) -> None:
    for name in ("toy-1b", "toy-1b-chat"):
        write_json(tmp_path / name / f"results_{TIME}.json", new_results(name, {"xnli_en": (50, 100)}))
        write_answers(tmp_path / name, "xnli_en", [1] * 60 + [0] * 40)
    evals = gl.import_results(tmp_path, pair=RULE)
    assert evals.predictions is None
    assert said(evals, "answers left out: 0.6000 of them are right")


def test_numbers_of_items_are_taken_from_other_files_where_an_error_of_zero_says_none(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", old_results("toy-1b", {"xcopa_sw": (51, 100)}))
    write_json(tmp_path / "b.json", old_results("toy-1b-chat", {"xcopa_sw": (100, 100)}))
    evals = gl.import_results(tmp_path, pair=RULE)
    assert evals.frame["n_examples"].tolist() == [100, 100]
    assert said(evals, "numbers of items taken from other files", "xcopa (sw)")


@pytest.mark.parametrize("packed", [False, True])
def test_nested_tasks_filters_and_packed_files_are_read(packed: bool, tmp_path: Path) -> None:
    value = new_results("toy-1b", {"xnli_en": (50, 100), "xnli_sw": (40, 100)})
    inside = {"acc": {"none": 0.5}, "acc_stderr": {"none": accuracy(50, 100)[1]}}
    value["results"] = {"xnli": {"xnli_en": inside, "xnli_sw": value["results"]["xnli_sw"]}}
    data = json.dumps(value).encode()
    file = tmp_path / ("results.json.gz" if packed else "results.json")
    file.write_bytes(gzip.compress(data) if packed else data)
    scores = read_results([file]).scores
    assert [(each.language, each.score, each.n) for each in scores] == [("en", 0.5, 100), ("sw", 0.4, 100)]


def test_suffixes_that_may_be_languages_are_asked_about(tmp_path: Path) -> None:
    for name in ("toy-1b", "toy-1b-chat"):
        counts = {"winoquiz_ca": (50, 100), "winoquiz_es": (50, 100), "arc_easy": (50, 100)}
        write_json(tmp_path / f"{name}.json", new_results(name, counts))
    with pytest.raises(gl.InputError, match="winoquiz_ca, winoquiz_es seem to end with a language"):
        gl.import_results(tmp_path, pair=RULE)
    evals = gl.import_results(tmp_path, pair=RULE, tasks="winoquiz_{language}=winoquiz")
    assert set(zip(evals.frame["task"], evals.frame["language"], strict=True)) == {
        ("winoquiz", "ca"),
        ("winoquiz", "es"),
        ("arc_easy", "en"),
    }
    assert said(evals, "read as English", "arc_easy")
    kept = gl.import_results(tmp_path, pair=RULE, tasks="winoquiz_{task}=winoquiz_{task}:en")
    assert set(kept.frame["language"]) == {"en"}


def test_metrics_are_chosen_by_rule_and_said(tmp_path: Path) -> None:
    for name, shift in (("toy-1b", 0), ("toy-1b-chat", 5)):
        value = new_results(name, {"xnli_en": (50 + shift, 100)})
        value["results"]["xnli_en"] |= dict(
            zip(("acc_norm,none", "acc_norm_stderr,none"), accuracy(70 + shift, 100), strict=True)
        )
        write_json(tmp_path / f"{name}.json", value)
    usual, wanted = (gl.import_results(tmp_path, pair=RULE, metrics=each) for each in ((), "acc_norm"))
    assert sorted(usual.frame[["metric", "n_correct"]].values.tolist()) == [["acc", 50], ["acc", 55]]
    assert sorted(wanted.frame[["metric", "n_correct"]].values.tolist()) == [
        ["acc_norm", 70],
        ["acc_norm", 75],
    ]
    assert said(usual, "acc,none was taken of several metrics (acc_norm,none left out): xnli_en")


@pytest.mark.parametrize("acc", [float("nan"), None, "N/A"])
def test_a_metric_that_stands_in_for_one_without_a_number_is_said_and_compared_with_its_like(
    acc: object, tmp_path: Path
) -> None:
    """A baseline scored by acc, and a model whose acc is no number: not one gain is made of the two."""
    for name in ("toy-1b", "toy-1b-chat", "toy-2b", "toy-2b-chat"):
        value = new_results(name, {"xnli_en": (50, 100)})
        if name == "toy-1b-chat":
            value["results"]["xnli_en"]["acc,none"] = acc
        write_json(tmp_path / f"{name}.json", value)
    evals = gl.import_results(tmp_path, pair=RULE)
    assert warned(evals, "acc,none has no number: acc_norm,none was taken in its place: xnli_en")
    assert said(evals, "1 score not compared with the baseline, metric: acc_norm, baseline acc: toy-1b-chat")
    assert evals.gains().frame["base_model"].unique().tolist() == ["toy-2b"]


def test_a_metric_that_is_not_the_one_asked_for_is_said(tmp_path: Path) -> None:
    for name in ("toy-1b", "toy-1b-chat"):
        value = new_results(name, {"xnli_en": (50, 100)})
        del value["results"]["xnli_en"]["acc,none"]
        write_json(tmp_path / f"{name}.json", value)
    asked = gl.import_results(tmp_path, pair=RULE, metrics="acc")
    assert warned(asked, "no acc: acc_norm,none was taken in its place: xnli_en")
    usual = gl.import_results(tmp_path, pair=RULE)
    said_of_it = "no acc: acc_norm,none was taken in its place: xnli_en"
    assert said(usual, said_of_it)
    assert not warned(usual, said_of_it)


def test_all_that_is_to_be_said_is_asked_for_at_once(tmp_path: Path) -> None:
    """Neither the numbers of items nor the pairs are known."""
    for name in ("toy-1b", "toy-1b-chat"):
        value = old_results(name, {"xnli_en": (50, 100)})
        del value["results"]["xnli_en"]["acc_stderr"]
        write_json(tmp_path / f"{name}.json", value)
    with pytest.raises(gl.InputError) as caught:
        gl.import_results(tmp_path)
    told = str(caught.value)
    assert "--n-examples TASK=N" in told
    assert "--pair '{base}-chat={base}'" in told
    with pytest.raises(gl.InputError) as caught:
        gl.import_results(tmp_path, pair=RULE)
    assert "--pair" not in str(caught.value)


def test_a_folder_of_baselines_alone_is_called_so(tmp_path: Path) -> None:
    for name in ("toy-1b", "doll-3b"):
        write_json(tmp_path / f"{name}.json", new_results(name, {"xnli_en": (50, 100)}))
    with pytest.raises(gl.InputError, match="no name says that it is another of them after training"):
        gl.import_results(tmp_path)


def test_suggestions_do_not_tell_capitals_apart_and_name_the_most_frequent_first() -> None:
    models = ["m-1b", "m-1b-v2", "m-1b-Chat", "n-1b", "n-1b-chat", "o-1b", "o-1b-chat"]
    assert suggest_pairs(models) == ("{base}-Chat={base}", "{base}-v2={base}")


MODELS = ["a/m-1b", "a/m-1b-Instruct", "a/m-1b-sft-dpo", "b/n-1b", "b/n-1b-it"]


def test_rules_name_the_training_by_what_only_their_left_side_has() -> None:
    rules = ["{base}-instruct={base}", "{base}-it={base}", "m-{size}-sft-{how}=m-{size}"]
    pairs = {pair.model: (pair.baseline, pair.intermediate) for pair in pair_models(MODELS, rules)}
    assert pairs == {
        "a/m-1b-Instruct": ("a/m-1b", "instruct"),
        "a/m-1b-sft-dpo": ("a/m-1b", "dpo"),
        "b/n-1b-it": ("b/n-1b", "it"),
    }


def test_suggestions_pair_what_they_say() -> None:
    rules = suggest_pairs(MODELS)
    assert {pair.baseline for pair in pair_models(MODELS, rules)} == {"a/m-1b", "b/n-1b"}
    assert len(pair_models(MODELS, rules)) == 3


def test_suggestions_know_which_of_two_was_pretrained_and_what_is_a_size() -> None:
    models = [
        *("a/m-1b-Base", "a/m-1b", "b/n-1b-pt", "b/n-1b-it", "c/o-1b-Base-25", "c/o-1b-Instruct-25"),
        *("d/bert-base", "d/bert-large", "e/p-1b", "e/p-1b-mini"),
    ]
    rules = suggest_pairs(models)
    assert rules == ("{base}={base}-Base", "{base}-it={base}-pt", "{a}-Instruct-{b}={a}-Base-{b}")
    pairs = {pair.model: (pair.baseline, pair.intermediate) for pair in pair_models(models, rules)}
    assert pairs == {
        "a/m-1b": ("a/m-1b-Base", "post-training"),
        "b/n-1b-it": ("b/n-1b-pt", "it"),
        "c/o-1b-Instruct-25": ("c/o-1b-Base-25", "Instruct"),
    }


def test_few_rules_are_suggested_those_that_can_be_followed_and_pair_most(tmp_path: Path) -> None:
    names = [f"a/m-{size}b{end}" for size in range(1, 4) for end in ("", "-chat", "-Chat-v2")]
    names += [f"b/n-1b-x{number}" for number in range(9)] + ["b/n-1b", "c/n-1b", "d/n-1b-y"]
    for number, name in enumerate(names):
        write_json(tmp_path / f"{number}.json", new_results(name, {"xnli_en": (50, 100)}))
    with pytest.raises(gl.InputError) as asked:
        gl.import_results(tmp_path)
    rules = [problem.message for problem in asked.value.problems[1:]]
    assert rules[0] == "--pair '{base}-chat={base}'"
    assert len(rules) == 9
    assert re.fullmatch(r"and \d+ rules that pair fewer models", rules[-1])
    assert not any("-y=" in rule for rule in rules)  # two models are called n-1b


def test_sizes_of_another_unit_than_the_names_are_refused_and_unlike_ones_told(tmp_path: Path) -> None:
    for name, size in (("toy-2b", 2000), ("toy-2b-chat", 2000)):
        write_json(tmp_path / f"{name}.json", new_results(name, {"xnli_en": (50, 100)}, params=size * 10))
    with pytest.raises(gl.InputError, match="toy-2b: 20K in the file, 2b in the name: not in the same unit"):
        gl.import_results(tmp_path, pair=RULE)
    for name, size in (("toy-2b", 7e9), ("toy-2b-chat", 7e9)):
        write_json(tmp_path / f"{name}.json", new_results(name, {"xnli_en": (50, 100)}, params=int(size)))
    evals = gl.import_results(tmp_path, pair=RULE)
    assert said(evals, "sizes that are not those of the names", "toy-2b: 7B in the file")


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (["{base}-chat"], "cannot be read"),
        (["{base}-chat={other}"], "stands on the left too"),
        (["{base}-chat={base}"], "pairs no models"),
        (["m-1b-instruct=n-{base}"], "cannot be read"),
        (["m-1b-Instruct=m-1b", "m-1b-Instruct=n-1b"], "several baselines: a/m-1b, b/n-1b"),
        (["m-1b-Instruct=m-1b", "m-1b-sft-dpo=m-1b-Instruct"], "has a baseline itself"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(rules: list[str], words: str) -> None:
    with pytest.raises(gl.InputError, match=words):
        pair_models(MODELS, rules)


def test_pairs_of_a_file(ladder: Path, cli: Cli, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(
        "intermediate,baseline,name\ntoy-1b-chat,toy-1b,chat tuning\norg/toy-7b-chat,org/toy-7b,\n"
    )
    done = cli("import", ladder, "-o", tmp_path / "x.csv", "--pairs", pairs)
    assert done.code == 0, done.err
    frame = pd.read_csv(tmp_path / "x.csv", keep_default_na=False)
    assert set(frame["intermediate"]) == {"none", "chat tuning", "chat"}
    assert "2 models without a pair, left out: org/toy-3b, org/toy-3b-chat" in done.err
    assert sorted(set(frame["language"])) == sorted(LANGUAGES)
    pairs.write_text("intermediate,base\ntoy-1b-chat,toy-1b\n")
    assert cli("import", ladder, "-o", tmp_path / "y.csv", "--pairs", pairs).code == 2


def test_revisions_are_models_of_their_own_and_fixed_choices_give_the_guess_rate(tmp_path: Path) -> None:
    for i, name in enumerate(("toy-1b,revision=step1000", "toy-1b", "toy-1b-chat")):
        value = new_results(name, {"my_quiz": (50 + i, 100)})
        value["configs"]["my_quiz"] |= {
            "output_type": "multiple_choice",
            "doc_to_choice": ["A", "B", "C", "D"],
        }
        write_json(tmp_path / f"{i}.json", value)
    evals = gl.import_results(tmp_path, pair=RULE, language="en")
    assert evals.frame[["model", "n_correct", "n_classes"]].values.tolist() == [
        ["toy-1b", 51, 4],
        ["toy-1b-chat", 52, 4],
    ]
    assert said(evals, "1 model without a pair, left out: toy-1b@step1000")


def test_scores_go_to_standard_output_and_counts_to_json(ladder: Path, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    told = json.loads(cli("import", ladder, "-o", file, "--pair", RULE, "--json").out)
    counts = {"file": str(file), "n_scores": 18, "n_paired": 9, "n_answers": 0}
    assert {key: told[key] for key in counts} == counts
    assert any("6 files read" in each["message"] for each in told["notes"])
    piped = cli("import", ladder, "-o", "-", "--pair", RULE)
    assert piped.out == file.read_text()
    assert "-: 18 scores, 9 of them with a baseline (the files hold answers" in piped.err
    assert "-o FOLDER)" in piped.err
    both = cli("import", ladder, "-o", "-", "--pair", RULE, "--json")
    assert (both.code, both.out) == (2, "")
    seen: list[tuple[int, int]] = []
    gl.import_results(ladder, pair=RULE, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 24) for number in range(24)]


def test_answers_of_other_scores_are_not_left_beside_new_ones(ladder: Path, cli: Cli, tmp_path: Path) -> None:
    write_json(tmp_path / "in" / "a.json", new_results("toy-1b", {"xnli_en": (50, 100)}))
    write_json(tmp_path / "in" / "b.json", new_results("toy-1b-chat", {"xnli_en": (50, 100)}))
    assert cli("import", ladder, "-o", tmp_path / "out", "--pair", RULE).code == 0
    refused = cli("import", tmp_path / "in", "-o", tmp_path / "out", "--pair", RULE)
    assert refused.code == 2
    assert "holds answers of other scores (predictions.parquet)" in refused.err
    assert len(gl.read_evaluations(tmp_path / "out")) == 18
