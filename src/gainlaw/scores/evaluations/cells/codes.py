"""The language codes of a table: one spelling for each language, and what is to be said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gainlaw.notes import Note
from gainlaw.scores.languages import UNLISTED, language_variants, unify_languages

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["language_notes", "one_spelling"]


def one_spelling(codes: pd.Series, lines: np.ndarray, notes: list[Note]) -> pd.Series:
    """Return language codes with one spelling for each language, and say which were changed.

    Parameters
    ----------
    codes : pandas.Series of str
        The codes as given.
    lines : numpy.ndarray of int, shape (rows,)
        The line of each.
    notes : list of Note
        Where it is said.
    """
    renamed = unify_languages(codes.unique())
    for name in dict.fromkeys(renamed.values()):
        spellings = [code for code, new in renamed.items() if new == name]
        where = codes.isin(spellings).to_numpy()
        shown = ", ".join(repr(code) for code in spellings)
        what = f"language {shown} was read as {name!r}, which the table has too: they are one language"
        notes.append(Note("language_spelling", what, tuple(lines[where].tolist()), standing=True))
    return codes.replace(renamed) if renamed else codes


def language_notes(frame: pd.DataFrame, lines: np.ndarray) -> list[Note]:
    """Return what a reader must know of the languages of a table.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores or gains with ``language`` and ``language_family``.
    lines : numpy.ndarray of int, shape (rows,)
        The line of each row.
    """
    notes = []
    own = frame["language_family"].str.endswith(UNLISTED).to_numpy(bool)
    if own.any():
        codes = ", ".join(repr(code) for code in sorted(set(frame["language"][own]))[:12])
        what = (
            f"not in the table of languages, so each is a family of its own: {codes}; or give language_family"
        )
        notes.append(Note("unlisted_language", what, tuple(int(line) for line in np.unique(lines[own]))))
    for variants in language_variants(frame["language"].unique()):
        where = frame["language"].isin(variants).to_numpy(bool)
        shown = ", ".join(repr(code) for code in variants)
        what = (
            f"{shown} are one language in several scripts or regions, kept apart as languages of one family"
        )
        rows = tuple(int(line) for line in np.unique(lines[where]))
        notes.append(Note("language_variants", what, rows, severity="info"))
    return notes
