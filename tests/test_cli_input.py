"""What the command line does with input that cannot be used: one message, exit code 2, nothing written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from test_malformed import EVALUATIONS, GAINS, GOOD, GOOD_GAINS, Bad, text


def refused(outcome, *words: str) -> None:
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert "Traceback" not in outcome.out + outcome.err
    for word in words:
        assert word in outcome.err


@pytest.mark.parametrize("command", ["check", "gains", "fit"])
@pytest.mark.parametrize("bad", [*EVALUATIONS, *GAINS], ids=lambda bad: bad.name)
def test_malformed_files(bad: Bad, command: str, cli, tmp_path: Path) -> None:
    file = tmp_path / "input.csv"
    file.write_bytes(bad.data)
    output = {"check": [], "gains": ["-o", tmp_path / "out.csv"], "fit": ["-o", tmp_path / "out"]}[command]
    outcome = cli(command, file, *output)
    refused(outcome, str(file), *([bad.column] if bad.column else []))
    if bad.rows:
        assert f"line{'s' if len(bad.rows) > 1 else ''} " in outcome.err
    assert outcome.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["input.csv"]


def test_one_size_needs_another_law(cli, tmp_path: Path) -> None:
    file = tmp_path / "gains.csv"
    file.write_bytes(text(GOOD_GAINS[:3]))
    outcome = cli("fit", file, "-o", tmp_path / "fit")
    refused(outcome, "column 'params'", "at least 2 distinct sizes", "constant")
    assert not (tmp_path / "fit").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "nowhere.csv"], ["nowhere.csv", "does not exist"]),
        (["check", "dataset:nothing"], ["nothing", "bloomz"]),
        (["check", "dataset:bloomz:colour=red"], ["colour", "prompts"]),
        (["check", "dataset:bloomz:metric=mean"], ["metric", "median"]),
        (["check", "dataset:bloomz", "--where", "task"], ["'task' is not a condition"]),
        (["check", "dataset:bloomz", "--where", "colour=red"], ["colour", "no such column"]),
        (["check", "dataset:bloomz", "--where", "task=xquad"], ["xquad", "xnli"]),
        (["gains", "dataset:bloomz", "-o", "gains.txt"], ["gains.txt", ".csv or .parquet"]),
        (["gains", "dataset:bloomz", "-o", "gains.csv", "--variance", "paired"], ["paired"]),
        (["fit", "dataset:bloomz", "-o", "fit", "--prior", "tau_task"], ["--prior", "NAME=PRIOR"]),
        (
            ["fit", "dataset:bloomz", "-o", "fit", "--prior", "tau_tusk=halfnormal(5)"],
            ["tau_tusk", "tau_task"],
        ),
        (
            ["fit", "dataset:bloomz", "-o", "fit", "--prior", "tau_task=normal(0, 1)"],
            ["tau_task", "halfnormal"],
        ),
        (["fit", "dataset:bloomz", "-o", "fit", "--term", "tusk"], ["tusk", "task"]),
        (["fit", "dataset:bloomz", "-o", "fit", "--covariate", "height"], ["height"]),
        (["fit", "dataset:bloomz", "-o", "fit", "--ci-prob", "95"], ["ci_prob"]),
        (["fit", "dataset:bloomz", "-o", "fit", "--params", "big"], ["big"]),
        (["fit", "dataset:bloomz", "-o", "fit", "--params", "0"], ["0", "13B"]),
        (["fit", "dataset:bloomz", "-o", "fit", "--draws", "0", "--seed", "-1"], ["draws", "seed"]),
        (["fit", "dataset:mt0", "-o", "fit"], ["mt0"]),
        (["summary", "nowhere"], ["nowhere"]),
        (["predict", "nowhere", "--params", "1e9"], ["nowhere"]),
        (["compare", "nowhere"], ["two fit directories"]),
        (["report", "nowhere", "-o", "out"], ["nowhere"]),
        (["claims", "claims.toml"], ["fit directories"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_named_must_be_there(
    arguments: list[str], words: list[str], cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(cli(*arguments), *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["chekc", "x.csv"],
        ["check"],
        ["fit", "dataset:bloomz"],
        ["fit", "dataset:bloomz", "-o", "d", "--law", "cubic"],
        ["fit", "dataset:bloomz", "-o", "d", "--draws", "many"],
        ["gains", "dataset:bloomz", "-o", "g.csv", "--scale", "percent"],
        ["predict", "d"],
        ["summary", "d", "--format", "xml"],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments: list[str], cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = cli(*arguments)
    assert outcome.code == 2
    assert "Usage: gainlaw" in outcome.out + outcome.err
    assert "Traceback" not in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_output_in_the_way(cli, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    refused(cli("fit", "dataset:bloomz", "-o", mine, "--overwrite"), "mine", "not a directory of a fit")
    refused(cli("fit", "dataset:bloomz", "-o", mine / "thesis.txt"), "is a file")
    assert (mine / "thesis.txt").read_text() == "years of work"
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.txt"]


def test_output_does_not_replace_the_input(cli, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_bytes(text(GOOD))
    refused(cli("gains", file, "-o", file), "would replace the input")
    assert file.read_bytes() == text(GOOD)


def test_folder_that_cannot_be_written(cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(cli("gains", "dataset:bloomz", "-o", tmp_path / "file" / "gains.csv"), "file")


def test_a_closed_pipe_is_no_error() -> None:
    command = [sys.executable, "-m", "gainlaw.cli", "check", "dataset:bloomz"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, complaint = process.communicate()
    assert complaint == b""
    assert process.returncode == 141


def test_faults_of_a_real_process_go_to_standard_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gainlaw.cli", "check", str(tmp_path / "nowhere.csv")]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "60"})
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("error: ")
    assert "Traceback" not in run.stderr


def test_an_interrupt_ends_the_command(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gainlaw.scores.gains.cells.reading.read_table", interrupted)
    outcome = cli("check", "scores.csv")
    assert outcome.code == 130
    assert outcome.err == "interrupted\n"


def test_an_interrupt_that_something_swallows_ends_the_command(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def swallowing(*args: object, **kwargs: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt:
            raise ValueError("too few draws") from None

    monkeypatch.setattr("gainlaw.scores.gains.cells.reading.read_table", swallowing)
    before = signal.getsignal(signal.SIGINT)  # Background jobs of a shell ignore it.
    outcome = cli("check", "scores.csv")
    assert outcome.code == 130
    assert outcome.err == "interrupted\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_a_fault_of_gainlaw_keeps_its_traceback(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("gainlaw.scores.gains.cells.reading.read_table", broken)
    with pytest.raises(ZeroDivisionError):
        cli("check", "scores.csv")
