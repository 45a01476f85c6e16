"""Prompt consistency as an objective of the training loop: its batches, its loss and its checks.

This module is torch work; import it where it is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment.recipes import DEFAULTS, Recipe
from gainlaw.training.items.items import Item
from gainlaw.training.prompting.consistency import ConsistencySettings, judge_predictions
from gainlaw.training.prompting.encoding import EncodedRequest
from gainlaw.training.prompting.likelihood import score_options
from gainlaw.training.prompting.ranking import choose, encode_for, evaluating, rank_items
from gainlaw.training.prompting.templates import Template
from gainlaw.training.train.adapters import add_adapters
from gainlaw.training.train.loop import Checks, TrainingResult, train
from gainlaw.training.train.objectives import Piece

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["ConsistencyResult", "Swarm", "swarm_loss", "train_consistency"]


@dataclass(frozen=True, slots=True)
class ConsistencyResult:
    """A model after prompt-consistency training.

    Attributes
    ----------
    model : transformers.PreTrainedModel
        The model that was given, with the adapters of the chosen step merged into its weights.
    training : TrainingResult
        How the training went; its checks are those of `Swarm.judge`, that before the first update included.
    step : int
        The step chosen.
    kappa : float
        Fleiss' kappa at that step (NaN where it is not defined).
    collapsed : bool
        Whether the model gives nearly everything the same answer at that step: agreement of this kind is
        worth nothing, and the model should not be used.
    """

    model: PreTrainedModel
    training: TrainingResult
    step: int
    kappa: float
    collapsed: bool


def train_consistency(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Item],
    templates: Sequence[Template],
    settings: ConsistencySettings | None = None,
    *,
    seed: int,
    folder: Path,
    validation: Sequence[Item] | None = None,
    snapshot_seconds: float = 300.0,
) -> ConsistencyResult:
    r"""Train a model to give the same answers under different prompts, without labels.

    Swarm distillation [1]_: every prompt is teacher and student of the others. For an item :math:`x` with
    answers :math:`y` and prompts :math:`i \ne j`, the loss is the cross-entropy

    .. math:: -\frac{1}{K(K-1)} \sum_{i \ne j} \sum_y q_i(y \mid x) \log p_j(y \mid x),

    where :math:`q_i` is the distribution over the answers under prompt :math:`i` (the likelihoods of their texts,
    normalised, without dropout and without gradient) and :math:`\log p_j` is the log-likelihood of the text of
    the answer under prompt :math:`j`, or its normalised value (``student="normalised"``). Only low-rank adapters
    are trained. Two things differ from the authors' code: the mean over all pairs of different prompts replaces
    one random teacher for each student, and the rate falls to 0 rather than to 1e-7.

    Agreement alone cannot stop it, for a model that answers everything alike agrees with itself. Their
    unsupervised criterion is Fleiss' kappa between the prompts on unlabelled validation items, which weighs
    agreement against what the shares of the answers make by chance. It is computed every ``check_every``
    updates, with one added to each count as in their code; from ``min_steps`` on the checkpoint with the
    highest value is chosen, and training ends once ``patience`` checks in a row have not improved on it. The
    checkpoint chosen is flagged as collapsed when nearly all predictions are one answer.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Causal or encoder-decoder; changed in place.
    tokenizer : transformers.PreTrainedTokenizerBase
        As it comes with the model.
    items : sequence of ClassItem or ChoiceItem
        Unlabelled: the labels are not looked at.
    templates : sequence of Template
        Two prompts or more.
    settings : ConsistencySettings, optional
        Those of the paper unless given.
    seed : int
        Decides the order of items, the prompts drawn, the start of the adapters and dropout; on a CPU the same
        seed gives the same model. The state of torch's random numbers is as before afterwards.
    folder : Path
        Where the log and the snapshot go, see `gainlaw.training.train.loop.train`.
    validation : sequence of ClassItem or ChoiceItem, optional
        Items for the checks; taken out of `items` unless given.
    snapshot_seconds : float
        Time between snapshots.

    Returns
    -------
    ConsistencyResult

    Raises
    ------
    InputError
        If there are fewer than two prompts or too few items, or an item cannot be prompted for.

    References
    ----------
    .. [1] Zhou et al. 2022, Prompt Consistency for Zero-Shot Task Generalization, arXiv:2205.00049; code at
       github.com/violet-zct/swarm-distillation-zero-shot.
    """
    settings = ConsistencySettings() if settings is None else settings
    faults = []
    if len(templates) < 2:
        faults.append(Problem("fewer than two prompts cannot differ", "templates", hint="give two or more"))
    least = 1 if validation is not None else 2
    if len(items) < least:
        faults.append(Problem(f"{len(items)} items are too few", "items", hint=f"give {least} or more"))
    if validation is not None and not validation:
        hint = "leave it out to hold some of the items back"
        faults.append(Problem("there are none", "validation", hint=hint))
    if faults:
        raise InputError(faults, source="prompt consistency")
    if validation is None:
        held = min(settings.validation_items, max(1, len(items) // 5))
        order = np.random.default_rng([seed, 0]).permutation(len(items))
        validation = [items[k] for k in np.sort(order[:held])]
        items = [items[k] for k in np.sort(order[held:])]
    device = next(model.parameters()).device
    flags = {name: weight.requires_grad for name, weight in model.named_parameters()}
    training = model.training
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        adapted = add_adapters(model, settings.rank, settings.alpha, settings.dropout, settings.targets)
        try:
            swarm = Swarm(adapted, tokenizer, items, validation, templates, settings, seed)
            result = train(
                swarm,
                _recipe(settings),
                seed=seed,
                folder=folder,
                device=str(device),
                checks=Checks(
                    swarm.judge, settings.check_every, settings.patience, settings.min_steps, at_start=True
                ),
                snapshot_seconds=snapshot_seconds,
            )
            adapted.merge_and_unload()
        except BaseException:
            adapted.unload()
            raise
        finally:
            for name, weight in model.named_parameters():
                weight.requires_grad_(flags.get(name, False))
            model.train(training)
    chosen = next((check for check in result.checks if check["step"] == result.best), result.checks[-1])
    collapsed = math.isnan(chosen["kappa"]) or chosen["majority"] >= settings.collapse_share
    return ConsistencyResult(model, result, int(chosen["step"]), chosen["kappa"], collapsed)


def _recipe(settings: ConsistencySettings) -> Recipe:
    return replace(
        DEFAULTS["intermediate"],
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        epochs=None,
        steps=settings.steps,
        warmup=settings.warmup_steps / settings.steps,
        weight_decay=0.0,
        clip=settings.clip,
        micro_batch_tokens=settings.token_budget,
        precision="fp32",
    )


class Swarm:
    """Prompt consistency of a model with adapters, see `train_consistency`.

    Parameters
    ----------
    model : peft.PeftModel
        The model with its adapters.
    tokenizer, items, validation, templates, settings, seed
        As there.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        items: Sequence[Item],
        validation: Sequence[Item],
        templates: Sequence[Template],
        settings: ConsistencySettings,
        seed: int,
    ) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.items, self.validation, self.templates = items, validation, templates
        self.settings, self.seed = settings, seed
        self.drawn = min(settings.prompts_per_item, len(templates))

    def steps_in_epoch(self) -> int:
        """Return the number of batches of an epoch."""
        return -(-len(self.items) // self.settings.batch_size)

    def _batch(self, step: int) -> list[Item]:
        """Return the items of a step: they come in random order, each once before any comes again."""
        size, count = self.settings.batch_size, len(self.items)
        orders: dict[int, np.ndarray] = {}
        for place in range(step * size, (step + 1) * size):
            again = place // count
            if again not in orders:
                orders[again] = np.random.default_rng([self.seed, 1, again]).permutation(count)
        return [self.items[orders[p // count][p % count]] for p in range(step * size, (step + 1) * size)]

    def pieces(self, step: int, budget: int) -> list[Piece]:
        """Return the micro-batches of a step: items, each with the prompts drawn for it."""
        rng = np.random.default_rng([self.seed, 2, step])
        requests = [
            self.templates[k].render(item)
            for item in self._batch(step)
            for k in np.sort(rng.choice(len(self.templates), self.drawn, replace=False))
        ]
        encoded = encode_for(self.model, self.tokenizer, requests, max_length=self.settings.max_length)
        groups = [encoded[k : k + self.drawn] for k in range(0, len(encoded), self.drawn)]
        sizes = [sum(len(e.contexts[0]) + sum(map(len, e.continuations)) for e in each) for each in groups]
        pieces: list[Piece] = []
        start = 0
        for stop in range(1, len(groups) + 1):
            if stop == len(groups) or sum(sizes[start : stop + 1]) > budget:
                flat = [each for group in groups[start:stop] for each in group]
                count = stop - start
                pieces.append(Piece(0, {}, count, sum(sizes[start:stop]), count, (flat, budget)))
                start = stop
        return pieces

    def loss(self, piece: Piece) -> torch.Tensor:
        """Return the summed loss of the items of a micro-batch."""
        encoded: Sequence[EncodedRequest]
        encoded, budget = piece.data
        with evaluating(self.model), torch.no_grad():
            teacher = score_options(self.model, encoded, token_budget=budget)
        student = score_options(self.model, encoded, token_budget=budget)
        return torch.stack(
            [
                swarm_loss(
                    torch.stack(student[k : k + self.drawn]),
                    torch.stack(teacher[k : k + self.drawn]),
                    normalised=self.settings.student == "normalised",
                )
                for k in range(0, len(encoded), self.drawn)
            ]
        ).sum()

    def judge(self) -> dict[str, float]:
        """Return what `judge_predictions` says of the held-out items, under all prompts."""
        predictions, most = [], 2
        for template in self.templates:
            requests = [template.render(item) for item in self.validation]
            most = max(most, *(len(request.continuations) for request in requests))
            ranked = rank_items(
                self.model,
                self.tokenizer,
                requests,
                token_budget=self.settings.token_budget,
                device=next(self.model.parameters()).device,
                max_length=self.settings.max_length,
            )
            predictions.append([choose(each) for each in ranked])
        found = judge_predictions(predictions, most, pseudo_count=self.settings.pseudo_count)
        return {"score": -math.inf if math.isnan(found["criterion"]) else found["criterion"]} | found


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
        See `train_consistency`.

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
