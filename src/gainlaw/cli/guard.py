"""How a command ends: its exit codes, and errors told in one message."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from gainlaw.errors import DiagnosticsError, GainlawError

__all__ = ["BAD_INPUT", "BROKEN_PIPE", "INTERRUPTED", "UNTRUSTED", "guarded"]

#: It ran, but diagnostics failed.
UNTRUSTED = 1
#: Bad input or usage.
BAD_INPUT = 2
#: Interrupted from the keyboard (128 + SIGINT).
INTERRUPTED = 130
#: The reader of the output went away (128 + SIGPIPE).
BROKEN_PIPE = 141


@contextmanager
def _interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of the block if there was one that something below swallowed.

    The sampler takes an interrupt as a wish to stop early and hands over the draws that it has. A command does
    not want them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except Exception:
        if not asked:
            raise
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt


def guarded[**P](command: Callable[P, None]) -> Callable[P, None]:
    """Return `command` with its errors told on standard error and turned into exit codes.

    Parameters
    ----------
    command : callable
        A command of the application.

    Returns
    -------
    callable
        The same command. An error that gainlaw raises on purpose, or a file that cannot be read or written,
        is one message and exit code 2 (1 when diagnostics failed); anything else is a fault of gainlaw and
        keeps its traceback.

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
        try:
            with _interruptible():
                command(*args, **kwargs)
            sys.stdout.flush()
        except GainlawError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(UNTRUSTED if isinstance(error, DiagnosticsError) else BAD_INPUT) from None
        except BrokenPipeError:
            # The reader of a pipe went away (as `head` does); Python would complain again when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None
        except OSError as error:
            named = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
            typer.echo(f"error: {named}", err=True)
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None

    return run
