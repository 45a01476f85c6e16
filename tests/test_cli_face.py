"""The shell: one table or figure at a time, JSON from every command, pipes, the doctor, hints to follow."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

import gainlaw as gl
from conftest import Cli, write_effects, write_scores

ROOT = Path(__file__).resolve().parents[1]
FEW = ("--draws", "200")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("face")


@pytest.fixture(scope="module")
def scores(folder: Path) -> Path:
    return write_scores(folder / "scores.csv")


@pytest.fixture(scope="module")
def fits(folder: Path, scores: Path, cli: Cli) -> tuple[Path, Path]:
    """Return the directories of two fits, made by the command line."""
    linear, constant = folder / "linear", folder / "constant"
    assert cli("fit", scores, "-o", linear, *FEW).code == 0
    assert cli("fit", scores, "-o", constant, "--law", "constant", *FEW).code == 0
    return linear, constant


def test_json_from_every_command_that_prints(
    fits: tuple[Path, Path], scores: Path, folder: Path, cli: Cli, undrawn: None
) -> None:
    claims = folder / "claims.toml"
    claims.write_text('[[claim]]\nname = "positive"\nclaim = "gain(1B) > 1"\n')
    linear, constant = fits
    commands: dict[str, tuple[tuple[object, ...], str]] = {
        "check": ((scores,), "n_pairs"),
        "gains": ((scores, "-o", folder / "gains.csv"), "n_checkpoints"),
        "fit": ((scores, "-o", folder / "again", *FEW), "estimates"),
        "curve": ((scores, "--law", "linear", "--claim", "slope < 0"), "claims"),
        "summary": ((linear,), "estimand"),
        "predict": ((linear, "--params", "13B"), "mean"),
        "claims": ((linear, claims), "verdict"),
        "compare": ((linear, constant), "elpd"),
        "table": ((linear,), "mean"),
        "report": ((linear, "--one-scale", "-o", folder / "report"), "answer"),
        "plan": (("ladder",), "models"),
        "doctor": ((), "versions"),
    }
    for name, (arguments, key) in commands.items():
        found = cli(name, *arguments, "--json")
        assert found.code in {0, 1}, found.err
        value = json.loads(found.out)
        assert key in (value[0] if isinstance(value, list) else value), name
    refused = cli("summary", linear, "--json", "--format", "csv")
    assert refused.code == 2
    assert "--json and --format csv are two things" in refused.err


def test_what_is_piped_fits_eighty_columns(
    fits: tuple[Path, Path], scores: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda fallback: os.terminal_size(fallback))
    commands = (
        ("check", "dataset:bloomz"),
        ("check", scores),
        ("plan", "prompted", "--units"),
        ("compare", *fits),
    )
    for arguments in (*commands, ("summary", fits[0])):
        found = cli(*arguments)
        assert found.code in {0, 1}, found.err
        lines = [line for line in (found.out + found.err).splitlines() if str(fits[0].parent) not in line]
        assert max(map(len, lines)) <= 80, arguments


def test_json_of_a_fit_is_its_estimates(scores: Path, folder: Path, cli: Cli) -> None:
    found = json.loads(cli("fit", scores, "-o", folder / "json", *FEW, "--json").out)
    fit = gl.load_fit(folder / "json")
    assert found["n_checkpoints"] == 4
    means = [float("nan") if row["mean"] is None else row["mean"] for row in found["estimates"]]
    assert means == pytest.approx(fit.estimates["mean"].tolist(), nan_ok=True)


def test_one_table_in_every_form(fits: tuple[Path, Path], folder: Path, cli: Cli) -> None:
    linear, constant = fits
    fit = gl.load_fit(linear)
    expected = fit.table("slopes", level="language")
    for form, text in (
        ("latex", expected.to_latex()),
        ("html", expected.to_html()),
        ("markdown", expected.to_markdown()),
        ("csv", expected.to_csv()),
    ):
        assert cli("table", linear, "slopes", "--level", "language", "--format", form).out == text
    for name, text in (("t.tex", expected.to_latex()), ("t.md", expected.to_markdown())):
        assert cli("table", linear, "--level", "language", "-o", folder / name).code == 0
        assert (folder / name).read_text() == text
    both = cli("table", linear, "gain_at", "--beside", constant, "--format", "markdown").out
    assert both == gl.table({str(linear): fit, str(constant): gl.load_fit(constant)}, "gain_at").to_markdown()
    for arguments, message in (
        ((linear, "slopes", "--level", "intermediate"), "no slopes by intermediate"),
        ((linear, "priors", "--level", "task"), "the table priors has no level"),
        ((linear, "-o", folder / "t.docx"), "cannot be written to t.docx"),
        ((linear, "--format", "csv", "-o", folder / "t.tex"), "cannot be written to t.tex"),
        ((linear, "--beside", linear), "named twice"),
        ((linear, "pie"), "pie"),
    ):
        refused = cli("table", *arguments)
        assert refused.code == 2
        assert message in refused.err


def test_one_figure_at_a_time(fits: tuple[Path, Path], folder: Path, cli: Cli) -> None:
    linear, constant = fits
    file = folder / "f.svg"
    found = cli("figure", linear, "forest", "--level", "language", "-o", file)
    assert found.code == 0
    assert "Forest plot of the slope" in found.err
    from gainlaw.figures.common.style import figure_bytes

    expected = gl.load_fit(linear).plot("forest", level="language")
    assert file.read_bytes() == figure_bytes(expected, "svg")
    assert cli("figure", linear, "gain", "--task", "pawsx", "-o", folder / "g.pdf").code == 0
    assert (folder / "g.pdf").read_bytes().startswith(b"%PDF")
    assert cli("figure", constant, "-o", folder / "c.svg").code == 0
    assert cli("figure", linear).out.startswith("<?xml")
    for arguments, message in (
        (("gain", "-o", folder / "g.gif"), "cannot be written to g.gif"),
        (("funnel", "--level", "task"), "the figure funnel has no option level"),
        (("gain", "--task", "xquad"), "no task 'xquad'"),
    ):
        refused = cli("figure", linear, *arguments)
        assert refused.code == 2
        assert message in refused.err


def test_tables_go_through_pipes(scores: Path, folder: Path) -> None:
    """Scores come in by standard input, gains go out by standard output, and come in again."""
    command = [sys.executable, "-m", "gainlaw.cli"]
    out = subprocess.run(
        [*command, "gains", "-", "-o", "-"], input=scores.read_bytes(), capture_output=True, check=True
    )
    assert b"24 gains on points" in out.stderr
    frame = pd.read_csv(io.BytesIO(out.stdout))
    assert frame["gain"].tolist() == pytest.approx(gl.read_table(scores).gains().frame["gain"].tolist())
    again = subprocess.run(
        [*command, "check", "-", "--json"], input=out.stdout, capture_output=True, check=True
    )
    assert json.loads(again.stdout)["n_rows"] == 24
    parquet = folder / "scores.parquet"
    pd.read_csv(scores).to_parquet(parquet)
    read = subprocess.run(
        [*command, "check", "-", "--json"], input=parquet.read_bytes(), capture_output=True, check=True
    )
    assert json.loads(read.stdout)["n_pairs"] == 24
    broken = subprocess.run([*command, "check", "-"], input=b"a,b\n1\n", capture_output=True, check=False)
    assert broken.returncode == 2
    assert b"standard input" in broken.stderr


def test_the_doctor_names_what_there_is(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    import gainlaw.cli.installation as installation

    found = json.loads(cli("doctor", "--json").out)
    assert found["versions"]["gainlaw"] == gl.__version__
    assert found["versions"]["numba"] == installation.version("numba")
    assert found["engines"]["exact"] == found["engines"]["nuts"] == "ready"
    assert found["threads"]["used"] >= 1
    assert Path(found["compiled code"]["folder"]).is_absolute()
    assert found["problems"] == []
    known = installation.find_spec
    monkeypatch.setattr(
        installation, "find_spec", lambda name: None if name in {"nutpie", "torch"} else known(name)
    )
    monkeypatch.setattr(installation, "_version", lambda name: None if name in {"nutpie", "torch"} else "1.0")
    lacking = cli("doctor")
    assert lacking.code == 1
    assert "needs nutpie" in lacking.out
    assert "only the runner uses a GPU" in lacking.out
    assert "the package nutpie is missing" in lacking.err


@pytest.mark.parametrize("width", [80, 120])
def test_the_rest_fits_the_screen_too(
    fits: tuple[Path, Path], folder: Path, tmp_path: Path, cli: Cli, width: int
) -> None:
    effects = write_effects(folder / "effects.csv")
    for command in (
        ("fit", effects, "-o", tmp_path / "f", *FEW),
        ("gains", effects, "-o", tmp_path / "g.csv"),
        ("table", fits[0], "estimates"),
        ("table", fits[0], "sds"),
        ("table", fits[0], "slopes", "--beside", fits[1]),
        ("plan", "ladder", "--units"),
        ("doctor",),
    ):
        lines = cli(*command, width=width).out.splitlines()
        # A path is not folded: it is to be copied.
        assert max((len(line) for line in lines if str(tmp_path) not in line), default=0) <= width, command


def test_hints_name_packages_that_can_be_installed() -> None:
    """gainlaw itself may have come from anywhere: a hint names the packages that are missing, never an extra of it."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = [
        *declared["dependencies"],
        *(each for extra in declared["optional-dependencies"].values() for each in extra),
    ]
    known = {re.split(r"[>=\[;]", each)[0] for each in listed}
    hints = []
    for path in (ROOT / "src").rglob("*.py"):
        for words in re.findall(r"pip install ((?:[\w.-]+|\{[^}]*\}+|'[^']*')+)", path.read_text()):
            hints.append((path.name, words))
            assert words.startswith("{") or words in known, f"{path}: pip install {words}"
    assert len(hints) >= 2


def test_completion_is_offered(cli: Cli) -> None:
    assert "--install-completion" in cli("--help").out


def test_several_groups_are_predicted_at_once(fits: tuple[Path, Path], cli: Cli) -> None:
    found = cli("predict", fits[0], "--params", "13B", "--task", "xcopa", "--task", "pawsx")
    assert found.code == 0
    assert [line.split()[2].rstrip(",") for line in found.out.splitlines() if " task " in line] == (
        ["xcopa", "xcopa", "pawsx", "pawsx"]
    )


def test_help_speaks_plain_words(cli):
    """No type of Python stands in it, and what must be given stands bare in the line of usage."""
    from typer.main import get_command

    from gainlaw.cli import app

    for name in get_command(app).commands:
        shown = cli(name, "--help").out
        assert not re.search(r"<[a-z_\[\]| ]+>|\{[A-Z]|list\[|\b(int|float|str)\b(?! range)", shown), (
            name,
            shown,
        )
    assert "--term TEXT" in cli("fit", "--help").out
    assert "--draws NUMBER" in cli("fit", "--help").out
    assert "--engine [exact|nuts]" in cli("fit", "--help").out
    assert "Usage: gainlaw fit [OPTIONS] EVALS\n" in cli("fit", "--help").out
