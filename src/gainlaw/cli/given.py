"""What several commands are given alike: a table with its options, and the wish for JSON."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gainlaw.cli.printing import Json
from gainlaw.cli.sources import (
    Covariance,
    Metrics,
    Predictions,
    Rename,
    ScoreUnit,
    SizeUnit,
    Table,
    Where,
    open_table,
)
from gainlaw.errors import InputError, Problem
from gainlaw.options import ParamsUnit, Unit

if TYPE_CHECKING:
    from gainlaw.scores.evaluations.table import Evaluations
    from gainlaw.scores.gains.table import Gains

__all__ = ["GivenTable", "offers_json", "reads_table"]

#: The options that a table is read by, beside the table itself.
_OPTIONS: dict[str, Any] = {
    "predictions": Predictions,
    "where": Where,
    "rename": Rename,
    "metric": Metrics,
    "covariance": Covariance,
    "unit": ScoreUnit,
    "params_unit": SizeUnit,
}


@dataclass(frozen=True, slots=True)
class GivenTable:
    """The table that a command was given: where it is and how it is read, see `gainlaw.cli.sources.open_table`."""

    evals: str
    predictions: Path | None = None
    where: Sequence[str] | None = None
    rename: Sequence[str] | None = None
    metric: Sequence[str] | None = None
    covariance: Path | None = None
    unit: Unit | None = None
    params_unit: ParamsUnit | None = None

    def open(self) -> Evaluations | Gains:
        """Read the table."""
        options = {each.name: getattr(self, each.name) for each in fields(self)}
        return open_table(options.pop("evals"), metrics=options.pop("metric"), **options)


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

    def run(**given: Any) -> None:
        own = {name: given.pop(name) for name in ("evals", *_OPTIONS) if name in given}
        command(GivenTable(**own), **given)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    table = inspect.Parameter("evals", kind, annotation=Table)
    options = [
        inspect.Parameter(name, kind, default=None, annotation=each) for name, each in _OPTIONS.items()
    ]
    rest = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    return _shown_as(run, command, [table, *rest, *options])


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
