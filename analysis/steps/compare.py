"""Compare the laws by how well they predict the gains of a checkpoint, or of a group, that they did not see."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gainlaw as gl
from gainlaw._io import write_frame_atomic
from gainlaw.fitting.storage import load_fit


def run(
    inputs: Mapping[str, Path], output: Path, *, fits: Mapping[str, str], leave: str | None = None
) -> str:
    frame = gl.compare({name: load_fit(inputs[key]) for key, name in fits.items()}, leave=leave)
    write_frame_atomic(frame, output)
    return f"best: {frame['model'].iloc[0]}"
