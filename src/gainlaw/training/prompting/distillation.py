"""The training loop of prompt consistency: adapters, loss, checks.

This module is torch work; import it where it is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gainlaw.errors import GainlawError
from gainlaw.training.items.items import Item
from gainlaw.training.prompting.consistency import (
    Check,
    ConsistencySettings,
    best_check,
    judge_predictions,
    out_of_patience,
)
from gainlaw.training.prompting.encoding import Encoded
from gainlaw.training.prompting.likelihood import score_options
from gainlaw.training.prompting.ranking import choose, encode_for, evaluating, rank_items
from gainlaw.training.prompting.templates import Template
from gainlaw.training.train.adapters import add_adapters

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["distil", "swarm_loss"]


def swarm_loss(student: torch.Tensor, teacher: torch.Tensor, *, normalised: bool = False) -> torch.Tensor:
    """Cross-entropy of each prompt's answers against those of every other prompt, averaged over pairs.

    Parameters
    ----------
    student, teacher : Tensor, shape (n_prompts, n_options)
        Log-likelihoods of the answers under each prompt. No gradient goes to the teacher.
    normalised : bool
        Whether the student's log-likelihoods are normalised over the answers.

    Returns
    -------
    Tensor, shape ()
        See `gainlaw.training.prompting.consistency.train_consistency`.

    Examples
    --------
    >>> sure = torch.tensor([[0.0, -50.0], [0.0, -50.0]])
    >>> agree, differ = swarm_loss(sure, sure), swarm_loss(sure, sure.flip(1))
    >>> round(float(agree), 6), round(float(differ), 6)
    (0.0, 50.0)
    """
    targets = teacher.detach().softmax(dim=-1)
    others = (targets.sum(dim=0, keepdim=True) - targets) / (targets.shape[0] - 1)
    logs = student.log_softmax(dim=-1) if normalised else student
    return -(others * logs).sum(dim=-1).mean()


def distil(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Item],
    validation: Sequence[Item],
    templates: Sequence[Template],
    settings: ConsistencySettings,
    *,
    seed: int,
    log: Callable[[str], None] | None = None,
) -> list[Check]:
    """Train adapters, put the best ones back and merge them into the model.

    Parameters
    ----------
    model, tokenizer, items, validation, templates, settings, seed, log
        See `gainlaw.training.prompting.consistency.train_consistency`.

    Returns
    -------
    list of Check
        All checks; `best_check` of them is what the model holds.

    Raises
    ------
    GainlawError
        If the loss is no longer a number.
    """
    device = next(model.parameters()).device
    flags = {name: weight.requires_grad for name, weight in model.named_parameters()}
    training = model.training
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        adapted: Any = add_adapters(
            model, settings.rank, settings.alpha, settings.dropout, settings.target_modules
        )
        try:
            history, best = _train(adapted, tokenizer, items, validation, templates, settings, seed, log)
            with torch.no_grad():
                for name, weight in adapted.named_parameters():
                    if name in best:
                        weight.copy_(best[name])
            adapted.merge_and_unload()
        except BaseException:
            adapted.unload()
            raise
        finally:
            for name, weight in model.named_parameters():
                weight.requires_grad_(flags.get(name, False))
            model.train(training)
    return history


def _train(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Item],
    validation: Sequence[Item],
    templates: Sequence[Template],
    settings: ConsistencySettings,
    seed: int,
    log: Callable[[str], None] | None,
) -> tuple[list[Check], dict[str, torch.Tensor]]:
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    optimizer = torch.optim.AdamW(
        weights.values(), lr=settings.learning_rate, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.0
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, settings))
    history: list[Check] = []
    best: dict[str, torch.Tensor] = {}
    losses: list[float] = []

    def check(step: int) -> None:
        history.append(_check(model, tokenizer, validation, templates, settings, step, losses))
        losses.clear()
        if best_check(history, settings.min_steps) is history[-1]:
            best.update({name: weight.detach().clone() for name, weight in weights.items()})
        if log is not None:
            found = history[-1]
            log(
                f"step {step}: loss {found.loss:.4f}, kappa {found.kappa:.3f}, "
                f"agreement {found.agreement:.3f}, most frequent answer {found.majority:.3f}"
            )

    check(0)
    draws = np.random.default_rng([seed, 1])
    order = _endless(len(items), draws)
    for step in range(1, settings.steps + 1):
        batch = [items[next(order)] for _ in range(settings.batch_size)]
        optimizer.zero_grad(set_to_none=True)
        losses.append(_gather_gradient(model, tokenizer, batch, templates, settings, draws))
        if not math.isfinite(losses[-1]):
            raise GainlawError(
                f"the loss is {losses[-1]} at step {step}; try a lower learning rate or 32 bits"
            )
        torch.nn.utils.clip_grad_norm_(weights.values(), settings.clip)
        optimizer.step()
        schedule.step()
        if step % settings.check_every == 0 or step in (settings.min_steps, settings.steps):
            check(step)
            if out_of_patience(history, settings.min_steps, settings.patience):
                break
    return history, best


def _rate(step: int, settings: ConsistencySettings) -> float:
    if step < settings.warmup_steps:
        return (step + 1) / (settings.warmup_steps + 1)
    return max(0.0, (settings.steps - step) / max(1, settings.steps - settings.warmup_steps))


def _endless(count: int, draws: np.random.Generator) -> Iterator[int]:
    while True:
        yield from draws.permutation(count).tolist()


def _gather_gradient(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    batch: Sequence[Item],
    templates: Sequence[Template],
    settings: ConsistencySettings,
    draws: np.random.Generator,
) -> float:
    """Add the gradient of the mean loss of a batch, in parts that fit; return that loss."""
    drawn = min(settings.prompts_per_item, len(templates))
    requests = [
        templates[k].render(item)
        for item in batch
        for k in np.sort(draws.choice(len(templates), drawn, replace=False))
    ]
    encoded = encode_for(model, tokenizer, requests, max_length=settings.max_length)
    total = 0.0
    for part in _parts(
        [encoded[k : k + drawn] for k in range(0, len(encoded), drawn)], settings.token_budget
    ):
        flat = [each for prompts in part for each in prompts]
        with evaluating(model), torch.no_grad():
            teacher = score_options(model, flat, token_budget=settings.token_budget)
        model.train()
        student = score_options(model, flat, token_budget=settings.token_budget)
        loss = torch.stack(
            [
                swarm_loss(
                    torch.stack(student[k : k + drawn]),
                    torch.stack(teacher[k : k + drawn]),
                    normalised=settings.student == "normalised",
                )
                for k in range(0, len(flat), drawn)
            ]
        ).sum() / len(batch)
        loss.backward()
        total += float(loss.detach())
    return total


def _parts(items: Sequence[list[Encoded]], budget: int) -> Iterator[list[list[Encoded]]]:
    """Split the items of a batch so that the tokens whose gradient is held at a time fit; one always goes."""
    part: list[list[Encoded]] = []
    size = 0
    for item in items:
        more = sum(len(each.contexts[0]) + sum(map(len, each.continuations)) for each in item)
        if part and size + more > budget:
            yield part
            part, size = [], 0
        part.append(item)
        size += more
    if part:
        yield part


def _check(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Item],
    templates: Sequence[Template],
    settings: ConsistencySettings,
    step: int,
    losses: Sequence[float],
) -> Check:
    predictions = []
    most = 2
    for template in templates:
        requests = [template.render(item) for item in items]
        most = max(most, *(len(request.continuations) for request in requests))
        ranked = rank_items(
            model,
            tokenizer,
            requests,
            token_budget=settings.token_budget,
            device=next(model.parameters()).device,
            max_length=settings.max_length,
        )
        predictions.append([choose(each) for each in ranked])
    loss = float(np.mean(losses)) if losses else math.nan
    return judge_predictions(predictions, most, step=step, loss=loss, pseudo_count=settings.pseudo_count)
