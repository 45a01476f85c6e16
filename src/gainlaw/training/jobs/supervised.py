"""Train on labelled examples: the intermediate phase, whose heads are dropped, and English fine-tuning."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gainlaw.training.experiment.recipes import Recipe
from gainlaw.training.items.items import Item, TagItem
from gainlaw.training.items.registry import task_of
from gainlaw.training.items.task import TrainingTask
from gainlaw.training.jobs.evaluate import predict
from gainlaw.training.jobs.job import ADAPTERS, MODEL, Job
from gainlaw.training.jobs.pretrain import masked_text
from gainlaw.training.shards.models import hollow_model, save_spread, spread_model
from gainlaw.training.shards.ranks import ranks_here
from gainlaw.training.train.adapters import add_adapters, halve_frozen, save_adapters
from gainlaw.training.train.backbones import freeze_embeddings, recompute_activations, save_model
from gainlaw.training.train.data import Encoded, encode
from gainlaw.training.train.heads import (
    HeadShape,
    MaskedHead,
    TaskModel,
    load_head,
    require_positions,
    save_head,
)
from gainlaw.training.train.loop import Checks, train, use_bf16
from gainlaw.training.train.objectives import Supervised

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["head_shape", "run"]

_COLLAPSE = 0.99
_PROBE = 500
#: The most validation items that a check scores.
_CHECKED = 2000


def run(job: Job) -> None:
    """Write ``model/``, ``result.json`` and, where the head is kept, ``head.safetensors`` with ``head.json``."""
    spec, device = job.spec, job.device
    recipe = _recipe(job)
    tokenizer = job.tokenizer()
    tasks = {entry["task"]: task_of(entry) for entry in spec["tasks"]}
    items = {entry["task"]: job.items(entry, "train", entry["language"]) for entry in spec["tasks"]}
    tags = {name: _tags(items[name]) for name in tasks}
    encoded = {
        name: encode(items[name], task.kind, tokenizer, recipe.max_length, tags[name])
        for name, task in tasks.items()
    }
    shapes = {name: head_shape(task, tags[name]) for name, task in tasks.items()}
    masked_model, ranks = None, ranks_here()
    if spec.get("mlm"):
        masked_model = job.model("masked")
        backbone: PreTrainedModel = masked_model.base_model  # type: ignore[assignment]
    elif ranks.size > 1:
        backbone = hollow_model(*job.origin(), "encoder")
    else:
        # adapters leave what they are put on as it is, and half of it may stay here
        backbone = job.model("encoder", "cpu" if recipe.lora is not None else device)
    require_positions(backbone, encoded.values())
    if recipe.gradient_checkpointing:
        recompute_activations(backbone)
    half = use_bf16(recipe.precision, device)
    adapted = _add_lora(backbone, recipe, spec["seed"])
    if adapted is not None and masked_model is None and half:
        halve_frozen(backbone)
    if recipe.freeze == "embeddings":
        freeze_embeddings(backbone)
    model = TaskModel(backbone, shapes, spec["seed"], spec["dropout"], recipe.pooling)
    if spec.get("carry_head"):
        load_head(model, job.parent("model"), next(iter(tasks)))
    if ranks.size > 1:
        spread_model(model, backbone, *job.origin(), ranks, half=half)
    model.to(device)
    masked = None
    if masked_model is not None:
        text = masked_text(job.corpus(), tokenizer, recipe)
        masked = (MaskedHead(masked_model), text, spec["mlm"])
    objective = Supervised(
        model,
        encoded,
        recipe.batch_size,
        spec["seed"],
        tokenizer.pad_token_id,
        temperature=spec["temperature"],
        masked=masked,
    )
    trial = job.unit.kind == "trial"
    held_out = _held_out(job, recipe, tags) if recipe.patience or trial else {}
    score = _check(model, held_out, tokenizer.pad_token_id, recipe, device) if held_out else None
    result = train(
        objective,
        recipe,
        seed=spec["seed"],
        folder=job.folder,
        device=device,
        checks=Checks.of_epochs(objective, recipe, score),
        snapshot_seconds=job.unit.aside["snapshot_seconds"],
    )
    status = result.status
    if status != "diverged":
        status = _collapsed(model, encoded, tokenizer.pad_token_id, recipe, device) or status
    if trial:
        assert score is not None
        record = {"development": score(), "learning_rate": recipe.learning_rate}
        if ranks.leads:
            job.write("result.json", result.record() | {"status": status} | record)
        return
    if adapted is not None and masked_model is None:
        save_adapters(adapted, job.folder / ADAPTERS)
    elif ranks.size > 1:
        save_spread(backbone, job.folder / MODEL, ranks)
    else:
        if adapted is not None:
            adapted.merge_and_unload()  # in place, below the head of masked language modelling
        save_model(backbone if masked_model is None else masked_model, job.folder / MODEL)
    if spec["keep_head"]:
        name = next(iter(tasks))
        save_head(model, name, tags[name], job.folder)
    counts = {name: len(each) for name, each in items.items()}
    cut = {name: each.cut / len(each) for name, each in encoded.items() if each.cut}
    if ranks.leads:
        job.write("result.json", result.record() | {"status": status, "examples": counts, "cut": cut})


def _recipe(job: Job) -> Recipe:
    """Return the recipe of a unit, with the learning rate that trials chose where they did."""
    recipe = Recipe.from_record(job.spec["recipe"])
    if "rate" not in job.unit.parents:
        return recipe
    choice = json.loads((job.parent("rate") / "choice.json").read_text(encoding="utf-8"))
    return replace(recipe, learning_rate=float(choice["learning_rate"]))


def head_shape(task: TrainingTask, tags: tuple[str, ...] = ()) -> HeadShape:
    """Return the shape of the head that a task needs."""
    outputs = {"choice": 1, "span": 2, "tagging": len(tags), "classification": len(task.classes)}
    return HeadShape(task.kind, outputs[task.kind])


def _tags(items: list[Item]) -> tuple[str, ...]:
    return tuple(sorted({tag for item in items if isinstance(item, TagItem) for tag in item.tags}))


def _add_lora(backbone: PreTrainedModel, recipe: Recipe, seed: int) -> Any:
    """Put adapters into a backbone in place, if asked; return peft's model around it, or None."""
    if recipe.lora is None:
        return None
    lora = recipe.lora
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return add_adapters(backbone, lora.rank, lora.alpha, lora.dropout, lora.targets)


def _held_out(job: Job, recipe: Recipe, tags: Mapping[str, tuple[str, ...]]) -> dict[str, Encoded]:
    """Return the English validation items of each task."""
    tokenizer = job.tokenizer()
    return {
        entry["task"]: encode(
            job.items(entry | {"limit": _CHECKED}, "validation", entry["language"]),
            task_of(entry).kind,
            tokenizer,
            recipe.max_length,
            tags[entry["task"]],
        )
        for entry in job.spec["tasks"]
    }


def _check(
    model: TaskModel, held_out: Mapping[str, Encoded], padding: int, recipe: Recipe, device: str
) -> Callable[[], float]:
    """Return the mean share of right predictions over the tasks, as a function of the weights."""

    def score() -> float:
        shares = []
        for name, encoded in held_out.items():
            outcome = predict(
                model, name, encoded, padding, recipe.micro_batch_tokens, device, recipe.precision
            )
            shares.append(outcome.right.mean())
        return float(np.mean(shares))

    return score


def _collapsed(
    model: TaskModel, encoded: Mapping[str, Encoded], padding: int, recipe: Recipe, device: str
) -> str | None:
    """Return ``collapsed`` if nearly all training examples get one answer though their labels differ."""
    for name, each in encoded.items():
        if each.kind not in {"classification", "choice"} or len(each) < 20:
            continue
        rows = np.linspace(0, len(each) - 1, min(_PROBE, len(each))).astype(int)
        probe = _some(each, rows)
        outcome = predict(model, name, probe, padding, recipe.micro_batch_tokens, device, recipe.precision)
        common = Counter(outcome.answers.tolist()).most_common(1)[0][1] / len(rows)
        usual = Counter(probe.labels.tolist()).most_common(1)[0][1] / len(rows)
        if common >= _COLLAPSE and usual <= 0.9:
            return "collapsed"
    return None


def _some(encoded: Encoded, rows: np.ndarray) -> Encoded:
    """Return some examples as an own table."""
    sequences = encoded.sequences(rows)
    size = np.diff(encoded.starts)[sequences]
    at = np.concatenate([np.arange(encoded.starts[s], encoded.starts[s + 1]) for s in sequences])
    return Encoded(
        encoded.kind,
        encoded.tokens[at],
        encoded.types[at],
        np.concatenate([[0], np.cumsum(size)]),
        np.concatenate([[0], np.cumsum(np.diff(encoded.first)[rows])]),
        encoded.labels[rows],
    )
