"""What a training run costs before it is run: parameters, FLOPs, GPU-hours, memory and disk, without weights."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gainlaw.errors import InputError, Problem
from gainlaw.training.plan.counting import forward_flops, model_shape
from gainlaw.training.plan.memory import QUERY_VALUE, adapter_parameters
from gainlaw.training.plan.shapes import Part, Pass

__all__ = [
    "ParameterCount",
    "adapter_bytes",
    "count_parameters",
    "disk_bytes",
    "flops_per_example",
    "gpu_hours",
]


@dataclass(frozen=True, slots=True)
class ParameterCount:
    """The parameters of a model.

    Attributes
    ----------
    total : int
        All, a matrix that is used twice once.
    embedding : int
        Look-up tables of tokens, positions and token types, and an output projection onto the vocabulary that
        is not shared with them.
    non_embedding : int
        The rest: the N of scaling laws (Kaplan et al. 2020, arXiv 2001.08361).
    """

    total: int
    embedding: int
    non_embedding: int


def count_parameters(config: Mapping[str, Any], role: Part = "encoder") -> ParameterCount:
    """Count the parameters of a model, without its weights.

    Parameters
    ----------
    config, role
        As in `gainlaw.training.plan.counting.model_shape`.

    Returns
    -------
    ParameterCount

    Raises
    ------
    InputError
        If transformers does not know the configuration, or the role does not suit it.

    Examples
    --------
    >>> from gainlaw.training.experiment.known import known_config
    >>> count_parameters(known_config("FacebookAI/xlm-roberta-base"))
    ParameterCount(total=278043648, embedding=192397056, non_embedding=85646592)
    """
    shape = model_shape(config, role)
    embedding = shape.embedding_parameters
    return ParameterCount(shape.parameters, embedding, shape.parameters - embedding)


def flops_per_example(
    config: Mapping[str, Any],
    tokens: float,
    *,
    phase: Pass = "train",
    gradient_checkpointing: bool = False,
    lora: int | None = None,
    targets: Collection[str] = QUERY_VALUE,
    role: Part = "encoder",
    target_tokens: float = 0.0,
) -> float:
    """Return the FLOPs that one example costs.

    A forward pass is counted (see `gainlaw.training.plan.counting.forward_flops`) and split into products with weights,
    ``W``, and attention, ``A``. A product ``x w`` of the forward pass has two in the backward pass, the gradients
    of ``x`` and of ``w``, so that

    - inference costs ``W + A``,
    - training ``3 W + 3 A``: the 6 N D of Kaplan et al. 2020 (arXiv 2001.08361) and Hoffmann et al. 2022
      (arXiv 2203.15556) with N parameters outside the embeddings, plus attention,
    - training of adapters (LoRA, Hu et al. 2021, arXiv 2106.09685) ``2 W + 3 A`` and three times the adapters'
      own products, since frozen weights need no gradient,
    - gradient checkpointing one more forward pass.

    Parameters
    ----------
    config, role
        As in `count_parameters`.
    tokens : float
        Length of the example; with padding, the padded length.
    phase : {"train", "infer"}
        Training, or evaluation.
    gradient_checkpointing : bool
        Whether the forward pass is done again during the backward pass.
    lora : int, optional
        The rank of adapters.
    targets : collection of str
        The products that have one, see `gainlaw.training.plan.memory.adapter_parameters`.
    target_tokens : float
        Length of the decoder's side; of an encoder-decoder in the role ``full`` only.

    Returns
    -------
    float

    Raises
    ------
    InputError
        With every option that is out of range, or as `count_parameters` does.
    """
    faults = _range_faults(tokens=tokens)
    if phase not in ("train", "infer"):
        faults.append(Problem(f"{phase!r} is no phase", "phase", hint="train or infer"))
    if lora is not None and lora < 0:
        faults.append(Problem(f"{lora} is no rank", "lora", hint="1 or more, or None"))
    if target_tokens < 0:
        faults.append(Problem(f"{target_tokens} is below 0", "target_tokens"))
    if faults:
        raise InputError(faults)
    forward = forward_flops(config, role)
    weights, attention = forward.weights(tokens, target_tokens), forward.attention(tokens, target_tokens)
    adapters = 2.0 * adapter_parameters(model_shape(config, role), lora or 0, targets) * tokens
    if phase == "infer":
        return weights + attention + adapters
    again = weights + attention + adapters if gradient_checkpointing else 0.0
    return (2 if lora else 3) * weights + 3 * attention + 3 * adapters + again


def disk_bytes(config: Mapping[str, Any], role: Part = "encoder") -> int:
    """Return the size of the saved weights, in fp32: a safetensors file, header included."""
    shape = model_shape(config, role)
    return 4 * shape.parameters + shape.header_bytes


def adapter_bytes(
    config: Mapping[str, Any], rank: int, role: Part = "encoder", targets: Collection[str] = QUERY_VALUE
) -> int:
    """Return the size of saved adapters, in fp32."""
    return 4 * adapter_parameters(model_shape(config, role), rank, targets)


def gpu_hours(flops: float, throughput_tflops: float, utilisation: float = 1.0) -> float:
    """Return the hours that a number of FLOPs takes.

    Parameters
    ----------
    flops : float
        The work.
    throughput_tflops : float
        In 10^12 FLOPs a second: what the device reaches on such work, or its peak together with a
        `utilisation`.
    utilisation : float
        The fraction of the throughput that is reached, in (0, 1].

    Raises
    ------
    InputError
        With every number that is out of range.

    Examples
    --------
    >>> gpu_hours(3.6e18, throughput_tflops=400, utilisation=0.5)
    5.0
    """
    faults = _range_faults(throughput_tflops=throughput_tflops, utilisation=utilisation)
    if not faults and utilisation > 1:
        faults.append(Problem(f"{utilisation} is above 1", "utilisation", hint="a fraction, such as 0.4"))
    if not (math.isfinite(flops) and flops >= 0):
        faults.append(Problem(f"{flops} is no number of FLOPs", "flops", hint="0 or more"))
    if faults:
        raise InputError(faults)
    return flops / (throughput_tflops * 1e12 * utilisation) / 3600


def _range_faults(**numbers: float) -> list[Problem]:
    return [
        Problem(f"{value} is not above 0", name, hint="a positive number")
        for name, value in numbers.items()
        if not (math.isfinite(value) and value > 0)
    ]
