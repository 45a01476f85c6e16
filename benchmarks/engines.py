"""The same hierarchical model fitted by gainlaw, PyMC, bambi and NumPyro, side by side: times and agreement.

Run by ``make bench-engines``; prints the tables, writes them to ``docs/engines.md`` and draws
``docs/img/engines.svg``. Every engine works in a process of its own, with empty caches for compiled code, and is
stopped at the budget. An engine whose library is not installed is left out, and the page says so.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from engines_fits import ENGINES, Options, Result, cores, warm_gainlaw
from engines_page import About, draw, page
from engines_reference import CHAINS, sample_reference
from engines_score import Row, Task, score
from engines_studies import STUDIES, make_study
from threadpoolctl import threadpool_limits

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
REFERENCE = HERE / "engines_reference.json"
# Draws a chain of the long runs to compare with.
LONG = {"small": 60_000, "large": 12_000}
# Target acceptance of the samplers that are not gainlaw's: 0.8 is their default; where it leaves divergences, their
# own advice is to raise it.
ACCEPT = {"small": 0.95, "large": 0.8}
REPEAT_SECONDS = 90.0


def run(task: Task, budget: float, repeats: int) -> tuple[list[Result] | str, float]:
    """Fit in a process of its own; return its results, or in words why there are none.

    The second number is the time that compilation takes in a later process, with the caches of the first.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = _child(folder, task, budget, "--repeats", str(repeats))
        found = [_read(path) for path in sorted(folder.glob("fit*.npz"))]
        if not found:
            return words, float("nan")
        _child(folder, task, budget, "--again")
        again = folder / "again.npz"
        return found, _read(again).compile_seconds if again.exists() else float("nan")


def _child(folder: Path, task: Task, budget: float, *words: str) -> str:
    """Start the child process and wait for it; say in words how it ended."""
    caches = {"NUMBA_CACHE_DIR": f"{folder}/numba", "PYTENSOR_FLAGS": f"base_compiledir={folder}/pytensor"}
    command = [sys.executable, __file__, "--child", str(folder), "--studies", task.study]
    command += ["--engines", task.engine, "--accept", str(task.accept), *words]
    with (folder / "log").open("w+") as log:
        child = subprocess.Popen(
            command, stdout=log, stderr=log, env=os.environ | caches, start_new_session=True
        )
        try:
            child.wait(budget)
        except subprocess.TimeoutExpired:
            return f"> {budget:g} s"
        finally:
            # The samplers start workers; all of them are in the child's own process group.
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        log.seek(0)
        return f"failed: {''.join(log.read().strip().splitlines()[-1:])[:200]}"


def _read(path: Path) -> Result:
    with np.load(path) as stored:
        draws = {name: stored[name] for name in stored.files if name != "_numbers"}
        seconds, compiling, divergences, ess, pareto_k = stored["_numbers"]
    return Result(draws, float(seconds), float(compiling), int(divergences), float(ess), float(pareto_k))


def _write(path: Path, found: Result, warm: float) -> None:
    numbers = [found.seconds, found.compile_seconds + warm, found.divergences, found.ess, found.pareto_k]
    np.savez(path.with_suffix(".part.npz"), _numbers=np.array(numbers), **found.draws)
    path.with_suffix(".part.npz").rename(path)


def work(folder: Path, task: Task, repeats: int, again: bool) -> None:
    """Fit until the repeats are done or their time is spent; write every result as soon as it is there.

    With `again` only what compilation takes is of interest: a fit of a few draws.
    """
    engine, study = ENGINES[task.engine], make_study(task.study)
    for package in engine.packages:
        importlib.import_module(package)
    warm = warm_gainlaw(engine.gainlaw, study) if engine.gainlaw else 0.0
    if again:
        found = Result({}, 0.0, 0.0) if engine.gainlaw else engine.fit(study, Options(0, task.accept, 10, 10))
        _write(folder / "again.npz", found, warm)
        return
    start = time.perf_counter()
    for seed in range(repeats):
        found = engine.fit(study, Options(seed, task.accept))
        _write(folder / f"fit{seed:03}.npz", found, warm)
        if time.perf_counter() - start + found.seconds > REPEAT_SECONDS:
            break


def reference(name: str) -> dict[str, Any]:
    """Return the stored reference of a study; make it when there is none for these data."""
    study = make_study(name)
    stored = json.loads(REFERENCE.read_text(encoding="utf-8")) if REFERENCE.exists() else {}
    if stored.get(name, {}).get("checksum") == study.checksum:
        return stored[name]
    print(f"{name}: making the reference, which takes minutes", file=sys.stderr)
    with threadpool_limits(1):
        draws, accepted = sample_reference(study, LONG[name], seed=2024)
    mean_sd = {each: (float(values.mean()), float(values.std())) for each, values in draws.items()}
    own = score(Result(draws, 1.0, 0.0), mean_sd)
    stored[name] = {
        "checksum": study.checksum,
        "draws": CHAINS * LONG[name],
        "accepted": round(accepted, 3),
        "ess": round(own["ess"]),
        "rhat": round(own["rhat"], 4),
        "mean_sd": mean_sd,
    }
    REFERENCE.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    return stored[name]


def plan(names: list[str], engines: list[str], accept: float | None) -> list[tuple[str, Task]]:
    """Return every fit, with the key of its table: a study, or the small study at the samplers' defaults."""
    tasks = [
        (name, Task(name, engine, ACCEPT[name] if accept is None else accept))
        for name in names
        for engine in engines
    ]
    if accept is None and "small" in names:
        plain = [engine for engine in engines if not ENGINES[engine].gainlaw]
        tasks += [("small, default", Task("small", engine, 0.8)) for engine in plain]
    return tasks


def main() -> None:
    """Print the tables and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", default=",".join(STUDIES), help="comma-separated: %(default)s")
    parser.add_argument("--engines", default=",".join(ENGINES), help="comma-separated: %(default)s")
    parser.add_argument("--budget", type=float, default=600.0, help="seconds an engine may take on a study")
    parser.add_argument(
        "--repeats", type=int, default=3, help="fits of an engine, while they take little time"
    )
    parser.add_argument(
        "--accept", type=float, help="target acceptance of the samplers that are not gainlaw's"
    )
    parser.add_argument(
        "--docs", type=Path, default=DOCS, help="folder of the page; its figure goes into img/"
    )
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--again", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    names, engines = given.studies.split(","), given.engines.split(",")
    if unknown := [*set(names).difference(STUDIES), *set(engines).difference(ENGINES)]:
        parser.error(f"not known: {', '.join(unknown)}")
    if given.child:
        warnings.simplefilter("ignore")
        work(given.child, Task(names[0], engines[0], given.accept), given.repeats, given.again)
        return
    missing = {name: [p for p in ENGINES[name].packages if find_spec(p) is None] for name in engines}
    references = {name: reference(name) for name in names}
    rows: list[Row] = []
    loads = [_load()]
    for key, task in plan(names, engines, given.accept):
        found: list[Result] | str = f"skipped: {', '.join(missing[task.engine])} not installed"
        again = float("nan")
        if not missing[task.engine]:
            found, again = run(task, given.budget, given.repeats)
        rows.append(Row.of(key, task, found, again, references[task.study]["mean_sd"]))
        print(rows[-1], file=sys.stderr, flush=True)
        loads.append(_load())
    packages = {package for name in engines if not missing[name] for package in ENGINES[name].packages}
    about = About(
        command=_command(),
        cores=cores(),
        load=(min(loads), max(loads)),
        versions={package: version(package) for package in sorted({*packages, "numpy"})},
        references=references,
    )
    text = page(rows, about)
    print(text)
    (given.docs / "img").mkdir(parents=True, exist_ok=True)
    (given.docs / "engines.md").write_text(text, encoding="utf-8")
    draw(rows, given.docs / "img" / "engines.svg")


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def _command() -> str:
    words = shlex.join(sys.argv[1:])
    return f'make bench-engines ARGS="{words}"' if words else "make bench-engines"


if __name__ == "__main__":
    main()
