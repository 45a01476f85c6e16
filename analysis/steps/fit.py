"""Fit one law to the gains, or scores, of all or some intermediate trainings."""

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
    source: str,
    intermediates: Sequence[str] = (),
    covariates: Sequence[str] = (),
    seed: int = 0,
) -> str:
    evals = replace(gl.read_evaluations(inputs["data"]), source=source)
    chosen = evals.select(intermediate=["none", *intermediates]) if intermediates else evals
    fit = fit_gains(chosen, law=law, covariates=covariates, seed=seed)
    save_fit(fit, output, overwrite=True)
    return f"{fit.n_rows} gains, {fit.n_checkpoints} checkpoints, diagnostics {fit.status}"
