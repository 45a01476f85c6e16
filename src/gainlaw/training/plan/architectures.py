"""Architectures written out: tensors and products of a model follow from its configuration alone, without torch.

Each is held by the tests against the model that transformers makes: every tensor by name and shape, and every product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Literal

from gainlaw.errors import InputError, Problem

__all__ = ["ARCHITECTURES", "Architecture", "Side", "Tensor", "Widths", "read_widths", "require_torch"]

Kind = Literal["encoder", "decoder", "encoder-decoder"]
Side = Literal["tokens", "target", "once"]

#: The largest number of a configuration that is no typing error, and of layers that are made one by one.
_LARGEST, _MOST_LAYERS = 10**7, 1000
#: Keys that change neither tensors nor products.
_NEUTRAL = frozenset(
    {"model_type", "bos_token_id", "eos_token_id", "decoder_start_token_id", "initializer_range"}
)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a model.

    Attributes
    ----------
    name : str
        As transformers calls it.
    shape : tuple of int
        Its sizes.
    kind : {"table", "product", "other"}
        Looked up in, multiplied by, or neither.
    side : {"tokens", "target", "once"}
        What is multiplied by it: every token, every token of the decoder's side, or one state of an example.
    """

    name: str
    shape: tuple[int, ...]
    kind: Literal["table", "product", "other"]
    side: Side = "tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """The numbers of a configuration, whatever it calls them; 0 for what an architecture does not have."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    feed_forward: int
    positions: int = 0
    types: int = 0
    head_width: int = 0
    key_value_heads: int = 0
    decoder_layers: int = 0
    buckets: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """An architecture.

    Attributes
    ----------
    kind : {"encoder", "decoder", "encoder-decoder"}
        What it is.
    keys : mapping of str to (str, int or None)
        Fields of `Widths` -> the key of the configuration, and its default.
    dropout : tuple of (str, float)
        The keys of the rates at which states, and attention weights, are dropped, with their defaults.
    padding : int or None
        Default of ``pad_token_id``.
    tied : bool
        Whether the language-modelling head is the table of tokens, unless a configuration says otherwise.
    tensors : callable
        Of widths, and whether the model has its head and both its sides, gives the tensors in their order; the head
        apart.
    settled : mapping
        Keys that change what a model computes, with the value that is meant here.
    neutral : frozenset of str
        Keys beside the usual ones that change neither tensors nor products.
    joint_projection, gated, slow_gelu, slow_norm, fused_attention : bool
        As in `gainlaw.training.plan.shapes.ModelShape`.
    """

    kind: Kind
    keys: Mapping[str, tuple[str, int | None]]
    dropout: tuple[tuple[str, float], tuple[str, float]]
    tensors: Callable[[Widths, bool], Iterator[Tensor]]
    padding: int | None = None
    tied: bool = True
    settled: Mapping[str, object] = field(default_factory=dict)
    neutral: frozenset[str] = frozenset()
    joint_projection: bool = False
    gated: bool = False
    slow_gelu: bool = False
    slow_norm: bool = False
    fused_attention: bool = False


def read_widths(config: Mapping[str, Any]) -> Widths | None:
    """Return the numbers of a configuration; None where anything in it is unusual, and for transformers to judge.

    Parameters
    ----------
    config : mapping
        A configuration with ``model_type``.

    Examples
    --------
    >>> read_widths({"model_type": "bert", "hidden_size": 16, "num_attention_heads": 2}).layers
    12
    >>> read_widths({"model_type": "bert", "hidden_size": 15, "num_attention_heads": 2}) is None
    True
    """
    architecture = ARCHITECTURES.get(config.get("model_type", ""))
    if architecture is None:
        return None
    found = {name: config.get(key, usual) for name, (key, usual) in architecture.keys.items()}
    filled = {name: _filled(name, value, found) for name, value in found.items()}
    known = {key for key, _ in (*architecture.keys.values(), *architecture.dropout)} | set(
        architecture.settled
    )
    known |= {"pad_token_id", "tie_word_embeddings", *_NEUTRAL, *architecture.neutral}
    rates = [config.get(key, usual) for key, usual in architecture.dropout]
    padding = config.get("pad_token_id", architecture.padding)
    ordinary = (
        set(config) <= known
        and all(config.get(key, value) == value for key, value in architecture.settled.items())
        and all(type(value) is int and 1 <= value <= _most(name) for name, value in filled.items())
        and all(isinstance(rate, float) and 0.0 <= rate < 1.0 for rate in rates)
        and type(config.get("tie_word_embeddings", True)) is bool
    )
    if not ordinary:
        return None
    least = min(filled["vocabulary"], filled.get("positions", filled["vocabulary"]))
    if not (padding is None or (type(padding) is int and 0 <= padding < least)):
        return None
    if "head_width" not in filled:
        if filled["hidden"] % filled["heads"]:
            return None
        filled["head_width"] = filled["hidden"] // filled["heads"]
    filled.setdefault("key_value_heads", filled["heads"])
    filled.setdefault("feed_forward", 4 * filled["hidden"])
    if filled["heads"] % filled["key_value_heads"]:
        return None
    return Widths(**filled)


def require_torch(kind: object) -> None:
    """Raise an InputError that says what to install where a model has to be made to be known, and cannot."""
    missing = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if missing:
        what = f"a model of type {kind!r}, or of this configuration, is not known without {' and '.join(missing)}"
        hint = f"pip install {' '.join(missing)}; without, usual ones of type {', '.join(ARCHITECTURES)} are known"
        raise InputError(Problem(what, hint=hint))


def _filled(name: str, value: Any, found: Mapping[str, Any]) -> Any:
    """Return a value, or what stands for one that is not given."""
    return found["layers"] if value is None and name == "decoder_layers" else value


def _most(name: str) -> int:
    return _MOST_LAYERS if "layers" in name else _LARGEST


def _linear(name: str, out: int, of: int, *, bias: bool = True, side: Side = "tokens") -> Iterator[Tensor]:
    yield Tensor(f"{name}.weight", (out, of), "product", side)
    if bias:
        yield Tensor(f"{name}.bias", (out,), "other")


def _norm(name: str, width: int, *, bias: bool = True) -> Iterator[Tensor]:
    yield Tensor(f"{name}.weight", (width,), "other")
    if bias:
        yield Tensor(f"{name}.bias", (width,), "other")


def _table(name: str, size: int, width: int) -> Tensor:
    return Tensor(f"{name}.weight", (size, width), "table")


def _bert(n: Widths, whole: bool, *, tables: str = "wptn", norms_first: bool = False) -> Iterator[Tensor]:
    """Give the tensors of BERT and its kin: `tables` is the order of words, positions, types and their norm."""
    h = n.hidden
    parts = {
        "w": lambda: [_table("embeddings.word_embeddings", n.vocabulary, h)],
        "p": lambda: [_table("embeddings.position_embeddings", n.positions, h)],
        "t": lambda: [_table("embeddings.token_type_embeddings", n.types, h)],
        "n": lambda: _norm("embeddings.LayerNorm", h),
    }
    for part in tables:
        yield from parts[part]()
    for layer in range(n.layers):
        name = f"encoder.layer.{layer}"
        for product in ("query", "key", "value"):
            yield from _linear(f"{name}.attention.self.{product}", h, h)
        yield from _linear(f"{name}.attention.output.dense", h, h)
        yield from _norm(
            f"{name}.attention.{'self_attn_layer_norm' if norms_first else 'output.LayerNorm'}", h
        )
        yield from _linear(f"{name}.intermediate.dense", n.feed_forward, h)
        yield from _linear(f"{name}.output.dense", h, n.feed_forward)
        yield from _norm(f"{name}.LayerNorm" if norms_first else f"{name}.output.LayerNorm", h)
    if norms_first:
        yield from _norm("encoder.LayerNorm", h)
    yield from _linear("pooler.dense", h, h, side="once")


def _roberta(n: Widths, whole: bool) -> Iterator[Tensor]:
    return _bert(n, whole, tables="wtnp")


def _roberta_xl(n: Widths, whole: bool) -> Iterator[Tensor]:
    return _bert(n, whole, tables="wtp", norms_first=True)


def _mt5(n: Widths, whole: bool) -> Iterator[Tensor]:
    yield _table("shared" if whole else "embed_tokens", n.vocabulary, n.hidden)
    yield from _mt5_stack(n, n.layers, "encoder." if whole else "")
    if whole:
        yield from _mt5_stack(n, n.decoder_layers, "decoder.", decodes=True)


def _mt5_stack(n: Widths, layers: int, prefix: str, *, decodes: bool = False) -> Iterator[Tensor]:
    h, q = n.hidden, n.heads * n.head_width
    own: Side = "target" if decodes else "tokens"
    for layer in range(layers):
        attentions = ["SelfAttention", *(["EncDecAttention"] if decodes else [])]
        for place, attention in enumerate(attentions):
            name = f"{prefix}block.{layer}.layer.{place}"
            for product in ("q", "k", "v", "o"):
                # Keys and values of the attention between the sides are of the encoder's states.
                side = "tokens" if place and product in "kv" else own
                shape = (h, q) if product == "o" else (q, h)
                yield from _linear(f"{name}.{attention}.{product}", *shape, bias=False, side=side)
            if not layer and not place:
                yield _table(f"{name}.{attention}.relative_attention_bias", n.buckets, n.heads)
            yield from _norm(f"{name}.layer_norm", h, bias=False)
        name = f"{prefix}block.{layer}.layer.{len(attentions)}"
        for product, shape in (
            ("wi_0", (n.feed_forward, h)),
            ("wi_1", (n.feed_forward, h)),
            ("wo", (h, n.feed_forward)),
        ):
            yield from _linear(f"{name}.DenseReluDense.{product}", *shape, bias=False, side=own)
        yield from _norm(f"{name}.layer_norm", h, bias=False)
    yield from _norm(f"{prefix}final_layer_norm", h, bias=False)


def _bloom(n: Widths, whole: bool) -> Iterator[Tensor]:
    h, prefix = n.hidden, "transformer." if whole else ""
    yield _table(f"{prefix}word_embeddings", n.vocabulary, h)
    yield from _norm(f"{prefix}word_embeddings_layernorm", h)
    for layer in range(n.layers):
        name = f"{prefix}h.{layer}"
        yield from _norm(f"{name}.input_layernorm", h)
        yield from _linear(f"{name}.self_attention.query_key_value", 3 * h, h)
        yield from _linear(f"{name}.self_attention.dense", h, h)
        yield from _norm(f"{name}.post_attention_layernorm", h)
        yield from _linear(f"{name}.mlp.dense_h_to_4h", n.feed_forward, h)
        yield from _linear(f"{name}.mlp.dense_4h_to_h", h, n.feed_forward)
    yield from _norm(f"{prefix}ln_f", h)


def _xglm(n: Widths, whole: bool) -> Iterator[Tensor]:
    h, prefix = n.hidden, "model." if whole else ""
    yield _table(f"{prefix}embed_tokens", n.vocabulary, h)
    for layer in range(n.layers):
        name = f"{prefix}layers.{layer}"
        for product in ("k_proj", "v_proj", "q_proj", "out_proj"):
            yield from _linear(f"{name}.self_attn.{product}", h, h)
        yield from _norm(f"{name}.self_attn_layer_norm", h)
        yield from _linear(f"{name}.fc1", n.feed_forward, h)
        yield from _linear(f"{name}.fc2", h, n.feed_forward)
        yield from _norm(f"{name}.final_layer_norm", h)
    yield from _norm(f"{prefix}layer_norm", h)


def _qwen2(n: Widths, whole: bool) -> Iterator[Tensor]:
    h, prefix = n.hidden, "model." if whole else ""
    queries, keys = n.heads * n.head_width, n.key_value_heads * n.head_width
    yield _table(f"{prefix}embed_tokens", n.vocabulary, h)
    for layer in range(n.layers):
        name = f"{prefix}layers.{layer}"
        for product, width in (("q_proj", queries), ("k_proj", keys), ("v_proj", keys)):
            yield from _linear(f"{name}.self_attn.{product}", width, h)
        yield from _linear(f"{name}.self_attn.o_proj", h, queries, bias=False)
        for product in ("gate_proj", "up_proj"):
            yield from _linear(f"{name}.mlp.{product}", n.feed_forward, h, bias=False)
        yield from _linear(f"{name}.mlp.down_proj", h, n.feed_forward, bias=False)
        yield from _norm(f"{name}.input_layernorm", h, bias=False)
        yield from _norm(f"{name}.post_attention_layernorm", h, bias=False)
    yield from _norm(f"{prefix}norm", h, bias=False)


def _bert_like(
    tensors: Callable[[Widths, bool], Iterator[Tensor]], padding: int, **defaults: int
) -> Architecture:
    usual = {"vocabulary": 30522, "hidden": 768, "layers": 12, "heads": 12, "feed_forward": 3072}
    usual |= {"positions": 512, "types": 2} | defaults
    names = {
        "vocabulary": "vocab_size",
        "hidden": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "feed_forward": "intermediate_size",
        "positions": "max_position_embeddings",
        "types": "type_vocab_size",
    }
    return Architecture(
        kind="encoder",
        keys={name: (key, usual[name]) for name, key in names.items()},
        dropout=(("hidden_dropout_prob", 0.1), ("attention_probs_dropout_prob", 0.1)),
        padding=padding,
        tensors=tensors,
        settled={"hidden_act": "gelu"},
        neutral=frozenset({"layer_norm_eps"}),
        fused_attention=True,
    )


#: By the ``model_type`` of configurations.
ARCHITECTURES: Mapping[str, Architecture] = {
    "bert": _bert_like(_bert, 0),
    "roberta": _bert_like(_roberta, 1, vocabulary=50265),
    "xlm-roberta": _bert_like(_roberta, 1),
    "xlm-roberta-xl": _bert_like(
        _roberta_xl,
        1,
        vocabulary=250880,
        hidden=2560,
        layers=36,
        heads=32,
        feed_forward=10240,
        positions=514,
        types=1,
    ),
    "mt5": Architecture(
        kind="encoder-decoder",
        keys={
            "vocabulary": ("vocab_size", 250112),
            "hidden": ("d_model", 512),
            "layers": ("num_layers", 8),
            "heads": ("num_heads", 6),
            "feed_forward": ("d_ff", 1024),
            "head_width": ("d_kv", 64),
            "decoder_layers": ("num_decoder_layers", None),
            "buckets": ("relative_attention_num_buckets", 32),
        },
        dropout=(("dropout_rate", 0.1), ("dropout_rate", 0.1)),
        padding=0,
        tensors=_mt5,
        settled={"feed_forward_proj": "gated-gelu"},
        neutral=frozenset({"layer_norm_epsilon", "relative_attention_max_distance"}),
        gated=True,
        slow_gelu=True,
        slow_norm=True,
    ),
    "bloom": Architecture(
        kind="decoder",
        keys={
            "vocabulary": ("vocab_size", 250880),
            "hidden": ("hidden_size", 64),
            "layers": ("n_layer", 2),
            "heads": ("n_head", 8),
        },
        dropout=(("hidden_dropout", 0.0), ("attention_dropout", 0.0)),
        tensors=_bloom,
        neutral=frozenset({"layer_norm_epsilon", "apply_residual_connection_post_layernorm"}),
        joint_projection=True,
    ),
    "xglm": Architecture(
        kind="decoder",
        keys={
            "vocabulary": ("vocab_size", 256008),
            "hidden": ("d_model", 1024),
            "layers": ("num_layers", 24),
            "heads": ("attention_heads", 16),
            "feed_forward": ("ffn_dim", 4096),
            "positions": ("max_position_embeddings", 2048),
        },
        dropout=(("dropout", 0.1), ("attention_dropout", 0.1)),
        padding=1,
        tensors=_xglm,
        settled={"activation_function": "gelu"},
        neutral=frozenset({"activation_dropout", "scale_embedding"}),
    ),
    "qwen2": Architecture(
        kind="decoder",
        keys={
            "vocabulary": ("vocab_size", 151936),
            "hidden": ("hidden_size", 4096),
            "layers": ("num_hidden_layers", 32),
            "heads": ("num_attention_heads", 32),
            "feed_forward": ("intermediate_size", 22016),
            "key_value_heads": ("num_key_value_heads", 32),
        },
        dropout=(("hidden_dropout", 0.0), ("attention_dropout", 0.0)),
        tied=False,
        tensors=_qwen2,
        settled={"hidden_act": "silu", "use_sliding_window": False},
        neutral=frozenset({"rms_norm_eps", "rope_parameters", "max_position_embeddings"}),
        gated=True,
        slow_norm=True,
        fused_attention=True,
    ),
}
