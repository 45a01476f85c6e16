"""A training run half-way: weights, optimiser and generators in one file, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gainlaw._io import atomic_path

if TYPE_CHECKING:
    import torch

__all__ = ["read_snapshot", "write_snapshot"]

_MODEL, _BEST, _OPTIMISER, _GENERATOR = "model.", "best.", "optimiser.", "generator."


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
        A ``.safetensors`` file.
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

    tensors = {_MODEL + name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    for index, values in optimiser.state_dict()["state"].items():
        for name, value in values.items():
            tensors[f"{_OPTIMISER}{index}.{name}"] = torch.as_tensor(value)
    tensors |= {_BEST + name: value for name, value in (best or {}).items()}
    tensors[_GENERATOR + "cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors[_GENERATOR + "cuda"] = torch.cuda.get_rng_state()
    kept = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(kept, temporary, {"state": json.dumps(dict(state))})


def read_snapshot(
    path: Path, model: torch.nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
    """Bring model, optimiser and generators to where a snapshot was taken.

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
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            state = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
    except SafetensorError:  # a machine that lost its power may leave a file without its content
        return None
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(tensors[_MODEL + name])
    known: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(_OPTIMISER):
            index, field = name.removeprefix(_OPTIMISER).split(".", 1)
            known.setdefault(int(index), {})[field] = value
    optimiser.load_state_dict(optimiser.state_dict() | {"state": known})
    torch.set_rng_state(tensors[_GENERATOR + "cpu"])
    if torch.cuda.is_available() and _GENERATOR + "cuda" in tensors:
        torch.cuda.set_rng_state(tensors[_GENERATOR + "cuda"])
    best = {name.removeprefix(_BEST): value for name, value in tensors.items() if name.startswith(_BEST)}
    return state, best
