"""Who is at work on a unit: a lease that ends with its holder, or when nobody renews it."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gainlaw._io import take

__all__ = ["holder", "host", "lease"]

_RENEWED_EVERY, _LAPSES_AFTER = 15.0, 120.0


def host() -> str:
    """Return the name of this machine, as it stands in names of files."""
    return socket.gethostname().replace(".", "-") or "here"


@contextmanager
def lease(path: Path) -> Iterator[bool]:
    """Hold a file that says who is at work; nobody is waited for.

    On one machine, and on file systems whose locks reach all machines, the system's lock decides, which ends with its
    holder. On others every machine may take the lock: there, what the file says of another machine counts as long as
    that machine goes on renewing it.

    Parameters
    ----------
    path : Path
        The file: JSON with ``host``, ``pid`` and ``since``; it is gone when nobody holds it.

    Yields
    ------
    bool
        Whether it is held now; False where somebody else holds it.
    """
    handle = take(path)
    if handle is None:
        yield False
        return
    try:
        if _held_elsewhere(path):
            yield False
            return
        record = json.dumps({"host": host(), "pid": os.getpid(), "since": round(time.time(), 1)})
        os.ftruncate(handle, 0)
        os.pwrite(handle, record.encode(), 0)
        ended = threading.Event()
        threading.Thread(target=_renew, args=(handle, ended), daemon=True).start()
        try:
            yield True
        finally:
            ended.set()
            path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def holder(path: Path) -> dict[str, Any] | None:
    """Return who holds a lease, if anybody does: ``host``, ``pid``, ``since``, ``renewed`` (seconds since then)."""
    found = _read(path)
    if found is None:
        return None
    if found["host"] == host():
        handle = take(path)
        if handle is not None:  # the lock of a process that is gone is free
            path.unlink(missing_ok=True)
            os.close(handle)
            return None
    return found if found["renewed"] < _LAPSES_AFTER else None


def _held_elsewhere(path: Path) -> bool:
    found = _read(path)
    return found is not None and found["host"] != host() and found["renewed"] < _LAPSES_AFTER


def _read(path: Path) -> dict[str, Any] | None:
    try:
        age = time.time() - path.stat().st_mtime
        record = json.loads(path.read_text(encoding="utf-8"))
        return {name: record[name] for name in ("host", "pid", "since")} | {"renewed": age}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _renew(handle: int, ended: threading.Event) -> None:
    while not ended.wait(_RENEWED_EVERY):
        try:
            os.utime(handle)
        except OSError:  # it was let go just now
            return
