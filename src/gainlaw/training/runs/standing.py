"""Where the units of a folder of runs stand: done, being done by whom, failed why, waiting for what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gainlaw.training.runs.layout import Queue
from gainlaw.units.store import Store
from gainlaw.units.unit import Unit

__all__ = ["STATES", "Standing", "last_line", "stand"]

State = Literal["done", "running", "failed", "left", "begun", "ready", "waiting"]
STATES: tuple[State, ...] = ("done", "running", "failed", "left", "begun", "ready", "waiting")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a unit stands.

    Attributes
    ----------
    unit : Unit
        The unit.
    experiments : tuple of str
        Those that want it.
    state : {"done", "running", "failed", "left", "begun", "ready", "waiting"}
        Finished; being done; failed; not to be done for want of a failed one; begun and left; nothing is missing to
        begin it; or what it reads is not finished.
    holder : mapping or None
        Who is at work on it, see `gainlaw.units.lease.holder`.
    failures : tuple of mapping
        The attempts that failed, see `gainlaw.units.store.Store.failures`.
    log : mapping or None
        The last line of the log of a training that is under way.
    folder : Path or None
        Where it is being done, or was.
    """

    unit: Unit
    experiments: tuple[str, ...]
    state: State
    holder: dict[str, Any] | None = None
    failures: tuple[dict[str, Any], ...] = ()
    log: dict[str, Any] | None = None
    folder: Path | None = None


def stand(queues: Sequence[Queue], store: Store) -> list[Standing]:
    """Return where the units that experiments want stand, each after those it reads.

    Parameters
    ----------
    queues : sequence of Queue
        What they want.
    store : Store
        The units.

    Returns
    -------
    list of Standing
        A unit that several experiments want comes once.
    """
    wanted: dict[str, list[str]] = {}
    units: dict[str, Unit] = {}
    for queue in queues:
        for name, unit in queue.units.items():
            units.setdefault(name, unit)
            wanted.setdefault(name, []).append(queue.experiment)
    begun, touched = store.begun(), store.touched()
    found: dict[str, Standing] = {}
    for name, unit in units.items():
        parents = {found[parent].state for parent in unit.parents.values()}
        parts = begun.get(name, [])
        own = tuple(wanted[name])
        if name in touched and store.has(unit):
            found[name] = Standing(unit, own, "done")
        elif name in touched and (held := store.holder(name)) is not None:
            log = last_line(parts[0]) if parts else None
            found[name] = Standing(unit, own, "running", held, log=log, folder=next(iter(parts), None))
        elif parts and (failures := store.failures(name, parts)):
            found[name] = Standing(unit, own, "failed", failures=tuple(failures), folder=parts[0])
        elif parents & {"failed", "left"}:
            found[name] = Standing(unit, own, "left")
        elif parts:
            found[name] = Standing(unit, own, "begun", folder=parts[0])
        else:
            found[name] = Standing(unit, own, "ready" if parents <= {"done"} else "waiting")
    return list(found.values())


def last_line(part: Path) -> dict[str, Any] | None:
    """Return the last whole line of the training log in a unit's place, if there is one."""
    with suppress(OSError, ValueError), (part / "log.jsonl").open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - 4096))
        lines = [line for line in file.read().decode("utf-8", "ignore").splitlines() if line.endswith("}")]
        return dict(json.loads(lines[-1])) if lines else None
    return None
