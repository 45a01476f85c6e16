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
        For each group of verbs, the property its object has afterwards, and the one its subject has before. The
        same properties are effects and conditions, each as often: which one a sentence names tells nothing by itself.
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
        return (*sorted(known), *self.adjectives, *self.places, *self.names, *FUNCTION_WORDS)

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

    def consequence(self, event: Clause, cause: bool) -> Clause | None:
        """Return the state that an event brings about, or (`cause`) the one it came from; None for a name."""
        if cause:
            named = not event.subject.determiner
            return None if named else self.state_of(event.subject, self.condition[self.group(event.verb)])
        assert event.object is not None
        return self.state_of(event.object, self.effect[self.group(event.verb)])

    def other_states(self, rng: Random, event: Clause, count: int) -> list[str]:
        """Draw states that other verbs bring about or come from, and this one does not."""
        group = self.group(event.verb)
        own = {self.effect[group], self.condition[group]}
        return rng.sample(sorted(set(self.effect.values()) - own), count)

    @staticmethod
    def _other(rng: Random, among: tuple[str, ...], than: str) -> str:
        return rng.choice([each for each in among if each != than])


def make_world(
    seed: int = 0,
    *,
    classes: int = 4,
    middles: int = 3,
    leaves: int = 4,
    antonyms: int = 8,
    verb_groups: int = 8,
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
        How many there are; of the first two four at least, or there are too few states to choose from.

    Returns
    -------
    World

    Examples
    --------
    >>> world = make_world(0)
    >>> len(world.concepts)
    138
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
    # One property of each pair, as many as there are verbs; more verbs than pairs share them.
    named = [f"a{pair}{rng.choice('+-')}" for pair in rng.sample(range(antonyms), antonyms)]
    order = rng.sample(range(verb_groups), verb_groups)
    kinds = min(antonyms, verb_groups)
    shift = rng.randrange(1, kinds)
    effect = {groups[g]: named[i % kinds] for i, g in enumerate(order)}
    condition = {groups[g]: named[(i + shift) % kinds] for i, g in enumerate(order)}

    return World(
        parent=parent,
        children={above: tuple(each) for above, each in children.items()},
        middles=tuple(all_middles),
        verb_groups=groups,
        adjectives=tuple(sorted(antonym)),
        places=tuple(f"p{i}" for i in range(places)),
        names=tuple(f"m{i}" for i in range(names)),
        antonym=antonym,
        effect=effect,
        condition=condition,
        subjects={group: tuple(rng.sample(all_middles, takes)) for group in groups},
        objects={group: tuple(rng.sample(all_middles, takes)) for group in groups},
    )
