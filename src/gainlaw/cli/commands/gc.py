"""``gainlaw gc``: clear up a folder of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gainlaw.cli.printing import Json, console, show_json
from gainlaw.notes import count_of

__all__ = ["RunsFolder", "gc"]

RunsFolder = Annotated[
    Path, typer.Argument(metavar="RUNS", help="The folder that `gainlaw run EXPERIMENT -o RUNS` wrote to.")
]


def gc(runs: RunsFolder, as_json: Json = False) -> None:
    """Remove what nobody needs of a folder of runs: units that were begun and that none of its experiments wants any
    more, and copies of damaged units. What is finished stays, and what somebody is at work on.
    """  # noqa: D205  # one sentence, which the list of commands does not show
    from gainlaw.training.runs.layout import read_queues, store_of

    wanted = {name: unit for queue in read_queues(runs) for name, unit in queue.units.items()}
    gone = store_of(runs).clean(wanted)
    if as_json:
        show_json([{"folder": name, "bytes": size} for name, size in gone])
        return
    for name, size in gone:
        console().print(f"{size / 1e6:12,.1f} MB  {name}", highlight=False)
    freed = sum(size for _, size in gone)
    console().print(f"{count_of(len(gone), 'folder')} removed, {freed / 1e6:,.1f} MB", highlight=False)
