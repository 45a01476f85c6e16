"""What is written in the world: a multilingual corpus, and tasks that are the same items in every language."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from gainlaw.training.world.languages import Language, make_languages
from gainlaw.training.world.meaning import Clause, World, make_world

__all__ = [
    "WORLD_TASKS",
    "Corpus",
    "WorldSettings",
    "documents",
    "items_file",
    "make_world_and_languages",
    "task_items",
]

Part = Clause | str
Document = tuple[list[Part], list[Part]]


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """What a synthetic world is made from.

    Attributes
    ----------
    seed : int
        Of the world, its languages and its texts.
    antonyms, verb_groups : int
        Pairs of properties and groups of verbs.
    per_family : int
        Languages in each of the four families.
    documents : int
        Documents of the corpus, two sentences each.
    parallel : float
        Share of documents that are a sentence and its translation.
    mixed : float
        Share of documents in which a quarter of the words come from another language.
    train, validation, test : int
        Items of each task; the first two in English only.
    """

    seed: int = 0
    antonyms: int = 16
    verb_groups: int = 16
    per_family: int = 4
    documents: int = 60_000
    parallel: float = 0.15
    mixed: float = 0.10
    train: int = 8_000
    validation: int = 500
    test: int = 500


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """A world with its languages."""

    world: World
    languages: tuple[Language, ...]


def make_world_and_languages(settings: WorldSettings) -> Corpus:
    """Return the world and the languages that settings describe."""
    world = make_world(settings.seed, antonyms=settings.antonyms, verb_groups=settings.verb_groups)
    return Corpus(world, make_languages(world, settings.seed, per_family=settings.per_family))


def documents(corpus: Corpus, settings: WorldSettings) -> Iterator[tuple[str, str]]:
    """Yield the documents of the corpus, each as two texts.

    Parameters
    ----------
    corpus : Corpus
        The world and its languages.
    settings : WorldSettings
        How many documents, and of which make.

    Yields
    ------
    tuple of (str, str)
        A text and what follows it; or a sentence and its translation.

    Examples
    --------
    >>> settings = WorldSettings(documents=2)
    >>> len(list(documents(make_world_and_languages(settings), settings)))
    2
    """
    rng = Random(f"corpus {settings.seed}")
    weights = [language.weight for language in corpus.languages]
    english = corpus.languages[0]
    for _ in range(settings.documents):
        first, second = _story(corpus.world, rng)
        language, other = rng.choices(corpus.languages, weights, k=2)
        kind = rng.random()
        if kind < settings.parallel:
            into = english if language is not english and rng.random() < 0.7 else other
            yield language.text(first), into.text(first)
        elif kind < settings.parallel + settings.mixed:
            words = {c: other.words[c] if rng.random() < 0.25 else w for c, w in language.words.items()}
            mixed = Language(language.code, language.family, words, 0.0)
            yield mixed.text(first), mixed.text(second)
        else:
            yield language.text(first), language.text(second)


def _story(world: World, rng: Random) -> Document:
    """Return an event, and something entailed, an effect, a cause, or another event."""
    event = world.event(rng)
    kind = rng.random()
    if kind < 0.40:
        follows = world.entailed(rng, event)
        if rng.random() < 0.15:
            excluded = world.contradicted(rng, event)
            follows = follows if excluded.negated else excluded._replace(negated=True)
        return [event], [follows or world.event(rng)]
    cause = kind >= 0.60
    state = world.consequence(rng, event, cause) if kind < 0.75 else None
    if state is None:
        return [event], [world.event(rng)]
    return [event], ["BECAUSE" if cause else "SO", state]


def task_items(
    corpus: Corpus, task: str, split: str, language: Language, count: int, seed: int
) -> list[dict[str, Any]]:
    """Return items of a task as records; the same `split` and `seed` give the same items in every language.

    Parameters
    ----------
    corpus : Corpus
        The world and its languages.
    task : str
        One of `WORLD_TASKS`.
    split : str
        ``train``, ``validation`` or ``test``; items of different splits are drawn independently.
    language : Language
        What they are written in.
    count, seed : int
        How many, and which.

    Returns
    -------
    list of dict
        ``id, first, second, label`` for inference, ``id, context, options, label`` for choices.

    Examples
    --------
    >>> corpus = make_world_and_languages(WorldSettings())
    >>> item = task_items(corpus, "world_copa", "test", corpus.languages[0], 1, 0)[0]
    >>> sorted(item)
    ['context', 'id', 'label', 'options']
    """
    rng = Random(f"{task} {split} {seed}")
    make = WORLD_TASKS[task]
    items: list[dict[str, Any]] = []
    while len(items) < count:
        made = make(corpus.world, rng)
        if made is None:
            continue
        context, options, label = made
        name = f"{split}-{len(items)}"
        if task == "world_nli":
            first, second = language.text(context), language.text(options[0])
            items.append({"id": name, "first": first, "second": second, "label": label})
        else:
            said = [language.text(option) for option in options]
            items.append({"id": name, "context": language.text(context), "options": said, "label": label})
    return items


Made = tuple[list[Part], list[list[Part]], int] | None


def _inference(world: World, rng: Random) -> Made:
    """Make an item: does the second sentence follow (0), is it open (1), or is it excluded (2)."""
    event, label = world.event(rng), rng.randrange(3)
    made = (world.entailed, world.neutral, world.contradicted)[label](rng, event)
    return None if made is None or made == event else ([event], [[made]], label)


def _copa(world: World, rng: Random) -> Made:
    """Make an item: which of two states is the effect (SO) or the cause (BECAUSE)."""
    event, cause = world.event(rng, 0.15, 0.2), rng.random() < 0.5
    good = world.consequence(rng, event, cause)
    if good is None:
        return None
    opposite = world.antonym[good.state]
    other = opposite if rng.random() < 0.5 else rng.choice([a for a in world.adjectives if a != good.state])
    options: list[list[Part]] = [[good], [good._replace(state=other)]]
    label = rng.randrange(2)
    return [event, "BECAUSE" if cause else "SO"], options if label == 0 else options[::-1], label


def _plausible(world: World, rng: Random) -> Made:
    """Make an item: which of three states goes with an event, before or after it; nothing says which is asked."""
    event = world.event(rng, 0.3, 0.4)
    good = world.consequence(rng, event, rng.random() < 0.5)
    if good is None:
        return None
    rest = rng.sample([a for a in world.adjectives if a != good.state], 2)
    options: list[list[Part]] = [[good._replace(state=state)] for state in (good.state, *rest)]
    order = rng.sample(range(3), 3)
    return [event], [options[i] for i in order], order.index(0)


WORLD_TASKS: dict[str, Callable[[World, Random], Made]] = {
    "world_nli": _inference,
    "world_copa": _copa,
    "world_siqa": _plausible,
}
"""Maker of each task."""


def items_file(folder: Path, task: str, split: str, language: str) -> Path:
    """Return the file of a task's items in the folder of a world."""
    return folder / "items" / task / f"{split}.{language}.jsonl"
