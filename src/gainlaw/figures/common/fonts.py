"""Letters that the fonts of the figures lack: they come from the machine's fonts, and what none has is said."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gainlaw.notes import count_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BASE", "settle", "silent"]

#: Every figure is set in these: the letters of Europe, then what else matplotlib brings.
BASE = ("gainlaw Sans", "DejaVu Sans")

_SCRIPTS = (
    "CJK SC", "CJK JP", "SC", "JP", "KR", "Devanagari", "Bengali", "Tamil", "Telugu", "Gujarati", "Gurmukhi", "Kannada",
    "Malayalam", "Sinhala", "Thai", "Lao", "Khmer", "Myanmar", "Ethiopic", "Arabic", "Hebrew", "Georgian", "Armenian",
)  # fmt: skip

#: Fonts of the scripts that the first ones lack, as Linux, macOS and Windows have them; those installed are used.
_OTHERS = (
    *(f"Noto Sans {script}" for script in _SCRIPTS),
    "WenQuanYi Zen Hei", "Droid Sans Fallback", "Lohit Devanagari", "PingFang SC", "Hiragino Sans",
    "Apple SD Gothic Neo", "Kohinoor Devanagari", "Geeza Pro", "Thonburi", "Arial Unicode MS", "Microsoft YaHei",
    "Yu Gothic", "Malgun Gothic", "Nirmala UI", "Leelawadee UI", "Segoe UI Symbol",
)  # fmt: skip

_MISSING = re.compile(r"Glyph (\d+) .* missing from font")
_SHOWN = 8


def settle(figure: Figure) -> str:
    """Lay a figure out, its letters from whatever font has them; return what to say of those that none has.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure, with a layout engine.

    Returns
    -------
    str
        A sentence, or nothing.
    """
    from matplotlib.font_manager import fontManager
    from matplotlib.text import Text

    if not _lacking(figure):
        return ""
    installed = {font.name for font in fontManager.ttflist}
    for text in figure.findobj(Text):
        family = text.get_fontfamily()
        text.set_fontfamily([*family, *BASE, *(name for name in _OTHERS if name in installed)])
    lacking = _lacking(figure)
    if not lacking:
        return ""
    named = ", ".join(lacking[:_SHOWN]) + (", ..." if len(lacking) > _SHOWN else "")
    return f"No font of this machine has {count_of(len(lacking), 'character')} ({named}); boxes stand there."


@contextmanager
def silent() -> Iterator[None]:
    """Within it matplotlib does not warn of letters that no font has: `settle` has said so."""
    logger = logging.getLogger("matplotlib.font_manager")
    kept = logger.disabled
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        logger.disabled = True  # a font without a bold face is no news to the reader of a figure
        try:
            yield
        finally:
            logger.disabled = kept


def _lacking(figure: Figure) -> list[str]:
    """Lay the figure out and return the characters that its fonts lack."""
    engine = figure.get_layout_engine()
    assert engine is not None
    with silent(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        engine.execute(figure)
    found: dict[str, None] = {}
    for warning in caught:
        match = _MISSING.match(str(warning.message))
        if match is None:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        elif (letter := chr(int(match[1]))).isprintable():
            found[letter] = None
    return list(found)
