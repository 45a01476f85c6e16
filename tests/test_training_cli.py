"""`gainlaw plan` and `gainlaw run` from the command line: a whole small study, and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import gainlaw as gl
from conftest import Cli, run_cli
from gainlaw.units import schedule
from tiny_training import WorkersHere, repeatable

pytest.importorskip("torch")

WORLD = """
[world]
documents = 1500
train = 200
validation = 40
test = 40
per_family = 1
"""
CONFIG = (
    'config = { model_type = "bert", hidden_size = 16, num_hidden_layers = 1, num_attention_heads = 2, '
    "intermediate_size = 32, max_position_embeddings = 64 }"
)
EXPERIMENT = f"""
name = "small"
{WORLD}
[pretraining]
seeds = [0, 1]
[training]
learning_rate = 1e-3
max_length = 64
[training.pretrain]
steps = 20
[training.intermediate]
epochs = 1
[training.finetune]
epochs = 1
[[checkpoints]]
name = "m"
model_family = "M"
{CONFIG}
[[intermediates]]
name = "nli"
tasks = ["world_nli"]
[[targets]]
task = "world_nli"
[[targets]]
task = "world_copa"
"""


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run, made by two processes side by side, and the experiment beside it."""
    folder = tmp_path_factory.mktemp("runner")
    (folder / "small.toml").write_text(EXPERIMENT)
    done = run_cli("run", folder / "small.toml", "-o", folder / "run", "--workers", "2")
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let runs do their units in this process."""
    monkeypatch.setattr(schedule, "Workers", WorkersHere)
    with repeatable():
        yield


def test_a_run_gives_scores_that_the_statistics_read(run_folder: Path, cli: Cli) -> None:
    evals = gl.read_evaluations(run_folder / "run")
    # two pretrained models, with and without the intermediate, two targets, five languages
    assert len(evals) == 2 * 2 * 2 * 5
    assert evals.frame["model"].unique().tolist() == ["m-s0+nli", "m-s1+nli", "m-s0", "m-s1"]
    gains = evals.gains()
    assert gains.frame["variance"].eq("paired").all()
    assert set(gains.frame["language_family"]) == {"Anglic", "Romar", "Ural", "Semar", "Isolate"}
    assert gains.frame["chance"].round(3).isin([0.333, 0.5]).all()
    out = cli("gains", run_folder / "run", "-o", run_folder / "gains.csv")
    assert out.code == 0
    assert (pd.read_csv(run_folder / "gains.csv")["variance"] == "paired").all()


def test_a_second_run_does_nothing_and_plan_knows(run_folder: Path, cli: Cli) -> None:
    folder = run_folder / "run"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("units/*")}
    again = run_cli("run", run_folder / "small.toml", "-o", folder, width=80)
    assert again.code == 0, again.err
    assert "0 units done" in " ".join(again.out.split())
    assert max(map(len, (again.out + again.err).splitlines())) <= 80
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("units/*")}
    # Nothing was done, so nothing was written; what someone changed is put right.
    table = folder / "small" / "evaluations.csv"
    whole = table.read_bytes()
    table.write_bytes(whole[:-200])
    told = json.loads(cli("run", run_folder / "small.toml", "-o", folder, "--json").out)
    assert (told["scores"], {unit["state"] for unit in told["units"]}) == (40, {"kept"})
    assert table.read_bytes() == whole
    plan = json.loads(cli("plan", run_folder / "small.toml", "-o", folder, "--format", "json").out)
    assert plan["done"] == plan["distinct"]
    assert sum(plan["distinct"].values()) == len(before)
    assert plan["left_gpu_hours"] == 0.0 < plan["gpu_hours"]


@pytest.mark.usefixtures("here")
def test_the_record_is_enough_to_run_it_again(run_folder: Path, cli: Cli) -> None:
    record = run_folder / "run" / "small" / "run.json"
    assert json.loads(record.read_text())["status"] == "done"
    done = cli("run", record, "-o", run_folder / "again")
    assert done.code == 0, done.err
    for name in ("evaluations.csv", "predictions.parquet"):
        again, before = (run_folder / each / "small" / name for each in ("again", "run"))
        assert again.read_bytes() == before.read_bytes()


@pytest.mark.usefixtures("here")
def test_more_of_the_same_experiment_reuses_what_is_done(run_folder: Path, cli: Cli) -> None:
    text = EXPERIMENT.replace("seeds = [0, 1]", "seeds = [0, 1, 2]").replace('"small"', '"renamed"')
    (run_folder / "more.toml").write_text(text)
    tables = {path: path.read_bytes() for path in (run_folder / "run" / "small").iterdir()}
    done = cli("run", run_folder / "more.toml", "-o", run_folder / "run")
    assert done.code == 0, done.err
    units = len(list((run_folder / "run" / "units").iterdir()))
    # one more pretrained model: itself, its alignment and intermediate, two fine-tunings and scores for each of the two
    assert "11 units done" in done.out
    assert f"{units - 11} were done before" in done.out
    assert tables == {path: path.read_bytes() for path in (run_folder / "run" / "small").iterdir()}
    assert len(gl.read_evaluations(run_folder / "run" / "renamed")) == 60
    assert "give one of" in cli("check", run_folder / "run").err


@pytest.mark.usefixtures("here")
def test_a_failing_unit_is_told_and_stops_nothing_else(tmp_path: Path, cli: Cli) -> None:
    bad = tmp_path / "sick"
    bad.mkdir()
    header = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
    (bad / "SICK_train.txt").write_text(header + "1\tA dog.\tA cat.\t3.0\tNEUTRAL\n" * 2)
    text = EXPERIMENT.replace("seeds = [0, 1]", "seeds = [0]")
    text += f'[[intermediates]]\nname = "sick"\ntasks = ["sick"]\n[data]\nsick = "{bad}"\n'
    (tmp_path / "fails.toml").write_text(text)
    done = cli("run", tmp_path / "fails.toml", "-o", tmp_path / "run")
    assert done.code == 1
    assert "failed: m-s0: sick:" in done.err
    assert "Traceback" not in done.err
    assert "not begun, for want of a failed one: 4 units" in done.err
    assert len(gl.read_evaluations(tmp_path / "run")) == 20
    assert json.loads((tmp_path / "run" / "small" / "run.json").read_text())["status"] == "failed"


def test_a_plan_over_budget_does_not_start(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "dear.toml").write_text(EXPERIMENT + "[budget]\ngpu_hours = 1e-12\n")
    plan = cli("plan", tmp_path / "dear.toml")
    assert plan.code == 1
    assert "over budget: work left:" in plan.err
    run = cli("run", tmp_path / "dear.toml", "-o", tmp_path / "run")
    assert run.code == 2
    assert "budget" in run.err
    assert not (tmp_path / "run").exists()


def test_the_shipped_experiments_have_the_published_sizes(cli: Cli) -> None:
    plan = json.loads(cli("plan", "xtreme_r", "--format", "json").out)
    sizes = {model["name"]: model["params"] for model in plan["models"]}
    published = {
        "xlm-roberta-base": 278e6,
        "xlm-roberta-large": 560e6,
        "xlm-roberta-xl": 3.48e9,
        "xlm-roberta-xxl": 10.7e9,
    }
    assert sizes == pytest.approx(published, rel=2e-3)
    hours = [model["flops"] for model in plan["models"]]
    assert hours == sorted(hours)
    for name in ("ladder", "ladder_full", "xtreme_r_lora", "mt5", "prompted"):
        other = cli("plan", name)
        assert other.code == 0, other.err
        assert "?" not in other.out


def test_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    import importlib.util

    known = importlib.util.find_spec
    for name, package in (("plan", "pydantic"), ("run", "torch")):
        with monkeypatch.context() as patch:
            patch.setattr(
                importlib.util,
                "find_spec",
                lambda each, *more, package=package: None if each == package else known(each, *more),
            )
            found = cli(name, "ladder")
        assert found.code == 2
        assert f"pip install {package}; the statistics need none of it" in found.err


def test_licensed_data_must_be_there_before_anything_is_run(tmp_path: Path, cli: Cli) -> None:
    assert "on no hub: ccg" in cli("plan", "xtreme_r", "--only", "xlm-roberta-base").err
    assert "on no hub" not in cli("plan", "xtreme_r", "--without", "ccg", "--only", "xlm-roberta-base").err
    run = cli("run", "xtreme_r", "-o", tmp_path / "run")
    assert run.code == 2
    assert "key 'data.ccg': ccg has no local files" in run.err
    assert not (tmp_path / "run").exists()


def test_what_reads_a_tokenizer_must_be_there_before_anything_is_run(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gainlaw.training.runs import run

    monkeypatch.setattr(run, "missing_readers", lambda: ["sentencepiece", "protobuf"])
    out = cli("run", "mt5", "-o", tmp_path / "run")
    assert out.code == 2
    assert (
        "the tokenizer of mt5-small, mt5-base, mt5-large, mt5-xl, mt5-xxl is read by sentencepiece" in out.err
    )
    assert "pip install sentencepiece protobuf" in out.err
    assert not (tmp_path / "run").exists()


def test_a_folder_of_the_same_name_does_not_hide_a_shipped_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    (tmp_path / "ladder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert cli("plan", "ladder").code == 0
