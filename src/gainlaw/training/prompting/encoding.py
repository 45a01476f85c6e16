"""Prompts and answers as tokens, cut where lm-evaluation-harness cuts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gainlaw.errors import InputError, Problem
from gainlaw.training.prompting.templates import Request

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

__all__ = ["MOST_LOGITS", "EncodedRequest", "context_length", "encode_requests"]

MOST_LOGITS = 2**28
"""Most logits held at a time, so that a large vocabulary does not outgrow the memory."""

_DEFAULT_LENGTH = 2048
_UNBOUNDED = 10**9


@dataclass(frozen=True, slots=True)
class EncodedRequest:
    """One request as tokens.

    Attributes
    ----------
    contexts : tuple of tuple of int
        What the model reads before each continuation. They are equal for the options of a request, unless
        one had to be cut further than another.
    continuations : tuple of tuple of int
        The tokens that are scored, at least one each.
    """

    contexts: tuple[tuple[int, ...], ...]
    continuations: tuple[tuple[int, ...], ...]


def context_length(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return how many tokens a model reads, by the order of places in which lm-evaluation-harness looks.

    ``n_positions``, ``max_position_embeddings`` and ``n_ctx`` of the configuration come first, then the tokenizer's
    ``model_max_length``, where it has one; 2048 where nothing is said.
    """
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        value = getattr(config, name, None)
        if value is not None:
            return int(value)
    length = getattr(tokenizer, "model_max_length", None)
    return int(length) if length is not None and length < _UNBOUNDED else _DEFAULT_LENGTH


def encode_requests(
    tokenizer: PreTrainedTokenizerBase, requests: Sequence[Request], *, causal: bool, max_length: int
) -> list[EncodedRequest]:
    """Turn prompts and continuations into tokens.

    The convention is that of lm-evaluation-harness 0.4 [1]_: the delimiter and the spaces that end the prompt
    belong to the continuation; for a causal model the tokens of the continuation are those of the whole text
    beyond as many as the prompt has, and for an encoder-decoder both are tokenised on their own, the
    continuation without special tokens. What exceeds `max_length` is cut from the left. A prompt without
    text is the token that begins, else ends, a text.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        As it comes with the model.
    requests : sequence of Request
        What to encode.
    causal : bool
        False for an encoder-decoder.
    max_length : int
        Most tokens that the model reads; the last token of a continuation is not read.

    Returns
    -------
    list of EncodedRequest
        In the order of `requests`.

    Raises
    ------
    InputError
        With every request that has no continuation, or one that has no token of its own or that is longer
        than `max_length`.

    References
    ----------
    .. [1] Gao et al., lm-evaluation-harness, doi:10.5281/zenodo.12608602.
    """
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    opening = "" if start is None else str(tokenizer.decode([start]))
    pairs: list[tuple[str, str]] = []
    for request in requests:
        kept = request.prompt.rstrip()
        spaces = request.prompt[len(kept) :]
        for answer in request.continuations:
            tail = request.delimiter + answer
            # A prompt of nothing but spaces keeps them: there is no text to move them away from.
            pairs.append((kept, spaces + tail) if kept else ("", spaces + tail))
    contexts = _Tokens(tokenizer, opening, [context for context, _ in pairs if context], special=True)
    wholes = [context + tail if causal else tail for context, tail in pairs]
    joined = _Tokens(
        tokenizer, opening, [w for (c, _), w in zip(pairs, wholes, strict=True) if c], special=causal
    )
    bare = _Tokens(tokenizer, opening, [tail for context, tail in pairs if not context], special=False)

    faults: dict[str, list[int]] = {}
    encoded: list[EncodedRequest] = []
    place = 0
    for number, request in enumerate(requests):
        if not request.continuations:
            faults.setdefault("there is no continuation to rank", []).append(number)
        read: list[tuple[int, ...]] = []
        scored: list[tuple[int, ...]] = []
        for _ in request.continuations:
            context, tail = pairs[place]
            if context:
                before = contexts[context]
                after = joined[wholes[place]]
                after = after[len(before) :] if causal else after
            else:
                before, after = _without_prompt(bare[tail], start)
            place += 1
            if not after or not before:
                faults.setdefault("a continuation has no token of its own", []).append(number)
            elif len(after) > max_length:
                faults.setdefault(f"a continuation exceeds {max_length} tokens", []).append(number)
            keep = max_length + 1 - len(after) if causal else max_length
            read.append(before[-max(keep, 1) :])
            scored.append(after)
        encoded.append(EncodedRequest(tuple(read), tuple(scored)))
    if faults:
        raise InputError([_fault(message, rows) for message, rows in faults.items()], source="prompts")
    return encoded


class _Tokens:
    """Tokens of texts, each text tokenised once and many at a time."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, opening: str, texts: Sequence[str], *, special: bool
    ) -> None:
        self.found: dict[str, tuple[int, ...]] = {}
        unique = dict.fromkeys(texts)
        # A text that begins with the opening token already gets no other.
        plain = [text for text in unique if not special or (opening and text.startswith(opening))]
        rest = [text for text in unique if special and not (opening and text.startswith(opening))]
        for group, add in ((plain, False), (rest, True)):
            if group:
                ids = tokenizer(group, add_special_tokens=add, verbose=False)["input_ids"]
                self.found.update(zip(group, map(tuple, ids), strict=True))

    def __getitem__(self, text: str) -> tuple[int, ...]:
        return self.found[text]


def _without_prompt(tokens: tuple[int, ...], start: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if start is None or (tokens and tokens[0] == start):
        return tokens[:1], tokens[1:]
    return (start,), tokens


def _fault(message: str, rows: Sequence[int]) -> Problem:
    named = ", ".join(str(row) for row in rows[:8])
    more = f" and {len(rows) - 8} more" if len(rows) > 8 else ""
    return Problem(f"{message}: requests {named}{more}", hint="change the prompt or its answers")
