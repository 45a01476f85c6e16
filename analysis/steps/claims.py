"""Judge the claims of the field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gainlaw as gl
from gainlaw._io import write_frame_atomic
from gainlaw.claims.verdict import verdicts_frame
from gainlaw.fitting.storage import load_fit


def run(inputs: Mapping[str, Path], output: Path, *, fits: Mapping[str, str]) -> str:
    verdicts = gl.assess_file([load_fit(inputs[key]) for key in fits], inputs["claims"])
    write_frame_atomic(verdicts_frame(verdicts), output)
    return f"{len(verdicts)} claims"
