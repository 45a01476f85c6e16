"""Do the units that are not done: side by side in worker processes, each unit after those it reads."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Literal

from gainlaw.errors import GainlawError
from gainlaw.units.store import Store
from gainlaw.units.unit import Unit

__all__ = ["Do", "Ended", "execute", "run_units"]

Do = Callable[[Unit, Store, Path], str | None]
"""What does a unit, given the store and the place for its result; it may return a line about that. A function of
a module, since worker processes look it up there. It raises a GainlawError for what a reader can mend."""

_POLL = 0.5


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a unit.

    Attributes
    ----------
    unit : Unit
        The unit.
    state : {"done", "kept", "failed", "left"}
        Done now, done before, failed, or not begun because something that it reads failed.
    seconds : float
        How long it took now.
    said : str
        What it said, or what went wrong.
    """

    unit: Unit
    state: Literal["done", "kept", "failed", "left"]
    seconds: float = 0.0
    said: str = ""


def run_units(
    units: Mapping[str, Unit],
    store: Store,
    do: Do,
    *,
    workers: int,
    first: Callable[[Unit], float] = lambda unit: 0.0,
    started: Callable[[Unit], None] = lambda unit: None,
    ended: Callable[[Ended], None] = lambda end: None,
    waiting: Callable[[], None] = lambda: None,
) -> list[Ended]:
    """Do every unit that the store does not have.

    Parameters
    ----------
    units : mapping of str to Unit
        The units by name, with all that they read.
    store : Store
        Where results are.
    do : callable
        What does a unit.
    workers : int
        Units side by side. Their number never changes a result.
    first : callable
        Of the units that can be done, the one with the largest value is begun first; then their order counts.
    started, ended, waiting : callable
        Told when a unit begins, what became of it, and while nothing happens.

    Returns
    -------
    list of Ended
        Of every unit. One that fails does not stop those that do not read it.

    Raises
    ------
    ValueError
        If a unit reads one that is not among them.
    GainlawError
        If a worker process dies (the memory of the machine is the usual reason).
    """
    unknown = {name for unit in units.values() for name in unit.parents.values()} - units.keys()
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} is read, but not among the units to do")
    store.clean(units)
    todo = sorted(units.values(), key=lambda unit: -first(unit))
    state: dict[str, str] = {}
    ends: list[Ended] = []

    def end(what: Ended) -> None:
        state[what.unit.name] = what.state
        ends.append(what)
        ended(what)

    running: dict[Future[Ended], Unit] = {}
    with _Workers(workers) as pool:
        while todo or running:
            for unit in list(todo):
                read = [state.get(parent, "") for parent in unit.parents.values()]
                if "failed" in read or "left" in read:
                    end(Ended(unit, "left"))
                elif "" in read or len(running) >= workers:
                    continue
                elif store.has(unit):
                    end(Ended(unit, "kept"))
                else:
                    started(unit)
                    running[pool.submit(_work, unit, store, do)] = unit
                todo.remove(unit)
            for future in wait(running, timeout=_POLL, return_when=FIRST_COMPLETED).done:
                running.pop(future)
                end(future.result())
            waiting()
    return ends


def execute(unit: Unit, store: Store, do: Do) -> Ended:
    """Do one unit in this process.

    Parameters
    ----------
    unit, store, do
        As in `run_units`.

    Returns
    -------
    Ended
        Done, or kept when it was finished already.

    Raises
    ------
    GainlawError
        If the unit cannot be done, with the reason.
    """
    begun = time.monotonic()
    with store.work(unit) as place:
        if place is None:
            return Ended(unit, "kept")
        missing = [parent for parent in unit.parents.values() if not store.path(parent).exists()]
        if missing:
            raise GainlawError(f"{unit.name} reads {', '.join(missing)}, which is not finished")
        said = do(unit, store, place) or ""
    return Ended(unit, "done", time.monotonic() - begun, said)


def _work(unit: Unit, store: Store, do: Do) -> Ended:
    try:
        return execute(unit, store, do)
    except GainlawError as error:
        return Ended(unit, "failed", said=str(error))


@dataclass(slots=True)
class _Workers:
    """Worker processes, begun when the first unit is submitted."""

    count: int
    pool: ProcessPoolExecutor | None = None
    stop: Event | None = field(default=None)

    def submit(self, *call: Any) -> Future[Ended]:
        if self.pool is None:
            context = multiprocessing.get_context("spawn")
            self.stop = context.Event()
            self.pool = ProcessPoolExecutor(
                self.count, context, initializer=_start_worker, initargs=(os.getpid(), self.stop)
            )
        return self.pool.submit(*call)

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.pool is None or self.stop is None:
            return
        if kind is not None:
            self.stop.set()
        self.pool.shutdown(wait=kind is None, cancel_futures=True)
        if kind is BrokenProcessPool:
            raise GainlawError(
                "a worker process was killed; if the machine ran out of memory, let fewer units run side by side. "
                "What is finished is kept: the same command goes on from there"
            ) from None


def _start_worker(parent: int, stop: Event) -> None:
    """Let a worker end with its parent, however that ends, and leave interrupts to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent and not stop.is_set():
            time.sleep(_POLL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
