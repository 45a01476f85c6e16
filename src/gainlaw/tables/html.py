"""HTML: tables that a screen reader can follow, with all text escaped."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from gainlaw.formats import MINUS

if TYPE_CHECKING:
    from gainlaw.tables.record import Column, TableRecord

__all__ = ["render_html", "slug"]


#: Tables up to this length are kept on one page in print.
SHORT = 25


def slug(text: str) -> str:
    """Return text as a word fit for an id or a class: lower-case letters, digits and hyphens.

    Examples
    --------
    >>> slug("scale-dependent"), slug("tab:Slopes by task")
    ('scale-dependent', 'tab-slopes-by-task')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def render_html(table: TableRecord) -> str:
    """Return a `Table` as an HTML fragment (`Table.to_html`)."""
    name = slug(table.label)
    described = f' aria-describedby="{name}-notes"' if table.notes else ""
    head = "".join(
        f'<th scope="col" class="{_class(column)}">{escape(column.title)}</th>' for column in table.columns
    )
    box = "table-box short" if len(table.frame) <= SHORT else "table-box"
    lines = [
        f'<div class="{box}" role="region" tabindex="0" aria-labelledby="{name}-caption">',
        f'<table id="{name}"{described}>',
        f'<caption id="{name}-caption">{escape(table.caption)}</caption>',
        f"<thead><tr>{head}</tr></thead>",
        "<tbody>",
    ]
    breaks = table.breaks()
    for position, cells in enumerate(table.cells(minus=MINUS)):
        rule = ' class="rule"' if position in breaks else ""
        line = "".join(
            _cell(column, cell, first=place == 0)
            for place, (column, cell) in enumerate(zip(table.columns, cells, strict=True))
        )
        lines.append(f"<tr{rule}>{line}</tr>")
    lines += ["</tbody>", "</table>"]
    if table.notes:
        words = " ".join(escape(note) for note in table.notes)
        lines.append(f'<p class="notes" id="{name}-notes">{words}</p>')
    return "\n".join([*lines, "</div>"]) + "\n"


def _class(column: Column) -> str:
    if column.width is not None:
        return "text wrap"
    return "text" if column.left else "num"


def _cell(column: Column, text: str, *, first: bool) -> str:
    inner = escape(text)
    if column.kind == "code":
        inner = f"<code>{inner}</code>"
    if column.kind == "status":
        inner = f'<span class="status {slug(text)}">{inner}</span>'
    if first and column.left:
        return f'<th scope="row" class="{_class(column)}">{inner}</th>'
    return f'<td class="{_class(column)}">{inner}</td>'
