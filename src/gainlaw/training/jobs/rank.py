"""Score a language model in every language by the likelihood of the answers under several prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gainlaw._io import write_frame_atomic
from gainlaw.errors import GainlawError
from gainlaw.training.items.items import Item
from gainlaw.training.jobs.job import Job
from gainlaw.training.prompting.protocol import PromptScores, evaluate_prompts
from gainlaw.training.prompting.stated import templates_of
from gainlaw.training.train.loop import use_bf16

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from gainlaw.training.prompting.templates import Template

__all__ = ["METRICS", "run"]

#: The scores reported: by the sum of log-likelihoods, and divided by the length of the answer in characters.
METRICS = ("accuracy", "accuracy_per_character")


def run(job: Job) -> None:
    """Write ``predictions.parquet`` (an item, prompt and metric a row) and ``scores.json``."""
    import pandas as pd

    spec = job.spec
    tokenizer = job.tokenizer()
    model = job.model("language")
    model.requires_grad_(False)  # autocast keeps a copy of every weight that may be trained
    templates = templates_of(spec["prompts"])
    frames, scores = [], []
    for language in spec["languages"]:
        items = job.items(spec, spec["split"], language)
        found = _answers(model, tokenizer, items, templates, spec, job.device)
        rows = pd.DataFrame(found.item_rows(METRICS))
        frames.append(rows.assign(language=language))
        for row in found.rows(METRICS):
            mine = rows[rows["prompt"].eq(row["prompt"]) & rows["metric"].eq(row["metric"])]
            constant = bool((mine["answer"] == mine["answer"].iloc[0]).all()) and len(mine) > 1
            kappa = row.pop("fleiss_kappa")
            scores.append(
                row
                | {
                    "language": language,
                    "prompt_agreement": None if np.isnan(kappa) else kappa,
                    "status": "constant answer" if constant else "ok",
                }
            )
    predictions = pd.concat(frames, ignore_index=True).rename(columns={"answer": "prediction"})
    write_frame_atomic(predictions, job.folder / "predictions.parquet")
    job.write("scores.json", scores)


def _answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Item],
    templates: Sequence[Template],
    spec: Mapping[str, Any],
    device: str,
) -> PromptScores:
    """Answer the items of a language, with smaller batches when memory runs out."""
    half = use_bf16(spec["precision"], device)
    budget = int(spec["micro_batch_tokens"])
    while True:
        try:
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
                return evaluate_prompts(
                    model, tokenizer, items, templates, token_budget=budget, device=device
                )
        except torch.OutOfMemoryError:
            if budget == 1:
                raise GainlawError("one prompt with its answers does not fit into memory") from None
        budget = max(1, budget // 2)
