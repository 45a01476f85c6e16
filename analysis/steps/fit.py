"""Fit one law to the gains of some intermediate trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import gainlaw as gl


def run(
    inputs: Mapping[str, Path],
    output: Path,
    *,
    law: str,
    intermediates: Sequence[str],
    scale: str = "points",
    seed: int = 0,
) -> str:
    evals = gl.read_evaluations(inputs["data"] / "evaluations.csv").select(
        intermediate=["none", *intermediates]
    )
    fit = gl.fit(evals.gains(scale=scale), law=law, seed=seed)
    fit.save(output)
    return f"{fit.n_rows} gains, {fit.n_checkpoints} checkpoints, diagnostics {fit.diagnostics.status}"
