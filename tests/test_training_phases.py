"""Whole experiments with tiny models: every architecture, protocol, kind of task and way to train, end to end."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.errors import GainlawError, InputError
from gainlaw.training.experiment.reading import open_experiment, parse_experiment
from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.items.loading import load_items
from gainlaw.training.items.registry import TASKS, find_task
from gainlaw.training.runs.graph import UnitGraph
from gainlaw.training.runs.record import write_record
from gainlaw.units.execution import Ended
from gainlaw.units.store import Store
from published_formats import every_split, put
from tiny_training import CONFIGS, TOKENIZERS, config_of, run_here, toml

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

import torch

TOKENIZER_OF = {
    "bert": "wordpiece",
    "xlmr": "unigram",
    "mt5": "unigram",
    "bloom": "bytelevel",
    "xglm": "unigram",
    "qwen2": "bytelevel",
}
QUICK = {"learning_rate": 1e-3, "steps": 2, "batch_size": 2, "max_length": 64, "micro_batch_tokens": 256}
PROMPTED = ("bloom", "xglm", "qwen2", "mt5")


def save_tiny(name: str, folder: Path) -> Path:
    """Save a tiny model with its language-modelling head, and its tokenizer, as a downloaded one lies there."""
    from gainlaw.training.train.backbones import make_model, save_model

    tokenizer = TOKENIZERS[TOKENIZER_OF[name]]()
    role: Any = "language" if name in PROMPTED else "masked"
    save_model(make_model(config_of(name, tokenizer), role, 0), folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a saved model of every architecture."""
    folder = tmp_path_factory.mktemp("models")
    for name in CONFIGS:
        save_tiny(name, folder / name)
    return folder


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with small files of every task."""
    folder = tmp_path_factory.mktemp("published")
    for task in (name for name, each in TASKS.items() if not each.made):
        put(folder / task, every_split(task))
    return folder


def experiment(folder: Path, **keys: Any) -> Experiment:
    keys = {"name": "tiny", "training": QUICK} | keys
    return parse_experiment(
        "\n".join(f"{key} = {toml(value)}" for key, value in keys.items()), folder, "tiny.toml"
    )


def local(models: Path, *names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, "model_family": name.upper(), "path": str(models / name)} | more for name in names]


def data(published: Path, *tasks: str) -> dict[str, str]:
    return {task: str(published / task) for task in tasks}


def unit_of(graph: UnitGraph, phase: str, words: str = "") -> str:
    (name,) = (u.name for u in graph.units.values() if u.kind == phase and words in u.label)
    return name


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def table(output: Path) -> pd.DataFrame:
    return pd.read_csv(output / "evaluations.csv", keep_default_na=False)


# Architectures


@pytest.fixture(scope="module")
def finetuned(
    models: Path, published: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, UnitGraph]:
    """Run every architecture on two targets, with an intermediate of two tasks and, where it can, masked text."""
    folder = tmp_path_factory.mktemp("finetuned")
    (folder / "corpus.txt").write_text("It rains.\tThe road is wet.\nThe sun is warm.\n", encoding="utf-8")
    both = {"name": "both", "tasks": ["sick", "siqa"], "sampling": "temperature"}
    masked = {
        "name": "masked",
        "tasks": ["sick"],
        "mlm": 0.4,
        "mlm_corpus": ["corpus.txt"],
        "training": {"steps": 5},
    }
    targets = [{"task": "sick"}, {"task": "xcopa", "languages": ["et"]}]
    graph: Any = None
    for names, intermediates in (
        (("bert", "xlmr"), [both, masked]),
        (("mt5", "bloom", "xglm", "qwen2"), [both]),
    ):
        graph = run_here(
            experiment(
                folder,
                checkpoints=local(models, *names),
                intermediates=intermediates,
                targets=targets,
                data=data(published, "sick", "siqa", "copa", "xcopa"),
            ),
            folder / names[0],
        )
    return folder, graph


def test_every_architecture_is_fine_tuned(finetuned: tuple[Path, UnitGraph]) -> None:
    folder, _ = finetuned
    for first, names, intermediates in (
        ("bert", ("bert", "xlmr"), {"none", "both", "masked"}),
        ("mt5", ("mt5", "bloom", "xglm", "qwen2"), {"none", "both"}),
    ):
        found = table(folder / first)
        assert set(found["base_model"]) == {"", *names}
        counted = found.groupby(["base_model", "intermediate", "task"]).size()
        assert (counted[counted.index.get_level_values("base_model") != ""] == 1).all()
        assert set(found["intermediate"]) == intermediates
        assert len(found) == len(names) * len(intermediates) * 2
        assert set(found["run_status"]) <= {"ok", "constant answer"}
        assert set(zip(found["task"], found["language"], found["n_examples"], strict=True)) == {
            ("sick", "en", 3),
            ("xcopa", "et", 2),
        }
        assert (found["params"] > found["params_non_embedding"]).all()


def test_parameters_are_counted_in_the_encoder_that_is_trained(
    finetuned: tuple[Path, UnitGraph], models: Path
) -> None:
    from transformers import AutoModel

    folder, _ = finetuned
    found = table(folder / "bert").drop_duplicates("model").set_index("model")
    model = AutoModel.from_pretrained(models / "bert", add_pooling_layer=False)
    assert found.loc["bert", "params"] == sum(p.numel() for p in model.parameters())
    words = model.get_input_embeddings().weight.numel()
    assert found.loc["bert", "params_non_embedding"] == found.loc["bert", "params"] - words


def test_predictions_hold_logits_and_are_those_of_the_saved_model(
    finetuned: tuple[Path, UnitGraph], published: Path, models: Path
) -> None:
    """Computed again by transformers alone, item by item."""
    from safetensors.torch import load_file
    from transformers import AutoModel, AutoTokenizer

    folder, _ = finetuned
    store = Store(folder / "bert" / "units")
    units = [store.read(path.name) for path in store.root.iterdir() if path.is_dir()]
    tokenizer = AutoTokenizer.from_pretrained(models / "bert")
    for words in ("bert -> sick: 1", "bert+both -> sick: 1", "bert+masked -> sick: 1"):
        (unit,) = (u for u in units if u.kind == "evaluate" and words in u.label)
        trained = store.path(unit.parents["model"])
        model = AutoModel.from_pretrained(trained / "model", add_pooling_layer=False).eval()
        head = load_file(trained / "head.safetensors")
        answers = pd.read_parquet(store.path(unit.name) / "predictions.parquet").set_index("example")
        items: list[Any] = load_items("sick", "test", "en", published / "sick")
        for item in items:
            batch = tokenizer(item.first, item.second, return_tensors="pt", return_token_type_ids=True)
            with torch.no_grad():
                state = model(**batch).last_hidden_state[0, 0]
                inner = torch.tanh(head["0.weight"] @ state + head["0.bias"])
                logits = (head["3.weight"] @ inner + head["3.bias"]).numpy()
            np.testing.assert_allclose(answers.loc[item.id, "logits"], logits, atol=1e-5)
            assert answers.loc[item.id, "prediction"] == logits.argmax()
            assert answers.loc[item.id, "correct"] == float(logits.argmax() == item.label)
            assert answers.loc[item.id, "label"] == item.label


def test_heads_of_an_intermediate_are_dropped_and_the_encoder_is_trained(
    finetuned: tuple[Path, UnitGraph], models: Path
) -> None:
    from safetensors.torch import load_file

    folder, graph = finetuned
    intermediate = Store(folder / "mt5" / "units").path(unit_of(graph, "intermediate", "bloom"))
    assert not (intermediate / "head.safetensors").exists()
    result = read(intermediate / "result.json")
    assert result["examples"] == {"sick": 3, "siqa": 2}
    assert (result["steps"], result["planned"]) == (2, 2)
    start = load_file(models / "bloom" / "model.safetensors")
    after = load_file(intermediate / "model" / "model.safetensors")
    name = "h.0.self_attention.query_key_value.weight"
    (key,) = (key for key in after if key.endswith(name))
    (first,) = (key for key in start if key.endswith(name))
    assert 0 < float((after[key] - start[first]).abs().max()) < 0.01


def test_the_statistics_pair_the_items_without_being_told(finetuned: tuple[Path, UnitGraph]) -> None:
    folder, _ = finetuned
    evals = gl.read_evaluations(folder / "bert")
    gains = evals.gains(scale="points")
    assert set(gains.frame["variance"]) == {"paired"}
    assert len(gains.frame) == 8
    assert (
        gl.read_evaluations(folder / "bert" / "evaluations.csv", params_unit="1")
        .gains()
        .frame["variance"]
        .eq("unpaired")
        .all()
    )
    items = pd.read_parquet(folder / "bert" / "predictions.parquet")
    means = items.groupby(["model", "task"], observed=True)["correct"].sum()
    found = table(folder / "bert").set_index(["model", "task"])["n_correct"]
    assert (means == found.reindex(means.index)).all()


@pytest.mark.parametrize("name", PROMPTED)
def test_every_generative_architecture_is_prompted(
    name: str, models: Path, published: Path, tmp_path: Path
) -> None:
    prompts = [
        {"name": "a", "text": "{first} {second}", "answers": ["yes", "maybe", "no"]},
        {"name": "b", "text": "{second} {first} So?", "answers": ["right", "open", "wrong"]},
    ]
    agree = {"name": "agree", "method": "prompt_consistency", "tasks": ["sick"], "prompts": prompts}
    given = experiment(
        tmp_path,
        protocol="prompted",
        training=QUICK | {"learning_rate": 1e-2, "steps": 3},
        checkpoints=local(models, name),
        intermediates=[agree],
        targets=[{"task": "sick", "prompts": prompts}, {"task": "xcopa", "languages": ["et"]}],
        data=data(published, "sick", "xcopa"),
    )
    graph = run_here(given, tmp_path / "run")
    found = table(tmp_path / "run")
    assert set(found["model"]) == {name, f"{name}+agree"}
    sick = found[found["task"] == "sick"]
    assert set(sick["prompt"]) == {"a", "b"}
    assert set(found["metric"]) == {"accuracy", "accuracy_per_character"}
    assert len(sick) == 2 * 2 * 2
    evals = gl.read_evaluations(tmp_path / "run")
    assert set(evals.gains().frame["variance"]) == {"paired"}
    result = read(Store(tmp_path / "run" / "units").path(unit_of(graph, "consistency")) / "result.json")
    assert result["status"] in {"ok", "collapsed"}
    assert result["step"] <= 3
    status = found[found["intermediate"] == "agree"]["run_status"]
    assert set(status) <= ({"collapsed"} if result["status"] == "collapsed" else {"ok", "constant answer"})


@pytest.mark.parametrize("name", CONFIGS)
def test_a_model_serves_as_what_it_is(name: str, models: Path) -> None:
    """Transformers would give an encoder a causal head, and it would see the answer that it is to predict."""
    from gainlaw.training.train.backbones import load_model

    for role, what, hint in (
        ("language", "a generative", "prompts take decoders such as bloom"),
        ("masked", "a masked", "masked language modelling takes encoders such as xlm-roberta"),
    ):
        if (role == "language") == (name in PROMPTED):
            assert load_model(models / name, role).get_output_embeddings() is not None  # type: ignore[arg-type]
            continue
        with pytest.raises(InputError, match=f"cannot serve as {what} language model; {hint}"):
            load_model(models / name, role)  # type: ignore[arg-type]


# A world, models from scratch


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, UnitGraph, Experiment]:
    """Run two pretrained models and all untrained architectures in a small world."""
    folder = tmp_path_factory.mktemp("world")
    scratch = [
        {"name": name, "model_family": "S", "config": config, "pretrain": name in {"bert", "xlmr"}}
        for name, config in CONFIGS.items()
    ]
    given = experiment(
        folder,
        seeds=[1],
        world={"documents": 120, "train": 24, "validation": 12, "test": 10, "per_family": 1},
        pretraining={"seeds": [3]},
        training=QUICK
        | {"batch_size": 8, "patience": 1, "checks": 1, "pretrain": {"steps": 3, "patience": 0}},
        checkpoints=scratch,
        intermediates=[{"name": "nli", "tasks": ["world_nli", "world_siqa"], "mlm": 0.0}],
        targets=[{"task": "world_copa", "train": ["world_siqa", "world_copa"]}],
    )
    return folder, run_here(given, folder / "run"), given


def test_every_architecture_is_trained_from_scratch_in_a_world(
    world: tuple[Path, UnitGraph, Experiment],
) -> None:
    folder, graph, _ = world
    found = table(folder / "run")
    languages = found["language"].nunique()
    assert languages > 3
    assert len(found) == 6 * 2 * languages
    assert {name for name in found["model"] if "+" not in name} == {f"{name}-s3" for name in CONFIGS}
    assert set(found["language_family"]) - {""}
    phases = pd.Series([unit.kind for unit in graph.units.values()]).value_counts()
    assert phases.to_dict() == {
        "world": 1,
        "pretrain": 2,
        "load": 4,
        "align": 6,
        "intermediate": 6,
        "finetune": 6 * 2 * 2,
        "evaluate": 6 * 2,
    }
    store = Store(folder / "run" / "units")
    for name in (n for n in graph.units if n.startswith("finetune")):
        assert 0 <= read(store.path(name) / "result.json")["score"] <= 1  # validation was looked at


def test_the_record_of_a_run_gives_the_same_evaluations(
    world: tuple[Path, UnitGraph, Experiment], tmp_path: Path
) -> None:
    folder, graph, given = world
    output = folder / "run"
    store = Store(output / "units")
    ends = [Ended(unit, "done") for unit in graph.units.values()]
    write_record(output, given, graph, store, ends, {"device": "cpu", "threads": 1, "workers": 1}, 0)
    record = read(output / "run.json")
    assert record["status"] == "done"
    again = open_experiment(str(output / "run.json"))
    run_here(again, tmp_path)
    for file in ("evaluations.csv", "predictions.parquet"):
        assert (tmp_path / file).read_bytes() == (output / file).read_bytes()


# Every task


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of runs in which what several experiments share is done once."""
    return tmp_path_factory.mktemp("together")


@pytest.mark.parametrize("task", [name for name, each in TASKS.items() if not each.made])
def test_every_task_trains_and_is_scored_where_it_can_be(
    task: str, models: Path, published: Path, together: Path
) -> None:
    known = find_task(task)
    language = "et" if task == "xcopa" else "en"
    as_target = known.kind in {"classification", "choice"}
    target = task if as_target else "sick"
    needs = {task, target, *find_task(target).english_side}
    given = experiment(
        together,
        checkpoints=local(models, "bert"),
        training=QUICK | {"patience": 1, "max_length": 32},
        intermediates=[{"name": "first", "tasks": [task]}] if "train" in known.splits else [],
        targets=[{"task": target, "languages": [language]}],
        data=data(published, *sorted(needs)),
    )
    graph = run_here(given, together / "run")
    found = table(together / "run").set_index("intermediate")
    store = Store(together / "run" / "units")
    test = load_items(target, find_task(target).evaluation_split, language, published / target)
    assert set(found["n_examples"]) == {len(test)}
    classes = find_task(target).n_classes
    assert set(found["n_classes"].astype(str)) == {"" if classes is None else str(classes)}
    if "train" not in known.splits:
        assert list(found.index) == ["none"]
        return
    assert set(found.index) == {"none", "first"}
    trained = load_items(task, "train", "en", published / task)
    result = read(store.path(unit_of(graph, "intermediate")) / "result.json")
    assert result["examples"] == {task: len(trained)}
    assert result["steps"] in {1, 2}
    assert np.isfinite(result["loss"])
    assert 0 <= result["score"] <= 1
    items = pd.read_parquet(store.path(graph.cells[-1].unit) / "predictions.parquet")
    assert items["example"].tolist() == [item.id for item in test]
    for logits, item in zip(items["logits"], test, strict=True):
        assert len(logits) == (len(getattr(item, "options", ())) or len(find_task(target).classes))


# Settings


def small(models: Path, published: Path, folder: Path, **keys: Any) -> Experiment:
    given: dict[str, Any] = {
        "checkpoints": local(models, "bert"),
        "intermediates": [{"name": "first", "tasks": ["siqa"]}],
        "targets": [{"task": "sick"}],
        "data": data(published, "sick", "siqa"),
    }
    return experiment(folder, **(given | keys))


@pytest.mark.parametrize(
    "training",
    [
        {"precision": "bf16"},
        {"gradient_checkpointing": True},
        {"lora": {"rank": 2}},
        {"lora": {"rank": 2}, "gradient_checkpointing": True, "precision": "bf16", "patience": 1},
    ],
    ids=["bf16", "checkpointing", "lora", "all"],
)
@pytest.mark.parametrize("name", ["xlmr", "qwen2"])
def test_ways_to_train(
    training: Mapping[str, Any], name: str, models: Path, published: Path, tmp_path: Path
) -> None:
    given = small(models, published, tmp_path, checkpoints=local(models, name), training=QUICK | training)
    run_here(given, tmp_path / "run")
    found = table(tmp_path / "run")
    assert len(found) == 2
    assert set(found["run_status"]) <= {"ok", "constant answer", "stopped early"}
    assert set(gl.read_evaluations(tmp_path / "run").gains().frame["variance"]) == {"paired"}


def test_gradient_checkpointing_ends_with_the_same_numbers(
    models: Path, published: Path, tmp_path: Path
) -> None:
    found = []
    for again in (False, True):
        given = small(models, published, tmp_path, training=QUICK | {"gradient_checkpointing": again})
        graph = run_here(given, tmp_path / str(again))
        items = [
            pd.read_parquet(tmp_path / str(again) / "units" / cell.unit / "predictions.parquet")
            for cell in graph.cells
        ]
        found.append(np.concatenate([np.stack(each["logits"]) for each in items]))
    np.testing.assert_array_equal(found[0], found[1])


def test_adapters_with_masked_text_leave_a_plain_model(models: Path, published: Path, tmp_path: Path) -> None:
    """What is saved has the names of the plain model, adapters merged, and differs from where it started."""
    from safetensors.torch import load_file

    (tmp_path / "corpus.txt").write_text("It rains.\nThe road is wet.\n" * 4)
    masked = {"name": "first", "tasks": ["sick"], "mlm": 0.5, "mlm_corpus": ["corpus.txt"]}
    given = small(
        models,
        published,
        tmp_path,
        intermediates=[masked],
        training=QUICK | {"lora": {"rank": 2}, "steps": 8, "learning_rate": 1e-2},
    )
    graph = run_here(given, tmp_path / "run")
    after = load_file(
        tmp_path / "run" / "units" / unit_of(graph, "intermediate") / "model" / "model.safetensors"
    )
    start = load_file(models / "bert" / "model.safetensors")
    assert after.keys() == start.keys()
    moved = {name for name in start if not torch.equal(after[name], start[name])}
    assert any("query" in name for name in moved)
    assert not any("word_embeddings" in name or "intermediate" in name for name in moved)


def test_masked_text_is_read_from_all_lines_and_an_empty_corpus_is_refused(
    models: Path, published: Path, tmp_path: Path
) -> None:
    (tmp_path / "one.txt").write_text("\n   \n")
    (tmp_path / "two.txt").write_text("It rains.\tIt is wet.\n\n")
    masked = {"name": "first", "tasks": ["sick"], "mlm": 0.5, "mlm_corpus": ["one.txt", "two.txt"]}
    run_here(small(models, published, tmp_path, intermediates=[masked]), tmp_path / "run")
    masked["mlm_corpus"] = ["one.txt"]
    with pytest.raises(InputError, match="the corpus has no text"):
        run_here(small(models, published, tmp_path, intermediates=[masked]), tmp_path / "run")


def test_inputs_beyond_the_positions_of_a_model_are_refused_before_training(
    models: Path, published: Path, tmp_path: Path
) -> None:
    put(tmp_path / "sick", every_split("sick"))
    long = (tmp_path / "sick" / "SICK_train.txt").read_text().replace("It rains.", "It rains. " * 100)
    (tmp_path / "sick" / "SICK_train.txt").write_text(long)
    given = small(
        models,
        published,
        tmp_path,
        intermediates=[],
        training=QUICK | {"max_length": 128},
        data={"sick": str(tmp_path / "sick")},
    )
    run_here(given, tmp_path / "run")
    # Where the file does not tell (the number of positions is in the model), the first unit that trains does.
    longer = given.model_copy(update={"training": given.training.model_copy(update={"max_length": 200})})
    with pytest.raises(InputError, match=r"where the model reads 128 at most; try max_length = 128"):
        run_here(longer, tmp_path / "longer")


# Where models come from


def test_pickled_weights_become_safetensors_by_a_reader_that_makes_nothing_else(
    models: Path, published: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    folder = save_tiny("bert", tmp_path / "pickled")
    whole = load_file(folder / "model.safetensors")
    names = sorted(whole)
    halves = (names[::2], names[1::2])
    for number, half in enumerate(halves, 1):
        torch.save({name: whole[name] for name in half}, folder / f"pytorch_model-0000{number}-of-00002.bin")
    (folder / "model.safetensors").unlink()
    (folder / "other.bin").write_text("not looked at")
    given = small(models, published, tmp_path, checkpoints=local(tmp_path, "pickled"))
    graph = run_here(given, tmp_path / "run")
    unit = tmp_path / "run" / "units" / unit_of(graph, "load")
    assert read(unit / "origin.json")["files"] == [f"pytorch_model-0000{n}-of-00002.bin" for n in (1, 2)]
    made: dict[str, Any] = {}
    for file in (unit / "model").glob("*.safetensors"):
        made |= load_file(file)
    assert made.keys() == whole.keys()
    assert all(torch.equal(made[name], whole[name]) for name in whole)
    assert set(read(unit / "model" / "model.safetensors.index.json")["weight_map"]) == set(whole)
    same = run_here(small(models, published, tmp_path), tmp_path / "safe")
    for one, other in zip(graph.cells, same.cells, strict=True):
        pair = [
            tmp_path / n / "units" / c.unit / "predictions.parquet"
            for n, c in (("run", one), ("safe", other))
        ]
        assert pair[0].read_bytes() == pair[1].read_bytes()


class Harmful:
    """What a pickle can do when it is read."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("harm"),)


def test_what_is_no_weights_is_refused(
    models: Path, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = save_tiny("bert", tmp_path / "pickled")
    (folder / "model.safetensors").unlink()
    told = r"no weights that can be read: there is no model\.safetensors"
    with pytest.raises(InputError, match=told):
        small(models, published, tmp_path, checkpoints=local(tmp_path, "pickled"))
    (folder / "weights.ckpt").write_text("c")
    with pytest.raises(InputError, match=r"there is only weights\.ckpt; weights are read from model"):
        small(models, published, tmp_path, checkpoints=local(tmp_path, "pickled"))
    for content, told in (
        ({"a": Harmful()}, "not the weights of a model"),
        ({"a": 1}, "holds more than the"),
    ):
        torch.save(content, folder / "pytorch_model.bin")
        given = small(models, published, tmp_path, checkpoints=local(tmp_path, "pickled"))
        with pytest.raises(InputError, match=told):
            run_here(given, tmp_path / "run")
    assert not (tmp_path / "harm").exists()


def test_of_the_hub_no_other_commit_is_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not that of a pull request with converted weights, which transformers looks for on its own."""
    import huggingface_hub

    from gainlaw.training.train.weights import find_weights

    files, asked = ["config.json", "pytorch_model.bin", "flax_model.msgpack"], []

    class Api:
        def list_repo_files(self, name: str, revision: str | None) -> list[str]:
            asked.append((name, revision))
            if not files:
                raise ConnectionError("no route")
            return files

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    found = find_weights("facebook/xlm-roberta-xxl", "c" * 40)
    assert (found.files, found.pickled, found.revision) == (("pytorch_model.bin",), True, "c" * 40)
    files[:0] = ["model-00002-of-00002.safetensors", "model-00001-of-00002.safetensors"]
    found = find_weights("facebook/xlm-roberta-xxl", "c" * 40)
    assert not found.pickled
    assert found.files == ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    assert set(asked) == {("facebook/xlm-roberta-xxl", "c" * 40)}
    files.clear()
    kept = tmp_path / "models--facebook--xlm-roberta-xxl" / "snapshots" / ("c" * 40)
    with pytest.raises(InputError, match="does not say which files it has: no route"):
        find_weights("facebook/xlm-roberta-xxl", "c" * 40)
    kept.mkdir(parents=True)
    (kept / "pytorch_model.bin").touch()
    assert find_weights("facebook/xlm-roberta-xxl", "c" * 40).files == ("pytorch_model.bin",)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_folder_without_a_tokenizer_is_refused(
    name: str, models: Path, published: Path, tmp_path: Path
) -> None:
    """Transformers makes do with an empty vocabulary, and every word would be unknown."""
    folder = save_tiny(name, tmp_path / name)
    for file in folder.glob("*token*"):
        file.unlink()
    with pytest.raises(InputError, match="tokenizer of") as error:
        run_here(small(models, published, tmp_path, checkpoints=local(tmp_path, name)), tmp_path / "run")
    assert name == "bloom" or "it has no vocabulary, as when its files are missing" in str(error.value)


def test_an_architecture_that_does_not_fit_is_refused(published: Path, tmp_path: Path) -> None:
    from gainlaw.training.train.backbones import load_config, make_model

    config = load_config({"model_type": "bart", "d_model": 16, "encoder_layers": 1, "decoder_layers": 1})
    with pytest.raises(
        InputError, match="bart cannot serve as an encoder for a language model; fine-tuning takes"
    ):
        make_model(config, "encoder", 0)
    with pytest.raises(InputError, match="no configuration of model_type 'bret'"):
        load_config({"model_type": "bret"})


def test_only_what_a_saved_head_cannot_give_is_random(models: Path) -> None:
    """A masked model is loaded as an encoder, and an encoder of a masked one as a masked one, without warnings."""
    from gainlaw.training.train.backbones import load_model

    for name in CONFIGS:
        one, two = (dict(load_model(models / name, "encoder").named_parameters()) for _ in range(2))
        assert all(torch.equal(one[key], two[key]) for key in one), name


# What goes wrong is on record


def test_a_run_that_diverges_is_on_record(
    models: Path, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gainlaw.training.train import objectives

    loss = objectives.loss_of
    monkeypatch.setattr(
        objectives, "loss_of", lambda kind, *rest: loss(kind, *rest) * (np.nan if kind == "choice" else 1.0)
    )
    graph = run_here(small(models, published, tmp_path), tmp_path / "run")
    found = table(tmp_path / "run").set_index("intermediate")["run_status"]
    # The intermediate diverged, the fine-tuning after it went well: the row is marked all the same.
    assert found["first"] == "diverged"
    assert found["none"] in {"ok", "constant answer", "collapsed"}
    text = (tmp_path / "run" / "units" / unit_of(graph, "intermediate") / "result.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["status"] == "diverged"
    assert json.loads(text)["loss"] is None
    assert len(gl.read_evaluations(tmp_path / "run").frame) == 2


@pytest.mark.parametrize("status", ["collapsed", "diverged"])
def test_a_run_that_collapses_is_on_record(
    status: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels that the texts say nothing about, and hardly any training: one answer for all."""
    from gainlaw.training.train import objectives

    if status == "diverged":  # which is worse, and what is told
        monkeypatch.setattr(
            objectives, "loss_of", lambda kind, scores, *rest: scores.sum() * torch.full((), torch.nan)
        )
    labels = ["ENTAILMENT", "NEUTRAL"]
    rows = "".join(f"{i}\tThe sun is warm.\tIt rains.\t3.0\t{labels[i % 2]}\n" for i in range(40))
    head = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
    put(tmp_path / "sick", {f"SICK_{part}.txt": head + rows for part in ("train", "trial", "test_annotated")})
    given = experiment(
        tmp_path,
        checkpoints=local(models, "bert"),
        targets=[{"task": "sick"}],
        data={"sick": str(tmp_path / "sick")},
    )
    graph = run_here(given, tmp_path / "run")
    assert set(table(tmp_path / "run")["run_status"]) == {status}
    assert read(tmp_path / "run" / "units" / unit_of(graph, "finetune") / "result.json")["status"] == status


def test_a_finished_unit_is_not_done_again_and_an_unfinished_one_goes_on(
    models: Path, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gainlaw.training.train import loop

    given = small(models, published, tmp_path, training=QUICK | {"steps": 6})
    whole = run_here(given, tmp_path / "whole")
    step, calls = loop._step, []

    def stop(*given: Any) -> Any:
        calls.append(next(each for each in given if isinstance(each, dict))["step"])
        if len(calls) == 10:
            raise KeyboardInterrupt
        return step(*given)

    monkeypatch.setattr(loop, "_step", stop)
    with pytest.raises(KeyboardInterrupt):
        run_here(given, tmp_path / "run", seconds=-1.0)
    part = next((tmp_path / "run" / "units").glob("*.part"))
    assert (part / "snapshot.safetensors").is_file()
    again = run_here(given, tmp_path / "run", seconds=-1.0)
    assert again.units.keys() == whole.units.keys()
    assert (
        len(calls) == 3 * 6 + 1
    )  # of three runs with six steps, the one that was cut short is done once more
    assert not list((tmp_path / "run" / "units").glob("**/snapshot*"))
    for file in ("evaluations.csv", "predictions.parquet"):
        assert (tmp_path / "run" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    for path in (tmp_path / "whole" / "units").glob("**/*.safetensors"):
        twin = tmp_path / "run" / "units" / path.relative_to(tmp_path / "whole" / "units")
        assert twin.read_bytes() == path.read_bytes()


def test_a_unit_whose_parent_is_missing_says_so(models: Path, published: Path, tmp_path: Path) -> None:
    from gainlaw.training.phases.phase import do
    from gainlaw.training.runs.graph import build_graph
    from gainlaw.units.execution import execute

    graph = build_graph(small(models, published, tmp_path), "cpu")
    store = Store(tmp_path / "run" / "units")
    with pytest.raises(GainlawError, match=re.escape("reads load-")):
        execute(graph.units[unit_of(graph, "intermediate")], store, do)
