"""The tasks of the runner: every published format is read, and what must not be scored is refused."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import types
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gainlaw.errors import InputError
from gainlaw.languages import describe_languages
from gainlaw.tasks import TASKS as TARGETS
from gainlaw.training.tasks import TASKS, find_task, load_items, score_items, source_files
from gainlaw.training.tasks.base import ChoiceItem, ClassItem, Item, SpanItem, TagItem
from gainlaw.training.tasks.metrics import exact_match, token_f1

# Small files in the published formats; every sentence was written for these tests.


def tsv(*rows: str) -> str:
    """Return lines of a table, the cells given with bars between them."""
    return "".join(row.replace(" | ", "\t") + "\n" for row in rows)


def jsonl(*records: Mapping[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


RAIN, WET, DRY, SUN = "It rains.", "The road is wet.", "The road is dry.", "The sun is warm."
REGEN, NASS, TROCKEN = "Es regnet.", "Die Straße ist nass.", "Die Straße ist trocken."
ENGLISH_PAIRS = [ClassItem("1", RAIN, WET, 0), ClassItem("2", RAIN, DRY, 2), ClassItem("3", WET, SUN, 1)]
GERMAN_PAIRS = [ClassItem("1", REGEN, NASS, 0), ClassItem("2", REGEN, TROCKEN, 2)]

XNLI_COLUMNS = (
    "language | gold_label | sentence1_binary_parse | sentence2_binary_parse | sentence1_parse | sentence2_parse | "
    "sentence1 | sentence2 | promptID | pairID | genre | label1 | label2 | label3 | label4 | label5 | "
    "sentence1_tokenized | sentence2_tokenized | match"
)


def xnli_row(language: str, label: str, first: str, second: str, pair: int) -> str:
    head = [language, label, "", "", "", "", first, second, "9", str(pair), "letters"]
    return " | ".join([*head, *[label] * 5, first, second, "True"])


#: German stands first and its pairs in another order than the English ones.
XNLI_TSV = tsv(
    XNLI_COLUMNS,
    xnli_row("de", "contradiction", REGEN, TROCKEN, 12),
    xnli_row("de", "entailment", REGEN, NASS, 11),
    xnli_row("en", "entailment", RAIN, WET, 11),
    xnli_row("en", "contradiction", RAIN, DRY, 12),
    xnli_row("en", "neutral", WET, SUN, 13),
)
XNLI_JSONL = jsonl(
    {"language": "en", "gold_label": "entailment", "sentence1": RAIN, "sentence2": WET, "pairID": "11"},
    {"language": "en", "gold_label": "contradiction", "sentence1": RAIN, "sentence2": DRY, "pairID": "12"},
    {"language": "en", "gold_label": "neutral", "sentence1": WET, "sentence2": SUN, "pairID": "13"},
)

MNLI_JSONL = jsonl(
    {"gold_label": "entailment", "sentence1": RAIN, "sentence2": WET, "pairID": "7e", "genre": "letters"},
    {"gold_label": "-", "sentence1": RAIN, "sentence2": SUN, "pairID": "7n", "genre": "letters"},
    {"gold_label": "contradiction", "sentence1": RAIN, "sentence2": DRY, "pairID": "7c", "genre": "letters"},
)
MNLI_PAIRS = [ClassItem("7e", RAIN, WET, 0), ClassItem("7c", RAIN, DRY, 2)]
MNLI_GLUE = tsv(
    "index | promptID | pairID | genre | sentence1_binary_parse | sentence2_binary_parse | sentence1_parse | "
    "sentence2_parse | sentence1 | sentence2 | label1 | gold_label",
    f"0 | 7 | 7e | letters | () | () | () | () | {RAIN} | {WET} | entailment | entailment",
    f"1 | 7 | 7n | letters | () | () | () | () | {RAIN} | {SUN} | neutral | -",
    f'2 | 8 | 8c | letters | () | () | () | () | "Rain!" he said. | {DRY} | contradiction | contradiction',
)


def anli(turn: int) -> str:
    return jsonl(
        {
            "uid": f"u{turn}",
            "context": RAIN,
            "hypothesis": f"Round {turn}: {WET}",
            "label": "e",
            "reason": "",
        },
        {"uid": f"v{turn}", "context": RAIN, "hypothesis": DRY, "label": "c"},
    )


ANLI_ITEMS = [
    item
    for turn in (1, 2, 3)
    for item in (
        ClassItem(f"r{turn}-u{turn}", RAIN, f"Round {turn}: {WET}", 0),
        ClassItem(f"r{turn}-v{turn}", RAIN, DRY, 2),
    )
]

SICK_TABLE = tsv(
    "pair_ID | sentence_A | sentence_B | relatedness_score | entailment_judgment",
    f"4 | {RAIN} | {WET} | 4.1 | ENTAILMENT\r",
    f"9 | {RAIN} | {DRY} | 3.0 | CONTRADICTION\r",
    f"12 | {WET} | {SUN} | 1.7 | NEUTRAL\r",
)
SICK_ITEMS = [ClassItem("4", RAIN, WET, 0), ClassItem("9", RAIN, DRY, 2), ClassItem("12", WET, SUN, 1)]

PAWS = tsv("id | sentence1 | sentence2 | label", f"1 | {RAIN} | {WET} | 0", f'2 | "{SUN}" | Warm it is. | 1')
QQP = tsv(
    "id | qid1 | qid2 | question1 | question2 | is_duplicate",
    "133 | 213 | 214 | Why is it wet? | Where is it wet? | 0",
    "77 | 1 | 2 | broken by a line feed",
    "70 | 121 | 122 | How warm is it? | What is the temperature? | 1",
)
QQP_ITEMS = [
    ClassItem("133", "Why is it wet?", "Where is it wet?", 0),
    ClassItem("70", "How warm is it?", "What is the temperature?", 1),
]


def causes(language: str) -> str:
    return jsonl(
        *(
            {"premise": p, "choice1": a, "choice2": b, "question": q, "label": y, "idx": i, "changed": False}
            for i, (p, a, b, q, y) in enumerate(
                [(REGEN, NASS, TROCKEN, "effect", 0), (NASS, "Die Sonne schien.", REGEN, "cause", 1)]
            )
        )
    )


CAUSES = [
    ChoiceItem("0", f"{REGEN} What happened as a result?", (NASS, TROCKEN), 0),
    ChoiceItem("1", f"{NASS} What was the cause?", ("Die Sonne schien.", REGEN), 1),
]
COPA_ROWS = ((1, "effect", 1), (400, "cause", 2), (401, "effect", 2), (500, "cause", 1), (1401, "effect", 1))
COPA_XML = "\n".join(
    [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<!DOCTYPE copa-corpus SYSTEM "copa.dtd">',
        '<copa-corpus version="1.0">',
        *(
            f'<item id="{i}" asks-for="{asks}" most-plausible-alternative="{right}">\n  <p>It rains &amp; rains.</p>\n'
            f"  <a1>{WET}</a1>\n  <a2>{DRY}</a2>\n</item>"
            for i, asks, right in COPA_ROWS
        ),
        "</copa-corpus>",
    ]
)
COPA_ITEMS = {
    i: ChoiceItem(
        str(i),
        f"It rains & rains. {'What happened as a result?' if asks == 'effect' else 'What was the cause?'}",
        (WET, DRY),
        right - 1,
    )
    for i, asks, right in COPA_ROWS
}

SIQA_FILE = jsonl(
    {
        "context": "Ada lent Bo a coat.",
        "question": "Why?",
        "answerA": "cold",
        "answerB": "heat",
        "answerC": "fun",
    },
    {
        "context": "Bo said thanks.",
        "question": "Then?",
        "answerA": "rage",
        "answerB": "fear",
        "answerC": "joy",
    },
)
SIQA_ITEMS = [
    ChoiceItem("1", "Ada lent Bo a coat. Why?", ("cold", "heat", "fun"), 0),
    ChoiceItem("2", "Bo said thanks. Then?", ("rage", "fear", "joy"), 2),
]
SWAG = [
    {"ind": 4, "ctx_a": "Ada opens a tin.", "ctx_b": "she", "ctx": "Ada opens a tin. she", "label": 2},
    {"ind": 9, "ctx_a": "Bo sleeps.", "ctx_b": "", "ctx": "Bo sleeps.", "label": 0},
]
ENDINGS = ["flies off.", "is a tin.", "eats.", "rains."]
SWAG_ROWS = [row | {"endings": ENDINGS, "source_id": "s", "split_type": "indomain"} for row in SWAG]
SWAG_ITEMS = [
    ChoiceItem("1", "Ada opens a tin.", ("she flies off.", "she is a tin.", "she eats.", "she rains."), 2),
    ChoiceItem("2", "Bo sleeps.", tuple(ENDINGS), 0),
]


def csqa(options: int, *keys: str) -> str:
    letters = "ABCDE"[:options]
    choices = [{"label": letter, "text": f"place {letter}"} for letter in letters]
    records: list[dict[str, Any]] = [
        {"id": f"q{i}", "question": {"stem": f"Where is item {i}?", "choices": choices}, "answerKey": key}
        for i, key in enumerate(keys)
    ]
    return jsonl(*records)


def csqa_items(options: int, *keys: str) -> list[Item]:
    texts = tuple(f"place {letter}" for letter in "ABCDE"[:options])
    return [ChoiceItem(f"q{i}", f"Where is item {i}?", texts, "ABCDE".index(k)) for i, k in enumerate(keys)]


COSMOS_ITEMS = [
    ChoiceItem("c1", 'Bo said "no, never", and left. Why?', ("He was cross.", "b", "c", "d"), 0),
    ChoiceItem("c2", "Ada sang. Where?", ("a", "b", "c", "At home."), 3),
]
COSMOS_CSV = (
    "id,context,question,answer0,answer1,answer2,answer3,label\n"
    'c1,"Bo said ""no, never"", and left.",Why?,He was cross.,b,c,d,0\n'
    "c2,Ada sang.,Where?,a,b,c,At home.,3\n"
)
COSMOS_ROWS = [
    {"id": "c1", "context": 'Bo said "no, never", and left.', "question": "Why?", "answer0": "He was cross."}
    | {"answer1": "b", "answer2": "c", "answer3": "d", "label": 0},
    {"id": "c2", "context": "Ada sang.", "question": "Where?", "answer0": "a"}
    | {"answer1": "b", "answer2": "c", "answer3": "At home.", "label": 3},
]

BRIDGE = "The old bridge is older than the bridge of 1912."


def squad(version: str, *questions: Mapping[str, Any]) -> str:
    paragraphs = [{"context": BRIDGE, "qas": list(questions)}]
    return json.dumps({"version": version, "data": [{"title": "Bridge", "paragraphs": paragraphs}]})


def answer(text: str, start: int) -> dict[str, Any]:
    return {"text": text, "answer_start": start}


WHAT = {"id": "s1", "question": "What is old?", "answers": [answer("bridge", 8), answer("bridge", 8)]}
#: the start is three characters off, as in translated files
WHEN = {"id": "s2", "question": "When?", "answers": [answer("1912", 40), answer("of 1912", 40)]}
WHO = {"id": "s3", "question": "Who?", "answers": [], "is_impossible": True}
WHICH = {"id": "s4", "question": "Which is younger?", "answers": [answer("bridge", 30)]}
SQUAD_ITEMS = [
    SpanItem("s1", "What is old?", BRIDGE, ((8, "bridge"),)),
    SpanItem("s2", "When?", BRIDGE, ((43, "1912"), (40, "of 1912"))),
]
#: there are two bridges, and the second is nearer to where the file says
NEAREST = SpanItem("s4", "Which is younger?", BRIDGE, ((33, "bridge"),))
NO_ANSWER = SpanItem("s3", "Who?", BRIDGE, ())

TAGGED = [
    TagItem("1", ("It", "rains", "."), ("NP", "S[dcl]\\NP", ".")),
    TagItem("2", ("|", "sleeps"), ("NP", "S[dcl]\\NP")),
]
AUTO = (
    "ID=wsj_0001.1 PARSER=GOLD NUMPARSE=1\n(<T S[dcl] 0 2> (<T S[dcl] 1 2> (<L NP PRP PRP It NP>) "
    "(<L S[dcl]\\NP VBZ VBZ rains S[dcl]\\NP_1>) ) (<L . . . . .>) ) \n"
)
AUTO_ITEM = TagItem("wsj_0001.1", TAGGED[0].words, TAGGED[0].tags)


@dataclass(frozen=True, slots=True)
class Case:
    """Files of a task, and the items that they hold."""

    task: str
    files: Mapping[str, str]
    items: list[Any]
    split: str = "validation"
    language: str = "en"


CASES = {
    "xnli, all languages in one file": Case("xnli", {"xnli.dev.tsv": XNLI_TSV}, ENGLISH_PAIRS),
    "xnli, pairs in another order": Case(
        "xnli", {"XNLI-1.0/xnli.test.tsv": XNLI_TSV}, GERMAN_PAIRS[::-1], "test", "de"
    ),
    "xnli, jsonl": Case("xnli", {"xnli.dev.jsonl": XNLI_JSONL}, ENGLISH_PAIRS),
    "xnli, one file a language": Case(
        "xnli",
        {"test-de.tsv": tsv(f"{REGEN} | {NASS} | entailment\r", f"{REGEN} | {TROCKEN} | contradiction\r")},
        GERMAN_PAIRS,
        "test",
        "de",
    ),
    "xnli, with a header": Case(
        "xnli",
        {"dev-ko.tsv": tsv("premise | hypothesis | label", "가 | 나 | neutral", "가 | 다 | entailment")},
        [ClassItem("1", "가", "나", 1), ClassItem("2", "가", "다", 0)],
        language="ko",
    ),
    "xnli, quotes as XTREME writes them": Case(
        "xnli",
        {"dev-en.tsv": tsv(f'"He said ""so""." | {WET} | neutral', f'"So," he said. | {DRY} | entailment')},
        [ClassItem("1", 'He said "so".', WET, 1), ClassItem("2", '"So," he said.', DRY, 0)],
    ),
    "xnli, machine-translated training data": Case(
        "xnli",
        {
            "multinli/multinli.train.de.tsv": tsv(
                "premise | hypo | label",
                f"{REGEN} | {NASS} | entailment",
                f"{REGEN} | {TROCKEN} | contradictory",
            )
        },
        GERMAN_PAIRS,
        "train",
        "de",
    ),
    "xnli, English training data is MultiNLI": Case(
        "xnli", {"multinli_1.0/multinli_1.0_train.jsonl": MNLI_JSONL}, MNLI_PAIRS, "train"
    ),
    "mnli, original": Case("mnli", {"multinli_1.0_dev_matched.jsonl": MNLI_JSONL}, MNLI_PAIRS),
    "mnli, GLUE": Case(
        "mnli",
        {"MNLI/train.tsv": MNLI_GLUE},
        [MNLI_PAIRS[0], ClassItem("8c", '"Rain!" he said.', DRY, 2)],
        "train",
    ),
    "mnli, machine-translated": Case(
        "mnli",
        {
            "multinli_1.0_train.txt": tsv(
                "gold_label | sentence1 | sentence2 | pairID",
                f"neutral | {REGEN} | {NASS} | 1n",
                f"entailment | {REGEN} | {NASS} | 1e",
            )
        },
        [ClassItem("1n", REGEN, NASS, 1), ClassItem("1e", REGEN, NASS, 0)],
        "train",
        "de",
    ),
    "anli": Case("anli", {f"R{turn}/dev.jsonl": anli(turn) for turn in (1, 2, 3)}, ANLI_ITEMS),
    "anli_mnli": Case(
        "anli_mnli",
        {f"anli/anli_v1.0/R{turn}/train.jsonl": anli(turn) for turn in (1, 2, 3)}
        | {"mnli/multinli_1.0_train.jsonl": MNLI_JSONL},
        [
            *(ClassItem(f"anli-{item.id}", item.first, item.second, item.label) for item in ANLI_ITEMS),
            *(ClassItem(f"mnli-{item.id}", item.first, item.second, item.label) for item in MNLI_PAIRS),
        ],
        "train",
    ),
    "sick": Case("sick", {"SICK_test_annotated.txt": SICK_TABLE}, SICK_ITEMS, "test"),
    "pawsx, original": Case(
        "pawsx",
        {"x-final/en/dev_2k.tsv": PAWS},
        [ClassItem("1", RAIN, WET, 0), ClassItem("2", f'"{SUN}"', "Warm it is.", 1)],
    ),
    "pawsx, translated": Case(
        "pawsx",
        {
            "de/translated_train.tsv": tsv(
                "id | sentence1 | sentence2 | label",
                f"1 | {REGEN} | {NASS} | 0",
                f"4 | {REGEN} | {REGEN} | 1",
            )
        },
        [ClassItem("1", REGEN, NASS, 0), ClassItem("4", REGEN, REGEN, 1)],
        "train",
        "de",
    ),
    "pawsx, one file a language": Case(
        "pawsx",
        {"test-de.tsv": tsv(f'"{REGEN[:-1]} ""sehr""." | {NASS} | 0', "NS | NS | 1")},
        [ClassItem("1", 'Es regnet "sehr".', NASS, 0), ClassItem("2", "NS", "NS", 1)],
        "test",
        "de",
    ),
    "qqp": Case("qqp", {"QQP/dev.tsv": QQP}, QQP_ITEMS),
    "xcopa, repository": Case("xcopa", {"data/et/test.et.jsonl": causes("et")}, CAUSES, "test", "et"),
    "xcopa, flat": Case("xcopa", {"val.sw.jsonl": causes("sw")}, CAUSES, language="sw"),
    "copa, xml, training": Case(
        "copa", {"copa-dev.xml": COPA_XML}, [COPA_ITEMS[1], COPA_ITEMS[400]], "train"
    ),
    "copa, xml, validation": Case(
        "copa", {"datasets/balanced-copa-dev-all.xml": COPA_XML}, [COPA_ITEMS[401], COPA_ITEMS[500]]
    ),
    "copa, SuperGLUE": Case(
        "copa",
        {"COPA/val.jsonl": causes("en")},
        [ChoiceItem(f"superglue-{item.id}", item.context, item.options, item.label) for item in CAUSES],
    ),
    "siqa": Case("siqa", {"dev.jsonl": SIQA_FILE, "dev-labels.lst": "1\n3\n"}, SIQA_ITEMS),
    "hellaswag": Case("hellaswag", {"data/hellaswag_val.jsonl": jsonl(*SWAG_ROWS)}, SWAG_ITEMS),
    "commonsense_qa 1.0": Case(
        "commonsense_qa", {"dev_rand_split.jsonl": csqa(3, "B", "A", "C")}, csqa_items(3, "B", "A", "C")
    ),
    "commonsense_qa 1.11": Case(
        "commonsense_qa", {"train_rand_split.jsonl": csqa(5, "E", "A")}, csqa_items(5, "E", "A"), "train"
    ),
    "cosmos_qa, csv": Case("cosmos_qa", {"data/valid.csv": COSMOS_CSV}, COSMOS_ITEMS),
    "cosmos_qa, jsonl": Case("cosmos_qa", {"train.jsonl": jsonl(*COSMOS_ROWS)}, COSMOS_ITEMS, "train"),
    "squad 1.1": Case(
        "squad_v1", {"dev-v1.1.json": squad("1.1", WHAT, WHEN, WHICH)}, [*SQUAD_ITEMS, NEAREST]
    ),
    "squad 2.0": Case(
        "squad_v2",
        {
            "train-v2.0.json": squad(
                "v2.0",
                WHAT | {"is_impossible": False},
                WHO | {"answers": [answer("old", 4)]},
            )
        },
        [SQUAD_ITEMS[0], NO_ANSWER],
        "train",
    ),
    "ccg, word and category": Case(
        "ccg",
        {"dev.txt": "It|NP rains|S[dcl]\\NP .|.\n\n||NP sleeps|S[dcl]\\NP\n"},
        TAGGED,
    ),
    "ccg, word, part of speech and category": Case(
        "ccg",
        {
            "wsj23.stagged": "# a comment\n\nIt|PRP|NP rains|VBZ|S[dcl]\\NP .|.|.\n||NN|NP sleeps|VBZ|S[dcl]\\NP\n"
        },
        TAGGED,
        "test",
    ),
    "ccg, CCGbank": Case(
        "ccg", {"data/AUTO/00/wsj_0001.auto": AUTO, "data/AUTO/02/wsj_0200.auto": "nothing"}, [AUTO_ITEM]
    ),
}


def put(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
    return folder


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
    assert {case.task for case in CASES.values()} == set(TASKS)


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
]


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
    given = hub(*rows)
    assert load_items(task, split, language) == items
    assert given.asked == asked
    assert source_files(task, split, language, None) == ()


def test_every_task_on_the_hub_has_rows() -> None:
    assert (
        {case[0] for case in HUB_CASES}
        == {name for name, task in TASKS.items() if task.hub}
        == set(TASKS) - {"ccg"}
    )


def test_labels_of_the_hub_in_another_order_are_refused(hub: Callable[..., Hub]) -> None:
    hub(*GOLD, names=NLI_NAMES)
    assert [item.label for item in load_items("xnli", "test", "sw")] == [0, 2]
    hub(*GOLD, names=NLI_NAMES[::-1])
    assert "the labels are numbered contradiction, neutral, entailment" in str(refused("xnli", "test", "sw"))


def test_placeholders_of_the_hub_are_refused(hub: Callable[..., Hub]) -> None:
    hub(*(row | {"label": -1} for row in JSON_CAUSES))
    error = str(refused("copa", "test", "en"))
    assert "aps/super_glue (copa, test)" in error
    assert "XTREME strips its test labels" in error
    hub(*(row | {"label": -1} for row in PREMISES))
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
    assert (
        "the package datasets is not installed; install it with pip install 'gainlaw[train]', or give"
        in error
    )


def test_what_the_hub_lacks_points_to_local_files(hub: Callable[..., Hub]) -> None:
    given = hub()
    assert "has no test split in 'my'; give a folder of local files" in str(refused("xnli", "test", "my"))
    assert "ccg is not on the hub; its terms (LDC" in str(refused("ccg", "train", "en"))
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
    assert "train" in task.splits or task.english_side
    assert bool(task.classes) == (task.kind == "classification")
    assert task.local.layout
    assert task.licence
    assert task.citation
    assert task.kind == "choice" or task.n_options is None
    known = TARGETS.get(task.name)
    if known is not None and task.n_classes is not None:
        assert task.n_classes == known.n_classes


def test_the_registry_is_light() -> None:
    code = "import gainlaw.training.tasks, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"numpy", "pandas", "torch", "transformers", "datasets"}


# Scores


def test_choices_and_classes_are_scored_by_accuracy() -> None:
    scores = score_items(TASKS["xnli"], ENGLISH_PAIRS, [0, 2, 2])
    assert (scores.metric, scores.score, scores.n_correct, scores.n_examples) == ("accuracy", 2 / 3, 2, 3)
    assert scores.examples == ("1", "2", "3")
    assert scores.values == (1.0, 1.0, 0.0)
    assert score_items(TASKS["siqa"], SIQA_ITEMS, [0, 1]).score == 0.5


def test_words_are_scored_one_by_one() -> None:
    scores = score_items(TASKS["ccg"], TAGGED, [["NP", "NP", "."], ["NP", "S[dcl]\\NP"]])
    assert (scores.score, scores.n_correct, scores.n_examples) == (0.8, 4, 5)
    assert scores.examples == ("1.0", "1.1", "1.2", "2.0", "2.1")
    with pytest.raises(InputError, match="not one tag a word in 1 items, the first is '2'"):
        score_items(TASKS["ccg"], TAGGED, [["NP", "NP", "."], ["NP"]])


def test_spans_are_scored_by_exact_match_and_word_overlap() -> None:
    items = [*SQUAD_ITEMS, NO_ANSWER]
    scores = score_items(TASKS["squad_v2"], items, ["The BRIDGE!", "year of 1912", "nobody"])
    assert scores.values == (1.0, 0.0, 0.0)
    assert (scores.metric, scores.n_correct) == ("exact_match", 1)
    # two of three predicted words are both words of the answer: F1 = 2 * 2 / (3 + 2)
    assert scores.f1 == pytest.approx((1.0 + 0.8 + 0.0) / 3)
    assert score_items(TASKS["squad_v2"], [NO_ANSWER], [""]).score == 1.0


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
        score_items(TASKS["xnli"], ENGLISH_PAIRS, [0, 1])
    with pytest.raises(InputError, match="nothing to score"):
        score_items(TASKS["xnli"], [], [])


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
