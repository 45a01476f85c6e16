"""A tiny training that any number of processes does: one of them alone, or two together.

``python tests/spread_training.py PLAN.json``
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist

from gainlaw.errors import GainlawError
from gainlaw.training.experiment.recipes import DEFAULTS
from gainlaw.training.items.items import ChoiceItem, ClassItem
from gainlaw.training.jobs.evaluate import predict
from gainlaw.training.shards.models import (
    hollow_model,
    local_part,
    require_spread,
    save_spread,
    spread_model,
    whole,
)
from gainlaw.training.shards.ranks import ranks_here
from gainlaw.training.train import loop
from gainlaw.training.train.backbones import load_model, load_tokenizer, recompute_activations
from gainlaw.training.train.data import encode
from gainlaw.training.train.heads import HeadShape, TaskModel
from gainlaw.training.train.loop import Checks, train
from gainlaw.training.train.objectives import Supervised
from gainlaw.units.execution import StoppedError
from gainlaw.units.store import STOP

STEPS = 12
WORDS = "it rains on the old bridge and road is wet sun warm dry water why where what happened as a result"
RECIPE = replace(
    DEFAULTS["finetune"],
    learning_rate=1e-2,
    batch_size=7,  # no two processes have as many examples
    epochs=None,
    steps=STEPS,
    micro_batch_tokens=64,
    max_length=32,
    checks=2,
    patience=50,
)


def texts(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS.split(), rng.integers(2, 14))) for _ in range(count)]


def tasks(tokenizer: Any) -> dict[str, Any]:
    """Return examples of two kinds: the weight of a batch is the number of its examples, or less."""
    classes = [ClassItem(str(i), t, "", t.count("e") % 2) for i, t in enumerate(texts(40, 1))]
    options = texts(90, 2)
    choices = [
        ChoiceItem(str(i), t, tuple(options[3 * i : 3 * i + 2 + i % 2]), i % 2)
        for i, t in enumerate(texts(30, 3))
    ]
    return {
        "a": encode(classes, "classification", tokenizer, 32),
        "b": encode(choices, "choice", tokenizer, 32),
    }


def made(origin: Path, dropout: float, half: bool = False) -> TaskModel:
    """Return the model, spread where there are others."""
    ranks = ranks_here()
    backbone = load_model(origin, "encoder") if ranks.size == 1 else hollow_model(origin, None, "encoder")
    recompute_activations(backbone)
    for module in backbone.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = dropout
    shapes = {"a": HeadShape("classification", 2), "b": HeadShape("choice", 1)}
    model = TaskModel(backbone, shapes, 0, dropout)
    if ranks.size > 1:
        spread_model(model, backbone, origin, None, ranks, half=half)
    return model


def curve(origin: Path, folder: Path, *, dropout: float, tokens: int, stop: int = 0) -> dict[str, Any]:
    """Train, from a snapshot if there is one, to a step or to the end; return the losses and what was looked at."""
    tokenizer = load_tokenizer(origin)
    model, data = made(origin, dropout), tasks(tokenizer)
    objective = Supervised(model, data, RECIPE.batch_size, 0, tokenizer.pad_token_id, temperature=2.0)
    losses: dict[int, float] = {}
    step = loop._step

    def noted(*given: Any) -> tuple[float, int]:
        found = step(*given)
        state = next(each for each in given if isinstance(each, dict))
        losses[state["step"]] = found[0]
        if state["step"] + 1 == stop and ranks_here().leads:
            (folder / STOP).touch()
        return found

    loop._step = noted
    recipe = replace(RECIPE, micro_batch_tokens=tokens)

    def score() -> float:
        found = [
            predict(model, n, each, tokenizer.pad_token_id, tokens, "cpu", "fp32") for n, each in data.items()
        ]
        return sum(float(outcome.right.mean()) for outcome in found)

    checks = Checks.of_epochs(objective, recipe, score)
    folder.mkdir(parents=True, exist_ok=True)
    scores: list[float] = []
    with suppress(StoppedError):
        result = train(objective, recipe, seed=5, folder=folder, checks=checks)
        scores = [check["score"] for check in result.checks]
    loop._step = step
    if ranks_here().leads:
        (folder / STOP).unlink(missing_ok=True)
    weights = {name: whole(p).double().norm().item() for name, p in model.named_parameters()}
    return {"losses": losses, "scores": scores, "norms": weights}


def loaded(origin: Path, folder: Path) -> dict[str, Any]:
    """Read a model spread, write it in files of 3,000 bytes, and tell how much of it each process holds."""
    ranks = ranks_here()
    backbone = hollow_model(origin, None, "encoder")
    model = TaskModel(backbone, {"a": HeadShape("classification", 3)}, 0)
    spread_model(model, backbone, origin, None, ranks)
    held = torch.zeros(ranks.size)
    held[ranks.rank] = sum(local_part(p)[0].numel() for p in model.parameters())
    held = ranks.added(held)
    save_spread(backbone, folder / "many", ranks, 3000)
    save_spread(backbone, folder / "one", ranks)
    model.loose = torch.nn.Parameter(torch.zeros(3))  # that nobody has spread
    with pytest.raises(GainlawError, match="not spread over 2 processes: loose"):
        require_spread(model, ranks)
    del model.loose
    weight: Any = model.heads["a"][0].weight
    part = weight._local_tensor
    weight._local_tensor = torch.zeros(999)[: part.numel()].view(part.shape)  # a part of something larger
    with pytest.raises(GainlawError, match="a process holds"):
        require_spread(model, ranks)
    return {"held": held.tolist(), "whole": sum(p.numel() for p in model.parameters())}


def half(origin: Path, precision: str = "bf16") -> dict[str, Any]:
    """Compute the gradient of one batch of each task in bf16, as on a GPU."""
    tokenizer = load_tokenizer(origin)
    losses, gradients, kept = {}, {}, set()
    for task in ("a", "b"):
        model, data = made(origin, 0.0, half=precision == "bf16"), tasks(tokenizer)
        objective = Supervised(model, {task: data[task]}, RECIPE.batch_size, 0, tokenizer.pad_token_id)
        recipe = replace(RECIPE, precision=precision)
        pieces = objective.pieces(0, 64, 2)
        losses[task] = loop._backward(objective, pieces, recipe, (0, 0), ranks_here(), "cpu")
        found = {n: whole(p.grad).flatten() for n, p in model.named_parameters() if p.grad is not None}
        gradients[task] = torch.cat([found[name] for name in sorted(found)]).tolist()
        kept |= {str(p.dtype) for p in model.parameters()}
    return {"losses": losses, "gradients": gradients, "kept": sorted(kept)}


DO: dict[str, Callable[..., dict[str, Any]]] = {"curve": curve, "loaded": loaded, "half": half}


def run(plan: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Do what a plan lists."""
    found = []
    for each in plan:
        given = {name: Path(value) if name in ("origin", "folder") else value for name, value in each.items()}
        found.append(DO[given.pop("do")](**given))
    return found


def main(plan: Path) -> int:
    """Do a plan by two processes; the second is a copy of the first, which has everything imported."""
    other = os.fork()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    os.environ |= {"RANK": str(int(other == 0)), "LOCAL_RANK": str(int(other == 0)), "WORLD_SIZE": "2"}
    meeting = plan.with_suffix(".meeting").as_uri()
    dist.init_process_group("gloo", init_method=meeting, rank=int(other == 0), world_size=2)
    found = run(json.loads(plan.read_text()))
    if ranks_here().leads:
        plan.with_suffix(".out").write_text(json.dumps(found))
    dist.destroy_process_group()
    return os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]) if other else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
