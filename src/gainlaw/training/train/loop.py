"""The training loop: steps of micro-batches, a learning-rate schedule, checks, snapshots, a log."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gainlaw.errors import GainlawError
from gainlaw.training.experiment.recipes import Recipe
from gainlaw.training.shards.models import whole
from gainlaw.training.shards.ranks import Ranks, ranks_here
from gainlaw.training.train.objectives import Objective, Piece, Supervised
from gainlaw.training.train.snapshots import read_snapshot, write_snapshot
from gainlaw.units.execution import StoppedError
from gainlaw.units.store import STOP

__all__ = ["Checks", "TrainingResult", "learning_rate", "train"]

_LOG_SECONDS = 1.0
_RECENT = 50
SNAPSHOT = "snapshot.safetensors"
LOG = "log.jsonl"


@dataclass(frozen=True, slots=True)
class Checks:
    """How held-out data are looked at during training; the weights of the best check are those in the end.

    Attributes
    ----------
    judge : callable
        Returns numbers by name, among them ``score``, the larger the better.
    every : int
        Steps between checks; there is one after step `first` and after the last one too.
    patience : int
        Training ends after that many checks without improvement.
    first : int
        Checks before this step are noted, but do not count.
    at_start : bool
        Whether there is a check before the first step.
    """

    judge: Callable[[], Mapping[str, float]]
    every: int
    patience: int
    first: int = 0
    at_start: bool = False

    @classmethod
    def of_epochs(
        cls, objective: Objective, recipe: Recipe, score: Callable[[], float] | None
    ) -> Checks | None:
        """Return the checks of a recipe, some in each epoch; None without `score`, or without patience."""
        if score is None or not recipe.patience:
            return None
        every = max(1, round(objective.steps_in_epoch() / recipe.checks))
        return cls(lambda: {"score": score()}, every, recipe.patience)

    def due(self, step: int, steps: int) -> bool:
        """Return whether there is a check after a step."""
        return (step % self.every == 0 or step in (self.first, steps)) and (step > 0 or self.at_start)


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """How a training run went.

    Attributes
    ----------
    steps, planned : int
        Steps done, and those of the recipe; fewer are done after an early stop.
    loss : float
        Mean over the last 50 steps, per prediction, in nats.
    score : float
        The best score of the checks that count; NaN without any.
    status : str
        ``ok``, ``stopped early``, or ``diverged`` (loss or gradient became infinite or NaN; training ended there,
        with the weights before that step).
    micro_batch_tokens : int
        The budget at the end: smaller than the recipe's when memory ran out.
    tokens : int
        Tokens seen, padding not counted.
    best : int or None
        The step whose weights are kept, where a check has chosen one.
    checks : tuple of mapping of str to float
        Of each check the step, the mean loss of the steps since the one before, and what `Checks.judge` returned.
    """

    steps: int
    planned: int
    loss: float
    score: float
    status: str
    micro_batch_tokens: int
    tokens: int
    best: int | None = None
    checks: tuple[Mapping[str, float], ...] = ()

    def record(self) -> dict[str, Any]:
        """Return the values as plain data, without those of single checks; None stands for NaN."""
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in asdict(self).items()
            if name not in ("best", "checks")
        }


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Return the learning rate of a step: it rises in the warm-up, then falls to nothing, or stays.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from gainlaw.training.experiment.recipes import DEFAULTS
    >>> recipe = replace(DEFAULTS["finetune"], learning_rate=1.0, warmup=0.2)
    >>> [round(learning_rate(step, 10, recipe), 3) for step in (0, 1, 2, 9)]
    [0.5, 1.0, 1.0, 0.125]
    """
    warm = max(1, round(steps * recipe.warmup))
    if step < warm:
        return recipe.learning_rate * (step + 1) / warm
    left = (steps - step) / max(1, steps - warm)
    if recipe.schedule == "constant":
        return recipe.learning_rate
    if recipe.schedule == "cosine":
        return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (1 - left)))
    return recipe.learning_rate * left


def planned_steps(objective: Objective, recipe: Recipe) -> int:
    """Return the number of steps of a recipe."""
    if recipe.steps is not None:
        return recipe.steps
    assert recipe.epochs is not None
    return max(1, round(recipe.epochs * objective.steps_in_epoch()))


def train(
    objective: Objective,
    recipe: Recipe,
    *,
    seed: int,
    folder: Path,
    device: str = "cpu",
    checks: Checks | None = None,
    snapshot_seconds: float = 300.0,
) -> TrainingResult:
    """Train a model in place.

    Parameters
    ----------
    objective : Objective
        The model, its batches and its loss.
    recipe : Recipe
        How.
    seed : int
        Of dropout, which is drawn for each micro-batch by its step and place.
    folder : Path
        Where the log (``log.jsonl``) and the snapshot go; a snapshot that lies there is gone on from.
    device : str
        Where the model is.
    checks : Checks, optional
        How held-out data are looked at; without them, the last weights are kept.
    snapshot_seconds : float
        Time between snapshots; when they are taken does not change the result.

    Returns
    -------
    TrainingResult

    Raises
    ------
    GainlawError
        If a single example, or the state of the optimiser, does not fit into memory; `StoppedError` if it was asked
        to stop, after a snapshot.
    """
    model, ranks = objective.model, ranks_here()
    steps = planned_steps(objective, recipe)
    optimiser = _optimiser(model, recipe, device)
    state: dict[str, Any] = {
        "step": 0,
        "budget": recipe.micro_batch_tokens,
        "parts": ranks.size,
        "recent": [],
        "tokens": 0,
        "score": None,
        "best": None,
        "waited": 0,
        "since": [],
        "checks": [],
    }
    best: dict[str, torch.Tensor] = {}
    found = read_snapshot(folder / SNAPSHOT, model, optimiser)
    if found is not None:
        state, best = found
    status, saved = "ok", time.monotonic()
    model.train()
    log_file = folder / LOG if ranks.leads else Path(os.devnull)
    with closing(_Log(log_file, state["step"], steps)) as log:
        if checks is not None and state["step"] == 0 and checks.due(0, steps):
            _look(model, checks, state, best)
        while state["step"] < steps:
            rate = learning_rate(state["step"], steps, recipe)
            loss, tokens = _step(objective, optimiser, recipe, rate, seed, state, ranks, device)
            if not math.isfinite(loss):
                status = "diverged"
                break
            state["step"] += 1
            state["tokens"] += tokens
            state["recent"] = [*state["recent"][1 - _RECENT :], loss]
            log.line(state["step"], loss, rate, tokens)
            if checks is not None:
                state["since"].append(loss)
            if checks is not None and checks.due(state["step"], steps):
                score = _look(model, checks, state, best)
                log.line(state["step"], loss, rate, 0, {"validation": score})
                if state["waited"] >= checks.patience:
                    status = "stopped early" if state["step"] < steps else status
                    break
            stop, due = ranks.agreed((folder / STOP).exists(), time.monotonic() - saved > snapshot_seconds)
            if (stop or due) and state["step"] < steps:
                write_snapshot(folder / SNAPSHOT, model, optimiser, best, state)
                saved = time.monotonic()
                if stop:
                    raise StoppedError(f"stopped after step {state['step']} of {steps}, where it goes on")
    _restore(model, best)
    recent = state["recent"]
    return TrainingResult(
        steps=state["step"],
        planned=steps,
        loss=sum(recent) / len(recent) if recent else math.nan,
        score=math.nan if state["score"] is None else state["score"],
        status=status,
        micro_batch_tokens=state["budget"],
        tokens=state["tokens"],
        best=state["best"],
        checks=tuple(state["checks"]),
    )


def _optimiser(model: torch.nn.Module, recipe: Recipe, device: str) -> torch.optim.AdamW:
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},  # biases and norms
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98), eps=1e-6, fused=True)


def _step(
    objective: Objective,
    optimiser: torch.optim.Optimizer,
    recipe: Recipe,
    rate: float,
    seed: int,
    state: dict[str, Any],
    ranks: Ranks,
    device: str,
) -> tuple[float, int]:
    """Do one step, halving the micro-batches while memory runs out; return mean loss and tokens."""
    while True:
        pieces = _pieces(objective, state)
        total = _accumulate(objective, pieces, recipe, (seed, state["step"]), ranks, device)
        if total is not None:
            break
        optimiser.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        if ranks.size > 1:  # the others wait for what this process cannot do
            raise GainlawError("a micro-batch does not fit into memory; try a smaller micro_batch_tokens")
        if max(piece.examples for piece in pieces) == 1:
            raise GainlawError(
                "one example does not fit into memory; try a smaller max_length, gradient_checkpointing = true "
                "or lora"
            )
        largest = max(piece.size for piece in pieces)
        state["budget"] = max(1, min(state["budget"], largest) // 2)
    for group in optimiser.param_groups:
        group["lr"] = rate
    trained = [p for group in optimiser.param_groups for p in group["params"]]
    norm = float(whole(torch.nn.utils.clip_grad_norm_(trained, recipe.clip)))
    if math.isfinite(total) and math.isfinite(norm):
        try:
            optimiser.step()
        except torch.OutOfMemoryError:
            raise GainlawError("the state of the optimiser does not fit into memory; try lora") from None
    optimiser.zero_grad(set_to_none=True)
    return total if math.isfinite(norm) else math.nan, sum(piece.tokens for piece in pieces)


def _pieces(objective: Objective, state: Mapping[str, Any]) -> list[Piece]:
    """Return the micro-batches of a step: as many as processes began the run, or more, whoever goes on with it."""
    if state["parts"] == 1:
        return objective.pieces(state["step"], state["budget"])
    assert isinstance(objective, Supervised)
    return objective.pieces(state["step"], state["budget"], state["parts"])


def _accumulate(
    objective: Objective,
    pieces: list[Piece],
    recipe: Recipe,
    seeds: tuple[int, int],
    ranks: Ranks,
    device: str,
) -> float | None:
    """Add up the gradient of a batch; return its mean loss, or None where memory ran out."""
    try:
        return _backward(objective, pieces, recipe, seeds, ranks, device)
    except torch.OutOfMemoryError:
        return None  # once this is left, nothing holds on to the activations


def _backward(
    objective: Objective,
    pieces: list[Piece],
    recipe: Recipe,
    seeds: tuple[int, int],
    ranks: Ranks,
    device: str,
) -> float:
    weight = max(1, sum(piece.weight for piece in pieces))
    half = use_bf16(recipe.precision, device)
    total = torch.zeros((), device=device)
    for place, piece, counts in ranks.turns(pieces):
        moved = {name: value.to(device, non_blocking=True) for name, value in piece.tensors.items()}
        _seed(*seeds, place)
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
            loss = objective.loss(replace(piece, tensors=moved)) / weight * counts
        (loss * ranks.size).backward()  # the mean over processes is taken of their gradients
        total += loss.detach()
    return float(ranks.added(total))


def _seed(seed: int, step: int, place: int) -> None:
    """Have dropout of a micro-batch depend on where it is, not on what was drawn before nor on who does it."""
    torch.manual_seed(int(np.random.SeedSequence([seed, step, place]).generate_state(1, np.uint64)[0] >> 1))


def use_bf16(precision: str, device: str) -> bool:
    """Return whether to compute in bf16: when asked to, or, for ``auto``, on a GPU that has it."""
    if precision == "auto":
        return device.startswith("cuda") and torch.cuda.is_bf16_supported()
    return precision == "bf16"


def _look(
    model: torch.nn.Module, checks: Checks, state: dict[str, Any], best: dict[str, torch.Tensor]
) -> float:
    """Do a check, keep what it found and, of the best one, the weights; return its score."""
    found = dict(checks.judge())
    model.train()
    losses, state["since"] = state["since"], []
    loss = sum(losses) / len(losses) if losses else math.nan
    state["checks"].append({"step": state["step"], "loss": loss} | found)
    if state["step"] < checks.first:
        return found["score"]
    if state["score"] is None or found["score"] > state["score"]:
        state |= {"score": found["score"], "best": state["step"], "waited": 0}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                best[name] = parameter.detach().clone()
    else:
        state["waited"] += 1
    return found["score"]


def _restore(model: torch.nn.Module, best: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in best:
                parameter.copy_(best[name])


class _Log:
    """Lines of JSON about the run, at most one a second, for people and for the progress display."""

    def __init__(self, path: Path, step: int, steps: int) -> None:
        kept = []
        if path.is_file() and step:
            lines = path.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        self.file = path.open("w", encoding="utf-8")
        self.file.writelines(line + "\n" for line in kept)
        self.first, self.steps, self.start, self.last = step, steps, time.monotonic(), 0.0
        self.tokens, self.losses = 0, [0.0, 0]

    def line(
        self, step: int, loss: float, rate: float, tokens: int, more: Mapping[str, Any] | None = None
    ) -> None:
        self.tokens += tokens
        self.losses = [self.losses[0] + loss, self.losses[1] + 1]
        now = time.monotonic() - self.start
        if more is None and step < self.steps and now - self.last < _LOG_SECONDS:
            return
        record = {
            "step": step,
            "steps": self.steps,
            "loss": round(self.losses[0] / self.losses[1], 5),
            "learning_rate": rate,
            "tokens_per_second": round(self.tokens / max(now, 1e-9)),
            "seconds": round(now, 2),
            "left_seconds": round((self.steps - step) * now / max(step - self.first, 1), 1),
        }
        self.file.write(json.dumps(record | dict(more or {})) + "\n")
        self.file.flush()
        self.last, self.losses = now, [0.0, 0]

    def close(self) -> None:
        self.file.close()
