"""Fit one law to the gains of some intermediate trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import gainlaw as gl
from gainlaw.fitting.core import fit as fit_gains
from gainlaw.fitting.storage import save_fit


def run(
    inputs: Mapping[str, Path],
    output: Path,
    *,
    law: str,
    intermediates: Sequence[str],
    source: str,
    scale: str = "points",
    covariates: Sequence[str] = (),
    seed: int = 0,
) -> str:
    evals = gl.read_evaluations(inputs["data"])
    chosen = replace(evals, source=source).select(intermediate=["none", *intermediates])
    fit = fit_gains(chosen.gains(scale=scale), law=law, covariates=covariates, seed=seed)
    save_fit(fit, output, overwrite=True)
    return f"{fit.n_rows} gains, {fit.n_checkpoints} checkpoints, diagnostics {fit.status}"
