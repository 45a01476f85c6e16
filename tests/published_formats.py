"""Small files in the published formats of every task, and the items that they hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gainlaw.training.items.items import ChoiceItem, ClassItem, Item, PairItem, SpanItem, TagItem

# Every sentence was written for these tests.


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


EFFECT, CAUSE = "What happened as a result?", "What was the cause?"
CAUSES = [
    ChoiceItem("0", f"{REGEN} {EFFECT}", (NASS, TROCKEN), 0, EFFECT),
    ChoiceItem("1", f"{NASS} {CAUSE}", ("Die Sonne schien.", REGEN), 1, CAUSE),
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
    i: ChoiceItem(str(i), f"It rains & rains. {question}", (WET, DRY), right - 1, question)
    for i, asks, right in COPA_ROWS
    for question in [EFFECT if asks == "effect" else CAUSE]
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
    ChoiceItem("1", "Ada lent Bo a coat. Why?", ("cold", "heat", "fun"), 0, "Why?"),
    ChoiceItem("2", "Bo said thanks. Then?", ("rage", "fear", "joy"), 2, "Then?"),
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
    asked = [f"Where is item {i}?" for i in range(len(keys))]
    return [ChoiceItem(f"q{i}", asked[i], texts, "ABCDE".index(k), asked[i]) for i, k in enumerate(keys)]


COSMOS_ITEMS = [
    ChoiceItem("c1", 'Bo said "no, never", and left. Why?', ("He was cross.", "b", "c", "d"), 0, "Why?"),
    ChoiceItem("c2", "Ada sang. Where?", ("a", "b", "c", "At home."), 3, "Where?"),
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


PANX = "en:It\tO\nen:rains\tO\nen::\tO\n\nen:Ada\tB-PER\nen:sleeps\tO\n"
PANX_ITEMS = [TagItem("1", ("It", "rains", ":"), ("O",) * 3), TagItem("2", ("Ada", "sleeps"), ("B-PER", "O"))]
CONLLU = """# sent_id = a
# text = It rains.
1\tIt\tit\tPRON\tPRP\t_\t2\tnsubj\t_\t_
2\train\train\tVERB\tVBZ\t_\t0\troot\t_\t_

1-2\tdont\t_\t_\t_\t_\t_\t_\t_\t_
1\tdo\tdo\tAUX\t_\t_\t0\troot\t_\t_
2\tnt\tnot\tPART\t_\t_\t1\tadvmod\t_\t_
2.1\tsleep\tsleep\tVERB\t_\t_\t_\t_\t1:x\t_
3\t10 000\t10000\tNUM\t_\t_\t1\tobj\t_\t_
"""
WORDS = [(("It", "rain"), ("PRON", "VERB")), (("do", "nt", "10000"), ("AUX", "PART", "NUM"))]


CASES = {
    "xquad": Case("xquad", {"xquad.el.json": squad("1.1", WHAT, WHEN)}, SQUAD_ITEMS, "test", "el"),
    "mlqa": Case(
        "mlqa",
        {"MLQA_V1/test/test-context-hi-question-hi.json": squad("1.0", WHAT, WHEN)},
        SQUAD_ITEMS,
        "test",
        "hi",
    ),
    "tydiqa, all languages in one file": Case(
        "tydiqa_goldp",
        {
            "tydiqa-goldp-v1.1-train.json": squad(
                "1.1", WHAT | {"id": "finnish-7-0"}, WHAT | {"id": "english-7-0"}
            )
        },
        [replace(SQUAD_ITEMS[0], id="english-7-0")],
        "train",
    ),
    "tydiqa, one file a language": Case(
        "tydiqa_goldp",
        {"tydiqa-goldp-v1.1-dev/tydiqa-goldp-dev-swahili.json": squad("1.1", WHAT | {"id": "swahili-7-0"})},
        [replace(SQUAD_ITEMS[0], id="swahili-7-0")],
        language="sw",
    ),
    "pan-x": Case("wikiann_ner", {"en/dev": PANX}, PANX_ITEMS),
    "pan-x, as XTREME writes it": Case(
        "wikiann_ner", {"dev-en.tsv": PANX.replace("en::", ":").replace("en:", "")}, PANX_ITEMS
    ),
    "universal dependencies": Case(
        "udpos",
        {
            "UD_English-EWT/en_ewt-ud-dev.conllu": CONLLU,
            "UD_English-GUM/en_gum-ud-dev.conllu": CONLLU.replace("rain", "snow"),
        },
        [
            TagItem(f"en_{tree}-ud-dev-{n}", tuple(w.replace("rain", rain) for w in words), tags)
            for tree, rain in (("ewt", "rain"), ("gum", "snow"))
            for n, (words, tags) in enumerate(WORDS, 1)
        ],
    ),
    "tatoeba": Case(
        "tatoeba",
        {"tatoeba.deu-eng.deu": f"{REGEN}\n{NASS}\n", "tatoeba.deu-eng.eng": f"{RAIN}\n{WET}\n"},
        [PairItem("1", REGEN, RAIN), PairItem("2", NASS, WET)],
        "test",
        "de",
    ),
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
        [replace(item, id=f"superglue-{item.id}") for item in CAUSES],
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


def _every_split(task: str) -> dict[str, str]:
    """Return the files of all splits of a task, as its authors name them; xnli and xcopa have others' to train on."""
    two = causes("en")
    return {
        "xnli": {
            "multinli_1.0/multinli_1.0_train.jsonl": MNLI_JSONL,
            "xnli.dev.tsv": XNLI_TSV,
            "xnli.test.tsv": XNLI_TSV,
        },
        "xcopa": {"data/et/val.et.jsonl": two, "data/et/test.et.jsonl": two},
        "pawsx": {
            "x-final/en/train.tsv": PAWS,
            "x-final/en/dev_2k.tsv": PAWS,
            "x-final/en/test_2k.tsv": PAWS,
            "x-final/de/test_2k.tsv": PAWS,
        },
        "mnli": {"multinli_1.0_train.jsonl": MNLI_JSONL, "multinli_1.0_dev_matched.jsonl": MNLI_JSONL},
        "anli": {f"R{i}/{part}.jsonl": anli(i) for i in (1, 2, 3) for part in ("train", "dev", "test")},
        "sick": {
            "SICK_train.txt": SICK_TABLE,
            "SICK_trial.txt": SICK_TABLE,
            "SICK_test_annotated.txt": SICK_TABLE,
        },
        "qqp": {"QQP/train.tsv": QQP, "QQP/dev.tsv": QQP},
        "copa": {
            "copa-dev.xml": COPA_XML,
            "copa-test.xml": COPA_XML.replace('id="1"', 'id="501"').replace('id="400"', 'id="502"'),
        },
        "siqa": {
            f"{part}{end}": text
            for part in ("train", "dev")
            for end, text in ((".jsonl", SIQA_FILE), ("-labels.lst", "1\n3\n"))
        },
        "hellaswag": {f"hellaswag_{part}.jsonl": jsonl(*SWAG_ROWS) for part in ("train", "val")},
        "commonsense_qa": {
            "train_rand_split.jsonl": csqa(5, "E", "A", "B"),
            "dev_rand_split.jsonl": csqa(5, "B", "C"),
        },
        "cosmos_qa": {"train.csv": COSMOS_CSV, "valid.csv": COSMOS_CSV},
        "squad_v1": {f"{part}-v1.1.json": squad("1.1", WHAT, WHEN, WHICH) for part in ("train", "dev")},
        "squad_v2": {
            f"{part}-v2.0.json": squad("v2.0", WHAT | {"is_impossible": False}, WHO)
            for part in ("train", "dev")
        },
        "xquad": {f"xquad.{code}.json": squad("1.1", WHAT, WHEN, WHICH) for code in ("en", "sw")},
        "mlqa": {
            f"{part}/{part}-context-en-question-en.json": squad("1.0", WHAT, WHEN, WHICH)
            for part in ("dev", "test")
        },
        "tydiqa_goldp": {
            name: squad("1.1", *(each | {"id": f"english-{each['id']}"} for each in (WHAT, WHEN, WHICH)))
            for name in ("tydiqa-goldp-v1.1-train.json", "tydiqa-goldp-dev-english.json")
        },
        "wikiann_ner": {f"en/{part}": PANX for part in ("train", "dev", "test")},
        "udpos": {f"en_ewt-ud-{part}.conllu": CONLLU for part in ("train", "dev", "test")},
        "tatoeba": {
            "tatoeba.deu-eng.deu": f"{REGEN}\n{NASS}\n{TROCKEN}\n",
            "tatoeba.deu-eng.eng": f"{RAIN}\n{WET}\n{DRY}\n",
        },
        "ccg": {
            f"{part}.txt": "It|NP rains|S[dcl]\\NP .|.\n||NP sleeps|S[dcl]\\NP\n"
            for part in ("train", "dev", "test")
        },
    }[task]


def every_split(task: str) -> dict[str, str]:
    """Return small files of all splits that a task has, under their published names."""
    if task != "anli_mnli":
        return _every_split(task)
    return {f"{part}/{name}": text for part in ("anli", "mnli") for name, text in _every_split(part).items()}
