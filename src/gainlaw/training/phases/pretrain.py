"""Masked language modelling from scratch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gainlaw._io import write_text_atomic
from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment.recipes import Recipe
from gainlaw.training.phases.load import scratch_config, write_info
from gainlaw.training.phases.sources import MODEL, load_parent_tokenizer
from gainlaw.training.train.backbones import make_model, save_model
from gainlaw.training.train.data import encode_texts
from gainlaw.training.train.heads import MaskedHead, require_positions
from gainlaw.training.train.loop import train
from gainlaw.training.train.objectives import Masked, MaskedText
from gainlaw.training.units.store import Store, dump_json
from gainlaw.training.units.units import Unit

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["masked_text", "read_corpus", "run"]


def run(unit: Unit, store: Store, part: Path, device: str, snapshot_seconds: float) -> None:
    """Write ``model/`` and ``result.json``."""
    spec = unit.spec
    recipe = Recipe.from_record(spec["recipe"])
    tokenizer = load_parent_tokenizer(unit, store)
    model = make_model(scratch_config(spec["config"], tokenizer), "masked", spec["seed"])
    model.to(device)  # type: ignore[arg-type]  # its decorator hides the signature
    text = masked_text(read_corpus(unit, store), tokenizer, recipe)
    head = MaskedHead(model)
    require_positions(model, [text.encoded])
    objective = Masked(head, text, recipe.batch_size, spec["seed"], tokenizer.pad_token_id)
    result = train(
        objective,
        recipe,
        seed=spec["seed"],
        folder=part,
        device=device,
        snapshot_seconds=snapshot_seconds,
    )
    save_model(model, part / MODEL)
    write_info(model.base_model, part)  # type: ignore[arg-type]
    write_text_atomic(part / "result.json", dump_json(result.record()))


def read_corpus(unit: Unit, store: Store) -> list[tuple[str, str]]:
    """Return the texts of a unit's corpus: lines, of which a tab parts two texts.

    Raises
    ------
    InputError
        If there is no text in it.
    """
    files = [Path(place) for name, place in sorted(unit.where.items()) if name.startswith("corpus.")]
    files = files or [store.path(unit.parents["world"]) / "corpus.tsv"]
    texts = []
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            first, _, second = line.partition("\t")
            if first.strip():
                texts.append((first, second))
    if not texts:
        raise InputError("the corpus has no text", source=", ".join(map(str, files)))
    return texts


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
