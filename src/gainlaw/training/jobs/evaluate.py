"""Score a fine-tuned model in every language: logits and prediction of every example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gainlaw._io import write_frame_atomic
from gainlaw.errors import GainlawError
from gainlaw.training.items.items import Item, SpanItem, TagItem
from gainlaw.training.items.metrics import Measure
from gainlaw.training.items.metrics import measure as measures
from gainlaw.training.items.registry import task_of
from gainlaw.training.jobs.job import Job
from gainlaw.training.shards.ranks import ranks_here
from gainlaw.training.train.batches import sorted_batches
from gainlaw.training.train.data import IGNORED, Encoded, encode
from gainlaw.training.train.heads import HeadShape, TaskModel, load_head, read_head, require_positions
from gainlaw.training.train.objectives import task_batch

__all__ = ["Outcome", "predict", "run", "score_record"]

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
    words : list of dict of int to int, or None
        For tags: word to number of its tag; a word that no token stands for has none.
    """

    answers: np.ndarray
    right: np.ndarray
    logits: list[np.ndarray]
    spans: list[tuple[int, int, int]] | None = None
    words: list[dict[int, int]] | None = None


def run(job: Job) -> None:
    """Write ``predictions.parquet`` and ``scores.json``."""
    import pandas as pd

    spec, device = job.spec, job.device
    task = task_of(spec)
    folder = job.parent("model")
    head = read_head(folder)
    tokenizer = job.tokenizer()
    backbone = job.model("encoder")
    name = head["task"]
    shape = HeadShape(head["kind"], head["outputs"])
    model = TaskModel(backbone, {name: shape}, seed=0, pooling=head["pooling"]).to(device)
    load_head(model, folder, name)
    model.requires_grad_(False)  # autocast keeps a copy of every weight that may be trained
    frames, scores = [], []
    for language in spec["languages"]:
        items = job.items(spec, spec["split"], language)
        encoded = encode(items, task.kind, tokenizer, spec["max_length"], head["tags"])
        require_positions(backbone, [encoded])
        padding, tokens = tokenizer.pad_token_id, spec["micro_batch_tokens"]
        outcome = predict(model, name, encoded, padding, tokens, device, spec["precision"])
        answers = _answers(items, encoded, outcome, head["tags"])
        ranked = task.kind in {"classification", "choice"}
        common = np.unique(outcome.answers, return_counts=True)[1].max() / len(items)
        constant = bool(len(items) > 1 and common == 1.0 and ranked)
        for measure in measures(task, items, answers):
            scores.append(
                score_record(measure, language)
                | {"cut": encoded.cut / len(items), "status": "constant answer" if constant else "ok"}
            )
            if measure.metric == "token_f1":
                continue  # of the same answers as the exact match
            frame = {
                "language": language,
                "metric": measure.metric,
                "example": [item.id for item in items],
                "label": encoded.labels if ranked else -1,
                "prediction": outcome.answers,
                "correct": outcome.right if measure.values is None else measure.values,
                "logits": outcome.logits,
            }
            if not ranked:
                frame["answer"] = [each if isinstance(each, str) else " ".join(each) for each in answers]
            frames.append(pd.DataFrame(frame))
    write_frame_atomic(pd.concat(frames, ignore_index=True), job.folder / "predictions.parquet")
    job.write("scores.json", scores)


def score_record(measure: Measure, language: str) -> dict[str, Any]:
    """Return what a line of ``scores.json`` says of a score."""
    record = {"language": language, "metric": measure.metric, "score": measure.score}
    return record | {
        "n_examples": measure.n_examples,
        "stderr": measure.stderr,
        "share": measure.values is not None,
    }


@torch.no_grad()  # training goes on with what a spread model gathers here, so no inference mode
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
        In the order of the examples. They go through the model sorted by length, so that little is padded. Of a model
        that is spread over processes each does its share, and has the answers of all, but only its own logits.

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
    words: list[dict[int, int]] = [{} for _ in range(n)]
    half, ranks = use_bf16(precision, device), ranks_here()
    todo = ranks.turns(list(sorted_batches(encoded.lengths, 2 * tokens)))[::-1]
    while todo:
        place, rows, counts = todo.pop()
        batch = task_batch(encoded, rows, padding)
        scores = _scores(model, task, batch, device, half)
        if scores is None:  # memory ran out: one half after the other
            torch.cuda.empty_cache()
            if ranks.size > 1:  # the others wait for what this process cannot do
                raise GainlawError("a batch does not fit into memory; try a smaller micro_batch_tokens")
            if len(rows) == 1:
                raise GainlawError("one example does not fit into memory; try a smaller max_length")
            todo += [(place, part, counts) for part in (rows[len(rows) // 2 :], rows[: len(rows) // 2])]
            continue
        if not counts:
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
            _best_tags(encoded, rows, scores.argmax(dim=-1).cpu().numpy(), words, right)
        else:
            _best_spans(encoded, rows, scores.cpu().numpy(), spans, answers, right)
    model.train(before)
    if ranks.size > 1:
        answers, right = (ranks.added(torch.from_numpy(each)).cpu().numpy() for each in (answers, right))
    spanned, tagged = encoded.kind == "span", encoded.kind == "tagging"
    return Outcome(answers, right, logits, spans if spanned else None, words if tagged else None)


def _scores(
    model: TaskModel, task: str, batch: Mapping[str, torch.Tensor], device: str, half: bool
) -> torch.Tensor | None:
    try:
        moved = {name: value.to(device) for name, value in batch.items()}
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
            return model(task, moved).float()
    except torch.OutOfMemoryError:
        return None


def _best_tags(
    encoded: Encoded, rows: np.ndarray, best: np.ndarray, words: list[dict[int, int]], right: np.ndarray
) -> None:
    """Find the tag of each word, and the share of the words of each sentence with a known tag that have it."""
    assert encoded.characters is not None
    at = 0
    for row in rows:
        hits = scored = 0
        for sequence in range(encoded.first[row], encoded.first[row + 1]):
            own = slice(encoded.starts[sequence], encoded.starts[sequence + 1])
            labels, firsts = encoded.labels[own], encoded.characters[own, 0]
            mine = best[at, : len(labels)]
            at += 1
            words[row].update((int(firsts[k]), int(mine[k])) for k in np.flatnonzero(firsts >= 0))
            hits += int((mine == labels)[labels != IGNORED].sum())
            scored += int((labels != IGNORED).sum())
        right[row] = hits / max(1, scored)


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


def _answers(items: list[Item], encoded: Encoded, outcome: Outcome, tags: Sequence[str]) -> list[Any]:
    """Return the answer to each item, as `gainlaw.training.items.metrics.measure` takes it."""
    if outcome.spans is not None:
        pairs = zip(items, outcome.spans, strict=True)
        return [span_text(item, encoded, span) for item, span in pairs if isinstance(item, SpanItem)]
    if outcome.words is None:
        return outcome.answers.tolist()
    found = []
    for item, words in zip(items, outcome.words, strict=True):
        assert isinstance(item, TagItem)
        found.append([tags[words[k]] if k in words else "" for k in range(len(item.words))])
    return found
