"""Tasks that nobody edited the package for: task files, entry points, and what is scored by F1 or retrieval."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.errors import InputError
from gainlaw.training.experiment.reading import parse_experiment
from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.items.declaration import read_declaration
from gainlaw.training.items.declared import declared_task
from gainlaw.training.items.items import ChoiceItem, ClassItem, PairItem, SpanItem, TagItem
from gainlaw.training.items.loading import load_items
from gainlaw.training.runs.graph import build_graph
from tiny_training import CONFIGS, TOKENIZERS, config_of, run_here, toml

AMERICASNLI = """
name = "americasnli"
title = "AmericasNLI"
kind = "classification"
languages = ["aym", "quy"]
classes = ["entailment", "neutral", "contradiction"]
train = ["mnli"]
files = { validation = "dev/{language}.tsv", test = "test/{language}.tsv" }
columns = { id = "id", first = "premise", second = "hypothesis", label = "label" }
"""
MED = """
name = "med"
kind = "classification"
languages = ["en"]
classes = ["entailment", "neutral", "contradiction"]
merged = { contradiction = "neutral" }
train = ["mnli"]
files = { test = "MED.tsv" }
columns = { id = "pairID", first = "sentence1", second = "sentence2", label = "gold_label" }
"""
COSMOS = """
name = "everyday"
kind = "choice"
languages = ["en"]
files = { train = "train.csv", validation = "valid.csv" }
columns = { id = "id", context = "context", question = "question", options = ["a0", "a1", "a2", "a3"], label = "label" }
"""

RAINS = ("It rains.", "The road is wet.")


def nli_rows(language: str) -> str:
    labels = ("entailment", "neutral", "contradiction", "entailment")
    rows = [f"{n}\t{language}\tIt rains {n}.\tThe road is {n}.\t{each}" for n, each in enumerate(labels)]
    return "\n".join(["id\tlanguage\tpremise\thypothesis\tlabel", *rows, ""])


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Return a folder with task files and data in the formats of AmericasNLI, MED and CosmosQA."""
    head = ("index", "promptID", "pairID", "genre", "sentence1", "sentence2", "label1", "gold_label")
    med = ["\t".join(head)]
    med += [
        f"{n}\t{n}\tp{n}\tpaper:up\tSome dogs {n} ran.\tSome ran.\t\t{g}"
        for n, g in enumerate(["entailment", "neutral"])
    ]
    choice = "id,context,question,a0,a1,a2,a3,label\n"
    choice += (
        'a,"It rained, and Ada left.",Why?,wet,dry,"warm, old",none,2\nb,The sun is warm.,Where?,w,x,y,z,0\n'
    )
    mnli = [
        {"gold_label": g, "sentence1": "It rains.", "sentence2": w, "pairID": w}
        for g, w in (("entailment", "Wet."), ("neutral", "Sun."), ("contradiction", "Dry."))
    ]
    return write(
        tmp_path,
        {
            "tasks/americasnli.toml": AMERICASNLI,
            "tasks/dev/aym.tsv": nli_rows("aym"),
            "tasks/test/aym.tsv": nli_rows("aym"),
            "tasks/test/quy.tsv": nli_rows("quy"),
            "tasks/med.toml": MED,
            "tasks/MED.tsv": "\n".join([*med, ""]),
            "cosmos/everyday.toml": COSMOS,
            "cosmos/train.csv": choice,
            "cosmos/valid.csv": choice,
            "mnli/multinli_1.0_train.jsonl": "".join(json.dumps(row) + "\n" for row in mnli),
        },
    )


def tiny(folder: Path, **keys: Any) -> Experiment:
    from gainlaw.training.train.backbones import make_model

    model = folder / "bert"
    if not model.exists():
        tokenizer = TOKENIZERS["wordpiece"]()
        make_model(config_of("bert", tokenizer), "encoder", 1).save_pretrained(model)
        tokenizer.save_pretrained(model)
    given: dict[str, Any] = {
        "name": "tiny",
        "checkpoints": [{"name": "bert", "model_family": "BERT", "path": "bert", "params": 10**6}],
        "training": {"steps": 2, "batch_size": 4, "max_length": 32},
    }
    text = "\n".join(f"{key} = {toml(value)}" for key, value in (given | keys).items())
    return parse_experiment(text, folder, "tiny.toml")


FILES = ["tasks/americasnli.toml", "tasks/med.toml", "cosmos/everyday.toml"]


def test_three_task_files_are_short_and_read(study: Path) -> None:
    assert max(text.strip().count("\n") + 1 for text in (AMERICASNLI, MED, COSMOS)) < 15
    found = tiny(study, tasks=FILES, targets=[{"task": "med"}], data={"mnli": "mnli"})
    tasks = {name: declared_task(table) for name, table in found.own_tasks.items()}
    nli = load_items(tasks["americasnli"], "test", "quy", study / "tasks")
    assert nli[2] == ClassItem("2", "It rains 2.", "The road is 2.", 2)
    assert [item.id for item in load_items(tasks["med"], "test", "en", study / "tasks")] == ["p0", "p1"]
    first = load_items(tasks["everyday"], "train", "en", study / "cosmos")[0]
    options = ("wet", "dry", "warm, old", "none")
    assert first == ChoiceItem("a", "It rained, and Ada left. Why?", options, 2, "Why?")
    assert (tasks["med"].n_classes, tasks["med"].title, tasks["americasnli"].title) == (
        2,
        "med",
        "AmericasNLI",
    )
    assert (tasks["everyday"].n_options, tasks["everyday"].evaluation_split) == (4, "validation")


def test_declared_tasks_are_trained_scored_and_analysed(study: Path) -> None:
    intermediates = [{"name": "everyday", "tasks": ["everyday"]}]
    targets = [{"task": "AmericasNLI"}, {"task": "med"}, {"task": "everyday"}]
    given = tiny(study, tasks=FILES, targets=targets, intermediates=intermediates, data={"mnli": "mnli"})
    graph = run_here(given, study / "run")
    table = pd.read_csv(study / "run" / "evaluations.csv", keep_default_na=False)
    assert set(zip(table["task"], table["language"], strict=True)) == {
        ("americasnli", "aym"),
        ("americasnli", "quy"),
        ("med", "en"),
        ("everyday", "en"),
    }
    assert dict(zip(table["task"], table["n_classes"], strict=True)) == {
        "americasnli": 3,
        "med": 2,
        "everyday": 4,
    }
    # MED's neutral is right where the head of three says contradiction
    (cell,) = [c for c in graph.cells if (c.task, c.intermediate) == ("med", "none")]
    items = pd.read_parquet(study / "run" / "units" / cell.unit / "predictions.parquet")
    merged = {2: 1}
    expected = [merged.get(p, p) == g for p, g in zip(items["prediction"], items["label"], strict=True)]
    assert items["correct"].tolist() == [float(each) for each in expected]
    gains = gl.read_evaluations(study / "run" / "evaluations.csv").gains(scale="points")
    assert len(gains.frame) == 4
    assert gains.frame["se"].gt(0).all()


def test_what_a_task_file_says_is_in_the_keys_and_its_words_are_not(study: Path) -> None:
    def keys(text: str) -> dict[str, str]:
        (study / "tasks/med.toml").write_text(text, encoding="utf-8")
        given = tiny(study, tasks=["tasks/med.toml"], targets=[{"task": "med"}], data={"mnli": "mnli"})
        return {unit.kind: unit.key for unit in build_graph(given).units.values()}

    first, titled = keys(MED), keys(MED + 'title = "MED"\nnotes = ["Hard."]\n')
    assert titled == first
    swapped = keys(
        MED.replace('first = "sentence1", second = "sentence2"', 'first = "sentence2", second = "sentence1"')
    )
    assert {kind for kind in first if swapped[kind] != first[kind]} == {"evaluate"}


OTHERS = {
    "letters, and a list of options": (
        {"kind": "choice", "columns": {"context": "q", "options": "o", "label": "a"}, "counted_from": "A"},
        '{"q": "Who?", "o": ["Ada", "Bo"], "a": "B"}\n{"q": "Who?", "o": ["Ada", "Bo", "C"], "a": "A"}\n',
        [ChoiceItem("1", "Who?", ("Ada", "Bo"), 1), ChoiceItem("2", "Who?", ("Ada", "Bo", "C"), 0)],
    ),
    "labels of other names, one left out": (
        {
            "kind": "classification",
            "columns": {"first": "t", "label": "l", "language": "lang"},
            "classes": ["bad", "good"],
            "labels": {"0": "bad", "+": "good"},
            "drop": ["?"],
            "names": {"sw": "swa"},
            "languages": ["sw"],
        },
        '{"t": "a", "l": 0, "lang": "swa"}\n{"t": "b", "l": "?", "lang": "swa"}\n'
        '{"t": "c", "l": "+", "lang": "eng"}\n{"t": "d", "l": "Good", "lang": "sw"}\n',
        [ClassItem("1", "a", "", 0), ClassItem("3", "d", "", 1)],
    ),
    "spans as records": (
        {"kind": "span", "columns": {"id": "qid", "question": "q", "context": "c", "answers": "gold"}},
        '{"qid": "x", "q": "When?", "c": "In 1912.", "gold": [{"text": "1912", "answer_start": 3}]}\n',
        [SpanItem("x", "When?", "In 1912.", ((3, "1912"),))],
    ),
    "words and tags": (
        {"kind": "tagging", "columns": {"words": "w", "tags": "t"}},
        '{"w": ["Ada", "left"], "t": ["N", "V"]}\n',
        [TagItem("1", ("Ada", "left"), ("N", "V"))],
    ),
    "pairs": (
        {"kind": "retrieval", "columns": {"first": "x", "second": "y"}},
        '{"x": "Es regnet.", "y": "It rains."}\n',
        [PairItem("1", "Es regnet.", "It rains.")],
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_forms(name: str, tmp_path: Path) -> None:
    own, text, items = OTHERS[name]
    write(tmp_path, {"test.jsonl": text})
    table = {"name": "mine", "languages": ["en"], "files": {"test": "test.jsonl"}} | own
    task = declared_task(table)
    assert load_items(task, "test", task.languages[0], tmp_path) == items
    assert declared_task(task.record or {}).record == task.record


@pytest.mark.parametrize(
    ("own", "key", "words"),
    [
        (
            {"kind": "classification", "columns": {"first": "a"}, "classes": ["x", "y"]},
            "columns",
            "which column is label",
        ),
        ({"kind": "classification", "columns": {"first": "a", "label": "b"}}, "classes", "two classes"),
        ({"kind": "span", "metric": "bleu"}, "metric", "no score of span"),
        ({"kind": "tagging", "entities": True}, "metric", "micro_f1"),
        ({"kind": "retrieval"}, "columns", "first, second"),
        ({"kind": "span", "files": {}}, "files", "nothing says where"),
        ({"kind": "span", "files": {"test": "{lang}.json"}}, "files.test", "{language}"),
        ({"kind": "span", "files": {"test": "/etc/x.json"}}, "files.test", "starts at the folder"),
        ({"kind": "span", "colums": {}}, "colums", "no such key"),
        ({"kind": "span", "chance": 1.5}, "chance", "less than 1"),
        ({"kind": "span", "evaluation_split": "validation"}, "evaluation_split", "no validation"),
        ({"kind": "span", "hub": {"name": "noowner", "splits": {"test": "test"}}}, "hub.name", "match"),
        ({"kind": "span", "names": {"zz": "y"}}, "names", "zz not among"),
        (
            {
                "name": "belebele",
                "kind": "choice",
                "columns": {"context": "c", "options": ["a", "b"], "label": "l"},
            },
            "name",
            "4 answers",
        ),
    ],
)
def test_faults_of_a_task_file_name_their_key(own: dict[str, Any], key: str, words: str) -> None:
    table = {"name": "mine", "languages": ["en"], "files": {"test": "a.json"}} | own
    with pytest.raises(InputError) as error:
        read_declaration(table, "mine.toml")
    assert [p.column for p in error.value.problems] == [key]
    assert words in str(error.value)


def test_faults_of_task_files_are_told_with_those_of_the_experiment(study: Path) -> None:
    write(
        study, {"copy.toml": MED, "known.toml": MED.replace('"med"', '"xnli"'), "tasks/bad.toml": "name = 3"}
    )
    files = ["tasks/med.toml", "copy.toml", "known.toml", "tasks/bad.toml", "nowhere.toml"]
    with pytest.raises(InputError) as error:
        tiny(study, tasks=files, targets=[{"task": "med", "train": ["everyday"]}], data={"mnli": "mnli"})
    columns = [p.column for p in error.value.problems]
    assert {"tasks[2]", "tasks[3]", "tasks[4]", "tasks[5]", "targets[1].train"} == set(columns)
    names = '["entailment", "neutral", "contradiction"]'
    write(study, {"tasks/med.toml": MED.replace(names, '["neutral", "entailment", "contradiction"]')})
    with pytest.raises(InputError, match="does not train the head of med"):
        tiny(study, tasks=["tasks/med.toml"], targets=[{"task": "med"}], data={"mnli": "mnli"})


def test_an_installed_package_brings_a_task(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proverbs.py": textwrap.dedent(
                """
                from gainlaw.tasks import Task
                from gainlaw.training.items.files import one_of, parse_with, read_jsonl
                from gainlaw.training.items.items import ClassItem
                from gainlaw.training.items.task import LocalSource, TrainingTask

                def item(row):
                    return ClassItem(str(row.number), row.cells["t"], "", row.cells["l"])

                TASK = TrainingTask(
                    "proverbs", "classification", ("en",), {"test": ("en",), "train": ("en",)},
                    LocalSource(one_of("Proverbs", lambda s, l: [f"{s}.jsonl"]), parse_with(read_jsonl, item), "files"),
                    classes=("no", "yes"), facts=Task("proverbs", "Proverbs", 2),
                )
                """
            ),
            "proverbs-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: proverbs\nVersion: 1.0\n",
            "proverbs-1.0.dist-info/entry_points.txt": "[gainlaw.tasks]\nproverbs = proverbs:TASK\n",
        },
    )
    code = """
import sys
from gainlaw.training.items.registry import MODULES, find_task
print(find_task("Proverbs").title, MODULES["proverbs"])
"""

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{code}"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run().stdout == "Proverbs proverbs\n"
    (tmp_path / "proverbs.py").write_text("TASK = 3\n", encoding="utf-8")
    assert "the entry point proverbs of gainlaw.tasks is no task" in run().stderr


def test_spans_tags_and_retrieval_are_scored_with_errors(tmp_path: Path) -> None:
    texts = ("The old bridge of 1912 is wet.", "Ada lent Bo a coat in 1950.", "The sun is warm.")
    squad = [
        {
            "id": str(n),
            "question": "When?",
            "context": text,
            "answers": [{"text": text.split()[1], "answer_start": text.index(text.split()[1])}],
        }
        for n, text in enumerate(texts * 4)
    ]
    tags = "It\tO\nrains\tO\n\nAda\tB-PER\nleft\tO\nBo\tB-PER\n\nthe\tO\nsun\tB-LOC\n\n" * 3
    write(
        tmp_path,
        {
            "spans.toml": 'name = "asked"\nkind = "span"\nlanguages = ["en"]\n'
            'files = { train = "q.jsonl", test = "q.jsonl" }\n',
            "q.jsonl": "".join(json.dumps(each) + "\n" for each in squad),
            "wikiann/en/train": tags,
            "wikiann/en/test": tags,
            "tatoeba/tatoeba.deu-eng.deu": "Es regnet.\nDie Sonne.\nDie Straße ist nass.\n",
            "tatoeba/tatoeba.deu-eng.eng": "It rains.\nThe sun.\nThe road is wet.\n",
        },
    )
    given = tiny(
        tmp_path,
        tasks=["spans.toml"],
        targets=[
            {"task": "asked"},
            {"task": "wikiann_ner", "languages": ["en"]},
            {"task": "tatoeba", "languages": ["de"], "layer": 1},
        ],
        intermediates=[{"name": "more", "tasks": ["asked"]}],
        data={"wikiann_ner": "wikiann", "tatoeba": "tatoeba"},
    )
    graph = run_here(given, tmp_path / "run")
    table = pd.read_csv(tmp_path / "run" / "evaluations.csv").set_index(["task", "metric", "intermediate"])
    rows = {
        ("asked", "exact_match"),
        ("asked", "token_f1"),
        ("wikiann_ner", "micro_f1"),
        ("tatoeba", "accuracy"),
    }
    assert {(task, metric) for task, metric, _ in table.index} == rows
    counted = table["n_correct"].notna()
    assert set(table.index[counted].get_level_values("metric")) == {"exact_match", "accuracy"}
    assert table.loc[~counted, ["score"]].notna().all(axis=None)
    assert table.loc[~counted, "stderr"].gt(0).all()
    # what retrieval compares: mean states of layer 1, of the tokens of each text
    check_retrieval(tmp_path, graph)
    # and the statistics read the table, with the items of what is a share of right answers
    evaluations = gl.read_evaluations(tmp_path / "run" / "evaluations.csv")
    assert len(evaluations.frame) == 8


def check_retrieval(folder: Path, graph: Any) -> None:
    import torch
    from transformers import AutoModel

    (cell,) = [c for c in graph.cells if (c.task, c.intermediate) == ("tatoeba", "none")]
    assert cell.trained == ""
    found = pd.read_parquet(folder / "run" / "units" / cell.unit / "predictions.parquet")
    model, tokenizer = AutoModel.from_pretrained(folder / "bert").eval(), TOKENIZERS["wordpiece"]()
    sides = []
    for name in ("deu", "eng"):
        lines = (folder / f"tatoeba/tatoeba.deu-eng.{name}").read_text(encoding="utf-8").splitlines()
        with torch.inference_mode():
            states = [
                model(**tokenizer(line, return_tensors="pt"), output_hidden_states=True)
                .hidden_states[1][0]
                .mean(0)
                for line in lines
            ]
        sides.append(torch.nn.functional.normalize(torch.stack(states), dim=-1))
    cosines = (sides[0] @ sides[1].T).numpy()
    assert found["prediction"].tolist() == cosines.argmax(axis=1).tolist()
    assert found["cosine"].to_numpy() == pytest.approx(cosines.max(axis=1), abs=1e-5)  # fp32 in other batches
    assert CONFIGS["bert"]["num_hidden_layers"] == 2
