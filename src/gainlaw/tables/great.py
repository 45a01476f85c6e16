"""Tables for the package great_tables, which styles them further: notebooks, Quarto, mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.formats import MINUS

if TYPE_CHECKING:
    from great_tables import GT

    from gainlaw.tables.record import TableRecord

__all__ = ["render_great"]


def render_great(table: TableRecord) -> GT:
    """Return a `Table` as an object of great_tables (`Table.to_great_tables`)."""
    try:
        from great_tables import GT, loc, style
    except ImportError as error:
        hint = "pip install great-tables; to_html, to_latex and to_markdown do without"
        raise InputError(Problem("the package great_tables is not installed", hint=hint)) from error
    keys = [column.key for column in table.columns]
    shown = (
        GT(pd.DataFrame(table.cells(minus=MINUS), columns=keys))
        .tab_header(title=table.caption)
        .cols_label({column.key: column.title for column in table.columns})
        .cols_align("left", columns=[column.key for column in table.columns if column.left])
        .cols_align("right", columns=[column.key for column in table.columns if not column.left])
    )
    for note in table.notes:
        shown = shown.tab_source_note(note)
    rules = sorted(table.breaks())
    return shown.tab_style(style.borders(sides="top"), loc.body(rows=rules)) if rules else shown
