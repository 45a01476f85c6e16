"""Fit the study of a fit directory again on the other scale; the fit is kept inside that directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gainlaw.hierarchy import other_scale_fit


def run(inputs: Mapping[str, Path], output: Path) -> str:
    fit = other_scale_fit(inputs["fit"])
    return f"{fit.scale}, diagnostics {fit.diagnostics.status}"
