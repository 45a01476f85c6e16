"""Models without heads: made from a configuration, loaded from a folder or the hub, saved as safetensors."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gainlaw.errors import InputError, Problem

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "Role",
    "accepted",
    "load_config",
    "load_model",
    "load_tokenizer",
    "make_model",
    "pooling_of",
    "quiet",
    "save_model",
    "skeleton",
]

Role = Literal["encoder", "masked", "language"]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from printing bars and reports of heads that were left out on purpose."""
    from transformers.utils import logging

    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()


def load_config(origin: str | Path | Mapping[str, Any], revision: str | None = None) -> PretrainedConfig:
    """Return the configuration of a model.

    Parameters
    ----------
    origin : str, Path or mapping
        A hub name, a folder, or the values themselves with ``model_type``.
    revision : str, optional
        Of a hub name.

    Raises
    ------
    InputError
        If it cannot be had or names no architecture that is known.
    """
    from transformers import AutoConfig

    try:
        if isinstance(origin, Mapping):
            return AutoConfig.for_model(**origin)
        return AutoConfig.from_pretrained(str(origin), revision=revision, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        first = str(error).strip().splitlines()[0]
        hint = (
            "config needs a model_type that transformers knows; hub names need the network, or a cached copy"
        )
        raise InputError(Problem(f"no configuration of {_short(origin)}: {first}", hint=hint)) from None


def _short(origin: str | Path | Mapping[str, Any]) -> str:
    return f"model_type {origin.get('model_type')!r}" if isinstance(origin, Mapping) else str(origin)


def _factory(config: PretrainedConfig, role: Role) -> Any:
    from transformers import (
        AutoModel,
        AutoModelForCausalLM,
        AutoModelForMaskedLM,
        AutoModelForSeq2SeqLM,
        AutoModelForTextEncoding,
    )

    if role == "masked":
        return AutoModelForMaskedLM
    if role == "language":
        return AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    return AutoModelForTextEncoding if config.is_encoder_decoder else AutoModel


def _options(config: PretrainedConfig, factory: Any) -> dict[str, Any]:
    """Return what keeps a pooling layer out where a model class can do without."""
    mapping = factory._model_mapping
    kind = mapping.get(type(config), None)
    kind = kind[0] if isinstance(kind, tuple) else kind
    if kind is not None and "add_pooling_layer" in inspect.signature(kind.__init__).parameters:
        return {"add_pooling_layer": False}
    return {}


def make_model(config: PretrainedConfig, role: Role, seed: int) -> PreTrainedModel:
    """Return a model with random weights.

    Parameters
    ----------
    config : PretrainedConfig
        Its configuration.
    role : {"encoder", "masked", "language"}
        Without a head (of an encoder-decoder, the encoder), with the head of masked language modelling, or
        with the head of language modelling.
    seed : int
        Decides the weights.
    """
    import torch

    factory = _factory(config, role)
    options = _options(config, factory) if role == "encoder" else {}
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        return factory.from_config(config, **options).float()


def skeleton(config: PretrainedConfig, role: Role) -> PreTrainedModel:
    """Return a model without memory for its weights, to count them."""
    import torch

    factory = _factory(config, role)
    options = _options(config, factory) if role == "encoder" else {}
    with torch.device("meta"), quiet():
        return factory.from_config(config, **options)


def load_model(
    origin: str | Path, role: Role, *, revision: str | None = None, device: str = "cpu"
) -> PreTrainedModel:
    """Return a model with the weights of a folder or of the hub, in fp32.

    Raises
    ------
    InputError
        If there are no safetensors weights: pickled ones are never loaded.
    """
    import torch

    config = load_config(origin, revision)
    factory = _factory(config, role)
    options = _options(config, factory) if role == "encoder" else {}
    try:
        with torch.random.fork_rng(devices=[]), quiet():
            torch.manual_seed(0)  # of a layer that the checkpoint lacks
            model = factory.from_pretrained(
                str(origin),
                config=config,
                revision=revision,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                **options,
            )
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        hint = (
            "weights are read as safetensors only, never pickled .bin files; on the hub, a conversion may lie "
            "under another revision"
        )
        raise InputError(Problem(f"no weights of {origin}: {first}", hint=hint)) from None
    return model.to(device)


def load_tokenizer(origin: str | Path, revision: str | None = None) -> PreTrainedTokenizerBase:
    """Return the fast tokenizer of a folder, a ``tokenizer.json`` or the hub, with a padding token.

    Raises
    ------
    InputError
        If there is none.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    path = Path(origin)
    tokenizer: PreTrainedTokenizerBase
    try:
        if path.suffix == ".json" and path.is_file():
            names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
            tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(path), unk_token="[UNK]", **names)
        else:
            with quiet():
                tokenizer = AutoTokenizer.from_pretrained(
                    str(origin), revision=revision, trust_remote_code=False
                )
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(Problem(f"no tokenizer of {origin}: {first}")) from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"
    return tokenizer


def save_model(model: PreTrainedModel, folder: Path) -> None:
    """Write configuration and weights (safetensors) into a folder."""
    with quiet():
        model.save_pretrained(folder)


def pooling_of(config: PretrainedConfig) -> Literal["first", "mean", "last"]:
    """Return which state stands for a sequence.

    The first token of an encoder, the mean of the encoder of an encoder-decoder, the last token of a decoder.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    if config.is_encoder_decoder or config.model_type.startswith(("t5", "mt5", "umt5")):
        return "mean"
    return "first" if config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES else "last"


def accepted(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors of a batch that the model's ``forward`` takes.

    Segment ids are left out where the model has one kind of segment (XLM-R).
    """
    taken = inspect.signature(model.forward).parameters
    kinds = getattr(model.config, "type_vocab_size", 0) or 0
    return {
        name: value
        for name, value in batch.items()
        if name in taken and (name != "token_type_ids" or kinds > 1)
    }
