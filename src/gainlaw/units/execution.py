"""Do one unit: look at what it reads, do it, and keep why it could not be done."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gainlaw.errors import GainlawError
from gainlaw.units.store import HeldError, Store
from gainlaw.units.unit import Unit

__all__ = ["Do", "Ended", "StoppedError", "attempt", "execute", "fail"]

Do = Callable[[Unit, Store, Path], str | None]
"""What does a unit, given the store and the place for its result; it may return a line about that. A function of
a module, since worker processes look it up there. It raises a GainlawError for what a reader can mend, and
`StoppedError` where it was asked to stop."""


_POLL = 0.2


class StoppedError(GainlawError):
    """The work on a unit was ended where it can go on later: there was a file ``stop`` in its place."""


class _DamagedError(GainlawError):
    def __init__(self, names: Sequence[str], said: str) -> None:
        super().__init__(said)
        self.names = tuple(names)


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a unit.

    Attributes
    ----------
    unit : Unit
        The unit.
    state : {"done", "kept", "failed", "left", "retried", "held", "damaged", "stopped"}
        Done now, done before, failed, or not begun because something that it reads failed. In between: it failed and is
        tried again, somebody else is at work on it, it or what it reads is damaged and is done anew first, or it was
        asked to stop.
    seconds : float
        How long it took now.
    said : str
        What it said, or what went wrong.
    again : bool
        Whether another attempt may go better.
    damaged : tuple of str
        The units that it reads whose files are not what was written.
    """

    unit: Unit
    state: Literal["done", "kept", "failed", "left", "retried", "held", "damaged", "stopped"]
    seconds: float = 0.0
    said: str = ""
    again: bool = False
    damaged: tuple[str, ...] = ()


def execute(unit: Unit, store: Store, do: Do, *, wait: bool = True) -> Ended:
    """Do one unit in this process.

    Parameters
    ----------
    unit : Unit
        The unit.
    store : Store
        Where results are.
    do : callable
        What does it.
    wait : bool
        Whether to wait for somebody else who is at work on it.

    Returns
    -------
    Ended
        ``done``; ``kept`` when it was finished already; ``held`` when somebody else is at it and is not waited for;
        ``damaged`` when what it reads is not what was written.

    Raises
    ------
    GainlawError
        If the unit cannot be done, with the reason; `StoppedError` if it was asked to stop.
    """
    while True:
        begun = time.monotonic()
        try:
            with store.work(unit) as place:
                if place is None:
                    return Ended(unit, "kept")
                _check_parents(unit, store)
                said = do(unit, store, place) or ""
        except HeldError as error:
            if not wait:
                return Ended(unit, "held", said=str(error))
            time.sleep(_POLL)
            continue
        except _DamagedError as error:
            return Ended(unit, "damaged", said=str(error), damaged=error.names)
        return Ended(unit, "done", time.monotonic() - begun, said)


def attempt(unit: Unit, store: Store, do: Do) -> Ended:
    """Do one unit as `execute` does, and keep why it could not be done, with the unit, instead of raising that."""
    try:
        return execute(unit, store, do, wait=False)
    except StoppedError as error:
        return Ended(unit, "stopped", said=str(error))
    except Exception as error:
        expected = isinstance(error, GainlawError)
        said = str(error) if expected else f"{type(error).__name__}: {error}"
        trace = traceback.format_exception(error)
        return fail(unit, store, said, kind=type(error).__name__, again=not expected, trace=trace)


def fail(
    unit: Unit,
    store: Store,
    said: str,
    *,
    kind: str,
    again: bool,
    trace: Sequence[str] = (),
    pid: int | None = None,
) -> Ended:
    """Return that a unit failed, kept with the unit as far as there is room for it on the disk.

    Parameters
    ----------
    unit, store
        The unit and its store.
    said : str
        What went wrong.
    kind : str
        The class of the error, or what ended the process.
    again : bool
        Whether another attempt may go better. What a reader must mend fails again.
    trace : sequence of str
        The traceback.
    pid : int, optional
        The process that failed, if it is not this one.
    """
    lines = [line for entry in trace for line in entry.splitlines()]
    with suppress(OSError):
        kept = store.note_failure(
            unit.name, {"kind": kind, "said": said, "again": again, "traceback": lines}, pid
        )
        if again and lines:
            said = f"{said} (traceback in {kept})"
    return Ended(unit, "failed", said=said, again=again)


def _check_parents(unit: Unit, store: Store) -> None:
    missing = [parent for parent in unit.parents.values() if not store.path(parent).exists()]
    if missing:
        raise GainlawError(f"{unit.name} reads {', '.join(missing)}, which is not finished")
    damaged = {parent: files for parent in unit.parents.values() if (files := store.damage(parent))}
    if damaged:
        listed = "; ".join(f"{name}: {', '.join(files)}" for name, files in damaged.items())
        raise _DamagedError(tuple(damaged), f"not what was written, and done anew: {listed}")
