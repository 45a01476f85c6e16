"""The application object and its entry point.

The command modules import the standard library, typer, `gainlaw.errors` and `gainlaw.options` only; what a
command needs beyond that it imports when it runs, so that ``gainlaw --help`` answers at once.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable
from typing import Annotated

import typer

from gainlaw import __version__
from gainlaw.cli.commands.cancel import cancel
from gainlaw.cli.commands.check import check
from gainlaw.cli.commands.claims import claims
from gainlaw.cli.commands.compare import compare
from gainlaw.cli.commands.curve import curve
from gainlaw.cli.commands.design import design
from gainlaw.cli.commands.doctor import doctor
from gainlaw.cli.commands.figure import figure
from gainlaw.cli.commands.fit import fit
from gainlaw.cli.commands.gains import gains
from gainlaw.cli.commands.gc import gc
from gainlaw.cli.commands.importing import import_
from gainlaw.cli.commands.plan import plan
from gainlaw.cli.commands.predict import predict
from gainlaw.cli.commands.register import register
from gainlaw.cli.commands.report import report
from gainlaw.cli.commands.retry import retry
from gainlaw.cli.commands.run import run
from gainlaw.cli.commands.status import status
from gainlaw.cli.commands.study import study
from gainlaw.cli.commands.summary import summary
from gainlaw.cli.commands.table import table
from gainlaw.cli.commands.work import work
from gainlaw.cli.given import offers_json
from gainlaw.cli.guard import FAULT, confess, end, guarded
from gainlaw.cli.plain import PlainCommand
from gainlaw.cli.printing import note

__all__ = ["app", "main"]

app = typer.Typer(
    name="gainlaw",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 it ran, but diagnostics failed and the result must not be trusted; "
    "2 bad input or usage; 70 a fault of gainlaw.",
)

_COMMANDS: dict[Callable[..., None], str] = {
    study: "from results to verdicts and a report, in one folder",
    import_: "results of other programs to a table of scores",
    check: "what is in a table, what pairs, what to fix",
    gains: "scores to gains, with their sampling covariance",
    fit: "gains to a posterior, kept in a fit directory",
    curve: "laws for one curve a group, compared",
    summary: "slopes, gains, spread and diagnostics of a fit",
    predict: "the gain to expect at a size, with its interval",
    claims: "claims to verdicts, on points and on log-odds",
    compare: "which fit predicts a checkpoint left out",
    table: "one table of a fit, or of several side by side",
    figure: "one figure of a fit",
    report: "a page, tables and figures of a fit",
    register: "fix claims before the scores exist",
    design: "the power of a planned study, and what to add",
    plan: "what an experiment will do and cost",
    run: "train and score the models of an experiment",
    work: "do units of a run from another process or machine",
    status: "what of a run is done, being done, failed",
    retry: "have units that failed done again",
    cancel: "end the work in a folder of runs where it can go on later",
    gc: "clear up a folder of runs",
    doctor: "versions, engines, threads, where compiled code is kept",
}
for _command, _short in _COMMANDS.items():
    # A word of Python (import) is no name of a function without the mark behind it.
    app.command(_command.__name__.rstrip("_"), short_help=_short, cls=PlainCommand)(
        guarded(offers_json(_command))
    )


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"gainlaw {__version__}")
        raise typer.Exit


@app.callback()
def gainlaw(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of a fault of gainlaw, to report it.")
    ] = False,
) -> None:
    """Answer how the gain of intermediate-task training changes with model size.

    Computes gains from evaluation scores, fits hierarchical laws of the gain against the number of
    parameters, and judges claims such as "the gain shrinks with scale".
    """


def main() -> None:
    """Run the command line and exit."""
    _open_closed_streams()
    warnings.showwarning = lambda message, *where: note(f"note: {message}")
    try:
        app()
    except Exception as error:
        debug = "--debug" in sys.argv[1:]
        with contextlib.suppress(typer.Exit):
            end(confess(error, debug=debug), FAULT)
        sys.exit(FAULT)


def _open_closed_streams() -> None:
    """Let whatever is printed be printable: on streams that are closed, or whose encoding lacks characters."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
