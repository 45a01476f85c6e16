"""Worker processes: each does one unit at a time, and one that dies takes nothing with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType

from gainlaw.units.execution import Do, Ended, attempt, fail
from gainlaw.units.store import Store
from gainlaw.units.unit import Unit

__all__ = ["Workers"]

_POLL = 0.5
#: Seconds for the workers to end where they can go on later; one that is writing that down may finish it.
_GRACE = 20.0


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    devices: tuple[str, ...] = ()
    unit: Unit | None = None
    takes: int = 1


class Workers:
    """Worker processes, begun when there is work for them.

    As a context, they end with the block: at once where it ends well. Where it does not, those at work are asked to
    stop where they can go on later, and are killed when they do not.

    Parameters
    ----------
    count : int
        How many at most.
    store : Store
        Where results are.
    do : callable
        What does a unit.
    devices : sequence of str
        The GPUs, as ``CUDA_VISIBLE_DEVICES`` names them, of which a worker sees those that its unit takes. A unit that
        takes one shares it only where there are more workers than GPUs; one that takes several has them alone.
    """

    def __init__(self, count: int, store: Store, do: Do, devices: Sequence[str] = ()) -> None:
        self._count, self._store, self._do = count, store, do
        self._devices = tuple(devices)
        self._workers: list[_Worker] = []

    @property
    def busy(self) -> int:
        """How many units are being done."""
        return sum(worker.unit is not None for worker in self._workers)

    def room(self, takes: int = 1) -> bool:
        """Return whether another unit can be submitted that takes so many GPUs, or so many workers where none are."""
        return self._place(takes) is not None

    def submit(self, unit: Unit, takes: int = 1) -> None:
        """Have a unit done for which there is room."""
        devices = self._place(takes) or ()
        worker = next((w for w in self._workers if w.unit is None and w.devices == devices), None)
        if worker is None:
            if takes > 1:  # what others have left on these devices is in its way
                self._leave(devices)
            worker = self._begin(devices)
        worker.unit, worker.takes = unit, takes
        with suppress(OSError):  # it has just died, which `ended` will see
            worker.pipe.send(unit)

    def ended(self, seconds: float) -> list[Ended]:
        """Return what became of units, after waiting some seconds at most for the first of them."""
        if not self._workers:
            return []
        ready = wait([w.pipe for w in self._workers] + [w.process.sentinel for w in self._workers], seconds)
        found = []
        for worker in [w for w in self._workers if w.pipe in ready or w.process.sentinel in ready]:
            end = self._receive(worker)
            if end is not None:
                found.append(end)
        return found

    def _place(self, takes: int) -> tuple[str, ...] | None:
        """Return the devices that a unit would get; None where there is no room for it."""
        at_work = [worker for worker in self._workers if worker.unit is not None]
        if len(at_work) >= self._count:
            return None
        if not self._devices:
            taken = sum(min(worker.takes, self._count) for worker in at_work)
            return () if taken + min(takes, self._count) <= self._count else None
        seats = {
            device: -(-self._count // len(self._devices)) if takes == 1 else 1 for device in self._devices
        }
        for worker in at_work:
            for device in worker.devices:
                seats[device] -= 1 if worker.takes == 1 else seats[device]
        free = sorted((device for device in seats if seats[device] > 0), key=lambda each: -seats[each])
        return tuple(free[:takes]) if len(free) >= takes else None

    def _leave(self, devices: Sequence[str]) -> None:
        """Let workers go that have nothing to do and some of these devices."""
        for worker in [w for w in self._workers if w.unit is None and set(w.devices) & set(devices)]:
            worker.pipe.close()
            worker.process.join()
            self._workers.remove(worker)

    def _begin(self, devices: tuple[str, ...]) -> _Worker:
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, os.getpid(), self._store, self._do, devices))
        process.start()
        theirs.close()
        worker = _Worker(process, mine, devices)
        self._workers.append(worker)
        return worker

    def _receive(self, worker: _Worker) -> Ended | None:
        """Return what a worker says; one that goes, or is gone, is taken off the list."""
        end: Ended | None = None
        try:
            if worker.pipe.poll():
                end = worker.pipe.recv()
        except (EOFError, OSError):
            pass
        if end is not None and not _leaves(end):
            worker.unit = None
            return end
        worker.process.join(_GRACE)
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)
        if end is None and worker.unit is not None:
            said = _how_it_ended(worker.process.exitcode or 0)
            end = fail(worker.unit, self._store, said, kind="killed", again=True, pid=worker.process.pid)
        return end

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            for worker in self._workers:
                if worker.unit is None:
                    worker.pipe.close()
                elif kind is not None and worker.process.pid is not None:
                    self._store.ask_to_stop(worker.unit.name, worker.process.pid)
            if kind is not None:
                self._wait_for_the_last()
        finally:
            for worker in self._workers:
                if worker.unit is not None:
                    worker.process.kill()
            for worker in self._workers:
                worker.process.join()
                worker.pipe.close()

    def _wait_for_the_last(self) -> None:
        until = time.monotonic() + _GRACE
        while self._workers:
            left = [w for w in self._workers if w.process.is_alive() and w.unit is not None]
            writing = any(self._store.saving(w.unit.name) for w in left if w.unit is not None)
            if not left or (time.monotonic() > until and not writing):
                return
            wait([w.process.sentinel for w in left], _POLL)


def _leaves(end: Ended) -> bool:
    """Return whether a worker ends after a unit: when it was asked to, or its memory may not be as it should be."""
    return end.state == "stopped" or (end.state == "failed" and end.again)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"its process ended by itself, with exit code {code}"
    number = -code
    name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
    memory = "; if the machine ran out of memory, let fewer units run side by side"
    return f"its process was ended by signal {name}{memory if number == signal.SIGKILL else ''}"


def _serve(pipe: Connection, parent: int, store: Store, do: Do, devices: Sequence[str]) -> None:
    """Do units until there are no more; leave interrupts to the parent, and end with it, however it ends."""
    if devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    at_work: list[str] = []
    asked: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        if not at_work:
            os._exit(0)
        store.ask_to_stop(at_work[0], os.getpid())

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=watch, daemon=True).start()
    while not asked:
        try:
            unit = pipe.recv()
        except (EOFError, OSError):
            return
        at_work[:] = [unit.name]
        end = attempt(unit, store, do)
        at_work.clear()
        with suppress(OSError):
            pipe.send(end)
        if _leaves(end):
            return
