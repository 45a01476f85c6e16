"""Workers that are started elsewhere: for the GPUs of this machine, or an array of jobs under Slurm.

Each is `gainlaw work` in a process of its own. What they do is in the store, and only there: a scheduler is asked
whether jobs are still in its queue, never what became of them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gainlaw._io import write_text_atomic
from gainlaw.errors import GainlawError, InputError, Problem
from gainlaw.training.experiment.schema import Slurm
from gainlaw.training.train.machine import visible_gpus
from gainlaw.units.store import dump_json

__all__ = [
    "CancelledError",
    "Fleet",
    "WorkJob",
    "cancel",
    "start_local",
    "start_slurm",
    "watch_cancel",
]

_FILE, _FOLDER, _MARK = "jobs.json", "jobs", ".cancel"
#: Seconds between two looks at whether workers are left, and for a worker to write down where it is.
_LOOK, _GRACE = 5.0, 75.0
_POLL = 0.2
#: Jobs that fill their time limit are queued again, so many times.
_REQUEUES = 1000


class CancelledError(GainlawError):
    """The work in a folder of runs was cancelled, or all workers have ended before it was done."""


@dataclass(slots=True)
class Fleet:
    """Workers elsewhere.

    Attributes
    ----------
    alive : callable
        Returns how many are left, None where nobody can tell.
    stop : callable
        Has them end where the next ones can go on, if they are to end with the run.
    """

    alive: Callable[[], int | None]
    stop: Callable[[], None] = lambda: None
    _looked: float = field(default_factory=time.monotonic)
    _gone: int = 0

    def require(self, busy: Callable[[], bool]) -> None:
        """Raise when no worker is left; `busy` tells whether anybody else is at work.

        Called often, it looks every five seconds, and believes what it sees the third time: the last to end may have
        finished everything.
        """
        if time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        self._gone = self._gone + 1 if self.alive() == 0 and not busy() else 0
        if self._gone > 2:
            raise CancelledError("all workers have ended, and units are left: the same command starts others")


def _command(runs: Path, workers: int | None, retries: int, max_params: int | None) -> list[str]:
    words = [sys.executable, "-m", "gainlaw.cli", "work", str(runs), "--retries", str(retries)]
    words += [] if workers is None else ["--workers", str(workers)]
    return words + ([] if max_params is None else ["--max-params", str(max_params)])


def _deaf() -> None:
    # Slurm signals every process of a job before its time is over; only the one that listens is meant
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def _start(
    runs: Path, on_gpu: bool, workers: int | None, retries: int, max_params: int | None, output: Any = None
) -> list[subprocess.Popen[bytes]]:
    """Start ``gainlaw work``, which does a unit on each GPU, or one that takes several on these."""
    if on_gpu:
        workers = max(1, len(visible_gpus()))
    return [
        subprocess.Popen(
            _command(runs, workers, retries, max_params),
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            preexec_fn=_deaf,  # no thread is running yet
        )
    ]


def _over(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a process has ended, as the system knows it.

    The process's own ``poll`` and ``wait`` cannot tell in the handler of a signal that came in the middle of them.
    """
    if process.returncode is not None:
        return True
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for number, seconds in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, 1.0)):
        for process in processes:
            if not _over(process):
                os.kill(process.pid, number)
        until = time.monotonic() + seconds
        while not all(map(_over, processes)) and time.monotonic() < until:
            time.sleep(_POLL)


def start_local(runs: Path, folder: Path, *, gpu: bool, workers: int, retries: int) -> Fleet:
    """Start workers on this machine: a unit on each GPU or on several of them, or some side by side without GPUs.

    Parameters
    ----------
    runs, folder : Path
        The folder of runs, and that of the experiment, which gets ``jobs/local.log``.
    gpu : bool
        Whether units are for a GPU.
    workers : int
        Units side by side without one.
    retries : int
        See ``gainlaw work``.

    Returns
    -------
    Fleet
        They end with the run.
    """
    (folder / _FOLDER).mkdir(exist_ok=True)
    with (folder / _FOLDER / "local.log").open("ab") as log:
        processes = _start(runs.resolve(), gpu, workers, retries, None, log)
    return Fleet(lambda: sum(p.poll() is None for p in processes), lambda: _end(processes))


@dataclass(frozen=True, slots=True)
class WorkJob:
    """What a job runs: workers for the GPUs, or cores, that it was given.

    Attributes
    ----------
    runs : str
        The folder of runs.
    gpu : bool
        Whether it has GPUs.
    workers : int
        Units side by side without one.
    retries : int
        See ``gainlaw work``.
    max_params : int or None
        The largest model whose units it does.
    """

    runs: str
    gpu: bool
    workers: int
    retries: int
    max_params: int | None

    def __call__(self) -> list[int]:
        """Work until nothing is left; return the exit codes of the workers."""
        processes = _start(Path(self.runs), self.gpu, self.workers, self.retries, self.max_params)
        _RUNNING[:] = processes
        while not all(map(_over, processes)):
            time.sleep(_POLL)
        return [process.wait() for process in processes]

    def checkpoint(self) -> Any:
        """Have the workers write down where they are, and return what another job goes on with.

        submitit calls it at the signal that Slurm sends before the time of a job is over, and queues the job again.
        """
        from submitit.helpers import DelayedSubmission

        _end(_RUNNING)
        return DelayedSubmission(self)


#: The workers of the job that this process is, for the handler of its signal.
_RUNNING: list[subprocess.Popen[bytes]] = []


def start_slurm(
    runs: Path, folder: Path, classes: Sequence[Slurm], *, threads: int, retries: int
) -> tuple[Fleet, int]:
    """Submit jobs: an array of identical ones for each class; those of an earlier run that are still queued count.

    Parameters
    ----------
    runs, folder : Path
        The folder of runs, and that of the experiment, which gets ``jobs.json`` and the logs in ``jobs``.
    classes : sequence of Slurm
        What jobs there are.
    threads : int
        Of a unit on the CPU.
    retries : int
        See ``gainlaw work``.

    Returns
    -------
    fleet : Fleet
        They go on when the run ends.
    submitted : int
        How many jobs are new.

    Raises
    ------
    InputError
        If this machine cannot submit jobs, or Slurm refuses them.
    """
    _require_slurm()
    import submitit

    known = _read_jobs(folder)
    queued = _queued()
    left = [job for job in known if queued is None or job["id"] in queued]
    submitted = 0
    logs = folder.resolve() / _FOLDER
    for each in classes:
        missing = each.jobs - sum(job["class"] == each.name for job in left)
        if missing < 1:
            continue
        cpus = each.cpus or threads
        task = WorkJob(str(runs.resolve()), each.gpus > 0, max(1, cpus // threads), retries, each.max_params)
        executor = submitit.SlurmExecutor(logs, max_num_timeout=_REQUEUES)
        executor.update_parameters(**_parameters(each, cpus))
        try:
            with executor.batch():
                jobs = [executor.submit(task) for _ in range(missing)]
        except Exception as error:  # submitit has several of its own, and so have commands
            why = " ".join(str(error).split())
            raise InputError(Problem(f"Slurm takes no jobs of the class {each.name}: {why}")) from error
        left += [{"class": each.name, "id": job.job_id} for job in jobs]
        submitted += len(jobs)
        write_text_atomic(folder / _FILE, dump_json({"on": "slurm", "jobs": left}))
    mine = {job["id"] for job in left}

    def alive() -> int | None:
        found = _queued()
        return None if found is None else len(found & mine)

    return Fleet(alive), submitted


def _parameters(each: Slurm, cpus: int) -> dict[str, Any]:
    named = {"partition": each.partition, "account": each.account, "qos": each.qos}
    named["constraint"] = each.constraint
    given: dict[str, Any] = {key: value for key, value in named.items() if value is not None}
    if each.memory_gb is not None:
        given["mem"] = f"{round(each.memory_gb * 1024)}M"
    if each.gpus:
        given["gpus_per_node"] = each.gpus
    if each.setup:
        given["setup"] = list(each.setup)
    return given | {
        "job_name": f"gainlaw-{each.name}",
        "time": each.minutes,
        "cpus_per_task": cpus,
        "ntasks_per_node": 1,
        "nodes": 1,
        "signal_delay_s": each.notice_seconds,
        "stderr_to_stdout": True,
        # the environment is exported by sbatch; srun would take what the job asked for a second time
        "srun_args": [f"--cpus-per-task={cpus}"],
        "additional_parameters": {"requeue": True},
    }


def _require_slurm() -> None:
    from importlib.util import find_spec

    if find_spec("submitit") is None:
        raise InputError(Problem("jobs are submitted by submitit", hint="pip install submitit"))
    missing = [name for name in ("sbatch", "squeue", "srun") if shutil.which(name) is None]
    if missing:
        hint = "run it where jobs are submitted, or start gainlaw work RUNS by any other scheduler"
        raise InputError(Problem(f"there is no {', '.join(missing)} on this machine", hint=hint))


def _queued() -> set[str] | None:
    """Return the jobs of this user that Slurm has, waiting or running; None where it does not answer.

    A job that is completing has ended: Slurm only tidies up after it.
    """
    try:
        asked = ["squeue", "--noheader", "--array", "--me", "--format=%i %t"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    rows = (line.split() for line in done.stdout.splitlines())
    return {row[0] for row in rows if len(row) == 2 and row[1] != "CG"}


def _read_jobs(folder: Path) -> list[dict[str, str]]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return list(json.loads((folder / _FILE).read_text(encoding="utf-8"))["jobs"])
    return []


def cancel(runs: Path) -> Mapping[str, list[str]]:
    """Have all workers of a folder of runs end where others can go on, and take waiting jobs out of the queue.

    Parameters
    ----------
    runs : Path
        The folder of runs.

    Returns
    -------
    mapping of str to list of str
        Experiment to the jobs that Slurm was told to cancel.
    """
    write_text_atomic(runs / _MARK, f"{time.time_ns()}\n")
    found = {folder.parent.name: _read_jobs(folder.parent) for folder in sorted(runs.glob(f"*/{_FILE}"))}
    queued = _queued() if any(found.values()) and shutil.which("squeue") else set()
    told: dict[str, list[str]] = {}
    for name, jobs in found.items():
        ids = [job["id"] for job in jobs if queued is None or job["id"] in queued]
        if ids:
            subprocess.run(["scancel", *ids], check=False, timeout=60)
            told[name] = ids
    return told


def watch_cancel(runs: Path) -> Callable[[], None]:
    """Return what raises `CancelledError` when `cancel` was called since.

    No clock is read: those of machines differ.
    """

    def mark() -> bytes:
        try:
            return (runs / _MARK).read_bytes()
        except OSError:
            return b""

    before = mark()

    def look() -> None:
        if mark() != before:
            raise CancelledError(
                f"cancelled by gainlaw cancel {runs}; what is done stays, and what was begun"
            )

    return look
