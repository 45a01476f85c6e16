"""Results that are finished or not there: folders named by their keys, or named places with their keys beside."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gainlaw._io import sha256_file, sync, write_text_atomic
from gainlaw.errors import GainlawError
from gainlaw.units.lease import holder, host, lease
from gainlaw.units.unit import Unit
from gainlaw.units.versions import content_version

__all__ = ["HeldError", "NamedStore", "Store", "dump_json"]

_PART, _DAMAGED = ".part", ".damaged"
RECORD, MANIFEST, FAILURES, STOP = "unit.json", "manifest.json", "failures.json", "stop"


class HeldError(GainlawError):
    """Somebody else is at work on a unit."""


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of units, each a folder named by its key, so that what was done once is never done again.

    A unit is worked on in ``NAME.HOST-PID.part`` and gets the folder ``NAME`` by one rename at its end, so that a unit
    is either finished or not there, whenever its process is killed. Who works on it holds the lease ``.NAME.lock``.
    What a killed process left is taken over by the next one, and believed only where it is whole by itself
    (snapshots). A finished unit has a manifest of its files, their sizes and hashes; one that is not as it says counts
    as not finished, and is set aside when it is done again.

    Attributes
    ----------
    root : Path
        The folder.
    """

    root: Path

    def path(self, name: str) -> Path:
        """Return where the result of a finished unit is."""
        return self.root / name

    def parts(self, name: str) -> list[Path]:
        """Return the folders in which a unit is worked on, or was, the latest first."""
        return self.begun().get(name, [])

    def begun(self) -> dict[str, list[Path]]:
        """Return the `parts` of every unit that has any."""
        found: dict[str, list[tuple[int, Path]]] = {}
        for name in os.listdir(self.root) if self.root.is_dir() else ():  # noqa: PTH208  # names, of thousands
            if name.endswith(_PART):
                part = self.root / name
                with suppress(FileNotFoundError):
                    found.setdefault(name.split(".")[0], []).append((part.stat().st_mtime_ns, part))
        return {name: [part for _, part in sorted(each, reverse=True)] for name, each in found.items()}

    def look(self) -> Callable[[str], list[Path]]:
        """Return the `parts` of any unit, as one look at the folder finds them now."""
        found = self.begun()
        return lambda name: found.get(name, [])

    def has(self, unit: Unit) -> bool:
        """Return whether a unit is finished, with all of its files at their sizes."""
        manifest = self._manifest(unit.name)
        if manifest is None:
            return False
        folder = str(self.path(unit.name))
        try:  # of thousands of units, as texts: paths take longer than the system
            return all(
                os.stat(f"{folder}/{name}").st_size == size  # noqa: PTH116
                for name, (size, _) in manifest["files"].items()
            )
        except OSError:
            return False

    def damage(self, name: str) -> list[str]:
        """Return the files of a finished unit that are not what was written, by their hashes."""
        manifest = self._manifest(name)
        if manifest is None:
            return [MANIFEST]
        folder = self.path(name)

        def differs(file: str, size: int, digest: str) -> bool:
            try:
                return (folder / file).stat().st_size != size or sha256_file(folder / file) != digest
            except OSError:
                return True

        return [file for file, (size, digest) in manifest["files"].items() if differs(file, size, digest)]

    def read(self, name: str) -> Unit:
        """Return a unit that was begun, finished or not."""
        for folder in (self.path(name), *self.parts(name)):
            if (folder / RECORD).is_file():
                return Unit(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
        raise FileNotFoundError(f"{self.root} has no unit called {name}")

    def seconds(self, name: str) -> float | None:
        """Return how long a finished unit took."""
        manifest = self._manifest(name)
        return None if manifest is None else float(manifest["seconds"])

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
            None when the unit is finished already.

        Raises
        ------
        HeldError
            If somebody else is at work on it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with lease(self._lock(unit.name)) as mine:
            if not mine:
                raise HeldError(f"{unit.name} is being done by another process")
            if self.has(unit):
                yield None
                return
            self._set_aside(unit.name)
            part = self._take_over(unit.name)
            write_text_atomic(part / RECORD, dump_json(unit.record()))
            begun = time.monotonic()
            yield part
            self._finish(unit.name, part, round(time.monotonic() - begun, 3))

    def set_aside(self, name: str) -> None:
        """Let a finished unit whose files are not what was written be done anew; the old ones stay beside it."""
        with lease(self._lock(name)) as mine:
            if mine and self.damage(name):
                self._set_aside(name)

    def touched(self) -> set[str]:
        """Return the units that somebody finished, begins or is at work on, in one look at the folder."""
        entries = self.root.iterdir() if self.root.is_dir() else ()
        return {entry.name.removeprefix(".").split(".")[0] for entry in entries}

    def holder(self, name: str) -> dict[str, Any] | None:
        """Return who is at work on a unit, see `gainlaw.units.lease.holder`."""
        return holder(self._lock(name))

    def failures(self, name: str, parts: Sequence[Path] | None = None) -> list[dict[str, Any]]:
        """Return the attempts at a unit that failed, in order: ``kind``, ``said``, ``again``, ``traceback``, ...

        `parts` are its `parts` where they are known: one look at the folder does for all units.
        """
        for part in self.parts(name) if parts is None else parts:
            with suppress(OSError, ValueError):
                return list(json.loads((part / FAILURES).read_text(encoding="utf-8")))
        return []

    def note_failure(self, name: str, failure: Mapping[str, Any], pid: int | None = None) -> Path:
        """Keep why an attempt failed, with the unit.

        Parameters
        ----------
        name : str
            The unit.
        failure : mapping
            Plain data.
        pid : int, optional
            The process that failed, if it is not this one.

        Returns
        -------
        Path
            Where it is kept.
        """
        part = self._own_part(name, pid)
        if not part.is_dir():
            part = next(iter(self.parts(name)), part)
            part.mkdir(parents=True, exist_ok=True)
        known = self.failures(name)
        record = {"host": host(), "pid": pid or os.getpid(), "when": round(time.time(), 1)} | dict(failure)
        return write_text_atomic(part / FAILURES, dump_json([*known, record]))

    def forgive(self, names: Collection[str]) -> list[str]:
        """Forget that attempts at some units failed, so that they are tried again; return those that had failed."""
        parts = self.look()
        files = {name: [part / FAILURES for part in parts(name)] for name in names}
        failed = {name: [file for file in each if file.is_file()] for name, each in files.items()}
        for file in (file for each in failed.values() for file in each):
            file.unlink(missing_ok=True)
        return [name for name, each in failed.items() if each]

    def ask_to_stop(self, name: str, pid: int) -> None:
        """Ask a process to end its work on a unit where it can go on later."""
        with suppress(FileNotFoundError):
            (self._own_part(name, pid) / STOP).touch()

    def saving(self, name: str) -> bool:
        """Return whether a file of a unit is being written right now."""
        return any(file for part in self.parts(name) for file in part.glob(".*"))

    def clean(self, wanted: Mapping[str, Unit]) -> list[tuple[str, int]]:
        """Remove what nobody needs: what is left of units that nobody wants any more, and damaged copies.

        Parameters
        ----------
        wanted : mapping of str to Unit
            The units that somebody wants, by name: what is begun of them is kept.

        Returns
        -------
        list of (str, int)
            The folders that are gone, with their bytes. Those that somebody is at work in are left alone.
        """
        gone = []
        for folder in sorted([*self.root.glob(f"*{_PART}"), *self.root.glob(f"*{_DAMAGED}")]):
            name = folder.name.split(".")[0]
            if folder.suffix == _PART and name in wanted:
                continue
            with lease(self._lock(name)) as mine:
                if mine and folder.is_dir():
                    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
                    shutil.rmtree(folder)
                    gone.append((folder.name, size))
        return gone

    def _lock(self, name: str) -> Path:
        return self.root / f".{name}.lock"

    def _own_part(self, name: str, pid: int | None = None) -> Path:
        return self.root / f"{name}.{host()}-{pid or os.getpid()}{_PART}"

    def _manifest(self, name: str) -> dict[str, Any] | None:
        try:
            with open(f"{self.path(name)}/{MANIFEST}", encoding="utf-8") as file:  # noqa: PTH123
                found = json.load(file)
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and {"files", "seconds"} <= found.keys() else None

    def _set_aside(self, name: str) -> None:
        number = 1
        while (aside := self.root / f"{name}.{number}{_DAMAGED}").exists():
            number += 1
        with suppress(FileNotFoundError):
            self.path(name).rename(aside)

    def _take_over(self, name: str) -> Path:
        """Return the place of this process, with what the last one left in its own."""
        mine = self._own_part(name)
        for other in self.parts(name):
            if mine.is_dir():
                break
            with suppress(FileNotFoundError):
                other.rename(mine)
        mine.mkdir(parents=True, exist_ok=True)
        (mine / STOP).unlink(missing_ok=True)
        return mine

    def _finish(self, name: str, part: Path, seconds: float) -> None:
        passing = [*part.glob("snapshot*"), *part.glob(".*")]  # hidden: of a process that was killed
        for path in [*passing, part / FAILURES, part / STOP]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        files = sorted(path for path in part.rglob("*") if path.is_file() and path.name != MANIFEST)
        listed = {str(path.relative_to(part)): [path.stat().st_size, sha256_file(path)] for path in files}
        write_text_atomic(part / MANIFEST, dump_json({"seconds": seconds, "files": listed}))
        for path in [*part.rglob("*"), part]:
            sync(path)
        try:
            part.rename(self.path(name))
        except OSError as error:
            # Somebody else was first, as may be where locks do not reach all machines.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        for left in self.parts(name):
            shutil.rmtree(left, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class NamedStore(Store):
    """A folder of files and folders that people know by name, each the result of the unit of that name.

    A unit writes its result to its place by itself, whole or not at all; the key and the content that it had then
    are recorded in ``.units``. It is finished as long as both are the same.

    Attributes
    ----------
    root : Path
        The folder.
    owned : callable
        Gives the names of the files that make up a result which is a folder; what else lies there is no part of it.
        None where it cannot tell: then all of them are.
    """

    owned: Callable[[Path], Collection[str] | None] = lambda place: None

    def has(self, unit: Unit) -> bool:
        """Return whether a unit is finished and its result is as it was then."""
        try:
            known = json.loads(self._record(unit.name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        place = self.path(unit.name)
        return place.exists() and bool(known == {"key": unit.key, "content": self.content(unit.name)})

    def damage(self, name: str) -> list[str]:
        """Return the name of a result that is not there; what people change by hand is done anew, see `has`."""
        return [] if self.path(name).exists() else [name]

    def parts(self, name: str) -> list[Path]:
        """Return where it is recorded that a unit failed."""
        place = self._record(name).with_suffix("")
        return [place] if place.is_dir() else []

    def look(self) -> Callable[[str], list[Path]]:
        """Return `parts`, which is one look a unit."""
        return self.parts

    def forget(self, unit: Unit) -> None:
        """Let a unit be done anew."""
        self._record(unit.name).unlink(missing_ok=True)

    @contextmanager
    def work(self, unit: Unit) -> Iterator[Path | None]:
        """Give the place of a unit, and record that it is finished when the block ends well."""
        place, record = self.path(unit.name), self._record(unit.name)
        record.parent.mkdir(parents=True, exist_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        with lease(self._lock(unit.name)) as mine:
            if not mine:
                raise HeldError(f"{unit.name} is being made by another process")
            if self.has(unit):
                yield None
                return
            yield place
            write_text_atomic(record, dump_json({"key": unit.key, "content": self.content(unit.name)}))
            for left in self.parts(unit.name):
                shutil.rmtree(left, ignore_errors=True)

    def set_aside(self, name: str) -> None:
        """Do nothing: what people know by name is theirs."""

    def clean(self, wanted: Mapping[str, Unit]) -> list[tuple[str, int]]:
        """Do nothing: what people know by name is theirs."""
        return []

    def _record(self, name: str) -> Path:
        return self.root / ".units" / f"{name.replace('/', '.')}.json"

    def _lock(self, name: str) -> Path:
        return self._record(name).with_suffix(".lock")

    def _own_part(self, name: str, pid: int | None = None) -> Path:
        return self._record(name).with_suffix("")

    def content(self, name: str) -> str:
        """Return a hash of what makes up a result."""
        place = self.path(name)
        own = self.owned(place) if place.is_dir() else None
        if own is None:
            return content_version(place)
        return content_version(*(place / each for each in sorted(own)), root=place)


def dump_json(value: Any) -> str:
    """Return plain data as JSON text, one way only."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
