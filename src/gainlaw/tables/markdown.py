"""Markdown: pipe tables whose columns line up in the source too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gainlaw.tables.record import TableRecord

__all__ = ["escape_markdown", "render_markdown"]

_SPECIAL = "\\`*_{}[]<>#|~"


def escape_markdown(text: str) -> str:
    r"""Return plain text as Markdown that shows it unchanged, on one line.

    Examples
    --------
    >>> print(escape_markdown("a|b_c"))
    a\|b\_c
    """
    return "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in " ".join(text.split()))


def render_markdown(table: TableRecord) -> str:
    """Return a `Table` as GitHub Markdown (`Table.to_markdown`)."""
    heads = [escape_markdown(column.title) for column in table.columns]
    rows = [
        [
            _code(cell) if column.kind == "code" else escape_markdown(cell) if column.left else cell
            for column, cell in zip(table.columns, cells, strict=True)
        ]
        for cells in table.cells()
    ]
    widths = [max(4, *(len(line[i]) for line in [heads, *rows])) for i in range(len(heads))]
    rule = [
        ":" + "-" * (width - 1) if column.left else "-" * (width - 1) + ":"
        for column, width in zip(table.columns, widths, strict=True)
    ]
    lines = [f"**{escape_markdown(table.caption)}**", ""]
    for line in [heads, rule, *rows]:
        padded = [
            cell.ljust(width) if column.left else cell.rjust(width)
            for column, cell, width in zip(table.columns, line, widths, strict=True)
        ]
        lines.append(f"| {' | '.join(padded)} |")
    if table.notes:
        lines += ["", " ".join(escape_markdown(note) for note in table.notes)]
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    return "`" + " ".join(text.split()).replace("|", "\\|").replace("`", "'") + "`"
