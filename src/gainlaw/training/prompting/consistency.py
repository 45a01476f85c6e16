"""Prompt consistency: how it is trained, and how far the prompts agree without giving everything one answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.training.prompting.agreement import (
    count_labels,
    fleiss_kappa,
    majority_share,
    observed_agreement,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["ConsistencySettings", "judge_predictions"]


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
    rank, alpha, dropout, targets
        The low-rank adapters (Hu et al. 2021, arXiv:2106.09685).
    student : {"likelihood", "normalised"}
        Whether the student's probability of an answer is that of its text, as in the paper, or its share
        among the answers.
    min_steps, check_every, patience : int
        The stopping rule, see `gainlaw.training.prompting.distillation.train_consistency`.
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
    targets: Sequence[str] = ("query", "value")
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


def judge_predictions(
    predictions: ArrayLike, n_options: int, *, pseudo_count: float = 1.0
) -> dict[str, float]:
    """Measure agreement and collapse.

    Parameters
    ----------
    predictions : array_like of int, shape (n_prompts, n_items)
        The answer under each prompt.
    n_options : int
        The number of answers.
    pseudo_count : float
        For the criterion.

    Returns
    -------
    dict of str to float
        ``kappa``: Fleiss' kappa between prompts, NaN where it is not defined. ``criterion``: the same with the
        pseudo-count, which the stopping rule goes by. ``agreement``: the share of pairs of prompts that agree.
        ``majority``: the share of the most frequent answer in all predictions. ``entropy``: of the answers that
        a prompt gives, in nats, averaged over prompts; 0 when every prompt gives one answer only.

    Examples
    --------
    Prompts that agree on everything, and a collapse that a plain share of agreement cannot tell from it:

    >>> good, bad = judge_predictions([[0, 1], [0, 1]], 2), judge_predictions([[0, 0], [0, 0]], 2)
    >>> good["agreement"], bad["agreement"], good["criterion"] > bad["criterion"]
    (1.0, 1.0, True)
    """
    table = np.asarray(predictions)
    counts = count_labels(table, n_options)
    shares = count_labels(table.T, n_options) / max(table.shape[1], 1)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return {
        "kappa": fleiss_kappa(counts),
        "criterion": fleiss_kappa(counts, pseudo_count=pseudo_count),
        "agreement": observed_agreement(counts),
        "majority": majority_share(counts),
        "entropy": abs(float(-(shares * logs).sum(axis=1).mean())),
    }
