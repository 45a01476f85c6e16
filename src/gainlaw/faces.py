"""What a result shows of itself in a notebook: a headline, a small table, a few notes, in HTML without files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["notebook_html"]

_NUMBER = re.compile(r"[-−<>\[ ]*[\d–].*|")
_MOST_ROWS = 30

_CELL = "padding:.15em .6em;vertical-align:top;text-align:"
_NOTE = "margin:.2em 0;font-size:.85em;opacity:.75"
_ALERT = "margin:.2em 0;color:#b00020;font-weight:bold"


def notebook_html(
    headline: str,
    head: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
    *,
    notes: Iterable[str] = (),
    alert: str = "",
) -> str:
    """Return what a notebook shows of a result: all text escaped, nothing loaded, no style that reaches further.

    Parameters
    ----------
    headline : str
        What it is, in a line.
    head : sequence of str
        The headings of the table.
    rows : sequence of sequence of str
        Its cells; of more than thirty rows the first are shown, and their number is said.
    notes : iterable of str
        Sentences below.
    alert : str
        A sentence that must not be missed, in red.

    Examples
    --------
    >>> "&lt;b&gt;" in notebook_html("a <b>", ["Task"], [["xnli"]])
    True
    """
    parts = [f"<div><strong>{escape(headline)}</strong>"]
    if alert:
        parts.append(f'<p style="{_ALERT}">{escape(alert)}</p>')
    if rows:
        sides = ["right" if _is_numeric(k, rows) else "left" for k in range(len(head))]
        parts += [
            '<table style="margin:.3em 0;border-collapse:collapse"><thead>',
            _row("th", head, sides),
            "</thead><tbody>",
            *(_row("td", row, sides) for row in rows[:_MOST_ROWS]),
            "</tbody></table>",
        ]
    more = len(rows) - _MOST_ROWS
    said = [f"{more} more rows are not shown."] if more > 0 else []
    parts += [f'<p style="{_NOTE}">{escape(note)}</p>' for note in (*said, *notes)]
    return "".join([*parts, "</div>"])


def _is_numeric(column: int, rows: Sequence[Sequence[str]]) -> bool:
    return all(_NUMBER.fullmatch(row[column]) for row in rows)


def _row(kind: str, cells: Sequence[str], sides: Sequence[str]) -> str:
    inner = "".join(
        f'<{kind} style="{_CELL}{side}">{escape(cell)}</{kind}>'
        for cell, side in zip(cells, sides, strict=True)
    )
    return f"<tr>{inner}</tr>"
