"""What a model is made of, and how much it multiplies."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["ForwardFlops", "ModelShape", "Part", "Pass", "header_bytes"]

Part = Literal["encoder", "full", "causal"]
Pass = Literal["train", "infer"]


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What a model is made of.

    Attributes
    ----------
    parameters, embedding_parameters : int
        All parameters, a shared one once; and those of look-up tables (tokens, positions, token types) and of
        an output projection onto the vocabulary that is not shared with them.
    linear_parameters : int
        Weights of matrix products: those that mixed precision keeps a second copy of.
    largest_parameter : int
        Elements of the largest tensor.
    header_bytes : int
        Header of the model's safetensors file.
    hidden, layers, decoder_layers, heads : int
        Width of the states, number of layers (of an encoder-decoder, of each side; `decoder_layers` is 0 where
        there is one stack only) and of attention heads.
    query_width, key_value_width, feed_forward : int
        Widths of the queries, of the keys (and values), and inside a feed-forward layer.
    vocabulary : int
        Outputs of the language-modelling head; 0 without one.
    joint_projection, gated, slow_gelu, slow_norm, fused_attention : bool
        Whether one product gives queries, keys and values; whether the feed-forward layer is gated; whether
        GELU and the norms are composed of single operations, each of which keeps its operands; whether
        attention scores are never written to memory.
    dropout, attention_dropout : bool
        Whether states, and attention weights, are dropped while training.
    """

    parameters: int
    embedding_parameters: int
    linear_parameters: int
    largest_parameter: int
    header_bytes: int
    hidden: int
    layers: int
    decoder_layers: int
    heads: int
    query_width: int
    key_value_width: int
    feed_forward: int
    vocabulary: int
    joint_projection: bool
    gated: bool
    slow_gelu: bool
    slow_norm: bool
    fused_attention: bool
    dropout: bool
    attention_dropout: bool


@dataclass(frozen=True, slots=True)
class ForwardFlops:
    """FLOPs of one forward pass as a polynomial of its lengths (a multiplication and an addition are two).

    With ``n`` tokens, and ``m`` on the decoder's side of an encoder-decoder:
    ``constant + linear n + quadratic n^2 + target m + target_quadratic m^2 + cross n m``.

    Attributes
    ----------
    constant, linear, quadratic, target, target_quadratic, cross : float
        The coefficients; the last three are 0 where there is one stack only.
    exact : bool
        Whether it is what a pass multiplies, product by product; else the model runs only with its weights, and
        products with weights and attention scores were counted from its shapes.
    """

    constant: float
    linear: float
    quadratic: float
    target: float = 0.0
    target_quadratic: float = 0.0
    cross: float = 0.0
    exact: bool = field(default=True, kw_only=True)

    def weights(self, tokens: float, target_tokens: float = 0.0) -> float:
        """Return the FLOPs of products with weights."""
        return self.constant + self.linear * tokens + self.target * target_tokens

    def attention(self, tokens: float, target_tokens: float = 0.0) -> float:
        """Return the FLOPs of attention: products of queries with keys, and of their weights with values."""
        own = self.quadratic * tokens**2 + self.target_quadratic * target_tokens**2
        return own + self.cross * tokens * target_tokens


def header_bytes(tensors: Iterable[tuple[str, tuple[int, ...]]]) -> int:
    """Return the length of the header of a safetensors file: 8 bytes, JSON of names, types, shapes and offsets.

    Parameters
    ----------
    tensors : iterable of (str, tuple of int)
        Names and shapes, in the order of the model, a shared one once; 4 bytes a number.
    """
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in tensors:
        end = offset + 4 * math.prod(shape)
        entries[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    length = len(json.dumps(entries, separators=(",", ":")))
    return 8 + -(-length // 8) * 8
