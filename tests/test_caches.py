"""Compiled code finds a place wherever the package is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gainlaw import _compiled

NAMES = ("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "PYTENSOR_FLAGS")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give an environment that says nothing, and a home and an installation that cannot be written to."""
    for name in NAMES:
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    monkeypatch.setattr(_compiled.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(_compiled, "writable", lambda folder: False)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    return tmp_path / f"gainlaw-{os.getuid()}"


def test_a_temporary_place_serves_where_nothing_else_can_be_written(bare: Path) -> None:
    with pytest.warns(UserWarning, match="compiled code is kept in"):
        _compiled.place_caches()
    assert os.environ["NUMBA_CACHE_DIR"] == str(bare / "numba")
    assert os.environ["PYTENSOR_FLAGS"] == f"base_compiledir={bare / 'pytensor'}"
    assert bare.stat().st_mode & 0o777 == 0o700
    _compiled.place_caches()  # said once


def test_what_the_environment_says_stays(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "mine")
    _compiled.place_caches()
    assert {os.environ[name] for name in NAMES} == {"mine"}
    assert not bare.exists()


def test_a_place_that_others_can_write_to_is_not_used(bare: Path) -> None:
    bare.mkdir()
    bare.chmod(0o777)
    with pytest.warns(UserWarning, match="compiled code is kept in"):
        _compiled.place_caches()
    assert not os.environ["NUMBA_CACHE_DIR"].startswith(f"{bare}/")


def test_a_home_that_can_be_written_to_needs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    _compiled.place_caches()
    assert not set(NAMES) & set(os.environ)


@pytest.mark.parametrize("home", [None, "/dev/null"])
def test_kernels_compile_without_any_place(home: str | None, tmp_path: Path) -> None:
    """A kernel asks for its cache when it is defined; where there is none, it does without."""
    (tmp_path / "kernel.py").write_text(
        "import numba\n@numba.njit(cache=True)\ndef double(x):\n    return 2 * x\nprint(double(21))\n"
    )
    code = (
        "import gainlaw._compiled as places, sys\n"
        "places.writable = lambda folder: False\n"
        "places._temporary = lambda: None\n"
        "places.place_caches()\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import kernel\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in (*NAMES, "HOME")}
    environment |= {} if home is None else {"HOME": home}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "42\n", done.stderr
    assert done.stderr.count("compiles it anew") == 1
    assert {path.name for path in tmp_path.iterdir()} <= {"kernel.py", "__pycache__"}
    assert not list(tmp_path.rglob("*.nbi"))
