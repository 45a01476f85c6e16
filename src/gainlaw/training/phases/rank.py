"""Score a language model in every language by the likelihood of the answers under several prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gainlaw._io import write_frame_atomic, write_text_atomic
from gainlaw.errors import GainlawError
from gainlaw.training.items.items import Item
from gainlaw.training.phases.sources import load_parent_model, load_parent_tokenizer, unit_items
from gainlaw.training.prompting.protocol import PromptScores, evaluate_prompts
from gainlaw.training.prompting.stated import templates_of
from gainlaw.training.train.loop import use_bf16
from gainlaw.training.units.store import Store, dump_json
from gainlaw.training.units.units import Unit

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from gainlaw.training.prompting.templates import Template

__all__ = ["METRICS", "run"]

#: The scores reported: by the sum of log-likelihoods, and divided by the length of the answer in characters.
METRICS = ("accuracy", "accuracy_per_character")


def run(unit: Unit, store: Store, part: Path, device: str) -> None:
    """Write ``predictions.parquet`` (an item, prompt and metric a row) and ``scores.json``."""
    import pandas as pd

    spec = unit.spec
    tokenizer = load_parent_tokenizer(unit, store)
    model = load_parent_model(unit, store, "language", device)
    templates = templates_of(spec["prompts"])
    frames, scores = [], []
    for language in spec["languages"]:
        items = unit_items(unit, store, spec, spec["split"], language)
        found = _answers(model, tokenizer, items, templates, spec, device)
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
    write_frame_atomic(predictions, part / "predictions.parquet")
    write_text_atomic(part / "scores.json", dump_json(scores))


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
