"""The record of a run: what was asked for, resolved, done, and with what; enough to run it again."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gainlaw
from gainlaw._io import sha256_file, write_text_atomic
from gainlaw._provenance import git_state
from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.runs.graph import UnitGraph
from gainlaw.training.runs.results import OUTPUTS
from gainlaw.units.execution import Ended
from gainlaw.units.store import Store, dump_json
from gainlaw.units.versions import installed_versions

__all__ = ["RECORD", "recorded_scores", "write_record"]

RECORD = "run.json"
_LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "peft", "datasets", "numpy", "pandas")


def write_record(
    folder: Path,
    experiment: Experiment,
    graph: UnitGraph,
    store: Store,
    ends: Sequence[Ended],
    resolved: Mapping[str, Any],
    scores: int,
) -> None:
    """Write ``run.json``.

    Parameters
    ----------
    folder : Path
        The folder of the run.
    experiment, graph, store, ends
        What was asked for, its units, where they are, and what became of them now.
    resolved : mapping
        Device, workers and threads.
    scores : int
        Rows of the evaluations.
    """
    seconds = {name: store.seconds(name) for name, unit in graph.units.items() if store.has(unit)}
    outputs = {f.name: sha256_file(f) for f in (folder / name for name in OUTPUTS) if f.is_file()}
    failed = {end.unit.name: end.said for end in ends if end.state == "failed"}
    record = {
        "version": 1,
        "status": "failed" if failed else ("done" if len(seconds) == len(graph.units) else "unfinished"),
        "experiment": experiment.text,
        "experiment_sha256": experiment.sha256,
        "only": list(experiment.only),
        "without": list(experiment.without),
        "commits": dict(experiment.commits),
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
            "units": dict(Counter(unit.kind for unit in graph.units.values())),
            "unit_seconds": round(sum(s or 0.0 for s in seconds.values()), 1),
        },
        "failed": failed,
        "outputs": outputs,
    }
    write_text_atomic(folder / RECORD, dump_json(record))


def recorded_scores(folder: Path, experiment: Experiment, graph: UnitGraph) -> int | None:
    """Return the number of scores in a folder whose tables are those of this very experiment, whole; else None."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        same = (
            record["status"] == "done"
            and record["experiment_sha256"] == experiment.sha256
            and set(record["units"]) == set(graph.units)
            and len(record["outputs"]) == len(OUTPUTS) - (not graph.alignments)
            and all(sha256_file(folder / name) == known for name, known in record["outputs"].items())
        )
        return int(record["counts"]["scores"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
