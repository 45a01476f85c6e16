"""The tasks of the runner: every published format is read, and what must not be scored is refused."""

from __future__ import annotations

import gzip
import json
import math
import subprocess
import sys
import types
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gainlaw.errors import InputError
from gainlaw.scores.languages import describe_languages
from gainlaw.training.items.items import ChoiceItem, ClassItem, Item, PairItem, TagItem
from gainlaw.training.items.loading import load_items, source_files
from gainlaw.training.items.metrics import entities, exact_match, measure, token_f1
from gainlaw.training.items.registry import TASKS, find_task
from published_formats import (
    AUTO,
    BRIDGE,
    CASES,
    CAUSES,
    COPA_XML,
    COSMOS_CSV,
    COSMOS_ITEMS,
    COSMOS_ROWS,
    DRY,
    ENDINGS,
    ENGLISH_PAIRS,
    MNLI_JSONL,
    MNLI_PAIRS,
    NO_ANSWER,
    QQP,
    RAIN,
    SICK_ITEMS,
    SICK_TABLE,
    SIQA_FILE,
    SIQA_ITEMS,
    SQUAD_ITEMS,
    SUN,
    SWAG_ITEMS,
    SWAG_ROWS,
    TAGGED,
    WET,
    WHAT,
    WHEN,
    WHO,
    XNLI_TSV,
    Case,
    anli,
    answer,
    causes,
    csqa,
    csqa_items,
    jsonl,
    put,
    squad,
    tsv,
)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_published_format_is_read(case: Case, tmp_path: Path) -> None:
    folder = put(tmp_path, case.files)
    items = load_items(case.task, case.split, case.language, folder)
    # a German item of XNLI is called as the English one, wherever it stands
    assert items == case.items
    read = source_files(find_task(case.task), case.split, case.language, folder)
    unread = {folder / name for name in case.files if "AUTO/02" in name}
    assert set(read) == {folder / name for name in case.files} - unread


def test_every_task_has_a_small_file() -> None:
    assert {case.task for case in CASES.values()} == {name for name, task in TASKS.items() if not task.made}


def test_gzipped_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "xnli.dev.tsv.gz").write_bytes(gzip.compress(XNLI_TSV.encode()))
    assert load_items("xnli", "validation", "en", tmp_path) == ENGLISH_PAIRS
    assert [item.id for item in load_items("xnli", "validation", "de", tmp_path)] == ["2", "1"]


def test_byte_order_mark_and_unicode_separators_stay_out_of_the_way(tmp_path: Path) -> None:
    text = "\ufeff" + tsv(f"A\u2028b\rc. | {WET} | neutral", f"{RAIN} | {WET} | entailment")
    put(tmp_path, {"dev-en.tsv": text})
    assert load_items("xnli", "validation", "en", tmp_path)[0] == ClassItem("1", "A\u2028b\rc.", WET, 1)


# What must not be scored


def refused(*arguments: Any) -> InputError:
    with pytest.raises(InputError) as error:
        load_items(*arguments)
    return error.value


@pytest.mark.parametrize(
    ("task", "files"),
    [
        # XTREME's release: two cells a line
        ("xnli", {"test-sw.tsv": tsv(f"{RAIN} | {WET}", f"{RAIN} | {DRY}")}),
        ("xnli", {"test-sw.tsv": tsv(f"{RAIN} | {WET} | neutral", f"{RAIN} | {DRY} | neutral")}),
        ("xnli", {"test-sw.tsv": tsv(f"{RAIN} | {WET} | ", f"{RAIN} | {DRY} | ")}),
        ("pawsx", {"test-sw.tsv": tsv(f"{RAIN} | {WET} | 0", f"{RAIN} | {DRY} | 0")}),
        ("pawsx", {"test-sw.tsv": tsv(f"{RAIN} | {WET}", f"{RAIN} | {DRY}")}),
        ("xcopa", {"test.sw.jsonl": causes("sw").replace('"label": 1', '"label": 0')}),
        (
            "xcopa",
            {
                "test.sw.jsonl": causes("sw")
                .replace('"label": 1', '"label": -1')
                .replace('"label": 0', '"label": -1')
            },
        ),
        ("commonsense_qa", {"dev_rand_split.jsonl": csqa(3, "", "")}),
        ("copa", {"test.jsonl": causes("en").replace('"label"', '"lost"')}),
        ("hellaswag", {"hellaswag_val.jsonl": jsonl(*(row | {"label": ""} for row in SWAG_ROWS))}),
        (
            "squad_v1",
            {
                "dev-v1.1.json": squad(
                    "1.1", {"id": "s1", "question": "Who?"}, {"id": "s2", "question": "When?"}
                )
            },
        ),
        ("squad_v2", {"dev-v2.0.json": squad("v2.0", WHO, WHO | {"id": "s4"})}),
        ("ccg", {"dev.txt": "It|X rains|X\nIt|X\n"}),
        ("qqp", {"dev.tsv": QQP.replace("\t1\n", "\t0\n")}),
    ],
)
def test_placeholder_labels_are_refused(task: str, files: Mapping[str, str], tmp_path: Path) -> None:
    split = "test" if any("test" in name for name in files) else "validation"
    language = "sw" if any(".sw." in name or "-sw" in name for name in files) else "en"
    if task == "pawsx":
        files, language = {"test-ko.tsv": files["test-sw.tsv"]}, "ko"
    error = refused(task, split, language, put(tmp_path, files))
    assert len(error.problems) == 1
    assert "XTREME strips its test labels" in str(error)
    assert str(tmp_path) in str(error)


def test_one_file_without_labels_among_others_is_still_explained(tmp_path: Path) -> None:
    files = {f"R{turn}/test.jsonl": anli(turn) for turn in (1, 2)}
    files["R3/test.jsonl"] = anli(3).replace('"label"', '"hidden"')
    error = refused("anli", "test", "en", put(tmp_path, files))
    assert "none of the 2 rows has a label" in str(error)
    assert "R3" in str(error)


def test_a_task_without_published_test_labels_says_so(tmp_path: Path) -> None:
    put(tmp_path, {"test_rand_split_no_answers.jsonl": csqa(3, "A").replace("answerKey", "none")})
    error = refused("commonsense_qa", "test", "en", tmp_path)
    assert "no split 'test'" in str(error)
    assert "it has: train, validation; its test labels are not published" in str(error)


def test_languages_that_a_task_lacks_are_refused(tmp_path: Path) -> None:
    put(tmp_path, {"test-fi.tsv": tsv(f"{RAIN} | {WET} | neutral"), "dev-my.tsv": ""})
    assert "no language 'fi'" in str(refused("xnli", "test", "fi", tmp_path))
    assert "no language 'my'" in str(refused("xnli", "validation", "my", tmp_path))
    assert "no language 'de'" in str(refused("mnli", "train", "de", None))
    assert "no language 'xx'" in str(refused("mnli", "train", "xx", tmp_path))


def test_repeated_ids_empty_splits_and_wrong_numbers_of_options_are_refused(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "SICK_train.txt": SICK_TABLE + SICK_TABLE.split("\n", 1)[1],
            "SICK_trial.txt": SICK_TABLE.split("\n", 1)[0],
            "hellaswag_val.jsonl": jsonl(SWAG_ROWS[0] | {"endings": ENDINGS[:3]}, SWAG_ROWS[1]),
            "multinli_1.0_train.jsonl": MNLI_JSONL.split("\n")[1] + "\n",
        },
    )
    assert "ids that occur more than once: 4, 9, 12" in str(refused("sick", "train", "en", tmp_path))
    assert "the split is empty" in str(refused("sick", "validation", "en", tmp_path))
    assert "3, 4 options where 4 belong" in str(refused("hellaswag", "validation", "en", tmp_path))
    assert "no item has a gold label" in str(refused("mnli", "train", "en", tmp_path))


def test_all_faults_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    lines = [
        {"uid": "1", "context": RAIN, "hypothesis": WET, "label": "e"},
        {"uid": "2", "context": RAIN, "hypothesis": WET, "label": "maybe"},
        {"uid": "3", "context": RAIN, "label": "e"},
        {"uid": "4", "context": "", "hypothesis": " ", "label": "c"},
        {"context": RAIN, "hypothesis": WET, "label": "n"},
        {"uid": "6", "context": 6, "hypothesis": WET, "label": "n"},
        {"uid": "7", "context": RAIN, "hypothesis": WET},
        {"uid": "8", "context": RAIN, "hypothesis": WET, "label": "perhaps"},
    ]
    text = jsonl(*lines) + "\n{broken\n[1, 2]\n"
    files = {"R1/dev.jsonl": anli(1), "R2/dev.jsonl": text, "R3/dev.jsonl": anli(3)}
    error = refused("anli", "validation", "en", put(tmp_path, files))
    assert error.source == str(tmp_path / "R2/dev.jsonl")
    told = {(problem.column, problem.rows): problem.message for problem in error.problems}
    assert told == {
        ("label", (2, 8)): "not a label of the task",
        ("hypothesis", (3,)): "no value",
        (None, (4,)): "both texts are empty",
        ("uid", (5,)): "no id",
        ("context", (6,)): "no text",
        ("label", (7,)): "no label",
        (None, (10, 11)): "not a JSON object on one line",
    }


def test_faults_of_several_files_are_told_together(tmp_path: Path) -> None:
    files = {f"R{turn}/dev.jsonl": anli(turn).replace('"e"', f'"{turn}"') for turn in (1, 2, 3)}
    error = refused("anli", "validation", "en", put(tmp_path, files))
    assert [problem.message for problem in error.problems] == ["dev.jsonl: not a label of the task"] * 3


@pytest.mark.parametrize(
    ("task", "files", "message"),
    [
        ("xnli", {"dev-en.tsv": tsv(f"{RAIN} | {WET} | {DRY} | neutral")}, "more than 3 cells (line 1)"),
        (
            "sick",
            {"SICK_trial.txt": tsv("pair_ID | sentence_A", f"1 | {RAIN} | {WET}")},
            "2 cells of the header",
        ),
        (
            "xnli",
            {"xnli.dev.tsv": XNLI_TSV.replace("\t13\t", "\t12\t")},
            "occur more than once",
        ),
        ("xcopa", {"val.et.jsonl": causes("et").replace("effect", "why")}, "neither cause nor effect"),
        ("xcopa", {"val.et.jsonl": causes("et").replace('"label": 1', '"label": 2')}, "allowed: 0 to 1"),
        ("xcopa", {"val.et.jsonl": causes("et").replace('"label": 1', '"label": true')}, "no label"),
        (
            "copa",
            {"copa-dev.xml": COPA_XML.replace("</item>", "</items>", 1)},
            "not XML: mismatched tag (line 8)",
        ),
        ("copa", {"copa-dev.xml": COPA_XML.replace('id="1"', 'id="one"')}, "no number (line 4)"),
        (
            "copa",
            {"copa-dev.xml": COPA_XML.replace('SYSTEM "copa.dtd"', '[<!ENTITY a "b">]')},
            "the file defines entities",
        ),
        ("siqa", {"dev.jsonl": SIQA_FILE, "dev-labels.lst": "1\n"}, "1 labels for the 2 items"),
        ("siqa", {"dev.jsonl": SIQA_FILE, "dev-labels.lst": "1\n4\n"}, "allowed: 1 to 3"),
        ("hellaswag", {"hellaswag_val.jsonl": jsonl(SWAG_ROWS[0] | {"endings": "eats"})}, "no list of texts"),
        (
            "commonsense_qa",
            {"dev_rand_split.jsonl": csqa(3, "A", "D")},
            "not the letter of a choice (line 2)",
        ),
        (
            "cosmos_qa",
            {"valid.csv": COSMOS_CSV + "c3,a,b,c,d,e,f,1,2\n"},
            "more cells than the header (line 4)",
        ),
        ("cosmos_qa", {"valid.csv": COSMOS_CSV + 'c3,"a"b,c\n'}, "not comma-separated values"),
        ("squad_v1", {"dev-v1.1.json": "{]"}, "not JSON"),
        ("squad_v1", {"dev-v1.1.json": '{"data": [{"paragraphs": 3}]}'}, "not in the format of SQuAD"),
        ("squad_v1", {"dev-v1.1.json": squad("1.1", WHAT, WHO)}, "no answer (question s3)"),
        (
            "squad_v2",
            {"dev-v2.0.json": squad("2", WHAT, WHO | {"is_impossible": False})},
            "no answer (question s3)",
        ),
        (
            "squad_v1",
            {"dev-v1.1.json": squad("1.1", WHAT, WHEN | {"answers": [answer("1913", 43)]})},
            "does not occur in its context (question s2)",
        ),
        ("ccg", {"dev.txt": "It|PRP|NP rains|VBZ|S\nIt|NP\n"}, "not word|POS|category"),
        ("ccg", {"dev.txt": "It|NP rains|S[dcl]\\NP\nrains\n"}, "not word|category (line 2)"),
        ("ccg", {"AUTO/00/wsj_0001.auto": AUTO.split("\n", 1)[1]}, "no derivation of CCGbank"),
        ("qqp", {"dev.tsv": QQP + tsv(*["1 | 2 | 3"] * 10)}, "no label (lines 3, 5, 6"),
    ],
)
def test_faults_of_a_format_are_named(
    task: str, files: Mapping[str, str], message: str, tmp_path: Path
) -> None:
    language = "et" if task == "xcopa" else "en"
    assert message in str(refused(task, "validation", language, put(tmp_path, files)))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "SICK_train.txt").write_bytes(SICK_TABLE.encode() + "7\tStraße".encode("latin-1"))
    assert "the text is not UTF-8" in str(refused("sick", "train", "en", tmp_path))
    (tmp_path / "SICK_trial.txt.gz").write_bytes(gzip.compress(SICK_TABLE.encode())[:-20])
    assert "download the file again" in str(refused("sick", "validation", "en", tmp_path))
    (tmp_path / "dev-v1.1.json").write_bytes(b"\xff\xfe")
    assert "the text is not UTF-8" in str(refused("squad_v1", "validation", "en", tmp_path))


def test_missing_files_say_what_was_looked_for_and_what_is_there(tmp_path: Path) -> None:
    assert "there is no such folder" in str(refused("xnli", "test", "sw", tmp_path / "nowhere"))
    assert "the folder holds: nothing" in str(refused("xnli", "test", "sw", tmp_path))
    put(tmp_path, {"notes.md": "", "AUTO/01/wsj_0100.auto": AUTO})
    error = str(refused("xnli", "test", "sw", tmp_path))
    assert "looked for: test-sw.tsv, xnli.test.tsv" in error
    assert "the folder holds: AUTO, notes.md" in error
    assert "sections 02 to 21" in str(refused("ccg", "train", "en", tmp_path))


# The hub


class Hub:
    """Stands in for the package ``datasets``: hands out rows and notes what was asked for."""

    def __init__(self, rows: list[dict[str, Any]], names: list[str] | None = None) -> None:
        self.rows, self.names, self.asked = rows, names, []

    def load_dataset(self, name: str, config: str | None, *, split: str, revision: str | None) -> Any:
        self.asked.append((name, config, split, revision))
        data = Rows(self.rows)
        data.features = {"label": types.SimpleNamespace(names=self.names)} if self.names else {}
        tags = types.SimpleNamespace(names=NER_NAMES)
        data.features |= {"ner_tags": types.SimpleNamespace(feature=tags)}
        return data


class Rows(list):
    """Rows with the ``features`` of a data set."""

    features: dict[str, Any]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Hub]:
    def give(*rows: dict[str, Any], names: list[str] | None = None) -> Hub:
        made = Hub(list(rows), names)
        monkeypatch.setitem(sys.modules, "datasets", made)
        return made

    return give


PREMISES = [
    {"premise": RAIN, "hypothesis": WET, "label": 0, "pairID": "7e", "uid": "u"},
    {"premise": RAIN, "hypothesis": SUN, "label": -1, "pairID": "7n", "uid": "w"},
    {"premise": RAIN, "hypothesis": DRY, "label": 2, "pairID": "7c", "uid": "v"},
]
GOLD = [PREMISES[0], PREMISES[2]]
NLI_NAMES = ["entailment", "neutral", "contradiction"]
PARQUET = "refs/convert/parquet"
SPANS = [
    {"id": "s1", "title": "t", "question": "What is old?", "context": BRIDGE}
    | {"answers": {"text": ["bridge", "bridge"], "answer_start": [8, 8]}},
    {
        "id": "s3",
        "title": "t",
        "question": "Who?",
        "context": BRIDGE,
        "answers": {"text": [], "answer_start": []},
    },
]
JSON_CAUSES = [json.loads(line) for line in causes("et").splitlines()]
HUB_ANLI = [
    item
    for turn in (1, 2, 3)
    for item in (ClassItem(f"r{turn}-u", RAIN, WET, 0), ClassItem(f"r{turn}-v", RAIN, DRY, 2))
]
HUB_CASES = [
    (
        "xnli",
        "test",
        "sw",
        PREMISES,
        [("facebook/xnli", "sw", "test", None)],
        [ClassItem("1", RAIN, WET, 0), ClassItem("3", RAIN, DRY, 2)],
    ),
    (
        "mnli",
        "validation",
        "en",
        PREMISES,
        [("nyu-mll/multi_nli", None, "validation_matched", None)],
        MNLI_PAIRS,
    ),
    (
        "anli",
        "validation",
        "en",
        GOLD,
        [("facebook/anli", None, f"dev_r{turn}", None) for turn in (1, 2, 3)],
        HUB_ANLI,
    ),
    (
        "anli_mnli",
        "train",
        "en",
        GOLD,
        [
            *(("facebook/anli", None, f"train_r{turn}", None) for turn in (1, 2, 3)),
            ("nyu-mll/multi_nli", None, "train", None),
        ],
        [
            *(ClassItem(f"anli-{item.id}", item.first, item.second, item.label) for item in HUB_ANLI),
            *(ClassItem(f"mnli-{item.id}", item.first, item.second, item.label) for item in MNLI_PAIRS),
        ],
    ),
    (
        "sick",
        "test",
        "en",
        [
            {"id": str(i.id), "sentence_A": i.first, "sentence_B": i.second, "label": i.label}
            for i in SICK_ITEMS
        ],
        [("RobZamp/sick", None, "test", PARQUET)],
        SICK_ITEMS,
    ),
    (
        "pawsx",
        "test",
        "ko",
        [
            {"id": 5, "sentence1": RAIN, "sentence2": WET, "label": 0},
            {"id": 6, "sentence1": RAIN, "sentence2": SUN, "label": -1},
            {"id": 7, "sentence1": RAIN, "sentence2": RAIN, "label": 1},
        ],
        [("google-research-datasets/paws-x", "ko", "test", None)],
        [ClassItem("5", RAIN, WET, 0), ClassItem("7", RAIN, RAIN, 1)],
    ),
    (
        "qqp",
        "train",
        "en",
        [
            {"question1": RAIN, "question2": WET, "label": 0, "idx": 0},
            {"question1": RAIN, "question2": RAIN, "label": 1, "idx": 1},
        ],
        [("nyu-mll/glue", "qqp", "train", None)],
        [ClassItem("glue-0", RAIN, WET, 0), ClassItem("glue-1", RAIN, RAIN, 1)],
    ),
    ("xcopa", "validation", "qu", JSON_CAUSES, [("cambridgeltl/xcopa", "qu", "validation", None)], CAUSES),
    (
        "copa",
        "train",
        "en",
        JSON_CAUSES,
        [("aps/super_glue", "copa", "train", None)],
        CASES["copa, SuperGLUE"].items,
    ),
    (
        "siqa",
        "validation",
        "en",
        [
            json.loads(line) | {"label": label}
            for line, label in zip(SIQA_FILE.splitlines(), "13", strict=True)
        ],
        [("lighteval/siqa", None, "validation", None)],
        SIQA_ITEMS,
    ),
    (
        "hellaswag",
        "train",
        "en",
        [row | {"label": str(row["label"])} for row in SWAG_ROWS],
        [("Rowan/hellaswag", None, "train", None)],
        SWAG_ITEMS,
    ),
    (
        "commonsense_qa",
        "validation",
        "en",
        [
            {"id": f"q{i}", "question": f"Where is item {i}?", "question_concept": "item", "answerKey": key}
            | {"choices": {"label": list("ABCDE"), "text": [f"place {letter}" for letter in "ABCDE"]}}
            for i, key in enumerate("EA")
        ],
        [("tau/commonsense_qa", None, "validation", None)],
        csqa_items(5, "E", "A"),
    ),
    ("cosmos_qa", "train", "en", COSMOS_ROWS, [("allenai/cosmos_qa", None, "train", PARQUET)], COSMOS_ITEMS),
    (
        "squad_v1",
        "validation",
        "en",
        SPANS[:1],
        [("rajpurkar/squad", None, "validation", None)],
        SQUAD_ITEMS[:1],
    ),
    (
        "squad_v2",
        "train",
        "en",
        SPANS,
        [("rajpurkar/squad_v2", None, "train", None)],
        [SQUAD_ITEMS[0], NO_ANSWER],
    ),
    ("xquad", "test", "el", SPANS[:1], [("google/xtreme", "XQuAD.el", "validation", None)], SQUAD_ITEMS[:1]),
    ("mlqa", "test", "hi", SPANS[:1], [("google/xtreme", "MLQA.hi.hi", "test", None)], SQUAD_ITEMS[:1]),
    (
        "tydiqa_goldp",
        "train",
        "en",
        [SPANS[0] | {"id": "english-1-0"}, SPANS[0] | {"id": "finnish-1-0"}],
        [("google/xtreme", "tydiqa", "train", None)],
        [replace(SQUAD_ITEMS[0], id="english-1-0")],
    ),
    (
        "wikiann_ner",
        "test",
        "sw",
        [{"tokens": ["Ada", "alala", "Goma"], "ner_tags": [1, 0, 5], "langs": ["sw"] * 3}],
        [("google/xtreme", "PAN-X.sw", "test", None)],
        [TagItem("1", ("Ada", "alala", "Goma"), ("B-PER", "O", "B-LOC"))],
    ),
]
NER_NAMES = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]


@pytest.mark.parametrize(
    ("task", "split", "language", "rows", "asked", "items"), HUB_CASES, ids=[c[0] for c in HUB_CASES]
)
def test_rows_of_the_hub_become_items(
    hub: Callable[..., Hub],
    task: str,
    split: str,
    language: str,
    rows: list[dict[str, Any]],
    asked: list[tuple[str | None, ...]],
    items: list[Item],
) -> None:
    source: Any = find_task(task).hub
    given = hub(*rows, names=list(source.sources[0].classes))
    assert load_items(task, split, language) == items
    assert given.asked == asked
    # At a commit that is on record, that one is read, and no newer one.
    given.asked.clear()
    commits = {each.key: f"{number:040x}" for number, each in enumerate(source.sources)}
    load_items(task, split, language, commits=commits)
    assert {call[3] for call in given.asked} == set(commits.values())
    assert all("/" in each.name for each in source.sources)  # with its owner, as the hub finds it
    assert source_files(task, split, language, None) == ()


def test_every_task_on_the_hub_has_rows() -> None:
    assert (
        {case[0] for case in HUB_CASES}
        == {name for name, task in TASKS.items() if task.hub}
        == {name for name, task in TASKS.items() if not task.made} - {"ccg", "udpos", "tatoeba"}
    )


def test_labels_of_the_hub_in_another_order_are_refused(hub: Callable[..., Hub]) -> None:
    hub(*GOLD, names=NLI_NAMES)
    assert [item.label for item in load_items("xnli", "test", "sw")] == [0, 2]
    hub(*GOLD, names=NLI_NAMES[::-1])
    assert "the labels are numbered contradiction, neutral, entailment" in str(refused("xnli", "test", "sw"))
    hub(*GOLD)
    assert "the labels have no names, so that nobody can tell their order" in str(
        refused("xnli", "test", "sw")
    )


@pytest.mark.parametrize(
    ("task", "names", "ones"),
    [("pawsx", None, 0.44), ("pawsx", ["0", "1"], 0.44), ("qqp", None, 0.37), ("qqp", ["0", "1"], 0.37)],
)
def test_labels_without_names_are_held_against_the_published_shares(
    hub: Callable[..., Hub], task: str, names: list[str] | None, ones: float
) -> None:
    def rows(flipped: bool) -> list[dict[str, Any]]:
        texts = {"sentence1": RAIN, "sentence2": WET, "question1": RAIN, "question2": WET}
        return [{"id": k, "idx": k, "label": int((k < 300 * ones) != flipped)} | texts for k in range(300)]

    split = "validation"
    hub(*rows(False), names=names)
    assert sum(item.label for item in load_items(task, split, "en")) == math.ceil(300 * ones)  # type: ignore[union-attr]
    hub(*rows(True), names=names)
    assert f"shares of {ones:.0%}, {1 - ones:.0%} instead of {1 - ones:.0%}, {ones:.0%}" in str(
        refused(task, split, "en")
    )


def test_published_shares_are_those_of_published_files(runner_data: Path) -> None:
    for task, split, languages in (("pawsx", "validation", ("de", "en", "ja")), ("sick", "train", ("en",))):
        hub_source: Any = find_task(task).hub
        for language in languages:
            items: list[Any] = load_items(task, split, language, runner_data / task)
            shares = [sum(i.label == k for i in items) / len(items) for k in range(len(hub_source.shares))]
            assert shares == pytest.approx(hub_source.shares, abs=0.03)


def test_placeholders_of_the_hub_are_refused(hub: Callable[..., Hub]) -> None:
    hub(*(row | {"label": -1} for row in JSON_CAUSES))
    error = str(refused("copa", "test", "en"))
    assert "aps/super_glue (copa, test)" in error
    assert "XTREME strips its test labels" in error
    hub(*(row | {"label": -1} for row in PREMISES), names=NLI_NAMES)
    assert "the split is empty" in str(refused("xnli", "test", "sw"))


def test_a_hub_out_of_reach_points_to_local_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach 'rajpurkar/squad' on the Hub\nand more")

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=fail))
    error = str(refused("squad_v1", "train", "en"))
    assert "could not be loaded: ConnectionError: Couldn't reach 'rajpurkar/squad' on the Hub; " in error
    assert "give a folder of local files: train-v1.1.json and dev-v1.1.json" in error
    monkeypatch.setitem(sys.modules, "datasets", None)
    error = str(refused("squad_v1", "train", "en"))
    assert "the package datasets is not installed; pip install datasets, or give" in error


def test_what_the_hub_lacks_points_to_local_files(hub: Callable[..., Hub]) -> None:
    given = hub()
    assert "has no test split in 'my'; give a folder of local files" in str(refused("xnli", "test", "my"))
    assert "ccg is not on the hub; it is read from local files (LDC" in str(refused("ccg", "train", "en"))
    assert given.asked == []


def test_the_hub_is_called_as_the_installed_package_wants_it() -> None:
    pytest.importorskip("datasets")
    code = (
        "import inspect, datasets; "
        "inspect.signature(datasets.load_dataset).bind('name', 'config', split='train', revision=None)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


# The registry


def test_tasks_are_found_by_their_names() -> None:
    for name, task in TASKS.items():
        assert find_task(name) is find_task(name.upper().replace("_", "-")) is task
    assert find_task("CommonsenseQA") is TASKS["commonsense_qa"]
    with pytest.raises(InputError, match=r"did you mean xcopa or copa\? There are: xnli, xcopa"):
        find_task("xcoppa")
    with pytest.raises(InputError, match=r"no task is called 'zzz'; there are: xnli"):
        find_task("zzz")


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_what_a_task_says_of_itself_fits(task: Any) -> None:
    assert task.evaluation_split in task.splits
    assert set(task.splits) <= {"train", "validation", "test"}
    assert set(task.languages) <= set(task.splits[task.evaluation_split])
    assert describe_languages({code for codes in task.splits.values() for code in codes})["known"].all()
    assert all(name in TASKS and "train" in TASKS[name].splits for name in task.english_side)
    assert "train" in task.splits or task.english_side or task.kind == "retrieval"
    assert bool(task.classes) == (task.kind == "classification")
    assert task.local.layout
    assert task.licence
    assert task.citation
    assert task.kind == "choice" or task.n_options is None
    assert not task.classes or task.n_classes == len(task.classes)
    assert set(task.sizes) <= set(task.splits)


def test_the_registry_is_light() -> None:
    code = "import gainlaw.training.items.registry, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"numpy", "pandas", "torch", "transformers", "datasets"}


# Scores


def test_choices_and_classes_are_scored_by_accuracy() -> None:
    (scores,) = measure(TASKS["xnli"], ENGLISH_PAIRS, [0, 2, 2])
    assert (scores.metric, scores.score, scores.n_examples, scores.stderr) == ("accuracy", 2 / 3, 3, None)
    assert scores.values == (1.0, 1.0, 0.0)
    assert measure(TASKS["siqa"], SIQA_ITEMS, [0, 1])[0].score == 0.5


def test_words_are_scored_with_the_error_of_sentences() -> None:
    (scores,) = measure(TASKS["ccg"], TAGGED, [["NP", "NP", "."], ["NP", "S[dcl]\\NP"]])
    assert (scores.metric, scores.score, scores.n_examples, scores.values) == ("accuracy", 0.8, None, None)
    # residuals 2 - 0.8 * 3 and 2 - 0.8 * 2 of two sentences, over five words
    assert scores.stderr == pytest.approx(math.sqrt(2 * (0.4**2 + 0.4**2)) / 5)
    with pytest.raises(InputError, match="not one tag a word in 1 items, the first is '2'"):
        measure(TASKS["ccg"], TAGGED, [["NP", "NP", "."], ["NP"]])


def test_the_error_of_a_ratio_is_that_of_resampled_sentences() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 30, 400)
    # sentences differ in how hard they are, so that words are no independent draws
    right = [rng.random(size) < rng.beta(4, 2) for size in sizes]
    items = [TagItem(str(n), ("w",) * len(hit), ("A",) * len(hit)) for n, hit in enumerate(right)]
    (scores,) = measure(TASKS["ccg"], items, [["A" if each else "B" for each in hit] for hit in right])
    hits = np.array([hit.sum() for hit in right])
    draws = rng.integers(0, 400, (4000, 400))
    resampled = (hits[draws].sum(axis=1) / sizes[draws].sum(axis=1)).std()
    assert scores.stderr == pytest.approx(resampled, rel=0.06)  # 4,000 draws: 1.1%, second order the rest
    binomial = math.sqrt(scores.score * (1 - scores.score) / sizes.sum())
    assert scores.stderr > 1.5 * binomial


def test_entities_are_read_as_conlleval_reads_them() -> None:
    assert entities([]) == entities(["O", "O"]) == set()
    assert entities(["I-PER", "I-PER", "B-PER"]) == {(0, 2, "PER"), (2, 3, "PER")}
    assert entities(["B-LOC", "I-PER", "O", "", "B-LOC"]) == {(0, 1, "LOC"), (1, 2, "PER"), (4, 5, "LOC")}
    gold = TagItem("1", ("a", "b", "c", "d"), ("B-PER", "I-PER", "O", "B-LOC"))
    # one of two entities is found whole, one of two is right: F1 = 2 * 1 / (2 + 2)
    (scores,) = measure(TASKS["wikiann_ner"], [gold], [["B-PER", "I-PER", "O", "B-ORG"]])
    assert (scores.metric, scores.score) == ("micro_f1", 0.5)
    nothing = measure(TASKS["wikiann_ner"], [gold] * 3, [["B-PER", "O", "O", "O"]] * 3)[0]
    # no spread: the error of a share of 0.5 of 4
    assert (nothing.score, nothing.stderr) == (0.0, math.sqrt(0.125 * 0.875 / 4))


def test_spans_are_scored_by_exact_match_and_word_overlap() -> None:
    items = [*SQUAD_ITEMS, NO_ANSWER]
    exact, overlap = measure(TASKS["squad_v2"], items, ["The BRIDGE!", "year of 1912", "nobody"])
    assert exact.values == (1.0, 0.0, 0.0)
    assert (exact.metric, overlap.metric, overlap.values) == ("exact_match", "token_f1", None)
    # two of three predicted words are both words of the answer: F1 = 2 * 2 / (3 + 2)
    values = np.array([1.0, 0.8, 0.0])
    assert overlap.score == pytest.approx(values.mean())
    assert overlap.stderr == pytest.approx(values.std(ddof=1) / math.sqrt(3))
    assert measure(TASKS["squad_v2"], [NO_ANSWER], [""])[0].score == 1.0


def test_a_translation_found_elsewhere_in_the_same_words_counts() -> None:
    items = [PairItem("1", "a", "It rains."), PairItem("2", "b", "It rains."), PairItem("3", "c", "Sun.")]
    assert measure(TASKS["tatoeba"], items, [0, 0, 0])[0].values == (1.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("predicted", "answers", "exact", "overlap"),
    [
        ("an old-bridge", ["oldbridge"], 1.0, 1.0),
        ("the theatre", ["theatre"], 1.0, 1.0),
        ("bridge bridge", ["bridge"], 0.0, 2 / 3),
        ("", ["bridge"], 0.0, 0.0),
        ("bridge", [], 0.0, 0.0),
        ("the", [], 1.0, 1.0),
        # an answer of nothing but an article counts as no answer, unless there is another
        ("", ["a"], 1.0, 1.0),
        ("", ["a", "bridge"], 0.0, 0.0),
        ("x y", ["y z", "x y z"], 0.0, 0.8),
    ],
)
def test_answers_are_compared_as_squad_does(
    predicted: str, answers: list[str], exact: float, overlap: float
) -> None:
    assert exact_match(predicted, answers) == exact
    assert token_f1(predicted, answers) == pytest.approx(overlap)


def test_answers_must_be_as_many_as_items() -> None:
    with pytest.raises(InputError, match="2 answers for the 3 items of xnli"):
        measure(TASKS["xnli"], ENGLISH_PAIRS, [0, 1])
    with pytest.raises(InputError, match="nothing to score"):
        measure(TASKS["xnli"], [], [])


# The data sets as published; the numbers of items are those of their papers


@pytest.fixture(scope="session")
def runner_data(reference_data: Path) -> Path:
    folder = reference_data / "runner"
    if not folder.is_dir():
        pytest.skip("the reference data has no data sets of the runner")
    return folder


def test_xnli_as_published(runner_data: Path) -> None:
    task = TASKS["xnli"]
    for split, count in (("validation", 2490), ("test", 5010)):
        english = load_items(task, split, "en", runner_data / "xnli")
        names = [item.id for item in english]
        assert names == [str(i) for i in range(1, count + 1)]
        for language in task.splits[split]:
            items = load_items(task, split, language, runner_data / "xnli")
            assert Counter(item.label for item in items) == dict.fromkeys(range(3), count // 3)
            assert [(item.id, item.label) for item in items] == [(item.id, item.label) for item in english]


def test_xcopa_and_copa_as_published(runner_data: Path) -> None:
    task = TASKS["xcopa"]
    for split, count in (("validation", 100), ("test", 500)):
        labels = []
        for language in task.languages:
            items = load_items(task, split, language, runner_data / "xcopa")
            assert [item.id for item in items] == [str(i) for i in range(count)]
            labels.append([item.label for item in items])
        assert len({tuple(each) for each in labels}) == 1
    translated = load_items(task, "test", "sw", runner_data / "xcopa" / "gmt")
    assert [item.label for item in translated] == labels[0]
    train = load_items("copa", "train", "en", runner_data / "copa")
    validation = load_items("copa", "validation", "en", runner_data / "copa")
    assert [item.id for item in train + validation] == [str(i) for i in range(1, 501)]


def test_pawsx_as_published(runner_data: Path) -> None:
    folder = runner_data / "pawsx"
    for language in TASKS["pawsx"].languages:
        assert len(load_items("pawsx", "validation", language, folder)) == 2000
    german, chinese = (load_items("pawsx", "test", language, folder) for language in ("de", "zh"))
    agree = sum(a.label == b.label for a, b in zip(german, chinese, strict=True))
    assert (len(german), agree) == (2000, 1983)
    # the CSV writer's doubled quotes are gone
    assert not any('""' in item.first for item in german if isinstance(item, ClassItem))


def test_commonsense_qa_as_published(runner_data: Path, tmp_path: Path) -> None:
    folder = runner_data / "csqa_v1.0"
    for split, count in (("train", 7610), ("validation", 950)):
        items = load_items("commonsense_qa", split, "en", folder)
        assert len(items) == count
        assert {len(item.options) for item in items if isinstance(item, ChoiceItem)} == {3}
    (tmp_path / "dev_rand_split.jsonl").symlink_to(folder / "test_rand_split_no_answers.jsonl")
    assert "none of the 940 rows has a label" in str(refused("commonsense_qa", "validation", "en", tmp_path))


def test_sick_as_published(runner_data: Path) -> None:
    counts = {
        s: len(load_items("sick", s, "en", runner_data / "sick")) for s in ("train", "validation", "test")
    }
    assert counts == {"train": 4500, "validation": 500, "test": 4927}
