"""Rank classification: which of several answers a model finds likeliest after a prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gainlaw.errors import GainlawError, InputError, Problem
from gainlaw.training.prompting.encoding import EncodedRequest, context_length, encode_requests
from gainlaw.training.prompting.templates import Request

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["Normalise", "RankedItem", "choose", "encode_for", "evaluating", "rank_items"]

Normalise = Literal["sum", "tokens", "characters", "bytes"]


@dataclass(frozen=True, slots=True)
class RankedItem:
    """What a model makes of the continuations of one prompt.

    Attributes
    ----------
    log_likelihood : ndarray of float, shape (n_options,)
        The sum of the log-probabilities (natural) of the tokens of each continuation.
    n_tokens : ndarray of int, shape (n_options,)
        Tokens scored.
    n_characters, n_bytes : ndarray of int, shape (n_options,)
        Length of each continuation without the delimiter, in characters and in bytes of UTF-8.
    """

    log_likelihood: np.ndarray
    n_tokens: np.ndarray
    n_characters: np.ndarray
    n_bytes: np.ndarray

    def scores(self, normalise: Normalise = "sum") -> np.ndarray:
        """Return the score of each continuation, higher is better.

        Parameters
        ----------
        normalise : {"sum", "tokens", "characters", "bytes"}
            What the log-likelihood is divided by. ``characters`` and ``bytes`` are what
            lm-evaluation-harness ranks by for ``acc_norm`` and ``acc_bytes``, and ``sum`` for ``acc``.

        Returns
        -------
        ndarray, shape (n_options,)

        Raises
        ------
        InputError
            If `normalise` is none of these.
        """
        lengths = {"tokens": self.n_tokens, "characters": self.n_characters, "bytes": self.n_bytes}
        if normalise == "sum":
            return self.log_likelihood
        if normalise not in lengths:
            hint = f"use sum, {', '.join(lengths)}"
            raise InputError(Problem(f"no such length: {normalise!r}", "normalise", hint=hint))
        return self.log_likelihood / np.maximum(lengths[normalise], 1)


def choose(ranked: RankedItem, normalise: Normalise = "sum") -> int:
    """Return the position of the best continuation; of several that are equally good, the first."""
    return int(np.argmax(ranked.scores(normalise)))


def rank_items(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    requests: Sequence[Request],
    *,
    token_budget: int = 4096,
    device: str | torch.device = "cpu",
    max_length: int | None = None,
    reuse: bool = True,
) -> list[RankedItem]:
    """Score the continuations of each prompt.

    A causal model reads each prompt once; its keys and values are then shared by all continuations. An
    encoder-decoder encodes each prompt once. The numbers do not depend on how requests are batched.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Causal or encoder-decoder; with adapters of peft or without. It is moved to `device`, and its
        training flags are as they were when the function returns.
    tokenizer : transformers.PreTrainedTokenizerBase
        As it comes with the model.
    requests : sequence of Request
        Prompts and continuations; see `encode_requests` for how they become tokens.
    token_budget : int
        Most tokens of a forward pass, padding and cached tokens counted; one sequence always fits. The keys
        and values of up to as many more are held meanwhile.
    device : str or torch.device
        Where to compute.
    max_length : int, optional
        Most tokens read, cut from the left; the model's own limit unless given.
    reuse : bool
        False reads the prompt again for every continuation: slower, for comparison, and what is done anyway
        where a model has no cache of keys and values.

    Returns
    -------
    list of RankedItem
        In the order of `requests`.

    Raises
    ------
    InputError
        If a request cannot be encoded.
    GainlawError
        If the model gives log-likelihoods that are not numbers.
    """
    import torch

    from gainlaw.training.prompting.likelihood import score_options

    if token_budget < 1:
        raise InputError(Problem("not a positive number of tokens", "token_budget", hint="try 4096"))
    encoded = encode_for(model, tokenizer, requests, max_length=max_length)
    model.to(device)  # type: ignore[arg-type]
    with evaluating(model), torch.no_grad():
        scores = score_options(model, encoded, token_budget=token_budget, reuse=reuse)
        tables = [each.cpu().numpy() for each in scores]
    bad = [k for k, table in enumerate(tables) if np.isnan(table).any()]
    if bad:
        what = (
            f"the model gives log-likelihoods that are not numbers for {len(bad)} of {len(tables)} requests"
        )
        raise GainlawError(f"{what} (the first: {bad[0]}); try it in 32-bit precision")
    return [
        RankedItem(
            table,
            np.array([len(tokens) for tokens in each.continuations]),
            np.array([len(text) for text in request.continuations]),
            np.array([len(text.encode()) for text in request.continuations]),
        )
        for table, each, request in zip(tables, encoded, requests, strict=True)
    ]


def encode_for(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    requests: Sequence[Request],
    *,
    max_length: int | None = None,
) -> list[EncodedRequest]:
    """Encode requests as a model reads them, to its own limit unless `max_length` is given; see `encode_requests`."""
    limit = context_length(model.config, tokenizer) if max_length is None else max_length
    return encode_requests(tokenizer, requests, causal=not model.config.is_encoder_decoder, max_length=limit)


@contextmanager
def evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Switch every module to evaluation, and each back to what it was."""
    before = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in before.items():
            module.training = training
