"""Masked language modelling from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment.recipes import Recipe
from gainlaw.training.jobs.job import MODEL, Job
from gainlaw.training.jobs.load import scratch_config, write_info
from gainlaw.training.train.backbones import make_model, save_model
from gainlaw.training.train.data import encode_texts
from gainlaw.training.train.heads import MaskedHead, require_positions
from gainlaw.training.train.loop import train
from gainlaw.training.train.objectives import Contrast, Masked, MaskedText

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["masked_text", "run"]


def run(job: Job) -> None:
    """Write ``model/`` and ``result.json``."""
    spec = job.spec
    recipe = Recipe.from_record(spec["recipe"])
    tokenizer = job.tokenizer()
    model = make_model(scratch_config(spec["config"], tokenizer), "masked", spec["seed"])
    model.to(job.device)  # type: ignore[arg-type]  # its decorator hides the signature
    text = masked_text(job.corpus(), tokenizer, recipe)
    head = MaskedHead(model)
    contrast = _contrast(job, tokenizer, recipe) if recipe.contrast else None
    sides = [] if contrast is None else [contrast.first, contrast.second]
    require_positions(model, [text.encoded, *sides])
    objective = Masked(head, text, recipe.batch_size, spec["seed"], tokenizer.pad_token_id, contrast)
    result = train(
        objective,
        recipe,
        seed=spec["seed"],
        folder=job.folder,
        device=job.device,
        snapshot_seconds=job.unit.aside["snapshot_seconds"],
    )
    save_model(model, job.folder / MODEL)
    write_info(model.base_model, job.folder)  # type: ignore[arg-type]
    job.write("result.json", result.record())


def _contrast(job: Job, tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> Contrast:
    """Return the parallel sentences of a unit."""
    pairs = job.parallel()
    first, second = (
        encode_texts([(pair[i], "") for pair in pairs], tokenizer, recipe.max_length) for i in (0, 1)
    )
    return Contrast(
        first,
        second,
        recipe.contrast,
        recipe.contrast_pairs,
        recipe.contrast_temperature,
        recipe.pooling,
    )


def masked_text(
    texts: list[tuple[str, str]], tokenizer: PreTrainedTokenizerBase, recipe: Recipe
) -> MaskedText:
    """Return texts ready for masked language modelling.

    Raises
    ------
    InputError
        If the tokenizer has no token that hides others.
    """
    if tokenizer.mask_token_id is None:
        hint = "masked language modelling needs a model that was pretrained with one, such as XLM-R"
        raise InputError(Problem("the tokenizer has no mask token", hint=hint))
    return MaskedText(
        encode_texts(texts, tokenizer, recipe.max_length),
        np.array(sorted(tokenizer.all_special_ids)),
        tokenizer.mask_token_id,
        len(tokenizer),
        recipe.mask_rate,
    )
