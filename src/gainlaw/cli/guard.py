"""How a command ends: its exit codes, and errors told in one message."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import typer

from gainlaw import __version__
from gainlaw.errors import DiagnosticsError, GainlawError, visible

__all__ = ["BAD_INPUT", "BROKEN_PIPE", "FAULT", "UNTRUSTED", "confess", "end", "guarded"]

#: It ran, but diagnostics failed.
UNTRUSTED = 1
#: Bad input or usage.
BAD_INPUT = 2
#: A fault of gainlaw itself (EX_SOFTWARE).
FAULT = 70
#: The reader of the output went away (128 + SIGPIPE).
BROKEN_PIPE = 141

_ASKS_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """The process was asked to end, by a signal; what it was writing is taken away on the way out."""


@contextmanager
def _stoppable() -> Iterator[list[int]]:
    """Raise `Stopped` in the block on a signal that asks the process to end; give the list of such signals.

    If something below swallows it, it is raised again at the end: the sampler takes an interrupt as a wish to stop
    early and hands over the draws that it has, and a command does not want them.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def stop(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        raise KeyboardInterrupt if number == signal.SIGINT else Stopped

    # nohup has SIGHUP ignored, and means it.
    heard = [
        each for each in _ASKS_TO_END if each == signal.SIGINT or signal.getsignal(each) != signal.SIG_IGN
    ]
    before = {each: signal.signal(each, stop) for each in heard}
    try:
        yield asked
    except Exception:
        if not asked:
            raise
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    if asked:
        raise Stopped


def guarded[**P](command: Callable[P, None]) -> Callable[P, None]:
    """Return `command` with its errors told on standard error and turned into exit codes.

    Parameters
    ----------
    command : callable
        A command of the application.

    Returns
    -------
    callable
        The same command. An error that gainlaw raises on purpose, a file that cannot be read or written, or too little
        memory, is one message and exit code 2 (1 when diagnostics failed). Anything else is a fault of gainlaw, which
        is left to `gainlaw.cli.main`.

    Examples
    --------
    >>> from gainlaw.errors import InputError
    >>> def broken() -> None:
    ...     raise InputError("no rows", source="my.csv")
    >>> try:
    ...     guarded(broken)()
    ... except typer.Exit as stop:
    ...     print(stop.exit_code)
    2
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asked: list[int] = []
        try:
            with _stoppable() as asked:
                command(*args, **kwargs)
                sys.stdout.flush()
        except (Stopped, KeyboardInterrupt):
            end("interrupted" if asked[-1:] in ([], [signal.SIGINT]) else "stopped", _code(asked))
        except DiagnosticsError as error:
            end(f"error: {error}", UNTRUSTED)
        except GainlawError as error:
            end(f"error: {error}", BAD_INPUT)
        except BrokenPipeError:
            end("", BROKEN_PIPE)
        except OSError as error:
            named = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
            end(f"error: {visible(named)}", BAD_INPUT)
        except MemoryError as error:
            end(f"error: not enough memory ({error}); ask for fewer draws, rows or languages", BAD_INPUT)

    return run


def _code(asked: list[int]) -> int:
    return 128 + (asked[0] if asked else signal.SIGINT)


def confess(error: Exception, *, debug: bool) -> str:
    """Return what is said of a fault of gainlaw: one line, or its traceback.

    Examples
    --------
    >>> print(confess(ValueError("of two minds"), debug=False).partition(" (")[2].partition(";")[0])
    ValueError: of two minds)
    """
    if debug:
        return "".join(traceback.format_exception(error)).rstrip()
    frames = traceback.extract_tb(error.__traceback__)
    place = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in frames[-1:])
    what = visible(f"{type(error).__name__}: {error}", limit=200)
    return (
        f"error: a fault of gainlaw {__version__} ({what}{place}); please report this line and the command, with the "
        "traceback that `gainlaw --debug COMMAND ...` shows"
    )


def end(message: str, code: int) -> NoReturn:
    """Say how a command ends and end it; output that nobody can take any more is dropped."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Python would flush it again at its end, and complain.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if message:
        with contextlib.suppress(OSError):
            typer.echo(message, err=True)
    raise typer.Exit(code) from None
