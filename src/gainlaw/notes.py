"""Notes: what a reader of the results must know of a table, kept with the data from file to report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

__all__ = ["Note", "count_of", "name_lines", "sort_notes"]

_KEPT_ROWS = 100


@dataclass(frozen=True, slots=True)
class Note:
    """One kind of remark on a table, or on some of its rows.

    Parameters
    ----------
    kind : str
        A short key: ``unpaired``, ``params_differ``, ``at_chance``, ...
    message : str
        The remark and what follows from it, in one sentence without a full stop.
    rows : tuple of int
        Lines of the file that it concerns, in order; empty when it concerns the table as a whole.
    count : int, optional
        How many rows it concerns; by default the number of `rows`.
    severity : {"warning", "info"}
        ``warning``: said by every command that uses the table. ``info``: said by ``check``, ``fit``,
        ``summary`` and in reports.
    standing : bool
        True for what the reader mended or dropped, which holds for every selection of the rows; False for what was
        found in the rows, which is looked for anew after a selection.

    Examples
    --------
    >>> print(Note("unpaired", "rows without a baseline; left out of the gains", (3, 7)))
    2 rows: rows without a baseline; left out of the gains (lines 3, 7)
    """

    kind: str
    message: str
    rows: tuple[int, ...] = ()
    count: int = 0
    severity: Literal["warning", "info"] = "warning"
    standing: bool = False

    def __post_init__(self) -> None:
        """Count the rows where no count is given."""
        if not self.count:
            object.__setattr__(self, "count", len(self.rows))

    def __str__(self) -> str:
        """Return the remark with the number of rows, and their lines where it is a warning."""
        count = f"{count_of(self.count, 'row')}: " if self.count else ""
        where = f" ({name_lines(self.rows)})" if self.rows and self.severity == "warning" else ""
        return f"{count}{self.message}{where}"

    def stand(self) -> Note:
        """Return the same note as one that holds whatever rows are selected later."""
        return replace(self, standing=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the note as plain values for JSON; of more than a hundred lines the first are named."""
        return {**asdict(self), "rows": list(self.rows[:_KEPT_ROWS])}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Note:
        """Return the note that `to_dict` wrote."""
        return cls(**{**values, "rows": tuple(values.get("rows", ()))})


def sort_notes(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Return the notes, warnings first, each once.

    Examples
    --------
    >>> [note.kind for note in sort_notes([Note("a", "x", severity="info"), Note("b", "y")])]
    ['b', 'a']
    """
    return tuple(sorted(dict.fromkeys(notes), key=lambda note: note.severity != "warning"))


def count_of(number: int, what: str) -> str:
    """Return a number of things in words, one of them in the singular.

    Parameters
    ----------
    number : int
        How many.
    what : str
        One of them; the last word gets the ending of the plural.

    Examples
    --------
    >>> count_of(1, "size"), count_of(6, "distinct size"), count_of(0, "family")
    ('1 size', '6 distinct sizes', '0 families')
    """
    if number != 1:
        what = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number} {what}"


def name_lines(rows: Iterable[int], limit: int = 8) -> str:
    """Return lines of a file in words, the first few of many.

    Examples
    --------
    >>> name_lines([3]), name_lines(range(2, 30), limit=3)
    ('line 3', 'lines 2, 3, 4, ...')
    """
    known = list(rows)
    shown = ", ".join(str(row) for row in known[:limit])
    more = ", ..." if len(known) > limit else ""
    return f"line{'s' if len(known) != 1 else ''} {shown}{more}"
