"""Take a model as it is: from the hub, from a folder, or with random weights from a configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gainlaw._io import write_text_atomic
from gainlaw.training.jobs.job import MODEL, ORIGIN, Job
from gainlaw.training.train.backbones import (
    load_config,
    load_tokenizer,
    make_model,
    save_model,
    skeleton,
)
from gainlaw.training.train.weights import convert, find_weights

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["run", "scratch_config", "write_info"]


def run(job: Job) -> None:
    """Write where the model is (``origin.json``), or make it (``model/``); pickled weights are both."""
    spec = job.spec
    if spec["config"] is not None:
        tokenizer = job.tokenizer()
        model = make_model(scratch_config(spec["config"], tokenizer), spec["role"], spec["seed"])
        save_model(model, job.folder / MODEL)
        write_info(model, job.folder)
        return
    weights = find_weights(job.unit.aside.get("model", spec["hub"]), spec["revision"])
    load_tokenizer(weights.origin, weights.revision)
    write_info(skeleton(load_config(weights.origin, weights.revision), spec["role"]), job.folder)
    if weights.pickled:
        convert(weights, job.folder / MODEL)
    job.write(ORIGIN, {"origin": weights.origin, "revision": weights.revision, "files": list(weights.files)})


def scratch_config(values: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> PretrainedConfig:
    """Return a configuration with the vocabulary and special tokens of a tokenizer filled in."""
    filled = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id} | dict(values)
    for name in ("bos_token_id", "eos_token_id"):
        filled.setdefault(name, getattr(tokenizer, name))
    if filled.get("decoder_start_token_id") is None and filled["model_type"] in {"t5", "mt5", "umt5"}:
        filled["decoder_start_token_id"] = tokenizer.pad_token_id
    return load_config(filled)


def write_info(model: PreTrainedModel, part: Path) -> None:
    """Write ``info.json``: how many parameters a model has, and how many beside the embeddings of tokens."""
    total = sum(p.numel() for p in model.parameters())
    embeddings = {
        id(p)
        for m in (model.get_input_embeddings(), model.get_output_embeddings())
        if m is not None
        for n, p in m.named_parameters()
        if n == "weight"
    }
    words = sum(p.numel() for p in model.parameters() if id(p) in embeddings)
    record = {"params": total, "params_non_embedding": total - words, "model_type": model.config.model_type}
    write_text_atomic(part / "info.json", json.dumps(record, indent=1, sort_keys=True) + "\n")
