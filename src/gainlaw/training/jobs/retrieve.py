"""Find translations by the cosine of mean states, without any training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gainlaw._io import write_frame_atomic
from gainlaw.errors import GainlawError
from gainlaw.training.items.items import ClassItem, PairItem
from gainlaw.training.items.metrics import measure
from gainlaw.training.items.registry import task_of
from gainlaw.training.jobs.evaluate import score_record
from gainlaw.training.jobs.job import Job
from gainlaw.training.train.backbones import accepted
from gainlaw.training.train.batches import sorted_batches
from gainlaw.training.train.data import Encoded, encode, pad
from gainlaw.training.train.heads import pool, require_positions
from gainlaw.training.train.loop import use_bf16

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["mean_states", "run"]

_BLOCK = 1024


def run(job: Job) -> None:
    """Write ``predictions.parquet`` and ``scores.json``."""
    import pandas as pd

    spec = job.spec
    task, tokenizer = task_of(spec), job.tokenizer()
    model = job.model("encoder").eval()
    layer = middle_layer(model.config) if spec["layer"] is None else spec["layer"]
    frames, scores = [], []
    for language in spec["languages"]:
        items = [i for i in job.items(spec, spec["split"], language) if isinstance(i, PairItem)]
        states = []
        for texts in ([item.source for item in items], [item.target for item in items]):
            given = [ClassItem(str(n), text, "", 0) for n, text in enumerate(texts)]
            encoded = encode(given, "classification", tokenizer, spec["max_length"])
            require_positions(model, [encoded])
            padding = tokenizer.pad_token_id
            states.append(mean_states(model, encoded, layer, padding, spec, job.device))
        best, cosines = _nearest(*states)
        for each in measure(task, items, best.tolist()):
            scores.append(score_record(each, language) | {"cut": 0.0, "status": "ok"})
            frame = {
                "language": language,
                "metric": each.metric,
                "example": [item.id for item in items],
                "label": np.arange(len(items)),
                "prediction": best,
                "correct": each.values,
                "cosine": cosines,
            }
            frames.append(pd.DataFrame(frame))
    write_frame_atomic(pd.concat(frames, ignore_index=True), job.folder / "predictions.parquet")
    job.write("scores.json", scores)


def middle_layer(config: Any) -> int:
    """Return the layer just above the middle: 7 of 12 and 13 of 24, as XTREME's baselines take it."""
    count = getattr(config, "num_hidden_layers", None) or config.num_layers
    return int(count) // 2 + 1


@torch.inference_mode()
def mean_states(
    model: PreTrainedModel, encoded: Encoded, layer: int, padding: int, spec: Any, device: str
) -> np.ndarray:
    """Return the mean state of each text at a layer, of length 1, as float32 of shape (texts, width).

    Parameters
    ----------
    model : PreTrainedModel
        An encoder.
    encoded : Encoded
        The texts, a sequence each.
    layer : int
        Which states; 0 are the embeddings.
    padding : int
        Id of the padding token.
    spec : mapping
        ``micro_batch_tokens`` and ``precision``.
    device : str
        Where the model is.
    """
    found = np.zeros((len(encoded), int(model.config.hidden_size)), dtype=np.float32)
    half = use_bf16(spec["precision"], device)
    todo = list(sorted_batches(encoded.lengths, 2 * spec["micro_batch_tokens"]))[::-1]
    while todo:
        rows = todo.pop()
        batch = {name: value.to(device) for name, value in pad(encoded, rows, padding).items()}
        try:
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
                made = model(**accepted(model, batch), output_hidden_states=True).hidden_states
        except torch.OutOfMemoryError:  # one half after the other
            torch.cuda.empty_cache()
            if len(rows) == 1:
                raise GainlawError("one text does not fit into memory; try a smaller max_length") from None
            todo += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
            continue
        if layer >= len(made):
            raise GainlawError(f"layer = {layer}, and the model has {len(made) - 1}")
        mean = pool(made[layer].float(), batch["attention_mask"], "mean")
        found[rows] = torch.nn.functional.normalize(mean, dim=-1).cpu().numpy()
    return found


def _nearest(sources: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each source, the nearest target (the first of several as near) and the cosine."""
    best, cosines = np.zeros(len(sources), dtype=np.int64), np.zeros(len(sources), dtype=np.float32)
    for start in range(0, len(sources), _BLOCK):
        table = sources[start : start + _BLOCK] @ targets.T
        mine = table.argmax(axis=1)
        best[start : start + _BLOCK], cosines[start : start + _BLOCK] = mine, table.max(axis=1)
    return best, cosines
