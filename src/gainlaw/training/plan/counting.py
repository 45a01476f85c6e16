"""What a model is made of and how much it multiplies: written out where that is known, else measured."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from gainlaw.training.plan.architectures import ARCHITECTURES, Architecture, Side, Tensor, Widths, read_widths
from gainlaw.training.plan.shapes import ForwardFlops, ModelShape, Part, header_bytes

__all__ = ["forward_flops", "model_shape", "written_tensors"]


def model_shape(config: Mapping[str, Any], role: Part = "encoder") -> ModelShape:
    """Return what a model is made of.

    Parameters
    ----------
    config : mapping
        As of `gainlaw.training.experiment.known.known_config`, a model's ``config.json``, or values of one's own
        with ``model_type``.
    role : {"encoder", "full", "causal"}
        ``encoder``: the model without language-modelling head, with the pooling layer that it was published
        with; of an encoder-decoder, the encoder and its embeddings. ``full``: with the head it was pretrained
        with, and both sides of an encoder-decoder. ``causal``: a decoder with its head.

    Raises
    ------
    InputError
        If the configuration is not one that transformers knows, or the role does not suit it.
    """
    return _shape(_text(config), role)


def forward_flops(config: Mapping[str, Any], role: Part = "encoder") -> ForwardFlops:
    """Return the FLOPs of one forward pass as a function of its length.

    Products are counted, whole attention matrices also where a causal mask spares half; element-wise work is not. Those
    of architectures that are written out (`gainlaw.training.plan.architectures`) follow from the configuration, others
    are measured (`gainlaw.training.plan.measured`).

    Parameters
    ----------
    config, role
        As in `model_shape`, with the errors of that.
    """
    return _flops(_text(config), role)


def written_tensors(config: Mapping[str, Any], role: Part) -> tuple[Tensor, ...] | None:
    """Return the tensors of a model, a shared one once; None where its architecture is not written out.

    Parameters
    ----------
    config, role
        As in `model_shape`.
    """
    found = _written(config, role)
    return None if found is None else (*found[2], *found[3])


def _written(
    config: Mapping[str, Any], role: Part
) -> tuple[Architecture, Widths, tuple[Tensor, ...], tuple[Tensor, ...]] | None:
    """Return an architecture, its widths, its tensors, and a head of its own, if it has one in the role."""
    widths = read_widths(config)
    if widths is None:
        return None
    architecture = ARCHITECTURES[config["model_type"]]
    roles = {
        "encoder": ("encoder",),
        "decoder": ("encoder", "full", "causal"),
        "encoder-decoder": ("encoder", "full"),
    }
    if role not in roles[architecture.kind]:
        return None
    tensors = tuple(architecture.tensors(widths, role != "encoder"))
    if role == "encoder" or config.get("tie_word_embeddings", architecture.tied):
        return architecture, widths, tensors, ()
    side: Side = "target" if architecture.kind == "encoder-decoder" else "tokens"
    head = Tensor("lm_head.weight", (widths.vocabulary, widths.hidden), "product", side)
    return architecture, widths, tensors, (head,)


def _text(config: Mapping[str, Any]) -> str:
    return json.dumps(dict(config), sort_keys=True, default=str)


@lru_cache(maxsize=64)
def _shape(text: str, role: Part) -> ModelShape:
    config = json.loads(text)
    found = _written(config, role)
    if found is None:
        from gainlaw.training.plan.measured import measured_shape

        return measured_shape(config, role)
    architecture, n, tensors, head = found
    whole = (*tensors, *head)
    vocabulary = 0 if role == "encoder" else n.vocabulary
    shared = 0 if head else vocabulary * n.hidden
    rates = [config.get(key, usual) for key, usual in architecture.dropout]
    return ModelShape(
        parameters=_elements(whole),
        embedding_parameters=_elements(each for each in tensors if each.kind == "table") + _elements(head),
        linear_parameters=_elements(each for each in whole if each.kind == "product") + shared,
        largest_parameter=max(math.prod(each.shape) for each in whole),
        header_bytes=header_bytes((each.name, each.shape) for each in whole),
        hidden=n.hidden,
        layers=n.layers,
        decoder_layers=n.decoder_layers if role == "full" else 0,
        heads=n.heads,
        query_width=n.heads * n.head_width,
        key_value_width=n.key_value_heads * n.head_width,
        feed_forward=n.feed_forward,
        vocabulary=vocabulary,
        joint_projection=architecture.joint_projection,
        gated=architecture.gated,
        slow_gelu=architecture.slow_gelu,
        slow_norm=architecture.slow_norm,
        fused_attention=architecture.fused_attention,
        dropout=rates[0] > 0,
        attention_dropout=rates[1] > 0,
    )


def _elements(tensors: Iterable[Tensor]) -> int:
    return sum(math.prod(each.shape) for each in tensors)


@lru_cache(maxsize=64)
def _flops(text: str, role: Part) -> ForwardFlops:
    config = json.loads(text)
    found = _written(config, role)
    if found is None:
        from gainlaw.training.plan.measured import measured_flops

        return measured_flops(config, role)
    architecture, n, tensors, head = found
    once, tokens, target = (
        2.0 * _elements(each for each in (*tensors, *head) if each.kind == "product" and each.side == side)
        for side in ("once", "tokens", "target")
    )
    both = role == "full" and architecture.kind == "encoder-decoder"
    shared = 2.0 * n.vocabulary * n.hidden if role != "encoder" and not head else 0.0
    # Queries with keys, and their weights with values, in every layer.
    own, other = (4.0 * layers * n.heads * n.head_width for layers in (n.layers, n.decoder_layers * both))
    return ForwardFlops(once, tokens + shared * (not both), own, target + shared * both, other, other)
