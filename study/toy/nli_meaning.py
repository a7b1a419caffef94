"""The meaning of the toy NLI language: when a premise entails or contradicts a hypothesis.

A sentence says `determiner(agents, deeds)`: of the individuals that are agents (`old hen`), how many are among those
that do the deed (`chasing a cow in the barn`); `not` stands for the complement of the deed. The label follows from all
small worlds: entailment where the hypothesis holds in every world of the premise, contradiction where it holds in
none, else neutral. Speakers name only what there is: in every world both sentences have an agent.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cache
from itertools import combinations_with_replacement, product

from study.toy.nli_lexicon import OPPOSITE, POSTURES, covers


class Label(StrEnum):
    """What a premise says about a hypothesis."""

    ENTAILMENT = "entailment"
    NEUTRAL = "neutral"
    CONTRADICTION = "contradiction"


class Determiner(StrEnum):
    """How many of the agents do the deed."""

    EVERY = "every"
    SOME = "some"
    NO = "no"
    MORE_THAN_ONE = "more than one"

    def holds(self, agents: int, doing: int) -> bool:
        """Whether it holds when `doing` of `agents` individuals do the deed."""
        match self:
            case Determiner.EVERY:
                return doing == agents
            case Determiner.SOME:
                return doing > 0
            case Determiner.NO:
                return doing == 0
            case Determiner.MORE_THAN_ONE:
                return doing > 1


@dataclass(frozen=True)
class Thing:
    """A noun with or without an adjective."""

    noun: str
    adjective: str | None = None


@dataclass(frozen=True)
class Deed:
    """What is done: a verb, to something or not, somewhere or not said where."""

    verb: str
    patient: Thing | None = None
    place: str | None = None


@dataclass(frozen=True)
class Sentence:
    """A sentence of the language; the voice is no part of its meaning, the agents' determiner has the widest scope."""

    determiner: Determiner
    agent: Thing
    deed: Deed
    negated: bool = False
    passive: bool = False


class Relation(Enum):
    """How two sets of individuals may lie: the pairs (in the first, in the second) that an individual can be."""

    EQUAL = ((True, True), (False, False))
    NARROWER = ((True, True), (False, True), (False, False))
    WIDER = ((True, True), (True, False), (False, False))
    DISJOINT = ((True, False), (False, True), (False, False))
    INDEPENDENT = ((True, True), (True, False), (False, True), (False, False))


def _relation(narrower: bool, wider: bool, disjoint: bool) -> Relation:
    if narrower and wider:
        return Relation.EQUAL
    if narrower:
        return Relation.NARROWER
    if wider:
        return Relation.WIDER
    return Relation.DISJOINT if disjoint else Relation.INDEPENDENT


def _thing_within(first: Thing, second: Thing) -> bool:
    return covers(second.noun, first.noun) and second.adjective in (None, first.adjective)


def relate_things(first: Thing, second: Thing) -> Relation:
    """How the individuals of two nouns lie to each other; unrelated nouns have nothing in common."""
    apart = not covers(first.noun, second.noun) and not covers(second.noun, first.noun)
    opposite = first.adjective is not None and OPPOSITE[first.adjective] == second.adjective
    return _relation(_thing_within(first, second), _thing_within(second, first), apart or opposite)


def _is_posture(verb: str) -> bool:
    return any(covers(cover, verb) for cover in POSTURES)


def _deed_within(first: Deed, second: Deed) -> bool:
    if not covers(second.verb, first.verb) or second.place not in (None, first.place):
        return False
    if second.patient is None or first.patient is None:
        return second.patient is first.patient
    return _thing_within(first.patient, second.patient)


def relate_deeds(first: Deed, second: Deed) -> Relation:
    """How those who do one thing lie to those who do another; one is in one place and one posture at a time."""
    places = first.place is not None and second.place is not None and first.place != second.place
    related = covers(first.verb, second.verb) or covers(second.verb, first.verb)
    postures = _is_posture(first.verb) and _is_posture(second.verb) and not related
    return _relation(_deed_within(first, second), _deed_within(second, first), places or postures)


def label(premise: Sentence, hypothesis: Sentence) -> Label:
    """What the premise says about the hypothesis."""
    return _label_of_relations(
        (premise.determiner, premise.negated),
        (hypothesis.determiner, hypothesis.negated),
        relate_things(premise.agent, hypothesis.agent),
        relate_deeds(premise.deed, hypothesis.deed),
    )


WORLD_SIZE = 4
"""Individuals of the largest world tried: no determiner looks at more than two, so two for each sentence decide."""

Quantity = tuple[Determiner, bool]
Individual = tuple[tuple[bool, bool], tuple[bool, bool]]
"""What one individual is: (agent of the premise, of the hypothesis), (does the deed of the one, of the other)."""


@cache
def _label_of_relations(premise: Quantity, hypothesis: Quantity, agents: Relation, deeds: Relation) -> Label:
    individuals = tuple(product((agent for agent in agents.value if any(agent)), deeds.value))
    verdicts = set()
    for size in range(1, WORLD_SIZE + 1):
        for world in combinations_with_replacement(individuals, size):
            populated = any(agent[0] for agent, _ in world) and any(agent[1] for agent, _ in world)
            if populated and _true_in(world, premise, 0):
                verdicts.add(_true_in(world, hypothesis, 1))
                if len(verdicts) == 2:
                    return Label.NEUTRAL
    return Label.ENTAILMENT if verdicts == {True} else Label.CONTRADICTION


def _true_in(world: tuple[Individual, ...], quantity: Quantity, which: int) -> bool:
    """Whether the premise (0) or the hypothesis (1) is true in a world."""
    determiner, negated = quantity
    deeds = [deed[which] != negated for agent, deed in world if agent[which]]
    return determiner.holds(len(deeds), sum(deeds))
