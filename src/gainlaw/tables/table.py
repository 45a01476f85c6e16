"""The `Table`: a record of a table, written in five forms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gainlaw._io import csv_text, write_text_atomic
from gainlaw.tables.great import render_great
from gainlaw.tables.html import render_html
from gainlaw.tables.latex import render_latex
from gainlaw.tables.markdown import render_markdown
from gainlaw.tables.record import TableRecord

if TYPE_CHECKING:
    from great_tables import GT

__all__ = ["Table"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Table(TableRecord):
    """A table of the paper: the numbers in full, and how they are shown.

    The parameters are those of `TableRecord`.

    Examples
    --------
    >>> import pandas as pd
    >>> from gainlaw.tables.record import Column
    >>> frame = pd.DataFrame({"task": ["xnli"], "slope": [6.61], "low": [-1.2], "high": [14.0]})
    >>> columns = (Column("task", "Task"), Column("slope", "Slope", "number"))
    >>> table = Table("slopes", "Slopes.", frame, columns)
    >>> print(table.to_markdown())
    **Slopes.**
    <BLANKLINE>
    | Task | Slope |
    | :--- | ----: |
    | xnli |   6.6 |
    <BLANKLINE>
    """

    def to_latex(self, *, floating: bool = True) -> str:
        r"""Return the table for LaTeX: booktabs rules, siunitx columns, everything escaped.

        Parameters
        ----------
        floating : bool
            Whether to put it in a ``table`` with caption and label. Tables of more than 40 rows are a
            ``longtable``, which breaks over pages and does not float.

        Returns
        -------
        str
            Needs ``\usepackage{array,booktabs,longtable,siunitx}``.
        """
        return render_latex(self, floating=floating)

    def to_csv(self, *, safe: bool = False) -> str:
        """Return the whole frame as CSV at full precision, see `gainlaw._io.csv_text`."""
        return csv_text(self.frame, safe=safe)

    def to_markdown(self) -> str:
        """Return the table as GitHub Markdown, with its caption above and notes below."""
        return render_markdown(self)

    def to_html(self) -> str:
        """Return the table as accessible HTML: caption, header cells with scope, escaped text."""
        return render_html(self)

    def to_great_tables(self) -> GT:
        """Return the table as an object of the package great_tables, for styles of one's own.

        Its columns have the names of the frame's, its cells the text that is shown.

        Returns
        -------
        great_tables.GT

        Raises
        ------
        InputError
            Unless great_tables is installed, which nothing else needs.

        Examples
        --------
        >>> import gainlaw as gl
        >>> shown = gl.table([linear, curved]).to_great_tables()  # doctest: +SKIP
        >>> shown.tab_options(table_font_size="12px")  # doctest: +SKIP
        """
        return render_great(self)

    def _repr_html_(self) -> str:
        return self.to_html()

    def write(self, directory: str | Path, *, safe: bool = False) -> tuple[Path, ...]:
        """Write ``NAME.tex``, ``NAME.csv`` and ``NAME.md`` into a directory, each in one step.

        Parameters
        ----------
        directory : str or Path
            Made when it is missing.
        safe : bool
            Prefix the cells of the CSV file that a spreadsheet would run.

        Returns
        -------
        tuple of Path
            The files written.
        """
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for suffix, text in (
            ("tex", self.to_latex()),
            ("csv", self.to_csv(safe=safe)),
            ("md", self.to_markdown()),
        ):
            path = folder / f"{self.name}.{suffix}"
            write_text_atomic(path, text)
            written.append(path)
        return tuple(written)
