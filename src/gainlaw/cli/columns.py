"""Commands on any table: which of its rows, which of its columns, and the options that are of gains alone."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gainlaw.cli.printing import note
from gainlaw.cli.selection import fitting_rows, parse_where, require_columns
from gainlaw.cli.sources import DATASET, open_table, parse_pairs
from gainlaw.errors import InputError, Problem

if TYPE_CHECKING:
    from gainlaw.cli.given import GivenTable
    from gainlaw.scores.reading.frames import RawTable

__all__ = [
    "open_any",
    "parse_bounds",
    "parse_columns",
    "parse_compute",
    "parse_fixed",
    "parse_loss",
    "with_components",
]

_LIMIT = re.compile(r"([^=<>]+?)\s*(<=|>=|<|>)\s*([^\s=]+)")
#: Losses that take a number, and what it is called in `gainlaw.fit_curve`.
_NUMBERS = {"huber": "delta", "student_t": "nu"}


def open_any(given: GivenTable) -> RawTable:
    """Read the table that a command was given as it stands, and keep the rows that ``--where`` asks for.

    Conditions on numbers may be limits here: ``loss<3.44``.

    Raises
    ------
    InputError
        If there is no such table or column, no row is left, or an option does not go with it.
    """
    from gainlaw.scores.reading.files import read_raw
    from gainlaw.scores.reading.frames import raw_from_frame

    refused = [
        f"--{name.replace('_', '-')}"
        for name in ("predictions", "metric", "covariance", "unit", "params_unit")
        if getattr(given, name) not in (None, [])
    ]
    if refused:
        raise InputError(Problem(f"{', '.join(refused)}: of scores and gains, not of any table (--y)"))
    if given.evals.startswith(DATASET):
        raw = raw_from_frame(open_table(given.evals).frame, given.evals)
    else:
        raw = read_raw(given.evals)
    raw = raw.renamed(parse_pairs(given.rename or (), "--rename", "OLD=NEW"))
    return _rows(raw, given.where or ())


def with_components(raw: RawTable, scores: str | None, used: Sequence[str]) -> RawTable:
    """Return a table with the principal components of scores as columns, as many as are used, and say what they hold.

    Parameters
    ----------
    raw : RawTable
        The table.
    scores : str, optional
        Columns of scores by commas; the table as it is without.
    used : sequence of str
        Where components are named, as ``pc2``.

    Raises
    ------
    InputError
        If none is used, or the scores cannot be decomposed.
    """
    from gainlaw.curves.principal import components

    if scores is None:
        return raw
    named = [int(found) for text in used for found in re.findall(r"\bpc(\d+)\b", text)]
    if not named:
        raise InputError(Problem("--components: no pc1 in --y, --x or --then", hint="--y pc1 or --x pc1"))
    columns = [part.strip() for part in scores.split(",") if part.strip()]
    made = components(raw, columns, number=max(1, *named), draws=2)
    note(made.words)
    return replace(raw, frame=made.table)


def _rows(raw: RawTable, conditions: Sequence[str]) -> RawTable:
    import numpy as np

    from gainlaw.scores.reading.cells import TableFaults, parse_numbers

    limits = [found for text in conditions if (found := _LIMIT.fullmatch(text.strip()))]
    equal = parse_where([text for text in conditions if not _LIMIT.fullmatch(text.strip())])
    require_columns(raw.frame, [*equal, *(found.group(1) for found in limits)], raw.source)
    kept = fitting_rows(raw.frame, equal) if equal else np.ones(len(raw.frame), dtype=bool)
    faults = TableFaults(raw.lines, raw.source)
    compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
    for found in limits:
        column, sign, text = found.groups()
        try:
            limit = float(text)
        except ValueError:
            raise InputError(Problem(f"--where {found.group()!r}: {text!r} is no number")) from None
        kept &= compare[sign](parse_numbers(raw.frame[column], column, faults)[0], limit)
    faults.raise_any()
    if not kept.any():
        raise InputError("no row fits all the conditions of --where", raw.source)
    return replace(raw, frame=raw.frame[kept].reset_index(drop=True), lines=raw.lines[kept])


def parse_columns(text: str) -> dict[str, str] | list[str]:
    """Read columns parted by commas, each perhaps with a name for it before an equals sign.

    Examples
    --------
    >>> parse_columns("params,tokens"), parse_columns("n=Model Size,c=Training FLOP")
    (['params', 'tokens'], {'n': 'Model Size', 'c': 'Training FLOP'})
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise InputError(Problem("--x names no column", hint="--x params,tokens or --x n=params,d=tokens"))
    named = [part for part in parts if "=" in part]
    if not named:
        return parts
    if len(named) < len(parts):
        unnamed = ", ".join(part for part in parts if "=" not in part)
        raise InputError(Problem(f"--x names some columns and not {unnamed}", hint="name all or none"))
    return parse_pairs(parts, "--x", "NAME=COLUMN")


def parse_compute(text: str | None) -> list[float]:
    """Read amounts of compute; one of ten times the largest is added to them.

    Examples
    --------
    >>> parse_compute("5.76e23")
    [5.76e+23, 5.76e+24]
    """
    found = []
    for part in (text or "").split(","):
        if part.strip():
            try:
                found.append(float(part))
            except ValueError:
                hint = "FLOP, as in 5.76e23"
                raise InputError(Problem(f"--frontier: {part.strip()!r} is no number", hint=hint)) from None
    return [*found, 10.0 * max(found)] if found else []


def parse_fixed(texts: Sequence[str] | None) -> dict[str, float]:
    """Read parameters that are known.

    Examples
    --------
    >>> parse_fixed(["e=0.6", "alpha=0.34"])
    {'e': 0.6, 'alpha': 0.34}
    """
    found = parse_pairs(texts or (), "--fix", "NAME=NUMBER")
    wrong = [f"{name}={text}" for name, text in found.items() if not _number(text)]
    if wrong:
        raise InputError(Problem(f"--fix {', '.join(wrong)}: no number", hint="--fix e=0.6"))
    return {name: float(text) for name, text in found.items()}


def parse_bounds(texts: Sequence[str] | None) -> dict[str, tuple[float | None, float | None]]:
    """Read bounds of parameters.

    Examples
    --------
    >>> parse_bounds(["alpha=0:1", "e=0:"])
    {'alpha': (0.0, 1.0), 'e': (0.0, None)}
    """
    found, wrong = {}, []
    for name, text in parse_pairs(texts or (), "--bound", "NAME=LOW:HIGH").items():
        ends = [part.strip() for part in text.split(":")]
        if len(ends) != 2 or not all(_number(part) and math.isfinite(float(part)) for part in ends if part):
            wrong.append(Problem(f"--bound {name}={text}: no bounds", hint="alpha=0:1, e=0: or r=:2"))
        else:
            low, high = (float(part) if part else None for part in ends)
            found[name] = low, high
    if wrong:
        raise InputError(wrong)
    return found


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def parse_loss(text: str | None) -> dict[str, str | float]:
    """Read a loss, perhaps with its number, as the options of `gainlaw.fit_curve`.

    Examples
    --------
    >>> parse_loss("huber:1e-3"), parse_loss("squared"), parse_loss(None)
    ({'loss': 'huber', 'delta': 0.001}, {'loss': 'squared'}, {})
    """
    if text is None:
        return {}
    name, mark, number = (part.strip() for part in text.partition(":"))
    if not mark:
        return {"loss": name}
    if name not in _NUMBERS:
        raise InputError(Problem(f"the loss {name} takes no number", hint="huber:DELTA or student_t:NU"))
    try:
        return {"loss": name, _NUMBERS[name]: float(number)}
    except ValueError:
        raise InputError(Problem(f"--loss {text!r}: {number!r} is no number", hint=f"{name}:0.001")) from None
