"""Items to token ids: ragged arrays without padding, one or several sequences an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from gainlaw.training.items.items import ChoiceItem, ClassItem, Item, SpanItem, TagItem

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

__all__ = ["IGNORED", "Encoded", "encode", "encode_texts", "pad"]

#: The label of a position that is not scored.
IGNORED = -100
_STRIDE = 4
_BREAK = "\n"


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Examples as token ids.

    Attributes
    ----------
    kind : str
        Kind of the items.
    tokens, types : ndarray of int32, shape (total,)
        Token ids and segment ids of all sequences, one after the other.
    starts : ndarray of int64, shape (sequences + 1,)
        Where each sequence starts.
    first : ndarray of int64, shape (examples + 1,)
        The first sequence of each example: one of classification, one an option of a choice, one a window of a span,
        one a part of a sentence that is tagged, of which a long one has several.
    labels : ndarray of int64
        Class or right option, shape (examples,); for spans the first and last token of the answer in each
        sequence, shape (sequences, 2), both 0 where it is not there; for tags one a token, shape (total,),
        `IGNORED` where it is not scored.
    characters : ndarray of int32, shape (total, 2), or None
        For spans: where each token of the context starts and ends; -1 elsewhere. For tags, in the first column, the
        word whose first piece a token is; -1 elsewhere.
    cut : int
        Choices whose context was cut.
    """

    kind: str
    tokens: np.ndarray
    types: np.ndarray
    starts: np.ndarray
    first: np.ndarray
    labels: np.ndarray
    characters: np.ndarray | None = None
    cut: int = 0

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.first) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Return the tokens of each example, its sequences padded to the longest of them, shape (examples,)."""
        longest = (
            np.maximum.reduceat(np.diff(self.starts), self.first[:-1]) if len(self) else np.zeros(0, int)
        )
        return longest * np.diff(self.first)

    def sequences(self, rows: np.ndarray) -> np.ndarray:
        """Return the sequences of some examples, in order."""
        if len(self.first) == len(self.starts):
            return rows
        return np.concatenate([np.arange(self.first[row], self.first[row + 1]) for row in rows])


def encode(
    items: Sequence[Item],
    kind: str,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    tags: Sequence[str] = (),
) -> Encoded:
    """Encode the items of a task.

    Parameters
    ----------
    items : sequence of Item
        Of one kind.
    kind : {"classification", "choice", "span", "tagging"}
        Which.
    tokenizer : PreTrainedTokenizerBase
        A fast tokenizer.
    max_length : int
        Longest sequence. Between two texts stands what the tokenizer puts there, and a line break where it
        puts nothing. The longer text of a pair is cut first. Of a choice the context is cut, the same for all
        options; its question and the options stay, unless these alone are too long. A context that is searched for an
        answer is cut into windows that overlap by a quarter, beside a question that has half of the room at most. A
        sentence to be tagged is halved between words until its parts fit.
    tags : sequence of str
        The tags known, for tagging; a tag that is not among them is `IGNORED`.

    Returns
    -------
    Encoded
    """
    if kind == "classification":
        given = [item for item in items if isinstance(item, ClassItem)]
        rows = _call(tokenizer, [i.first for i in given], [i.second for i in given], max_length)
        labels = np.array([item.label for item in given], dtype=np.int64)
        return _pack(kind, rows, np.ones(len(given), int), labels)
    if kind == "choice":
        return _choices([item for item in items if isinstance(item, ChoiceItem)], tokenizer, max_length)
    if kind == "span":
        return _spans([item for item in items if isinstance(item, SpanItem)], tokenizer, max_length)
    return _tagged([item for item in items if isinstance(item, TagItem)], tokenizer, max_length, tags)


def encode_texts(
    texts: Sequence[tuple[str, str]], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> Encoded:
    """Encode pairs of texts without labels, for masked language modelling; an empty second text is left out."""
    rows = _call(tokenizer, [a for a, _ in texts], [b for _, b in texts], max_length)
    return _pack("text", rows, np.ones(len(texts), int), np.zeros(len(texts), np.int64))


def pad(encoded: Encoded, sequences: np.ndarray, padding: int) -> dict[str, torch.Tensor]:
    """Return some sequences as tensors padded on the right to the longest of them.

    Parameters
    ----------
    encoded : Encoded
        Examples.
    sequences : ndarray of int, shape (m,)
        Which sequences.
    padding : int
        The id of the padding token.

    Returns
    -------
    dict of str to torch.Tensor
        ``input_ids``, ``token_type_ids`` and ``attention_mask``, int64 of shape (m, longest).
    """
    import torch

    start, size = encoded.starts[sequences], np.diff(encoded.starts)[sequences]
    columns = np.arange(size.max(initial=1))
    inside = columns < size[:, None]
    at = np.where(inside, start[:, None] + columns, 0)
    ids = np.where(inside, encoded.tokens[at], padding).astype(np.int64)
    types = np.where(inside, encoded.types[at], 0).astype(np.int64)
    return {
        "input_ids": torch.from_numpy(ids),
        "token_type_ids": torch.from_numpy(types),
        "attention_mask": torch.from_numpy(inside.astype(np.int64)),
    }


def _choices(items: list[ChoiceItem], tokenizer: PreTrainedTokenizerBase, max_length: int) -> Encoded:
    sizes = np.array([len(item.options) for item in items], dtype=int)
    labels = np.array([item.label for item in items], dtype=np.int64)
    contexts = [item.context for item in items]
    rows = _pairs(items, contexts, tokenizer, None)
    first = np.concatenate([[0], np.cumsum(sizes)])
    long = [k for k, most in enumerate(_longest(rows, first)) if most > max_length]
    left = {k: items[k].context.removesuffix(items[k].question).strip() for k in long}
    again = [k for k in long if left[k]]
    while again:  # cutting moves where words become tokens, so what is left is looked at again
        some = [items[k] for k in again]
        made = _pairs(some, [contexts[k] for k in again], tokenizer, None)
        ends = np.concatenate([[0], np.cumsum(sizes[again])])
        over = {k: most - max_length for k, most in zip(again, _longest(made, ends), strict=True)}
        again = [k for k in again if over[k] > 0 and left[k]]
        tokens = (
            tokenizer([left[k] for k in again], add_special_tokens=False, verbose=False)["input_ids"]
            if again
            else []
        )
        for k, ids in zip(again, tokens, strict=True):
            room = len(ids) - over[k]
            left[k] = _cut(left[k], tokenizer, room).rstrip() if room > 0 else ""
            contexts[k] = " ".join(part for part in (left[k], items[k].question) if part)
    if long:
        made = _pairs([items[k] for k in long], [contexts[k] for k in long], tokenizer, max_length)
        places = np.concatenate([np.arange(first[k], first[k + 1]) for k in long])
        for name, values in made.items():
            for place, value in zip(places, values, strict=True):
                rows[name][place] = value
    return replace(_pack("choice", rows, sizes, labels), cut=len(long))


def _pairs(
    items: Sequence[ChoiceItem],
    contexts: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int | None,
) -> dict[str, list[list[int]]]:
    """Tokenise each option of some items beside the context of its item."""
    firsts = [context for item, context in zip(items, contexts, strict=True) for _ in item.options]
    return _call(tokenizer, firsts, [option for item in items for option in item.options], max_length)


def _longest(rows: Mapping[str, list[list[int]]], first: np.ndarray) -> list[int]:
    """Return the tokens of the longest sequence of each example."""
    lengths = np.array([len(ids) for ids in rows["input_ids"]], dtype=int)
    return np.maximum.reduceat(lengths, first[:-1]).tolist() if len(first) > 1 else []


def _call(
    tokenizer: PreTrainedTokenizerBase, firsts: list[str], seconds: list[str], max_length: int | None
) -> dict[str, list[list[int]]]:
    """Tokenise pairs; where every second text is empty, single texts. Without a length nothing is cut."""
    pair = seconds if any(seconds) else None
    asked: dict[str, Any] = {"return_token_type_ids": True, "verbose": False}
    if max_length is not None:
        asked |= {"truncation": True, "max_length": max_length}
    if not firsts:
        return {"input_ids": [], "token_type_ids": []}
    if pair is not None and not all(seconds):
        # Some have one text and some two: each kind by itself, so that no empty segment is marked.
        both, one = [i for i, b in enumerate(seconds) if b], [i for i, b in enumerate(seconds) if not b]
        found: dict[str, list[list[int]]] = {}
        for rows, part in (
            (both, _call(tokenizer, [firsts[i] for i in both], [seconds[i] for i in both], max_length)),
            (one, _call(tokenizer, [firsts[i] for i in one], [""] * len(one), max_length)),
        ):
            for name, values in part.items():
                into = found.setdefault(name, [[] for _ in firsts])
                for row, value in zip(rows, values, strict=True):
                    into[row] = value
        return found
    if pair is not None and _bare(tokenizer):
        pair = [_BREAK + text for text in pair]
    made = tokenizer(firsts, pair, **asked)
    return {name: made[name] for name in made}


def _bare(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether a tokenizer puts nothing between two texts, so that no model could tell where one ends."""
    return tokenizer.num_special_tokens_to_add(pair=True) == tokenizer.num_special_tokens_to_add(pair=False)


def _pack(kind: str, rows: dict[str, list[list[int]]], sizes: np.ndarray, labels: np.ndarray) -> Encoded:
    lengths = np.array([len(ids) for ids in rows["input_ids"]], dtype=np.int64)
    return Encoded(
        kind,
        _flat(rows["input_ids"]),
        _flat(rows["token_type_ids"]),
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        labels,
    )


def _flat(rows: list[list[int]]) -> np.ndarray:
    return np.fromiter(chain.from_iterable(rows), dtype=np.int32)


def _spans(items: list[SpanItem], tokenizer: PreTrainedTokenizerBase, max_length: int) -> Encoded:
    between = _BREAK if _bare(tokenizer) else ""
    special = tokenizer.num_special_tokens_to_add(pair=True) + bool(between)
    most = max(1, max_length // 2 - special)
    questions = _cut_texts([item.question for item in items], tokenizer, most)
    made = tokenizer(
        [text + between for text in questions],
        [item.context for item in items],
        truncation="only_second",
        max_length=max_length,
        # Of the room that the longest question leaves, windows must not share all.
        stride=min(max_length // _STRIDE, max(0, max_length - special - most) // 2),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_token_type_ids=True,
    )
    owner = np.array(made["overflow_to_sample_mapping"], dtype=int)
    characters, labels = [], []
    for window, place in enumerate(made["offset_mapping"]):
        segment = np.array([s if s is not None else -1 for s in made.sequence_ids(window)])
        spans = np.where((segment == 1)[:, None], np.array(place, dtype=np.int32).reshape(-1, 2), -1)
        characters.append(spans)
        labels.append(_answer_tokens(items[owner[window]], spans))
    packed = _pack("span", made, np.bincount(owner, minlength=len(items)), np.array(labels, dtype=np.int64))
    return Encoded(
        "span",
        packed.tokens,
        packed.types,
        packed.starts,
        packed.first,
        packed.labels,
        np.concatenate(characters),
    )


def _cut_texts(texts: list[str], tokenizer: PreTrainedTokenizerBase, most: int) -> list[str]:
    """Return texts, the long ones cut to a number of tokens."""
    sizes = [len(ids) for ids in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]]
    return [text if n <= most else _cut(text, tokenizer, most) for text, n in zip(texts, sizes, strict=True)]


def _cut(text: str, tokenizer: PreTrainedTokenizerBase, most: int) -> str:
    while True:  # what is left of a cut word may have more tokens than it had before
        made = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        if len(made["input_ids"]) <= most:
            return text
        text = text[: min(made["offset_mapping"][most - 1][1], len(text) - 1)]


def _answer_tokens(item: SpanItem, spans: np.ndarray) -> tuple[int, int]:
    """Return the first and last token of the first answer, or (0, 0) where the window does not hold all of it."""
    if not item.answers:
        return 0, 0
    start, text = item.answers[0]
    end = start + len(text)
    inside = np.flatnonzero((spans[:, 0] >= 0) & (spans[:, 1] > start) & (spans[:, 0] < end))
    if not len(inside) or spans[inside[0], 0] > start or spans[inside[-1], 1] < end:
        return 0, 0
    return int(inside[0]), int(inside[-1])


def _tagged(
    items: list[TagItem], tokenizer: PreTrainedTokenizerBase, max_length: int, tags: Sequence[str]
) -> Encoded:
    number = {tag: i for i, tag in enumerate(tags)}
    parts = _halves([(owner, 0, item.words) for owner, item in enumerate(items)], tokenizer, max_length)
    made = _tokenise_words([words for _, _, words in parts], tokenizer, max_length)
    labels: list[int] = []
    firsts: list[int] = []
    for (owner, begin, words), places in zip(parts, made["offset_mapping"], strict=True):
        starts = np.cumsum([0, *(len(word) + 1 for word in words)])
        last = -1
        for _, end in places:
            # By its last character: the first piece of a word may begin with the blank before it.
            word = int(np.searchsorted(starts, end - 1, side="right")) - 1  # -1 for a special token
            new = word > last
            labels.append(number.get(items[owner].tags[begin + word], IGNORED) if new else IGNORED)
            firsts.append(begin + word if new else -1)
            last = max(last, word)
    sizes = np.bincount([owner for owner, _, _ in parts], minlength=len(items))
    packed = _pack("tagging", made, sizes, np.array(labels, dtype=np.int64))
    return replace(packed, characters=np.array(firsts, dtype=np.int32)[:, None].repeat(2, axis=1))


def _tokenise_words(
    sentences: Sequence[Sequence[str]], tokenizer: PreTrainedTokenizerBase, max_length: int | None
) -> Any:
    # The words as one text: given one by one, a byte-level tokenizer would run them together.
    asked: dict[str, Any] = {"return_offsets_mapping": True, "return_token_type_ids": True, "verbose": False}
    if max_length is not None:
        asked |= {"truncation": True, "max_length": max_length}
    return tokenizer([" ".join(words) for words in sentences], **asked)


def _halves(
    parts: list[tuple[int, int, tuple[str, ...]]], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[tuple[int, int, tuple[str, ...]]]:
    """Return parts of sentences (whose, from which word, words) that fit, in order; a word alone is not parted."""
    while parts:
        made = _tokenise_words([words for _, _, words in parts], tokenizer, None)["input_ids"]
        long = [len(ids) > max_length and len(part[2]) > 1 for ids, part in zip(made, parts, strict=True)]
        if not any(long):
            return parts
        halved = []
        for (owner, begin, words), cut in zip(parts, long, strict=True):
            half = len(words) // 2 if cut else len(words)
            halved.append((owner, begin, words[:half]))
            if cut:
                halved.append((owner, begin + half, words[half:]))
        parts = halved
    return parts
