"""Tables of a study: one `Table` object, written as LaTeX, CSV, Markdown or HTML, and its builders."""

from __future__ import annotations

from gainlaw.tables.table import Column, Table

__all__ = ["Column", "Table"]
