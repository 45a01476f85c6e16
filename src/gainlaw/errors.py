"""The errors gainlaw raises on purpose: each says what is wrong, where, and what to try."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["DiagnosticsError", "GainlawError", "InputError", "Problem", "visible"]

_GOES_ON = "\n    "
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def visible(text: str, limit: int | None = None) -> str:
    r"""Return text with its control and format characters and lone surrogates written out, on one line.

    Names of files and of groups come from outside: they must neither move the cursor of a terminal nor pass for another
    line of the message.

    Parameters
    ----------
    text : str
        The text.
    limit : int, optional
        Cut what is longer.

    Examples
    --------
    >>> print(visible("a\nb\x1b[31m\u200b.csv"))
    a\nb\x1b[31m\u200b.csv
    """
    shown = "".join(ascii(each)[1:-1] if unicodedata.category(each) in _UNSEEN else each for each in text)
    return shown if limit is None or len(shown) <= limit else f"{shown[:limit]}..."


class GainlawError(Exception):
    """Base class of every error that gainlaw raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of an input, as a reader of the message needs it.

    Parameters
    ----------
    message : str
        What is wrong, in one sentence without a full stop.
    column : str, optional
        The column, key or option at fault.
    rows : tuple of int, optional
        The line numbers of the file at fault (the header is line 1).
    hint : str, optional
        What is allowed, and what to try.
    kind : str, default "column"
        What `column` names: a column, or the key of a file of settings.
    """

    message: str
    column: str | None = None
    rows: tuple[int, ...] = ()
    hint: str | None = None
    kind: str = "column"

    def __str__(self) -> str:
        """Return the fault as one line: column, message, rows, hint."""
        where = f"{self.kind} {self.column!r}: " if self.column else ""
        rows = f" ({_name_rows(self.rows)})" if self.rows else ""
        hint = f"; {self.hint}" if self.hint else ""
        # A message may go on in indented lines, as those that point into a formula do; nothing else breaks the line.
        lines = f"{where}{self.message}{rows}{hint}".split(_GOES_ON)
        return _GOES_ON.join(visible(line) for line in lines)


class InputError(GainlawError, ValueError):
    """Bad input: a file, a table, an option or an expression that cannot be used.

    All faults found are reported together; the command line prints them and exits 2.

    Parameters
    ----------
    problems : str, Problem or sequence of Problem
        The faults.
    source : str, optional
        The file or object at fault, named first in the message.

    Examples
    --------
    >>> from gainlaw.errors import InputError, Problem
    >>> print(InputError([Problem("text where a number belongs", "params", (3, 7))], source="my.csv"))
    my.csv: 1 problem
      - column 'params': text where a number belongs (lines 3, 7)
    """

    def __init__(self, problems: str | Problem | Iterable[Problem], source: str | None = None) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        self.source = source
        super().__init__(self._text())

    def _text(self) -> str:
        if len(self.problems) == 1 and self.source is None:
            return str(self.problems[0])
        count = len(self.problems)
        head = f"{visible(self.source or 'input')}: {count} problem{'s' if count != 1 else ''}"
        return "\n".join([head, *(f"  - {problem}" for problem in self.problems)])


class DiagnosticsError(GainlawError):
    """A fit ran but its diagnostics failed, so the result must not be trusted (exit 1)."""


def _name_rows(rows: Sequence[int], limit: int = 12) -> str:
    shown = ", ".join(str(row) for row in rows[:limit])
    more = f" and {len(rows) - limit} more" if len(rows) > limit else ""
    return f"line{'s' if len(rows) != 1 else ''} {shown}{more}"
