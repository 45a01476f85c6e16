"""What several commands are given alike: a table, or result files, with their options, and the wish for JSON."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, get_type_hints

from gainlaw.cli.printing import Json
from gainlaw.cli.results import GivenResults
from gainlaw.cli.sources import (
    Covariance,
    Metrics,
    Pool,
    Predictions,
    Rename,
    ScoreUnit,
    SizeUnit,
    Table,
    Where,
    open_table,
)
from gainlaw.errors import InputError, Problem

if TYPE_CHECKING:
    from gainlaw.scores.evaluations.table import Evaluations
    from gainlaw.scores.gains.table import Gains

__all__ = ["GivenTable", "offers_json", "reads_results", "reads_table"]


@dataclass(frozen=True, slots=True)
class GivenTable:
    """The table that a command was given: where it is and how it is read, see `gainlaw.cli.sources.open_table`."""

    evals: Table
    predictions: Predictions = None
    where: Where = None
    rename: Rename = None
    metric: Metrics = None
    covariance: Covariance = None
    unit: ScoreUnit = None
    params_unit: SizeUnit = None
    pool: Pool = None

    def open(self) -> Evaluations | Gains:
        """Read the table."""
        options = {each.name: getattr(self, each.name) for each in fields(self)}
        by = options.pop("pool")
        table = open_table(options.pop("evals"), metrics=options.pop("metric"), **options)
        if by is None:
            return table
        if not hasattr(table, "pool"):
            raise InputError(Problem("gains cannot be pooled", hint="give the scores behind them"))
        return table.pool(by)


def reads_table(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose first parameter, a `GivenTable`, is given by a table and its options.

    Examples
    --------
    >>> @reads_table
    ... def count(table: GivenTable, twice: bool = False) -> None:
    ...     print(len(table.open()) * (2 if twice else 1))
    >>> list(inspect.signature(count).parameters)[:4]
    ['evals', 'twice', 'predictions', 'where']
    >>> count(evals="dataset:bloomz", twice=True)
    1344
    """
    return _reads(GivenTable, command)


def reads_results(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose first parameter, a `GivenResults`, is given by result files and their options.

    Examples
    --------
    >>> @reads_results
    ... def count(results: GivenResults) -> None:
    ...     print(len(results.paths), "paths")
    >>> count(paths=["a.json", "b.json"], percent=True)
    2 paths
    """
    return _reads(GivenResults, command)


def _reads[Given](kind: Callable[..., Given], command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose first parameter is made of the fields of a record: an argument, and options."""
    annotations = get_type_hints(kind, include_extras=True)
    own = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=annotations[each.name],
        )
        for each in fields(kind)  # type: ignore[arg-type]  # a class, and a dataclass
    ]

    def run(**given: Any) -> None:
        command(kind(**{each.name: given.pop(each.name) for each in own if each.name in given}), **given)

    rest = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    return _shown_as(run, command, [own[0], *rest, *own[1:]])


def offers_json(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has ``--json`` as a short way to say ``--format json``, where it has a parameter `form`.

    Examples
    --------
    >>> @offers_json
    ... def show(form: str = "table") -> None:
    ...     print(form)
    >>> show(as_json=True)
    json
    """
    parameters = inspect.signature(command, eval_str=True).parameters
    if "form" not in parameters:
        return command

    def run(as_json: bool = False, **given: Any) -> None:
        if as_json and given.get("form", "table") not in ("table", "json"):
            raise InputError(Problem(f"--json and --format {given['form']} are two things"))
        command(**(given | {"form": "json"} if as_json else given))

    option = inspect.Parameter(
        "as_json", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False, annotation=Json
    )
    return _shown_as(run, command, [*parameters.values(), option])


def _shown_as(
    run: Callable[..., None], command: Callable[..., None], parameters: Sequence[inspect.Parameter]
) -> Callable[..., None]:
    """Return `run` with the name and the words of a command, and with parameters for the command line to offer."""
    shown = functools.wraps(command)(run)
    shown.__annotations__ = {each.name: each.annotation for each in parameters}
    shown.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return shown
