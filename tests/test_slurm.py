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
from contextlib import suppress
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


# Work for longer than the shortest time limit of Slurm, a minute, which it looks at once in half a minute.
FAULTS = (
    EXPERIMENT.replace("seeds = [0, 1]", f"seeds = {list(range(8))}")
    .replace("steps = 3,", "steps = 60,")
    .replace(
        "slurm = [{ jobs = 2, memory_gb = 2, minutes = 5 }]",
        'slurm = [{ name = "short", memory_gb = 2, minutes = 1, notice_seconds = 5 }, '
        "{ jobs = 5, memory_gb = 2, minutes = 20 }]",
    )
)


def finished(runs: Path) -> dict[str, dict[str, tuple[int, int, bytes]]]:
    """Return inode, time of change and content of each file of each finished unit, and of its folder."""
    found = {}
    for manifest in (runs / "units").glob("*/manifest.json"):
        folder = manifest.parent
        if folder.suffix != ".part":
            stats = {path: path.stat() for path in [folder, *folder.rglob("*")]}
            found[folder.name] = {
                str(path): (at.st_ino, at.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
                for path, at in stats.items()
            }
    return found


def held(runs: Path) -> set[str]:
    """Return the units that somebody is at work on."""
    return {
        path.name.split(".")[0]
        for path in (runs / "units").glob("*.part")
        if Store(runs / "units").holder(path.name.split(".")[0])
    }


def in_queue(env: dict[str, str]) -> dict[str, str]:
    """Return the state of each job that Slurm has."""
    asked = ["squeue", "--noheader", "--array", "--me", "--format=%i %t"]
    rows = subprocess.run(asked, capture_output=True, text=True, env=env, check=True).stdout.split("\n")
    return dict(row.split() for row in rows if row.strip())


def processes_of(job: str) -> list[int]:
    """Return the processes of a job of an array."""
    array, _, task = job.partition("_")
    mine = {f"SLURM_ARRAY_JOB_ID={array}".encode(), f"SLURM_ARRAY_TASK_ID={task}".encode()}
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mine <= set(place.read_bytes().split(b"\0")):
                found.append(int(place.parent.name))
    return found


@pytest.mark.faults
def test_faults_in_the_middle_have_nothing_done_again(slurm: dict[str, str], tmp_path: Path) -> None:
    """A job is killed, one cancelled, one fills its time, run and controller are killed: what was finished stays."""
    file, runs = tmp_path / "rungs.toml", tmp_path / "jobs"
    file.write_text(FAULTS)
    first = [sys.executable, "-m", "gainlaw.cli", "run", str(file), "-o", str(runs), "--on", "slurm"]
    seen: dict[str, dict[str, tuple[int, int, bytes]]] = {}
    told: list[tuple[str, int, int]] = []

    def middle(more: int, what: str) -> None:
        """Wait until so many more units are finished while two are being done, and note what is finished then."""
        until, before = time.monotonic() + 300, len(finished(runs))
        while len(finished(runs)) < before + more or len(held(runs)) < 2:
            assert time.monotonic() < until, f"waited too long to {what}"
            time.sleep(0.2)
        now = finished(runs)
        for name, files in seen.items():
            assert now[name] == files, f"{name} was done again before: {what}"
        told.append((what, len(now), len(held(runs))))
        seen.update(now)

    def running(kind: str) -> list[str]:
        known = json.loads((runs / "rungs" / "jobs.json").read_text())["jobs"]
        states = in_queue(slurm)
        return [job["id"] for job in known if job["class"] == kind and states.get(job["id"]) == "R"]

    with subprocess.Popen(first, env=slurm, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        middle(4, "kill a job")
        (short,) = running("short")
        (killed,) = running("workers")
        processes = processes_of(killed)
        assert len(processes) >= 3  # its script, the worker, and what does the units
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        middle(4, "cancel a job")
        (cancelled,) = running("workers")
        assert cancelled != killed
        subprocess.run(["scancel", cancelled], env=slurm, check=True)
        until = time.monotonic() + 200
        while in_queue(slurm).get(short) == "R":  # it is told that its time is over, and queued again
            assert time.monotonic() < until
            time.sleep(0.5)
        middle(3, "kill the run and the controller of Slurm")
        run.kill()
        state = Path(slurm["SLURM_CONF"]).parent
        os.kill(int((state / "ctld.pid").read_text()), signal.SIGKILL)
    middle(2, "start the controller again")  # jobs go on without it
    subprocess.run(["slurmctld"], env=slurm, check=True)
    middle(1, "try again")
    log = (runs / "rungs" / "jobs").glob(f"{short}*.out")
    assert any("gainlaw" in path.read_text() or path.stat().st_size for path in log)
    retried = gainlaw("retry", runs, env=slurm)
    assert retried.returncode == 0, retried.stderr
    last = gainlaw("run", file, "-o", runs, "--on", "slurm", "--json", env=slurm)
    assert last.returncode == 0, last.stderr
    gainlaw("cancel", runs, env=slurm)
    units = json.loads(last.stdout)["units"]
    assert len(units) >= 140
    assert len(seen) >= 14
    assert not list((runs / "units").glob("*.damaged"))
    assert not list((runs / "units").glob("*.part"))
    end = finished(runs)
    assert {name: end[name] for name in seen} == seen
    assert all(states >= 2 for _, _, states in told)
    local = gainlaw("run", file, "-o", tmp_path / "local", "--on", "local")
    assert local.returncode == 0, local.stderr
    assert outputs(runs) == outputs(tmp_path / "local")
    assert tables(runs) == tables(tmp_path / "local")
    print(told, len(units))


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
