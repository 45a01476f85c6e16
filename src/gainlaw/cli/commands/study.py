"""``gainlaw study``: from results to verdicts and a report, in one folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gainlaw.cli.commands.claims import print_verdicts
from gainlaw.cli.commands.fit import Draws, LawName, Seed
from gainlaw.cli.given import reads_results
from gainlaw.cli.printing import Json, console, note, print_warnings, progress_bar, records, show_json, warn
from gainlaw.cli.results import GivenResults
from gainlaw.cli.selection import parse_where, select_rows
from gainlaw.cli.sources import DATASET, Where, exit_untrusted, open_table, parse_pairs
from gainlaw.errors import InputError, Problem
from gainlaw.options import DEFAULT_LAW

if TYPE_CHECKING:
    from gainlaw.options import Unit
    from gainlaw.scores.evaluations.table import Evaluations
    from gainlaw.scores.gains.table import Gains
    from gainlaw.studies import Origin
    from gainlaw.units.execution import Ended

__all__ = ["study"]


@reads_results
def study(
    given: GivenResults,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="OUT", help="The folder of the study.", show_default=False),
    ],
    claims: Annotated[Path | None, typer.Option(metavar="CLAIMS.toml", help="Judge these claims.")] = None,
    where: Where = None,
    law: LawName = DEFAULT_LAW,
    draws: Draws = 1000,
    seed: Seed = 0,
    title: Annotated[str | None, typer.Option(help="The title of the report.")] = None,
    as_json: Json = False,
) -> None:
    """Go from results to verdicts: read, check, make gains, fit on both scales, judge claims, write a report.

    PATH is whatever `gainlaw import` reads, with the same options, or a table of scores or gains. OUT keeps every step:
    scores/, fit/, claims.csv, report/. Stop it at any time; the same command goes on from there, and what did not
    change is not done again.
    """
    from gainlaw.studies import run_study
    from gainlaw.tables.verdicts import claims_table

    done = run_study(
        _origin(given, where or ()),
        output,
        claims=claims,
        law=law,
        draws=draws,
        seed=seed,
        title=title,
        watch=progress_bar,
        ended=_tell,
        told=lambda notes: print_warnings(notes, remarks=True),
    )
    fits = list(done.fits.values())
    for name, fit in done.fits.items():
        if fit.status != "ok":
            warn(
                f"{name}: diagnostics failed; do not trust these numbers (gainlaw summary {fit.path} shows which)"
            )
    if as_json:
        show_json(
            {
                "output": str(output),
                "answer": done.answer,
                "status": {name: fit.status for name, fit in done.fits.items()},
                "verdicts": None if done.verdicts is None else records(done.verdicts),
                "steps": [
                    {"step": end.unit.label, "state": end.state, "said": end.said} for end in done.ends
                ],
                "notes": [each.to_dict() for each in fits[0].gains.notes],
            }
        )
    else:
        out = console()
        out.print(f"\n{done.answer}\n")
        if done.verdicts is None:
            out.print("No claims were judged: --claims FILE says which.")
        else:
            print_verdicts(claims_table(done.verdicts, fits))
        out.print(f"\n{output}: report/report.html, report/tables, report/figures")
    exit_untrusted(fits)


def _tell(end: Ended) -> None:
    took = f"{end.seconds:6.1f} s" if end.state == "done" else "    kept"
    note(f"{end.unit.label:<16}{took}  {end.said}".rstrip())


def _origin(given: GivenResults, where: Sequence[str]) -> Origin:
    """Return where the scores come from: a table as it is, or results of other programs."""
    from gainlaw.studies import Origin

    if "-" in given.paths:
        hint = "write it to a file: a study goes on from its files"
        raise InputError(Problem("a study does not read standard input", hint=hint))
    conditions = parse_where(where)
    table = _is_table(given)
    if table:
        others = [name for name in given.said() if name not in {"paths", "rename", "percent"}]
        if others:
            without = ", ".join(map(_option, others))
            what = f"{given.paths[0]} is a table of scores or gains, which goes without {without}"
            raise InputError(Problem(what, hint="its columns say what is compared with what: gainlaw check"))

    def read(progress: Callable[[int, int], None]) -> Evaluations | Gains:
        if table:
            unit: Unit | None = "points" if given.percent else None
            return open_table(given.paths[0], where=where, rename=given.rename, unit=unit)
        found = given.open(progress)
        return select_rows(found, conditions) if conditions else found

    return Origin(read, given.files(), {**given.said(), "where": conditions})


def _option(name: str) -> str:
    """Return the option of a field of `GivenResults`."""
    return "--map" if name == "task" else f"--{name.replace('_', '-')}"


def _is_table(given: GivenResults) -> bool:
    """Return whether the only path given is a table of scores or gains, rather than results to be imported."""
    from gainlaw.scores.reading.files import read_raw

    if len(given.paths) > 1:
        return False
    path = Path(given.paths[0])
    tables = ("evaluations.csv", "evaluations.parquet")
    if given.paths[0].startswith(DATASET) or any((path / name).is_file() for name in tables):
        return True
    try:
        names = set(read_raw(path).renamed(parse_pairs(given.rename or (), "--rename", "OLD=NEW")).frame)
    except InputError:  # of whatever kind it is, that is for the import to say
        return False
    return {"base_model", "intermediate"} <= names or "gain" in names
