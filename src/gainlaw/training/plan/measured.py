"""Models on the meta device: what they are made of and how much they multiply, measured without any weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.training.plan.architectures import require_torch
from gainlaw.training.plan.shapes import ForwardFlops, ModelShape, Part, header_bytes

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

__all__ = ["build_model", "measured_flops", "measured_shape"]


def measured_shape(values: Mapping[str, Any], role: Part) -> ModelShape:
    """Return what a model is made of, see `gainlaw.training.plan.counting.model_shape`."""
    model = build_model(values, role)
    tables, products, habits = _habits(model)
    config = model.config
    sizes = {id(p): p.numel() for p in model.parameters()}
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    decoder = _decoder_layers(config) if config.is_encoder_decoder and role == "full" else 0
    head = model.get_output_embeddings() if role != "encoder" else None
    return ModelShape(
        parameters=sum(sizes.values()),
        embedding_parameters=sum(sizes[key] for key in tables),
        linear_parameters=sum(sizes[key] for key in products),
        largest_parameter=max(sizes.values()),
        header_bytes=header_bytes((name, tuple(p.shape)) for name, p in model.named_parameters()),
        hidden=config.hidden_size,
        layers=config.num_hidden_layers,
        decoder_layers=decoder,
        heads=heads,
        query_width=heads * width,
        key_value_width=(getattr(config, "num_key_value_heads", None) or heads) * width,
        feed_forward=_feed_forward(config),
        vocabulary=0 if head is None else int(head.weight.shape[0]),
        **habits,
        dropout=_positive(config, "hidden_dropout_prob", "hidden_dropout", "dropout", "dropout_rate"),
        attention_dropout=_positive(
            config, "attention_probs_dropout_prob", "attention_dropout", "dropout_rate"
        ),
    )


def _positive(config: PretrainedConfig, *names: str) -> bool:
    value = next((getattr(config, name) for name in names if hasattr(config, name)), 0.0)
    return isinstance(value, int | float) and value > 0


def _feed_forward(config: PretrainedConfig) -> int:
    names = ("intermediate_size", "d_ff", "ffn_dim", "hidden_dim", "encoder_ffn_dim", "n_inner")
    return next(
        (v for name in names if isinstance(v := getattr(config, name, None), int)), 4 * config.hidden_size
    )


def _decoder_layers(config: PretrainedConfig) -> int:
    names = ("num_decoder_layers", "decoder_layers")
    return next(
        (v for name in names if isinstance(v := getattr(config, name, None), int)), config.num_hidden_layers
    )


def _habits(model: PreTrainedModel) -> tuple[set[int], set[int], dict[str, bool]]:
    """Return the tables and the matrices of products of a model (by identity), and how it computes."""
    from torch import nn

    modules = list(model.named_modules())
    tables = {id(m.weight) for _, m in modules if isinstance(m, nn.Embedding)}
    products = {id(m.weight) for _, m in modules if isinstance(m, nn.Linear)}
    head = model.get_output_embeddings()
    if head is not None:
        tables.add(id(head.weight))
    leaves = {name.rsplit(".", 1)[-1] for name, _ in modules}
    kinds = {type(m).__name__ for _, m in modules}
    composed = {k for k in kinds if k.endswith(("RMSNorm", "T5LayerNorm", "MT5LayerNorm"))} - {"RMSNorm"}
    return (
        tables,
        products,
        {
            "joint_projection": bool(leaves & {"query_key_value", "c_attn", "qkv_proj"}),
            "gated": bool(leaves & {"gate_proj", "wi_1"}),
            "slow_gelu": "NewGELUActivation" in kinds,
            "slow_norm": bool(composed),
            # A learned position bias is added to the scores of T5, which are written to memory for its gradient.
            "fused_attention": model.config._attn_implementation == "sdpa"
            and "relative_attention_bias" not in leaves,
        },
    )


def build_model(values: Mapping[str, Any], role: Part, layers: int | None = None) -> PreTrainedModel:
    """Return a model on the meta device, or its first layers.

    Raises
    ------
    InputError
        If the configuration is not one that transformers knows, the role does not suit it, or torch is not installed.
    """
    require_torch(values.get("model_type"))
    import torch
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

    from gainlaw.training.train.backbones import quiet

    config = _configure(values)
    if layers is not None:
        _cut(config, layers)
    kind = _kind(config)
    if role not in get_args(Part):
        raise InputError(Problem(f"{role!r} is no role", "role", hint=f"one of {', '.join(get_args(Part))}"))
    if role == "causal" and kind != "decoder":
        hint = "causal is for decoders such as BLOOM, XGLM or Qwen; take encoder or full"
        raise InputError(Problem(f"{config.model_type} is an {kind}", "role", hint=hint))
    heads = {"encoder": AutoModelForMaskedLM, "decoder": AutoModelForCausalLM}
    factory: Any = AutoModel if role == "encoder" else heads.get(kind, AutoModelForSeq2SeqLM)
    try:
        with torch.device("meta"), quiet():
            model = factory.from_config(config)
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, ZeroDivisionError) as error:
        raise _refused(values, error) from None
    if role == "encoder" and kind == "encoder-decoder":
        return model.get_encoder()
    head, table = model.get_output_embeddings(), model.get_input_embeddings()
    if values.get("tie_word_embeddings") is False and head is not None and head.weight is table.weight:
        # The configuration class of mT5 overrules its files; the published checkpoints have a head of their own.
        head.weight = torch.nn.Parameter(torch.empty_like(table.weight))
    return model


def _cut(config: PretrainedConfig, layers: int) -> None:
    """Leave the first layers only."""
    config.num_hidden_layers = layers
    for name in ("num_decoder_layers", "decoder_layers"):
        if getattr(config, name, None) is not None:
            setattr(config, name, layers)
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:layers]


def _configure(values: Mapping[str, Any]) -> PretrainedConfig:
    from huggingface_hub.errors import StrictDataclassError

    from gainlaw.training.train.backbones import load_config, quiet

    if not isinstance(values.get("model_type"), str):
        hint = "for instance xlm-roberta; known_config gives those of published models"
        raise InputError(Problem("a configuration needs a model_type", "model_type", hint=hint))
    try:
        with quiet():
            return load_config(values)
    except StrictDataclassError as error:
        raise _refused(values, error) from None


def _refused(values: Mapping[str, Any], error: Exception) -> InputError:
    why = " ".join(str(error).split()) or type(error).__name__
    hint = "see the model's configuration class in transformers for what is allowed"
    return InputError(
        Problem(f"no {values['model_type']} model of this configuration: {why}", "config", hint=hint)
    )


def _kind(config: PretrainedConfig) -> str:
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    if config.is_encoder_decoder:
        return "encoder-decoder"
    return "encoder" if config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES else "decoder"


def measured_flops(values: Mapping[str, Any], role: Part) -> ForwardFlops:
    """Return the FLOPs of a forward pass as a function of its length.

    The model runs at three lengths (six pairs of lengths for both sides of an encoder-decoder), with one layer and with
    two where all layers are of one size. FlopCounterMode of torch counts products, whole attention matrices also where
    a causal mask spares half; element-wise work is not counted.
    """
    shape = measured_shape(values, role)
    both = shape.decoder_layers > 0
    config = _configure(values)
    longest = min(256, getattr(config, "max_position_embeddings", None) or 256)
    points = list(_points(longest, both))
    try:
        counts = _counts_of_layers(values, role, shape, points) or _counts(build_model(values, role), points)
    except (RuntimeError, NotImplementedError):
        return _flops_of_shape(shape, both)
    scaled = [(n / longest, m / longest) for n, m in points]  # keeps the system well conditioned
    rows = np.array([[1, n, n**2, m, m**2, n * m][: 6 if both else 3] for n, m in scaled])
    scales = np.array([1, longest, longest**2, longest, longest**2, longest**2][: rows.shape[1]])
    found = np.rint(np.linalg.solve(rows, np.array(counts, dtype=float)) / scales)
    return ForwardFlops(*(float(value) for value in found))


def _counts_of_layers(
    values: Mapping[str, Any], role: Part, shape: ModelShape, points: list[tuple[int, int]]
) -> list[int] | None:
    """Return the counts from models of one and of two layers, or None where layers differ in size."""
    if shape.layers < 3 or (shape.decoder_layers and shape.decoder_layers != shape.layers):
        return None
    one, two = (build_model(values, role, layers) for layers in (1, 2))
    small, large = (sum(p.numel() for p in model.parameters()) for model in (one, two))
    if small + (shape.layers - 1) * (large - small) != shape.parameters:
        return None
    pairs = zip(_counts(one, points), _counts(two, points), strict=True)
    return [first + (shape.layers - 1) * (second - first) for first, second in pairs]


def _points(longest: int, both: bool) -> Iterator[tuple[int, int]]:
    half, quarter = longest // 2, longest // 4
    if both:
        yield from [(quarter, quarter), (half, quarter), (longest, quarter)]
        yield from [(quarter, half), (quarter, longest), (half, half)]
    else:
        yield from [(quarter, 0), (half, 0), (longest, 0)]


def _counts(model: PreTrainedModel, points: list[tuple[int, int]]) -> list[int]:
    model.eval()
    model.config.pad_token_id = None  # padding is looked for by value, and there are no values
    return [_count(model, tokens, target_tokens) for tokens, target_tokens in points]


def _count(model: PreTrainedModel, tokens: int, target_tokens: int) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    inputs = {"input_ids": torch.zeros((1, tokens), dtype=torch.long, device="meta")}
    if target_tokens:
        inputs["decoder_input_ids"] = torch.zeros((1, target_tokens), dtype=torch.long, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(**inputs)
    return int(counter.get_total_flops())


def _flops_of_shape(shape: ModelShape, both: bool) -> ForwardFlops:
    """Count two FLOPs a weight and token, and two products of queries and keys (Kaplan et al. 2020, table 1)."""
    pairs = 4.0 * shape.layers * shape.query_width
    weights = 2.0 * shape.linear_parameters
    if not both:
        return ForwardFlops(0.0, weights, pairs, exact=False)
    return ForwardFlops(0.0, weights / 2, pairs, weights / 2, pairs, pairs, exact=False)
