"""The gallery: every block of the page makes what stands behind it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_every_block_makes_what_the_page_shows() -> None:
    """A figure's description has its numbers, so that a picture which is out of date is found by it."""
    gallery = runpy.run_path(str(ROOT / "docs" / "gallery.py"))
    text = gallery["PAGE"].read_text(encoding="utf-8")
    pieces = list(gallery["results"](text))
    assert len(pieces) == text.count("```python") >= 10
    for match, result in pieces:
        assert gallery["shown"](match, result) == match["shown"], match["code"]
        assert match["picture"] is None or (ROOT / "docs" / match["picture"]).stat().st_size < 150_000
