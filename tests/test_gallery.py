"""The gallery: every block of the page makes what stands behind it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def read(text: str) -> tuple[list[str], list[float]]:
    """Return words, whole numbers among them, and numbers with decimals; the width of columns says nothing."""
    pieces = re.split(r"(-?\d+\.\d+)", re.sub(r"-{2,}:?", "", text))
    return " ".join(pieces[::2]).split(), [float(each) for each in pieces[1::2]]


@pytest.mark.slow
def test_every_block_makes_what_the_page_shows() -> None:
    """A figure's description has its numbers, so that a picture which is out of date is found by it."""
    gallery = runpy.run_path(str(ROOT / "docs" / "gallery.py"))
    text = gallery["PAGE"].read_text(encoding="utf-8")
    pieces = list(gallery["results"](text))
    assert len(pieces) == text.count("```python") >= 10
    for match, result in pieces:
        made, there = read(gallery["shown"](match, result)), read(match["shown"])
        assert made[0] == there[0], match["code"]
        # Another processor may round otherwise and so take other draws: the Monte Carlo error of a thousand.
        assert made[1] == pytest.approx(there[1], rel=0.05, abs=0.5), match["code"]
        assert match["picture"] is None or (ROOT / "docs" / match["picture"]).stat().st_size < 150_000
