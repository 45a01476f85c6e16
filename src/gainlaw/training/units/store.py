"""Finished units as folders: a folder has its final name only when everything in it is written."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gainlaw._io import write_text_atomic
from gainlaw.training.units.units import Unit

__all__ = ["Store"]

_PART = ".part"


@dataclass(frozen=True, slots=True)
class Store:
    """The folder of units.

    A unit is worked on in ``NAME.part`` and gets the folder ``NAME`` by one rename at its end, so that a unit
    is either finished or not there, whenever its process is killed. What a killed unit left in ``NAME.part``
    is believed only where it is whole by itself (snapshots).

    Attributes
    ----------
    root : Path
        The folder.
    """

    root: Path

    def path(self, name: str) -> Path:
        """Return the folder of a finished unit."""
        return self.root / name

    def part(self, name: str) -> Path:
        """Return the folder in which a unit is worked on."""
        return self.root / f"{name}{_PART}"

    def has(self, name: str) -> bool:
        """Return whether a unit is finished."""
        return (self.root / name).is_dir()

    def request(self, unit: Unit) -> None:
        """Write down what a unit is to do, for the process that will do it."""
        part = self.part(unit.name)
        part.mkdir(parents=True, exist_ok=True)
        write_text_atomic(part / "unit.json", dump_json(unit.record()))

    def read(self, name: str) -> Unit:
        """Return a unit as it was requested, finished or not."""
        for folder in (self.path(name), self.part(name)):
            if (folder / "unit.json").is_file():
                return Unit.from_record(json.loads((folder / "unit.json").read_text(encoding="utf-8")))
        raise FileNotFoundError(f"{self.root} has no unit called {name}")

    @contextmanager
    def work(self, name: str) -> Iterator[Path | None]:
        """Give the folder to work in, and the unit its final name when the block ends well.

        Parameters
        ----------
        name : str
            Of a unit that was requested.

        Yields
        ------
        Path or None
            None when the unit is finished already. Another process that works on the same unit is waited for.
        """
        part = self.part(name)
        if self.has(name):
            yield None
            return
        part.mkdir(parents=True, exist_ok=True)
        with (self.root / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                if self.has(name):
                    yield None
                    return
                yield part
                _drop_snapshots(part)
                _sync(part)
                part.rename(self.path(name))
            finally:
                if self.has(name):
                    Path(lock.name).unlink(missing_ok=True)

    def clean(self, wanted: set[str]) -> list[str]:
        """Remove begun units that nobody wants any more; return their names."""
        gone = []
        for part in sorted(self.root.glob(f"*{_PART}")):
            name = part.name.removesuffix(_PART)
            if self.has(name) or name not in wanted:
                shutil.rmtree(part, ignore_errors=True)
                gone.append(name)
        return gone


def _drop_snapshots(part: Path) -> None:
    for path in part.glob("snapshot*"):
        path.unlink()
    for path in part.glob(".*"):  # temporary files of a process that was killed
        path.unlink()


def _sync(folder: Path) -> None:
    """Bring the content of a folder to the disk before it gets its name."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def dump_json(value: Any) -> str:
    """Return plain data as JSON text, one way only."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
