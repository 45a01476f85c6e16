"""Draw the figures of the report, which need neither claims nor comparisons."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import gainlaw as gl
from analysis.across import across_of
from gainlaw.report.artists import hire


def run(
    inputs: Mapping[str, Path],
    output: Path,
    *,
    fits: Mapping[str, str],
    beside: Mapping[str, str] | None = None,
    across: Mapping[str, str] | None = None,
) -> None:
    if output.exists():
        shutil.rmtree(output)
    # Drawing stands between the last fit and the report, when little else is left to do.
    with hire(1) as artists:
        gl.draw_figures(
            {name: gl.load_fit(inputs[key]) for key, name in fits.items()},
            output,
            beside={name: gl.load_fit(inputs[key]) for key, name in (beside or {}).items()},
            across=across_of(inputs, across),
            artists=artists,
        )
