"""Predictions of ``gainlaw curve`` at new places: of its law, or of a second law of what the first predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gainlaw.cli.sources import parse_pairs
from gainlaw.errors import InputError, Problem
from gainlaw.options import DEFAULT_SECOND_LAW

if TYPE_CHECKING:
    from gainlaw.curves.chained import Chain
    from gainlaw.curves.study import CurveStudy
    from gainlaw.laws.record import Law
    from gainlaw.scores.reading.frames import RawTable
    from gainlaw.tables.table import Table

__all__ = [
    "Known",
    "chains_of",
    "changed_laws",
    "parse_places",
    "predicted",
    "refuse_half_of_two_laws",
    "split_known",
]

Known = tuple[dict[str, float], dict[str, tuple[float | None, float | None]]]

_THEN = "then."


def parse_places(texts: Sequence[str] | None) -> list[dict[str, str]]:
    """Read places such as ``params=7B,tokens=4T``, all with the same names.

    Examples
    --------
    >>> parse_places(["params=7B,tokens=4T"])
    [{'params': '7B', 'tokens': '4T'}]
    """
    places = [parse_pairs(text.split(","), "--at", "NAME=NUMBER,...") for text in texts or ()]
    if len({frozenset(each) for each in places}) > 1:
        raise InputError(Problem("--at: places with different names", hint="the same for each"))
    return places


def split_known(known: Known) -> tuple[Known, Known]:
    """Return what is known of the first law, and of the second, whose names have ``then.`` before them.

    Examples
    --------
    >>> split_known(({"e": 0.6, "then.c": 0.25}, {}))
    (({'e': 0.6}, {}), ({'c': 0.25}, {}))
    """
    first, second = (
        tuple(
            {name.removeprefix(_THEN): each for name, each in part.items() if name.startswith(_THEN) == later}
            for part in known
        )
        for later in (False, True)
    )
    return first, second  # type: ignore[return-value]


def changed_laws(laws: Sequence[Law], known: Known) -> list[Law]:
    """Return laws with the parameters that are known and the bounds that others keep; every fault of them at once."""
    from gainlaw.laws.changed import bounded, fixed

    values, bounds = known
    changed: list[Law] = []
    problems: list[Problem] = []
    for each in laws:
        try:
            changed.append(fixed(bounded(each, bounds), values))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return changed


def chains_of(
    raw: RawTable,
    study: CurveStudy,
    then: str,
    law: str | None,
    known: Known,
    by: Sequence[str],
    groups: str | None,
    options: Mapping[str, Any],
) -> dict[str, Chain]:
    """Fit a law of another column against what the first law is of, for every curve of a study of one law.

    Parameters
    ----------
    raw : RawTable
        The table.
    study : CurveStudy
        The first law's fits to it.
    then : str
        The column that the second law is of.
    law : str, optional
        The second law; `DEFAULT_SECOND_LAW` by default.
    known : Known
        Parameters of it that are known, and bounds.
    by : sequence of str
        Columns that tell curves apart.
    groups : str, optional
        The column of runs.
    options : mapping
        Those of `gainlaw.fit_curve`.
    """
    from gainlaw.curves.chained import chain
    from gainlaw.curves.fit import fit_curve
    from gainlaw.curves.places import plain_column
    from gainlaw.curves.reading import column_law, curve_points

    if len(study.laws) > 1:
        raise InputError(Problem("--then is for one law", hint="--law NAME"))
    x = [plain_column(study.best(study.curves[0]).points.columns["y"])]
    (chosen,) = changed_laws([column_law(law or DEFAULT_SECOND_LAW, x)], known)
    curves = curve_points(raw, then, x, chosen, by=by, groups=groups)
    chains = {}
    for name in study.curves:
        points = curves[name] if by else next(iter(curves.values()))
        chains[name] = chain(study.best(name), fit_curve(points, law=chosen, **options), same_runs=True)
    return chains


def refuse_half_of_two_laws(
    y: str | None,
    share: str | None,
    then: str | None,
    law: str | None,
    loss: str | None,
    places: list[dict[str, str]],
    known: Known,
) -> None:
    """Refuse half of two laws, and places of curves that share parameters."""
    parts = {
        "--then-law": law,
        "--then-loss": loss,
        **{f"then.{name}": "" for part in known for name in part},
    }
    spare = [name for name, value in parts.items() if value is not None]
    if then is None and spare:
        raise InputError(Problem(f"{', '.join(spare)}: with --then alone", hint="--then COLUMN"))
    if places and share is not None:
        raise InputError(Problem("--at is for curves that share no parameters", hint="leave out --share"))
    if then is not None and (y is None or not places):
        hint = "--y loss --x params,tokens --then accuracy --at params=7B,tokens=4T"
        raise InputError(Problem("--then goes with --y and --at", hint=hint))


def predicted(
    study: CurveStudy, chains: dict[str, Chain], places: list[dict[str, str]], draws: int
) -> Table | None:
    """Return the table of predictions at places; None where there is none."""
    from gainlaw.tables.predictions import chains_table, predictions_table

    if not places:
        return None
    if chains:
        return chains_table(chains, places, draws)
    return predictions_table({name: study.best(name) for name in study.curves}, places)
