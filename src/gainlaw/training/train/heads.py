"""A backbone with a head for each task, and the loss of each kind of task."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from gainlaw._io import write_text_atomic
from gainlaw.errors import InputError, Problem
from gainlaw.training.shards.models import whole
from gainlaw.training.shards.ranks import ranks_here
from gainlaw.training.train.backbones import accepted, pooling_of
from gainlaw.training.train.data import IGNORED, Encoded

__all__ = [
    "HeadShape",
    "MaskedHead",
    "TaskModel",
    "load_head",
    "loss_of",
    "pool",
    "read_head",
    "require_positions",
    "save_head",
]

_WEIGHTS, _RECORD = "head.safetensors", "head.json"


@dataclass(frozen=True, slots=True)
class HeadShape:
    """What a head gives: `kind` of task and number of `outputs` (classes or tags; 1 for choices, 2 for spans)."""

    kind: str
    outputs: int


def pool(hidden: torch.Tensor, mask: torch.Tensor, how: str) -> torch.Tensor:
    """Return one state a sequence.

    Parameters
    ----------
    hidden : Tensor, shape (n, length, width)
        States; padding is on the right.
    mask : Tensor, shape (n, length)
        1 where there is a token.
    how : {"first", "mean", "last"}
        See `gainlaw.training.train.backbones.pooling_of`.

    Returns
    -------
    Tensor, shape (n, width)
    """
    if how == "first":
        return hidden[:, 0]
    if how == "last":
        last = mask.sum(dim=1) - 1
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


class TaskModel(nn.Module):
    """A backbone with one head a task.

    Parameters
    ----------
    backbone : PreTrainedModel
        Gives ``last_hidden_state``.
    shapes : mapping of str to HeadShape
        Task to head.
    seed : int
        Of the heads' weights.
    dropout : float
        Before the last layer of a head.
    pooling : str
        Which state stands for a sequence, see `gainlaw.training.train.backbones.pooling_of`.
    """

    def __init__(
        self,
        backbone: Any,
        shapes: Mapping[str, HeadShape],
        seed: int,
        dropout: float = 0.0,
        pooling: str = "usual",
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.shapes = dict(shapes)
        self.how = pooling_of(backbone.config, pooling)
        width = backbone.config.hidden_size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.heads = nn.ModuleDict({name: _head(width, shape, dropout) for name, shape in shapes.items()})

    def forward(self, task: str, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the scores of sequences.

        Returns
        -------
        Tensor
            Classification: (n, classes); choice: (n,), one an option; span and tagging: (n, length, outputs),
            for spans -inf at padding.
        """
        hidden = self.backbone(**accepted(self.backbone, batch)).last_hidden_state
        kind = self.shapes[task].kind
        if kind == "span":  # padding is no place for an answer
            empty = (batch["attention_mask"] == 0).unsqueeze(-1)
            return self.heads[task](hidden).masked_fill(empty, -torch.inf)
        if kind == "tagging":
            return self.heads[task](hidden)
        scores = self.heads[task](pool(hidden, batch["attention_mask"], self.how))
        return scores.squeeze(-1).clone() if kind == "choice" else scores  # of a view FSDP warns


def _head(width: int, shape: HeadShape, dropout: float) -> nn.Module:
    if shape.kind in {"span", "tagging"}:
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(width, shape.outputs))
    return nn.Sequential(
        nn.Linear(width, width), nn.Tanh(), nn.Dropout(dropout), nn.Linear(width, shape.outputs)
    )


class MaskedHead(nn.Module):
    """A masked language model as a backbone with the head that predicts tokens at the masked places only.

    Parameters
    ----------
    model : PreTrainedModel
        Of the role ``masked``.

    Raises
    ------
    InputError
        If its head is not a module of its own.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        tops = [name for name in ("cls", "lm_head") if hasattr(model, name)]
        if not tops:
            hint = "masked language modelling takes BERT, RoBERTa, XLM-R and their like"
            raise InputError(
                Problem(f"the head of {model.config.model_type} is built in another way", hint=hint)
            )
        self.top = tops[0]

    @property
    def backbone(self) -> Any:
        """The model below the head."""
        return self.model.base_model

    def forward(self, batch: Mapping[str, torch.Tensor], places: torch.Tensor) -> torch.Tensor:
        """Return scores of all tokens at some places, shape (places, vocabulary); `places` index (n * length)."""
        hidden = self.backbone(**accepted(self.backbone, batch)).last_hidden_state
        return getattr(self.model, self.top)(hidden.flatten(0, 1)[places])

    def sentences(self, batch: Mapping[str, torch.Tensor], pooling: str) -> torch.Tensor:
        """Return one state a sequence, of length 1, shape (n, width)."""
        hidden = self.backbone(**accepted(self.backbone, batch)).last_hidden_state
        how = pooling_of(self.backbone.config, pooling)
        return functional.normalize(pool(hidden, batch["attention_mask"], how).float(), dim=1)


def loss_of(
    kind: str, scores: torch.Tensor, labels: torch.Tensor, groups: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the summed cross-entropy of a micro-batch.

    Parameters
    ----------
    kind : {"classification", "choice", "span", "tagging"}
        Of the task.
    scores : Tensor
        What `TaskModel` gave.
    labels : Tensor
        Classification, choice: (examples,); span: (sequences, 2); tagging: (sequences, length).
    groups : Tensor, shape (examples, options), optional
        For choices, which score is each option's; -1 where an example has fewer options.

    Returns
    -------
    Tensor, shape ()
    """
    if kind == "classification":
        return functional.cross_entropy(scores.float(), labels, reduction="sum")
    if kind == "choice":
        assert groups is not None
        table = scores.float()[groups.clamp(min=0)].masked_fill(groups < 0, -torch.inf)
        return functional.cross_entropy(table, labels, reduction="sum")
    if kind == "span":
        pair = scores.float()
        start = functional.cross_entropy(pair[..., 0], labels[:, 0], reduction="sum")
        return (start + functional.cross_entropy(pair[..., 1], labels[:, 1], reduction="sum")) / 2
    flat = scores.float().flatten(0, 1)
    return functional.cross_entropy(flat, labels.flatten(), ignore_index=IGNORED, reduction="sum")


def require_positions(model: nn.Module, data: Iterable[Encoded]) -> None:
    """Refuse inputs that are longer than what a model has learned positions for, naming what would do.

    A model without embeddings of positions reads inputs of any length.
    """
    limits = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding) and name.rsplit(".", 1)[-1] in _POSITIONS:
            # RoBERTa counts from behind the padding id, OPT and BART from their offset.
            start = 0 if module.padding_idx is None else module.padding_idx + 1
            limits.append(module.num_embeddings - max(start, getattr(module, "offset", 0)))
    longest = max((int(np.diff(each.starts).max(initial=0)) for each in data), default=0)
    if limits and longest > min(limits):
        what = f"an input has {longest} tokens where the model reads {min(limits)} at most"
        raise InputError(Problem(what, "max_length", hint=f"try max_length = {min(limits)}"))


_POSITIONS = ("position_embeddings", "embed_positions", "wpe")


def save_head(model: TaskModel, task: str, tags: Sequence[str], folder: Path) -> None:
    """Write the head of a task, and what it is, into a folder."""
    from safetensors.torch import save_file

    weights = {name: whole(value).contiguous() for name, value in model.heads[task].state_dict().items()}
    if not ranks_here().leads:
        return
    save_file(weights, folder / _WEIGHTS)
    shape = model.shapes[task]
    record = {
        "task": task,
        "kind": shape.kind,
        "outputs": shape.outputs,
        "tags": list(tags),
        "pooling": model.how,
    }
    write_text_atomic(folder / _RECORD, json.dumps(record, indent=1) + "\n")


def read_head(folder: Path) -> dict[str, Any]:
    """Return what the head in a folder is: ``task``, ``kind``, ``outputs``, ``tags``, ``pooling``."""
    return json.loads((folder / _RECORD).read_text(encoding="utf-8"))


def load_head(model: TaskModel, folder: Path, task: str) -> None:
    """Give the head of a task the weights of one in a folder, if it is of the same shape."""
    from safetensors.torch import load_file

    record, shape = read_head(folder), model.shapes[task]
    if (record["kind"], record["outputs"]) == (shape.kind, shape.outputs):
        model.heads[task].load_state_dict(load_file(folder / _WEIGHTS))
