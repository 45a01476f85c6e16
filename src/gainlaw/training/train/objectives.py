"""What is trained: batches of labelled examples, of masked text, or of both, as micro-batches with their loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch.nn import functional

from gainlaw.training.train.batches import micro_batches
from gainlaw.training.train.data import IGNORED, Encoded, pad
from gainlaw.training.train.heads import MaskedHead, TaskModel, loss_of
from gainlaw.training.train.masking import mask_tokens
from gainlaw.training.train.sampling import epoch_plan

__all__ = ["Contrast", "Masked", "MaskedText", "Objective", "Piece", "Supervised", "task_batch"]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A micro-batch.

    Attributes
    ----------
    source : int
        Which of the objective's sources it is of.
    tensors : mapping of str to Tensor
        What the loss needs.
    weight : int
        How many predictions its loss sums over.
    tokens : int
        Its tokens, padding not counted.
    examples : int
        Its examples; one cannot be cut further.
    data : object
        What else the loss needs.
    """

    source: int
    tensors: Mapping[str, torch.Tensor]
    weight: int
    tokens: int
    examples: int
    data: Any = None

    @property
    def size(self) -> int:
        """Its tokens, padding counted where there is any."""
        ids = self.tensors.get("input_ids")
        return self.tokens if ids is None else ids.numel()


class Objective(Protocol):
    """What the training loop needs to know."""

    @property
    def model(self) -> torch.nn.Module:
        """Return what is trained."""

    def steps_in_epoch(self) -> int:
        """Return the number of batches of an epoch."""

    def pieces(self, step: int, budget: int) -> list[Piece]:
        """Return the micro-batches of a step, of at most `budget` tokens each."""

    def loss(self, piece: Piece) -> torch.Tensor:
        """Return the summed loss of a micro-batch."""


class _Planned:
    """Batches of several sources, planned an epoch at a time."""

    def __init__(
        self,
        lengths: Sequence[np.ndarray],
        batch_size: int,
        seed: int,
        temperature: float = 1.0,
        extra: tuple[int, float] | None = None,
    ) -> None:
        self.lengths, self.batch_size, self.seed = list(lengths), batch_size, seed
        self.temperature, self.extra = temperature, extra
        self._epoch, self._plan = 0, self._make(0)

    def _make(self, epoch: int) -> list[tuple[int, np.ndarray]]:
        return epoch_plan(self.lengths, self.batch_size, self.temperature, self.seed, epoch, self.extra)

    def steps_in_epoch(self) -> int:
        return len(self._plan)

    def batch(self, step: int) -> tuple[int, np.ndarray]:
        epoch, at = divmod(step, len(self._plan))
        if epoch != self._epoch:
            self._epoch, self._plan = epoch, self._make(epoch)
        return self._plan[at]


@dataclass(frozen=True, slots=True, eq=False)
class MaskedText:
    """Text for masked language modelling: the examples, the tokens that may not be hidden, and the rate."""

    encoded: Encoded
    special: np.ndarray
    mask: int
    vocabulary: int
    rate: float

    def tensors(self, rows: np.ndarray, padding: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Return the tensors of some examples: tokens hidden, the true ones (``truth``), and where (``hidden``)."""
        tensors = pad(self.encoded, rows, padding)
        ids = tensors["input_ids"].numpy()
        usable = (tensors["attention_mask"].numpy() > 0) & ~np.isin(ids, self.special)
        seen, places = mask_tokens(ids, usable, self.rate, self.mask, self.vocabulary, rng)
        hidden = np.zeros(ids.shape, dtype=bool)
        hidden.ravel()[places] = True
        return tensors | {
            "truth": tensors["input_ids"],
            "input_ids": torch.from_numpy(seen),
            "hidden": torch.from_numpy(hidden),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """Sentences that are to lie near their translations and away from those of others.

    The loss is the cross-entropy of finding the translation of each sentence among those of all `pairs` of a step by
    the cosine over the temperature, in both directions (InfoNCE: van den Oord et al. 2018, arXiv 1807.03748; of
    translations: Feng et al. 2022, arXiv 2007.01852).

    Attributes
    ----------
    first, second : Encoded
        The sentences and, in the same order, their translations.
    weight : float
        Of the loss, beside that of the hidden tokens, both as means.
    pairs : int
        How many go into a step.
    temperature : float
        What cosines are divided by.
    pooling : str
        Which state stands for a sentence, see `gainlaw.training.train.backbones.pooling_of`.
    """

    first: Encoded
    second: Encoded
    weight: float
    pairs: int
    temperature: float
    pooling: str


class Masked:
    """Masked language modelling of a corpus, and the alignment of parallel sentences beside it if asked.

    Parameters
    ----------
    model : MaskedHead
        The model.
    text : MaskedText
        The corpus.
    batch_size, seed, padding : int
        Examples of a step, seed of their order and of what is hidden, id of the padding token.
    contrast : Contrast, optional
        Parallel sentences.
    """

    def __init__(
        self,
        model: MaskedHead,
        text: MaskedText,
        batch_size: int,
        seed: int,
        padding: int,
        contrast: Contrast | None = None,
    ) -> None:
        self.model, self.text, self.seed, self.padding = model, text, seed, padding
        self.contrast = contrast
        self.planned = _Planned([text.encoded.lengths], batch_size, seed)

    def steps_in_epoch(self) -> int:
        """Return the number of batches of an epoch."""
        return self.planned.steps_in_epoch()

    def pieces(self, step: int, budget: int) -> list[Piece]:
        """Return the micro-batches of a step."""
        _, rows = self.planned.batch(step)
        pieces = masked_pieces(self.text, rows, self.padding, budget, (self.seed, step), 0)
        if self.contrast is None:
            return pieces
        # Both losses are means: the sum over pairs counts as if there were as many as hidden tokens.
        return [*pieces, self._pairs(self.contrast, step, sum(piece.weight for piece in pieces))]

    def _pairs(self, contrast: Contrast, step: int, predictions: int) -> Piece:
        """Return the pairs of a step: one piece that is not cut, since each sentence is told from all others."""
        rng = np.random.default_rng([self.seed, step, 3])
        count = min(contrast.pairs, len(contrast.first))
        rows = rng.choice(len(contrast.first), count, replace=False)
        tensors: dict[str, torch.Tensor] = {}
        tokens = 0
        for side, encoded in (("first", contrast.first), ("second", contrast.second)):
            padded = pad(encoded, rows, self.padding)
            tensors |= {f"{side} {name}": value for name, value in padded.items()}
            tokens += int(encoded.lengths[rows].sum())
        return Piece(1, tensors, 0, tokens, 1, contrast.weight * predictions / count)

    def loss(self, piece: Piece) -> torch.Tensor:
        """Return the summed cross-entropy of the hidden tokens, or the weighted one of the pairs."""
        if piece.source == 0:
            return masked_loss(self.model, piece)
        assert self.contrast is not None
        first, second = (
            self.model.sentences(
                {n.removeprefix(side): each for n, each in piece.tensors.items() if n.startswith(side)},
                self.contrast.pooling,
            )
            for side in ("first ", "second ")
        )
        scores = first @ second.T / self.contrast.temperature
        own = torch.arange(len(scores), device=scores.device)
        return piece.data * (_summed(scores, own) + _summed(scores.T, own)) / 2


def _summed(scores: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(scores.float(), truth, reduction="sum")


def masked_pieces(
    text: MaskedText, rows: np.ndarray, padding: int, budget: int, seeds: tuple[int, int], source: int
) -> list[Piece]:
    """Return micro-batches of masked text. What is hidden does not depend on how the batch is cut."""
    lengths, out, start = text.encoded.lengths, [], 0
    parts = micro_batches(rows, lengths, budget)
    whole = text.tensors(np.concatenate(parts), padding, np.random.default_rng([*seeds, 2]))
    for part in parts:
        cut = {name: value[start : start + len(part), : lengths[part].max()] for name, value in whole.items()}
        start += len(part)
        truth, places = cut.pop("truth"), torch.nonzero(cut.pop("hidden").flatten()).squeeze(1)
        cut |= {"places": places, "targets": truth.flatten()[places]}
        out.append(Piece(source, cut, len(places), int(lengths[part].sum()), len(part)))
    return out


def masked_loss(model: MaskedHead, piece: Piece) -> torch.Tensor:
    """Return the summed cross-entropy of the hidden tokens of a micro-batch."""
    scores = model(piece.tensors, piece.tensors["places"])
    return functional.cross_entropy(scores.float(), piece.tensors["targets"], reduction="sum")


class Supervised:
    """Labelled examples of one or several tasks, with masked language modelling mixed in if asked.

    Parameters
    ----------
    model : TaskModel
        With a head for each task.
    tasks : mapping of str to Encoded
        The examples.
    batch_size, seed, padding : int
        Examples of a step, seed of their order, id of the padding token.
    temperature : float
        See `gainlaw.training.train.sampling.shares`.
    masked : tuple of (MaskedHead, MaskedText, float), optional
        A masked language model that shares the backbone, its text, and its share of the steps.
    """

    def __init__(
        self,
        model: TaskModel,
        tasks: Mapping[str, Encoded],
        batch_size: int,
        seed: int,
        padding: int,
        *,
        temperature: float = 1.0,
        masked: tuple[MaskedHead, MaskedText, float] | None = None,
    ) -> None:
        self.names, self.tasks = list(tasks), dict(tasks)
        self.task_model, self.seed, self.padding = model, seed, padding
        self.masked = masked
        self.model: torch.nn.Module = model
        lengths = [encoded.lengths for encoded in tasks.values()]
        extra = None
        if masked is not None:
            self.model = torch.nn.ModuleDict({"tasks": model, "masked": masked[0]})
            lengths.append(masked[1].encoded.lengths)
            extra = (len(lengths) - 1, masked[2])
        self.planned = _Planned(lengths, batch_size, seed, temperature, extra)

    def steps_in_epoch(self) -> int:
        """Return the number of batches of an epoch."""
        return self.planned.steps_in_epoch()

    def pieces(self, step: int, budget: int, parts: int = 1) -> list[Piece]:
        """Return the micro-batches of a step; of labelled examples about `parts`, where the budget makes them fewer."""
        source, rows = self.planned.batch(step)
        if source == len(self.names):
            assert self.masked is not None
            seeds = (self.seed, step)
            return masked_pieces(self.masked[1], rows, self.padding, budget, seeds, source)
        encoded = self.tasks[self.names[source]]
        return [
            Piece(
                source,
                task_batch(encoded, part, self.padding),
                _weight(encoded, part),
                _size(encoded, part),
                len(part),
            )
            for part in micro_batches(rows, encoded.lengths, budget, parts)
        ]

    def loss(self, piece: Piece) -> torch.Tensor:
        """Return the summed loss of a micro-batch."""
        if piece.source == len(self.names):
            assert self.masked is not None
            return masked_loss(self.masked[0], piece)
        name, tensors = self.names[piece.source], piece.tensors
        scores = self.task_model(name, tensors)
        return loss_of(self.tasks[name].kind, scores, tensors["labels"], tensors.get("groups"))


def _weight(encoded: Encoded, rows: np.ndarray) -> int:
    if encoded.kind == "tagging":
        spans = [slice(encoded.starts[s], encoded.starts[s + 1]) for s in encoded.sequences(rows)]
        return int(sum((encoded.labels[span] != IGNORED).sum() for span in spans))
    return len(encoded.sequences(rows)) if encoded.kind == "span" else len(rows)


def _size(encoded: Encoded, rows: np.ndarray) -> int:
    return int(np.diff(encoded.starts)[encoded.sequences(rows)].sum())


def task_batch(encoded: Encoded, rows: np.ndarray, padding: int) -> dict[str, torch.Tensor]:
    """Return the tensors of some labelled examples.

    Parameters
    ----------
    encoded : Encoded
        Examples of a task.
    rows : ndarray of int
        Which.
    padding : int
        Id of the padding token.

    Returns
    -------
    dict of str to Tensor
        Those of `gainlaw.training.train.data.pad`, ``labels``, and for choices ``groups``.
    """
    sequences = encoded.sequences(rows)
    tensors: dict[str, Any] = pad(encoded, sequences, padding)
    if encoded.kind == "span":
        labels = encoded.labels[sequences]
    elif encoded.kind == "tagging":
        longest = tensors["input_ids"].shape[1]
        labels = np.full((len(sequences), longest), IGNORED, dtype=np.int64)
        for i, sequence in enumerate(sequences):
            own = encoded.labels[encoded.starts[sequence] : encoded.starts[sequence + 1]]
            labels[i, : len(own)] = own
    else:
        labels = encoded.labels[rows]
    tensors["labels"] = torch.from_numpy(np.ascontiguousarray(labels))
    if encoded.kind == "choice":
        sizes = np.diff(encoded.first)[rows]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        columns = np.arange(sizes.max())
        groups = np.where(columns < sizes[:, None], starts[:, None] + columns, -1)
        tensors["groups"] = torch.from_numpy(groups)
    return tensors
