"""Log-likelihoods of answers after prompts: each prompt is read once, its keys and values serve all answers.

This module is torch work; import it where it is used.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from gainlaw.training.prompting.encoding import MOST_LOGITS, EncodedRequest

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["score_options"]


@dataclass(frozen=True, slots=True)
class _Option:
    """One continuation: where its score goes, which prompt it follows, its tokens."""

    place: int
    prefix: int
    tokens: tuple[int, ...]


def score_options(
    model: PreTrainedModel, encoded: Sequence[EncodedRequest], *, token_budget: int, reuse: bool = True
) -> list[torch.Tensor]:
    """Sum the log-probabilities of the tokens of each continuation.

    Gradients flow unless the caller stops them; training flags are left alone.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Causal or encoder-decoder, on the device to compute on.
    encoded : sequence of EncodedRequest
        Prompts and continuations as tokens.
    token_budget : int
        Most tokens of a forward pass, padding and cached tokens counted.
    reuse : bool
        Whether a causal model reads each prompt once only.

    Returns
    -------
    list of Tensor, float64, shape (n_options,) each
        On the device of the model.
    """
    prefixes: dict[tuple[int, ...], int] = {}
    options: list[_Option] = []
    for each in encoded:
        for context, tokens in zip(each.contexts, each.continuations, strict=True):
            options.append(_Option(len(options), prefixes.setdefault(context, len(prefixes)), tokens))
    scorer = _Scorer(model, list(prefixes), options, token_budget)
    if model.config.is_encoder_decoder:
        scorer.run_encoder_decoder()
    elif not reuse or not scorer.run_with_cache():
        scorer.run_plain()
    return list(torch.split(scorer.totals(), [len(each.contexts) for each in encoded]))


class _Scorer:
    def __init__(
        self, model: PreTrainedModel, prefixes: list[tuple[int, ...]], options: list[_Option], budget: int
    ) -> None:
        self.model: Any = model
        self.prefixes, self.options, self.budget = prefixes, options, budget
        self.device = next(model.parameters()).device
        config = model.config.get_text_config(decoder=True)
        self.vocabulary = int(config.vocab_size)
        # The wrapper of peft hides what the model's own forward takes.
        unwrap: Any = getattr(model, "get_base_model", None)
        bare = model if unwrap is None else unwrap()
        self.takes = set(inspect.signature(bare.forward).parameters)
        self.fill = max(model.config.pad_token_id or 0, 0)
        self.places: list[int] = []
        self.values: list[torch.Tensor] = []
        self.followers: list[list[_Option]] = [[] for _ in prefixes]
        for option in options:
            self.followers[option.prefix].append(option)

    def totals(self) -> torch.Tensor:
        """Add up what was collected, in the order of the options."""
        zeros = torch.zeros(len(self.options), dtype=torch.float64, device=self.device)
        if not self.values:
            return zeros
        places = torch.tensor(self.places, device=self.device)
        return zeros.index_add(0, places, torch.cat(self.values))

    def collect(
        self,
        logits: torch.Tensor,
        rows: Sequence[int],
        targets: Sequence[tuple[int, ...]],
        places: Sequence[int],
        starts: Sequence[int] | None = None,
    ) -> None:
        """Add the log-probabilities of `targets[k]` in row `rows[k]` of the logits, from place `starts[k]`."""
        which = torch.tensor(rows, device=self.device)[:, None]
        wanted, there = _pad_right(targets, 0, self.device)
        steps = torch.arange(wanted.shape[1], device=self.device)
        if starts is not None:
            steps = steps + torch.tensor(starts, device=self.device)[:, None]
            steps = steps.clamp(max=logits.shape[1] - 1)
        norm = logits.float().logsumexp(dim=-1)
        scores = logits[which, steps, wanted].float() - norm[which, steps]
        self.values.append(torch.where(there.bool(), scores, 0.0).double().sum(dim=1))
        self.places.extend(places)

    def batches(
        self, lengths: Sequence[int], extra: Sequence[int], logits: Sequence[int]
    ) -> Iterator[list[int]]:
        """Split rows into batches, longest first: rows times the tokens of the longest within the budget."""
        order = sorted(range(len(lengths)), key=lambda k: (-lengths[k], -extra[k], k))
        batch: list[int] = []
        longest = further = outputs = 0
        for k in order:
            sizes = max(longest, lengths[k]), max(further, extra[k]), max(outputs, logits[k])
            many = len(batch) + 1
            if batch and (
                many * (sizes[0] + sizes[1]) > self.budget or many * sizes[2] * self.vocabulary > MOST_LOGITS
            ):
                yield batch
                batch, sizes = [], (lengths[k], extra[k], logits[k])
            batch.append(k)
            longest, further, outputs = sizes
        if batch:
            yield batch

    def run_with_cache(self) -> bool:
        """Read each prompt once; False, with nothing done, where the model's cache cannot be shared."""
        from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

        lengths = [len(prefix) for prefix in self.prefixes]
        for batch in self.batches(lengths, [0] * len(lengths), [1] * len(lengths)):
            ids, mask = _pad_left([self.prefixes[k] for k in batch], self.fill, self.device)
            output = self.forward(ids, mask, None, keep=1)
            cache = getattr(output, "past_key_values", None)
            shared = isinstance(cache, DynamicCache) and all(
                type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in cache.layers
            )
            if not shared:
                return False
            found = [(row, option) for row, k in enumerate(batch) for option in self.followers[k]]
            self.collect(
                output.logits[:, -1:],
                [row for row, _ in found],
                [option.tokens[:1] for _, option in found],
                [option.place for _, option in found],
            )
            del output
            longer = [(row, option) for row, option in found if len(option.tokens) > 1]
            width = ids.shape[1]
            steps = [len(option.tokens) - 1 for _, option in longer]
            for chunk in self.batches([width] * len(longer), steps, steps):
                rows = [longer[k][0] for k in chunk]
                tokens = [longer[k][1].tokens for k in chunk]
                self.follow(cache, mask, rows, tokens, [longer[k][1].place for k in chunk])
        return True

    def follow(
        self,
        cache: Any,
        mask: torch.Tensor,
        rows: Sequence[int],
        tokens: Sequence[tuple[int, ...]],
        places: Sequence[int],
    ) -> None:
        """Score all but the first token of continuations, from the cache of their prompts."""
        which = torch.tensor(rows, device=self.device)
        taken = copy.copy(cache)
        taken.layers = [copy.copy(layer) for layer in cache.layers]
        taken.batch_select_indices(which)
        ids, there = _pad_right([each[:-1] for each in tokens], self.fill, self.device)
        output = self.forward(ids, torch.cat([mask[which], there], dim=1), taken)
        self.collect(output.logits, range(len(rows)), [each[1:] for each in tokens], places)

    def run_plain(self) -> None:
        """Read prompt and continuation together, once for each option, padded on the right."""
        lengths = [len(self.prefixes[o.prefix]) + len(o.tokens) - 1 for o in self.options]
        for batch in self.batches(lengths, [0] * len(lengths), lengths):
            chosen = [self.options[k] for k in batch]
            texts = [self.prefixes[o.prefix] + o.tokens[:-1] for o in chosen]
            ids, mask = _pad_right(texts, self.fill, self.device)
            logits = self.forward(ids, mask, None, cached=False).logits
            starts = [len(self.prefixes[o.prefix]) - 1 for o in chosen]
            self.collect(
                logits, range(len(chosen)), [o.tokens for o in chosen], [o.place for o in chosen], starts
            )

    def run_encoder_decoder(self) -> None:
        """Encode each prompt once, then decode its continuations."""
        from transformers.modeling_outputs import BaseModelOutput

        lengths = [len(prefix) for prefix in self.prefixes]
        for batch in self.batches(lengths, [0] * len(lengths), [0] * len(lengths)):
            ids, mask = _pad_right([self.prefixes[k] for k in batch], self.fill, self.device)
            states = self.model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
            found = [(row, option) for row, k in enumerate(batch) for option in self.followers[k]]
            steps = [len(option.tokens) for _, option in found]
            for chunk in self.batches([ids.shape[1]] * len(found), steps, steps):
                which = torch.tensor([found[k][0] for k in chunk], device=self.device)
                tokens = [found[k][1].tokens for k in chunk]
                labels, _ = _pad_right(tokens, self.fill, self.device)
                logits = self.model(
                    encoder_outputs=BaseModelOutput(last_hidden_state=states[which]),
                    attention_mask=mask[which],
                    decoder_input_ids=self.model.prepare_decoder_input_ids_from_labels(labels=labels),
                    use_cache=False,
                ).logits
                self.collect(logits, range(len(chunk)), tokens, [found[k][1].place for k in chunk])

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor, cache: Any, *, keep: int = 0, cached: bool = True
    ) -> Any:
        """Run the model; positions count the tokens that are there, whichever side the padding is on."""
        given: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "use_cache": cached}
        if "position_ids" in self.takes:
            given["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        if keep and "logits_to_keep" in self.takes:
            given["logits_to_keep"] = keep
        if cache is not None:
            given["past_key_values"] = cache
        return self.model(**given)


def _pad_left(
    rows: Sequence[tuple[int, ...]], fill: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows))
    ids = [[fill] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _pad_right(
    rows: Sequence[tuple[int, ...]], fill: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows))
    ids = [list(row) + [fill] * (width - len(row)) for row in rows]
    mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
