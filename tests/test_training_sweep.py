"""Learning rates found on English development items, and what a plan says of time, memory and price."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gainlaw.errors import GainlawError, InputError
from gainlaw.training.experiment.known import known_config
from gainlaw.training.experiment.reading import open_experiment, parse_experiment
from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.jobs.choose import run as choose
from gainlaw.training.plan.memory import peak_memory
from gainlaw.training.plan.report import make_plan
from gainlaw.training.plan.wall import wall_hours
from gainlaw.training.runs.graph import build_graph
from gainlaw.units.unit import make_unit
from tiny_training import CONFIGS, run_here, toml


def swept(folder: Path, **keys: Any) -> Experiment:
    given: dict[str, Any] = {
        "name": "swept",
        "seeds": [0, 1],
        "world": {"documents": 200, "train": 60, "validation": 30, "test": 20, "per_family": 1},
        "pretraining": {"seeds": [0]},
        "training": {"max_length": 32, "steps": 3, "batch_size": 8, "learning_rate": 1e-3},
        "checkpoints": [{"name": "tiny", "model_family": "T", "config": CONFIGS["bert"]}],
        "intermediates": [{"name": "siqa", "tasks": ["world_siqa"]}],
        "targets": [{"task": "world_nli"}],
        "sweep": {"factors": [10.0, 1.0]},
        "compute": {"device": "cpu"},
    }
    text = "\n".join(f"{key} = {toml(value)}" for key, value in (given | keys).items())
    return parse_experiment(text, folder, "swept.toml")


def test_rates_are_searched_for_once_a_start_and_used_by_all_that_goes_back_to_it(tmp_path: Path) -> None:
    graph = build_graph(swept(tmp_path), "cpu")
    kinds = [unit.kind for unit in graph.units.values()]
    # one start, an intermediate and a target, two rates each; two seeds share them
    assert (kinds.count("trial"), kinds.count("choose")) == (4, 2)
    assert (kinds.count("intermediate"), kinds.count("finetune")) == (2, 4)
    tuned = [unit for unit in graph.units.values() if unit.kind == "finetune"]
    assert len({unit.parents["rate"] for unit in tuned}) == 1
    assert all(unit.spec["recipe"]["learning_rate"] is None for unit in tuned)
    trials = [unit for unit in graph.units.values() if unit.kind == "trial"]
    assert sorted(unit.spec["recipe"]["learning_rate"] for unit in trials) == [1e-3, 1e-3, 1e-2, 1e-2]
    plain = build_graph(swept(tmp_path, sweep={"factors": [1.0, 2.0], "phases": ["intermediate"]}), "cpu")
    assert [unit.kind for unit in plain.units.values()].count("choose") == 1


def test_the_chosen_rate_is_what_a_model_is_trained_at(tmp_path: Path) -> None:
    given = swept(tmp_path, seeds=[0])
    graph = run_here(given, tmp_path / "run")
    units = tmp_path / "run" / "units"
    for unit in (each for each in graph.units.values() if each.kind == "choose"):
        choice = json.loads((units / unit.name / "choice.json").read_text())
        assert [trial["learning_rate"] for trial in choice["trials"]] == [1e-3, 1e-2]
        assert not (units / unit.parents["trial.0"] / "model").exists()
    # a model trained at the rate, stated by hand, is the same to the byte
    (tuned,) = [u for u in graph.units.values() if u.kind == "finetune" and "siqa" not in u.label]
    rate = json.loads((units / tuned.parents["rate"] / "choice.json").read_text())["learning_rate"]
    stated = swept(tmp_path, seeds=[0], intermediates=[], training={"max_length": 32, "steps": 3, "batch_size": 8, "learning_rate": rate, "pretrain": {"learning_rate": 1e-3}})  # noqa: E501  # fmt: skip
    by_hand = run_here(stated.model_copy(update={"sweep": None}), tmp_path / "hand")
    (same,) = [unit for unit in by_hand.units.values() if unit.kind == "finetune"]
    weights = [
        path / "model" / "model.safetensors"
        for path in (units / tuned.name, tmp_path / "hand" / "units" / same.name)
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def chosen(folder: Path, *trials: tuple[float, str]) -> Any:
    for number, (score, status) in enumerate(trials):
        (folder / str(number)).mkdir()
        text = json.dumps({"development": score, "status": status})
        (folder / str(number) / "result.json").write_text(text)
    written: dict[str, Any] = {}
    job = SimpleNamespace(
        spec={"learning_rates": [10.0**-k for k in range(len(trials))]},
        parent=lambda role: folder / role.removeprefix("trial."),
        write=written.__setitem__,
    )
    choose(job)  # type: ignore[arg-type]
    return written["choice.json"]["learning_rate"]


def test_the_best_that_trains_is_chosen_and_of_equals_the_smaller(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
    assert chosen(tmp_path / "a", (0.9, "collapsed"), (0.7, "ok"), (0.7, "ok"), (0.6, "ok")) == 0.01
    assert chosen(tmp_path / "b", (0.3, "collapsed"), (0.4, "diverged")) == 0.1
    with pytest.raises(GainlawError, match=r"no learning rate trains this model: 1 diverged"):
        chosen(tmp_path / "c", (float("nan"), "diverged"))


def test_a_sweep_needs_development_items_and_two_rates(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sweep\.factors"):
        swept(tmp_path, sweep={"factors": [1.0]})
    with pytest.raises(InputError, match="more than once"):
        swept(tmp_path, sweep={"factors": [1.0, 1.0]})


def test_a_plan_says_wall_time_and_price(tmp_path: Path) -> None:
    given = open_experiment("xtreme_r", only=["xlm-roberta-base", "xnli", "mnli"])
    graph = build_graph(given, "cpu")
    alone, many = (make_plan(given, graph, parallel=n, price=2.0) for n in (1, 1000))
    assert alone.wall_hours == pytest.approx(alone.gpu_hours)
    assert alone.cost == pytest.approx(2.0 * alone.gpu_hours)
    # no number of GPUs beats the longest chain of units that read each other
    hours = {unit.name: unit.flops / (alone.throughput_tflops * 3.6e15) for unit in many.units}
    longest: dict[str, float] = {}
    for name, unit in graph.units.items():
        longest[name] = hours[name] + max((longest[p] for p in unit.parents.values()), default=0.0)
    assert many.wall_hours == pytest.approx(max(longest.values()))
    four = make_plan(given, graph, parallel=4).wall_hours
    assert max(alone.wall_hours / 4, many.wall_hours) <= four < alone.wall_hours
    assert json.loads(json.dumps(alone.record()))["parallel"] == 1


def test_units_that_are_done_take_no_time() -> None:
    a = make_unit("a", {}, code="1", name="a")
    b = make_unit("b", {}, {"model": a}, code="1", name="b")
    assert wall_hours({"a": a, "b": b}, {"b": 2.0}, {}, 1) == 2.0
    assert wall_hours({"a": a, "b": b}, {}, {}, 1) == 0.0


def test_memory_of_shards_is_what_is_spread_and_what_is_gathered() -> None:
    config = known_config("facebook/xlm-roberta-xxl")
    assert config is not None
    given: dict[str, Any] = {"micro_batch_tokens": 4096, "max_length": 128}
    whole, spread, far = (peak_memory(config, shards=n, **given) for n in (1, 8, 512))
    assert spread.weights_bytes == -(-whole.weights_bytes // 8)
    assert spread.optimizer_bytes == -(-whole.optimizer_bytes // 8)
    # what one GPU works on does not shrink with their number
    assert far.activations_bytes == spread.activations_bytes
    assert far.total_bytes > far.activations_bytes > 0
    with pytest.raises(InputError, match="shards"):
        peak_memory(config, shards=0, **given)


def test_plans_of_many_units_do_not_count_alike_ones_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeds change no cost: what is counted is the same for one seed and for fifty."""
    from gainlaw.training.plan import report

    counted: list[int] = []
    before = report._cost

    def count(*arguments: Any) -> Any:
        counted.append(1)
        return before(*arguments)

    monkeypatch.setattr(report, "_cost", count)
    given = open_experiment("ladder")
    numbers = []
    for seeds in ([0], list(range(20))):
        counted.clear()
        some = given.model_copy(update={"seeds": seeds})
        plan = make_plan(some, build_graph(some, "cpu"))
        numbers.append((len(counted), len(plan.units)))
    assert numbers[0][0] == numbers[1][0]
    assert numbers[1][1] > 10 * numbers[0][1]
