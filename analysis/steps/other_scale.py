"""Fit the study of a fit directory again on the other scale; the fit is kept inside that directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gainlaw.fitting.companion import other_scale_fit
from gainlaw.fitting.storage import load_fit


def run(inputs: Mapping[str, Path], output: Path) -> str:
    fit = other_scale_fit(load_fit(inputs["fit"]), anew=True)
    if fit is None:
        raise ValueError(f"{inputs['fit']} keeps no scores, so there is no other scale")
    return f"{fit.scale}, diagnostics {fit.status}"
