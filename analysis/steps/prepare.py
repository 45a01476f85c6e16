"""Write the scores of a packaged dataset, or of a folder, as evaluations, and the gains they give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gainlaw as gl


def run(
    inputs: Mapping[str, Path], output: Path, *, dataset: str = "", where: Mapping[str, str] | None = None
) -> str:
    evals = gl.load_dataset(dataset) if dataset else gl.read_evaluations(inputs["scores"].parent)
    if where:
        evals = evals.select(**where)
    gains = evals.gains(scale="points")
    evals.write(output)
    gains.write(output / "gains.csv")
    return f"{len(evals.frame)} scores, {len(gains)} gains"
