"""The style sheet of a user: matplotlib's settings over those of the figures, for whatever is drawn inside a block."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gainlaw.errors import InputError, Problem

__all__ = ["current_sheet", "figure_style", "read_sheet"]

_SHEET: ContextVar[Mapping[str, Any]] = ContextVar("sheet", default=MappingProxyType({}))

#: What names of tasks and files with the same bytes rest on; sizes are those of print.
_KEPT = {
    "text.usetex",
    "text.parse_math",
    "svg.hashsalt",
    "figure.figsize",
    "backend",
    "interactive",
    "toolbar",
}

_LINE = re.compile(r'(?P<key>[\w.-]+)\s*:\s*(?P<value>(?:[^"#]|"[^"]*")*)')


@contextmanager
def figure_style(sheet: str | Path | Mapping[str, Any]) -> Iterator[None]:
    """Draw the figures of a ``with`` block by a style sheet: fonts, sizes of letters, lines, grids, colours of axes.

    What the sheet does not set stays as it is. The colours of the data stay too: readers with any common colour vision
    tell them apart, and captions name them.

    Parameters
    ----------
    sheet : str, Path or mapping
        A file of matplotlib's settings (``.mplstyle``, one ``key: value`` a line), or the settings themselves.

    Raises
    ------
    InputError
        If the file cannot be read, or holds keys that there are not, that are not for a user to set, or values that
        they do not take; all at once.

    Examples
    --------
    >>> import gainlaw as gl
    >>> with gl.figure_style({"font.size": 9, "axes.titlesize": 10}):
    ...     figure = gl.design(sizes=[1e8, 1e9, 1e10]).plot()  # doctest: +SKIP
    """
    read = read_sheet(sheet)
    token = _SHEET.set(MappingProxyType({**_SHEET.get(), **read}))
    try:
        yield
    finally:
        _SHEET.reset(token)


def current_sheet() -> Mapping[str, Any]:
    """Return the settings of the block that runs; none outside of one."""
    return _SHEET.get()


def read_sheet(sheet: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a style sheet, checked.

    Parameters
    ----------
    sheet : str, Path or mapping
        As for `figure_style`.

    Raises
    ------
    InputError
        As for `figure_style`.

    Examples
    --------
    >>> read_sheet({"font.size": "9"})
    {'font.size': 9.0}
    """
    from matplotlib import RcParams

    problems: list[Problem] = []
    given = (
        _settings(Path(sheet), problems)
        if isinstance(sheet, str | Path)
        else [("", *each) for each in sheet.items()]
    )
    read: Any = RcParams()  # whose keys are typed as those of all settings
    for where, key, value in given:
        if key in _KEPT:
            problems.append(
                Problem(f"{where}{key} is not for a style sheet: figures rest on it", hint="leave it out")
            )
            continue
        try:
            read[key] = value
        except KeyError:
            problems.append(
                Problem(f"{where}there is no setting {key!r}", hint="those of matplotlib.rcParams")
            )
        except ValueError as error:
            problems.append(Problem(f"{where}{key} cannot be {value!r}", hint=str(error)))
    if problems:
        raise InputError(problems, source="" if isinstance(sheet, Mapping) else str(sheet))
    return dict(read)


def _settings(path: Path, problems: list[Problem]) -> list[tuple[str, str, Any]]:
    """Return the lines of a file as place, key and value."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            Problem(f"the style sheet cannot be read: {error}", hint="a .mplstyle file")
        ) from error
    found: list[tuple[str, str, Any]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line.strip())
        if match is None:
            problems.append(Problem(f"line {number}: {line.strip()!r} is no setting", hint="key: value"))
        else:
            found.append((f"line {number}: ", match["key"], match["value"].strip().strip('"')))
    return found
