"""The engine under the runner and the paper: what is done first, what is waited for, what a dead worker leaves, and
what is damaged, full, stopped, or being done by somebody else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gainlaw.errors import GainlawError, InputError
from gainlaw.units import lease as leases
from gainlaw.units import schedule
from gainlaw.units.execution import Ended, StoppedError, execute
from gainlaw.units.lease import host, lease
from gainlaw.units.schedule import run_units
from gainlaw.units.store import STOP, HeldError, NamedStore, Store
from gainlaw.units.unit import Unit, make_unit
from gainlaw.units.versions import content_version
from tiny_training import WorkersHere


def do(unit: Unit, store: Store, place: Path) -> str:
    """Add numbers, or die, or fail, or wait."""
    numbers = [json.loads((store.path(name) / "sum.json").read_text()) for name in unit.parents.values()]
    attempts = int((place / "tried").read_text()) if (place / "tried").exists() else 0
    (place / "tried").write_text(str(attempts + 1))
    FAULTS[unit.kind](place, attempts)
    (place / "tried").unlink()
    (place / "sum.json").write_text(json.dumps(sum(numbers) + unit.spec.get("add", 0)))
    return f"now {sum(numbers) + unit.spec.get('add', 0)}"


def die(place: Path, attempts: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(place: Path, attempts: int) -> None:
    if not attempts:
        die(place, attempts)


def fill_the_disk(place: Path, attempts: int) -> None:
    with Path("/dev/full").open("w") as file:
        file.write("x" * 10_000)


def exhaust_memory(place: Path, attempts: int) -> None:
    raise MemoryError("no room for 40 GB of weights")


def misread(place: Path, attempts: int) -> None:
    raise InputError("the file is no table", source="mine.csv")


def wait(place: Path, attempts: int) -> None:
    """Do what a training does: go on until it is asked to stop."""
    (place / "snapshot").write_text("here")
    while not (place / STOP).exists():
        time.sleep(0.01)
    raise StoppedError("stopped")


FAULTS: dict[str, Callable[[Path, int], None]] = {
    "add": lambda place, attempts: None,
    "die": die,
    "die once": die_once,
    "disk": fill_the_disk,
    "memory": exhaust_memory,
    "input": misread,
    "wait": wait,
}


def add(number: int, kind: str = "add", **parents: Unit) -> Unit:
    return make_unit(kind, {"add": number}, parents, code="1", label=f"{kind} {number}")


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


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do units in this process."""
    monkeypatch.setattr(schedule, "Workers", WorkersHere)


def states(ends: list[Ended]) -> dict[str, str]:
    return {end.unit.label: end.state for end in ends}


def test_a_worker_that_is_killed_takes_nothing_with_it(tmp_path: Path) -> None:
    """Two side by side: one dies again and again, one only once; what reads the first is left, all others are done."""
    dead, once, one = add(1, "die"), add(2, "die once"), add(3)
    units = named(dead, once, one, add(4, first=once, second=one), add(5, first=dead))
    store = Store(tmp_path)
    told: list[str] = []
    ends = run_units(
        units, store, do, workers=2, retries=1, ended=lambda end: told.append(f"{end.unit.label} {end.state}")
    )
    assert {"die 1 retried", "die once 2 retried"} == {each for each in told if "retried" in each}
    assert states(ends) == {
        "die 1": "failed",
        "die once 2": "done",
        "add 3": "done",
        "add 4": "done",
        "add 5": "left",
    }
    (said,) = {end.said for end in ends if end.state == "failed"}
    assert said.startswith("its process was ended by signal SIGKILL; if the machine ran out of memory")
    kept = store.failures(dead.name)
    assert [each["kind"] for each in kept] == ["killed", "killed"]  # tried twice
    assert not store.failures(once.name)
    assert store.holder(dead.name) is None
    assert {path.suffix for path in tmp_path.iterdir()} == {"", ".part"}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("kind", "said", "tries"),
    [
        ("disk", "OSError: [Errno 28] No space left on device", 2),
        ("memory", "MemoryError: no room for 40 GB of weights", 2),
        ("input", "the file is no table", 1),
    ],
)
def test_every_exception_is_kept_with_its_unit_and_the_others_go_on(
    kind: str, said: str, tries: int, tmp_path: Path
) -> None:
    bad = add(9, kind)
    store = Store(tmp_path)
    ends = run_units(named(bad, add(1), add(2, first=bad)), store, do, workers=1, retries=1)
    assert states(ends) == {f"{kind} 9": "failed", "add 1": "done", "add 2": "left"}
    assert said in next(end.said for end in ends if end.state == "failed")
    kept = store.failures(bad.name)
    assert len(kept) == tries
    assert said in kept[-1]["said"]
    assert any("do(unit, store, place)" in line for line in kept[-1]["traceback"])
    # Somebody who works on the same units leaves it alone, until it is forgiven.
    again = run_units(named(bad), store, do, workers=1, retries=1)
    assert states(again) == {f"{kind} 9": "failed"}
    assert len(store.failures(bad.name)) == tries
    assert store.forgive([bad.name]) == [bad.name]
    run_units(named(bad), store, do, workers=1)
    assert len(store.failures(bad.name)) == 1


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("what", ["truncated", "changed", "gone", "no manifest"])
@pytest.mark.parametrize("where", ["read", "last"])
def test_a_finished_unit_that_is_damaged_is_found_and_done_anew(
    what: str, where: str, tmp_path: Path
) -> None:
    one = add(1)
    both, more = add(10, first=one), add(20, first=one)
    store, told = Store(tmp_path), []
    run_units(named(one, both), store, do, workers=1)
    hurt = one if where == "read" else both
    file = store.path(hurt.name) / ("manifest.json" if what == "no manifest" else "sum.json")
    if what in ("gone", "no manifest"):
        file.unlink()
    else:
        file.write_text({"truncated": "", "changed": "7" * file.stat().st_size}[what])
    ends = run_units(named(one, both, more), store, do, workers=1, ended=told.append)
    assert states(ends) == {
        "add 1": "done" if where == "read" else "kept",
        "add 10": "kept" if where == "read" else "done",
        "add 20": "done",
    }
    (damaged,) = [end for end in told if end.state == "damaged"]
    assert f"{'manifest' if what == 'no manifest' else 'sum'}.json" in damaged.said
    assert json.loads((store.path(more.name) / "sum.json").read_text()) == 21
    assert json.loads((store.path(hurt.name) / "sum.json").read_text()) == hurt.spec["add"] + (hurt is both)
    assert [path.suffix for path in tmp_path.iterdir() if "." in path.name] == [".damaged"]


@pytest.mark.usefixtures("here")
def test_clearing_up_leaves_what_is_wanted_held_or_finished(tmp_path: Path) -> None:
    done, wanted, held, left = add(1), add(2, "disk"), add(3, "memory"), add(4, "memory")
    store = Store(tmp_path)
    run_units(named(done, wanted, held, left), store, do, workers=1)
    with lease(tmp_path / f".{held.name}.lock") as mine:
        assert mine
        assert [name.split(".")[0] for name, _ in store.clean(named(wanted))] == [left.name]
    assert store.has(done)
    assert store.parts(wanted.name)
    assert store.parts(held.name)
    # Another experiment in the same store cleans nothing by being run.
    run_units(named(add(5)), store, do, workers=1)
    assert store.parts(held.name)
    (size,) = [size for name, size in store.clean(named(wanted))]
    assert size > 100
    assert not store.parts(held.name)


def see(unit: Unit, store: Store, place: Path) -> None:
    """Note which GPUs a unit sees, and when."""
    begun = time.time()
    time.sleep(0.3)
    seen = {"gpus": os.environ["CUDA_VISIBLE_DEVICES"], "begun": begun, "ended": time.time()}
    (place / "seen.json").write_text(json.dumps(seen))


def test_a_unit_has_the_gpus_that_it_takes_for_itself(tmp_path: Path) -> None:
    takes = [1, 1, 3, 1, 2, 1]
    made = [make_unit("see", {"number": n, "takes": t}, code="1") for n, t in enumerate(takes)]
    store = Store(tmp_path)
    ends = run_units(
        {unit.name: unit for unit in made},
        store,
        see,
        workers=3,
        takes=lambda unit: int(unit.spec["takes"]),
        devices=["5", "GPU-ab", "7"],
    )
    assert {end.state for end in ends} == {"done"}
    seen = [json.loads((store.path(unit.name) / "seen.json").read_text()) for unit in made]
    assert [len(each["gpus"].split(",")) for each in seen] == takes
    assert set(seen[2]["gpus"].split(",")) == {"5", "GPU-ab", "7"}
    for i, one in enumerate(seen):
        for two in seen[:i]:
            apart = one["begun"] >= two["ended"] or two["begun"] >= one["ended"]
            assert apart or not set(one["gpus"].split(",")) & set(two["gpus"].split(","))
    assert seen[0]["gpus"] != seen[1]["gpus"]  # they are begun together


@pytest.mark.usefixtures("here")
def test_a_unit_that_somebody_else_does_is_waited_for_while_others_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_HELD", 0.05)
    monkeypatch.setattr(schedule, "_POLL", 0.05)
    one, two = add(1), add(2)
    both, store = add(10, first=one), Store(tmp_path)
    order: list[str] = []

    def note(end: Ended) -> None:
        order.append(f"{end.unit.label} {end.state}")
        if end.unit is two:  # now the other one finishes
            release.set()

    release, held = threading.Event(), threading.Event()

    def elsewhere() -> None:
        with store.work(one) as place:
            assert place is not None
            held.set()
            release.wait(10)
            (place / "sum.json").write_text("1")

    other = threading.Thread(target=elsewhere)
    other.start()
    held.wait(10)
    with pytest.raises(HeldError), store.work(one):
        pass
    assert store.holder(one.name)["pid"] == os.getpid()  # type: ignore[index]
    ends = run_units(named(one, two, both), store, do, workers=1, ended=note)
    other.join()
    assert states(ends) == {"add 2": "done", "add 1": "kept", "add 10": "done"}
    assert order[:2] == ["add 1 held", "add 2 done"]
    assert store.holder(one.name) is None


@pytest.mark.usefixtures("here")
def test_two_who_work_on_the_same_units_do_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "_HELD", 0.02)
    monkeypatch.setattr(schedule, "_POLL", 0.02)
    firsts = [add(number) for number in range(12)]
    ours = named(*firsts, *(add(100, first=one) for one in firsts))
    theirs = named(
        *firsts, *(add(200, first=one) for one in firsts)
    )  # another experiment, with half in common
    store, did = Store(tmp_path), []

    def slowly(unit: Unit, store: Store, place: Path) -> str:
        did.append(unit.name)
        time.sleep(0.01)
        return do(unit, store, place)

    others: list[Ended] = []
    thread = threading.Thread(target=lambda: others.extend(run_units(theirs, store, slowly, workers=1)))
    thread.start()
    ends = run_units(ours, store, slowly, workers=1)
    thread.join()
    assert sorted(did) == sorted({**ours, **theirs})
    assert {end.state for end in (*ends, *others)} == {"done", "kept"}
    assert {path.name for path in tmp_path.iterdir()} == set(did)


def test_a_lease_of_another_machine_holds_as_long_as_it_is_renewed(tmp_path: Path) -> None:
    """As where the locks of a file system do not reach other machines."""
    path = tmp_path / ".unit.lock"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "since": 0}))
    with lease(path) as mine:
        assert not mine
    assert leases.holder(path)["host"] == "elsewhere"  # type: ignore[index]
    os.utime(path, (0, time.time() - 600))
    assert leases.holder(path) is None
    with lease(path) as mine:
        assert mine
        assert leases.holder(path)["host"] == host()  # type: ignore[index]
    assert not path.exists()


def test_of_two_that_finish_the_same_unit_the_first_one_stays(tmp_path: Path) -> None:
    one, store = add(1), Store(tmp_path)
    with store.work(one) as place:
        assert place is not None
        (place / "sum.json").write_text("1")
        first = store.path(one.name)
        first.mkdir()
        (first / "sum.json").write_text("one that was faster")
    assert (first / "sum.json").read_text() == "one that was faster"
    assert not store.parts(one.name)


def test_what_another_process_left_is_taken_over(tmp_path: Path) -> None:
    one, store = add(1), Store(tmp_path)
    left = tmp_path / f"{one.name}.elsewhere-123.part"
    left.mkdir()
    (left / "snapshot.safetensors").write_text("s")
    with store.work(one) as place:
        assert place is not None
        assert place.name == f"{one.name}.{host()}-{os.getpid()}.part"
        assert (place / "snapshot.safetensors").read_text() == "s"
        assert not left.exists()
    assert store.has(one)
    assert sorted(path.name for path in store.path(one.name).iterdir()) == ["manifest.json", "unit.json"]


STOPPED = """
import sys
from pathlib import Path
from test_work_units import add, do, named
from gainlaw.cli.guard import _stoppable
from gainlaw.units.schedule import run_units
from gainlaw.units.store import Store
if __name__ == "__main__":
    with _stoppable():
        run_units(named(add(1, "wait")), Store(Path(sys.argv[1])), do, workers=1)
"""


@pytest.mark.parametrize("whom", ["parent", "group", "worker"])
def test_who_is_asked_to_end_lets_training_stop_where_it_goes_on(whom: str, tmp_path: Path) -> None:
    store, unit = Store(tmp_path / "units"), add(1, "wait")
    (tmp_path / "stopped.py").write_text(STOPPED)
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, tmp_path / "stopped.py", store.root],
        env=os.environ | {"PYTHONPATH": path},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with process:
        begun = time.monotonic()
        while not [p for p in store.parts(unit.name) if (p / "snapshot").exists()]:
            assert time.monotonic() - begun < 60
            time.sleep(0.02)
        (part,) = store.parts(unit.name)
        worker = int(part.name.removesuffix(".part").rsplit("-", 1)[1])
        assert worker != process.pid
        if whom == "worker":  # it alone: another one goes on, and what it left is taken over
            os.kill(worker, signal.SIGTERM)
            while part.exists():
                assert time.monotonic() - begun < 60
                time.sleep(0.02)
        (os.killpg if whom == "group" else os.kill)(process.pid, signal.SIGTERM)
        assert process.wait(60) != 0
    (part,) = store.parts(unit.name)
    assert (part / "snapshot").read_text() == "here"
    assert not store.failures(unit.name)
    assert store.holder(unit.name) is None


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
