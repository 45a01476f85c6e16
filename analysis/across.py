"""What a report says of every ladder at once, from the places of the steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

import gainlaw as gl
from analysis.together import COMPARED
from gainlaw.report.across import Across

__all__ = ["across_of"]


def across_of(inputs: Mapping[str, Path], given: Mapping[str, str] | None) -> Across | None:
    """Return what a report says of every ladder, from the places of the steps and from the panels and the note."""
    if given is None:
        return None
    comparisons = {
        leave: pd.read_csv(inputs[f"across_{leave}"]) for leave in COMPARED if f"across_{leave}" in inputs
    }
    fit, line, ability = (gl.load_fit(inputs[name]) for name in ("across", "across_line", "across_ability"))
    return Across(fit, line, comparisons, ability=ability, **given)
