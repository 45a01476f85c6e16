"""Languages of the world: a phylogeny of lexicons, and the orders in which words are put."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from gainlaw.training.world.meaning import Clause, NounPhrase, World

__all__ = ["ENGLISH", "FAMILIES", "Family", "Language", "language_codes", "make_languages"]

ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Family:
    """A family of languages.

    Attributes
    ----------
    name : str
        Its name.
    order : {"SVO", "SOV", "VSO"}
        Order of subject, verb and object.
    adjective_first, preposition : bool
        Whether the adjective precedes its noun, and the adposition its place.
    """

    name: str
    order: str
    adjective_first: bool
    preposition: bool


FAMILIES = (
    Family("Anglic", "SVO", True, True),
    Family("Romar", "SVO", False, True),
    Family("Ural", "SOV", True, False),
    Family("Semar", "VSO", False, True),
)
ISOLATE = Family("Isolate", "SOV", False, False)


def language_codes(per_family: int) -> tuple[str, ...]:
    """Return the codes of the languages, English first.

    Examples
    --------
    >>> language_codes(2)
    ('en', 'a1', 'r0', 'r1', 'u0', 'u1', 's0', 's1', 'x0')
    """
    codes = [f"{family.name[0].lower()}{place}" for family in FAMILIES for place in range(per_family)]
    return (ENGLISH, *codes[1:], "x0")


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """A lexicon and an order of words.

    Attributes
    ----------
    code : str
        Its code; ``en`` is English.
    family : Family
        Its family.
    words : mapping of str to str
        Concept to word, names too.
    weight : float
        How often a document of the corpus is in it, relative to the others.
    """

    code: str
    family: Family
    words: Mapping[str, str]
    weight: float

    def similarity(self, other: Language) -> float:
        """Return the share of concepts that have the same word in the other language."""
        return sum(self.words[c] == other.words[c] for c in self.words) / len(self.words)

    def text(self, parts: Sequence[Clause | str]) -> str:
        """Return clauses and connectives (``SO``, ``BECAUSE``) as a text; clauses end with a full stop."""
        out: list[str] = []
        for part in parts:
            if isinstance(part, str):
                out.append(self.words[part])
            else:
                out += [*self._clause(part), "."]
        return " ".join(out)

    def _noun_phrase(self, phrase: NounPhrase) -> list[str]:
        noun = self.words[phrase.noun]
        core = [noun]
        if phrase.adjective:
            word = self.words[phrase.adjective]
            core = [word, noun] if self.family.adjective_first else [noun, word]
        return [self.words[phrase.determiner], *core] if phrase.determiner else core

    def _clause(self, clause: Clause) -> list[str]:
        subject = self._noun_phrase(clause.subject)
        denied = [self.words["NOT"]] if clause.negated else []
        if clause.object is None:
            verb, rest = [self.words["BE"], *denied], [self.words[clause.state]]
        else:
            verb, rest = [*denied, self.words[clause.verb]], self._noun_phrase(clause.object)
        pieces = {"S": subject, "V": verb, "O": rest}
        said = [word for letter in self.family.order for word in pieces[letter]]
        if clause.place:
            where = [self.words["IN"], self.words[clause.place]]
            said += where if self.family.preposition else where[::-1]
        return said


def make_languages(world: World, seed: int = 0, *, per_family: int = 2) -> tuple[Language, ...]:
    """Make four families of languages and an isolate; English, the first, has the grammar of the first family.

    Parameters
    ----------
    world : World
        What the words are for.
    seed : int
        Decides the words, and what a language keeps of its family's.
    per_family : int
        Languages in each family.

    Returns
    -------
    tuple of Language
        English shares no word with any other language, and no two families share one: whatever is learned in
        English reaches another language by what pretraining made of its words, or not at all. Within a family a
        language keeps 85% (the first) to 60% (the last) of the family's words.

    Examples
    --------
    >>> from gainlaw.training.world.meaning import make_world
    >>> languages = make_languages(make_world(0))
    >>> [language.code for language in languages]
    ['en', 'a1', 'r0', 'r1', 'u0', 'u1', 's0', 's1', 'x0']
    >>> max(language.similarity(languages[0]) for language in languages[1:])
    0.0
    """
    rng = Random(f"languages {seed}")
    coin = _Coin(seed)
    codes = language_codes(per_family)
    made = [Language(ENGLISH, FAMILIES[0], {c: coin.word() for c in world.concepts}, _ENGLISH)]
    for family in FAMILIES:
        proto = {c: coin.word() for c in world.concepts}
        for place in range(family is FAMILIES[0], per_family):
            keeps = 0.85 - 0.25 * place / max(1, per_family - 1)
            words = {c: word if rng.random() < keeps else coin.word() for c, word in proto.items()}
            made.append(Language(codes[len(made)], family, words, 1.0))
    made.append(Language(codes[-1], ISOLATE, {c: coin.word() for c in world.concepts}, 1.0))
    return tuple(made)


#: How often a document is in English, relative to each other language.
_ENGLISH = 3.0


class _Coin:
    """Coins new words of two or three syllables, each once."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(f"words {seed}")
        self.known: set[str] = set()

    def word(self) -> str:
        while True:
            syllables = 2 if self.rng.random() < 0.7 else 3
            word = "".join(
                self.rng.choice("bdfgklmnprstvz") + self.rng.choice("aeiou") for _ in range(syllables)
            )
            if word not in self.known:
                self.known.add(word)
                return word
