"""The synthetic world: no words are shared, and what decides an item is not to be had without words or the verb."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from gainlaw.training.world.corpus import (
    WORLD_TASKS,
    Corpus,
    WorldSettings,
    documents,
    make_world_and_languages,
    task_items,
)
from gainlaw.training.world.meaning import Clause, World

SEEDS = (0, 1)
TRAIN, TEST = 3000, 1500


@cache
def corpus_of(seed: int) -> Corpus:
    return make_world_and_languages(WorldSettings(seed=seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_english_shares_no_word_with_any_language_nor_families_with_each_other(seed: int) -> None:
    languages = corpus_of(seed).languages
    english = set(languages[0].words.values())
    for language in languages[1:]:
        assert not english & set(language.words.values())
        for other in languages[1:]:
            shared = language.similarity(other)
            if language.family is not other.family:
                assert not set(language.words.values()) & set(other.words.values())
            elif language is not other:
                assert 0.3 < shared < 0.8
    # Names too are words of their own.
    assert all(name in languages[0].words for name in corpus_of(seed).world.names)


@pytest.mark.parametrize("seed", SEEDS)
def test_effects_and_conditions_are_the_same_properties(seed: int) -> None:
    world = corpus_of(seed).world
    assert Counter(world.effect.values()) == Counter(world.condition.values())
    assert all(world.effect[group] != world.condition[group] for group in world.verb_groups)


@pytest.mark.parametrize(("antonyms", "verb_groups"), [(4, 4), (4, 9), (9, 4), (16, 16)])
def test_every_world_has_items_of_every_task(antonyms: int, verb_groups: int) -> None:
    corpus = make_world_and_languages(WorldSettings(antonyms=antonyms, verb_groups=verb_groups))
    for task in WORLD_TASKS:
        for item in task_items(corpus, task, "test", corpus.languages[0], 50, 0):
            if "options" in item:
                assert len(set(item["options"])) == len(item["options"])


def test_parallel_documents_say_one_thing_twice() -> None:
    settings = WorldSettings(documents=4000)
    corpus = corpus_of(0)
    concept = {word: c for language in corpus.languages for c, word in language.words.items()}

    def said(text: str) -> Counter[str]:
        return Counter(concept[word] for word in text.split() if word != ".")

    made = list(documents(corpus, settings))
    same = [each for each in made if each.parallel]
    assert len(same) / len(made) == pytest.approx(settings.parallel, abs=0.03)
    assert all(said(each.first) == said(each.second) for each in same)
    assert np.mean([said(each.first) == said(each.second) for each in made if not each.parallel]) < 0.01


def test_the_label_of_an_item_follows_from_the_world() -> None:
    world = corpus_of(0).world
    found: Counter[int] = Counter()
    from random import Random

    rng = Random("labels")
    while sum(found.values()) < 600:
        made = WORLD_TASKS["world_nli"](world, rng)
        if made is None:
            continue
        ((event,), (option,), label) = made
        asked, state = option
        assert isinstance(event, Clause)
        assert isinstance(state, Clause)
        assert label == _follows(world, event, str(asked), state)
        found[label] += 1
    assert min(found.values()) > 150


def _follows(world: World, event: Clause, asked: str, state: Clause) -> int:
    group = world.group(event.verb)
    right, turned = world.effect[group], world.condition[group]
    if asked == "BECAUSE":
        right, turned = turned, right
    return {right: 0, turned: 2}.get(state.state, 1)


# What can be had without words, and without the verb


Pair = tuple[str, str]


def _shallow(pair: Pair) -> np.ndarray:
    """Return overlap, lengths and shared tokens of two texts, as indicators, and their products with each other."""
    first, second = pair[0].split(), pair[1].split()
    a, b = set(first), set(second)
    counts = (len(a & b), len(a - b), len(b - a), len(first), len(second), len(second) - len(first) + 12)
    marks = [np.eye(24)[min(count, 23)] for count in counts]
    marks += [np.outer(marks[i], marks[j]).ravel() for i, j in ((0, 3), (0, 4), (3, 4))]
    same_place = [float(x == y) for x, y in zip(first, second, strict=False)][:8]
    return np.concatenate([*marks, np.pad(same_place, (0, 8 - len(same_place)))])


def _shared(vocabulary: dict[str, int]) -> Callable[[Pair], np.ndarray]:
    """Return which words the two texts share, beside what is shallow, in a fixed vocabulary of English."""

    def features(pair: Pair) -> np.ndarray:
        marks = np.zeros(len(vocabulary))
        for word in set(pair[0].split()) & set(pair[1].split()):
            if word in vocabulary:
                marks[vocabulary[word]] = 1.0
        return np.concatenate([_shallow(pair), marks])

    return features


def _second(vocabulary: dict[str, int]) -> Callable[[Pair], np.ndarray]:
    """Return the words of the second text, and of the first its last: the connective, but not the verb."""

    def features(pair: Pair) -> np.ndarray:
        marks = np.zeros((2, len(vocabulary)))
        marks[0, [vocabulary[word] for word in pair[1].split()]] = 1.0
        marks[1, vocabulary[pair[0].split()[-1]]] = 1.0
        return np.concatenate(
            [marks.ravel(), np.outer(marks[0], marks[1]).sum(axis=0), marks[0] * marks[1].sum()]
        )

    return features


def _pairs(item: dict) -> list[Pair]:
    if "first" in item:
        return [(item["first"], item["second"])]
    return [(item["context"], option) for option in item["options"]]


def _accuracies(corpus: Corpus, task: str, features: Callable[[Pair], np.ndarray]) -> dict[str, float]:
    """Fit a ridge regression of the label on English items, and return its accuracy in each language."""

    def read(split: str, language: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        items = task_items(corpus, task, split, corpus.languages[language], count, 0)
        tables = np.array([[features(pair) for pair in _pairs(item)] for item in items])
        return tables, np.array([item["label"] for item in items])

    tables, labels = read("train", 0, TRAIN)
    classes = tables.shape[1] if task != "world_nli" else 3
    truth = np.eye(classes)[labels] - 1 / classes
    rows = tables.reshape(-1, tables.shape[-1])
    target = truth.reshape(-1, 1) if task != "world_nli" else truth
    weights = np.linalg.solve(rows.T @ rows + np.eye(rows.shape[1]), rows.T @ target)
    found = {}
    for place, language in enumerate(corpus.languages):
        tables, labels = read("test", place, TEST)
        scores = tables @ weights
        scores = scores[:, 0, :] if task == "world_nli" else scores[..., 0]
        found[language.code] = float((scores.argmax(axis=1) == labels).mean())
    return found


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("task", WORLD_TASKS)
def test_overlap_length_and_shared_words_tell_nothing(task: str, seed: int) -> None:
    corpus = corpus_of(seed)
    vocabulary = {word: i for i, word in enumerate(corpus.languages[0].words.values())}
    found = _accuracies(corpus, task, _shared(vocabulary))
    chance = 1 / {"world_nli": 3, "world_copa": 2, "world_siqa": 3}[task]
    error = (chance * (1 - chance) / TEST) ** 0.5
    # Items are the same in every language: the mean over languages errs as much as one of them.
    assert abs(np.mean([share for code, share in found.items() if code != "en"]) - chance) < 3 * error
    assert abs(found["en"] - chance) < 3 * error  # not even in English


@pytest.mark.parametrize("task", ["world_nli", "world_copa"])
def test_the_state_and_the_connective_tell_nothing_without_the_verb(task: str) -> None:
    corpus = corpus_of(0)
    vocabulary = {word: i for i, word in enumerate((*corpus.languages[0].words.values(), "."))}
    items = task_items(corpus, task, "train", corpus.languages[0], TRAIN, 0)
    assert items
    english = Corpus(corpus.world, corpus.languages[:1])
    found = _accuracies(english, task, _second(vocabulary))
    chance = 1 / {"world_nli": 3, "world_copa": 2}[task]
    assert abs(found["en"] - chance) < 3 * (chance * (1 - chance) / TEST) ** 0.5


def test_a_linear_model_finds_a_shortcut_where_there_is_one() -> None:
    """The probe is not blind: a world whose distractors come with a word of their own is found out."""
    corpus = corpus_of(0)
    vocabulary = {word: i for i, word in enumerate(corpus.languages[0].words.values())}
    features = _shared(vocabulary)

    def leaky(pair: Pair) -> np.ndarray:
        # Of the right option the state is said in the context too, which is what overlap sees.
        world, english = corpus.world, corpus.languages[0]
        verb = next(
            (g for g in world.concepts if g.startswith("v") and english.words[g] in pair[0].split()), None
        )
        told = "" if verb is None else english.words[world.effect[world.group(verb)]]
        return features((f"{pair[0]} {told}", pair[1]))

    assert _accuracies(Corpus(corpus.world, corpus.languages[:1]), "world_copa", leaky)["en"] > 0.6
