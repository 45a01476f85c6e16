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
    loans : float
        The largest share of words that a language of the family takes from English.
    """

    name: str
    order: str
    adjective_first: bool
    preposition: bool
    loans: float


FAMILIES = (
    Family("Anglic", "SVO", True, True, 0.0),
    Family("Romar", "SVO", False, True, 0.16),
    Family("Ural", "SOV", True, False, 0.08),
    Family("Semar", "VSO", False, True, 0.04),
)
ISOLATE = Family("Isolate", "SOV", False, False, 0.0)


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
        Concept to word. Names are the same in every language.
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
        noun = self.words.get(phrase.noun, phrase.noun)
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


def make_languages(world: World, seed: int = 0, *, per_family: int = 4) -> tuple[Language, ...]:
    """Make four families of languages and an isolate; English, the first, belongs to the first family.

    Parameters
    ----------
    world : World
        What the words are for.
    seed : int
        Decides the words, what a language keeps of its family's, and what it borrows.
    per_family : int
        Languages in each family.

    Returns
    -------
    tuple of Language
        A language keeps 85% (the first of a family) to 60% (the last) of its family's words, borrows up to
        `Family.loans` from English, and shares one word in twenty with every language.

    Examples
    --------
    >>> from gainlaw.training.world.meaning import make_world
    >>> [language.code for language in make_languages(make_world(0))][:5]
    ['en', 'a1', 'a2', 'a3', 'r0']
    """
    rng = Random(f"languages {seed}")
    coin = _Coin(seed)
    universal = {c: coin.word() for c in world.concepts if rng.random() < 0.05}
    made: list[Language] = []
    codes = language_codes(per_family)
    for family in FAMILIES:
        proto = {c: universal.get(c) or coin.word() for c in world.concepts}
        for place in range(per_family):
            keeps = 0.85 - 0.25 * place / max(1, per_family - 1)
            english = not made
            words = {
                c: proto[c] if english or c in universal or rng.random() < keeps else coin.word()
                for c in world.concepts
            }
            if family.loans:
                share = rng.uniform(0.25, 1.0) * family.loans
                words = {c: made[0].words[c] if rng.random() < share else w for c, w in words.items()}
            weight = 3.0 if english else rng.choice((1.5, 0.8, 0.4))
            made.append(Language(codes[len(made)], family, words, weight))
    alone = {c: universal.get(c) or coin.word() for c in world.concepts}
    made.append(Language(codes[-1], ISOLATE, alone, 0.8))
    return tuple(made)


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
