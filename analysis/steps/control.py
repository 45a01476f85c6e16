"""Judge whether a ladder is evidence on transfer: models against their controls, and the alignment of languages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

import gainlaw as gl
from gainlaw._io import write_frame_atomic, write_text_atomic
from gainlaw.tables.controls import alignment_table, chance_table, controls_table
from gainlaw.tables.table import Table

__all__ = ["read_control", "run"]


def run(inputs: Mapping[str, Path], output: Path, *, control: str, dataset: str = "") -> str:
    evals = gl.load_dataset(dataset) if dataset else gl.read_evaluations(inputs["scores"].parent)
    check = gl.check_controls(evals, control)
    output.mkdir(exist_ok=True)
    write_frame_atomic(check.sizes, output / "sizes.csv")
    write_frame_atomic(check.chance, output / "chance.csv")
    write_frame_atomic(pd.read_csv(inputs["alignment"]), output / "alignment.csv")
    record = {"passed": check.passed, "words": check.words, "failures": list(check.failures)}
    write_text_atomic(output / "control.json", json.dumps(record, indent=1) + "\n")
    return "passed" if check.passed else "failed: no evidence on transfer"


def read_control(folder: Path) -> tuple[str, tuple[Table, ...]]:
    """Return the verdict in words, and the tables that it rests on, of what `run` wrote."""
    from gainlaw.scores.controls import ControlCheck

    record = json.loads((folder / "control.json").read_text(encoding="utf-8"))
    check = ControlCheck(
        pd.read_csv(folder / "sizes.csv"),
        pd.read_csv(folder / "chance.csv"),
        tuple(record["failures"]),
        record["words"],
    )
    alignment = pd.read_csv(folder / "alignment.csv")
    return check.words, (controls_table(check), chance_table(check), alignment_table(alignment))
