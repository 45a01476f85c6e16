"""Aligning parallel sentences in pretraining, keeping embeddings and pooling by the mean, and measuring alignment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tiny_training import config_of, repeatable, run_here, toml, wordpiece

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from gainlaw.errors import InputError
from gainlaw.training.experiment.reading import parse_experiment
from gainlaw.training.experiment.recipes import DEFAULTS
from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.jobs.align import retrieval
from gainlaw.training.jobs.job import Job
from gainlaw.training.runs.graph import UnitGraph, build_graph
from gainlaw.training.train.backbones import freeze_embeddings, make_model, pooling_of
from gainlaw.training.train.data import encode_texts
from gainlaw.training.train.heads import HeadShape, MaskedHead, TaskModel
from gainlaw.training.train.loop import train
from gainlaw.training.train.objectives import Contrast, Masked, MaskedText
from gainlaw.units.store import Store

ENGLISH = ("it rains", "the sun is warm", "the road is wet", "the old bridge is dry", "why is it wet")
GERMAN = ("es regnet", "ist warm", "die nass", "die alt", "lent bo")


def objective(weight: float = 1.0, pairs: int = 5, temperature: float = 0.1) -> Masked:
    tokenizer = wordpiece()
    config = config_of("bert", tokenizer, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    text = encode_texts([(a, b) for a in ENGLISH for b in GERMAN], tokenizer, 32)
    special = np.array(sorted(tokenizer.all_special_ids))
    corpus = MaskedText(text, special, tokenizer.mask_token_id, len(tokenizer), 0.15)
    first, second = (encode_texts([(t, "") for t in side], tokenizer, 32) for side in (ENGLISH, GERMAN))
    contrast = Contrast(first, second, weight, pairs, temperature, "mean")
    return Masked(MaskedHead(make_model(config, "masked", 0)), corpus, 5, 0, tokenizer.pad_token_id, contrast)


def test_the_loss_is_that_of_a_hand_calculation() -> None:
    made = objective(weight=0.7, temperature=0.2)
    *hidden, pairs = made.pieces(3, 10**6)
    with torch.no_grad():
        found = float(made.loss(pairs)) / sum(piece.weight for piece in hidden)
        states = []
        for side in ("first", "second"):
            batch = {n.removeprefix(f"{side} "): v for n, v in pairs.tensors.items() if n.startswith(side)}
            last = made.model.backbone(**batch).last_hidden_state.numpy().astype(float)
            mask = batch["attention_mask"].numpy()[..., None]
            mean = (last * mask).sum(axis=1) / mask.sum(axis=1)
            states.append(mean / np.linalg.norm(mean, axis=1, keepdims=True))
    scores = states[0] @ states[1].T / 0.2
    each = [np.log(np.exp(s).sum(axis=1)) - np.diag(s) for s in (scores, scores.T)]
    assert found == pytest.approx(0.7 * np.mean(each), rel=1e-5)
    assert pairs.weight == 0  # the mean over hidden tokens stays what it is
    assert pairs.tokens == sum(int(v.sum()) for n, v in pairs.tensors.items() if n.endswith("attention_mask"))


def test_pairs_do_not_depend_on_the_micro_batches_and_are_never_cut() -> None:
    made = objective()
    whole, cut = made.pieces(2, 10**6), made.pieces(2, 1)
    assert len(whole) == 2
    assert len(cut) == 6
    for name, value in whole[-1].tensors.items():
        assert torch.equal(value, cut[-1].tensors[name])
    assert whole[-1].data == cut[-1].data
    # More pairs than there are sentences: all of them.
    assert len(objective(pairs=99).pieces(0, 10**6)[-1].tensors["first input_ids"]) == len(ENGLISH)


def test_translations_are_found_after_training_and_not_before(tmp_path: Path) -> None:
    recipe = DEFAULTS["pretrain"]
    made = objective()

    def found() -> float:
        pairs = made.pieces(0, 10**6)[-1]
        with torch.no_grad():
            states = [
                made.model.sentences(
                    {n.removeprefix(side): v for n, v in pairs.tensors.items() if n.startswith(side)}, "mean"
                )
                for side in ("first ", "second ")
            ]
        return retrieval(states[0] - states[0].mean(0), states[1] - states[1].mean(0))

    before = found()
    from dataclasses import replace

    with repeatable():
        train(made, replace(recipe, learning_rate=5e-3, steps=60, batch_size=5), seed=0, folder=tmp_path)
    assert before < 1.0
    assert found() == 1.0


def test_pooling_is_what_is_asked_for_or_what_the_architecture_has() -> None:
    tokenizer = wordpiece()
    bert, bloom = config_of("bert", tokenizer), config_of("bloom", tokenizer)
    assert [pooling_of(each) for each in (bert, bloom)] == ["first", "last"]
    assert {pooling_of(each, "mean") for each in (bert, bloom)} == {"mean"}
    batch = {name: torch.ones(2, 5, dtype=torch.long) for name in ("input_ids", "attention_mask")}
    batch["input_ids"][1] = torch.arange(5, 10)
    batch["token_type_ids"] = torch.zeros(2, 5, dtype=torch.long)
    scores = {}
    for how in ("first", "mean", "last"):
        model = TaskModel(make_model(bert, "encoder", 0), {"t": HeadShape("classification", 2)}, 0, 0.0, how)
        scores[how] = model.eval()("t", batch).detach()
    assert not torch.allclose(scores["first"], scores["mean"])
    assert not torch.allclose(scores["last"], scores["mean"])


def test_frozen_embeddings_are_every_table_that_is_looked_up() -> None:
    model = make_model(config_of("bert", wordpiece()), "encoder", 0)
    freeze_embeddings(model)
    frozen = {name for name, each in model.named_parameters() if not each.requires_grad}
    assert frozen == {f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")}


# Whole runs


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def small(folder: Path, **keys: Any) -> Experiment:
    config = {"model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config |= {"intermediate_size": 32, "max_position_embeddings": 64}
    given: dict[str, Any] = {
        "name": "tiny",
        "world": {"documents": 300, "train": 40, "validation": 5, "test": 10, "per_family": 1, "probes": 20},
        "pretraining": {"seeds": [3]},
        "training": {
            "learning_rate": 1e-3,
            "steps": 2,
            "batch_size": 8,
            "max_length": 64,
            "pooling": "mean",
            "freeze": "embeddings",
            "pretrain": {"steps": 3, "contrast": 1.0, "contrast_pairs": 8},
        },
        "checkpoints": [
            {"name": "m", "model_family": "M", "config": config},
            {
                "name": "c",
                "model_family": "C",
                "config": config,
                "pretrain": False,
                "training": {"freeze": "nothing"},
            },
        ],
        "targets": [{"task": "world_copa"}],
    }
    return parse_experiment(
        "\n".join(f"{key} = {toml(value)}" for key, value in (given | keys).items()), folder, "tiny.toml"
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, UnitGraph]:
    folder = tmp_path_factory.mktemp("alignment")
    return folder, run_here(small(folder), folder)


def test_frozen_embeddings_are_those_of_pretraining_and_others_move(run: tuple[Path, UnitGraph]) -> None:
    from safetensors.torch import load_file

    folder, graph = run
    store = Store(folder / "units")
    for name, moves in (("m", False), ("c", True)):
        tuned = next(
            u for u in graph.units.values() if u.kind == "finetune" and u.label.startswith(f"{name}-")
        )
        start = load_file(store.path(tuned.parents["model"]) / "model" / "model.safetensors")
        start = {each.removeprefix("bert."): value for each, value in start.items()}
        end = load_file(store.path(tuned.name) / "model" / "model.safetensors")
        same = {each: torch.equal(value, start[each]) for each, value in end.items()}
        assert same["embeddings.word_embeddings.weight"] is not moves
        assert not same["encoder.layer.0.output.dense.weight"]
        assert read(store.path(tuned.name) / "head.json")["pooling"] == "mean"


def test_alignment_is_measured_for_every_model_from_scratch(run: tuple[Path, UnitGraph]) -> None:
    folder, graph = run
    table = pd.read_csv(folder / "alignment.csv")
    assert set(table["model"]) == {"m-s3", "c-s3"}
    assert set(table["language"]) == {"r0", "u0", "s0", "x0"}
    assert set(table["sentences"]) == {20}
    assert table[["word_retrieval", "sentence_retrieval"]].stack().between(0, 1).all()
    assert len(graph.alignments) == 2
    # Every parent of it decides its name: another recipe of pretraining, another unit.
    other = build_graph(small(folder, pretraining={"seeds": [4]}), "cpu")
    assert not {each.unit for each in other.alignments} & {each.unit for each in graph.alignments}


def test_files_of_parallel_text_are_read_and_a_line_without_translation_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("it rains\tes regnet\n\nthe sun\tdie Sonne\n", encoding="utf-8")
    experiment = small(tmp_path, pretraining={"seeds": [3], "parallel": ["a.tsv"]})
    graph = build_graph(experiment, "cpu")
    unit = next(u for u in graph.units.values() if u.kind == "pretrain")
    assert "parallel.0" in unit.spec["data"]
    job = Job(unit, Store(tmp_path / "units"), tmp_path)
    assert job.parallel() == [("it rains", "es regnet"), ("the sun", "die Sonne")]
    (tmp_path / "a.tsv").write_text("it rains\tes regnet\nthe sun\n\tdie Sonne\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"no translation.*2, 3"):
        job.parallel()
    (tmp_path / "a.tsv").write_text("it rains\tes regnet\n", encoding="utf-8")
    with pytest.raises(InputError, match="two sentences at least"):
        job.parallel()
