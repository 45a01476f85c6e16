"""What comes from the hub: the commit of it is looked up once, kept with the run, and part of the keys."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("pydantic")
pytest.importorskip("transformers")
pytest.importorskip("huggingface_hub")

import huggingface_hub

from gainlaw.errors import InputError
from gainlaw.training.experiment.reading import parse_experiment
from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.runs.commits import keep_commits, known_commits, look_up
from gainlaw.training.runs.graph import build_graph

TEXT = """
name = "a"
[[checkpoints]]
name = "xlmr"
model_family = "XLM-R"
hub = "FacebookAI/xlm-roberta-base"
[[intermediates]]
name = "cosmos"
tasks = ["cosmos_qa", "anli_mnli"]
[[targets]]
task = "xcopa"
train = ["copa"]
languages = ["et"]
"""
MODEL, XCOPA = "model FacebookAI/xlm-roberta-base@main", "cambridgeltl/xcopa"
WANTED = {
    MODEL,
    XCOPA,
    "aps/super_glue",
    "allenai/cosmos_qa@refs/convert/parquet",
    "facebook/anli",
    "nyu-mll/multi_nli",
}


@pytest.fixture
def experiment() -> Experiment:
    return parse_experiment(TEXT, Path(), "test")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """Let a hub answer, and note what it was asked."""
    asked: list[tuple[str, str | None]] = []

    class Api:
        def model_info(self, name: str, revision: str | None, timeout: float) -> SimpleNamespace:
            asked.append((name, revision))
            return SimpleNamespace(sha=f"{len(asked):040x}")

        dataset_info = model_info

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    return asked


def test_commits_are_looked_up_once_and_kept(
    experiment: Experiment, asked: list[tuple[str, str | None]], tmp_path: Path
) -> None:
    found = look_up(known_commits(experiment, tmp_path))
    assert set(found.commits) == WANTED
    assert ("allenai/cosmos_qa", "refs/convert/parquet") in asked
    assert ("FacebookAI/xlm-roberta-base", None) in asked
    keep_commits(found, tmp_path)
    asked.clear()
    again = look_up(known_commits(experiment, tmp_path))
    assert again.commits == found.commits
    assert asked == []
    assert known_commits(experiment, tmp_path / "elsewhere").commits == {}
    assert known_commits(experiment, None) == experiment


def test_commits_are_in_the_keys_of_what_reads_them(
    experiment: Experiment, asked: list[tuple[str, str | None]]
) -> None:
    found = look_up(experiment)

    def kinds(other: Experiment) -> set[str]:
        graph = build_graph(other)
        same = {unit.key for unit in build_graph(found).units.values()}
        return {unit.kind for unit in graph.units.values() if unit.key not in same}

    def with_other(key: str) -> Experiment:
        return found.model_copy(update={"commits": found.commits | {key: "f" * 40}})

    assert kinds(with_other(MODEL)) == {"load", "intermediate", "finetune", "evaluate"}
    assert kinds(with_other(XCOPA)) == {"evaluate"}
    assert kinds(with_other("aps/super_glue")) == {"finetune", "evaluate"}
    assert kinds(with_other("facebook/anli")) == {"intermediate", "finetune", "evaluate"}
    (load,) = (unit for unit in build_graph(found).units.values() if unit.kind == "load")
    assert load.spec["revision"] == found.commits[MODEL]
    scored = next(unit for unit in build_graph(found).units.values() if unit.kind == "evaluate")
    assert scored.aside[f"commit of {XCOPA}"] == found.commits[XCOPA]


def test_local_files_and_commits_that_are_given_need_no_hub(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse() -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(huggingface_hub, "HfApi", refuse)
    commit = "0123456789" * 4
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "copa-all.xml").write_text("<a></a>")
    (tmp_path / "data" / "test.et.jsonl").write_text("{}")
    table = TEXT.replace('xlm-roberta-base"', f'xlm-roberta-base"\nrevision = "{commit}"')
    table = table[: table.index("[[inter")] + table[table.index("[[targets") :]
    table += f'[data]\ncopa = "{tmp_path}/data"\nxcopa = "{tmp_path}/data"\n'
    monkeypatch.setattr(huggingface_hub, "HfApi", SimpleNamespace)
    found = look_up(parse_experiment(table, tmp_path, "test"))
    assert found.commits == {f"model FacebookAI/xlm-roberta-base@{commit}": commit}


def test_out_of_reach_the_cache_answers_and_else_all_is_told_at_once(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Api:
        def model_info(self, name: str, **_: object) -> None:
            raise ConnectionError(f"no route to {name}\nand more")

        dataset_info = model_info

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    refs = tmp_path / "models--FacebookAI--xlm-roberta-base" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text("a" * 40)
    with pytest.raises(InputError) as caught:
        look_up(experiment)
    assert len(caught.value.problems) == len(WANTED) - 1
    assert "the hub tells no commit of allenai/cosmos_qa (refs/convert/parquet): no route to" in str(
        caught.value
    )
    assert "xlm-roberta" not in str(caught.value)


def test_the_record_of_a_run_keeps_its_commits(tmp_path: Path, experiment: Experiment) -> None:
    from gainlaw.training.experiment.reading import open_experiment

    record = {"experiment": TEXT, "folder": str(tmp_path), "commits": {MODEL: "b" * 40}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert open_experiment(str(tmp_path / "run.json")).commits == {MODEL: "b" * 40}
