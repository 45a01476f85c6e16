"""Do the units that are not done: side by side in worker processes, each unit after those it reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gainlaw.units.execution import Do, Ended
from gainlaw.units.store import Store
from gainlaw.units.unit import Unit
from gainlaw.units.workers import Workers

__all__ = ["given_up", "run_units"]

_POLL = 0.5
_HELD = 2.0


def run_units(
    units: Mapping[str, Unit],
    store: Store,
    do: Do,
    *,
    workers: int,
    retries: int = 0,
    first: Callable[[Unit], float] = lambda unit: 0.0,
    mine: Callable[[Unit], bool] = lambda unit: True,
    takes: Callable[[Unit], int] = lambda unit: 1,
    devices: Sequence[str] = (),
    started: Callable[[Unit], None] = lambda unit: None,
    ended: Callable[[Ended], None] = lambda end: None,
    waiting: Callable[[], None] = lambda: None,
) -> list[Ended]:
    """Do every unit that the store does not have.

    Several processes, on several machines, may do so at once for the same units or for others: each takes what nobody
    is at work on, and waits for the rest.

    Parameters
    ----------
    units : mapping of str to Unit
        The units by name, with all that they read.
    store : Store
        Where results are.
    do : callable
        What does a unit.
    workers : int
        Units side by side. Their number never changes a result. With none, others are waited for.
    retries : int
        How often a unit is tried again that failed for a reason that may pass: a process that was killed, a disk that
        was full, anything but what a reader must mend. A unit that failed as often before is not tried at all.
    first : callable
        Of the units that can be done, the one with the largest value is begun first; then their order counts.
    mine : callable
        Whether a unit may be done here; others are waited for where one that may reads them.
    takes : callable
        How many of the `devices` a unit takes, or of the workers where there are no devices. Where there are too few
        free for the one that is next, those behind it wait too.
    devices : sequence of str
        GPUs, see `gainlaw.units.workers.Workers`.
    started, ended, waiting : callable
        Told when a unit begins, what became of it, and while nothing happens.

    Returns
    -------
    list of Ended
        Of every unit. One that fails does not stop those that do not read it. Finished units that are not what was
        written are done anew, those that nothing reads when they are come upon, others when they are read.

    Raises
    ------
    ValueError
        If a unit reads one that is not among them.
    """
    unknown = {name for unit in units.values() for name in unit.parents.values()} - units.keys()
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} is read, but not among the units to do")
    read = {name for unit in units.values() for name in unit.parents.values()}
    todo = sorted(units.values(), key=lambda unit: -first(unit))
    ends: dict[str, Ended] = {}
    failed: dict[str, int] = {}
    later: dict[str, float] = {}
    seen: list[Callable[[str], list[Path]]] = []
    full: list[Unit] = []

    def end(what: Ended) -> None:
        ends[what.unit.name] = what
        ended(what)

    def begun(name: str) -> list[Path]:
        # one look at the folder each time that all units are gone through, if any asks
        if not seen:
            seen.append(store.look())
        return seen[0](name)

    def finished(unit: Unit) -> bool:
        whole = store.has(unit)
        if (whole and unit.name in read) or not store.path(unit.name).exists():
            return whole
        wrong = store.damage(unit.name)
        if wrong:
            store.set_aside(unit.name)
            ended(Ended(unit, "damaged", said=f"not what was written, and done anew: {', '.join(wrong)}"))
        return whole and not wrong

    def begin(unit: Unit) -> bool:
        """Begin a unit or say what became of it, if that can be done now."""
        states = [ends[name].state if name in ends else "" for name in unit.parents.values()]
        if "failed" in states or "left" in states:
            end(Ended(unit, "left"))
        elif "" in states or later.get(unit.name, 0.0) > time.monotonic():
            return False
        elif finished(unit):
            end(Ended(unit, "kept"))
        elif (known := given_up(store, unit.name, retries, begun(unit.name))) is not None:
            end(Ended(unit, "failed", said=known))
        elif full or not mine(unit):
            return False
        elif not pool.room(takes(unit)):
            full.append(unit)
            return False
        else:
            started(unit)
            pool.submit(unit, takes(unit))
        return True

    with Workers(workers, store, do, devices) as pool:
        while any(map(mine, todo)) or pool.busy:
            seen.clear()
            full.clear()
            left = [unit for unit in todo if not begin(unit)]
            patience = _POLL if len(left) == len(todo) or not left else 0.0
            todo = left
            if not pool.busy:
                time.sleep(patience if todo else 0.0)  # for others, who are at work on the rest
            for what in pool.ended(patience):
                failed[what.unit.name] = failed.get(what.unit.name, 0) + (what.state == "failed")
                again = what.again and failed[what.unit.name] <= retries
                if what.state in ("done", "kept") or (what.state == "failed" and not again):
                    end(what)
                    continue
                ended(replace(what, state="retried") if what.state == "failed" else what)
                for name in what.damaged:
                    store.set_aside(name)
                    if ends.pop(name, None) is not None:
                        todo.append(units[name])
                if what.state == "held":
                    later[what.unit.name] = time.monotonic() + _HELD
                todo.append(what.unit)
            waiting()
    return list(ends.values())


def given_up(store: Store, name: str, retries: int, parts: Sequence[Path] | None = None) -> str | None:
    """Return what was said of a unit that failed too often, or for a reason that does not pass; else None.

    `parts` are the places of the attempts at it, where they are known.
    """
    known = store.failures(name, parts)
    if known and (len(known) > retries or not known[-1]["again"]):
        return str(known[-1]["said"])
    return None
