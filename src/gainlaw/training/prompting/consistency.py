"""Prompt consistency: training on unlabelled items until the prompts agree (swarm distillation)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.training.items.items import Item
from gainlaw.training.prompting.agreement import (
    count_labels,
    fleiss_kappa,
    majority_share,
    observed_agreement,
)
from gainlaw.training.prompting.templates import Template

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "Check",
    "ConsistencyResult",
    "ConsistencySettings",
    "best_check",
    "judge_predictions",
    "out_of_patience",
    "train_consistency",
]


@dataclass(frozen=True, slots=True)
class ConsistencySettings:
    """How prompt-consistency training is done; the defaults are those of the paper's code for T0-3B.

    Attributes
    ----------
    learning_rate : float
        Highest rate of AdamW (betas 0.9 and 0.98, epsilon 1e-6, no weight decay).
    steps, warmup_steps : int
        Updates at most, and how many of them the rate rises for; then it falls to 0 in a line.
    batch_size : int
        Items of one update.
    prompts_per_item : int
        Prompts drawn for each item of an update, without replacement; all where there are fewer.
    clip : float
        Largest norm of the gradient.
    rank, alpha, dropout
        The low-rank adapters (Hu et al. 2021, arXiv:2106.09685).
    target_modules : tuple of str, or None
        The layers that get one; None takes what peft does for the architecture, and all linear layers for
        one that it does not know.
    student : {"likelihood", "normalised"}
        Whether the student's probability of an answer is that of its text, as in the paper, or its share
        among the answers.
    min_steps, check_every, patience : int
        The stopping rule, see `train_consistency`.
    validation_items : int
        Most items held back for the checks when none are given; never more than a fifth.
    pseudo_count : float
        Added to the counts for the criterion, see `fleiss_kappa`.
    collapse_share : float
        The share of one answer in all predictions from which a model counts as collapsed.
    token_budget : int
        See `gainlaw.training.prompting.ranking.rank_items`.
    max_length : int or None
        Most tokens read; the model's own limit for None.
    """

    learning_rate: float = 4e-5
    steps: int = 1500
    warmup_steps: int = 100
    batch_size: int = 16
    prompts_per_item: int = 10
    clip: float = 1.0
    rank: int = 1
    alpha: float = 4.0
    dropout: float = 0.3
    target_modules: tuple[str, ...] | None = None
    student: Literal["likelihood", "normalised"] = "likelihood"
    min_steps: int = 300
    check_every: int = 50
    patience: int = 3
    validation_items: int = 1000
    pseudo_count: float = 1.0
    collapse_share: float = 0.95
    token_budget: int = 4096
    max_length: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be done, all of it at once."""
        counts = (
            "steps",
            "batch_size",
            "rank",
            "check_every",
            "patience",
            "validation_items",
            "token_budget",
        )
        limits: dict[str, tuple[Callable[[float], bool], str]] = {
            **dict.fromkeys(counts, (lambda value: value >= 1, "use 1 or more")),
            **dict.fromkeys(("learning_rate", "clip", "alpha"), (lambda value: value > 0, "use more than 0")),
            **dict.fromkeys(
                ("warmup_steps", "min_steps", "pseudo_count"), (lambda v: v >= 0, "use 0 or more")
            ),
            "prompts_per_item": (lambda value: value >= 2, "use 2 or more: one prompt cannot differ"),
            "dropout": (lambda value: 0 <= value < 1, "use a share below 1"),
        }
        faults = [
            Problem(f"{getattr(self, name)} cannot be used", name, hint=hint)
            for name, (fits, hint) in limits.items()
            if not fits(getattr(self, name))
        ]
        if self.student not in ("likelihood", "normalised"):
            faults.append(
                Problem(f"unknown: {self.student!r}", "student", hint="use likelihood or normalised")
            )
        if self.min_steps > self.steps:
            hint = "no checkpoint could be chosen; lower min_steps or raise steps"
            faults.append(Problem("more than the steps", "min_steps", hint=hint))
        if faults:
            raise InputError(faults, source="settings of prompt consistency")


@dataclass(frozen=True, slots=True)
class Check:
    """What the unlabelled validation items showed at one point of the training.

    Attributes
    ----------
    step : int
        Updates done.
    loss : float
        Mean loss of the updates since the last check; NaN before the first.
    kappa : float
        Fleiss' kappa between prompts; NaN where it is not defined.
    criterion : float
        The same with the pseudo-count, which the stopping rule goes by.
    agreement : float
        The share of pairs of prompts that agree.
    majority : float
        The share of the most frequent answer in all predictions.
    entropy : float
        Entropy of the answers that a prompt gives, in nats, averaged over prompts; 0 when every prompt gives
        one answer only.
    """

    step: int
    loss: float
    kappa: float
    criterion: float
    agreement: float
    majority: float
    entropy: float


@dataclass(frozen=True, slots=True)
class ConsistencyResult:
    """A model after prompt-consistency training.

    Attributes
    ----------
    model : transformers.PreTrainedModel
        The model that was given, with the adapters of the chosen step merged into its weights.
    history : tuple of Check
        All checks, that before the first update included.
    step : int
        The step chosen.
    kappa : float
        Fleiss' kappa at that step (NaN where it is not defined).
    collapsed : bool
        Whether the model gives nearly everything the same answer at that step: agreement of this kind is
        worth nothing, and the model should not be used.
    """

    model: PreTrainedModel
    history: tuple[Check, ...]
    step: int
    kappa: float
    collapsed: bool


def judge_predictions(
    predictions: ArrayLike,
    n_options: int,
    *,
    step: int = 0,
    loss: float = math.nan,
    pseudo_count: float = 1.0,
) -> Check:
    """Measure agreement and collapse.

    Parameters
    ----------
    predictions : array_like of int, shape (n_prompts, n_items)
        The answer under each prompt.
    n_options : int
        The number of answers.
    step, loss
        Passed on.
    pseudo_count : float
        For the criterion.

    Returns
    -------
    Check

    Examples
    --------
    Prompts that agree on everything, and a collapse that a plain share of agreement cannot tell from it:

    >>> good, bad = judge_predictions([[0, 1], [0, 1]], 2), judge_predictions([[0, 0], [0, 0]], 2)
    >>> good.agreement, bad.agreement, good.criterion > bad.criterion
    (1.0, 1.0, True)
    """
    table = np.asarray(predictions)
    counts = count_labels(table, n_options)
    shares = count_labels(table.T, n_options) / max(table.shape[1], 1)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return Check(
        step,
        loss,
        fleiss_kappa(counts),
        fleiss_kappa(counts, pseudo_count=pseudo_count),
        observed_agreement(counts),
        majority_share(counts),
        abs(float(-(shares * logs).sum(axis=1).mean())),
    )


def best_check(history: Sequence[Check], min_steps: int) -> Check | None:
    """Return the check with the highest criterion from `min_steps` on, the earliest of several.

    Parameters
    ----------
    history : sequence of Check
        In order.
    min_steps : int
        Checks before it do not count.

    Returns
    -------
    Check or None
        None before there is one.
    """
    late = [check for check in history if check.step >= min_steps]
    return max(
        late, key=lambda check: -math.inf if math.isnan(check.criterion) else check.criterion, default=None
    )


def out_of_patience(history: Sequence[Check], min_steps: int, patience: int) -> bool:
    """Return whether `patience` checks have passed since the best one.

    Parameters
    ----------
    history : sequence of Check
        In order.
    min_steps, patience : int
        See `ConsistencySettings`.

    Returns
    -------
    bool
    """
    best = best_check(history, min_steps)
    return best is not None and sum(check.step > best.step for check in history) >= patience


def train_consistency(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Item],
    templates: Sequence[Template],
    settings: ConsistencySettings | None = None,
    *,
    seed: int,
    log: Callable[[str], None] | None = None,
    validation: Sequence[Item] | None = None,
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
    log : callable, optional
        Called with a line after each check.
    validation : sequence of ClassItem or ChoiceItem, optional
        Items for the checks; taken out of `items` unless given.

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
        faults.append(
            Problem("there are none", "validation", hint="leave it out to hold some of the items back")
        )
    if faults:
        raise InputError(faults, source="prompt consistency")
    if validation is None:
        held = min(settings.validation_items, max(1, len(items) // 5))
        order = np.random.default_rng([seed, 0]).permutation(len(items))
        validation = [items[k] for k in np.sort(order[:held])]
        items = [items[k] for k in np.sort(order[held:])]
    from gainlaw.training.prompting.distillation import distil

    history = distil(model, tokenizer, items, validation, templates, settings, seed=seed, log=log)
    chosen = best_check(history, settings.min_steps)
    assert chosen is not None, "the last step is always checked"
    collapsed = math.isnan(chosen.kappa) or chosen.majority >= settings.collapse_share
    return ConsistencyResult(model, tuple(history), chosen.step, chosen.kappa, collapsed)
