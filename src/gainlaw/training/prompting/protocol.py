"""Prompted zero-shot evaluation: one score a prompt, and how far the prompts agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.training.items.items import ChoiceItem, ClassItem, Item
from gainlaw.training.prompting.agreement import count_labels, fleiss_kappa
from gainlaw.training.prompting.ranking import Normalise, choose, rank_items
from gainlaw.training.prompting.templates import Template

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["METRICS", "PromptScores", "evaluate_prompts"]

#: The metric of an evaluation, and what the log-likelihoods are divided by for it.
METRICS: Mapping[str, Normalise] = {
    "accuracy": "sum",
    "accuracy_per_token": "tokens",
    "accuracy_per_character": "characters",
    "accuracy_per_byte": "bytes",
}


@dataclass(frozen=True, slots=True)
class PromptScores:
    """The answers to one task in one language under several prompts.

    Attributes
    ----------
    prompts : tuple of str
        The names of the prompts.
    examples : tuple of str
        The ids of the items.
    labels : ndarray of int, shape (n_items,)
        The right answers.
    answers : mapping of str to ndarray of int, shape (n_prompts, n_items)
        Metric -> the answer chosen under each prompt, for the metrics of `METRICS`.
    log_likelihoods : tuple of tuple of ndarray, n_prompts of n_items of shape (n_answers,)
        The summed log-likelihood of each answer.
    n_options : int
        The largest number of answers of an item.
    """

    prompts: tuple[str, ...]
    examples: tuple[str, ...]
    labels: np.ndarray
    answers: Mapping[str, np.ndarray]
    log_likelihoods: tuple[tuple[np.ndarray, ...], ...]
    n_options: int

    def kappa(self, metric: str = "accuracy") -> float:
        """Return Fleiss' kappa between the prompts by a metric (NaN for one prompt, or one answer throughout)."""
        return fleiss_kappa(count_labels(self.answers[metric], self.n_options))

    def rows(self, metrics: Sequence[str] = ("accuracy", "accuracy_per_character")) -> list[dict[str, Any]]:
        """Return one row a prompt and metric, for a table of evaluations.

        With ``prompt``, ``metric``, ``n_correct``, ``n_examples`` and ``fleiss_kappa``, the same for all prompts.
        """
        found = []
        for metric in metrics:
            kappa = self.kappa(metric)
            for prompt, answers in zip(self.prompts, self.answers[metric], strict=True):
                correct = int((answers == self.labels).sum())
                row = {"prompt": prompt, "metric": metric, "n_correct": correct}
                found.append(row | {"n_examples": len(self.labels), "fleiss_kappa": kappa})
        return found

    def item_rows(
        self, metrics: Sequence[str] = ("accuracy", "accuracy_per_character")
    ) -> list[dict[str, Any]]:
        """Return one row an item, prompt and metric, for a table of predictions.

        With ``prompt``, ``metric``, ``example``, ``label``, ``answer``, ``correct`` (0 or 1) and
        ``log_likelihoods``, one an answer.
        """
        return [
            {
                "prompt": prompt,
                "metric": metric,
                "example": example,
                "label": int(label),
                "answer": int(answer),
                "correct": int(answer == label),
                "log_likelihoods": scores,
            }
            for metric in metrics
            for prompt, answers, items in zip(
                self.prompts, self.answers[metric], self.log_likelihoods, strict=True
            )
            for example, answer, label, scores in zip(self.examples, answers, self.labels, items, strict=True)
        ]


def evaluate_prompts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Item],
    templates: Sequence[Template],
    *,
    token_budget: int = 4096,
    device: str | torch.device = "cpu",
    max_length: int | None = None,
) -> PromptScores:
    """Answer every item under every prompt, by the likelihood of the answers.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Causal or encoder-decoder.
    tokenizer : transformers.PreTrainedTokenizerBase
        As it comes with the model.
    items : sequence of ClassItem or ChoiceItem
        What to answer.
    templates : sequence of Template
        The prompts, checked against the task.
    token_budget, device, max_length
        See `gainlaw.training.prompting.ranking.rank_items`.

    Returns
    -------
    PromptScores

    Raises
    ------
    InputError
        If there is no item or no prompt, or an item cannot be prompted for.
    """
    missing = [name for name, given in (("items", items), ("templates", templates)) if not given]
    if missing:
        raise InputError([Problem("there are none", name, hint="give at least one") for name in missing])
    chosen: dict[str, list[list[int]]] = {metric: [] for metric in METRICS}
    likelihoods: list[tuple[np.ndarray, ...]] = []
    most = 0
    for template in templates:
        requests = [template.render(item) for item in items]
        most = max(most, max(len(request.continuations) for request in requests))
        ranked = rank_items(
            model, tokenizer, requests, token_budget=token_budget, device=device, max_length=max_length
        )
        likelihoods.append(tuple(each.log_likelihood for each in ranked))
        for metric, normalise in METRICS.items():
            chosen[metric].append([choose(each, normalise) for each in ranked])
    labels = [item.label if isinstance(item, ClassItem | ChoiceItem) else -1 for item in items]
    return PromptScores(
        tuple(template.name for template in templates),
        tuple(item.id for item in items),
        np.array(labels),
        {metric: np.array(rows) for metric, rows in chosen.items()},
        tuple(likelihoods),
        most,
    )
