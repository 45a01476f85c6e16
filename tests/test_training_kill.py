"""A run that is killed at any moment loses nothing that was finished, and ends in the same bytes."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gainlaw.training.experiment.reading import read_experiment
from tiny_training import run_here

pytest.importorskip("torch")

#: Moments at which the run is killed after its first snapshot. GAINLAW_KILLS asks for more.
KILLS = int(os.environ.get("GAINLAW_KILLS", "1"))
EXPERIMENT = """
name = "killed"
[world]
documents = 1500
train = 200
validation = 40
test = 40
per_family = 1
[compute]
workers = 2
snapshot_seconds = 0.3
[training]
learning_rate = 1e-3
max_length = 64
[training.pretrain]
steps = 200
[training.intermediate]
epochs = 2
[training.finetune]
epochs = 2
patience = 2
checks = 2
[pretraining]
seeds = [0, 1]
[[checkpoints]]
name = "m"
model_family = "M"
[checkpoints.config]
model_type = "bert"
hidden_size = 32
num_hidden_layers = 2
num_attention_heads = 2
intermediate_size = 64
max_position_embeddings = 64
[[intermediates]]
name = "nli"
tasks = ["world_nli"]
mlm = 0.25
[[targets]]
task = "world_nli"
[[targets]]
task = "world_copa"
train = ["world_siqa", "world_copa"]
"""


def start(folder: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gainlaw.cli", "run", str(folder / "killed.toml"), "-o", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


def contents(out: Path) -> dict[str, str]:
    """Return the hash of every result: weights, heads, predictions, scores, tables; not logs and times."""
    kept = {".safetensors", ".parquet", ".csv", ".json", ".jsonl", ".tsv"}
    left_out = {"timing.json", "log.jsonl", "run.json"}
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.suffix in kept and path.name not in left_out
    }


def finished(out: Path) -> dict[str, int]:
    units = out / "units"
    names = (
        [p for p in units.iterdir() if p.is_dir() and not p.name.endswith(".part")] if units.is_dir() else []
    )
    return {path.name: path.stat().st_mtime_ns for path in names}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Return the experiment's folder, and what a run leaves that comes to its end in one process, without snapshots."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "killed.toml").write_text(EXPERIMENT)
    run_here(read_experiment(folder / "killed.toml"), folder / "whole")
    return folder, contents(folder / "whole")


@pytest.mark.slow
def test_killed_runs_lose_nothing_and_end_in_the_same_bytes(
    whole: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    folder, expected = whole
    assert sum(name.endswith(".safetensors") for name in expected) >= 10
    total = len(finished(folder / "whole"))
    out = tmp_path / "killed"

    # Everything dies at once, with a snapshot to go on from.
    with start(folder, out) as process:
        while process.poll() is None and not list(out.glob("units/pretrain-*.part/snapshot*")):
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert list(out.glob("units/pretrain-*.part/snapshot*"))

    rng = random.Random(7)
    for turn in range(KILLS):
        before = finished(out)
        until = rng.randrange(len(before) + 1, total)
        with start(folder, out) as process:
            while process.poll() is None and len(finished(out)) < until:
                time.sleep(0.01)
            time.sleep(rng.uniform(0.0, 0.2))
            # Sometimes only the parent dies, whose workers must stop by themselves, sometimes everything.
            (os.kill if turn % 2 == 0 else os.killpg)(process.pid, signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert before.items() <= finished(out).items()

    before = finished(out)
    assert 0 < len(before) < total
    last = start(folder, out)
    output = last.communicate(timeout=300)[0]
    assert last.returncode == 0, output.decode()
    assert before.items() <= finished(out).items()
    assert contents(out) == expected
    assert not list(out.glob("units/*.part"))
    again = start(folder, out)
    assert b"0 units done" in again.communicate(timeout=120)[0]
    assert again.returncode == 0
    assert contents(out) == expected
