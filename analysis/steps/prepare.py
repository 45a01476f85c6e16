"""Write the packaged BLOOM and BLOOMZ scores as evaluations, and the gains they give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gainlaw as gl
from gainlaw._io import write_frame_atomic


def run(inputs: Mapping[str, Path], output: Path, *, dataset: str) -> str:
    evals = gl.load_dataset(dataset)
    gains = evals.gains(scale="points")
    output.mkdir(parents=True, exist_ok=True)
    write_frame_atomic(evals.frame, output / "evaluations.csv")
    gains.write(output / "gains.csv")
    return f"{len(evals.frame)} scores, {len(gains)} gains"
