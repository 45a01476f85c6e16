"""Low-rank adapters (Hu et al. 2021, arXiv 2106.09685): which layers get one, put in by peft, and merged."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gainlaw.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from transformers import PreTrainedModel

__all__ = ["adapted_layers", "add_adapters", "halve_frozen", "merge_saved", "save_adapters"]

_JOINT = ("query", "key", "value")
#: How the architectures call their products: the end of a layer's name, and what it computes. The longest end counts.
_PRODUCTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("query", "q", "q_proj", "q_lin", "query_proj"), ("query",)),
    **dict.fromkeys(("key", "k", "k_proj", "k_lin", "key_proj"), ("key",)),
    **dict.fromkeys(("value", "v", "v_proj", "v_lin", "value_proj"), ("value",)),
    **dict.fromkeys(("query_key_value", "c_attn", "qkv_proj"), _JOINT),
    **dict.fromkeys(
        (
            *("attention.output.dense", "self_attention.dense", "attention.dense", "attn.c_proj"),
            *("o", "o_proj", "out_proj", "out_lin"),
        ),
        ("output",),
    ),
    **dict.fromkeys(
        (
            *("intermediate.dense", "output.dense", "wi", "wi_0", "wi_1", "wo", "fc1", "fc2"),
            *("dense_h_to_4h", "dense_4h_to_h", "gate_proj", "up_proj", "down_proj"),
            *("lin1", "lin2", "c_fc", "mlp.c_proj", "ffn", "ffn_output"),
        ),
        ("feed_forward",),
    ),
}


def adapted_layers(model: PreTrainedModel, targets: Collection[str]) -> list[str]:
    """Return the names of the layers of a model that compute some products.

    Parameters
    ----------
    model : PreTrainedModel
        May be on the meta device.
    targets : collection of str
        Of `gainlaw.training.experiment.schema.Product`. A layer that gives queries, keys and values at once counts
        as each of them.

    Raises
    ------
    InputError
        With every product that no layer of the architecture is known to compute.
    """
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    found: dict[str, tuple[str, ...]] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | Conv1D):
            ends = (".".join(name.split(".")[-length:]) for length in (3, 2, 1))
            found[name] = next((_PRODUCTS[end] for end in ends if end in _PRODUCTS), ())
    there = {each for products in found.values() for each in products}
    lacking = [each for each in targets if each not in there]
    if lacking:
        hint = f"it has {', '.join(sorted(there))}" if there else "train all its weights: lora = false"
        what = f"which layers of {model.config.model_type} compute {', '.join(lacking)} is not known"
        raise InputError(Problem(what, "lora.targets", hint=hint))
    return [name for name, products in found.items() if set(products) & set(targets)]


def add_adapters(
    model: PreTrainedModel, rank: int, alpha: float, dropout: float, targets: Collection[str]
) -> Any:
    """Put adapters into the layers of a model, in place, and freeze the rest.

    Parameters
    ----------
    model : PreTrainedModel
        Its layers are changed in place; it can go on being called itself.
    rank, alpha, dropout
        Of the adapters.
    targets : collection of str
        The products that get one, see `adapted_layers`.

    Returns
    -------
    peft.PeftModel
        Whose ``merge_and_unload()`` gives the plain model back, adapters merged.
    """
    from peft import LoraConfig, get_peft_model
    from transformers.pytorch_utils import Conv1D

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]
        lora_dropout=dropout,
        target_modules=adapted_layers(model, targets),
        # GPT-2 stores its linear layers the other way round.
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )
    with _peft_warnings():
        return get_peft_model(model, config)


def halve_frozen(model: PreTrainedModel) -> None:
    """Keep the weights of products that are not trained in bf16, in place.

    Where products run in bf16 this changes nothing but the memory: autocast makes the same numbers of them each time.
    Tables of tokens, which are looked up as they are, stay in fp32, and so do norms.
    """
    from torch import bfloat16, nn

    looked_up = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    for module in model.modules():
        if isinstance(module, nn.Linear) and id(module.weight) not in looked_up:
            for parameter in module.parameters(recurse=False):
                if not parameter.requires_grad:
                    parameter.data = parameter.data.to(bfloat16)


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
