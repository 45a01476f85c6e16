"""Results that are finished or not there: folders named by their keys, or named places with their keys beside."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gainlaw._io import sync, take, write_text_atomic
from gainlaw.units.unit import Unit
from gainlaw.units.versions import content_version

__all__ = ["NamedStore", "Store", "dump_json"]

_PART = ".part"
RECORD, TIMING = "unit.json", "timing.json"


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of units, each a folder named by its key, so that what was done once is never done again.

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
        """Return where the result of a finished unit is."""
        return self.root / name

    def part(self, name: str) -> Path:
        """Return the folder in which a unit is worked on."""
        return self.root / f"{name}{_PART}"

    def has(self, unit: Unit) -> bool:
        """Return whether a unit is finished."""
        return self.path(unit.name).is_dir()

    def read(self, name: str) -> Unit:
        """Return a unit that was begun, finished or not."""
        for folder in (self.path(name), self.part(name)):
            if (folder / RECORD).is_file():
                return Unit(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
        raise FileNotFoundError(f"{self.root} has no unit called {name}")

    def seconds(self, name: str) -> float | None:
        """Return how long a finished unit took."""
        path = self.path(name) / TIMING
        return json.loads(path.read_text(encoding="utf-8"))["seconds"] if path.is_file() else None

    @contextmanager
    def work(self, unit: Unit) -> Iterator[Path | None]:
        """Give the place to work in, and the unit its final name when the block ends well.

        Parameters
        ----------
        unit : Unit
            The unit.

        Yields
        ------
        Path or None
            None when the unit is finished already. Another process that works on the same unit is waited for.
        """
        part = self.part(unit.name)
        self.root.mkdir(parents=True, exist_ok=True)
        with _held(self.root / f".{unit.name}.lock"):
            if self.has(unit):
                yield None
                return
            part.mkdir(parents=True, exist_ok=True)
            write_text_atomic(part / RECORD, dump_json(unit.record()))
            begun = time.monotonic()
            yield part
            write_text_atomic(part / TIMING, dump_json({"seconds": round(time.monotonic() - begun, 3)}))
            for path in [*part.glob("snapshot*"), *part.glob(".*")]:  # hidden: of a process that was killed
                path.unlink()
            for path in [*part.rglob("*"), part]:
                sync(path)
            part.rename(self.path(unit.name))

    def clean(self, units: Mapping[str, Unit]) -> None:
        """Remove units that were begun and that nobody wants any more."""
        for part in self.root.glob(f"*{_PART}"):
            if part.name.removesuffix(_PART) not in units:
                shutil.rmtree(part, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class NamedStore(Store):
    """A folder of files and folders that people know by name, each the result of the unit of that name.

    A unit writes its result to its place by itself, whole or not at all; the key and the content that it had then
    are recorded in ``.units``. It is finished as long as both are the same.

    Attributes
    ----------
    root : Path
        The folder.
    beside : tuple of str
        Patterns of names that may come to lie in a result later without being part of it.
    """

    beside: tuple[str, ...] = ()

    def has(self, unit: Unit) -> bool:
        """Return whether a unit is finished and its result is as it was then."""
        try:
            known = json.loads(self._record(unit).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        place = self.path(unit.name)
        return place.exists() and bool(known == {"key": unit.key, "content": self._content(place)})

    def forget(self, unit: Unit) -> None:
        """Let a unit be done anew."""
        self._record(unit).unlink(missing_ok=True)

    @contextmanager
    def work(self, unit: Unit) -> Iterator[Path | None]:
        """Give the place of a unit, and record that it is finished when the block ends well."""
        place, record = self.path(unit.name), self._record(unit)
        record.parent.mkdir(parents=True, exist_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        with _held(record.with_suffix(".lock")):
            if self.has(unit):
                yield None
                return
            yield place
            write_text_atomic(record, dump_json({"key": unit.key, "content": self._content(place)}))

    def clean(self, units: Mapping[str, Unit]) -> None:
        """Do nothing: what people know by name is theirs."""

    def _record(self, unit: Unit) -> Path:
        return self.root / ".units" / f"{unit.name.replace('/', '.')}.json"

    def _content(self, place: Path) -> str:
        return content_version(place, beside=self.beside)


@contextmanager
def _held(lock: Path) -> Iterator[None]:
    """Keep other processes away from what is at work in the block."""
    handle = take(lock, wait=True)
    assert handle is not None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def dump_json(value: Any) -> str:
    """Return plain data as JSON text, one way only."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
