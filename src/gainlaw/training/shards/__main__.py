"""One of the processes over which a unit is spread (UNITS FOLDER REPORTS), or their launcher (PARENT COUNT ...)."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from gainlaw._io import write_text_atomic
from gainlaw.errors import GainlawError
from gainlaw.training.phases.registry import find_phase
from gainlaw.training.shards.launching import become_launcher
from gainlaw.units.execution import StoppedError
from gainlaw.units.store import RECORD, STOP, Store
from gainlaw.units.unit import Unit

_POLL = 0.5
_RANK_WORDS = 4


def main(units: Path, folder: Path, reports: Path) -> int:
    """Do this process's share of a unit; return an exit code, and leave a report of what happened."""
    launcher = os.getppid()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # ignored, it would not reach the thread that waits for it
    threading.Thread(target=_listen, args=(launcher, folder / STOP), daemon=True).start()
    report: dict[str, Any] = {"state": "done"}
    try:
        _do(Unit(**json.loads((folder / RECORD).read_text(encoding="utf-8"))), Store(units), folder)
    except StoppedError as error:
        report = {"state": "stopped", "said": str(error)}
    except GainlawError as error:
        report = {"state": "expected", "said": str(error)}
    except Exception as error:
        trace = [line for entry in traceback.format_exception(error) for line in entry.splitlines()]
        report = {"state": "failed", "said": f"{type(error).__name__}: {error}", "traceback": trace}
    report["when"] = time.time()
    write_text_atomic(reports / f"{os.environ['RANK']}.json", json.dumps(report))
    return 0 if report["state"] in ("done", "stopped") else 1


def _do(unit: Unit, store: Store, folder: Path) -> None:
    import torch.distributed as dist

    from gainlaw.training.jobs.job import Job, prepare_process

    machine = unit.spec["machine"]
    prepare_process(machine["threads"])
    if machine["device"] == "cuda":
        import torch

        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if machine["device"] == "cuda" else "gloo")
    find_phase(unit.kind).run(Job(unit, store, folder))
    dist.destroy_process_group()


def _listen(launcher: int, stop: Path) -> None:
    """End with the launcher, and when it says so; a signal from elsewhere asks to stop where it can be gone on."""
    while os.getppid() == launcher:
        told = signal.sigtimedwait([signal.SIGTERM], _POLL)
        if told is not None and told.si_pid == launcher:
            break
        if told is not None:
            stop.touch()
    os._exit(1)


if __name__ == "__main__":
    if len(sys.argv) > _RANK_WORDS:
        become_launcher(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    code = main(*map(Path, sys.argv[1:4]))
    sys.stdout.flush()
    os._exit(code)  # what is left of torch's threads need not be waited for
