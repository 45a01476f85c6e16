"""The training loop: a run that was killed, or ran out of memory, ends where an undisturbed one does."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiny_training import CONFIGS, TOKENIZERS, config_of, repeatable, wordpiece

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

import torch

from gainlaw.errors import GainlawError
from gainlaw.training.experiment.recipes import DEFAULTS, Recipe
from gainlaw.training.items.items import ChoiceItem, ClassItem
from gainlaw.training.train import loop
from gainlaw.training.train.adapters import add_adapters, merge_saved, save_adapters
from gainlaw.training.train.backbones import make_model, recompute_activations
from gainlaw.training.train.data import encode, encode_texts
from gainlaw.training.train.heads import HeadShape, MaskedHead, TaskModel
from gainlaw.training.train.loop import Checks, TrainingResult, learning_rate, train, use_bf16
from gainlaw.training.train.objectives import MaskedText, Piece, Supervised, task_batch
from gainlaw.units.execution import StoppedError
from gainlaw.units.store import STOP

STEPS = 9
RECIPE = replace(
    DEFAULTS["finetune"], learning_rate=2e-3, batch_size=6, epochs=None, steps=STEPS, micro_batch_tokens=64
)
WORDS = (
    "it rains on the old bridge and road is wet sun warm dry water why where what happened ada lent bo coat"
)


def texts(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS.split(), rng.integers(2, 12))) for _ in range(count)]


def classes(count: int) -> list[Any]:
    """Return sentences whose class is whether they have an even number of letters e."""
    return [ClassItem(str(i), t, "", t.count("e") % 2) for i, t in enumerate(texts(count, 1))]


def choices(count: int) -> list[Any]:
    options = texts(3 * count, 2)
    return [
        ChoiceItem(str(i), t, tuple(options[3 * i : 3 * i + 2 + i % 2]), i % 2)
        for i, t in enumerate(texts(count, 3))
    ]


def model_of(
    name: str = "bert", *, dropout: float = 0.1, outputs: int = 2, kind: str = "classification"
) -> TaskModel:
    tokenizer = TOKENIZERS["unigram" if name == "xlmr" else "wordpiece"]()
    rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout, "dropout_rate": dropout}
    rates |= {"hidden_dropout": dropout, "attention_dropout": dropout, "dropout": dropout}
    backbone = make_model(config_of(name, tokenizer, **rates), "encoder", 0)
    return TaskModel(backbone, {"t": HeadShape(kind, outputs)}, 0, dropout)


@dataclass
class Run:
    """What is trained, and what it is checked by."""

    objective: Any
    check: Callable[[], float] | None = None


def plain(dropout: float = 0.1, count: int = 20) -> Run:
    encoded = encode(classes(count), "classification", wordpiece(), 32)
    return Run(Supervised(model_of(dropout=dropout), {"t": encoded}, 6, 0, 0))


def with_lora() -> Run:
    run = plain()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        add_adapters(run.objective.model.backbone, 4, 8.0, 0.1, ["query", "value"])
    return run


def with_masked_text() -> Run:
    tokenizer = wordpiece()
    masked = make_model(config_of("bert", tokenizer), "masked", 0)
    text = encode_texts([(t, "") for t in texts(30, 4)], tokenizer, 32)
    special = np.array(sorted(tokenizer.all_special_ids))
    corpus = MaskedText(text, special, tokenizer.mask_token_id, len(tokenizer), 0.15)
    model = TaskModel(
        masked.base_model, {"a": HeadShape("classification", 2), "b": HeadShape("choice", 1)}, 0, 0.1
    )
    tasks = {
        "a": encode(classes(20), "classification", tokenizer, 32),
        "b": encode(choices(20), "choice", tokenizer, 32),
    }
    return Run(Supervised(model, tasks, 6, 0, 0, temperature=2.0, masked=(MaskedHead(masked), corpus, 0.4)))


def with_checks() -> Run:
    """Return a run whose score rises until the weights are some way off their start, and then falls."""
    run = plain()
    model = run.objective.model
    start = [p.detach().clone() for p in model.parameters()]

    def score() -> float:
        with torch.no_grad():
            away = math.sqrt(
                sum(float((p - s).square().sum()) for p, s in zip(model.parameters(), start, strict=True))
            )
        torch.rand(3)  # a check that draws random numbers changes nothing either
        return -abs(away - 0.25)

    return Run(run.objective, score)


RUNS = {"dropout": plain, "lora": with_lora, "masked text": with_masked_text, "early stop": with_checks}


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def finish(
    run: Run, folder: Path, recipe: Recipe = RECIPE, seconds: float = 1e9
) -> tuple[TrainingResult, Any]:
    folder.mkdir(exist_ok=True)
    with repeatable():
        checks = Checks.of_epochs(run.objective, recipe, run.check)
        result = train(run.objective, recipe, seed=5, folder=folder, checks=checks, snapshot_seconds=seconds)
    return result, weights(run.objective.model)


class Killed(BaseException):
    """The process is gone."""


def kill_at(run: Run, step: int) -> None:
    """Have a run end in the middle of a step, with a part of its gradient computed."""
    loss, done = run.objective.loss, run.objective.pieces

    def pieces(at: int, budget: int) -> list[Piece]:
        def stop(piece: Piece) -> torch.Tensor:
            loss(piece).backward()
            raise Killed

        run.objective.loss = stop if at == step else loss
        return done(at, budget)

    run.objective.pieces = pieces


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


# Snapshots


@pytest.mark.parametrize("kind", RUNS)
def test_a_killed_run_goes_on_as_if_nothing_had_been(kind: str, tmp_path: Path) -> None:
    recipe = replace(RECIPE, patience=2, checks=4) if kind == "early stop" else RECIPE
    whole, expected = finish(RUNS[kind](), tmp_path / "whole", recipe)
    if kind == "early stop":
        assert whole.status == "stopped early"
        assert 3 < whole.steps < STEPS
    for step in range(1, whole.steps):
        folder = tmp_path / str(step)
        run = RUNS[kind]()
        kill_at(run, step)
        with pytest.raises(Killed):
            finish(run, folder, recipe, seconds=-1.0)
        assert (folder / "snapshot.safetensors").is_file()
        torch.manual_seed(99)  # another process has other random numbers
        run = RUNS[kind]()
        took: list[int] = []
        done = run.objective.pieces
        run.objective.pieces = lambda at, budget, took=took, done=done: took.append(at) or done(at, budget)
        result, found = finish(run, folder, recipe)
        assert took[0] == step
        assert result.record() == whole.record()
        assert same(found, expected)


def test_a_run_killed_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots are taken now and then only, so each time some steps are done again."""
    whole, expected = finish(with_masked_text(), tmp_path / "whole")
    write, kept = loop.write_snapshot, []

    def rarely(path: Path, model: Any, optimiser: Any, best: Any, state: Any) -> None:
        if state["step"] % 3 == 2:
            kept.append(state["step"])
            write(path, model, optimiser, best, state)

    monkeypatch.setattr(loop, "write_snapshot", rarely)
    for step in (1, 4, 4, 7):
        run = with_masked_text()
        kill_at(run, step)
        with pytest.raises(Killed):
            finish(run, tmp_path / "run", seconds=-1.0)
    result, found = finish(with_masked_text(), tmp_path / "run")
    assert kept == [2, 5]
    assert result.record() == whole.record()
    assert same(found, expected)


def test_a_run_that_is_asked_to_stop_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    whole, expected = finish(plain(), tmp_path / "whole")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / STOP).touch()
    with pytest.raises(StoppedError, match="stopped after step 1 of"):
        finish(plain(), tmp_path / "run")
    (tmp_path / "run" / STOP).unlink()
    result, found = finish(plain(), tmp_path / "run")
    assert same(found, expected)
    assert result.record() == whole.record()


def test_when_snapshots_are_taken_changes_nothing(tmp_path: Path) -> None:
    often = finish(with_checks(), tmp_path / "often", replace(RECIPE, patience=9), seconds=-1.0)
    never = finish(with_checks(), tmp_path / "never", replace(RECIPE, patience=9))
    assert often[0].record() == never[0].record()
    assert same(often[1], never[1])
    assert not (tmp_path / "never" / "snapshot.safetensors").exists()


def test_a_snapshot_that_cannot_be_read_is_not_believed(tmp_path: Path) -> None:
    whole, expected = finish(plain(), tmp_path / "whole")
    for number, content in enumerate((b"", b"\0" * 100, b"\xff" * 9)):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "snapshot.safetensors").write_bytes(content)
        result, found = finish(plain(), folder)
        assert result.record() == whole.record()
        assert same(found, expected)


def test_another_seed_gives_another_dropout(tmp_path: Path) -> None:
    """Else the tests above would show nothing."""
    _, expected = finish(plain(), tmp_path / "one")
    with repeatable():
        (tmp_path / "two").mkdir()
        run = plain()
        train(run.objective, RECIPE, seed=6, folder=tmp_path / "two")
    assert not same(weights(run.objective.model), expected)


def test_the_log_of_a_killed_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_LOG_SECONDS", 0.0)
    run = plain()
    kill_at(run, 5)
    with pytest.raises(Killed):
        finish(run, tmp_path, seconds=-1.0)
    log = tmp_path / "log.jsonl"
    log.write_text(log.read_text() + '{"step": 6, "st')  # a line that the kill cut short
    finish(plain(), tmp_path)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert all(math.isfinite(line["loss"]) and line["tokens_per_second"] > 0 for line in lines)


# Memory


def tight(run: Run, tokens: int) -> list[int]:
    """Have memory run out above a number of tokens; return the sizes of what was tried."""
    loss, tried = run.objective.loss, []

    def limited(piece: Piece) -> torch.Tensor:
        tried.append(piece.tensors["input_ids"].numel())
        if tried[-1] > tokens:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return loss(piece)

    run.objective.loss = limited
    return tried


def of_choices() -> Run:
    encoded = encode(choices(20), "choice", wordpiece(), 32)
    model = model_of(dropout=0.0, outputs=1, kind="choice")
    return Run(Supervised(model, {"t": encoded}, 6, 0, 0))


@pytest.mark.parametrize("make", [lambda: plain(dropout=0.0), of_choices], ids=["classification", "choice"])
def test_smaller_pieces_when_memory_runs_out(make: Callable[[], Run], tmp_path: Path) -> None:
    recipe = replace(RECIPE, micro_batch_tokens=10_000)
    run = make()
    run.objective.model.double()
    whole, expected = finish(run, tmp_path / "whole", recipe)
    run = make()
    run.objective.model.double()
    largest = max(int(e.lengths.max()) for e in run.objective.tasks.values())
    tried = tight(run, largest)
    result, found = finish(run, tmp_path / "tight", recipe)
    # The batches are the same, cut smaller; it is not tried too often, and the smaller size is kept.
    assert (result.steps, result.tokens) == (whole.steps, whole.tokens)
    assert result.loss == pytest.approx(whole.loss, rel=1e-6)
    assert sum(size > largest for size in tried) <= 8
    assert largest / 2 <= result.micro_batch_tokens < whole.micro_batch_tokens
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("make", [lambda: plain(dropout=0.0), of_choices], ids=["classification", "choice"])
def test_one_example_that_does_not_fit_is_told(make: Callable[[], Run], tmp_path: Path) -> None:
    run = make()
    tried = tight(run, 5)
    with pytest.raises(
        GainlawError, match=r"one example does not fit into memory; try a smaller max_length, grad"
    ):
        finish(run, tmp_path)
    assert len(tried) < 12


def test_memory_that_runs_out_half_way_leaves_no_gradient_behind(tmp_path: Path) -> None:
    _, expected = finish(plain(dropout=0.0), tmp_path / "whole")
    run = plain(dropout=0.0)
    loss, calls = run.objective.loss, []

    def once(piece: Piece) -> torch.Tensor:
        calls.append(len(calls))
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return loss(piece)

    run.objective.loss = once
    _, found = finish(run, tmp_path / "run")
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-5)


def test_an_optimiser_that_does_not_fit_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(torch.optim.AdamW, "step", full)
    with pytest.raises(GainlawError, match="the state of the optimiser does not fit into memory; try lora"):
        finish(plain(), tmp_path)


# Ends


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_run_that_diverges_ends_there_with_the_weights_before(what: str, tmp_path: Path) -> None:
    run = plain(dropout=0.0)
    loss, pieces, at, before = run.objective.loss, run.objective.pieces, [0], {}

    def seen(step: int, budget: int) -> list[Piece]:
        at[0] = step
        before[step] = weights(run.objective.model)
        return pieces(step, budget)

    def broken(piece: Piece) -> torch.Tensor:
        value = loss(piece)
        if at[0] == 4:
            # The root has an infinite slope at 0, and the value itself is fine.
            value = value * math.inf if what == "loss" else value + (value - value.detach()).abs().sqrt()
        return value

    run.objective.loss, run.objective.pieces = broken, seen
    result, found = finish(run, tmp_path)
    assert (result.status, result.steps, result.planned) == ("diverged", 4, STEPS)
    assert math.isfinite(result.loss)
    assert same(found, before[4])
    assert all(torch.isfinite(value).all() for value in found.values())


def test_a_run_that_diverges_at_once_has_no_loss(tmp_path: Path) -> None:
    run = plain()
    run.objective.loss = lambda piece: torch.full((), math.nan, requires_grad=True)
    result, found = finish(run, tmp_path)
    assert (result.status, result.steps) == ("diverged", 0)
    assert same(found, weights(plain().objective.model))
    record = result.record()
    assert (record["loss"], record["score"], record["status"]) == (None, None, "diverged")
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_an_early_stop_keeps_the_best_weights(tmp_path: Path) -> None:
    run = with_checks()
    check, history = run.check, []
    assert check is not None

    def noted() -> float:
        score = check()
        history.append((score, weights(run.objective.model)))
        return score

    run.check = noted
    result, found = finish(run, tmp_path, replace(RECIPE, patience=2, checks=4))
    scores = [score for score, _ in history]
    best = int(np.argmax(scores))
    assert result.status == "stopped early"
    assert result.score == scores[best]
    assert best == len(scores) - 3 > 0  # the last two checks were no better
    assert result.steps == len(scores) < STEPS  # four checks in an epoch of four steps
    assert same(found, history[best][1])
    assert not same(found, history[-1][1])


@pytest.mark.parametrize(
    ("scores", "first", "best", "steps"),
    [
        (
            (0.9, 0.2, 0.4, 0.4, -math.inf),
            2,
            4,
            8,
        ),  # the first one comes too early, of two the earlier is kept
        ((0.9, 0.2, 0.4, 0.4, -math.inf), 0, 0, 4),
        ((-math.inf,) * 5, 0, 0, 4),
        ((0.9, 0.2, 0.3, 0.4, 0.5, 0.6), 50, None, 9),
    ],
)
def test_the_stopping_rule(
    scores: tuple[float, ...], first: int, best: int | None, steps: int, tmp_path: Path
) -> None:
    given = iter(scores)
    checks = Checks(lambda: {"score": next(given)}, every=2, patience=2, first=first, at_start=True)
    with repeatable():
        result = train(plain().objective, RECIPE, seed=5, folder=tmp_path, checks=checks)
    assert (result.best, result.steps) == (best, steps)
    assert [check["step"] for check in result.checks] == [0, 2, 4, 6, 8, 9][: len(result.checks)]
    assert result.checks[1]["loss"] == pytest.approx(result.loss, rel=0.5)
    assert math.isnan(result.checks[0]["loss"])


def test_the_best_weights_are_kept_to_the_end_and_without_patience_the_last(tmp_path: Path) -> None:
    run = with_checks()
    result, found = finish(run, tmp_path / "patient", replace(RECIPE, patience=50, checks=4))
    assert (result.status, result.steps) == ("ok", STEPS)
    last = finish(with_checks(), tmp_path / "last")
    assert math.isnan(last[0].score)
    assert not same(found, last[1])
    # A check at the end also where an epoch is longer than the run.
    result, _ = finish(with_checks(), tmp_path / "short", replace(RECIPE, patience=1, steps=2, checks=1))
    assert math.isfinite(result.score)


def test_checks_do_not_change_the_training(tmp_path: Path) -> None:
    """They draw random numbers of their own, and dropout goes on as if they had not."""
    checked, _ = finish(with_checks(), tmp_path / "checked", replace(RECIPE, patience=50, checks=4))
    unchecked, _ = finish(plain(), tmp_path / "unchecked")
    assert checked.loss == unchecked.loss
    assert math.isfinite(checked.score)


def test_a_run_learns(tmp_path: Path) -> None:
    run = plain(count=64)
    result, _ = finish(run, tmp_path, replace(RECIPE, steps=300, batch_size=32, learning_rate=5e-3))
    assert result.loss < 0.4 < math.log(2)


# Learning rates


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_learning_rates(schedule: str, warmup: float, steps: int) -> None:
    recipe = replace(RECIPE, schedule=schedule, warmup=warmup, learning_rate=0.5)
    rates = np.array([learning_rate(step, steps, recipe) for step in range(steps)])
    warm = max(1, round(warmup * steps))
    np.testing.assert_allclose(rates[:warm], 0.5 * np.arange(1, warm + 1) / warm)
    left = 1 - (np.arange(warm, steps) - warm) / max(1, steps - warm)
    shape = {"linear": left, "cosine": 0.5 - 0.5 * np.cos(np.pi * left), "constant": np.ones_like(left)}
    np.testing.assert_allclose(rates[warm:], 0.5 * shape[schedule], atol=1e-12)
    assert (rates > 0).all()
    assert rates.max() == 0.5


def test_the_optimiser_gets_the_rates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, used, decays = torch.optim.AdamW.step, [], []

    def noted(self: torch.optim.AdamW, *given: Any) -> Any:
        used.append({group["lr"] for group in self.param_groups})
        decays.append(
            [(group["weight_decay"], {p.ndim for p in group["params"]}) for group in self.param_groups]
        )
        return step(self, *given)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    recipe = replace(RECIPE, warmup=0.3, schedule="cosine")
    finish(plain(), tmp_path, recipe)
    assert used == [{learning_rate(at, STEPS, recipe)} for at in range(STEPS)]
    (decay, matrices), (none, vectors) = decays[0]
    assert (decay, none, vectors) == (recipe.weight_decay, 0.0, {1})
    assert min(matrices) >= 2


# Precision and memory for time


def test_bf16_runs_on_the_cpu_and_keeps_weights_in_fp32(tmp_path: Path) -> None:
    exact, one = finish(plain(dropout=0.0), tmp_path / "fp32", replace(RECIPE, precision="fp32"))
    rough, two = finish(plain(dropout=0.0), tmp_path / "bf16", replace(RECIPE, precision="bf16"))
    assert rough.loss == pytest.approx(exact.loss, rel=0.02)
    assert not same(one, two)
    assert {value.dtype for value in two.values()} == {torch.float32}
    _, three = finish(plain(dropout=0.0), tmp_path / "auto")
    assert same(one, three)
    assert (use_bf16("auto", "cpu"), use_bf16("bf16", "cpu"), use_bf16("fp32", "cpu")) == (False, True, False)


def batch_for(model: TaskModel, name: str) -> dict[str, torch.Tensor]:
    tokenizer = TOKENIZERS["unigram" if name == "xlmr" else "wordpiece"]()
    encoded = encode(classes(8), "classification", tokenizer, 32)
    return task_batch(encoded, np.arange(8), tokenizer.pad_token_id)


def layer_of(model: TaskModel) -> torch.nn.Module:
    (layers,) = (
        m
        for m in model.backbone.modules()
        if isinstance(m, torch.nn.ModuleList)
        and len(m) == 2
        and m[0].__class__.__name__.endswith(("Layer", "Block"))
        and not m[0].__class__.__name__.startswith("MT5LayerSelf")
    )
    return layers[0]


@pytest.mark.parametrize("name", CONFIGS)
def test_gradient_checkpointing_gives_the_same_gradients(name: str) -> None:
    """With dropout: what is computed again drops the same."""
    found, counts = [], []
    for again in (False, True):
        model = model_of(name)
        model.train()
        if again:
            recompute_activations(model.backbone)
        calls: list[int] = []
        inner = next(m for m in layer_of(model).modules() if isinstance(m, torch.nn.Linear))
        inner.register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        batch = batch_for(model, name)
        with repeatable():
            torch.manual_seed(0)
            scores = model("t", batch)
            torch.nn.functional.cross_entropy(scores, batch["labels"]).backward()
        found.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
        counts.append(len(calls))
    assert counts == [1, 2]
    assert len(found[0]) > 10
    assert same(found[0], found[1])


@pytest.mark.parametrize("name", CONFIGS)
def test_scores_do_not_depend_on_padding_or_on_what_else_is_in_the_batch(name: str) -> None:
    model = model_of(name).eval()
    with torch.no_grad():
        for weight in model.backbone.parameters():  # as large as after training
            weight.mul_(5.0 if weight.ndim > 1 else 1.0)
    tokenizer = TOKENIZERS["unigram" if name == "xlmr" else "wordpiece"]()
    encoded = encode(classes(8), "classification", tokenizer, 32)
    with torch.no_grad():
        together = model("t", task_batch(encoded, np.arange(8), tokenizer.pad_token_id))
        for row in range(8):
            (alone,) = model("t", task_batch(encoded, np.array([row]), tokenizer.pad_token_id))
            torch.testing.assert_close(alone, together[row], rtol=1e-4, atol=1e-5)
    assert together.std(dim=0).min() > 1e-3  # they differ, or this would show nothing


@pytest.mark.parametrize("name", CONFIGS)
def test_adapters_alone_are_trained_and_merge_into_the_same_model(name: str, tmp_path: Path) -> None:
    model = model_of(name, dropout=0.0)
    untouched = weights(model.backbone)
    torch.manual_seed(0)
    adapted = add_adapters(model.backbone, 4, 8.0, 0.0, ["query", "value", "feed_forward"])
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert {"lora" in n or n.startswith("heads.") for n in trained} == {True}
    assert any("lora_B" in n for n in trained)
    tokenizer = TOKENIZERS["unigram" if name == "xlmr" else "wordpiece"]()
    encoded = encode(classes(20), "classification", tokenizer, 32)
    objective = Supervised(model, {"t": encoded}, 6, 0, tokenizer.pad_token_id)
    head = deepcopy(model.heads.state_dict())
    recipe = replace(RECIPE, learning_rate=2e-2)
    finish(Run(objective), tmp_path / "run", recipe)
    model.eval()
    batch = batch_for(model, name)
    with torch.no_grad():
        scores = model("t", batch)
    after = {n.replace(".base_layer", ""): p for n, p in model.backbone.named_parameters() if "lora" not in n}
    assert same({n: p.detach() for n, p in after.items()}, untouched)
    assert not same(head, model.heads.state_dict())
    save_adapters(adapted, tmp_path / "adapters")
    assert not list((tmp_path / "adapters").glob("*.bin"))
    fresh = model_of(name, dropout=0.0)
    with torch.no_grad():
        plain_scores = TaskModel.forward(fresh, "t", batch)
    fresh.backbone = merge_saved(fresh.backbone, tmp_path / "adapters")
    fresh.heads.load_state_dict(model.heads.state_dict())
    fresh.eval()
    with torch.no_grad():
        merged = fresh("t", batch)
    torch.testing.assert_close(merged, scores, rtol=1e-4, atol=1e-5)
    assert (merged - plain_scores).abs().max() > 1e-3
    assert weights(fresh.backbone).keys() == untouched.keys()
    assert not same(weights(fresh.backbone), untouched)
