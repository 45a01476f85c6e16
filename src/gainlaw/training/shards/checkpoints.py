"""Snapshots that several processes write together, each its own part, and that any number of them reads."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gainlaw._io import sync, write_text_atomic

if TYPE_CHECKING:
    import torch

    from gainlaw.training.shards.ranks import Ranks

__all__ = ["find_checkpoint", "read_names", "read_tensors", "remove_checkpoints", "write_checkpoint"]

_NAME, _STATE, _METADATA = "snapshot-", "state.json", ".metadata"


def write_checkpoint(
    folder: Path, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any], ranks: Ranks
) -> Path:
    """Write a snapshot as a folder (torch's distributed checkpoints), whole or not at all.

    Parameters
    ----------
    folder : Path
        Where it goes, named by its step.
    tensors : mapping of str to Tensor
        The same names in all processes.
    state : mapping
        Plain data with ``step``.
    ranks : Ranks
        The processes.

    Returns
    -------
    Path
    """
    import torch.distributed.checkpoint as dcp

    hidden, place = (folder / f"{dot}{_NAME}{state['step']}" for dot in (".", ""))
    if ranks.leads:
        for left in folder.glob(f".{_NAME}*"):
            shutil.rmtree(left)
        hidden.mkdir(parents=True)
        write_text_atomic(hidden / _STATE, json.dumps(dict(state)))
    ranks.wait()
    dcp.save(dict(tensors), checkpoint_id=hidden)
    ranks.wait()
    if ranks.leads:
        for path in [*hidden.iterdir(), hidden]:
            sync(path)
        with suppress(FileNotFoundError):
            shutil.rmtree(place)
        hidden.replace(place)
        sync(folder)
    ranks.wait()
    return place


def find_checkpoint(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Return the snapshot that has come furthest, and its state; None without one that is whole."""
    found = []
    for place in folder.glob(f"{_NAME}*"):
        with suppress(OSError, ValueError):
            if (place / _METADATA).is_file():
                found.append((place, json.loads((place / _STATE).read_text(encoding="utf-8"))))
    return max(found, key=lambda each: each[1]["step"], default=None)


def remove_checkpoints(folder: Path, but: Path | None = None) -> None:
    """Remove the snapshots of a folder, but for one."""
    for place in folder.glob(f"{_NAME}*"):
        if place != but and place.is_dir():
            shutil.rmtree(place)


def read_names(place: Path) -> list[str]:
    """Return the names of the tensors of a snapshot."""
    from torch.distributed.checkpoint import FileSystemReader

    return list(FileSystemReader(place).read_metadata().state_dict_metadata)


def read_tensors(place: Path, into: dict[str, torch.Tensor], ranks: Ranks) -> None:
    """Fill tensors, spread in whatever way or not at all, with those of a snapshot."""
    import torch.distributed.checkpoint as dcp

    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="torch.distributed is"
        )  # disabled: as meant, for one process
        dcp.load(into, checkpoint_id=place, no_dist=ranks.size == 1)
