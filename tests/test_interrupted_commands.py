"""Commands that are stopped, killed, crowded out or left without a reader: whole results or none, and one message."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import gainlaw as gl
from conftest import write_scores
from forking import Fork

#: Moments at which commands are killed in `make calibration`. GAINLAW_KILLS asks for more.
KILLS = int(os.environ.get("GAINLAW_KILLS", "20"))
FEW = ("--draws", "100", "--chains", "2")
#: The law whose report is drawn soonest.
LEVEL = (*FEW, "--law", "constant")
CLAIMS = '[[claim]]\nname = "helps"\nclaim = "gain(1B) > 0"\n'


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory):
    server = Fork(tmp_path_factory.mktemp("logs"))
    yield server
    server.close()


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that is started for it."""
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "check": False, **options}
    command = [sys.executable, "-m", "gainlaw.cli", *map(str, arguments)]
    return subprocess.run(command, **given)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scores(tmp_path_factory.mktemp("scores") / "scores.csv")


@pytest.fixture(scope="module")
def fitted(fork: Fork, scores: Path) -> Path:
    """Return a fit directory that also holds what is not the fit's."""
    target = scores.parent / "fit"
    assert fork.run("fit", scores, "-o", target, *FEW, "--seed", 1).code in {0, 1}
    return target


@pytest.fixture(scope="module")
def level(fork: Fork, scores: Path) -> Path:
    """Return the directory of a fit without a slope."""
    target = scores.parent / "level"
    assert fork.run("fit", scores, "-o", target, *LEVEL, "--seed", 1).code in {0, 1}
    return target


def leavings(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob(".*gainlaw-*")]


def seed_of(fit: Path) -> int:
    """Return the seed of a fit, which is read whole or not at all."""
    return gl.load_fit(fit).record["arguments"]["resolved"]["seed"]


class Bed:
    """A folder with a fit, foreign files in it, claims, and commands to be killed."""

    def __init__(self, folder: Path, scores: Path, level: Path) -> None:
        self.folder, self.fit, self.out = folder, folder / "fit", folder / "report"
        subprocess.run(["cp", "-r", str(level), str(self.fit)], check=True)
        (self.fit / "notes.txt").write_text("years of work")
        (self.fit / "mine").mkdir()
        (self.fit / "mine" / "data.csv").write_text("1")
        self.out.mkdir()
        (self.out / "notes.txt").write_text("years of work")
        (folder / "claims.toml").write_text(CLAIMS)
        self.commands: dict[str, Callable[[int], tuple[object, ...]]] = {
            "fit": lambda seed: ("fit", scores, "-o", folder / "new", *LEVEL, "--seed", seed),
            "overwrite": lambda seed: ("fit", scores, "-o", self.fit, *LEVEL, "--overwrite", "--seed", seed),
            "claims": lambda seed: (
                "claims",
                self.fit,
                folder / "claims.toml",
                "-o",
                folder / "verdicts.csv",
            ),
            "report": lambda seed: ("report", self.fit, "-o", self.out, "--one-scale", "--title", seed),
        }

    def check(self) -> None:
        """Assert that every result is whole or absent, and that foreign files are there."""
        for place in (self.fit, self.out):
            assert (place / "notes.txt").read_text() == "years of work"
        assert (self.fit / "mine" / "data.csv").read_text() == "1"
        seed_of(self.fit)
        for companion in self.fit.glob("scale_*"):
            assert gl.load_fit(companion).record["parent"] == gl.load_fit(self.fit).record["sha256"]
        if (self.folder / "new").exists():
            seed_of(self.folder / "new")
        if (self.folder / "verdicts.csv").exists():
            assert len(pd.read_csv(self.folder / "verdicts.csv")) == 1
        if (self.out / "files.json").exists():
            listed = json.loads((self.out / "files.json").read_text())["files"]
            found = {str(path.relative_to(self.out)) for path in self.out.rglob("*") if path.is_file()}
            assert found == {*listed, "files.json", "notes.txt"}
        else:
            assert [path.name for path in self.out.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("kills", [2, pytest.param(KILLS, marks=pytest.mark.calibration)])
def test_commands_killed_at_any_moment_leave_the_old_or_the_new(
    tmp_path: Path, fork: Fork, scores: Path, level: Path, kills: int
) -> None:
    bed, rng = Bed(tmp_path, scores, level), random.Random(5)
    lasted: dict[str, float] = {}
    for name in ("report", "claims", "fit", "overwrite"):
        begun = time.monotonic()
        done = fork.run(*bed.commands[name](2))
        assert done.code in {0, 1}, done.said
        lasted[name] = time.monotonic() - begun
        bed.check()
    killed = 0
    while killed < kills:
        first = rng.choice(list(lasted))
        crowd = [first] if rng.random() < 0.5 else [first, rng.choice([first, *lasted])]
        for path in (tmp_path / "new", bed.fit / "scale_log_odds"):
            if rng.random() < 0.5:
                subprocess.run(["rm", "-rf", str(path)], check=True)
        processes = [fork.start(*bed.commands[each](rng.randrange(1000))) for each in crowd]
        time.sleep(lasted[first] * len(crowd) * rng.uniform(0.0, 1.05))
        ended = [fork.end(process, signal.SIGKILL) for process in processes]
        odd = [each for each in ended if each.code not in {-signal.SIGKILL, 0, 1, 2}]
        assert not odd, odd[0].said
        assert not any("Traceback" in each.said for each in ended)
        killed += sum(each.code == -signal.SIGKILL for each in ended)
        bed.check()
    # What the dead left is swept by whoever writes next.
    subprocess.run(["rm", "-rf", str(tmp_path / "new")], check=True)
    for name in ("fit", "report", "overwrite", "claims"):
        done = fork.run(*bed.commands[name](3))
        assert done.code in {0, 1}, done.said
    bed.check()
    assert seed_of(bed.fit) == 3
    assert leavings(tmp_path) == []


def test_two_fits_into_one_directory_end_with_one(tmp_path: Path, fork: Fork, scores: Path) -> None:
    pair = [fork.start("fit", scores, "-o", tmp_path / "fit", *FEW, "--seed", seed) for seed in (1, 2)]
    ends = dict(zip((1, 2), map(fork.end, pair), strict=True))
    won = [seed for seed, ended in ends.items() if "wrote" in ended.said]
    assert len(won) == 1
    lost = ends[3 - won[0]]
    assert lost.code == 2
    assert "is being written by process" in lost.said or "holds a fit already" in lost.said
    assert seed_of(tmp_path / "fit") == won[0]
    assert [path.name for path in tmp_path.iterdir()] == ["fit"]


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_command_that_is_stopped_takes_its_leavings_away(
    tmp_path: Path, fork: Fork, scores: Path, asked: signal.Signals
) -> None:
    process = fork.start("fit", scores, "-o", tmp_path / "deep" / "fit", "--draws", 200_000)
    while not leavings(tmp_path):
        time.sleep(0.01)
    time.sleep(0.1)
    ended = fork.end(process, asked)
    assert ended.code == 128 + asked, ended.said
    assert ended.said in {"stopped\n", "interrupted\n"}
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_message_and_the_old_result_stays(
    tmp_path: Path, fork: Fork, scores: Path, level: Path
) -> None:
    target = tmp_path / "fit"
    subprocess.run(["cp", "-r", str(level), str(target)], check=True)
    (target / "notes.txt").write_text("years of work")
    for arguments in (
        ("fit", scores, "-o", target, *LEVEL, "--overwrite", "--seed", 2),
        ("fit", scores, "-o", tmp_path / "new", *LEVEL),
        ("report", target, "-o", tmp_path / "report", "--one-scale"),
    ):
        done = fork.run(*arguments, limit=100_000)
        assert done.code == 2, done
        # Beside how far a command had come, in a line each tenth.
        lines = [line for line in done.said.splitlines() if not re.search(r"\d%", line)]
        assert len(lines) == 1 + done.said.count("do not trust"), done.said
        assert "File too large" in done.said
    assert seed_of(target) == 1
    assert (target / "notes.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["fit"]


@pytest.fixture
def crowded(tmp_path: Path):
    """Return a file system of two megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("no right to mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_crowded_file_system_keeps_what_was_there(crowded: Path, fork: Fork, scores: Path) -> None:
    target = crowded / "fit"
    done = fork.run("fit", scores, "-o", target, *FEW, "--seed", 1)
    assert done.code in {0, 1}, done.said
    done = fork.run("fit", scores, "-o", target, "--overwrite", "--draws", 4000, "--seed", 2)
    assert done.code == 2, done.said
    # Beside how far it had come, on a slow machine.
    assert len([line for line in done.said.splitlines() if not re.search(r"\d%", line)]) == 1
    assert "No space left on device" in done.said
    assert seed_of(target) == 1
    assert [path.name for path in crowded.iterdir()] == ["fit"]
    root = fork.run("fit", scores, "-o", crowded, *FEW)
    assert root.code == 2
    assert "root of a file system" in root.said


def test_output_that_nobody_takes_is_no_traceback(fitted: Path) -> None:
    summary = ("summary", fitted, "--format", "csv")
    command = [sys.executable, "-m", "gainlaw.cli", *map(str, summary)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 141
    assert b"Traceback" not in err
    with Path("/dev/full").open("w") as full:
        done = run(*summary, stdout=full)
    assert done.returncode == 2
    assert done.stderr.endswith("No space left on device\n")
    closed = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m gainlaw.cli summary {fitted} >&- 2>&-"], check=False
    )
    assert closed.returncode in {0, 1}


def test_output_in_another_encoding_writes_characters_out(fitted: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = run("summary", fitted, env=environment)
    assert done.returncode in {0, 1}
    assert "Traceback" not in done.stderr
    assert "slope" in done.stdout


def test_a_fault_of_ours_is_one_line_and_exits_70(tmp_path: Path, scores: Path) -> None:
    code = (
        "import sys; import gainlaw.scores.gains.cells.reading as reading; from gainlaw.cli import main\n"
        "def broken(*args, **kwargs): raise RuntimeError('of two\\nminds')\n"
        "reading.read_table = broken\n"
        "main()\n"
    )
    for options, lines in (((), 1), (("--debug",), 5)):
        done = subprocess.run(
            [sys.executable, "-c", code, *options, "fit", str(scores), "-o", str(tmp_path / "fit")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 70
        assert done.stderr.count("\n") >= lines
        assert ("Traceback" in done.stderr) == bool(options)
        assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []
    plain = subprocess.run(
        [sys.executable, "-c", code, "check", str(scores)], capture_output=True, text=True, check=False
    )
    assert plain.stderr.count("\n") == 1
    assert f"a fault of gainlaw {gl.__version__} (RuntimeError: of two\\nminds at " in plain.stderr


def test_names_of_files_are_written_out_in_errors(cli) -> None:
    outcome = cli("check", "no\x1b[31m such\n  - file.csv")
    assert outcome.code == 2
    assert "no\\x1b[31m such\\n  - file.csv" in outcome.err
    assert "\x1b" not in outcome.err


@pytest.mark.parametrize("size", ["1e99999999T", "1" * 5000, "nan", "-inf", "1e400", "-7B", "B", ""])
def test_sizes_that_are_none_are_one_message(cli, fitted: Path, size: str) -> None:
    outcome = cli("predict", fitted, "--params", size)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert len(outcome.err.replace("diagnostics failed", "").splitlines()) <= 3


def test_mutations_of_good_input_end_with_a_known_code() -> None:
    """A sample; `python benchmarks/mutations.py` runs thousands."""
    script = Path(__file__).parents[1] / "benchmarks" / "mutations.py"
    done = subprocess.run(
        [sys.executable, str(script), "--count", "12"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 faults" in done.stdout


def test_messages_keep_the_lines_that_they_mean(cli, fitted: Path, tmp_path: Path) -> None:
    (tmp_path / "claims.toml").write_text("[[claim]]\nname = 'a'\nclaim = 'slope << 0'\n")
    outcome = cli("claims", fitted, tmp_path / "claims.toml")
    assert outcome.code == 2
    shown = outcome.err.splitlines()
    place = next(number for number, line in enumerate(shown) if "slope << 0" in line)
    assert shown[place + 1].strip() == "^"
