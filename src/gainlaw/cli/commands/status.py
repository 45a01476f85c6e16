"""``gainlaw status``: where the units of a folder of runs stand."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gainlaw.cli.commands.gc import RunsFolder
from gainlaw.cli.guard import UNTRUSTED
from gainlaw.cli.printing import Json, console, show, show_json, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gainlaw.training.runs.standing import Standing

__all__ = ["status"]

_EVERY = 5.0
_ENDED = ("done", "failed", "left")


def status(
    runs: RunsFolder,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every five seconds, until nothing is left to do.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what is done, what is being done where, and what failed why, of all experiments of a folder of runs.

    It reads the folder only, so it says the same on every machine that sees it. Exits 1 when a unit failed.
    """
    from gainlaw.training.runs.layout import read_queues, store_of
    from gainlaw.training.runs.standing import stand

    def look() -> list[Standing]:
        return stand(read_queues(runs), store_of(runs))

    found = look()
    while watch and any(each.state not in _ENDED for each in found):
        if not as_json:
            console().clear()
            _print(found)
        time.sleep(_EVERY)
        found = look()
    if watch and not as_json:
        console().clear()
    if as_json:
        show_json([_record(each) for each in found])
    else:
        _print(found)
    if any(each.state == "failed" for each in found):
        raise typer.Exit(UNTRUSTED)


def _record(each: Standing) -> dict[str, Any]:
    return {
        "unit": each.unit.name,
        "label": each.unit.label,
        "experiments": list(each.experiments),
        "state": each.state,
        "holder": each.holder,
        "log": each.log,
        "failures": list(each.failures),
        "folder": None if each.folder is None else str(each.folder),
    }


def _print(found: Sequence[Standing]) -> None:
    import pandas as pd

    from gainlaw.tables.record import Column
    from gainlaw.tables.table import Table
    from gainlaw.training.runs.standing import STATES

    counts: dict[tuple[str, str], Counter[str]] = {}
    for each in found:
        for experiment in each.experiments:
            counts.setdefault((experiment, each.unit.kind), Counter())[each.state] += 1
    rows = pd.DataFrame(
        [
            {"experiment": experiment, "phase": kind} | {state: number[state] for state in STATES}
            for (experiment, kind), number in counts.items()
        ]
    )
    columns = [Column("experiment", "experiment"), Column("phase", "phase")]
    columns += [Column(state, state, "count") for state in STATES if rows[state].any() or state == "done"]
    show(Table("units", "Units", rows, tuple(columns)))
    out = console()
    for each in found:
        if each.holder is not None:
            minutes = (time.time() - each.holder["since"]) / 60
            log = each.log
            how_far = f", step {log['step']} of {log['steps']}" if log else ""
            where = f"{each.holder['host']}, process {each.holder['pid']}"
            out.print(f"running: {each.unit.label} ({where}, {minutes:.0f} min{how_far})", highlight=False)
    for each in found:
        if each.failures:
            tries = f" ({len(each.failures)} times)" if len(each.failures) > 1 else ""
            warn(f"failed{tries}: {each.unit.label}: {each.failures[-1]['said']}; see {each.folder}")
