"""``gainlaw retry``: have units that failed done again."""

from __future__ import annotations

from gainlaw.cli.commands.gc import RunsFolder
from gainlaw.cli.printing import Json, console, show_json
from gainlaw.notes import count_of

__all__ = ["retry"]


def retry(runs: RunsFolder, as_json: Json = False) -> None:
    """Let the units of a folder of runs that failed be tried again, by whoever works there.

    `gainlaw run` does so by itself; `gainlaw work` leaves alone what failed too often.
    """
    from gainlaw.training.runs.layout import read_queues, store_of

    units = {name: unit for queue in read_queues(runs) for name, unit in queue.units.items()}
    failed = store_of(runs).forgive(units)
    if as_json:
        show_json([{"unit": name, "label": units[name].label} for name in failed])
        return
    for name in failed:
        console().print(units[name].label, highlight=False)
    console().print(f"{count_of(len(failed), 'unit')} to be tried again", highlight=False)
