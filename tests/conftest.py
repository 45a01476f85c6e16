"""Shared by all tests: no screen, repeatable property tests, the command line in-process, three small studies."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")
# Of one thread, and without processes that draw beside this one: there are as many tests at a time as cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did: its exit code and what it printed."""

    code: int
    out: str
    err: str


Cli = Callable[..., Outcome]


@pytest.fixture(autouse=True, scope="session")
def one_thread_for_small_matrices() -> Iterator[None]:
    """Keep BLAS to one thread, as fits do: beside other processes its threads wait for each other."""
    from gainlaw._threads import one_blas_thread

    with one_blas_thread():
        yield


@pytest.fixture(autouse=True, scope="session")
def wide_screen() -> Iterator[None]:
    """What commands print is not folded, whatever screen the tests run on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "1000")
        yield


def run_cli(*arguments: object, width: int = 1000) -> Outcome:
    """Run the command line in this process; an exception that is no clean exit is raised.

    What is printed is looked for in whole lines, so the screen is wide.
    """
    from typer.testing import CliRunner

    from gainlaw.cli import app

    runner = CliRunner(env={"COLUMNS": str(width)})
    result = runner.invoke(app, [str(argument) for argument in arguments], prog_name="gainlaw")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="session")
def cli() -> Cli:
    """Return the command line as a function of its arguments."""
    return run_cli


def draw_svg_alone(patch: pytest.MonkeyPatch) -> None:
    """Have figures drawn as SVG alone, a third of the work; PDF and PNG are files without a picture."""
    from gainlaw.figures.common.style import PaperFigure

    savefig = PaperFigure.savefig

    def once(figure: PaperFigure, target: IO[bytes], *, format: str, **options: object) -> None:
        if format == "svg":
            savefig(figure, target, format=format, **options)
        else:
            target.write(b"not drawn")

    patch.setattr(PaperFigure, "savefig", once)


@pytest.fixture
def svg_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw figures as SVG alone; a test that uses it reads no PDF or PNG."""
    draw_svg_alone(monkeypatch)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out of reports, for tests of their words and tables."""
    from gainlaw.report import exhibits

    monkeypatch.setattr(exhibits, "FIGURES", ())
    monkeypatch.setattr(exhibits, "LONGEST_FIRST", ())


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Return the folder of published reference numbers; tests that need it are skipped where it is not."""
    folder = os.environ.get("GAINLAW_REFERENCE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("GAINLAW_REFERENCE_DATA does not name a folder of reference numbers")
    return Path(folder)


@dataclass(frozen=True, slots=True)
class Study:
    """An input of the command line, and the fits made of it.

    `linear` and `constant` are fit directories of the two laws; `status` is that of the linear fit and
    `printed` what the command printed when it made it.
    """

    source: str
    selection: tuple[str, ...]
    linear: Path
    constant: Path
    status: str
    printed: Outcome

    @property
    def code(self) -> int:
        """The exit code of a command that relies on the linear fit."""
        return 0 if self.status == "ok" else 1


def write_scores(path: Path) -> Path:
    """Write a table of scores as a user would: four sizes, two tasks, three languages, counts of 500 items."""
    rng = np.random.default_rng(7)
    rows = []
    for size in (1e8, 1e9, 1e10, 7e10):
        base = f"m-{size:.0e}"
        shift = rng.normal(0, 0.1)
        for task in ("xcopa", "pawsx"):
            for language in ("en", "sw", "tr"):
                ability = 0.2 * np.log10(size / 1e8) + (0.2 if task == "pawsx" else 0.0)
                for intermediate, gain in (("none", 0.0), ("mnli", 0.5 + shift)):
                    p = 0.5 + 0.5 / (1 + np.exp(-(ability + gain)))
                    model = base if intermediate == "none" else f"{base}-{intermediate}"
                    given = "" if intermediate == "none" else base
                    count = rng.binomial(500, p)
                    rows.append(("M", model, int(size), given, intermediate, task, language, count, 500))
    names = "model_family model params base_model intermediate task language n_correct n_examples"
    pd.DataFrame(rows, columns=names.split()).to_csv(path, index=False)
    return path


def write_effects(path: Path) -> Path:
    """Write a table of published effects: gains with standard errors, sizes and tasks, no scores."""
    rng = np.random.default_rng(8)
    rows = [
        (int(size), task, round(2 + rng.normal(0, 1), 2), 0.8)
        for size in (3e8, 1e9, 3e9, 1e10)
        for task in ("xnli", "xquad", "mlqa")
    ]
    pd.DataFrame(rows, columns=["params", "task", "gain", "se"]).to_csv(path, index=False)
    return path


#: Draws that are enough for small studies.
DRAWS = ("--draws", "500", "--tune", "300")


@pytest.fixture(scope="session", params=["bundled", "scores", "gains"])
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return one of three inputs (packaged scores, a user's scores, published effects) with its fits."""
    folder = tmp_path_factory.mktemp(request.param)
    selection: tuple[str, ...] = ()
    if request.param == "bundled":
        source = "dataset:bloomz"
        selection = ("--where", "intermediate=xP3", "--where", "task=xcopa,xwinograd")
    elif request.param == "scores":
        source = str(write_scores(folder / "scores.csv"))
    else:
        source = str(write_effects(folder / "effects.csv"))
    linear, constant = folder / "linear", folder / "constant"
    printed = run_cli("fit", source, "-o", linear, *selection, *DRAWS)
    other = run_cli("fit", source, "-o", constant, "--law", "constant", *selection, *DRAWS)
    assert {printed.code, other.code} <= {0, 1}, printed.err + other.err
    status = json.loads((linear / "diagnostics.json").read_text())["status"]
    return Study(source, selection, linear, constant, status, printed)
