"""A folder of runs: the units of all its experiments in one store, and a folder of tables for each experiment."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gainlaw._io import beside, take, write_text_atomic
from gainlaw.errors import InputError, Problem
from gainlaw.units.store import Store, dump_json
from gainlaw.units.unit import Unit

__all__ = ["Queue", "experiment_folder", "read_queues", "store_of", "write_queue"]

_UNITS, _QUEUE = "units", "units.json"


@dataclass(frozen=True, slots=True)
class Queue:
    """The units that an experiment wants done.

    Attributes
    ----------
    experiment : str
        Its name.
    units : mapping of str to Unit
        By name, each after those that it reads.
    sizes : mapping of str to float
        How large the model of each is: the largest are begun first.
    """

    experiment: str
    units: Mapping[str, Unit]
    sizes: Mapping[str, float]


def store_of(runs: Path) -> Store:
    """Return the store of a folder of runs."""
    return Store(runs / _UNITS)


@contextmanager
def experiment_folder(runs: Path, name: str) -> Iterator[Path]:
    """Give the folder of the tables of an experiment, to one process at a time.

    Parameters
    ----------
    runs : Path
        The folder of runs.
    name : str
        The experiment.

    Raises
    ------
    InputError
        If another process runs an experiment of this name there, or it is the name of the store.
    """
    if name == _UNITS:
        hint = f"{runs / _UNITS} is where the units of all experiments are: give it another name"
        raise InputError(Problem(f"an experiment cannot be called {name}", "name", hint=hint, kind="key"))
    folder = runs / name
    folder.mkdir(parents=True, exist_ok=True)
    lock = beside(folder, "lock")
    handle = take(lock)
    if handle is None:
        hint = f"gainlaw work {runs} has another process, on any machine, do units of it"
        raise InputError(Problem(f"{name} is being run in {runs} by another process", hint=hint))
    try:
        yield folder
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def write_queue(folder: Path, queue: Queue) -> None:
    """Write which units an experiment wants, for those who work on them, look at them or clear up."""
    sizes = {name: None if math.isinf(size) else size for name, size in queue.sizes.items()}
    units = [unit.record() for unit in queue.units.values()]
    record = {"version": 1, "experiment": queue.experiment, "sizes": sizes, "units": units}
    write_text_atomic(folder / _QUEUE, dump_json(record))


def read_queues(runs: Path) -> list[Queue]:
    """Return what the experiments of a folder of runs want done.

    Raises
    ------
    InputError
        If there is no such folder, or no experiment was run in it.
    """
    found = []
    for file in sorted(runs.glob(f"*/{_QUEUE}")):
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            units = {each["name"]: Unit(**each) for each in record["units"]}
            sizes = {name: math.inf if size is None else size for name, size in record["sizes"].items()}
            found.append(Queue(record["experiment"], units, sizes))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            hint = "gainlaw run writes it anew"
            raise InputError(
                Problem("not a list of units that this version reads", hint=hint), str(file)
            ) from None
    if not found:
        why = "no experiment was run there" if runs.is_dir() else "there is no such folder"
        raise InputError(Problem(why, hint="give the RUNS of gainlaw run EXPERIMENT -o RUNS"), str(runs))
    return found
