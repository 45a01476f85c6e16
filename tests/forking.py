"""Commands in processes of their own that start at once: forked from one that has everything imported and compiled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SERVER = """
import json, os, resource, sys, warnings
from gainlaw.report import exhibits
import gainlaw.report.write, gainlaw.claims.assessment, h5py, xarray, jinja2
from gainlaw.cli import main
import gainlaw as gl
from gainlaw.figures.common.style import PaperFigure

savefig = PaperFigure.savefig
os.environ["OMP_NUM_THREADS"] = "1"  # no process beside it draws


def once(figure, target, *, format, **options):
    # What is asked of a killed report is which files it leaves: few figures are drawn, in one of three formats.
    savefig(figure, target, format=format, **options) if format == "svg" else target.write(b"not drawn")


PaperFigure.savefig = once
exhibits.FIGURES, exhibits.LONGEST_FIRST = exhibits.FIGURES[:4], (0, 1, 2, 3)
gl.assess(gl.fit(gl.simulate.simulate_study(1, n_tasks=2, n_languages=3).evaluations, draws=100, chains=2), "slope < 0")
print("ready", flush=True)
for line in sys.stdin:
    job = json.loads(line)
    if "wait" in job:
        print(os.waitstatus_to_exitcode(os.waitpid(job["wait"], 0)[1]), flush=True)
        continue
    warnings.simplefilter("ignore", DeprecationWarning)
    pid = os.fork()
    if pid:
        print(pid, flush=True)
        continue
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if job["limit"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["limit"], job["limit"]))
    os.dup2(log, 1), os.dup2(log, 2)
    sys.argv = ["gainlaw", *job["arguments"]]
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            pass
    os._exit(code)
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed on both streams."""

    code: int
    said: str


class Fork:
    """A server of forked commands; use it in a ``with`` block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: dict[int, Path] = {}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def _ask(self, job: dict[str, object]) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def start(self, *arguments: object, limit: int = 0) -> int:
        """Begin a command and return its process; `limit` bounds the size of the files that it may write."""
        log = self.folder / f"log-{len(self.jobs)}.txt"
        pid = self._ask({"arguments": [str(each) for each in arguments], "log": str(log), "limit": limit})
        self.jobs[pid] = log
        return pid

    def end(self, pid: int, signal: int = 0) -> Ended:
        """Wait for a command, after a signal if one is given."""
        if signal:
            os.kill(pid, signal)
        return Ended(self._ask({"wait": pid}), self.jobs[pid].read_text(encoding="utf-8", errors="replace"))

    def run(self, *arguments: object, limit: int = 0) -> Ended:
        """Run a command to its end."""
        return self.end(self.start(*arguments, limit=limit))

    def close(self) -> None:
        """End the server."""
        self.process.communicate(timeout=60)
