"""A training run half-way: weights and optimiser, written whole or not at all; one that is spread, by all together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gainlaw._io import atomic_path
from gainlaw.training.shards.checkpoints import (
    find_checkpoint,
    read_names,
    read_tensors,
    remove_checkpoints,
    write_checkpoint,
)
from gainlaw.training.shards.models import local_part
from gainlaw.training.shards.ranks import ranks_here

if TYPE_CHECKING:
    import torch

__all__ = ["read_snapshot", "write_snapshot"]

_MODEL, _BEST, _OPTIMISER = "model.", "best.", "optimiser."
_STEP = "step"


def write_snapshot(
    path: Path,
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    best: Mapping[str, torch.Tensor] | None,
    state: Mapping[str, Any],
) -> None:
    """Write where a training run is.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file. A run that is spread over processes writes a folder beside it.
    model : torch.nn.Module
        Its trained weights are kept.
    optimiser : torch.optim.Optimizer
        Its state, a tensor or number a parameter and name, is kept.
    best : mapping of str to torch.Tensor, optional
        The best weights so far, when training stops early.
    state : mapping
        Plain data: step, history.
    """
    import torch
    from safetensors.torch import save_file

    ranks = ranks_here()
    tensors = {_MODEL + name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    for index, values in optimiser.state_dict()["state"].items():
        for name, value in values.items():
            tensors[f"{_OPTIMISER}{index}.{name}"] = torch.as_tensor(value)
    tensors |= {_BEST + name: value for name, value in (best or {}).items()}
    if ranks.size > 1:
        place = write_checkpoint(path.parent, tensors, state, ranks)
        if ranks.leads:
            remove_checkpoints(path.parent, place)
            path.unlink(missing_ok=True)
        return
    kept = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(kept, temporary, {"state": json.dumps(dict(state))})
    remove_checkpoints(path.parent)


def read_snapshot(
    path: Path, model: torch.nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
    """Bring model and optimiser to where a snapshot was taken, by however many processes.

    Parameters
    ----------
    path : Path
        What `write_snapshot` wrote; it may be absent.
    model, optimiser
        As they were made at the start of the run.

    Returns
    -------
    tuple of (state, best), or None
        None when there is no snapshot, or none that can be read.
    """
    import torch

    ranks = ranks_here()
    alone, together = _read_state(path), find_checkpoint(path.parent)
    if together is not None and (alone is None or alone[_STEP] <= together[1][_STEP]):
        state, names = together[1], read_names(together[0])
    elif alone is not None:
        state, names, together = alone, _names(path), None
    else:
        return None
    parameters = dict(model.named_parameters())
    ordered = [p for group in optimiser.param_groups for p in group["params"]]
    into: dict[str, torch.Tensor] = {}
    known: dict[int, dict[str, torch.Tensor]] = {}
    best: dict[str, torch.Tensor] = {}
    for name in names:
        if name.startswith(_OPTIMISER):
            number, field = name.removeprefix(_OPTIMISER).split(".", 1)
            like = ordered[int(number)].detach()
            into[name] = torch.zeros(()) if field == _STEP else torch.zeros_like(like)
            known.setdefault(int(number), {})[field] = into[name]
        elif name.startswith(_BEST):
            into[name] = torch.empty_like(parameters[name.removeprefix(_BEST)].detach())
            best[name.removeprefix(_BEST)] = into[name]
        else:
            into[name] = parameters[name.removeprefix(_MODEL)].detach()
    if together is not None:
        read_tensors(together[0], into, ranks)
    else:
        _fill(path, into)
    optimiser.load_state_dict(optimiser.state_dict() | {"state": known})
    return state, best


def _read_state(path: Path) -> dict[str, Any] | None:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            return json.loads(file.metadata()["state"])
    except SafetensorError:  # a machine that lost its power may leave a file without its content
        return None


def _names(path: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return list(file.keys())


def _fill(path: Path, into: Mapping[str, torch.Tensor]) -> None:
    import torch
    from safetensors import safe_open

    with safe_open(path, "pt") as file, torch.no_grad():
        for name, value in into.items():
            part, rows = local_part(value)
            part.copy_(file.get_slice(name)[rows.start : rows.stop] if value.ndim else file.get_tensor(name))
