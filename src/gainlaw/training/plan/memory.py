"""An estimate of the memory that training or evaluating a model needs at its peak."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from gainlaw.errors import InputError, Problem
from gainlaw.training.plan.counting import model_shape
from gainlaw.training.plan.shapes import ModelShape, Part, Pass
from gainlaw.training.prompting.encoding import MOST_LOGITS

__all__ = ["QUERY_VALUE", "MemoryEstimate", "Precision", "adapter_parameters", "peak_memory"]

Precision = Literal["fp32", "bf16"]
QUERY_VALUE = ("query", "value")
"""The usual products with adapters (Hu et al. 2021, section 4.2)."""
_FP32 = 4


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes on the device at the worst moment.

    Attributes
    ----------
    weights_bytes : int
        Weights in fp32 and, where the best so far are kept, their copy.
    gradients_bytes : int
        Gradients in fp32 of what is trained.
    optimizer_bytes : int
        The optimiser's two moments in fp32.
    activations_bytes : int
        What the forward pass keeps for the backward pass, bf16 copies of weights among it; in evaluation
        the copies of one layer, keys and values, and the layer at work.
    working_bytes : int
        What comes on top while a backward pass is under way.
    """

    weights_bytes: int
    gradients_bytes: int
    optimizer_bytes: int
    activations_bytes: int
    working_bytes: int

    @property
    def total_bytes(self) -> int:
        """The sum."""
        kept = self.weights_bytes + self.gradients_bytes + self.optimizer_bytes
        return kept + self.activations_bytes + self.working_bytes


def peak_memory(
    config: Mapping[str, Any],
    *,
    phase: Pass = "train",
    micro_batch_tokens: int,
    max_length: int,
    precision: Precision = "bf16",
    lora: int | None = None,
    targets: Collection[str] = QUERY_VALUE,
    gradient_checkpointing: bool = False,
    role: Part = "encoder",
    keeps_best: bool = False,
    scored: float = 1.0,
    shards: int = 1,
    frozen_half: bool = False,
) -> MemoryEstimate:
    """Estimate the peak memory of training, or of evaluation.

    Assumed is a loop that keeps weights, gradients and moments in fp32 and accumulates gradients: 4 bytes a
    weight, and 4 + 8 (the moments of AdamW) a trained one. ``bf16`` means autocast: products run in bf16, which
    makes a bf16 copy (2 bytes) of a weight matrix and of the input of every product, while norms and the sums of
    residual connections stay in fp32. Copies of trained weights are kept for the whole forward pass. Those of frozen
    weights live as long as what is computed with them: to the backward pass, which multiplies by them, but with
    gradient checkpointing, and in evaluation (where all weights are frozen), no longer than their layer.

    Activations follow the accounting of Korthikanti et al. 2022 (arXiv 2205.05198, section 4), in bytes per token
    and layer, with ``c`` = 4 (fp32) or 2 (bf16) bytes, widths ``h`` (states), ``q`` (queries), ``k`` (keys) and
    ``f`` (feed-forward), ``a`` heads and length ``s``:

    - attention input ``c h``, three times in bf16 where queries, keys and values are separate products;
      queries, keys, values and result ``c (2 q + 2 k)``; four bytes a head
    - feed-forward input ``c h``, twice in bf16 where it is gated; inside, ``2 c f``, or ``4 c f`` gated; more
      where GELU is composed of single operations (mT5)
    - the inputs of two norms ``8 h``, twice that where a norm is composed of single operations; two dropout masks
      ``2 h``
    - where attention scores are written to memory (BLOOM, XGLM, mT5), ``6 a s`` in bf16 or ``4 a s`` in fp32,
      and with attention dropout ``a s`` or ``5 a s`` more.

    With every value in two bytes, one product for queries, keys and values, and ``f = 4 h``, this is their
    ``34 h + 5 a s``. With LoRA products without an adapter keep no input. With gradient
    checkpointing a layer keeps its input only, and one layer at a time the rest.

    Parameters
    ----------
    config, role
        As in `gainlaw.training.plan.costs.count_parameters`. Both sides of an encoder-decoder
        (``full``) are taken to have all the tokens.
    phase : {"train", "infer"}
        Training, or evaluation right after it, with the same weights.
    micro_batch_tokens : int
        Tokens, padding included, of one forward pass.
    max_length : int
        The longest example, in tokens.
    precision : {"bf16", "fp32"}
        Of the products.
    lora : int, optional
        Rank of adapters; None (or 0) trains everything.
    targets : collection of str
        The products that have one, see `adapter_parameters`.
    gradient_checkpointing : bool
        Whether layers are computed again during the backward pass.
    keeps_best : bool
        Whether a copy of the best trained weights stays on the device (early stopping).
    scored : float
        With a head, the share of the tokens that get scores over the vocabulary; in evaluation these are
        `gainlaw.training.prompting.encoding.MOST_LOGITS` numbers at most, as there.

    shards : int
        GPUs that weights, gradients and moments are spread over in training, each with tokens of its own (FSDP,
        ZeRO 3): what is at work is gathered, two layers at a time, and so is the largest matrix.
    frozen_half : bool
        Whether the matrices that adapters leave as they are stay in bf16 where products run in it.

    Returns
    -------
    MemoryEstimate

    Raises
    ------
    InputError
        With every option that is out of range, or as `gainlaw.training.plan.costs.count_parameters` does.

    Notes
    -----
    Not counted: the device's own context and kernels (about half a gigabyte on CUDA), fragmentation, and a
    task's head. The tests hold `activations_bytes` to within a factor of 1.25 of what torch keeps for tiny models
    of each shipped family except DeBERTa, whose position scores are not modelled.
    """
    _check(phase, micro_batch_tokens, max_length, precision, lora, shards)
    shape = model_shape(config, role)
    tokens, half = micro_batch_tokens, precision == "bf16"
    adapters = adapter_parameters(shape, lora, targets) if lora else 0
    trained = adapters or shape.parameters
    weights = _FP32 * (shape.parameters + adapters)
    own = frozenset(targets) if lora else None
    layer = _layer_bytes(shape, half, max_length, own, training=phase == "train")
    depth = shape.layers + shape.decoder_layers
    head = shape.hidden * shape.vocabulary
    one = (shape.linear_parameters - head) // depth
    if phase == "infer":
        keys = (2 if half else _FP32) * 2 * shape.key_value_width * depth if role != "encoder" else 0
        logits = (6 if half else 8) * min(tokens * scored * shape.vocabulary, MOST_LOGITS)
        copies = 2 * max(one, head) if half else 0
        return MemoryEstimate(weights, 0, 0, copies + round(tokens * (layer + keys) + logits), 0)
    copies = 2 * (shape.linear_parameters + adapters) if half else 0
    if half and lora and gradient_checkpointing:
        copies = 2 * (one + head + adapters)
    if half and lora and frozen_half:  # they are their own copies
        weights -= 2 * (shape.linear_parameters - head)
        copies = 2 * (head + adapters)
    if shards > 1:
        copies = (2 if half else _FP32) * (2 * one + shape.largest_parameter)
    states = _FP32 * shape.hidden
    kept = depth * (states if gradient_checkpointing else layer) + 3 * states
    activations = copies + round(tokens * (kept + (10 if half else 8) * scored * shape.vocabulary))
    flow = (
        (2 if half else _FP32) * 2 * shape.feed_forward
        + 2 * states
        + (0 if half else 4) * scored * shape.vocabulary
    )
    work = round(tokens * (flow + layer if gradient_checkpointing else flow))
    # The gradient of the largest tensor is made whole before it is added; most activations are gone by then.
    largest = 0 if lora else _FP32 * shape.largest_parameter
    return MemoryEstimate(
        weights_bytes=-(-(weights + (_FP32 * trained if keeps_best else 0)) // shards),
        gradients_bytes=-(-(_FP32 * trained) // shards),
        optimizer_bytes=-(-(2 * _FP32 * trained) // shards),
        activations_bytes=activations,
        working_bytes=max(work, largest - activations),
    )


def adapter_parameters(shape: ModelShape, rank: int, targets: Collection[str] = QUERY_VALUE) -> int:
    """Return the parameters of adapters on some products of every layer.

    An adapter of an ``m`` by ``n`` matrix has ``rank (m + n)``; where one product gives queries, keys and values, it
    has one adapter.

    Parameters
    ----------
    shape : ModelShape
        What the model is made of.
    rank : int
        Of the adapters.
    targets : collection of str
        Of ``query``, ``key``, ``value`` and ``output`` of every attention, and ``feed_forward``.
    """
    own = {
        "query": shape.hidden + shape.query_width,
        "key": shape.hidden + shape.key_value_width,
        "value": shape.hidden + shape.key_value_width,
    }
    attention = sum(width for name, width in own.items() if name in targets)
    if shape.joint_projection and attention:
        attention = shape.hidden + shape.query_width + 2 * shape.key_value_width
    if "output" in targets:
        attention += shape.query_width + shape.hidden
    forward = (3 if shape.gated else 2) * (shape.hidden + shape.feed_forward)
    layers = (shape.layers + shape.decoder_layers) * forward * ("feed_forward" in targets)
    return rank * ((shape.layers + 2 * shape.decoder_layers) * attention + layers)


def _layer_bytes(
    shape: ModelShape, half: bool, length: int, targets: Collection[str] | None, *, training: bool
) -> float:
    """Return the bytes that one layer keeps for a token; in evaluation, a bound on what it holds at a time.

    `targets` are the products that have adapters; None where all weights are trained.
    """
    size = 2 if half else 4
    keep = ("query", "key", "value", "feed_forward") if targets is None else targets
    # Autocast makes a copy of its input for each product.
    separate = sum(name in keep for name in ("query", "key", "value"))
    inputs = separate if half and not shape.joint_projection else min(separate, 1)
    values = inputs * shape.hidden + 2 * shape.query_width + 2 * shape.key_value_width
    if "feed_forward" in keep:
        values += shape.hidden * (2 if half and shape.gated else 1)
    values += _inner_values(shape, half, "feed_forward" not in keep) * shape.feed_forward
    norms = 2 * _FP32 * shape.hidden * (2 if shape.slow_norm and targets is None else 1)
    masks = 2 * shape.hidden * (shape.dropout and training)
    scores = 4.0 * shape.heads
    if not shape.fused_attention:
        pairs = (6 if half else 4) + (shape.attention_dropout and training) * (1 if half else 5)
        scores = float(pairs * shape.heads * length)
    return size * values + norms + masks + scores


def _inner_values(shape: ModelShape, half: bool, adapters: bool) -> int:
    """Return how many values a feed-forward layer keeps per token and unit of its width."""
    if shape.slow_gelu:  # powers and the tanh run in fp32 under autocast, which takes the room of two
        values = (11 if half else 7) if shape.gated else (8 if half else 5)
        return values - adapters
    return (4 if shape.gated else 2) - adapters


def _check(
    phase: str, micro_batch_tokens: int, max_length: int, precision: str, lora: int | None, shards: int
) -> None:
    faults = [
        Problem(f"{given!r} is none of the choices", name, hint=" or ".join(get_args(allowed)))
        for name, given, allowed in (("phase", phase, Pass), ("precision", precision, Precision))
        if given not in get_args(allowed)
    ]
    numbers = {"micro_batch_tokens": micro_batch_tokens, "max_length": max_length, "shards": shards}
    numbers |= {} if lora is None else {"lora": lora}
    faults += [
        Problem(f"{value} is below 1", name, hint="a whole number of 1 or more")
        for name, value in numbers.items()
        if value < (name != "lora")
    ]
    if faults:
        raise InputError(faults)
