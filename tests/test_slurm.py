"""Workers elsewhere: processes of this machine, and jobs of a real Slurm of one node where one can be started."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gainlaw.errors import InputError
from gainlaw.training.experiment.reading import parse_experiment
from gainlaw.training.runs.jobs import CancelledError, Fleet, WorkJob, cancel, watch_cancel
from gainlaw.units.schedule import run_units
from gainlaw.units.store import Store
from gainlaw.units.unit import make_unit
from test_work_units import do
from tiny_training import WorkersHere

SCRIPT = Path(__file__).with_name("slurm_node.sh")
EXPERIMENT = """
name = "rungs"
seeds = [0, 1]
world = { documents = 300, train = 60, validation = 20, test = 20, per_family = 1 }
pretraining = { seeds = [0] }
training = { max_length = 32, steps = 3, batch_size = 8, pretrain = { steps = 4 } }
compute = { workers = 2, device = "cpu" }
intermediates = [{ name = "nli", tasks = ["world_nli"] }]
targets = [{ task = "world_nli" }, { task = "world_copa" }]
slurm = [{ jobs = 2, memory_gb = 2, minutes = 5 }]

[[checkpoints]]
name = "tiny"
model_family = "rungs"
config = { model_type = "bert", hidden_size = 16, num_hidden_layers = 2, num_attention_heads = 2, intermediate_size = 32, max_position_embeddings = 64 }

[[checkpoints]]
name = "untaught"
model_family = "rungs"
pretrain = false
config = { model_type = "bert", hidden_size = 16, num_hidden_layers = 2, num_attention_heads = 2, intermediate_size = 32, max_position_embeddings = 64 }
"""  # noqa: E501


def slurm_missing() -> str:
    """Return why no Slurm can be started here."""
    if os.geteuid() != 0:
        return "a Slurm for tests is started by root"
    missing = [name for name in ("slurmctld", "slurmd", "sbatch", "munged") if shutil.which(name) is None]
    return f"{', '.join(missing)} not installed (slurm-wlm, munge)" if missing else ""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start a Slurm of this machine; give the environment in which its commands find it."""
    why = slurm_missing()
    if why:
        pytest.skip(why)
    pytest.importorskip("submitit")
    state = tmp_path_factory.mktemp("slurm")
    started = subprocess.run(
        [str(SCRIPT), "start", str(state)], capture_output=True, text=True, timeout=120, check=False
    )
    try:
        if started.returncode:
            pytest.skip(f"no Slurm here: {started.stderr[-300:]}")
        yield os.environ | {"SLURM_CONF": str(state / "slurm.conf")}
    finally:
        subprocess.run([str(SCRIPT), "stop", str(state)], timeout=60, check=True)


def gainlaw(*words: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gainlaw.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=400, check=False)


def outputs(runs: Path) -> dict[str, str]:
    """Return the hash of each file of each finished unit, logs of how fast it went left out."""
    found = {}
    for manifest in sorted((runs / "units").glob("*/manifest.json")):
        files = json.loads(manifest.read_text())["files"]
        own = {f"{manifest.parent.name}/{name}": digest for name, (_, digest) in files.items()}
        found |= {name: digest for name, digest in own.items() if not name.endswith("log.jsonl")}
    return found


def tables(runs: Path) -> list[bytes]:
    return [(runs / "rungs" / name).read_bytes() for name in ("evaluations.csv", "predictions.parquet")]


def test_jobs_of_slurm_end_in_the_bytes_of_local_workers(slurm: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "rungs.toml"
    file.write_text(EXPERIMENT)
    local = gainlaw("run", file, "-o", tmp_path / "local", "--on", "local")
    assert local.returncode == 0, local.stderr
    jobs = gainlaw("run", file, "-o", tmp_path / "jobs", "--on", "slurm", env=slurm)
    assert jobs.returncode == 0, jobs.stderr
    assert len({name.partition("/")[0] for name in outputs(tmp_path / "local")}) >= 20
    assert outputs(tmp_path / "jobs") == outputs(tmp_path / "local")
    assert tables(tmp_path / "jobs") == tables(tmp_path / "local")
    record = json.loads((tmp_path / "jobs" / "rungs" / "jobs.json").read_text())
    assert [job["class"] for job in record["jobs"]] == ["workers", "workers"]
    # nothing is redone, and no job is submitted for nothing
    again = gainlaw("run", file, "-o", tmp_path / "jobs", "--json", env=slurm)
    assert {unit["state"] for unit in json.loads(again.stdout)["units"]} == {"kept"}
    # The run ends with its last unit; workers then see within seconds that nothing is left, and leave the queue.
    asked = ["squeue", "--noheader", "--me", "--states=PD,R"]
    for _ in range(60):
        if not subprocess.run(asked, capture_output=True, text=True, env=slurm, check=True).stdout.strip():
            break
        time.sleep(1)
    cancelled = gainlaw("cancel", tmp_path / "jobs", "--json", env=slurm)
    assert (cancelled.returncode, json.loads(cancelled.stdout)) == (0, {})
    assert gainlaw("cancel", tmp_path / "nowhere").returncode == 2


def test_where_slurm_is_missing_it_is_said(tmp_path: Path) -> None:
    file = tmp_path / "rungs.toml"
    file.write_text(EXPERIMENT)
    bare = os.environ | {"PATH": str(tmp_path)}
    refused = gainlaw("run", file, "-o", tmp_path / "runs", "--on", "slurm", env=bare)
    assert refused.returncode == 2
    assert "sbatch" in refused.stderr or "submitit" in refused.stderr
    file.write_text(EXPERIMENT.replace("slurm = [{ jobs = 2, memory_gb = 2, minutes = 5 }]", ""))
    refused = gainlaw("run", file, "-o", tmp_path / "runs", "--on", "slurm")
    assert refused.returncode == 2
    assert "[[slurm]]" in refused.stderr


def test_a_job_writes_down_where_it_is_when_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler that submitit calls ends the workers by SIGTERM, at which they take snapshots, and goes on later."""
    helpers = pytest.importorskip("submitit.helpers")
    from gainlaw.training.runs import jobs

    code = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); time.sleep(60)"
    monkeypatch.setattr(jobs, "_command", lambda *_: [sys.executable, "-c", code])
    job = WorkJob(str(tmp_path), gpu=False, workers=1, retries=1, max_params=None)
    later: list[object] = []

    def over(number: int, frame: object) -> None:
        jobs._RUNNING[0].send_signal(signal.SIGUSR2)  # Slurm signals all processes of a job
        time.sleep(0.2)
        later.append(job.checkpoint())

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    try:
        assert job() == [7]  # the handler is called in the middle of it
    finally:
        signal.signal(signal.SIGALRM, before)
    (delayed,) = later
    assert isinstance(delayed, helpers.DelayedSubmission)
    assert delayed.function == job


def test_a_job_has_a_worker_for_each_of_its_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gainlaw.training.runs import jobs

    code = "import os, sys; open(sys.argv[1] + os.environ['CUDA_VISIBLE_DEVICES'], 'w').close()"
    monkeypatch.setattr(
        jobs, "_command", lambda *words: [sys.executable, "-c", code, f"{tmp_path}/{words[1]}-"]
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,GPU-ab,3")
    assert WorkJob(str(tmp_path), gpu=True, workers=7, retries=1, max_params=None)() == [0]
    assert {path.name for path in tmp_path.iterdir()} == {"3-1,GPU-ab,3"}
    assert WorkJob(str(tmp_path), gpu=False, workers=7, retries=1, max_params=None)() == [0]
    assert (tmp_path / "7-1,GPU-ab,3").exists()


def test_cancel_ends_work_begun_before_and_not_after(tmp_path: Path) -> None:
    before = watch_cancel(tmp_path)
    before()
    assert cancel(tmp_path) == {}
    with pytest.raises(CancelledError, match="cancelled by gainlaw cancel"):
        before()
    watch_cancel(tmp_path)()


def test_workers_that_are_gone_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from gainlaw.training.runs import jobs

    monkeypatch.setattr(jobs, "_LOOK", 0.0)
    answers = iter([0, None, 0, 0, 0])
    fleet = Fleet(lambda: next(answers))
    for _ in range(4):
        fleet.require(lambda: False)
    with pytest.raises(CancelledError, match="all workers have ended"):
        fleet.require(lambda: False)
    held = Fleet(lambda: 0)
    for _ in range(9):
        held.require(lambda: True)


def test_a_worker_leaves_to_others_what_is_not_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gainlaw.units import schedule

    monkeypatch.setattr(schedule, "Workers", WorkersHere)
    first = make_unit("add", {"add": 1}, code="1")
    second = make_unit("add", {"add": 2}, {"a": first}, code="1")
    alone = make_unit("add", {"add": 3}, code="1")
    units = {unit.name: unit for unit in (first, second, alone)}
    store = Store(tmp_path)
    ends = run_units(units, store, do, workers=1, mine=lambda unit: unit.name != alone.name)
    assert {end.unit.name: end.state for end in ends} == {first.name: "done", second.name: "done"}
    # of what another is to do, what its own units read is waited for
    (tmp_path / "other").mkdir()
    other = Store(tmp_path / "other")
    waited: list[int] = []

    def help_out() -> None:
        waited.append(1)
        if len(waited) == 2:
            run_units({first.name: first}, other, do, workers=1)

    ends = run_units(
        units, other, do, workers=1, mine=lambda unit: unit.name == second.name, waiting=help_out
    )
    assert {end.unit.name: end.state for end in ends} == {first.name: "kept", second.name: "done"}


def test_classes_of_jobs_are_checked(tmp_path: Path) -> None:
    text = EXPERIMENT.replace(
        "slurm = [{ jobs = 2, memory_gb = 2, minutes = 5 }]",
        'slurm = [{ name = "a", max_params = 10 }, { name = "a", max_params = 20 }]',
    )
    with pytest.raises(InputError) as error:
        parse_experiment(text, tmp_path, "rungs.toml")
    assert [p.column for p in error.value.problems] == ["slurm", "slurm"]
    assert "largest model" in str(error.value)
