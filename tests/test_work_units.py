"""The engine under the runner and the paper: what is done first, what is waited for, and what a dead worker leaves."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from gainlaw.errors import GainlawError
from gainlaw.units.schedule import execute, run_units
from gainlaw.units.store import NamedStore, Store
from gainlaw.units.unit import Unit, make_unit
from gainlaw.units.versions import content_version


def do(unit: Unit, store: Store, place: Path) -> str:
    """Add numbers, or die."""
    if unit.kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    numbers = [json.loads((store.path(name) / "sum.json").read_text()) for name in unit.parents.values()]
    (place / "sum.json").write_text(json.dumps(sum(numbers) + unit.spec["add"]))
    return f"now {sum(numbers) + unit.spec['add']}"


def add(number: int, **parents: Unit) -> Unit:
    return make_unit("add", {"add": number}, parents, code="1", label=f"add {number}")


def named(*units: Unit) -> dict[str, Unit]:
    return {unit.name: unit for unit in units}


def test_units_are_done_once_each_after_those_it_reads_and_the_largest_first(tmp_path: Path) -> None:
    one, two = add(1), add(2)
    both = add(10, first=one, second=two)
    units = named(both, one, two)
    begun: list[str] = []
    ends = run_units(
        units,
        Store(tmp_path),
        do,
        workers=1,
        first=lambda unit: unit.spec["add"],
        started=lambda unit: begun.append(unit.label),
    )
    assert begun == ["add 2", "add 1", "add 10"]
    assert [(end.unit.label, end.state, end.said) for end in ends][-1] == ("add 10", "done", "now 13")
    again = run_units(units, Store(tmp_path), do, workers=1)
    assert {end.state for end in again} == {"kept"}
    assert Store(tmp_path).read(both.name) == both
    assert not list(tmp_path.glob(".*"))


def test_a_unit_that_reads_what_is_not_there_is_refused(tmp_path: Path) -> None:
    one = add(1)
    both = add(10, first=one)
    with pytest.raises(ValueError, match="not among the units"):
        run_units(named(both), Store(tmp_path), do, workers=1)
    with pytest.raises(GainlawError, match="which is not finished"):
        execute(both, Store(tmp_path), do)


def test_a_worker_that_is_killed_is_told_and_what_is_finished_is_kept(tmp_path: Path) -> None:
    one = add(1)
    dead = make_unit("die", {}, {"first": one}, code="1")
    with pytest.raises(GainlawError, match="a worker process was killed"):
        run_units(named(one, dead), Store(tmp_path), do, workers=1)
    store = Store(tmp_path)
    assert store.has(one)
    assert not store.has(dead)
    assert store.part(dead.name).is_dir()
    store.clean(named(one))  # nobody wants the other any more
    assert not store.part(dead.name).exists()


def test_where_things_lie_and_what_they_are_called_determine_nothing(tmp_path: Path) -> None:
    plain = add(1)
    spec = {"add": 1}
    assert make_unit("add", spec, code="1", aside={"place": "here"}, name="sums/one").key == plain.key
    for other in (
        make_unit("sub", spec, code="1"),
        make_unit("add", spec, code="2"),
        make_unit("add", spec, {"first": add(2)}, code="1"),
        make_unit("add", spec, code="1", libraries={"numpy": "2"}),
    ):
        assert other.key != plain.key
    folder = tmp_path / "a"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "c.txt").write_text("c")
    before = content_version(folder)
    (folder / ".hidden").write_text("h")
    (folder / "scale_x").write_text("s")
    assert content_version(folder, beside=("scale_*",)) == before
    assert content_version(folder) != before
    (folder / "b").rename(folder / "d")
    assert content_version(folder, beside=("scale_*",)) != before


def test_a_named_result_is_finished_as_long_as_it_and_its_key_are_the_same(tmp_path: Path) -> None:
    store = NamedStore(tmp_path)
    unit = make_unit("write", {}, code="1", name="sums/one.txt")
    with store.work(unit) as place:
        assert place is not None
        place.write_text("1")
    assert store.has(unit)
    assert not store.has(make_unit("write", {}, code="2", name="sums/one.txt"))
    with store.work(unit) as place:
        assert place is None
    store.path(unit.name).write_text("2")
    assert not store.has(unit)
    with pytest.raises(RuntimeError), store.work(unit) as place:
        raise RuntimeError
    assert not store.has(unit)
