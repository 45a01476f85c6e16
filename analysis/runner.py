"""A small runner: steps with inputs and an output, re-run when the content of anything they read changed.

A step is stale when its stamp differs from what would be written now. The stamp covers the step's own code,
the code of the package up to the step's floor, its parameters, the versions of the libraries that do the
numerics, the content of its inputs and the content of its output. Nothing depends on file times.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gainlaw
from gainlaw._io import write_text_atomic

__all__ = ["FLOORS", "Outcome", "Step", "StepError", "run_steps"]

#: The package's parts from the bottom up; a step is stale when a part at or below its floor changed.
FLOORS = (
    "errors notes options formats _compiled _directory _io _provenance _threads",
    "scores",
    "laws curves model posterior fitting frequentist",
    "claims",
    "tables figures",
    "report",
)

_LIBRARIES = ("numpy", "scipy", "pandas", "pymc", "nutpie", "arviz", "matplotlib", "jinja2")


class StepError(RuntimeError):
    """A step failed; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the analysis.

    Parameters
    ----------
    name : str
        Its name, and that of its stamp.
    module : str
        The module with its ``run(inputs, output, **parameters)``; it returns a line for the screen, or None.
    output : Path
        The file or folder it makes.
    inputs : mapping of str to Path
        The files and folders it reads, by the name under which `run` gets them.
    parameters : mapping
        Passed to `run`; plain values.
    floor : str
        The highest part of the package that it uses.
    """

    name: str
    module: str
    output: Path
    inputs: Mapping[str, Path] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    floor: str = "report"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step: whether it ran, for how many seconds, and what it said."""

    name: str
    ran: bool
    seconds: float
    line: str


def run_steps(
    steps: Sequence[Step],
    stamps: Path,
    *,
    jobs: int = 2,
    force: bool = False,
    started: Callable[[str], None] = lambda name: None,
    finished: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Run the steps that are stale, those that do not need each other side by side.

    Parameters
    ----------
    steps : sequence of Step
        In any order in which every step comes after those it reads from.
    stamps : Path
        The folder of the stamps.
    jobs : int
        Processes.
    force : bool
        Whether to run every step.
    started, finished : callable
        Told about every step, for the screen.

    Returns
    -------
    list of Outcome
        In the order in which the steps ended.

    Raises
    ------
    StepError
        When a step fails. Steps that are running then end first; what is done stays done.
    """
    owners = {step.output: step.name for step in steps}
    waits = {
        step.name: {
            owner for path in step.inputs.values() if (owner := _owner(path, owners)) not in {None, step.name}
        }
        for step in steps
    }
    todo, running, outcomes = list(steps), {}, []
    done: set[str | None] = set()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=jobs, mp_context=context, initializer=_quiet) as pool:
        while todo or running:
            for step in [step for step in todo if waits[step.name] <= done]:
                if len(running) >= jobs:
                    break
                todo.remove(step)
                key = _key(step)
                if not force and _fresh(step, key, stamps):
                    done.add(step.name)
                    outcomes.append(Outcome(step.name, False, 0.0, ""))
                    finished(outcomes[-1])
                    continue
                started(step.name)
                future = pool.submit(
                    _call, step.module, dict(step.inputs), step.output, dict(step.parameters)
                )
                running[future] = (step, key, time.perf_counter())
            if not running:
                continue
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                step, key, begun = running.pop(future)
                line = _result(step, future)
                _stamp(step, key, stamps)
                done.add(step.name)
                outcomes.append(Outcome(step.name, True, time.perf_counter() - begun, line))
                finished(outcomes[-1])
    return outcomes


def _owner(path: Path, owners: Mapping[Path, str]) -> str | None:
    return next((owners[place] for place in (path, *path.parents) if place in owners), None)


def _result(step: Step, future: Future[str | None]) -> str:
    try:
        return future.result() or ""
    except Exception as error:
        raise StepError(f"{step.name}: {error}") from error


def _quiet() -> None:
    """Keep the numerical libraries of a worker to one thread: the steps themselves run side by side."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def _call(module: str, inputs: dict[str, Path], output: Path, parameters: dict[str, Any]) -> str | None:
    output.parent.mkdir(parents=True, exist_ok=True)
    return importlib.import_module(module).run(inputs, output, **parameters)


def _key(step: Step) -> str:
    record = {
        "module": step.module,
        "parameters": step.parameters,
        "code": _hash_file(_module_file(step.module)),
        "package": _package_hash(step.floor),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "inputs": {name: _hash_path(path) for name, path in sorted(step.inputs.items())},
    }
    return hashlib.sha256(json.dumps(record, sort_keys=True, default=str).encode()).hexdigest()


def _fresh(step: Step, key: str, stamps: Path) -> bool:
    try:
        stamp = json.loads((stamps / f"{step.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(stamp == {"key": key, "output": _hash_path(step.output)}) and step.output.exists()


def _stamp(step: Step, key: str, stamps: Path) -> None:
    stamp = {"key": key, "output": _hash_path(step.output)}
    write_text_atomic(stamps / f"{step.name}.json", json.dumps(stamp, indent=1) + "\n")


def _module_file(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise StepError(f"there is no module {module}")
    return Path(spec.origin)


@cache
def _package_hash(floor: str) -> str:
    """Hash the package's files up to and with the floor of a part."""
    root = Path(gainlaw.__file__).parent
    level = next(number for number, names in enumerate(FLOORS) if floor in names.split())
    parts = {name for names in FLOORS[: level + 1] for name in names.split()}
    files = [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and _part(path, root) in parts
    ]
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(root)}\0{_hash_file(path)}\n".encode())
    return digest.hexdigest()


def _part(path: Path, root: Path) -> str:
    first = path.relative_to(root).parts[0]
    return first.removesuffix(".py")


def _hash_path(path: Path) -> str:
    """Hash a file, or a folder's files with their names.

    A fit on another scale has its own step, and may be being written in here, under a name that begins with a dot.
    """
    if not path.exists():
        return ""
    if path.is_file():
        return _hash_file(path)
    digest = hashlib.sha256()
    for each in sorted(path.rglob("*")):
        inside = each.relative_to(path)
        if each.is_file() and not any(part.startswith(("scale_", ".")) for part in inside.parts):
            digest.update(f"{inside.as_posix()}\0{_hash_file(each)}\n".encode())
    return digest.hexdigest()


def _hash_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
