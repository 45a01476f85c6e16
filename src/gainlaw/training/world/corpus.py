"""What is written in the world: a multilingual corpus, and tasks that are the same items in every language."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from gainlaw.training.world.languages import Language, make_languages
from gainlaw.training.world.meaning import Clause, World, make_world

__all__ = [
    "WORLD_TASKS",
    "Corpus",
    "Document",
    "WorldSettings",
    "documents",
    "items_file",
    "make_world_and_languages",
    "probes",
    "task_items",
]

Part = Clause | str

#: Of documents: those whose second sentence is entailed by the first, and those in which it is a cause or an effect.
_ENTAILED, _CAUSAL = 0.25, 0.60
#: Of mixed documents, the words that come from the other language.
_MIXED_WORDS = 0.5
#: How often the other language of a document is English.
_WITH_ENGLISH = 0.7


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
        Share of documents in which half of the words come from another language.
    train, validation, test : int
        Items of each task; the first two in English only.
    probes : int
        Sentences by which the alignment of languages is measured.
    """

    seed: int = 0
    antonyms: int = 8
    verb_groups: int = 8
    per_family: int = 2
    documents: int = 80_000
    parallel: float = 0.4
    mixed: float = 0.3
    train: int = 8_000
    validation: int = 500
    test: int = 500
    probes: int = 200


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """A world with its languages."""

    world: World
    languages: tuple[Language, ...]


def make_world_and_languages(settings: WorldSettings) -> Corpus:
    """Return the world and the languages that settings describe."""
    world = make_world(settings.seed, antonyms=settings.antonyms, verb_groups=settings.verb_groups)
    return Corpus(world, make_languages(world, settings.seed, per_family=settings.per_family))


class Document(NamedTuple):
    """Two texts, one after the other; `parallel` ones are a sentence and its translation."""

    first: str
    second: str
    parallel: bool


def documents(corpus: Corpus, settings: WorldSettings) -> Iterator[Document]:
    """Yield the documents of the corpus.

    Parameters
    ----------
    corpus : Corpus
        The world and its languages.
    settings : WorldSettings
        How many documents, and of which make.

    Yields
    ------
    Document

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
        if language is not english and rng.random() < _WITH_ENGLISH:
            other = english
        kind = rng.random()
        if kind < settings.parallel:
            said = first if rng.random() < 0.5 else second
            pair = (language, other) if rng.random() < 0.5 else (other, language)
            yield Document(pair[0].text(said), pair[1].text(said), True)
            continue
        if kind < settings.parallel + settings.mixed:
            words = {
                c: other.words[c] if rng.random() < _MIXED_WORDS else w for c, w in language.words.items()
            }
            language = Language(language.code, language.family, words, 0.0)
        yield Document(language.text(first), language.text(second), False)


def _story(world: World, rng: Random) -> tuple[list[Part], list[Part]]:
    """Return an event, and something entailed, an effect, a cause, or another event."""
    event = world.event(rng)
    kind = rng.random()
    if kind < _ENTAILED:
        follows = world.entailed(rng, event)
        if rng.random() < 0.15:
            excluded = world.contradicted(rng, event)
            follows = follows if excluded.negated else excluded._replace(negated=True)
        return [event], [follows or world.event(rng)]
    cause = rng.random() < 0.5
    state = world.consequence(event, cause) if kind < _ENTAILED + _CAUSAL else None
    if state is None:
        return [event], [world.event(rng)]
    return [event], [_because(cause), state]


def _because(cause: bool) -> str:
    return "BECAUSE" if cause else "SO"


def probes(corpus: Corpus, settings: WorldSettings) -> dict[str, list[str]]:
    """Return sentences, the same in every language, by the language's code.

    Examples
    --------
    >>> settings = WorldSettings(probes=3)
    >>> found = probes(make_world_and_languages(settings), settings)
    >>> len(found), len(found["en"])
    (9, 3)
    """
    rng = Random(f"probes {settings.seed}")
    events = [corpus.world.event(rng) for _ in range(settings.probes)]
    return {language.code: [language.text([event]) for event in events] for language in corpus.languages}


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
    """Make an item: what the verb brings about or comes from (0), what another does (1), the one as the other (2)."""
    event, label, cause = world.event(rng, 0.15, 0.2), rng.randrange(3), rng.random() < 0.5
    good = world.consequence(event, cause)
    if good is None:
        return None
    group = world.group(event.verb)
    wrong = (world.effect if cause else world.condition)[group]
    state = (good.state, world.other_states(rng, event, 1)[0], wrong)[label]
    return [event], [[_because(cause), good._replace(state=state)]], label


def _copa(world: World, rng: Random) -> Made:
    """Make an item: which of two states is the effect (SO) or the cause (BECAUSE)."""
    event, cause = world.event(rng, 0.15, 0.2), rng.random() < 0.5
    good = world.consequence(event, cause)
    if good is None:
        return None
    options, label = _shuffled(rng, good, world.other_states(rng, event, 1))
    return [event, _because(cause)], options, label


def _plausible(world: World, rng: Random) -> Made:
    """Make an item: which of three states goes with an event, before or after it; nothing says which is asked."""
    event = world.event(rng, 0.15, 0.2)
    good = world.consequence(event, rng.random() < 0.5)
    if good is None:
        return None
    options, label = _shuffled(rng, good, world.other_states(rng, event, 2))
    return [event], options, label


def _shuffled(rng: Random, good: Clause, others: list[str]) -> tuple[list[list[Part]], int]:
    """Return the options of an item in random order, and the place of the right one."""
    order = rng.sample(range(1 + len(others)), 1 + len(others))
    options: list[list[Part]] = [[good._replace(state=state)] for state in (good.state, *others)]
    return [options[i] for i in order], order.index(0)


WORLD_TASKS: dict[str, Callable[[World, Random], Made]] = {
    "world_nli": _inference,
    "world_copa": _copa,
    "world_siqa": _plausible,
}
"""Maker of each task."""


def items_file(folder: Path, task: str, split: str, language: str) -> Path:
    """Return the file of a task's items in the folder of a world."""
    return folder / "items" / task / f"{split}.{language}.jsonl"
