"""Score a fine-tuned model in every language: logits and prediction of every example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from gainlaw._io import write_frame_atomic
from gainlaw.errors import GainlawError
from gainlaw.training.items.items import Item, SpanItem
from gainlaw.training.items.registry import find_task
from gainlaw.training.items.task import TrainingTask
from gainlaw.training.jobs.job import Job
from gainlaw.training.train.batches import sorted_batches
from gainlaw.training.train.data import IGNORED, Encoded, encode
from gainlaw.training.train.heads import HeadShape, TaskModel, load_head, read_head, require_positions
from gainlaw.training.train.objectives import task_batch

__all__ = ["Outcome", "predict", "run"]

_LONGEST_ANSWER = 30


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a model answered.

    Attributes
    ----------
    answers : ndarray of int64, shape (examples,)
        Class or option; for spans, the position of the best first token in its sequence.
    right : ndarray of float64, shape (examples,)
        1 or 0; for tagging the share of words tagged rightly, for spans whether the tokens are the labelled ones.
    logits : list of ndarray of float32
        Of each example: a score a class or option.
    spans : list of (int, int, int), or None
        For spans: sequence, first and last token of the best answer; (-1, -1, -1) for none.
    """

    answers: np.ndarray
    right: np.ndarray
    logits: list[np.ndarray]
    spans: list[tuple[int, int, int]] | None = None


def run(job: Job) -> None:
    """Write ``predictions.parquet`` and ``scores.json``."""
    import pandas as pd

    spec, device = job.spec, job.device
    task = find_task(spec["task"])
    folder = job.parent("model")
    head = read_head(folder)
    tokenizer = job.tokenizer()
    backbone = job.model("encoder")
    model = TaskModel(backbone, {task.name: HeadShape(head["kind"], head["outputs"])}, seed=0).to(device)
    load_head(model, folder, task.name)
    model.requires_grad_(False)  # autocast keeps a copy of every weight that may be trained
    frames, scores = [], []
    for language in spec["languages"]:
        items = job.items(spec, spec["split"], language)
        encoded = encode(items, task.kind, tokenizer, spec["max_length"], head["tags"])
        require_positions(backbone, [encoded])
        outcome = predict(
            model,
            task.name,
            encoded,
            tokenizer.pad_token_id,
            spec["micro_batch_tokens"],
            device,
            spec["precision"],
        )
        right = _right(task, items, encoded, outcome)
        frames.append(
            pd.DataFrame(
                {
                    "language": language,
                    "example": [item.id for item in items],
                    "label": encoded.labels if task.kind in {"classification", "choice"} else -1,
                    "prediction": outcome.answers,
                    "correct": right,
                    "logits": outcome.logits,
                }
            )
        )
        common = np.unique(outcome.answers, return_counts=True)[1].max() / len(items)
        constant = bool(len(items) > 1 and common == 1.0 and task.kind in {"classification", "choice"})
        scores.append(
            {
                "language": language,
                "n_examples": len(items),
                "score": float(right.mean()),
                "cut": encoded.cut / len(items),
                "status": "constant answer" if constant else "ok",
            }
        )
    write_frame_atomic(pd.concat(frames, ignore_index=True), job.folder / "predictions.parquet")
    job.write("scores.json", scores)


@torch.inference_mode()
def predict(
    model: TaskModel, task: str, encoded: Encoded, padding: int, tokens: int, device: str, precision: str
) -> Outcome:
    """Return the answers of a model.

    Parameters
    ----------
    model : TaskModel
        With a head for the task.
    task : str
        Its name.
    encoded : Encoded
        The examples.
    padding, tokens : int
        Id of the padding token; tokens that go through the model at once.
    device, precision : str
        As in training.

    Returns
    -------
    Outcome
        In the order of the examples. They go through the model sorted by length, so that little is padded.

    Raises
    ------
    GainlawError
        If a single example does not fit into memory.
    """
    from gainlaw.training.train.loop import use_bf16

    before = model.training
    model.eval()
    n = len(encoded)
    answers, right = np.zeros(n, dtype=np.int64), np.zeros(n)
    logits: list[np.ndarray] = [np.zeros(0, np.float32)] * n
    spans: list[tuple[int, int, int]] = [(-1, -1, -1)] * n
    half = use_bf16(precision, device)
    todo = list(sorted_batches(encoded.lengths, 2 * tokens))[::-1]
    while todo:
        rows = todo.pop()
        batch = task_batch(encoded, rows, padding)
        scores = _scores(model, task, batch, device, half)
        if scores is None:  # memory ran out: one half after the other
            torch.cuda.empty_cache()
            if len(rows) == 1:
                raise GainlawError("one example does not fit into memory; try a smaller max_length")
            todo += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
            continue
        labels = batch["labels"].to(device)
        if encoded.kind in {"classification", "choice"}:
            if encoded.kind == "choice":
                groups = batch["groups"].to(device)
                scores = scores[groups.clamp(min=0)].masked_fill(groups < 0, -torch.inf)
            best = scores.argmax(dim=-1)
            answers[rows], right[rows] = best.cpu().numpy(), (best == labels).cpu().numpy()
            table, sizes = scores.cpu().numpy(), np.diff(encoded.first)[rows]
            width = sizes if encoded.kind == "choice" else np.full(len(rows), table.shape[1])
            for i, row in enumerate(rows):
                logits[row] = table[i, : width[i]]
        elif encoded.kind == "tagging":
            best = scores.argmax(dim=-1)
            scored = labels != IGNORED
            hits = ((best == labels) & scored).sum(dim=1)
            right[rows] = (hits / scored.sum(dim=1).clamp(min=1)).cpu().numpy()
        else:
            _best_spans(encoded, rows, scores.cpu().numpy(), spans, answers, right)
    model.train(before)
    return Outcome(answers, right, logits, spans if encoded.kind == "span" else None)


def _scores(
    model: TaskModel, task: str, batch: Mapping[str, torch.Tensor], device: str, half: bool
) -> torch.Tensor | None:
    try:
        moved = {name: value.to(device) for name, value in batch.items()}
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
            return model(task, moved).float()
    except torch.OutOfMemoryError:
        return None


def _best_spans(
    encoded: Encoded,
    rows: np.ndarray,
    scores: np.ndarray,
    spans: list[tuple[int, int, int]],
    answers: np.ndarray,
    right: np.ndarray,
) -> None:
    """Find the best span of each example over its windows, or that there is none."""
    assert encoded.characters is not None
    at = 0
    for row in rows:
        best, best_score, nothing = (-1, -1, -1), -np.inf, np.inf
        for sequence in range(encoded.first[row], encoded.first[row + 1]):
            size = int(encoded.starts[sequence + 1] - encoded.starts[sequence])
            start, end = scores[at, :size, 0], scores[at, :size, 1]
            at += 1
            inside = encoded.characters[encoded.starts[sequence] : encoded.starts[sequence + 1], 0] >= 0
            nothing = min(nothing, float(start[0] + end[0]))
            table = start[:, None] + end[None, :]
            length = np.arange(size)[None, :] - np.arange(size)[:, None]
            legal = inside[:, None] & inside[None, :] & (length >= 0) & (length < _LONGEST_ANSWER)
            table = np.where(legal, table, -np.inf)
            where = int(table.argmax())
            if table.ravel()[where] > best_score:
                best_score = float(table.ravel()[where])
                best = (sequence, where // size, where % size)
        spans[row] = best if best_score > nothing else (-1, -1, -1)
        answers[row] = spans[row][1]
        sequence, first, last = spans[row]
        labels = encoded.labels[encoded.first[row] : encoded.first[row + 1]]
        if sequence < 0:
            right[row] = float((labels == 0).all())
        else:
            right[row] = float(tuple(encoded.labels[sequence]) == (first, last))


def span_text(item: SpanItem, encoded: Encoded, span: tuple[int, int, int]) -> str:
    """Return the text of a predicted span, empty for none."""
    sequence, first, last = span
    if sequence < 0:
        return ""
    assert encoded.characters is not None
    start = encoded.starts[sequence]
    return item.context[encoded.characters[start + first, 0] : encoded.characters[start + last, 1]]


def _right(task: TrainingTask, items: list[Item], encoded: Encoded, outcome: Outcome) -> np.ndarray:
    """Return the score of each item: for spans, whether the text is one of the accepted answers."""
    if task.kind != "span":
        return outcome.right
    from gainlaw.training.items.metrics import exact_match

    assert outcome.spans is not None
    return np.array(
        [
            float(exact_match(span_text(item, encoded, span), [text for _, text in item.answers]))
            for item, span in zip(items, outcome.spans, strict=True)
            if isinstance(item, SpanItem)
        ]
    )
