"""A run that is killed at any moment loses nothing that was finished, and ends in the same bytes."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import run_cli
from gainlaw.units import schedule
from tiny_training import WorkersHere, repeatable

pytest.importorskip("torch")

#: Moments at which the run is killed. GAINLAW_KILLS asks for more.
KILLS = int(os.environ.get("GAINLAW_KILLS", "6"))
EXPERIMENT = """
name = "killed"
[world]
documents = 400
train = 64
validation = 20
test = 20
per_family = 1
[compute]
workers = 2
snapshot_seconds = 0.1
[training]
learning_rate = 1e-3
max_length = 64
[training.pretrain]
steps = 80
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
    left_out = {"manifest.json", "log.jsonl", "run.json"}
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
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the experiment, with a run in ``whole`` that nothing disturbed, in one process."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "killed.toml").write_text(EXPERIMENT)
    with pytest.MonkeyPatch.context() as patch, repeatable():
        patch.setattr(schedule, "Workers", WorkersHere)
        done = run_cli("run", folder / "killed.toml", "-o", folder / "whole")
    assert done.code == 0, done.err
    return folder


def assert_whole(folder: Path, out: Path) -> None:
    """Assert that a run comes to its end in the bytes of the undisturbed one, and that nothing is left to do."""
    expected = contents(folder / "whole")
    assert sum(name.endswith(".safetensors") for name in expected) >= 10
    with start(folder, out) as last:
        output = last.communicate(timeout=300)[0]
    assert last.returncode == 0, output.decode()
    assert contents(out) == expected
    assert not list(out.glob("units/*.part"))
    again = run_cli("run", folder / "killed.toml", "-o", out)
    assert "0 units done" in again.out
    assert again.code == 0
    assert contents(out) == expected


@pytest.mark.slow
def test_a_killed_run_loses_nothing_and_ends_in_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    """Everything dies at once, after a snapshot; then the parent alone, whose workers must stop by themselves."""
    out = tmp_path / "killed"
    with start(folder, out) as process:
        while process.poll() is None and not list(out.glob("units/pretrain-*.part/snapshot*")):
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert list(out.glob("units/pretrain-*.part/snapshot*"))
    before = finished(out)
    with start(folder, out) as process:
        while process.poll() is None and len(finished(out)) < len(before) + 3:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert before.items() <= finished(out).items()
    assert_whole(folder, out)


@pytest.mark.calibration
def test_runs_killed_at_any_moment_lose_nothing_and_end_in_the_same_bytes(
    folder: Path, tmp_path: Path
) -> None:
    rng, out = random.Random(7), tmp_path / "killed"
    begun = time.monotonic()
    with start(folder, tmp_path / "timed") as process:
        process.communicate(timeout=300)
    lasted = time.monotonic() - begun
    kills = 0
    for _ in range(10 * KILLS):
        if kills == KILLS:
            break
        before = finished(out)
        with start(folder, out) as process:
            time.sleep(rng.uniform(0.1, 1.0) * lasted * rng.choice((0.3, 0.6, 0.9)))
            if process.poll() is None:
                # Sometimes everything dies at once, sometimes only the parent.
                (os.killpg if rng.random() < 0.5 else os.kill)(process.pid, signal.SIGKILL)
        if process.returncode == 0:
            assert contents(out) == contents(folder / "whole")
            shutil.rmtree(out)  # it came to its end: start anew
            continue
        assert process.returncode == -signal.SIGKILL
        kills += 1
        assert before.items() <= finished(out).items()
    assert kills == KILLS
    assert_whole(folder, out)
