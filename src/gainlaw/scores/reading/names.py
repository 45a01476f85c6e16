"""Names as people write them: one form of each text, characters that no name may hold, spellings that clash."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["code_points", "forbidden", "show_name", "spelling_clashes"]

_BLANKS = "\t\n\r"
_SHOWN = 6


def forbidden(text: str, *, name: bool = False) -> str:
    r"""Return the characters that a cell may not hold: control characters and lone surrogates.

    Parameters
    ----------
    text : str
        The cell.
    name : bool
        Whether it is a name: then tabs and line ends are forbidden too. A prompt may have several lines.

    Examples
    --------
    >>> code_points(forbidden("a\x00b")), forbidden("two\nlines"), len(forbidden("two\nlines", name=True))
    ('U+0000', '', 1)
    """
    if text.isprintable():
        return ""
    kinds = ("Cc", "Cs", "Zl", "Zp") if name else ("Cc", "Cs")
    allowed = "" if name else _BLANKS
    return "".join(char for char in text if unicodedata.category(char) in kinds and char not in allowed)


def code_points(text: str) -> str:
    r"""Return the distinct characters of a text as code points, the first few of many.

    Examples
    --------
    >>> code_points("e\u0301")
    'U+0065, U+0301'
    """
    points = [f"U+{ord(char):04X}" for char in dict.fromkeys(text)]
    return ", ".join(points[:_SHOWN]) + (", ..." if len(points) > _SHOWN else "")


def show_name(name: str) -> str:
    r"""Return a name as a message shows it: quoted, with the code points of what is not ASCII.

    Examples
    --------
    >>> show_name("xnli"), show_name("xn\u200bli")
    ("'xnli'", "'xn\\u200bli' (with U+200B)")
    """
    special = "".join(char for char in name if not " " <= char <= "~")
    return f"{name!r} (with {code_points(special)})" if special else repr(name)


def _skeleton(name: str) -> str:
    """Return what two names have in common that a reader cannot tell apart, or that differ in case alone."""
    visible = "".join(char for char in name if unicodedata.category(char) != "Cf")
    return " ".join(unicodedata.normalize("NFC", visible).split()).casefold()


def spelling_clashes(names: pd.Series) -> list[tuple[str, str]]:
    """Find names that differ only in case, blanks, invisible characters or the form of accents.

    Parameters
    ----------
    names : pandas.Series of str
        A column of names.

    Returns
    -------
    list of (clash, rare)
        For every clash its spellings as one text, and the rarest of them.

    Examples
    --------
    >>> import pandas as pd
    >>> spelling_clashes(pd.Series(["xnli", "XNLI", "xnli", "pawsx"]))
    [("'XNLI', 'xnli' differ only in case or blanks", 'XNLI')]
    """
    counts = names.value_counts()
    spellings: dict[str, list[str]] = {}
    for name in counts.index:
        spellings.setdefault(_skeleton(str(name)), []).append(str(name))
    clashes = []
    for same in spellings.values():
        if len(same) < 2:
            continue
        plain = {" ".join(name.split()).casefold() for name in same}
        how = (
            "in case or blanks"
            if len(plain) == 1
            else "in invisible characters, accents' form, case or blanks"
        )
        shown = ", ".join(show_name(name) for name in sorted(same))
        rare = min(same, key=lambda name: (int(counts[name]), name))
        clashes.append((f"{shown} differ only {how}", rare))
    return clashes
