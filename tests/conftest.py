"""Shared by all tests: no screen, repeatable property tests, the command line in-process, one fit."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")
settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did: its exit code and what it printed."""

    code: int
    out: str
    err: str


Cli = Callable[..., Outcome]


def run_cli(*arguments: object) -> Outcome:
    """Run the command line in this process; an exception that is no clean exit is raised."""
    from typer.testing import CliRunner

    from gainlaw.cli import app

    result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="gainlaw")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="session")
def cli() -> Cli:
    """Return the command line as a function of its arguments."""
    return run_cli


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Return the folder of published reference numbers; tests that need it are skipped where it is not."""
    folder = os.environ.get("GAINLAW_REFERENCE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("GAINLAW_REFERENCE_DATA does not name a folder of reference numbers")
    return Path(folder)


#: Enough draws for the commands to work with; far too few to believe.
QUICK = ("--draws", "100", "--tune", "150", "--chains", "2")


@pytest.fixture(scope="session")
def bloomz_fit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a quick fit of the packaged scores, made once by the command line."""
    directory = tmp_path_factory.mktemp("fits") / "bloomz"
    outcome = run_cli("fit", "dataset:bloomz", "-o", directory, "--where", "intermediate=xP3", *QUICK)
    assert outcome.code in {0, 1}, outcome.err
    return directory
