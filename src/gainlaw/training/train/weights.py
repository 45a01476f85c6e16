"""The files that hold the weights of a published model: which there are, and pickled ones made into safetensors."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gainlaw._io import write_text_atomic
from gainlaw.errors import InputError, Problem

if TYPE_CHECKING:
    import torch

__all__ = ["Weights", "convert", "fetch_weights", "find_weights"]

_SAFE = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
_PICKLED = re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin")
_BESIDE = ("config.json", "generation_config.json")


@dataclass(frozen=True, slots=True)
class Weights:
    """The files of a model's weights.

    Attributes
    ----------
    origin : str
        A folder, or the model's name on the hub.
    revision : str or None
        The commit; None for a folder.
    files : tuple of str
        Their names.
    pickled : bool
        Whether they are no safetensors.
    """

    origin: str
    revision: str | None
    files: tuple[str, ...]
    pickled: bool


def find_weights(origin: str | Path, revision: str | None = None) -> Weights:
    """Return the files of a model's weights: safetensors where there are any, else pickled ones.

    Parameters
    ----------
    origin : str or Path
        A folder, or a name on the hub.
    revision : str, optional
        The commit on the hub. No other one is looked at, in particular none of a conversion that somebody proposed.

    Raises
    ------
    InputError
        If there are none, or the hub cannot be asked.
    """
    names = _in_folder(Path(origin)) if Path(origin).is_dir() else _on_hub(str(origin), revision)
    for pickled, pattern in ((False, _SAFE), (True, _PICKLED)):
        files = tuple(sorted(name for name in names if pattern.fullmatch(name)))
        if files:
            return Weights(str(origin), revision, files, pickled)
    there = sorted(
        name for name in names if name.endswith((".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5"))
    )
    what = f"there is only {', '.join(there)}" if there else "there is no model.safetensors"
    hint = "weights are read from model*.safetensors, else from pytorch_model*.bin"
    raise InputError(Problem(f"no weights that can be read: {what}", hint=hint), source=str(origin))


def _in_folder(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _on_hub(name: str, revision: str | None) -> list[str]:
    from huggingface_hub import HfApi, constants

    try:
        return list(HfApi().list_repo_files(name, revision=revision))
    except Exception as error:  # the hub and the network each raise their own
        kept = (
            Path(constants.HF_HUB_CACHE)
            / f"models--{name.replace('/', '--')}"
            / "snapshots"
            / (revision or "")
        )
        if revision and kept.is_dir():
            return _in_folder(kept)
        why = next(iter(str(error).splitlines()), type(error).__name__)
        hint = "check the connection; what was fetched once works offline"
        raise InputError(
            Problem(f"the hub does not say which files it has: {why}", hint=hint), name
        ) from None


def convert(weights: Weights, into: Path) -> None:
    """Write pickled weights as safetensors, tensor by tensor as they are, with the model's configuration.

    Parameters
    ----------
    weights : Weights
        Pickled ones. They are read by a reader that makes tensors and nothing else of a pickle.
    into : Path
        The folder to write.

    Raises
    ------
    InputError
        If a file holds anything but tensors.
    """
    from safetensors.torch import save_file

    folder = fetch_weights(weights)
    into.mkdir(parents=True, exist_ok=True)
    places: dict[str, str] = {}
    total = 0
    for file in weights.files:
        tensors = _tensors(folder / file)
        name = file.replace("pytorch_model", "model").replace(".bin", ".safetensors")
        save_file(
            {key: value.clone().contiguous() for key, value in tensors.items()}, into / name, {"format": "pt"}
        )
        places |= dict.fromkeys(tensors, name)
        total += sum(value.numel() * value.element_size() for value in tensors.values())
    if len(weights.files) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
        write_text_atomic(into / "model.safetensors.index.json", json.dumps(index, indent=1) + "\n")
    for name in _BESIDE:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, into / name)


def fetch_weights(weights: Weights) -> Path:
    """Return the folder where the files of a model's weights are, fetched from the hub if they are there."""
    if Path(weights.origin).is_dir():
        return Path(weights.origin)
    from huggingface_hub import snapshot_download

    wanted = [*weights.files, *_BESIDE]
    return Path(snapshot_download(weights.origin, revision=weights.revision, allow_patterns=wanted))


def _tensors(file: Path) -> dict[str, torch.Tensor]:
    import pickle

    import torch

    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(Problem(f"not the weights of a model: {first}"), source=str(file)) from None
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise InputError("holds more than the weights of a model", source=str(file))
    return found
