"""The runner of the analysis: a step runs again when what it reads changed, and only then."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from analysis.runner import FLOORS, Step, StepError, run_steps

ROOT = Path(__file__).resolve().parent.parent

CODE = """
from pathlib import Path

def run(inputs, output, *, word="x"):
    log = output.parent / "log.txt"
    log.write_text(log.read_text() + output.name if log.exists() else output.name)
    output.write_text(word + "".join(path.read_text() for path in inputs.values()))
    return word
"""


@pytest.fixture
def steps(tmp_path, monkeypatch):
    (tmp_path / "step_for_test.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "source.txt").write_text("s")

    def make(word: str = "x") -> list[Step]:
        first = Step("a", "step_for_test", out / "a", {"source": tmp_path / "source.txt"}, floor="gains")
        return [first, Step("b", "step_for_test", out / "b", {"a": out / "a"}, {"word": word}, floor="gains")]

    yield make
    sys.modules.pop("step_for_test", None)


def ran(steps, stamps, **options):
    return [outcome.name for outcome in run_steps(steps, stamps, jobs=1, **options) if outcome.ran]


def test_steps_run_once_and_again_only_when_something_they_read_changed(steps, tmp_path):
    out, stamps = tmp_path / "out", tmp_path / "stamps"
    assert ran(steps(), stamps) == ["a", "b"]
    assert (out / "b").read_text() == "xxs"
    assert ran(steps(), stamps) == []
    (tmp_path / "source.txt").touch()
    assert ran(steps(), stamps) == []
    assert ran(steps("y"), stamps) == ["b"]
    (out / "a").write_text("changed by hand")
    assert ran(steps("y"), stamps) == ["a"]
    (tmp_path / "source.txt").write_text("t")
    assert ran(steps("y"), stamps) == ["a", "b"]
    (out / "b").unlink()
    assert ran(steps("y"), stamps) == ["b"]
    (tmp_path / "step_for_test.py").write_text(CODE + "\n# other code\n")
    assert ran(steps("y"), stamps) == ["a", "b"]
    assert ran(steps("y"), stamps, force=True) == ["a", "b"]


def test_a_fit_that_is_being_written_beside_makes_nothing_stale(steps, tmp_path):
    folder, stamps = tmp_path / "fit", tmp_path / "stamps"
    folder.mkdir()
    (folder / "fit.json").write_text("{}")
    step = Step("c", "step_for_test", tmp_path / "out" / "c", {}, floor="gains")
    reads = replace(step, inputs={"fit": folder / "fit.json", "beside": folder})
    (tmp_path / "step_for_test.py").write_text(
        CODE.replace(" for path in inputs.values()", " for path in [inputs['fit']]")
    )
    assert ran([reads], stamps) == ["c"]
    for name in (".scale_log_odds.x1", "scale_log_odds"):
        (folder / name).mkdir()
        (folder / name / "fit.json").write_text("{}")
        assert ran([reads], stamps) == []
    (folder / "gains.csv").write_text("task\n")
    assert ran([reads], stamps) == ["c"]


def test_a_failing_step_is_named_and_leaves_no_stamp(tmp_path, monkeypatch):
    (tmp_path / "failing_step.py").write_text(
        "def run(inputs, output):\n    raise ValueError('no such thing')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    step = Step("bad", "failing_step", tmp_path / "bad", floor="gains")
    with pytest.raises(StepError, match="bad: no such thing"):
        run_steps([step], tmp_path / "stamps", jobs=1)
    assert not (tmp_path / "stamps").exists()


def test_every_part_of_the_package_has_a_floor():
    package = ROOT / "src" / "gainlaw"
    parts = {path.stem for path in package.glob("*.py")} | {
        path.parent.name for path in package.glob("*/__init__.py")
    }
    known = {name for names in FLOORS for name in names.split()}
    assert parts - known <= {"__init__", "cli", "simulate", "training"}


def test_the_steps_of_the_paper_come_after_those_they_read_from(tmp_path):
    from analysis.build import steps as paper_steps

    made: list[Path] = []
    for step in paper_steps(tmp_path):
        for path in step.inputs.values():
            inside = tmp_path in path.parents
            assert not inside or any(path == each or each in path.parents for each in made), (step.name, path)
        made.append(step.output)
