"""The command line: one thin module a command, on top of the library.

Exit codes: 0 done; 1 it ran, but the result must not be trusted, because diagnostics failed; 2 bad input or
usage, told in one message without a traceback; 70 a fault of gainlaw, told in one line; 130 and 143 interrupted and
stopped from outside, with nothing left behind.
"""

from __future__ import annotations

from gainlaw.cli.app import app, main

__all__ = ["app", "main"]
