"""Models without heads: made from a configuration, loaded from a folder or the hub, saved as safetensors."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gainlaw.errors import InputError, Problem

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "Role",
    "accepted",
    "freeze_embeddings",
    "load_config",
    "load_model",
    "load_tokenizer",
    "make_model",
    "missing_readers",
    "model_of",
    "pooling_of",
    "quiet",
    "recompute_activations",
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

    two = _two_sided(config)
    factory: Any = {
        "masked": AutoModelForMaskedLM,
        "language": AutoModelForSeq2SeqLM if two else AutoModelForCausalLM,
        "encoder": AutoModelForTextEncoding if two else AutoModel,
    }[role]
    # Of an encoder there is a class with a causal head, but it sees what it should predict.
    backwards = role == "language" and not two and _reads_both_ways(config)
    if backwards or type(config) not in factory._model_mapping:
        what = {"masked": "a masked", "language": "a generative", "encoder": "an encoder for a"}[role]
        raise InputError(
            Problem(
                f"{config.model_type} cannot serve as {what} language model", "model_type", hint=_FIT[role]
            )
        )
    return factory


_FIT: Mapping[Role, str] = {
    "masked": "masked language modelling takes encoders such as xlm-roberta or bert",
    "language": "prompts take decoders such as bloom, xglm or qwen2, and mt5",
    "encoder": "fine-tuning takes encoders, decoders, and of encoder-decoders mt5, t5 and umt5",
}


def _reads_both_ways(config: PretrainedConfig) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    return config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False)


def _two_sided(config: PretrainedConfig) -> bool:
    """Return whether an architecture has encoder and decoder; a saved encoder of one says that it has not."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES

    return config.model_type in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES


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

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _build(config, role).float()


def model_of(origin: str | Path, role: Role, revision: str | None = None) -> PreTrainedModel:
    """Return a model with the configuration of a folder or of the hub, in fp32, its weights random."""
    return _build(load_config(origin, revision), role).float()


def _build(config: PretrainedConfig, role: Role) -> PreTrainedModel:
    factory = _factory(config, role)
    options = _options(config, factory) if role == "encoder" else {}
    with quiet():
        return factory.from_config(config, **options)


def skeleton(config: PretrainedConfig, role: Role) -> PreTrainedModel:
    """Return a model without memory for its weights, to count them."""
    import torch

    with torch.device("meta"):
        return _build(config, role)


def load_model(
    origin: str | Path, role: Role, *, revision: str | None = None, device: str = "cpu"
) -> PreTrainedModel:
    """Return a model with the weights of a folder or of the hub, in fp32.

    Raises
    ------
    InputError
        If there are no safetensors weights; `gainlaw.training.train.weights` makes them of pickled ones.
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
        raise InputError(Problem(f"no weights of {origin}: {first}")) from None
    return model.to(device)


def recompute_activations(model: PreTrainedModel) -> None:
    """Have a model compute its activations again in the backward pass, rather than keep them all.

    Raises
    ------
    InputError
        If its architecture cannot.
    """
    # The method's name up to transformers 5.2 or so, which goes on working until 6.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    try:
        enable({"use_reentrant": False})
    except ValueError as error:
        raise InputError(Problem(str(error).splitlines()[0], "gradient_checkpointing")) from None


def freeze_embeddings(model: torch.nn.Module) -> None:
    """Keep the look-up tables of a model, those of tokens and of positions, as they are."""
    from torch import nn

    for module in model.modules():
        if isinstance(module, nn.Embedding):
            module.requires_grad_(False)


def missing_readers() -> list[str]:
    """Return the packages that are not there of those that read a tokenizer which was published as a spiece.model."""
    from importlib.util import find_spec

    found = {"sentencepiece": "sentencepiece", "protobuf": "google.protobuf"}
    return [name for name, module in found.items() if not _has(find_spec, module)]


def _has(find: Callable[[str], Any], module: str) -> bool:
    try:
        return find(module) is not None
    except ModuleNotFoundError:  # of the package above it
        return False


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
    except (OSError, ValueError, ImportError) as error:
        first = str(error).strip().splitlines()[0]
        missing = missing_readers()
        hint = f"it may need {' and '.join(missing)}: pip install {' '.join(missing)}" if missing else None
        raise InputError(Problem(f"no tokenizer of {origin}: {first}", hint=hint)) from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    lacking = [] if tokenizer.is_fast else ["it is not a fast one (tokenizer.json)"]
    lacking += [] if _has_words(tokenizer) else ["it has no vocabulary, as when its files are missing"]
    lacking += ["it has neither a padding nor an end token"] if tokenizer.pad_token_id is None else []
    if lacking:
        raise InputError(Problem(f"the tokenizer of {origin} cannot be used: {', and '.join(lacking)}"))
    tokenizer.padding_side = "right"
    return tokenizer


def _has_words(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether there are tokens besides special ones; transformers makes an empty tokenizer of no files."""
    if len(tokenizer) > _MOST_SPECIAL:
        return True
    special = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    return len(set(tokenizer.get_vocab()) - special) > 1


_MOST_SPECIAL = 1000


def save_model(model: PreTrainedModel, folder: Path) -> None:
    """Write configuration and weights (safetensors) into a folder."""
    with quiet():
        model.save_pretrained(folder)


def pooling_of(config: PretrainedConfig, asked: str = "usual") -> str:
    """Return which state stands for a sequence: ``first``, ``mean`` or ``last``.

    Usually the first token of an encoder, the mean of the encoder of an encoder-decoder, the last token of a decoder.
    """
    if asked != "usual":
        return asked
    if _two_sided(config):
        return "mean"
    return "first" if _reads_both_ways(config) else "last"


def accepted(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Return the arguments of the model's ``forward``: the tensors of a batch that it takes.

    Segment ids are left out where the model has one kind of segment (XLM-R); a decoder keeps no keys and values.
    """
    taken = inspect.signature(model.forward).parameters
    kinds = getattr(model.config, "type_vocab_size", 0) or 0
    extra: dict[str, Any] = {"use_cache": False} if "use_cache" in taken else {}
    return extra | {
        name: value
        for name, value in batch.items()
        if name in taken and (name != "token_type_ids" or kinds > 1)
    }
