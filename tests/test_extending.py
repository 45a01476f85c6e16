"""What it takes to add something, done literally in a copy of the package, as the page on extending shows it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "extending.md"


def copy_package(folder: Path) -> Path:
    """Copy the package, beside the data and experiments of the checkout; return its folder."""
    package = folder / "src" / "gainlaw"
    shutil.copytree(ROOT / "src" / "gainlaw", package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("data", "runners"):
        (folder / name).symlink_to(ROOT / name)
    return package


def with_package(package: Path, *words: object) -> str:
    """Run Python with a copy of the package and the helpers of the tests; return what it prints."""
    places = os.pathsep.join(map(str, (package.parent, ROOT / "tests")))
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": places},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def on_the_page(*pieces: str) -> None:
    """Hold pieces of code against the page, which shows them."""
    if PAGE.is_file():
        page = PAGE.read_text(encoding="utf-8")
        assert [piece for piece in pieces if piece.strip() not in page] == []


# A task

TASK_ROW = "proverbs,Proverbs,2,accuracy,sayings\n"
TASK_MODULE = '''"""Proverbs: which of two endings a saying has."""

from __future__ import annotations

from gainlaw.training.items.files import one_of, parse_with, read_jsonl
from gainlaw.training.items.items import ChoiceItem
from gainlaw.training.items.rows import Row, identity, option_index, text_of
from gainlaw.training.items.task import LocalSource, TrainingTask

__all__ = ["TASKS"]

_LANGUAGES = ("en", "de", "sw")


def _names(split: str, language: str) -> list[str]:
    return [f"{split}.{language}.jsonl"]


def _item(row: Row) -> ChoiceItem:
    endings = (text_of(row, "ending1"), text_of(row, "ending2"))
    return ChoiceItem(identity(row, "id"), text_of(row, "saying"), endings, option_index(row, "label", 2))


TASKS = (
    TrainingTask(
        "proverbs",
        "choice",
        _LANGUAGES,
        {"train": ("en",), "validation": ("en",), "test": _LANGUAGES},
        LocalSource(one_of("Proverbs", _names), parse_with(read_jsonl, _item), "SPLIT.LANGUAGE.jsonl"),
        licence="CC0",
        citation="Made up for this page.",
        sizes={"train": (2_000, 2, 20), "test": (500, 2, 20)},
    ),
)
'''
TASK_EXPERIMENT = """name = "proverbs"

[data]
proverbs = "files"

[[checkpoints]]
name = "xlmr-base"
model_family = "XLM-R"
hub = "FacebookAI/xlm-roberta-base"

[[targets]]
task = "sayings"
"""
TINY = """
name = "tiny"
[data]
proverbs = "files"
[world]
documents = 20
train = 20
validation = 2
test = 2
per_family = 1
[training]
steps = 2
max_length = 32
[[checkpoints]]
name = "m"
model_family = "M"
pretrain = false
config = { model_type = "bert", hidden_size = 16, num_hidden_layers = 1, num_attention_heads = 2 }
[[intermediates]]
name = "nli"
tasks = ["world_nli"]
[[targets]]
task = "proverbs"
languages = ["en", "sw"]
"""
TRY_TASK = """
import json, sys
from pathlib import Path

import gainlaw as gl
from gainlaw.scores.metrics import chance
from gainlaw.tasks import task_title
from gainlaw.training.experiment.reading import read_experiment
from tiny_training import run_here

folder = Path(sys.argv[1])
run_here(read_experiment(folder / "tiny.toml"), folder / "run")
evals = gl.read_evaluations(folder / "run").frame
columns = ["model", "task", "language", "n_examples"]
print(json.dumps([evals[columns].to_numpy().tolist(), chance("sayings"), task_title("proverbs")]))
"""


def test_a_task_costs_a_row_and_a_module(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    on_the_page(TASK_ROW, TASK_MODULE, TASK_EXPERIMENT)
    package = copy_package(tmp_path)
    with (package / "tasks.csv").open("a", encoding="utf-8") as file:
        file.write(TASK_ROW)
    (package / "training" / "tasks" / "proverbs.py").write_text(TASK_MODULE, encoding="utf-8")
    (tmp_path / "files").mkdir()
    for name in ("train.en", "validation.en", "test.en", "test.de", "test.sw"):
        items = [
            {
                "id": str(n),
                "saying": "A rolling stone",
                "ending1": "gathers",
                "ending2": "stays",
                "label": n % 2,
            }
            for n in range(6)
        ]
        (tmp_path / "files" / f"{name}.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    (tmp_path / "proverbs.toml").write_text(TASK_EXPERIMENT)
    (tmp_path / "tiny.toml").write_text(TINY)
    plan = json.loads(
        with_package(package, "-m", "gainlaw.cli", "plan", tmp_path / "proverbs.toml", "--format", "json")
    )
    assert plan["distinct"] == {"load": 1, "finetune": 1, "evaluate": 1}
    scores, chance, title = json.loads(with_package(package, "-c", TRY_TASK, tmp_path))
    expected = [[model, "proverbs", language, 6] for model in ("m", "m+nli") for language in ("en", "sw")]
    assert sorted(scores) == expected
    assert (chance, title) == (0.5, "Proverbs")
