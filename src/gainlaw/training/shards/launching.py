"""Start the processes over which a unit is spread, by torch's launcher, and tell what became of them."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from gainlaw.errors import GainlawError
from gainlaw.units.execution import StoppedError
from gainlaw.units.store import Store
from gainlaw.units.unit import Unit

__all__ = ["SHARDS", "LostProcessError", "become_launcher", "run_spread", "shards_of"]

SHARDS = "shards"
"""What a unit's ``aside`` calls the number of processes that it is spread over."""
_TOLD = 12
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


class LostProcessError(RuntimeError):
    """One of the processes of a unit is gone, and so are the others."""


def shards_of(unit: Unit) -> int:
    """Return over how many processes a unit is spread."""
    return int(unit.aside.get(SHARDS, 1))


def run_spread(unit: Unit, store: Store, folder: Path) -> None:
    """Do a unit by several processes of this machine, which end together.

    Whoever calls this holds the unit's lease: when it dies, they do. A file ``stop`` in the folder asks them to stop.

    Parameters
    ----------
    unit : Unit
        The unit; its record lies in the folder.
    store : Store
        Where its parents are.
    folder : Path
        Where it writes.

    Raises
    ------
    StoppedError
        If they were asked to stop, after a snapshot.
    GainlawError
        What a reader can mend, as one of them said it.
    LostProcessError
        If one failed otherwise, or was killed.
    """
    threads = str(unit.spec["machine"]["threads"])
    with tempfile.TemporaryDirectory() as reports, tempfile.TemporaryFile() as log:
        places = [str(store.root.resolve()), str(folder.resolve()), reports]
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gainlaw.training.shards",
                str(os.getpid()),
                str(shards_of(unit)),
                *places,
            ],
            env=os.environ | {"OMP_NUM_THREADS": threads},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            code = process.wait()
        finally:
            process.kill()
            process.wait()
        _tell(Path(reports), code, shards_of(unit), log)


def become_launcher(parent: int, count: int, places: Sequence[str]) -> NoReturn:
    """Turn this process into torch's launcher, which ends with the process that started it.

    Parameters
    ----------
    parent : int
        That process.
    count : int
        How many processes to start.
    places : sequence of str
        What they are told.
    """
    # of the signals that come from outside (Slurm's reach all processes) only those count that the worker passes on
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    options = ["--standalone", f"--nproc-per-node={count}", "--signals-to-handle=SIGQUIT"]
    words = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        *options,
        "-m",
        "gainlaw.training.shards",
        *places,
    ]
    os.execv(sys.executable, words)


def _tell(reports: Path, code: int, count: int, log: Any) -> None:
    """Raise what the processes said that went wrong, if anything did."""
    said = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(reports.glob("*.json"))]
    expected = next((each for each in said if each["state"] == "expected"), None)
    if expected is not None:
        raise GainlawError(expected["said"])
    if code == 0 and len(said) == count:
        stopped = next((each["said"] for each in said if each["state"] == "stopped"), None)
        if stopped is not None:
            raise StoppedError(stopped)
        return
    failed = sorted((each for each in said if each["state"] == "failed"), key=lambda each: each["when"])
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").splitlines()
    first = failed[0]["said"] if failed else "it said nothing"
    error = LostProcessError(f"one of {count} processes failed or was killed, and all have ended: {first}")
    for line in failed[0]["traceback"] if failed else lines[-_TOLD:]:
        error.add_note(line)
    raise error
