"""The record of a run: what was asked for, resolved, done, and with what; enough to run it again."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gainlaw
from gainlaw._io import sha256_file, write_text_atomic
from gainlaw._provenance import git_state
from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.units.graph import Graph
from gainlaw.training.units.schedule import Summary
from gainlaw.training.units.store import Store, dump_json
from gainlaw.training.units.units import installed_versions

__all__ = ["RECORD", "recorded_scores", "write_record"]

RECORD = "run.json"
_LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "peft", "datasets", "numpy", "pandas")


def write_record(
    folder: Path,
    experiment: Experiment,
    graph: Graph,
    store: Store,
    summary: Summary,
    resolved: Mapping[str, Any],
    scores: int,
) -> None:
    """Write ``run.json``.

    Parameters
    ----------
    folder : Path
        The folder of the run.
    experiment, graph, store, summary
        What was asked for, its units, where they are, and what was done now.
    resolved : mapping
        Device, workers and threads.
    scores : int
        Rows of the evaluations.
    """
    done = [name for name in graph.units if store.has(name)]
    seconds = {name: _seconds(store.path(name)) for name in done}
    outputs = {
        f.name: sha256_file(f)
        for f in (folder / "evaluations.csv", folder / "predictions.parquet")
        if f.is_file()
    }
    failed = bool(summary.failed)
    record = {
        "version": 1,
        "status": "failed" if failed else ("done" if len(done) == len(graph.units) else "unfinished"),
        "experiment": experiment.text,
        "experiment_sha256": experiment.sha256,
        "folder": str(experiment.folder),
        "resolved": dict(resolved),
        "packages": {"gainlaw": gainlaw.__version__, "python": platform.python_version()}
        | installed_versions(_LIBRARIES),
        "git": git_state(),
        "platform": {"system": platform.system(), "machine": platform.machine()},
        "units": {
            name: {
                "label": unit.label,
                "key": unit.key,
                "parents": sorted(unit.parents.values()),
                "done": name in seconds,
                "seconds": seconds.get(name),
            }
            for name, unit in graph.units.items()
        },
        "counts": {
            "cells": len(graph.cells),
            "scores": scores,
            "units": dict(Counter(unit.phase for unit in graph.units.values())),
            "unit_seconds": round(sum(s or 0.0 for s in seconds.values()), 1),
        },
        "failed": dict(summary.failed),
        "outputs": outputs,
    }
    write_text_atomic(folder / RECORD, dump_json(record))


def recorded_scores(folder: Path, experiment: Experiment, graph: Graph) -> int | None:
    """Return the number of scores in a folder whose tables are those of this very experiment, whole; else None."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        same = (
            record["status"] == "done"
            and record["experiment_sha256"] == experiment.sha256
            and set(record["units"]) == set(graph.units)
            and len(record["outputs"]) == 2
            and all(sha256_file(folder / name) == known for name, known in record["outputs"].items())
        )
        return int(record["counts"]["scores"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _seconds(folder: Path) -> float | None:
    path = folder / "timing.json"
    return json.loads(path.read_text(encoding="utf-8"))["seconds"] if path.is_file() else None
