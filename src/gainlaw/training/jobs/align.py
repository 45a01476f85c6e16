"""Measure how far a model has the languages of the world in one place, before it is trained on any task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from gainlaw.training.jobs.job import Job
from gainlaw.training.train.backbones import accepted, pooling_of
from gainlaw.training.train.batches import sorted_batches
from gainlaw.training.train.data import encode_texts, pad
from gainlaw.training.train.heads import pool

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["retrieval", "run"]


def run(job: Job) -> None:
    """Write ``alignment.json``: for each language but English, the shares of words and sentences that are found."""
    spec = job.spec
    tokenizer = job.tokenizer()
    model = job.model("encoder").eval()
    lexicon = json.loads((job.parent("world") / "lexicon.json").read_text(encoding="utf-8"))
    embeddings = model.get_input_embeddings().weight.detach()

    def words(language: str) -> torch.Tensor:
        return embeddings[torch.tensor(tokenizer.convert_tokens_to_ids(lexicon[language]["words"]))]

    def sentences(language: str) -> torch.Tensor:
        return _states(model, tokenizer, lexicon[language]["sentences"], spec, job.device)

    centre = embeddings.mean(dim=0)
    word, sentence = words("en") - centre, sentences("en")
    sentence = sentence - sentence.mean(dim=0)
    found = []
    for language in lexicon:
        if language == "en":
            continue
        said = sentences(language)
        found.append(
            {
                "language": language,
                "words": len(word),
                "word_retrieval": retrieval(words(language) - centre, word),
                "sentences": len(sentence),
                "sentence_retrieval": retrieval(said - said.mean(dim=0), sentence),
            }
        )
    job.write("alignment.json", found)


def retrieval(rows: torch.Tensor, among: torch.Tensor) -> float:
    """Return the share of rows whose nearest row of another table, by the cosine, is that of the same place.

    Parameters
    ----------
    rows, among : Tensor, shape (n, width)
        One place is one meaning in both. By chance the share is 1/n.

    Examples
    --------
    >>> retrieval(torch.eye(4), torch.eye(4).flip(0))
    0.0
    """
    scores = functional.normalize(rows, dim=1) @ functional.normalize(among, dim=1).T
    own = torch.arange(len(scores), device=scores.device)
    return float(scores.argmax(dim=1).eq(own).float().mean())


@torch.inference_mode()
def _states(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: list[str],
    spec: Mapping[str, Any],
    device: str,
) -> torch.Tensor:
    """Return one state a text, shape (texts, width)."""
    encoded = encode_texts([(text, "") for text in texts], tokenizer, spec["max_length"])
    how = pooling_of(model.config, spec["pooling"])
    out = torch.zeros(len(encoded), model.config.hidden_size)
    for rows in sorted_batches(encoded.lengths, spec["micro_batch_tokens"]):
        batch = {name: each.to(device) for name, each in pad(encoded, rows, tokenizer.pad_token_id).items()}
        hidden = model(**accepted(model, batch)).last_hidden_state
        out[torch.from_numpy(np.asarray(rows))] = pool(hidden, batch["attention_mask"], how).float().cpu()
    return out
