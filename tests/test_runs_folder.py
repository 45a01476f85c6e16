"""A folder of runs from outside: who works on it, where its units stand, what is retried, and what is cleared up."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import Cli
from gainlaw._io import take
from gainlaw.errors import InputError
from gainlaw.training.runs.layout import Queue, experiment_folder, read_queues, store_of, write_queue
from gainlaw.training.runs.standing import stand
from gainlaw.units import schedule
from gainlaw.units.execution import execute, fail
from gainlaw.units.lease import lease
from gainlaw.units.store import Store
from gainlaw.units.unit import Unit, make_unit
from tiny_training import WorkersHere


def chain(first: str, *kinds: str) -> list[Unit]:
    """Return units that read one another, the first one read by all after it."""
    units = [make_unit("finetune", {"seed": first}, code="1", label=f"train {first}")]
    for kind in kinds:
        units.append(make_unit(kind, {}, {"model": units[-1]}, code="1", label=f"{kind} {first}"))
    return units


def write(unit: Unit, store: Store, place: Path) -> None:
    (place / "result.json").write_text(unit.label)


def ask(runs: Path, name: str, units: list[Unit]) -> None:
    with experiment_folder(runs, name) as folder:
        named = {unit.name: unit for unit in units}
        write_queue(folder, Queue(name, named, dict.fromkeys(named, float("inf"))))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return a folder of two experiments that share a unit, with units that are done, failed, begun and left."""
    runs = tmp_path / "runs"
    shared, done, failed, begun = (chain(name, "evaluate") for name in ("shared", "done", "failed", "begun"))
    ask(runs, "one", [*shared, *done, *failed])
    ask(runs, "two", [*shared, *begun])
    store = store_of(runs)
    execute(done[0], store, write)
    for again in (True, True):
        fail(failed[0], store, "OSError: full", kind="OSError", again=again, trace=["Traceback", "  here"])
    with suppress(KeyboardInterrupt), store.work(begun[0]) as place:
        assert place is not None
        (place / "log.jsonl").write_text('{"step": 3, "steps": 9}\n{"step": 4, "st')
        raise KeyboardInterrupt
    return runs


def test_where_units_stand(runs: Path, cli: Cli) -> None:
    store = store_of(runs)
    queues = read_queues(runs)
    assert [queue.experiment for queue in queues] == ["one", "two"]
    begun = next(u for u in queues[1].units.values() if u.label == "train begun")
    with lease(store.root / f".{begun.name}.lock"):
        found = {each.unit.label: each for each in stand(queues, store)}
        out = cli("status", runs)
    assert {label: each.state for label, each in found.items()} == {
        "train shared": "ready",
        "evaluate shared": "waiting",
        "train done": "done",
        "evaluate done": "ready",
        "train failed": "failed",
        "evaluate failed": "left",
        "train begun": "running",
        "evaluate begun": "waiting",
    }
    assert found["train shared"].experiments == ("one", "two")
    assert found["train begun"].log == {"step": 3, "steps": 9}
    assert out.code == 1
    assert "running: train begun" in out.out
    assert "step 3 of 9" in out.out
    assert "failed (2 times): train failed: OSError: full" in out.err
    # Nobody holds it any more.
    records = json.loads(cli("status", runs, "--json").out)
    assert Counter(each["state"] for each in records)["begun"] == 1
    assert next(each for each in records if each["state"] == "failed")["failures"][1]["traceback"]


def test_what_failed_is_tried_again_when_it_is_asked_for(
    runs: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "Workers", WorkersHere)
    units = {name: unit for queue in read_queues(runs) for name, unit in queue.units.items()}

    def states() -> Counter[str]:
        return Counter(
            end.state for end in schedule.run_units(units, store_of(runs), write, workers=1, retries=1)
        )

    assert states() == {"kept": 1, "done": 5, "failed": 1, "left": 1}
    out = cli("retry", runs)
    assert out.out.splitlines() == ["train failed", "1 unit to be tried again"]
    assert states() == {"kept": 6, "done": 2}
    assert "0 units to be tried again" in cli("retry", runs).out
    assert cli("status", runs).code == 0


def test_clearing_up_is_a_command_and_takes_what_no_experiment_wants(runs: Path, cli: Cli) -> None:
    store = store_of(runs)
    before = {path.name for path in store.root.iterdir()}
    assert cli("gc", runs).out.startswith("0 folders removed")
    assert {path.name for path in store.root.iterdir()} == before
    shutil.rmtree(runs / "two")  # its unit that was begun is nobody's now
    gone = json.loads(cli("gc", runs, "--json").out)
    assert [each["folder"].split("-")[0] for each in gone] == ["finetune"]
    assert gone[0]["bytes"] > 20
    left = before - {path.name for path in store.root.iterdir()}
    assert left == {gone[0]["folder"]}


def test_a_folder_in_which_nothing_was_run_is_refused(tmp_path: Path, cli: Cli) -> None:
    for command in ("status", "retry", "gc", "work"):
        out = cli(command, tmp_path)
        assert out.code == 2
        assert "no experiment was run there" in out.err
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "units.json").write_text("[]")
    assert "not a list of units that this version reads" in cli("status", tmp_path).err


def test_one_process_writes_the_tables_of_an_experiment(tmp_path: Path) -> None:
    handle = None
    with experiment_folder(tmp_path, "one") as folder:
        with (
            pytest.raises(InputError, match=r"one is being run in .* by another process"),
            experiment_folder(tmp_path, "one"),
        ):
            pass
        with experiment_folder(tmp_path, "two") as other:
            assert other != folder
        handle = take(folder.with_name(".one.gainlaw-lock"))
    assert handle is None
    with pytest.raises(InputError, match="cannot be called units"), experiment_folder(tmp_path, "units"):
        pass


@pytest.mark.parametrize("what", ["code", "kind"])
def test_a_worker_that_would_do_it_otherwise_is_refused(what: str, tmp_path: Path, cli: Cli) -> None:
    pytest.importorskip("torch")
    unit = make_unit("world" if what == "code" else "unheard-of", {"seed": 0}, code="of another version")
    ask(tmp_path, "one", [unit])
    out = cli("work", tmp_path)
    assert out.code == 2
    assert "would do 1 of the 1 units otherwise than they were asked for" in out.err


def test_ten_thousand_units_are_looked_over_in_one_reading_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = [make_unit("finetune", {"seed": seed}, code="1", label=str(seed)) for seed in range(2000)]
    ask(tmp_path, "many", units)
    read, listed, store = read_queues(tmp_path), [], store_of(tmp_path)
    store.root.mkdir(parents=True, exist_ok=True)
    for name in ("listdir", "scandir"):
        plain = getattr(os, name)
        monkeypatch.setattr(os, name, lambda path, plain=plain: listed.append(path) or plain(path))
    assert len(stand(read, store)) == 2000
    # Once for what is begun, once for what has a folder at all.
    assert 1 <= len(listed) <= 2
