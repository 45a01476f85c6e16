"""From items to batches: nothing is lost, nothing is moved, and how a batch is cut does not change what is learnt."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiny_training import TOKENIZERS, config_of, repeatable, wordpiece

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from gainlaw.errors import InputError
from gainlaw.training.experiment.recipes import DEFAULTS
from gainlaw.training.items.items import ChoiceItem, ClassItem, SpanItem, TagItem
from gainlaw.training.jobs.evaluate import predict, span_text
from gainlaw.training.train.backbones import make_model
from gainlaw.training.train.batches import epoch_batches, micro_batches, sorted_batches
from gainlaw.training.train.data import IGNORED, Encoded, encode, encode_texts, pad
from gainlaw.training.train.heads import HeadShape, MaskedHead, TaskModel, loss_of, pool, require_positions
from gainlaw.training.train.loop import train
from gainlaw.training.train.masking import mask_tokens
from gainlaw.training.train.objectives import Masked, MaskedText, Supervised, task_batch
from gainlaw.training.train.sampling import epoch_plan, shares

EVERY_TOKENIZER = pytest.mark.parametrize(
    "tokenizer", [make() for make in TOKENIZERS.values()], ids=TOKENIZERS
)

WORDS = [
    *("it", "rains", "on", "the", "old", "bridge", "of", "1912", "and"),
    *("road", "is", "wet", "sun", "warm", "dry", "unbelievable", "bridges", "crossing"),
    *("water", "why", "where", "what", "happened", "as", "result", "was", "cause"),
    *("ada", "lent", "bo", "coat", "regnet", "straße", "nass", "brücke"),
]


def sentence(rng: np.random.Generator, least: int, most: int) -> str:
    return " ".join(rng.choice(WORDS, rng.integers(least, most + 1)))


def pieces(encoded: Encoded, values: np.ndarray | None = None) -> list[list[int]]:
    """Return the tokens (or other values) of each sequence."""
    flat = encoded.tokens if values is None else values
    return [flat[a:b].tolist() for a, b in zip(encoded.starts, encoded.starts[1:], strict=False)]


def alone(tokenizer: Any, first: str, second: str, longest: int) -> tuple[list[int], list[int]]:
    """Return token and segment ids of one pair, tokenised by itself."""
    bare = tokenizer.num_special_tokens_to_add(pair=True) == 0
    pair = (("\n" if bare else "") + second) if second else None
    made = tokenizer(first, pair, truncation=True, max_length=longest, return_token_type_ids=True)
    return made["input_ids"], made["token_type_ids"]


# Items to tokens


@EVERY_TOKENIZER
@pytest.mark.parametrize("longest", [64, 14])
def test_pairs_are_encoded_as_the_tokenizer_does_one_by_one(tokenizer: Any, longest: int) -> None:
    rng = np.random.default_rng(0)
    items = [
        ClassItem(str(i), sentence(rng, 1, 9), sentence(rng, 1, 9) if i % 3 else "", i % 4) for i in range(20)
    ]
    for chosen in (items, items[::3], [item for item in items if item.second], items[:1]):
        encoded = encode(chosen, "classification", tokenizer, longest)
        expected = [alone(tokenizer, item.first, item.second, longest) for item in chosen]
        assert pieces(encoded) == [tokens for tokens, _ in expected]
        assert pieces(encoded, encoded.types) == [types for _, types in expected]
        assert encoded.labels.tolist() == [item.label for item in chosen]
        assert len(encoded) == len(chosen)
        assert encoded.lengths.tolist() == [len(tokens) for tokens, _ in expected]
        assert max(encoded.lengths) <= longest
    assert len(encode([], "classification", tokenizer, longest)) == 0


@EVERY_TOKENIZER
def test_options_are_encoded_one_sequence_each(tokenizer: Any) -> None:
    rng = np.random.default_rng(1)
    items = [
        ChoiceItem(str(i), sentence(rng, 3, 6), tuple(sentence(rng, 1, 5) for _ in range(2 + i % 4)), i % 2)
        for i in range(12)
    ]
    encoded = encode(items, "choice", tokenizer, 80)
    expected = [[alone(tokenizer, i.context, option, 80)[0] for option in i.options] for i in items]
    found = pieces(encoded)
    for row, options in enumerate(expected):
        assert found[encoded.first[row] : encoded.first[row + 1]] == options
    assert encoded.lengths.tolist() == [max(map(len, each)) * len(each) for each in expected]
    assert encoded.labels.tolist() == [item.label for item in items]
    rows = np.array([7, 0, 3])
    assert [found[s] for s in encoded.sequences(rows)] == [t for row in rows for t in expected[row]]


def letters(text: str) -> str:
    """Return what every tokenizer here keeps of a text."""
    return re.sub(r"[\s#▁]", "", text.casefold().replace("ü", "u").replace("ß", "ss"))


@EVERY_TOKENIZER
def test_a_context_is_cut_and_question_and_options_stay(tokenizer: Any) -> None:
    """Of a context that is too long the beginning is kept, the same for all options, and as much as fits."""
    rng = np.random.default_rng(2)
    items = []
    for i in range(12):
        context, question = sentence(rng, 2, 60), f"Why is it {WORDS[i]}?"
        options = tuple(sentence(rng, 1, 5) for _ in range(3))
        items.append(ChoiceItem(str(i), f"{context} {question}", options, 0, question))
    whole, cut = (encode(items, "choice", tokenizer, n) for n in (1000, 60))
    texts = pieces(whole)
    long = [any(len(texts[s]) > 60 for s in whole.sequences(np.array([k]))) for k in range(12)]
    assert cut.cut == sum(long) > 3
    assert whole.cut == 0 < len(long) - sum(long)
    found = pieces(cut)
    for k, item in enumerate(items):
        mine = [found[s] for s in cut.sequences(np.array([k]))]
        if not long[k]:
            assert mine == [texts[s] for s in whole.sequences(np.array([k]))]
            continue
        assert 52 <= max(map(len, mine)) <= 60
        shown = [letters(tokenizer.decode(ids, skip_special_tokens=True)) for ids in mine]
        ends = [letters(item.question + option) for option in item.options]
        assert all(text.endswith(end) for text, end in zip(shown, ends, strict=True))
        (kept,) = {text.removesuffix(end) for text, end in zip(shown, ends, strict=True)}
        assert letters(item.context).startswith(kept)
    # Where question and options alone are too long, they are cut too, and the context is gone.
    hard = ChoiceItem("h", f"it rains {' '.join(WORDS * 3)}?", ("a", "b"), 0, f"{' '.join(WORDS * 3)}?")
    assert [len(ids) for ids in pieces(encode([hard], "choice", tokenizer, 24))] == [24, 24]


@EVERY_TOKENIZER
def test_two_texts_can_be_told_apart(tokenizer: Any) -> None:
    """Also where the tokenizer itself puts nothing between them."""
    cuts = [ClassItem("1", "the sun is", "warm", 0), ClassItem("2", "the sun", "is warm", 0)]
    one, two = pieces(encode(cuts, "classification", tokenizer, 64))
    assert one != two
    (one,) = pieces(encode([ClassItem("1", "the sun", " is warm", 0)], "classification", tokenizer, 64))
    assert one != tokenizer("the sun is warm")["input_ids"]


@EVERY_TOKENIZER
def test_the_longer_text_is_cut_first(tokenizer: Any) -> None:
    short, long = "it rains", " ".join(WORDS)
    whole = tokenizer(short, add_special_tokens=False)["input_ids"]
    for first, second in ((short, long), (long, short)):
        (found,) = pieces(encode([ClassItem("1", first, second, 0)], "classification", tokenizer, 24))
        assert len(found) == 24
        assert any(found[at : at + len(whole)] == whole for at in range(24)), tokenizer.convert_ids_to_tokens(
            found
        )


def test_texts_are_padded_on_the_right() -> None:
    encoded = encode_texts([("it rains", ""), ("the sun is warm", "and the road")], wordpiece(), 64)
    batch = pad(encoded, np.array([1, 0]), 0)
    long, short = np.diff(encoded.starts)[[1, 0]]
    assert batch["input_ids"].shape == (2, long)
    assert batch["attention_mask"].sum(dim=1).tolist() == [long, short]
    assert batch["input_ids"][0].tolist() == pieces(encoded)[1]
    assert batch["input_ids"][1].tolist() == pieces(encoded)[0] + [0] * (long - short)
    assert batch["token_type_ids"][1].tolist() == [0] * long
    assert batch["token_type_ids"][0].tolist() == pieces(encoded, encoded.types)[1]
    assert set(batch["token_type_ids"][0].tolist()) == {0, 1}


# Spans


class Oracle:
    """Stands in for a model: gives the labels as scores, or others."""

    training = True

    def __init__(self, outputs: int, wrong: bool = False) -> None:
        self.outputs, self.wrong = outputs, wrong

    def eval(self) -> None:
        self.training = False

    def train(self, mode: bool) -> None:
        self.training = mode

    def __call__(self, task: str, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        labels, (n, length) = batch["labels"], batch["input_ids"].shape
        if task == "span":
            scores = torch.zeros(n, length, 2)
            for side in (0, 1):
                scores[torch.arange(n), labels[:, side], side] = 9.0
            return -scores if self.wrong else scores
        if task == "choice":
            scores = torch.zeros(n)
            for row, groups in enumerate(batch["groups"]):
                scores[groups[labels[row]]] = 9.0
            return -scores if self.wrong else scores
        one = torch.nn.functional.one_hot((labels + self.wrong).clamp(min=0) % self.outputs, self.outputs)
        return one.float() + 0.25


def answers_of(items: list[Any], kind: str, encoded: Encoded, outputs: int = 1, wrong: bool = False) -> Any:
    model: Any = Oracle(outputs, wrong)
    outcome = predict(model, kind, encoded, 0, 60, "cpu", "fp32")
    assert model.training
    return outcome


@EVERY_TOKENIZER
@settings(max_examples=40)
@given(data=st.data())
def test_windows_hold_the_answer_wherever_it_is(tokenizer: Any, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    longest = data.draw(st.sampled_from([16, 24, 32, 48, 200]))
    items = []
    for i in range(4):
        words = [*rng.choice(WORDS, rng.integers(1, 60))]
        a = int(rng.integers(len(words)))
        b = int(min(len(words), a + rng.integers(1, 4)))
        start = len(" ".join(words[:a])) + (a > 0)
        answers = ((start, " ".join(words[a:b])),) if i else ()
        items.append(SpanItem(str(i), sentence(rng, 1, 12), " ".join(words), answers))
    encoded = encode(items, "span", tokenizer, longest)
    assert encoded.characters is not None
    assert np.diff(encoded.starts).max() <= longest
    whole = []
    for row, item in enumerate(items):
        covered, holds = np.zeros(len(item.context), bool), []
        for s in range(encoded.first[row], encoded.first[row + 1]):
            for a, b in encoded.characters[encoded.starts[s] : encoded.starts[s + 1]]:
                covered[max(a, 0) : max(b, 0)] = True
            first, last = encoded.labels[s]
            if first or last:
                assert span_text(item, encoded, (s, first, last)).strip() == item.answers[0][1]
                holds.append(s)
        assert all(covered[i] for i, c in enumerate(item.context) if c != " ")
        whole.append(bool(holds))
        if item.answers:
            overlap = min(longest // 4, (longest - tokenizer.num_special_tokens_to_add(pair=True) - 1) // 4)
            size = len(tokenizer(" " + item.answers[0][1], add_special_tokens=False)["input_ids"])
            assert holds or size > overlap, "an answer that the overlap can hold is whole in some window"
    # A model that gives the labels as scores finds the texts; windows without an answer do not outvote it.
    outcome = answers_of(items, "span", encoded)
    assert outcome.right.tolist() == [1.0] * 4
    for item, span, held in zip(items, outcome.spans, whole, strict=True):
        assert span_text(item, encoded, span).strip() == (item.answers[0][1] if held else "")
    assert not answers_of(items, "span", encoded, wrong=True).right[[i for i in range(4) if whole[i]]].any()


@EVERY_TOKENIZER
@pytest.mark.parametrize("longest", [8, 12, 32, 64])
def test_a_question_without_end_leaves_room_for_the_context(tokenizer: Any, longest: int) -> None:
    question, context = "why is it wet " * 40, "the sun is warm and " * 6 + "it rains"
    items = [
        SpanItem("1", question, context, ((context.index("rains"), "rains"),)),
        SpanItem("2", "why", context, ((0, "the"),)),
        SpanItem("3", "   " + "ß" * 100, context, ()),
    ]
    encoded = encode(items, "span", tokenizer, longest)
    assert np.diff(encoded.starts).max() <= longest
    assert encoded.characters is not None
    read = [
        (encoded.characters[a:b, 0] >= 0).sum()
        for a, b in zip(encoded.starts, encoded.starts[1:], strict=False)
    ]
    if longest >= 32:
        assert min(read[encoded.first[0] : encoded.first[1] - 1]) >= longest // 2
        answer = [s for s in range(encoded.first[0], encoded.first[1]) if encoded.labels[s].any()]
        assert span_text(items[0], encoded, (answer[0], *encoded.labels[answer[0]])).strip() == "rains"
        assert answers_of(items, "span", encoded).right.tolist() == [1.0, 1.0, 1.0]


def test_several_answers_and_pieces_of_words() -> None:
    item = SpanItem("1", "which", "the unbelievable bridge", ((6, "believable"), (4, "unbelievable")))
    encoded = encode([item], "span", wordpiece(), 64)
    first, last = encoded.labels[0]
    assert (
        span_text(item, encoded, (0, first, last)) == "believable"
    )  # the word has pieces, and the first is apart
    assert span_text(item, encoded, (-1, -1, -1)) == ""
    item = replace(item, answers=((4, "unb"),))
    encoded = encode([item], "span", wordpiece(), 64)
    assert span_text(item, encoded, (0, *encoded.labels[0])) == "unb"


# Tags


@EVERY_TOKENIZER
def test_the_first_piece_of_each_word_has_its_tag(tokenizer: Any) -> None:
    rng = np.random.default_rng(3)
    tags = ("A", "B", "C")
    items = []
    for i in range(15):
        words = tuple(rng.choice([*WORDS, ".", "Straße", "?"], rng.integers(1, 12)))
        items.append(TagItem(str(i), words, tuple(rng.choice([*tags, "never seen"], len(words)))))
    encoded = encode(items, "tagging", tokenizer, 200, tags)
    for row, item in enumerate(items):
        text = " ".join(item.words)
        assert pieces(encoded)[row] == tokenizer(text)["input_ids"]
        found = np.array(pieces(encoded, encoded.labels)[row])
        known = [(i, tags.index(tag)) for i, tag in enumerate(item.tags) if tag in tags]
        assert found[found != IGNORED].tolist() == [number for _, number in known]
        places = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
        starts = np.cumsum([0, *(len(word) + 1 for word in item.words)])
        for at, (word, _) in zip(np.flatnonzero(found != IGNORED), known, strict=True):
            # Nothing of the word comes before this piece.
            assert places[at][0] <= starts[word] < places[at][1]
            earlier = [end for start, end in places[:at] if end > start]
            assert max(earlier, default=0) <= starts[word]
    outcome = answers_of(items, "tagging", encoded, 3)
    some = [any(tag in tags for tag in item.tags) for item in items]
    assert outcome.right.tolist() == [float(each) for each in some]
    assert not answers_of(items, "tagging", encoded, 3, wrong=True).right.any()


@EVERY_TOKENIZER
def test_a_long_sentence_is_tagged_in_parts(tokenizer: Any) -> None:
    long = TagItem("1", tuple(WORDS), tuple("AB"[i % 2] for i in range(len(WORDS))))
    items = [long, TagItem("2", ("rain", "wet"), ("B", "A"))]
    encoded = encode(items, "tagging", tokenizer, 20, ("A", "B"))
    assert np.diff(encoded.starts).max() <= 20
    assert np.diff(encoded.first).tolist()[1] == 1 < np.diff(encoded.first)[0]
    found = encoded.labels[encoded.labels != IGNORED].tolist()
    assert found == [i % 2 for i in range(len(WORDS))] + [1, 0]
    assert encoded.characters is not None
    firsts = encoded.characters[:, 0]
    assert firsts[firsts >= 0].tolist() == [*range(len(WORDS)), 0, 1]
    outcome = answers_of(items, "tagging", encoded, 2)
    assert outcome.words is not None
    assert [dict(sorted(each.items())) for each in outcome.words] == [
        {i: i % 2 for i in range(len(WORDS))},
        {0: 1, 1: 0},
    ]
    alone = encode([TagItem("3", ("." * 60,), ("A",))], "tagging", tokenizer, 20, ("A",))
    assert len(alone.starts) == 2
    assert len(alone.tokens) <= 20


def test_words_are_tagged_as_word_by_word_tokenising_does() -> None:
    """For WordPiece, which knows no blanks, the tokenizer's own account of words is the reference."""
    words = ("Unbelievable", "bridges", "rain", ".", "Brücke")
    tokenizer = wordpiece()
    encoded = encode([TagItem("1", words, ("A", "B", "A", "B", "A"))], "tagging", tokenizer, 64, ("A", "B"))
    made = tokenizer(list(words), is_split_into_words=True)
    owners = made.word_ids(0)
    expected = [
        IGNORED if word is None or word in owners[:at] else word % 2 for at, word in enumerate(owners)
    ]
    assert encoded.tokens.tolist() == made["input_ids"]
    assert encoded.labels.tolist() == expected


# Predictions


def test_answers_come_in_the_order_of_the_items() -> None:
    rng = np.random.default_rng(5)
    classes = [ClassItem(str(i), sentence(rng, 1, 25), "", int(rng.integers(3))) for i in range(30)]
    choices = [
        ChoiceItem(str(i), sentence(rng, 1, 9), tuple(sentence(rng, 1, 4) for _ in range(2 + i % 3)), i % 2)
        for i in range(30)
    ]
    for items, kind in ((classes, "classification"), (choices, "choice")):
        encoded = encode(items, kind, wordpiece(), 64)
        outcome = answers_of(items, kind, encoded, 3)
        assert outcome.answers.tolist() == [item.label for item in items]
        assert outcome.right.all()
        assert [int(each.argmax()) for each in outcome.logits] == [item.label for item in items]
        assert not answers_of(items, kind, encoded, 3, wrong=True).right.any()
    assert [len(each) for each in outcome.logits] == [len(item.options) for item in choices]
    assert all(np.isfinite(each).all() for each in outcome.logits)


def test_scoring_goes_on_in_halves_when_memory_runs_out() -> None:
    class Tight(Oracle):
        calls = 0

        def __call__(self, task: str, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            self.calls += 1
            if batch["input_ids"].numel() > self.outputs:
                raise torch.OutOfMemoryError("too much")
            return super().__call__("span", batch)

    rng = np.random.default_rng(6)
    items = [SpanItem(str(i), "why", sentence(rng, 5, 20), ()) for i in range(12)]
    encoded = encode(items, "span", wordpiece(), 200)
    tight: Any = Tight(encoded.lengths.max())
    assert predict(tight, "span", encoded, 0, 10**6, "cpu", "fp32").right.tolist() == [1.0] * 12
    assert tight.calls > 12
    smaller: Any = Tight(encoded.lengths.min())
    with pytest.raises(Exception, match="one example does not fit into memory; try a smaller max_length"):
        predict(smaller, "span", encoded, 0, 10**6, "cpu", "fp32")


# Batches

LENGTHS = st.lists(st.integers(1, 90), min_size=1, max_size=300).map(np.array)


@given(LENGTHS, st.integers(1, 40), st.integers(0, 5), st.integers(0, 5))
def test_every_example_comes_once_an_epoch(lengths: np.ndarray, size: int, seed: int, epoch: int) -> None:
    batches = epoch_batches(lengths, size, seed, epoch)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    sizes = sorted(map(len, batches), reverse=True)
    assert sizes[:-1] == [size] * (len(sizes) - 1)
    assert 1 <= sizes[-1] <= size
    again = epoch_batches(lengths, size, seed, epoch)
    assert all((a == b).all() for a, b in zip(batches, again, strict=True))


def test_epochs_and_seeds_differ_and_batches_are_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(5, 100, 4000)
    seen = {tuple(np.concatenate(epoch_batches(lengths, 8, s, e))) for s in (0, 1) for e in (0, 1, 2)}
    assert len(seen) == 6
    batches = epoch_batches(lengths, 8, 0, 0)
    padded = sum(lengths[rows].max() * len(rows) for rows in batches)
    shuffled = np.random.default_rng(1).permutation(4000).reshape(-1, 8)
    assert padded < 1.05 * lengths.sum() < 1.4 * lengths.sum() < lengths[shuffled].max(axis=1).sum() * 8
    # Short and long ones come mixed: the order says nothing about the length.
    means = [lengths[rows].mean() for rows in batches]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 4 / math.sqrt(len(means))


@given(LENGTHS, st.integers(1, 300), st.data())
def test_micro_batches_hold_the_budget(lengths: np.ndarray, tokens: int, data: st.DataObject) -> None:
    rows = np.array(data.draw(st.lists(st.sampled_from(range(len(lengths))), min_size=1, unique=True)))
    parts = micro_batches(rows, lengths, tokens)
    assert sorted(np.concatenate(parts)) == sorted(rows)
    for part in parts:
        assert len(part) == 1 or len(part) * lengths[part].max() <= tokens
    # Whatever the budget, they are cuts of one order.
    assert np.concatenate(parts).tolist() == micro_batches(rows, lengths, 10**9)[0].tolist()
    assert [p.tolist() for p in sorted_batches(lengths, tokens)] == [
        p.tolist() for p in micro_batches(np.arange(len(lengths)), lengths, tokens)
    ]


def test_shares_are_powers_of_the_sizes() -> None:
    sizes = [400_000, 10_000, 500]
    for temperature in (1.0, 2.0, 5.0):
        expected = np.array([n ** (1 / temperature) for n in sizes])
        np.testing.assert_allclose(shares(sizes, temperature), expected / expected.sum(), rtol=1e-12)
    np.testing.assert_allclose(shares(sizes, 1e9), 1 / 3, atol=1e-6)


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=4),
    st.integers(1, 20),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([None, 0.1, 0.5]),
)
def test_an_epoch_over_tasks_has_every_example_once(
    sizes: list[int], batch_size: int, seed: int, epoch: int, share: float | None
) -> None:
    lengths = [np.arange(n) + 3 for n in sizes]
    extra = None
    if share is not None:
        lengths.append(np.full(30, 9))
        extra = (len(sizes), share)
    plan = epoch_plan(lengths, batch_size, 1.0, seed, epoch, extra)
    for source, size in enumerate(sizes):
        assert sorted(i for s, rows in plan if s == source for i in rows) == list(range(size))
    tasks = sum(-(-n // batch_size) for n in sizes)
    if share is not None:
        assert len(plan) - tasks == round(tasks * share / (1 - share))
    again = epoch_plan(lengths, batch_size, 1.0, seed, epoch, extra)
    assert [(s, rows.tolist()) for s, rows in plan] == [(s, rows.tolist()) for s, rows in again]


@pytest.mark.parametrize("temperature", [2.0, 5.0])
def test_temperature_gives_each_task_its_share_and_leaves_no_example_out(temperature: float) -> None:
    sizes, epochs = [3000, 300, 30], 12
    lengths = [np.full(n, 7) for n in sizes]
    counts: list[Counter[int]] = [Counter() for _ in sizes]
    batches: Counter[int] = Counter()
    for epoch in range(epochs):
        for source, rows in epoch_plan(lengths, 10, temperature, 0, epoch):
            batches[source] += 1
            counts[source].update(rows.tolist())
    assert batches.total() == pytest.approx(epochs * 333, abs=2 * epochs)
    part = np.array([batches[i] for i in range(3)]) / batches.total()
    np.testing.assert_allclose(part, shares(sizes, temperature), atol=0.003)
    for size, seen in zip(sizes, counts, strict=True):
        times = [seen[i] for i in range(size)]
        assert max(times) - min(times) <= 1


# What is hidden


def test_tokens_are_hidden_at_the_rates_of_bert() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(10, 1000, (400, 500))
    usable = rng.random(ids.shape) < 0.8
    seen, places = mask_tokens(ids, usable, 0.15, 4, 1000, np.random.default_rng(1))
    chosen = np.zeros(ids.size, bool)
    chosen[places] = True
    assert usable.ravel()[places].all()
    assert (seen.ravel()[~chosen] == ids.ravel()[~chosen]).all()

    def near(count: int, of: int, rate: float) -> bool:
        return abs(count - of * rate) < 5 * math.sqrt(of * rate * (1 - rate))

    assert near(len(places), int(usable.sum()), 0.15)
    now, before = seen.ravel()[places], ids.ravel()[places]
    assert near(int((now == 4).sum()), len(places), 0.8 + 0.1 / 1000)
    assert near(int((now == before).sum()), len(places), 0.1 + 0.1 / 1000)
    other = now[(now != 4) & (now != before)]
    assert abs(other.mean() - 500) < 5 * 289 / math.sqrt(len(other))  # uniform over the vocabulary


def test_something_is_hidden_wherever_something_can_be() -> None:
    ids = np.full((1, 6), 9)
    for seed in range(20):
        usable = np.array([[False, True, True, False, False, False]])
        _, places = mask_tokens(ids, usable, 1e-9, 4, 20, np.random.default_rng(seed))
        assert places.tolist() in ([1], [2])
    _, places = mask_tokens(ids, np.zeros((1, 6), bool), 0.9, 4, 20, np.random.default_rng(0))
    assert places.tolist() == []


# Heads and losses


def test_pooling_takes_the_state_it_says_and_does_not_see_padding() -> None:
    rng = torch.Generator().manual_seed(0)
    hidden = torch.randn(3, 5, 4, generator=rng)
    sizes = [5, 1, 3]
    mask = torch.tensor([[1] * n + [0] * (5 - n) for n in sizes])
    for row, n in enumerate(sizes):
        torch.testing.assert_close(pool(hidden, mask, "first")[row], hidden[row, 0])
        torch.testing.assert_close(pool(hidden, mask, "last")[row], hidden[row, n - 1])
        torch.testing.assert_close(pool(hidden, mask, "mean")[row], hidden[row, :n].mean(dim=0))
    other = torch.cat(
        [hidden.where(mask.bool().unsqueeze(-1), torch.tensor(99.0)), torch.ones(3, 2, 4)], dim=1
    )
    wider = torch.cat([mask, torch.zeros(3, 2, dtype=torch.long)], dim=1)
    for how in ("first", "last", "mean"):
        torch.testing.assert_close(pool(other, wider, how), pool(hidden, mask, how))


def log_softmax(values: list[float]) -> list[float]:
    top = max(values)
    total = top + math.log(sum(math.exp(v - top) for v in values))
    return [v - total for v in values]


def test_choice_losses_with_differing_numbers_of_options() -> None:
    rng = np.random.default_rng(7)
    items = [
        ChoiceItem(str(i), "why", tuple(sentence(rng, 1, 6) for _ in range(n)), int(rng.integers(n)))
        for i, n in enumerate([2, 5, 3, 2, 4])
    ]
    encoded = encode(items, "choice", wordpiece(), 64)
    rows = np.array([3, 1, 0, 4])
    batch = task_batch(encoded, rows, 0)
    scores = torch.from_numpy(rng.normal(size=len(encoded.sequences(rows))))
    expected, at = 0.0, 0
    for row in rows:
        size = len(items[row].options)
        expected -= log_softmax(scores[at : at + size].tolist())[items[row].label]
        at += size
    assert float(loss_of("choice", scores, batch["labels"], batch["groups"])) == pytest.approx(
        expected, rel=1e-6
    )
    assert batch["input_ids"].shape[0] == 2 + 5 + 2 + 4


def test_other_losses_are_what_they_are_called() -> None:
    rng = np.random.default_rng(8)
    scores, labels = rng.normal(size=(4, 3)), [0, 2, 1, 1]
    expected = -sum(log_softmax(list(row))[y] for row, y in zip(scores, labels, strict=True))
    assert float(loss_of("classification", torch.from_numpy(scores), torch.tensor(labels))) == pytest.approx(
        expected
    )
    spans, places = rng.normal(size=(2, 6, 2)), [(1, 4), (0, 0)]
    expected = (
        -sum(log_softmax(list(spans[i, :, side]))[places[i][side]] for i in (0, 1) for side in (0, 1)) / 2
    )
    assert float(loss_of("span", torch.from_numpy(spans), torch.tensor(places))) == pytest.approx(expected)
    words, tags = rng.normal(size=(2, 3, 4)), [[1, IGNORED, 3], [IGNORED, 0, IGNORED]]
    expected = -sum(
        log_softmax(list(words[i, j]))[tags[i][j]] for i in (0, 1) for j in range(3) if tags[i][j] != IGNORED
    )
    assert float(loss_of("tagging", torch.from_numpy(words), torch.tensor(tags))) == pytest.approx(expected)


@pytest.mark.parametrize(("name", "limit"), [("bert", 128), ("xlmr", 128), ("mt5", None), ("bloom", None)])
def test_inputs_longer_than_the_positions_are_refused(name: str, limit: int | None) -> None:
    tokenizer = TOKENIZERS["unigram" if name == "xlmr" else "wordpiece"]()
    model = make_model(config_of(name, tokenizer), "encoder", 0)
    text = "it rains " * 80
    long = encode([ClassItem("1", text, "", 0)], "classification", tokenizer, 129)
    if limit is None:
        require_positions(model, [long])
        return
    with pytest.raises(
        InputError, match=rf"129 tokens where the model reads {limit} at most; try max_length = {limit}"
    ):
        require_positions(model, [long])
    fits = encode([ClassItem("1", text, "", 0)], "classification", tokenizer, limit)
    require_positions(model, [fits])
    with torch.no_grad():  # and the limit is the true one
        TaskModel(model, {"t": HeadShape("classification", 2)}, 0)("t", task_batch(fits, np.array([0]), 0))
        with pytest.raises((IndexError, RuntimeError)):
            TaskModel(model, {"t": HeadShape("classification", 2)}, 0)(
                "t", task_batch(long, np.array([0]), 0)
            )


# A step does not depend on how its batch is cut


def examples_of(kind: str, count: int) -> list[Any]:
    rng = np.random.default_rng(9)
    if kind == "classification":
        return [ClassItem(str(i), sentence(rng, 1, 20), sentence(rng, 1, 9), i % 3) for i in range(count)]
    if kind == "choice":
        return [
            ChoiceItem(
                str(i), sentence(rng, 1, 9), tuple(sentence(rng, 1, 6) for _ in range(2 + i % 4)), i % 2
            )
            for i in range(count)
        ]
    if kind == "span":
        contexts = [sentence(rng, 3, 60) for _ in range(count)]
        return [
            SpanItem(str(i), "why is it", c, ((0, c.split()[0]),) if i % 3 else ())
            for i, c in enumerate(contexts)
        ]
    words = [tuple(sentence(rng, 1, 20).split()) for _ in range(count)]
    return [TagItem(str(i), w, tuple("AB"[len(x) % 2] for x in w)) for i, w in enumerate(words)]


def objective_of(kind: str) -> Any:
    """Return 24 examples of a kind before a small model in double precision, without dropout."""
    tokenizer = wordpiece()
    config = config_of("bert", tokenizer, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    if kind == "masked":
        text = encode_texts([(i.first, i.second) for i in examples_of("classification", 24)], tokenizer, 32)
        special = np.array(sorted(tokenizer.all_special_ids))
        corpus = MaskedText(text, special, tokenizer.mask_token_id, len(tokenizer), 0.15)
        return Masked(
            MaskedHead(make_model(config, "masked", 0).double()), corpus, 12, 0, tokenizer.pad_token_id
        )
    encoded = encode(examples_of(kind, 24), kind, tokenizer, 32, ("A", "B"))
    outputs = {"classification": 3, "choice": 1, "span": 2, "tagging": 2}[kind]
    model = TaskModel(make_model(config, "encoder", 0), {"t": HeadShape(kind, outputs)}, 0).double()
    return Supervised(model, {"t": encoded}, 12, 0, tokenizer.pad_token_id)


@pytest.mark.parametrize("kind", ["classification", "choice", "span", "tagging", "masked"])
def test_steps_do_not_depend_on_the_micro_batches(kind: str, tmp_path: Path) -> None:
    """Weights are in double precision; what is left is the rounding of the losses, which are summed in single."""
    recipe = replace(
        DEFAULTS["finetune"], learning_rate=1e-3, epochs=None, steps=4, batch_size=12, warmup=0.0
    )
    found, cuts = [], []
    for budget in (10**6, 400 if kind in {"choice", "span"} else 150, 1):
        objective = objective_of(kind)
        cuts.append(len(objective.pieces(0, budget)))
        (tmp_path / str(budget)).mkdir()
        with repeatable():
            result = train(
                objective, replace(recipe, micro_batch_tokens=budget), seed=0, folder=tmp_path / str(budget)
            )
        found.append((result, dict(objective.model.named_parameters())))
    assert (cuts[0], cuts[2]) == (1, 12)
    assert 1 < cuts[1] < 12
    start = dict(objective_of(kind).model.named_parameters())
    (whole, weights), *others = found
    for result, parameters in others:
        assert result.loss == pytest.approx(whole.loss, rel=1e-6)
        assert result.tokens == whole.tokens
        for name, value in parameters.items():
            moved = float((weights[name] - start[name]).detach().abs().max())
            apart = float((weights[name] - value).detach().abs().max())
            # Adam divides by the size of the gradient: where that is 0 but for rounding, so is its move.
            assert apart <= 1e-3 * moved + 1e-8, name


def test_what_is_hidden_does_not_depend_on_the_micro_batches() -> None:
    objective = objective_of("masked")
    for step in range(2):
        (whole,) = objective.pieces(step, 10**6)
        hidden = whole.tensors["targets"].tolist()
        for budget in (1, 60, 200):
            parts = objective.pieces(step, budget)
            assert [t for part in parts for t in part.tensors["targets"].tolist()] == hidden
            assert sum(part.weight for part in parts) == whole.weight == len(hidden)
            assert sum(part.examples for part in parts) == whole.examples == 12
            assert sum(part.tokens for part in parts) == whole.tokens
            for part in parts:
                assert part.tensors["input_ids"].shape == part.tensors["attention_mask"].shape
                assert set(part.tensors) == {*whole.tensors}
    first, second = (objective.pieces(step, 10**6)[0].tensors["targets"].tolist() for step in (0, 1))
    assert first != second
