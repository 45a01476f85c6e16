"""The steps of the paper: a step is done again when what it reads changed, and only then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from analysis import step
from analysis.build import paper_steps
from analysis.ladder import ladder_steps
from analysis.step import Steps, do, store_at

import gainlaw
from gainlaw.units import versions
from gainlaw.units.schedule import run_units

STEP = """
def run(inputs, output, *, word="x"):
    output.write_text(word + "".join(path.read_text() for path in inputs.values()))
    return word
"""
FOLDER = """
import shutil

def run(inputs, output):
    if output.exists():
        shutil.rmtree(output)
    output.mkdir()
    (output / "fit.json").write_text("{}")
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a folder with a source and modules that do steps."""
    (tmp_path / "step_for_test.py").write_text(STEP)
    (tmp_path / "folder_step.py").write_text(FOLDER)
    (tmp_path / "failing_step.py").write_text(
        "def run(inputs, output):\n    raise ValueError('no such thing')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "source.txt").write_text("s")
    return tmp_path


def two_steps(place: Path, word: str = "x") -> Steps:
    versions._code_of.cache_clear()
    steps = Steps()
    first = steps.add("first", "step_for_test", "a", {"source": place / "source.txt"}, floor="scores")
    steps.add("second", "step_for_test", "b", {"a": first}, {"word": word}, floor="scores")
    return steps


def ran(steps: Steps, out: Path) -> list[str]:
    """Do the steps in a worker process and return those that were done."""
    ends = run_units(steps.units, store_at(out), do, workers=1)
    assert {end.state for end in ends} <= {"done", "kept"}, ends
    return [end.unit.name for end in ends if end.state == "done"]


def test_steps_run_once_and_again_only_when_something_they_read_changed(place):
    out = place / "out"
    assert ran(two_steps(place), out) == ["a", "b"]
    assert (out / "b").read_text() == "xxs"
    assert ran(two_steps(place), out) == []
    (place / "source.txt").touch()
    (place / "step_for_test.py").write_text(STEP + "\n# other words\n")
    assert ran(two_steps(place), out) == []
    assert ran(two_steps(place, "y"), out) == ["b"]
    (out / "a").write_text("changed by hand")
    assert ran(two_steps(place, "y"), out) == ["a"]
    (place / "source.txt").write_text("t")
    assert ran(two_steps(place, "y"), out) == ["a", "b"]
    (out / "b").unlink()
    assert ran(two_steps(place, "y"), out) == ["b"]
    (place / "step_for_test.py").write_text(STEP + "\nother = 1\n")
    steps = two_steps(place, "y")
    assert ran(steps, out) == ["a", "b"]
    for unit in steps.units.values():
        store_at(out).forget(unit)
    assert ran(steps, out) == ["a", "b"]


def test_a_failing_step_is_named_and_ends_only_what_reads_it(place):
    steps, out = two_steps(place), place / "out"
    bad = steps.add("bad", "failing_step", "bad", {"a": steps.units["a"]}, floor="scores")
    steps.add("worse", "step_for_test", "worse", {"bad": bad}, floor="scores")
    ends = run_units(steps.units, store_at(out), do, workers=1)
    assert {end.unit.label: (end.state, end.said) for end in ends} == {
        "first": ("done", "x"),
        "second": ("done", "x"),
        "bad": ("failed", "no such thing"),
        "worse": ("left", ""),
    }
    assert not store_at(out).has(bad)
    again = run_units(steps.units, store_at(out), do, workers=1)
    assert {end.unit.label for end in again if end.state == "kept"} == {"first", "second"}


def test_a_step_that_was_mended_is_done_when_it_is_asked_for_anew(place):
    steps = Steps()
    steps.add("bad", "failing_step", "b", {"source": place / "source.txt"}, floor="scores")
    store = store_at(place / "out")
    assert [end.state for end in run_units(steps.units, store, do, workers=1)] == ["failed"]
    (place / "failing_step.py").write_text(STEP)
    assert store.forgive(steps.units) == ["b"]
    assert ran(steps, place / "out") == ["b"]
    assert store.forgive(steps.units) == []


def test_what_comes_to_lie_in_a_result_later_makes_nothing_stale(place):
    steps, out = Steps(), place / "out"
    fit = steps.add("fit", "folder_step", "fits/main", {}, floor="scores")
    steps.add("twin", "folder_step", "fits/main/scale_log_odds", {"fit": fit}, floor="scores")
    assert ran(steps, out) == ["fits/main", "fits/main/scale_log_odds"]
    folder = out / "fits" / "main"
    for name in (".scale_log_odds.x1", "scale_points"):
        (folder / name).mkdir()
        (folder / name / "fit.json").write_text("{}")
        assert ran(steps, out) == []
    (folder / "gains.csv").write_text("task\n")
    # The fit is made anew, and with it goes what lay inside.
    assert ran(steps, out) == ["fits/main", "fits/main/scale_log_odds"]


def test_the_code_up_to_a_floor_and_the_numerical_libraries_decide(place, monkeypatch):
    for name in ("scores", "fitting", "training", "units"):
        (place / f"{name}.py").write_text("x = 1\n")
    monkeypatch.setattr(gainlaw, "__file__", str(place / "__init__.py"))

    def key(floor: str) -> str:
        step._package_version.cache_clear()
        return Steps().add("a", "step_for_test", "a", {}, floor=floor).key

    before = key("scores"), key("fitting")
    (place / "training.py").write_text("x = 2\n")
    (place / "units.py").write_text("x = 2\n")
    assert (key("scores"), key("fitting")) == before
    (place / "fitting.py").write_text("x = 2\n")
    assert key("scores") == before[0]
    assert key("fitting") != before[1]
    versions_now = step.installed_versions(step._LIBRARIES)
    assert {"numba", "arviz-stats"} <= set(versions_now)
    monkeypatch.setattr(step, "installed_versions", lambda names: versions_now | {"numba": "0.1"})
    assert key("scores") != before[0]
    step._package_version.cache_clear()


@pytest.mark.parametrize("steps", [paper_steps, ladder_steps])
def test_the_steps_of_a_study_come_after_those_they_read_from(steps):
    made: set[str] = set()
    for name, unit in steps().units.items():
        assert set(unit.parents.values()) <= made
        assert all(Path(place).exists() for place in unit.aside.values())
        assert name not in made
        made.add(name)
    assert "answer.txt" in made


def test_the_paper_is_built_without_the_packages_of_the_runner():
    code = "import analysis.build, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    root = Path(step.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert not set(done.stdout.split()) & {"torch", "pydantic", "transformers", "numpy"}
