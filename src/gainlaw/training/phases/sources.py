"""Where a unit finds its models, tokenizers and items."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gainlaw.training.items.items import Item
from gainlaw.training.items.loading import load_items
from gainlaw.training.items.registry import find_task

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from gainlaw.training.train.backbones import Role
    from gainlaw.training.units.store import Store
    from gainlaw.training.units.units import Unit

__all__ = ["load_parent_model", "load_parent_tokenizer", "unit_items"]

MODEL = "model"
ADAPTERS = "adapters"
ORIGIN = "origin.json"


def _origin(store: Store, name: str) -> tuple[str | Path, str | None]:
    folder = store.path(name)
    if (folder / MODEL).is_dir():
        return folder / MODEL, None
    record = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
    return record["origin"], record["revision"]


def load_parent_model(unit: Unit, store: Store, role: Role, device: str) -> PreTrainedModel:
    """Return the model of the parent ``model``, in the role asked for.

    A unit that trained adapters keeps only these: its own parent's model is loaded, and they are merged into it.
    """
    from gainlaw.training.train.adapters import merge_saved
    from gainlaw.training.train.backbones import load_model

    name = unit.parents["model"]
    if (store.path(name) / ADAPTERS).is_dir():
        model = load_parent_model(store.read(name), store, role, device)
        return merge_saved(model, store.path(name) / ADAPTERS)
    origin, revision = _origin(store, name)
    return load_model(origin, role, revision=revision, device=device)


def load_parent_tokenizer(unit: Unit, store: Store) -> PreTrainedTokenizerBase:
    """Return the tokenizer of the parent ``tokenizer``: a world's, a loaded model's, or a file's."""
    from gainlaw.training.train.backbones import load_tokenizer

    if "tokenizer" in unit.where:
        return load_tokenizer(unit.where["tokenizer"])
    name = unit.parents["tokenizer"]
    if (store.path(name) / "tokenizer.json").is_file():
        return load_tokenizer(store.path(name) / "tokenizer.json")
    return load_tokenizer(*_origin(store, name))


def unit_items(unit: Unit, store: Store, entry: Mapping[str, Any], split: str, language: str) -> list[Item]:
    """Return the items that an entry of a unit's spec asks for.

    Parameters
    ----------
    unit : Unit
        The unit.
    store : Store
        Where its parents are.
    entry : mapping
        ``task`` and ``limit`` (None for all), and ``sample``, the seed of the choice when there are more.
    split, language : str
        Which items.
    """
    task, limit = find_task(entry["task"]), entry["limit"]
    if task.made:
        files = task.local.find(store.path(unit.parents["world"]), split, language)
        items = task.local.parse(files, split, language)
    else:
        folder = unit.where.get(task.name)
        items = load_items(task, split, language, None if folder is None else Path(folder))
    if limit is None or limit >= len(items):
        return items
    rng = np.random.default_rng([entry["sample"], 17])
    return [items[i] for i in np.sort(rng.permutation(len(items))[:limit])]
