"""A small formal world: things with kinds, properties, events that cause states, and what entails what.

Everything here is about meaning. A sentence is a `Clause` of concepts; languages render it later, so an item of
a task is the same item in every language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

__all__ = ["Clause", "NounPhrase", "World", "make_world"]

DETERMINERS = ("DET", "NUM2", "NUM3")
FUNCTION_WORDS = (*DETERMINERS, "NOT", "IN", "BE", "SO", "BECAUSE")


class NounPhrase(NamedTuple):
    """A noun, perhaps with a property; a name has no determiner."""

    noun: str
    adjective: str = ""
    determiner: str = ""


class Clause(NamedTuple):
    """An event (``verb`` and ``object``) or a state (``state``) of a subject, perhaps somewhere, perhaps denied."""

    subject: NounPhrase
    verb: str = ""
    object: NounPhrase | None = None
    state: str = ""
    place: str = ""
    negated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What there is, and what follows from what.

    Attributes
    ----------
    parent : mapping of str to str
        Kind of each noun and verb: a leaf's middle class, a middle class's top class, a verb's group.
    children : mapping of str to tuple of str
        The other way round.
    middles, verb_groups, adjectives, places, names : tuple of str
        Middle classes of nouns, general verbs, properties, places and proper names.
    antonym : mapping of str to str
        The property that excludes each property.
    effect, condition : mapping of str to str
        For each group of verbs, the property its object has afterwards, and the one its subject has before.
    subjects, objects : mapping of str to tuple of str
        The middle classes that take part in each group of verbs.
    """

    parent: Mapping[str, str]
    children: Mapping[str, tuple[str, ...]]
    middles: tuple[str, ...]
    verb_groups: tuple[str, ...]
    adjectives: tuple[str, ...]
    places: tuple[str, ...]
    names: tuple[str, ...]
    antonym: Mapping[str, str]
    effect: Mapping[str, str]
    condition: Mapping[str, str]
    subjects: Mapping[str, tuple[str, ...]]
    objects: Mapping[str, tuple[str, ...]]

    @property
    def concepts(self) -> tuple[str, ...]:
        """Everything that a language has its own word for, in a fixed order."""
        known = {**self.parent, **self.children}
        return (*sorted(known), *self.adjectives, *self.places, *FUNCTION_WORDS)

    def group(self, verb: str) -> str:
        """Return the group of a verb; a general verb is its own group."""
        return self.parent.get(verb, verb)

    # -- clauses ---------------------------------------------------------------------------------------
    def noun_phrase(self, rng: Random, middle: str, adjective: float) -> NounPhrase:
        """Draw a noun phrase about a middle class; `adjective` is the probability of a property."""
        noun = rng.choice(self.children[middle]) if rng.random() < 0.8 else middle
        what = rng.choice(self.adjectives) if rng.random() < adjective else ""
        return NounPhrase(noun, what, "DET" if rng.random() < 0.7 else rng.choice(DETERMINERS[1:]))

    def event(self, rng: Random, adjective: float = 0.35, place: float = 0.35) -> Clause:
        """Draw an event whose participants suit its verb."""
        group = rng.choice(self.verb_groups)
        verb = rng.choice(self.children[group]) if rng.random() < 0.75 else group
        if rng.random() < 0.75:
            subject = self.noun_phrase(rng, rng.choice(self.subjects[group]), adjective)
        else:
            subject = NounPhrase(rng.choice(self.names))
        return Clause(
            subject,
            verb,
            self.noun_phrase(rng, rng.choice(self.objects[group]), adjective),
            place=rng.choice(self.places) if rng.random() < place else "",
        )

    def state_of(self, thing: NounPhrase, adjective: str) -> Clause:
        """Return the clause "thing is adjective"."""
        return Clause(thing._replace(adjective=""), state=adjective)

    # -- what follows ----------------------------------------------------------------------------------
    def entailed(self, rng: Random, clause: Clause, steps: int = 0) -> Clause | None:
        """Return something that follows from an event: kinds for things, or less said; None if nothing does."""
        subject, thing = clause.subject, clause.object
        assert thing is not None
        ways = [
            name
            for name, possible in (
                ("subject", subject.noun in self.parent),
                ("object", thing.noun in self.parent),
                ("verb", clause.verb in self.parent),
                ("subject adjective", subject.adjective),
                ("object adjective", thing.adjective),
                ("place", clause.place),
            )
            if possible
        ]
        if not ways:
            return None
        steps = steps or (2 if rng.random() < 0.4 else 1)
        for way in rng.sample(ways, min(steps, len(ways))):
            if way == "subject":
                subject = subject._replace(noun=self.parent[subject.noun])
            elif way == "object":
                thing = thing._replace(noun=self.parent[thing.noun])
            elif way == "verb":
                clause = clause._replace(verb=self.parent[clause.verb])
            elif way == "subject adjective":
                subject = subject._replace(adjective="")
            elif way == "object adjective":
                thing = thing._replace(adjective="")
            else:
                clause = clause._replace(place="")
        return clause._replace(subject=subject, object=thing)

    def contradicted(self, rng: Random, clause: Clause) -> Clause:
        """Return something that an event excludes: its denial, an antonym, or another place."""
        if rng.random() < 0.5:
            clause = self.entailed(rng, clause, 1) or clause
        subject, thing = clause.subject, clause.object
        assert thing is not None
        ways = ["deny"]
        ways += ["subject"] * 2 if subject.adjective else []
        ways += ["object"] * 2 if thing.adjective else []
        ways += ["place"] * 2 if clause.place else []
        way = rng.choice(ways)
        if way == "deny":
            return clause._replace(negated=True)
        if way == "subject":
            return clause._replace(subject=subject._replace(adjective=self.antonym[subject.adjective]))
        if way == "object":
            return clause._replace(object=thing._replace(adjective=self.antonym[thing.adjective]))
        return clause._replace(place=self._other(rng, self.places, clause.place))

    def neutral(self, rng: Random, event: Clause) -> Clause | None:
        """Return something that an event neither entails nor excludes: more said than is known."""
        clause = event if rng.random() < 0.5 else self.entailed(rng, event, 1) or event
        subject, thing = clause.subject, clause.object
        assert thing is not None
        assert event.object is not None
        ways = []
        ways += ["subject"] * 2 if subject.noun in self.children else []
        ways += ["object"] * 2 if thing.noun in self.children else []
        ways += ["verb"] * 2 if clause.verb in self.children else []
        ways += ["subject adjective"] if not event.subject.adjective and subject.determiner else []
        ways += ["object adjective"] if not event.object.adjective else []
        ways += ["place"] if not event.place else []
        if not ways:
            return None
        way = rng.choice(ways)
        if way == "subject":
            noun = rng.choice(self.children[subject.noun])
            return (
                None if noun == event.subject.noun else clause._replace(subject=subject._replace(noun=noun))
            )
        if way == "object":
            noun = rng.choice(self.children[thing.noun])
            return None if noun == event.object.noun else clause._replace(object=thing._replace(noun=noun))
        if way == "verb":
            verb = rng.choice(self.children[clause.verb])
            return None if verb == event.verb else clause._replace(verb=verb)
        if way == "place":
            return clause._replace(place=rng.choice(self.places))
        if way == "subject adjective":
            return clause._replace(subject=subject._replace(adjective=rng.choice(self.adjectives)))
        return clause._replace(object=thing._replace(adjective=rng.choice(self.adjectives)))

    def consequence(self, rng: Random, event: Clause, cause: bool) -> Clause | None:
        """Return the state that an event brings about, or (`cause`) the one it came from; None for a name."""
        if cause:
            named = not event.subject.determiner
            return None if named else self.state_of(event.subject, self.condition[self.group(event.verb)])
        assert event.object is not None
        return self.state_of(event.object, self.effect[self.group(event.verb)])

    @staticmethod
    def _other(rng: Random, among: tuple[str, ...], than: str) -> str:
        return rng.choice([each for each in among if each != than])


def make_world(
    seed: int = 0,
    *,
    classes: int = 4,
    middles: int = 3,
    leaves: int = 4,
    antonyms: int = 16,
    verb_groups: int = 16,
    places: int = 8,
    names: int = 10,
) -> World:
    """Make a world.

    Parameters
    ----------
    seed : int
        Decides which properties verbs cause and need, and who takes part in what.
    classes, middles, leaves : int
        Top classes of nouns, middle classes in each, and nouns in each of these.
    antonyms, verb_groups, places, names : int
        How many there are. With few verb groups or antonym pairs the polarity of causes flips in blocks, and
        the causal task can be solved, or inverted, all at once; 16 or more avoid that.

    Returns
    -------
    World

    Examples
    --------
    >>> world = make_world(0)
    >>> len(world.concepts)
    176
    """
    rng = Random(f"world {seed}")
    parent: dict[str, str] = {}
    all_middles = []
    for a in range(classes):
        for b in range(middles):
            middle = f"n{a}.{b}"
            all_middles.append(middle)
            parent[middle] = f"n{a}"
            parent.update({f"{middle}.{c}": middle for c in range(leaves)})
    groups = tuple(f"v{g}" for g in range(verb_groups))
    parent.update({f"{group}.{s}": group for group in groups for s in range(3)})
    children: dict[str, list[str]] = {}
    for child, above in parent.items():
        children.setdefault(above, []).append(child)
    antonym = {}
    for a in range(antonyms):
        antonym[f"a{a}+"], antonym[f"a{a}-"] = f"a{a}-", f"a{a}+"
    takes = min(4, max(2, len(all_middles) // 2))

    def properties() -> dict[str, str]:
        order = rng.sample(range(antonyms), antonyms)
        return {group: f"a{order[g % antonyms]}{rng.choice('+-')}" for g, group in enumerate(groups)}

    return World(
        parent=parent,
        children={above: tuple(each) for above, each in children.items()},
        middles=tuple(all_middles),
        verb_groups=groups,
        adjectives=tuple(sorted(antonym)),
        places=tuple(f"p{i}" for i in range(places)),
        names=tuple(f"m{i}" for i in range(names)),
        antonym=antonym,
        effect=properties(),
        condition=properties(),
        subjects={group: tuple(rng.sample(all_middles, takes)) for group in groups},
        objects={group: tuple(rng.sample(all_middles, takes)) for group in groups},
    )
