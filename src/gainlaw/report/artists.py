"""The figures of a report drawn by several processes: whoever is free takes the next one."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from gainlaw._threads import cores
from gainlaw.errors import GainlawError

if TYPE_CHECKING:
    from gainlaw.figures.common.exhibit import Basis
    from gainlaw.report.exhibits import Exhibit

__all__ = ["Artists", "hire"]

#: More processes than this wait for the last figure anyway.
_MOST = 4


@dataclass(frozen=True, slots=True)
class Artists:
    """Processes that draw figures beside this one, see `hire`.

    Parameters
    ----------
    taken : Synchronized
        How many figures somebody has begun; shared by all.
    lines : tuple of Connection
        The line to each process.
    progress : callable, optional
        Called with the number of kinds of figures that are begun and of all.
    """

    taken: Any
    lines: tuple[Connection, ...]
    progress: Callable[[int, int], None] | None = None

    def begin(self, basis: Basis) -> None:
        """Let every process draw the next figure, and the next, until none is left."""
        for line in self.lines:
            line.send(basis)

    def finish(self, basis: Basis) -> list[Exhibit]:
        """Draw along, and return all figures in the order of a report.

        Raises
        ------
        GainlawError
            If a process was killed.
        """
        from gainlaw.report.exhibits import in_order

        drawn = _share(basis, self.taken, self.progress)
        for line in self.lines:
            try:
                theirs = line.recv()
            except EOFError:
                raise GainlawError(
                    "a process that draws figures was killed; the memory of the machine may be too small for it"
                ) from None
            if isinstance(theirs, BaseException):
                raise theirs
            drawn |= theirs
        return in_order(drawn)


@contextmanager
def hire(count: int | None = None) -> Iterator[Artists]:
    """Give processes that draw beside this one; they get ready while this one reads its fits.

    They begin as new interpreters, so that a script that uses them must keep what it does under
    ``if __name__ == "__main__"``.

    Parameters
    ----------
    count : int, optional
        How many; by default one less than there are cores.

    Examples
    --------
    >>> with hire(0) as artists:
    ...     artists.lines
    ()
    """
    context = multiprocessing.get_context("spawn")
    count = min(cores(), _MOST) - 1 if count is None else count
    taken = context.Value("i", 0)
    lines, processes = [], []
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            lines.append(ours)
            process = context.Process(target=_work, args=(theirs, taken), daemon=True)
            process.start()
            processes.append(process)
            theirs.close()
        yield Artists(taken, tuple(lines))
    finally:
        for line in lines:
            line.close()
        for process in processes:
            process.terminate()
            process.join()


def _share(
    basis: Basis, taken: Any, progress: Callable[[int, int], None] | None = None
) -> dict[int, list[Exhibit]]:
    """Draw what nobody has begun; by its place in the list of figures."""
    from gainlaw.report.exhibits import LONGEST_FIRST, draw_kind

    drawn: dict[int, list[Exhibit]] = {}
    while True:
        with taken.get_lock():
            turn = taken.value
            taken.value = turn + 1
        if turn >= len(LONGEST_FIRST):
            return drawn
        if progress is not None:
            progress(turn, len(LONGEST_FIRST))
        drawn[LONGEST_FIRST[turn]] = draw_kind(basis, LONGEST_FIRST[turn])


def _work(line: Connection, taken: Any) -> None:
    """Be one of the processes: wait for what is to be drawn, and send what was drawn or what went wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent closes the line
    import gainlaw.report.exhibits  # noqa: F401  # which takes as long as reading a fit

    try:
        basis = line.recv()
        line.send(_share(basis, taken))
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:
        line.send(error)
