"""The points of curves from any table: which column is which variable, and every fault of them at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gainlaw.curves.points import CurvePoints, points_from_arrays
from gainlaw.errors import InputError, Problem
from gainlaw.laws import LAWS, formula_law
from gainlaw.laws import law as law_of
from gainlaw.laws.expression import parse
from gainlaw.laws.record import Law
from gainlaw.laws.variables import (
    COMPUTE,
    FLOPS_PER_TOKEN,
    PARAMS,
    TOKENS,
    source_of,
    spell,
)
from gainlaw.scores.reading.cells import TableFaults, parse_numbers
from gainlaw.scores.reading.files import read_raw
from gainlaw.scores.reading.frames import RawTable, raw_from_frame
from gainlaw.sizes import decades

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["assign", "column_law", "curve_points", "read_names"]

Float = NDArray[np.float64]
Given = Sequence[tuple[str, str]]

_LOG = re.compile(r"log\((.+)\)")


def curve_points(
    table: pd.DataFrame | RawTable | str | Path,
    y: str,
    x: str | Sequence[str] | Mapping[str, str],
    law: str | Law | Sequence[str | Law],
    *,
    by: Sequence[str] = (),
    se: str | None = None,
    weights: str | None = None,
    trials: str | None = None,
    groups: str | None = None,
) -> dict[str, CurvePoints]:
    """Return the points of one curve for each group of rows of a table, which needs no columns but those named here.

    Parameters
    ----------
    table : pandas.DataFrame, path or RawTable
        The table; a path is a CSV or Parquet file, or ``-`` for standard input.
    y : str
        The column of what is measured, or ``log(COLUMN)``; a law of a logarithm takes it by itself.
    x : str, sequence of str or mapping of str to str
        The columns of what it depends on: by what the law calls it (``{"n": "Model Size"}``), or just columns. Those
        are told apart by their usual names (`gainlaw.laws.variables`), the rest go by their order. Training compute
        (``c``) stands in for tokens, or for size, as C = 6 N D.
    law : str, Law or sequence of them
        The law or laws that will be fitted, all of the same quantities; a formula is one of the columns, see
        `column_law`.
    by : sequence of str
        Columns that tell curves apart; all rows are one curve by default.
    se, weights, trials, groups : str, optional
        The columns of standard errors (of `y` as it stands in the table), of weights, of the items behind each count,
        and of the run that a row belongs to, whose rows are resampled together; every row is its own by default.

    Returns
    -------
    dict of str to CurvePoints
        By the values of `by`; their `columns` say what every variable was read from.

    Raises
    ------
    InputError
        With every fault: columns that are missing or cannot be told apart, cells that are missing, no number, or not
        positive where a logarithm is taken.

    Examples
    --------
    >>> import pandas as pd
    >>> runs = pd.DataFrame({"params": [1e8, 1e9], "tokens": [2e9, 2e10], "loss": [3.5, 2.9]})
    >>> points = curve_points(runs, "loss", ["params", "tokens"], "chinchilla")["loss"]
    >>> points.words
    'log_n = log(params), log_d = log(tokens), y = log(loss)'
    """
    raw = _raw(table)
    given = read_names(x)
    laws = [law] if isinstance(law, str | Law) else list(law)
    chosen = [column_law(each, x) for each in laws]
    reader = _Reader(raw, given)
    problems = _one_response(chosen, y)
    variables: dict[str, _Variable] = {}
    for each in chosen:
        found, wrong = assign(each, given)
        variables |= found
        problems += [one for one in wrong if one not in problems]
    named = {"y": _column_of(y, raw), **{f"by {one}": one for one in by}}
    named |= {
        word: column
        for word, column in (("se", se), ("weights", weights), ("trials", trials), ("groups", groups))
        if column is not None
    }
    problems += reader.missing([*named.values(), *(column for _, column in given)])
    used = [named["y"], *(column for _, column in given)]
    problems += [
        Problem("named twice among y and x", column)
        for column in dict.fromkeys(used)
        if used.count(column) > 1
    ]
    if se is not None and weights is not None:
        problems.append(Problem("both standard errors and weights", hint="give one of them"))
    if problems:
        raise InputError(problems, raw.source or "the table")
    logged = chosen[0].response == "log" or y != named["y"]
    values = reader.numbers(named["y"], positive=logged)
    errors = reader.numbers(se, positive=True) if se else None
    weight = reader.numbers(weights, positive=True) if weights else None
    items = reader.numbers(trials, positive=True) if trials else None
    inputs = {name: reader.variable(each) for name, each in variables.items()}
    labels = reader.labels(by, named["y"])
    own = reader.labels([groups], "") if groups else None
    reader.faults.raise_any()
    if errors is not None and logged:
        errors = errors / values
    response = np.log(values) if logged else values
    columns = {name: each.words for name, each in variables.items() if name != PARAMS.name.upper()}
    columns["y"] = spell("log" if logged else "", named["y"])
    points = {}
    for name in dict.fromkeys(labels):
        rows = np.flatnonzero(labels == name)
        made = points_from_arrays(
            {key: each[rows] for key, each in inputs.items()},
            response[rows],
            se=None if errors is None else errors[rows],
            weights=None if weight is None else weight[rows],
            trials=None if items is None else items[rows],
            groups=[f"line {line}" for line in raw.lines[rows]] if own is None else list(own[rows]),
            name=name,
        )
        points[name] = replace(made, columns=columns, logged=logged)
    return points


def column_law(law: str | Law, x: str | Sequence[str] | Mapping[str, str]) -> Law:
    """Return a law by name, or a formula of columns.

    Parameters
    ----------
    law : str or Law
        A name, a law, or a formula in which every column of `x`, and ``log_COLUMN`` for its natural logarithm, is a
        variable, and of a single column also ``x`` = log10(COLUMN / 1e9). Other names are parameters.
    x : str, sequence of str or mapping of str to str
        As in `curve_points`; a column whose name is no word needs another in the formula: ``{"n": "Model Size"}``.

    Raises
    ------
    InputError
        If there is no such law, the formula cannot be read, or one of the columns is not in it.

    Examples
    --------
    >>> column_law("e + a * exp(-alpha * log_params)", "params").variables
    ('log_params',)
    """
    if isinstance(law, Law) or law in LAWS or law.isidentifier():
        return law_of(law)
    given = read_names(x)
    names = [name or column for name, column in given]
    known = [each for name in names if name.isidentifier() for each in (name, f"log_{name}")]
    known += ["x"] * (len(names) == 1 and "x" not in known)
    used = parse(law, known).variables
    unused = [name for name in names if not {name, f"log_{name}", *["x"] * (len(names) == 1)} & set(used)]
    if unused:
        hint = "write it there as it is called in the table, log_NAME for its logarithm; n=COLUMN calls it n"
        raise InputError(Problem(f"{', '.join(unused)} is not in the formula {law!r}", hint=hint))
    return formula_law(law, variables=used, name=law)


def read_names(x: str | Sequence[str] | Mapping[str, str]) -> list[tuple[str, str]]:
    """Return pairs of the name that a column was given, empty where none was, and the column.

    Examples
    --------
    >>> read_names("params"), read_names({"n": "Model Size"})
    ([('', 'params')], [('n', 'Model Size')])
    """
    if isinstance(x, str):
        return [("", x)]
    if isinstance(x, Mapping):
        return [(str(name), str(column)) for name, column in x.items()]
    return [("", str(column)) for column in x]


@dataclass(frozen=True, slots=True)
class _Variable:
    """How a variable of a law is read: a transform of a column, or of compute over six times another."""

    transform: str
    column: str
    over: str = ""

    @property
    def words(self) -> str:
        return spell(
            self.transform, f"{self.column} / ({FLOPS_PER_TOKEN:g} {self.over})" if self.over else self.column
        )


def assign(law: Law, given: Given) -> tuple[dict[str, _Variable], list[Problem]]:
    """Return how each variable of a law is read from the columns given, and what keeps it from being told."""
    wanted = {each.name: each for each in law.measured}
    trained = {PARAMS.name, TOKENS.name} <= wanted.keys()
    allowed = {**wanted, **({COMPUTE.name: COMPUTE} if trained else {})}
    depends = f"the law {law.name} depends on " + ", ".join(
        f"{each.name} ({each.meaning})" if each.meaning != each.name else each.name
        for each in wanted.values()
    )
    direct: dict[str, str] = {}
    found: dict[str, str] = {}
    spare: list[str] = []
    problems: list[Problem] = []
    for name, column in given:
        key = name or column
        if key in law.variables and key not in wanted:
            direct[key] = column
            continue
        if name and name not in allowed:
            problems.append(Problem(f"no quantity {name!r}", hint=depends))
            continue
        called = [each.name for each in allowed.values() if each.called(column)]
        place = name or next((each for each in called if each not in found), "")
        if not place:
            spare.append(column)
        elif place in found:
            problems.append(Problem(f"{place} is given twice: {found[place]}, {column}"))
        else:
            found[place] = column
    covered = {source_of(variable)[0] for variable in direct}
    free = [name for name in wanted if name not in found and name not in covered]
    if COMPUTE.name in found and COMPUTE.name not in wanted and len(free) == 1:
        free = []
    for column in spare:
        known = next((each for each in (PARAMS, TOKENS, COMPUTE) if each.called(column)), None)
        if not free or (known is not None and len(wanted) > 1):
            what = f"no place for the column {column!r}" + (f", {known.meaning} by its name" if known else "")
            hint = f"{depends}; say which it is, as in {free[0]}={column}" if free else depends
            problems.append(Problem(what, hint=hint))
        else:
            found[free.pop(0)] = column
    if free:
        lacking = ", ".join(f"{name} ({wanted[name].meaning})" for name in free)
        problems.append(Problem(f"no column for {lacking}", hint=depends))
    if problems:
        return {}, problems
    return _variables(law, direct, found), []


def _variables(law: Law, direct: Mapping[str, str], found: Mapping[str, str]) -> dict[str, _Variable]:
    variables = {}
    for variable in law.variables:
        if variable in direct:
            variables[variable] = _Variable("", direct[variable])
            continue
        name, transform = source_of(variable)
        if name in found:
            variables[variable] = _Variable(transform, found[name])
        else:
            other = TOKENS.name if name == PARAMS.name else PARAMS.name
            variables[variable] = _Variable(transform, found[COMPUTE.name], found[other])
        if transform == "decades":
            variables["N"] = replace(variables[variable], transform="")
    return variables


def _raw(table: object) -> RawTable:
    import pandas as pd

    if isinstance(table, RawTable):
        return table
    return raw_from_frame(table) if isinstance(table, pd.DataFrame) else read_raw(table)  # type: ignore[arg-type]


def _column_of(y: str, raw: RawTable) -> str:
    """Return the column that is meant by its name, or by the logarithm of it."""
    inside = _LOG.fullmatch(y.strip())
    return y if y in raw.frame or inside is None else inside.group(1).strip()


def _one_response(laws: Sequence[Law], y: str) -> list[Problem]:
    """Return what keeps laws from being fitted to the same numbers."""
    logs = [law.name for law in laws if law.response == "log"]
    plain = [law.name for law in laws if law.response != "log"]
    if logs and plain:
        what = f"{', '.join(logs)}: of the logarithm of what is measured; {', '.join(plain)}: of the number itself"
        return [Problem(what, hint="fit them in two commands")]
    if logs and re.match(r"(log|ln)[_ ]", y.casefold()):
        what = f"the law {logs[0]} takes the logarithm by itself, and {y!r} sounds like one already"
        return [Problem(what, hint="give the column of the number itself")]
    return []


class _Reader:
    """Reads columns of one table and keeps their faults."""

    def __init__(self, raw: RawTable, given: Given) -> None:
        self.raw, self.given = raw, given
        self.faults = TableFaults(raw.lines, raw.source)
        self.read: dict[str, tuple[Float, NDArray[np.bool_]]] = {}
        self.told: set[tuple[str, bool]] = set()

    def missing(self, columns: Iterable[str]) -> list[Problem]:
        """Return a problem for every column that the table lacks."""
        known = [str(each) for each in self.raw.frame.columns]
        problems = []
        for column in dict.fromkeys(columns):
            if column not in known:
                near = difflib.get_close_matches(column, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else "columns: " + ", ".join(known)
                problems.append(Problem("no such column", column, hint=hint))
        return problems

    def numbers(self, column: str, *, positive: bool = False) -> Float:
        """Return the finite numbers of a column; what is missing, or not positive where it must be, is a fault."""
        if column not in self.read:
            values, bad = parse_numbers(self.raw.frame[column], column, self.faults)
            hint = "leave these rows out, or fill the cells"
            self.faults.add("missing", column=column, where=np.isnan(values) & ~bad, hint=hint)
            self.read[column] = values, bad
        values = self.read[column][0]
        if positive and (column, positive) not in self.told:
            self.told.add((column, positive))
            self.faults.add("not positive", column=column, where=values <= 0, hint="numbers above 0")
        return np.where(values > 0, values, np.nan) if positive else values

    def variable(self, each: _Variable) -> Float:
        """Return the numbers of a variable."""
        values = self.numbers(each.column, positive=bool(each.transform or each.over))
        if each.over:
            values = values / (FLOPS_PER_TOKEN * self.numbers(each.over, positive=True))
        if each.transform == "decades":
            return decades(values)
        return np.log(values) if each.transform else values

    def labels(self, columns: Sequence[str], whole: str) -> NDArray[Any]:
        """Return what the rows are called by the values of columns; the same word for all where there are none."""
        frame = self.raw.frame
        if not columns:
            return np.full(len(frame), whole, dtype=object)
        for column in columns:
            blank = frame[column].isna() | frame[column].astype(str).str.strip().eq("")
            self.faults.add("missing", column=column, where=blank.to_numpy())
        return frame[list(columns)].astype(str).agg(" / ".join, axis=1).to_numpy(dtype=object)
