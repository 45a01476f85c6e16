"""Directories appear whole or not at all; what no record lists is never touched; one writer at a time."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gainlaw import _directory
from gainlaw._directory import check_file_target, new_directory
from gainlaw._io import write_bytes_atomic, write_text_atomic
from gainlaw._listing import FILES, FIT, Kind, owned_files
from gainlaw.errors import InputError


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def fill(
    target: Path, text: str, *, kind: Kind = FIT, overwrite: bool = False, names=("a.csv", "b.csv")
) -> None:
    """Write a directory of small files that all say the same."""
    with new_directory(target, kind, overwrite=overwrite) as folder:
        for name in names:
            (folder / name).write_text(text)
        if kind is FIT:
            record = {"files": dict.fromkeys(names, "0" * 64)}
            (folder / "fit.json").write_text(json.dumps(record))


@pytest.fixture(params=["in one step", "in two steps"])
def steps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with the system's exchange of two names, and without it."""
    if request.param == "in two steps":
        monkeypatch.setattr(_directory, "_exchange", lambda first, second: False)


@pytest.mark.usefixtures("steps")
def test_what_no_record_lists_is_carried_over(tmp_path: Path) -> None:
    target = tmp_path / "fit"
    fill(target, "old", names=("a.csv", "gone.csv"))
    (target / "notes.txt").write_text("years of work")
    (target / "mine" / "deep").mkdir(parents=True)
    (target / "mine" / "deep" / "data.csv").write_text("1")
    (target / "mine" / "empty").mkdir()
    (target / "link").symlink_to("notes.txt")
    inode = (target / "notes.txt").stat().st_ino
    fill(target, "new", overwrite=True)
    found = contents(target)
    assert found.pop("fit.json")
    assert found == {
        "a.csv": "new",
        "b.csv": "new",
        "notes.txt": "years of work",
        "link": "years of work",
        "mine/deep/data.csv": "1",
    }
    assert (target / "link").is_symlink()
    assert (target / "mine" / "empty").is_dir()
    assert (target / "notes.txt").stat().st_ino == inode
    assert [path.name for path in tmp_path.iterdir()] == ["fit"]


@pytest.mark.usefixtures("steps")
def test_a_block_that_raises_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "fit"
    with pytest.raises(ZeroDivisionError), new_directory(target, FIT) as folder:
        (folder / "a.csv").write_text(str(1 / 0))
    assert list(tmp_path.iterdir()) == []
    fill(target, "old")
    before = contents(tmp_path)
    with pytest.raises(ZeroDivisionError), new_directory(target, FIT, overwrite=True) as folder:
        (folder / "a.csv").write_text(str(1 / 0))
    assert contents(tmp_path) == before


def test_where_one_is_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "fit"
    fill(target, "old")
    (target / "mydata.csv").write_text("1")
    (target / "inner").mkdir()
    before = contents(tmp_path)
    for here, path in ((target, "."), (target / "inner", ".."), (target, str(target)), (target, "")):
        monkeypatch.chdir(here)
        with pytest.raises(InputError, match="is where you are"):
            fill(Path(path), "new", overwrite=True)
    with pytest.raises(InputError, match="root of a file system"):
        fill(Path("/"), "new", overwrite=True)
    assert contents(tmp_path) == before


def test_symbolic_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    fill(tmp_path / "link", "old")
    assert (tmp_path / "link").is_symlink()
    assert contents(tmp_path / "real")["a.csv"] == "old"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="leads nowhere"):
        fill(tmp_path / "loop", "x")
    (tmp_path / "dangling").symlink_to("elsewhere")
    fill(tmp_path / "dangling", "there")
    assert contents(tmp_path / "elsewhere")["a.csv"] == "there"


def test_what_may_not_be_written_is_known_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("years of work")
    fill(tmp_path / "fit", "old")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "fit.json").write_text("{")
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "fit.json").write_text('{"files": {"../file": "00"}}')
    before = contents(tmp_path)
    for name, overwrite, words in (
        ("file", True, "is a file"),
        ("file/fit", True, "is a file"),
        ("thesis", True, "not a directory of a fit"),
        ("fit", False, "holds a fit already"),
        ("broken", True, "cannot be read"),
        ("evil", True, "no file of this directory"),
    ):
        with pytest.raises(InputError, match=words), new_directory(tmp_path / name, FIT, overwrite=overwrite):
            pytest.fail("the work was begun")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="cannot be written to"), new_directory(tmp_path / "new", FIT):
        pytest.fail("the work was begun")
    assert contents(tmp_path) == before


def test_a_file_that_cannot_be_written_is_known_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    check_file_target(tmp_path / "new" / "deep" / "a.csv")
    check_file_target(tmp_path / "file")
    with pytest.raises(InputError, match="is a directory"):
        check_file_target(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        check_file_target(tmp_path / "file" / "a.csv")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="cannot be written to"):
        check_file_target(tmp_path / "a.csv")


def test_files_of_a_report_stand_beside_others_and_never_on_them(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    fill(target, "old", kind=FILES)
    fill(target, "new", kind=FILES, names=("a.csv",))
    assert contents(target) == {
        "notes.txt": "mine",
        "a.csv": "new",
        "files.json": (target / "files.json").read_text(),
    }
    (target / "b.csv").write_text("mine too")
    with pytest.raises(InputError, match=r"no record lists: b\.csv"):
        fill(target, "newer", kind=FILES)
    with (
        pytest.raises(InputError, match=r"no record lists: b\.csv"),
        new_directory(target, FILES, names=["b.csv"]),
    ):
        pytest.fail("the work was begun")
    assert contents(target)["a.csv"] == "new"


def test_the_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    target = tmp_path / "fit"
    with new_directory(target, FIT) as folder:
        (folder / "fit.json").write_text('{"files": {}}')
        with pytest.raises(InputError, match=f"being written by process {os.getpid()} on "):
            fill(target, "second")
    assert contents(target) == {"fit.json": '{"files": {}}'}
    assert [path.name for path in tmp_path.iterdir()] == ["fit"]


def test_a_directory_inside_which_something_is_written_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "fit"
    fill(target, "old")
    with new_directory(target / "report", FILES) as folder:
        (folder / "a.csv").write_text("report")
        with pytest.raises(InputError, match="being written to"):
            fill(target, "new", overwrite=True)
    assert contents(target)["report/a.csv"] == "report"


def test_what_dead_processes_left_is_swept(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from gainlaw._directory import new_directory
from gainlaw._listing import FIT
with new_directory(sys.argv[1], FIT) as folder:
    (folder / "half.csv").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    for name in ("fit", "other"):
        killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=False)
        assert killed.returncode < 0
    # A replacement that was cut off between its two steps, and a file half written.
    (tmp_path / ".third.gainlaw-old").mkdir()
    (tmp_path / ".third.gainlaw-old" / "fit.json").write_text('{"files": {}}')
    (tmp_path / ".table.csv.gainlaw-new").write_text("half")
    (tmp_path / ".notes.gainlaw-new.txt").write_text("not ours")
    with (tmp_path / ".busy.csv.gainlaw-new").open("w") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        fill(tmp_path / "fit", "new")
        names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".busy.csv.gainlaw-new", ".notes.gainlaw-new.txt", "fit", "third"]
    assert contents(tmp_path / "fit").keys() == {"fit.json", "a.csv", "b.csv"}
    assert contents(tmp_path / "third") == {"fit.json": '{"files": {}}'}


def test_what_comes_at_the_last_moment_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "fit"
    fill(target, "old")
    exchange = _directory._exchange

    def late(first: Path, second: Path) -> bool:
        (second / "late.txt").write_text("late")
        return exchange(first, second)

    monkeypatch.setattr(_directory, "_exchange", late)
    fill(target, "new", overwrite=True)
    assert contents(target)["late.txt"] == "late"
    assert contents(target)["a.csv"] == "new"


def test_a_replacement_that_fails_half_way_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "fit"
    fill(target, "old")
    before = contents(tmp_path)
    replace = Path.replace
    monkeypatch.setattr(_directory, "_exchange", lambda first, second: False)

    def fail(self: Path, other: Path) -> Path:
        if self.name.endswith("gainlaw-new") and Path(other) == target:
            raise OSError("unplugged")
        return replace(self, other)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="unplugged"):
        fill(target, "new", overwrite=True)
    assert contents(tmp_path) == before


def test_inner_directories_of_the_same_kind_belong_to_it(tmp_path: Path) -> None:
    target = tmp_path / "fit"
    fill(target, "old")
    fill(target / "scale_log_odds", "companion")
    (target / "scale_log_odds" / "mine.txt").write_text("mine")
    assert "scale_log_odds/a.csv" in owned_files(target, FIT)
    fill(target, "new", overwrite=True)
    assert [name for name in contents(target) if name.startswith("scale")] == ["scale_log_odds/mine.txt"]


def test_crowded_directories_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_directory, "_MOST_FOREIGN", 3)
    for name in "abcd":
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / name).write_text("")
    with pytest.raises(InputError, match="directory of its own"):
        fill(tmp_path / "out", "x", kind=FILES, names=("new.csv",))


def test_files_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = write_text_atomic(tmp_path / "a.csv", "old")
    target.chmod(0o640)
    (tmp_path / "link.csv").symlink_to("a.csv")
    write_text_atomic(tmp_path / "link.csv", "through the link")
    assert (tmp_path / "link.csv").is_symlink()
    assert target.read_text() == "through the link"
    assert target.stat().st_mode & 0o777 == 0o640

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device.*a\.csv"):
        write_bytes_atomic(target, b"new")
    assert target.read_text() == "through the link"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "link.csv"]
