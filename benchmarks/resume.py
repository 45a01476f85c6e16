"""Simulations side by side that can be stopped and resumed: what is finished is kept in a file of its own."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import gainlaw

__all__ = ["resumed"]


def resumed(
    run: Callable[[int], Any], seeds: Sequence[int], workers: int, name: str, folder: Path
) -> list[Any]:
    """Return ``run(seed)`` for every seed, computed by several processes, or read where it was computed before.

    Parameters
    ----------
    run : callable
        Takes a seed; returns what JSON can hold. It must be importable.
    seeds : sequence of int
        Seeds.
    workers : int
        Processes.
    name : str
        Names the file, and the line of progress.
    folder : Path
        Where the files stand. A file belongs to one state of the package's and the benchmarks' code: after any change
        the simulations start afresh.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{re.sub('[^a-z0-9]+', '-', name.lower())}-{_code()}.jsonl"
    done = {row["seed"]: row["result"] for row in _lines(path)}
    todo = [seed for seed in seeds if seed not in done]
    if todo:
        with ProcessPoolExecutor(workers) as pool, path.open("a", encoding="utf-8") as stream:
            for seed, result in zip(todo, pool.map(run, todo, chunksize=2), strict=True):
                done[seed] = result
                stream.write(json.dumps({"seed": seed, "result": result}) + "\n")
                stream.flush()
                print(f"\r{name} {len(done)}/{len(seeds)}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    return [done[seed] for seed in seeds]


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:  # The line that an interrupt cut short.
            continue
    return rows


def _code() -> str:
    digest = hashlib.sha256()
    for root in (Path(gainlaw.__file__).parent, Path(__file__).parent):
        for path in sorted(root.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
