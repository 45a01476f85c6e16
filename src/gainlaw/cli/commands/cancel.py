"""``gainlaw cancel``: end the work in a folder of runs where it can go on later."""

from __future__ import annotations

from gainlaw.cli.commands.gc import RunsFolder
from gainlaw.cli.printing import Json, console, show_json
from gainlaw.notes import count_of

__all__ = ["cancel"]


def cancel(runs: RunsFolder, as_json: Json = False) -> None:
    """End all work in a folder of runs, on any machine, where the next `gainlaw run` or `gainlaw work` can go on.

    Workers see it within seconds and write down where they are; jobs of `gainlaw run --on slurm` leave the queue.
    What is done stays.
    """
    from gainlaw.training.runs.jobs import cancel as end_work
    from gainlaw.training.runs.layout import read_queues

    read_queues(runs)  # says what is wrong with the folder
    told = end_work(runs)
    if as_json:
        show_json(told)
        return
    for name, jobs in told.items():
        console().print(
            f"{name}: {count_of(len(jobs), 'job')} cancelled ({', '.join(jobs)})", highlight=False
        )
    console().print("workers end where others can go on", highlight=False)
