"""Do units that others asked for: what ``gainlaw work`` runs, on as many machines as one likes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from gainlaw.errors import InputError, Problem
from gainlaw.training.phases.asking import LIBRARIES
from gainlaw.training.phases.phase import do
from gainlaw.training.phases.registry import PHASES, find_phase
from gainlaw.training.runs.jobs import watch_cancel
from gainlaw.training.runs.layout import read_queues, store_of
from gainlaw.training.shards.launching import shards_of
from gainlaw.training.train.machine import count_gpus, default_workers, visible_gpus
from gainlaw.units.execution import Ended
from gainlaw.units.schedule import run_units
from gainlaw.units.unit import Unit, make_unit
from gainlaw.units.versions import installed_versions

__all__ = ["work"]


def work(
    runs: Path,
    *,
    workers: int | None = None,
    retries: int = 1,
    max_params: float | None = None,
    started: Callable[[Unit], None] = lambda unit: None,
    ended: Callable[[Ended], None] = lambda end: None,
    waiting: Callable[[], None] = lambda: None,
) -> list[Ended]:
    """Do every unit that the experiments of a folder want, and that nobody does.

    Parameters
    ----------
    runs : Path
        The folder of runs.
    workers : int, optional
        Units side by side.
    retries : int
        See `gainlaw.units.schedule.run_units`. What failed before is left alone.
    max_params : float, optional
        Units of larger models, and of those whose size is not known, are left to others, as are those that are spread
        over more GPUs than there are.
    started, ended, waiting : callable
        As there.

    Returns
    -------
    list of Ended
        What became of every unit, by whomever.

    Raises
    ------
    InputError
        If nothing was asked for, this installation would make other results under the same names, or a GPU is missing.
    """
    units: dict[str, Unit] = {}
    sizes: dict[str, float] = {}
    for queue in read_queues(runs):
        units |= queue.units
        sizes |= queue.sizes
    _require_same(units)
    machines = [unit.spec["machine"] for unit in units.values() if "machine" in unit.spec]
    device = "cuda" if any(machine["device"] == "cuda" for machine in machines) else "cpu"
    if device == "cuda" and not count_gpus():
        raise InputError(Problem("the units are for a GPU, and there is no CUDA device here"))
    stop = watch_cancel(runs)

    def look() -> None:
        stop()
        waiting()

    gpus = visible_gpus() if device == "cuda" else []

    def mine(unit: Unit) -> bool:
        if gpus and shards_of(unit) > len(gpus):
            return False
        return max_params is None or "machine" not in unit.spec or sizes[unit.name] <= max_params

    threads = max((int(machine["threads"]) for machine in machines), default=1)
    return run_units(
        units,
        store_of(runs),
        do,
        workers=workers or default_workers(device, threads),
        retries=retries,
        first=lambda unit: sizes[unit.name],
        mine=mine,
        takes=shards_of,
        devices=gpus,
        started=started,
        ended=ended,
        waiting=look,
    )


def _require_same(units: Mapping[str, Unit]) -> None:
    """Refuse units whose keys this installation's code and libraries do not give."""
    other = [
        unit
        for unit in units.values()
        if unit.kind not in PHASES
        or unit.key
        != make_unit(
            unit.kind,
            unit.spec,
            {role: units[name] for role, name in unit.parents.items()},
            code=find_phase(unit.kind).code,
            libraries=installed_versions(LIBRARIES) if "machine" in unit.spec else {},
        ).key
    ]
    if other:
        hint = f"install the versions of gainlaw, {', '.join(LIBRARIES)} that run.json names, or run it anew from here"
        what = f"this installation would do {len(other)} of the {len(units)} units otherwise than they were asked for"
        raise InputError(Problem(what, hint=hint))
