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
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Any

from gainlaw.errors import GainlawError
from gainlaw.training.units.graph import Graph
from gainlaw.training.units.store import Store
from gainlaw.training.units.units import Unit

__all__ = ["Summary", "run_units"]

_POLL = 0.5


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did.

    Attributes
    ----------
    executed, cached : tuple of str
        Units done now, and those that were done before.
    failed : mapping of str to str
        Unit to what went wrong.
    skipped : tuple of str
        Units not begun because something they read failed.
    seconds : float
        Wall time.
    """

    executed: tuple[str, ...]
    cached: tuple[str, ...]
    failed: Mapping[str, str]
    skipped: tuple[str, ...]
    seconds: float


def run_units(
    graph: Graph,
    store: Store,
    *,
    device: str,
    threads: int,
    workers: int,
    snapshot_seconds: float = 300.0,
    started: Callable[[Unit], None] = lambda unit: None,
    finished: Callable[[Unit, float, str], None] = lambda unit, seconds, error: None,
    waiting: Callable[[], None] = lambda: None,
) -> Summary:
    """Do every unit of a graph that the store does not have.

    Parameters
    ----------
    graph : Graph
        The units.
    store : Store
        Where they go.
    device : {"cpu", "cuda"}
        What they run on.
    threads, workers : int
        Threads of a unit, and units side by side. The number of workers never changes a result.
    snapshot_seconds : float
        Time between snapshots of a training run.
    started, finished, waiting : callable
        Told when a unit begins (the unit), ends (the unit, seconds, and what went wrong or ""), and while
        nothing happens.

    Returns
    -------
    Summary
        A unit that fails does not stop those that do not read it.

    Raises
    ------
    GainlawError
        If a worker process dies (the memory of the machine is the usual reason).
    """
    begun = time.monotonic()
    cached = tuple(name for name in graph.units if store.has(name))
    store.root.mkdir(parents=True, exist_ok=True)
    store.clean(set(graph.units))
    todo = sorted((n for n in graph.units if n not in set(cached)), key=_order(graph))
    done, executed = set(cached), []
    failed: dict[str, str] = {}
    skipped: list[str] = []
    if not todo:
        return Summary((), cached, {}, (), time.monotonic() - begun)
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(
        min(workers, len(todo)), context, initializer=_start_worker, initargs=(threads, os.getpid(), stop)
    )
    running: dict[Future[tuple[float, str]], str] = {}
    try:
        while todo or running:
            for name in list(todo):
                parents = set(graph.units[name].parents.values())
                if parents & (failed.keys() | set(skipped)):
                    todo.remove(name)
                    skipped.append(name)
                elif parents <= done and len(running) < workers:
                    todo.remove(name)
                    store.request(graph.units[name])
                    started(graph.units[name])
                    running[pool.submit(_work, store, name, device, snapshot_seconds)] = name
            for future in wait(running, timeout=_POLL, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                seconds, error = future.result()
                if error:
                    failed[name] = error
                else:
                    done.add(name)
                    executed.append(name)
                finished(graph.units[name], seconds, error)
            waiting()
    except BrokenProcessPool:
        raise GainlawError(
            "a worker process was killed; if the machine ran out of memory, try fewer --workers. What is finished "
            "is kept: the same command goes on from there"
        ) from None
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
    return Summary(tuple(executed), cached, failed, tuple(skipped), time.monotonic() - begun)


def _order(graph: Graph) -> Callable[[str], tuple[float, int]]:
    """Return an order in which the largest models come first: they take longest, and others fill the gaps."""
    place = {name: i for i, name in enumerate(graph.units)}

    def size(name: str) -> float:
        unit = graph.units[name]
        config: Any = unit.spec.get("config")
        if config:
            return float(config.get("hidden_size", 1)) ** 2 * float(config.get("num_hidden_layers", 1))
        return size(unit.parents["model"]) if "model" in unit.parents else float("inf")

    return lambda name: (-size(name), place[name])


def _start_worker(threads: int, parent: int, stop: Event) -> None:
    """Prepare a worker: it ends with its parent, however that ends, and leaves interrupts to it."""
    from gainlaw.training.units.execute import prepare_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent and not stop.is_set():
            time.sleep(_POLL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    prepare_process(threads)


def _work(store: Store, name: str, device: str, snapshot_seconds: float) -> tuple[float, str]:
    from gainlaw.training.units.execute import execute

    try:
        return execute(store.root, name, device, snapshot_seconds), ""
    except GainlawError as error:
        return 0.0, str(error)
