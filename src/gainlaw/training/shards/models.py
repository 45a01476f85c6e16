"""A model of which each process holds a part: read slice by slice, checked to be spread, written like any other."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gainlaw._io import write_text_atomic
from gainlaw.errors import GainlawError, InputError, Problem
from gainlaw.training.train.backbones import Role, model_of
from gainlaw.training.train.weights import fetch_weights, find_weights

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from gainlaw.training.shards.ranks import Ranks

__all__ = ["hollow_model", "local_part", "require_spread", "save_spread", "spread_model", "whole"]

_FILE_BYTES = 5_000_000_000
_OLD_NAMES = {"weight": "gamma", "bias": "beta"}


def hollow_model(origin: str | Path, revision: str | None, role: Role) -> PreTrainedModel:
    """Return a model without memory for its weights, but with its other tensors (positions, say) as they are."""
    with _hollow():
        return model_of(origin, role, revision)


@contextmanager
def _hollow() -> Iterator[None]:
    """Have parameters take no memory from the moment that a module gets them."""
    from torch import nn

    register = nn.Module.register_parameter

    def hollow(module: nn.Module, name: str, given: nn.Parameter | None) -> None:
        register(module, name, given)
        if given is not None and given.device.type != "meta":
            module._parameters[name] = nn.Parameter(given.detach().to("meta"), given.requires_grad)

    nn.Module.register_parameter = hollow  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        nn.Module.register_parameter = register  # type: ignore[method-assign]


def spread_model(
    model: torch.nn.Module,
    backbone: PreTrainedModel,
    origin: str | Path,
    revision: str | None,
    ranks: Ranks,
    *,
    half: bool = False,
) -> None:
    """Spread a model over the processes in place (FSDP2), and read its weights, each process its own part of them.

    Parameters
    ----------
    model : torch.nn.Module
        A hollow backbone, and beside it modules with weights, which stay as they are.
    backbone : PreTrainedModel
        The hollow part of it.
    origin, revision
        Whose weights the backbone gets.
    ranks : Ranks
        The processes.
    half : bool
        Whether what is gathered for a product is gathered in bf16; the parts that are kept are in fp32.

    Raises
    ------
    InputError
        If weights lack.
    GainlawError
        If a process holds more than its part.
    """
    import torch
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    source = _Source(origin, revision, ranks)
    names = {id(p): name for name, p in model.named_parameters()}
    aliases: dict[str, list[str]] = {}
    for name, p in backbone.named_parameters(remove_duplicate=False):
        aliases.setdefault(names[id(p)], []).append(name)
    kept = {name: p.detach() for name, p in model.named_parameters() if name not in aliases}
    buffers = {name: value.detach().clone() for name, value in model.named_buffers()}
    keys = source.keys(aliases, backbone.base_model_prefix)
    kind = torch.device(ranks.device).type
    mesh = init_device_mesh(kind, (ranks.size,))
    policy = MixedPrecisionPolicy()
    if half:
        policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32, cast_forward_inputs=False)
    for block in [*_blocks(backbone), model]:
        # what is gathered is let go at once, tables of tokens too
        fully_shard(block, mesh=mesh, mp_policy=policy, reshard_after_forward=True)
    model.to_empty(device=ranks.device)
    with torch.no_grad():
        for name, value in model.named_buffers():
            value.copy_(buffers[name])
        for name, p in model.named_parameters():
            part, rows = local_part(p)
            if name in kept:
                part.copy_(kept[name][rows])
            else:
                part.copy_(source.read(keys[name], rows, tuple(p.shape)))
    require_spread(model, ranks)


class _Source:
    """The files of a model's weights, of which any rows can be read."""

    def __init__(self, origin: str | Path, revision: str | None, ranks: Ranks) -> None:
        from safetensors import safe_open

        self.origin = str(origin)
        for turn in (True, False):  # one fetches, the others find it fetched
            if ranks.leads == turn:
                weights = find_weights(origin, revision)
                if weights.pickled:
                    raise InputError(Problem("there are pickled weights only"), source=self.origin)
                folder = fetch_weights(weights)
            ranks.wait()
        files = [safe_open(folder / name, "pt") for name in weights.files]
        self.files = {key: file for file in files for key in file.keys()}  # noqa: SIM118  # not a mapping

    def keys(self, aliases: Mapping[str, list[str]], prefix: str) -> dict[str, str]:
        """Return what the files call each parameter: by one of its names, below a head or not, or by an old name."""
        found = {}
        for name, own in aliases.items():
            tried = [new for each in own for new in (each, f"{prefix}.{each}")]
            tried += [f"{stem}.{_OLD_NAMES[end]}" for stem, _, end in _ends(tried) if end in _OLD_NAMES]
            found[name] = next((each for each in tried if each in self.files), "")
        lacking = [aliases[name][0] for name, key in found.items() if not key]
        if lacking:
            hint = "what a checkpoint lacks is made up where it is trained on one device: leave shards out"
            what = f"the weights lack {', '.join(lacking[:5])}{' and others' if len(lacking) > 5 else ''}"
            raise InputError(Problem(what, hint=hint), source=self.origin)
        return found

    def read(self, key: str, rows: slice, shape: tuple[int, ...]) -> torch.Tensor:
        """Return some rows of a tensor."""
        found = self.files[key].get_slice(key)
        if tuple(found.get_shape()) != shape:
            what = f"{key} is {tuple(found.get_shape())} where the configuration says {shape}"
            raise InputError(Problem(what), source=self.origin)
        return found[rows.start : rows.stop]


def _ends(names: list[str]) -> list[tuple[str, str, str]]:
    return [name.rpartition(".") for name in names]


def _blocks(model: torch.nn.Module) -> list[torch.nn.Module]:
    """Return the layers of a model: what its outermost lists hold."""
    from torch import nn

    lists: list[str] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and not any(name.startswith(f"{each}.") for each in lists):
            lists.append(name)
    return [block for name in lists for block in model.get_submodule(name).children()]


def local_part(value: torch.Tensor) -> tuple[torch.Tensor, slice]:
    """Return what this process holds of a tensor, and which rows these are; all where it is not spread."""
    from torch.distributed.tensor import DTensor
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    if not isinstance(value, DTensor):
        return value, slice(0, len(value) if value.ndim else None)
    size, first = compute_local_shape_and_global_offset(value.shape, value.device_mesh, value.placements)
    return value.to_local(), slice(first[0], first[0] + size[0])


def require_spread(model: torch.nn.Module, ranks: Ranks) -> None:
    """Refuse a model of which this process holds more than its part.

    Raises
    ------
    GainlawError
        With the parameters that are not spread by rows, or how much too much is held.
    """
    from torch.distributed.tensor import DTensor, Shard

    parameters = dict(model.named_parameters())
    loose = [
        name
        for name, p in parameters.items()
        if not isinstance(p, DTensor)
        or list(p.placements) != [Shard(0)]
        or p.device_mesh.size() != ranks.size
    ]
    if loose:
        raise GainlawError(f"not spread over {ranks.size} processes: {', '.join(loose[:5])}")
    held = sum(p.to_local().untyped_storage().nbytes() for p in parameters.values())  # type: ignore[attr-defined]
    # a part is of whole rows: the first processes may have one more
    allowed = sum(
        -(-p.shape[0] // ranks.size) * (p.numel() // p.shape[0]) * p.element_size()
        for p in parameters.values()
    )
    if held > allowed:
        raise GainlawError(f"a process holds {held:,} bytes of weights where {allowed:,} are its part")


def whole(value: torch.Tensor) -> torch.Tensor:
    """Return a tensor as a whole, on the CPU; all processes ask for it at the same time."""
    from torch.distributed.tensor import DTensor

    value = value.detach()
    return (value.full_tensor() if isinstance(value, DTensor) else value).cpu()


def save_spread(model: PreTrainedModel, folder: Path, ranks: Ranks, file_bytes: int = _FILE_BYTES) -> None:
    """Write configuration and weights as `save_pretrained` does, of which no process has more than one file at a time.

    Parameters
    ----------
    model : PreTrainedModel
        Spread.
    folder : Path
        Where to.
    ranks : Ranks
        The processes; the leading one writes.
    file_bytes : int
        The most that a file holds, unless one tensor is larger.
    """
    from safetensors.torch import save_file

    given = dict(model.named_parameters()) | _persistent(model)
    files: list[list[str]] = [[]]
    room = file_bytes
    for name, value in given.items():
        size = value.numel() * value.element_size()
        if files[-1] and size > room:
            files.append([])
            room = file_bytes
        files[-1].append(name)
        room -= size
    called: Callable[[int], str] = lambda n: f"model-{n:05d}-of-{len(files):05d}.safetensors"  # noqa: E731
    if len(files) == 1:
        called = lambda _: "model.safetensors"  # noqa: E731
    if ranks.leads:
        folder.mkdir(parents=True, exist_ok=True)
        config: Any = copy.deepcopy(model.config)
        config.architectures, config.dtype = [type(model).__name__], "float32"
        config.save_pretrained(folder)
    for number, names in enumerate(files, 1):
        tensors = {}
        for name in names:
            value = whole(given[name])
            if ranks.leads:
                tensors[name] = value.contiguous()
            del value
        if ranks.leads:
            save_file(tensors, folder / called(number), {"format": "pt"})
    if ranks.leads and len(files) > 1:
        total = sum(value.numel() * value.element_size() for value in given.values())
        places = {name: called(number) for number, names in enumerate(files, 1) for name in names}
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
        write_text_atomic(folder / "model.safetensors.index.json", json.dumps(index, indent=1) + "\n")
    ranks.wait()


def _persistent(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the buffers of a model that belong to its weights."""
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    return {name: value for name, value in model.state_dict().items() if name not in parameters}
