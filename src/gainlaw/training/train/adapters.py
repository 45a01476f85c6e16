"""Low-rank adapters (Hu et al. 2021, arXiv 2106.09685), put in by peft and merged at the end."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from transformers import PreTrainedModel

__all__ = ["add_adapters", "merge_saved", "save_adapters"]


def add_adapters(model: PreTrainedModel, rank: int, alpha: float, dropout: float) -> Any:
    """Put adapters into the layers of a model, in place, and freeze the rest.

    Parameters
    ----------
    model : PreTrainedModel
        Its layers are changed in place; it can go on being called itself. Those that get an adapter are what peft
        takes for the architecture (queries and values of most), and all linear ones of one that it does not know.
    rank, alpha, dropout
        Of the adapters.

    Returns
    -------
    peft.PeftModel
        Whose ``merge_and_unload()`` gives the plain model back, adapters merged.
    """
    from peft import LoraConfig, get_peft_model
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as KNOWN
    from transformers.pytorch_utils import Conv1D

    known = KNOWN.get(model.config.model_type, "all-linear")
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]
        lora_dropout=dropout,
        target_modules=known if isinstance(known, str) else list(known),
        # GPT-2 stores its linear layers the other way round.
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )
    with _peft_warnings():
        return get_peft_model(model, config)


def save_adapters(adapted: Any, folder: Path) -> None:
    """Write the adapters of peft's model (safetensors), without the path of the model they were trained on."""
    adapted.peft_config["default"].base_model_name_or_path = ""
    with _peft_warnings():
        adapted.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)


def merge_saved(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """Return a model with the adapters of a folder merged into its weights.

    Parameters
    ----------
    model : PreTrainedModel
        What they were trained on; adapters of an encoder also go below the head of a masked language model.
    folder : Path
        What `save_adapters` wrote.
    """
    from peft import PeftModel

    below = model.base_model if model.base_model is not model and _headless(folder, model) else model
    with _peft_warnings():
        PeftModel.from_pretrained(below, str(folder)).merge_and_unload()
    return model


def _headless(folder: Path, model: PreTrainedModel) -> bool:
    """Return whether adapters were trained on the model below a head."""
    from safetensors import safe_open

    prefix = f"base_model.model.{model.base_model_prefix}."
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        return not any(name.startswith(prefix) for name in file.keys())  # noqa: SIM118  # not a mapping


@contextmanager
def _peft_warnings() -> Iterator[None]:
    """Silence what peft asks for a property that transformers has renamed."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)
        yield
